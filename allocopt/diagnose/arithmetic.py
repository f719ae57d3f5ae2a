"""The sums behind a contradiction: lower and upper limits against the pot, rule by rule, and places whose limits cross.

Read off the compiled programme: a row with one allocation column is a limit on that place. Imports `parts`,
`solve.cases`, `units` and `errors`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from allocopt.diagnose.parts import PATIENCE, Parts
from allocopt.errors import Infeasible, Stopped, Unbounded
from allocopt.model import Rule
from allocopt.problem import Array
from allocopt.solve.cases import Limits, limits
from allocopt.solve.compiled import Compiled
from allocopt.solve.elastic import A_POUND
from allocopt.solve.method import Method
from allocopt.units import say_money

ALLOCATION = "allocation"
SHOWN = 3
"""Places that are named one by one."""


@dataclass(frozen=True)
class Sum:
    """The least or the most that a rule gives the places of a year, against the year's pot; GBP million."""

    year: str
    side: str
    """`lower` or `upper`"""
    total: float
    pot: float
    how: str
    """How the total comes about, in words."""

    @property
    def excess(self) -> float:
        """By how much the limits miss the pot, above zero."""
        return max(0.0, self.total - self.pot if self.side == "lower" else self.pot - self.total)

    @property
    def fits(self) -> bool:
        return self.excess <= A_POUND

    def __str__(self) -> str:
        against = f"{self.how} {say_money(self.total)} in {self.year}, and the pot is {say_money(self.pot)}"
        if self.fits:
            return f"{against}: that fits"
        end = "too much" if self.side == "lower" else "that nobody may receive"
        return f"{against}: {say_money(self.excess)} {end}"


def sums(parts: Parts, rule: Rule) -> list[Sum]:
    """The sums of a rule's own limits, for every year in which it limits places one by one."""
    part = parts.part(rule)
    return (
        [] if part is None else [one for year in parts.facts.situation.years for one in _year_sums(parts, part, year)]
    )


def together(parts: Parts) -> list[Sum]:
    """The sums of the tightest limits of all rules, year by year."""
    whole = parts.whole(parts.named)
    found = (
        [] if whole is None else [one for year in parts.facts.situation.years for one in _year_sums(parts, whole, year)]
    )
    return [replace(one, how=f"at each place the tightest {one.side} limit of any rule adds up to") for one in found]


def _year_sums(parts: Parts, part: Compiled, year: str) -> Iterator[Sum]:
    pot = _pots(parts)[year]
    found, columns = limits(part), _columns(part, year)
    for side, of, rows in (("lower", found.lower, found.lower_row), ("upper", found.upper, found.upper_row)):
        limited = columns[rows[columns] >= 0]
        if len(limited) == 0 or (side == "upper" and len(limited) < len(parts.facts.situation.places)):
            continue
        yield Sum(year, side, float(of[limited].sum()), pot, f"its {side} limits add up to")


def _pots(parts: Parts) -> Mapping[str, float]:
    situation = parts.facts.situation
    return dict(zip(situation.years, situation.pot.tolist(), strict=True))


def _columns(part: Compiled, year: str) -> Array:
    return np.array(
        [n for n, (name, key) in enumerate(part.columns) if name == ALLOCATION and key[-1] == year], dtype=int
    )


def reach(parts: Parts, rules: Sequence[Rule]) -> list[Sum]:
    """What rules that tie years or places need: the least and most of a year's total, given the pots of the years
    before.

    The first year whose pot is missed, or nothing. Source: two small programmes a year, solved.
    """
    whole = parts.whole(rules)
    if whole is None or whole.integer.any():
        return []
    words = {"lower": "given the pots of the years before, the least is", "upper": "given those pots, the most is"}
    for number, (year, pot) in enumerate(_pots(parts).items()):
        free = _with_pots(whole, parts.facts.situation.years[:number])
        totals = {side: _extreme(free, _columns(free, year), sign) for side, sign in (("lower", 1.0), ("upper", -1.0))}
        found = [Sum(year, side, total, pot, words[side]) for side, total in totals.items() if total is not None]
        if missed := [one for one in found if not one.fits]:
            return missed
    return []


def _with_pots(compiled: Compiled, years: Sequence[str]) -> Compiled:
    """Without the pots of other years; allocations are free to exceed them."""
    kept = [name != "budget" or key[-1] in years for name, key in compiled.rows]
    rows = np.flatnonzero(kept)
    return replace(
        compiled,
        matrix=compiled.matrix[rows],
        row_lower=compiled.row_lower[rows],
        row_upper=compiled.row_upper[rows],
        rows=tuple(compiled.rows[row] for row in rows),
        column_upper=np.full(len(compiled.columns), 1e7),
    )


def _extreme(compiled: Compiled, columns: Array, sign: float) -> float | None:
    cost = np.zeros(len(compiled.columns))
    cost[columns] = sign
    try:
        return sign * float(cost @ Method(compiled).minimise(compiled, cost, time_limit=PATIENCE).values)
    except (Infeasible, Stopped, Unbounded):
        return None


@dataclass(frozen=True)
class Crossing:
    """A place whose lower limit is above its upper limit; GBP million."""

    place: str
    year: str
    lower: float
    lower_rule: str
    upper: float
    upper_rule: str

    def said(self, names: Mapping[str, str]) -> str:
        """In words, with the place's name."""
        name = f"{self.place} {names.get(self.place, '')}".strip()
        asks = f"{self.lower_rule} asks for at least {say_money(self.lower)}"
        return f"{name} {self.year}: {asks}, {self.upper_rule} allows at most {say_money(self.upper)}"


def crossings(parts: Parts) -> list[Crossing]:
    """Every place and year at which one rule's floor is above another's ceiling, the widest first."""
    whole = parts.whole(parts.named)
    if whole is None:
        return []
    found = limits(whole)
    apart = np.nan_to_num(found.lower - found.upper, nan=0.0)
    worst = [int(column) for column in np.argsort(-apart, kind="stable") if apart[column] > A_POUND]
    return [_crossing(whole, found, column) for column in worst if whole.columns[column][0] == ALLOCATION]


def _crossing(whole: Compiled, found: Limits, column: int) -> Crossing:
    place, year = whole.columns[column][1]

    def rule(row: int) -> str:
        return whole.rows[row][0] if row >= 0 else "the pot"

    lower, upper = float(found.lower[column]), float(found.upper[column])
    return Crossing(place, year, lower, rule(found.lower_row[column]), upper, rule(found.upper_row[column]))
