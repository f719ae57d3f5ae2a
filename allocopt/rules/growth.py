"""Rules about the pot and about how far a place may move in one year.

In every rule `m` is one year's view: `m.allocation[p]` is decided, everything else is data (in a joint path over years
`m.baseline[p]` is the allocation of the year before, also decided). Money is GBP million, rates are fractions.
"""

from __future__ import annotations

from typing import Any

from allocopt.model import Taper, rule, tapered
from allocopt.units import Rate


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
    unit="%",
    equation="x_p >= (1 + f(d0_p)) b_p",
    source="NHS England pace-of-change policy 2016-17: cash floor, tapered away from +5% to +10% over target",
    relax=("rate", "down"),
)
def growth_floor(m: Any, p: str, *, rate: Rate, taper: Taper | None = None) -> Any:
    """No place grows by less than `rate` over its baseline; the floor fades with `taper` for places over target."""
    return m.allocation[p] >= (1 + tapered(rate, taper, m.opening_dft[p])) * m.baseline[p]


@rule(
    unit="%",
    equation="x_p <= (1 + c(d0_p)) b_p",
    source="NHS England pace-of-change policy 2014-15: maximum growth 4.9%",
    relax=("rate", "up"),
)
def growth_ceiling(m: Any, p: str, *, rate: Rate, taper: Taper | None = None) -> Any:
    """No place grows by more than `rate` over its baseline; the ceiling changes with `taper` for places over target."""
    return m.allocation[p] <= (1 + tapered(rate, taper, m.opening_dft[p])) * m.baseline[p]
