"""Of all plans that are equally good, the most even one: equals are treated equally, and the plan is unique.

The objectives of a scenario leave many plans that are just as good, and a simplex method returns a corner of them: of
two places with the same claim one may get all and the other nothing, by accident. With the caps of all stages in place
this room finds the one plan that lies closest to uniform growth,

    minimise  1/2 sum_p (x_p - u_p)^2 / b_p      subject to the rules and to every stage's cap

Only a few rows couple the places, so the problem is solved through their prices y: for given y every place's best
amount is a clip between its limits and kinks, and the concave function of y that is left has a handful of variables.
Strong duality (the function of y meets the value of the plan) proves the answer. Imports `blocks`, `compiled`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import Bounds, minimize

from allocopt.problem import Array
from allocopt.solve.blocks import Chains, find_blocks
from allocopt.solve.compiled import Compiled

STEPS = 40
HALVINGS = 50
LONGEST = 1e6
SMALL = 1e-6
MISSED = 1e-7
"""GBP million by which a coupling row may be missed: ten pence."""
GAP = 1e-11
"""Of the value: how far the proof may be from the plan."""
FLAT = 1e-13
"""Added to the curvature where no place can move."""


@dataclass(frozen=True)
class Evened:
    """The most even plan: its `values` (columns,), the relative gap of its proof, the steps that were taken."""

    values: Array
    gap: float
    steps: int


def evened(compiled: Compiled, current: Compiled, *, reference: Array, weight: Array) -> Evened | None:
    """The most even of the points of `current`, or None where the programme has another shape or the proof fails.

    `current` is `compiled` with the caps of its stages as further rows. `reference` and `weight` (allocation columns,
    in the order of `compiled.columns_of("allocation")`): what each gets under uniform growth, and 1 / baseline.
    """
    blocks = find_blocks(compiled)
    if blocks is None or not _one_amount_a_place(compiled, blocks.chains):
        return None
    caps = np.arange(compiled.matrix.shape[0], current.matrix.shape[0])
    coupling = np.concatenate([blocks.coupling, caps])
    if not _one_sided(current, coupling):
        return None
    order = np.searchsorted(compiled.columns_of("allocation"), blocks.chains.column)
    return _climb(_Prices(current, coupling, blocks.chains, reference[order], weight[order]))


def _one_amount_a_place(compiled: Compiled, chains: Chains) -> bool:
    alone = len(chains.lines.node) == 0 and bool((np.diff(chains.first) == 1).all())
    return alone and np.array_equal(np.sort(chains.column), compiled.columns_of("allocation"))


def _one_sided(current: Compiled, rows: np.ndarray) -> bool:
    """Every coupling row is an equation or has one side only."""
    lower, upper = current.row_lower[rows], current.row_upper[rows]
    return bool(((lower == upper) | np.isinf(lower) | np.isinf(upper)).all())


class _Prices:
    """The concave function of the coupling rows' prices, its slope and its curvature."""

    def __init__(self, current: Compiled, rows: np.ndarray, chains: Chains, reference: Array, weight: Array) -> None:
        self.chains, self.reference, self.weight = chains, reference, weight
        self.rows = sp.csr_array(current.matrix[rows])
        lower, upper = current.row_lower[rows], current.row_upper[rows]
        self.side = np.where(np.isfinite(upper), upper, lower)
        self.least = np.where(np.isfinite(lower), -np.inf, 0.0)
        self.most = np.where(np.isfinite(upper), np.inf, 0.0)
        kinks = chains.kinks
        count = np.diff(kinks.first)
        self.slot = np.arange(len(kinks.node)) - kinks.first[kinks.node]
        self.width = int(count.max(initial=0))
        self.on_amount = self.rows[:, chains.column].toarray()
        self.on_kink = self.rows[:, kinks.column].toarray() * kinks.sign
        self.at = np.full((self.width + 1, len(chains.column)), -np.inf)
        self.at[self.slot + 1, kinks.node] = kinks.at

    def amounts(self, prices: Array) -> Array:
        """Every place's best amount at these prices: the lowest, over segments, of the higher of optimum and kink."""
        kinks = self.chains.kinks
        rise = kinks.size * np.maximum(0.0, prices @ self.on_kink)
        slope = np.zeros_like(self.at)
        slope[self.slot + 1, kinks.node] = rise
        falls = np.bincount(kinks.node[kinks.falls], weights=rise[kinks.falls], minlength=len(self.reference))
        slope[0] = prices @ self.on_amount - falls
        best = np.maximum(self.reference - np.cumsum(slope, axis=0) / self.weight, self.at).min(axis=0)
        amounts: Array = np.clip(best, self.chains.low.value, self.chains.high.value)
        return amounts

    def values(self, amounts: Array, columns: int) -> Array:
        """A whole point: the amounts, and every measuring variable at its least."""
        values = np.zeros(columns)
        values[self.chains.column] = amounts
        kinks = self.chains.kinks
        kinks.measure(values, np.zeros(columns), amounts[kinks.node], np.ones(len(kinks.node)))
        return values

    def spread(self, amounts: Array) -> float:
        """1/2 sum (x - u)^2 / b."""
        return float(0.5 * np.sum(self.weight * (amounts - self.reference) ** 2))

    def look(self, prices: Array) -> tuple[float, Array, Array, Array]:
        """At these prices: the function, its slope (how far each row is missed), the amounts, the point."""
        amounts = self.amounts(prices)
        values = self.values(amounts, self.rows.shape[1])
        missed = self.rows @ values - self.side
        return self.spread(amounts) + float(prices @ missed), missed, amounts, values

    def curvature(self, amounts: Array) -> Array:
        """Minus the second derivative (rows x rows): how the rows answer where places can move."""
        chains, kinks = self.chains, self.chains.kinks
        x = amounts[kinks.node]
        moves = np.where(kinks.falls, np.where(x < kinks.at, -kinks.size, 0.0), np.where(x > kinks.at, kinks.size, 0.0))
        answer = self.on_amount.copy()
        np.add.at(answer.T, kinks.node, (self.on_kink * moves).T)
        stuck = (amounts <= chains.low.value) | (amounts >= chains.high.value)
        stuck[kinks.node[x == kinks.at]] = True
        answer = answer[:, ~stuck]
        result: Array = (answer / self.weight[~stuck]) @ answer.T
        return result


def _climb(prices: _Prices) -> Evened | None:
    """Quasi-Newton steps to near the top, then Newton steps with an exact line search until the proof is met."""
    at = _near(prices)
    for step in range(STEPS):
        value, slope, amounts, values = prices.look(at)
        if _done(prices, slope, amounts, value):
            spread = prices.spread(amounts)
            return Evened(values, abs(spread - value) / max(1.0, abs(spread)), step)
        free = ~(((at <= prices.least) & (slope < 0)) | ((at >= prices.most) & (slope > 0)))
        at = _along(prices, at, _direction(prices.curvature(amounts), slope, free))
    return None


def _near(prices: _Prices) -> Array:
    """Prices near the top, by a bounded quasi-Newton method on scaled prices."""
    start = np.zeros(len(prices.side))
    curvature = np.diag(prices.curvature(prices.look(start)[2]))
    largest = max(float(curvature.max()), float(1 / prices.weight.min()))
    scale = 1 / np.sqrt(np.maximum(curvature, SMALL * largest))

    def fall(scaled: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, Array]:
        value, slope, _, _ = prices.look(scaled * scale)
        return float(-value), np.asarray(-slope * scale)

    bounds = Bounds(prices.least, prices.most)
    options: Any = {"maxiter": 5000, "maxfun": 10_000, "ftol": 1e-15, "gtol": 1e-10}
    found = minimize(fall, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    near: Array = np.asarray(found.x, dtype=np.float64) * scale
    return near


def _done(prices: _Prices, slope: Array, amounts: Array, value: float) -> bool:
    """Every row holds, and the proof meets the plan (so a price that is not nothing belongs to a row that binds)."""
    equation = np.isinf(prices.least) & np.isinf(prices.most)
    over = np.where(equation, np.abs(slope), np.where(prices.most > 0, slope, -slope))
    spread = prices.spread(amounts)
    return bool((over <= MISSED).all()) and abs(spread - value) <= GAP * max(1.0, abs(spread))


def _direction(curvature: Array, slope: Array, free: np.ndarray) -> Array:
    scale = np.sqrt(np.maximum(np.diag(curvature), FLAT))
    scaled = curvature / np.outer(scale, scale) + 1e-12 * np.eye(len(slope))
    direction = np.zeros(len(slope))
    part = np.ix_(free, free)
    direction[free] = np.linalg.lstsq(scaled[part], slope[free] / scale[free], rcond=1e-14)[0] / scale[free]
    return direction


def _along(prices: _Prices, at: Array, direction: Array) -> Array:
    """The highest point along a direction: the slope along it falls, so its zero is found by halving."""

    def there(length: float) -> Array:
        return np.clip(at + length * direction, prices.least, prices.most)

    def rises(length: float) -> bool:
        return float(prices.look(there(length))[1] @ direction) > 0

    low, high = 0.0, 1.0
    while rises(high) and high < LONGEST:
        low, high = high, 4 * high
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if rises(middle) else (low, middle)
    return there(high)
