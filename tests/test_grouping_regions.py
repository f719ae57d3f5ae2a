"""Regions, the lifted bound and the travel bound of free hubs: never worse, never above the exact optimum."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from grouping_cases import checked, task
from test_grouping_search import town

from allocopt.check.grouping import broken_rules
from allocopt.grouping import lift, pockets, solution
from allocopt.grouping.anneal import Aim, anneal, bits_of, land_of
from allocopt.grouping.bounds import reach_bound
from allocopt.grouping.crew import Crew
from allocopt.grouping.exempt import unreachable
from allocopt.grouping.instance import possible_pairs
from allocopt.grouping.national import legal_pairs
from allocopt.grouping.neighbours import graph_of, in_one_piece
from allocopt.grouping.pockets import cut_prices
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
    return Search(instance, pairs, *given_of(instance, pairs), seed)


def given_of(instance, pairs) -> tuple[float, tuple[np.ndarray, ...]]:
    given = cut_prices(instance, reach_bound(instance, pairs))
    return given.value, (given.price,)


def bounds_over(search: Search, hub) -> tuple[float, pockets.Priced, float]:
    """Bound B, the prices of bound P, and bound L over them."""
    cut = reach_bound(search.instance, search.pairs)
    given = pockets.pocket_bound("consortia", search.instance, search.pairs, cut, Crew(1))
    effort = Effort(gap_absolute=1e-6, nodes=5_000)
    found = lift.lifted_bound("consortia", search.instance, search.pairs, given, hub, effort=effort, crew=Crew(1))
    return cut.value, given, given.value if found is None else found.value


@pytest.mark.parametrize("seed", range(6))
def test_bounds_b_p_and_l_rise_and_do_not_pass_the_exact_optimum(seed, monkeypatch):
    monkeypatch.setattr(lift, "WORTH", 1e-6)
    instance, _ = sparse_town(seed)
    assert not unreachable(instance)
    exact = solution.solve_grouping(task(instance, ["gross_deficit"], solver=EXACTLY, exempt="least"))
    if exact.exemptions:
        pytest.skip("this draw needs an exemption")
    cut, given, lifted = bounds_over(searching(instance), exact.hub)
    best = exact.stages[0].value
    assert cut <= given.value + 1e-6
    assert given.value <= lifted + 1e-6
    assert lifted <= best + 1e-6


def test_the_bounds_are_above_bound_b_where_people_are_few(monkeypatch):
    monkeypatch.setattr(lift, "WORTH", 1e-6)
    gains = []
    for seed in range(6):
        search = searching(sparse_town(seed)[0])
        cut, given, lifted = bounds_over(search, search.settle(search.start()))
        gains.append((given.value - cut, lifted - given.value))
    assert max(gain for gain, _ in gains) > 0.01
    assert max(gain for _, gain in gains) > 0.01


@pytest.mark.parametrize("seed", range(6))
def test_prices_of_places_leave_no_legal_consortium_less_than_nothing(seed):
    """No consortium of people enough in any plan that is come by falls shorter than is said; what the prices prove by
    weak duality is what they add up to."""
    search = searching(sparse_town(seed)[0])
    given = bounds_over(search, search.settle(search.start()))[1]
    if given.bound:
        assert given.value == pytest.approx(given.bound.value, abs=1e-9)
    for _ in range(30):
        hub = search.settle(search.start())
        people = np.bincount(hub, weights=search.instance.population, minlength=len(hub))
        legal = np.unique(hub)[people[np.unique(hub)] >= 40_000]
        net = np.bincount(hub, weights=search.instance.over, minlength=len(hub))
        share = np.maximum(0.0, net) - np.bincount(hub, weights=given.price, minlength=len(hub))
        assert (share + given.short)[legal].min(initial=0.0) >= -1e-6


def test_a_pocket_that_is_too_large_is_not_looked_at_and_said(monkeypatch):
    monkeypatch.setattr(pockets, "MOST_PAIRS", 0)
    search = searching(sparse_town(0)[0])
    cut, given, _ = bounds_over(search, search.settle(search.start()))
    assert given.bound is None
    assert given.value == pytest.approx(cut)


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
    graph = graph_of(instance)
    pairs = legal_pairs(instance, possible_pairs(instance))
    search = Search(instance, pairs, *given_of(instance, pairs), 1, graph=graph)
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


def test_the_answers_of_a_crew_come_in_the_order_of_its_jobs_whichever_is_begun_first():
    with Crew(2) as crew:
        assert crew.do(math.sqrt, [1.0, 9.0, 4.0], lambda job: job) == [1.0, 3.0, 2.0]
        assert crew.do(math.sqrt, [1.0, 9.0, 4.0]) == [1.0, 3.0, 2.0]
