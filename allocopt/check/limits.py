"""limits.csv looked at again: each place's lowest and highest allocation, rule by rule, by the second implementations.

A limit of a later year stands on the pounds of the year before, the table's on the plan before rounding: they may
differ by what rounding carries. A rule without a second implementation, or about many places at once, keeps what the
table says of it. Imports `check.rules`, `check.decided`, `check.inputs` and `check.verdict`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from allocopt.check.decided import Decided
from allocopt.check.inputs import Plain
from allocopt.check.rules import SECOND, limits, said_of
from allocopt.check.verdict import POUND, Check, Floats, compared, measured

POINTS = 2e-6
"""Percentage points by which a growth to six decimals may be off."""
SIDES = {"minimum": 1, "maximum": -1}
"""A lowest allocation is the largest of the limits, a highest the smallest."""


@dataclass(frozen=True)
class _Rule:
    """The limits of one rule, (rows,) pounds in the order of the table, and what they may differ by: a pound, and in
    later years what the rounding of the year before moves.
    """

    lowest: Floats
    highest: Floats
    tolerance: Floats

    @property
    def own(self) -> Floats:
        """The one that the table tells: the lowest, where there is one."""
        return np.where(np.isfinite(self.lowest), self.lowest, self.highest)


def check_limits(table: pd.DataFrame, of: Decided, record: Plain) -> Iterator[Check]:
    """Every rule's own limit, then the tightest of each side, the rule behind it, and what holds each place."""
    places, years = of.known.places, of.known.years
    order = {(place, year): number for number, (place, year) in enumerate((p, y) for p in places for y in years)}
    keys = [order.get(key, -1) for key in zip(table["place"], table["year"], strict=True)]
    wrong = [] if sorted(keys) == list(range(len(order))) else ["limits.csv has other places or years than the inputs"]
    yield compared("limits of every place", wrong, f"{len(keys):,} rows")
    if wrong:
        return
    at = np.array(keys, dtype=np.intp)
    base = np.column_stack([of.prior(step) for step in range(len(years))]).ravel()[at]
    given, found = of.given.ravel()[at], dict[str, _Rule]()
    for rule in (one["name"] for one in record["rules"] if one["name"] in SECOND):
        one = _limits_of(rule, of, record, at)
        if one is not None:
            found[rule] = one
            yield _own(table, rule, one, base)
    for side in SIDES:
        yield _tightest(table, side, found, base)
    yield _held(table, given)


def _limits_of(rule: str, of: Decided, record: Plain, at: npt.NDArray[np.intp]) -> _Rule | None:
    """The second implementation's limits, by place; None where the rule is not about single places row by row."""
    parts = [limits(rule, of, step, said_of(record, rule)) for step in range(len(of.known.years))]
    if not all(one.row_by_row and one.groups is None and len(one.amount) == len(of.known.places) for one in parts):
        return None
    slips = [np.maximum(one.tolerance, POUND + 2 * of.carried(step)) for step, one in enumerate(parts)]
    allowed = [np.broadcast_to(one, part.amount.shape) for one, part in zip(slips, parts, strict=True)]
    sides = [one.lower for one in parts], [one.upper for one in parts], allowed
    return _Rule(*(np.column_stack(side).ravel()[at] for side in sides))


def _own(table: pd.DataFrame, rule: str, one: _Rule, base: Floats) -> Check:
    """One rule's columns: the limit in pounds and as growth, empty where it sets none."""
    said, growth = (table[f"{rule}_{unit}"].to_numpy(dtype=np.float64) for unit in ("gbp", "growth_pct"))
    own, off = one.own, np.where(np.isnan(said), np.inf, said)
    missed = np.where(np.isfinite(own) == np.isfinite(off), 0.0, np.inf)
    both = np.isfinite(own) & np.isfinite(off)
    limit, before, slip = own[both], base[both], one.tolerance[both] - POUND
    apart = np.abs(growth[both] - 100.0 * (limit / before - 1.0)) - POINTS
    rounded = np.where(slip > 0, POUND * limit / before, 0.0)
    missed[both] = np.maximum(np.abs(off[both] - limit) - POUND - slip, 1e-2 * before * apart - slip - rounded)
    labels = [f"{place} {year}" for place, year in zip(table["place"], table["year"], strict=True)]
    what = "limits and their growth, computed exactly from the inputs"
    return measured(f"limits {rule}", np.maximum(0.0, missed), at=labels, what=what, tolerance=0.0)


def _tightest(table: pd.DataFrame, side: str, found: dict[str, _Rule], base: Floats) -> Check:
    """The tightest limit of a side, the growth that it is, and the rule that it is said to come from."""
    sense = SIDES[side]
    said, growth = (table[f"{side}_{unit}"].to_numpy(dtype=np.float64) for unit in ("gbp", "growth_pct"))
    named = _text(table, f"{side}_rule")
    sides = {name: one.lowest if sense == 1 else one.highest for name, one in found.items()}
    missed = np.where(np.isnan(said) == (named == ""), 0.0, np.inf)
    for name, limit in sides.items():
        there = np.isfinite(limit)
        passed, own = np.zeros(len(table)), (named == name) & ~np.isnan(said)
        passed[there] = sense * (limit[there] - np.where(np.isnan(said), -sense * np.inf, said)[there])
        passed[own] = np.abs(said[own] - limit[own])
        missed = np.maximum(missed, passed - found[name].tolerance)
    off = np.abs(base * (1.0 + growth / 100.0) - said) - 1.5 * POUND - 1e-2 * POINTS * np.abs(base)
    missed = np.maximum(missed, np.where(np.isnan(said), np.where(np.isnan(growth), 0.0, np.inf), off))
    labels = [f"{place} {year}" for place, year in zip(table["place"], table["year"], strict=True)]
    what = "no rule sets a tighter limit, and each is its rule's own"
    return measured(f"limits {side}", np.maximum(0.0, missed), at=labels, what=what, tolerance=0.0)


def _text(table: pd.DataFrame, column: str) -> npt.NDArray[np.object_]:
    """A column of words; empty cells are empty words."""
    return np.array(["" if pd.isna(cell) else str(cell) for cell in table[column]], dtype=object)


def _held(table: pd.DataFrame, given: Floats) -> Check:
    """A place that is said to be held by a limit lies on it, to the rounding of pounds."""
    said, wrong = _text(table, "held_by"), list[str]()
    for side in SIDES:
        apart = np.abs(given - table[f"{side}_gbp"].to_numpy(dtype=np.float64))
        held = np.isin(said, [side, "both"])
        off = np.flatnonzero(held & ~(apart <= 2 * POUND))
        wrong += [f"{table['place'].iloc[row]} is said to be held by its {side}" for row in off]
    return compared("limits held", wrong, f"{int((said != '').sum()):,} places are held by a limit")
