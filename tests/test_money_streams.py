"""Non-recurrent money changes no distance from target; made recurrent, it enters the baseline and does."""

from __future__ import annotations

import pytest

import allocopt
from allocopt.check.folder import verify
from allocopt.errors import ScenarioFault, TableFault

SCENARIO = """\
format: 1
name: Streams
model: pace_of_change
years: [2019-20]
pot: £330m
inputs:
  places: {table: places.csv, key: code, columns: {population: people}}
  baseline: {table: places.csv, column: baseline, unit: £m}
formula: {need: {share: 100%, need: need}}
rules: {growth_floor: {rate: 1%}}
objectives: [shortfall_below_target, movement]
"""
TABLE = "code,people,baseline,need,winter\nA,2000,100,4,0\nB,1000,100,3,2500\nC,1000,100,3,500\n"


@pytest.fixture
def scenario(tmp_path):
    (tmp_path / "places.csv").write_text(TABLE, encoding="utf-8")
    (tmp_path / "plain.yaml").write_text(SCENARIO, encoding="utf-8")
    return tmp_path / "plain.yaml"


def with_streams(scenario, out=None, **streams):
    return allocopt.run(scenario, set={f"streams.{name}": said for name, said in streams.items()}, out=out)


def amounts(run, name):
    rows = run.tables["streams"]
    return rows.loc[rows["stream"] == name].set_index("place")["amount_gbp"].to_dict()


def test_non_recurrent_money_leaves_every_figure_of_the_plan_as_it_is(scenario):
    plain = allocopt.run(scenario, out=None)
    beside = with_streams(scenario, winter="{column: winter, unit: £k}", extra="{value: £50m}")
    assert beside.allocations.equals(plain.allocations)
    assert "streams" not in plain.tables
    assert any("winter: £3.0m of non-recurrent money beside the pot" in one for one in beside.record["warnings"])


def test_a_stream_is_shared_by_target_by_people_by_a_column_or_per_head(scenario):
    run = with_streams(
        scenario,
        by_need="{value: £10m}",
        by_people="{value: £1, by: population}",
        by_winter="{value: £6m, by: winter}",
        running="{per_head: £24.73}",
        winter="{column: winter, unit: £k}",
    )
    assert amounts(run, "by_need") == {"A": 4_000_000, "B": 3_000_000, "C": 3_000_000}
    assert amounts(run, "by_people") == {"A": 1, "B": 0, "C": 0}  # the odd pound goes to the largest remainder
    assert amounts(run, "by_winter") == {"A": 0, "B": 5_000_000, "C": 1_000_000}
    assert amounts(run, "running") == {"A": 49_460, "B": 24_730, "C": 24_730}
    assert amounts(run, "winter") == {"A": 0, "B": 2_500_000, "C": 500_000}


def test_money_made_recurrent_enters_the_baseline_and_moves_the_opening_distance(scenario):
    plain = allocopt.run(scenario, out=None).allocations.set_index("place")
    run = with_streams(scenario, winter="{column: winter, unit: £k, recurrent: true}")
    found = run.allocations.set_index("place")
    # B 100 + 2.5 = 102.5 of 303 against 30%: 102.5 / 90.9 - 1 = 12.761%; before, 100 / 90 - 1 = 11.111%
    assert found["baseline_gbp"].to_dict() == {"A": 100_000_000, "B": 102_500_000, "C": 100_500_000}
    assert plain.loc["B", "opening_dft_pct"] == pytest.approx(11.111111)
    assert found.loc["B", "opening_dft_pct"] == pytest.approx(12.761276)
    assert found.loc["B", "allocation_gbp"] == 103_525_000  # its floor now stands on 102.5: x 1.01
    assert any("winter: £3.0m made recurrent" in one for one in run.record["warnings"])


def test_the_checker_shares_streams_out_again(scenario, tmp_path):
    run = with_streams(
        scenario,
        out=tmp_path / "runs",
        winter="{column: winter, unit: £k, recurrent: true}",
        running="{per_head: £24.73}",
        extra="{value: £10m, by: population}",
    )
    verdict = verify(run.folder)
    assert [one for one in verdict.checks if not one.passed] == []
    assert {"stream winter 2019-20", "stream extra 2019-20 total"} <= {one.name for one in verdict.checks}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("{by: target}", "given in no way"),
        ("{value: £1m, per_head: £2}", "given in 2 ways: value, per_head"),
        ("{column: winter}", "'unit' is missing"),
        ("{per_head: £2, by: target}", "'by' has no place in a stream per head"),
        ("{value: {2018-19: £1m}}", "no value for 2019-20"),
        ("{value: 5}", "needs its unit"),
    ],
)
def test_a_stream_that_does_not_say_what_it_is_is_refused(scenario, said, words):
    with pytest.raises(ScenarioFault, match=words):
        with_streams(scenario, odd=said)


def test_a_column_that_is_not_there_or_sums_to_nothing_is_told(scenario, tmp_path):
    with pytest.raises(TableFault, match=r"streams\.odd\.by"):
        with_streams(scenario, odd="{value: £1m, by: wintre}")
    (tmp_path / "places.csv").write_text(TABLE.replace("2500", "0").replace(",500", ",0"), encoding="utf-8")
    with pytest.raises(TableFault, match="sums to nothing"):
        with_streams(scenario, odd="{value: £1m, by: winter}")
