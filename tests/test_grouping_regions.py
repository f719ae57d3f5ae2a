"""Regions, the lifted bound and the travel bound of free hubs: never worse, never above the exact optimum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from grouping_cases import checked, task
from test_grouping_search import town

from allocopt.check.grouping import broken_rules
from allocopt.grouping import lift, solution
from allocopt.grouping.anneal import Aim, anneal, bits_of, land_of
from allocopt.grouping.bounds import reach_bound
from allocopt.grouping.crew import Crew
from allocopt.grouping.exempt import unreachable
from allocopt.grouping.instance import possible_pairs
from allocopt.grouping.national import legal_pairs
from allocopt.grouping.neighbours import delaunay_graph, in_one_piece
from allocopt.grouping.regions import Rounds, improve
from allocopt.grouping.search import Search
from allocopt.grouping.travel import travel_bound
from allocopt.settings import Solver
from allocopt.solve.integer import Effort

WINDOW = {"reach": {"max": 7.0}, "population_window": {"min": 40_000.0, "max": 200_000.0}}
EXACTLY = Solver(gap="0.01%", time_limit="60s")  # type: ignore[arg-type]


def sparse_town(seed: int):
    """26 places of which few can share a consortium, so that the minimum of people costs money."""
    instance, where = town(n=26, declared=False, **WINDOW)
    draw = np.random.default_rng(seed)
    spend = np.round(instance.budget * (1 + 0.3 * draw.standard_normal(26)), 3)
    return replace(instance, spend=spend), where


def searching(instance, seed: int = 1) -> Search:
    pairs = legal_pairs(instance, possible_pairs(instance))
    return Search(instance, pairs, reach_bound(instance, pairs), seed)


@pytest.mark.parametrize("seed", range(4))
def test_a_lifted_bound_lies_between_bound_b_and_the_exact_optimum(seed, monkeypatch):
    monkeypatch.setattr(lift, "WORTH", 1e-6)
    instance, _ = sparse_town(seed)
    assert not unreachable(instance)
    exact = solution.solve_grouping(task(instance, ["gross_deficit"], solver=EXACTLY, exempt="least"))
    if exact.exemptions:
        pytest.skip("this draw needs an exemption")
    search = searching(instance)
    effort = Effort(gap_absolute=1e-6, nodes=5_000)

    found = lift.lifted_bound("consortia", instance, search.pairs, search.bound, exact.hub, effort=effort, crew=Crew(1))
    if found is None:
        assert search.bound.value <= exact.stages[0].value + 1e-6
    else:
        assert search.bound.value < found.value <= exact.stages[0].value + 1e-6


def test_some_lifted_bound_is_above_bound_b(monkeypatch):
    monkeypatch.setattr(lift, "WORTH", 1e-6)
    gains = []
    for seed in range(4):
        instance, _ = sparse_town(seed)
        search = searching(instance)
        hub = search.settle(search.start())
        found = lift.lifted_bound(
            "consortia", instance, search.pairs, search.bound, hub, effort=Effort(nodes=5_000), crew=Crew(1)
        )
        gains.append(0.0 if found is None else found.value - search.bound.value)
    assert max(gains) > 0.01


def rounds_of(search: Search, workers: int = 1, graph=None) -> Rounds:
    measures = search.shares, search.energy, search.holds
    draw = np.random.default_rng(1)
    return Rounds("consortia", search.instance, search.pairs, search.frozen, graph, *measures, draw, Crew(workers))


def test_regions_keep_a_plan_legal_and_never_make_it_worse():
    instance, where = sparse_town(2)
    search = searching(instance)
    hub = search.settle(search.start())
    better = improve(rounds_of(search), hub, 6, lambda _hub: False)
    assert search.energy(better) <= search.energy(hub)
    assert float(search.outside(better).sum()) == 0
    assert not broken_rules(checked(instance, where, better))


def test_annealed_regions_never_make_a_plan_worse_and_keep_it_in_one_piece():
    instance, where = sparse_town(2)
    instance = replace(instance, settings={**instance.settings, "contiguity": {"graph": "delaunay"}})
    graph = delaunay_graph(instance)
    pairs = legal_pairs(instance, possible_pairs(instance))
    search = Search(instance, pairs, reach_bound(instance, pairs), 1, graph=graph)
    hub = search.settle(search.start())
    rounds, better = rounds_of(search, graph=graph), hub
    for _ in range(3):
        better = rounds.anneal(better, search.land, 0.01, 3.0)
    assert search.energy(better) <= search.energy(hub)
    assert in_one_piece(graph, better)
    assert not [one for one in broken_rules(checked(instance, where, better)) if one.rule in ("contiguity", "reach")]


def test_a_plan_in_two_pieces_or_with_a_hub_beyond_reach_does_not_hold():
    instance, _ = sparse_town(0)
    search = searching(instance)
    hub = search.settle(search.start())
    assert search.holds(hub)
    far = hub.copy()
    lonely = int(np.flatnonzero(hub != np.arange(len(hub)))[0])
    km = instance.km(np.full(len(hub), lonely), hub)
    far[lonely] = hub[int(np.argmax(km))]
    assert km.max() > 7.0
    assert not search.holds(far)


def test_two_workers_find_the_plan_of_one(monkeypatch):
    monkeypatch.setattr(solution, "EXACT_PAIRS", 0)
    instance, _ = town(n=60, declared=False, reach={"max": 12.0}, population_window={"min": 50_000.0, "max": 200_000.0})
    short = Solver(gap="0%", time_limit="2s")  # type: ignore[arg-type]
    plans = [
        solution.solve_grouping(
            task(instance, ["gross_deficit", "travel"], solver=short, deterministic=True, workers=workers)
        )
        for workers in (1, 2)
    ]
    assert (plans[0].hub == plans[1].hub).all()
    assert plans[0].stages[0].bound == plans[1].stages[0].bound


@pytest.mark.parametrize("seed", range(3))
def test_the_travel_bound_of_free_hubs_is_not_above_the_exact_optimum(seed):
    instance, _ = sparse_town(seed)
    exact = solution.solve_grouping(task(instance, ["travel"], solver=EXACTLY, exempt="least"))
    if exact.exemptions:
        pytest.skip("this draw needs an exemption")
    least = travel_bound(instance, legal_pairs(instance, possible_pairs(instance)), exact.stages[0].cap)
    assert 0 < least <= exact.stages[0].value + 1e-9


def test_the_travel_bound_of_free_hubs_is_the_mean_of_the_nearest_people():
    """Three places on a line, 1,000 people each, 10 km apart, at least 2,000 in a consortium: each hub gathers its own
    and one neighbour's people, (0 + 10) / 2 km."""
    instance, _ = town(n=3, declared=False, population_window={"min": 2_000.0, "max": 9_000.0})
    angle = np.arange(3) * 10 / 6371.0088
    position = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(3)])
    instance = replace(instance, population=np.full(3, 1_000.0), position=position)
    assert travel_bound(instance, possible_pairs(instance), 1e9) == pytest.approx(5.0, abs=1e-6)


def test_annealing_finds_another_hub_when_its_own_leaves_or_a_new_member_is_beyond_it():
    """Places at 0, 6 and 12 km, reach 7 km: the three fit together under the hub in the middle alone."""
    instance, _ = town(n=3, declared=False, reach={"max": 7.0}, population_window={"min": 3_000.0, "max": 9_000.0})
    angle = np.arange(3) * 6 / 6371.0088
    position = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(3)])
    instance = replace(instance, population=np.full(3, 1_000.0), position=position, spend=instance.budget)
    pairs = possible_pairs(instance)
    none = np.zeros(0, dtype=np.int64)
    land = land_of(
        instance,
        allowed=bits_of(3, pairs.place, pairs.hub),
        near=np.array([[1, 2], [0, 2], [0, 1]]),
        start=np.zeros(4, dtype=np.int64),
        next_to=none,
        fixed=np.zeros(3, dtype=bool),
    )
    assert anneal(land, np.array([0, 0, 2]), Aim(5_000, 1.0, 0.01, people=10.0)).tolist() == [1, 1, 1]
