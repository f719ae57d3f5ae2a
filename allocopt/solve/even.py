"""Of all plans that are equally good, the most even one: equals are treated equally, and the plan is unique.

The objectives of a scenario leave many plans that are just as good, and a simplex method returns a corner of them: of
two places with the same claim one may get all and the other nothing, by accident. With the caps of all stages in place
this room finds the one plan that lies closest to uniform growth,

    minimise  1/2 sum_p (x_p - u_p)^2 / b_p      subject to the rules and to every stage's cap

Only a few rows couple the places, so the problem is solved through their prices y: for given y every place's best
amount is a clip between its limits and kinks, and the concave function of y that is left has a handful of variables.
Its top is climbed from no prices at all, so the answer rests on nothing that was solved before. Strong duality (the
function of y meets the value of the plan) proves it. Imports `ascent`, `blocks`, `compiled`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from allocopt.problem import Array
from allocopt.solve.ascent import how_far, way_up
from allocopt.solve.blocks import Chains, blocks_of
from allocopt.solve.compiled import Compiled

STEPS = 100
MISSED = 1e-7
"""GBP million by which a coupling row may be missed: ten pence."""
GAP = 1e-11
"""Of the value: how far the proof may be from the plan."""
FEW = 12
"""Coupling rows up to which their curvature is summed densely."""


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
    blocks = blocks_of(compiled)
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


class _Kinks:
    """The kinks of all places, rank by rank: arrays (ranks, places); a place with fewer has some of no size."""

    def __init__(self, rows: sp.csr_array, chains: Chains) -> None:
        kinks, places = chains.kinks, len(chains.column)
        count = np.diff(kinks.first)
        slot = np.arange(len(kinks.node)) - kinks.first[kinks.node]
        self.shape = (int(count.max(initial=0)), places)
        where = slot * places + kinks.node
        self.at, self.size = self._spread(kinks.at, where), self._spread(kinks.size, where)
        self.falls = self._spread(kinks.falls, where) > 0
        self.present = self._spread(np.ones(len(where)), where) > 0
        own = sp.coo_array(rows[:, kinks.column] @ sp.diags_array(kinks.sign))
        self.on = sp.csr_array((own.data, (own.row, where[own.col])), shape=(rows.shape[0], self.size.size))
        self.by_rank = [self.on[:, rank * places : (rank + 1) * places] for rank in range(self.shape[0])]
        self.fixed = rows[:, kinks.column] @ (kinks.sign * kinks.least)

    def _spread(self, values: npt.NDArray[np.generic], where: npt.NDArray[np.int64]) -> Array:
        spread = np.zeros(self.shape[0] * self.shape[1])
        spread[where] = values
        return spread.reshape(self.shape)

    def rise(self, prices: Array) -> Array:
        """What a unit beyond each kink costs at these prices."""
        result: Array = self.size * np.maximum(0.0, self.on.T @ prices).reshape(self.shape)
        return result

    def beyond(self, amounts: Array) -> Array:
        """How far each excess is above its least."""
        result: Array = self.size * np.maximum(0.0, np.where(self.falls, self.at - amounts, amounts - self.at))
        return result

    def moves(self, amounts: Array) -> Array:
        """What each excess answers to one unit more of its place."""
        down = self.falls & (amounts < self.at)
        result: Array = np.where(down, -self.size, np.where(~self.falls & (amounts > self.at), self.size, 0.0))
        return result


@dataclass(frozen=True)
class _Look:
    """The function at some prices: its value, its slope (how far each row is missed), the amounts, their spread."""

    prices: Array
    value: float
    slope: Array
    amounts: Array
    spread: float


class _Prices:
    """The concave function of the coupling rows' prices, its slope and its curvature."""

    def __init__(self, current: Compiled, rows: np.ndarray, chains: Chains, reference: Array, weight: Array) -> None:
        self.chains, self.reference, self.weight, self.give = chains, reference, weight, 1 / weight
        whole = sp.csr_array(current.matrix[rows])
        lower, upper = current.row_lower[rows], current.row_upper[rows]
        self.kinks = _Kinks(whole, chains)
        self.side = np.where(np.isfinite(upper), upper, lower) - self.kinks.fixed
        self.least = np.where(np.isfinite(lower), -np.inf, 0.0)
        self.most = np.where(np.isfinite(upper), np.inf, 0.0)
        self.on_amount = sp.csr_array(whole[:, chains.column])
        self.columns = whole.shape[1]

    def _amounts(self, prices: Array) -> Array:
        """Every place's best amount at these prices: the lowest, over segments, of the higher of optimum and kink."""
        kinks = self.kinks
        rise = kinks.rise(prices)
        slope = self.on_amount.T @ prices - np.sum(rise, axis=0, where=kinks.falls)
        optimum = self.reference - slope * self.give
        best = optimum
        for rank in range(len(rise)):
            optimum = optimum - rise[rank] * self.give
            best = np.minimum(best, np.where(kinks.present[rank], np.maximum(optimum, kinks.at[rank]), optimum))
        amounts: Array = np.clip(best, self.chains.low.value, self.chains.high.value)
        return amounts

    def look(self, prices: Array) -> _Look:
        """The function at these prices."""
        amounts = self._amounts(prices)
        missed = self.on_amount @ amounts + self.kinks.on @ self.kinks.beyond(amounts).ravel() - self.side
        spread = float(0.5 * np.sum(self.weight * (amounts - self.reference) ** 2))
        return _Look(prices, spread + float(np.sum(prices * missed)), missed, amounts, spread)

    def curvature(self, look: _Look) -> Array:
        """Minus the second derivative (rows x rows): how the rows answer where places can move."""
        moves = self.kinks.moves(look.amounts)
        answer = self.on_amount.toarray()
        for on, move in zip(self.kinks.by_rank, moves, strict=True):
            moved = (on.data * move[on.indices], on.indices, on.indptr)
            answer += sp.csr_array(moved, shape=on.shape).toarray()
        return _gram(answer * np.sqrt(np.where(self._stuck(look), 0.0, self.give)))

    def _stuck(self, look: _Look) -> npt.NDArray[np.bool_]:
        """Places at a limit, or held at a kink that costs."""
        low, high = self.chains.low.value, self.chains.high.value
        held = self.kinks.present & (look.amounts == self.kinks.at) & (self.kinks.rise(look.prices) > 0)
        stuck: npt.NDArray[np.bool_] = (look.amounts <= low) | (look.amounts >= high) | held.any(axis=0)
        return stuck

    def done(self, look: _Look) -> bool:
        """Every row holds, and the proof meets the plan (so a price that is not nothing is of a row that binds)."""
        equation = np.isinf(self.least) & np.isinf(self.most)
        over = np.where(equation, np.abs(look.slope), np.where(self.most > 0, look.slope, -look.slope))
        close = abs(look.spread - look.value) <= GAP * max(1.0, abs(look.spread))
        return bool((over <= MISSED).all()) and close

    def values(self, amounts: Array) -> Array:
        """A whole point: the amounts, and every measuring variable at its least."""
        values = np.zeros(self.columns)
        values[self.chains.column] = amounts
        kinks = self.chains.kinks
        kinks.measure(values, np.zeros(self.columns), amounts[kinks.node], np.ones(len(kinks.node)))
        return values


def _gram(answer: Array) -> Array:
    """answer answer' (rows x rows), summed in one order."""
    if len(answer) <= FEW:
        dense: Array = np.einsum("ip,jp->ij", answer, answer)
        return dense
    sparse = sp.csr_array(answer)
    summed: Array = (sparse @ sparse.T).toarray()
    return summed


def _climb(prices: _Prices) -> Evened | None:
    """From no prices to the top, until the proof is met."""
    look, size = prices.look(np.zeros(len(prices.side))), float(prices.give.max())
    for step in range(STEPS):
        if prices.done(look):
            gap = abs(look.spread - look.value) / max(1.0, abs(look.spread))
            return Evened(prices.values(look.amounts), gap, step)
        curvature = prices.curvature(look)
        low, high = prices.least - look.prices, prices.most - look.prices
        way = way_up(curvature, look.slope, low, high, size=max(size, float(np.diag(curvature).max())))
        steep = float(np.sum(look.slope * way))
        if not steep > 0:
            return None
        look = _along(prices, look, way, steep)
    return None


def _along(prices: _Prices, look: _Look, way: Array, steep: float) -> _Look:
    """The point along a way where the slope has fallen enough."""
    found = look

    def rise(share: float) -> tuple[float, float]:
        nonlocal found
        found = prices.look(np.clip(look.prices + share * way, prices.least, prices.most))
        return found.value, float(np.sum(found.slope * way))

    how_far(rise, start=(look.value, steep), longest=_room(prices, look.prices, way))
    return found


def _room(prices: _Prices, at: Array, way: Array) -> float:
    """How many times the way fits within the bounds: once at least."""
    bound = np.where(way > 0, prices.most, prices.least)
    moving = way != 0
    return max(1.0, float(np.min((bound - at)[moving] / way[moving], initial=np.inf)))
