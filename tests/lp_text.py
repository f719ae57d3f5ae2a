"""A compiled programme as text that a person can read and a diff can show.

    minimise   movement:    gain[A,2019-20] + gain[B,2019-20]
    subject to growth_floor[A,2019-20]:  allocation[A,2019-20] >= 102
    bounds     0 <= allocation[A,2019-20] <= 315

Numbers have nine significant digits: a change in the last bits of a float is no change of a rule.
"""

from __future__ import annotations

import numpy as np

from allocopt.problem import Array
from allocopt.solve.compiled import Compiled, written


def as_lp_text(compiled: Compiled, *, components: set[str], objectives: dict[str, int]) -> str:
    """The rows of some components, some objectives (name -> position) and the bounds of the columns that these use."""
    rows = [row for row, (component, _) in enumerate(compiled.rows) if component in components]
    used = np.zeros(compiled.matrix.shape[1], dtype=bool)
    used[compiled.matrix[rows].indices] = True
    for number in objectives.values():
        used |= compiled.costs[number] != 0
    lines = [f"{name}: {_goal(compiled, number)}" for name, number in objectives.items()]
    lines += ["subject to", *(f"  {_row(compiled, row)}" for row in rows)]
    lines += ["bounds", *(f"  {_bounds(compiled, column)}" for column in np.flatnonzero(used))]
    return "\n".join(lines) + "\n"


def _goal(compiled: Compiled, number: int) -> str:
    sense = compiled.sense[number]
    constant = sense * compiled.offsets[number]
    said = _sum(compiled, sense * compiled.costs[number]) + (f" + {_number(constant)}" if constant else "")
    return f"{'minimise' if sense == 1 else 'maximise'}  {said}"


def _row(compiled: Compiled, row: int) -> str:
    said = f"{compiled.row_names[row]}:  {_sum(compiled, compiled.matrix[[row]].toarray()[0])}"
    least, most = compiled.row_lower[row], compiled.row_upper[row]
    if least == most:
        return f"{said} = {_number(least)}"
    return f"{said} >= {_number(least)}" if np.isfinite(least) else f"{said} <= {_number(most)}"


def _sum(compiled: Compiled, coefficients: Array) -> str:
    terms = [f"{_times(coefficients[j])}{written(*compiled.columns[j])}" for j in np.flatnonzero(coefficients)]
    return " ".join(terms).removeprefix("+ ") or "0"


def _times(coefficient: float) -> str:
    size = "" if abs(coefficient) == 1 else f"{_number(abs(coefficient))} "
    return f"{'-' if coefficient < 0 else '+'} {size}"


def _bounds(compiled: Compiled, column: int) -> str:
    least, most = compiled.column_lower[column], compiled.column_upper[column]
    kind = "  whole number" if compiled.integer[column] else ""
    return f"{_number(least)} <= {written(*compiled.columns[column])} <= {_number(most)}{kind}"


def _number(value: float) -> str:
    return f"{value + 0.0:.9g}"
