"""Frontiers: proven points, falling and convex, with the ends where a hand sum puts them."""

from __future__ import annotations

import json
from hashlib import sha256

import numpy as np
import pandas as pd
import pytest

from allocopt.check.folder import verify
from allocopt.errors import InputFault
from allocopt.runs import run

PLACES = "code,name,people,need,base,spend\nA,Ash,1000,126,100,110\nB,Beech,1000,105,100,100\nC,Cedar,1000,84,100,102\n"
SCENARIO = """\
format: 1
name: frontier
model: pace_of_change
years: [2019-20]
pot: £315m
inputs:
  places: {table: places.csv, key: code, name: name, columns: {population: people}}
  baseline: {table: places.csv, column: base, unit: £m}
  spend: {table: places.csv, column: spend, unit: £m}
formula: {need: {share: 100%, need: need}}
rules: {growth_floor: {rate: 0%}}
objectives: [movement]
frontier: {x: movement, y: shortfall_below_target, points: 5}
solver: {slack: 0%, slack_at_least: £0}
"""


def traced(folder, text=SCENARIO, out=None):
    (folder / "places.csv").write_text(PLACES, encoding="utf-8")
    (folder / "frontier.yaml").write_text(text, encoding="utf-8")
    return run(folder / "frontier.yaml", out=out)


def curve(found):
    table = found.tables["frontier"]
    x, y = table[table["by"] == "limit"], table[table["by"] != "limit"]
    return x["limit"].to_numpy(), y["value"].to_numpy()


def test_a_pound_moved_is_a_pound_of_shortfall_until_floors_bind(tmp_path):
    # Uniform growth gives 105 each; targets 126, 105 and 84: A is 21 short. C can give 5 (its floor is 100), and B,
    # which is at target, cannot give without falling short itself. So shortfall is 21 - moved, for 0 to 5 moved.
    level, shortfall = curve(traced(tmp_path))
    assert level == pytest.approx([0, 1.25, 2.5, 3.75, 5], abs=1e-6)
    assert shortfall == pytest.approx(21 - level, abs=1e-6)


def test_every_point_is_proven_and_the_curve_falls_and_is_convex(tmp_path):
    text = SCENARIO.replace("y: shortfall_below_target, points: 5", "y: gross_deficit, points: 9")
    found = traced(tmp_path, text.replace("growth_floor: {rate: 0%}", "growth_floor: {rate: -10%}"), out=tmp_path)
    level, deficit = curve(found)
    slope = np.diff(deficit) / np.diff(level)
    assert found.tables["frontier"]["proven"].all()
    assert (slope <= 1e-9).all()
    assert (np.diff(slope) >= -1e-6).all()
    assert [check for check in verify(found.folder).checks if not check.passed] == []


def test_several_frontiers_are_traced_in_one_command(tmp_path):
    text = SCENARIO.replace(
        "frontier: {x: movement, y: shortfall_below_target, points: 5}",
        "frontier: [{x: movement, y: gross_deficit, points: 3}, {x: gross_deficit, y: movement, points: 2}]",
    )
    found = traced(tmp_path, text)
    assert [one["points"] for one in found.record["frontier"]] == [3, 2]
    assert list(found.tables["frontier"]["frontier"].unique()) == [
        "gross_deficit against movement",
        "movement against gross_deficit",
    ]


@pytest.mark.parametrize(
    ("name", "words"), [("movment", "no objective 'movment'"), ("gross_deficit", "gross_deficit needs expected spend")]
)
def test_a_frontier_that_cannot_be_traced_is_told_with_its_key(tmp_path, name, words):
    text = SCENARIO.replace("y: shortfall_below_target", f"y: {name}")
    text = text.replace("  spend: {table: places.csv, column: spend, unit: £m}\n", "")
    with pytest.raises(InputFault, match=words) as caught:
        traced(tmp_path, text)
    assert caught.value.problems[0].key == "frontier.0.y"


def test_too_few_points_are_told_as_they_were_said(tmp_path):
    with pytest.raises(InputFault) as caught:
        traced(tmp_path, SCENARIO.replace("points: 5", "points: 1"))
    (problem,) = caught.value.problems
    assert (problem.key, problem.message) == ("frontier.points", "expected a number of at least 2, not 1")
    assert problem.mark.line == 13


def faults(folder, change):
    """What `verify` says of a frontier.csv that was changed and sealed again."""
    table = pd.read_csv(folder / "frontier.csv")
    change(table)
    table.to_csv(folder / "frontier.csv", index=False)
    timing = json.loads((folder / "timing.json").read_text())
    timing["sha256"]["frontier.csv"] = sha256((folder / "frontier.csv").read_bytes()).hexdigest()
    (folder / "timing.json").write_text(json.dumps(timing))
    return {check.name.split(" shortfall")[0]: check.words for check in verify(folder).checks if not check.passed}


def moved(point, by, *columns):
    """A change of the rows of y of one point."""

    def change(table):
        row = table.index[table["by"] != "limit"][point]
        for column in columns:
            table.loc[row, column] += by
        table.loc[row, "gap"] = abs(table.loc[row, "value"] / table.loc[row, "bound"] - 1) if "value" in columns else 0

    return change


def test_a_curve_that_rises_or_bends_the_wrong_way_is_found(tmp_path):
    for point, change, words in ((2, 0.5, "above the line between its neighbours"), (4, 3.0, "the curve rises")):
        folder = traced(tmp_path, out=tmp_path).folder
        assert words in faults(folder, moved(point, change, "value", "bound"))["frontier"]


def test_a_point_is_proved_again_from_both_sides(tmp_path):
    # shortfall at the last level is 21 - 5 = 16: a value of 15.9 has no plan, a bound of 16.1 no prices
    folder = traced(tmp_path, out=tmp_path).folder
    said = faults(folder, moved(4, -0.1, "value", "bound"))["frontier points"]
    assert said == "point 4: the value is said to be 15.9, the kept plan has 16"
    folder = traced(tmp_path, out=tmp_path).folder
    said = faults(folder, moved(4, 0.1, "value", "bound"))["frontier points"]
    assert "the kept prices prove only 16, the bound is said to be 16.1" in said


def test_a_frontier_without_its_proofs_is_not_taken_on_trust(tmp_path):
    folder = traced(tmp_path, out=tmp_path).folder
    with np.load(folder / "certificate.npz") as kept:
        arrays = {name: kept[name] for name in kept.files if not name.startswith("frontier.")}
    np.savez_compressed(folder / "certificate.npz", **arrays)
    said = faults(folder, moved(0, 0.0, "bound"))
    assert "the certificate keeps no plan" in said["frontier points"]


def test_a_maximised_objective_has_a_frontier_that_is_proved_too(tmp_path):
    text = SCENARIO.replace("y: shortfall_below_target", "y: common_speed")
    found = traced(tmp_path, text, out=tmp_path)
    _, speed = curve(found)
    assert (np.diff(speed) >= -1e-9).all()
    assert speed[-1] > speed[0]
    assert [check for check in verify(found.folder).checks if not check.passed] == []
