"""Arithmetic about the mix of a consortium: its balance, its deprivation, its share of the surpluses in reach.

Imports `field` and `units`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from allocopt.diagnose_grouping.field import Field, count
from allocopt.grouping.instance import Flags, Instance
from allocopt.units import say_money

Said = Mapping[str, Any]
Sentences = Iterator[tuple[str, bool]]


def balance_band(field: Field, said: Said) -> Sentences:
    """Where the places as a whole stand, what the band allows, and hubs that no member can bring into it."""
    most, common = float(said["max"]), _balance(field.instance, _yardstick(field.instance, int(field.places[0])))
    own = 1 - field.instance.spend[field.places] / field.instance.budget[field.places]
    allowed = f"each consortium must lie between {common - most:+.2%} and {common + most:+.2%}"
    single = f"; single places lie between {own.min():+.1%} and {own.max():+.1%}" if field.fixed else ""
    yield f"together the places balance at {common:+.2%} of their budgets, so {allowed}{single}", False
    if field.fixed and field.instance.declared:
        for h in field.hubs.tolist():
            yield from _out_of_band(field, h, most)


def _out_of_band(field: Field, h: int, most: float) -> Sentences:
    """A hub whose possible members all lie on one side of the band."""
    instance, members = field.instance, field.pairs.place[field.pairs.hub == h]
    if instance.excused("balance_band")[h] or not len(members):
        return
    balance, common = (
        1 - instance.spend[members] / instance.budget[members],
        _balance(instance, _yardstick(instance, h)),
    )
    own = 1 - float(instance.spend[members].sum() / instance.budget[members].sum())
    if field.forced[field.pairs.hub == h].all() and abs(own - common) > most:
        words = f"hub {field.said(h)}: no other hub is open to the {count(len(members), 'place')} that may join it"
        yield f"{words}, and together they balance at {own:+.2%}", True
    elif balance.min() > common + most or balance.max() < common - most:
        side, nearest = ("above", balance.min()) if balance.min() > common + most else ("below", balance.max())
        words = f"hub {field.said(h)}: each place that may join it ({len(members):,}) balances {side} the band"
        yield f"{words}, the nearest at {nearest:+.2%}", True


def _balance(instance: Instance, at: Flags) -> float:
    return 1 - float(instance.spend[at].sum() / instance.budget[at].sum())


def deprivation_mix(field: Field, said: Said) -> Sentences:
    """The mean score, what the rule allows, and hubs that no member can bring near it."""
    instance, most = field.instance, float(said["max"])
    if instance.imd is None:
        return
    common = _score(instance, _yardstick(instance, int(field.places[0])))
    low, high = common * (1 - most), common * (1 + most)
    yield (
        f"the mean deprivation score is {common:.1f}, so each consortium's must lie between {low:.1f} and {high:.1f}",
        False,
    )
    for h in field.hubs.tolist() if instance.declared else ():
        yield from _out_of_mix(field, h, most)


def _out_of_mix(field: Field, h: int, most: float) -> Sentences:
    """A hub whose possible members all have scores on one side."""
    instance = field.instance
    assert instance.imd is not None
    common, scores = _score(instance, _yardstick(instance, h)), instance.imd[field.pairs.place[field.pairs.hub == h]]
    known = scores[~np.isnan(scores)]
    low, high = common * (1 - most), common * (1 + most)
    if not np.isnan(instance.imd[h]) and len(known) and (known.min() > high or known.max() < low):
        side, nearest = ("above", known.min()) if known.min() > high else ("below", known.max())
        words = f"hub {field.said(h)}: every place that may join it has a score {side} what is allowed"
        yield f"{words}, the nearest {nearest:.1f}", True


def _score(instance: Instance, at: Flags) -> float:
    """The mean deprivation score of these places, weighted by people; places without a score do not count."""
    assert instance.imd is not None
    known = at & ~np.isnan(instance.imd)
    return float(instance.imd[known] @ instance.population[known] / instance.population[known].sum())


def surplus_concentration(field: Field, said: Said) -> Sentences:
    """The surpluses that all consortia may hold together against those there are."""
    instance, most = field.instance, float(said["max"])
    surplus = np.maximum(0.0, instance.budget - instance.spend)
    could, total = field.reached(surplus), float(surplus[field.places].sum())
    held = float(most * could[field.hubs].sum())
    words = f"{count(len(field.hubs), 'hub')} may hold at most {most:.0%} of the surpluses in their reach"
    end = "that fits" if held >= total else f"{say_money(total - held)} without a home"
    yield f"{words}, {say_money(held)} together; there are {say_money(total)}: {end}", held < total
    for h in field.hubs.tolist() if instance.declared else ():
        if surplus[h] > most * could[h]:
            words = f"the hub {field.said(h)} alone has {say_money(float(surplus[h]))} of surplus"
            yield f"{words}, {surplus[h] / could[h]:.0%} of the {say_money(float(could[h]))} in its reach", True


def _yardstick(instance: Instance, place: int) -> Flags:
    """(n,) the places that a consortium is compared with: its area, or all where areas may be crossed."""
    if not instance.on("stay_in_area"):
        return np.ones(len(instance), dtype=bool)
    return np.asarray(instance.area_codes == instance.area_codes[place])
