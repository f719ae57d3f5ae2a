"""From a Pyomo model to sparse matrices with names, once. Everything clever works on them and never repeats a rule.

    minimise  c_k x        for each objective k in turn
    subject to  L <= A x <= U,  l <= x <= u

Imports `linear`, `problem` and `errors`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from allocopt.errors import InputFault
from allocopt.problem import Array, paused_collector
from allocopt.solve.linear import Reader

SMALLEST, LARGEST = 1e-7, 1e7
NOISE = 1e-13
"""Of the largest entry of its row: the rounding of a difference that is nothing."""

Key = tuple[str, ...]
Chosen = npt.NDArray[np.intp] | slice
EVERY = slice(None)


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
    def row_labels(self) -> npt.NDArray[np.bytes_]:
        """The names of the rows as a certificate keeps them, (m,)."""
        return np.array([written(*row).encode() for row in self.rows], dtype=np.bytes_)

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

    def only(self, rows: npt.NDArray[np.intp]) -> Compiled:
        """The same programme with these rows alone."""
        return replace(
            self,
            matrix=sp.csr_array(self.matrix[rows]),
            row_lower=self.row_lower[rows],
            row_upper=self.row_upper[rows],
            rows=tuple([self.rows[row] for row in rows.tolist()]),
        )

    def within(self, columns: npt.NDArray[np.intp]) -> Compiled:
        """The same programme with these columns alone."""
        return replace(
            self,
            matrix=sp.csr_array(self.matrix[:, columns]),
            column_lower=self.column_lower[columns],
            column_upper=self.column_upper[columns],
            integer=self.integer[columns],
            costs=self.costs[:, columns],
            columns=tuple([self.columns[column] for column in columns.tolist()]),
        )

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


def components(component: npt.NDArray[np.str_]) -> list[str]:
    """The components of rows or columns, each once, in the order in which they are met."""
    begins = np.append(True, component[1:] != component[:-1])[: len(component)]
    return list(dict.fromkeys(component[begins].tolist()))


def hand_on(base: Compiled, made: Compiled, *, rows: Chosen = EVERY, columns: Chosen = EVERY) -> Compiled:
    """`made`, a programme of these rows and columns of `base`, with what follows from their names alone."""
    made.__dict__["row_labels"] = base.row_labels[rows]
    made.__dict__["row_component"] = base.row_component[rows]
    made.__dict__["column_component"] = base.column_component[columns]
    return made


def written(component: str, key: Key) -> str:
    """The name of a row or column: `component[place,year]`."""
    return f"{component}[{','.join(key)}]" if key else component


def compile_problem(problem: HasModel) -> Compiled:
    """The matrices of a built programme. Raises InputFault for coefficients that the solver would round away, and
    Infeasible for a row of numbers alone that does not hold.
    """
    with paused_collector():
        return _compiled(Reader(problem.pyomo))


def _compiled(read: Reader) -> Compiled:
    matrix, costs = _matrix(read), _costs(read)
    used = np.flatnonzero((np.bincount(matrix.indices, minlength=matrix.shape[1]) > 0) | (costs != 0).any(axis=0))
    columns = [read.columns[column] for column in used]
    variables = [variable for _, _, variable in columns]
    compiled = Compiled(
        matrix=matrix if len(used) == matrix.shape[1] else sp.csr_array(matrix[:, used]),
        row_lower=np.array(read.lower, dtype=float),
        row_upper=np.array(read.upper, dtype=float),
        column_lower=_bounds([variable.lb for variable in variables], -np.inf),
        column_upper=_bounds([variable.ub for variable in variables], np.inf),
        integer=np.array([not variable.is_continuous() for variable in variables], dtype=bool),
        costs=costs[:, used],
        offsets=np.array([sign * constant for _, constant, sign in read.objectives], dtype=float),
        sense=tuple(sign for _, _, sign in read.objectives),
        rows=tuple(read.rows),
        columns=tuple((name, key) for name, key, _ in columns),
    )
    guard_scaling(compiled)
    return compiled


def _matrix(read: Reader) -> sp.csr_array:
    """The rows with every column once, in order, and no entry of nothing or of rounding alone."""
    parts = (np.array(read.data, dtype=float), np.array(read.index), np.array(read.starts))
    matrix = sp.csr_array(parts, shape=(len(read.rows), len(read.columns)))
    matrix.sum_duplicates()
    if len(matrix.data) and np.abs(matrix.data).min() < SMALLEST:
        row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        most = np.zeros(matrix.shape[0])
        np.maximum.at(most, row, np.abs(matrix.data))
        matrix.data[np.abs(matrix.data) < np.minimum(SMALLEST, NOISE * most[row])] = 0.0
    matrix.eliminate_zeros()
    return matrix


def _costs(read: Reader) -> Array:
    costs = np.zeros((len(read.objectives), len(read.columns)))
    for row, (terms, _, sign) in enumerate(read.objectives):
        costs[row, list(terms)] = sign * np.array(list(terms.values()), dtype=float)
    return costs


def _bounds(values: Sequence[float | None], missing: float) -> Array:
    return np.array([missing if value is None else float(value) for value in values])


def guard_scaling(compiled: Compiled) -> None:
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
