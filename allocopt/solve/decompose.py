"""Dantzig-Wolfe on the rows that couple places: a small master mixes whole-system answers, the chains answer exactly.

    master    minimise sum c_gk l_gk   subject to   L <= sum a_gk l_gk <= U,  sum_k l_gk = 1 for each group g,  l >= 0
    chains    at the master's prices y: every place's cheapest amounts at c - y A

Prices are sought near the best so far: a plan may miss a coupling row at a price just beyond those, so that none of the
master's lies further off. The distance grows while that proves more, and shrinks where it does not.

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
from typing import NamedTuple

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

GROUPS = 128
"""Measured on six national paths of 4 to 10 years, three stages each: 294 rounds in all, with 64 groups 340, with 32
groups 405."""
PLACES_A_GROUP = 25
MOST_ROUNDS = 400
PENALTIES = (3.0, 1e2, 1e4, 1e6)
"""GBP m per GBP m by which a coupling row is missed: raised until none is."""
CLOSE = 1e-8
"""Relative gap at which the rounds end: a hundredth of the proof that is usually asked."""
WIDE, NEAR = 1.0, 0.1
"""How far from the best prices so far the master's may stand at first: in GBP m per GBP m where none are known, and as
a share of the largest where an earlier stage gave them."""
FURTHER, NEARER = 2.0, 0.7
"""What that is multiplied by after prices that prove more, and after others."""
WORTH = 0.1
"""The share of what the master hopes for that prices must prove to count as more.
Measured on the same paths with 64 groups: 340 rounds, 333 to 391 with other values of these five figures; 487 where
prices went half way to the master's while the gap was wide, wherever those lay."""
PRIMAL = 4
"""HiGHS's primal simplex: answers added and prices moved leave a mix that obeys the rows. Half the time of the dual."""
RECENT = 10
"""Latest answers that the next stage starts with, beside those in the mix."""
NOISE = 1e-10
"""The same in shares of the largest coupling limit: what floating point leaves of a gap."""
AUDITED = 1e-6
"""Of what is missed: where the chains' own prices prove less, HiGHS is asked for theirs."""
A_PENNY, FINE = 1e-8, 1e-12
"""GBP million, and a share: the same where only what is missed counts. HiGHS keeps rows to a tenth of a penny."""


class _Mix(NamedTuple):
    """What the master makes of the answers so far."""

    hoped: float
    """its value at prices not too far from the best: no bound there can be more"""
    value: float
    """what the mix costs, with the penalty for what it misses"""
    missed: float
    prices: Array
    shares: Array
    """(answers, groups)"""


class _Asked(NamedTuple):
    """The chains' answer at some prices of the coupling rows, and the bound that it proves."""

    bound: float
    prices: Array
    reduced: Array
    answer: Array


class _Master:
    """The master programme of one stage, in HiGHS; lives inside `decompose`."""

    def __init__(self, compiled: Compiled, blocks: Blocks, cost: Array) -> None:
        rows = blocks.coupling
        self.matrix = sp.csr_array(compiled.matrix[rows])
        self.lower, self.upper, self.cost = compiled.row_lower[rows], compiled.row_upper[rows], cost
        self.rows, self.group_of, self.groups = len(rows), *_groups(blocks.chains, len(cost))
        self._by_group = self._summing()
        self.answers: list[Array] = []
        self._added: list[Array] = []  # (groups, rows + 1) of every answer: what it uses of each row, and its cost
        self.highs = self._start()

    def _start(self) -> highspy.Highs:
        highs = highspy.Highs()
        for option, value in (("output_flag", False), ("threads", 1), ("primal_feasibility_tolerance", 1e-9)):
            highs.setOptionValue(option, value)
        highs.setOptionValue("dual_feasibility_tolerance", 1e-9)
        highs.setOptionValue("simplex_strategy", PRIMAL)
        nothing, no_value = np.array([], dtype=np.int32), np.array([])
        for lower, upper in (*zip(self.lower, self.upper, strict=True), *[(1.0, 1.0)] * self.groups):
            highs.addRow(float(lower), float(upper), 0, nothing, no_value)
        for row in range(self.rows):
            for side in (1.0, -1.0):
                highs.addCol(PENALTIES[0], 0.0, highspy.kHighsInf, 1, np.array([row], dtype=np.int32), np.array([side]))
        return highs

    def _summing(self) -> sp.csr_array:
        """(groups x (rows + 1), n): what each group uses of every coupling row, and what it costs."""
        entries, priced = self.matrix.tocoo(), np.flatnonzero(self.cost)
        row = np.concatenate([entries.row, np.full(len(priced), self.rows)])
        column = np.concatenate([entries.col, priced])
        value = np.concatenate([entries.data, self.cost[priced]])
        at = self.group_of[column] * (self.rows + 1) + row
        return sp.csr_array((value, (at, column)), shape=(self.groups * (self.rows + 1), len(self.cost)))

    def add(self, answer: Array) -> None:
        """One more answer of the chains: a column for every group."""
        uses = (self._by_group @ answer).reshape(self.groups, self.rows + 1)
        entries = np.column_stack([uses[:, :-1], np.ones(self.groups)]).ravel()
        index: Whole = np.tile(np.arange(self.rows + 1, dtype=np.int32), (self.groups, 1))
        index[:, -1] += np.arange(self.groups, dtype=np.int32)
        starts: Whole = np.arange(self.groups, dtype=np.int32) * np.int32(self.rows + 1)
        free = np.full(self.groups, highspy.kHighsInf)
        costs, nothing = uses[:, -1].copy(), np.zeros(self.groups)
        self.highs.addCols(self.groups, costs, nothing, free, len(entries), starts, index.ravel(), entries)
        self.answers.append(answer)
        self._added.append(uses)

    def solve(self, centre: Array, width: float, penalty: float) -> _Mix:
        """The best mix where rows may be missed at `penalty`, or before that at prices `width` away from `centre`."""
        most, least = np.minimum(centre + width, penalty), np.maximum(centre - width, -penalty)
        sides: Whole = np.arange(2 * self.rows, dtype=np.int32)
        self.highs.changeColsCost(len(sides), sides, np.stack([most, -least], axis=1).ravel())
        self.highs.run()
        if self.highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            self.highs.clearSolver()  # it may have lost its way between columns that are nearly the same
            self.highs.run()
        solution = self.highs.getSolution()
        found = np.array(solution.col_value)
        prices = np.array(solution.row_dual)[: self.rows]
        hoped = self.highs.getInfo().objective_function_value
        shares = found[2 * self.rows :].reshape(-1, self.groups)
        if width >= 2 * penalty:
            return _Mix(hoped, hoped, float(found[: 2 * self.rows].sum()), prices, shares)
        used = np.einsum("kg,kgr->r", shares, np.stack(self._added))
        apart = np.maximum(self.lower - used[:-1], used[:-1] - self.upper)
        missed = float(np.maximum(0.0, apart).sum())
        return _Mix(hoped, float(used[-1]) + penalty * missed, missed, prices, shares)

    def bound(self, prices: Array, reduced: Array, answer: Array) -> float:
        """The Lagrangian bound of `prices`, given the chains' answer to them."""
        sides = np.where(prices > 0, self.lower, self.upper)
        used = prices != 0
        return float(np.sum(reduced * answer)) + float(np.sum(prices[used] * sides[used]))

    def ask(self, blocks: Blocks, room: ModuleType, prices: Array) -> _Asked:
        """What the chains answer at these prices; they have an answer at any."""
        reduced = self.cost - self.matrix.T @ prices
        answer = room.cheapest(blocks.chains, reduced)
        return _Asked(self.bound(prices, reduced, answer), prices, reduced, answer)

    def mix(self, shares: Array) -> tuple[Array, tuple[Array, ...]]:
        """The point that a mix stands for, and the answers worth keeping: those in it and the latest."""
        used = [k for k in range(len(shares)) if (shares[k] > 1e-14).any()]
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
    centre: Array | None = None,
    missable: bool = False,
) -> Point | None:
    """The cheapest point at `cost` (n,) with a price for every row, or None: no rounds led to a proven point.

    `answers` are columns of earlier stages, `centre` prices of the coupling rows that may be near the best. None says
    nothing about feasibility: the whole-matrix method then decides. With `missable` coupling rows may be missed, at the
    first of the `PENALTIES`, and the gap is finer.
    """
    room, began = answering(blocks.chains), time.perf_counter()
    first = _first_answers(blocks, cost, answers, room)
    if not first:
        return None
    master = _Master(compiled, blocks, cost)
    for answer in first:
        master.add(answer)
    best, width = _begun(master, blocks, room, centre, known=not answers)
    penalties = PENALTIES if missable else _above(best.prices)
    noise = _noise(master, missable=missable)
    for number in range(1, MOST_ROUNDS):
        found = master.solve(best.prices, width, penalties[0])
        enough = max(CLOSE * abs(found.hoped), noise)
        if found.hoped - best.bound > enough:
            asked = master.ask(blocks, room, found.prices)
            master.add(asked.answer)
            width *= FURTHER if asked.bound > best.bound + WORTH * (found.hoped - best.bound) else NEARER
            best = asked if asked.bound > best.bound else best
        elif found.value - best.bound > enough:  # nothing more can be proven so near
            width *= FURTHER
        last = missable and number == MOST_ROUNDS - 1 and best.bound > noise  # what is proven is worth having
        if last or found.value - best.bound <= enough:
            if missable or found.missed <= noise:
                return _finished(compiled, blocks, master, best, found.shares, room, number)
            penalties = penalties[1:]
            if not penalties:
                return None
        if time.perf_counter() - began > time_limit:
            return None
    return None


def _noise(master: _Master, *, missable: bool) -> float:
    """What floating point leaves of a gap."""
    sides = (*master.lower, *master.upper)
    scale = max((abs(side) for side in sides if np.isfinite(side)), default=1.0)
    return max(A_PENNY, FINE * scale) if missable else NOISE * scale


def _begun(
    master: _Master, blocks: Blocks, room: ModuleType, centre: Array | None, *, known: bool
) -> tuple[_Asked, float]:
    """The first prices with what they prove, and how far from them the master's may stand.

    `known`: the master's first answer is that at no prices. Single amounts take the master's prices wherever they lie:
    3 rounds, 15 with prices that stay near.
    """
    answer = master.answers[0]
    bound = float(np.sum(master.cost * answer)) if known else -np.inf
    start = _Asked(bound, np.zeros(master.rows), master.cost, answer)
    if room is single:
        return start, np.inf
    if centre is not None and np.abs(centre).max(initial=0.0) > PENALTIES[-1]:
        centre = None
    if centre is not None or not known:
        start = master.ask(blocks, room, start.prices if centre is None else centre)
        master.add(start.answer)
    return start, NEAR * float(np.abs(start.prices).max(initial=0.0)) or WIDE


def _above(prices: Array) -> tuple[float, ...]:
    """The penalties that are no less than any of these prices."""
    largest = np.abs(prices).max(initial=0.0)
    return tuple(one for one in PENALTIES if one >= largest) or PENALTIES[-1:]


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


def _finished(
    compiled: Compiled,
    blocks: Blocks,
    master: _Master,
    best: _Asked,
    shares: Array,
    room: ModuleType,
    rounds: int,
) -> Point:
    every = _every(compiled, blocks, room, best.prices, best.reduced, best.answer)
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
