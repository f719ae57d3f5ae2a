"""What the effects tables read: the places of each year, checked and measured, and the groups they belong to.

Gains and losses are measured place by place here, in whole pounds, once; `allocopt.effects` only adds them up.
A table that would not add up (uniform growth with another total, deficits that do not split) is refused.
Imports `quantiles` and `errors`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pandas as pd

from allocopt.errors import Problem, TableFault
from allocopt.quantiles import weighted_groups

MONEY = ("baseline_gbp", "target_gbp", "allocation_gbp", "uniform_gbp", "change_gbp")
SPENDING = ("spend_gbp", "deficit_gbp", "surplus_gbp", "deficit_underfunding_gbp", "deficit_above_need_gbp")
NOT_KNOWN, TOTAL = "not known", "total"
_NEEDED = ("year", "population", *MONEY, "opening_dft_pct")
_ABOVE_ZERO = ("population", "baseline_gbp", "target_gbp", "uniform_gbp")
_QUANTILES = {"imd_fifth": 5, "need_decile": 10}


@dataclass(frozen=True)
class Grouping:
    """The group of each place (`labels`, by place), the groups in the order of their rows, and what they are."""

    name: str
    labels: pd.Series
    order: tuple[str, ...]
    words: str


def has_spend(allocations: pd.DataFrame) -> bool:
    """Whether a run has spend: its columns are there and not empty throughout."""
    return bool("spend_gbp" in allocations and allocations["spend_gbp"].notna().any())


def by_year(allocations: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The checked and measured places of each year, in the order in which the years appear; index place, sorted.

    Raises `TableFault` with every problem found: columns, whole pounds, codes, values above zero, sums.
    """
    if "place" in allocations:
        allocations = allocations.set_index("place")
    _refuse(_column_problems(allocations))
    years = {str(year): part.sort_index() for year, part in allocations.groupby("year", sort=False)}
    first = next(iter(years.values()))
    _refuse([problem for year, part in years.items() for problem in _year_problems(year, part, first.index)])
    return {year: _measured(part) for year, part in years.items()}


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        raise TableFault("the effects cannot be tabulated", tuple(problems))


def _some(codes: pd.Index) -> str:
    more = f" and {len(codes) - 10:,} more" if len(codes) > 10 else ""
    return ", ".join(str(code) for code in codes[:10]) + more


def _column_problems(allocations: pd.DataFrame) -> list[Problem]:
    money = MONEY + (SPENDING if has_spend(allocations) else ())
    needed = dict.fromkeys((*_NEEDED, *money))
    lacking = [name for name in needed if name not in allocations]
    broken = [name for name in money if name in allocations and not pd.api.types.is_integer_dtype(allocations[name])]
    problems = [Problem(f"no column '{name}'", cure="give the columns of allocations.csv") for name in lacking]
    problems += [
        Problem(f"'{name}' is not whole pounds everywhere", cure="round it to whole pounds first") for name in broken
    ]
    if allocations.empty:
        problems.append(Problem("no places", cure="give one row a place and year"))
    elif not lacking and allocations["population"].isna().all():
        said = "no population column is named, and tables of who gains and loses are weighted by people"
        problems.append(Problem(said, "name the column with people", "inputs.places.columns.population"))
    return problems


def _year_problems(year: str, part: pd.DataFrame, expected: pd.Index) -> list[Problem]:
    if part.index.has_duplicates:
        twice = part.index[part.index.duplicated()].unique()
        return [Problem(f"{year}: more than one row for {_some(twice)}", cure="give one row a place and year")]
    problems = []
    odd = _odd(part.index, expected)
    if len(odd):
        problems.append(
            Problem(f"{year}: not in every year: {_some(odd)}", cure="give every place a row in every year")
        )
    for name in _ABOVE_ZERO:
        low = part.index[~(part[name] > 0)]
        if len(low):
            problems.append(
                Problem(f"{year}: {name} is not above zero for {_some(low)}", cure="leave these places out of the run")
            )
    opening = part.index[~np.isfinite(part["opening_dft_pct"])]
    if len(opening):
        problems.append(
            Problem(f"{year}: opening_dft_pct is not known for {_some(opening)}", cure="give it for every place")
        )
    return problems + _sum_problems(year, part)


def _sum_problems(year: str, part: pd.DataFrame) -> list[Problem]:
    problems = []
    uniform, allocation = int(part["uniform_gbp"].sum()), int(part["allocation_gbp"].sum())
    if uniform != allocation:
        message = f"{year}: uniform growth adds up to £{uniform:,}, the allocations to £{allocation:,}"
        problems.append(Problem(message, cure="uniform growth shares out the same pot: round it to the same total"))
    if has_spend(part):
        parts = part["deficit_underfunding_gbp"] + part["deficit_above_need_gbp"]
        gap = part["spend_gbp"] - part["allocation_gbp"]
        wrong = part.index[(parts != part["deficit_gbp"]) | (part["deficit_gbp"] - part["surplus_gbp"] != gap)]
        if len(wrong):
            message = f"{year}: deficit, surplus, spend and allocation do not fit together for {_some(wrong)}"
            cure = "underfunding + above need = deficit, and deficit - surplus = spend - allocation"
            problems.append(Problem(message, cure=cure))
    return problems


def _measured(part: pd.DataFrame) -> pd.DataFrame:
    """One year's places with gains and losses against uniform growth: `opening_gbp` is the opening DfT in pounds."""
    difference = part["allocation_gbp"] - part["uniform_gbp"]
    beyond = (difference.abs() * 1000 > part["uniform_gbp"]).astype("int64")
    side = np.sign(difference) * beyond
    columns = {
        "places": pd.Series(1, index=part.index, dtype="int64"),
        "population": part["population"].astype("float64"),
        **{name: part[name] for name in MONEY},
        "against_uniform_gbp": difference,
        "gained_gbp": difference.clip(lower=0),
        "lost_gbp": (-difference).clip(lower=0),
        "gaining": (side > 0).astype("int64"),
        "losing": (side < 0).astype("int64"),
        "within": (side == 0).astype("int64"),
        **({name: part[name] for name in SPENDING} if has_spend(part) else {}),
        "against_uniform_pct": 100.0 * difference / part["uniform_gbp"],
        "opening_gbp": part["target_gbp"] * part["opening_dft_pct"] / 100.0,
    }
    return pd.DataFrame(columns)


def _column_of(name: str) -> str | None:
    """The attribute that a grouping is formed on; a need decile needs none."""
    return {"imd_fifth": "imd", "need_decile": None}.get(name, name)


def offered(group_by: Sequence[str], attributes: pd.DataFrame) -> tuple[str, ...]:
    """Of a default list of groupings, those that the places can give; a list that was asked for is checked instead."""
    return tuple(name for name in group_by if _column_of(name) is None or _column_of(name) in attributes)


def check_groupings(group_by: Sequence[str], attributes: pd.DataFrame) -> None:
    """Refuse, before anything is solved, a grouping that the attributes of the places cannot give (`TableFault`)."""
    problems = []
    for name in group_by:
        column = _column_of(name)
        if column is not None and column not in attributes:
            near = get_close_matches(name, [*attributes.columns, *_QUANTILES], 1)
            meant = f"; did you mean '{near[0]}'?" if near else ""
            cure = f"name the column under inputs.places.columns.{column}, or take '{name}' out of report.group_by"
            problems.append(Problem(f"places have no '{column}' to group by{meant}", key="report.group_by", cure=cure))
    _refuse(problems)


def _odd(one: pd.Index, other: pd.Index) -> pd.Index:
    """The codes that only one of two lists has."""
    return one[:0] if one.equals(other) else one.symmetric_difference(other)


def check_attributes(places: pd.Index, attributes: pd.DataFrame) -> None:
    """Attributes and allocations name the same places, each once, or `TableFault`."""
    odd = _odd(places, attributes.index).union(attributes.index[attributes.index.duplicated()])
    if len(odd):
        cure = "give the attributes one row for each place of the allocations, and no other"
        _refuse([Problem(f"attributes and allocations do not name the same places: {_some(odd)}", cure=cure)])


def groupings(base: pd.DataFrame, attributes: pd.DataFrame, group_by: Sequence[str]) -> Mapping[str, Grouping]:
    """The groups that `group_by` names, formed on the values of `base`, the first year's measured places."""
    check_groupings(group_by, attributes)
    attributes = attributes.loc[base.index]
    return {name: _grouping(name, base, attributes) for name in dict.fromkeys(group_by)}


def _grouping(name: str, base: pd.DataFrame, attributes: pd.DataFrame) -> Grouping:
    if name == "imd_fifth":
        fifth = 6 - weighted_groups(attributes["imd"], base["population"], 5)
        return _quantile(
            name, fifth, "deprivation fifth of people (1 = most deprived; IMD score, weighted by people, ties by code)"
        )
    if name == "need_decile":
        decile = weighted_groups(base["target_gbp"] / base["population"], base["population"], 10)
        return _quantile(
            name, decile, "need decile of people (1 = lowest target per head, weighted by people, ties by code)"
        )
    values = attributes[name]
    labels = values.astype("str").where(values.notna(), NOT_KNOWN)
    if (labels == TOTAL).any():
        cure = "rename that group: 'total' is the last row of the table"
        _refuse([Problem(f"a group of '{name}' is called 'total'", key="report.group_by", cure=cure)])
    return _ordered(name, labels, sorted(set(labels.unique()) - {NOT_KNOWN}), name)


def _quantile(name: str, groups: pd.Series, words: str) -> Grouping:
    labels = groups.map(lambda number: NOT_KNOWN if np.isnan(number) else str(int(number)))
    return _ordered(name, labels, [str(number) for number in range(1, _QUANTILES[name] + 1)], words)


def _ordered(name: str, labels: pd.Series, wanted: Sequence[str], words: str) -> Grouping:
    there = set(labels.unique())
    return Grouping(name, labels, tuple(label for label in (*wanted, NOT_KNOWN) if label in there), words)
