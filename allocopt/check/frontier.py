"""A frontier looked at again: levels kept, gaps as they are said, never rising, bent one way only, each point proved.

Of every point the certificate keeps a plan and row prices: the plan obeys the programme compiled anew, keeps the level
of x and has the value of y; the prices prove the bound by weak duality. Between two points the least of y lies on or
below the straight line between their values, so a value above that line shows a fault. Everything is minimised here.
Imports `check.kept`, `check.bound`, `check.inputs`, `check.verdict`, and `problem` and `solve.compiled` (to compile).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from allocopt.check.bound import Recompiled
from allocopt.check.inputs import Plain
from allocopt.check.kept import Certificate, NotKept, Proof
from allocopt.check.verdict import Check, Floats, compared, guarded
from allocopt.model import Objective
from allocopt.problem import build
from allocopt.settings import ObjectiveSetting
from allocopt.solve.compiled import compile_problem

TOLERANCE = 1e-6
"""GBP m, and share of the value."""
SLIP = 1e-8
"""Share of a figure that floating point and the digits of the table may take."""


def check_frontiers(of: Recompiled, record: Plain, table: pd.DataFrame, kept: Certificate) -> Iterator[Check]:
    """Two checks a frontier of frontier.csv, and one that every frontier asked for is there."""
    asked = record["scenario"]["frontier"]
    asked = [asked] if isinstance(asked, dict) else asked
    names = [f"{one['y']} against {one['x']}" for one in asked]
    there = list(dict.fromkeys(table["frontier"]))
    wrong = [] if there == names else [f"frontier.csv has {there}, the scenario asks for {names}"]
    yield compared("frontiers listed", wrong, ", ".join(names))
    wide = _wide(of, [one[axis] for one in asked for axis in ("x", "y")])
    for name, one in zip(names, asked, strict=True):
        curve = _Traced(wide, name, str(one["x"]), str(one["y"]), table[table["frontier"] == name])
        yield from guarded(f"frontier {name}", partial(_curve, curve))
        yield from guarded(f"frontier points {name}", partial(_points, curve, kept))


@dataclass(frozen=True)
class _Traced:
    """The rows of one frontier, and the programme on which it was traced."""

    of: Recompiled
    name: str
    x: str
    y: str
    table: pd.DataFrame

    def objective(self, axis: str) -> Objective:
        return self.of.model.objective(axis)

    def sense(self, axis: str) -> int:
        """1 where the objective is minimised, else -1."""
        return 1 if self.objective(axis).sense == "minimise" else -1

    def number(self, axis: str) -> int:
        """Which objective of the programme it is."""
        return [one.name for one, _ in self.of.programme.objectives].index(axis)

    def rows(self, axis: str) -> pd.DataFrame:
        """The rows of x (with levels) or of y, everything as minimised."""
        part = self.table[(self.table["by"] == "limit") == (axis == self.x)].copy()
        for column in ("limit", "value", "bound"):
            part[column] = self.sense(axis) * part[column].astype(float)
        return part


def _wide(of: Recompiled, names: list[str]) -> Recompiled:
    """The programme with every objective that a frontier names, built again where the plan has not all of them."""
    here = [one.name for one, _ in of.programme.objectives]
    more = [name for name in dict.fromkeys(names) if name not in here]
    if not more:
        return of
    scenario = of.facts.loaded.scenario
    settings = [*scenario.objectives, *(ObjectiveSetting(name=name) for name in more)]
    programme = build(of.facts.situation, of.model, rules=scenario.rules, objectives=settings)
    return replace(of, programme=programme, compiled=compile_problem(programme))


def _curve(curve: _Traced) -> Iterator[Check]:
    """What the rows of a frontier say of themselves."""
    x, y = curve.rows(curve.x), curve.rows(curve.y)
    wrong = [*_rows(x, y), *_shape(x["limit"].to_numpy(float), y["value"].to_numpy(float))]
    words = f"{len(y)} points: levels kept, gaps as said, falling and convex"
    yield compared(f"frontier {curve.name}", wrong, words)


def _rows(x: pd.DataFrame, y: pd.DataFrame) -> Iterator[str]:
    if list(x["point"]) != list(range(len(x))) or list(y["point"]) != list(x["point"]):
        yield "the points are not numbered from 0, each with its two rows"
    over = x["value"].to_numpy(float) - x["limit"].to_numpy(float)
    if (over > TOLERANCE).any():
        yield f"a plan lies above its level by {over.max():.6f}"
    value, bound = y["value"].to_numpy(float), y["bound"].to_numpy(float)
    gap = np.abs(value - bound) / np.maximum(np.abs(value), 1e-6)
    if (np.abs(gap - y["gap"].to_numpy(float)) > 1e-9).any():
        yield "a gap is not that of its value and bound"
    if (value < bound - TOLERANCE * np.maximum(1.0, np.abs(value))).any():
        yield "a value is better than its bound"


def _shape(level: Floats, value: Floats) -> Iterator[str]:
    """`level` and `value` (points,) of minimised objectives: falling, and convex."""
    slack = TOLERANCE * np.maximum(1.0, np.abs(value))
    if (np.diff(value) > slack[1:]).any():
        yield "the curve rises"
    for k in range(1, len(value) - 1):
        width = level[k + 1] - level[k - 1]
        share = 0.5 if width <= 0 else (level[k] - level[k - 1]) / width
        if value[k] > (1 - share) * value[k - 1] + share * value[k + 1] + slack[k]:
            yield f"point {k} lies above the line between its neighbours"


def _points(curve: _Traced, kept: Certificate) -> Iterator[Check]:
    x, y, wrong = curve.rows(curve.x), curve.rows(curve.y), list[str]()
    worst = 0.0
    for at, to in zip(x.to_dict("records"), y.to_dict("records"), strict=True):
        try:
            faults, apart = _point(curve, kept, at, to)
        except NotKept as failure:
            faults, apart = [str(failure)], 0.0
        wrong += [f"point {at['point']}: {one}" for one in faults]
        worst = max(worst, apart)
    unit = curve.objective(curve.y).unit
    words = (
        f"{len(y)} plans obey every rule and their level, and the kept prices come up to them within {worst:.6f} {unit}"
    )
    yield compared(f"frontier points {curve.name}", wrong, words)


def _point(curve: _Traced, kept: Certificate, at: dict[Any, Any], to: dict[Any, Any]) -> tuple[list[str], float]:
    """What is wrong with one point, and how far its plan and its prices lie apart."""
    base, x, y = curve.of.compiled, curve.number(curve.x), curve.number(curve.y)
    level = base.with_row(f"level_{curve.x}", base.costs[x], lower=-np.inf, upper=at["limit"] - base.offsets[x])
    row_at = {**curve.of.row_at, f"level_{curve.x}": base.matrix.shape[0]}
    proof = Proof(kept, f"frontier.{curve.name}.{at['point']}", level, row_at, y)
    missed = proof.missed()
    wrong = [] if missed is None else [missed]
    found = {
        "value of x": (float(base.costs[x] @ proof.plan + base.offsets[x]), at["value"]),
        "value": (float(proof.at_most + base.offsets[y]), to["value"]),
    }
    wrong += [
        f"the {what} is said to be {said:,.9g}, the kept plan has {has:,.9g}"
        for what, (has, said) in found.items()
        if not abs(has - said) <= SLIP * max(1.0, abs(said))
    ]
    proved = proof.at_least + float(base.offsets[y])
    if curve.sense(curve.y) == 1 and curve.objective(curve.y).is_money:
        proved = max(proved, 0.0)
    if not to["bound"] <= proved + SLIP * max(1.0, abs(proved)):
        wrong.append(f"the kept prices prove only {proved:,.9g}, the bound is said to be {to['bound']:,.9g}")
    return wrong, max(0.0, to["value"] - proved)
