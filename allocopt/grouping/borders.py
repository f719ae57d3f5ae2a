"""Declared hubs where crossings of areas cost something: which few of thousands of places are worth their crossing.

Annealing from the nearest hubs does not find them: a crossing pays only with others. With places split between hubs a
grouping is a linear programme (`mixes`), and most of the crossings that it makes are whole. So its places go to the hub
that has most of each, are cooled from near by, and regions that hold the gap are solved as integer programmes (measured
on England's 7,209 practices at GBP 200k a place: annealing alone £94m, from the mix £66m, with regions £64m to £65m).
What overspend is worth at each hub in the mix makes better prices of bound T. Imports `mixes`, `search`, `regions`,
`bounds`, `pockets` and `crew`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from allocopt.errors import Infeasible, Stopped
from allocopt.grouping.anneal import Aim
from allocopt.grouping.bounds import DIGITS, priced_bound
from allocopt.grouping.crew import Crew
from allocopt.grouping.instance import TOLLED, Ints
from allocopt.grouping.mixes import Mix, mixed
from allocopt.grouping.pockets import Priced, known_prices
from allocopt.grouping.regions import EFFORT, Rounds, annealed, improve
from allocopt.grouping.search import PEOPLE, Search
from allocopt.model import Model

STEPS = 1_400
"""Annealing steps for each place."""
HEATS = (0.02, 0.05, 0.1)
"""GBP m from which a plan of whole places is cooled."""
COLD = 0.002
ROUND_SECONDS = 4.0
"""Seconds of the time limit that a round of regions stands for."""


def mix_of(model: Model, search: Search, seconds: float) -> Mix | None:
    """The places mixed over the declared hubs where crossings cost something; None elsewhere, where places have to be
    connected, and where no mix was found in time.
    """
    if not search.instance.declared or search.instance.aim != TOLLED or search.graph is not None:
        return None
    try:
        return mixed(model, search.instance, search.pairs, search.instance.hubs, seconds=seconds)
    except (Infeasible, Stopped):
        return None


def priced_by(search: Search, mix: Mix) -> Priced:
    """Bound T at what overspend is worth at each hub of a mix, and its prices of places, which the search then knows
    too.
    """
    worth = np.zeros(len(search.instance)) if mix.worth is None else np.nan_to_num(mix.worth)
    price = np.asarray(np.round(np.clip(worth, 0.0, 1.0), DIGITS), dtype=np.float64)
    bound = priced_bound(search.instance, search.pairs, price)
    priced = known_prices(search.instance, search.pairs, [bound])
    if priced.value > search.bound:
        search.bound, search.priced = priced.value, (priced.price, *search.priced)
    return priced


def near(search: Search, mix: Mix, hub: Ints, crew: Crew) -> Ints:
    """The best plan found near a mix, or `hub` (n,) where that is better."""
    whole = np.where(search.frozen, hub, mix.whole(len(hub)))
    steps, seeds = STEPS * len(hub), [int(search.draw.integers(1, 2**31)) for _ in HEATS]
    jobs = [
        (search.land, whole, Aim(steps, heat, COLD, people=PEOPLE, people_first=PEOPLE, seed=seed))
        for heat, seed in zip(HEATS, seeds, strict=True)
    ]
    return min([hub, *crew.do(annealed, jobs)], key=search.energy)


def by_regions(
    model: Model, search: Search, hub: Ints, seconds: float, patience: float, crew: Crew, tell: Callable[[str], None]
) -> Ints:
    """The plan after rounds of regions solved as integer programmes."""
    rounds = Rounds(
        model.name,
        search.instance,
        search.pairs,
        search.frozen,
        None,
        guides=len(search.priced),
        shares=search.shares,
        worth=search.energy,
        holds=search.holds,
        draw=search.draw,
        crew=crew,
        effort=replace(EFFORT, seconds=patience),
    )
    for step in range(max(2, int(seconds / ROUND_SECONDS))):
        if search.out_of_time():
            break
        hub = improve(rounds, hub, 1, search.done)
        if step % 5 == 4:
            tell(f"regions: {search.instance.aim_words} £{search.deficit(hub):,.1f}m, bound £{search.bound:,.1f}m")
    return hub
