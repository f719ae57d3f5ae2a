"""Awkward places of a grouping, told before anything is solved: what stands in the way, and the cheapest cure.

Islands, places and pockets without a hub or without enough people in reach, areas smaller than the population minimum,
neighbours across open water, what a table of links cuts off, places at one point; a place without people never comes so
far. Nothing here decides anything: whether the rules can hold is found by solving. Imports `plan`,
`grouping.instance` and below.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from allocopt.grouping.instance import Array, Flags, Instance, Ints, chord_of, on_sphere
from allocopt.inputs.tables import count, some
from allocopt.model import load_model
from allocopt.plan import Facts
from allocopt.settings import Grouping

NEIGHBOURS = 9
"""Nearest places that are looked at before the groups that they make are."""
OPEN_WATER = 50.0
"""Kilometres: without a reach, neighbours on a map that are farther apart are told."""
SHOWN, NAMED = 5, 12
"""Places that are named in a sentence, and in a cure."""


def awkward(facts: Facts) -> list[str]:
    """Every awkward place of a scenario that groups places, in words; nothing for other models."""
    scenario = facts.loaded.scenario
    if load_model(scenario.model[-1]).kind not in ("grouping", "joint"):
        return []
    said = scenario.grouping or Grouping()
    if said.column is not None:  # a given grouping is measured, not sought
        return []
    instance = _instance(facts, said)
    near = _water(instance) if instance.links is None else _cut_off(instance)
    return [*_points(instance), *_areas(instance), *_reach(instance), *near]


def _instance(facts: Facts, said: Grouping) -> Instance:
    """The instance without its money; people are counted as nobody where no column has them."""
    inputs, n = facts.inputs, len(facts.situation.places)
    hub, area, north, east = (inputs.role(one) for one in ("hub", "area", "latitude", "longitude"))
    choice = said.hubs or ("free" if hub is None else "declared")
    position = None if north is None or east is None else on_sphere(north.to_numpy(float), east.to_numpy(float))
    return Instance(
        places=facts.situation.places,
        population=np.nan_to_num(facts.situation.population[:, -1]),
        budget=np.zeros(n),
        spend=np.zeros(n),
        area=("all",) * n if area is None else tuple(area.astype(str)),
        may_hub=np.ones(n, dtype=bool) if choice == "free" or hub is None else hub.to_numpy() == 1,
        declared=choice == "declared" and hub is not None,
        position=position,
        settings={name: one.parameters for name, one in facts.loaded.scenario.rules.items()},
        links=inputs.links,
    )


def _points(instance: Instance) -> Iterator[str]:
    if instance.position is None:
        return
    _, which, number = np.unique(np.round(instance.position, 12), axis=0, return_inverse=True, return_counts=True)
    same = np.flatnonzero(number[which.reshape(-1)] > 1)
    if len(same):
        points = len(np.unique(which.reshape(-1)[same]))
        yield (
            f"{count(len(same), 'place')} share {count(points, 'point')} of the map, such as "
            f"{_codes(instance, same[which.reshape(-1)[same] == which.reshape(-1)[same[0]]])}: they are neighbours "
            "and 0 km apart; correct their coordinates if they are not"
        )


def _areas(instance: Instance) -> Iterator[str]:
    """Areas that consortia may not cross and that have no hub, or fewer people than a consortium needs."""
    if not instance.on("stay_in_area"):
        return
    stays = ~instance.waived("stay_in_area")
    hubs = np.bincount(instance.area_codes[instance.hubs], minlength=len(instance.areas))
    lost = [one for number, one in enumerate(instance.areas) if not hubs[number]]
    lost = [one for one in lost if (stays & (instance.area_codes == instance.areas.index(one))).any()]
    if lost:
        yield (
            f"{count(len(lost), 'area')} without a hub ({some(lost)}), which no consortium may leave: declare a hub "
            "there, or name the places at rules.stay_in_area.waive"
        )
    least, people = instance.said("population_window", "min"), _people_of_areas(instance)
    listed = instance.said("population_window", "waive", [])
    small = [one for one, have in zip(instance.areas, people, strict=True) if least and have < least]
    small = [one for one in small if one not in listed]
    if small:
        smallest = min(small, key=lambda one: people[instance.areas.index(one)])
        yield (
            f"{count(len(small), 'area')} with fewer people than the minimum of {least:,.0f}, the smallest {smallest} "
            f"with {people[instance.areas.index(smallest)]:,.0f}: rules.population_window.waive: [{', '.join(small)}] "
            "excuses their consortia"
        )


def _people_of_areas(instance: Instance) -> list[float]:
    return [float(one) for one in np.bincount(instance.area_codes, weights=instance.population)]


def _reach(instance: Instance) -> Iterator[str]:
    if not instance.on("reach") or instance.position is None:
        return
    km = _to_hubs(instance)
    far = np.flatnonzero((km > instance.farthest + 1e-9) & np.isfinite(km))
    if len(far):
        worst = int(far[np.argmax(km[far])])
        yield (
            f"{count(len(far), 'place')} beyond reach of every hub ({_codes(instance, far)}), {instance.places[worst]} "
            f"the farthest at {km[worst]:,.1f} km: {_waive(instance, 'reach', far)}, or a reach of "
            f"{np.ceil(km[worst]):,.0f} km"
        )
    yield from _pockets(instance)


def _to_hubs(instance: Instance) -> Array:
    """(n,) kilometres to the nearest hub, in its own area where a place may not leave that; infinite without one."""
    assert instance.position is not None
    km, stays = np.full(len(instance), np.inf), instance.on("stay_in_area") & ~instance.waived("stay_in_area")
    for area in (-1, *(range(len(instance.areas)) if stays.any() else ())):
        here = stays & (instance.area_codes == area) if area >= 0 else ~stays
        hubs = instance.hubs[instance.area_codes[instance.hubs] == area] if area >= 0 else instance.hubs
        if here.any() and len(hubs):
            at = np.flatnonzero(here)
            km[at] = instance.km(at, _nearest(instance, at, hubs)[1])
    return km


def _pockets(instance: Instance) -> Iterator[str]:
    """Places joined by reach and by nothing else, with fewer people than a consortium needs, where hubs need not open;
    declared hubs short of people.
    """
    least, limit = instance.said("population_window", "min"), float(instance.said("reach", "max"))
    if not least or instance.on("stay_in_area"):
        return
    if instance.declared:
        yield from _short_hubs(instance, float(least), limit)
        return
    label, excused = within(instance, limit), instance.excused("population_window") & instance.may_hub
    people = np.bincount(label, weights=instance.population)
    free = np.bincount(label, weights=excused | instance.waived("reach"))
    for one in np.flatnonzero((people < least) & (free == 0)).tolist():
        inside = np.flatnonzero(label == one)
        cure = _waive(instance, "population_window", _middle(instance, inside))
        yield (
            f"an island or pocket of {count(len(inside), 'place')} ({_codes(instance, inside)}) with "
            f"{people[one]:,.0f} people has no other place in reach, and a consortium needs {least:,.0f}: "
            f"{f'{cure}, or ' if cure else ''}a reach of {_away(instance, label == one):,.0f} km"
        )


def _middle(instance: Instance, inside: Ints) -> Ints:
    """The hub of a group from which its farthest place is nearest; none where no place of it may be a hub."""
    hubs = inside[instance.may_hub[inside]]
    worst = [float(instance.km(inside, np.full(len(inside), h)).max()) for h in hubs.tolist()]
    return hubs[[int(np.argmin(worst))]] if worst else hubs


def _short_hubs(instance: Instance, least: float, limit: float) -> Iterator[str]:
    assert instance.position is not None
    tree, joins = cKDTree(instance.position), ~instance.may_hub
    excused = instance.excused("population_window")
    short = []
    for h in instance.hubs[~excused[instance.hubs]].tolist():
        near = np.array(tree.query_ball_point(instance.position[h], chord_of(limit) * (1 + 1e-9)), dtype=np.int64)
        if instance.population[near[joins[near]]].sum() + instance.population[h] < least:
            short.append(h)
    if short:
        yield (
            f"{count(len(short), 'declared hub')} without {least:,.0f} people in reach ({_codes(instance, short)}): "
            f"{_waive(instance, 'population_window', short)}, or grouping.hubs: optional"
        )


def _water(instance: Instance) -> Iterator[str]:
    """Groups of places that a contiguous consortium could join to others across a long way."""
    if not instance.on("contiguity") or instance.position is None:
        return
    limit = float(instance.said("reach", "max", OPEN_WATER))
    label = within(replace(instance, may_hub=np.ones(len(instance), dtype=bool)), limit)
    sizes = np.bincount(label)
    for one in np.flatnonzero(np.arange(len(sizes)) != sizes.argmax()).tolist():
        inside = np.flatnonzero(label == one)
        away = _away(instance, label == one)
        held = "reach keeps them apart" if instance.on("reach") else f"rules.reach.max: {limit:g} km keeps them apart"
        yield (
            f"{_codes(instance, inside)}: the nearest other place is {away:,.0f} km away and counts as a neighbour all "
            f"the same, since Delaunay's graph knows no water; {held}, and so would a table of links of your own: "
            "rules.contiguity.graph"
        )


def _cut_off(instance: Instance) -> Iterator[str]:
    """Places that the table of links cuts off from all others, or from the others of an area that none may leave."""
    if not instance.on("contiguity"):
        return
    cut, table = _cut_pieces(instance), instance.said("contiguity", "graph").table
    if alone := [one for one in cut if len(one[0]) == 1]:
        yield _without_neighbours(instance, table, alone)
    groups = sorted((one for one in cut if len(one[0]) > 1), key=lambda one: _trouble(instance, one[0]))
    yield from (_piece_words(instance, table, *one) for one in groups[:SHOWN])
    if len(groups) > SHOWN:
        places = sum(len(inside) for inside, _ in groups[SHOWN:])
        yield f"{table} cuts off {count(len(groups) - SHOWN, 'more group')} with {count(places, 'place')} in all"


def _cut_pieces(instance: Instance) -> list[tuple[Ints, Ints]]:
    """Every piece of the country (or of an area) but its largest, and the places that a link had best lead it to: of
    pieces that make consortia, else of any other.
    """
    label, areas = _pieces(instance)
    inside = [np.flatnonzero(label == one) for one in range(int(label.max()) + 1)]
    sound = np.array([len(one) > 1 and not _is_short(instance, one) for one in inside])
    cut = list[tuple[Ints, Ints]]()
    for area in np.unique(areas).tolist():
        here = np.flatnonzero(areas == area)
        pieces = sorted(np.unique(label[here]).tolist(), key=lambda one: (-len(inside[one]), one))
        for one in pieces[1:]:
            rest = here[label[here] != one]
            cut.append((inside[one], rest[sound[label[rest]]] if sound[label[rest]].any() else rest))
    return cut


def _trouble(instance: Instance, inside: Ints) -> tuple[bool, int, int]:
    """The order in which pieces are told: those that make no consortium first, then the largest."""
    return not _is_short(instance, inside), -len(inside), int(inside[0])


def _is_short(instance: Instance, inside: Ints) -> bool:
    """Whether a piece has no hub, or fewer people than a consortium needs and no hub that is excused."""
    hubs = inside[instance.may_hub[inside]]
    least = float(instance.said("population_window", "min") or 0)
    few = float(instance.population[inside].sum()) < least
    return not len(hubs) or (few and not instance.excused("population_window")[hubs].any())


def _pieces(instance: Instance) -> tuple[Ints, Ints]:
    """(n,) the piece of each place by the links that a consortium can use, and the area that pieces are of (0 where
    areas may be crossed).
    """
    assert instance.links is not None
    tail, head = instance.links.T
    if not instance.on("stay_in_area"):
        return _joined(len(instance), tail, head), np.zeros(len(instance), dtype=np.int64)
    free = instance.waived("stay_in_area")
    use = (instance.area_codes[tail] == instance.area_codes[head]) | free[tail] | free[head]
    return _joined(len(instance), tail[use], head[use]), instance.area_codes


def _without_neighbours(instance: Instance, table: str, alone: Sequence[tuple[Ints, Ints]]) -> str:
    """The places without any neighbour that they could share a consortium with."""
    at = np.concatenate([inside for inside, _ in alone])
    where = f" in {'its' if len(at) == 1 else 'their'} own area" if instance.on("stay_in_area") else ""
    least, barred = float(instance.said("population_window", "min") or 0), at[~instance.may_hub[at]]
    short = at[(instance.population[at] < least) & ~instance.excused("population_window")[at] & instance.may_hub[at]]
    can = f"which can only be {'a consortium of its own' if len(at) == 1 else 'consortia of their own'}"
    said = f"{count(len(at), 'place')} without a neighbour{where} by {table} ({_codes(instance, at)}), {can}"
    if len(barred):
        said += f", and {_codes(instance, barred)} may not be a hub"
    if len(short):
        said += f", and {_codes(instance, short)} {'has' if len(short) == 1 else 'have'} fewer people than {least:,.0f}"
    rows = [_row(instance, *one) for one in alone[:SHOWN]]
    cure = f"add {'the row ' if len(at) == 1 else 'rows such as '}{', '.join(rows)}"
    waive = _waive(instance, "population_window", short)
    return f"{said}: {cure}{f', or {waive}' if waive else ''}"


def _piece_words(instance: Instance, table: str, inside: Ints, rest: Ints) -> str:
    """A group of places that no chain of neighbours joins to the rest."""
    people, least = float(instance.population[inside].sum()), float(instance.said("population_window", "min") or 0)
    whom = "the others of their area" if instance.on("stay_in_area") else "all others"
    said = (
        f"{table} cuts off {count(len(inside), 'place')} ({_codes(instance, inside)}) with {people:,.0f} people from "
    )
    said += f"{whom}, and no consortium joins them"
    hubs = inside[instance.may_hub[inside]]
    if not len(hubs):
        return f"{said}; none of them may be a hub: add the row {_row(instance, inside, rest)}"
    if not _is_short(instance, inside):
        return f"{said}; where one should, add the row {_row(instance, inside, rest)}"
    cure = _waive(instance, "population_window", _middle(instance, inside))
    return f"{said}; a consortium needs {least:,.0f}: add the row {_row(instance, inside, rest)}, or {cure}"


def _row(instance: Instance, inside: Ints, rest: Ints) -> str:
    """The row of a table of links that joins a piece to the nearest place of the rest, which is never empty."""
    if instance.position is None:
        return f"{instance.places[inside[0]]},NEIGHBOUR"
    far, near = _nearest(instance, inside, rest)
    at = int(np.argmin(far))
    km = float(instance.km(inside[[at]], near[[at]])[0])
    return f"{instance.places[inside[at]]},{instance.places[near[at]]} ({km:,.1f} km apart, the nearest)"


def within(instance: Instance, km: float) -> Ints:
    """(n,) the group of each place: those that a chain of places and hubs, each within `km` of the next, joins."""
    assert instance.position is not None
    n, most = len(instance), chord_of(km) * (1 + 1e-9)
    hubs = instance.hubs
    tree = cKDTree(instance.position[hubs])
    number = min(NEIGHBOURS, len(hubs))
    found = np.concatenate([np.reshape(one, (n, number)) for one in tree.query(instance.position, number)], axis=1)
    far, near = found[:, :number].ravel(), hubs[found[:, number:].astype(np.int64)].ravel()
    tail, head = np.repeat(np.arange(n), number)[far <= most], near[far <= most]
    while True:
        label = _joined(n, tail, head)
        more = [_next(instance, label == one, most) for one in np.argsort(np.bincount(label))[:-1].tolist()]
        links = [one for one in more if one is not None]
        if not links:
            return label
        tail, head = (np.append(ends, [one[at] for one in links]) for at, ends in enumerate((tail, head)))


def _joined(n: int, tail: Ints, head: Ints) -> Ints:
    graph = sp.coo_array((np.ones(len(tail)), (tail, head)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _next(instance: Instance, inside: Flags, most: float) -> tuple[int, int] | None:
    """A place and a hub within reach of each other, one inside a group and one outside; None where there is none."""
    assert instance.position is not None
    for ends in ((inside, ~inside & instance.may_hub), (~inside, inside & instance.may_hub)):
        places, hubs = (np.flatnonzero(one) for one in ends)
        if len(places) and len(hubs):
            far, near = _nearest(instance, places, hubs)
            at = int(np.argmin(far))
            if far[at] <= most:
                return int(places[at]), int(near[at])
    return None


def _nearest(instance: Instance, places: Ints, hubs: Ints) -> tuple[Array, Ints]:
    """For each place the straight-line distance on the unit sphere to its nearest hub, and that hub."""
    assert instance.position is not None
    far, near = cKDTree(instance.position[hubs]).query(instance.position[places])
    return np.asarray(far, dtype=np.float64), hubs[np.asarray(near, dtype=np.int64)]


def _away(instance: Instance, inside: Flags) -> float:
    """Whole kilometres from a group to the nearest place outside it, rounded up."""
    at, others = np.flatnonzero(inside), np.flatnonzero(~inside)
    far, near = _nearest(instance, at, others)
    closest = [int(np.argmin(far))]
    return float(np.ceil(instance.km(at[closest], near[closest])[0]))


def _waive(instance: Instance, rule: str, at: Sequence[int] | Ints) -> str:
    """The exemptions as a scenario would name them; many are left to the run to find."""
    if len(at) > NAMED:
        return "grouping.exempt: least, which names them"
    return f"rules.{rule}.waive: [{', '.join(instance.places[p] for p in at)}]" if len(at) else ""


def _codes(instance: Instance, at: Sequence[int] | Ints) -> str:
    """The first few codes, and how many more."""
    codes = [instance.places[p] for p in at]
    more = f" and {len(codes) - SHOWN:,} more" if len(codes) > SHOWN else ""
    return ", ".join(codes[:SHOWN]) + more
