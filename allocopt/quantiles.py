"""Quantile groups of places weighted by people: one definition for spend and for every table.

A deprivation fifth holds a fifth of the people, not a fifth of the places. The expected-spend model gives its gradient
by fifth and the tables group by fifth: they share this function, so a fifth is the same places everywhere.
Imports `tables` and `errors`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from allocopt.errors import Problem, TableFault
from allocopt.inputs.tables import some

_DIGITS = 9
"""A midpoint this close to a border (in decimals of a group) is on it: scaling all weights moves no place."""


def weighted_groups(values: pd.Series, weights: pd.Series, count: int) -> pd.Series:
    """Cut places into `count` groups of equal weight, by ascending value.

    `values` (any unit) and `weights` (people) have the same place codes, in any order. A place belongs to the group in
    which the midpoint of its cumulative weight falls; a midpoint on a border opens the upper group; ties of value are
    broken by code. Returns float64 with the index of `values`: 1..count, 1 for the lowest values (for an IMD score:
    the least deprived), NaN where the value is not known. Places whose value is not known take no weight.

    Raises `TableFault` where codes differ or stand twice, or where a place with a value has no usable weight.
    Source: the project's definition of quantiles (weighted by people, ties broken by code).
    """
    if count < 1:
        raise ValueError(f"the number of groups must be 1 or more: {count}")
    _same_places(values, weights)
    groups = np.full(len(values), np.nan)
    known = _in_line(values)
    if len(known):
        weight = weights.reindex(values.index).to_numpy(dtype=np.float64)[known]
        _weights_usable(values.index[known], weight)
        midpoint = weight.cumsum() - weight / 2
        place_in_line = np.floor(np.round(count * midpoint / weight.sum(), _DIGITS))
        groups[known] = np.minimum(place_in_line + 1, count)
    return pd.Series(groups, index=values.index, name=values.name)


def _in_line(values: pd.Series) -> npt.NDArray[np.intp]:
    """Positions of the places whose value is known, by ascending value and then by code."""
    by_code = np.arange(len(values)) if values.index.is_monotonic_increasing else values.index.argsort()
    ordered = values.to_numpy()[by_code]
    known = by_code[~pd.isna(ordered)]
    return known[np.argsort(values.to_numpy()[known], kind="stable")]


def _same_places(values: pd.Series, weights: pd.Series) -> None:
    if values.index.is_unique and values.index.equals(weights.index):
        return
    twice = values.index[values.index.duplicated()].union(weights.index[weights.index.duplicated()])
    if len(twice):
        raise _fault(f"place codes that stand more than once: {some(list(twice))}", "give every place one row")
    unmatched = values.index.symmetric_difference(weights.index)
    if len(unmatched):
        raise _fault(
            f"places with a value but no weight, or the reverse: {some(list(unmatched))}", "give both the same places"
        )


def _weights_usable(places: pd.Index, weight: np.ndarray) -> None:
    wrong = places[~(np.isfinite(weight) & (weight >= 0))]
    if len(wrong):
        raise _fault(f"no usable weight (people) for {some(list(wrong))}", "give every place a population of 0 or more")
    if not weight.sum() > 0:
        raise _fault("the weights (people) of the places with a value are all 0", "give at least one of them people")


def _fault(message: str, cure: str) -> TableFault:
    return TableFault("groups of equal weight cannot be formed", (Problem(message, cure=cure),))
