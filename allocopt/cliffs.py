"""Cliff edges: where a hundredth of a point of distance from target changes the growth that a rule allows by a jump.

Every rule about places is asked for its limit at distances 0.01 points apart, all else equal: the rule's own function
decides (for all distances at once where it can), nothing is written again. Where two neighbours differ by more than
the slope around them, the interval is halved until what is left is the jump itself: a taper or any continuous schedule
leaves nothing. A slope as steep as a tenth of a point for a hundredth is a cliff in all but name (ten times what would
turn the order of two places round) and is told from its foot to its edge. Imports `plan`, `figures` and below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from allocopt.figures import Column
from allocopt.model import Rule, load_model
from allocopt.plan import Facts
from allocopt.problem import Array, for_year

STEP = 1e-4
"""A hundredth of a point of distance from target."""
JUMP = 1e-7
"""A jump in growth below a hundred-thousandth of a point is none."""
STEEP = 1e-3
"""A tenth of a point of growth: what a hundredth of a point of distance may change without being a cliff."""
_HALVINGS = 40
Limit = float | Column
Ask = Callable[[Limit], tuple[str, Any] | None]
_SIDES = {"least": "lowest", "most": "highest", "exact": "only"}


@dataclass(frozen=True)
class Cliff:
    """A jump in the growth that a rule allows, in per cent and points."""

    rule: str
    year: str
    side: str
    """`lowest`, `highest` or `only` growth"""
    at_dft_pct: float
    before_pct: float
    after_pct: float
    jump_pct: float
    over_points: float = 0.0
    """Points of distance over which it happens; 0 for a jump."""

    @property
    def words(self) -> str:
        """One sentence for notes."""
        if self.over_points:
            end = self.at_dft_pct + self.over_points
            return (
                f"cliff edge: the {self.side} growth under {self.rule} goes from {self.before_pct:.4g}% to "
                f"{self.after_pct:.4g}% between {self.at_dft_pct:+.2f}% and {end:+.2f}% from "
                f"target ({self.year}): two places a hundredth of a point apart may differ by over a tenth of a point"
            )
        return (
            f"cliff edge: the {self.side} growth under {self.rule} jumps from {self.before_pct:.4g}% to "
            f"{self.after_pct:.4g}% at {self.at_dft_pct:+.2f}% from target ({self.year}): two places a hundredth of a "
            f"point apart differ by {abs(self.jump_pct):.4g} points"
        )

    def as_dict(self) -> dict[str, Any]:
        """As run.json has it."""
        return asdict(self) | {"words": self.words}


class _Asked:
    """Stands for an allocation: remembers what a rule compares it with."""

    def __ge__(self, limit: Limit) -> tuple[str, Limit]:
        return "least", limit

    def __le__(self, limit: Limit) -> tuple[str, Limit]:
        return "most", limit

    def __eq__(self, limit: object) -> Any:
        return "exact", limit

    __hash__ = None  # type: ignore[assignment]


class _Probe:
    """One place with a baseline of 1 at a distance from target, as a rule sees a year; its people grow fast.

    With a column of distances, as many such places at once. `classes` is the place's class, column by column.
    """

    def __init__(self, distance: Limit, growth: float, step: int, classes: Mapping[str, str]) -> None:
        self.places, self.step, self.pot, self.total_baseline, self.reserve = ("p",), step, 1.0 + growth, 1.0, 0.0
        self.allocation, self.baseline, self.known_baseline = {"p": _Asked()}, {"p": 1.0}, {"p": 1.0}
        self.opening_dft, self.uniform = {"p": distance}, {"p": 1.0 + growth}
        self.target = {"p": (1.0 + growth) / (1.0 + distance)}
        self.population_growth, self.mean_population_growth = {"p": 0.02}, 0.01
        self.groups = {column: {"p": one} for column, one in classes.items()}

    def amounts(self, _name: str, most: Mapping[str, float]) -> dict[str, float]:
        """A share that the pot determines: any value shows a jump."""
        return {key: 0.5 * value for key, value in most.items()}


def cliffs(facts: Facts) -> tuple[Cliff, ...]:
    """Every jump of the rules that are on, over the opening distances of the run, by rule, year and distance."""
    return tuple(_found(facts))


def _found(facts: Facts) -> Iterator[Cliff]:
    scenario, situation = facts.loaded.scenario, facts.situation
    rules = {rule.name: rule for name in scenario.model for rule in load_model(name).rules}
    earlier = np.append(situation.baseline.sum(), situation.pot[:-1])
    for name, setting in scenario.rules.items():
        if not _about_places(rules.get(name)):
            continue
        seen: list[Mapping[str, Any]] = []
        for number, year in enumerate(situation.years):
            said = for_year(setting.parameters, year)
            if said in seen and name != "equal_steps":
                continue
            seen.append(said)
            growth = float(situation.pot[number] / earlier[number] - 1.0)
            grid = _grid(situation.opening_dft[:, number])
            for classes in _classes(rules[name], said, situation.groups):
                ask = _question(rules[name], said, growth, number + 1, classes)
                yield from _jumps(name, year, ask, grid, _limits(ask, grid))


def _about_places(rule: Rule | None) -> bool:
    return rule is not None and (rule.index == "places" or bool(rule.finds))


def _grid(distance: Array) -> Array:
    """Distances a hundredth of a point apart that cover those of the run, a point beyond on each side."""
    low, high = np.floor(distance.min() / STEP) - 100, np.ceil(distance.max() / STEP) + 100
    return np.arange(max(low, -0.99 / STEP), high + 1) * STEP


def _classes(rule: Rule, parameters: Mapping[str, Any], groups: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """The classes of place that a rule tells apart, each asked by itself; one without a class where it tells none."""
    columns = [parameters.get(name) for name, one in rule.parameters.items() if one.names_groups]
    named = [column for column in columns if column is not None]
    return [{column: one} for column in named for one in sorted(set(groups[column]))] or [{}]


def _question(rule: Rule, parameters: Mapping[str, Any], growth: float, step: int, classes: Mapping[str, str]) -> Ask:
    """distance -> (side, growth), or None where the rule asks nothing."""

    def ask(distance: Limit) -> tuple[str, Any] | None:
        probe = _Probe(distance, growth, step, classes)
        said = rule.write(probe, "p", **parameters) if rule.index == "places" else rule.write(probe, **parameters)["p"]
        return None if said is None else (said[0], said[1] - 1.0)

    return ask


def _limits(ask: Ask, grid: Array) -> Array | None:
    """The growth that a rule allows at every distance; None where it asks nothing of one of them."""
    with suppress(TypeError, ValueError, AttributeError, KeyError, ZeroDivisionError):
        answer = ask(Column(grid))
        if answer is not None:
            limit = answer[1]
            return limit.values if isinstance(limit, Column) else np.full(len(grid), float(limit))
    answers = [ask(float(distance)) for distance in grid]
    said = [float(one[1]) for one in answers if one is not None]
    return np.array(said) if answers and len(said) == len(answers) else None


def _jumps(name: str, year: str, ask: Ask, grid: Array, value: Array | None) -> Iterator[Cliff]:
    if value is None:
        return
    change = np.abs(np.diff(value))
    around = np.minimum(np.append(change[1:], 0.0), np.append(0.0, change[:-1]))
    for spot in np.flatnonzero((change > JUMP) & (change > 1.5 * around)):
        low, high = _narrowed(ask, float(grid[spot]), float(grid[spot + 1]))
        before, after = (ask(one) for one in (low, high))
        if before is None or after is None or abs(after[1] - before[1]) <= JUMP:
            continue
        points = [round(100 * one, 6) + 0.0 for one in (high, before[1], after[1], after[1] - before[1])]
        yield Cliff(name, year, _SIDES[before[0]], *points)
        value = np.append(value[: spot + 1], value[spot + 1 :] - (after[1] - before[1]))
    yield from _steep(name, year, ask, grid, value)


def _steep(name: str, year: str, ask: Ask, grid: Array, value: Array) -> Iterator[Cliff]:
    """Stretches, jumps apart, on which growth changes by more than STEEP from each distance to the next."""
    change = np.diff(value)
    way = np.where(np.abs(change) > STEEP, np.sign(change), 0.0)
    edges = np.flatnonzero(np.diff(np.concatenate([[0.0], way, [0.0]])))
    for start, end in pairwise(edges.tolist()):
        if way[start] == 0:
            continue
        found = ask(float(grid[start]))
        assert found is not None
        low = found[1]
        high = low + float(value[end] - value[start])
        points = [round(100 * one, 6) + 0.0 for one in (grid[start], low, high, high - low, grid[end] - grid[start])]
        yield Cliff(name, year, _SIDES[found[0]], *points)


def _narrowed(ask: Ask, low: float, high: float) -> tuple[float, float]:
    """The half with the larger change, again and again."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        values = [found[1] for one in (low, middle, high) if (found := ask(one)) is not None]
        low, high = (low, middle) if abs(values[1] - values[0]) >= abs(values[2] - values[1]) else (middle, high)
    return low, high


def neighbours(facts: Facts, allocation: Array) -> list[dict[str, Any]]:
    """The two places of each year within a hundredth of a point whose growth in the plan differs most.

    Such a difference is no cliff of a rule: it is what the objectives choose among places that the rules leave free.
    """
    situation, found = facts.situation, []
    before = np.column_stack([situation.baseline, allocation[:, :-1]])
    for number, year in enumerate(situation.years):
        growth, distance = allocation[:, number] / before[:, number] - 1.0, situation.opening_dft[:, number]
        order = np.argsort(distance, kind="stable")
        pair = _widest(growth[order], distance[order])
        places = [situation.places[order[one]] for one in pair]
        apart = abs(float(growth[order[pair[0]]] - growth[order[pair[1]]]))
        found.append({"year": year, "places": places, "growth_apart_pct": round(100 * apart, 6)})
    return found


def _widest(growth: Array, distance: Array) -> tuple[int, int]:
    """Positions of the widest growth gap among places at most STEP apart; `distance` ascends."""
    end = np.searchsorted(distance, distance + STEP, side="right")
    apart = _largest(growth, end) + _largest(-growth, end)
    start = int(np.argmax(apart))
    window = growth[start : end[start]][::-1]
    last = int(end[start]) - 1
    return last - int(np.argmax(window)), last - int(np.argmin(window))


def _largest(values: Array, end: npt.NDArray[np.intp]) -> Array:
    """The largest of values[i : end[i]] for every i: of two stretches, each a power of two long, that cover it."""
    start = np.arange(len(values))
    length = end - start
    found, stretch, size = values.copy(), values, 1
    while size <= length.max():
        fits = length >= size
        found[fits] = np.maximum(stretch[start[fits]], stretch[end[fits] - size])
        stretch = np.maximum(stretch[:-size], stretch[size:]) if len(stretch) > size else stretch
        size *= 2
    return found
