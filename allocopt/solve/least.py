"""A finished point with every positive part at the least that its definition asks.

The cap of a finished stage leaves room, and a later stage does not care whether the parts that made the earlier
objective up stay as small as they can: the solver may leave a deficit variable above the deficit of its allocation.
The objective of the plan is that of its allocations, so the parts are brought down to them. Imports `compiled`.
"""

from __future__ import annotations

import numpy as np

from allocopt.problem import Array
from allocopt.solve.compiled import Compiled, components

DEFINITION = "_definition"


def least_parts(compiled: Compiled, values: Array) -> Array:
    """The point (n,) with every column that rows of its own define from below at the least they allow.

    Parts that are defined by other parts follow them. A column that some other row wants large stays as it is.
    """
    settled = values.copy()
    rows = set(components(compiled.row_component))
    parts = [part for part in components(compiled.column_component) if f"{part}{DEFINITION}" in rows]
    for part in parts * min(2, len(parts)):
        _bring_down(compiled, part, settled)
    return settled


def _bring_down(compiled: Compiled, part: str, point: Array) -> None:
    columns = compiled.columns_of(part)
    own = compiled.row_component == f"{part}{DEFINITION}"
    body = compiled.matrix[:, columns].tocoo()
    row, column, size = *body.coords, body.data
    side = np.where(size > 0, compiled.row_lower[row], compiled.row_upper[row])
    defines = own[row] & np.isfinite(side)
    free = np.zeros(len(columns), dtype=bool)
    free[column[defines]] = True
    free[column[np.isfinite(side) & ~defines]] = False
    row, column, size, side = row[defines], column[defines], size[defines], side[defines]
    needed = (side - compiled.matrix[row] @ point) / size + point[columns[column]]
    least = compiled.column_lower[columns].copy()
    np.maximum.at(least, column, needed)
    point[columns[free]] = np.minimum(point[columns], least)[free]
