"""Rules about need: how far from its target a place, or a group of places, may end.

In every rule `m` is one year's view; `m.target[p]` is the place's fair share of the year's pot in GBP million,
`m.opening_dft[p]` its opening distance from target as a fraction, negative when under target.
"""

from __future__ import annotations

from typing import Any

from allocopt.model import Column, rule
from allocopt.ranges import Change, Level
from allocopt.tapers import lesser


@rule(
    unit="GBP m",
    equation="x_p = T_p",
    source="Weighted capitation: every place at its fair share",
    hard=True,
)
def at_target(m: Any, p: str) -> Any:
    """Every place receives its target."""
    return m.allocation[p] == m.target[p]


@rule(
    unit="%",
    equation="x_p >= (1 + u) T_p",
    source="NHS England pace-of-change policy 2016-17: nobody more than 5% under target",
    relax=("rate", "down"),
)
def dft_floor(m: Any, p: str, *, rate: Change) -> Any:
    """No place ends further under target than `rate` (written -5%)."""
    return m.allocation[p] >= (1 + rate) * m.target[p]


@rule(
    unit="%",
    equation="x_p <= (1 + o) T_p",
    source="ICB allocations 2022-23: a greater convergence ask of systems over their fair share",
    relax=("rate", "up"),
)
def dft_ceiling(m: Any, p: str, *, rate: Change) -> Any:
    """No place ends further over target than `rate` (written 5%)."""
    return m.allocation[p] <= (1 + rate) * m.target[p]


@rule(
    unit="%",
    equation="x_p / T_p >= min(1, 1 + d0_p)",
    source="Pace-of-change policy 2010-11: no PCT moves further under target (Hansard, Commons, 20 March 2009)",
)
def no_further_under_target(m: Any, p: str) -> Any:
    """Need first: no place that opens under target ends further under it, and no place over target ends under it."""
    return m.allocation[p] >= lesser(1.0, 1.0 + m.opening_dft[p]) * m.target[p]


@rule(
    unit="%",
    equation="x_p / T_p >= min(1, (1 + d0_p)(1 + n_p) / (1 + n)) if n_p > n",
    source="2010-11: no PCT further under target for above-average population growth (Hansard, 20 March 2009)",
    needs=("population", "previous_population"),
)
def population_growth_protection(m: Any, p: str) -> Any:
    """No place whose population grows faster than average is pushed further under target by that growth.

    Its position is held to where it would open had its need grown at the average rate n.
    """
    if m.population_growth[p] <= m.mean_population_growth:
        return None
    before = (1 + m.opening_dft[p]) * (1 + m.population_growth[p]) / (1 + m.mean_population_growth)
    return m.allocation[p] >= min(1.0, before) * m.target[p]


@rule(
    index="year",
    unit="%",
    equation="sum_G x_p >= y sum_G T_p",
    source="Protection of a group's need share, such as the most deprived fifth",
    relax=("least", "down"),
)
def group_protection(m: Any, *, column: Column, least: Level, group: str | None = None) -> Any:
    """The places of `group` together (without `group`: of every group of `column`) get at least `least` of their
    targets."""
    members: dict[str, list[str]] = {}
    for p in m.places:
        members.setdefault(m.groups[column][p], []).append(p)
    wanted = sorted(members) if group is None else [group]
    return {
        one: sum(m.allocation[p] for p in members[one]) >= least * sum(m.target[p] for p in members[one])
        for one in wanted
    }
