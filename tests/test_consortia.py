"""A whole run of consortia on five places: given groupings, round trips, where rules bind, areas as a price."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import allocopt
from allocopt.check.folder import verify
from allocopt.consortia import finished
from allocopt.errors import PlanRefused, ScenarioFault, TableFault

PLACES = """code,name,people,weight,area,hub,now,lat,lon,imd,base_m,spend_m
A,Alder,30000,30,west,1,g1,0,0.00,30,100,112
B,Birch,22000,27,west,0,g1,0,0.05,30,100,104
C,Cedar,20000,26,west,0,g2,0,0.10,20,100,91
D,Damson,21000,25,east,1,g2,0,0.30,10,100,96
E,Elder,12000,24,east,0,g2,0,0.25,10,100,95
"""
SCENARIO = """format: 1
name: five places in consortia
model: consortia
years: [2019-20]
pot: £500m
inputs:
  places:
    table: places.csv
    key: code
    name: name
    columns: {population: people, latitude: lat, longitude: lon, area: area, hub: hub, group: now, imd: imd}
  baseline: {table: places.csv, column: base_m, unit: £m}
  spend: {table: places.csv, column: spend_m, unit: £m}
formula:
  need: {share: 100%, need: weight}
rules:
  reach: {max: 40 km}
objectives: [gross_deficit, travel]
grouping: {budget: baseline, compare: [unpooled, present, nearest_hub, within_areas, across_areas]}
"""
OFF = {"grouping.compare": "[unpooled]"}


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    (tmp_path / "places.csv").write_text(PLACES, encoding="utf-8")
    path = tmp_path / "five.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return path


def groups_of(run) -> dict[str, str]:
    return dict(zip(run.tables["groups"]["place"], run.tables["groups"]["hub"], strict=True))


def test_every_comparison_has_its_row_with_its_bound(scenario):
    """Over budget: A 12, B 4, C -9, D -4, E -5. A with C has 3, D with B and E -5: 3; A with B and C has 7."""
    run = allocopt.run(scenario, out=None)
    rows = run.tables["comparison"].set_index("plan")
    assert list(rows.index) == [
        "unpooled",
        "present: now",
        "nearest hub",
        "optimal within areas",
        "optimal across areas",
        "plan",
    ]
    assert rows["gross_deficit_gbp"].tolist() == [16e6, 16e6, 7e6, 7e6, 0, 0]
    assert rows.loc["optimal within areas", "bound_gbp"] == 7e6
    assert rows["moves"].tolist()[2:] == [1, 1, 3, 3]
    assert groups_of(run) == {"A": "A", "B": "D", "C": "A", "D": "D", "E": "A"}


def test_a_written_grouping_is_read_back_and_measured_alike(scenario, tmp_path):
    run = allocopt.run(scenario, out=tmp_path / "runs", set=OFF)
    run.tables["groups"].to_csv(tmp_path / "mine.csv", index=False)
    given = {
        "grouping.table": str(tmp_path / "mine.csv"),
        "grouping.key": "place",
        "grouping.column": "group",
        "grouping.hub": "hub",
    }
    again = allocopt.run(scenario, out=tmp_path / "runs", set={**OFF, **given})
    assert again.record["status"] == "evaluated"
    assert again.record["broken"] == []
    pd.testing.assert_frame_equal(again.tables["groups"], run.tables["groups"])
    pd.testing.assert_frame_equal(again.tables["consortia"], run.tables["consortia"])
    assert again.headline == run.headline
    verdict = verify(again.folder)
    assert verdict.passed, [one for one in verdict.checks if not one.passed]
    assert str(tmp_path / "mine.csv") in {one["file"] for one in again.record["inputs"]}


def test_the_present_groups_are_evaluated_with_the_rules_that_they_break(scenario, tmp_path):
    rules = {"rules.population_window": "{min: 53000}", "rules.stay_in_area": "{}", "rules.reach.max": "10 km"}
    run = allocopt.run(scenario, out=tmp_path / "runs", set={**OFF, **rules, "grouping.column": "now"})
    assert {(one["rule"], one["at"]) for one in run.record["broken"]} == {
        ("population_window", "A"),
        ("stay_in_area", "C"),
        ("reach", "C"),
    } | {("hub_opens", code) for code in ()}
    verdict = verify(run.folder)
    assert verdict.passed, [one for one in verdict.checks if not one.passed]


def test_places_that_a_given_grouping_leaves_out_are_an_error_or_stand_alone(scenario, tmp_path):
    text = PLACES.replace("E,Elder,12000,24,east,0,g2", "E,Elder,12000,24,east,0,")
    (tmp_path / "places.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioFault, match="no consortium is given for E"):
        allocopt.run(scenario, out=None, set={**OFF, "grouping.column": "now"})
    run = allocopt.run(scenario, out=None, set={**OFF, "grouping.column": "now", "grouping.left_out": "alone"})
    assert groups_of(run)["E"] == "E"
    assert any("names no consortium for 1 place" in note for note in run.record["warnings"])


def test_every_rule_says_where_it_binds(scenario):
    rules = {
        "reach": "{max: 33.4 km}",
        "stay_in_area": "{}",
        "population_window": "{min: 33000, max: 80000}",
        "balance_band": "{max: 5%}",
        "number_of_consortia": "{max: 2}",
        "contiguity": "{}",
        "deprivation_mix": "{max: 50%}",
        "surplus_concentration": "{max: 100%}",
        "locked": "{places: {B: A}}",
        "together": "{groups: [[A, E], [D, E]]}",
        "apart": "{groups: [[A, B]]}",
        "containment": "{rate: 100%}",
        "moves": "{max: 1}",
    }
    seen = {}
    for name, said in rules.items():
        extra = {"rules.stay_in_area": "{}"} if name in ("containment", "population_window", "moves") else {}
        asked = said if name != "together" else "{groups: [[D, E]]}"
        asked = asked if name != "apart" else "{groups: [[A, D]]}"
        run = allocopt.run(scenario, out=None, set={**OFF, **extra, f"rules.{name}": asked})
        found = {one["name"]: one for one in run.record["rules"]}[name]
        seen[name] = (found["binding"], found["rows"])
        assert found["words"].startswith(name)
    assert seen == {
        "reach": (0, 5),
        "stay_in_area": (0, 5),
        "population_window": (1, 2),
        "balance_band": (0, 2),
        "number_of_consortia": (1, 1),
        "contiguity": (1, 2),
        "deprivation_mix": (0, 2),
        "surplus_concentration": (1, 2),
        "locked": (0, 1),
        "together": (0, 1),
        "apart": (0, 1),
        "containment": (2, 2),
        "moves": (1, 1),
    }


def test_areas_may_have_a_price_instead_of_a_rule(scenario):
    """Nobody crosses and 7 are left; or the deficit comes first and crossings are only as few as it allows."""
    first = allocopt.run(scenario, out=None, set={**OFF, "objectives": "[crossings, gross_deficit]"})
    assert (first.headline["places_crossing"], first.headline["gross_deficit_gbp"]) == (0, 7_000_000)
    then = allocopt.run(scenario, out=None, set={**OFF, "objectives": "[gross_deficit, crossings]"})
    assert (then.headline["places_crossing"], then.headline["gross_deficit_gbp"]) == (2, 0)
    assert {stage["name"]: stage["proven"] for stage in then.record["objectives"]}["crossings"]


def test_what_is_wrong_in_a_further_table_is_cited_there(scenario, tmp_path):
    hubs = tmp_path / "hubs.csv"
    hubs.write_text("place,leads\nE,0\nA,1\nB,no\nC,0\nD,1\n", encoding="utf-8")
    more = {"inputs.places.more": f"[{{table: {hubs}, key: place}}]", "inputs.places.columns.hub": "leads"}
    with pytest.raises(TableFault) as failure:
        allocopt.run(scenario, out=None, set=more)
    assert "hubs.csv:4: inputs.places.columns.hub: column 'leads'" in str(failure.value)
    hubs.write_text("place,leads\nE,0\nA,1\nB,0.5\nC,0\nD,1\n", encoding="utf-8")
    with pytest.raises(ScenarioFault, match=r"B: 0\.5"):
        allocopt.run(scenario, out=None, set=more)


def test_a_further_table_is_part_of_what_verify_reads(scenario, tmp_path):
    hubs = tmp_path / "hubs.csv"
    hubs.write_text("place,leads\nE,0\nA,1\nB,0\nC,0\nD,1\n", encoding="utf-8")
    more = {"inputs.places.more": f"[{{table: {hubs}, key: place}}]", "inputs.places.columns.hub": "leads"}
    run = allocopt.run(scenario, out=tmp_path / "runs", set={**OFF, **more})
    assert verify(run.folder).passed
    hubs.write_text("place,leads\nE,0\nA,1\nB,0\nC,1\nD,1\n", encoding="utf-8")
    assert {one.name for one in verify(run.folder).checks if not one.passed} == {f"input {hubs}", "the grouping"}


def test_bound_c_says_what_windows_cost_and_is_proved_again(scenario, tmp_path):
    """At most 56,000 people: beside its own 30,000 A has room for C (9 of its 12, 3 left) and half of E (2.5 of them).

    Areas and reach see that all overspends could be offset; the relaxation, which halves E, leaves 0.5; the plan 3.
    """
    window = {"rules.population_window": "{max: 56000}"}
    run = allocopt.run(scenario, out=tmp_path / "runs", set={**OFF, **window})
    assert run.headline["gross_deficit_gbp"] == 3_000_000
    bounds = {one["name"]: one for one in run.record["bounds"]}
    assert bounds["B"]["value"] == pytest.approx(0.0)
    assert bounds["C"]["value"] == pytest.approx(0.5)
    assert (run.record["objectives"][0]["by"], run.record["objectives"][0]["proven"]) == ("highs", True)
    with np.load(run.folder / "certificate.npz") as kept:
        assert len(kept["C.rows"]) == bounds["C"]["prices"]
    verdict = verify(run.folder)
    assert verdict.passed, [one for one in verdict.checks if not one.passed]


def test_an_allocation_that_is_made_first_is_pooled_and_checked_with_its_rules(scenario, tmp_path):
    """A whole allocation under pace-of-change rules, then its consortia: both are verified from the folder."""
    steps = {
        "model": "[pace_of_change, consortia]",
        "rules.growth_floor": "{rate: 0%}",
        "pot": "£510m",
        "grouping.budget": "allocation",
    }
    run = allocopt.run(scenario, out=tmp_path / "runs", set=steps)
    assert run.tables["consortia"]["budget_gbp"].sum() == run.allocations["allocation_gbp"].sum() == 510_000_000
    verdict = verify(run.folder)
    assert verdict.passed, [one for one in verdict.checks if not one.passed]
    assert "rule growth_floor" in {one.name for one in verdict.checks}
    table = pd.read_csv(run.folder / "allocations.csv")
    table.loc[[0, 1], "allocation_gbp"] += [-20_000_000, 20_000_000]
    table.to_csv(run.folder / "allocations.csv", index=False)
    assert {"sealed files", "rule growth_floor"} <= {one.name for one in verify(run.folder).checks if not one.passed}


def test_a_bound_above_the_plan_is_neither_written_nor_verified(scenario, tmp_path):
    """The plan has no deficit at all: a proof of 0.42, of its own stage or of a bound, is wrong and told to be."""
    run = allocopt.run(scenario, out=tmp_path / "runs", set=OFF)
    made, solution = run.plan, run.plan.solution
    stage = replace(solution.stages[0], value=0.42, bound=0.42)
    for wrong in (
        replace(solution, stages=(stage, *solution.stages[1:])),
        replace(solution, bounds=(replace(solution.bounds[0], value=0.42),)),
    ):
        with pytest.raises(PlanRefused, match=r"gross_deficit is 0, yet no plan is said to have less than 0\.42"):
            finished(made.facts, made.model, None, wrong, (made.budget, made.spend))
    record = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))
    record["objectives"][0] |= {"value": 0.42, "bound": 0.42}
    record["headline"]["bound_gbp"] = 420_000
    (run.folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    failed = {one.name for one in verify(run.folder).checks if not one.passed}
    assert {"objective gross_deficit", "bounds and plan"} <= failed


def test_a_bound_under_earlier_objectives_is_not_told_of_every_grouping(scenario, tmp_path):
    """Travel first: B with A and C, E with D. Over budget 12 + 4 - 9 = 7, and -9. With gross deficit first it is 0."""
    run = allocopt.run(scenario, out=tmp_path / "runs", set={**OFF, "objectives": "[travel, gross_deficit]"})
    stages = {one["name"]: one for one in run.record["objectives"]}
    assert (stages["gross_deficit"]["value"], stages["gross_deficit"]["bound"]) == pytest.approx((7.0, 7.0))
    head = {name: run.headline[name] for name in ("gross_deficit_gbp", "bound_gbp", "gap_pct")}
    assert head == {"gross_deficit_gbp": 7_000_000, "bound_gbp": 0, "gap_pct": 100.0}
    row = run.tables["comparison"].set_index("plan").loc["plan"]
    assert (row["bound_gbp"], row["gap_pct"]) == (0, 100)
    travel = stages["travel"]["cap"]
    assert (
        f"no grouping under these rules has less than £0; with a mean distance of at most {travel:.4f}"[:-1]
        in (run.record["summary"])
    )
    assert "km none has less than £7.0m" in run.record["summary"]
    assert verify(run.folder).passed
    record = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))
    record["headline"]["bound_gbp"] = 7_000_000
    (run.folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    assert "headline" in {one.name for one in verify(run.folder).checks if not one.passed}


def test_the_headline_s_gap_is_that_of_the_plan_it_stands_beside(scenario):
    """At most 56,000 people: 3 is least. For travel five times as much is left: B with A has 12 + 4 = 16."""
    run = allocopt.run(
        scenario, out=None, set={**OFF, "rules.population_window": "{max: 56000}", "solver.slack": "450%"}
    )
    head, row = run.headline, run.tables["comparison"].set_index("plan").loc["plan"]
    assert (head["gross_deficit_gbp"], head["bound_gbp"]) == (16_000_000, 3_000_000)
    assert head["gap_pct"] == row["gap_pct"] == 100 * 13 / 16
    assert run.record["objectives"][0]["gap"] == pytest.approx(0.0)


def test_a_row_within_areas_needs_areas_and_says_why_it_is_not_there(scenario):
    """Cedar's own area has no hub: no grouping within areas. Without a column of areas there are none to stay in."""
    text = scenario.read_text(encoding="utf-8")
    table = scenario.parent / "places.csv"
    table.write_text(PLACES.replace("C,Cedar,20000,26,west", "C,Cedar,20000,26,north"), encoding="utf-8")
    asked = {"grouping.compare": "[within_areas]", "grouping.exempt": "none"}
    run = allocopt.run(scenario, out=None, set=asked)
    assert list(run.tables["comparison"]["plan"]) == ["unpooled", "plan"]
    said = [note for note in run.record["warnings"] if "no row for within_areas" in note]
    assert len(said) == 1
    assert said[0].endswith("no hub that C may join")
    scenario.write_text(text.replace("area: area, ", ""), encoding="utf-8")
    with pytest.raises(ScenarioFault) as failure:
        allocopt.run(scenario, out=None, set=asked)
    assert "no column is named for area" in str(failure.value)


def test_a_row_says_which_rules_it_breaks_and_has_their_bound_only_where_it_keeps_them(scenario, tmp_path):
    """B and C are within 12 km of A alone, E of D: 12 + 4 - 9 = 7 and nothing. Now C is with D and E, 17 km from
    E, their middle, which may not lead while D must.
    """
    rules = {"rules.reach.max": "12 km", "rules.stay_in_area": "{}"}
    run = allocopt.run(scenario, out=tmp_path / "runs", set=rules)
    table = run.tables["comparison"].set_index("plan")
    assert list(table.columns[-2:]) == ["rules_broken", "breaks"]
    assert table["breaks"].to_dict() == {
        "unpooled": "",
        "present: now": "hub_opens at 2; reach at 1; stay_in_area at 1",
        "nearest hub": "",
        "optimal within areas": "",
        "optimal across areas": "",
        "plan": "",
    }
    assert np.isnan(table.loc["unpooled", "rules_broken"])
    assert table.loc["present: now":, "rules_broken"].tolist() == [3, 0, 0, 0, 0]
    assert np.isnan(table.loc[["unpooled", "present: now"], ["bound_gbp", "gap_pct"]]).all(axis=None)
    assert table.loc["nearest hub", ["gross_deficit_gbp", "bound_gbp", "gap_pct"]].tolist() == [7e6, 7e6, 0]
    said = "Of the groupings beside it, present: now breaks hub_opens at 2, reach at 1, stay_in_area at 1."
    assert said in run.record["summary"]
    effects = pd.read_csv(run.folder / "effects.csv")
    assert "breaks" not in set(effects["measure"])
    assert set(effects.loc[effects["measure"] == "rules_broken", "unit"]) == {"rules"}


def test_a_given_grouping_that_breaks_rules_has_no_gap_to_their_bound(scenario):
    """Areas leave 7; the present groups, which cross them, 16: neither is a proof about the other."""
    asked = {**OFF, "grouping.column": "now", "rules.stay_in_area": "{}"}
    run = allocopt.run(scenario, out=None, set=asked)
    assert (run.headline["bound_gbp"], run.headline["gap_pct"]) == (7_000_000, None)
    row = run.tables["comparison"].set_index("plan").loc["plan"]
    assert (row["rules_broken"], row["breaks"]) == (1, "stay_in_area at 1")
    assert np.isnan(row["bound_gbp"])
    assert "less than £7.0m, and this one is not under them: it breaks stay_in_area." in run.record["summary"]


def test_a_bound_above_a_stage_s_own_plan_is_refused_however_much_slack_came_after(scenario):
    """The first stage has a plan with 3; travel takes its slack and ends at 16: a bound of 4 is wrong all the same."""
    run = allocopt.run(
        scenario, out=None, set={**OFF, "rules.population_window": "{max: 56000}", "solver.slack": "450%"}
    )
    made, solution = run.plan, run.plan.solution
    wrong = replace(solution, bounds=(*solution.bounds, replace(solution.bounds[0], value=4.0)))
    with pytest.raises(PlanRefused, match="gross_deficit is 3, yet no plan is said to have less than 4"):
        finished(made.facts, made.model, None, wrong, (made.budget, made.spend))
