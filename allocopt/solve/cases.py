"""Programmes put together rule by rule, to ask which rules and numbers can hold together.

A part is the compiled programme of one rule alone (with the definitions it makes); parts are joined by the names of
their columns. `unmet` says by how much rows must be missed, with row prices that prove it: by weak duality

    sum_i (y_i > 0 ? y_i L_i : y_i U_i) + sum_j min over [l_j, u_j] of (-A'y)_j x_j  >  0

shows that no point obeys the rows. `settled_at` reads from the same prices how far a number must move before they
prove nothing. Imports `compiled`, `certificate`, `blocks`, `decompose`, `elastic`, `highs`,
`method` and `errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from allocopt.errors import Infeasible, Stopped
from allocopt.problem import Array
from allocopt.solve.blocks import blocks_of
from allocopt.solve.certificate import dual_bound
from allocopt.solve.compiled import Compiled
from allocopt.solve.elastic import A_POUND, coupling, elastic
from allocopt.solve.highs import minimise
from allocopt.solve.method import ROWS_TO_DECOMPOSE, Method

Name = tuple[str, tuple[str, ...]]


@dataclass(frozen=True)
class Unmet:
    """How far a programme is from having a point: the least sum of misses and row prices (m,) that prove one."""

    missed: float
    prices: Array
    proven: float
    """What the prices prove to be missing; above zero, no point obeys every row."""

    @property
    def answer(self) -> bool | None:
        """Whether a point obeys every row to the pound; None when that is not known."""
        if self.proven > A_POUND:
            return False
        return True if self.missed <= 2 * A_POUND else None


def joined(parts: Sequence[Compiled]) -> Compiled:
    """One programme with the rows of all parts, columns of the same name shared, no objective.

    A column that two parts bound differently keeps the tighter bounds.
    """
    columns, where = _together(parts)
    lower, upper = np.full(len(columns), -np.inf), np.full(len(columns), np.inf)
    integer = np.zeros(len(columns), dtype=bool)
    matrices = []
    for part, to in zip(parts, where, strict=True):
        lower[to], upper[to] = np.maximum(lower[to], part.column_lower), np.minimum(upper[to], part.column_upper)
        integer[to] |= part.integer
        matrices.append(_moved(part.matrix, to, len(columns)))
    return Compiled(
        matrix=sp.csr_array(sp.vstack(matrices, format="csr")),
        row_lower=np.concatenate([part.row_lower for part in parts]),
        row_upper=np.concatenate([part.row_upper for part in parts]),
        column_lower=lower,
        column_upper=upper,
        integer=integer,
        costs=np.zeros((0, len(columns))),
        offsets=np.zeros(0),
        sense=(),
        rows=tuple(row for part in parts for row in part.rows),
        columns=columns,
    )


def _together(parts: Sequence[Compiled]) -> tuple[tuple[Name, ...], list[npt.NDArray[np.intp]]]:
    """The names of all columns, in the order in which they are met, and where those of each part stand among them."""
    first = parts[0].columns
    if all(part.columns is first for part in parts):
        return first, [np.arange(len(first), dtype=np.intp)] * len(parts)
    place: dict[Name, int] = {}
    for part in parts:
        for column in part.columns:
            place.setdefault(column, len(place))
    return tuple(place), [np.array([place[column] for column in part.columns], dtype=np.intp) for part in parts]


def _moved(matrix: sp.csr_array, to: npt.NDArray[np.intp], width: int) -> sp.csr_array:
    """The same rows with column j at to[j]."""
    moved = sp.csr_array((matrix.data, to[matrix.indices], matrix.indptr), shape=(matrix.shape[0], width))
    moved.sort_indices()
    return moved


@dataclass(frozen=True)
class Limits:
    """What the rows with a single column allow each column (n,), and which row says so (-1: none, the column's
    bounds).
    """

    lower: Array
    upper: Array
    lower_row: npt.NDArray[np.intp]
    upper_row: npt.NDArray[np.intp]


def limits(compiled: Compiled) -> Limits:
    """The tightest limits that single-column rows set, column by column."""
    rows = np.flatnonzero(np.diff(compiled.matrix.indptr) == 1)
    at = compiled.matrix.indptr[rows]
    columns, sizes = compiled.matrix.indices[at].astype(np.intp), compiled.matrix.data[at]
    ends = np.sort(np.stack([compiled.row_lower[rows] / sizes, compiled.row_upper[rows] / sizes]), axis=0)
    lower, lower_row = _highest(compiled.column_lower, columns, ends[0], rows)
    upper, upper_row = _highest(-compiled.column_upper, columns, -ends[1], rows)
    return Limits(lower, -upper, lower_row, upper_row)


def _highest(
    start: Array, columns: npt.NDArray[np.intp], limit: Array, rows: npt.NDArray[np.intp]
) -> tuple[Array, npt.NDArray[np.intp]]:
    """The highest limit of each column above its start, and the first row that gives it (-1: none)."""
    found, row = start.copy(), np.full(len(start), -1, dtype=np.intp)
    order = np.lexsort((rows, -limit, columns))
    order = order[np.append(True, np.diff(columns[order]) > 0)[: len(order)]]
    order = order[limit[order] > start[columns[order]]]
    found[columns[order]], row[columns[order]] = limit[order], rows[order]
    return found, row


def unmet(compiled: Compiled, *, time_limit: float) -> Unmet:
    """The least sum by which rows must be missed (integers relaxed). Raises Stopped when the solver found nothing.

    A place whose floor is above its ceiling is found by looking; else only rows that tie several columns may be
    missed, and all rows where that is not enough.
    """
    crossed = _crossed(compiled)
    if crossed is not None:
        return crossed
    found = _in_rounds(compiled, time_limit)
    if found is not None and found.answer is not None:
        return found
    try:
        return _missed(compiled, coupling(compiled), time_limit)
    except Infeasible:
        return _missed(compiled, np.arange(compiled.matrix.shape[0]), time_limit)


def _in_rounds(compiled: Compiled, time_limit: float) -> Unmet | None:
    """What is missed at least of the rows that couple places, where the rest is chains."""
    if compiled.matrix.shape[0] < ROWS_TO_DECOMPOSE or (blocks := blocks_of(compiled)) is None:
        return None
    from allocopt.solve.decompose import least_missed  # noqa: PLC0415 - only large programmes need it

    found = least_missed(compiled, blocks, answers=(), time_limit=time_limit)
    return None if found is None else Unmet(found[1], found[0].prices, refuted(compiled, found[0].prices))


def _crossed(compiled: Compiled) -> Unmet | None:
    """The column whose limits lie farthest on the wrong sides of each other."""
    found = limits(compiled)
    apart = np.nan_to_num(found.lower - found.upper, nan=0.0)
    if not len(apart) or (worst := int(apart.argmax())) < 0 or apart[worst] <= A_POUND:
        return None
    prices = np.zeros(compiled.matrix.shape[0])
    for row, sign in ((found.lower_row[worst], 1.0), (found.upper_row[worst], -1.0)):
        if row >= 0:
            prices[row] = sign / compiled.matrix[[row]].data[0]
    return Unmet(float(apart[worst]), prices, refuted(compiled, prices))


def _missed(compiled: Compiled, rows: npt.NDArray[np.intp], time_limit: float) -> Unmet:
    wide, cost = elastic(compiled, rows)
    point = Method(wide).minimise(wide, cost, time_limit=time_limit)
    return Unmet(float(cost @ point.values), point.prices, refuted(compiled, point.prices))


def refuted(compiled: Compiled, prices: Array) -> float:
    """How much the row prices prove to be missing: above zero, no point obeys every row."""
    return dual_bound(compiled, np.zeros(compiled.matrix.shape[1]), prices)


def possible(compiled: Compiled, *, time_limit: float) -> bool | None:
    """Whether any point obeys every row; None when that could not be said within `time_limit` seconds."""
    try:
        if not compiled.integer.any():
            return unmet(compiled, time_limit=time_limit).answer
        minimise(compiled, np.zeros(compiled.matrix.shape[1]), time_limit=time_limit)
    except Infeasible:
        return False
    except Stopped:
        return None
    return True


def settled_at(near: Compiled, far: Compiled, prices: Array, *, most: float = 1.0) -> float | None:
    """How far from `near` (0) to `far` (1) a programme must go before `prices` prove nothing.

    None when they prove nothing at `near`, or still refute `most` times the way, or the two have other rows.

    Between the two every number is taken on the straight line, so this is exact where the rows are affine in the
    number that changes, and a guess elsewhere.
    """
    if near.rows != far.rows or near.columns != far.columns:
        return None
    ends = [(one, -(one.matrix.T @ prices)) for one in (near, far)]
    (one, slope), (other, other_slope) = ends

    def missing(way: float) -> float:
        def between(a: Array, b: Array) -> Array:
            with np.errstate(invalid="ignore"):
                return np.where(a == b, a, (1 - way) * a + way * b)

        rows = _least(prices, between(one.row_lower, other.row_lower), between(one.row_upper, other.row_upper))
        bounds = between(one.column_lower, other.column_lower), between(one.column_upper, other.column_upper)
        return rows + _least(between(slope, other_slope), *bounds)

    if missing(0.0) <= A_POUND:
        return None
    low, high = 0.0, min(1.0, most)
    while missing(high) > A_POUND:
        if high >= most:
            return None
        low, high = high, min(2 * high, most)
    return _root(missing, low, high)


def _root(missing: Callable[[float], float], low: float, high: float) -> float:
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if missing(middle) > 0 else (low, middle)
    return high


def _least(slope: Array, lower: Array, upper: Array) -> float:
    used = slope != 0
    return float(np.sum(slope[used] * np.where(slope > 0, lower, upper)[used]))
