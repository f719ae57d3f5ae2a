"""The exact answer of every place's chain of years at given prices, and the row prices that prove it.

The loops stand in `kernels`, compiled by numba, which only several years need; a twin in plain numpy stands in the
tests. Imports `blocks`, `kernels`, `single`.
"""

from __future__ import annotations

import numpy as np

from allocopt.problem import Array
from allocopt.solve.blocks import Chains
from allocopt.solve.kernels import Net, best_amounts, measured, settle_prices
from allocopt.solve.single import with_bounds


def _priced(chains: Chains, cost: Array) -> Net:
    """The chains with `cost` (n,) on the programme's columns."""
    kinks, lines = chains.kinks, chains.lines
    return Net(
        first=chains.first,
        low=chains.low.value,
        high=chains.high.value,
        cost=cost[chains.column],
        kink_first=kinks.first,
        kink=kinks.at,
        kink_jump=kinks.weight(cost) * kinks.size,
        kink_falls=kinks.falls,
        line_first=lines.first,
        ratio=lines.at,
        line_jump=lines.weight(cost) * lines.size,
        line_falls=lines.falls,
        least=chains.least.value,
        most=chains.most.value,
    )


def cheapest(chains: Chains, cost: Array) -> Array | None:
    """The columns (n,) of every chain's cheapest amounts at `cost`, measuring variables too; None when one has none."""
    x = np.empty(len(chains.column))
    low, high = chains.reach
    if not best_amounts(_priced(chains, cost)._replace(low=low, high=high), chains.room, x):
        return None
    values = np.zeros(len(cost))
    values[chains.column] = x
    for excess, back in ((chains.kinks, False), (chains.lines, True)):
        parts = (excess.node, excess.column, excess.sign, excess.size, excess.falls, excess.at)
        measured(*parts, excess.least, excess.most, back, cost, x, values)
    return values


def row_prices(chains: Chains, cost: Array, values: Array, rows: int) -> Array:
    """Prices (rows,) of the chains' rows that prove `values` cheapest at `cost`, as far as they are."""
    x = values[chains.column]
    kinks, lines = np.zeros(len(chains.kinks.at)), np.zeros(len(chains.lines.at))
    bounds, ties = np.zeros(len(x)), np.zeros(len(x))
    settle_prices(_priced(chains, cost), x, kinks, lines, bounds, ties)
    found = np.zeros(rows)
    for excess, price in ((chains.kinks, kinks), (chains.lines, lines)):
        np.add.at(found, excess.row, price / excess.size * excess.scale)
    with_bounds(found, chains.low, chains.high, bounds)
    with_bounds(found, chains.least, chains.most, ties)
    return found
