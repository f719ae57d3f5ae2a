"""Rules about the pot and about how far a place may move in one year.

In every rule `m` is one year's view: `m.allocation[p]` is decided, everything else is data (in a joint path over years
`m.baseline[p]` is the allocation of the year before, also decided). Money is GBP million, rates are fractions.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from allocopt.model import ClassRates, Column, Schedule, class_rate, rule, scheduled
from allocopt.ranges import Change
from allocopt.tapers import PerHeadTaper, Taper, tapered
from allocopt.units import Rate, write_rate

POUND = 1e-6
"""GBP million: what is held back was rounded to a pound before the rules are asked."""


def _leaves_some(share: float) -> float:
    if not 0 <= share < 1:
        raise ValueError(f"what is held back lies between 0% and less than 100%: {write_rate(share)}: write such as 1%")
    return share


HeldBack = Annotated[Rate, AfterValidator(_leaves_some)]
"""A share of the announced money, less than all of it."""


@rule(
    index="year",
    unit="GBP m",
    equation="sum_p x_p = Q",
    source="Weighted capitation: the pot is allocated in full (NHS England, Technical Guide to Allocation Formulae)",
    hard=True,
)
def budget(m: Any) -> Any:
    """The whole pot is allocated, no more and no less."""
    return sum(m.allocation.values()) == m.pot


@rule(
    index="year",
    unit="%",
    equation="sum_p x_p <= (1 - r)(Q + R)",
    source="Top-slice before allocation: SHA top-slice of PCT allocations (Commons, Westminster Hall, 14 March 2006)",
    hard=True,
)
def reserve(m: Any, *, share: HeldBack) -> Any:
    """A `share` of the announced money is held back before anything is allocated; targets share what is left."""
    left = (1 - share) * (m.pot + m.reserve)
    return sum(m.allocation.values()) <= (m.pot if abs(m.pot - left) <= POUND else left)


@rule(
    unit="%",
    equation="x_p >= (1 + f(d0_p)) b_p",
    source="NHS England pace-of-change policy 2016-17: cash floor, tapered away from +5% to +10% over target",
    relax=("rate", "down"),
)
def growth_floor(m: Any, p: str, *, rate: Change, taper: Taper | None = None) -> Any:
    """No place grows by less than `rate` over its baseline; the floor fades with `taper` for places over target."""
    return m.allocation[p] >= (1 + tapered(rate, taper, m.opening_dft[p])) * m.baseline[p]


@rule(
    unit="%",
    equation="x_p >= (1 + F_c(p)) b_p",
    source="Local government finance settlement 2011-12: floors by class of authority (calculation of floor damping)",
)
def class_floor(m: Any, p: str, *, column: Column, floors: ClassRates) -> Any:
    """No place grows by less than the floor of its class; a class that is not named has none."""
    rate = class_rate(floors, m.groups[column][p], otherwise=-1.0)
    return m.allocation[p] >= (1 + rate) * m.baseline[p] if rate > -1 else None


@rule(
    unit="%",
    equation="x_p >= (1 + f(d0_p, (1 + h) P_p / P'_p - 1)) b_p",
    source="NHS England pace-of-change policy 2016-17: per-head floor, tapered away from +5% to +10% over target",
    relax=("rate", "down"),
    needs=("population_growth",),
)
def per_head_floor(m: Any, p: str, *, rate: Change, taper: PerHeadTaper | None = None) -> Any:
    """No place grows by less than `rate` a head; the growth that this implies fades with `taper` for places over
    target, to a growth of the allocation or to another growth a head."""
    people = m.population_growth[p]
    implied = (1 + rate) * (1 + people) - 1
    left = implied if taper is None else taper.at(implied, people, m.opening_dft[p])
    return m.allocation[p] >= (1 + left) * m.baseline[p]


@rule(
    unit="%",
    equation="x_p <= (1 + c(d0_p)) b_p",
    source="NHS England pace-of-change policy 2014-15: maximum growth 4.9%",
    relax=("rate", "up"),
)
def growth_ceiling(m: Any, p: str, *, rate: Change, taper: Taper | None = None) -> Any:
    """No place grows by more than `rate` over its baseline; the ceiling changes with `taper` for places over target."""
    return m.allocation[p] <= (1 + tapered(rate, taper, m.opening_dft[p])) * m.baseline[p]


@rule(
    unit="%",
    equation="x_p >= (1 + g(d0_p)) b_p",
    source="1999-2000 round: 1.67% extra for all, more the farther under target (Health Committee, HC 629, 1998-99)",
)
def growth_schedule(
    m: Any, p: str, *, points: Schedule, side: Literal["at_least", "exactly", "at_most"] = "at_least"
) -> Any:
    """Growth is at least (exactly, at most) what a schedule of opening distance from target says."""
    wanted = (1 + scheduled(points, m.opening_dft[p])) * m.baseline[p]
    if side == "exactly":
        return m.allocation[p] == wanted
    return m.allocation[p] >= wanted if side == "at_least" else m.allocation[p] <= wanted
