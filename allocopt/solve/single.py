"""The exact answer of places that have one amount each, at given prices: the least of a convex function.

    minimise  c x + sum_k j_k max(0, kink_k - x or x - kink_k)   on [low, high]

It lies at the first kink after which the slope is no longer negative. The same answers as `chains` gives, for all
places at once in numpy, so that a single year needs no compiled code. Imports `blocks`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from allocopt.problem import Array
from allocopt.solve.blocks import Chains, Ints, Limits

NEAR = 1e-9
"""GBP million: an amount within a thousandth of a pound of a kink stands on it; limits that cross by less leave one
point."""


def cheapest(chains: Chains, cost: Array) -> Array | None:
    """The columns (n,) of every place's cheapest amount at `cost`; None when a place has none."""
    if (chains.low.value > chains.high.value + NEAR).any():
        return None
    kinks = chains.kinks
    jump = kinks.weight(cost) * kinks.size
    slope = cost[chains.column] - np.bincount(kinks.node, weights=jump * kinks.falls, minlength=len(chains.column))
    x = np.where(slope < 0, chains.high.value, chains.low.value)
    falling = slope < 0
    for k, node in rank_by_rank(chains):
        slope[node] += jump[k]
        settled = falling[node] & (slope[node] >= 0)
        x[node[settled]] = kinks.at[k[settled]]
        falling[node] &= ~settled
    x = np.clip(x, chains.low.value, chains.high.value)
    values = np.zeros(len(cost))
    values[chains.column] = x
    kinks.measure(values, cost, x[kinks.node], np.ones(len(kinks.at)))
    return values


def row_prices(chains: Chains, cost: Array, values: Array, rows: int) -> Array:
    """Prices (rows,) of the places' rows that prove `values` cheapest at `cost`."""
    kinks, x = chains.kinks, values[chains.column]
    jump = kinks.weight(cost) * kinks.size
    above = x[kinks.node] > kinks.at + NEAR
    touching = np.abs(x[kinks.node] - kinks.at) <= NEAR
    rest = -cost[chains.column] + np.bincount(
        kinks.node, weights=jump * kinks.falls - jump * above, minlength=len(chains.column)
    )
    share = np.where(above, jump, 0.0)
    for k, node in rank_by_rank(chains):
        taken = np.where(touching[k], np.clip(rest[node], 0.0, jump[k]), 0.0)
        share[k] += taken
        rest[node] -= taken
    found = np.zeros(rows)
    np.add.at(found, kinks.row, np.where(kinks.falls, jump - share, share) / kinks.size * kinks.scale)
    with_bounds(found, chains.low, chains.high, rest)
    return found


def with_bounds(found: Array, low: Limits, high: Limits, slope: Array) -> None:
    """Add the slope that is left at each amount to the price of the row that limits it."""
    row = np.where(slope > 0, high.row, low.row)
    coefficient = np.where(slope > 0, high.coefficient, low.coefficient)
    used = (row >= 0) & (slope != 0)
    np.add.at(found, row[used], -slope[used] / coefficient[used])


def rank_by_rank(chains: Chains) -> Iterator[tuple[Ints, Ints]]:
    """The first kink of every place that has one, then the second, ... with their places."""
    kinks = chains.kinks
    count = np.diff(kinks.first)
    for rank in range(int(count.max(initial=0))):
        node = np.flatnonzero(count > rank)
        yield kinks.first[node] + rank, node
