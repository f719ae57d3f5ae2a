"""What must hold for any system of places: small ones drawn at random, the same ones each time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from situations import compiled_of, on, situation, solved

from allocopt.ledger import whole_pounds
from allocopt.problem import Situation
from allocopt.solve.certificate import dual_bound
from allocopt.solve.highs import minimise

OBJECTIVES = ("gross_deficit", "shortfall_below_target", "movement")
POUND = 1e-6
amounts = st.integers(50, 150)
orders = st.permutations(OBJECTIVES)


@st.composite
def systems(draw):
    """3 to 5 places, whole millions, a pot that grows by 0% to 8%."""
    n = draw(st.integers(3, 5))
    baseline, weight, spend = (draw(st.lists(amounts, min_size=n, max_size=n)) for _ in range(3))
    return situation(
        pot=sum(baseline) * (1 + draw(st.integers(0, 8)) / 100), baseline=baseline, weight=weight, spend=spend
    )


@st.composite
def policies(draw, system: Situation):
    """Rules that uniform growth obeys, so that some allocation always does."""
    uniform = system.pot[0] / system.baseline.sum() - 1
    floor = on(growth_floor={"rate": uniform - draw(st.integers(0, 6)) / 100})
    ceiling = on(growth_ceiling={"rate": uniform + draw(st.integers(0, 6)) / 100})
    least = on(dft_floor={"rate": float(system.opening_dft.min()) - draw(st.integers(0, 5)) / 100})
    chosen = draw(st.lists(st.sampled_from([floor, ceiling, least, on(no_further_under_target={})]), max_size=4))
    return {name: setting for one in chosen for name, setting in one.items()}


@st.composite
def cases(draw):
    system = draw(systems())
    return system, draw(policies(system)), draw(orders)


def reached(system, rules, objectives):
    """The value of each stage, GBP million."""
    return [stage.value for stage in solved(system, rules=rules, objectives=objectives)[1]]


def rows(system: Situation, order) -> Situation:
    """The same codes with other places' numbers behind them."""
    return replace(
        system,
        places=tuple("ABCDEFGH"[: len(order)]),
        baseline=system.baseline[order],
        target=system.target[order],
        population=system.population[order],
        previous_population=system.previous_population[order],
        spend=system.spend[order],
    )


@given(cases())
def test_allocations_add_up_to_the_pot(case):
    system, rules, objectives = case
    allocation, _ = solved(system, rules=rules, objectives=objectives)
    pot = round(float(system.pot[0]) * 1e6)
    assert whole_pounds(allocation[:, 0], total=pot).sum() == pot


@given(cases())
def test_every_stage_is_proved_to_a_millionth(case):
    system, rules, objectives = case
    for stage in solved(system, rules=rules, objectives=objectives)[1]:
        assert stage.bound <= stage.value + POUND
        assert stage.gap <= 1e-6 or stage.gap_gbp <= 1e-3
        assert stage.proven


@given(cases())
def test_a_later_stage_gives_nothing_of_an_earlier_one_away(case):
    system, rules, objectives = case
    for stage in solved(system, rules=rules, objectives=objectives)[1]:
        assert stage.final_value <= stage.cap + POUND


@given(cases(), st.sampled_from([0.5, 2.0, 10.0]))
def test_twice_the_money_is_twice_the_answer(case, k):
    system, rules, objectives = case
    larger = replace(
        system, pot=k * system.pot, baseline=k * system.baseline, target=k * system.target, spend=k * system.spend
    )
    assert reached(larger, rules, objectives) == pytest.approx(
        [k * one for one in reached(system, rules, objectives)], abs=10 * POUND
    )


@given(cases(), st.data())
def test_the_order_of_places_does_not_matter(case, data):
    """Shuffled, solved and put back in order, the answer obeys the same rules and reaches the same values."""
    system, rules, objectives = case
    order = np.array(data.draw(st.permutations(range(len(system.places)))))
    shuffled, stages = solved(rows(system, order), rules=rules, objectives=objectives)
    back = np.empty_like(shuffled)
    back[order] = shuffled
    assert [stage.value for stage in stages] == pytest.approx(reached(system, rules, objectives), abs=10 * POUND)
    fixed = compiled_of(system, rules=rules, objectives=objectives)
    held = fixed.columns_of("allocation")
    lower, upper = fixed.column_lower.copy(), fixed.column_upper.copy()
    lower[held], upper[held] = back[:, 0] - POUND, back[:, 0] + POUND
    for number, stage in enumerate(stages):
        point = minimise(replace(fixed, column_lower=lower, column_upper=upper), fixed.costs[number], time_limit=10)
        assert fixed.costs[number] @ point.values + fixed.offsets[number] == pytest.approx(
            stage.final_value, abs=20 * POUND
        )


@given(cases())
def test_splitting_a_place_in_two_equal_halves_leaves_the_optimum(case):
    system, rules, objectives = case
    order = np.array([0, *range(len(system.places))])
    part = np.array([0.5, 0.5] + [1.0] * (len(system.places) - 1))
    twice = rows(system, order)
    halves = replace(
        twice,
        baseline=part * twice.baseline,
        target=part[:, None] * twice.target,
        spend=part[:, None] * twice.spend,
        population=part[:, None] * twice.population,
    )
    assert reached(halves, rules, objectives) == pytest.approx(reached(system, rules, objectives), abs=10 * POUND)


@given(cases(), st.integers(1, 5), st.data())
def test_tightening_a_rule_never_improves_the_first_objective(case, points, data):
    """The floor goes up towards uniform growth, or the ceiling down to it, by up to 5 points."""
    system, rules, objectives = case
    uniform = float(system.pot[0] / system.baseline.sum() - 1)
    name, sign = data.draw(st.sampled_from([("growth_floor", -1), ("growth_ceiling", 1)]))
    loose = rules | on(**{name: {"rate": uniform + sign * 0.06}})
    tight = rules | on(**{name: {"rate": uniform + sign * (0.06 - points / 100)}})
    first = objectives[:1]
    assert reached(system, tight, first)[0] >= reached(system, loose, first)[0] - POUND


@given(systems(), st.data())
def test_a_system_at_target_with_a_pot_that_does_not_grow_moves_nothing(system, data):
    total = system.baseline.sum()
    still = replace(system, pot=np.array([total]), target=system.baseline[:, None].copy())
    allocation, stages = solved(still, rules=data.draw(policies(still)), objectives=["movement"])
    assert whole_pounds(allocation[:, 0]).tolist() == whole_pounds(still.baseline).tolist()
    assert stages[0].value == pytest.approx(0, abs=POUND)


tens = st.sampled_from([10, 20, 30])


@given(
    st.lists(tens, min_size=3, max_size=3),
    st.lists(st.integers(5, 35), min_size=3, max_size=3),
    st.permutations([0, 1, 2]),
    st.sampled_from([-0.3, -0.2, -0.1]),
    st.sampled_from([0.1, 0.2, 0.3]),
    orders,
)
def test_three_places_reach_what_trying_every_whole_million_reaches(baseline, spend, turn, floor, ceiling, objectives):
    """Limits, targets and spend are whole millions, so a best allocation in whole millions exists: try them all.

    The pot does not grow, targets are the baselines in another order: uniform growth is the baseline itself.
    """
    target = [baseline[one] for one in turn]
    system = situation(pot=sum(baseline), baseline=baseline, weight=target, spend=spend)
    rules = on(growth_floor={"rate": floor}, growth_ceiling={"rate": ceiling})
    assert reached(system, rules, objectives) == pytest.approx(
        best_of_all(baseline, target, spend, (floor, ceiling), objectives), abs=POUND
    )


def best_of_all(baseline, target, spend, limits, objectives):
    """The lexicographic optimum over all whole millions that keep the floor, the ceiling and the pot."""
    low, high = ([round((1 + rate) * one) for one in baseline] for rate in limits)
    values = {
        "gross_deficit": lambda x: sum(max(0, s - a) for s, a in zip(spend, x, strict=True)),
        "shortfall_below_target": lambda x: sum(max(0, t - a) for t, a in zip(target, x, strict=True)),
        "movement": lambda x: sum(max(0, a - b) for a, b in zip(x, baseline, strict=True)),
    }
    tried = (
        (a, b, sum(baseline) - a - b)
        for a in range(low[0], high[0] + 1)
        for b in range(low[1], high[1] + 1)
        if low[2] <= sum(baseline) - a - b <= high[2]
    )
    return list(min(tuple(values[name](x) for name in objectives) for x in tried))


@given(cases(), st.integers(0, 2**32 - 1), st.sampled_from([0.01, 1.0, 100.0]))
def test_any_prices_whatever_prove_a_bound_that_no_plan_undercuts(case, seed, size):
    """Weak duality: prices drawn by chance, of either sign, on rows of every kind."""
    system, rules, objectives = case
    compiled = compiled_of(system, rules=rules, objectives=objectives)
    prices = size * np.random.default_rng(seed).standard_normal(compiled.matrix.shape[0])
    cost = compiled.costs[0]
    assert dual_bound(compiled, cost, prices) <= cost @ minimise(compiled, cost, time_limit=10).values + 1e-9 * size
