"""The smallest shock that breaches: by hand, exhaustively, and by simulation."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from subjects import subject

from allocopt.plan import gather
from allocopt.scenario import load
from allocopt.settings.stress import Reverse, Stress
from allocopt.stress.reverse import (
    Limit,
    bodies_in_deficit,
    rows_of,
    simulated,
    smallest,
    smallest_for_places,
    worst_places,
)
from allocopt.stress.simulate import Shock, simulate
from allocopt.stress.tables import Decided, subject_of
from allocopt.stress.treasury import retentions

SEEDS = range(8)


def small(seed: int):
    rng = np.random.default_rng(seed)
    spend = rng.uniform(5, 50, 9)
    given = subject(base=spend, allocation=spend * rng.uniform(0.97, 1.15, 9), groups=list("AABBBCCCC"))
    limit = Limit(float(rng.uniform(1, 12)), float(rng.choice([0.0, 0.3, 0.7])))
    return given, limit


def test_the_uniform_shock_by_hand():
    # budgets 102 and 110, spend 100 each, surpluses kept whole: the first is over from 2%, the second from 10%.
    # Exposure at s: 100 s - 2 up to 10%. Limit 3: s = 5%.
    found = smallest(np.array([-2.0, -10.0]), np.array([100.0, 100.0]), Limit(3.0, 0.0), target="all")
    assert found.size == pytest.approx(0.05)
    assert found.at == pytest.approx(3.0)
    assert found.proven(Limit(3.0, 0.0))


def test_available_surpluses_and_drawdown_move_the_shock():
    # half of each surplus is available: 100 s - 2 - 0.5 (10 - 100 s) + 1 = 3 at s = 6%
    found = smallest(np.array([-2.0, -10.0]), np.array([100.0, 100.0]), Limit(3.0, 0.5, 1.0), target="all")
    assert found.size == pytest.approx(0.06)


def test_a_plan_that_breaches_already_needs_no_shock_and_an_untouched_limit_none_that_is_enough():
    over, weight = np.array([5.0, -2.0]), np.array([100.0, 100.0])
    assert smallest(over, weight, Limit(4.0, 0.0), target="all").size == 0
    assert np.isnan(smallest(over, 0 * weight, Limit(6.0, 0.0), target="none").size)


@pytest.mark.parametrize("seed", SEEDS)
def test_one_per_cent_less_does_not_breach_and_a_little_more_does(seed):
    given, limit = small(seed)
    over = given.holders.sums((given.base - given.allocation)[None])[0]
    weight = given.holders.sums(given.base[None])[0]
    found = smallest(over, weight, limit, target="all")
    assert limit.exposure(over + found.size * weight) == pytest.approx(limit.money, abs=1e-9) or found.size == 0
    assert found.size == 0 or not limit.breached(over + 0.99 * found.size * weight)
    assert limit.breached(over + (found.size + 1e-9) * weight)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shock", [0.05, 0.3])
def test_the_worst_set_of_places_is_the_worst_of_all_sets(seed, shock):
    given, limit = small(seed)
    over = given.holders.sums((given.base - given.allocation)[None])[0]
    found = worst_places(over, given.base, given.holders, limit, shock=shock, most=4)
    for most in range(5):
        worst = max(
            limit.exposure(over + shock * given.holders.sums(np.isin(np.arange(9), chosen) * given.base[None])[0])
            for chosen in combinations(range(9), most)
        )
        assert found[most] == pytest.approx(worst)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_smallest_shock_on_three_places_is_the_smallest_over_all_sets(seed):
    given, limit = small(seed)
    over = given.holders.sums((given.base - given.allocation)[None])[0]
    found = smallest_for_places(over, given.base, given.holders, limit, most=3)
    sizes = [
        smallest(over, given.holders.sums(np.isin(np.arange(9), chosen) * given.base[None])[0], limit, target="").size
        for chosen in combinations(range(9), 3)
    ]
    assert found.size == pytest.approx(min(size for size in sizes if not np.isnan(size)), rel=1e-5, abs=1e-9)
    assert found.proven(limit)


def test_the_smallest_shock_that_puts_two_bodies_in_deficit():
    # headroom 2%, 5% and 9% of spend: two are in deficit beyond 5%
    found = bodies_in_deficit(np.array([-2.0, -5.0, -9.0]), np.array([100.0] * 3), 2)
    assert found.size == pytest.approx(0.05)
    assert (found.at, found.below) == (2, 1)


def test_the_area_and_the_component_that_need_least_are_named():
    # area B has no headroom: £3m on its £100m is 3%; the component is half of every need, so it takes twice the shock
    given = replace(
        subject(base=[100, 100], allocation=[110, 100], areas=["A", "B"]),
        components={"hospital": np.array([0.5, 0.5]), "drugs": np.array([0.5, 0.5])},
    )
    stress = Stress(limit="£3m", retention=["100%"], reverse=Reverse(shocks=["area", "component"]))
    rows = {
        (row.test, row.statistic): row.value
        for row in rows_of(given, rule=retentions([1.0])[0], stress=stress)
        if row.measure == "smallest_shock"
    }
    assert rows["reverse_area", "target: B"] == pytest.approx(0.03)
    assert rows["reverse_component_hospital", "value"] == pytest.approx(0.06)


def test_the_fewest_places_that_breach():
    # 10 places of £10m at their budgets, each 20% over: £2m each; above £5m needs three
    given = subject(base=[10.0] * 10)
    stress = Stress(limit="£5m", retention=["100%"], reverse=Reverse(shocks=["places"], places=2))
    rows = {
        (row.test, row.measure, row.statistic): row.value
        for row in rows_of(given, rule=retentions([1.0])[0], stress=stress)
    }
    assert rows["reverse_number_of_places", "smallest_shock", "value"] == 3
    # two places reach £5m at 25%
    assert rows["reverse_places", "smallest_shock", "value"] == pytest.approx(0.25, rel=1e-5)


def test_bisection_by_simulation_agrees_where_nothing_is_left_to_chance():
    given, limit = small(3)
    stress = Stress(limit=f"£{limit.money:.6f}m", retention=[f"{100 * (1 - limit.available)}%"], test_draws=10)
    over, weight = (given.holders.sums(one[None])[0] for one in (given.base - given.allocation, given.base))
    exact = smallest(over, weight, limit, target="all").size
    size, _ = simulated(given, 0.5, retentions(stress.retention)[0], stress, "correlated")
    assert size == pytest.approx(exact, abs=1e-4)


def test_by_simulation_the_asked_probability_is_reached_and_just_below_it_is_not():
    given = subject(base=[10.0] * 60, allocation=[10.3] * 60, kappa=3.67, area_sd=0.02, areas=["A", "B", "C"] * 20)
    stress = Stress(limit="£20m", retention=["100%"], test_draws=400)
    size, (share, low, high) = simulated(given, 0.5, retentions([1.0])[0], stress, "correlated")
    assert 0 < size < 0.1
    assert share >= 0.5
    assert low < 0.5 < high


def test_on_england_bisection_over_simulated_spend_finds_the_same_shock():
    # every practice at its target; draw 0 is the expected spend, simulated by the code that draws everything else
    changes = {"stress.limit": "£1bn", "stress.group": "ccg_code", "stress.retention": "30%"}
    facts = gather(load("england", set=changes))
    assert facts.stress is not None
    england = subject_of(Decided(facts, facts.situation.target), facts.stress).at_holder()
    limit = Limit(1000.0, 0.7)

    def breaches(size: float) -> bool:
        made = simulate(england, draws=1, first=0, shock=Shock(1.0 + size), workers=1)["correlated"][england.holder]
        return float(made.deficit[0] - limit.available * made.surplus[0]) > limit.money

    low, high = 0.0, 1.0
    while high - low > 1e-7:
        middle = (low + high) / 2
        low, high = (low, middle) if breaches(middle) else (middle, high)
    over, spend = (
        england.holders.sums(one[None])[0] for one in (england.expected - england.allocation, england.expected)
    )
    found = smallest(over, spend, limit, target="every place")
    assert 0 < found.size == pytest.approx(high, abs=1e-6)
    assert not breaches(0.99 * found.size)
