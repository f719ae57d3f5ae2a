"""Published rounds come out of the engine; what the articles add up to is said as it is."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from allocopt.cli import app
from allocopt.errors import ScenarioFault
from allocopt.replay import EPISODES, Row, replay


def rows(name: str) -> dict[str, Row]:
    (episode,) = replay(name)
    return {row.label: row for row in episode.rows}


@pytest.mark.parametrize("name", EPISODES)
def test_every_published_figure_is_reproduced(name):
    (episode,) = replay(name)
    assert [row for row in episode.rows if not row.passed] == []
    assert any(row.published is not None for row in episode.rows)
    assert episode.words
    assert episode.source


def test_the_26_authorities_are_26_in_pounds_and_in_per_cent():
    (episode,) = replay("2000-01")
    assert [sum(row.unit == unit for row in episode.rows) for unit in ("GBP k", "% of target")] == [26, 26]


def test_all_35_authorities_of_2001_lie_within_three_hundredths_of_a_point():
    (episode,) = replay("2001-02")
    assert len(episode.rows) == 35
    assert max(abs(row.computed - row.published) for row in episode.rows) <= 0.03
    # 3.23 x 1.0495 / 1.0824 = 3.1318
    assert rows("2001-02")["Liverpool"].computed == pytest.approx(3.13, abs=0.005)


def test_a_rate_that_was_not_the_rule_is_noticed():
    (episode,) = replay("2001-02")
    wrong = [replace(row, computed=row.computed * 1.04) for row in episode.rows]
    assert not replace(episode, rows=tuple(wrong)).passed


def test_area_teams_are_the_sums_of_their_ccgs():
    found = rows("2013-14")
    team = found["Cheshire, Warrington & Wirral: allocation 2013 14, sum of 6"]
    # 219,307 + 193,566 + 120,033 + 231,588 + 308,328 + 445,168 = 1,517,990
    assert team.computed == team.published == 1_517_990


def test_cambridge_of_the_settlement_re_adds_to_the_last_printed_decimal():
    # 234.72258101 / 121,974 = 0.0019243656928; less 0.00151858376434 = 0.0004057819284
    a_head, above, money = rows("2011-12").values()
    assert a_head.computed == pytest.approx(1924.36569277, abs=1e-8)
    assert not replace(a_head, computed=a_head.computed + 1e-7).passed
    assert above.computed == pytest.approx(405.78192843, abs=1e-8)
    assert money.computed == pytest.approx(38.59, abs=0.005)


def test_the_headline_and_the_survey_are_told_apart():
    found = rows("S1")
    assert found["8% of the whole £84.4bn"].computed == pytest.approx(6.752)
    assert found["over: 44% x 8% x 84.4"].computed == pytest.approx(2.97, abs=0.005)
    assert found["under: 49% x 8% x 84.4"].computed == pytest.approx(3.31, abs=0.005)
    assert "drops the 44%" in replay("S1")[0].words[0]


def test_the_least_gross_deficit_and_the_spend_model_agree_with_print():
    found = rows("S5")
    values = [row.computed for row in found.values()]
    assert values[:2] == pytest.approx([1.185, 1.515])
    assert [found[f"spend model, beyond {limit}%"].computed for limit in (5, 10, 20)] == pytest.approx(
        [53.2, 25.9, 11.0], abs=0.05
    )


def test_members_do_not_add_up_to_their_pct_and_the_offset_is_shown():
    found = rows("S11")
    assert found["West Sussex: offset elsewhere in the PCT, against its 15"].computed == pytest.approx(-7.7)
    assert found["Barking and Dagenham: offset elsewhere in the PCT, against its 2"].computed == pytest.approx(-2.006)


def test_an_unknown_round_names_those_there_are():
    with pytest.raises(ScenarioFault, match="there is no published round '2001'"):
        replay("2001")


def test_the_verb_prints_one_json_object_and_exits_with_nothing_when_all_is_reproduced():
    done = CliRunner().invoke(app, ["replay", "--json"])
    said = json.loads(done.stdout)
    assert done.exit_code == 0
    assert said["passed"]
    assert [one["name"] for one in said["episodes"]] == list(EPISODES)
    assert CliRunner().invoke(app, ["replay", "S99", "--json"]).exit_code == 2


def test_the_verb_shows_published_beside_computed():
    done = CliRunner().invoke(app, ["replay", "S1"])
    assert done.exit_code == 0
    assert "published" in done.stdout
    assert "6.752" in done.stdout
