"""The least of one objective at every level of another: a frontier of proven points, in one command.

    y*(c) = min y(v)   subject to   x(v) <= c,  v obeys every rule

is convex and falls as c grows. The levels lie evenly from the least x to the x that the least y needs; every point is
a programme of its own whose bound is proved by weak duality, all on one compiled programme, each starting from the
answers before it. Each point's plan and prices are kept, so that `verify` proves it again. Imports `certificates` and
below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from allocopt.certificates import Kept
from allocopt.errors import Problem as Fault
from allocopt.errors import ScenarioFault
from allocopt.model import Model, Objective
from allocopt.plan import Plan
from allocopt.problem import Array
from allocopt.settings import Frontier, ObjectiveSetting
from allocopt.solve.at_once import built
from allocopt.solve.certificate import dual_bound
from allocopt.solve.compiled import Compiled
from allocopt.solve.method import Method
from allocopt.solve.stages import TINY, stage_slack

COLUMNS = ("frontier", "point", "objective", "unit", "limit", "value", "bound", "gap", "proven", "by", "method")


@dataclass(frozen=True)
class _Best:
    """One solved programme, everything as minimised: where y came to, what is proved, the point and its prices."""

    value: float
    bound: float
    values: Array
    method: str
    kept: Kept


def frontier_table(plan: Plan, *, tell: Callable[[str], None]) -> tuple[pd.DataFrame, dict[str, Kept]] | None:
    """Two rows a point, for x and for y, and what proves each point, by its name in certificate.npz.

    Of x: `limit` is the level c and `value` what the plan has. Of y: `value` is y*(c), `bound` its proof. Money GBP m.
    None when the scenario asks for no frontier. Raises ScenarioFault.
    """
    asked = plan.facts.loaded.scenario.frontier
    if not asked:
        return None
    tell("tracing the frontier")
    compiled, objectives = _compiled(plan, asked)
    traced = _Tracer(plan, compiled, objectives)
    table = pd.DataFrame([row for one in asked for row in traced.rows(one)], columns=list(COLUMNS))
    return table, traced.kept


def frontier_record(table: pd.DataFrame, *, modelled_spend: bool) -> list[dict[str, object]]:
    """What run.json says of each frontier: how many points, whether all are proven, and in words."""
    said: list[dict[str, object]] = []
    for name, part in table.groupby("frontier", sort=False):
        y = part[part["limit"].isna()]
        words = f"{name}: {len(y)} points, {int(y['proven'].sum())} proven"
        note = "; deficits rest on modelled spend" if modelled_spend and "gross_deficit" in str(name) else ""
        said.append({"name": name, "points": len(y), "proven": bool(y["proven"].all()), "words": words + note})
    return said


def _compiled(plan: Plan, asked: Sequence[Frontier]) -> tuple[Compiled, tuple[Objective, ...]]:
    """The plan's programme, built again with more objectives where a frontier names one that the plan has not."""
    _check_names(plan, asked)
    here = [one.name for one, _ in plan.programme.objectives]
    wanted = [name for one in asked for name in (one.x, one.y)]
    more = [name for name in dict.fromkeys(wanted) if name not in here]
    if not more:
        return plan.compiled, tuple(one for one, _ in plan.programme.objectives)
    scenario = plan.facts.loaded.scenario
    settings = [*scenario.objectives, *(ObjectiveSetting(name=name) for name in more)]
    programme, compiled = built(plan.facts.situation, plan.model, rules=scenario.rules, objectives=settings)
    return compiled, tuple(one for one, _ in programme.objectives)


def _check_names(plan: Plan, asked: Sequence[Frontier]) -> None:
    names = [one.name for one in plan.model.objectives if not _needs_more(plan.model, one.name)]
    problems = []
    for number, one in enumerate(asked):
        for key, name in (("x", one.x), ("y", one.y)):
            if name not in names:
                said = f"model {plan.model.name} has no objective '{name}' that needs no parameters"
                problems.append(Fault(said, f"name one of {', '.join(names)}", f"frontier.{number}.{key}"))
            elif plan.model.objective(name).needs_spend and plan.facts.spend is None:
                said = f"{name} needs expected spend and the scenario has none"
                problems.append(Fault(said, "say `inputs.spend`", f"frontier.{number}.{key}"))
    if problems:
        raise ScenarioFault("the frontier cannot be traced", tuple(problems))


def _needs_more(model: Model, name: str) -> bool:
    return any(parameter.required for parameter in model.objective(name).parameters.values())


class _Tracer:
    """Solves the points of one compiled programme, each from the answers before it."""

    def __init__(self, plan: Plan, compiled: Compiled, objectives: tuple[Objective, ...]) -> None:
        self.compiled, self.objectives = compiled, objectives
        self.solver, self.pot = plan.facts.loaded.scenario.solver, float(plan.facts.situation.pot.max())
        self._method = Method(compiled)
        self._number = {one.name: number for number, one in enumerate(objectives)}
        self.kept = dict[str, Kept]()

    def rows(self, asked: Frontier) -> list[tuple[object, ...]]:
        """The rows of one frontier, the least x first."""
        x, y = self._number[asked.x], self._number[asked.y]
        made: list[tuple[object, ...]] = []
        for point, limit in enumerate(self._levels(x, y, asked.points)):
            found = self._best(y, below=(x, limit))
            name = f"{asked.y} against {asked.x}"
            self.kept[f"frontier.{name}.{point}"] = found.kept
            made += [self._x_row(name, point, x, limit, found), self._y_row(name, point, y, found)]
        return made

    def _levels(self, x: int, y: int, points: int) -> Array:
        """Levels of x from its least (with the slack that stages leave) to what the least y needs."""
        least = self._best(x)
        start = least.value + self._slack(x, least.value)
        lowest = self._best(y)
        end = self._best(x, below=(y, lowest.value + self._slack(y, lowest.value))).value
        return np.linspace(start, max(start, end), points)

    def _slack(self, number: int, value: float) -> float:
        return stage_slack(self.objectives[number], value, self.solver)

    def _best(self, number: int, *, below: tuple[int, float] | None = None) -> _Best:
        compiled, current = self.compiled, self.compiled
        if below is not None:
            of, limit = below
            most = limit - compiled.offsets[of]
            current = compiled.with_row(
                f"level_{self.objectives[of].name}", compiled.costs[of], lower=-np.inf, upper=most
            )
        cost, offset = compiled.costs[number], float(compiled.offsets[number])
        point = self._method.minimise(current, cost, time_limit=self.solver.time_limit)
        bound = dual_bound(current, cost, point.prices) + offset
        value = float(np.sum(cost * point.values)) + offset
        return _Best(value, bound, point.values, point.method, Kept.of(current, point.prices, point.values))

    def _x_row(self, name: str, point: int, x: int, limit: float, found: _Best) -> tuple[object, ...]:
        sense, unit = self.compiled.sense[x], self.objectives[x].unit
        value = float(np.sum(self.compiled.costs[x] * found.values)) + float(self.compiled.offsets[x])
        said = (sense * limit, sense * value, np.nan, np.nan, True, "limit", found.method)
        return (name, point, self.objectives[x].name, unit, *said)

    def _y_row(self, name: str, point: int, y: int, found: _Best) -> tuple[object, ...]:
        sense, objective = self.compiled.sense[y], self.objectives[y]
        bound = max(found.bound, 0.0) if sense == 1 and objective.is_money else found.bound
        gap = abs(found.value - bound) / max(abs(found.value), TINY)
        close = objective.is_money and abs(found.value - bound) <= 1e-9 * self.pot
        said = (np.nan, sense * found.value, sense * bound, gap, bool(gap <= self.solver.gap or close), "weak duality")
        return (name, point, objective.name, objective.unit, *said, found.method)
