"""A grouping too large for one integer programme: searched as a whole, certified by the bounds that need no solver.

The search is bounded by steps that follow from the time limit the scenario states, so that the same scenario gives the
same plan; the clock only ends it early on a slow machine, and then a note says so. Imports `search`, `exempt`,
`bounds`, `travel`, `instance` and `neighbours`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from allocopt.errors import Infeasible, Stopped
from allocopt.grouping.bounds import Bound, area_bound, reach_bound
from allocopt.grouping.exempt import Exemption, left_out, trouble, with_exemptions
from allocopt.grouping.instance import Instance, Ints, Pairs, possible_pairs
from allocopt.grouping.neighbours import Graph
from allocopt.grouping.search import Search
from allocopt.grouping.travel import travel_bound
from allocopt.model import Model

KNOWN = frozenset({"reach", "stay_in_area", "population_window", "balance_band", "contiguity", "locked"})
"""Rules that the search keeps; with any other rule on, the part is an integer programme."""
STEPS_A_SECOND = 1_500_000
"""Annealing steps that a second of the time limit stands for (two to ten million are done)."""


@dataclass(frozen=True)
class Wanted:
    """What a search is asked for."""

    gap: float
    travel: bool
    slack: Callable[[float], float]
    """gross deficit -> the cap it leaves to the travel stage"""
    seconds: float
    seed: int
    consortia: int | None
    exempt: bool
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
    area = area_bound(instance)
    bounds = (*((area,) if area else ()), reach_bound(instance, pairs))
    best = max(bounds, key=lambda one: one.value)
    search = Search(
        instance,
        pairs,
        next(one for one in bounds if one.side is not None),
        wanted.seed,
        graph=graph,
        frozen=instance.waived("reach") & ~(instance.may_hub & instance.declared),
        target=best.value / (1 - min(0.999, wanted.gap)) if wanted.gap < 1 else 0.0,
        out_of_time=wanted.out_of_time,
    )
    hub, notes = _searched(search, wanted, given)
    deficit = search.deficit(hub)
    cap = wanted.slack(deficit)
    least = 0.0
    if wanted.travel:
        wanted.tell("travel")
        hub = search.shorten(hub, cap, _steps(wanted) // 3)
        least = travel_bound(instance, pairs, cap)
    instance, more = _legal(search, instance, hub)
    return Found(instance, hub, bounds, (*exemptions, *more), deficit, cap, least, (*notes, *_unproven(more)))


def legal_pairs(instance: Instance, pairs: Pairs) -> Pairs:
    """The pairs whose hub could gather the minimum population, were every place in its reach to join it."""
    least = instance.said("population_window", "min")
    if least is None or instance.declared:
        return pairs
    people = np.bincount(pairs.hub, weights=instance.population[pairs.place], minlength=len(instance))
    waived = np.isin(np.array(instance.places), instance.said("population_window", "waive", []))
    areas = np.isin(np.array(instance.area), instance.said("population_window", "waive", []))
    return pairs.take(((people >= least) | waived | areas)[pairs.hub])


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


def _searched(search: Search, wanted: Wanted, given: Ints) -> tuple[Ints, list[str]]:
    """Start, settle, cool in ever longer runs, rebuild where the gap is."""
    wanted.tell("searching")
    hub = search.settle(search.start(wanted.consortia, given))
    steps, left = 600 * len(search.instance), _steps(wanted)
    while not search.done(hub) and left > 0 and not search.out_of_time():
        spent = min(steps, left)
        found = search.cool(hub, spent)
        hub = found if search.energy(found) <= search.energy(hub) else hub
        left, steps = left - spent, steps * 4
        wanted.tell(f"searching: gross deficit GBP {search.deficit(hub):,.1f}m, bound GBP {search.bound.value:,.1f}m")
        if spent >= left:
            break
    hub = search.dissolve(hub)
    rounds = max(20, left // max(1, 3000 * 200))
    hub = search.dissolve(search.rebuild(hub, int(rounds)))
    late = search.out_of_time() and not search.done(hub)
    return hub, ["the time limit ended the search early: another machine may find another plan"] if late else []


def _legal(search: Search, instance: Instance, hub: Ints) -> tuple[Instance, tuple[Exemption, ...]]:
    """Consortia that the search left outside a limit are waived by name: fewer may do, and a note says so."""
    people = np.bincount(hub, weights=instance.population, minlength=len(hub))
    hubs = np.unique(hub)
    least, most = instance.said("population_window", "min", 0.0), instance.said("population_window", "max", np.inf)
    if (people[hubs] > most * (1 + 1e-9)).any():
        raise Stopped("no plan within the population window was found: allow more time or widen the window")
    short = [h for h in hubs.tolist() if people[h] < least * (1 - 1e-9)]
    excused = set(instance.said("population_window", "waive", []))
    short = [h for h in short if not {instance.places[h], instance.area[h]} & excused]
    more = [Exemption("population_window", instance.places[h]) for h in short]
    if instance.on("balance_band"):
        outside = search.outside(hub)
        more += [
            Exemption("balance_band", instance.places[h]) for h in hubs.tolist() if outside[h] > 1e-6 and h not in short
        ]
    return with_exemptions(instance, tuple(more)), tuple(more)


def _unproven(more: tuple[Exemption, ...]) -> list[str]:
    if not more:
        return []
    return [f"{len(more)} of the exemptions were found by search: that fewer do not suffice is not proven"]
