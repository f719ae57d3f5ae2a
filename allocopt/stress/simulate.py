"""Monte Carlo over every place in blocks of draws: nothing is kept but sums of each draw, so memory is constant.

A block is a pure function of the numbers of its draws, and blocks are put together in their order, so any number of
workers gives the same bytes. Each draw is made twice, with the areas' shocks and with a shock of each place's own.
Imports `bodies`, `kernels`, `risk` and `streams`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar

import numpy as np

from allocopt.problem import Array
from allocopt.risk import paired_draws
from allocopt.stress.bodies import Bodies, Level, Rows, Subject

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
    """(draws, bands, thresholds) share of the bodies of a size that overspend by more than a threshold"""


Outcome = Mapping[Case, Mapping[Level, Tally]]


@dataclass(frozen=True)
class Asked:
    """What is tallied beside deficits and surpluses: the share of the bodies of a size that overspend by so much."""

    bands: Mapping[Level, Rows]
    """(bodies,) by level: the row of each body's band, see `band_of`"""
    count: int = 0
    """How many bands there are"""
    thresholds: Sequence[float] = ()
    """Overspends as shares of allocation, 0 or more"""


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
        return _block(subject, shock, asked, start, min(BLOCK, first + draws - start))

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
        return np.zeros((len(over), 0, 0))
    from allocopt.stress.kernels import count_passed  # noqa: PLC0415 - numba is loaded only where it is used

    limits = np.multiply.outer(allocation, np.asarray(asked.thresholds, dtype=float))
    order = np.argsort(asked.thresholds, kind="stable")
    band = np.where(asked.bands[level] < 0, asked.count, asked.bands[level])
    passed = count_passed(np.ascontiguousarray(over), limits[:, order], band, asked.count + 1)[:, : asked.count]
    counted = np.empty((len(over), asked.count, len(order)))
    counted[:, :, order] = passed[:, :, :0:-1].cumsum(axis=2)[:, :, ::-1]
    held = np.bincount(band, minlength=asked.count + 1)[: asked.count]
    shares: Array = counted / np.maximum(held, 1)[None, :, None]
    return shares


def _joined(blocks: Sequence[Outcome]) -> Outcome:
    return {
        case: {level: _chained([block[case][level] for block in blocks]) for level in blocks[0][case]} for case in CASES
    }


def _chained(parts: Sequence[Tally]) -> Tally:
    """The parts in their order."""
    names = [one.name for one in fields(Tally)]
    joined: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Tally(**joined)


def band_of(found: Bodies, bands: Sequence[tuple[str, float, float]]) -> Rows:
    """(bodies,) the row of the band that each body's population lies in; -1 for none."""
    rows = np.full(len(found), -1, dtype=np.intp)
    for row, (_, low, high) in enumerate(bands):
        rows[(found.population >= low) & (found.population < high)] = row
    return rows
