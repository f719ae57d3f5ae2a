"""Groupings at national size: a start, annealing, then neighbourhoods chosen by their share of the gap, then travel.

A bound prices every place (bound B's minimum cut: its overspend where it stands on the cut's side, else nothing), and
gross deficit less the prices is the sum over consortia of max(0, D_c) - v(c), every term at least nothing: the gap is
itemised by consortium, and the search rebuilds where it is. Everything is drawn from one seed and bounded by steps.
Imports `anneal`, `instance`, `measure`, `neighbours`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from allocopt.grouping.anneal import Aim, Bits, Land, anneal, bits_of, land_of
from allocopt.grouping.instance import Array, Flags, Instance, Ints, Pairs
from allocopt.grouping.measure import crossing_costs
from allocopt.grouping.neighbours import Graph, first_neighbours, in_one_piece

NEAR, CLOSE = 80, 20
"""How many nearest places a proposal looks at: with declared hubs, and with free ones (consortia then stay close)."""
PEOPLE, BAND = 3.0, 10.0
"""What a thousand people outside the window, or GBP 1m outside the band, count against GBP 1m of deficit."""
ROOM = 1.4
"""A start has one consortium for this many times the minimum of people."""
USUAL = 150_000.0
"""People of a consortium at the start, where no window says otherwise."""


@dataclass
class Search:
    """One national search: an instance whose waived places are frozen where they join."""

    instance: Instance
    pairs: Pairs
    bound: float
    """GBP m that gross deficit is proven not to fall below"""
    priced: tuple[Array, ...]
    """(n,) GBP m each, the prices of places that prove it, then those of lower bounds"""
    seed: int
    graph: Graph | None = None
    frozen: Flags = field(default_factory=lambda: np.zeros(0, dtype=bool))
    """(n,) places that stay where the start puts them: with declared hubs, those excused from reach"""
    gap: float = 1.0
    """gap, a fraction, at which to stop"""
    out_of_time: Callable[[], bool] = lambda: False

    def __post_init__(self) -> None:
        n = len(self.instance)
        assert self.instance.position is not None
        self.draw = np.random.default_rng(self.seed)
        if not len(self.frozen):
            self.frozen = np.zeros(n, dtype=bool)
        near = np.asarray(
            cKDTree(self.instance.position).query(
                self.instance.position, min(n, (NEAR if self.instance.declared else CLOSE) + 1)
            )[1]
        )[:, 1:]
        start, next_to = (
            (np.zeros(n + 1, dtype=np.int64), np.zeros(0, dtype=np.int64))
            if self.graph is None
            else (self.graph.start, self.graph.near)
        )
        fixed = self.frozen | self.instance.may_hub if self.instance.declared else self.frozen
        if self.graph is not None:  # contiguous consortia differ from their neighbours' only at the border
            near = first_neighbours(self.graph, near.astype(np.int64))
        self.land: Land = land_of(
            self.instance,
            allowed=self._allowed(),
            near=near.astype(np.int64),
            start=start.astype(np.int64),
            next_to=next_to.astype(np.int64),
            fixed=fixed,
        )
        self.people = self.instance.population / 1e3

    def _allowed(self) -> Bits:
        """The possible pairs as bits; frozen places do not move, so that any hub of their consortium serves them."""
        bits = bits_of(len(self.instance), self.pairs.place, self.pairs.hub)
        bits[self.frozen] = np.uint64(2**64 - 1)
        return bits

    # what a plan is worth -------------------------------------------------------------------------------------------

    def deficit(self, hub: Ints) -> float:
        """Gross deficit after pooling, with what crossings cost where that is asked for, GBP m."""
        crossings = float(crossing_costs(self.instance, hub).sum())
        return float(np.maximum(0.0, np.bincount(hub, weights=self.instance.over)).sum()) + crossings

    def outside(self, hub: Ints) -> Array:
        """How far each consortium lies outside its limits, weighted, (n,) by hub."""
        few, many, beyond = self.misses(hub)
        return PEOPLE * (few + many) + BAND * beyond

    def misses(self, hub: Ints) -> tuple[Array, Array, Array]:
        """By hub (n,) thousand people too few and too many, and GBP m outside the balance band."""
        n, limits = len(hub), self.land.limits
        people = np.bincount(hub, weights=self.people, minlength=n)
        few = np.where((people > 0) & (self.land.land[:, 7] == 0.0), limits[0] - people, 0.0)
        beyond = np.zeros(n)
        if limits[2] >= 0:
            net = np.bincount(hub, weights=self.instance.over, minlength=n)
            budget = np.bincount(hub, weights=self.instance.budget, minlength=n)
            beyond = np.abs(net + self.land.land[:, 6] * budget) - limits[2] * budget
            beyond = np.where(self.land.land[:, 8] > 0.0, 0.0, np.maximum(0.0, beyond))
        return np.maximum(0.0, few), np.maximum(0.0, people - limits[1]), beyond

    def energy(self, hub: Ints) -> float:
        """Gross deficit and everything outside limits, weighted."""
        return self.deficit(hub) + float(self.outside(hub).sum())

    def shares(self, hub: Ints, guide: int = 0) -> Array:
        """Each consortium's share of the gap to one bound, and what it lies outside limits, (n,) by hub."""
        n = len(hub)
        net = np.bincount(hub, weights=self.instance.over, minlength=n)
        price = np.bincount(hub, weights=self.priced[guide], minlength=n)
        return np.maximum(0.0, net) - price + self.outside(hub) + crossing_costs(self.instance, hub)

    # the start ------------------------------------------------------------------------------------------------------

    def start(self, consortia: int | None = None, given: Ints | None = None) -> Ints:
        """A first assignment: nearest hubs where they are declared, else seeds drawn by population."""
        everyone = np.flatnonzero(~self.frozen)
        if self.instance.declared:
            hub = self._nearest(self.instance.hubs, np.arange(len(self.instance)))
        else:
            hub = np.full(len(self.instance), -1, dtype=np.int64)
            for members in self._by_area(everyone):
                people = self.instance.population[members].sum()
                share = people / self.instance.population.sum()
                number = round(consortia * share) if consortia else int(people / self._usual())
                self._seed(hub, members, max(1, number))
        if given is not None:
            self._take(hub, given)
        return self._place_frozen(hub)

    def _usual(self) -> float:
        least, most = (self.instance.said("population_window", end) for end in ("min", "max"))
        wanted = ROOM * least if least else min(USUAL, (most or USUAL) / ROOM)
        return float(max(wanted, self.instance.population.sum() / max(1, len(self.instance) // 3)))

    def _by_area(self, places: Ints) -> list[Ints]:
        if not self.instance.on("stay_in_area"):
            return [places]
        codes = self.instance.area_codes[places]
        return [places[codes == one] for one in np.unique(codes)]

    def _take(self, hub: Ints, given: Ints) -> None:
        """Places with a given hub (not below zero) join it; consortia that lose their hub are emptied to the
        nearest.
        """
        chosen = np.flatnonzero(given >= 0)
        hub[chosen] = given[chosen]
        lost = np.flatnonzero(~self.frozen & (hub[hub] != hub))
        for p in lost.tolist():
            hub[p] = -1
        self._fill(hub, lost)

    def _seed(self, hub: Ints, members: Ints, number: int) -> None:
        """Consortia around centres drawn by population and moved to their people's mean three times."""
        instance = self.instance
        assert instance.position is not None
        may = members[instance.may_hub[members]]
        if not len(may):
            return
        number = min(number, len(may))
        weight = instance.population[may] / instance.population[may].sum()
        seeds = np.sort(self.draw.choice(may, number, replace=False, p=weight))
        position, people = instance.position[members], instance.population[members]
        for _ in range(3):
            which = cKDTree(instance.position[seeds]).query(position)[1]
            mean = np.zeros((len(seeds), 3))
            np.add.at(mean, which, position * people[:, None])
            used = np.linalg.norm(mean, axis=1) > 0
            seeds = np.unique(
                may[cKDTree(instance.position[may]).query(mean[used] / np.linalg.norm(mean[used], axis=1)[:, None])[1]]
            )
        hub[members] = -1
        hub[seeds] = seeds
        self._fill(hub, members[hub[members] < 0])

    def _fill(self, hub: Ints, empty: Ints) -> None:
        """Put each place in the nearest consortium that it may join (through neighbours with contiguity), else
        alone.
        """
        inside = np.zeros(len(hub), dtype=bool)
        inside[empty] = True
        hubs = np.unique(hub[hub >= 0])
        hubs = hubs[hub[hubs] == hubs]
        if len(hubs):
            found = self._nearest(hubs, empty) if self.graph is None else self._through(hub, inside)[empty]
            hub[empty] = found
        self._open_more(hub, empty[hub[empty] < 0])

    def _open_more(self, hub: Ints, left: Ints) -> None:
        """Hubs for places that none of the present hubs can take: the hub in reach of most of them first."""
        while len(left):
            waiting = np.zeros(len(hub), dtype=bool)
            waiting[left] = True
            near = self.pairs.take(waiting[self.pairs.place])
            near = near.take((hub[near.hub] < 0) | (hub[near.hub] != near.hub))
            near = near.take(~np.isin(near.hub, np.unique(hub[hub >= 0])) & ~self.frozen[near.hub])
            if not len(near):
                hub[left] = left
                return
            crowd = np.bincount(near.hub, weights=1.0 + self.instance.population[near.place] * 1e-9, minlength=len(hub))
            best = int(np.argmax(crowd))
            joins = near.place[near.hub == best]
            if self.graph is not None:
                joins = np.array([best]) if waiting[best] else joins[:1]
                best = int(joins[0])
            hub[joins] = best
            hub[best] = best
            left = left[hub[left] < 0]

    def _nearest(self, hubs: Ints, places: Ints) -> Ints:
        """The nearest of the cheapest of these hubs to join, -1 where there is none; frozen places may join any."""
        result = np.full(len(self.instance), -1, dtype=np.int64)
        listed = np.zeros(len(self.instance), dtype=bool)
        listed[hubs] = True
        wanted = np.zeros(len(self.instance), dtype=bool)
        wanted[places] = True
        near = self.pairs.take(listed[self.pairs.hub] & wanted[self.pairs.place])
        order = np.lexsort((near.hub, near.km, self.instance.tolls(near.place, near.hub), near.place))
        first = np.unique(near.place[order], return_index=True)[1]
        result[near.place[order][first]] = near.hub[order][first]
        own = hubs[wanted[hubs]]
        result[own] = own
        return result[places]

    def _through(self, hub: Ints, inside: Flags) -> Ints:
        """The hub from which each place inside is reached first through neighbours, within reach and area; else -1."""
        assert self.graph is not None
        n = len(hub)
        tail = np.repeat(np.arange(n), np.diff(self.graph.start))
        head = self.graph.near
        use = inside[head] & (inside[tail] | (hub[tail] >= 0))
        if self.instance.on("stay_in_area"):
            use &= self.instance.area_codes[tail] == self.instance.area_codes[head]
        km = self.instance.km(tail[use], head[use]) + 1e-6
        roads = sp.csr_array((km, (tail[use], head[use])), shape=(n, n))
        sources = np.flatnonzero((hub >= 0) & ~inside)
        if not len(sources):
            return np.full(n, -1, dtype=np.int64)
        _, _, source = dijkstra(roads, indices=sources, min_only=True, return_predecessors=True)
        result = np.where(source >= 0, hub[np.maximum(source, 0)], -1)
        reach = self.instance.said("reach", "max", np.inf)
        far = (result >= 0) & (self.instance.km(np.arange(n), np.maximum(result, 0)) > reach)
        return np.where(inside & far, -1, result).astype(np.int64)

    def _place_frozen(self, hub: Ints) -> Ints:
        """Frozen places join the nearest hub that is not frozen."""
        for p in np.flatnonzero(self.frozen).tolist():
            if self.instance.declared and self.instance.may_hub[p]:
                continue
            open_hubs = np.unique(hub[~self.frozen])
            own = self.pairs.hub[self.pairs.place == p]
            allowed = open_hubs[np.isin(open_hubs, own)]
            near = allowed if len(allowed) else open_hubs
            hub[p] = near[int(np.argmin(self.instance.km(np.full(len(near), p), near)))]
        return hub

    # the search -----------------------------------------------------------------------------------------------------

    def settle(self, hub: Ints) -> Ints:
        """Bring a start within its limits, close together."""
        steps = 400 * len(self.instance)
        return self._anneal(hub, Aim(steps, 0.3, 0.05, deficit=0.2, travel=20.0, people=0.5, seed=self._next()))

    def cool(self, hub: Ints, steps: int) -> Ints:
        """One long annealing of gross deficit."""
        return self._anneal(hub, Aim(steps, 2.0, 0.004, people=1.0, seed=self._next()))

    def _next(self) -> int:
        return int(self.draw.integers(1, 2**31))

    def _anneal(self, hub: Ints, aim: Aim) -> Ints:
        return anneal(self.land, hub, aim)

    def holds(self, hub: Ints) -> bool:
        """Whether every place that is not frozen may join its hub, which is one of its own, and contiguity holds."""
        at = np.arange(len(hub))
        bit = self.land.allowed[at, hub >> 6] >> (hub & 63).astype(np.uint64) & np.uint64(1)
        if (bit == 0).any() or (hub[hub] != hub).any():
            return False
        if self.graph is None:
            return True
        return in_one_piece(self.graph, hub)

    def done(self, hub: Ints) -> bool:
        """Whether a plan is legal and as good as was asked."""
        target = self.bound / (1 - self.gap) if self.gap < 1 else 0.0
        return self.deficit(hub) <= target and float(self.outside(hub).sum()) <= 1e-9

    def rebuild(self, hub: Ints, rounds: int) -> Ints:
        """Neighbourhoods drawn by their share of the gap, rebuilt and annealed; kept when they are better."""
        best, worth = hub, self.energy(hub)
        for _ in range(rounds):
            if self.done(best) or self.out_of_time():
                break
            found = self._rebuilt(best)
            value = self.energy(found)
            if value < worth - 1e-9:
                best, worth = found, value
        return best

    def dissolve(self, hub: Ints) -> Ints:
        """Consortia under the minimum are shared out among their neighbours, one after the other, where that is
        better.
        """
        if self.instance.declared:
            return hub
        people, best = np.bincount(hub, weights=self.people, minlength=len(hub)), hub
        for h in np.unique(hub)[np.argsort(people[np.unique(hub)])].tolist():
            if people[h] >= self.land.limits[0] or self.out_of_time():
                break
            if self.land.land[best[h], 7] > 0.0:
                continue
            members = np.flatnonzero((best == h) & ~self.frozen)
            found = best.copy()
            found[members] = -1
            self._fill(found, members)
            found = self._place_frozen(found)
            around = np.flatnonzero(np.isin(found, np.unique(found[members])) & ~self.frozen)
            aim = Aim(len(around) * 2000, 0.5, 0.003, people=PEOPLE, seed=self._next(), focus=around)
            found = self._anneal(found, aim)
            best = found if self.energy(found) < self.energy(best) else best
        return best

    def _rebuilt(self, hub: Ints) -> Ints:
        """One neighbourhood: a consortium drawn by its share and its nearest ones, seeded anew or only annealed."""
        members, hubs = self._region(hub)
        found = hub.copy()
        fresh = not self.instance.declared and self.draw.random() < 0.7
        movable = members[~self.frozen[members]]
        if fresh and len(movable):
            number = max(1, len(hubs) + int(self.draw.integers(-1, 2)))
            self._seed(found, movable, number)
            found = self._place_frozen(found)
        hot = float(10 ** self.draw.uniform(-0.7, 0.6))
        steps = int(len(members) * self.draw.integers(800, 4000))
        aim = Aim(steps, hot, 0.003, people=1.5, seed=self._next(), focus=movable)
        if fresh:
            ease = Aim(
                len(members) * 300, 0.3, 0.05, deficit=0.2, travel=5.0, people=0.5, seed=self._next(), focus=movable
            )
            found = self._anneal(found, ease)
        return self._anneal(found, aim)

    def _region(self, hub: Ints) -> tuple[Ints, Ints]:
        share = np.maximum(self.shares(hub), 0.0) + 1e-9 * np.bincount(hub, minlength=len(hub))
        centre = int(self.draw.choice(len(hub), p=share / share.sum()))
        hubs = np.unique(hub)
        if self.instance.on("stay_in_area"):
            hubs = hubs[self.instance.area_codes[hubs] == self.instance.area_codes[centre]]
        order = np.argsort(self.instance.km(np.full(len(hubs), centre), hubs), kind="stable")
        chosen = hubs[order[: int(self.draw.integers(2, 13))]]
        return np.flatnonzero(np.isin(hub, chosen)), chosen

    def shorten(self, hub: Ints, cap: float, steps: int) -> Ints:
        """The least travel found with gross deficit not above `cap` and no limit passed more than it is."""
        aim, most = cap - 0.05 * (cap - self.deficit(hub)), float(self.outside(hub).sum()) + 1e-9

        def better(found: Ints, best: Ints) -> Ints:
            legal = self.deficit(found) <= cap + 1e-9 and float(self.outside(found).sum()) <= most
            return found if legal and self._mean_km(found) < self._mean_km(best) else best

        within = self._anneal(hub, self._shorter(0.3, 1e5, aim, steps // 4))  # never far over the cap
        best = better(within, hub)
        found = self._anneal(hub, self._shorter(0.05, 5.0, aim, steps // 6))
        for weight in (3.0, 6.0, 3.0, 3.0):
            both = Aim(steps // 12, 0.02, 0.0005, travel=weight, people=20.0, band=50.0, seed=self._next())
            found = self._anneal(found, both)
            found = self._anneal(found, self._shorter(0.002, 1e5, aim, steps // 15))
            best = better(found, best)
        return best

    def _mean_km(self, hub: Ints) -> float:
        people = self.instance.population
        return float(self.instance.km(np.arange(len(hub)), hub) @ people / people.sum())

    def _shorter(self, hot: float, strict: float, cap: float, steps: int) -> Aim:
        """Travel at a heat, with the cap held the more strictly the colder it is."""
        return Aim(
            steps,
            hot,
            hot / 10,
            deficit=0.0,
            travel=200.0,
            cap=cap,
            over_cap=strict,
            people=max(20.0, strict / 10),
            band=max(50.0, strict / 10),
            seed=self._next(),
        )
