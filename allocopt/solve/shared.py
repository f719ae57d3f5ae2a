"""Programmes whose places share one level (the worst shortfall, a common speed): chains, once the level is set.

A column z that stands in a row of every place ties all of them, and the programme is no longer coupling rows over
chains. With z set each of these rows limits an amount of its own place, and all of them ask less as z moves one way:
t is the level counted that way. The least t is found from below. The rows that couple places may be missed at a price;
as long as something is missed, the prices y that the rounds find prove for every t at once

    missed(t)  >=  g_y(t) = sum_i (y_i > 0 ? y_i L_i(t) : y_i U_i(t)) + sum_j min over [l_j, u_j] of (-A'y)_j x_j

so no level before the root of g_y can hold, and the root is tried next. A level at which nothing is missed is the
least, and the last prices prove it by weak duality once they are scaled. Imports `blocks`, `decompose`, `certificate`,
`compiled` and `highs`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from allocopt.errors import Infeasible, Stopped
from allocopt.problem import Array
from allocopt.solve.blocks import Blocks, Flags, Ints, Limits, closed, find_blocks
from allocopt.solve.certificate import dual_bound
from allocopt.solve.compiled import Compiled
from allocopt.solve.highs import Point, minimise

PAIR = 2
MISSED = 1e-7
"""GBP million: what may be missed where nothing is, ten pence; the rounds end at a penny."""
TOUCHING = 1e-9
"""GBP million: limits that cross by less than a thousandth of a pound leave one point."""
TRIES = 200
HALVINGS = 60


@dataclass(frozen=True)
class Shared:
    """A programme whose places share the level in `column`; t = `ease` x level, so that more t asks less."""

    compiled: Compiled
    column: int
    ease: float
    rows: Ints
    """(k,) the rows that hold the level and one amount"""
    size: Array
    """(k,) what a unit of t adds to each of them"""
    apart: Compiled
    """The same programme without the level in these rows, and nothing asked by them"""
    blocks: Blocks
    node: Ints
    """(k,) the node of the amount of each row"""

    @cached_property
    def asks(self) -> Flags:
        """(k,) True where the row has a lower side, False where it has an upper one."""
        return np.isfinite(self.compiled.row_lower[self.rows])

    @cached_property
    def factor(self) -> Array:
        """(k,) the coefficient of the amount."""
        return np.asarray(self.apart.matrix[self.rows].data, dtype=float)

    @cached_property
    def hardest(self) -> tuple[float, int]:
        """The least t that the level's own limits allow, and the row that says so (-1: the bound of the column)."""
        return self._end(-1.0)

    @cached_property
    def easiest(self) -> tuple[float, int]:
        """The most t that they allow, and the row that says so."""
        return self._end(1.0)

    def _end(self, way: float) -> tuple[float, int]:
        one, up = self.compiled, self.ease * way
        best, row = float((one.column_upper if up > 0 else one.column_lower)[self.column] * up), -1
        for at in alone(one, self.column).tolist():
            factor = float(one.matrix[[at]].data[0])
            side = float((one.row_upper if factor * up > 0 else one.row_lower)[at] / factor * up)
            best, row = (side, at) if side < best else (best, row)
        return best * way, row

    def sides(self, level: Array | float) -> Array:
        """(k,) the side that each row sets its amount at these levels t."""
        said = np.where(self.asks, self.compiled.row_lower[self.rows], self.compiled.row_upper[self.rows])
        result: Array = said - self.size * level
        return result

    def at(self, level: Array | float) -> tuple[Compiled, Blocks]:
        """The programme, and its chains, with each row at its level t."""
        side = self.sides(level)
        lower, upper = self.apart.row_lower.copy(), self.apart.row_upper.copy()
        lower[self.rows], upper[self.rows] = np.where(self.asks, side, -np.inf), np.where(self.asks, np.inf, side)
        chains, limit = self.blocks.chains, side / self.factor
        rising = (self.factor > 0) == self.asks
        low, high = self._tighter(chains.low, limit, rising), self._tighter(chains.high, limit, ~rising, upper=True)
        limited = Blocks(self.blocks.coupling, replace(chains, low=low, high=high))
        return replace(self.apart, row_lower=lower, row_upper=upper), limited

    def _tighter(self, limits: Limits, limit: Array, chosen: Flags, *, upper: bool = False) -> Limits:
        value, row, coefficient = limits.value.copy(), limits.row.copy(), limits.coefficient.copy()
        there = self.node[chosen]
        tight = limit[chosen] < value[there] if upper else limit[chosen] > value[there]
        at = there[tight]
        value[at], row[at] = limit[chosen][tight], self.rows[chosen][tight]
        coefficient[at] = self.factor[chosen][tight]
        return Limits(value, row, coefficient)


def alone(compiled: Compiled, column: int) -> Ints:
    """The rows that hold this column and nothing else, such as caps of stages before."""
    body = compiled.matrix
    short = np.flatnonzero(np.diff(body.indptr) == 1)
    return np.asarray(short[body.indices[body.indptr[short]] == column], dtype=np.int64)


def shared_level(compiled: Compiled) -> Shared | None:
    """The level that the places of a programme share, or None when it has another shape; looked for once in each."""
    held = compiled.__dict__
    if "shared" not in held:
        held["shared"] = _find(compiled)
    found: Shared | None = held["shared"]
    return found


def _find(compiled: Compiled) -> Shared | None:
    """The column in most rows of two entries, if all of these ask less as it moves one way."""
    body, width = compiled.matrix, np.diff(compiled.matrix.indptr)
    pairs = np.flatnonzero(width == PAIR)
    two = body.indices[body.indptr[pairs][:, None] + np.arange(PAIR)]
    if not len(pairs):
        return None
    column = int(np.bincount(two.ravel()).argmax())
    rows = pairs[(two == column).any(axis=1)].astype(np.int64)
    entries = body[rows].tocoo()
    is_level = entries.col == column
    size = np.zeros(len(rows))
    size[entries.row[is_level]] = entries.data[is_level]
    if int((body.indices == column).sum()) != len(rows) + len(alone(compiled, column)):
        return None
    asks, limits = np.isfinite(compiled.row_lower[rows]), np.isfinite(compiled.row_upper[rows])
    way = np.unique(np.where(asks, 1.0, -1.0) * np.sign(size))
    if (asks == limits).any() or len(way) != 1:
        return None
    return _apart(compiled, column, float(way[0]), rows, size * way[0])


def _apart(compiled: Compiled, column: int, ease: float, rows: Ints, size: Array) -> Shared | None:
    parts = compiled.matrix.tocoo()
    in_rows = np.zeros(compiled.matrix.shape[0], dtype=bool)
    in_rows[rows] = True
    keep = ~(in_rows[parts.row] & (parts.col == column))
    matrix = sp.csr_array((parts.data[keep], (parts.row[keep], parts.col[keep])), shape=parts.shape)
    lower, upper = compiled.row_lower.copy(), compiled.row_upper.copy()
    lower[rows], upper[rows] = -np.inf, np.inf
    apart = replace(compiled, matrix=matrix, row_lower=lower, row_upper=upper)
    blocks = find_blocks(apart)
    if blocks is None:
        return None
    node_of = np.full(parts.shape[1], -1)
    node_of[blocks.chains.column] = np.arange(len(blocks.chains.column))
    node = node_of[matrix[rows].indices]
    if (node < 0).any() or len(np.unique(node)) < len(node):
        return None
    return Shared(compiled, column, ease, rows, size, apart, blocks, node)


@dataclass(frozen=True)
class Least:
    """The least level t of a programme, a point there, and the prices that prove it."""

    t: float
    values: Array
    """(n,) the level in its column"""
    prices: Array
    """(m,) scaled to prove t, at a cost of 1 each, of the programme in which rows that begin beyond t are held"""
    method: str


def least_level(shared: Shared, *, begins: Array | float = -np.inf, time_limit: float) -> Least:
    """The least t at which every rule can be obeyed. Raises Infeasible or Stopped.

    A row asks of its amount what it asks at t, or at its `begins` (k,) where that is more.
    """
    end, begins = time.monotonic() + time_limit, np.broadcast_to(begins, len(shared.rows))
    t, proof = _by_themselves(shared, begins, end)
    answers: tuple[Array, ...] = ()
    for number in range(1, TRIES):
        programme, blocks = shared.at(np.maximum(begins, t))
        point, missed = _least_missed(programme, blocks, answers, end)
        proven = dual_bound(programme, np.zeros(len(point.values)), point.prices)
        if missed <= MISSED:
            values = point.values.copy()
            values[shared.column] = shared.ease * t
            places = len(blocks.chains.first) - 2  # the level is a chain of its own
            words = f"dantzig-wolfe: {len(blocks.coupling)} coupling rows, {places:,} chains, {number} levels tried"
            return Least(t, values, _scaled(shared, proof, begins, t), words)
        if proven <= 0:
            break
        proof, answers = point.prices, point.answers
        t = _root(shared, proof, begins, t, proven)
    raise Stopped("no level was proven: give it more time, --set solver.time_limit=600s")


def at_least_cost(shared: Shared, cost: Array, *, time_limit: float) -> Point | None:
    """The cheapest point at `cost` (n,), which may ask for a low t or for other things, or None where it asks for both.

    What does not ask for a low t is had at the most t that the level's own limits allow. Raises Infeasible or Stopped.
    """
    of_level, rest = float(cost[shared.column]), cost.copy()
    rest[shared.column] = 0.0
    if of_level * shared.ease <= 0:
        return _at_easiest(shared, cost, time_limit)
    if rest.any():
        return None
    found = least_level(shared, time_limit=time_limit)
    return Point(found.values, abs(of_level) * found.prices, optimal=True, method=found.method)


def _at_easiest(shared: Shared, cost: Array, time_limit: float) -> Point | None:
    from allocopt.solve.decompose import decompose  # noqa: PLC0415 - numba is loaded only where it is used

    t, row = shared.easiest
    programme, blocks = shared.at(t)
    found = decompose(programme, blocks, cost, answers=(), time_limit=time_limit)
    if found is None:
        least_level(shared, time_limit=time_limit)  # raises Infeasible when no level at all can be had
        return None
    values, prices = found.values.copy(), found.prices.copy()
    values[shared.column] = shared.ease * t
    if row >= 0:
        entries = shared.compiled.matrix[:, [shared.column]]
        prices[row] = 0.0
        prices[row] = (cost[shared.column] - (entries.T @ prices)[0]) / entries[[row]].toarray()[0, 0]
    return replace(found, values=values, prices=prices)


def _least_missed(programme: Compiled, blocks: Blocks, answers: tuple[Array, ...], end: float) -> tuple[Point, float]:
    """The point that misses least of the rows that couple places, and how much."""
    from allocopt.solve.decompose import least_missed  # noqa: PLC0415 - numba is loaded only where it is used

    left = end - time.monotonic()
    found = least_missed(programme, blocks, answers=answers, time_limit=left) if left > 0 else None
    if found is None:
        raise Stopped("no level was proven in the time given: --set solver.time_limit=600s")
    return found


def _by_themselves(shared: Shared, begins: Array, end: float) -> tuple[float, Array | None]:
    """The least level that every chain allows by itself, and the prices that prove it: those of the worst chain.

    None where no chain asks for more than the level's own limits.
    """
    low, high = shared.hardest[0], shared.easiest[0]
    if not _broken(shared, begins, low).any():
        return low, None
    width = 1.0
    while low + width < high and _broken(shared, begins, low + width).any():
        low, width = low + width, 2 * width
    high = min(high, low + width)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _broken(shared, begins, middle).any() else (low, middle)
    chain = int(np.flatnonzero(_broken(shared, begins, low))[0])
    prices = _of_chain(shared, chain, end)
    return _root(shared, prices, begins, low, _proven(shared, prices, begins, low)), prices


def _broken(shared: Shared, begins: Array, t: float) -> Flags:
    """Chains whose limits leave nothing at a level."""
    _, blocks = shared.at(np.maximum(begins, t))
    least, most = closed(blocks.chains)
    return np.asarray(np.logical_or.reduceat(least > most + TOUCHING, blocks.chains.first[:-1]))


def _of_chain(shared: Shared, chain: int, end: float) -> Array:
    """Row prices (m,) that prove the least level of one chain by itself, found by HiGHS on its rows."""
    one, chains = shared.compiled, shared.blocks.chains
    mine = np.zeros(one.matrix.shape[1])
    mine[chains.column[chains.first[chain] : chains.first[chain + 1]]] = 1.0
    touched = np.asarray(abs(one.matrix) @ mine) > 0
    touched[shared.blocks.coupling] = False
    rows, cost = np.flatnonzero(touched), np.zeros(len(mine))
    cost[shared.column] = shared.ease
    prices = np.zeros(one.matrix.shape[0])
    prices[rows] = minimise(one.only(rows), cost, time_limit=max(1.0, end - time.monotonic())).prices
    return prices


def _proven(shared: Shared, prices: Array, begins: Array, t: float) -> float:
    programme, _ = shared.at(np.maximum(begins, t))
    return dual_bound(programme, np.zeros(programme.matrix.shape[1]), prices)


def _root(shared: Shared, prices: Array, begins: Array, t: float, proven: float) -> float:
    """The level at which prices that prove `proven` at t prove nothing. Raises Infeasible when there is none."""
    weight = prices[shared.rows] * shared.size
    used = np.flatnonzero(weight > 0)
    if not len(used):
        raise Infeasible("no allocation obeys every rule")
    start = np.maximum(begins[used], t) - t
    order = np.argsort(start, kind="stable")
    start, share = start[order], weight[used][order]
    total, moment = np.cumsum(share), np.cumsum(share * start)
    gone = np.append(0.0, total[:-1] * start[1:] - moment[:-1])
    last = int(np.flatnonzero(gone <= proven)[-1])
    found = float(t + (proven + moment[last]) / total[last])
    if found > shared.easiest[0]:
        raise Infeasible("no allocation obeys every rule")
    return found


def _scaled(shared: Shared, proof: Array | None, begins: Array, t: float) -> Array:
    """The prices per unit of t."""
    if proof is None:
        prices, row = np.zeros(shared.compiled.matrix.shape[0]), shared.hardest[1]
        if row >= 0:
            prices[row] = shared.ease / shared.compiled.matrix[[row]].data[0]
        return prices
    moving = (begins <= t) & (proof[shared.rows] * shared.size > 0)
    result: Array = proof / float(np.sum((proof[shared.rows] * shared.size)[moving]))
    return result
