"""The lowest and highest allocation that the rules leave each place, rule by rule, and which rule holds it.

Read off the compiled rows, so no rule is written again: a row that belongs to one place gives a limit on that place's
allocation, everything else being as in the plan (for a floor on a baseline that is data: whatever the plan).
`limits.csv` is this table: published minimum growth is its `minimum_growth_pct`. Imports `plan` and below.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from allocopt.plan import Facts, Plan
from allocopt.problem import Array
from allocopt.solve.compiled import Compiled

POUND = 1e-6
"""GBP million: an allocation within a pound of a limit is held by it."""


@dataclass(frozen=True)
class _Side:
    """The limits of one rule: lowest and highest allocation (n, T), GBP million, infinite where it sets none."""

    rule: str
    lowest: Array
    highest: Array


@dataclass(frozen=True)
class _Known:
    """The number of every place and year, and the columns (n, T) of their allocations."""

    place: dict[str, int]
    step: dict[str, int]
    given: npt.NDArray[np.intp]

    @classmethod
    def of(cls, plan: Plan) -> _Known:
        compiled, situation = plan.compiled, plan.facts.situation
        place = {code: number for number, code in enumerate(situation.places)}
        step = {year: number for number, year in enumerate(situation.years)}
        given = np.zeros((len(place), len(step)), dtype=np.intp)
        for column in compiled.columns_of("allocation").tolist():
            code, year = compiled.columns[column][1]
            given[place[code], step[year]] = column
        return cls(place, step, given)


def limits(plan: Plan) -> pd.DataFrame | None:
    """One row a place and year: `minimum_*`, `maximum_*`, the rule behind each, `held_by`, then each rule's own limit.

    `_gbp` columns are whole pounds, `_growth_pct` is growth over the year's baseline from the unrounded limit. None
    when no rule limits single places.
    """
    known = _Known.of(plan)
    sides = [side for name in plan.programme.rules if (side := _side(plan, name, known)) is not None]
    if not sides:
        return None
    base = _baselines(plan)
    columns = plan.table[["place", "name", "year"]].copy()
    lowest, highest = np.stack([one.lowest for one in sides]), np.stack([one.highest for one in sides])
    names = np.array([one.rule for one in sides], dtype=object)
    least, most = lowest.max(axis=0), highest.min(axis=0)
    made = _columns("minimum", least, base, names[lowest.argmax(axis=0)])
    made |= _columns("maximum", most, base, names[highest.argmin(axis=0)])
    made["held_by"] = _held(plan.allocation, least, most)
    for one in sides:
        own = np.where(np.isfinite(one.lowest), one.lowest, one.highest)
        made |= _columns(one.rule, own, base, None)
    return pd.concat([columns, pd.DataFrame(made, index=columns.index)], axis=1)


def streams_table(facts: Facts) -> pd.DataFrame:
    """streams.csv: a row a stream, place and year, whole pounds of money beside the pot."""
    places, parts = facts.situation.places, []
    names = facts.inputs.name.reindex(list(places)).to_numpy()
    for one in facts.streams:
        kind = "made recurrent" if one.recurrent else "non-recurrent"
        for year, pounds in zip(facts.inputs.years, one.pounds.T, strict=False):
            part = {"place": places, "name": names, "year": year, "stream": one.name, "kind": kind}
            parts.append(pd.DataFrame(part | {"amount_gbp": pounds}))
    return pd.concat(parts, ignore_index=True)


def _side(plan: Plan, rule: str, known: _Known) -> _Side | None:
    compiled, place, step = plan.compiled, known.place, known.step
    rows = [
        (row, place[key[0]], step[key[1]])
        for row in np.flatnonzero(compiled.row_component == rule).tolist()
        if len(key := compiled.rows[row][1]) >= 2 and key[0] in place and key[1] in step
    ]
    if not rows:
        return None
    at, p, t = (np.array(part, dtype=np.intp) for part in zip(*rows, strict=True))
    lowest, highest = np.full(known.given.shape, -np.inf), np.full(known.given.shape, np.inf)
    low, high = _row_limits(compiled, plan.values, at, known.given[p, t])
    np.maximum.at(lowest, (p, t), low)
    np.minimum.at(highest, (p, t), high)
    return _Side(rule, lowest, highest)


def _row_limits(
    compiled: Compiled, values: Array, at: npt.NDArray[np.intp], column: npt.NDArray[np.intp]
) -> tuple[Array, Array]:
    """What rows `at` (k,) leave of the columns (k,), every other column as it is: lowest and highest."""
    factor = np.asarray(compiled.matrix[at, column], dtype=np.float64).ravel()
    rest = (compiled.matrix[at] @ values) - factor * values[column]
    with np.errstate(divide="ignore", invalid="ignore"):
        from_lower, from_upper = (compiled.row_lower[at] - rest) / factor, (compiled.row_upper[at] - rest) / factor
    low, high = np.where(factor > 0, from_lower, from_upper), np.where(factor > 0, from_upper, from_lower)
    return np.where(factor == 0, -np.inf, low), np.where(factor == 0, np.inf, high)


def _baselines(plan: Plan) -> Array:
    """(n, T) what each place had the year before, GBP million."""
    return np.column_stack([plan.facts.situation.baseline, plan.allocation[:, :-1]])


def _columns(name: str, amount: Array, base: Array, rules: npt.NDArray[np.object_] | None) -> dict[str, object]:
    flat, finite = amount.ravel(), np.isfinite(amount).ravel()
    pounds = pd.array(np.where(finite, np.rint(np.where(finite, flat, 0.0) * 1e6), 0).astype(np.int64), dtype="Int64")
    pounds[~finite] = pd.NA
    with np.errstate(divide="ignore", invalid="ignore"):
        growth = np.where(finite, 100.0 * (flat / base.ravel() - 1.0), np.nan)
    made: dict[str, object] = {f"{name}_gbp": pounds, f"{name}_growth_pct": np.round(growth, 6) + 0.0}
    return made if rules is None else made | {f"{name}_rule": np.where(finite, rules.ravel(), "")}


def _held(given: Array, least: Array, most: Array) -> npt.NDArray[np.str_]:
    low, high = given - least <= POUND, most - given <= POUND
    return np.select([low & high, low, high], ["both", "minimum", "maximum"], default="").ravel()
