"""Bounds B and P lifted where they are known to be weak: exact programmes over parts of the map, all else at prices.

The prices of places are those of `pockets`, of bound T, or of bound B's minimum cut: with them every consortium of a
legal plan has max(0, D_c) - price(c) >= 0 (or falls short by what the bound has counted), what its crossings cost
counted with D_c where they cost anything, and the bound plus these terms is what the plan costs. A pocket's programme
over a set of hubs bounds the terms of their consortia from below, and gains of sets that share no hub add up. Each
optimum is the branch and bound's own: the bound is marked so, and the others stand beside it. Imports `pockets`,
`instance`, `measure`, `bounds`, `crew` and `solve`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allocopt.errors import Infeasible, Stopped
from allocopt.grouping.bounds import Bound
from allocopt.grouping.crew import Crew
from allocopt.grouping.instance import Array, Flags, Instance, Ints, Pairs
from allocopt.grouping.measure import costs
from allocopt.grouping.pockets import Pocket, Priced, pocket_programme, wholly_inside
from allocopt.solve.integer import Effort, minimise_whole

WORTH = 0.05
"""GBP m of a consortium's share of the gap, below which its part of the map is not looked at."""
PAIRS = 4_000
"""Pairs of a programme."""


@dataclass(frozen=True)
class LiftJob:
    """One pocket for one process, what the terms of its hubs may fall short by, and how far it is solved."""

    pocket: Pocket
    short: float
    effort: Effort


def lifted_bound(
    model: str, instance: Instance, pairs: Pairs, given: Priced, hub: Ints, *, effort: Effort, crew: Crew
) -> Bound | None:
    """Bound L, or None where nothing was gained. `hub` is a plan (n,): its gap says where to look."""
    sets = _sets(model, instance, pairs, given.price, hub)
    jobs = [LiftJob(pocket, float(given.short[pocket.hubs].sum()), effort) for pocket in sets]
    gains = [gain for gain in crew.do(gain_of, jobs, lambda job: float(len(job.pocket.pairs))) if gain > 1e-6]
    if not gains:
        return None
    name = given.bound.name if given.bound else "B"
    words = (
        f"bound {name} and £{sum(gains):,.3f}m more, by integer programmes over {len(gains)} "
        "parts of the map that share no hub, everything outside them at the prices of that bound: branch and bound's "
        "own, not proved again"
    )
    return Bound("L", given.value + sum(gains), words)


def _sets(model: str, instance: Instance, pairs: Pairs, price: Array, hub: Ints) -> list[Pocket]:
    """Sets of hubs around the consortia that hold the gap, largest share first, none with a hub of another."""
    n = len(instance)
    share = costs(instance, hub) - np.bincount(hub, weights=price, minlength=n)
    free, found = np.ones(n, dtype=bool), list[Pocket]()
    for middle in np.argsort(-share, kind="stable").tolist():
        if share[middle] < WORTH:
            break
        near = _around(instance, pairs, hub, middle, free)
        if near is None:
            continue
        must = wholly_inside(n, pairs, near)
        if len(must):
            free[near.hub] = False
            found.append(Pocket(model, instance, must, near, price))
    return found


def _around(instance: Instance, pairs: Pairs, hub: Ints, middle: int, free: Flags) -> Pairs | None:
    """Every pair of the hubs that the consortium of `middle` and those nearest to it could have, as many consortia as
    a programme takes; of the first alone, where it is too many, the hubs that most of its members' choices are among.
    """
    hubs = np.unique(hub)
    order = hubs[np.argsort(instance.km(np.full(len(hubs), middle), hubs), kind="stable")]
    size, found = np.bincount(pairs.hub, minlength=len(hub)), np.zeros(len(hub), dtype=bool)
    for number in range(1, len(order) + 1):
        wider = _choices(pairs, hub, order[:number], free) > 0
        if size[wider].sum() > PAIRS:
            break
        found = wider
    if not found.any():
        wanted = _choices(pairs, hub, order[:1], free)
        most = np.argsort(-wanted, kind="stable")
        most = most[wanted[most] > 0]
        found[most[np.cumsum(size[most]) <= PAIRS]] = True
    return pairs.take(found[pairs.hub]) if found.any() else None


def _choices(pairs: Pairs, hub: Ints, consortia: Ints, free: Flags) -> Ints:
    """(n,) how many members of these consortia could have each free hub."""
    inside = np.zeros(len(hub), dtype=bool)
    inside[consortia] = True
    choice = inside[hub[pairs.place]] & free[pairs.hub]
    return np.bincount(pairs.hub[choice], minlength=len(hub))


def gain_of(job: LiftJob) -> float:
    """What the programme over one set of hubs adds to the bound, GBP m; 0 where the solver proved nothing."""
    try:
        programme, cost = pocket_programme(job.pocket)
        return max(0.0, minimise_whole(programme, cost, effort=job.effort).bound + job.short)
    except (Infeasible, Stopped):
        return 0.0
