"""Checking what the columns of a table hold, so that no value enters a run unseen.

Each check adds its findings to a list, so that one message shows all that is wrong over all tables: the codes, the
lines, the cause and the cure. Nothing is trimmed or filled in. Imports `tables` and `errors`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from allocopt.errors import Problem
from allocopt.inputs.tables import FIRST, Cited, Table, count, some

_NO_VALUE = frozenset(["-", "–", "—", "..", "*", "na", "n/a", "nan", "null", "none", "nil", "not known"])
_PLAIN = frozenset("0123456789.+-eE")


@dataclass(frozen=True)
class Bounds:
    """What the numbers of a column may be; `why` ends the message and `cure` replaces the usual cure."""

    least: float = 0.0
    above: float | None = None
    most: float | None = None
    why: str = ""
    cure: str = ""
    percent: bool = False
    """The column is in per cent, so every cell may say so."""


def column(table: Table, name: str, cited: Cited, problems: list[Problem]) -> Sequence[str] | None:
    """The cells of column `name`, or None and a problem with a 'did you mean'."""
    found = table.columns.get(name)
    if found is None:
        problems.append(_no_column(table, name, cited))
    return found


def _no_column(table: Table, name: str, cited: Cited) -> Problem:
    header = list(table.columns)
    close = {by: given for given in header for by in (given.strip().casefold(),)}
    near = [close[by] for by in get_close_matches(name.strip().casefold(), list(close), n=3, cutoff=0.6)]
    cure = f"did you mean {' or '.join(repr(given) for given in near)}? " if near else ""
    if len(header) == 1 and re.search("[;\t|]", header[0]):
        cure = "separate the cells with commas, not with semicolons or tabs. "
    message = f"{table.file} has no column '{name}'"
    return cited.problem(message, f"{cure}its columns are: {', '.join(header)}", file=table.file)


def codes(table: Table, name: str, cited: Cited, problems: list[Problem]) -> Sequence[str] | None:
    """The codes in column `name`: never empty, no spaces around them, each once. None when there is no such column."""
    found = column(table, name, cited, problems)
    if found is None:
        return None
    empty = [row for row, code in enumerate(found) if not code.strip()]
    spaced = [row for row, code in enumerate(found) if code.strip() and code != code.strip()]
    if empty:
        lines = some([str(table.lines[row]) for row in empty])
        message = f"column '{name}' has {count(len(empty), 'empty code')}: {table.counted} {lines}"
        problems.append(found_at(table, empty, message, "write the code, or delete the row", cited))
    if spaced:
        message = f"column '{name}' has {count(len(spaced), 'code')} with spaces around: "
        message += cells_at(table, found, spaced, found)
        problems.append(found_at(table, spaced, message, "remove the spaces before and after the code", cited))
    problems += _twice(table, name, found, cited)
    return found


def _twice(table: Table, name: str, found: Sequence[str], cited: Cited) -> list[Problem]:
    if len(set(found)) == len(found):
        return []
    rows: dict[str, list[int]] = {}
    for row, code in enumerate(found):
        rows.setdefault(code, []).append(row)
    repeated = {code: at for code, at in sorted(rows.items()) if len(at) > 1 and code.strip()}
    if not repeated:
        return []
    named = some(
        [f"{code} ({table.counted}s {some([str(table.lines[row]) for row in at])})" for code, at in repeated.items()]
    )
    message = f"column '{name}' has {count(len(repeated), 'code')} more than once: {named}"
    cure = "keep one row per code; delete or add up the others, whichever is true"
    return [found_at(table, next(iter(repeated.values()))[1:], message, cure, cited)]


def found_at(table: Table, rows: Sequence[int], message: str, cure: str, cited: Cited) -> Problem:
    """A problem on the first of these rows."""
    return cited.problem(message, cure, file=table.file, line=min(table.lines[row] for row in rows))


def cells_at(table: Table, labels: Sequence[str], rows: Sequence[int], cells: Sequence[str] | None = None) -> str:
    """'A (line 3: '£5'), B (line 9: '-')', in the order of the file."""
    ordered = sorted(rows, key=lambda row: table.lines[row])
    listed = ordered[:FIRST]
    named = [
        f"{labels[row].strip() or 'no code'} ({table.counted} {table.lines[row]}{f': {cells[row]!r}' if cells else ''})"
        for row in listed
    ]
    return ", ".join(named) + (f" and {len(rows) - FIRST:,} more" if len(rows) > FIRST else "")


def texts(
    table: Table, labels: Sequence[str], name: str, cited: Cited, problems: list[Problem], *, unknown: str | None = None
) -> Sequence[str]:
    """The cells of column `name` as text, none empty; with `unknown`, an empty cell reads so and is no problem."""
    found = column(table, name, cited, problems)
    if found is None:
        return [""] * len(table)
    table = table.of(name)
    empty = [row for row, cell in enumerate(found) if not cell.strip()]
    if empty and unknown is None:
        problems.append(_empty(table, labels, name, empty, cited))
    return [cell if cell.strip() else unknown or "" for cell in found] if empty else found


def _empty(table: Table, labels: Sequence[str], name: str, rows: Sequence[int], cited: Cited) -> Problem:
    message = f"column '{name}' has {count(len(rows), 'empty value')}: {cells_at(table, labels, rows)}"
    cure = "write the values, leave the places out with inputs.places.only, or name another column"
    if cited.key.startswith(("inputs.places.columns.imd", "report.group_by")):
        role = cited.key.rpartition(".")[2] if "columns" in cited.key else name
        cure = f"write the values, or say what to do: inputs.places.missing: {{{role}: {{treat: own_group, why: ...}}}}"
    return found_at(table, rows, message, cure, cited)


def numbers(
    table: Table,
    labels: Sequence[str],
    name: str,
    cited: Cited,
    problems: list[Problem],
    *,
    bounds: Bounds = Bounds(),
    may_be_empty: bool = False,
) -> NDArray[np.float64]:
    """Column `name` as float64, one per row; NaN only where the cell is empty and `may_be_empty`.

    A column in per cent may say so in every cell.

    Problems: no such column; empty cells; cells that are not plain numbers ('1,234', '£5', '#N/A', ' 12 ', 'inf');
    numbers outside `bounds`. `labels` are the codes that the message names. Any row with a problem is NaN.
    """
    found = column(table, name, cited, problems)
    if found is None:
        return np.full(len(table), np.nan)
    table = table.of(name)
    if bounds.percent and found and all(cell.endswith("%") for cell in found):
        found = [cell.removesuffix("%") for cell in found]
    values = _plain(found)
    if values is None:
        values = _one_by_one(table, labels, name, found, cited, problems, may_be_empty=may_be_empty)
    _check_bounds(table, labels, name, found, values, bounds, cited, problems)
    return values


def _plain(cells: Sequence[str]) -> NDArray[np.float64] | None:
    """All cells at once, or None when one of them is not a plain finite number."""
    if not _PLAIN.issuperset("".join(cells)):
        return None
    try:
        values = np.array([float(cell) for cell in cells])
    except ValueError:
        return None
    return values if bool(np.isfinite(values).all()) else None


def _number(cell: str) -> float:
    if not _PLAIN.issuperset(cell):
        return float("nan")
    try:
        value = float(cell)
    except ValueError:
        return float("nan")
    return value if np.isfinite(value) else float("nan")


def _one_by_one(
    table: Table,
    labels: Sequence[str],
    name: str,
    cells: Sequence[str],
    cited: Cited,
    problems: list[Problem],
    *,
    may_be_empty: bool,
) -> NDArray[np.float64]:
    values = np.array([_number(cell) for cell in cells])
    unread = [row for row in range(len(cells)) if np.isnan(values[row])]
    empty = [row for row in unread if not cells[row].strip()]
    wrong = [row for row in unread if cells[row].strip()]
    if empty and not may_be_empty:
        problems.append(_empty(table, labels, name, empty, cited))
    if wrong:
        many = count(len(wrong), "value that is not a number", "values that are not numbers")
        message = f"column '{name}' has {many}: {cells_at(table, labels, wrong, cells)}"
        cures = dict.fromkeys(_cure_of(cells[row]) for row in wrong)
        problems.append(found_at(table, wrong, message, "; ".join(cures), cited))
    return values


def _cure_of(cell: str) -> str:
    text = cell.strip()
    if text.startswith("#") or text.casefold() in _NO_VALUE:
        return f"'{text}' stands for no value: write the number, or leave the place out"
    if re.fullmatch(r"[-+]?(inf(inity)?|[\d.]+e\d+)", text, re.IGNORECASE):
        return f"'{text}' is not finite: write the number"
    if re.search("[£€$%]", text):
        return "write the number alone: the unit stands in the scenario"
    if re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?", text):
        return "write thousands without a comma: 1234, not 1,234"
    if cell != text:
        return "remove the spaces around the number"
    return "write a plain number such as 1234.5"


def _check_bounds(
    table: Table,
    labels: Sequence[str],
    name: str,
    cells: Sequence[str],
    values: NDArray[np.float64],
    bounds: Bounds,
    cited: Cited,
    problems: list[Problem],
) -> None:
    floor = bounds.least if bounds.above is None else bounds.above
    low = values < floor if bounds.above is None else values <= floor
    high = values > (np.inf if bounds.most is None else bounds.most)
    for outside, words in ((low, _below(bounds)), (high, f"above {bounds.most or 0:g}")):
        rows = [int(row) for row in np.flatnonzero(outside)]
        if rows:
            message = f"column '{name}' has {count(len(rows), 'value')} {words}: {cells_at(table, labels, rows, cells)}"
            message += f"; {bounds.why}" if bounds.why else ""
            problems.append(found_at(table, rows, message, bounds.cure or "correct the values", cited))


def _below(bounds: Bounds) -> str:
    if bounds.above is not None:
        return f"not above {bounds.above:g}"
    return "below zero" if bounds.least == 0 else f"below {bounds.least:g}"
