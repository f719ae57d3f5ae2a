"""A given grouping is evaluated as it is given, or refused with what is wrong; the rules that it breaks are named."""

from __future__ import annotations

import pytest
from four_places import PLACES, four_places
from typer.testing import CliRunner

import allocopt
from allocopt.check.folder import verify
from allocopt.cli import app
from allocopt.errors import InputFault, ScenarioFault


def table(*rows: str) -> str:
    return "\n".join(("code,group,hub", *rows)) + "\n"


def refused(path) -> str:
    with pytest.raises(InputFault) as failure:
        allocopt.run(path, out=None)
    assert failure.value.exit == 2
    return str(failure.value)


def broken(run) -> list[tuple[str, str]]:
    return [(one["rule"], one["at"]) for one in run.record["broken"]]


def test_columns_that_disagree_about_who_is_with_whom_are_refused(tmp_path):
    """By `group` A is with B (nothing left over budget); by `hub` with D (0.5 left). Neither is guessed."""
    said = refused(four_places(tmp_path, grouping="hub: hub", given=table("A,one,A", "B,one,C", "C,two,C", "D,two,A")))
    assert "given.csv:3: grouping.hub: the places of consortium 'one' name 2 hubs: A (line 2), C (line 3)" in said
    assert "cure: write one hub for all of them, or leave grouping.hub out" in said


def test_two_consortia_of_one_hub_are_not_merged(tmp_path):
    said = refused(four_places(tmp_path, grouping="hub: hub", given=table("A,one,A", "B,one,A", "C,two,A", "D,two,A")))
    assert "given.csv:4: grouping.hub: 2 consortia name hub A: one (line 2), two (line 4)" in said


def test_everything_that_is_wrong_with_hubs_is_told_at_once(tmp_path):
    rows = table("A,one,A", "B,one,", "C,two,Z", "D,,C")
    said = refused(four_places(tmp_path, grouping="hub: hub, left_out: alone", given=rows))
    assert "given.csv:3: grouping.hub: no hub is given for B (line 3)" in said
    assert "given.csv:4: grouping.hub: these hubs are no places of the run: C (line 4: 'Z')" in said
    assert "given.csv:5: grouping.hub: a hub and no consortium is given for D (line 5)" in said


def test_a_place_that_stands_alone_does_not_join_the_consortium_that_names_it_as_hub(tmp_path):
    rows = table("A,one,A", "B,one,A", "C,,", "D,two,C")
    said = refused(four_places(tmp_path, grouping="hub: hub, left_out: alone", given=rows))
    assert "2 consortia name hub C: none (place C alone) (line 4), two (line 5)" in said


def test_a_missing_row_is_cited_by_its_line_in_the_places_table(tmp_path):
    said = refused(four_places(tmp_path, given=table("A,one,A", "B,one,A", "C,two,C")))
    assert "no row for 1 place of the places of this run (places.csv): D (line 5)" in said


@pytest.mark.parametrize(
    ("grouping", "words"),
    [
        ("column: now, hub: nope", "grouping.hub: places.csv has no column 'nope'"),
        ("column: nope", "grouping.column: places.csv has no column 'nope'"),
        ("hub: hub", "a given grouping needs the column of the consortium; only hub is said"),
    ],
)
def test_columns_that_are_not_there_are_an_error(tmp_path, grouping, words):
    assert words in refused(four_places(tmp_path, grouping=grouping))


def test_hubs_that_the_scenario_does_not_have_are_reported(tmp_path):
    """A and C are declared and B is not: one consortium at B closes two hubs and opens a third."""
    rows = table("A,one,B", "B,one,B", "C,one,B", "D,one,B")
    run = allocopt.run(four_places(tmp_path, grouping="hub: hub", given=rows), out=tmp_path / "runs")
    assert broken(run) == [("hub_opens", "A"), ("hub_opens", "C"), ("hub_opens", "B")]
    optional = allocopt.run(four_places(tmp_path, grouping="hub: hub, hubs: optional", given=rows), out=None)
    assert broken(optional) == [("hub_opens", "B")]
    assert verify(run.folder).passed


def test_where_no_hub_is_named_it_is_a_member_that_may_be_one(tmp_path):
    """B lies in the middle of A, B and C, but only A and C are declared; A is one of the two at equal travel."""
    rows = "code,group\nA,one\nB,one\nC,one\nD,two\n"
    run = allocopt.run(four_places(tmp_path, given=rows), out=None)
    assert run.tables["groups"]["hub"].tolist() == ["A", "A", "A", "D"]


def test_a_share_of_surplus_is_of_what_the_scenarios_own_hubs_could_gather(tmp_path):
    """Hub A could have B (1.0) and D (0.5) and never C, a hub itself: with B it holds 67%. C has 1.5 of 2.5: 60%."""
    places = PLACES.replace("C,10000,52.10,-1,E,1,g2,20,10,10.5", "C,10000,52.10,-1,E,1,g2,20,10,9.0")
    path = four_places(
        tmp_path,
        rules="surplus_concentration: {max: 60%}",
        grouping="hub: hub",
        given=table("A,one,A", "B,one,A", "C,two,C", "D,two,C"),
        places=places,
    )
    run = allocopt.run(path, out=None)
    assert broken(run) == [("surplus_concentration", "A")]
    assert "GBP 1.000m of the GBP 1.500m" in run.record["broken"][0]["words"]


FAR = PLACES.replace("B,10000,52.05,-1,E,0", "B,10000,52.50,-1,E,0")


def test_a_grouping_outside_the_rules_is_never_called_the_least(tmp_path):
    """Within 20 km B's surplus meets nobody: 1.0 is the least. The given grouping has 0, since B comes 55 km."""
    path = four_places(
        tmp_path,
        rules="reach: {max: 20 km}",
        grouping="hub: hub",
        given=table("A,one,A", "B,one,A", "C,two,C", "D,two,C"),
        places=FAR,
    )
    run = allocopt.run(path, out=tmp_path / "runs")
    stage, head = run.record["objectives"][0], run.headline
    assert broken(run) == [("reach", "B")]
    assert (stage["value"], stage["bound"], stage["gap"], stage["gap_gbp"]) == (0.0, 1.0, None, None)
    assert not any(one["proven"] for one in run.record["objectives"])
    assert (head["bound_gbp"], head["rules_broken"], head["gap_pct"]) == (1_000_000, 1, None)
    assert "no grouping under these rules has less than £1.0m, and this one is not under them" in run.record["summary"]
    assert any("is outside the rules" in one for one in run.record["warnings"])
    plan = run.tables["comparison"].set_index("plan").loc["plan"]
    assert plan[["bound_gbp", "gap_pct"]].isna().all()
    verdict = verify(run.folder)
    assert verdict.passed, [one for one in verdict.checks if not one.passed]


def test_the_terminal_and_the_pages_say_that_it_is_outside_the_rules(tmp_path):
    rows = table("A,one,A", "B,one,A", "C,two,C", "D,two,C")
    path = four_places(tmp_path, rules="reach: {max: 20 km}", grouping="hub: hub", given=rows, places=FAR)
    answer = CliRunner().invoke(app, ["run", str(path), "--out", str(tmp_path / "runs")])
    assert answer.exit_code == 0, answer.output
    folder = next((tmp_path / "runs").iterdir())
    page, told = (folder / "report.html").read_text(), (folder / "assurance.md").read_text()
    for text in (" ".join(answer.output.split()), page, told):
        assert "outside the rules" in text


def test_a_grouping_within_the_rules_keeps_its_gap(tmp_path):
    rows = table("A,one,A", "B,one,A", "C,two,C", "D,two,C")
    run = allocopt.run(four_places(tmp_path, grouping="hub: hub", given=rows), out=None)
    assert (run.record["broken"], run.headline["gap_pct"], run.headline["gross_deficit_gbp"]) == ([], 0.0, 0)
    assert run.record["objectives"][0]["proven"]


def test_a_place_without_a_consortium_is_cited(tmp_path):
    with pytest.raises(ScenarioFault, match=r"no consortium is given for D \(line 5\)"):
        allocopt.run(four_places(tmp_path, given=table("A,one,A", "B,one,A", "C,two,C", "D,,")), out=None)


@pytest.mark.parametrize("objective", ["gross_deficit", "deficit_and_crossings: {per_place: £100k}"])
def test_bounds_beside_a_given_grouping_know_which_hubs_could_gather_the_minimum(tmp_path, objective):
    """Within 6 km hub A could gather A and B, 20,000 people of 25,000: A has nobody to offset its £1m with."""
    path = four_places(
        tmp_path,
        grouping="hubs: optional, hub: hub",
        given="code,group,hub\nA,one,C\nB,one,C\nC,one,C\nD,one,C\n",
        objectives=objective,
        rules="reach: {max: 6 km}, population_window: {min: 25000}",
    )
    run = allocopt.run(path, out=tmp_path / "runs")
    assert next(one["value"] for one in run.record["bounds"] if one["name"] == "B") == pytest.approx(1.0)
    assert [one for one in verify(run.folder).checks if not one.passed] == []
