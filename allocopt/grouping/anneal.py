"""Simulated annealing on shifts, swaps and hub changes between neighbouring consortia: a compiled search that proposes.

It holds a fast copy of the common limits (possible pairs, population window, balance band, contiguity); whatever it
returns is measured by the programme's own rules and refused by the checker when it breaks one. Imports `moves` and
`instance`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from allocopt.grouping.instance import Array, Flags, Instance, Ints
from allocopt.grouping.moves import loop

Bits = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Land:
    """What does not change during a search, as arrays the compiled loop reads; n places."""

    land: Array
    """(n, 11) position on the unit sphere, overspend, budget, thousand people, balance the band is measured from,
    whether a consortium of this hub is excused from the least people, and from the band; area, what a crossing costs"""
    law: Ints
    """(n, 2) whether the place never moves, whether it may be a hub"""
    allowed: Bits
    """(n, words) bit h of row p: whether place p may join hub h"""
    near: Ints
    """(n, k) places that a proposal looks at"""
    graph: Ints
    """(n + 1 + links,) where each place's neighbours start and end in this same array; zeros without contiguity"""
    limits: Array
    """least and most people, band, contiguity, whether hubs may change, whether crossings cost something"""


@dataclass(frozen=True)
class Aim:
    """What one run of the search makes small, and how it cools."""

    steps: int
    hot: float
    cold: float
    deficit: float = 1.0
    """weight of gross deficit, GBP m, and of what crossings cost"""
    travel: float = 0.0
    """weight of mean travel, km"""
    cap: float = 1e30
    """gross deficit, with what crossings cost, that may not be passed, GBP m"""
    over_cap: float = 0.0
    """weight of gross deficit beyond the cap"""
    people: float = 1.0
    """weight of each thousand people outside the window, at the end"""
    people_first: float | None = None
    """the same at the start, rising evenly by ratio: while it is small, consortia dissolve; without it, `people`"""
    band: float = 10.0
    """weight of each GBP m outside the balance band"""
    seed: int = 1
    focus: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """places that may move; all where empty"""


def bits_of(n: int, place: Ints, hub: Ints) -> Bits:
    """Pairs as bits, (n, words): bit h of row p."""
    bits = np.zeros((n, (n + 63) // 64), dtype=np.uint64)
    np.bitwise_or.at(bits, (place, hub >> 6), np.uint64(1) << (hub & 63).astype(np.uint64))
    return bits


def land_of(instance: Instance, *, allowed: Bits, near: Ints, start: Ints, next_to: Ints, fixed: Flags) -> Land:
    """The arrays of a search. Distances need coordinates."""
    assert instance.position is not None
    window = instance.settings.get("population_window", {})
    by_area, areas = instance.on("stay_in_area"), len(instance.areas)
    limits = [(window.get("min") or 0.0) / 1e3, (window.get("max") or 1e15) / 1e3]
    limits += [instance.said("balance_band", "max", -1.0), float(instance.on("contiguity"))]
    limits += [float(not instance.declared), float((instance.toll > 0).any())]
    sums = [np.bincount(instance.area_codes, weights=one, minlength=areas) for one in (instance.spend, instance.budget)]
    spend, budget = sums if by_area else (np.full(areas, one.sum()) for one in sums)
    common = (1 - spend / budget)[instance.area_codes]
    people = instance.population / 1e3
    excused = [instance.excused(rule).astype(np.float64) for rule in ("population_window", "balance_band")]
    crossing = instance.area_codes.astype(np.float64), instance.toll
    return Land(
        land=np.column_stack([instance.position, instance.over, instance.budget, people, common, *excused, *crossing]),
        law=np.column_stack([fixed, instance.may_hub]).astype(np.int64),
        allowed=allowed,
        near=near,
        graph=np.concatenate([start + len(start), next_to]).astype(np.int64),
        limits=np.array(limits),
    )


def anneal(land: Land, hub: Ints, aim: Aim) -> Ints:
    """An assignment found from `hub` (n,): the hub of each place."""
    n = len(hub)
    first = aim.people if aim.people_first is None else aim.people_first
    weights = [aim.deficit, aim.travel, aim.cap, aim.over_cap, first, aim.band, *land.limits.tolist()]
    movable = aim.focus if len(aim.focus) else np.arange(n)
    links = np.full((n, 8), -1, dtype=np.int64)
    links[:, 0], links[:, 1], links[:, 7] = hub, 0, np.arange(n)
    random = np.array([(aim.seed * 0x9E3779B97F4A7C15 + 0x1234567) % 2**64 | 1], dtype=np.uint64)
    schedule = np.array([float(aim.steps), aim.hot, aim.cold, aim.people / first if first > 0 else 1.0])
    state = np.zeros((n, 3)), links, np.zeros(3), np.array(weights), random
    arrays = land.land, land.law, land.allowed, land.near, land.graph
    loop(*arrays, *state, movable.astype(np.int64), schedule)
    return np.asarray(links[links[:, 0], 7])
