"""Simulated annealing on shifts, swaps and hub changes between neighbouring consortia: a compiled search that proposes.

It holds a fast copy of the common limits (reach, areas, population window, balance band, contiguity); whatever it
returns is measured by the programme's own rules and refused by the checker when it breaks one. Every move costs O(1),
but for the contiguity test, which runs on accepted moves alone. Imports `instance` alone; numba compiles the loop.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit

from allocopt.grouping.instance import Array, Flags, Instance, Ints

_Function = TypeVar("_Function")


def _compiled(function: _Function) -> _Function:
    return cast("_Function", njit(cache=True, nogil=True)(function))


HUB_MOVES, SWAPS = 0.1, 0.45
"""Up to which draw a step proposes another hub, or a swap; beyond, a shift."""


@dataclass(frozen=True)
class Land:
    """What does not change during a search, as arrays the compiled loop reads; n places."""

    land: Array
    """(n, 7) position on the unit sphere, overspend, budget, thousand people, balance the band is measured from"""
    law: Ints
    """(n, 3) area, whether the place never moves, whether it may be a hub"""
    near: Ints
    """(n, k) places that a proposal looks at"""
    graph: Ints
    """(n + 1 + links,) where each place's neighbours start and end in this same array; zeros without contiguity"""
    limits: Array
    """chord of reach squared, least and most people, band, whether areas hold, contiguity, whether hubs may change"""


@dataclass(frozen=True)
class Aim:
    """What one run of the search makes small, and how it cools."""

    steps: int
    hot: float
    cold: float
    deficit: float = 1.0
    """weight of gross deficit, GBP m"""
    travel: float = 0.0
    """weight of mean travel, km"""
    cap: float = 1e30
    """gross deficit that may not be passed, GBP m"""
    over_cap: float = 0.0
    """weight of gross deficit beyond the cap"""
    people: float = 1.0
    """weight of each thousand people outside the window"""
    band: float = 10.0
    """weight of each GBP m outside the balance band"""
    seed: int = 1
    focus: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """places that may move; all where empty"""


# The compiled part. `land`, `law`, `near`, `graph` are those of Land; `sums` (n, 3) the overspend, budget and people of
# the consortium of each hub; `links` (n, 7) the hub of each place, the size and first member of each hub's consortium,
# the member after and before each place, a mark and a queue; `totals` gross deficit, all people, marks used; `weights`
# those of Aim and then the limits of Land; `random` one 64-bit state.


@_compiled
def _draw(random: Any) -> Any:
    x = random[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    random[0] = x
    return x >> np.uint64(11)


@_compiled
def _below(random: Any, most: Any) -> Any:
    return np.int64(_draw(random)) % most


@_compiled
def _unit(random: Any) -> Any:
    return np.float64(_draw(random)) / 9007199254740992.0


@_compiled
def _chord2(position: Any, p: Any, q: Any) -> Any:
    x = position[p, 0] - position[q, 0]
    y = position[p, 1] - position[q, 1]
    z = position[p, 2] - position[q, 2]
    return x * x + y * y + z * z


@_compiled
def _km(position: Any, p: Any, q: Any) -> Any:
    return 12742.0176 * np.arcsin(min(1.0, np.sqrt(_chord2(position, p, q)) / 2))


@_compiled
def _may_join(land: Any, law: Any, weights: Any, p: Any, h: Any) -> Any:
    within = _chord2(land, p, h) <= weights[6]
    return within and (weights[10] == 0.0 or law[p, 0] == law[h, 0])


@_compiled
def _tally(land: Any, sums: Any, links: Any, totals: Any) -> Any:
    for p in range(len(links)):
        h = links[p, 0]
        sums[h, 0] += land[p, 3]
        sums[h, 1] += land[p, 4]
        sums[h, 2] += land[p, 5]
        links[h, 1] += 1
        links[p, 3] = links[h, 2]
        if links[h, 2] >= 0:
            links[links[h, 2], 4] = p
        links[h, 2] = p
        totals[1] += land[p, 5]
    for h in range(len(links)):
        totals[0] += max(0.0, sums[h, 0])


@_compiled
def _penalty(land: Any, weights: Any, h: Any, net: Any, money: Any, folk: Any) -> Any:
    """What a consortium adds to the energy beside its deficit: people outside the window, balance outside the band."""
    if folk <= 0.0:
        return 0.0
    cost = weights[4] * (max(0.0, weights[7] - folk) + max(0.0, folk - weights[8]))
    if weights[9] >= 0.0:
        common = land[h, 6]
        cost += weights[5] * max(0.0, abs(net + common * money) - weights[9] * money)
    return cost


@_compiled
def _side(land: Any, sums: Any, weights: Any, h: Any, gain: Any, cash: Any, heads: Any) -> Any:
    """The change of deficit and of penalties of consortium h when it gains members with these sums."""
    net, money, folk = sums[h, 0], sums[h, 1], sums[h, 2]
    deficit = max(0.0, net + gain) - max(0.0, net)
    change = _penalty(land, weights, h, net + gain, money + cash, folk + heads)
    return deficit, change - _penalty(land, weights, h, net, money, folk)


@_compiled
def _change(land: Any, sums: Any, links: Any, totals: Any, weights: Any, p: Any, q: Any, swap: Any) -> Any:
    """The change of energy, and of gross deficit, when p joins the consortium of q (and q that of p)."""
    a, b = links[p, 0], links[q, 0]
    gain, cash, heads = land[p, 3], land[p, 4], land[p, 5]
    if swap:
        gain, cash, heads = gain - land[q, 3], cash - land[q, 4], heads - land[q, 5]
    from_a, cost_a = _side(land, sums, weights, a, -gain, -cash, -heads)
    from_b, cost_b = _side(land, sums, weights, b, gain, cash, heads)
    deficit, was = from_a + from_b, totals[0]
    cost = weights[0] * deficit + cost_a + cost_b
    cost += weights[3] * (max(0.0, was + deficit - weights[2]) - max(0.0, was - weights[2]))
    if weights[1] > 0:
        way = land[p, 5] * (_km(land, p, b) - _km(land, p, a))
        if swap:
            way += land[q, 5] * (_km(land, q, a) - _km(land, q, b))
        cost += weights[1] * way / totals[1]
    return cost, deficit


@_compiled
def _touches(graph: Any, links: Any, p: Any, g: Any, other: Any) -> Any:
    for at in range(graph[p], graph[p + 1]):
        q = graph[at]
        if links[q, 0] == g and q != other:
            return True
    return False


@_compiled
def _flood(graph: Any, links: Any, p: Any, first: Any, mark: Any) -> None:
    """Mark every member of the consortium of p that is reached from `first` without passing p."""
    g = links[p, 0]
    links[p, 5] = mark
    links[first, 5] = mark
    links[0, 6] = first
    head, tail = 0, 1
    while head < tail:
        q = links[head, 6]
        head += 1
        for at in range(graph[q], graph[q + 1]):
            r = graph[at]
            if links[r, 0] == g and links[r, 5] != mark:
                links[r, 5] = mark
                links[tail, 6] = r
                tail += 1


@_compiled
def _holds_without(graph: Any, links: Any, totals: Any, p: Any) -> Any:
    """Whether the consortium of p stays connected without p: its neighbours there reach each other."""
    g, first = links[p, 0], -1
    for at in range(graph[p], graph[p + 1]):
        if links[graph[at], 0] == g:
            first = graph[at]
    if first < 0:
        return True
    totals[2] += 1.0
    mark = np.int64(totals[2])
    _flood(graph, links, p, first, mark)
    for at in range(graph[p], graph[p + 1]):
        q = graph[at]
        if links[q, 0] == g and links[q, 5] != mark:
            return False
    return True


@_compiled
def _connected(graph: Any, links: Any, totals: Any, p: Any, q: Any, swap: Any) -> Any:
    """Whether both consortia stay connected after the move."""
    a, b = links[p, 0], links[q, 0]
    if not _touches(graph, links, p, b, q if swap else -1) or not _holds_without(graph, links, totals, p):
        return False
    if not swap:
        return True
    links[p, 0] = b
    fits = _touches(graph, links, q, a, -1) and _holds_without(graph, links, totals, q)
    links[p, 0] = a
    return fits


@_compiled
def _shift(land: Any, sums: Any, links: Any, p: Any, b: Any) -> None:
    a = links[p, 0]
    if links[p, 4] >= 0:
        links[links[p, 4], 3] = links[p, 3]
    else:
        links[a, 2] = links[p, 3]
    if links[p, 3] >= 0:
        links[links[p, 3], 4] = links[p, 4]
    links[p, 3], links[p, 4] = links[b, 2], -1
    if links[b, 2] >= 0:
        links[links[b, 2], 4] = p
    links[b, 2], links[p, 0] = p, b
    for h, sign in ((a, -1.0), (b, 1.0)):
        sums[h, 0] += sign * land[p, 3]
        sums[h, 1] += sign * land[p, 4]
        sums[h, 2] += sign * land[p, 5]
        links[h, 1] += np.int64(sign)


@_compiled
def _new_hub(
    land: Any, law: Any, sums: Any, links: Any, totals: Any, weights: Any, random: Any, h: Any, heat: Any
) -> None:
    """Member h becomes the hub when every member is within its reach and travel allows."""
    a, change = links[h, 0], 0.0
    if a == h or not law[h, 2]:
        return
    q = links[a, 2]
    while q >= 0:
        if law[q, 1] or not _may_join(land, law, weights, q, h):
            return
        if weights[1] > 0:
            change += land[q, 5] * (_km(land, q, h) - _km(land, q, a))
        q = links[q, 3]
    change *= weights[1] / totals[1]
    if change > 0 and _unit(random) >= np.exp(-change / heat):
        return
    q = links[a, 2]
    while q >= 0:
        links[q, 0] = h
        q = links[q, 3]
    for column in range(3):
        sums[h, column], sums[a, column] = sums[a, column], 0.0
    links[h, 1], links[a, 1] = links[a, 1], 0
    links[h, 2], links[a, 2] = links[a, 2], -1


@_compiled
def _step(
    land: Any,
    law: Any,
    near: Any,
    graph: Any,
    sums: Any,
    links: Any,
    totals: Any,
    weights: Any,
    random: Any,
    p: Any,
    heat: Any,
) -> None:
    kind, a = _unit(random), links[p, 0]
    if weights[12] > 0 and kind < HUB_MOVES:
        _new_hub(land, law, sums, links, totals, weights, random, p, heat)
        return
    q = near[p, _below(random, near.shape[1])]
    b = links[q, 0]
    if a == b or law[p, 1] or (p == a and links[a, 1] > 1) or not _may_join(land, law, weights, p, b):
        return
    swap = kind < SWAPS and p != a
    if swap and (law[q, 1] or q == b or not _may_join(land, law, weights, q, a)):
        return
    change, deficit = _change(land, sums, links, totals, weights, p, q, swap)
    if change > 0 and _unit(random) >= np.exp(-change / heat):
        return
    if weights[11] > 0 and not _connected(graph, links, totals, p, q, swap):
        return
    totals[0] += deficit
    _shift(land, sums, links, p, b)
    if swap:
        _shift(land, sums, links, q, a)


@_compiled
def _loop(
    land: Any,
    law: Any,
    near: Any,
    graph: Any,
    sums: Any,
    links: Any,
    totals: Any,
    weights: Any,
    random: Any,
    movable: Any,
    schedule: Any,
) -> None:
    """Anneals the consortia in place; `schedule` is steps, hot, cold."""
    _tally(land, sums, links, totals)
    steps, heat = np.int64(schedule[0]), schedule[1]
    cooling = (schedule[2] / schedule[1]) ** (1.0 / (1 + steps // 1000))
    for step in range(steps):
        if step % 1000 == 999:
            heat *= cooling
        _step(land, law, near, graph, sums, links, totals, weights, random, movable[_below(random, len(movable))], heat)


def land_of(instance: Instance, *, near: Ints, start: Ints, next_to: Ints, fixed: Flags) -> Land:
    """The arrays of a search. Distances need coordinates."""
    assert instance.position is not None
    reach, window = instance.said("reach", "max"), instance.settings.get("population_window", {})
    chord = 4.0 if reach is None else float(2 * np.sin(min(reach / 6371.0088, np.pi) / 2))
    by_area, areas = instance.on("stay_in_area"), len(instance.areas)
    limits = [chord * chord, (window.get("min") or 0.0) / 1e3, (window.get("max") or 1e15) / 1e3]
    limits += [instance.said("balance_band", "max", -1.0), float(by_area), float(instance.on("contiguity"))]
    limits += [float(not instance.declared)]
    sums = [np.bincount(instance.area_codes, weights=one, minlength=areas) for one in (instance.spend, instance.budget)]
    spend, budget = sums if by_area else (np.full(areas, one.sum()) for one in sums)
    common = (1 - spend / budget)[instance.area_codes]
    people = instance.population / 1e3
    return Land(
        land=np.column_stack([instance.position, instance.over, instance.budget, people, common]),
        law=np.column_stack([instance.area_codes, fixed, instance.may_hub]).astype(np.int64),
        near=near,
        graph=np.concatenate([start + len(start), next_to]).astype(np.int64),
        limits=np.array(limits),
    )


def anneal(land: Land, hub: Ints, aim: Aim) -> Ints:
    """An assignment found from `hub` (n,): the hub of each place."""
    n = len(hub)
    weights = [aim.deficit, aim.travel, aim.cap, aim.over_cap, aim.people, aim.band, *land.limits.tolist()]
    movable = aim.focus if len(aim.focus) else np.arange(n)
    links = np.full((n, 7), -1, dtype=np.int64)
    links[:, 0], links[:, 1] = hub, 0
    random = np.array([(aim.seed * 0x9E3779B97F4A7C15 + 0x1234567) % 2**64 | 1], dtype=np.uint64)
    schedule = np.array([float(aim.steps), aim.hot, aim.cold])
    state = np.zeros((n, 3)), links, np.zeros(3), np.array(weights), random
    _loop(land.land, land.law, land.near, land.graph, *state, movable.astype(np.int64), schedule)
    return links[:, 0].copy()
