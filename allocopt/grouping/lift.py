"""Bound B lifted where it is known to be weak: exact programmes over parts of the map, all else at the cut's prices.

With v_p the overspend of the places on the side of the minimum cut (nothing elsewhere), every consortium of a legal
plan has max(0, D_c) - v(c) >= 0, and bound B plus these terms is the plan's gross deficit. For a set of hubs H the
programme

    minimise    sum over hubs h in H of max(0, D_h) - v(members of h)
    subject to  every rule, where a place all of whose possible hubs are in H is placed and any other may be left out

bounds the terms of the consortia with hubs in H from below. Gains of sets that share no hub add up. Each optimum is the
branch and bound's own: the bound is marked so, and B stands beside it. Imports `programme`, `instance`, `bounds`,
`crew` and `solve`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from allocopt.errors import Infeasible, Stopped
from allocopt.grouping.bounds import Bound
from allocopt.grouping.crew import Crew
from allocopt.grouping.instance import Array, Flags, Instance, Ints, Pairs
from allocopt.grouping.programme import Part, build_part
from allocopt.model import load_model
from allocopt.solve.compiled import Compiled, compile_problem
from allocopt.solve.integer import Effort, minimise_whole

WORTH = 0.05
"""GBP m of a consortium's share of the gap, below which its part of the map is not looked at."""
PAIRS = 8_000
"""Pairs of a programme."""


@dataclass(frozen=True)
class LiftJob:
    """One set of hubs for one process: the places that must be placed, those that may, their pairs and prices."""

    model: str
    instance: Instance
    must: Ints
    pairs: Pairs
    price: Array
    effort: Effort

    @property
    def hubs(self) -> Ints:
        """The hubs of the set."""
        return np.unique(self.pairs.hub)


def lifted_bound(
    model: str, instance: Instance, pairs: Pairs, bound: Bound, hub: Ints, *, effort: Effort, crew: Crew
) -> Bound | None:
    """Bound L, or None where nothing was gained. `hub` is a plan (n,): its gap says where to look."""
    if bound.side is None:
        return None
    price = np.where(bound.side, instance.over, 0.0)
    jobs = _jobs(model, instance, pairs, price, hub, effort)
    gains = [gain for gain in crew.do(gain_of, jobs) if gain > 1e-6]
    if not gains:
        return None
    words = (
        f"bound B and £{sum(gains):,.3f}m more, by integer programmes over {len(gains)} parts of the map that share "
        "no hub, everything outside them at the prices of B's minimum cut"
    )
    return Bound("L", bound.value + sum(gains), words)


def _jobs(model: str, instance: Instance, pairs: Pairs, price: Array, hub: Ints, effort: Effort) -> list[LiftJob]:
    """Sets of hubs around the consortia that hold the gap, largest share first, none with a hub of another."""
    n = len(instance)
    share = np.maximum(0.0, np.bincount(hub, weights=instance.over, minlength=n))
    share -= np.bincount(hub, weights=price, minlength=n)
    free, jobs = np.ones(n, dtype=bool), list[LiftJob]()
    for middle in np.argsort(-share, kind="stable").tolist():
        if share[middle] < WORTH:
            break
        near = _around(instance, pairs, hub, middle, free)
        if near is None:
            continue
        must = _wholly_inside(n, pairs, near)
        if len(must):
            free[near.hub] = False
            jobs.append(LiftJob(model, instance, must, near, price, effort))
    return jobs


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


def _wholly_inside(n: int, pairs: Pairs, near: Pairs) -> Ints:
    """Places all of whose possible hubs are in the set."""
    all_of, here = np.bincount(pairs.place, minlength=n), np.bincount(near.place, minlength=n)
    return np.flatnonzero((here > 0) & (here == all_of))


def gain_of(job: LiftJob) -> float:
    """What the programme over one set of hubs adds to the bound, GBP m; 0 where the solver proved nothing."""
    model = load_model(job.model)
    part = Part(np.unique(job.pairs.place), job.pairs)
    try:
        compiled = compile_problem(build_part(model, job.instance, part, [model.objective("gross_deficit")]))
        programme, cost = _priced(job, compiled)
        return max(0.0, minimise_whole(programme, cost, effort=job.effort).bound)
    except (Infeasible, Stopped):
        return 0.0


def _priced(job: LiftJob, compiled: Compiled) -> tuple[Compiled, Array]:
    """The programme in which places that have other hubs may be left out, and be placed in part."""
    instance = job.instance
    must = {instance.places[p] for p in job.must.tolist()}
    cost, integer = compiled.costs[0].copy(), compiled.integer.copy()
    for at in compiled.columns_of("member").tolist():
        p, h = compiled.columns[at][1]
        cost[at] -= job.price[instance.index[p]]
        integer[at] = p in must or p == h
    rows = [
        number
        for number, (component, key) in enumerate(compiled.rows)
        if component == "duty_to_admit" and key[0] not in must
    ]
    out = sp.csr_array((np.ones(len(rows)), (rows, range(len(rows)))), shape=(compiled.matrix.shape[0], len(rows)))
    programme = replace(
        compiled,
        matrix=sp.hstack([compiled.matrix, out], format="csr"),
        column_lower=np.append(compiled.column_lower, np.zeros(len(rows))),
        column_upper=np.append(compiled.column_upper, np.ones(len(rows))),
        integer=np.append(integer, np.zeros(len(rows), dtype=bool)),
        columns=(*compiled.columns, *(("left_out", compiled.rows[row][1]) for row in rows)),
    )
    return programme, np.append(cost, np.zeros(len(rows)))
