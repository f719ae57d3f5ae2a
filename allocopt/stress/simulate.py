"""Monte Carlo over every place in blocks of draws: nothing is kept but sums of each draw, so memory is constant.

A block is a pure function of the numbers of its draws, and blocks are put together in their order, so any number of
workers gives the same bytes. Each draw is made twice, with the areas' shocks and with a shock of each place's own.
Imports `bodies`, `risk` and `streams`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypeVar

import numpy as np

from allocopt.problem import Array
from allocopt.risk import paired_draws
from allocopt.stress.bodies import Bodies, Level, Subject

Made = TypeVar("Made")

BLOCK = 64
"""Draws made at once."""
FIRST = 1
"""Draw 0 is the plan's own expected spend: a plan made for it is not tried on it."""

Case = Literal["correlated", "independent"]
CASES: tuple[Case, ...] = ("correlated", "independent")
Drawn = Callable[[Case, int, int], Array]
"""Case, first draw, count -> a change of each place's spend, draw x place: fractions of base."""


@dataclass(frozen=True)
class Shock:
    """What a test does to spend: spend_p = base_p x (factor_p x (1 + d_p) + drawn_p)."""

    factor: Array | float = 1.0
    drawn: Drawn | None = None
    largest_lost: float = 0.0
    """Share of the bodies whose surpluses, the largest, are lost to everyone else."""


@dataclass(frozen=True)
class Tally:
    """One level's result, a number for each draw; GBP million."""

    deficit: Array
    """Sum of the deficits of its bodies."""
    surplus: Array
    """Sum of their surpluses."""
    lost: Array
    """The part of the surpluses that the test takes away."""
    beyond: Array
    """(first draws, bands, thresholds) share of the bodies of a size that overspend by more than a threshold"""


Outcome = Mapping[Case, Mapping[Level, Tally]]


@dataclass(frozen=True)
class Asked:
    """What is tallied beside deficits and surpluses: (bands, bodies) weights by level, and overspend thresholds."""

    bands: Mapping[Level, Array]
    thresholds: Sequence[float] = ()
    draws: int = 0
    """Only the blocks of the first so many draws are looked at by size: it costs more than all the rest."""


NOTHING_MORE = Asked({})


def simulate(
    subject: Subject,
    *,
    draws: int,
    shock: Shock = Shock(),
    asked: Asked = NOTHING_MORE,
    first: int = FIRST,
    workers: int | None = None,
) -> Outcome:
    """Deficits and surpluses of every level in draws `first` to `first + draws - 1`, correlated and independent."""

    def block(start: int) -> Outcome:
        sizes = asked if start < first + asked.draws else replace(asked, thresholds=())
        return _block(subject, shock, sizes, start, min(BLOCK, first + draws - start))

    return _joined(in_blocks(block, first=first, draws=draws, workers=workers))


def in_blocks(work: Callable[[int], Made], *, first: int, draws: int, workers: int | None) -> list[Made]:
    """`work(start)` for the first draw of every block, in order, by threads (numpy lets go of the interpreter)."""
    with ThreadPoolExecutor(workers or min(4, os.cpu_count() or 1)) as pool:
        return list(pool.map(work, range(first, first + draws, BLOCK)))


def balances(subject: Subject, *, shock: Shock, first: int, count: int) -> dict[Case, Array]:
    """Spend less allocation of each place, draw x place, GBP million; positive = overspent."""
    made = paired_draws(subject.risk.model, subject.risk.exposure, seed=subject.risk.seed, first=first, count=count)
    found: dict[Case, Array] = {}
    for case, distance in zip(CASES, made, strict=True):
        spend = (1.0 + distance) * shock.factor
        if shock.drawn is not None:
            spend += shock.drawn(case, first, count)
        spend *= subject.base
        spend -= subject.allocation
        found[case] = spend
    return found


def _block(subject: Subject, shock: Shock, asked: Asked, first: int, count: int) -> Outcome:
    over = balances(subject, shock=shock, first=first, count=count)
    return {
        case: {level: _tally(found, found.sums(over[case]), shock, asked) for level, found in subject.levels.items()}
        for case in CASES
    }


def _tally(found: Bodies, over: Array, shock: Shock, asked: Asked) -> Tally:
    positive = np.maximum(over, 0.0)
    deficit = positive.sum(axis=1)
    surplus = deficit - over.sum(axis=1)
    return Tally(
        deficit=deficit,
        surplus=np.maximum(surplus, 0.0),
        lost=_largest(over, shock.largest_lost),
        beyond=_beyond(over, found.allocation, asked, found.level),
    )


def _largest(over: Array, share: float) -> Array:
    """The sum of the largest surpluses of each draw, those of `share` of the bodies (at least one)."""
    if not share:
        return np.zeros(len(over))
    number = max(1, round(share * over.shape[1]))
    lowest = np.partition(over, number - 1, axis=1)[:, :number]
    lost: Array = np.maximum(-lowest, 0.0).sum(axis=1)
    return lost


def _beyond(over: Array, allocation: Array, asked: Asked, level: Level) -> Array:
    if level not in asked.bands or not asked.thresholds:
        return np.zeros((0, len(asked.bands.get(level, ())), len(asked.thresholds)))
    weights = asked.bands[level].T.astype(np.float32)
    shares = [(over > limit * allocation).astype(np.float32) @ weights for limit in asked.thresholds]
    return np.stack(shares, axis=2).astype(np.float64)


def _joined(blocks: Sequence[Outcome]) -> Outcome:
    return {
        case: {level: _chained([block[case][level] for block in blocks]) for level in blocks[0][case]} for case in CASES
    }


def _chained(parts: Sequence[Tally]) -> Tally:
    """The parts in their order; blocks that were not looked at by size have nothing to add to `beyond`."""
    seen = [part.beyond for part in parts if len(part.beyond)] or [parts[0].beyond]
    numbers = [one.name for one in fields(Tally) if one.name != "beyond"]
    joined: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in numbers}
    return Tally(**joined, beyond=np.concatenate(seen))


def band_weights(found: Bodies, bands: Sequence[tuple[str, float, float]]) -> Array:
    """(bands, bodies): 1 over the number of bodies of the band for its bodies, else 0."""
    inside = np.array([(found.population >= low) & (found.population < high) for _, low, high in bands], dtype=float)
    return np.asarray(inside / np.maximum(inside.sum(axis=1, keepdims=True), 1.0))
