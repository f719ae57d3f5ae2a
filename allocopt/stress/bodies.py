"""Who shares a budget: places, groups, areas and the nation, and the sums over their places.

Imports `stress_inputs`, `problem` and `errors` alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from allocopt.errors import Problem, ScenarioFault
from allocopt.problem import Array
from allocopt.stress_inputs import Labels, Risk, StressInputs

Level = Literal["place", "group", "area", "nation"]
LEVELS: tuple[Level, ...] = ("place", "group", "area", "nation")
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Bodies:
    """The B budget holders of one level; `member[p]` is the row of place p's body."""

    level: Level
    member: Rows
    names: Labels
    allocation: Array
    """(B,) GBP million"""
    population: Array
    """(B,) people"""
    matrix: sp.csr_array = field(repr=False)
    """(B, n) of ones"""

    def __len__(self) -> int:
        return len(self.names)

    def sums(self, amounts: Array) -> Array:
        """Amounts of places, draw x place, added up by body: draw x body."""
        if self.level == "place":
            return amounts
        if self.level == "nation":
            return np.asarray(amounts.sum(axis=1, keepdims=True))
        summed: Array = (self.matrix @ amounts.T).T
        return summed


@dataclass(frozen=True)
class Subject:
    """What is stressed: one year's plan, its risk and its bodies at every level. Money is GBP million."""

    risk: Risk
    base: Array
    """(n,) spend where every distance is 0"""
    expected: Array
    """(n,) the plan's own expected spend"""
    components: Mapping[str, Array]
    """Component of the formula -> its part of each place's need, (n,) fractions that add up to 1"""
    levels: Mapping[Level, Bodies]
    holder: Level
    """Whose deficits count where one level is meant."""

    @property
    def allocation(self) -> Array:
        """(n,)"""
        return self.levels["place"].allocation

    @property
    def holders(self) -> Bodies:
        return self.levels[self.holder]

    def at_holder(self) -> Subject:
        """The same subject with no level but the places and the budget holders, for quicker simulation."""
        return replace(self, levels={"place": self.levels["place"], self.holder: self.holders})


def bodies(level: Level, labels: Labels, allocation: Array, population: Array) -> Bodies:
    """The bodies that `labels` (n,) name; bodies are in the order of their names."""
    names, member = np.unique(labels, return_inverse=True)
    ones, places = np.ones(len(member)), np.arange(len(member))
    matrix = sp.csr_array((ones, (member, places)), shape=(len(names), len(member)))
    return Bodies(
        level,
        member,
        names.astype(np.str_),
        np.asarray(matrix @ allocation),
        np.asarray(matrix @ np.nan_to_num(population)),
        matrix,
    )


def levels_of(
    places: Sequence[str], labels: Mapping[str, Labels], allocation: Array, population: Array
) -> dict[Level, Bodies]:
    """The levels that can be formed, smallest first; places are sorted by code, so a place is its own body in order."""
    named: dict[Level, Labels] = {"place": np.array(places)}
    for level in LEVELS[1:3]:
        if level in labels:
            named[level] = labels[level]
    named["nation"] = np.full(len(places), "nation")
    return {level: bodies(level, found, allocation, population) for level, found in named.items()}


def holder(inputs: StressInputs, found: Mapping[Level, Bodies]) -> Level:
    """Whose deficits count: as the scenario says, else the group where there is one, else the place."""
    said = inputs.settings.budget_holder
    if said and said not in found:
        cure = f"name a column at stress.{said}, or one of {', '.join(found)}"
        problem = Problem(f"there is no level '{said}' here", cure, "stress.budget_holder")
        raise ScenarioFault("nobody holds the budgets that are to be stressed", (problem,))
    return said or ("group" if "group" in found else "place")


def size_bands(limits: Sequence[int]) -> list[tuple[str, float, float]]:
    """Bands of population: name, from (included), to (left out)."""
    edges = sorted(set(limits))
    lows, highs = [0, *edges], [*edges, np.inf]
    names = [f"under_{edges[0]}", *(f"{low}_to_{high}" for low, high in pairwise(edges))]
    return list(zip([*names, f"{edges[-1]}_and_over"], lows, highs, strict=True))
