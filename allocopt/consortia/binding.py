"""Where the rules of a grouping bind: at how many places or consortia the plan stands at a limit, rule by rule.

A rule with an amount binds where the plan lies within a hundredth of it. A rule without one binds where it keeps a
place from what it would have nearer by: a hub beyond the border, a hub that its lock or its list forbids; contiguity
binds in a consortium that one place alone holds together. Imports `consortia`, `check.grouping` and `grouping`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from allocopt.check.grouping import Grouped, haversine
from allocopt.consortia import Consortia, grouped_of
from allocopt.grouping.instance import Array, Flags, Instance, Ints, possible_pairs
from allocopt.settings.neighbours import graph_words

NEAR = 0.01
"""A limit binds a consortium (or a place) that lies within this share of it."""


@dataclass(frozen=True)
class Binding:
    """Of how many a rule speaks, and at how many it binds, with the words for it."""

    rows: int
    binding: int
    words: str


class _Plan:
    """What the rules are asked about."""

    def __init__(self, instance: Instance, of: Grouped) -> None:
        self.instance, self.of, self.hub = instance, of, of.hub
        self.hubs, self.which = np.unique(self.hub, return_inverse=True)

    def sums(self, values: Array) -> Array:
        """The sum over the members of each consortium, (consortia,)."""
        return np.asarray(np.bincount(self.which, weights=values, minlength=len(self.hubs)))

    @cached_property
    def nearest(self) -> Ints:
        """The nearest hub of the plan to each place."""
        n = len(self.instance)
        km = np.stack([haversine(self.of, np.arange(n), np.full(n, h)) for h in self.hubs.tolist()])
        return np.asarray(self.hubs[km.argmin(axis=0)])

    @property
    def elsewhere(self) -> Flags:
        """(n,) places whose nearest hub is not theirs."""
        return np.asarray(self.nearest != self.hub)

    def common(self, values: Array, weights: Array) -> Array:
        """The weighted mean of the places that each consortium is compared with."""
        instance = self.instance
        area = instance.area_codes if instance.on("stay_in_area") else np.zeros(len(instance), dtype=np.int64)
        total = np.bincount(area, weights=weights)
        sums = np.bincount(area, weights=values * weights)
        mean = np.divide(sums, total, out=np.full(len(total), np.nan), where=total > 0)
        return np.asarray(mean[area[self.hubs]])


def binding_of(found: Consortia, name: str) -> Binding:
    """How far a rule that is on binds in a finished grouping."""
    solution = found.solution
    return binding_at(solution.instance, grouped_of(found.facts, solution.instance, solution.hub), name)


def binding_at(instance: Instance, of: Grouped, name: str) -> Binding:
    """How far a rule that is on binds in a grouping of the instance."""
    return _RULES[name](_Plan(instance, of), instance.settings[name])


def _amounts(near: Flags) -> Binding:
    return Binding(
        len(near),
        int(near.sum()),
        f"{int(near.sum()):,} of {len(near):,} lie within {NEAR:.0%} of the limit or beyond it",
    )


def _reach(plan: _Plan, said: Mapping[str, Any]) -> Binding:
    km = haversine(plan.of, np.arange(len(plan.hub)), plan.hub)
    return _amounts(km >= said["max"] * (1 - NEAR))


def _window(plan: _Plan, said: Mapping[str, Any]) -> Binding:
    people = plan.sums(plan.instance.population)
    near = np.zeros(len(people), dtype=bool)
    for limit in (said.get("min"), said.get("max")):
        near |= np.abs(people / limit - 1) <= NEAR if limit else False
    return _amounts(near)


def _band(plan: _Plan, said: Mapping[str, Any]) -> Binding:
    instance = plan.instance
    own = 1 - plan.sums(instance.spend) / plan.sums(instance.budget)
    common = 1 - plan.common(instance.spend / instance.budget, instance.budget)
    return _amounts(np.abs(own - common) >= said["max"] * (1 - NEAR))


def _mix(plan: _Plan, said: Mapping[str, Any]) -> Binding:
    assert plan.instance.imd is not None
    known = ~np.isnan(plan.instance.imd)
    people = np.where(known, plan.instance.population, 0.0)
    score = np.nan_to_num(plan.instance.imd)
    weight = plan.sums(people)
    own = plan.sums(people * score) / np.where(weight > 0, weight, 1.0)
    common = plan.common(score, people)
    return _amounts((weight > 0) & (np.abs(own / common - 1) >= said["max"] * (1 - NEAR)))


def _concentration(plan: _Plan, said: Mapping[str, Any]) -> Binding:
    pairs, surplus = possible_pairs(plan.instance), np.maximum(0.0, -plan.instance.over)
    could = np.bincount(pairs.hub, weights=surplus[pairs.place], minlength=len(plan.hub))[plan.hubs]
    held = plan.sums(surplus)
    return _amounts((could > 0) & (held >= said["max"] * could * (1 - NEAR)))


def _containment(plan: _Plan, said: Mapping[str, Any]) -> Binding:
    instance = plan.instance
    shape = (len(plan.hubs), len(instance.areas))
    held = np.zeros(shape)
    np.add.at(held, (plan.which, instance.area_codes), instance.population)
    of_group = held / held.sum(axis=1, keepdims=True)
    of_area = held / np.bincount(instance.area_codes, weights=instance.population)
    return _amounts(np.minimum(of_group, of_area).max(axis=1) <= said["rate"] * (1 + NEAR))


def _number(plan: _Plan, said: Mapping[str, Any]) -> Binding:
    at = len(plan.hubs) in (said.get("min"), said.get("max"))
    return Binding(1, int(at), f"{len(plan.hubs):,} consortia" + (", which is a limit" if at else ""))


def _moves(plan: _Plan, said: Mapping[str, Any]) -> Binding:
    present = np.array(plan.instance.present, dtype=object)
    moved = int(((present != "") & (present != present[plan.hub])).sum())
    return Binding(1, int(moved >= said["max"]), f"{moved:,} of at most {said['max']:,} places move")


def _stay(plan: _Plan, _said: Mapping[str, Any]) -> Binding:
    area = plan.instance.area_codes
    beyond = plan.elsewhere & (area[plan.nearest] != area)
    number = int(beyond.sum())
    return Binding(len(area), number, f"{number:,} of {len(area):,} places have a nearer hub in another area")


def _locked(plan: _Plan, said: Mapping[str, Any]) -> Binding:
    at = np.array([plan.instance.index[code] for code in said["places"]], dtype=np.int64)
    kept = int(plan.elsewhere[at].sum())
    return Binding(len(at), kept, f"{kept:,} of {len(at):,} places would have another hub nearer")


def _lists(plan: _Plan, said: Mapping[str, Any], *, together: bool) -> Binding:
    """Lists whose places have different nearest hubs (together), or two of them the same (apart)."""
    near = [[plan.nearest[plan.instance.index[code]] for code in one] for one in said["groups"]]
    against = [len(set(one)) > 1 if together else len(set(one)) < len(one) for one in near]
    words = "have different hubs nearest" if together else "have two places with the same hub nearest"
    return Binding(len(near), sum(against), f"{sum(against):,} of {len(near):,} lists {words}")


def _contiguity(plan: _Plan, said: Mapping[str, Any]) -> Binding:
    links = np.array(plan.of.links or [], dtype=np.int64).reshape(-1, 2)
    inside = links[plan.hub[links[:, 0]] == plan.hub[links[:, 1]]]
    held = sum(_by_one_place(inside, np.flatnonzero(plan.which == k)) for k in range(len(plan.hubs)))
    words = f"{held:,} of {len(plan.hubs):,} consortia hang together by a single place"
    by = graph_words(said.get("graph"))
    return Binding(len(plan.hubs), held, f"{words}, neighbours{by}" if by else words)


def _by_one_place(links: Ints, members: Ints) -> bool:
    """Whether the members fall apart without one of them."""
    own = np.searchsorted(members, links[np.isin(links[:, 0], members)])
    n = len(members)
    for left_out in range(n) if n > 2 else ():
        kept = own[(own != left_out).all(axis=1)]
        graph = sp.coo_array((np.ones(len(kept)), (kept[:, 0], kept[:, 1])), shape=(n, n))
        if connected_components(graph, directed=False)[0] > 2:
            return True
    return False


_RULES: Mapping[str, Callable[[_Plan, Mapping[str, Any]], Binding]] = {
    "reach": _reach,
    "stay_in_area": _stay,
    "population_window": _window,
    "balance_band": _band,
    "number_of_consortia": _number,
    "contiguity": _contiguity,
    "deprivation_mix": _mix,
    "surplus_concentration": _concentration,
    "locked": _locked,
    "together": lambda plan, said: _lists(plan, said, together=True),
    "apart": lambda plan, said: _lists(plan, said, together=False),
    "containment": _containment,
    "moves": _moves,
}
