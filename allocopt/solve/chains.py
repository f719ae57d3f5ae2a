"""The exact answer of every place's chain of years at given prices, and the row prices that prove it.

The loops stand in `kernels`, compiled by numba, which only several years need; a twin in plain numpy stands in the
tests. Imports `blocks`, `kernels`, `single`.
"""

from __future__ import annotations

import numpy as np

from allocopt.problem import Array
from allocopt.solve.blocks import Chains, Flags, Ints
from allocopt.solve.kernels import Net, best_amounts, settle_prices
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


def _in_reach(chains: Chains, net: Net) -> Net:
    """The same within the amounts that can be reached, without the kinks and lines that cost nothing."""
    low, high = chains.reach
    kept = net.kink_jump > 0.0
    cost, between = _outside(chains, net)
    return net._replace(
        low=low,
        high=high,
        cost=cost,
        kink_first=_after(kept, net.kink_first),
        kink=net.kink[kept],
        kink_jump=net.kink_jump[kept],
        kink_falls=net.kink_falls[kept],
        line_first=_after(between, net.line_first),
        ratio=net.ratio[between],
        line_jump=net.line_jump[between],
        line_falls=net.line_falls[between],
    )


def _outside(chains: Chains, net: Net) -> tuple[Array, Flags]:
    """The cost of every amount with the lines on one side of which it always lies, and which lines are left."""
    node, size = chains.lines.node, net.line_jump
    above, below = net.ratio <= net.least[node], net.ratio >= net.most[node]
    slope = np.where(above & ~net.line_falls, size, np.where(below & net.line_falls, -size, 0.0))
    cost = net.cost.copy()
    np.add.at(cost, node, slope)
    np.add.at(cost, node - 1, -slope * net.ratio)
    return cost, (size > 0.0) & ~above & ~below


def _after(kept: Flags, first: Ints) -> Ints:
    return np.concatenate([[0], np.cumsum(kept)])[first]


def cheapest(chains: Chains, cost: Array) -> Array | None:
    """The columns (n,) of every chain's cheapest amounts at `cost`, measuring variables too; None when one has none."""
    x = np.empty(len(chains.column))
    rest = np.empty(len(chains.lines.at) + len(x))
    if not best_amounts(_in_reach(chains, _priced(chains, cost)), chains.room, rest, x):
        return None
    values = np.zeros(len(cost))
    values[chains.column] = x
    kinks, lines = chains.kinks, chains.lines
    kinks.measure(values, cost, x[kinks.node], np.ones(len(kinks.at)))
    lines.measure(values, cost, x[lines.node], x[lines.node - 1])
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
