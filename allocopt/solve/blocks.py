"""What ties the places of a programme together, and what is left of each place once that is set aside.

A few rows couple the places: pots, caps of finished stages, protections of groups, mover budgets. Without them the
programme falls into chains: a place's amounts year by year, each bounded, tied to the next by ratios, and followed by
variables of their own that measure an excess beyond a kink (a deficit, a gain). `find_blocks` reads all of this off
the matrix, and gives None where the programme has another shape. Imports `compiled`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from allocopt.problem import Array
from allocopt.solve.compiled import Compiled

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

FREE = 1e30
"""Stands for no limit."""
WIDE = 3
"""A row with more entries couples places: a chain's row has two amounts and a measuring variable at most."""
MOST_COUPLING = 250
"""With more coupling rows the whole matrix is quicker."""
SAME = 1e-9
EARNS = 1e-12


class _OtherShape(Exception):
    """The programme is not coupling rows over chains."""


@dataclass(frozen=True)
class Excess:
    """Measuring variables z = sign x column, each in a row of its own.

    z - least = max(0, size (at - x) or size (x - at)). Of a line between two amounts, x is the later one and `at` the
    ratio to the earlier. `scale` x a price here is the price of the row.
    """

    node: Ints
    column: Ints
    row: Ints
    sign: Array
    scale: Array
    size: Array
    falls: Flags
    """True where the excess grows as x falls"""
    at: Array
    least: Array
    most: Array
    first: Ints
    """those of node i: first[i] .. first[i + 1] - 1"""

    def weight(self, cost: Array) -> Array:
        """What a unit of each excess costs, given `cost` on the programme's columns; nothing where it earns."""
        return np.maximum(0.0, self.sign * cost[self.column])

    def measure(self, values: Array, cost: Array, x: Array, before: Array) -> None:
        """Write the measuring variables' columns into `values`: at their least, or at their most where they earn.

        `x` is the (later) amount of each, `before` the earlier one; 1 for a kink.
        """
        short = np.where(self.falls, self.at * before - x, x - self.at * before)
        z = self.least + self.size * np.maximum(0.0, short)
        values[self.column] = self.sign * np.where(self.sign * cost[self.column] < -EARNS, self.most, z)


@dataclass(frozen=True)
class Limits:
    """One limit a node: its value, and the row that gives it (-1: the column's own bound, or none), its coefficient."""

    value: Array
    row: Ints
    coefficient: Array


@dataclass(frozen=True)
class Chains:
    """Amounts in chain order: node i is column `column[i]`; chain c holds nodes first[c] .. first[c + 1] - 1."""

    column: Ints
    first: Ints
    low: Limits
    high: Limits
    least: Limits
    """x_i >= least x_(i-1); 0 for none"""
    most: Limits
    """x_i <= most x_(i-1); FREE for none"""
    kinks: Excess
    """by rising kink within a node"""
    lines: Excess
    """between node i - 1 and node i, by falling ratio"""

    @cached_property
    def room(self) -> int:
        """Breakpoints that the longest chain may need."""
        parts = np.diff(self.kinks.first) + np.diff(self.lines.first) + 3
        return int(np.add.reduceat(parts, self.first[:-1]).max()) + 8

    @cached_property
    def reach(self) -> tuple[Array, Array]:
        """Least and most of every amount, with what the years before it imply: kinks beyond them need no thought."""
        low, high = self.low.value.copy(), self.high.value.copy()
        length = np.diff(self.first)
        for step in range(1, int(length.max(initial=1))):
            node = self.first[:-1][length > step] + step
            low[node] = np.maximum(low[node], self.least.value[node] * low[node - 1])
            high[node] = np.minimum(high[node], self.most.value[node] * high[node - 1])
        return low, high


def closed(chains: Chains) -> tuple[Array, Array]:
    """Least and most of every amount, with what the years before and after it imply; a chain has no point where the
    least is above the most.

    Every row of a chain asks for more of one amount as another has more, so all amounts can be at their least at once,
    and all at their most.
    """
    low, high, length = chains.low.value.copy(), chains.high.value.copy(), np.diff(chains.first)
    steps = range(1, int(length.max(initial=1)))
    for step in steps:
        node = chains.first[:-1][length > step] + step
        low[node] = np.maximum(low[node], chains.least.value[node] * low[node - 1])
        high[node] = np.minimum(high[node], chains.most.value[node] * high[node - 1])
    for step in reversed(steps):
        node = chains.first[:-1][length > step] + step
        low[node - 1] = np.maximum(low[node - 1], low[node] / chains.most.value[node])
        limit = high[node] / np.where(chains.least.value[node] > 0, chains.least.value[node], np.nan)
        high[node - 1] = np.fmin(high[node - 1], limit)
    return low, high


@dataclass(frozen=True)
class Blocks:
    """A programme as coupling rows over chains."""

    coupling: Ints
    chains: Chains

    def with_row(self, row: int) -> Blocks:
        """The same chains, with one more coupling row."""
        return Blocks(np.append(self.coupling, row), self.chains)


def find_blocks(compiled: Compiled) -> Blocks | None:
    """The chains of a programme and the rows that couple them, or None when it has another shape."""
    entries = np.diff(compiled.matrix.indptr)
    coupling = np.flatnonzero(entries > WIDE)
    if compiled.integer.any() or len(coupling) > MOST_COUPLING:
        return None
    try:
        return Blocks(coupling.astype(np.int64), _Reader(compiled, np.flatnonzero(entries <= WIDE)).chains())
    except _OtherShape:
        return None


def blocks_of(compiled: Compiled) -> Blocks | None:
    """What `find_blocks` finds, looked for once in each programme."""
    held = compiled.__dict__
    if "blocks" not in held:
        held["blocks"] = find_blocks(compiled)
    found: Blocks | None = held["blocks"]
    return found


@dataclass(frozen=True)
class _Rows:
    """Rows of one kind, as normal form: z + after x_after + before x_before >= side (z and before may be absent)."""

    row: Ints
    after: Ints
    a: Array
    before: Ints
    b: Array


class _Reader:
    """Reads the chains off the rows that do not couple; lives inside `find_blocks`."""

    def __init__(self, compiled: Compiled, rows: Ints) -> None:
        self.all = compiled
        part = compiled.matrix[rows].tocoo()
        keep = part.data != 0
        self.rows = rows
        self.r, self.c, self.v = part.row[keep].astype(np.int64), part.col[keep].astype(np.int64), part.data[keep]
        self.width = np.bincount(self.r, minlength=len(rows))
        self.lower, self.upper = compiled.row_lower[rows], compiled.row_upper[rows]
        empty = self.width == 0
        _demand(not np.any((self.lower[empty] > SAME) | (self.upper[empty] < -SAME)))
        self.measure = self._measuring()
        self.node, self.column, self.first = self._chain_order()

    def _measuring(self) -> Ints:
        """For each row the entry of its measuring variable, or -1: a column that no other row here has."""
        columns = self.all.matrix.shape[1]
        alone = np.bincount(self.c, minlength=columns) == 1
        uses = np.bincount(self.all.matrix.indices, minlength=columns)
        fit = np.flatnonzero(alone[self.c] & (self.width[self.r] >= 2))
        return _first_least(self.r[fit], uses[self.c[fit]] * columns - self.c[fit], fit, len(self.rows))

    def _chain_order(self) -> tuple[Ints, Ints, Ints]:
        """Node number of every column (-1: a measuring variable), column of every node, first node of every chain."""
        columns = self.all.matrix.shape[1]
        is_node = np.ones(columns, dtype=bool)
        is_node[self.c[self.measure[self.measure >= 0]]] = False
        self.pairs = self._entries(2)
        one, other = self.c[self.pairs[:, 0]], self.c[self.pairs[:, 1]]
        pair = np.unique(np.minimum(one, other) * columns + np.maximum(one, other))
        edges = np.stack([pair // columns, pair % columns], axis=1)
        neighbours = _neighbours(edges, columns)
        nodes = np.flatnonzero(is_node)
        ends = nodes[(neighbours[nodes] >= 0).sum(axis=1) <= 1]
        node, column, first = _walk(ends, neighbours)
        _demand(len(column) == len(nodes))  # amounts in a ring have no end to walk from
        return node, column, first

    def _entries(self, number: int) -> Ints:
        """Rows with this many amounts: (rows, number) positions of their entries, the measuring one left out."""
        amount = np.ones(len(self.c), dtype=bool)
        amount[self.measure[self.measure >= 0]] = False
        count = np.bincount(self.r[amount], minlength=len(self.rows))
        _demand(not (count > 2).any())
        chosen = np.flatnonzero(amount & (count[self.r] == number))
        ordered = chosen[np.argsort(self.r[chosen], kind="stable")]
        return ordered.reshape(-1, number) if number else ordered

    def chains(self) -> Chains:
        single, pair = self._entries(1)[:, 0], self._directed(self.pairs)
        measured_one = self.measure[self.r[single]] >= 0
        measured_two = self.measure[self.r[pair[:, 0]]] >= 0
        kinks = self._excess(single[measured_one], None)
        lines = self._excess(pair[measured_two, 0], pair[measured_two, 1])
        low, high = self._bounds(single[~measured_one], single[measured_one])
        least, most = self._ratios(pair[~measured_two])
        _demand(bool((low.value[self.node[self.c[pair]]] >= 0).all()))
        return Chains(self.column, self.first, low, high, least, most, kinks, lines)

    def _directed(self, pairs: Ints) -> Ints:
        """The entry of the later amount first."""
        later = self.node[self.c[pairs]]
        swap = later[:, 0] < later[:, 1]
        return np.where(swap[:, None], pairs[:, ::-1], pairs)

    def _side(self, row: Ints) -> tuple[Array, Array]:
        """The one finite side of each row, and 1 for a lower side, -1 for an upper one."""
        is_lower, is_upper = np.isfinite(self.lower[row]), np.isfinite(self.upper[row])
        _demand(bool((is_lower != is_upper).all()))
        return np.where(is_lower, self.lower[row], self.upper[row]), np.where(is_lower, 1.0, -1.0)

    def _excess(self, entry: Ints, before: Ints | None) -> Excess:
        row = self.r[entry]
        measure = self.measure[row]
        side, direction = self._side(row)
        scale = direction / np.abs(self.v[measure])
        sign = direction * np.sign(self.v[measure])
        column = self.c[measure]
        own = (self.all.column_lower[column], self.all.column_upper[column])
        least, most = np.where(sign > 0, own[0], -own[1]), np.where(sign > 0, own[1], -own[0])
        _demand(bool(np.isfinite(least).all()))
        slope, beyond = scale * self.v[entry], scale * side - least
        at = beyond / slope if before is None else self._line(entry, before, scale, beyond, most - least)
        order = np.lexsort((at if before is None else -at, self.node[self.c[entry]]))
        node = self.node[self.c[entry]][order]
        first = np.searchsorted(node, np.arange(len(self.column) + 1))
        return Excess(
            node=node,
            column=column[order],
            row=self.rows[row][order],
            sign=sign[order],
            scale=scale[order],
            size=np.abs(slope)[order],
            falls=(slope > 0)[order],
            at=at[order],
            least=least[order],
            most=most[order],
            first=first,
        )

    def _line(self, entry: Ints, before: Ints, scale: Array, beyond: Array, range_: Array) -> Array:
        """The ratios at which excesses between two amounts begin: only lines through nothing, never cut off above."""
        ratio: Array = -self.v[before] / self.v[entry]
        _demand(bool((ratio > 0).all()) and bool((np.abs(beyond) <= SAME).all()))
        a, b = scale * self.v[entry], scale * self.v[before]
        top = self.all.column_upper
        largest = np.maximum(0, -a) * top[self.c[entry]] + np.maximum(0, -b) * top[self.c[before]]
        _demand(bool((largest <= range_ * (1 + SAME)).all()))
        return ratio

    def _bounds(self, rows: Ints, measured: Ints) -> tuple[Limits, Limits]:
        """The tightest bound of each amount: of its column, of a row, or of a measuring variable at its most."""
        low = [(np.arange(len(self.column)), self.all.column_lower[self.column], np.full(len(self.column), -1), 1.0)]
        high = [(np.arange(len(self.column)), self.all.column_upper[self.column], np.full(len(self.column), -1), 1.0)]
        for side, is_lower in ((self.lower, True), (self.upper, False)):
            chosen = rows[np.isfinite(side[self.r[rows]])]
            self._add_bound(low, high, chosen, side[self.r[chosen]], is_lower=is_lower)
        cut, limit = self._cut_off(measured)
        for is_lower in (True, False):
            chosen = np.isfinite(self.lower[self.r[cut]]) == is_lower
            self._add_bound(low, high, cut[chosen], limit[chosen], is_lower=is_lower)
        return self._tightest(low, largest=True), self._tightest(high, largest=False)

    def _cut_off(self, measured: Ints) -> tuple[Ints, Array]:
        """Rows whose measuring variable has a most: what is then left to the amount."""
        measure = self.measure[self.r[measured]]
        side, direction = self._side(self.r[measured])
        up = direction * self.v[measure] > 0
        top = np.where(up, self.all.column_upper[self.c[measure]], self.all.column_lower[self.c[measure]])
        some = np.isfinite(top)
        return measured[some], side[some] - self.v[measure[some]] * top[some]

    def _add_bound(self, low: list[Any], high: list[Any], entry: Ints, side: Array, *, is_lower: bool) -> None:
        rising = (self.v[entry] > 0) == is_lower
        for into, chosen in ((low, rising), (high, ~rising)):
            at = entry[chosen]
            into.append((self.node[self.c[at]], side[chosen] / self.v[at], self.rows[self.r[at]], self.v[at]))

    def _tightest(self, parts: list[Any], *, largest: bool) -> Limits:
        node, value, row = (np.concatenate([part[k] for part in parts]) for k in range(3))
        coefficient = np.concatenate([np.broadcast_to(part[3], part[0].shape) for part in parts])
        at = _first_least(node, -value if largest else value, np.arange(len(node)), len(self.column))
        return Limits(np.clip(value[at], -FREE, FREE), row[at], coefficient[at])

    def _ratios(self, pairs: Ints) -> tuple[Limits, Limits]:
        """x_i between `least` and `most` times x_(i-1); a `least` below nothing asks for nothing."""
        nodes = np.arange(len(self.column))
        none = np.full(len(nodes), -1)
        least = [(nodes, np.zeros(len(nodes)), none, 1.0)]
        most = [(nodes, np.full(len(nodes), FREE), none, 1.0)]
        for side, is_lower in ((self.lower, True), (self.upper, False)):
            chosen = pairs[np.isfinite(side[self.r[pairs[:, 0]]])]
            after, before = chosen[:, 0], chosen[:, 1]
            ratio = -self.v[before] / self.v[after]
            rising = (self.v[after] > 0) == is_lower
            _demand(bool((np.abs(side[self.r[after]]) <= SAME).all()) and bool((ratio >= 0)[~rising].all()))
            for into, mask in ((least, rising & (ratio >= 0)), (most, ~rising)):
                at = after[mask]
                into.append((self.node[self.c[at]], ratio[mask], self.rows[self.r[at]], self.v[at]))
        return self._tightest(least, largest=True), self._tightest(most, largest=False)


def _demand(shape: bool) -> None:  # noqa: FBT001 - reads as the sentence that it is
    if not shape:
        raise _OtherShape


def _first_least(group: Ints, value: Ints | Array, name: Ints, groups: int) -> Ints:
    """Of every group (groups,) the name of its least value, the first of several; -1 where a group has none."""
    least = np.full(groups, np.inf)
    np.minimum.at(least, group, value)
    hit = np.flatnonzero(value == least[group])[::-1]
    found = np.full(groups, -1)
    found[group[hit]] = name[hit]
    return found


def _neighbours(edges: Ints, columns: int) -> Ints:
    """(columns, 2) the columns that each is tied to, -1 for none; no column may have more than two."""
    ends = np.concatenate([edges, edges[:, ::-1]])
    order = np.argsort(ends[:, 0], kind="stable")
    source, other = ends[order, 0], ends[order, 1]
    place = np.arange(len(source)) - np.searchsorted(source, source)
    _demand(not (place > 1).any())
    found = np.full((columns, 2), -1)
    found[source, place] = other
    return found


def _walk(ends: Ints, neighbours: Ints) -> tuple[Ints, Ints, Ints]:
    """All chains at once, a step at a time, from their ends; of the two ends of one, the lower column is its start."""
    here, before = ends.copy(), np.full(len(ends), -1)
    visited = [here.copy()]
    while (here >= 0).any():
        two = neighbours[np.maximum(here, 0)]
        ahead = np.where(two[:, 0] == before, two[:, 1], two[:, 0])
        ahead = np.where((here < 0) | (ahead == before), -1, ahead)
        before, here = here, ahead
        visited.append(here.copy())
    table = np.stack(visited, axis=1)
    table = table[ends <= _last(table)]
    column = table[table >= 0]
    node = np.full(len(neighbours), -1)
    node[column] = np.arange(len(column))
    return node, column, np.concatenate([[0], np.cumsum((table >= 0).sum(axis=1))])


def _last(table: Ints) -> Ints:
    """The last column of every walk."""
    length = (table >= 0).sum(axis=1)
    found: Ints = table[np.arange(len(table)), length - 1]
    return found
