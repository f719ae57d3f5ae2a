"""A finished run with what it was made from: its tables from the folder, its facts gathered again from the same files.

Imports `runs`-free rooms alone: `check.bound` (which recalls a scenario from run.json), `check.inputs`, `plan` and
`errors`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pandas as pd

from allocopt.check.bound import Found, recall
from allocopt.check.inputs import check_files, find_tables
from allocopt.errors import InputFault, Problem
from allocopt.plan import Facts, gather

TEXT = ("place", "name", "year", "group", "hub", "area", "previous_group")


@dataclass(frozen=True)
class Recalled:
    """A run folder, and the facts that its scenario and tables give today (the same bytes as then)."""

    folder: Path
    record: Mapping[str, Any]
    table: pd.DataFrame
    """allocations.csv"""
    found: Found
    facts: Facts

    @property
    def given(self) -> dict[tuple[str, str], int]:
        """The allocation of every place and year, in pounds."""
        keys = zip(self.table["place"].astype(str), self.table["year"].astype(str), strict=True)
        return dict(zip(keys, self.table["allocation_gbp"].astype(int).tolist(), strict=True))

    def row(self, place: str, year: str) -> Mapping[str, Any]:
        """A place's line of a year. Raises InputFault where there is none."""
        rows = self.table[(self.table["place"] == place) & (self.table["year"] == year)]
        if len(rows) != 1:
            said = f"{self.folder} has no line for {place} in {year}"
            raise InputFault(said, (Problem(said, "name a place and a year of both runs"),))
        return {str(name): value for name, value in rows.iloc[0].to_dict().items()}


def recalled(folder: str | Path, *, scenario: str | Path | None = None) -> Recalled:
    """Read a run folder and gather its facts again; `scenario` says where the file is now, when its tables moved.

    Raises InputFault (2): not a run folder of an allocation, or its tables have changed since.
    """
    folder = Path(folder)
    record, table = _read(folder)
    where = find_tables(folder, record, None if scenario is None else Path(scenario))
    wrong = [one for one in check_files(record, where) if not one.passed]
    if wrong:
        said = f"{folder} cannot be explained: the tables that it was made from are not there as they were"
        problems = [Problem(one.words, "bring the file back, or say where it is: --scenario FILE") for one in wrong]
        raise InputFault(said, tuple(problems))
    found = recall(record, where, folder)
    return Recalled(folder, record, table, found, gather(found))


def read_record(folder: Path) -> Mapping[str, Any]:
    """run.json of a folder. Raises InputFault where there is none."""
    try:
        record: Mapping[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as failure:
        said = f"{folder} is no run folder"
        raise InputFault(said, (Problem(str(failure), "name a folder that `allocopt run` wrote"),)) from failure
    return record


def _read(folder: Path) -> tuple[Mapping[str, Any], pd.DataFrame]:
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        path = folder / "allocations.csv"
        table = pd.read_csv(path, dtype=dict.fromkeys(TEXT, "str"), keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as failure:
        said = f"{folder} holds no allocation to explain"
        cure = "name a run folder with allocations.csv, or with groups.csv of a grouping"
        raise InputFault(said, (Problem(str(failure), cure),)) from failure
    return record, table


def place_of(run: Recalled, asked: str) -> str:
    """The code of a place, by its code or its whole name. Raises InputFault with the close ones."""
    codes = dict.fromkeys(run.table["place"])
    if asked in codes:
        return asked
    names = dict(zip(run.table["name"].astype(str), run.table["place"], strict=True))
    same = sorted({code for name, code in zip(run.table["name"], run.table["place"], strict=True) if name == asked})
    if len(same) == 1:
        return str(same[0])
    close = get_close_matches(asked, [*codes, *names], n=3)
    said = f"'{asked}' is the name of {len(same)} places" if same else f"there is no place '{asked}' in this run"
    named = ", ".join(same or close)
    cure = f"name one by its code: {named}" if named else "name a place code of allocations.csv"
    raise InputFault(said, (Problem(said, cure),))
