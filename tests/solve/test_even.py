"""Of equally good plans the most even one: against a solver that knows no structure, and equals treated equally."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import Bounds, minimize
from situations import on, situation

from allocopt.model import load_model
from allocopt.problem import Situation, build
from allocopt.settings import ObjectiveSetting, Solver
from allocopt.solve.certificate import largest_violation
from allocopt.solve.compiled import Compiled, compile_problem
from allocopt.solve.even import Evened, evened
from allocopt.solve.stages import capped, lexicographic

RULES = on(growth_floor={"rate": 0.0}, growth_ceiling={"rate": 0.09}, no_further_under_target={})
ORDER = ["gross_deficit", "shortfall_below_target", "movement"]


def reference_and_weight(given: Situation) -> tuple[np.ndarray, np.ndarray]:
    return given.baseline * given.pot[0] / given.baseline.sum(), 1 / given.baseline


def most_even(given: Situation, order: list[str] = ORDER) -> tuple[Evened, Compiled, Compiled]:
    model = load_model("pace_of_change")
    problem = build(given, model, rules=RULES, objectives=[ObjectiveSetting(name=name) for name in order])
    compiled = compile_problem(problem)
    objectives = [model.objective(name) for name in order]
    _, stages = lexicographic(compiled, objectives, solver=Solver(), pot=float(given.pot[0]))
    current = capped(compiled, stages, keep_last=False)
    reference, weight = reference_and_weight(given)
    found = evened(compiled, current, reference=reference, weight=weight)
    assert found is not None
    return found, compiled, current


def spread(values: np.ndarray, given: Situation) -> float:
    reference, weight = reference_and_weight(given)
    return float(0.5 * np.sum(weight * (values - reference) ** 2))


def quadratic(current: Compiled, given: Situation) -> np.ndarray:
    """The same programme by sequential least squares, which knows nothing of blocks or prices."""
    columns = current.columns_of("allocation")
    reference, weight = reference_and_weight(given)
    matrix = current.matrix.toarray()
    equal = current.row_lower == current.row_upper
    low, high = np.isfinite(current.row_lower) & ~equal, np.isfinite(current.row_upper) & ~equal
    rows = np.vstack([matrix[low], -matrix[high]])
    sides = np.concatenate([current.row_lower[low], -current.row_upper[high]])

    def fall(z: np.ndarray) -> tuple[float, np.ndarray]:
        slope = np.zeros(len(z))
        slope[columns] = weight * (z[columns] - reference)
        return spread(z[columns], given), slope

    start = np.zeros(matrix.shape[1])
    start[columns] = reference
    constraints = [
        {"type": "eq", "fun": lambda z: matrix[equal] @ z - current.row_lower[equal], "jac": lambda _z: matrix[equal]},
        {"type": "ineq", "fun": lambda z: rows @ z - sides, "jac": lambda _z: rows},
    ]
    bounds = Bounds(current.column_lower, current.column_upper)
    options = {"maxiter": 500, "ftol": 1e-13}
    done = minimize(fall, start, jac=True, method="SLSQP", bounds=bounds, constraints=constraints, options=options)
    assert done.success, done.message
    return np.asarray(done.x)[columns]


def random_situation(seed: int) -> Situation:
    chance = np.random.default_rng(seed)
    baseline = chance.uniform(50, 150, 8)
    weight = baseline * chance.uniform(0.9, 1.1, 8)
    pot = 1.05 * baseline.sum()
    spend = pot * weight / weight.sum() * chance.uniform(0.85, 1.15, 8)
    return situation(pot=round(pot, 6), baseline=baseline, weight=weight, spend=spend)


@pytest.mark.parametrize("seed", range(8))
def test_the_most_even_plan_is_that_of_another_solver(seed: int) -> None:
    given = random_situation(seed)
    found, compiled, current = most_even(given)
    ours = found.values[compiled.columns_of("allocation")]
    assert largest_violation(current, found.values) < 1e-6
    assert found.gap < 1e-10
    assert spread(ours, given) <= spread(quadratic(current, given), given) + 1e-6
    assert ours == pytest.approx(quadratic(current, given), abs=1e-3)


def test_equals_are_treated_equally() -> None:
    # B, C and D are alike and need 110 each; A keeps 100, so 420 - 100 = 320 is shared: 106.67 each, not 110, 110, 100
    given = situation(pot=420, baseline=[100] * 4, weight=[90, 110, 110, 110], spend=[90, 110, 110, 110])
    found, compiled, _ = most_even(given, ["shortfall_below_target"])
    allocation = found.values[compiled.columns_of("allocation")]
    assert allocation == pytest.approx([100, 320 / 3, 320 / 3, 320 / 3], abs=2e-3)


def test_a_path_over_years_is_left_as_it_is() -> None:
    given = random_situation(1)
    two = Situation(
        places=given.places,
        years=("2019-20", "2020-21"),
        pot=np.repeat(given.pot, 2),
        baseline=given.baseline,
        target=np.repeat(given.target, 2, axis=1),
        population=np.repeat(given.population, 2, axis=1),
        spend=np.repeat(given.spend, 2, axis=1),
    )
    compiled = compile_problem(
        build(two, load_model("pace_of_change"), rules=RULES, objectives=[ObjectiveSetting(name="movement")])
    )
    assert evened(compiled, compiled, reference=np.ones(16), weight=np.ones(16)) is None
