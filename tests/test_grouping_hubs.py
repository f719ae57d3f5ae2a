"""Hubs chosen anew: with places split never worse than the plan they start from, and whole places keep every rule."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from grouping_cases import checked, task
from test_grouping_regions import searching
from test_grouping_search import town

from allocopt.check.grouping import broken_rules
from allocopt.grouping import hubs, solution
from allocopt.grouping.crew import Crew
from allocopt.grouping.hubs import Opening
from allocopt.grouping.instance import possible_pairs
from allocopt.grouping.mixes import Mix, mixed
from allocopt.model import load_model
from allocopt.settings import Solver

EXACTLY = Solver(gap="0%", slack="0%", time_limit="60s")  # type: ignore[arg-type]


LEAST, MOST = 30_000.0, 120_000.0


def thin_town(seed: int):
    """40 places of which few can share a consortium; the minimum of people binds, and can be kept."""
    window = {"population_window": {"min": LEAST, "max": MOST}}
    instance, where = town(n=40, declared=False, reach={"max": 9.0}, **window)
    draw = np.random.default_rng(seed)
    spend = np.round(instance.budget * (1 + 0.3 * draw.standard_normal(40)), 3)
    return replace(instance, spend=spend), where


def opening_of(search, workers: int = 1) -> Opening:
    draw = np.random.default_rng(1)
    return Opening(load_model("consortia"), search.instance, search.pairs, search.priced, draw, Crew(workers))


def line(over: np.ndarray):
    """Places 6 km apart, 2,000 people each, reach 7 km, 4,000 to 6,000 people in a consortium."""
    n = len(over)
    instance, _ = town(n=n, declared=False, reach={"max": 7.0}, population_window={"min": 4_000.0, "max": 6_000.0})
    angle = np.arange(n) * 6 / 6371.0088
    position = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(n)])
    budget = np.full(n, 10.0)
    return replace(instance, population=np.full(n, 2_000.0), position=position, budget=budget, spend=budget + over)


def started(seed: int):
    instance, where = thin_town(seed)
    search = searching(instance)
    return instance, where, search, search.settle(search.start())


def people(instance, mix: Mix) -> np.ndarray:
    return mix.overspend(instance.population)[mix.hubs]


@pytest.mark.parametrize("seed", range(4))
def test_places_that_may_be_split_lose_no_more_than_whole_ones_with_the_same_hubs(seed):
    instance, _, search, hub = started(seed)
    may = np.zeros(len(instance), dtype=bool)
    may[hub] = True
    declared = replace(instance, declared=True, may_hub=may)
    whole = solution.solve_grouping(task(declared, ["gross_deficit"], solver=EXACTLY))

    mix = mixed(load_model("consortia"), instance, search.pairs, np.unique(hub))
    assert mix.deficit(instance) <= whole.stages[0].value + 1e-6 <= search.deficit(hub) + 2e-6
    assert np.bincount(mix.pairs.place, weights=mix.share) == pytest.approx(np.ones(len(instance)))


@pytest.mark.parametrize("seed", range(4))
def test_a_round_never_makes_a_mix_worse_and_keeps_every_consortium_within_its_window(seed, monkeypatch):
    monkeypatch.setattr(hubs, "MIDDLE", (1, 2))
    instance, _, search, hub = started(seed)
    opening = opening_of(search)
    mix = opening.start(hub)
    for _ in range(4):
        before, mix = mix.deficit(instance), opening.round(mix)
        assert mix.deficit(instance) <= before + 1e-6
        assert np.bincount(mix.pairs.place, weights=mix.share) == pytest.approx(np.ones(len(instance)), abs=1e-5)
        assert people(instance, mix).min() >= LEAST - 1
        assert people(instance, mix).max() <= MOST + 1


def test_a_round_opens_the_hubs_that_the_start_lacks():
    """Six places on a line. Hubs 1 and 4 gather 3 - 3 + 3 = 3 and -3 + 3 - 3 = -3, a deficit of 3; three hubs gather
    pairs of 3 - 3 = 0 each."""
    instance = line(np.array([3.0, -3.0, 3.0, -3.0, 3.0, -3.0]))
    opening = opening_of(searching(instance))
    mix = opening.start(np.array([1, 1, 1, 4, 4, 4]))
    assert mix.deficit(instance) == pytest.approx(3.0)
    better = opening.round(mix)
    assert better.deficit(instance) == pytest.approx(0.0, abs=1e-6)
    assert [sorted(np.flatnonzero(better.whole(6) == h).tolist()) for h in better.hubs] == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize("seed", range(4))
def test_a_settled_plan_obeys_every_rule(seed, monkeypatch):
    monkeypatch.setattr(hubs, "WORTH", -1.0)  # the gap is taken to lie everywhere
    instance, where, search, hub = started(seed)
    opening = opening_of(search)
    plan = opening.settle(opening.round(opening.start(hub)), 99)
    assert search.holds(plan)
    assert not broken_rules(checked(instance, where, plan))


def test_the_mix_of_a_hand_case_is_its_only_grouping():
    """1 with 2 would leave 0 and 3 alone, which is too few people: the pairs are (0 1) and (2 3)."""
    instance = line(np.array([3.0, -3.0, 3.0, -3.0]))
    mix = mixed(load_model("consortia"), instance, possible_pairs(instance), np.array([0, 3]))
    assert mix.whole(4).tolist() == [0, 0, 3, 3]
    assert mix.deficit(instance) == pytest.approx(0.0, abs=1e-9)


def test_a_place_that_is_split_with_the_rest_of_the_map_keeps_its_share(monkeypatch):
    """Of place 1 a half belongs to hub 0, where the part lies, and a half to hub 2 outside it: no part takes more."""
    monkeypatch.setattr(hubs, "WORTH", -1.0)
    instance = replace(line(np.array([3.0, -3.0, 3.0, -3.0])), settings={"reach": {"max": 7.0}})
    pairs = possible_pairs(instance)
    held = pairs.take(np.isin(pairs.hub, [0, 2]) & ~((pairs.place == 0) & (pairs.hub != 0)))
    held = held.take(~((held.place == 2) & (held.hub != 2)))
    share = np.where(held.place == 1, 0.5, 1.0)
    mix = Mix(held, share)
    search = searching(instance)
    job = opening_of(search)._job(mix, np.array([0]), 1)
    assert dict(zip(job.places.tolist(), job.here.tolist(), strict=True)) == {0: 1.0, 1: 0.5}
    found = hubs.settled(replace(job, whole=np.array([0])))
    assert np.bincount(job.pairs.place, weights=found).tolist() == pytest.approx([1.0, 0.5])


def test_without_parts_to_settle_a_place_goes_to_the_hub_that_has_most_of_it():
    instance = line(np.array([3.0, -3.0, 3.0, -3.0]))
    pairs = possible_pairs(instance)
    held = pairs.take(np.isin(pairs.hub, [0, 2]) & ~((pairs.place == 3) & (pairs.hub == 0)))
    held = held.take((held.place != held.hub[0]) | (held.hub == 0))
    share = np.where(held.place == 1, np.where(held.hub == 2, 0.6, 0.4), 1.0)
    plan = opening_of(searching(instance)).settle(Mix(held, share), 0)
    assert plan.tolist() == [0, 2, 2, 2]
