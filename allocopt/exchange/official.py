"""The official practice table, any year's, as a table that a scenario can name: plain headings, a row a practice.

Nothing missing is filled in: a cell that is empty stays empty and is counted in a note.
Imports `headings` and `errors`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

from allocopt.errors import Problem, TableFault
from allocopt.exchange.headings import NAMED, bodies, kind, populations, singles

TEXT = ("practice_code", "practice_name", "postcode")
FAR = 5.0
"""A weight more than this many times the national one, or less than one part in so many, is told."""
SHOWN = 10


@dataclass(frozen=True)
class Official:
    """An official table read: `table` with plain headings, what each was called, and what a reader must know."""

    table: pd.DataFrame
    """A row a practice, sorted by `practice_code`"""
    headings: Mapping[str, str]
    notes: tuple[str, ...]

    @property
    def weights(self) -> tuple[str, ...]:
        """The weighted populations that the table has, in the tool's order."""
        return tuple(name for name in NAMED if name in self.table)


def read_official(path: Path) -> Official:
    """Read a practice table of NHS England's place-based allocation tool. Raises TableFault with every problem."""
    raw = _raw(path)
    named, notes = _named(raw)
    _refuse(path, [*_lacking(named, raw), *_odd_cells(path, raw, named)])
    table = pd.DataFrame({name: _column(raw[heading], name) for name, heading in named.items()})
    table, doubled = _one_row_each(table)
    table = table.sort_values("practice_code", kind="stable").reset_index(drop=True)
    found = Official(table, named, ())
    left = [heading for heading in raw.columns if heading not in named.values()]
    told = [f"columns not taken over: {', '.join(left)}"] if left else []
    return Official(table, named, (*notes, *doubled, *_gaps(table), *_outliers(found), *told))


def _raw(path: Path) -> pd.DataFrame:
    """Every cell as text; headings as they stand. Raises TableFault for what is no such file."""
    try:
        data = path.read_bytes()
    except OSError as failure:
        raise _fault(path, f"cannot read {path}: {failure.strerror}", "name the practice table, as CSV") from failure
    if data[:2] == b"PK":
        raise _fault(path, f"{path} is a workbook", "save the sheet of practices as CSV")
    rows = list(csv.reader(StringIO(_decoded(data))))
    heads = [head.strip() for head in rows[0]] if rows else []
    uneven = [at for at, row in enumerate(rows[1:], start=2) if row and len(row) != len(heads)]
    if not heads or len(rows) < 2 or uneven or len(set(heads)) != len(heads):
        where = (
            f"line {uneven[0]} has another number of cells" if uneven else "no headings and rows, or a heading twice"
        )
        raise _fault(path, f"{path} is not a table: {where}", "give the CSV as the tool ships it")
    frame = pd.DataFrame([row for row in rows[1:] if row], columns=heads, dtype=str)
    return pd.DataFrame({head: frame[head].str.strip() for head in heads})


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252")


def _fault(path: Path, message: str, cure: str) -> TableFault:
    return TableFault(message, (Problem(message, cure, file=str(path)),))


def _refuse(path: Path, problems: Sequence[Problem]) -> None:
    if problems:
        raise TableFault(f"{path} cannot be taken for an official practice table", tuple(problems))


def _named(raw: pd.DataFrame) -> tuple[dict[str, str], list[str]]:
    """Plain name -> heading, and notes on choices between headings."""
    heads = [str(head) for head in raw.columns]
    found, notes = {name: said[-1] for name, said in singles(heads).items()}, list[str]()
    for name, said in singles(heads).items():
        notes += [f"{name} is taken from '{said[-1]}', not from {said[:-1]}"] if len(said) > 1 else []
    people = [head for head in populations(heads) if (raw[head] != "").any()]
    if people:
        found["population"] = people[0]
        notes += [f"population is taken from '{people[0]}', not from {people[1:]}"] if len(people) > 1 else []
    for body, said in bodies(heads).items():
        for head in said:
            what = kind(raw[head].tolist())
            if what is not None:
                found[f"{body}_{what}"] = head
    order = ["practice_code", "practice_name", "postcode", "latitude", "longitude"]
    rest = [name for name in found if name not in order and name != "population"]
    return {name: found[name] for name in [*order, *sorted(rest, key=_place), "population"] if name in found}, notes


def _place(name: str) -> tuple[bool, str]:
    """Bodies before weights, each by name."""
    return name.startswith(("wp_", "mff", "eaca", "target", "imd")), name


def _lacking(named: Mapping[str, str], raw: pd.DataFrame) -> list[Problem]:
    said = f"headings read: {', '.join(map(str, raw.columns))}"
    needed = {
        "practice_code": "a column with practice codes (Practice_Code)",
        "population": "a column with the population (pop 2022/23, Population, GP_pop, Registered Patients)",
    }
    problems = [
        Problem(f"there is no {words}", cure=said, key=name) for name, words in needed.items() if name not in named
    ]
    if not any(name in NAMED for name in named):
        problems.append(Problem("there is no weighted population (such as 'G&A WP' or 'Final WP')", cure=said))
    if "practice_code" in named and (raw[named["practice_code"]] == "").any():
        line = 2 + int(np.flatnonzero((raw[named["practice_code"]] == "").to_numpy())[0])
        problems.append(Problem("a row has no practice code", cure="give every row its code", line=line))
    return problems


def _is_text(name: str) -> bool:
    return name in TEXT or name.endswith(("_code", "_name", "_ons"))


def _odd_cells(path: Path, raw: pd.DataFrame, named: Mapping[str, str]) -> list[Problem]:
    """Cells that should be numbers and are not, or weights below zero: line, value, cure."""
    problems = []
    for name, heading in named.items():
        if _is_text(name):
            continue
        cells = raw[heading].str.replace(",", "")
        values = pd.to_numeric(cells.where(cells != ""), errors="coerce")
        below = values < 0 if name not in ("latitude", "longitude") else pd.Series(data=False, index=values.index)
        for at in np.flatnonzero(((cells != "") & values.isna() | below).to_numpy())[:SHOWN]:
            said = f"'{raw[heading].iloc[at]}' in column '{heading}' is not a number from 0 up"
            problems.append(Problem(said, cure="correct the cell or leave it empty", file=str(path), line=int(at) + 2))
    return problems


def _column(cells: pd.Series, name: str) -> pd.Series:
    if _is_text(name):
        return cells.where(cells != "")
    return pd.to_numeric(cells.str.replace(",", "").where(cells != ""))


def _one_row_each(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Rows of the same code added up, as the tool adds them, and said so; rows that repeat another are dropped."""
    kept = table.drop_duplicates()
    notes = [f"{len(table) - len(kept)} rows repeat another row whole: dropped"] if len(kept) < len(table) else []
    twice = kept["practice_code"].duplicated(keep=False)
    if not twice.any():
        return kept, notes
    codes = list(dict.fromkeys(kept.loc[twice, "practice_code"]))
    numbers = [str(name) for name in kept if str(name) == "population" or str(name).startswith(("wp_", "target_"))]
    added = kept.groupby("practice_code", sort=False)[numbers].sum(min_count=1)
    first = kept.drop_duplicates("practice_code").set_index("practice_code")
    first[numbers] = added[numbers]
    return first.reset_index(), [*notes, f"codes with several rows, whose populations are added up: {_some(codes)}"]


def _some(codes: Sequence[str]) -> str:
    more = f" and {len(codes) - SHOWN:,} more" if len(codes) > SHOWN else ""
    return ", ".join(map(str, codes[:SHOWN])) + more


def _gaps(table: pd.DataFrame) -> list[str]:
    """Empty cells by column, and practices without people."""
    notes = []
    for name in table:
        empty = int(table[name].isna().sum())
        if empty:
            notes.append(f"{empty:,} practices have no {name}: left empty")
    nobody = table.loc[table["population"].fillna(0) <= 0, "practice_code"].tolist()
    return [*notes, *([f"no people in {_some(nobody)}"] if nobody else [])]


def _outliers(found: Official) -> list[str]:
    """Practices whose weight a head is far from the national one, where a slip of the table is likely."""
    notes = []
    people = found.table["population"]
    for name in found.weights:
        weight = found.table[name]
        ratio = (weight / people) / (weight.sum() / people.sum())
        far = found.table.loc[(people >= 500) & ((ratio > FAR) | (ratio < 1 / FAR)), "practice_code"].tolist()
        if far:
            notes.append(f"{name} a head is over {FAR:g} times, or under a fifth of, the national one in {_some(far)}")
    return notes
