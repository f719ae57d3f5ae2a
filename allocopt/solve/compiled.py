"""From a Pyomo model to sparse matrices with names, once. Everything clever works on them and never repeats a rule.

    minimise  c_k x        for each objective k in turn
    subject to  L <= A x <= U,  l <= x <= u

Imports `problem` and `errors`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler

from allocopt.errors import InputFault
from allocopt.problem import Array, paused_collector

SMALLEST, LARGEST = 1e-7, 1e7

Key = tuple[str, ...]


class HasModel(Protocol):
    """A built programme of any kind: something that holds a Pyomo model."""

    @property
    def pyomo(self) -> Any: ...


@dataclass(frozen=True)
class Compiled:
    """m rows, n columns, k objectives; money in GBP million.

    Every row and column is named by its component (a rule, a definition, a variable) and its index, such as
    ("growth_floor", ("A83005", "2019-20")). Maximised objectives are held negated; `sense` says which.
    """

    matrix: sp.csr_array
    row_lower: Array
    row_upper: Array
    column_lower: Array
    column_upper: Array
    integer: npt.NDArray[np.bool_]
    costs: Array
    """(k, n)"""
    offsets: Array
    """(k,)"""
    sense: tuple[int, ...]
    """1 minimised, -1 maximised"""
    rows: tuple[tuple[str, Key], ...]
    columns: tuple[tuple[str, Key], ...]

    @cached_property
    def row_names(self) -> list[str]:
        """`component[index]`, one a row, in order; unique."""
        return [written(*row) for row in self.rows]

    @cached_property
    def row_component(self) -> npt.NDArray[np.str_]:
        """The component of each row, (m,)."""
        return np.array([component for component, _ in self.rows])

    @cached_property
    def column_component(self) -> npt.NDArray[np.str_]:
        """The component of each column, (n,)."""
        return np.array([component for component, _ in self.columns])

    def columns_of(self, component: str) -> npt.NDArray[np.intp]:
        """The positions of a variable's columns, in the order of its index."""
        return np.flatnonzero(self.column_component == component)

    def with_row(self, name: str, coefficients: Array, *, lower: float, upper: float) -> Compiled:
        """The same programme with one more row, such as the cap that a finished stage leaves to the next."""
        row = sp.csr_array(coefficients[None, :])
        return replace(
            self,
            matrix=sp.vstack([self.matrix, row], format="csr"),
            row_lower=np.append(self.row_lower, lower),
            row_upper=np.append(self.row_upper, upper),
            rows=(*self.rows, (name, ())),
        )


def written(component: str, key: Key) -> str:
    """The name of a row or column: `component[place,year]`."""
    return f"{component}[{','.join(key)}]" if key else component


def compile_problem(problem: HasModel) -> Compiled:
    """The matrices of a built programme. Raises InputFault for coefficients that the solver would round away."""
    with paused_collector():
        form = LinearStandardFormCompiler().write(problem.pyomo, mixed_form=True, set_sense=None)
    sense = tuple(1 if objective.sense == 1 else -1 for objective in form.objectives)
    signs = np.array(sense, dtype=float)
    rhs = np.asarray(form.rhs, dtype=float)
    kind = np.array([row.bound_type for row in form.rows])
    compiled = Compiled(
        matrix=sp.csr_array(form.A),
        row_lower=np.where(kind <= 0, rhs, -np.inf),
        row_upper=np.where(kind >= 0, rhs, np.inf),
        column_lower=_bounds([column.lb for column in form.columns], -np.inf),
        column_upper=_bounds([column.ub for column in form.columns], np.inf),
        integer=np.array([column.is_integer() or column.is_binary() for column in form.columns], dtype=bool),
        costs=signs[:, None] * form.c.toarray() if sense else np.zeros((0, len(form.columns))),
        offsets=signs * np.asarray(form.c_offset, dtype=float),
        sense=sense,
        rows=tuple(_row_name(row.constraint, row.bound_type) for row in form.rows),
        columns=tuple((column.parent_component().local_name, _key(column.index())) for column in form.columns),
    )
    _guard_scaling(compiled)
    return compiled


def _row_name(constraint: object, bound: int) -> tuple[str, Key]:
    """A row; the lower side of a two-sided constraint gets a mark so that names stay unique."""
    component = constraint.parent_component().local_name  # type: ignore[attr-defined]
    key = _key(constraint.index())  # type: ignore[attr-defined]
    two_sided = bound == -1 and constraint.has_ub()  # type: ignore[attr-defined]
    return component, (*key, "lower") if two_sided else key


def _key(index: object) -> Key:
    if index is None:
        return ()
    return tuple(str(part) for part in index) if isinstance(index, tuple) else (str(index),)


def _bounds(values: Sequence[float | None], missing: float) -> Array:
    return np.array([missing if value is None else float(value) for value in values])


def _guard_scaling(compiled: Compiled) -> None:
    size = np.abs(compiled.matrix.data)
    outside = (size < SMALLEST) | (size > LARGEST)
    if not outside.any():
        return
    rows = np.searchsorted(compiled.matrix.indptr, np.flatnonzero(outside), side="right") - 1
    names = sorted({compiled.rows[row][0] for row in rows})
    raise InputFault(
        f"rule {', '.join(names)} has coefficients outside {SMALLEST:g} to {LARGEST:g} "
        f"(from {size.min():g} to {size.max():g}): the solver would round them away. "
        "Check the units of the columns it reads."
    )
