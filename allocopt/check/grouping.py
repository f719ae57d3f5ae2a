"""A grouping checked again in plain numpy: every rule's definition, every objective, sharing no code with the models.

Used three ways: to refuse a plan that fails its own check, to tell which rules a given grouping breaks, and by
`verify`. Money is GBP million, distance km by the haversine formula, rates fractions. Imports nothing of allocopt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

EARTH_KM = 6371.0088
METRE = 1e-3
RELATIVE = 1e-6
"""Rows of rates are met to a millionth."""


@dataclass(frozen=True)
class Grouped:
    """A grouping as plain columns: `hub` is the position of each place's hub, `settings` the parameters of the rules
    that are on.
    """

    places: Sequence[str]
    population: Floats
    budget: Floats
    spend: Floats
    area: Sequence[str]
    hub: Ints
    settings: Mapping[str, Mapping[str, Any]]
    latitude: Floats | None = None
    longitude: Floats | None = None
    imd: Floats | None = None
    present: Sequence[str] | None = None
    declared: Sequence[bool] | None = None
    may_hub: Sequence[bool] | None = None
    """places that may be a hub; all where None"""
    links: Sequence[tuple[int, int]] | None = None
    """neighbours, for contiguity"""
    excess: Mapping[str, float] = field(default_factory=dict)
    """km that an exempted place may be from its hub, by code; a place that `waive` names and this does not: any"""
    aims: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """the parameters of objectives that have any, by name"""

    @cached_property
    def near(self) -> Mapping[int, Sequence[int]]:
        """The neighbours of each place that has any, by position."""
        found: dict[int, list[int]] = {}
        for a, b in self.links or ():
            found.setdefault(a, []).append(b)
            found.setdefault(b, []).append(a)
        return found

    @cached_property
    def island(self) -> Ints:
        """(n,) the first place of each place's island: of all that chains of neighbours lead to."""
        island = np.full(len(self.places), -1, dtype=np.int64)
        for place in range(len(self.places)):
            if island[place] < 0:
                island[sorted(_led_to(self, place, None))] = place
        return island


@dataclass(frozen=True)
class Broken:
    """A rule that does not hold, where, and by how much in words."""

    rule: str
    at: str
    words: str

    def __str__(self) -> str:
        return f"{self.rule} at {self.at}: {self.words}"


def haversine(of: Grouped, one: Ints, other: Ints) -> Floats:
    """Great-circle kilometres between places by position; zero without coordinates."""
    if of.latitude is None or of.longitude is None:
        return np.zeros(len(one))
    north, east = np.radians(of.latitude), np.radians(of.longitude)
    half = np.sin((north[other] - north[one]) / 2) ** 2
    half = half + np.cos(north[one]) * np.cos(north[other]) * np.sin((east[other] - east[one]) / 2) ** 2
    return np.asarray(2 * EARTH_KM * np.arcsin(np.sqrt(np.minimum(1.0, half))))


def slip(value: float, rounded: int = 1) -> float:
    """How far a bound may lie above the plan's value, GBP m or the objective's unit: a pound for each place whose money
    was `rounded` after solving, and what floating point makes.
    """
    return 1e-6 * rounded + 1e-9 * abs(value)


def objectives(of: Grouped) -> dict[str, float]:
    """Every objective of a grouping by name."""
    hubs, which = np.unique(of.hub, return_inverse=True)
    balance = np.bincount(which, weights=of.spend - of.budget, minlength=len(hubs))
    km = haversine(of, np.arange(len(of.hub)), of.hub)
    area = np.array(list(of.area), dtype=object)
    deficit = float(np.maximum(0.0, balance).sum())
    return {
        "gross_deficit": deficit,
        "deficit_and_crossings": deficit + crossing_cost(of),
        "travel": float(km @ of.population / of.population.sum()),
        "moves": float(_moved(of).sum()),
        "crossings": float((area != area[of.hub]).sum()),
    }


def crossing_cost(of: Grouped) -> float:
    """GBP m that all places whose hub lies in another area count together."""
    area = np.array(list(of.area), dtype=object)
    return float(crossing_costs(of)[area != area[of.hub]].sum())


def crossing_costs(of: Grouped) -> Floats:
    """GBP m that each place counts with a hub in another area: so much a place and so much a head."""
    said = of.aims.get("deficit_and_crossings", {})
    return np.asarray(said.get("per_place", 0.0) + said.get("per_head", 0.0) * of.population, dtype=np.float64)


def _moved(of: Grouped) -> npt.NDArray[np.bool_]:
    if of.present is None:
        return np.zeros(len(of.hub), dtype=bool)
    present = np.array(list(of.present), dtype=object)
    return np.asarray((present != "") & (present != present[of.hub]))


def broken_rules(of: Grouped) -> list[Broken]:
    """Every place and consortium at which a rule that is on does not hold, in the order of the rules."""
    found = [Broken("hub_opens", at, words) for at, words in _hubs(of)]
    for name, check in _CHECKS.items():
        if name in of.settings:
            found += [Broken(name, at, words) for at, words in check(of, of.settings[name])]
    return found


def _hubs(of: Grouped) -> Iterator[tuple[str, str]]:
    """Hubs whose own place is elsewhere, declared hubs without a consortium, consortia at places that are no hub."""
    hubs = np.unique(of.hub)
    for h in hubs[of.hub[hubs] != hubs].tolist():
        yield of.places[h], "the hub's place belongs to another consortium"
    if of.declared is not None:
        for h in np.setdiff1d(np.flatnonzero(np.array(of.declared)), hubs).tolist():
            yield of.places[h], f"a declared hub without a consortium: its place belongs to that of {_hub(of, h)}"
    if of.may_hub is not None:
        for h in hubs[~np.array(of.may_hub, dtype=bool)[hubs]].tolist():
            yield of.places[h], "a consortium at a place that is not among the scenario's hubs"


def _hub(of: Grouped, p: int) -> str:
    return of.places[int(of.hub[p])]


def _waived(said: Mapping[str, Any]) -> set[str]:
    listed = said.get("waive")
    return set(listed) if isinstance(listed, list) else set()


def _excused(of: Grouped, said: Mapping[str, Any], hub: int) -> bool:
    """Whether `waive` names the consortium: by its hub, or by its area where no place has that code."""
    named, area = _waived(said), of.area[hub]
    return of.places[hub] in named or (area in named and area not in set(of.places))


def _members(of: Grouped) -> Iterator[tuple[int, Ints]]:
    for hub in np.unique(of.hub).tolist():
        yield hub, np.flatnonzero(of.hub == hub)


def _reach(of: Grouped, said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    km, most = haversine(of, np.arange(len(of.hub)), of.hub), _farthest(of, said)
    for p in np.flatnonzero(km > most + METRE).tolist():
        yield of.places[p], f"{km[p]:,.3f} km from its hub, {most[p]:g} km allowed"


def _farthest(of: Grouped, said: Mapping[str, Any]) -> Floats:
    """The most kilometres between each place and its hub; a place that is waived has its exemption's, or none."""
    named, most = _waived(said), np.full(len(of.hub), float(said["max"]))
    for p in np.flatnonzero(np.isin(np.array(list(of.places)), sorted(named))).tolist() if named else ():
        most[p] = max(most[p], of.excess.get(of.places[p], np.inf))
    return most


def _stay_in_area(of: Grouped, said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for p, h in enumerate(of.hub.tolist()):
        if of.area[p] != of.area[h] and of.places[p] not in _waived(said):
            yield of.places[p], f"in {of.area[p]}, its hub in {of.area[h]}"


def _population(of: Grouped, said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    least, most = said.get("min"), said.get("max")
    for hub, members in _members(of):
        people, code = float(of.population[members].sum()), of.places[hub]
        if least is not None and people < least * (1 - RELATIVE) and not _excused(of, said, hub):
            yield code, f"{people:,.0f} people, at least {least:,.0f} asked"
        if most is not None and people > most * (1 + RELATIVE):
            yield code, f"{people:,.0f} people, at most {most:,.0f} allowed"


def _common(of: Grouped, hub: int) -> npt.NDArray[np.bool_]:
    """The places that a consortium is compared with: its area, or all where areas may be crossed."""
    if "stay_in_area" not in of.settings:
        return np.ones(len(of.hub), dtype=bool)
    return np.array([area == of.area[hub] for area in of.area])


def _balance(of: Grouped, said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for hub, members in _members(of):
        own = 1 - of.spend[members].sum() / of.budget[members].sum()
        with_all = _common(of, hub)
        common = 1 - of.spend[with_all].sum() / of.budget[with_all].sum()
        if abs(own - common) > said["max"] + RELATIVE and not _excused(of, said, hub):
            yield of.places[hub], f"balance {own:+.3%} against {common:+.3%} in common"


def _number(of: Grouped, said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    number = len(np.unique(of.hub))
    if not (said.get("min") or 0) <= number <= (said.get("max") or len(of.hub)):
        yield "all", f"{number} consortia"


def _deprivation(of: Grouped, said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if of.imd is None:
        return
    for hub, members in _members(of):
        common, own = _mean_imd(of, np.flatnonzero(_common(of, hub))), _mean_imd(of, members)
        if not np.isnan(own) and abs(own / common - 1) > said["max"] + RELATIVE:
            yield of.places[hub], f"mean deprivation {own:.2f} against {common:.2f} in common"


def _mean_imd(of: Grouped, at: Ints) -> float:
    assert of.imd is not None
    known = at[~np.isnan(of.imd[at])]
    return float(of.imd[known] @ of.population[known] / of.population[known].sum()) if len(known) else float("nan")


def _concentration(of: Grouped, said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    surplus = np.maximum(0.0, of.budget - of.spend)
    for hub, members in _members(of):
        could = could_join(of, hub)
        if surplus[members].sum() > said["max"] * surplus[could].sum() * (1 + RELATIVE) + RELATIVE:
            held = f"GBP {surplus[members].sum():,.3f}m of the GBP {surplus[could].sum():,.3f}m"
            yield of.places[hub], f"holds {held} of surplus in its reach"


def could_join(of: Grouped, hub: int) -> npt.NDArray[np.bool_]:
    n = len(of.hub)
    could = np.ones(n, dtype=bool)
    if "reach" in of.settings:
        could &= haversine(of, np.arange(n), np.full(n, hub)) <= _farthest(of, of.settings["reach"]) + 1e-9
    if "stay_in_area" in of.settings:
        waived = np.isin(np.array(list(of.places)), sorted(_waived(of.settings["stay_in_area"])))
        could &= np.array([area == of.area[hub] for area in of.area]) | waived
    if of.declared is not None:
        could &= ~np.array(of.declared) | (np.arange(n) == hub)
    if "contiguity" in of.settings and of.links is not None:
        could &= of.island == of.island[hub]
    for code in of.settings.get("locked", {}).get("places", []):
        could[list(of.places).index(code)] &= _may_lock(of, code, hub)
    return could


def _may_lock(of: Grouped, code: str, hub: int) -> bool:
    """Whether a locked place may join a hub."""
    listed = of.settings["locked"]["places"]
    if isinstance(listed, Mapping):
        return bool(listed[code] == of.places[hub])
    own = "" if of.present is None else of.present[list(of.places).index(code)]
    return not own or (of.present is not None and own == of.present[hub])


def _locked(of: Grouped, said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    index, moved = {code: p for p, code in enumerate(of.places)}, _moved(of)
    for code in said["places"]:
        wanted = said["places"][code] if isinstance(said["places"], Mapping) else None
        if (wanted is None and moved[index[code]]) or (wanted and of.places[of.hub[index[code]]] != wanted):
            yield code, f"belongs to hub {of.places[of.hub[index[code]]]}"


def _together(of: Grouped, said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    index = {code: p for p, code in enumerate(of.places)}
    for group in said["groups"]:
        if len({int(of.hub[index[code]]) for code in group}) > 1:
            yield "+".join(group), "in different consortia"


def _apart(of: Grouped, said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    index = {code: p for p, code in enumerate(of.places)}
    for group in said["groups"]:
        for one, other in combinations(group, 2):
            if of.hub[index[one]] == of.hub[index[other]]:
                yield f"{one}+{other}", "in the same consortium"


def _containment(of: Grouped, said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    area = np.array(list(of.area), dtype=object)
    for hub, members in _members(of):
        people, rate = of.population[members], said["rate"] * (1 - RELATIVE)
        held = {one: float(people[area[members] == one].sum()) for one in sorted(set(area[members]))}
        whole = {one: float(of.population[area == one].sum()) for one in held}
        if not any(held[one] >= rate * people.sum() and held[one] >= rate * whole[one] for one in held):
            yield of.places[hub], "no area holds that share of its people and is held to that share"


def _moves(of: Grouped, said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    moved = int(_moved(of).sum())
    if moved > said["max"]:
        yield "all", f"{moved} places leave their present group, {said['max']} allowed"


def _contiguity(of: Grouped, said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    table = getattr(said.get("graph"), "table", None)
    for hub, members in _members(of):
        lost = [of.places[p] for p in sorted(set(members.tolist()) - _led_to(of, hub, set(members.tolist())))]
        if lost:
            by = f" by the table {table}" if table else ""
            yield of.places[hub], f"{len(lost)} places are not connected with the hub{by}, such as {lost[0]}"


def _led_to(of: Grouped, first: int, inside: set[int] | None) -> set[int]:
    """The places that chains of neighbours inside lead to from the first one; anywhere where it is None."""
    seen, edge = {first}, [first]
    while edge:
        fresh = {q for q in of.near.get(edge.pop(), ()) if q not in seen and (inside is None or q in inside)}
        seen |= fresh
        edge += fresh
    return seen


_CHECKS = {
    "reach": _reach,
    "stay_in_area": _stay_in_area,
    "population_window": _population,
    "balance_band": _balance,
    "number_of_consortia": _number,
    "contiguity": _contiguity,
    "deprivation_mix": _deprivation,
    "surplus_concentration": _concentration,
    "locked": _locked,
    "together": _together,
    "apart": _apart,
    "containment": _containment,
    "moves": _moves,
}


def reachable_hubs(of: Grouped, may_hub: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The possible hubs that could gather the minimum population, were every place that may join to join."""
    window = of.settings.get("population_window", {})
    if of.declared is not None or window.get("min") is None:
        return may_hub
    able = may_hub.copy()
    for hub in np.flatnonzero(may_hub).tolist():
        people = float(of.population[could_join(of, hub)].sum())
        able[hub] = people >= window["min"] or _excused(of, window, hub)
    return able


def price_bound(of: Grouped, prices: Mapping[str, float], may_hub: npt.NDArray[np.bool_]) -> float:
    """Bound T from its certificate, what an overspend is worth at each hub, 0 to 1: each place at the hub that makes
    the least of it and of what crossing costs. Raises ValueError for other prices.
    """
    if not all(0.0 <= price <= 1.0 for price in prices.values()):
        raise ValueError("a kept price of bound T is not between 0 and 1")
    over, area, least = of.spend - of.budget, np.array(list(of.area), dtype=object), np.full(len(of.hub), np.inf)
    for hub in np.flatnonzero(may_hub).tolist():
        could = could_join(of, hub)
        cost = prices.get(of.places[hub], 0.0) * over + np.where(area != area[hub], crossing_costs(of), 0.0)
        least[could] = np.minimum(least, cost)[could]
    return max(0.0, float(least[np.isfinite(least)].sum()))


def cut_bound(of: Grouped, chosen: npt.NDArray[np.bool_], may_hub: npt.NDArray[np.bool_]) -> float:
    """Bound B from its certificate: the overspend of the chosen places less every surplus that could meet one of
    them.
    """
    over = of.spend - of.budget
    chosen = chosen & (over > 0)
    hubs = [h for h in np.flatnonzero(may_hub).tolist() if (could_join(of, h) & chosen).any()]
    met = np.zeros(len(over), dtype=bool)
    for hub in hubs:
        met |= could_join(of, hub)
    return max(0.0, float(over[chosen].sum() + over[met & (over <= 0)].sum()))
