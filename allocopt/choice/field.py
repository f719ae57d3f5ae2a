"""Who could form a coalition around which hub, and what each member brings: the field on which practices choose.

A coalition is a set of places around a hub that belongs to it, with the people that the population window asks for. A
consortium shares its balance equally, per head or per pound of budget, so every member ranks coalitions by one ratio:
balance over weight. Further rules are linear in who joins; their coefficients are read off the rules' own functions.
Imports `grouping`, `model` and below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np

from allocopt.grouping.instance import Array, Flags, Instance, Ints, possible_pairs
from allocopt.grouping.neighbours import Graph, graph_of
from allocopt.model import Model

Share = Literal["per_head", "per_pound"]
POUNDS = 1e6
"""Pounds in a GBP million: ratios are pounds a head, or fractions of budget."""
LINEAR = ("balance_band", "deprivation_mix", "surplus_concentration")
"""Rules about a consortium's members that are rows of their own; the window and the pairs are held another way."""


@dataclass
class Line:
    """A linear expression in who joins: what a rule's function makes of it. Place code -> coefficient."""

    of: dict[str, float] = field(default_factory=dict)
    constant: float = 0.0

    def __mul__(self, by: float) -> Line:
        return Line({code: value * by for code, value in self.of.items()}, self.constant * by)

    __rmul__ = __mul__

    def __add__(self, other: Line | float) -> Line:
        if isinstance(other, Line):
            for code, value in other.of.items():
                self.of[code] = self.of.get(code, 0.0) + value
            self.constant += other.constant
        else:
            self.constant += other
        return self

    def __radd__(self, other: Line | float) -> Line:
        return self + other

    def __le__(self, limit: float) -> Line:
        return Line(self.of, self.constant - limit)

    def __ge__(self, limit: float) -> Line:
        return Line({code: -value for code, value in self.of.items()}, limit - self.constant)


class _Hub:
    """One hub as a rule about consortia sees it: the `m` of `allocopt.grouping.programme`, with lines for variables."""

    def __init__(self, of: Field, hub: int) -> None:
        instance, at = of.instance, of.candidates(hub)
        codes, h = [instance.places[p] for p in at], instance.places[hub]
        self.members, self.open = {h: codes}, {h: 1}
        self.x = {(code, h): Line({code: 1.0}) for code in codes}
        self.budget = dict(zip(codes, instance.budget[at].tolist(), strict=True))
        self.spend = dict(zip(codes, instance.spend[at].tolist(), strict=True))
        self.population = dict(zip(codes, instance.population[at].tolist(), strict=True))
        self.surplus = {code: max(0.0, self.budget[code] - self.spend[code]) for code in codes}
        scores = [] if instance.imd is None else instance.imd[at].tolist()
        self.imd = dict(zip(codes, (None if one != one else one for one in scores), strict=False))  # noqa: PLR0124
        self._of, self._hub = of, hub

    def excused(self, h: str, waive: Sequence[str]) -> bool:
        area = self._of.instance.area[self._hub]
        return h in waive or (area in waive and area not in self._of.instance.index)

    def beyond(self, p: str, h: str, share: float) -> Line:
        return self.x[p, h] * float(self.budget[p] * share - self.spend[p])

    def common_balance(self, _h: str) -> float:
        return float(self._of.common[self._of.instance.area_codes[self._hub], 0])

    def common_imd(self, _h: str) -> float:
        return float(self._of.common[self._of.instance.area_codes[self._hub], 1])

    def surplus_in_reach(self, _h: str) -> float:
        return float(sum(self.surplus.values()))


@dataclass(frozen=True)
class Field:
    """n places: `value` (pounds of balance), `weight` (people, or pounds of budget), `people`, and for each hub its
    candidates: `near[start[h]:start[h + 1]]`, the hub first, the others by distance.
    """

    instance: Instance
    model: Model
    share: Share
    value: Array
    weight: Array
    people: Array
    start: Ints
    near: Ints
    in_order: bool = False
    """True: a consortium may not pass over a practice that is nearer to its hub than one that it takes."""

    def __len__(self) -> int:
        return len(self.value)

    @property
    def hubs(self) -> Ints:
        """Places around which a coalition may form."""
        return np.flatnonzero(np.diff(self.start) > 0).astype(np.int64)

    def candidates(self, hub: int) -> Ints:
        """Who may join the hub, the hub first."""
        return self.near[self.start[hub] : self.start[hub + 1]]

    def km(self, hub: int) -> Array:
        """Kilometres from the hub to its candidates."""
        at = self.candidates(hub)
        return np.asarray(self.instance.km(at, np.full(len(at), hub)))

    def least(self, hub: int) -> float:
        """The fewest people of a coalition around the hub."""
        instance = self.instance
        if self._excused[hub]:
            return 0.0
        return float(instance.said("population_window", "min", 0.0))

    @cached_property
    def _excused(self) -> Flags:
        return self.instance.excused("population_window")

    @property
    def fewest(self) -> float:
        """The fewest people of a coalition around any hub that is not excused."""
        return float(self.instance.said("population_window", "min", 0.0))

    @property
    def most(self) -> float:
        """The most people of any coalition."""
        return float(self.instance.said("population_window", "max", np.inf))

    @cached_property
    def linear(self) -> tuple[str, ...]:
        """The rules that are on and have rows."""
        return tuple(name for name in LINEAR if self.instance.on(name))

    @cached_property
    def common(self) -> Array:
        """(areas, 2) what consortia of an area are compared with: its balance and mean deprivation score, or the
        nation's where areas may be crossed.
        """
        instance, made = self.instance, []
        for number in range(len(instance.areas)):
            at = instance.area_codes == number if instance.on("stay_in_area") else np.ones(len(instance), dtype=bool)
            made.append((1 - instance.spend[at].sum() / instance.budget[at].sum(), _mean_imd(instance, at)))
        return np.array(made)

    @cached_property
    def graph(self) -> Graph | None:
        """Who neighbours whom, where consortia must hang together."""
        return graph_of(self.instance)

    def rows(self, hub: int) -> tuple[Array, Array]:
        """The hub's further rules as rows (K, m) over its candidates and their constants (K,): rows x + first <= 0."""
        if not self.linear:
            return np.zeros((0, len(self.candidates(hub)))), np.zeros(0)
        if hub not in self._rows:
            self._rows[hub] = self._read_rows(hub)
        return self._rows[hub]

    @cached_property
    def _rows(self) -> dict[int, tuple[Array, Array]]:
        return {}

    def _read_rows(self, hub: int) -> tuple[Array, Array]:
        view, h = _Hub(self, hub), self.instance.places[hub]
        made: list[Line] = []
        for name in self.linear:
            made += self.model.rule(name).write(view, h, **self.instance.settings[name]).values()
        codes = view.members[h]
        rows = np.array([[line.of.get(code, 0.0) for code in codes] for line in made]).reshape(len(made), len(codes))
        return rows, np.array([line.constant for line in made])

    def links(self, at: Ints) -> tuple[Ints, Ints]:
        """The neighbour graph among some places, by their positions in the list; empty where none is asked for."""
        if self.graph is None:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        place = {int(p): number for number, p in enumerate(at.tolist())}
        near = [[place[q] for q in self.graph.of(p).tolist() if q in place] for p in at.tolist()]
        start = np.cumsum([0, *(len(one) for one in near)])
        return start.astype(np.int64), np.array([q for one in near for q in one], dtype=np.int64)

    def ratio(self, members: Sequence[int] | Ints) -> float:
        """A coalition's balance per weight."""
        at = np.asarray(members, dtype=np.int64)
        return float(self.value[at].sum() / self.weight[at].sum())


def _mean_imd(instance: Instance, at: Flags) -> float:
    if instance.imd is None:
        return float("nan")
    known = at & ~np.isnan(instance.imd)
    people = instance.population[known]
    return float(instance.imd[known] @ people / people.sum()) if known.any() else float("nan")


def field_of(instance: Instance, model: Model, *, share: Share = "per_head", in_order: bool = False) -> Field:
    """The field of an instance: every pair that reach, areas and locks allow, hubs that can have enough people."""
    pairs = possible_pairs(instance)
    own = pairs.place == pairs.hub
    order = np.lexsort((pairs.place, pairs.km, ~own, pairs.hub))
    near, hub = pairs.place[order], pairs.hub[order]
    leads = np.zeros(len(instance), dtype=bool)
    leads[pairs.hub[own]] = True
    near, hub = near[leads[hub]], hub[leads[hub]]
    start = np.concatenate([[0], np.cumsum(np.bincount(hub, minlength=len(instance)))]).astype(np.int64)
    value = (instance.budget - instance.spend) * POUNDS
    weight = instance.population if share == "per_head" else instance.budget * POUNDS
    return Field(instance, model, share, value, weight, instance.population, start, near, in_order)


def among(of: Field, keep: Flags) -> Field:
    """The field of some places alone: the others join nobody."""
    hub = np.repeat(np.arange(len(of)), np.diff(of.start))
    inside = keep[hub] & keep[of.near]
    start = np.concatenate([[0], np.cumsum(np.bincount(hub[inside], minlength=len(of)))]).astype(np.int64)
    return replace(of, near=of.near[inside], start=start)


def level_of(of: Field, group: Ints) -> Array:
    """The balance per weight of each place's consortium, (n,); -inf for a place in none (group -1)."""
    level = np.full(len(of), -np.inf)
    inside = group >= 0
    value = np.bincount(group[inside], weights=of.value[inside], minlength=len(of))
    weight = np.bincount(group[inside], weights=of.weight[inside], minlength=len(of))
    rate = np.divide(value, weight, out=np.zeros(len(of)), where=weight > 0)
    level[inside] = rate[group[inside]]
    return level


__all__ = ["Array", "Field", "Flags", "Ints", "Share", "among", "field_of", "level_of"]
