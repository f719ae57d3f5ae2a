"""Robust objectives against enumeration, and the price of robustness."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from situations import NO_SLACK, on, situation

from allocopt.model import load_model
from allocopt.plan import allocation_of
from allocopt.problem import build
from allocopt.settings import ObjectiveSetting
from allocopt.solve.compiled import compile_problem
from allocopt.solve.stages import lexicographic
from allocopt.stress.robust import tail_deficit, worst_deficit


def by_enumeration(spend, allocation, deviation, number):
    """The largest gross deficit over every set of `number` places that go wrong."""
    sets = combinations(range(len(spend)), number)
    return max(
        np.maximum(0, spend * (1 + deviation * np.isin(np.arange(len(spend)), chosen)) - allocation).sum()
        for chosen in sets
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("number", [0, 1, 3, 6])
def test_the_worst_case_by_sorting_is_the_worst_of_all_sets(seed, number):
    rng = np.random.default_rng(seed)
    spend, allocation = rng.uniform(50, 150, 6), rng.uniform(50, 150, 6)
    found = worst_deficit(spend[:, None], allocation[:, None], deviation=0.2, share=number / 6)
    assert found == pytest.approx(by_enumeration(spend, allocation, 0.2, number))


def given(seed):
    rng = np.random.default_rng(seed)
    made = situation(pot=430, baseline=[100, 100, 100, 100], weight=[3, 4, 4, 5], spend=rng.uniform(90, 120, 4))
    return replace(made, spend_draws=rng.uniform(80, 130, (4, 1, 7)))


def solve(made, objective, parameters, rules):
    model = load_model("robust_pace")
    setting = ObjectiveSetting(name=objective, parameters=parameters)
    compiled = compile_problem(build(made, model, rules=rules, objectives=[setting]))
    values, (stage,) = lexicographic(compiled, [model.objective(objective)], solver=NO_SLACK, pot=430.0)
    assert stage.proven
    return allocation_of(compiled, made, values), stage.value


@pytest.mark.parametrize("seed", range(5))
def test_the_programme_minimises_the_worst_case_over_all_sets(seed):
    made, rules = given(seed), on(growth_floor={"rate": 0.02}, growth_ceiling={"rate": 0.15})
    allocation, value = solve(made, "worst_deficit", {"deviation": 0.15, "share": 0.5}, rules)
    spend = made.spend[:, 0]
    assert value == pytest.approx(by_enumeration(spend, allocation[:, 0], 0.15, 2))
    grid = [[a, b, c, 430 - a - b - c] for a in range(102, 116) for b in range(102, 116) for c in range(102, 116)]
    allowed = np.array([point for point in grid if 102 <= point[3] <= 115], dtype=float)
    least = min(worst_deficit(made.spend, point[:, None], deviation=0.15, share=0.5) for point in allowed)
    assert value <= least + 1e-9


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("level", [0.5, 0.75])
def test_the_programme_minimises_the_mean_of_the_worst_draws(seed, level):
    made = given(seed)
    allocation, value = solve(made, "tail_deficit", {"level": level}, {})
    assert value == pytest.approx(tail_deficit(made.spend_draws, allocation, level=level))
    rng = np.random.default_rng(seed)
    for _ in range(300):
        other = rng.dirichlet(np.full(4, 50.0))[:, None] * 430
        assert tail_deficit(made.spend_draws, other, level=level) >= value - 1e-9


def test_the_tail_of_ten_draws_at_80_per_cent_is_the_mean_of_the_worst_two():
    # one place with £100m, spends 101 to 110: deficits 1 to 10, the worst two are 9 and 10
    draws = np.arange(101.0, 111.0)[None, None, :]
    assert tail_deficit(draws, np.array([[100.0]]), level=0.8) == pytest.approx(9.5)
