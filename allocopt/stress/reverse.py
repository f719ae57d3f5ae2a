"""Reverse stress: the smallest shock of a stated kind that breaches the limit, and the proof that it is the smallest.

At the plan's expected spend the exposure of a shock of size s is

    E(s) = sum_b g_b(s) + drawdown,   g_b(s) = max(0, v_b + s w_b) - a max(0, -(v_b + s w_b))

with v_b the body's spend less allocation, w_b the spend that the shock touches and a the share of surpluses that is
available. Every g_b rises with s and is straight between the points where a body crosses its budget, so the smallest s
with E(s) = limit is found exactly on the sorted crossings. A set of at most m places is chosen exactly by a dynamic
programme over bodies, because within a body the worst j places are those with the largest spend.
Imports `bodies`, `simulate`, `treasury`, `estimates`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from allocopt.problem import Array
from allocopt.settings.stress import Reverse, Stress
from allocopt.stress.bodies import Bodies, Rows, Subject
from allocopt.stress.estimates import COUNT, GBP, PROBABILITY, SHARE, Row, wilson
from allocopt.stress.simulate import CASES, Case, Shock, simulate
from allocopt.stress.treasury import Retention, case_name, drawdowns, view

LARGEST = 10.0
"""A shock of 1000% is the largest looked for."""
NEARLY = 0.99
"""The shock that must not breach: 1% smaller."""


@dataclass(frozen=True)
class Limit:
    """What counts as a breach: exposure above `money`, where `available` of each surplus offsets; GBP million."""

    money: float
    available: float
    drawdown: float = 0.0

    def exposure(self, over: Array) -> Array:
        """Of bodies' spend less allocation; the last axis is bodies."""
        positive = np.maximum(over, 0.0)
        offset = self.available * (positive - over)
        total: Array = (positive - offset).sum(axis=-1) + self.drawdown
        return total

    def breached(self, over: Array) -> bool:
        return bool(self.exposure(over) > self.money)


@dataclass(frozen=True)
class Found:
    """The smallest shock: its size (NaN when no shock up to 1000% breaches), what it hits, and exposures around it."""

    size: float
    target: str
    at: float
    """Exposure at the shock, GBP million: the limit itself, or above it where the plan breaches unshocked."""
    below: float
    """Exposure at a shock 1% smaller."""

    def proven(self, limit: Limit) -> bool:
        """A shock 1% smaller does not breach; a shock of nothing is the smallest there is."""
        return self.size == 0 or self.below <= limit.money


def smallest(over: Array, weight: Array, limit: Limit, *, target: str) -> Found:
    """The smallest s >= 0 from which on E(s) breaches, for bodies with `over` (B,) and touched spend `weight` (B,)."""

    def exposure(size: float) -> float:
        return float(limit.exposure(over + size * weight))

    if exposure(0.0) > limit.money:
        return Found(0.0, target, exposure(0.0), exposure(0.0))
    crossings = np.unique(-over[weight > 0] / weight[weight > 0])
    points = np.concatenate([[0.0], crossings[(crossings > 0) & (crossings < LARGEST)], [LARGEST]])
    if exposure(LARGEST) <= limit.money:
        return Found(np.nan, target, exposure(LARGEST), exposure(LARGEST))
    size = _between(points, exposure, limit.money)
    return Found(size, target, exposure(size), exposure(NEARLY * size))


def _between(points: Array, exposure: Callable[[float], float], money: float) -> float:
    """The last s with E(s) <= money, on a rising function that is straight between `points`."""
    low, high = 0, len(points) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if exposure(points[middle]) <= money else (low, middle)
    left, right = exposure(points[low]), exposure(points[high])
    return float(points[low] + (money - left) / (right - left) * (points[high] - points[low]))


def bodies_in_deficit(over: Array, weight: Array, number: int) -> Found:
    """The smallest uniform shock from which on `number` bodies are in deficit; NaN when there are fewer bodies."""
    if number > len(over):
        return Found(np.nan, f"{number} bodies", np.nan, np.nan)
    size = max(0.0, float(np.sort(-over / weight)[number - 1]))
    return Found(
        size, f"{number} bodies", *(float((over + share * size * weight > 0).sum()) for share in (1.0 + 1e-9, NEARLY))
    )


def worst_places(over: Array, spend: Array, holders: Bodies, limit: Limit, *, shock: float, most: int) -> Array:
    """The largest exposure that a shock of `shock` on exactly m places can make, for m = 0 to `most`; (most + 1,).

    Exact: best[m] = max over j of best[m - j] + gain_b(j), body by body.
    """
    best = np.full(most + 1, -np.inf)
    best[0] = limit.drawdown
    for body, places in enumerate(_places_of(holders)):
        touched = np.sort(spend[places])[::-1][:most]
        totals = np.concatenate([[0.0], np.cumsum(touched)])
        gains = limit.exposure((over[body] + shock * totals)[:, None]) - limit.drawdown
        best = _max_plus(best, gains)
    return np.asarray(np.maximum.accumulate(best))


def _places_of(holders: Bodies) -> list[Rows]:
    order = np.argsort(holders.member, kind="stable")
    return np.split(order, np.cumsum(np.bincount(holders.member, minlength=len(holders)))[:-1])


def _max_plus(best: Array, gains: Array) -> Array:
    """max over j of best[m - j] + gains[j], for every m."""
    found: Array = best + gains[0]
    for taken in range(1, min(len(gains), len(best))):
        found[taken:] = np.maximum(found[taken:], best[:-taken] + gains[taken])
    return found


def smallest_for_places(over: Array, spend: Array, holders: Bodies, limit: Limit, *, most: int) -> Found:
    """The smallest shock with which some set of at most `most` places breaches, by bisection of the exact programme."""
    target = f"the worst {most} places"

    def exposure(size: float) -> float:
        return float(worst_places(over, spend, holders, limit, shock=size, most=most)[-1])

    if exposure(0.0) > limit.money:
        return Found(0.0, target, exposure(0.0), exposure(0.0))
    if exposure(LARGEST) <= limit.money:
        return Found(np.nan, target, exposure(LARGEST), exposure(LARGEST))
    low, high = 0.0, LARGEST
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if exposure(middle) <= limit.money else (low, middle)
    return Found(high, target, exposure(high), exposure(NEARLY * high))


def rows_of(subject: Subject, *, rule: Retention, stress: Stress, workers: int | None = None) -> Iterator[Row]:
    """Every shock that the scenario asks for, at the plan's expected spend; then by simulation where it asks so."""
    asked, holders = stress.reverse, subject.holders
    assert asked is not None
    over = holders.sums((subject.expected - subject.allocation)[None])[0]
    touched = holders.sums(subject.expected[None])[0]
    limit = Limit(stress.limit, rule.available, _mean_drawdown(stress, subject.risk.seed))
    for kind in dict.fromkeys(asked.shocks):
        for name, found in _kinds(subject, over, touched, limit, asked)[kind]():
            yield from _found_rows(f"reverse_{name}", subject, found, limit)
    if asked.bodies is not None:
        yield from _number_rows(subject, bodies_in_deficit(over, touched, asked.bodies))
    if asked.probability is not None:
        yield from _simulated(subject, asked.probability, rule, stress, workers)


def _mean_drawdown(stress: Stress, seed: int) -> float:
    """What is drawn in an ordinary year, GBP million."""
    said = stress.drawdown
    plain = said.model_copy(update={"surge": None}) if said else None
    return float(drawdowns(plain, seed=seed, first=0, count=1)[0])


Kind = Callable[[], list[tuple[str, Found]]]


def _kinds(subject: Subject, over: Array, touched: Array, limit: Limit, asked: Reverse) -> dict[str, Kind]:
    return {
        "uniform": lambda: [("uniform", smallest(over, touched, limit, target="every place"))],
        "area": lambda: [("area", _one_area(subject, over, limit))],
        "component": lambda: _one_component(subject, over, limit),
        "places": lambda: _places(subject, over, limit, asked),
    }


def _one_area(subject: Subject, over: Array, limit: Limit) -> Found:
    """The area in which the smallest shock breaches; the first by name among equals."""
    areas, holders = subject.levels.get("area", subject.levels["place"]), subject.holders
    found = []
    for row, name in enumerate(areas.names):
        weight = holders.sums(np.where(areas.member == row, subject.expected, 0.0)[None])[0]
        found.append(smallest(over, weight, limit, target=str(name)))
    return min(found, key=lambda one: np.inf if np.isnan(one.size) else one.size)


def _one_component(subject: Subject, over: Array, limit: Limit) -> list[tuple[str, Found]]:
    made = []
    for name, share in subject.components.items():
        weight = subject.holders.sums((share * subject.expected)[None])[0]
        made.append((f"component_{name}", smallest(over, weight, limit, target=name)))
    return made


def _places(subject: Subject, over: Array, limit: Limit, asked: Reverse) -> list[tuple[str, Found]]:
    most = min(asked.places, len(subject.expected))
    size = smallest_for_places(over, subject.expected, subject.holders, limit, most=most)
    number = _fewest(subject, over, limit, asked.places_shock)
    return [("places", size), ("number_of_places", number)]


def _fewest(subject: Subject, over: Array, limit: Limit, shock: float) -> Found:
    """The fewest places that breach when each spends `shock` more; `size` is their number."""
    most, places = 64, len(subject.expected)
    while True:
        most = min(most, places)
        worst = worst_places(over, subject.expected, subject.holders, limit, shock=shock, most=most)
        enough = np.flatnonzero(worst > limit.money)
        if enough.size:
            number = int(enough[0])
            return Found(float(number), "places", float(worst[number]), float(worst[max(number - 1, 0)]))
        if most == places:
            return Found(np.nan, "places", float(worst[-1]), float(worst[-1]))
        most *= 4


def _found_rows(test: str, subject: Subject, found: Found, limit: Limit) -> Iterator[Row]:
    unit = COUNT if test == "reverse_number_of_places" else SHARE
    level, measure = subject.holder, "smallest_shock"
    yield Row(test, level, measure, "value", unit, found.size)
    yield Row(test, level, measure, f"target: {found.target}", unit, found.size)
    yield Row(test, level, "exposure", "at_the_shock", GBP, found.at)
    yield Row(test, level, "exposure", "just_below", GBP, found.below)
    yield Row(test, level, measure, "proven", COUNT, float(found.proven(limit) and not np.isnan(found.size)))


def _number_rows(subject: Subject, found: Found) -> Iterator[Row]:
    test, level = "reverse_bodies_in_deficit", subject.holder
    yield Row(test, level, "smallest_shock", "value", SHARE, found.size)
    yield Row(test, level, "bodies_in_deficit", "at_the_shock", COUNT, found.at)
    yield Row(test, level, "bodies_in_deficit", "just_below", COUNT, found.below)


def _simulated(subject: Subject, wanted: float, rule: Retention, stress: Stress, workers: int | None) -> Iterator[Row]:
    """Bisection by simulation: the smallest uniform shock whose probability of a breach is at least `wanted`."""
    for case in CASES:
        test = case_name("reverse_uniform_simulated", case)
        size, share = simulated(subject, wanted, rule, stress, case, workers=workers)
        yield Row(test, subject.holder, "smallest_shock", "value", SHARE, size)
        for statistic, value in zip(("probability", "ci_low", "ci_high"), share, strict=True):
            yield Row(test, subject.holder, "breach", statistic, PROBABILITY, value)


def simulated(
    subject: Subject, wanted: float, rule: Retention, stress: Stress, case: Case, *, workers: int | None = None
) -> tuple[float, tuple[float, float, float]]:
    """The shock to 0.01 points of spend, the probability of a breach there and its interval; the same draws."""
    only = subject.at_holder()

    def hits(size: float) -> int:
        made = simulate(only, draws=stress.test_draws, shock=Shock(1.0 + size), workers=workers)[case][subject.holder]
        drawn = drawdowns(stress.drawdown, seed=subject.risk.seed, first=1, count=stress.test_draws)
        return int((view(made, rule, drawn).exposure > stress.limit).sum())

    low, high = 0.0, 1.0
    if hits(0.0) >= wanted * stress.test_draws:
        return 0.0, wilson(hits(0.0), stress.test_draws)
    if hits(high) < wanted * stress.test_draws:
        return float("nan"), wilson(hits(high), stress.test_draws)
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (middle, high) if hits(middle) < wanted * stress.test_draws else (low, middle)
    return high, wilson(hits(high), stress.test_draws)
