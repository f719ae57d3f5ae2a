"""One solve of a programme with whole-number columns: the best point found and a proven bound, both from HiGHS.

The bound of a branch and bound is the solver's own (`by: highs`). Imports `compiled`, `highs` and `errors`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import highspy
import numpy as np

from allocopt.errors import Infeasible, Stopped, Unbounded
from allocopt.problem import Array
from allocopt.solve.compiled import Compiled
from allocopt.solve.highs import as_lp

_OPTIONS = (("output_flag", False), ("threads", 1), ("random_seed", 1))
_SAME = 1e-9
"""Two values of an objective that are one."""


@dataclass(frozen=True)
class Effort:
    """How far to go: stop at a relative or absolute gap, a number of nodes, or seconds; `interior` for a large
    relaxation; `doubt` where the bound is told: a start that is returned as the optimum is looked at again;
    without `presolve` where limits meet by a hair's breadth; `tolerance` of rows and whole numbers.
    """

    gap: float = 0.0
    gap_absolute: float = 1e-9
    nodes: int | None = None
    seconds: float = float("inf")
    interior: bool = False
    doubt: bool = False
    presolve: bool = True
    tolerance: float = 1e-7


@dataclass(frozen=True)
class IntegerPoint:
    """The best point (n,), whole where it must be, the solver's bound, and whether the gap asked was reached."""

    values: Array
    bound: float
    optimal: bool
    prices: Array
    """(m,) row prices of a relaxation, zeros otherwise"""


def minimise_whole(
    compiled: Compiled, cost: Array, *, effort: Effort, start: Array | None = None, relaxed: bool = False
) -> IntegerPoint:
    """The cheapest point with whole columns whole (`relaxed`: ignoring that). Raises Infeasible, Unbounded or
    Stopped.
    """
    highs = _solved(compiled, cost, effort, start=start, relaxed=relaxed)
    whole = not relaxed and bool(compiled.integer.any())
    if start is not None and _claims_optimum(highs):
        if _lost(highs, cost, start, effort):
            highs = _solved(compiled, cost, replace(effort, presolve=False), relaxed=relaxed)
        elif effort.doubt and whole and _is_start(highs, compiled, cost, start, effort):
            return _second_look(compiled, cost, effort, _read(highs, compiled, relaxed=False))
    return _read(highs, compiled, relaxed=not whole)


def _solved(
    compiled: Compiled,
    cost: Array,
    effort: Effort,
    *,
    start: Array | None = None,
    relaxed: bool = False,
) -> highspy.Highs:
    highs = highspy.Highs()
    options: list[tuple[str, bool | int | float | str]] = [*_OPTIONS, ("time_limit", effort.seconds)]
    options += [("mip_rel_gap", effort.gap), ("mip_abs_gap", effort.gap_absolute)]
    options += [("mip_feasibility_tolerance", effort.tolerance)]
    options += [] if effort.presolve else [("presolve", "off")]
    if effort.nodes is not None:
        options.append(("mip_max_nodes", effort.nodes))
    if effort.interior and relaxed:
        options.append(("solver", "ipm"))
    for option, value in options:
        highs.setOptionValue(option, value)
    lp = as_lp(compiled, cost)
    if relaxed:
        lp.integrality_ = []
    highs.passModel(lp)
    if start is not None:
        solution = highspy.HighsSolution()
        solution.col_value = start.tolist()
        highs.setSolution(solution)
    highs.run()
    return highs


def _lost(highs: highspy.Highs, cost: Array, start: Array, effort: Effort) -> bool:
    """Whether presolve threw plans away by a hair's breadth: all but the start, or the start itself."""
    info, value = highs.getInfo(), float(cost @ start)
    worse = info.objective_function_value > value + max(_SAME, _SAME * abs(value), effort.gap_absolute)
    return not np.isfinite(info.mip_dual_bound) or (effort.doubt and worse)


def _is_start(highs: highspy.Highs, compiled: Compiled, cost: Array, start: Array, effort: Effort) -> bool:
    """Whether the solver came back with no more than its start, and that is not plainly the least there can be."""
    value, up, down = float(cost @ start), cost > 0, cost < 0
    least = float(cost[up] @ compiled.column_lower[up] + cost[down] @ compiled.column_upper[down])
    better = highs.getInfo().objective_function_value < value - max(_SAME, effort.gap_absolute)
    return not better and value > least + max(_SAME, effort.gap_absolute)


def _second_look(compiled: Compiled, cost: Array, effort: Effort, first: IntegerPoint) -> IntegerPoint:
    """The better of the start and what is found without it, with the bound that does not rest on the start.

    HiGHS 1.15.1 at times calls a start optimal of which it could find a better one without being given any.
    """
    for one in (effort, replace(effort, presolve=False)):
        try:
            second = _read(_solved(compiled, cost, one), compiled, relaxed=False)
        except Infeasible:
            continue  # it has a point: presolve is mistaken by a hair's breadth
        except Stopped:
            break
        best = second if float(cost @ second.values) < float(cost @ first.values) else first
        return replace(best, bound=second.bound, optimal=second.optimal)
    return replace(first, bound=-np.inf, optimal=False)


def _claims_optimum(highs: highspy.Highs) -> bool:
    return bool(highs.getModelStatus() == highspy.HighsModelStatus.kOptimal)


def _read(highs: highspy.Highs, compiled: Compiled, *, relaxed: bool) -> IntegerPoint:
    status = highs.getModelStatus()
    if status in (highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible):
        raise Infeasible("no grouping obeys every rule")
    if status == highspy.HighsModelStatus.kUnbounded:
        raise Unbounded("the objective can improve for ever: a rule that limits it is missing")
    solution, info = highs.getSolution(), highs.getInfo()
    if not solution.value_valid or not np.isfinite(info.objective_function_value):
        raise Stopped(f"the solver stopped without a plan: {highs.modelStatusToString(status)}")
    values = np.array(solution.col_value)
    if not relaxed:
        values = np.where(compiled.integer, np.round(values), values)
    bound = info.objective_function_value if relaxed else info.mip_dual_bound
    prices = np.array(solution.row_dual) if relaxed and solution.dual_valid else np.zeros(compiled.matrix.shape[0])
    return IntegerPoint(values, float(bound), status == highspy.HighsModelStatus.kOptimal, prices)
