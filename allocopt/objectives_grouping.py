"""The objectives of a grouping: what a good map of consortia makes small, each in its turn.

`m` is the view of `allocopt.grouping.programme`: `m.x[p, h]` is 1 where place p belongs to the consortium of hub h.
Money is GBP million, distance km. Imports `model` and `settings.stress` alone.
"""

from __future__ import annotations

from typing import Any

from allocopt.model import objective
from allocopt.settings.stress import Amount


@objective(
    index="grouping",
    unit="GBP m",
    equation="sum_h max(0, sum_p (s_p - b_p) x_ph)",
    source="Gross deficit after pooling: members' surpluses offset members' overspends, other consortia's do not",
    needs_spend=True,
)
def gross_deficit(m: Any) -> Any:
    """Overspends of consortia added up; a surplus in another consortium does not offset them."""
    return sum(m.deficit(h) for h in m.hubs)


@objective(
    index="grouping",
    unit="GBP m",
    equation="sum_h max(0, -D_h) + sum_{ph: area(p) != area(h)} (c + e n_p) x_ph",
    source="2011 guidance: boundaries are not normally crossed; the price at which they may be is the scenario's own",
    needs_spend=True,
)
def deficit_and_crossings(m: Any, *, per_place: Amount = 0.0, per_head: Amount = 0.0) -> Any:
    """Overspends of consortia, and an amount for each place whose consortium has its hub in another area.

    c is `per_place`, e is `per_head` for each of the place's people: a boundary is crossed only where that saves more.
    It is the form of stay_in_area that can be outweighed. D_h is the balance of the consortium.
    """
    crossing = {p: per_place + per_head * m.population[p] for p in m.places}
    return sum(m.deficit(h) for h in m.hubs) + sum(
        crossing[p] * m.x[p, h] for p, h in m.pairs if m.area[p] != m.area[h]
    )


@objective(
    index="grouping",
    unit="km",
    equation="sum_ph n_p km_ph x_ph / sum_p n_p",
    source="Population-weighted mean great-circle distance to the hub",
)
def travel(m: Any) -> Any:
    """The mean distance of a person's practice from the hub of its consortium."""
    return sum((m.population[p] * m.distance[p, h] / m.all_people) * m.x[p, h] for p, h in m.pairs if p != h)


@objective(
    index="grouping",
    unit="places",
    equation="number of p with present(p) != present(h)",
    source="Disruption: a consortium continues the present group of its hub",
)
def moves(m: Any) -> Any:
    """Places whose consortium does not continue the group they belong to at present."""
    return sum(m.x[p, h] for p, h in m.pairs if m.moves(p, h))


@objective(
    index="grouping",
    unit="places",
    equation="number of p with area(p) != area(h)",
    source="2011 guidance: boundaries are not normally crossed; the count is the softer form of stay_in_area",
)
def crossings(m: Any) -> Any:
    """Places whose consortium has its hub in another area."""
    return sum(m.x[p, h] for p, h in m.pairs if m.area[p] != m.area[h])
