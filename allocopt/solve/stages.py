"""Lexicographic objectives: one stage each, with an explicit cap row and a certificate of its own.

A finished stage leaves a cap (its value plus a small stated slack) to the next, so every stage is an LP of its own
whose bound is proved by weak duality on its own matrices. Imports `compiled`, `method`, `certificate`, `settings`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from allocopt.errors import Stopped
from allocopt.model import Objective
from allocopt.problem import Array
from allocopt.settings import Solver
from allocopt.solve.certificate import dual_bound
from allocopt.solve.compiled import Compiled
from allocopt.solve.highs import Point
from allocopt.solve.leximin import Levels, at_worst, continue_down, held
from allocopt.solve.method import Method

TINY = 1e-6
KEPT = 1e-6
"""Of a value: the accuracy of the proof that is asked for."""


@dataclass(frozen=True)
class Stage:
    """One objective, as far as it could be brought: everything in the objective's own unit and direction."""

    name: str
    unit: str
    value: float
    bound: float
    gap: float
    """|value - bound| / max(|value|, 1e-6)"""
    proven: bool
    by: str
    """How the bound was proved."""
    method: str
    prices: Array
    """Row prices of the stage's own programme: the model's rows, then one cap for each stage before."""
    cap: float
    """What later stages may not exceed (fall below, if maximised)."""
    levels: Levels | None = None
    """Of an objective that is continued below the worst place: what every place was brought to."""
    answers: tuple[Array, ...] = ()
    """Of a stage solved in rounds: the answers of the chains that its point was mixed from (see `solve.decompose`)"""
    final_value: float = np.nan
    """The objective at the finished plan."""

    @property
    def gap_gbp(self) -> float | None:
        """The gap in pounds, where the unit is money and there is a gap."""
        return abs(self.value - self.bound) * 1e6 if self.unit == "GBP m" and not np.isnan(self.gap) else None


def lexicographic(
    compiled: Compiled, objectives: Sequence[Objective], *, solver: Solver, pot: float
) -> tuple[Array, tuple[Stage, ...]]:
    """The last stage's point (n,) and every stage, in order.

    Raises Infeasible, Unbounded, or Stopped when the first stage stops without a point; a later stage that stops keeps
    the point of the stage before it and is marked as not proven.
    """
    current, stages, values = compiled, list[Stage](), np.zeros(compiled.matrix.shape[1])
    method = Method(compiled)
    for number, objective in enumerate(objectives):
        cost, offset, sense = compiled.costs[number], compiled.offsets[number], compiled.sense[number]
        point = _point(method, current, cost, solver, values if stages else None)
        values = point.values
        least, proven_least = total(cost, values), dual_bound(current, cost, point.prices)
        slack = stage_slack(objective, least + offset, solver)
        stages.append(
            _stage(
                objective, sense, least + offset, proven_least + offset, point.prices, slack, solver, pot, point.method
            )
        )
        stages[-1] = stages[-1] if number else replace(stages[-1], answers=point.answers)
        if objective.continued:
            levels = continue_down(current, worst=least, time_limit=solver.time_limit)
            current = held(current, levels.settled, slack=solver.slack)
            proven = stages[-1].proven and levels.complete
            stages[-1], method = replace(stages[-1], levels=levels, proven=proven), Method(current)
        current = current.with_row(f"cap_{objective.name}", cost, lower=-np.inf, upper=least + slack)
    if objectives and objectives[-1].continued:  # a point at its levels
        values = method.minimise(current, np.zeros(len(values)), time_limit=solver.time_limit).values
    values = at_worst(compiled, values)
    return values, at_plan(compiled, stages, values)


def capped(compiled: Compiled, stages: Sequence[Stage], *, keep_last: bool, within: float = KEPT) -> Compiled:
    """The programme with the caps of all its stages as further rows, in their order.

    With `keep_last` the last stage keeps all that it reached (to `within` of it, or a pound): no stage after it needs
    the slack.
    """
    for number, stage in enumerate(stages):
        last, sense = keep_last and number == len(stages) - 1, compiled.sense[number]
        kept = sense * stage.value + max(TINY, within * abs(stage.value)) if last else sense * stage.cap
        most = kept - compiled.offsets[number]
        compiled = compiled.with_row(f"cap_{stage.name}", compiled.costs[number], lower=-np.inf, upper=float(most))
    return compiled


def at_plan(compiled: Compiled, stages: Sequence[Stage], values: Array) -> tuple[Stage, ...]:
    """The stages with their objectives' values at a finished plan (n,)."""
    return tuple(_finished(stage, compiled, number, values) for number, stage in enumerate(stages))


def _point(method: Method, current: Compiled, cost: Array, solver: Solver, before: Array | None) -> Point:
    try:
        return method.minimise(current, cost, time_limit=solver.time_limit)
    except Stopped:
        if before is None:
            raise
        no_proof = np.zeros(current.matrix.shape[0])
        return Point(before, no_proof, optimal=False, method="stopped: the plan of the stage before")


def total(cost: Array, values: Array) -> float:
    """The cost of a point, summed in one order: a library's dot product depends on how many threads it takes."""
    return float(np.sum(cost * values))


def stage_slack(objective: Objective, value: float, solver: Solver) -> float:
    """What a stage leaves to the next: a share of its value, and for money at least a stated amount."""
    least = solver.slack_at_least if objective.is_money else 1e-9
    return max(solver.slack * abs(value), least)


def _stage(
    objective: Objective,
    sense: int,
    value: float,
    bound: float,
    prices: Array,
    slack: float,
    solver: Solver,
    pot: float,
    method: str,
) -> Stage:
    bound = max(bound, 0.0) if sense == 1 and (objective.is_money or objective.continued) else bound
    gap = abs(value - bound) / max(abs(value), TINY)
    close = abs(value - bound) <= 1e-9 * pot if objective.is_money else False
    return Stage(
        name=objective.name,
        unit=objective.unit,
        value=sense * value,
        bound=sense * bound,
        gap=gap,
        proven=bool(gap <= solver.gap or close),
        by="weak duality",
        method=method,
        prices=prices,
        cap=sense * (value + slack),
    )


def _finished(stage: Stage, compiled: Compiled, number: int, values: Array) -> Stage:
    final = compiled.sense[number] * (total(compiled.costs[number], values) + float(compiled.offsets[number]))
    return replace(stage, final_value=final)
