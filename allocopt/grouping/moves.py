"""The compiled loop of the search: shifts, swaps and hub changes between neighbouring consortia, each of them O(1).

Tests that cost more run on accepted moves alone: contiguity, and the choice of another hub that all members may join.
Imports numba alone; `anneal` says what the arrays hold.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import numpy as np
from numba import njit

_Function = TypeVar("_Function")


def _compiled(function: _Function) -> _Function:
    return cast("_Function", njit(cache=True, nogil=True)(function))


HUB_MOVES, SWAPS = 0.1, 0.45
"""Up to which draw a step proposes another hub, or a swap; beyond, a shift."""


# The compiled part. A consortium has a slot, numbered as one of the places. `land`, `law`, `allowed`, `near`, `graph`
# are those of Land; `sums` (n, 3) the overspend, budget and people of each slot; `links` (n, 8) the slot of each place,
# the size and first member of each slot, the member after and before each place, a mark, a queue, the hub of each slot;
# `totals` gross deficit with what crossings cost, all people, marks used; `weights` those of Aim and then the limits of
# Land; `random` one 64-bit state.


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
def _may_join(allowed: Any, p: Any, h: Any) -> Any:
    return (allowed[p, h >> 6] >> np.uint64(h & 63)) & np.uint64(1) != np.uint64(0)


@_compiled
def _all_may_join(allowed: Any, links: Any, g: Any, h: Any, minus: Any) -> Any:
    """Whether every member of slot g but one may join hub h."""
    q = links[g, 2]
    while q >= 0:
        if q != minus and not _may_join(allowed, q, h):
            return False
        q = links[q, 3]
    return True


@_compiled
def _hub_for(law: Any, allowed: Any, links: Any, weights: Any, g: Any, plus: Any, minus: Any) -> Any:
    """A hub for slot g with place `plus` (if any) and without place `minus`: the present one if it serves, else any
    that all members may join, where hubs may change; -1 where there is none.
    """
    h = links[g, 7]
    if h != minus and (plus < 0 or _may_join(allowed, plus, h)):
        return h
    if weights[10] == 0.0 or weights[1] > 0.0:
        return -1
    if plus >= 0 and law[plus, 1] and _all_may_join(allowed, links, g, plus, minus):
        return plus
    h = links[g, 2]
    while h >= 0:
        fits = h != minus and law[h, 1] and (plus < 0 or _may_join(allowed, plus, h))
        if fits and _all_may_join(allowed, links, g, h, minus):
            return h
        h = links[h, 3]
    return -1


@_compiled
def _toll(land: Any, p: Any, h: Any) -> Any:
    """What place p costs with hub h, where areas are crossed at a price."""
    return land[p, 10] if land[p, 9] != land[h, 9] else 0.0


@_compiled
def _rehubbed(land: Any, links: Any, g: Any, h: Any, plus: Any, minus: Any) -> Any:
    """The change of what crossings of slot g cost, with place `plus` and without `minus`, when h becomes its hub."""
    old, change, q = links[g, 7], 0.0, links[g, 2]
    if land[old, 9] == land[h, 9]:
        return 0.0
    if plus >= 0:
        change += _toll(land, plus, h) - _toll(land, plus, old)
    while q >= 0:
        if q != minus:
            change += _toll(land, q, h) - _toll(land, q, old)
        q = links[q, 3]
    return change


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
        totals[0] += _toll(land, p, h)
        totals[1] += land[p, 5]
    for h in range(len(links)):
        totals[0] += max(0.0, sums[h, 0])


@_compiled
def _penalty(land: Any, weights: Any, h: Any, hub: Any, net: Any, money: Any, folk: Any) -> Any:
    """What a consortium adds to the energy beside its deficit: people outside the window, balance outside the band,
    as far as its hub is not excused.
    """
    if folk <= 0.0:
        return 0.0
    few = 0.0 if land[hub, 7] > 0.0 else max(0.0, weights[6] - folk)
    cost = weights[4] * (few + max(0.0, folk - weights[7]))
    if weights[8] >= 0.0 and land[hub, 8] == 0.0:
        common = land[h, 6]
        cost += weights[5] * max(0.0, abs(net + common * money) - weights[8] * money)
    return cost


@_compiled
def _side(land: Any, sums: Any, links: Any, weights: Any, h: Any, gain: Any, cash: Any, heads: Any) -> Any:
    """The change of deficit and of penalties of consortium h when it gains members with these sums."""
    net, money, folk, hub = sums[h, 0], sums[h, 1], sums[h, 2], links[h, 7]
    deficit = max(0.0, net + gain) - max(0.0, net)
    change = _penalty(land, weights, h, hub, net + gain, money + cash, folk + heads)
    return deficit, change - _penalty(land, weights, h, hub, net, money, folk)


@_compiled
def _change(land: Any, sums: Any, links: Any, totals: Any, weights: Any, p: Any, q: Any, swap: Any) -> Any:
    """The change of energy, and of what `totals` has first, when p joins the consortium of q (and q that of p)."""
    a, b = links[p, 0], links[q, 0]
    gain, cash, heads = land[p, 3], land[p, 4], land[p, 5]
    if swap:
        gain, cash, heads = gain - land[q, 3], cash - land[q, 4], heads - land[q, 5]
    from_a, cost_a = _side(land, sums, links, weights, a, -gain, -cash, -heads)
    from_b, cost_b = _side(land, sums, links, weights, b, gain, cash, heads)
    deficit, was = from_a + from_b, totals[0]
    if weights[11] > 0.0:
        deficit += _toll(land, p, links[b, 7]) - _toll(land, p, links[a, 7])
        if swap:
            deficit += _toll(land, q, links[a, 7]) - _toll(land, q, links[b, 7])
    cost = weights[0] * deficit + cost_a + cost_b
    cost += weights[3] * (max(0.0, was + deficit - weights[2]) - max(0.0, was - weights[2]))
    if weights[1] > 0:
        to, of = links[b, 7], links[a, 7]
        way = land[p, 5] * (_km(land, p, to) - _km(land, p, of))
        if swap:
            way += land[q, 5] * (_km(land, q, of) - _km(land, q, to))
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
def _flood(graph: Any, links: Any, p: Any, first: Any, mark: Any, wanted: Any) -> Any:
    """How many of the places marked `mark - 1` are not reached from `first` through members of the consortium of p
    without passing p; those that are reached are marked `mark`. Ends as soon as none of them is left.
    """
    g = links[p, 0]
    links[p, 5] = mark
    links[first, 5] = mark
    links[0, 6] = first
    head, tail = 0, 1
    while head < tail and wanted > 0:
        q = links[head, 6]
        head += 1
        for at in range(graph[q], graph[q + 1]):
            r = graph[at]
            if links[r, 0] == g and links[r, 5] != mark:
                if links[r, 5] == mark - 1:
                    wanted -= 1
                links[r, 5] = mark
                links[tail, 6] = r
                tail += 1
    return wanted


@_compiled
def _holds_without(graph: Any, links: Any, totals: Any, p: Any) -> Any:
    """Whether the consortium of p stays connected without p: its neighbours there reach each other."""
    g, first, wanted = links[p, 0], -1, -1
    totals[2] += 2.0
    mark = np.int64(totals[2])
    for at in range(graph[p], graph[p + 1]):
        q = graph[at]
        if links[q, 0] == g:
            first = q
            links[q, 5] = mark - 1
            wanted += 1
    return wanted <= 0 or _flood(graph, links, p, first, mark, wanted) == 0


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
    land: Any, law: Any, allowed: Any, links: Any, totals: Any, weights: Any, random: Any, h: Any, heat: Any
) -> None:
    """Member h becomes the hub when every member may join it, and travel and the price of crossings allow."""
    g, change = links[h, 0], 0.0
    a = links[g, 7]
    if a == h or not law[h, 1] or not _all_may_join(allowed, links, g, h, -1):
        return
    q = links[g, 2]
    while q >= 0 and weights[1] > 0:
        change += land[q, 5] * (_km(land, q, h) - _km(land, q, a))
        q = links[q, 3]
    change *= weights[1] / totals[1]
    tolls, was = 0.0, totals[0]
    if weights[11] > 0.0:
        tolls = _rehubbed(land, links, g, h, -1, -1)
        change += weights[0] * tolls
        change += weights[3] * (max(0.0, was + tolls - weights[2]) - max(0.0, was - weights[2]))
    if change <= 0 or _unit(random) < np.exp(-change / heat):
        links[g, 7] = h
        totals[0] += tolls


@_compiled
def _step(
    land: Any,
    law: Any,
    allowed: Any,
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
    if weights[10] > 0 and (weights[1] > 0 or weights[11] > 0) and kind < HUB_MOVES:
        _new_hub(land, law, allowed, links, totals, weights, random, p, heat)
        return
    q = near[p, _below(random, near.shape[1])]
    b = links[q, 0]
    swap = kind < SWAPS
    if a == b or law[p, 0] or (swap and law[q, 0]):
        return
    change, deficit = _change(land, sums, links, totals, weights, p, q, swap)
    if change > 0 and _unit(random) >= np.exp(-change / heat):
        return
    to = _hub_for(law, allowed, links, weights, b, p, q if swap else -1)
    if to < 0:
        return
    of = links[a, 7]
    if swap or links[a, 1] > 1:
        of = _hub_for(law, allowed, links, weights, a, q if swap else -1, p)
    if of < 0 or (weights[9] > 0 and not _connected(graph, links, totals, p, q, swap)):
        return
    if weights[11] > 0:
        other = _rehubbed(land, links, b, to, p, q if swap else -1)
        other += _rehubbed(land, links, a, of, q if swap else -1, p)
        if other > 0 and _unit(random) >= np.exp(-weights[0] * other / heat):
            return
        deficit += other
    totals[0] += deficit
    _shift(land, sums, links, p, b)
    if swap:
        _shift(land, sums, links, q, a)
    links[a, 7], links[b, 7] = of, to


@_compiled
def loop(
    land: Any,
    law: Any,
    allowed: Any,
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
    """Anneals the consortia in place; `schedule` is steps, hot, cold, and by what the weight of people rises."""
    _tally(land, sums, links, totals)
    steps, heat = np.int64(schedule[0]), schedule[1]
    rounds = 1 + steps // 1000
    cooling, rising = (schedule[2] / schedule[1]) ** (1.0 / rounds), schedule[3] ** (1.0 / rounds)
    for step in range(steps):
        if step % 1000 == 999:
            heat *= cooling
            weights[4] *= rising
        p = movable[_below(random, len(movable))]
        _step(land, law, allowed, near, graph, sums, links, totals, weights, random, p, heat)
