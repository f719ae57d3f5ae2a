"""Rules about who may belong together: reach, areas, neighbours, present groups, local facts.

A rule asked for pairs returns True or False where the pair is allowed or not: a pair that is not allowed never enters
the programme. `m` is the view of `allocopt.grouping.programme`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from allocopt.model import rule
from allocopt.ranges import Lists, Part, Way
from allocopt.settings.neighbours import NeighbourGraph

Count = Annotated[int, Field(ge=0)]
"""How many places: a bare number."""


@rule(
    unit="km",
    equation="km_ph <= R",
    source="A consortium must be within reach of its practices",
    index="pairs",
    relax=("max", "up"),
)
def reach(
    m: Any,
    p: str,
    h: str,
    *,
    max: Way,  # noqa: A002 - the key that scenarios write
    waive: list[str] | Literal["least"] = [],  # noqa: B006 - read, never changed
) -> bool:
    """No place is farther than `max` from its hub; `waive` names the places excused (`least`: as few as possible)."""
    return m.distance[p, h] <= max or p in waive


@rule(
    unit="-",
    equation="area(p) = area(h)",
    source="2011 guidance: boundaries should not normally be crossed without benefit to patients",
    index="pairs",
)
def stay_in_area(m: Any, p: str, h: str, *, waive: list[str] = []) -> bool:  # noqa: B006 - read, never changed
    """A place belongs to a consortium whose hub lies in its own area; `waive` names places excused."""
    return m.area[p] == m.area[h] or p in waive


@rule(
    unit="-",
    equation="members are connected on the graph",
    source="NHS Commissioning Board, 2012: a consortium covers a coherent area",
    index="grouping",
)
def contiguity(m: Any, *, graph: NeighbourGraph = "delaunay") -> Any:
    """The places of a consortium are connected through neighbours (by `delaunay`, or by a table of links such as
    `graph: neighbours.csv`); rows are added where a plan breaks it.

    Delaunay's triangulation of the places knows no water. A table of links has a row for each, in one direction or in
    both, in the columns `place` and `neighbour`; other columns are not read, and coordinates are not needed.
    `allocopt export SCENARIO --format neighbours` writes Delaunay's links as such a table, to be edited.
    """
    return m.connect(graph)


@rule(
    unit="-",
    equation="x_ph = 1, or present(h) = present(p)",
    source="Local facts",
    index="pairs",
)
def locked(m: Any, p: str, h: str, *, places: list[str] | dict[str, str]) -> bool:
    """The places listed stay in their present group; with `place: hub`, they belong to that hub."""
    if p not in places:
        return True
    return bool(places[p] == h) if isinstance(places, dict) else not m.moves(p, h)


@rule(
    unit="-",
    equation="x_ph = x_qh for all h",
    source="Local facts",
    index="grouping",
)
def together(m: Any, *, groups: Lists) -> Any:
    """The places of each list belong to the same consortium."""
    rows = {}
    for first, *others in groups:
        for q in (one for one in others if one in m.choices and first in m.choices):
            for h in sorted({*m.choices[first], *m.choices[q]}):
                rows[f"{first}+{q}@{h}"] = m.at(first, h) == m.at(q, h)
    return rows


@rule(
    unit="-",
    equation="sum of x_ph over the list <= x_hh",
    source="Local facts",
    index="grouping",
)
def apart(m: Any, *, groups: Lists) -> Any:
    """No two places of the same list belong to one consortium."""
    rows = {}
    for group in groups:
        here = [p for p in group if p in m.choices]
        for h in sorted({h for p in here for h in m.choices[p]}):
            rows[f"{'+'.join(group)}@{h}"] = sum(m.at(p, h) for p in here) <= 1
    return rows


@rule(
    unit="%",
    equation="n(h and a) >= t n(h) and n(h and a) >= t n(a) for one area a",
    source="2012 configuration: containment 75/75 of a consortium and a local authority",
    index="hubs",
    relax=("rate", "down"),
)
def containment(m: Any, h: str, *, rate: Part) -> Any:
    """At least `rate` of a consortium's people live in one area, and it holds at least `rate` of that area's people."""
    people = {p: m.population[p] / 1e3 for p in m.members[h]}
    inside: dict[str, list[str]] = {}
    for p in m.members[h]:
        inside.setdefault(m.area[p], []).append(p)
    anchor = {a: m.binary("anchor", h, a) for a in inside}
    rows = {"one": sum(anchor.values()) == m.open[h]}
    for a, members in inside.items():
        held = sum(people[p] * m.x[p, h] for p in members)
        rest = sum(people[p] * m.x[p, h] for p in m.members[h] if m.area[p] != a)
        most = sum(people[p] for p in m.members[h] if m.area[p] != a)
        rows[f"group {a}"] = (1 - rate) * held - rate * rest >= -rate * most * (1 - anchor[a])
        rows[f"area {a}"] = held >= rate * m.people_of_area(a) / 1e3 * anchor[a]
    return rows


@rule(
    unit="places",
    equation="number of p with present(p) != present(h) <= M",
    source="A limit on disruption",
    index="grouping",
    relax=("max", "up"),
)
def moves(m: Any, *, max: Count) -> Any:  # noqa: A002
    """At most `max` places leave their present group."""
    moved = [m.x[p, h] for p, h in m.pairs if m.moves(p, h)]
    return {"all": sum(moved) + m.moves_elsewhere <= max} if moved or m.moves_elsewhere > max else {}
