"""Which places are neighbours, and whether the members of a consortium are connected.

The graph is that of the scenario's own table of links, which may be any: not planar, with distant neighbours, in
several pieces. Without one it is Delaunay's over distinct points, with places at the same point linked to each other;
edges are kept whatever their length, so that no place is stranded, islands included. Imports `instance` alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from scipy.spatial import Delaunay, QhullError

from allocopt.grouping.instance import Array, Instance, Ints

LEAST_COLUMNS, MOST_COLUMNS = 16, 64
"""Neighbours of a place among which a search proposes."""


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


def graph_of(instance: Instance) -> Graph | None:
    """The neighbour graph that consortia must hang together on; None where they need not."""
    if not instance.on("contiguity"):
        return None
    return graph_from(instance.places, delaunay_links(instance.position) if instance.links is None else instance.links)


def with_links(instance: Instance, given: Ints | None) -> Instance:
    """The instance with its links, so that they are made once: the `given` ones of a table, else Delaunay's.

    Without coordinates, which needs of a scenario are told elsewhere, there are none of Delaunay's.
    """
    if not instance.on("contiguity") or (given is None and instance.position is None):
        return instance
    return replace(instance, links=delaunay_links(instance.position) if given is None else given)


def delaunay_links(position: Array | None) -> Ints:
    """(m, 2) positions of Delaunay's neighbours, the lower first, sorted, each once; of points on the sphere (n, 3).

    Coordinates are projected to the plane about their mean latitude.
    """
    assert position is not None
    points, which = np.unique(np.round(_plane(position), 6), axis=0, return_inverse=True)
    which = which.reshape(-1)
    edges = _edges(points)
    groups = _places_of(which, len(points))
    links = set[tuple[int, int]]()
    for one, other in edges:
        links |= {(min(a, b), max(a, b)) for a in groups[one] for b in groups[other]}
    for group in groups:
        links |= {(a, b) for a in group for b in group if a < b}
    return np.array(sorted(links), dtype=np.int64).reshape(-1, 2)


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


def graph_from(places: Sequence[str], links: Ints) -> Graph:
    """A graph from its links (m, 2), each once."""
    both = np.concatenate([links, links[:, ::-1]])
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
    """The neighbours of each place on the graph in turn, as many columns as are enough for most places.

    A map has fewer than six neighbours a place, a table of links may have many more; of a place that has more than
    there are columns, the first ones.
    """
    n, degree = len(near), np.diff(graph.start)
    width = int(np.clip(np.ceil(2 * degree.mean()), LEAST_COLUMNS, MOST_COLUMNS))
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
