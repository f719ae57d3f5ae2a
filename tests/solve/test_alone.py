"""One rule asked with stand-ins gives the rows that Pyomo's expressions compile to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from situations import on, situation

from allocopt.model import load_model
from allocopt.problem import build
from allocopt.solve.alone import Alone
from allocopt.solve.compiled import Compiled, compile_problem

MODEL = load_model("pace_of_change")
ASKED = {
    "growth_floor": {"rate": 0.02},
    "growth_ceiling": {"rate": 0.09},
    "no_further_under_target": {},
    "dft_floor": {"rate": -0.1},
    "mover_budget": {"max": 5.0},
    "group_protection": {"column": "region", "least": 0.9},
    "floor_damping": {"rate": 0.01},
    "linear_rule": {},
}


def system():
    given = situation(pot=420, baseline=[130, 110, 90, 70], weight=[120, 115, 90, 75], spend=[140, 100, 90, 70])
    return replace(given, groups={"region": ("north", "south", "north", "south")})


def entries(one: Compiled) -> dict[tuple[object, object], float]:
    cells = one.matrix.tocoo()
    return {
        (one.rows[row], one.columns[column]): value
        for row, column, value in zip(*cells.coords, cells.data, strict=True)
    }


def sides(one: Compiled) -> dict[object, tuple[float, float]]:
    return {row: (one.row_lower[at], one.row_upper[at]) for at, row in enumerate(one.rows)}


def bounds(one: Compiled) -> dict[object, tuple[float, float]]:
    return {column: (one.column_lower[at], one.column_upper[at]) for at, column in enumerate(one.columns)}


@pytest.mark.parametrize("name", ASKED)
def test_a_rule_asked_alone_has_the_rows_that_pyomo_gives_it(name):
    rule, setting = MODEL.rule(name), on(**{name: ASKED[name]})[name]
    asked = Alone(system(), MODEL).compiled(rule, setting)
    built = compile_problem(
        build(system(), replace(MODEL, always=[], rules=[rule]), rules={name: setting}, objectives=())
    )
    assert entries(asked) == entries(built)
    assert sides(asked) == sides(built)
    assert bounds(asked) == bounds(built)


def test_the_same_rule_may_be_asked_again_with_another_number():
    alone, rule = Alone(system(), MODEL), MODEL.rule("mover_budget")
    first, second = (alone.compiled(rule, on(mover_budget={"max": most})["mover_budget"]) for most in (5.0, 6.0))
    assert entries(first) == entries(second)
    changed = np.flatnonzero(first.row_upper != second.row_upper)
    assert [second.row_upper[at] - first.row_upper[at] for at in changed] == [1.0]
