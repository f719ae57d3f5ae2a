"""Bounds on gross deficit after pooling that need no solver, and their certificates in words.

A. Areas that consortia may not cross: sum over areas of max(0, overspend of the area).
B. Reach: total overspend less the most that surpluses can offset, a surplus offsetting an overspend only where the
two places
   could share a consortium: a maximum flow overspender -> hub -> surplus place. The minimum cut is the certificate: a
   set of
   overspenders S and the surpluses N(S) that share a possible hub with any of them, bound = over(S) - surplus(N(S)).

Both need fixed budgets. Imports `instance` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import breadth_first_order, connected_components, maximum_flow

from allocopt.grouping.instance import Array, Flags, Instance, Ints, Pairs

_MOST = 2_000_000_000
"""The flow is reckoned in 32-bit integers that overflow silently: the total stays below."""
SHOWN = 10


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
    """for C: the row prices that prove it, by row name"""
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
    area = area_bound(instance)
    return (*((area,) if area else ()), reach_bound(instance, pairs))
