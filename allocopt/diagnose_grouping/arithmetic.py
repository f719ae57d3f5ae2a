"""The sums that a modeller would do by hand before solving: people against limits, hubs against numbers, places
against what is within reach of them.

Each rule has one function; it gives sentences about one part of the country, those that refute the rule by themselves
and those that only say how it stands. Imports `field` and `balances`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from allocopt.diagnose_grouping.balances import balance_band, deprivation_mix, surplus_concentration
from allocopt.diagnose_grouping.field import SHOWN, Field, Sum, about, count, lists, options, people, without_choice
from allocopt.grouping.instance import Ints, great_circle
from allocopt.grouping.neighbours import graph_of
from allocopt.settings.neighbours import graph_words

Said = Mapping[str, Any]


def sums(fields: Sequence[Field], rule: str) -> list[Sum]:
    """Every piece of arithmetic about a rule, part by part; for all parts together where it counts over all."""
    if not fields or rule not in _SUMS:
        return []
    said = fields[0].instance.settings[rule]
    return [Sum(rule, about(field, words), refutes) for field in fields for words, refutes in _SUMS[rule](field, said)]


Sentences = Iterator[tuple[str, bool]]


def _reach(field: Field, said: Said) -> Sentences:
    limit, total = (
        float(said["max"]),
        int(np.isin(field.instance.area, [field.instance.area[p] for p in field.places]).sum()),
    )
    alone = np.flatnonzero(without_choice(field) & ~field.instance.waived("reach"))
    near = {p: _nearest(field, p) for p in alone.tolist()}
    far = sorted((p for p in near if near[p][1] > limit), key=lambda p: -near[p][1])
    if not far:
        yield from _within_reach(field, limit)
        return
    hub, km = near[far[0]]
    worst = f"the farthest, {field.said(far[0])}, is {km:,.1f} km from the nearest, {field.said(hub)}"
    few = f"{len(far):,} of {count(total, 'place')} {'is' if len(far) == 1 else 'are'} more than {limit:g} km"
    yield f"{few} from every hub that they may join; {worst}", True


def _within_reach(field: Field, limit: float) -> Sentences:
    """Every place has a hub: how far the farthest nearest one is."""
    near = {p: _nearest(field, p) for p in field.places.tolist()}
    last = max(near, key=lambda p: near[p][1])
    words = f"every place has a hub within {limit:g} km, the farthest being {field.said(last)}"
    yield f"{words}, {near[last][1]:,.1f} km from {field.said(near[last][0])}: that fits", False


def _nearest(field: Field, place: int) -> tuple[int, float]:
    """The nearest hub that areas and links let a place join, and how far it is."""
    instance, hubs = field.instance, np.flatnonzero(field.instance.may_hub)
    if instance.on("stay_in_area"):
        hubs = hubs[instance.area_codes[hubs] == instance.area_codes[place]]
    hubs = instance.ashore(place, hubs)
    if not len(hubs) or instance.position is None:
        return place, 0.0
    km = great_circle(instance.position[np.full(len(hubs), place)], instance.position[hubs])
    return int(hubs[km.argmin()]), float(km.min())


def _stay(field: Field, _said: Said) -> Sentences:
    if not len(field.hubs):
        yield f"no place of {count(len(field.places), 'place')} may be a hub, and none may join a hub elsewhere", True


def _population(field: Field, said: Said) -> Sentences:
    least, most = said.get("min"), said.get("max")
    if least and most and least > most:
        yield f"a minimum of {people(least)} is above a maximum of {people(most)}", True
        return
    if least:
        yield from _enough_people(field, float(least))
    if most:
        yield from _room_for_people(field, float(most))


def _enough_people(field: Field, least: float) -> Sentences:
    bound = field.hubs[~_excused(field, field.hubs)] if field.instance.declared else np.zeros(0, dtype=np.int64)
    needed, total = least * len(bound), field.people
    has = f"its {count(len(field.places), 'place')} {'has' if len(field.places) == 1 else 'have'} {total:,.0f}"
    if len(bound):
        asked = (
            f"{count(len(bound), 'declared hub')} of at least {people(least)} {'needs' if len(bound) == 1 else 'need'}"
        )
        end = f"{needed - total:,.0f} too few" if needed > total else "that fits"
        yield f"{asked} {people(needed)}, and {has}: {end}", needed > total
    elif total < least and not _excused(field, field.hubs).any():
        yield f"one consortium needs at least {people(least)}, and {has}: {least - total:,.0f} too few", True
    yield from _hubs_short_of_people(field, least)


def _hubs_short_of_people(field: Field, least: float) -> Sentences:
    instance = field.instance
    could = field.reached(instance.population)
    if instance.declared:
        short = [h for h in field.hubs.tolist() if could[h] < least and not _excused(field, np.array([h])).any()]
        for h in sorted(short, key=lambda h: could[h])[:SHOWN]:
            joining = int((field.pairs.hub == h).sum())
            words = f"hub {field.said(h)}: the {count(joining, 'place')} that may join it have {people(could[h])}"
            yield f"{words}, at least {least:,.0f} are asked", True
        return
    best = np.zeros(len(instance))
    np.maximum.at(best, field.pairs.place, np.where(_excused(field, field.pairs.hub), np.inf, could[field.pairs.hub]))
    short = [p for p in field.places.tolist() if best[p] < least]
    if short:
        worst = min(short, key=lambda p: best[p])
        words = f"{count(len(short), 'place')} may join no hub that {people(least)} can reach"
        yield f"{words}; for {field.said(worst)} the most is {people(best[worst])}", True


def _excused(field: Field, hubs: Ints) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Hubs whose consortium need not have the minimum: named themselves, or by their area."""
    return field.instance.excused("population_window")[hubs]


def _room_for_people(field: Field, most: float) -> Sentences:
    population = field.instance.population
    large = [p for p in field.places.tolist() if population[p] > most]
    if large:
        yield f"{field.some(large)} {'has' if len(large) == 1 else 'each have'} more than {people(most)}", True
    own = field.pairs.take(field.forced)
    held = np.bincount(own.hub, weights=population[own.place], minlength=len(population))
    for h in [h for h in field.hubs.tolist() if held[h] > most and not population[h] > most][:SHOWN]:
        words = f"hub {field.said(h)}: the {count(int((own.hub == h).sum()), 'place')} that may join no other have"
        yield f"{words} {people(held[h])}, at most {most:,.0f} are allowed", True
    room, total = most * len(field.hubs), field.people
    if field.instance.declared:
        end = f"{total - room:,.0f} without room" if total > room else "that fits"
        hubs = f"{count(len(field.hubs), 'declared hub')} of at most {people(most)}"
        yield f"{hubs} hold {people(room)}, and its places have {total:,.0f}: {end}", total > room


def _number(field: Field, said: Said) -> Sentences:
    least, most, hubs = said.get("min"), said.get("max"), len(field.hubs)
    if least is not None and most is not None and least > most:
        yield f"at least {least} is above at most {most}", True
    if field.instance.declared and most is not None and hubs > most:
        yield f"{count(hubs, 'hub')} are declared and each has its consortium; at most {most} are allowed", True
    if least is not None and hubs < least:
        yield f"only {count(hubs, 'place')} may be a hub; at least {least} consortia are asked", True
    yield from _number_and_people(field, least, most)


def _number_and_people(field: Field, least: int | None, most: int | None) -> Sentences:
    low, high = (field.instance.said("population_window", side) for side in ("min", "max"))
    total = field.people
    if least and low and not field.instance.said("population_window", "waive") and least * low > total:
        yield f"{least} consortia of at least {people(low)} need {people(least * low)}; there are {total:,.0f}", True
    if most is not None and high and most * high < total:
        yield f"{most} consortia of at most {people(high)} hold {people(most * high)}; there are {total:,.0f}", True


def _moves(field: Field, said: Said) -> Sentences:
    instance = field.instance
    if instance.present is None:
        return
    present = np.array(instance.present, dtype=object)
    stays = np.zeros(len(instance), dtype=bool)
    same = present[field.pairs.place] == present[field.pairs.hub]
    stays[field.pairs.place[same]] = True
    must = [p for p in field.places.tolist() if present[p] and not stays[p]]
    fits = len(must) <= said["max"]
    words = f"{count(len(must), 'place')} may join no hub of the present group and must move"
    end = ": that fits" if fits else ""
    if must:
        yield f"{words}, such as {field.said(must[0])}; at most {said['max']:,} may{end}", not fits


def _locked(field: Field, said: Said) -> Sentences:
    listed = said["places"]
    alone = without_choice(field)
    for code in listed:
        p = field.instance.index[code]
        if alone[p]:
            wish = f"hub {listed[code]}" if isinstance(listed, Mapping) else "a hub of its present group"
            yield f"{field.said(p)} is locked to {wish}, which the other rules do not let it join", True


def _together(field: Field, _said: Said) -> Sentences:
    for members in lists(field, "together"):
        if not set.intersection(*(options(field, p) for p in members)):
            yield f"there is no hub that all of {field.some(members)} may join", True


def _apart(field: Field, _said: Said) -> Sentences:
    for members in lists(field, "apart"):
        hubs = set.union(*(options(field, p) for p in members))
        if len(hubs) < len(members):
            words = f"{count(len(members), 'place')} are to be apart ({field.some(members)})"
            yield f"{words}, and they may join only {count(len(hubs), 'hub')}", True


def _containment(field: Field, said: Said) -> Sentences:
    rate, areas = float(said["rate"]), {field.instance.area[p] for p in field.places.tolist()}
    fits = int(1 / rate + 1e-9) if rate > 0 else len(field.places)
    if field.instance.declared and len(field.hubs) > fits * len(areas):
        words = f"each consortium holds at least {rate:.1%} of an area's people, so an area has room for {fits}"
        yield f"{words}; {count(len(field.hubs), 'hub')} are declared for {count(len(areas), 'area')}", True


def _contiguity(field: Field, said: Said) -> Sentences:
    graph, allowed = graph_of(field.instance), set(field.places.tolist())
    assert graph is not None
    found = set(field.hubs.tolist())
    border = list(found)
    while border:
        near = {int(q) for q in graph.of(border.pop())} & allowed - found
        found |= near
        border += sorted(near)
    cut = sorted(allowed - found)
    if cut:
        by = graph_words(said.get("graph"))
        yield f"no chain of neighbours{by} leads from {field.some(cut)} to a hub", True


_SUMS: Mapping[str, Callable[[Field, Said], Sentences]] = {
    "reach": _reach,
    "stay_in_area": _stay,
    "population_window": _population,
    "balance_band": balance_band,
    "number_of_consortia": _number,
    "contiguity": _contiguity,
    "deprivation_mix": deprivation_mix,
    "surplus_concentration": surplus_concentration,
    "locked": _locked,
    "together": _together,
    "apart": _apart,
    "containment": _containment,
    "moves": _moves,
}
