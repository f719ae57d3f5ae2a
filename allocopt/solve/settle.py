"""What a common level settles, where the places are chains: the amounts that are the same in every plan at that level.

A row with a price holds in every optimal solution as an equation (complementary slackness). So the amounts of rows that
are priced at the level, of priced limits, and what priced ratios tie to these, have one value left: the limits of the
chains are narrowed to it, and what an amount can still reach follows from its neighbours (`blocks.closed`). All
amounts can be at their most at once, so the shortfalls that remain are forced together, without any search. The
same holds of a cap that a level uses up: from then on every plan is best for what it caps. Imports `shared`, `blocks`,
`decompose`, `single`, `certificate`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from allocopt.problem import Array
from allocopt.solve.blocks import Chains, Excess, Flags, Limits, closed
from allocopt.solve.certificate import dual_bound
from allocopt.solve.compiled import Compiled
from allocopt.solve.shared import Shared, least_level
from allocopt.solve.single import rank_by_rank

PRICED, SAME, PENNY = 1e-9, 1e-9, 1e-8
"""A row with a price above the first lies at its limit; levels (fractions of target) nearer than the second are one; a
settled level leaves a penny (GBP million), so that rounding in the solver cannot make it infeasible."""
ONE_VALUE = 1e-9
"""Of the amount: limits as near as this leave it one value."""
LEFT = 1e-7
"""Of a cap: prices that leave no more of it are believed."""


@dataclass(frozen=True)
class Settled:
    """What one common level settles of k rows: those at the level, and those where limits of their own hold them."""

    value: float
    bound: float
    at_level: Flags
    forced: Flags
    """above the level"""
    stuck: Flags
    """below it"""
    own: Array
    """(k,) the shortfalls of the forced and the stuck, as shares of target"""


def penny(target: Array) -> Array:
    """(k,) what a settled level leaves, GBP million."""
    return np.minimum(PENNY, 5e-7 * target)


class InChains:
    """The levels of a programme over chains, the worst first; narrows the chains as it goes."""

    def __init__(self, shared: Shared) -> None:
        self.shared, self.face = shared, shared.blocks.chains
        self.target = shared.compiled.row_lower[shared.rows]
        self.used_up: set[int] = set()
        """One-sided coupling rows (caps of stages before) of which nothing is left"""

    def next(self, level: Array, free: Flags, time_limit: float) -> Settled:
        """The next level, those of the rows that are not free being held. Raises Infeasible or Stopped."""
        least, end = self._shortfall(), time.monotonic() + time_limit
        begins = np.where(free, least, level) + penny(self.target) / self.target
        found = least_level(self.shared, begins=begins, time_limit=time_limit)
        forced = free & (begins > found.t)
        priced = free & ~forced & (found.prices[self.shared.rows] > PRICED)
        self._narrow(found.prices, np.zeros(len(found.values)), np.where(forced, least, np.maximum(level, found.t)))
        for row in self._newly_used_up(found.prices):
            self._narrow_by(row, np.where(forced, least, np.where(free, found.t, level)), end)
        low, high = closed(self.face)
        stuck = (high - low <= ONE_VALUE * np.maximum(1.0, high))[self.shared.node] & free & ~forced & ~priced
        own = np.where(forced, least, self._shortfall())
        return Settled(found.t, self._bound(begins, found.t, found.prices), priced, forced, stuck, own)

    def _shortfall(self) -> Array:
        """(k,) the shortfall that every row is left with when all amounts are at their most."""
        _, most = closed(self.face)
        result: Array = np.maximum(0.0, 1.0 - most[self.shared.node] / self.target)
        return result

    def _newly_used_up(self, prices: Array) -> list[int]:
        """The one-sided coupling rows that hold as equations from this level on."""
        coupling, one = self.shared.blocks.coupling, self.shared.compiled
        capped = np.isinf(one.row_lower[coupling]) | np.isinf(one.row_upper[coupling])
        found: list[int] = coupling[capped & (np.abs(prices[coupling]) > PRICED)].tolist()
        fresh = [row for row in found if row not in self.used_up]
        self.used_up.update(fresh)
        return fresh

    def _narrow_by(self, row: int, level: Array, end: float) -> None:
        """Of a cap that is used up no plan leaves anything: all are best for what it caps, and lie where that says."""
        from allocopt.solve.decompose import decompose  # noqa: PLC0415 - numba is loaded only where it is used

        programme, blocks = self.shared.at(level)
        way = 1.0 if np.isfinite(programme.row_upper[row]) else -1.0
        cost = way * programme.matrix[[row]].toarray()[0]
        limit = way * float(programme.row_upper[row] if way > 0 else programme.row_lower[row])
        found = decompose(programme, blocks, cost, answers=(), time_limit=max(1.0, end - time.monotonic()))
        if found is not None and limit - float(np.sum(cost * found.values)) <= LEFT * abs(limit):
            self._narrow(found.prices, cost, level)

    def _narrow(self, prices: Array, cost: Array, level: Array) -> None:
        """Keep of every amount what is best at the prices with every row at its `level`, and priced ratios as they are.

        Every plan that is best at `cost` (n,) lies there.
        """
        _, blocks = self.shared.at(level)
        face, (low, high) = self.face, self._best_at(blocks.chains, prices, cost)
        ratio = np.full(len(low), np.nan)
        for limits, sign in ((face.least, 1.0), (face.most, -1.0)):
            held = _binding(limits, prices, sign)
            ratio[held] = limits.value[held]
        held = self._bends(face.lines, prices, cost)
        ratio[face.lines.node[held]] = face.lines.at[held]
        self.face = replace(
            face,
            low=replace(face.low, value=np.maximum(face.low.value, low)),
            high=replace(face.high, value=np.minimum(face.high.value, high)),
            least=_fixed(face.least, ratio),
            most=_fixed(face.most, ratio),
        )

    def _best_at(self, chains: Chains, prices: Array, cost: Array) -> tuple[Array, Array]:
        """Least and most of every amount among those that cost least by themselves at these prices."""
        matrix, kinks = self.shared.apart.matrix, chains.kinks
        tied = np.where(self._of_one, 0.0, prices)
        slope = cost[chains.column] - (matrix.T @ tied)[chains.column]
        jump = kinks.weight(self._reduced(prices, cost)) * kinks.size
        slope = slope - np.bincount(kinks.node, weights=jump * kinks.falls, minlength=len(slope))
        ends = []
        for turn in (-PRICED, PRICED):
            x = np.where(slope < turn, chains.high.value, chains.low.value)
            here, falling = slope.copy(), slope < turn
            for k, node in rank_by_rank(chains):
                here[node] += jump[k]
                settled = falling[node] & (here[node] >= turn)
                x[node[settled]] = kinks.at[k[settled]]
                falling[node] &= ~settled
            ends.append(np.clip(x, chains.low.value, chains.high.value))
        return ends[0], ends[1]

    @cached_property
    def _of_one(self) -> Flags:
        """(m,) rows about one amount: its limits, its kinks, its level."""
        chains, matrix = self.shared.blocks.chains, self.shared.apart.matrix
        alone: Flags = np.diff(matrix.indptr) == 1
        alone[chains.kinks.row] = True
        return alone

    def _reduced(self, prices: Array, cost: Array) -> Array:
        coupling = self.shared.blocks.coupling
        result: Array = cost - self.shared.apart.matrix[coupling].T @ prices[coupling]
        return result

    def _bends(self, excess: Excess, prices: Array, cost: Array) -> Flags:
        """Where amounts stand on a line in every plan that is best: neither side is free there."""
        share = prices[excess.row] * excess.scale
        return np.asarray((share > PRICED) & (share < excess.weight(self._reduced(prices, cost)) - PRICED))

    def _bound(self, begins: Array, t: float, prices: Array) -> float:
        """The level that the prices prove on the whole matrix, rows that begin beyond it being held there."""
        programme = holding(self.shared.compiled, self.shared.rows, self.shared.column, begins, begins > t)
        cost = np.zeros(programme.matrix.shape[1])
        cost[self.shared.column] = 1.0
        return dual_bound(programme, cost, prices)


def _binding(limits: Limits, prices: Array, sign: float) -> Flags:
    priced = prices[limits.row] * np.sign(limits.coefficient) * sign > PRICED
    return np.asarray(priced & (limits.row >= 0))


def _fixed(limits: Limits, value: Array) -> Limits:
    return replace(limits, value=np.where(np.isnan(value), limits.value, value))


def holding(compiled: Compiled, rows: np.ndarray, column: int, level: Array, held: Flags) -> Compiled:
    """The level leaves the rows (k,) that are `held`: they keep x_p >= T_p (1 - level_p)."""
    gone = np.zeros(compiled.matrix.shape[0], dtype=bool)
    gone[rows[held]] = True
    parts = compiled.matrix.tocoo()
    keep = ~(gone[parts.row] & (parts.col == column))
    matrix = sp.csr_array((parts.data[keep], (parts.row[keep], parts.col[keep])), shape=compiled.matrix.shape)
    lower, target = compiled.row_lower.copy(), compiled.row_lower[rows]
    lower[rows[held]] = (target * (1.0 - level))[held]
    return replace(compiled, matrix=matrix, row_lower=lower)
