"""Relative need indices as NHS England's place-based allocation tool prints them.

The index of a place relative to its ICB is (weighted / population of the place) / (weighted / population of the ICB);
the row of an ICB itself shows weighted / population. Populations are rounded to whole people and indices to three
places, half up on the printed decimal, after all else is worked out. Empty cells count as nothing, as in the tool.
Imports `headings`, `official`, `errors`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pandas as pd

from allocopt.errors import Problem, TableFault
from allocopt.exchange.headings import NAMED
from allocopt.exchange.official import Official

LABEL = "Place / ICB"
PREFERRED = ("district_name", "sub_icb_name", "ccg_name", "pcn_name", "district_code", "ccg_code", "pcn_code")


@dataclass(frozen=True)
class Place:
    """A place as the tool has it: a name, its practices, and the ICB it is measured against."""

    name: str
    practices: tuple[str, ...]
    icb: str


def half_up(value: float, step: str) -> float:
    """`value` rounded half up to `step` ('1', '0.001') on its shortest decimal, as a spreadsheet would; NaN stays."""
    if not np.isfinite(value):
        return float("nan")
    return float(Decimal(repr(float(value))).quantize(Decimal(step), rounding=ROUND_HALF_UP))


def need_indices(found: Official, places: Sequence[Place]) -> pd.DataFrame:
    """The tool's table: each ICB that is named, then its places; indices first, then populations.

    Raises TableFault for a practice or an ICB that the table does not hold.
    """
    table = found.table.set_index("practice_code")
    column = icb_column(found)
    _check(table, column, places)
    names = ["population", *found.weights]
    rows = []
    for icb in dict.fromkeys(one.icb for one in places):
        whole = table.loc[table[column] == icb, names].sum()
        rows.append(_row(icb, whole, None))
        rows += [_row(one.name, table.loc[list(one.practices), names].sum(), whole) for one in places if one.icb == icb]
    return pd.DataFrame(rows)


def icb_column(found: Official) -> str:
    """The column with the ICB: its name, else its code. Raises TableFault where there is neither."""
    for name in ("icb_name", "icb_code"):
        if name in found.table:
            return name
    said = "the table names no ICB (ICBname, ICS22name, STP21_42 or a code)"
    raise TableFault(said, (Problem(said, cure="relative need is measured against an ICB: give its column"),))


def _row(name: str, sums: pd.Series, icb: pd.Series | None) -> dict[str, object]:
    row: dict[str, object] = {LABEL: name}
    weights = [weight for weight in sums.index if weight != "population"]
    for weight in weights:
        index = sums[weight] / sums["population"] if sums["population"] else np.nan
        if icb is not None:
            index /= icb[weight] / icb["population"]
        row[NAMED[weight][1]] = half_up(float(index), "0.001")
    row["GP pop"] = int(half_up(float(sums["population"]), "1"))
    return row | {NAMED[weight][0]: int(half_up(float(sums[weight]), "1")) for weight in weights}


def _check(table: pd.DataFrame, column: str, places: Sequence[Place]) -> None:
    known, bodies = set(table.index), set(table[column].dropna())
    problems = []
    for one in places:
        lost = [code for code in one.practices if code not in known]
        if lost:
            said = f"'{one.name}' has practices that the table does not hold: {', '.join(lost[:10])}"
            problems.append(
                Problem(said, cure="use the practice table of the same year, or take them out of the place")
            )
        if one.icb not in bodies:
            said = f"'{one.name}' is measured against '{one.icb}', which the table does not hold"
            problems.append(Problem(said, cure="use the ICB's name as the table has it"))
    if problems:
        raise TableFault("need indices cannot be worked out", tuple(problems))


def places_by(found: Official, column: str | None = None) -> list[Place]:
    """Places made of a column of the table (district, sub-ICB, CCG or PCN), one for each value and ICB, sorted.

    A value that lies in two ICBs becomes two places, told apart by the ICB. Raises TableFault for an unknown column.
    """
    column = column or next((name for name in PREFERRED if name in found.table), None)
    if column is None or column not in found.table:
        said = (
            f"the table has no column '{column}' to form places by"
            if column
            else "the table has no body to form places by"
        )
        raise TableFault(said, (Problem(said, cure=f"choose one of {', '.join(map(str, found.table.columns))}"),))
    icb = icb_column(found)
    rows = found.table.dropna(subset=[column, icb])
    spread = rows.groupby(column)[icb].nunique()
    parts: Mapping[tuple[str, str], pd.DataFrame] = dict(tuple(rows.groupby([icb, column], sort=True)))  # type: ignore[arg-type]
    return [
        Place(value if spread[value] == 1 else f"{value} ({body})", tuple(part["practice_code"]), body)
        for (body, value), part in parts.items()
    ]
