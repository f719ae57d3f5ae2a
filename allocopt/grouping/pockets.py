"""Bound P: the linear relaxation of the parts of the map where overspends and surpluses meet too little.

Bound B knows nothing of population windows, nor of crossings that cost something, which D_c then counts too. With v_p
the overspend of the places on the side of its minimum cut (nothing elsewhere), every consortium of a legal plan has
max(0, D_c) - v(c) >= 0. Nothing can be gained over B but where consortia have places of both sides, or could have: the
pockets are the smaller side's places, joined where they share a possible hub, each with all hubs that its places could
have. For a pocket with hubs H

    minimise    sum over hubs h in H of max(0, D_h) - v(members of h)
    subject to  every rule, where a place all of whose possible hubs are in H is placed and any other may be left out

bounds the terms of the consortia with hubs in H from below, and so does its linear relaxation; pockets share no hub,
so that what they gain adds up. The row prices prove it by weak duality, without a solver. The prices y_p of the rows
that place each place make better prices of places, v_p + y_p: with them a term falls short of nothing by no more than
the reduced costs of its hub's columns, which the bound has counted. So the gap of a plan is itemised by consortium,
and `lift` goes on from there. Imports `instance`, `bounds`, `programme`, `crew` and `solve`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from allocopt.errors import Infeasible, Stopped
from allocopt.grouping.bounds import Bound, hub_prices, place_prices
from allocopt.grouping.crew import Crew
from allocopt.grouping.instance import Array, Flags, Instance, Ints, Pairs
from allocopt.grouping.programme import Part, build_part
from allocopt.model import load_model
from allocopt.solve.compiled import Compiled, compile_problem
from allocopt.solve.highs import interior_prices

MOST_PAIRS = 250_000
"""Pairs of a pocket's programme: 200,000 take 90 s."""
LEAST = 1e-3
"""GBP m: a pocket that gains less is left out."""


@dataclass(frozen=True)
class Pocket:
    """One set of hubs for one process: the places that must be placed, all pairs of the hubs, prices of all places."""

    model: str
    instance: Instance
    must: Ints
    pairs: Pairs
    price: Array

    @property
    def hubs(self) -> Ints:
        """The hubs of the set."""
        return np.unique(self.pairs.hub)

    @property
    def large(self) -> bool:
        """Whether its programme is too large to be solved."""
        return len(self.pairs) > MOST_PAIRS


@dataclass(frozen=True)
class Priced:
    """What prices of places (n,) prove of what is sought in money: every legal consortium with hub h has
    max(0, D) - price(members) >= -short_h, so that the sum of all prices, less that of `short`, is a bound.
    """

    price: Array
    short: Array
    """(n,) by hub"""
    bound: Bound | None = None
    """Bound P or T, where it says more than the minimum cut"""

    @property
    def value(self) -> float:
        """GBP m: the bound."""
        return float(self.price.sum() - self.short.sum())


def pockets(model: str, instance: Instance, pairs: Pairs, side: Flags | None) -> list[Pocket]:
    """The pockets of bound B's minimum cut (n,), those with fewest pairs first."""
    if side is None:
        return []
    n, few = len(instance), side if 2 * side.sum() <= len(side) else ~side
    inside = pairs.take(few[pairs.place])
    graph = sp.coo_array((np.ones(len(inside)), (inside.place, n + inside.hub)), shape=(2 * n, 2 * n))
    label = connected_components(graph, directed=False)[1]
    used = np.zeros(n, dtype=bool)
    used[inside.hub] = True
    price, found = np.where(side, instance.over, 0.0), list[Pocket]()
    for one in np.unique(label[:n][few]).tolist():
        near = pairs.take((used & (label[n:] == one))[pairs.hub])
        must = wholly_inside(n, pairs, near)
        if len(must):
            found.append(Pocket(model, instance, must, near, price))
    return sorted(found, key=lambda pocket: (len(pocket.pairs), int(pocket.must[0])))


def wholly_inside(n: int, pairs: Pairs, near: Pairs) -> Ints:
    """Places all of whose possible hubs are in a set, by its pairs."""
    all_of, here = np.bincount(pairs.place, minlength=n), np.bincount(near.place, minlength=n)
    return np.flatnonzero((here > 0) & (here == all_of))


def pocket_programme(pocket: Pocket) -> tuple[Compiled, Array]:
    """The programme in which places that have other hubs may be left out, and be placed in part; and its cost.

    Raises Infeasible.
    """
    instance, model = pocket.instance, load_model(pocket.model)
    part = Part(np.unique(pocket.pairs.place), pocket.pairs)
    compiled = compile_problem(build_part(model, instance, part, [model.objective(instance.aim)]))
    must = {instance.places[p] for p in pocket.must.tolist()}
    cost, integer = compiled.costs[0].copy(), compiled.integer.copy()
    for at in compiled.columns_of("member").tolist():
        p, h = compiled.columns[at][1]
        cost[at] -= pocket.price[instance.index[p]]
        integer[at] = p in must or p == h
    rows = [
        number
        for number, (component, key) in enumerate(compiled.rows)
        if component == "duty_to_admit" and key[0] not in must
    ]
    out = sp.csr_array((np.ones(len(rows)), (rows, range(len(rows)))), shape=(compiled.matrix.shape[0], len(rows)))
    programme = replace(
        compiled,
        matrix=sp.hstack([compiled.matrix, out], format="csr"),
        column_lower=np.append(compiled.column_lower, np.zeros(len(rows))),
        column_upper=np.append(compiled.column_upper, np.ones(len(rows))),
        integer=np.append(integer, np.zeros(len(rows), dtype=bool)),
        columns=(*compiled.columns, *(("left_out", compiled.rows[row][1]) for row in rows)),
    )
    return programme, np.append(cost, np.zeros(len(rows)))


@dataclass(frozen=True)
class Relaxed:
    """What row prices prove of a pocket: what they add to the price of each place (n,), by how much the terms of each
    hub may fall short (n,), and the prices by row name.
    """

    more: Array
    short: Array
    prices: Mapping[str, float]

    @property
    def gain(self) -> float:
        """GBP m over the minimum cut."""
        return float(self.more.sum() - self.short.sum())


def relaxed(pocket: Pocket) -> Relaxed | None:
    """The relaxation of a pocket; None where it is too large, nothing is gained or the solver did not end."""
    if pocket.large:
        return None
    try:
        programme, cost = pocket_programme(pocket)
        found = proved(pocket, programme, cost, interior_prices(programme, cost))
    except (Infeasible, Stopped):
        return None
    return found if found is not None and found.gain > LEAST else None


def proved(pocket: Pocket, programme: Compiled, cost: Array, prices: Array) -> Relaxed | None:
    """What row prices (m,) prove by weak duality; None where a rule has a side that is no multiple of an open hub."""
    instance, admits = pocket.instance, programme.row_component == "duty_to_admit"
    place = np.array([instance.index[programme.rows[row][1][0]] for row in np.flatnonzero(admits).tolist()])
    optional = np.flatnonzero(admits)[~np.isin(place, pocket.must)]
    prices = np.where((prices > 0) & np.isneginf(programme.row_lower), 0.0, prices)
    prices = np.where((prices < 0) & np.isposinf(programme.row_upper), 0.0, prices)
    prices[optional] = np.minimum(0.0, prices[optional])  # a place that may be left out has no price above that
    side = np.where(prices > 0, programme.row_lower, programme.row_upper)
    if (side[~admits & (prices != 0)] != 0).any():
        return None
    reduced = cost - programme.matrix.T @ prices
    used = reduced < 0
    fall, short, more = np.zeros(len(used)), np.zeros(len(instance)), np.zeros(len(instance))
    fall[used] = -reduced[used] * programme.column_upper[used]
    for at in np.flatnonzero(fall > 0).tolist():
        short[instance.index[programme.columns[at][1][-1]]] += fall[at]
    more[place] = prices[admits]
    names = programme.row_names
    return Relaxed(more, short, {names[row]: float(prices[row]) for row in np.flatnonzero(prices).tolist()})


def cut_prices(instance: Instance, cut: Bound) -> Priced:
    """The prices of a minimum cut: the overspend of the places on its side, and nothing elsewhere."""
    return Priced(np.where(cut.side if cut.side is not None else False, instance.over, 0.0), np.zeros(len(instance)))


def known_prices(instance: Instance, pairs: Pairs, bounds: Sequence[Bound]) -> Priced:
    """The prices of places that the bounds without a solver know best: those of bound T, else of B's minimum cut."""
    named = {one.name: one for one in bounds}
    if "T" not in named:
        return cut_prices(instance, named["B"])
    price = place_prices(instance, pairs, hub_prices(instance, named["T"]))
    return Priced(price, np.zeros(len(instance)), named["T"])


def pocket_bound(model: str, instance: Instance, pairs: Pairs, cut: Bound, crew: Crew) -> Priced:
    """Bound P over the possible pairs, from the minimum cut of bound B; without a gain, the prices of the cut."""
    found = pockets(model, instance, pairs, cut.side)
    return priced_by(instance, cut, found, crew.do(relaxed, found, lambda pocket: float(len(pocket.pairs))))


def priced_by(instance: Instance, cut: Bound, found: Sequence[Pocket], answers: Sequence[Relaxed | None]) -> Priced:
    """Bound P from the relaxations of all pockets; without a gain, the prices of the cut."""
    gained = {number: answer for number, answer in enumerate(answers) if answer is not None}
    given = cut_prices(instance, cut)
    if not gained:
        return given
    price = given.price + sum(one.more for one in gained.values())
    short = given.short + sum(one.short for one in gained.values())
    prices = {numbered(number, row): price for number, one in gained.items() for row, price in one.prices.items()}
    gain = sum(one.gain for one in gained.values())
    words = _words(gain, len(gained), sum(pocket.large for pocket in found), len(prices))
    return Priced(price, short, Bound("P", given.value + gain, words, prices=prices))


def numbered(pocket: int, row: str) -> str:
    """The name under which the price of a pocket's row is kept: a place may be left out by several."""
    return f"{pocket}:{row}"


def _words(gain: float, pockets: int, large: int, prices: int) -> str:
    said = (
        f"bound B and £{gain:,.3f}m more, by the linear relaxation over {pockets} parts of the map that share no hub, "
        f"everything outside them at the prices of B's minimum cut: proved by {prices:,} row prices"
    )
    return said + (f"; {large} larger parts were not looked at" if large else "")
