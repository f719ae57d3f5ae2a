"""Neighbourhoods of a plan annealed anew or solved as integer programmes, chosen by their share of the gap.

A region is a few consortia that lie together, with the hubs they could have; the compiled programme over it is the
ordinary one, so that every rule holds. A round draws regions that have no place in common, so that their answers can be
found side by side and taken together. Imports `anneal`, `exact`, `instance`, `programme`, `crew` and `solve`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from allocopt.errors import Infeasible, Stopped
from allocopt.grouping.anneal import Aim, Land, anneal
from allocopt.grouping.crew import Crew
from allocopt.grouping.exact import Slack, solve_part
from allocopt.grouping.instance import Array, Flags, Instance, Ints, Pairs, pairs_of
from allocopt.grouping.neighbours import Graph
from allocopt.grouping.programme import Part
from allocopt.model import load_model
from allocopt.solve.integer import Effort

ROUND = 8
"""Regions of a round."""
FEWEST, MOST = 3, 16
"""Consortia of a region: few at first, more the oftener its middle was tried in vain."""
ANNEALED = (3, 16)
"""Consortia of a region that is annealed."""
STEPS = (2_000, 20_000)
"""Steps of its annealing for each of its places."""
HEATS, FIRST = (-1.0, 0.7), (-1.5, 0.5)
"""Powers of ten: the heat that it starts from, GBP m, and the first weight of a thousand missing people over it."""
PAIRS_FIRST, PAIRS_MOST = 2_000, 6_000
"""Pairs of a region's programme, likewise."""
CLOSE = 0.01
"""GBP m: a region is not solved closer than this."""
EFFORT = Effort(gap_absolute=CLOSE, nodes=150)


@dataclass(frozen=True)
class RegionJob:
    """One region for one process."""

    model: str
    instance: Instance
    part: Part
    start: Ints
    graph: Graph | None
    effort: Effort


def solve_region(job: RegionJob) -> Ints | None:
    """The hub of each place of the region at the least gross deficit found, or None where no plan was found."""
    model = load_model(job.model)
    objectives = [model.objective(job.instance.aim)]
    try:
        found = solve_part(
            model,
            job.instance,
            job.part,
            objectives,
            efforts=[job.effort],
            slacks=[Slack()],
            graph=job.graph,
            start=job.start,
        )
    except (Infeasible, Stopped):
        return None
    return found.hub


def _size(job: RegionJob) -> float:
    return float(len(job.part.pairs))


def annealed(job: tuple[Land, Ints, Aim]) -> Ints:
    """The assignment that one annealing finds."""
    return anneal(*job)


@dataclass
class Rounds:
    """Rounds of regions over one instance; `shares` itemises by hub the gap of a plan to one of `guides` bounds, in
    turn, `worth` says which plan is better, `holds` whether every place may join its hub and consortia are connected
    where they must be.
    """

    model: str
    instance: Instance
    pairs: Pairs
    frozen: Flags
    graph: Graph | None
    shares: Callable[[Ints, int], Array]
    worth: Callable[[Ints], float]
    holds: Callable[[Ints], bool]
    draw: np.random.Generator
    crew: Crew
    guides: int = 1
    effort: Effort = EFFORT
    rounds: int = 0
    tried: Ints = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    """(guides, n) how often each hub was the middle of a region in vain"""

    def __post_init__(self) -> None:
        self.tried = np.zeros((self.guides, len(self.instance)), dtype=np.int64)

    def anneal(self, hub: Ints, land: Land, cold: float, people: float) -> Ints:
        """The plan after one round of regions annealed down to `cold`; heats and weights are drawn."""
        guide, middles = self._middles(hub, *ANNEALED)
        jobs = list[tuple[Land, Ints, Aim]]()
        for _, chosen in middles:
            focus = np.flatnonzero(np.isin(hub, chosen) & ~self.frozen)
            hot = float(10 ** self.draw.uniform(*HEATS))
            first = hot * float(10 ** self.draw.uniform(*FIRST))
            steps, seed = int(len(focus) * self.draw.integers(*STEPS)), int(self.draw.integers(1, 2**31))
            aim = Aim(steps, hot, cold, people=people, people_first=first, seed=seed, focus=focus)
            jobs.append((land, hub, aim))
        start, done = hub, self.crew.do(annealed, jobs, lambda job: float(job[2].steps))
        for (middle, _), found in zip(middles, done, strict=True):
            self.tried[guide, middle] += 1
            new = np.where(found != start, found, hub)
            if self.worth(new) < self.worth(hub) - 1e-9 and self.holds(new):
                hub = new
                self.tried[guide, middle] = 0
        return hub

    def round(self, hub: Ints) -> Ints:
        """The plan after one round of integer programmes."""
        guide, middles = self._middles(hub, FEWEST, 0)
        jobs = [self._job(hub, chosen, self.tried[guide]) for _, chosen in middles]
        for (middle, _), job, found in zip(middles, jobs, self.crew.do(solve_region, jobs, _size), strict=True):
            self.tried[guide, middle] += 1
            if found is None:
                continue
            new = hub.copy()
            new[job.part.places] = found
            if self.worth(new) < self.worth(hub) - 1e-9:
                hub = new
                self.tried[guide, middle] = 0
        return hub

    def _middles(self, hub: Ints, fewest: int, most: int) -> tuple[int, list[tuple[int, Ints]]]:
        """Whose turn it is to say where the gap lies, and hubs drawn by their share of it, each with the hubs nearest
        to it that are not in another region; with `most` 0 the more of them the oftener they were drawn in vain.
        """
        guide = self.rounds % self.guides
        self.rounds += 1
        tried, share = self.tried[guide], self.shares(hub, guide)
        share = np.where(share > CLOSE, share, 0.0) * 0.7**tried
        left = np.zeros(len(hub), dtype=bool)
        left[hub] = True
        found = list[tuple[int, Ints]]()
        while len(found) < ROUND and (share * left).sum() > 0:
            weight = share * left
            middle = int(self.draw.choice(len(hub), p=weight / weight.sum()))
            upto = most or min(MOST, 2 * FEWEST + 2 * int(tried[middle]))
            number = int(self.draw.integers(fewest, upto + 1))
            near = np.flatnonzero(left)
            order = np.argsort(self.instance.km(np.full(len(near), middle), near), kind="stable")
            chosen = near[order[:number]]
            left[chosen] = False
            found.append((middle, chosen))
        return guide, found

    def _job(self, hub: Ints, chosen: Ints, tried: Ints) -> RegionJob:
        places = np.flatnonzero(np.isin(hub, chosen))
        most = min(PAIRS_MOST, PAIRS_FIRST + 1_000 * int(tried[chosen].max()))
        pairs = self._pairs(hub, places, chosen, most)
        return RegionJob(self.model, self.instance, Part(places, pairs), hub[places], self.graph, self.effort)

    def _pairs(self, hub: Ints, places: Ints, chosen: Ints, most: int) -> Pairs:
        """The pairs of a region: its present hubs, and of its other places those that most people could join."""
        inside = np.zeros(len(self.instance), dtype=bool)
        inside[places] = True
        near = self.pairs.take(inside[self.pairs.place] & inside[self.pairs.hub])
        hubs = chosen if self.instance.declared else self._hubs(near, chosen, most)
        near = near.take(np.isin(near.hub, hubs))
        return pairs_of(self.instance, np.concatenate([near.place, places]), np.concatenate([near.hub, hub[places]]))

    def _hubs(self, near: Pairs, chosen: Ints, most: int) -> Ints:
        n = len(self.instance)
        people = np.bincount(near.hub, weights=self.instance.population[near.place], minlength=n)
        number = np.bincount(near.hub, minlength=n)
        least = self.instance.said("population_window", "min", 0.0)
        people[np.bincount(near.hub[near.place == near.hub], minlength=n) == 0] = 0.0
        order = np.argsort(-people * self.draw.uniform(0.6, 1.0, n), kind="stable")
        order = order[(people[order] >= max(least, 1e-9)) & ~np.isin(order, chosen)]
        room = most - int(number[chosen].sum())
        return np.concatenate([chosen, order[np.cumsum(number[order]) <= room]])


def improve(rounds: Rounds, hub: Ints, number: int, done: Callable[[Ints], bool]) -> Ints:
    """The plan after at most so many rounds; fewer where nothing of the gap is left or it is good enough."""
    for _ in range(number):
        if done(hub) or not (rounds.shares(hub, 0) > CLOSE).any():
            break
        hub = rounds.round(hub)
    return hub
