"""Candidate formulas side by side: money moved, bands crossed, components that add up."""

from __future__ import annotations

import numpy as np
import pytest

import allocopt
from allocopt.errors import ScenarioFault, TableFault
from allocopt.formulas import band

SCENARIO = """\
format: 1
name: Two formulas
model: pace_of_change
years: [2019-20]
pot: £300m
inputs:
  places: {table: places.csv, key: code, columns: {population: people}}
  baseline: {table: places.csv, column: baseline, unit: £m}
formula:
  old: {share: 60%, need: age}
  poor: {share: 40%, need: deprivation}
formulas:
  young:
    old: {share: 90%, need: age}
    poor: {share: 10%, need: deprivation}
objectives: [movement]
"""
# formula: A 180 x 0.5 + 120 x 0.2 = 114, B 180 x 0.3 + 120 x 0.3 = 90, C 180 x 0.2 + 120 x 0.5 = 96.
# young:   A 270 x 0.5 +  30 x 0.2 = 141, B 270 x 0.3 +  30 x 0.3 = 90, C 270 x 0.2 +  30 x 0.5 = 69. Moved 27.
# Baseline 100 each: opening distances by `formula` A -12.28%, B +11.11%, C +4.17%; by `young` -29.08%, +11.11%,
# +44.93%.
TABLE = "code,people,baseline,age,deprivation\nA,1000,100,5,2\nB,1000,100,3,3\nC,1000,100,2,5\n"


@pytest.fixture
def scenario(tmp_path):
    (tmp_path / "places.csv").write_text(TABLE, encoding="utf-8")
    (tmp_path / "two.yaml").write_text(SCENARIO, encoding="utf-8")
    return tmp_path / "two.yaml"


@pytest.fixture
def run(scenario):
    return allocopt.run(scenario, out=None)


def measures(run, table: str, group: str) -> dict[str, float]:
    rows = run.effects[(run.effects["table"] == table) & (run.effects["group"] == group)]
    return dict(zip(rows["measure"], rows["value"], strict=True))


def test_targets_stand_side_by_side_and_add_up_to_the_pot(run):
    wide = run.tables["formulas"].pivot_table(index="place", columns="formula", values="target_gbp")
    assert wide["formula"].to_dict() == {"A": 114e6, "B": 90e6, "C": 96e6}
    assert wide["young"].to_dict() == {"A": 141e6, "B": 90e6, "C": 69e6}


def test_the_redistribution_between_formulas_is_half_the_sum_of_differences(run):
    found = measures(run, "formulas", "young")
    assert (found["gross_movement_gbp"], found["gaining_places"], found["losing_places"]) == (27e6, 1, 1)
    assert found["largest_gain_pct"] == pytest.approx(100 * 27 / 114, abs=1e-6)
    assert found["largest_loss_pct"] == pytest.approx(100 * 27 / 96, abs=1e-6)


def test_places_that_cross_five_ten_and_twenty_per_cent_are_counted(run):
    found = measures(run, "formulas", "young")
    crossed = {
        limit: (found[f"crossing_out_{limit}_places"], found[f"crossing_in_{limit}_places"]) for limit in (5, 10, 20)
    }
    # C leaves all three, A (-12.28% to -29.08%) only the 20%
    assert crossed == {5: (1, 0), 10: (1, 0), 20: (2, 0)}
    assert [found[f"beyond_{limit}_places"] for limit in (5, 10, 20)] == [3, 3, 2]


def test_components_add_up_to_each_target_and_have_a_value(run):
    parts = run.tables["formula_components"].groupby(["formula", "place"])["target_gbp"].sum()
    whole = run.tables["formulas"].set_index(["formula", "place"])["target_gbp"]
    assert (parts - whole).abs().max() == 0
    found = measures(run, "formula_components", "formula: poor")
    # without it A would have 150, B 90, C 60 of 300: it moves 36 to C
    assert found == {"value_gbp": 120e6, "value_share_pct": 40.0, "moves_gbp": 36e6}


def test_a_place_on_a_limit_counts_as_nearer_to_target():
    assert band(np.array([-20.1, -20.0, -5.0, 5.0, 5.1, 20.0, 20.1])).tolist() == [
        "< -20%",
        "-20% to -10%",
        "-5% to 5%",
        "-5% to 5%",
        "5% to 10%",
        "10% to 20%",
        "> 20%",
    ]


def test_a_candidate_is_checked_like_the_formula(scenario):
    with pytest.raises(ScenarioFault, match=r"formulas\.young: the shares add up to 101%, not 100%"):
        allocopt.run(scenario, set={"formulas.young.old.share": "91%"}, out=None)
    with pytest.raises(TableFault, match=r"formulas\.young\.old\.need"):
        allocopt.run(scenario, set={"formulas.young.old.need": "agge"}, out=None)


def test_the_plan_rests_on_the_formula_alone(scenario, run):
    alone = allocopt.run(scenario, set={"formulas": "off"}, out=None)
    assert alone.allocations.equals(run.allocations)
    assert "formulas" not in alone.tables
