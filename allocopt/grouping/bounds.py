"""Bounds on gross deficit after pooling, and on that with what crossings cost, that need no solver; their certificates
in words.

A. Areas that consortia may not cross: sum over areas of max(0, overspend of the area).
B. Reach: total overspend less the most that surpluses can offset, a surplus offsetting an overspend only where the
   two places could share a consortium: a maximum flow overspender -> hub -> surplus place. The minimum cut is the
   certificate: a set of overspenders S and the surpluses N(S) that share a possible hub with any of them,
   bound = over(S) - surplus(N(S)).
T. Crossings of areas that cost c_ph: for any prices t_h in [0, 1]

    sum_h max(0, D_h) + sum_ph c_ph x_ph  >=  sum_p min_h (t_h over_p + c_ph)    over the hubs h that p may join

   because max(0, D_h) >= t_h D_h and every place has one hub. With t = 1 in areas that overspend as a whole and 0 in
   the others this is bound A less what places could gain by crossing beyond its cost: at least
   sum_a max(0, overspend of a) - sum_p max(0, |over_p| - c_p). With t = 1 at the hubs of B's overspenders it is at
   least B. From the better of the two the prices are raised; they are the certificate.

All need fixed budgets; A and B hold with what crossings cost too, which is never negative. Imports `instance` alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import minimize
from scipy.sparse.csgraph import breadth_first_order, connected_components, maximum_flow

from allocopt.grouping.instance import TOLLED, Array, Flags, Instance, Ints, Pairs

_MOST = 2_000_000_000
"""The flow is reckoned in 32-bit integers that overflow silently: the total stays below."""
SHOWN = 10
SOFTNESS, STEPS = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003), 100
"""How soft the minimum over hubs is when bound T's prices are raised, in mean overspends, and steps at each."""
FEWEST, STEP_PAIRS = 10, 12_000_000
"""Steps where pairs are many, and pairs that all steps at one softness look at (115,694 take six seconds in all)."""
DIGITS = 6
"""Of the prices that are kept."""


@dataclass(frozen=True)
class Cluster:
    """Overspenders and the only surpluses they can reach: positions, and GBP m short."""

    over: Ints
    under: Ints
    short: float


@dataclass(frozen=True)
class Bound:
    """A proven lower bound on gross deficit after pooling, GBP m."""

    name: str
    value: float
    words: str
    side: Flags | None = None
    """(n,) for B: the places of the minimum cut; their overspend less their surplus is the bound"""
    clusters: tuple[Cluster, ...] = ()
    prices: Mapping[str, float] | None = None
    """the prices that prove it: for C and P by row name, for T by hub"""
    pots: Mapping[str, float] | None = None
    """for N: the pots that it rests on, GBP m by area ("": of all places)"""


def area_bound(instance: Instance) -> Bound | None:
    """Bound A, or None where a place may leave its area."""
    if not instance.on("stay_in_area") or instance.waived("stay_in_area").any():
        return None
    net = np.bincount(instance.area_codes, weights=instance.over, minlength=len(instance.areas))
    short = net > 0
    words = f"{int(short.sum())} of {len(net)} areas overspend as a whole, by £{net[short].sum():,.3f}m together"
    return Bound("A", float(net[short].sum()), words)


def reach_bound(instance: Instance, pairs: Pairs) -> Bound:
    """Bound B over the possible pairs, with its minimum cut."""
    over = instance.over
    unit = max(1.0, np.ceil(float(np.abs(over).sum()) * 1e6 / _MOST)) / 1e6
    side = _cut(instance, pairs, np.ceil(np.abs(over) / unit - 1e-9).astype(np.int64))
    value = max(0.0, float(over[side].sum()))
    clusters = _clusters(instance, pairs, side) if value > 0 else ()
    return Bound("B", value, _words(instance, side, clusters), side, clusters)


def _cut(instance: Instance, pairs: Pairs, size: Ints) -> Flags:
    """The places on the source side of the minimum cut; closed by hand so that it holds whatever the rounding."""
    n, source, sink = len(instance), 2 * len(instance), 2 * len(instance) + 1
    overspends = instance.over > 0
    gives = overspends[pairs.place]
    to_hub, from_hub = pairs.take(gives), pairs.take(~gives)
    plus, minus = np.flatnonzero(overspends), np.flatnonzero(~overspends)
    tail = np.concatenate([np.full(len(plus), source), to_hub.place, n + from_hub.hub, minus])
    head = np.concatenate([plus, n + to_hub.hub, from_hub.place, np.full(len(minus), sink)])
    capacity = np.concatenate([size[plus], size[to_hub.place], size[from_hub.place], size[minus]])
    graph = sp.csr_array((capacity.astype(np.int32), (tail, head)), shape=(2 * n + 2, 2 * n + 2))
    graph.indices, graph.indptr = graph.indices.astype(np.int32), graph.indptr.astype(np.int32)
    flow = maximum_flow(graph, source, sink).flow
    left: Any = sp.csr_array(graph - flow)
    left.eliminate_zeros()
    seen = np.zeros(2 * n + 2, dtype=bool)
    seen[breadth_first_order(left, source, return_predecessors=False)] = True
    return closed_side(instance, pairs, seen[:n] & overspends)


def closed_side(instance: Instance, pairs: Pairs, chosen: Flags) -> Flags:
    """The chosen overspenders with every surplus place that shares a possible hub with one of them."""
    hubs = np.zeros(len(instance), dtype=bool)
    hubs[pairs.hub[chosen[pairs.place]]] = True
    reached = np.zeros(len(instance), dtype=bool)
    reached[pairs.place[hubs[pairs.hub]]] = True
    return np.asarray(chosen | (reached & (instance.over <= 0)))


def _clusters(instance: Instance, pairs: Pairs, side: Flags) -> tuple[Cluster, ...]:
    n, inside = len(instance), pairs.take(side[pairs.place])
    over_hubs = np.zeros(n, dtype=bool)
    over_hubs[pairs.hub[(side & (instance.over > 0))[pairs.place]]] = True
    inside = inside.take(over_hubs[inside.hub])
    graph = sp.coo_array((np.ones(len(inside)), (inside.place, n + inside.hub)), shape=(2 * n, 2 * n))
    label = connected_components(graph, directed=False)[1][:n]
    found = []
    for one in np.unique(label[side]).tolist():
        members = np.flatnonzero(side & (label == one))
        plus = instance.over[members] > 0
        found.append(Cluster(members[plus], members[~plus], float(instance.over[members].sum())))
    return tuple(sorted((one for one in found if one.short > 0), key=lambda one: -one.short))


def _words(instance: Instance, side: Flags, clusters: tuple[Cluster, ...]) -> str:
    over: Array = instance.over[side]
    if not clusters:
        return "every overspend can be offset by surpluses within reach"
    plus, minus = over[over > 0], over[over <= 0]
    said = (
        f"{len(plus):,} overspenders (£{plus.sum():,.3f}m over) can share a consortium only with {len(minus):,} "
        f"places in surplus (£{-minus.sum():,.3f}m): £{plus.sum() + minus.sum():,.3f}m short"
    )
    listed = "; ".join(_one(instance, one) for one in clusters[:SHOWN])
    return f"{said}; in {len(clusters)} clusters, the largest: {listed}"


def _one(instance: Instance, cluster: Cluster) -> str:
    areas = sorted({instance.area[p] for p in cluster.over.tolist()})
    where = ", ".join(areas[:3]) + (f" and {len(areas) - 3} more" if len(areas) > 3 else "")
    sides = f"{len(cluster.over)} overspenders against {len(cluster.under)} surpluses"
    return f"{sides} in {where}, £{cluster.short:,.3f}m short"


def bounds_of(instance: Instance, pairs: Pairs) -> tuple[Bound, ...]:
    """Every bound that applies, computed before any search."""
    area, cut = area_bound(instance), reach_bound(instance, pairs)
    return (*((area,) if area else ()), cut, *((toll_bound(instance, pairs, cut),) if instance.aim == TOLLED else ()))


def toll_bound(instance: Instance, pairs: Pairs, cut: Bound) -> Bound:
    """Bound T over the possible pairs, from bounds A and B or above them."""
    net = np.bincount(instance.area_codes, weights=instance.over, minlength=len(instance.areas))
    met = np.zeros(len(instance), dtype=bool)
    if cut.side is not None:
        met[pairs.hub[(cut.side & (instance.over > 0))[pairs.place]]] = True
    starts = [(net > 0)[instance.area_codes].astype(np.float64), met.astype(np.float64)]
    best = max(starts, key=lambda price: float(place_prices(instance, pairs, price).sum()))
    best = max([*_raised(instance, pairs, best), best], key=lambda price: place_prices(instance, pairs, price).sum())
    return priced_bound(instance, pairs, best)


def priced_bound(instance: Instance, pairs: Pairs, price: Array) -> Bound:
    """Bound T at given prices of hubs (n,), 0 to 1."""
    value = max(0.0, float(place_prices(instance, pairs, price).sum()))
    used = np.intersect1d(np.flatnonzero(price), pairs.hub)
    prices = {instance.places[h]: float(price[h]) for h in used.tolist()} if value > 0 else {}
    words = (
        f"each overspend priced at {len(prices):,} of {len(np.unique(pairs.hub)):,} hubs, each place at the hub where "
        f"that with the cost of crossing is least: no less than £{value:,.3f}m together"
    )
    return Bound("T", value, words, prices=prices)


def hub_prices(instance: Instance, bound: Bound) -> Array:
    """The prices of bound T as an array, (n,) by hub."""
    price = np.zeros(len(instance))
    for code, one in (bound.prices or {}).items():
        price[instance.index[code]] = one
    return price


def place_prices(instance: Instance, pairs: Pairs, price: Array) -> Array:
    """(n,) GBP m: the least that each place adds at these prices of hubs (n,); nothing where it may join none."""
    found = np.zeros(len(instance))
    if len(pairs):
        first = _firsts(pairs)
        cost = price[pairs.hub] * instance.over[pairs.place] + instance.tolls(pairs.place, pairs.hub)
        found[pairs.place[first]] = np.minimum.reduceat(cost, first)
    return found


def _firsts(pairs: Pairs) -> Ints:
    """Where the pairs of each place begin: they are sorted by place."""
    return np.flatnonzero(np.diff(pairs.place, prepend=-1))


def _raised(instance: Instance, pairs: Pairs, price: Array) -> Iterator[Array]:
    """Prices (n,) that climb the bound with its minimum softened, less and less, by a quasi-Newton method."""
    if not len(pairs):
        return
    hubs, at = np.unique(pairs.hub, return_inverse=True)
    over, tolls = instance.over[pairs.place], instance.tolls(pairs.place, pairs.hub)
    mean, price = max(float(np.abs(instance.over).mean()), 1e-9), price.copy()
    steps = max(FEWEST, min(STEPS, STEP_PAIRS // len(pairs)))
    for softness in SOFTNESS:
        found = minimize(
            _fallen,
            price[hubs],
            args=(softness * mean, at, over, tolls, _firsts(pairs)),
            method="L-BFGS-B",
            jac=True,
            bounds=[(0.0, 1.0)] * len(hubs),
            options={"maxiter": steps},
        )
        price[hubs] = np.round(np.clip(found.x, 0.0, 1.0), DIGITS)
        yield price.copy()


def _fallen(price: Array, soft: float, at: Ints, over: Array, tolls: Array, first: Ints) -> tuple[float, Array]:
    """Less than nothing by bound T with its minimum softened (GBP m), and its slope, at prices of hubs (hubs,)."""
    cost = price[at] * over + tolls
    sizes, least = np.diff(np.append(first, len(cost))), np.minimum.reduceat(cost, first)
    weight = np.exp((np.repeat(least, sizes) - cost) / soft)
    total = np.add.reduceat(weight, first)
    slope = np.bincount(at, weights=weight / np.repeat(total, sizes) * over, minlength=len(price))
    return -float((least - soft * np.log(total)).sum()), np.asarray(-slope, dtype=np.float64)
