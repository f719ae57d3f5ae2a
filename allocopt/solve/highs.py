"""One solve with HiGHS through highspy: matrices in, a point, its prices and an honest status out.

Imports `compiled` and `errors`. The solver runs with one thread, so that the same input gives the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import highspy
import numpy as np

from allocopt.errors import Infeasible, Stopped, Unbounded
from allocopt.problem import Array
from allocopt.solve.compiled import Compiled

_OPTIONS = (
    ("output_flag", False),
    ("threads", 1),
    ("primal_feasibility_tolerance", 1e-9),
    ("dual_feasibility_tolerance", 1e-9),
)


@dataclass(frozen=True)
class Point:
    """Where the solver stopped: `values` (n,), row `prices` (m,) of an LP, and whether it claims an optimum."""

    values: Array
    prices: Array
    optimal: bool
    method: str
    answers: tuple[Array, ...] = ()
    """Of a point that was mixed from answers of the chains: those answers (n,)"""


def minimise(compiled: Compiled, cost: Array, *, time_limit: float) -> Point:
    """The cheapest point of a programme; `cost` (n,). Raises Infeasible, Unbounded or Stopped (no point at all).

    Every stage is passed afresh: presolve removes the limits on single places, which a warm start would carry along
    (measured on the national programme: 0.9 s for three stages against 6 s).
    """
    highs = highspy.Highs()
    for option, value in (*_OPTIONS, ("time_limit", float(time_limit))):
        highs.setOptionValue(option, value)
    highs.passModel(as_lp(compiled, cost))
    highs.run()
    return _point(highs)


def interior_prices(compiled: Compiled, cost: Array) -> Array:
    """Row prices (m,) of the relaxation by an interior method, for programmes too large for a simplex method.

    They are as good as the method's tolerance; what they prove is told by weak duality. Raises Infeasible or Stopped.
    """
    highs = highspy.Highs()
    for option, value in (*_OPTIONS[:2], ("solver", "ipm"), ("run_crossover", "off")):
        highs.setOptionValue(option, value)
    lp = as_lp(compiled, cost)
    lp.integrality_ = []
    highs.passModel(lp)
    highs.run()
    status, solution = highs.getModelStatus(), highs.getSolution()
    if status == highspy.HighsModelStatus.kInfeasible:
        raise Infeasible("no plan obeys every rule")
    if not solution.dual_valid:
        raise Stopped(f"the solver stopped without prices ({highs.modelStatusToString(status).lower()})")
    return np.array(solution.row_dual)


def _point(highs: highspy.Highs) -> Point:
    status = highs.getModelStatus()
    refused = status == highspy.HighsModelStatus.kInfeasible and not len(highs.getLp().integrality_)
    if refused or status == highspy.HighsModelStatus.kUnboundedOrInfeasible:
        # presolve alone cannot say which of the two it is, and at our tolerances it calls limits infeasible that just
        # meet: 192 allocations that are determined one by one and add up to the pot to the last digit
        highs.setOptionValue("presolve", "off")
        highs.run()
        status = highs.getModelStatus()
    if status == highspy.HighsModelStatus.kInfeasible:
        raise Infeasible("no allocation obeys every rule")
    if status == highspy.HighsModelStatus.kUnbounded:
        raise Unbounded("the objective can improve for ever: a rule that limits it is missing")
    solution = highs.getSolution()
    if highs.getInfo().primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        said = highs.modelStatusToString(status).lower()
        raise Stopped(f"the solver stopped without a plan ({said}): give it more time, --set solver.time_limit=600s")
    return Point(
        values=np.array(solution.col_value),
        prices=np.array(solution.row_dual) if solution.dual_valid else np.zeros(highs.getNumRow()),
        optimal=status == highspy.HighsModelStatus.kOptimal,
        method="highs simplex",
    )


def as_lp(compiled: Compiled, cost: Array) -> highspy.HighsLp:
    """The programme with one cost row as HiGHS takes it."""
    lp = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = compiled.matrix.shape
    lp.col_cost_ = cost
    lp.col_lower_, lp.col_upper_ = compiled.column_lower, compiled.column_upper
    lp.row_lower_, lp.row_upper_ = compiled.row_lower, compiled.row_upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = compiled.matrix.indptr.astype(np.int32)
    lp.a_matrix_.index_ = compiled.matrix.indices.astype(np.int32)
    lp.a_matrix_.value_ = compiled.matrix.data
    if compiled.integer.any():
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        lp.integrality_ = [kinds[int(flag)] for flag in compiled.integer]
    return lp
