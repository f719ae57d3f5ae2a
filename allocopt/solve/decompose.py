"""Dantzig-Wolfe on the rows that couple places: a small master mixes whole-system answers, the chains answer exactly.

    master    minimise sum c_gk l_gk   subject to   L <= sum a_gk l_gk <= U,  sum_k l_gk = 1 for each group g,  l >= 0
    chains    at the master's prices y: every place's cheapest amounts at c - y A

Places are dealt into groups, each with a mix of its own: a few more rows in the master, far fewer rounds. A mix of
answers obeys every row of every place as it stands. Every round's prices give a bound; those of the best are completed
to a price for every row of the whole matrix, which the certificate evaluates without this room. Imports `blocks`,
`chains`, `single`, `compiled`, `certificate`, `highs`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from types import ModuleType

import highspy
import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from allocopt.problem import Array
from allocopt.solve import single
from allocopt.solve.blocks import Blocks, Chains, Ints
from allocopt.solve.certificate import dual_bound
from allocopt.solve.compiled import Compiled
from allocopt.solve.highs import Point, minimise

Whole = npt.NDArray[np.int32]

GROUPS = 64
"""Measured on the national path of four years: 13, 9 and 24 rounds a stage; with one group 14, 26 and 56."""
PLACES_A_GROUP = 25
MOST_ROUNDS = 400
PENALTIES = (3.0, 1e2, 1e4, 1e6)
"""GBP m per GBP m by which a coupling row is missed: raised until none is."""
CLOSE = 1e-8
"""Relative gap at which the rounds end: a hundredth of the proof that is usually asked."""
STEADY = 1e-4
"""Relative gap down to which prices go half way only, from the best so far to the master's: the master's swing.
Measured on ten national years: 27, 30 and 45 rounds a stage; without, 31, 18 and 125. A single year takes 3 without,
15 with it, and goes the whole way."""
SWINGING = 50
"""Rounds after which they go the whole way again: half ways only come near a value of nothing."""
RECENT = 10
"""Latest answers that the next stage starts with, beside those in the mix."""
NOISE = 1e-10
"""The same in shares of the largest coupling limit: what floating point leaves of a gap."""
AUDITED = 1e-6
"""Of what is missed: where the chains' own prices prove less, HiGHS is asked for theirs."""
A_PENNY, FINE = 1e-8, 1e-12
"""GBP million, and a share: the same where only what is missed counts. HiGHS keeps rows to a tenth of a penny."""


class _Master:
    """The master programme of one stage, in HiGHS; lives inside `decompose`."""

    def __init__(self, compiled: Compiled, blocks: Blocks, cost: Array) -> None:
        rows = blocks.coupling
        self.matrix = sp.csr_array(compiled.matrix[rows])
        self.lower, self.upper, self.cost = compiled.row_lower[rows], compiled.row_upper[rows], cost
        self.rows, self.group_of, self.groups = len(rows), *_groups(blocks.chains, len(cost))
        entries = self.matrix.tocoo()
        self._key = entries.row.astype(np.int64) * self.groups + self.group_of[entries.col]
        self._column, self._value = entries.col, entries.data
        self.answers: list[Array] = []
        self.highs = self._start()

    def _start(self) -> highspy.Highs:
        highs = highspy.Highs()
        for option, value in (("output_flag", False), ("threads", 1), ("primal_feasibility_tolerance", 1e-9)):
            highs.setOptionValue(option, value)
        highs.setOptionValue("dual_feasibility_tolerance", 1e-9)
        nothing, no_value = np.array([], dtype=np.int32), np.array([])
        for lower, upper in (*zip(self.lower, self.upper, strict=True), *[(1.0, 1.0)] * self.groups):
            highs.addRow(float(lower), float(upper), 0, nothing, no_value)
        for row in range(self.rows):
            for side in (1.0, -1.0):
                highs.addCol(PENALTIES[0], 0.0, highspy.kHighsInf, 1, np.array([row], dtype=np.int32), np.array([side]))
        return highs

    def add(self, answer: Array) -> None:
        """One more answer of the chains: a column for every group."""
        activity = np.bincount(
            self._key, weights=self._value * answer[self._column], minlength=self.rows * self.groups
        ).reshape(self.rows, self.groups)
        costs = np.bincount(self.group_of, weights=self.cost * answer, minlength=self.groups).astype(np.float64)
        entries = np.vstack([activity, np.ones(self.groups)]).T.ravel().astype(np.float64)
        index: Whole = np.tile(np.arange(self.rows + 1, dtype=np.int32), (self.groups, 1))
        index[:, -1] += np.arange(self.groups, dtype=np.int32)
        starts: Whole = np.arange(self.groups, dtype=np.int32) * np.int32(self.rows + 1)
        free = np.full(self.groups, highspy.kHighsInf)
        self.highs.addCols(
            self.groups,
            costs,
            np.zeros(self.groups),
            free,
            len(entries),
            starts,
            index.ravel(),
            entries,
        )
        self.answers.append(answer)

    def penalise(self, penalty: float) -> None:
        """Raise the price of missing a coupling row."""
        for column in range(2 * self.rows):
            self.highs.changeColCost(column, penalty)

    def solve(self) -> tuple[float, float, Array, Array]:
        """The value, what is missed of the coupling rows, their prices, and the mix (answers, groups)."""
        self.highs.run()
        if self.highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            self.highs.clearSolver()  # it may have lost its way between columns that are nearly the same
            self.highs.run()
        solution = self.highs.getSolution()
        found = np.array(solution.col_value)
        prices = np.array(solution.row_dual)[: self.rows]
        value = self.highs.getInfo().objective_function_value
        missed = float(found[: 2 * self.rows].sum())
        return value, missed, prices, found[2 * self.rows :].reshape(-1, self.groups)

    def bound(self, prices: Array, reduced: Array, answer: Array) -> float:
        """The Lagrangian bound of `prices`, given the chains' answer to them."""
        sides = np.where(prices > 0, self.lower, self.upper)
        used = prices != 0
        return float(np.sum(reduced * answer)) + float(np.sum(prices[used] * sides[used]))

    def mix(self, shares: Array) -> tuple[Array, tuple[Array, ...]]:
        """The point that a mix stands for, and the answers worth keeping: those in it and the latest."""
        used = [k for k in range(len(self.answers)) if (shares[k] > 1e-14).any()]
        total = np.zeros(self.groups)
        for k in used:
            total += np.maximum(0.0, shares[k])
        values = np.zeros(len(self.cost))
        for k in used:
            values += (np.maximum(0.0, shares[k]) / total)[self.group_of] * self.answers[k]
        kept = sorted({*used, *range(max(0, len(self.answers) - RECENT), len(self.answers))})
        return values, tuple(self.answers[k] for k in kept)


def _groups(chains: Chains, columns: int) -> tuple[Ints, int]:
    """The group of every column, and how many there are: chains are dealt out in turn."""
    number = len(chains.first) - 1
    groups = max(1, min(GROUPS, number // PLACES_A_GROUP))
    of_node = np.repeat(np.arange(number) % groups, np.diff(chains.first))
    group_of = np.zeros(columns, dtype=np.int64)
    group_of[chains.column] = of_node
    group_of[chains.kinks.column] = of_node[chains.kinks.node]
    group_of[chains.lines.column] = of_node[chains.lines.node]
    return group_of, groups


def answering(chains: Chains) -> ModuleType:
    """The room that answers for these chains: numpy for single amounts, the compiled programme for several years."""
    if len(chains.first) - 1 == len(chains.column):
        return single
    from allocopt.solve import chains as several  # noqa: PLC0415 - numba is loaded only where it is used

    return several


def decompose(
    compiled: Compiled,
    blocks: Blocks,
    cost: Array,
    *,
    answers: Sequence[Array],
    time_limit: float,
    missable: bool = False,
) -> Point | None:
    """The cheapest point at `cost` (n,) with a price for every row, or None: no rounds led to a proven point.

    `answers` are columns of earlier stages. None says nothing about feasibility: the whole-matrix method then decides.
    With `missable` coupling rows may be missed, at the first of the `PENALTIES`, and the gap is finer.
    """
    room, began = answering(blocks.chains), time.perf_counter()
    first = _first_answers(blocks, cost, answers, room)
    if not first:
        return None
    least = -np.inf if answers else float(np.sum(cost * first[0]))
    master, best, penalty = _Master(compiled, blocks, cost), (-np.inf, cost, cost, cost), 0
    scale = max((abs(side) for side in (*master.lower, *master.upper) if np.isfinite(side)), default=1.0)
    noise = max(A_PENNY, FINE * scale) if missable else NOISE * scale
    for answer in first:
        master.add(answer)
    for number in range(1, MOST_ROUNDS):
        value, missed, prices, shares = master.solve()
        prices = prices if room is single else _steadied(prices, best, value, number)
        reduced = cost - master.matrix.T @ prices
        answer = room.cheapest(blocks.chains, reduced)
        bound = master.bound(prices, reduced, answer)
        if bound > best[0]:
            best = (bound, prices, reduced, answer)
        if least > best[0] and value - least <= noise:  # nothing that couples places costs anything
            best = (least, np.zeros(len(prices)), cost, first[0])
        last = missable and number == MOST_ROUNDS - 1 and best[0] > noise  # what is proven is worth having
        if last or value - best[0] <= max(CLOSE * abs(value), noise):
            if missable or missed <= noise:
                return _finished(compiled, blocks, master, best[1:], shares, room, number)
            penalty += 1
            if penalty == len(PENALTIES):
                return None
            master.penalise(PENALTIES[penalty])
            best = (-np.inf, *best[1:])
        if time.perf_counter() - began > time_limit:
            return None
        master.add(answer)
    return None


def least_missed(
    compiled: Compiled, blocks: Blocks, *, answers: Sequence[Array], time_limit: float
) -> tuple[Point, float] | None:
    """The point that misses least of the coupling rows, with prices per unit missed, and what it misses.

    None when a place has no answer at all, or when no rounds led to a proven point.
    """
    nothing = np.zeros(compiled.matrix.shape[1])
    found = decompose(compiled, blocks, nothing, answers=answers, time_limit=time_limit, missable=True)
    if found is None:
        return None
    activity = compiled.matrix[blocks.coupling] @ found.values
    lower, upper = compiled.row_lower[blocks.coupling], compiled.row_upper[blocks.coupling]
    missed = float(np.maximum(0.0, np.maximum(lower - activity, activity - upper)).sum())
    prices = found.prices / PENALTIES[0]
    if missed - dual_bound(compiled, nothing, prices) > max(AUDITED * missed, 10 * A_PENNY):
        prices = audit(compiled, blocks, nothing, prices, time_limit=time_limit)
    return replace(found, prices=prices), missed


def _first_answers(blocks: Blocks, cost: Array, answers: Sequence[Array], room: ModuleType) -> Sequence[Array]:
    """The answers to start with: those of earlier stages, or the cheapest at no prices; none where a chain has none."""
    free = None if answers else room.cheapest(blocks.chains, cost)
    return answers if free is None else (free,)


def _steadied(prices: Array, best: tuple[float, Array, Array, Array], value: float, number: int) -> Array:
    """The master's prices, or half way to them from the best so far while the gap is wide."""
    wide = np.isfinite(best[0]) and value - best[0] > STEADY * abs(value)
    return (best[1] + prices) / 2 if wide and number <= SWINGING else prices


def _finished(
    compiled: Compiled,
    blocks: Blocks,
    master: _Master,
    best: tuple[Array, Array, Array],
    shares: Array,
    room: ModuleType,
    rounds: int,
) -> Point:
    prices, reduced, answer = best
    every = _every(compiled, blocks, room, prices, reduced, answer)
    values, used = master.mix(shares)
    places = len(blocks.chains.first) - 1
    method = f"dantzig-wolfe: {master.rows} coupling rows, {places:,} chains, {rounds} rounds"
    return Point(values, every, optimal=True, method=method, answers=used)


def _every(compiled: Compiled, blocks: Blocks, room: ModuleType, prices: Array, reduced: Array, answer: Array) -> Array:
    """A price for every row (m,): those of the coupling rows, and the chains' own at their answer."""
    every: Array = room.row_prices(blocks.chains, reduced, answer, compiled.matrix.shape[0])
    every[blocks.coupling] = prices
    return every


def completed(compiled: Compiled, blocks: Blocks, cost: Array, prices: Array) -> Array | None:
    """The prices (m,) of the coupling rows kept, those of the chains' rows the best for them; None: no answer."""
    kept = prices[blocks.coupling]
    reduced = cost - compiled.matrix[blocks.coupling].T @ kept
    room = answering(blocks.chains)
    answer = room.cheapest(blocks.chains, reduced)
    return None if answer is None else _every(compiled, blocks, room, kept, reduced, answer)


def audit(compiled: Compiled, blocks: Blocks, cost: Array, prices: Array, *, time_limit: float) -> Array:
    """Prices (m,) of every row in which the chains' part is HiGHS's own: a second opinion on the chains' answers.

    The coupling rows go into the objective at their `prices` and out of the matrix; HiGHS solves what is left.
    """
    rest = np.setdiff1d(np.arange(compiled.matrix.shape[0]), blocks.coupling)
    reduced = cost - compiled.matrix[blocks.coupling].T @ prices[blocks.coupling]
    left = replace(
        compiled,
        matrix=sp.csr_array(compiled.matrix[rest]),
        row_lower=compiled.row_lower[rest],
        row_upper=compiled.row_upper[rest],
    )
    found = prices.copy()
    found[rest] = minimise(left, reduced, time_limit=time_limit).prices
    return found
