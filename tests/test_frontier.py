"""Frontiers: proven points, falling and convex, with the ends where a hand sum puts them."""

from __future__ import annotations

import numpy as np
import pytest

from allocopt.check.frontier import check_frontier
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


def traced(folder, text=SCENARIO):
    (folder / "places.csv").write_text(PLACES, encoding="utf-8")
    (folder / "frontier.yaml").write_text(text, encoding="utf-8")
    return run(folder / "frontier.yaml", out=None)


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
    found = traced(tmp_path, text.replace("growth_floor: {rate: 0%}", "growth_floor: {rate: -10%}"))
    level, deficit = curve(found)
    slope = np.diff(deficit) / np.diff(level)
    assert found.tables["frontier"]["proven"].all()
    assert (slope <= 1e-9).all()
    assert (np.diff(slope) >= -1e-6).all()
    assert all(check.passed for check in check_frontier(found.tables["frontier"]))


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


def test_a_curve_that_rises_or_bends_the_wrong_way_is_found(tmp_path):
    table = traced(tmp_path).tables["frontier"]
    y = table.index[table["by"] != "limit"]
    for point, change in ((2, 0.5), (4, 3.0)):
        wrong = table.copy()
        wrong.loc[y[point], ["value", "bound"]] += change
        assert not all(check.passed for check in check_frontier(wrong))
