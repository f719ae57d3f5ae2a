"""The ground on which a grouping fails, in words: which part of the country, which places, how people are counted.

Imports `grouping` and numpy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from allocopt.grouping.instance import Array, Flags, Instance, Ints, Pairs, components, possible_pairs

SHOWN = 3
"""Places that are named one by one."""


@dataclass(frozen=True)
class Sum:
    """One piece of arithmetic about a rule: the sentence, and whether it alone shows that the rule cannot hold."""

    rule: str
    words: str
    refutes: bool


@dataclass(frozen=True)
class Field:
    """A part of the country that decides nothing about the rest and cannot be solved: its places and its pairs."""

    instance: Instance
    places: Ints
    pairs: Pairs
    names: Mapping[str, str]
    fixed: bool = True
    """Whether budgets are given; in a joint programme they are decided with the grouping"""

    @cached_property
    def hubs(self) -> Ints:
        """The places of the part that may be a hub."""
        inside = np.zeros(len(self.instance), dtype=bool)
        inside[self.places] = True
        return np.flatnonzero(inside & self.instance.may_hub).astype(np.int64)

    @property
    def people(self) -> float:
        """People of the part."""
        return float(self.instance.population[self.places].sum())

    def reached(self, values: Array) -> Array:
        """(n,) for each hub the sum of a figure over the places that may join it."""
        found = np.bincount(self.pairs.hub, weights=values[self.pairs.place], minlength=len(self.instance))
        return np.asarray(found, dtype=np.float64)

    @cached_property
    def forced(self) -> Flags:
        """(pairs,) whether the place of a pair has no other hub to join."""
        return np.asarray(np.bincount(self.pairs.place, minlength=len(self.instance))[self.pairs.place] == 1)

    @cached_property
    def areas(self) -> list[str]:
        """The areas that the part lies in, sorted; none where it is everywhere."""
        areas = sorted({self.instance.area[p] for p in self.places.tolist()})
        everywhere = len(self.places) == len(self.instance) and len(areas) > 1
        return [] if everywhere or areas == ["all"] else areas

    @cached_property
    def where(self) -> str:
        """`in QKS`: the areas that the part lies in, and which piece of them where it is one."""
        named = f"in {listed(self.areas)}" if self.areas else ""
        own = {self.instance.area[p] for p in self.places.tolist()}
        if sum(one in own for one in self.instance.area) == len(self.places) or not len(self.hubs):
            return named
        return f"{named}, around {self.said(int(self.hubs[0]))}".removeprefix(", ")

    def said(self, place: int) -> str:
        """A place by its code and name."""
        code = self.instance.places[place]
        name = self.names.get(code, "")
        return code if name == code else f"{code} {name}".strip()

    def some(self, places: Sequence[int]) -> str:
        """A few places by name, and how many more."""
        return listed([self.said(p) for p in places])


def listed(words: Sequence[str]) -> str:
    """`A, B, C and 4 more`."""
    shown = ", ".join(words[:SHOWN])
    return f"{shown} and {len(words) - SHOWN:,} more" if len(words) > SHOWN else shown


def count(number: int, what: str, whats: str = "") -> str:
    """`1 place`, `2 places`."""
    return f"{number:,} {what if number == 1 else whats or what + 's'}"


def people(number: float) -> str:
    """`12,345 people`."""
    return f"{number:,.0f} people"


def about(field: Field, words: str) -> str:
    """A sentence that begins with where it is about."""
    return f"{field.where}: {words}" if field.where else words


def lists(field: Field, rule: str) -> Iterator[list[int]]:
    """The lists of places of a rule that lie in the part, by position."""
    inside = set(field.places.tolist())
    for group in field.instance.said(rule, "groups", []):
        members = [field.instance.index[code] for code in group]
        if inside & set(members):
            yield members


def options(field: Field, place: int) -> set[int]:
    """The hubs that a place may join."""
    return set(field.pairs.hub[field.pairs.place == place].tolist())


def without_choice(field: Field) -> Flags:
    """(n,) places of the part that have no hub to join."""
    alone = np.zeros(len(field.instance), dtype=bool)
    alone[field.places] = True
    alone[field.pairs.place] = False
    return alone


def fields_of(
    instance: Instance, names: Mapping[str, str], *, fixed: bool, parts: Sequence[Ints] | None = None
) -> list[Field]:
    """The ground in its independent parts; places that have no hub at all are told together, area by area."""
    pairs = possible_pairs(instance)
    lonely, linked = dict[str, list[int]](), list[Ints]()
    for places in components(instance, pairs) if parts is None else parts:
        if np.isin(places, pairs.place).any():
            linked.append(places)
        else:
            lonely.setdefault(instance.area[int(places[0])], []).extend(places.tolist())
    linked += [np.array(places, dtype=np.int64) for places in lonely.values()]
    return [Field(instance, places, pairs.take(np.isin(pairs.place, places)), names, fixed) for places in linked]
