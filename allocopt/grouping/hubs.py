"""Which places are hubs, where hubs are free: chosen by programmes in which places may be split between consortia.

With the hubs fixed and places split, a grouping is a linear programme (`mixes`). What is hard is the hubs. A round
takes parts of the map where the gap lies: in the middle of a part every place may be a hub, around it the present hubs
stay, and a place that is split with the rest of the map keeps the share that it has there. Only the hubs are whole
numbers, so that each programme is small, starts from the present plan and never makes it worse. Where the gap lies is
said by each bound's prices and by what overspend is worth in neighbouring consortia: another takes its turn where one
gains little, since each goes on where the others stall.

Whole places cost hardly more where many are in reach of each other, and up to 3% where few are (measured with the hubs
kept): there the hubs are chosen once more while places are made whole, part by part, and those around give way by being
split. Imports `mixes`, `instance`, `programme`, `crew` and `solve`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from allocopt.errors import Infeasible, Stopped
from allocopt.grouping.crew import Crew
from allocopt.grouping.instance import Array, Flags, Instance, Ints, Pairs
from allocopt.grouping.mixes import HAIR, Mix, columns_of, looked_up, mixed, shares_of, taken, unsplit
from allocopt.grouping.programme import Part, build_part
from allocopt.model import Model, load_model
from allocopt.solve.compiled import Compiled, compile_problem
from allocopt.solve.integer import Effort, minimise_whole

ROUND = 10
"""Parts of a round, at most."""
MIDDLE = (3, 8)
"""Present hubs in the middle of a part; those around it are twice as many and a few."""
PAIRS = 6_000
"""Pairs of a part's programme whose hub is open to choice."""
WORTH = 0.02
"""GBP m: a smaller gain is not taken, and a smaller share of the gap is not looked at."""
ENOUGH = 0.03
"""The share of the gap that a round gains where its guide keeps its turn."""
STEP = 0.05
"""GBP m for each GBP 1m: a smaller difference in worth between neighbours is not looked at."""
EFFORT = Effort(gap_absolute=0.1, nodes=20)
FIRM, FIRM_PAIRS = Effort(gap_absolute=0.03, nodes=8), 3_000
"""How far a part is solved whose places are split no more, and its pairs whose hub is open to choice."""
SETTLED = 5
"""Present hubs in the middle of a part whose places are split no more."""


@dataclass(frozen=True)
class HubJob:
    """One part for one process: its places with the share of each that is decided here, its pairs, the hubs that stay
    open, and how the places are split now (pairs,).
    """

    model: str
    instance: Instance
    places: Ints
    pairs: Pairs
    here: Array
    """(places,)"""
    stay: Ints
    now: Array
    whole: Ints
    """places that may not be split any more"""
    effort: Effort


def reopened(job: HubJob) -> Array | None:
    """How the places of a part are split when its hubs are chosen anew, (pairs,), or None where nothing is gained."""
    try:
        programme = _programme(job)
        start = _point(job, programme)
        found = minimise_whole(programme, programme.costs[0], effort=job.effort, start=start)
    except (Infeasible, Stopped):
        return None
    gain = float(programme.costs[0] @ (start - found.values))
    return shares_of(job.instance, programme, job.pairs, found.values) if gain > WORTH else None


def settled(job: HubJob) -> Array | None:
    """How the places of a part lie when those of `whole` are split no more, (pairs,), or None where that was not
    found.
    """
    try:
        programme = _programme(job)
        found = minimise_whole(programme, programme.costs[0], effort=job.effort)
    except (Infeasible, Stopped):
        return None
    return shares_of(job.instance, programme, job.pairs, found.values)


def _programme(job: HubJob) -> Compiled:
    """The programme of a part. Raises Infeasible."""
    model = load_model(job.model)
    built = build_part(model, job.instance, Part(job.places, job.pairs), [model.objective(job.instance.aim)])
    return _split(job, compile_problem(built))


def _split(job: HubJob, compiled: Compiled) -> Compiled:
    """The programme in which hubs and the places of `whole` alone are whole, some hubs stay open, and places add up to
    their share.
    """
    codes = job.instance.places
    stay, whole = {codes[h] for h in job.stay.tolist()}, {codes[p] for p in job.whole.tolist()}
    lower, integer = compiled.column_lower.copy(), np.zeros(len(compiled.columns), dtype=bool)
    for at in compiled.columns_of("member").tolist():
        p, h = compiled.columns[at][1]
        if p == h and p in stay:
            lower[at] = 1.0
        else:
            integer[at] = p == h or p in whole
    row_lower, row_upper = compiled.row_lower.copy(), compiled.row_upper.copy()
    share = dict(zip((codes[p] for p in job.places.tolist()), job.here.tolist(), strict=True))
    for row in np.flatnonzero(compiled.row_component == "duty_to_admit").tolist():
        row_lower[row] = row_upper[row] = share[compiled.rows[row][1][0]]
    return replace(compiled, column_lower=lower, integer=integer, row_lower=row_lower, row_upper=row_upper)


def _point(job: HubJob, compiled: Compiled) -> Array:
    """The columns of the present split."""
    values, over = np.zeros(len(compiled.columns)), job.instance.over
    column = columns_of(job.instance, compiled, job.pairs)
    values[column[column >= 0]] = job.now[column >= 0]
    net = np.bincount(job.pairs.hub, weights=job.now * over[job.pairs.place], minlength=len(over))
    for at in compiled.columns_of("deficit").tolist():
        values[at] = max(0.0, float(net[job.instance.index[compiled.columns[at][1][0]]]))
    return values


@dataclass
class Opening:
    """Rounds that choose hubs anew where the gap is."""

    model: Model
    instance: Instance
    pairs: Pairs
    priced: tuple[Array, ...]
    """prices of places (n,) of several bounds, the best first"""
    draw: np.random.Generator
    crew: Crew
    patience: float = float("inf")
    """seconds that one programme may take"""
    turn: int = 0
    """whose it is to say where the gap lies: the lowest bound's prices, what overspend is worth, the others' prices"""
    tried: Ints = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    """(guides, n) how often each hub was the middle of a part in vain"""

    def __post_init__(self) -> None:
        self.tried = np.zeros((len(self.priced) + 1, len(self.instance)), dtype=np.int64)
        last = len(self.priced) - 1
        self.order = (last, len(self.priced), *range(last))

    def start(self, hub: Ints) -> Mix:
        """The places mixed over the hubs of a plan. Raises Infeasible or Stopped."""
        return self._mixed(self._gathered(hub))

    def kept(self, hub: Ints) -> Mix:
        """A plan as it stands, with what overspend would cost were its places split."""
        plan = unsplit(self.instance, hub)
        try:
            return replace(plan, worth=self.start(hub).worth)
        except (Infeasible, Stopped):
            return plan

    def _mixed(self, hubs: Ints) -> Mix:
        return mixed(self.model, self.instance, self.pairs, hubs, seconds=self.patience)

    def _gathered(self, hub: Ints) -> Ints:
        """The hubs of a plan but those short of people, unless a place can join no other."""
        n, least = len(hub), self.instance.said("population_window", "min", 0.0)
        people = np.bincount(hub, weights=self.instance.population, minlength=n)
        hubs = np.unique(hub)
        full = _flags(n, hubs[people[hubs] >= least])
        served = _flags(n, self.pairs.place[full[self.pairs.hub]])
        return np.union1d(np.flatnonzero(full), hub[~served])

    def again(self, mix: Mix) -> Mix:
        """The places mixed anew over the same hubs; the same mix where that is no better."""
        try:
            found = self._mixed(mix.hubs)
        except (Infeasible, Stopped):
            return mix
        return found if found.deficit(self.instance) < mix.deficit(self.instance) else mix

    def round(self, mix: Mix) -> Mix:
        """The mix after one round of parts."""
        weight, before = self._weight(mix), mix.deficit(self.instance)
        tried = self.tried[self.turn]
        middles = self._middles(mix, weight * 0.7**tried)
        jobs = [self._job(mix, near, number) for _, near, number in middles]
        for (middle, near, _), job, found in zip(middles, jobs, self.crew.do(reopened, jobs, _size), strict=True):
            tried[middle] += 1
            if found is not None:
                mix = taken(mix, near, job.pairs, found)
                tried[middle] = 0
        if before - mix.deficit(self.instance) < ENOUGH * max(0.0, float(self.shares(mix).sum())):
            self.turn = (self.turn + 1) % len(self.order)
        return mix

    def shares(self, mix: Mix, guide: int = 0) -> Array:
        """Each consortium's share of the gap at the prices of one bound, (n,) by hub."""
        return mix.costs(self.instance) - mix.overspend(self.priced[guide])

    def _weight(self, mix: Mix) -> Array:
        """Where the gap lies, (n,) by hub, as the guide says whose turn it is; the next where it says nothing."""
        weight = np.zeros(len(self.instance))
        for _ in self.order:
            guide = self.order[self.turn]
            if guide < len(self.priced):
                weight, least = self.shares(mix, guide), WORTH
            else:
                weight, least = mix.steps(self.instance), STEP
            weight = np.where(weight > least, weight, 0.0)
            if weight.any():
                break
            self.turn = (self.turn + 1) % len(self.order)
        return weight

    def settle(self, mix: Mix, most: int) -> Ints:
        """A plan near a mix: in at most so many parts, dearest first, places are split no more, and those around give
        way. Elsewhere, and where no part of the gap lies near, a place goes to the hub that has most of it.
        """
        n = len(self.instance)
        done, seen, left = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool), self._dear(mix)
        while left.any() and most > 0:
            middles = self._next(mix, left)[:most]
            most -= len(middles)
            jobs = [self._job(mix, near, number, done=done) for near, number in middles]
            for (near, number), job, found in zip(middles, jobs, self.crew.do(settled, jobs, _size), strict=True):
                if found is not None:
                    mix = taken(mix, near, job.pairs, found)
                    done[job.whole] = True
                seen[near[:number]] = True
            left = self._dear(mix) & ~seen
        return mix.whole(n)

    def _dear(self, mix: Mix) -> Flags:
        """(n,) hubs that have a part of a place, in whose neighbourhood some of the gap lies."""
        hubs, dear = mix.hubs, self.shares(mix) > WORTH
        split = [h for h in mix.split.tolist() if dear[self._near(h, hubs, SETTLED)].any()]
        return _flags(len(dear), np.array(split, dtype=np.int64))

    def _next(self, mix: Mix, left: Flags) -> list[tuple[Ints, int]]:
        """Parts that have no hub in common, the largest share of the gap first."""
        share = self.shares(mix)
        free, found = _flags(len(left), mix.hubs), list[tuple[Ints, int]]()
        for middle in np.argsort(-share, kind="stable").tolist():
            if len(found) == ROUND:
                break
            if left[middle] and free[middle]:
                near = self._near(middle, mix.hubs, SETTLED)
                if free[near].all():
                    free[near] = False
                    found.append((near, SETTLED))
        return found

    def _near(self, middle: int, hubs: Ints, number: int) -> Ints:
        """The hubs of a part, nearest to its middle first."""
        km = self.instance.km(np.full(len(hubs), middle), hubs)
        return hubs[np.argsort(km, kind="stable")[: 3 * number + 4]]

    def _middles(self, mix: Mix, share: Array) -> list[tuple[int, Ints, int]]:
        """Hubs drawn by their share of the gap (n,), each with the hubs nearest to it that are in no other part, and
        how many of them are its middle.
        """
        left = _flags(len(self.instance), mix.hubs)
        found = list[tuple[int, Ints, int]]()
        while len(found) < ROUND and (share * left).sum() > 0:
            weight = share * left
            middle = int(self.draw.choice(len(left), p=weight / weight.sum()))
            number = int(self.draw.integers(MIDDLE[0], MIDDLE[1] + 1))
            near = self._near(middle, np.flatnonzero(left), number)
            left[near] = False
            found.append((middle, near, number))
        return found

    def _job(self, mix: Mix, near: Ints, number: int, done: Flags | None = None) -> HubJob:
        """One part: with `done` its hubs stay, and the places of its middle are split no more, nor those done."""
        n = len(self.instance)
        inside = np.isin(mix.pairs.hub, near)
        held, share = mix.pairs.take(inside), mix.share[inside]
        here = np.asarray(np.bincount(held.place, weights=share, minlength=n), dtype=np.float64)
        here = np.where(here > 1 - 10 * HAIR, 1.0, np.where(here < 10 * HAIR, 0.0, here))
        middle, most = near[:number], PAIRS if done is None else FIRM_PAIRS
        chosen = done is None or bool((self.shares(mix)[middle] > WORTH).any())
        stay = near[number:] if chosen else near
        hubs = _flags(n, stay) | (self._candidates(mix, middle, here, most) if chosen else False)
        pairs = self.pairs.take((here > 0)[self.pairs.place] & hubs[self.pairs.hub])
        pairs = pairs.take(~_flags(n, stay)[pairs.place] | (pairs.place == pairs.hub))
        whole = np.zeros(0, dtype=np.int64)
        if done is not None:
            mine = _flags(n, held.place[np.isin(held.hub, middle)])
            whole = np.flatnonzero((here == 1.0) & (mine | done))
        places, now = np.flatnonzero(here > 0), looked_up(n, held, share, pairs)
        effort = replace(EFFORT if done is None else FIRM, seconds=self.patience)
        return HubJob(self.model.name, self.instance, places, pairs, here[places], stay, now, whole, effort)

    def _candidates(self, mix: Mix, middle: Ints, here: Array, most: int) -> Flags:
        """(n,) the present hubs of the middle, and of its whole places as many as a programme takes, drawn."""
        n = len(self.instance)
        may = (here == 1.0) & self.instance.may_hub & np.isin(mix.whole(n), middle)
        may[middle] = False
        size = np.bincount(self.pairs.hub, weights=(here > 0)[self.pairs.place], minlength=n)
        own = np.bincount(self.pairs.hub[self.pairs.place == self.pairs.hub], minlength=n) > 0
        drawn = self.draw.permutation(np.flatnonzero(may & own))
        drawn = drawn[np.cumsum(size[drawn]) <= most - size[middle].sum()]
        return _flags(n, np.concatenate([middle, drawn]))


def _size(job: HubJob) -> float:
    return float(len(job.pairs))


def _flags(n: int, at: Ints) -> Flags:
    flags = np.zeros(n, dtype=bool)
    flags[at] = True
    return flags
