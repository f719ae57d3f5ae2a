"""What a grouping cannot do without, and what a scenario says of it that would be ignored: told all at once.

Imports `codes`, `plan`, `inputs`, `errors`, names from `grouping.instance` and the types of `settings`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from allocopt.consortia.codes import ambiguous
from allocopt.errors import Problem, ScenarioFault
from allocopt.grouping.instance import DEFICIT, TOLLED
from allocopt.inputs.tables import count, some
from allocopt.plan import Facts
from allocopt.settings import Grouping, RuleSetting

Rules = Mapping[str, RuleSetting]
_DELAUNAY = "neighbours on the map need coordinates, or a table of links: rules.contiguity.graph: neighbours.csv"


def check_facts(facts: Facts, said: Grouping) -> None:
    """What a grouping cannot do without. Raises ScenarioFault with everything that is missing or would be ignored."""
    found = [
        *_roles(facts, said),
        *_hubs(facts, said),
        *_crossings(facts),
        *_unknown_codes(facts),
        *ambiguous(facts),
        *_waived(facts, said),
        *_locks(facts, said),
        *_scores(facts),
        *_shown(facts, said),
    ]
    if found:
        marked = tuple(
            Problem(one.message, one.cure, one.key, facts.loaded.mark(*one.key.split(".")), one.file, one.line)
            for one in found
        )
        raise ScenarioFault("the grouping cannot be made from this scenario", marked)


def _roles(facts: Facts, said: Grouping) -> Iterator[Problem]:
    scenario, inputs = facts.loaded.scenario, facts.inputs
    names, rules = {one.name for one in scenario.objectives}, scenario.rules
    far = "reach" in rules or "travel" in names or "nearest_hub" in said.compare or bool(said.frontier)
    own = not far and "contiguity" in rules and inputs.links is None
    areas = bool({"stay_in_area", "containment"} & set(rules)) or bool({"crossings", TOLLED} & names)
    areas = areas or "within_areas" in said.compare
    wants = {
        "population": ("a grouping counts people", True),
        "latitude": (_DELAUNAY if own else "distances need coordinates", far or own),
        "longitude": (_DELAUNAY if own else "distances need coordinates", far or own),
        "area": ("this needs areas", areas),
        "imd": ("the mix needs a deprivation score", "deprivation_mix" in rules),
        "group": ("moves are counted against present groups", "moves" in rules or "moves" in names),
        "hub": ("hubs are said to be declared", said.hubs in ("declared", "optional")),
    }
    for role, (why, needed) in wants.items():
        if needed and inputs.role(role) is None:
            key = f"inputs.places.columns.{role}"
            yield Problem(f"{why}, and no column is named for {role}", f"name it at {key}", key)
    if facts.spend is None:
        yield Problem("deficits need expected spend and the scenario has none", "say `inputs.spend`", "inputs.spend")


def _hubs(facts: Facts, said: Grouping) -> Iterator[Problem]:
    hub, key = facts.inputs.role("hub"), "inputs.places.columns.hub"
    if hub is None:
        return
    strange = hub[~hub.isin([0.0, 1.0])]
    if len(strange):
        wrong = some([f"{code}: {value:g}" for code, value in strange.items()])
        yield Problem(f"the hub column holds something other than 0 and 1: {wrong}", "write 1 or 0", key)
    elif said.hubs != "free" and not (hub == 1).any():
        cure = "write 1 for each hub, or let any place be one: grouping.hubs: free"
        yield Problem(f"no place of the run has 1 in the hub column '{hub.name}'", cure, key)


def _crossings(facts: Facts) -> Iterator[Problem]:
    """A price of crossings that says nothing, or that nothing could be traded for."""
    scenario = facts.loaded.scenario
    names = [one.name for one in scenario.objectives]
    at = [number for number, name in enumerate(names) if name == TOLLED]
    if not at:
        return
    key, rules = f"objectives.{at[0]}", scenario.rules
    if len(at) > 1:
        words = f"{TOLLED} is listed {len(at)} times: a crossing has one price"
        yield Problem(words, "keep one of them", f"objectives.{at[1]}")
    if not scenario.objectives[at[0]].parameters:
        words = f"{TOLLED} says neither per_place nor per_head: a crossing costs nothing"
        yield Problem(words, f"write {TOLLED}: {{per_place: £200k}}, or gross_deficit", key)
    if DEFICIT in names[: at[0]]:
        words = f"{DEFICIT} before {TOLLED} leaves it nothing to trade crossings for"
        yield Problem(words, f"take {DEFICIT} out or list it after; `crossings` counts places instead", key)
    if "stay_in_area" in rules and not _said(rules, "stay_in_area", "waive"):
        words = f"stay_in_area forbids the crossings that {TOLLED} puts a price on"
        yield Problem(
            words, "write stay_in_area: off, or name at waive the places that may cross", "rules.stay_in_area"
        )


def _may_hub(facts: Facts, said: Grouping) -> pd.Series:
    """Whether each place may be a hub."""
    hub = facts.inputs.role("hub")
    if hub is None or said.hubs == "free":
        return pd.Series(data=True, index=facts.inputs.places.index)
    return hub == 1


def _said(rules: Rules, rule: str, key: str) -> Any:
    return rules[rule].parameters.get(key) if rule in rules else None


def _unknown_codes(facts: Facts) -> Iterator[Problem]:
    """Places that rules name and the tables do not have."""
    known, rules = set(facts.situation.places), facts.loaded.scenario.rules
    for rule, key in (("locked", "places"), ("together", "groups"), ("apart", "groups")):
        given = _said(rules, rule, key) or []
        listed = (
            [*given, *given.values()] if isinstance(given, dict) else [code for one in given for code in _codes(one)]
        )
        yield from _lost(listed, known, f"rules.{rule}.{key}", "place")
    areas = facts.inputs.role("area")
    hubs_or_areas = known | (set() if areas is None else set(areas.astype(str)))
    for rule in ("reach", "stay_in_area"):
        yield from _lost(_said(rules, rule, "waive"), known, f"rules.{rule}.waive", "place")
    for rule in ("population_window", "balance_band"):
        yield from _lost(_said(rules, rule, "waive"), hubs_or_areas, f"rules.{rule}.waive", "hub or area")


def _lost(listed: Any, known: set[str], key: str, what: str) -> Iterator[Problem]:
    lost = [code for code in listed if code not in known] if isinstance(listed, list) else []
    if lost:
        cure = f"name {'place codes' if what == 'place' else 'place or area codes'} of the places table"
        yield Problem(f"no such {what}: {', '.join(lost)}", cure, key)


def _codes(one: str | Sequence[str]) -> Sequence[str]:
    return [one] if isinstance(one, str) else one


def _waived(facts: Facts, said: Grouping) -> Iterator[Problem]:
    """Waivers that would be ignored: of a place that is no hub, and those that exemptions are refused for."""
    rules = facts.loaded.scenario.rules
    if _said(rules, "reach", "waive") == "least" and said.exempt == "none":
        words = "as few places as possible are to be excused, and grouping.exempt: none excuses nobody"
        yield Problem(words, "say grouping.exempt: least, or name the places", "rules.reach.waive")
    areas, may = facts.inputs.role("area"), _may_hub(facts, said)
    known = set() if areas is None else set(areas.astype(str))
    for rule in ("population_window", "balance_band"):
        idle = [
            code
            for code in _said(rules, rule, "waive") or []
            if code in may.index and not may[code] and code not in known
        ]
        if idle:
            words = f"only a hub can be excused, and {', '.join(idle)} {'is none' if len(idle) == 1 else 'are none'}"
            yield Problem(words, "name the hub of the consortium, or its area", f"rules.{rule}.waive")


def _locks(facts: Facts, said: Grouping) -> Iterator[Problem]:
    """Locks that hold nothing, or hold a place where no consortium can be."""
    listed, key = _said(facts.loaded.scenario.rules, "locked", "places"), "rules.locked.places"
    known, group = set(facts.situation.places), facts.inputs.role("group")
    if isinstance(listed, list) and group is None and listed:
        words = f"{some(listed)} are to stay in their present group, and no column of present groups is named"
        yield Problem(words, "name it at inputs.places.columns.group, or name hubs: {place: hub}", key)
    elif isinstance(listed, list) and group is not None:
        without = [code for code in listed if code in known and not str(group[code])]
        if without:
            words = f"{some(without)} have no present group to stay in"
            yield Problem(words, "take them out, or name their hubs: {place: hub}", key)
    if isinstance(listed, dict):
        yield from _lock_to_hubs(listed, _may_hub(facts, said), declared=said.hubs in (None, "declared"))


def _lock_to_hubs(listed: Mapping[str, str], may: pd.Series, *, declared: bool) -> Iterator[Problem]:
    key, hubs = "rules.locked.places", some([str(code) for code in may.index[may]])
    for place, hub in listed.items():
        if place not in may.index or hub not in may.index:
            continue
        if not may[hub]:
            words = f"{place} is locked to {hub}, which is not among the scenario's hubs"
            yield Problem(words, f"name one of {hubs}, or write 1 for {hub} in the hub column", f"{key}.{place}")
        elif listed.get(hub, hub) != hub:
            words = f"{place} is locked to {hub}, which is itself locked to {listed[hub]}"
            yield Problem(words, "a hub belongs to its own consortium: lock both to one hub", f"{key}.{place}")
        elif declared and not may.all() and may[place] and place != hub:
            words = f"{place} is locked to {hub} and is a declared hub itself, which belongs to its own consortium"
            yield Problem(
                words, f"write 0 for {place} in the hub column, or say grouping.hubs: optional", f"{key}.{place}"
            )


def _scores(facts: Facts) -> Iterator[Problem]:
    """Deprivation scores that no share can be taken of: those that a consortium is compared with are all zero."""
    score, people = facts.inputs.role("imd"), facts.situation.population[:, -1]
    rules = facts.loaded.scenario.rules
    if "deprivation_mix" not in rules or score is None:
        return
    area = facts.inputs.role("area") if "stay_in_area" in rules else None
    labels = pd.Series("all places", index=score.index) if area is None else area.astype(str)
    values = score.to_numpy(dtype=np.float64)
    for label in sorted(set(labels)):
        at = (labels == label).to_numpy() & ~np.isnan(values)
        if at.any() and float(values[at] @ people[at]) <= 0:
            words = f"the mean deprivation score of {label} is 0, and a consortium is to lie within a share of it"
            yield Problem(
                words, "name another column at inputs.places.columns.imd, or drop the rule", "rules.deprivation_mix"
            )


def _shown(facts: Facts, said: Grouping) -> Iterator[Problem]:
    """Comparisons and alternatives that could not be shown."""
    columns, places = list(facts.inputs.places.columns), len(facts.situation.places)
    lost = [name for name in said.present if name not in columns]
    if lost:
        words = f"the places have no column {', '.join(map(repr, lost))}"
        yield Problem(words, f"their columns are: {', '.join(map(str, columns))}", "grouping.present")
    if "present" in said.compare and not said.present and facts.inputs.role("group") is None:
        cure = "name columns at grouping.present, or one at inputs.places.columns.group"
        yield Problem("present groups are to be compared, and no column of them is named", cure, "grouping.compare")
    if said.alternatives is None:
        return
    if said.column is not None:
        words = "a given grouping is evaluated as it is: there are no alternatives to it"
        yield Problem(words, "write alternatives: off, or take the given grouping out", "grouping.alternatives")
    if said.alternatives.differ > places:
        words = f"plans cannot differ at {said.alternatives.differ:,} places: the run has {count(places, 'place')}"
        yield Problem(words, f"write {places} at most", "grouping.alternatives.differ")
