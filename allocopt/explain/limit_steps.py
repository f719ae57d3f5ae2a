"""What each rule asks of one place: at least, at most, and whether that is where it ended.

Read off the compiled rule: of every row that holds the place's allocation, the other columns are set to the plan.
Rows with columns that only the solver knows, and rows that tie many places, are told without a limit. Imports
`diagnose.parts` (a scenario's programme rule by rule), `model` and `solve.compiled`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from allocopt.diagnose.parts import Parts
from allocopt.model import Rule
from allocopt.problem import Array
from allocopt.solve.compiled import Compiled

NEAR = 1
"""Pounds: a limit that is reached but for rounding, for each amount in it that is rounded."""
MANY = 4
"""Columns from which a row ties many places."""


@dataclass(frozen=True)
class Limit:
    """One rule at one place, in whole pounds; None where it sets no limit on that side."""

    rule: str
    """Its name; where a later year's row ties back to this one, with that year: `growth_ceiling of 2020-21`."""
    said: str
    """Its parameters in the scenario's units."""
    at_least_gbp: int | None
    at_most_gbp: int | None
    binds: bool
    joint: bool = False
    """True for a rule about many places at once, which sets no limit of its own on this one."""
    share: float | None = None
    """Of a rule that gives all places the same share of something: that share, as the pot determined it."""
    base_gbp: int = 0
    """What the place gets by such a rule before its share of `gain_gbp`."""
    gain_gbp: int = 0


def limits(
    parts: Parts, given: Mapping[tuple[str, str], int], place: str, year: str, shares: Mapping[tuple[str, str], float]
) -> list[Limit]:
    """Every rule that says something about the place; `given` is the allocation of every place and year in pounds.

    `shares`: by rule and year, the share that a rule leaves the pot to determine, as the run found it.
    """
    rules = (*(rule for rule in parts.kept if rule.name != "budget"), *parts.named)
    return [one for rule in rules for one in _limits(parts, rule, _Plan(given, rule, shares), place, year)]


@dataclass(frozen=True)
class _Plan:
    """The value of every column that is known when one rule is asked: allocations, and the share that it finds."""

    given: Mapping[tuple[str, str], int]
    rule: Rule
    shares: Mapping[tuple[str, str], float]

    def value(self, column: tuple[str, tuple[str, ...]]) -> float:
        """GBP million, or a fraction; nan where only the solver knows it."""
        name, key = column
        if name == "allocation":
            return self.given[key[0], key[1]] / 1e6
        return self.shares.get((self.rule.name, key[-1]), np.nan) if name == self.rule.finds else np.nan


def _limits(parts: Parts, rule: Rule, known: _Plan, place: str, year: str) -> Iterator[Limit]:
    part, setting = parts.part(rule), parts.settings.get(rule.name)
    said = ", ".join(
        f"{key} {rule.parameters[key].write(value)}" for key, value in (setting.parameters if setting else {}).items()
    )
    key = ("allocation", (place, year))
    if part is None or key not in part.columns:
        return
    column = part.columns.index(key)
    rows = np.unique(part.matrix.tocsc()[:, [column]].indices)
    plan = np.array([known.value(one) for one in part.columns])
    own = [row for row in rows if _alone(part, int(row), plan)]
    if not own:
        yield Limit(rule.name, said, None, None, False, joint=True)
        return
    names = {int(row): _named(rule, part.rows[row][1], year) for row in own}
    for name in dict.fromkeys(names.values()):
        these = [row for row, one in names.items() if one == name]
        near = NEAR * max(len(part.matrix[[row]].indices) for row in these)
        ends = [_ends(part, row, column, plan) for row in these]
        yield _shared(_limit(name, said, ends, known.given[place, year], near), part, rule, these[0], plan)


def _named(rule: Rule, key: tuple[str, ...], year: str) -> str:
    """The rule, with the year of a row that belongs to another: next year's floor stands on this year's money."""
    return rule.name if year in key or not key else f"{rule.name} of {key[-1]}"


def _limit(name: str, said: str, ends: list[tuple[float, float]], amount: int, near: int) -> Limit:
    least, most = max(low for low, _ in ends), min(high for _, high in ends)
    pounds = [None if not np.isfinite(end) else round(end * 1e6) for end in (least, most)]
    binds = any(end is not None and abs(end - amount) <= near for end in pounds)
    return Limit(name, said, pounds[0], pounds[1], binds)


def _shared(limit: Limit, part: Compiled, rule: Rule, row: int, plan: Array) -> Limit:
    """The limit with what it is made of, where the rule finds a share: base + share x gain, in whole pounds."""
    if not rule.finds or limit.at_least_gbp is None:
        return limit
    line = part.matrix[[row]].toarray()[0]
    own = next(line[k] for k, (name, _) in enumerate(part.columns) if name == "allocation" and line[k])
    spots = [k for k, (name, key) in enumerate(part.columns) if name == rule.finds and key[-1] == part.rows[row][1][-1]]
    gain = -float(line[spots[0]] / own)
    base = round(float(part.row_lower[row] / own) * 1e6)
    return replace(limit, share=float(plan[spots[0]]), base_gbp=base, gain_gbp=round(gain * 1e6))


def _alone(part: Compiled, row: int, plan: Array) -> bool:
    columns = part.matrix[[row]].indices
    return len(columns) < MANY and not np.isnan(plan[columns]).any()


def _ends(part: Compiled, row: int, column: int, plan: Array) -> tuple[float, float]:
    """The limits that a row sets on the place, everything else as in the plan; GBP million."""
    line = part.matrix[[row]].toarray()[0]
    size = float(line[column])
    others = float(np.nansum(np.where(line == 0, 0.0, line * plan)) - size * plan[column])
    ends = sorted(((part.row_lower[row] - others) / size, (part.row_upper[row] - others) / size))
    return float(ends[0]), float(ends[1])
