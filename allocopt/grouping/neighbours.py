"""Which places are neighbours, and whether the members of a consortium are connected.

The graph is Delaunay's over distinct points, with places at the same point linked to each other; edges are kept
whatever their length, so that no place is stranded, islands included. Imports `instance` alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from scipy.spatial import Delaunay, QhullError

from allocopt.grouping.instance import Array, Instance, Ints


@dataclass(frozen=True)
class Graph:
    """Neighbours of each place in compressed form: `near[start[p]:start[p + 1]]`, sorted."""

    places: tuple[str, ...]
    start: Ints
    near: Ints

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Place code -> position."""
        return {code: number for number, code in enumerate(self.places)}

    def of(self, place: int) -> Ints:
        """The neighbours of a place."""
        return self.near[self.start[place] : self.start[place + 1]]


def delaunay_graph(instance: Instance) -> Graph:
    """The neighbour graph of all places. Coordinates are projected to the plane about their mean latitude."""
    assert instance.position is not None
    points, which = np.unique(np.round(_plane(instance.position), 6), axis=0, return_inverse=True)
    which = which.reshape(-1)
    edges = _edges(points)
    groups = _places_of(which, len(points))
    links = set[tuple[int, int]]()
    for one, other in edges:
        links |= {(a, b) for a in groups[one] for b in groups[other]}
    for group in groups:
        links |= {(a, b) for a in group for b in group if a < b}
    return graph_of(instance.places, sorted(links))


def _plane(position: Array) -> Array:
    latitude = np.arcsin(position[:, 2])
    longitude = np.arctan2(position[:, 1], position[:, 0])
    return np.column_stack([longitude * np.cos(latitude.mean()), latitude]) * 6371.0088


def _places_of(which: Ints, number: int) -> list[list[int]]:
    groups: list[list[int]] = [[] for _ in range(number)]
    for place, point in enumerate(which.tolist()):
        groups[point].append(place)
    return groups


def _edges(points: Array) -> list[tuple[int, int]]:
    if len(points) < 3:
        return [(0, 1)] if len(points) == 2 else []
    try:
        corners = Delaunay(points).simplices
    except QhullError:  # all on one line: neighbours along it
        order = np.lexsort(points.T).tolist()
        return list(pairwise(order))
    pairs = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [0, 2]]])
    return [(int(a), int(b)) for a, b in np.unique(np.sort(pairs, axis=1), axis=0)]


def graph_of(places: Sequence[str], links: Sequence[tuple[int, int]]) -> Graph:
    """A graph from its links (each once)."""
    both = np.array([*links, *((b, a) for a, b in links)], dtype=np.int64).reshape(-1, 2)
    order = np.lexsort((both[:, 1], both[:, 0]))
    start = np.concatenate([[0], np.cumsum(np.bincount(both[:, 0], minlength=len(places)))])
    return Graph(tuple(places), start.astype(np.int64), both[order, 1])


def cut_off(graph: Graph, hub: str, members: Sequence[str]) -> list[tuple[list[str], list[str]]]:
    """The connected parts of a consortium that do not hold its hub, each with all the places that border on it."""
    inside = {graph.index[code] for code in members}
    seen, cut = _reached(graph, graph.index[hub], inside), list[tuple[list[str], list[str]]]()
    for place in sorted(inside):
        if place in seen:
            continue
        part = _reached(graph, place, inside)
        seen |= part
        border = {int(q) for p in part for q in graph.of(p)} - part
        cut.append(([graph.places[p] for p in sorted(part)], [graph.places[q] for q in sorted(border)]))
    return cut


def _reached(graph: Graph, first: int, inside: set[int]) -> set[int]:
    seen, edge = {first}, [first]
    while edge:
        for q in graph.of(edge.pop()).tolist():
            if q in inside and q not in seen:
                seen.add(q)
                edge.append(q)
    return seen


def first_neighbours(graph: Graph, near: Ints) -> Ints:
    """The neighbours of each place on the graph in turn, as many columns as `near`."""
    n, width = len(near), 16
    degree = np.diff(graph.start)
    columns = np.arange(width)[None, :] % np.maximum(degree, 1)[:, None]
    rows = (
        graph.near[np.minimum(graph.start[:-1, None] + columns, max(0, len(graph.near) - 1))]
        if len(graph.near)
        else near
    )
    return np.where(degree[:, None] > 0, rows, np.arange(n)[:, None]).astype(np.int64)


def in_one_piece(graph: Graph, hub: Ints) -> bool:
    """Whether the members of every consortium, by the hub of each place, are connected."""
    tail, head = np.repeat(np.arange(len(hub)), np.diff(graph.start)), graph.near
    same = hub[tail] == hub[head]
    links = sp.coo_array((np.ones(int(same.sum())), (tail[same], head[same])), shape=(len(hub), len(hub)))
    return bool(connected_components(links, directed=False)[0] == len(np.unique(hub)))
