"""Small situations for tests, in GBP million."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from allocopt.model import Model, load_model
from allocopt.plan import allocation_of
from allocopt.problem import Array, Situation, build
from allocopt.settings import ObjectiveSetting, RuleSetting, Solver
from allocopt.solve.compiled import Compiled, compile_problem
from allocopt.solve.stages import Stage, lexicographic

NO_SLACK = Solver(slack="0%", slack_at_least="£0")


def situation(
    *, pot: float, baseline: Sequence[float], weight: Sequence[float], spend: Sequence[float] | None = None
) -> Situation:
    """One year; places A, B, C, ... whose targets share the pot by `weight`."""
    weights = np.array(weight, dtype=float)
    return Situation(
        places=tuple("ABCDEFGH"[: len(baseline)]),
        years=("2019-20",),
        pot=np.array([float(pot)]),
        baseline=np.array(baseline, dtype=float),
        target=(pot * weights / weights.sum())[:, None],
        population=np.full((len(baseline), 1), 1000.0),
        previous_population=np.full((len(baseline), 1), 1000.0),
        spend=None if spend is None else np.array(spend, dtype=float)[:, None],
    )


def on(**rules: Mapping[str, Any]) -> dict[str, RuleSetting]:
    """Rule settings from parameters as the engine holds them."""
    return {name: RuleSetting(parameters=dict(parameters)) for name, parameters in rules.items()}


def compiled_of(
    given: Situation,
    *,
    rules: Mapping[str, RuleSetting],
    objectives: Sequence[str],
    model: str | Model = "pace_of_change",
) -> Compiled:
    """The compiled programme of a situation."""
    chosen = load_model(model) if isinstance(model, str) else model
    return compile_problem(
        build(given, chosen, rules=rules, objectives=[ObjectiveSetting(name=one) for one in objectives])
    )


def solved(
    given: Situation,
    *,
    rules: Mapping[str, RuleSetting],
    objectives: Sequence[str],
    model: str = "pace_of_change",
    solver: Solver = NO_SLACK,
) -> tuple[Array, tuple[Stage, ...]]:
    """The allocation (n, T) and the stages; no slack between stages unless a solver is given."""
    compiled = compiled_of(given, rules=rules, objectives=objectives, model=model)
    aims = [load_model(model).objective(name) for name in objectives]
    values, stages = lexicographic(compiled, aims, solver=solver, pot=float(given.pot.max()))
    return allocation_of(compiled, given, values), stages
