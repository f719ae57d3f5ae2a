"""What a grouping is made from: places with people, money and positions, who may be a hub, and which pairs are
possible.

`possible_pairs` finds with a spatial index the pairs of place and hub that reach, areas and locks could allow; it
only saves time:
the rules themselves are asked again for every pair that enters a programme. Imports `errors` and numpy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from allocopt.errors import InputFault, Problem

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

DEFICIT, TOLLED = "gross_deficit", "deficit_and_crossings"
"""The objectives in money: what consortia overspend, and that with what crossings of areas cost."""
EARTH_KM = 6371.0088
MOST_PAIRS = 20_000_000
_ROUNDING = 1e-9
"""Kilometres: a place exactly at the limit of reach is within it."""


def on_sphere(latitude: Array, longitude: Array) -> Array:
    """Degrees to points on the unit sphere, (n, 3)."""
    north, east = np.radians(latitude), np.radians(longitude)
    return np.column_stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)])


def great_circle(one: Array, other: Array) -> Array:
    """Kilometres between points on the unit sphere, (..., 3) each; exactly zero for equal points."""
    chord = np.linalg.norm(one - other, axis=-1)
    return np.asarray(2 * EARTH_KM * np.arcsin(np.minimum(1.0, chord / 2)))


def chord_of(km: float) -> float:
    """The straight-line distance on the unit sphere that `km` along it makes."""
    return float(2 * np.sin(min(km / EARTH_KM, np.pi) / 2))


@dataclass(frozen=True)
class Instance:
    """n places; money GBP million. `settings` are the parameters of the rules that are on, by rule name."""

    places: tuple[str, ...]
    population: Array
    budget: Array
    spend: Array
    area: tuple[str, ...]
    may_hub: Flags
    """(n,) places that may be a hub"""
    declared: bool
    """True: every place of `may_hub` is a hub"""
    position: Array | None = None
    """(n, 3) on the unit sphere; None where the scenario names no coordinates"""
    imd: Array | None = None
    present: tuple[str, ...] | None = None
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    excess: Mapping[str, float] = field(default_factory=dict)
    """km that a place exempted from reach may be from its hub, by code; a place that `waive` names and this does not
    may join any hub"""
    links: Ints | None = None
    """(m, 2) positions of places that are neighbours, each link once and sorted; None: Delaunay's, not made yet"""

    aims: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """the parameters of the objectives that have any, by name"""

    def __len__(self) -> int:
        return len(self.places)

    @property
    def aim(self) -> str:
        """The objective in money that a plan is sought for and that bounds are about."""
        return TOLLED if TOLLED in self.aims else DEFICIT

    @property
    def aim_words(self) -> str:
        """The same in words."""
        return "gross deficit with crossings" if self.aim == TOLLED else "gross deficit"

    @cached_property
    def toll(self) -> Array:
        """(n,) GBP m: what each place costs where its hub lies in another area."""
        said = self.aims.get(TOLLED, {})
        return np.asarray(said.get("per_place", 0.0) + said.get("per_head", 0.0) * self.population)

    def tolls(self, places: Ints, hubs: Ints) -> Array:
        """What crossing an area costs between places and hubs of equal shape, GBP m; nothing within areas."""
        return np.where(self.area_codes[places] != self.area_codes[hubs], self.toll[places], 0.0)

    @cached_property
    def index(self) -> dict[str, int]:
        """Place code -> position."""
        return {code: number for number, code in enumerate(self.places)}

    @cached_property
    def over(self) -> Array:
        """Spend less budget, (n,)."""
        return np.asarray(self.spend - self.budget)

    @cached_property
    def area_codes(self) -> Ints:
        """The area of each place as a number, (n,); areas in sorted order."""
        return np.unique(np.array(self.area, dtype=object).astype(str), return_inverse=True)[1].astype(np.int64)

    @cached_property
    def areas(self) -> tuple[str, ...]:
        """The areas, sorted."""
        return tuple(sorted(set(self.area)))

    @cached_property
    def island_codes(self) -> Ints:
        """The island of each place as a number, (n,): the places that chains of its neighbours lead to."""
        tail, head = (np.zeros((0, 2), dtype=np.int64) if self.links is None else self.links).T
        graph = sp.coo_array((np.ones(len(tail)), (tail, head)), shape=(len(self), len(self)))
        return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)

    def ashore(self, place: int, others: Ints) -> Ints:
        """Those of other places that lie on the island of a place, where consortia must hang together."""
        if not self.on("contiguity") or self.links is None:
            return others
        same = self.island_codes[others] == self.island_codes[place]
        return np.asarray(others[same])

    @property
    def hubs(self) -> Ints:
        """The positions of the places that may be a hub."""
        return np.flatnonzero(self.may_hub).astype(np.int64)

    def on(self, rule: str) -> bool:
        """Whether a rule is on."""
        return rule in self.settings

    def said(self, rule: str, parameter: str, default: Any = None) -> Any:
        """A rule's parameter, or `default` where the rule is off or does not say it."""
        value = self.settings.get(rule, {}).get(parameter)
        return default if value is None else value

    def km(self, places: Ints, hubs: Ints) -> Array:
        """Kilometres between places and hubs of equal shape; zero throughout without coordinates."""
        if self.position is None:
            return np.zeros(np.broadcast(places, hubs).shape)
        return great_circle(self.position[places], self.position[hubs])

    def waived(self, rule: str) -> Flags:
        """(n,) places that a rule's `waive` list names."""
        listed = self.said(rule, "waive", [])
        return np.isin(np.array(self.places, dtype=object).astype(str), listed if isinstance(listed, list) else [])

    def excused(self, rule: str) -> Flags:
        """(n,) hubs whose consortium a rule's `waive` list names: by the hub, or by an area whose code is no place's.

        A code of both a place and an area names the place.
        """
        listed = self.said(rule, "waive", [])
        areas = [code for code in listed if code not in self.index]
        return np.asarray(self.waived(rule) | np.isin(np.array(self.area, dtype=object).astype(str), areas))

    @cached_property
    def farthest(self) -> Array:
        """(n,) the most kilometres between a place and its hub: reach, what its exemption allows, or any distance."""
        most = float(self.said("reach", "max", np.inf))
        limit, waived = np.full(len(self), most), self.waived("reach")
        limit[waived] = [max(most, self.excess.get(self.places[p], np.inf)) for p in np.flatnonzero(waived)]
        return limit


@dataclass(frozen=True)
class Pairs:
    """Possible pairs of place and hub, sorted by place and then hub, with their distance."""

    place: Ints
    hub: Ints
    km: Array

    def __len__(self) -> int:
        return len(self.place)

    def take(self, keep: Flags | Ints) -> Pairs:
        """The pairs at these positions."""
        return Pairs(self.place[keep], self.hub[keep], self.km[keep])


def pairs_of(instance: Instance, place: Ints, hub: Ints) -> Pairs:
    """Pairs with their distances, sorted, each once."""
    keys = np.sort(place.astype(np.int64) * len(instance) + hub)  # far quicker than np.unique, which hashes
    keys = keys[np.diff(keys, prepend=-1) != 0]
    place, hub = keys // len(instance), keys % len(instance)
    return Pairs(place, hub, instance.km(place, hub))


def possible_pairs(instance: Instance) -> Pairs:
    """Every pair that reach, areas, locks and the links of neighbours allow.

    Raises InputFault when there are too many to look at.
    """
    found = _within_areas(instance) if instance.on("stay_in_area") else _anywhere(instance)
    place, hub = found.place, found.hub
    keep = found.km <= instance.farthest[place] + _ROUNDING
    keep &= ~_locked_out(instance, found)
    if instance.on("contiguity") and instance.links is not None:
        keep &= instance.island_codes[place] == instance.island_codes[hub]
    if instance.declared:
        keep &= ~instance.may_hub[place] | (place == hub)
    return found.take(keep)


def legal_pairs(instance: Instance, pairs: Pairs) -> Pairs:
    """The pairs whose hub could gather the minimum population, were every place in its reach to join it."""
    least = instance.said("population_window", "min")
    if least is None or instance.declared:
        return pairs
    people = np.bincount(pairs.hub, weights=instance.population[pairs.place], minlength=len(instance))
    return pairs.take(((people >= least) | instance.excused("population_window"))[pairs.hub])


def _within_areas(instance: Instance) -> Pairs:
    place, hub = list[Ints](), list[Ints]()
    excused = instance.waived("stay_in_area")
    for number in range(len(instance.areas)):
        members = np.flatnonzero((instance.area_codes == number) & ~excused)
        hubs = np.flatnonzero((instance.area_codes == number) & instance.may_hub)
        place.append(np.repeat(members, len(hubs)))
        hub.append(np.tile(hubs, len(members)))
    return _with_excused(instance, np.flatnonzero(excused), place, hub)


def _with_excused(instance: Instance, excused: Ints, place: list[Ints], hub: list[Ints]) -> Pairs:
    """The pairs with those of excused places: every hub, as far as each of them may be from its hub."""
    hubs, size = instance.hubs, sum(len(one) for one in place)
    for one in excused.tolist():
        near = hubs[instance.km(np.full(len(hubs), one), hubs) <= instance.farthest[one] + _ROUNDING]
        place.append(np.full(len(near), one, dtype=np.int64))
        hub.append(near)
        size += len(near)
        if size > MOST_PAIRS:
            raise _too_many(instance)
    return pairs_of(instance, np.concatenate(place), np.concatenate(hub))


def _anywhere(instance: Instance) -> Pairs:
    limit = instance.said("reach", "max")
    if limit is None or instance.position is None or len(instance) * len(instance.hubs) <= 250_000:
        return _all_pairs(instance)
    tree, hubs = cKDTree(instance.position), instance.hubs
    most = chord_of(limit) * (1 + 1e-9) + 1e-12
    near = cKDTree(instance.position[hubs]).sparse_distance_matrix(tree, most, output_type="ndarray")
    hub, place = hubs[near["i"]], near["j"].astype(np.int64)
    return _with_excused(instance, np.flatnonzero(instance.waived("reach")), [place], [hub])


def _too_many(instance: Instance) -> InputFault:
    said = f"{len(instance):,} places and {len(instance.hubs):,} possible hubs make too many pairs to look at"
    return InputFault(said, (Problem(said, "limit them: rules.reach.max, rules.stay_in_area or a hub column"),))


def _all_pairs(instance: Instance) -> Pairs:
    if len(instance) * len(instance.hubs) > MOST_PAIRS:
        raise _too_many(instance)
    n, hubs = len(instance), instance.hubs
    return pairs_of(instance, np.repeat(np.arange(n), len(hubs)), np.tile(hubs, n))


def _locked_out(instance: Instance, pairs: Pairs) -> Flags:
    """Pairs that the rule `locked` forbids."""
    listed = instance.said("locked", "places", [])
    out = np.zeros(len(pairs), dtype=bool)
    for code in listed:
        at = np.flatnonzero(pairs.place == instance.index[code])
        if isinstance(listed, dict):
            out[at] = pairs.hub[at] != instance.index[listed[code]]
        elif instance.present is not None and instance.present[instance.index[code]]:
            out[at] = [instance.present[hub] != instance.present[instance.index[code]] for hub in pairs.hub[at]]
    return out


def components(instance: Instance, pairs: Pairs) -> list[Ints]:
    """Groups of places that decide nothing about each other (positions, each sorted); one group where a rule counts
    over all.
    """
    n = len(instance)
    if instance.on("number_of_consortia") or instance.on("moves"):
        return [np.arange(n)]
    place, hub = [pairs.place], [pairs.hub]
    for rule in ("together", "apart"):
        for group in instance.said(rule, "groups", []):
            members = np.array([instance.index[code] for code in group])
            place.append(members[:-1])
            hub.append(members[1:])
    links = np.concatenate(place), np.concatenate(hub)
    graph = sp.coo_array((np.ones(len(links[0])), links), shape=(n, n))
    number, label = connected_components(graph, directed=False)
    return _groups(label, number)


def _groups(label: npt.NDArray[Any], number: int) -> list[Ints]:
    order = np.argsort(label, kind="stable")
    ends = np.cumsum(np.bincount(label, minlength=number))
    return [np.sort(part) for part in np.split(order, ends[:-1])]


def hub_of(instance: Instance, codes: Sequence[str]) -> Ints:
    """Hub codes to positions."""
    return np.array([instance.index[code] for code in codes], dtype=np.int64)
