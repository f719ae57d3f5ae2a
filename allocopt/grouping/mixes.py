"""Places split between consortia: with the hubs fixed a grouping is then a linear programme, solved for a nation in
seconds.

Its prices say where hubs are missing: what GBP 1m more of overspend would cost is 1 where a deficit is left, 0 where a
surplus is, and the same over all consortia that can pass places on to each other. Between two that lie side by side
and differ, no place is in reach of both hubs. Imports `instance`, `programme` and `solve`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from allocopt.grouping.instance import Array, Instance, Ints, Pairs, pairs_of
from allocopt.grouping.programme import Part, build_part
from allocopt.model import Model
from allocopt.solve.compiled import Compiled, compile_problem
from allocopt.solve.integer import Effort, minimise_whole

HAIR = 1e-7
"""A share of a place that is none."""
BESIDE = 6
"""Hubs, with itself, that lie beside one."""


@dataclass(frozen=True)
class Mix:
    """Open hubs and how places are split between them: `share` (pairs,) of each place of `pairs`."""

    pairs: Pairs
    share: Array
    worth: Array | None = None
    """(n,) what GBP 1m more of overspend in the consortium of each hub would cost, GBP m; not a number elsewhere"""

    @property
    def hubs(self) -> Ints:
        """The open hubs."""
        return np.unique(self.pairs.hub)

    @property
    def split(self) -> Ints:
        """The hubs that have a part of a place."""
        return np.unique(self.pairs.hub[(self.share > HAIR) & (self.share < 1 - 10 * HAIR)])

    def overspend(self, over: Array) -> Array:
        """What the consortium of each hub adds up to of a quantity of places, (n,)."""
        sums = np.bincount(self.pairs.hub, weights=self.share * over[self.pairs.place], minlength=len(over))
        return np.asarray(sums, dtype=np.float64)

    def costs(self, instance: Instance) -> Array:
        """What the consortium of each hub adds to the objective in money that is sought, (n,) GBP m."""
        tolls = self.share * instance.tolls(self.pairs.place, self.pairs.hub)
        crossings = np.bincount(self.pairs.hub, weights=tolls, minlength=len(instance))
        return np.maximum(0.0, self.overspend(instance.over)) + crossings

    def deficit(self, instance: Instance) -> float:
        """Gross deficit after pooling, with what crossings cost where that is asked for, GBP m."""
        return float(self.costs(instance).sum())

    def whole(self, n: int) -> Ints:
        """The hub that has most of each place, (n,)."""
        order = np.lexsort((self.share, self.pairs.place))
        last = np.append(np.flatnonzero(np.diff(self.pairs.place[order])), len(order) - 1)
        hub = np.full(n, -1, dtype=np.int64)
        hub[self.pairs.place[order][last]] = self.pairs.hub[order][last]
        return hub

    def steps(self, instance: Instance) -> Array:
        """How much `worth` differs among the hubs beside each, (n,); nothing where it or positions are not known."""
        found, hubs, position = np.zeros(len(instance)), self.hubs, instance.position
        if self.worth is None or position is None:
            return found
        hubs = hubs[np.isfinite(self.worth[hubs])]
        if len(hubs) < BESIDE:
            return found
        beside = self.worth[hubs][cKDTree(position[hubs]).query(position[hubs], BESIDE)[1]]
        found[hubs] = beside.max(axis=1) - beside.min(axis=1)
        return found


def unsplit(instance: Instance, hub: Ints) -> Mix:
    """A plan as a mix in which no place is split."""
    return Mix(pairs_of(instance, np.arange(len(hub)), hub), np.ones(len(hub)))


def mixed(model: Model, instance: Instance, pairs: Pairs, hubs: Ints, *, seconds: float = float("inf")) -> Mix:
    """The least of what is sought with these hubs when places may be split. Raises Infeasible or Stopped."""
    may = np.zeros(len(instance), dtype=bool)
    may[hubs] = True
    near = pairs.take(may[pairs.hub] & (~may[pairs.place] | (pairs.place == pairs.hub)))
    fixed = replace(instance, declared=True, may_hub=may)
    part = Part(np.arange(len(instance)), near)
    compiled = compile_problem(build_part(model, fixed, part, [model.objective(instance.aim)]))
    effort = Effort(seconds=seconds, interior=True)
    found = minimise_whole(compiled, compiled.costs[0], effort=effort, relaxed=True)
    return Mix(near, shares_of(instance, compiled, near, found.values), _worth(instance, compiled, found.prices))


def _worth(instance: Instance, compiled: Compiled, prices: Array) -> Array:
    worth = np.full(len(instance), np.nan)
    for row in np.flatnonzero(compiled.row_component == "deficit_definition").tolist():
        worth[instance.index[compiled.rows[row][1][0]]] = abs(prices[row])
    return worth


def columns_of(instance: Instance, compiled: Compiled, pairs: Pairs) -> Ints:
    """The column of each pair, -1 where the programme has none, (pairs,)."""
    member = compiled.columns_of("member")
    keys = [compiled.columns[at][1] for at in member.tolist()]
    held = np.array([instance.index[p] for p, _ in keys]), np.array([instance.index[h] for _, h in keys])
    found = _found(len(instance), held, (pairs.place, pairs.hub))
    return np.where(found >= 0, member[found], -1)


def shares_of(instance: Instance, compiled: Compiled, pairs: Pairs, values: Array) -> Array:
    """The columns of the pairs, (pairs,): nothing where the hub is closed, or for a hair's breadth."""
    column = columns_of(instance, compiled, pairs)
    share = np.where(column >= 0, np.clip(values[column], 0.0, 1.0), 0.0)
    shut = np.ones(len(instance), dtype=bool)
    shut[pairs.hub[(pairs.place == pairs.hub) & (share > 0.5)]] = False
    return np.where(shut[pairs.hub] | (share < HAIR), 0.0, share)


def looked_up(n: int, held: Pairs, share: Array, pairs: Pairs) -> Array:
    """The shares of `held` at other pairs, 0 where it has none."""
    found = _found(n, (held.place, held.hub), (pairs.place, pairs.hub))
    return np.where(found >= 0, share[found], 0.0)


def _found(n: int, held: tuple[Ints, Ints], wanted: tuple[Ints, Ints]) -> Ints:
    """Where each wanted pair stands among those held, -1 where it does not."""
    code, asked = held[0] * n + held[1], wanted[0] * n + wanted[1]
    order = np.argsort(code)
    at = np.minimum(np.searchsorted(code[order], asked), len(order) - 1)
    return np.where(code[order][at] == asked, order[at], -1)


def taken(mix: Mix, near: Ints, pairs: Pairs, share: Array) -> Mix:
    """The mix with the consortia of the hubs `near` as they were solved: `share` of `pairs`."""
    keep, use = ~np.isin(mix.pairs.hub, near), share > 0
    old, new = mix.pairs.take(keep), pairs.take(use)
    both = Pairs(*(np.concatenate([getattr(one, name) for one in (old, new)]) for name in ("place", "hub", "km")))
    order = np.lexsort((both.hub, both.place))
    return Mix(both.take(order), np.concatenate([mix.share[keep], share[use]])[order], mix.worth)
