"""What a report is made of: a run's record and tables, put in the shapes that figures and sheets read.

Every figure of a report comes through here from the run's own tables, in whole pounds; nothing is worked out again
that a table states. Imports `effects_words` (the five bands) alone; runs are read, never made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from allocopt.effects.words import BANDS

GROUPINGS = {
    "imd_fifth": "deprivation fifth",
    "need_decile": "need decile",
    "region": "region",
    "area": "area",
}
"""The groupings every run offers, in words; others are shown under the name of their column."""

GROUP_WORDS = {
    "imd_fifth": {"1": "1 most deprived", "5": "5 least deprived"},
    "need_decile": {"1": "1 lowest need", "10": "10 highest need"},
}
SPENDING = ("spend_gbp", "deficit_gbp", "surplus_gbp", "deficit_underfunding_gbp", "deficit_above_need_gbp")


@dataclass(frozen=True)
class Material:
    """One run as a report reads it; `name` is the run folder's name, `places` and `wide` are made when asked for."""

    record: Mapping[str, Any]
    tables: Mapping[str, pd.DataFrame]
    name: str

    @property
    def modelled(self) -> bool:
        """Whether spend comes from a model: every figure made from it says so."""
        return bool(self.record["modelled_spend"])

    @property
    def mark(self) -> str:
        """` [modelled spend]`, or nothing when spend is recorded."""
        return " [modelled spend]" if self.modelled else ""

    @property
    def years(self) -> tuple[str, ...]:
        """The years in order."""
        return tuple(map(str, self.record["scenario"]["years"]))

    @property
    def allocates(self) -> bool:
        """Whether the run decided allocations."""
        return "allocations" in self.tables

    @property
    def groups(self) -> bool:
        """Whether the run decided a grouping."""
        return "groups" in self.tables and "consortia" in self.tables

    @cached_property
    def places(self) -> pd.DataFrame:
        """The last year's places (index place) with attributes, money and band, and their consortium if any."""
        known = self.tables["places"].set_index("place") if "places" in self.tables else None
        last = known if known is not None else pd.DataFrame(index=pd.Index([], name="place"))
        if self.allocates:
            found = self.tables["allocations"]
            last = measured(found[found["year"].astype(str) == self.years[-1]].set_index("place"))
            if known is not None:
                last = last.join(known[[name for name in known if name not in last]])
        if self.groups:
            last = last.join(self.tables["groups"].set_index("place")[["group", "distance_km", "moved"]])
        return last

    @property
    def has_spend(self) -> bool:
        """Whether the run has deficits and surpluses."""
        return self.allocates and "deficit_gbp" in self.tables["allocations"]

    def wide(self, table: str) -> pd.DataFrame | None:
        """An effects table as people read it: a row a group, a column a measure, in the order of the run; or None."""
        return self._wide.get(table)

    @cached_property
    def _wide(self) -> dict[str, pd.DataFrame]:
        effects = self.tables["effects"]
        return {str(name): _widened(part) for name, part in effects.groupby("table", sort=False)}

    @property
    def groupings(self) -> tuple[str, ...]:
        """The groupings that the run tabulates, those everybody knows first."""
        there = [name.removeprefix("by_") for name in self._wide if name.startswith("by_")]
        known = [name for name in GROUPINGS if name in there]
        return (*known, *(name for name in there if name not in GROUPINGS))

    @property
    def effects_names(self) -> tuple[str, ...]:
        """The effects tables in the order of the run."""
        return tuple(self._wide)

    def title(self, table: str) -> str:
        """What an effects table says it is."""
        return str(self.record.get("titles", {}).get(table, table.replace("_", " ")))


def material(record: Mapping[str, Any], tables: Mapping[str, pd.DataFrame], folder: Path | None) -> Material:
    """A run as report material; `folder` gives it its name."""
    return Material(record, tables, folder.name if folder else str(record["name"]))


def _widened(part: pd.DataFrame) -> pd.DataFrame:
    groups, measures = dict.fromkeys(part["group"].astype(str)), dict.fromkeys(part["measure"])
    rows = part.assign(group=part["group"].astype(str)).set_index(["group", "measure"])["value"].unstack()  # noqa: PD010 - a table, nothing is added up
    return rows.reindex(index=list(groups), columns=list(measures))


def measured(places: pd.DataFrame) -> pd.DataFrame:
    """Places with their difference from uniform growth (pounds, percent) and its band; whole pounds, no rounding."""
    difference = places["allocation_gbp"] - places["uniform_gbp"]
    beyond = difference.abs() * 1000 > places["uniform_gbp"]
    far = difference.abs() * 20 > places["uniform_gbp"]
    side = np.sign(difference.to_numpy()) * beyond.to_numpy() * (1 + far.to_numpy())
    band = np.array(BANDS, dtype=object)[(2 + side).astype(int)]
    return places.assign(
        against_uniform_gbp=difference, against_uniform_pct=100.0 * difference / places["uniform_gbp"], band=band
    )


def grouping_words(name: str) -> str:
    """`imd_fifth` as people say it."""
    return GROUPINGS.get(name, name.replace("_", " "))


def group_words(name: str, groups: Sequence[str]) -> list[str]:
    """The groups of a grouping as people say them."""
    return [GROUP_WORDS.get(name, {}).get(group, group) for group in groups]


def command(found: Material) -> str:
    """The command that makes this run again: the scenario and what was changed on the command line."""
    stem = found.name.rsplit("-", 1)[0]
    changes = [_change(line) for line in found.record["overrides"] if line.endswith("(--set)")]
    return " ".join([f"allocopt run {stem}.yaml", *(f"--set '{change}'" for change in changes)])


def _change(line: str) -> str:
    key, values = line.removesuffix("(--set)").split(": ", 1)
    return f"{key}={values.rsplit(' -> ', 1)[-1].strip()}"
