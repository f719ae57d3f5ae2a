"""Proof of a bound without the solver: weak duality on the compiled matrices.

For any row prices y, every x that obeys L <= A x <= U and l <= x <= u has

    c x  >=  sum_i (y_i > 0 ? y_i L_i : y_i U_i)  +  sum_j (d_j > 0 ? d_j l_j : d_j u_j),   d = c - A' y

so the right-hand side, computed here in floating point from the dual vector, is a bound whatever the solver did.
Imports `compiled` alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from allocopt.problem import Array
from allocopt.solve.compiled import Compiled

Flags = npt.NDArray[np.bool_]


def dual_bound(compiled: Compiled, cost: Array, prices: Array) -> float:
    """The lower bound on `cost @ x` that the row prices prove; -inf when they prove none.

    `cost` (n,), `prices` (m,) in the units of the objective per unit of the row. Prices that point at a missing
    side of a row are set to zero first, which keeps the bound valid.
    """
    usable = np.where((prices > 0) & np.isneginf(compiled.row_lower), 0.0, prices)
    usable = np.where((usable < 0) & np.isposinf(compiled.row_upper), 0.0, usable)
    reduced = cost - compiled.matrix.T @ usable
    return _least(usable, compiled.row_lower, compiled.row_upper) + _least(
        reduced, compiled.column_lower, compiled.column_upper
    )


def _least(slope: Array, lower: Array, upper: Array) -> float:
    """sum_i min over [lower_i, upper_i] of slope_i z_i."""
    at = np.where(slope > 0, lower, upper)
    used = slope != 0
    return float(np.sum(slope[used] * at[used]))


def largest_violation(compiled: Compiled, values: Array, *, rows: Flags | None = None) -> float:
    """How far x (n,) is from obeying its rows (of `rows` (m,) alone) and bounds, in the unit of the worst row."""
    activity = compiled.matrix @ values
    apart = np.maximum(compiled.row_lower - activity, activity - compiled.row_upper)
    parts = (
        apart if rows is None else apart[rows],
        compiled.column_lower - values,
        values - compiled.column_upper,
    )
    return float(max((part.max() for part in parts if part.size), default=0.0))
