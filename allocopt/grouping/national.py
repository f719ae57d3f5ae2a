"""A grouping too large for one integer programme: searched as a whole, certified by the bounds that need no solver.

The search is bounded by steps that follow from the time limit the scenario states, so that the same scenario gives the
same plan; the clock only ends it early on a slow machine, and then a note says so. Chains of annealing and regions
are done side by side, and the plan does not depend on the number of processes. Imports `search`, `regions`, `lift`,
`borders`, `pockets`, `crew`, `exempt`, `bounds`, `travel`, `instance` and `neighbours`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from allocopt.errors import Infeasible, Stopped
from allocopt.grouping import borders
from allocopt.grouping.anneal import Aim, Land
from allocopt.grouping.bounds import Bound, bounds_of
from allocopt.grouping.crew import Crew
from allocopt.grouping.exempt import Exemption, left_out, trouble, with_exemptions
from allocopt.grouping.hubs import Opening
from allocopt.grouping.instance import Flags, Instance, Ints, Pairs, legal_pairs, possible_pairs
from allocopt.grouping.lift import lifted_bound
from allocopt.grouping.mixes import Mix, unsplit
from allocopt.grouping.neighbours import Graph, in_one_piece
from allocopt.grouping.pockets import (
    Pocket,
    Priced,
    Relaxed,
    cut_prices,
    known_prices,
    pocket_bound,
    pockets,
    priced_by,
    relaxed,
)
from allocopt.grouping.regions import EFFORT, ROUND, Rounds, annealed, improve
from allocopt.grouping.search import PEOPLE, Search
from allocopt.grouping.travel import travel_bound
from allocopt.model import Model
from allocopt.solve.integer import Effort

KNOWN = frozenset({"reach", "stay_in_area", "population_window", "balance_band", "contiguity", "locked"})
"""Rules that the search keeps; with any other rule on, the part is an integer programme."""
STEPS_A_SECOND = 1_500_000
"""Annealing steps that a second of the time limit stands for (two to ten million are done)."""
CHAINS = ((1, 0.10), (2, 0.12), (3, 0.10), (4, 0.14))
"""Annealings of a search with free hubs: number, and GBP m for a thousand missing people at the start, times heat. The
number of consortia matters most and comes of chance, so that the best of several is far better than one long one."""
CHAIN_STEPS, CHAIN_SIZE = 5_000, 150_000.0
"""Steps of a chain for each place, at most; pairs of a pocket that take as long."""
USUAL = Aim(0, 0.3, 0.01, people=0.3)
"""How a chain cools."""
ANNEAL_SECONDS, REGION_SECONDS = 8.0, 30.0
"""Seconds of the time limit that a region stands for, annealed or solved as an integer programme."""
CONTIGUOUS_SECONDS = 0.55
"""The same for contiguous regions, which are annealed alone: their programmes need a round of cuts for each place that
is cut off."""
TRAVEL_STEPS = 15_000
"""Steps of the travel stage for each place, at most."""
CYCLES = ((30.0, 30.0), (60.0, 15.0))
"""How often hubs are chosen anew, the second time from the plan of whole places that came of the first: seconds of the
time limit that a round of it stands for, and a part in which places are split no more. The first plan is made whole
only where it is dearest: the second time most places are whole already, and little is lost."""
VAIN, AGAIN = 6, 3
"""Rounds in vain after which there is none more; rounds after which places are split anew over the whole map."""
FIRM_HEATS = (0.01, 0.02, 0.05, 0.1)
"""Heats, GBP m, at which a plan of whole places is brought within its limits."""
LIFT_NODES = 20
TOUCHING = 1e-7
"""Thousand people, or GBP m: a consortium that misses a limit by less keeps it."""


@dataclass(frozen=True)
class Wanted:
    """What a search is asked for."""

    gap: float
    travel: bool
    slack: Callable[[float], float]
    """the deficit reached -> the cap it leaves to the travel stage"""
    seconds: float
    seed: int
    consortia: int | None
    exempt: bool
    workers: int
    patience: float
    """seconds that one integer programme may take: without end where the search is bounded by steps"""
    out_of_time: Callable[[], bool]
    tell: Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """A plan found by search: hubs, the values reached stage by stage and their bounds."""

    instance: Instance
    hub: Ints
    bounds: tuple[Bound, ...]
    exemptions: tuple[Exemption, ...]
    deficit: float
    cap: float
    travel_least: float
    """proven bound on travel at the cap"""
    notes: tuple[str, ...]


def search_nation(model: Model, instance: Instance, wanted: Wanted, graph: Graph | None) -> Found:
    """Search a whole instance. Raises Stopped where no legal plan was found in time."""
    wanted.tell("places that no legal consortium can hold")
    exemptions, given = _exemptions(model, instance, wanted)
    instance = with_exemptions(instance, exemptions)
    pairs = legal_pairs(instance, possible_pairs(instance))
    wanted.tell("bounds")
    bounds = bounds_of(instance, pairs)
    cut, known = next(one for one in bounds if one.name == "B"), known_prices(instance, pairs, bounds)
    with Crew(wanted.workers) as crew:
        search = Search(
            replace(instance, may_hub=instance.may_hub & _own(instance, pairs)),
            pairs,
            max(one.value for one in bounds),
            (known.price,),
            wanted.seed,
            graph=graph,
            frozen=instance.waived("reach") & instance.declared & ~instance.may_hub,
            gap=wanted.gap,
            out_of_time=wanted.out_of_time,
        )
        hub, priced, notes = _searched(model, search, wanted, given, cut, crew)
        deficit = search.deficit(hub)
        cap = wanted.slack(deficit)
        found, more = _legal(search, instance, hub, wanted)
        if more and priced.bound and priced.bound.name == "P":
            priced = pocket_bound(model.name, found, pairs, cut, crew)
        best = max(priced, known, key=lambda one: one.value)
        own = (priced.bound,) if priced.bound and priced.bound.name == "P" else (best.bound,) if best.bound else ()
        bounds = (*(one for one in bounds if one.name not in [two.name for two in own]), *own)
        bounds = _lifted(model, found, pairs, bounds, best, hub, wanted, crew)
    least = 0.0
    if wanted.travel:
        wanted.tell("travel")
        hub = search.shorten(hub, cap, min(_steps(wanted) // 3, TRAVEL_STEPS * len(hub)))
        least = travel_bound(found, pairs, cap)
    found, more = _legal(search, instance, hub, wanted)
    _connected(graph, hub)
    return Found(found, hub, bounds, (*exemptions, *more), deficit, cap, least, (*notes, *_unproven(more)))


def _own(instance: Instance, pairs: Pairs) -> Flags:
    """(n,) places that may be a hub themselves: a place locked to another may not."""
    own = np.zeros(len(instance), dtype=bool)
    own[pairs.hub[pairs.place == pairs.hub]] = True
    return own


def _crossed(instance: Instance) -> bool:
    return not instance.declared and not instance.on("stay_in_area")


def _lifted(
    model: Model,
    instance: Instance,
    pairs: Pairs,
    bounds: tuple[Bound, ...],
    priced: Priced,
    hub: Ints,
    wanted: Wanted,
    crew: Crew,
) -> tuple[Bound, ...]:
    """The bounds with L, where hubs are free and the others leave a gap."""
    if not _crossed(instance):
        return bounds
    wanted.tell("lifting the bound")
    effort = Effort(gap_absolute=0.01, nodes=LIFT_NODES, seconds=wanted.patience)
    found = lifted_bound(model.name, instance, pairs, priced, hub, effort=effort, crew=crew)
    return (*bounds, *([found] if found else []))


def _exemptions(model: Model, instance: Instance, wanted: Wanted) -> tuple[tuple[Exemption, ...], Ints]:
    """The fewest places that no legal consortia can hold, and the assignment of the others that shows it."""
    found, given = list[Exemption](), np.full(len(instance), -1, dtype=np.int64)
    for places, pairs in trouble(instance, possible_pairs(instance)):
        out, proven, hub = left_out(model, instance, places, pairs, seconds=max(10.0, wanted.seconds / 10))
        if not proven:
            raise Stopped("the fewest exemptions were not found within the time limit")
        found += out
        given = np.where(hub >= 0, hub, given)
    if found and not wanted.exempt:
        raise Infeasible(
            f"no legal consortium can hold {len(found)} places: {', '.join(one.code for one in found[:10])}; "
            "rules.reach.waive may name them, or grouping.exempt: least"
        )
    return tuple(found), given


def _steps(wanted: Wanted) -> int:
    return int(STEPS_A_SECOND * wanted.seconds)


def _searched(
    model: Model, search: Search, wanted: Wanted, given: Ints, cut: Bound, crew: Crew
) -> tuple[Ints, Priced, list[str]]:
    """Start, settle, anneal, then rebuild where the gap is: by annealing, with free hubs by integer programmes."""
    wanted.tell("searching")
    hub = search.settle(search.start(wanted.consortia, given))
    if _crossed(search.instance):
        hub, priced = _chained(model, search, wanted, hub, cut, crew)
        hub = search.dissolve(hub)
        if search.graph is None:
            hub = _opened(model, search, wanted, hub, crew)
        hub = _by_regions(model, search, wanted, hub, crew)
    elif (mix := borders.mix_of(model, search, max(wanted.patience, wanted.seconds / 2))) is not None:
        priced = borders.priced_by(search, mix)
        hub = borders.near(search, mix, hub, crew)
        hub = borders.by_regions(model, search, hub, wanted.seconds, wanted.patience, crew, wanted.tell)
    else:
        hub, priced = _cooled(search, wanted, hub), cut_prices(search.instance, cut)
    late = search.out_of_time() and not search.done(hub)
    return hub, priced, ["the time limit ended the search early: another machine may find another plan"] if late else []


def _cooled(search: Search, wanted: Wanted, hub: Ints) -> Ints:
    """Annealing in ever longer runs, then neighbourhoods annealed."""
    steps, left = 600 * len(search.instance), _steps(wanted)
    while not search.done(hub) and left > 0 and not search.out_of_time():
        spent = min(steps, left)
        found = search.cool(hub, spent)
        hub = found if search.energy(found) <= search.energy(hub) else hub
        left, steps = left - spent, steps * 4
        wanted.tell(f"searching: {search.instance.aim_words} £{search.deficit(hub):,.1f}m, bound £{search.bound:,.1f}m")
        if spent >= left:
            break
    hub = search.dissolve(hub)
    rounds = max(20, left // max(1, 3000 * 200))
    return search.dissolve(search.rebuild(hub, int(rounds)))


def _chained(model: Model, search: Search, wanted: Wanted, hub: Ints, cut: Bound, crew: Crew) -> tuple[Ints, Priced]:
    """The best of several annealings from one start, and beside them the prices of bound P, which the search then
    knows too.
    """
    steps = min(CHAIN_STEPS * len(search.instance), _steps(wanted) // (2 * len(CHAINS)))
    seed = wanted.seed * 1000
    aims = [
        replace(USUAL, steps=steps, people_first=weight * USUAL.hot, seed=seed + number) for number, weight in CHAINS
    ]
    side = cut.side if search.instance.on("population_window") else None
    parts = pockets(model.name, search.instance, search.pairs, side)
    jobs: list[Pocket | tuple[Land, Ints, Aim]] = [*parts, *((search.land, hub, aim) for aim in aims)]
    found = crew.do(_begun, jobs, lambda job: float(len(job.pairs)) if isinstance(job, Pocket) else CHAIN_SIZE)
    priced = priced_by(search.instance, cut, parts, cast("list[Relaxed | None]", found[: len(parts)]))
    if priced.bound:
        search.bound, search.priced = max(search.bound, priced.value), (priced.price, *search.priced)
    best = min(cast("list[Ints]", found[len(parts) :]), key=search.energy)
    wanted.tell(f"searching: {search.instance.aim_words} £{search.deficit(best):,.1f}m, bound £{search.bound:,.1f}m")
    return best, priced


def _begun(job: Pocket | tuple[Land, Ints, Aim]) -> Relaxed | Ints | None:
    """A pocket's relaxation, or an annealing."""
    return relaxed(job) if isinstance(job, Pocket) else annealed(job)


def _opened(model: Model, search: Search, wanted: Wanted, hub: Ints, crew: Crew) -> Ints:
    """Hubs chosen anew where the gap is, with places split at first; then the plan of whole places near it."""
    opening = Opening(model, search.instance, search.pairs, search.priced, search.draw, crew, wanted.patience)
    for cycle, (seconds, firmly) in enumerate(CYCLES):
        if search.out_of_time() or search.done(hub):
            break
        try:
            mix = opening.kept(hub) if cycle else opening.start(hub)
        except (Infeasible, Stopped):
            mix = unsplit(search.instance, hub)
        mix = _reopened(search, opening, wanted, mix, max(1, round(wanted.seconds / seconds)), often=cycle == 0)
        found = _firm(search, opening.settle(mix, math.ceil(wanted.seconds / firmly)), crew)
        hub = found if search.energy(found) < search.energy(hub) else hub
        wanted.tell(f"hubs: {search.instance.aim_words} £{search.deficit(hub):,.1f}m, bound £{search.bound:,.1f}m")
    return hub


def _reopened(search: Search, opening: Opening, wanted: Wanted, mix: Mix, most: int, *, often: bool) -> Mix:
    """The mix after at most so many rounds; with `often` places are split anew over the whole map as gains come."""
    instance, vain = search.instance, 0
    last = mix.deficit(instance)
    for step in range(most):
        if search.out_of_time() or vain == VAIN:
            break
        mix, before = opening.round(mix), mix
        vain = 0 if mix is not before else vain + 1
        if often and step % AGAIN == AGAIN - 1 and mix.deficit(instance) < last:
            mix = opening.again(mix)
            last = mix.deficit(instance)
        wanted.tell(f"hubs: {instance.aim_words} £{mix.deficit(instance):,.1f}m were places split")
    return mix


def _firm(search: Search, hub: Ints, crew: Crew) -> Ints:
    """A plan brought within its limits from nearby: the best of several cool annealings."""
    steps = 2_500 * len(search.instance)
    jobs = [
        (
            search.land,
            hub,
            Aim(steps, heat, 0.003, people=PEOPLE, people_first=PEOPLE, seed=int(search.draw.integers(1, 2**31))),
        )
        for heat in FIRM_HEATS
    ]
    return min(crew.do(annealed, jobs), key=search.energy)


def _by_regions(model: Model, search: Search, wanted: Wanted, hub: Ints, crew: Crew) -> Ints:
    """Regions that hold the gap, annealed anew and then solved as integer programmes."""
    rounds = Rounds(
        model.name,
        search.instance,
        search.pairs,
        search.frozen,
        search.graph,
        guides=len(search.priced),
        shares=search.shares,
        worth=search.energy,
        holds=search.holds,
        draw=search.draw,
        crew=crew,
        effort=replace(EFFORT, seconds=wanted.patience),
    )
    often = wanted.seconds / (ANNEAL_SECONDS if search.graph is None else CONTIGUOUS_SECONDS) / ROUND
    for step in range(int(often)):
        if search.out_of_time() or search.done(hub):
            break
        hub = rounds.anneal(hub, search.land, USUAL.cold, PEOPLE)
        if step % 20 == 19:
            wanted.tell(
                f"annealed: {search.instance.aim_words} £{search.deficit(hub):,.1f}m, bound £{search.bound:,.1f}m"
            )
    rounds.tried[:] = 0
    for step in range(max(2, int(wanted.seconds / REGION_SECONDS / ROUND)) if search.graph is None else 0):
        if search.out_of_time():
            break
        hub = improve(rounds, hub, 1, search.done)
        if step % 5 == 4:
            wanted.tell(
                f"regions: {search.instance.aim_words} £{search.deficit(hub):,.1f}m, bound £{search.bound:,.1f}m"
            )
    return hub


def _legal(search: Search, instance: Instance, hub: Ints, wanted: Wanted) -> tuple[Instance, tuple[Exemption, ...]]:
    """Consortia that the search left outside a limit are waived by name: fewer may do, and a note says so. Raises
    Stopped where none may be.
    """
    few, many, beyond = search.misses(hub)
    if (many > TOUCHING).any():
        raise Stopped("no plan within the population window was found: allow more time or widen the window")
    more = [
        Exemption(rule, instance.places[h])
        for rule, miss in (("population_window", few), ("balance_band", beyond))
        for h in np.flatnonzero(miss > TOUCHING).tolist()
    ]
    if more and not wanted.exempt:
        codes = ", ".join(one.code for one in more[:10])
        raise Stopped(
            f"no plan within every limit was found: the best leaves {len(more)} consortia outside one ({codes}); allow "
            "more time, widen the limit, or let grouping.exempt: least name them"
        )
    return with_exemptions(instance, tuple(more)), tuple(more)


def _connected(graph: Graph | None, hub: Ints) -> None:
    """Raises Stopped where the search left the members of a consortium in several pieces."""
    if graph is not None and not in_one_piece(graph, hub):
        raise Stopped(
            "no plan was found whose consortia hang together: allow more time, ease reach or the areas, or let more "
            "places be hubs"
        )


def _unproven(more: tuple[Exemption, ...]) -> list[str]:
    if not more:
        return []
    return [f"{len(more)} of the exemptions were found by search: that fewer do not suffice is not proven"]
