"""What a common level settles, where the places are chains: the amounts that are the same in every plan at that level.

A row with a price holds in every optimal solution as an equation (complementary slackness). So the amounts of rows that
are priced at the level, of priced limits, and what priced ratios tie to these, have one value left: the limits of the
chains are narrowed to it, and what an amount can still reach follows from its neighbours (`blocks.closed`). All
amounts can be at their most at once, so the shortfalls that remain are forced together, without any search. Imports
`shared`, `blocks`, `certificate`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from allocopt.problem import Array
from allocopt.solve.blocks import Chains, Excess, Flags, Limits, closed
from allocopt.solve.certificate import dual_bound
from allocopt.solve.compiled import Compiled
from allocopt.solve.shared import Shared, least_level

PRICED, SAME, PENNY = 1e-9, 1e-9, 1e-8
"""A row with a price above the first lies at its limit; levels (fractions of target) nearer than the second are one; a
settled level leaves a penny (GBP million), so that rounding in the solver cannot make it infeasible."""
ONE_VALUE = 1e-9
"""Of the amount: limits as near as this leave it one value."""


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

    def next(self, level: Array, free: Flags, time_limit: float) -> Settled:
        """The next level, those of the rows that are not free being held. Raises Infeasible or Stopped."""
        least = self._shortfall()
        begins = np.where(free, least, level) + penny(self.target) / self.target
        found = least_level(self.shared, begins=begins, time_limit=time_limit)
        forced = free & (begins > found.t)
        priced = free & ~forced & (found.prices[self.shared.rows] > PRICED)
        self.face = self._narrowed(found.prices, found.t, priced, forced)
        low, high = closed(self.face)
        stuck = (high - low <= ONE_VALUE * np.maximum(1.0, high))[self.shared.node] & free & ~forced & ~priced
        return Settled(
            found.t,
            self._bound(begins, found.t, found.prices),
            priced,
            forced,
            stuck,
            np.where(forced, least, self._shortfall()),
        )

    def _shortfall(self) -> Array:
        """(k,) the shortfall that every row is left with when all amounts are at their most."""
        _, most = closed(self.face)
        result: Array = np.maximum(0.0, 1.0 - most[self.shared.node] / self.target)
        return result

    def _narrowed(self, prices: Array, t: float, priced: Flags, forced: Flags) -> Chains:
        """The chains with every amount and ratio that the prices hold at the one value it has left."""
        face, node = self.face, self.shared.node
        one = np.full(len(face.column), np.nan)
        one[node[priced]] = (self.target * (1.0 - t))[priced]
        one[node[forced]] = closed(face)[1][node[forced]]
        for limits, sign in ((face.low, 1.0), (face.high, -1.0)):
            held = np.isnan(one) & _binding(limits, prices, sign)
            one[held] = limits.value[held]
        ratio = np.full(len(one), np.nan)
        for limits, sign in ((face.least, 1.0), (face.most, -1.0)):
            held = _binding(limits, prices, sign)
            ratio[held] = limits.value[held]
        for excess, value in ((face.kinks, one), (face.lines, ratio)):
            held = self._bends(excess, prices)
            value[excess.node[held]] = excess.at[held]
        return replace(
            face,
            low=_fixed(face.low, one),
            high=_fixed(face.high, one),
            least=_fixed(face.least, ratio),
            most=_fixed(face.most, ratio),
        )

    def _bends(self, excess: Excess, prices: Array) -> Flags:
        """Where an amount stands on a kink or a line in every optimal solution: neither side is free there."""
        coupling = self.shared.blocks.coupling
        reduced = -(self.shared.apart.matrix[coupling].T @ prices[coupling])
        share = prices[excess.row] * excess.scale
        return np.asarray((share > PRICED) & (share < excess.weight(reduced) - PRICED))

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
