"""The worst place first, then the worst of the others, and so on: lexicographic min-max, each level a linear programme.

    minimise z  subject to  T_p z + x_p >= T_p           for the places still free (the definition rows)
                            x_p >= T_p (1 - level_p)     for the places whose level is settled

A level is settled for the places whose rows carry a price at it: they lie there in every optimal solution. So do places
whose own limits (a floor, a ceiling) carry a price: they are settled where they lie. Where the programme is coupling
rows over chains `settle` finds each level in rounds. Elsewhere HiGHS solves the whole matrix, and the places that an
upper limit of their own holds above the common level are found by bisection, so that a thousand of them cost ten
programmes and not a thousand. Every level is bounded by weak duality on its own matrices. Imports `settle`, `shared`,
`compiled`, `highs`, `certificate` and `errors`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from allocopt.errors import Infeasible, Stopped
from allocopt.problem import Array
from allocopt.solve.blocks import Flags
from allocopt.solve.certificate import dual_bound
from allocopt.solve.compiled import Compiled
from allocopt.solve.highs import Point, minimise
from allocopt.solve.settle import PRICED, SAME, InChains, Settled, holding, penny
from allocopt.solve.shared import shared_level

DEFINITION, LEVEL = "worst_shortfall_level_definition", "worst_shortfall_level"


@dataclass(frozen=True)
class Level:
    """One common level: how far under target, the bound that proves it, for how many rows (a place in a year each)."""

    value: float
    bound: float
    rows: int


@dataclass(frozen=True)
class Levels:
    """Every level, the worst first. `settled` (k,) is the shortfall of each definition row as a share of target."""

    common: tuple[Level, ...]
    own: int
    """How many rows lie where limits of their own hold them, above or below the common level."""
    settled: Array
    complete: bool
    """False when time ran out or a level settled nothing: the rows that were left are held at the last common level."""


@dataclass(frozen=True)
class _Rows:
    """The definition rows of a programme: T_p z + x_p >= T_p."""

    at: npt.NDArray[np.intp]
    """(k,) their positions"""
    target: Array
    """(k,) T_p"""
    place: npt.NDArray[np.intp]
    """(k,) the columns x_p"""
    least: Array
    """(k,) the shortfall that the place's own upper limits force, as a share of target"""


def continue_down(compiled: Compiled, *, worst: float, time_limit: float) -> Levels:
    """All levels of a programme that has the definition rows and whose worst shortfall is known; raises Infeasible."""
    search = _search(compiled)
    end, number = time.monotonic() + time_limit, int((compiled.row_component == DEFINITION).sum())
    level, free = np.zeros(number), np.ones(number, dtype=bool)
    common, own, complete = list[Level](), 0, True
    while free.any() and complete:
        try:
            found = search.next(level, free, max(1.0, end - time.monotonic()))
        except Stopped:
            return Levels(
                tuple(common), own, np.where(free, common[-1].value if common else worst, level), complete=False
            )
        settles = bool((found.at_level | found.stuck | found.forced).any())
        complete = found.value <= SAME or (settles and time.monotonic() < end)
        last = found.value <= SAME or not complete
        here = free & ~found.forced & ~found.stuck if last else found.at_level
        level = np.where(found.forced | found.stuck, found.own, np.where(here, found.value, level))
        common += [Level(found.value, max(found.bound, 0.0), int(here.sum()))] if here.any() else []
        own += int((found.forced | found.stuck).sum())
        free &= ~(found.forced | here | found.stuck)
    return Levels(tuple(common), own, level, complete)


def _search(compiled: Compiled) -> InChains | _Whole:
    """How the levels are found: over chains where the programme has that shape, else on the whole matrix."""
    shared = shared_level(compiled)
    if shared is None or shared.column != compiled.columns_of(LEVEL)[0]:
        return _Whole(compiled)
    return InChains(shared)


class _Whole:
    """The levels by HiGHS on the whole matrix."""

    def __init__(self, compiled: Compiled) -> None:
        self.compiled, self.rows = compiled, _definition(compiled)

    def next(self, level: Array, free: Flags, time_limit: float) -> Settled:
        """The next level, those of the rows that are not free being held. Raises Infeasible or Stopped."""
        compiled, rows = self.compiled, self.rows
        value, point, bound = _common(compiled, rows, level, free, time.monotonic() + time_limit)
        forced = free & (rows.least > value + SAME)
        priced = free & ~forced & (point.prices[rows.at] > PRICED)
        stuck = free & ~forced & ~priced & _stuck(compiled, rows, point)
        lies = np.maximum(0.0, 1.0 - point.values[rows.place] / rows.target)
        return Settled(value, bound, priced, forced, stuck, np.where(forced, rows.least, lies))


def _stuck(compiled: Compiled, rows: _Rows, point: Point) -> Flags:
    """Places that a price on a limit of their own holds where they are in every optimal solution of the level."""
    body, priced = compiled.matrix, np.zeros(compiled.matrix.shape[1], dtype=bool)
    alone = np.flatnonzero((np.diff(body.indptr) == 1) & (np.abs(point.prices[: body.shape[0]]) > PRICED))
    priced[body.indices[body.indptr[alone]]] = True
    return np.asarray(priced[rows.place])


def held(compiled: Compiled, settled: Array, *, slack: float = 0.0) -> Compiled:
    """The programme with every definition row held at its level, plus `slack` of the level (a billionth at least)."""
    rows = _definition(compiled)
    return _fixed(compiled, rows, settled + np.maximum(slack * settled, SAME), np.zeros(len(rows.at), dtype=bool))


def at_worst(compiled: Compiled, values: Array) -> Array:
    """The point (n,) with z at the worst shortfall of its allocations: what the rows as written ask of it."""
    if not (compiled.row_component == DEFINITION).any():
        return values
    rows = _definition(compiled)
    column = compiled.columns_of(LEVEL)
    settled = values.copy()
    settled[column] = 0.0
    short = 1.0 - (compiled.matrix[rows.at] @ settled) / rows.target
    settled[column] = max(0.0, float(short.max()))
    return settled


def _definition(compiled: Compiled) -> _Rows:
    at = np.flatnonzero(compiled.row_component == DEFINITION)
    target = compiled.row_lower[at]
    body = compiled.matrix[at].tocsc()
    z = compiled.columns_of(LEVEL)[0]
    coefficients = body.tocoo()
    place = np.zeros(len(at), dtype=np.intp)
    other = coefficients.col != z
    place[coefficients.row[other]] = coefficients.col[other]
    return _Rows(at, target, place, np.maximum(0.0, 1.0 - _most(compiled)[place] / target))


def _most(compiled: Compiled) -> Array:
    """(n,) the upper limit of each column by its bound and by the rows that hold nothing else."""
    body = compiled.matrix
    alone = np.flatnonzero(np.diff(body.indptr) == 1)
    column, factor = body.indices[body.indptr[alone]], body.data[body.indptr[alone]]
    limit = np.where(factor > 0, compiled.row_upper[alone], compiled.row_lower[alone]) / factor
    most = compiled.column_upper.copy()
    np.minimum.at(most, column, limit)
    return most


def _fixed(compiled: Compiled, rows: _Rows, level: Array, free: Flags) -> Compiled:
    """z leaves the rows that are not free; they keep x_p >= T_p (1 - level_p), less a penny."""
    kept = level + penny(rows.target) / rows.target
    return holding(compiled, rows.at, int(compiled.columns_of(LEVEL)[0]), kept, ~free)


def _common(compiled: Compiled, rows: _Rows, level: Array, free: Flags, end: float) -> tuple[float, Point, float]:
    """The least common level of the free rows, those that are forced above it being held at what forces them.

    With the k most forced rows held, the programme is feasible and its level no higher than theirs exactly when k is
    not too large: the largest such k is found by bisection.
    """
    steps = np.unique(np.round(rows.least[free & (rows.least > SAME)], 12))[::-1]
    best, low, high = _level(compiled, rows, level, free, np.inf, end), 0, len(steps)
    if high and best is not None and best[0] > steps[0] + SAME:
        high = 0
    while low < high:
        middle = (low + high + 1) // 2
        tried = _level(compiled, rows, level, free, steps[middle - 1], end)
        if tried is None or tried[0] > steps[middle - 1] + SAME:
            high = middle - 1
        else:
            low, best = middle, tried
    if best is None:
        raise Infeasible("no allocation obeys every rule")
    return best


def _level(
    compiled: Compiled, rows: _Rows, level: Array, free: Flags, above: float, end: float
) -> tuple[float, Point, float] | None:
    """The least level when free rows that are forced to `above` or more are held there; None when they cannot be."""
    forced = free & (rows.least >= above - SAME)
    programme = _fixed(compiled, rows, np.where(forced, rows.least, level) + SAME, free & ~forced)
    cost = np.zeros(compiled.matrix.shape[1])
    cost[compiled.columns_of(LEVEL)] = 1.0
    try:
        point = minimise(programme, cost, time_limit=max(1.0, end - time.monotonic()))
    except Infeasible:
        return None
    return float(cost @ point.values), point, dual_bound(programme, cost, point.prices)
