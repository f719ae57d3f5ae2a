"""The search of large groupings on small ones: legal, never below its bound, the same for the same seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from grouping_cases import checked, task

from allocopt.check.grouping import broken_rules, objectives
from allocopt.grouping import solution
from allocopt.grouping.instance import Instance, on_sphere, possible_pairs
from allocopt.grouping.travel import travel_bound
from allocopt.settings import Solver

SHORT = Solver(gap="1%", time_limit="1s")  # type: ignore[arg-type]


def town(n: int = 60, *, declared: bool = True, **settings: dict[str, object]) -> tuple[Instance, np.ndarray]:
    """n places in a square of about 20 km, every tenth a hub."""
    draw = np.random.default_rng(3)
    where = np.column_stack([52 + 0.2 * draw.random(n), 0.3 * draw.random(n)])
    budget = draw.integers(5, 20, n).astype(float)
    instance = Instance(
        places=tuple(f"P{number:02d}" for number in range(n)),
        population=draw.integers(40, 120, n) * 100.0,
        budget=budget,
        spend=np.round(budget * (1 + 0.15 * draw.standard_normal(n)), 3),
        area=("all",) * n,
        may_hub=np.arange(n) % 10 == 0 if declared else np.ones(n, dtype=bool),
        declared=declared,
        position=on_sphere(where[:, 0], where[:, 1]),
        settings=settings,
    )
    return instance, where


@pytest.fixture
def searched(monkeypatch):
    """Every grouping is searched, however small."""
    monkeypatch.setattr(solution, "EXACT_PAIRS", 0)
    monkeypatch.setattr(solution, "CONTIGUOUS_PAIRS", 0)


@pytest.mark.parametrize(
    ("declared", "settings"),
    [
        (True, {"reach": {"max": 15.0}}),
        (True, {"reach": {"max": 15.0}, "balance_band": {"max": 0.05}}),
        (True, {"contiguity": {"graph": "delaunay"}}),
        (False, {"reach": {"max": 12.0}, "population_window": {"min": 50_000.0, "max": 200_000.0}}),
    ],
)
@pytest.mark.usefixtures("searched")
def test_a_searched_plan_is_legal_and_not_below_its_bound(declared, settings):
    instance, where = town(declared=declared, **settings)
    found = solution.solve_grouping(task(instance, ["gross_deficit", "travel"], solver=SHORT, exempt="least"))
    plan = replace(checked(found.instance, where, found.hub))
    assert not broken_rules(plan)
    assert not found.exemptions
    deficit, travel = found.stages
    assert deficit.bound <= deficit.value + 1e-9 <= deficit.cap + 1e-9
    assert objectives(plan)["gross_deficit"] == pytest.approx(deficit.final_value, abs=1e-9)
    assert deficit.final_value <= deficit.cap + 1e-6
    assert travel.bound <= travel.value + 1e-9


@pytest.mark.usefixtures("searched")
def test_the_same_seed_gives_the_same_plan():
    instance, _ = town(reach={"max": 15.0})
    plans = [
        solution.solve_grouping(task(instance, ["gross_deficit", "travel"], solver=SHORT, deterministic=True)).hub
        for _ in range(2)
    ]
    assert (plans[0] == plans[1]).all()


def test_the_bound_on_travel_is_not_above_the_exact_optimum():
    instance, _ = town(n=40, reach={"max": 30.0})
    exact = solution.solve_grouping(task(instance, ["gross_deficit", "travel"], solver=SHORT))

    least = travel_bound(instance, possible_pairs(instance), exact.stages[0].cap)
    assert 0 < least <= exact.stages[1].value + 1e-9
