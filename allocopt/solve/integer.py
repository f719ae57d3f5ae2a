"""One solve of a programme with whole-number columns: the best point found and a proven bound, both from HiGHS.

The bound of a branch and bound is the solver's own (`by: highs`). Imports `compiled`, `highs` and `errors`.
"""

from __future__ import annotations

from dataclasses import dataclass

import highspy
import numpy as np

from allocopt.errors import Infeasible, Stopped, Unbounded
from allocopt.problem import Array
from allocopt.solve.compiled import Compiled
from allocopt.solve.highs import as_lp

_OPTIONS = (("output_flag", False), ("threads", 1), ("mip_feasibility_tolerance", 1e-7), ("random_seed", 1))


@dataclass(frozen=True)
class Effort:
    """How far to go: stop at a relative or absolute gap, a number of nodes, or seconds; `interior` for a large
    relaxation.
    """

    gap: float = 0.0
    gap_absolute: float = 1e-9
    nodes: int | None = None
    seconds: float = float("inf")
    interior: bool = False


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
    highs = highspy.Highs()
    options: list[tuple[str, bool | int | float | str]] = [*_OPTIONS, ("time_limit", effort.seconds)]
    options += [("mip_rel_gap", effort.gap), ("mip_abs_gap", effort.gap_absolute)]
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
    if start is not None and not np.isfinite(highs.getInfo().mip_dual_bound) and _claims_optimum(highs):
        highs.clearSolver()
        highs.setOptionValue("presolve", "off")  # presolve threw away all but the start by a hair's breadth
        highs.run()
    return _read(highs, compiled, relaxed=relaxed or not compiled.integer.any())


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
