"""The price of robustness: what a robust plan costs when nothing goes wrong, and what it saves when much does.

The nominal plan is solved under the same rules with gross deficit first and without the robust objectives; then both
plans are measured here without a programme: the worst case by sorting, the tail by averaging. Imports `plan`, `risk`,
`estimates`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from allocopt.plan import Plan, allocation_of
from allocopt.problem import Array, build
from allocopt.risk import draws
from allocopt.settings import ObjectiveSetting
from allocopt.solve.compiled import compile_problem
from allocopt.solve.stages import lexicographic
from allocopt.stress.estimates import GBP, Row
from allocopt.stress_inputs import Risk

ROBUST = ("worst_deficit", "tail_deficit")


def worst_deficit(spend: Array, allocation: Array, *, deviation: float, share: float) -> float:
    """Gross deficit when the worst floor(share x n) places spend `deviation` more; spend and allocation (n, T)."""
    number = int(share * len(spend) + 1e-9)
    plain = np.maximum(0.0, spend - allocation)
    more = np.sort(np.maximum(0.0, (1.0 + deviation) * spend - allocation) - plain, axis=0)
    return float(plain.sum() + more[len(more) - number :].sum())


def tail_deficit(spends: Array, allocation: Array, *, level: float) -> float:
    """Mean gross deficit of the worst draws of each year, beyond `level`; spends (n, T, K), allocation (n, T)."""
    totals = np.maximum(0.0, spends - allocation[:, :, None]).sum(axis=0)
    return float(sum(_tail(year, level) for year in totals))


def _tail(totals: Array, level: float) -> float:
    """min over t of t + mean(max(0, total - t)) / (1 - level): convex and straight between the totals."""
    excess = np.maximum(0.0, totals[None, :] - totals[:, None]).mean(axis=1)
    return float((totals + excess / (1.0 - level)).min())


def is_robust(plan: Plan) -> bool:
    """True when the scenario pursues a robust objective."""
    return any(objective.name in ROBUST for objective, _ in plan.programme.objectives)


def nominal_allocation(plan: Plan) -> Array:
    """The allocation (n, T) of the nominal plan, GBP million."""
    scenario = plan.facts.loaded.scenario
    rest = [one for one in scenario.objectives if one.name not in (*ROBUST, "gross_deficit")]
    objectives = [ObjectiveSetting(name="gross_deficit"), *rest]
    programme = build(plan.facts.situation, plan.model, rules=scenario.rules, objectives=objectives)
    compiled = compile_problem(programme)
    pot = float(plan.facts.situation.pot.max())
    values, _ = lexicographic(compiled, [one for one, _ in programme.objectives], solver=scenario.solver, pot=pot)
    return allocation_of(compiled, plan.facts.situation, values)


def measured(plan: Plan, allocation: Array) -> dict[str, float]:
    """Gross deficit and each robust objective of the scenario at an allocation (n, T), GBP million."""
    situation = plan.facts.situation
    assert situation.spend is not None
    found = {"gross_deficit": float(np.maximum(0.0, situation.spend - allocation).sum())}
    for objective, setting in plan.programme.objectives:
        if objective.name in ROBUST:
            found[objective.name] = _value(objective.name, _said(objective.parameters, setting), situation, allocation)
    return found


def _said(parameters: Mapping[str, Any], setting: ObjectiveSetting) -> dict[str, float]:
    return {name: setting.parameters.get(name, one.default) for name, one in parameters.items()}


def _value(name: str, said: dict[str, float], situation: Any, allocation: Array) -> float:
    if name == "worst_deficit":
        return worst_deficit(situation.spend, allocation, **said)
    spends = situation.spend[:, :, None] if situation.spend_draws is None else situation.spend_draws
    return tail_deficit(spends, allocation, **said)


def rows_of(plan: Plan, risk: Risk, *, fresh_draws: int) -> Iterator[Row]:
    """Each measure at the robust and at the nominal plan: the price is what gross deficit gains, the rest is saved.

    The tail is also measured on `fresh_draws`, which neither plan has seen.
    """
    other = nominal_allocation(plan)
    robust, nominal = measured(plan, plan.allocation), measured(plan, other)
    for objective, setting in plan.programme.objectives:
        if objective.name == "tail_deficit":
            level = _said(objective.parameters, setting)["level"]
            fresh = _fresh(plan, risk, fresh_draws)
            robust["tail_deficit_on_fresh_draws"] = tail_deficit(fresh, plan.allocation, level=level)
            nominal["tail_deficit_on_fresh_draws"] = tail_deficit(fresh, other, level=level)
    for measure, value in robust.items():
        yield Row("robustness", "place", measure, "robust_plan", GBP, value)
        yield Row("robustness", "place", measure, "nominal_plan", GBP, nominal[measure])
    yield from _differences(robust, nominal, [name for name in robust if name != "gross_deficit"])


def _fresh(plan: Plan, risk: Risk, count: int) -> Array:
    """(n, T, count) draws of spend after those that the plan was made for."""
    seen = plan.facts.situation.spend_draws
    first = 1 + (0 if seen is None else seen.shape[2])
    distance = draws(risk.model, risk.exposure, seed=risk.seed, first=first, count=count)
    return np.asarray(risk.base[:, :, None] * (1.0 + distance.T[:, None, :]))


def _differences(robust: dict[str, float], nominal: dict[str, float], names: Sequence[str]) -> Iterator[Row]:
    price = robust["gross_deficit"] - nominal["gross_deficit"]
    yield Row("robustness", "place", "price_of_robustness", "value", GBP, price)
    for name in names:
        yield Row("robustness", "place", f"saved_{name}", "value", GBP, nominal[name] - robust[name])
