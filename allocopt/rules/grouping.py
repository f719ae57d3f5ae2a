"""Rules about a consortium as a whole: its size, its balance, its mix.

`m` is the view of `allocopt.grouping.programme`. `m.x[p, h]` is 1 where place p belongs to the consortium of hub h,
`m.open[h]`
is 1 where the consortium exists, `m.members[h]` lists the places that may belong to it. A rule with two sides returns
both rows by name. People are counted in thousands inside rows, money in GBP million.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from allocopt.model import rule
from allocopt.ranges import Distance, Head, Part

Number = Annotated[int, Field(ge=0)]
"""How many consortia: a bare number."""


@rule(
    unit="-",
    equation="sum_h x_ph = 1",
    source="Health and Social Care Act 2012: every provider of primary medical services is a member of a group",
    index="grouping",
    hard=True,
)
def duty_to_admit(m: Any) -> Any:
    """Every place belongs to exactly one consortium: none may be left outside."""
    return {p: sum(m.x[p, h] for h in m.choices[p]) == 1 for p in m.places}


@rule(
    unit="-",
    equation="x_ph <= x_hh; x_hh = 1 for a declared hub",
    source="A consortium is named by its hub, whose place belongs to it",
    index="pairs",
    hard=True,
)
def hub_opens(m: Any, p: str, h: str) -> Any:
    """A place joins only a consortium that exists, and a hub's place belongs to its own consortium."""
    if p == h:
        return m.x[h, h] == 1 if h in m.declared else None
    return None if h in m.declared else m.x[p, h] <= m.open[h]


@rule(
    unit="people",
    equation="L x_hh <= sum_p n_p x_ph <= U x_hh",
    source="2012 configuration: most consortia had 150,000 to 300,000 people, in practice at least 50,000",
    index="hubs",
    relax=("min", "down"),
)
def population_window(
    m: Any,
    h: str,
    *,
    min: Head | None = None,  # noqa: A002 - the key that scenarios write
    max: Head | None = None,  # noqa: A002
    waive: list[str] = [],  # noqa: B006 - read, never changed
) -> Any:
    """A consortium has at least `min` and at most `max` people; `waive` lists hubs or areas without a minimum."""
    people = sum((m.population[p] / 1e3) * m.x[p, h] for p in m.members[h])
    rows = {}
    if min is not None and not m.excused(h, waive):
        rows["least"] = people >= (min / 1e3) * m.open[h]
    if max is not None:
        rows["most"] = people <= (max / 1e3) * m.open[h]
    return rows


@rule(
    unit="%",
    equation="|D_h / B_h - D_a / B_a| <= t",
    source="Against shunning: a consortium's balance stays near its area's, or the nation's where areas may be crossed",
    index="hubs",
    relax=("max", "up"),
)
def balance_band(
    m: Any,
    h: str,
    *,
    max: Distance,  # noqa: A002
    waive: list[str] = [],  # noqa: B006 - read, never changed
) -> Any:
    """A consortium's balance is within `max` of its budget around its area's; `waive` lists hubs or areas excused."""
    if m.excused(h, waive):
        return {}
    common = m.common_balance(h)
    above = sum(m.beyond(p, h, 1 - common - max) for p in m.members[h])
    below = sum(m.beyond(p, h, 1 - common + max) for p in m.members[h])
    return {"surplus": above <= 0, "deficit": below >= 0}


@rule(
    unit="consortia",
    equation="K1 <= sum_h x_hh <= K2",
    source="About 200 clinical commissioning groups were formed: 211 in April 2013",
    index="grouping",
    relax=("max", "up"),
)
def number_of_consortia(
    m: Any,
    *,
    min: Number | None = None,  # noqa: A002
    max: Number | None = None,  # noqa: A002
) -> Any:
    """There are at least `min` and at most `max` consortia."""
    number = sum(m.open[h] for h in m.hubs) + m.consortia_elsewhere
    rows = {}
    if min is not None:
        rows["least"] = number >= min
    if max is not None:
        rows["most"] = number <= max
    return rows


@rule(
    unit="%",
    equation="|sum_p n_p (i_p - I) x_ph| <= t I sum_p n_p x_ph",
    source="Against shunning: no consortium gathers the well-off or the deprived (HSJ 5027873)",
    index="hubs",
    relax=("max", "up"),
)
def deprivation_mix(m: Any, h: str, *, max: Distance) -> Any:  # noqa: A002
    """A consortium's mean deprivation score lies within `max` of its area's; places without a score do not count."""
    common = m.common_imd(h)
    known = [p for p in m.members[h] if m.imd[p] is not None]
    above = sum((m.population[p] / 1e3 * (m.imd[p] - common * (1 + max)) / common) * m.x[p, h] for p in known)
    below = sum((m.population[p] / 1e3 * (m.imd[p] - common * (1 - max)) / common) * m.x[p, h] for p in known)
    return {"more": above <= 0, "less": below >= 0}


@rule(
    unit="%",
    equation="sum_p r_p x_ph <= t sum_{p that may join h} r_p",
    source="Against shunning: the surpluses within reach are not gathered in one consortium",
    index="hubs",
    relax=("max", "up"),
)
def surplus_concentration(m: Any, h: str, *, max: Part) -> Any:  # noqa: A002
    """A consortium holds at most `max` of the surplus money of the places that could join it."""
    held = sum(m.surplus[p] * m.x[p, h] for p in m.members[h] if m.surplus[p] > 0)
    return {"held": held <= max * m.surplus_in_reach(h)} if m.surplus_in_reach(h) > 0 else {}
