"""Reading one table and checking what it holds, so that no value enters a run unseen.

Every cell is read as text, once, with the line it stands on; a column becomes numbers only when the scenario uses it.
Each check adds its findings to a list, so that one message shows all that is wrong over all tables: the codes, the
lines, the cause and the cure. Nothing is trimmed, converted or filled in. Imports `errors` alone.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from allocopt.errors import Mark, Problem, TableFault

FIRST = 10
"""How many codes, lines or names a message lists before it gives the count of the rest."""

_PLAIN = frozenset("0123456789.+-eE")


@dataclass(frozen=True)
class Table:
    """One table as text: columns of equal length, and for each row the line (CSV) or row (Parquet) it was read from."""

    file: str
    sha256: str
    columns: Mapping[str, Sequence[str]]
    lines: Sequence[int]
    counted: str = "line"

    def __len__(self) -> int:
        return len(self.lines)

    def take(self, rows: Sequence[int]) -> Table:
        """The table with these rows, in this order; rows keep their line numbers."""
        columns = {name: [cells[row] for row in rows] for name, cells in self.columns.items()}
        return Table(self.file, self.sha256, columns, [self.lines[row] for row in rows], self.counted)


@dataclass(frozen=True)
class Cited:
    """Where the scenario names a table or a column: the dotted key, and the mark when it is known."""

    key: str
    mark: Mark | None = None


@dataclass(frozen=True)
class Bounds:
    """What the numbers of a column may be; `why` ends the message and `cure` replaces the usual cure."""

    least: float = 0.0
    above: float | None = None
    most: float | None = None
    why: str = ""
    cure: str = ""


def some(items: Sequence[str]) -> str:
    """The first ten items and how many more: 'a, b, c ... and 5 more'."""
    listed = ", ".join(items[:FIRST])
    return f"{listed} and {len(items) - FIRST:,} more" if len(items) > FIRST else listed


def count(number: int, one: str, many: str | None = None) -> str:
    """'1 place', '1,200 places'."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def read_table(path: Path, *, file: str, cited: Cited) -> Table:
    """Read a CSV (UTF-8, with or without BOM) or Parquet file as text.

    `file` is the name as the scenario writes it. Raises TableFault: file not found (with close names), encoding,
    ragged lines, header without names or with a name twice, no rows.
    """
    if not path.is_file():
        raise _unreadable(_not_found(path, file, cited))
    raw = path.read_bytes()
    digest = sha256(raw).hexdigest()
    if path.suffix.lower() in {".parquet", ".pq"}:
        return _read_parquet(raw, file, digest, cited)
    if path.suffix.lower() not in {".csv", ".txt", ""}:
        raise _unreadable(
            Problem(
                f"{file} is neither CSV nor Parquet", "save the table as CSV (UTF-8) and name that file", cited.key, cited.mark
            )
        )
    return _read_csv(_decode(raw, file, cited), file, digest, cited)


def _unreadable(*problems: Problem) -> TableFault:
    return TableFault("a table cannot be read", problems)


def _not_found(path: Path, file: str, cited: Cited) -> Problem:
    if not path.parent.is_dir():
        return Problem(f"table not found: there is no folder {path.parent}", "correct the path", cited.key, cited.mark)
    beside = sorted(item.name for item in path.parent.iterdir() if item.is_file())
    close = get_close_matches(path.name, beside, n=3, cutoff=0.5)
    cure = f"did you mean {' or '.join(repr(name) for name in close)}?" if close else f"that folder has: {some(beside) or 'no files'}"
    return Problem(f"table not found: {file} (looked for {path})", cure, cited.key, cited.mark)


def _decode(raw: bytes, file: str, cited: Cited) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = raw.count(b"\n", 0, fault.start) + 1
        message = f"the file is not UTF-8: byte 0x{raw[fault.start]:02x} on line {line} cannot be read"
        problem = Problem(message, "save it as 'CSV UTF-8' (in Excel: Save as, CSV UTF-8)", cited.key, file=file, line=line)
        raise _unreadable(problem) from None


def _read_csv(text: str, file: str, digest: str, cited: Cited) -> Table:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        began = 1
        for row in reader:
            if row:
                rows.append(row)
                lines.append(began)
            began = reader.line_num + 1
    except csv.Error as fault:
        cure = "close the quotation mark that opens a cell, and double any quotation mark inside it"
        message = f"not valid CSV: {fault} (the cell opens on or after line {began})"
        raise _unreadable(Problem(message, cure, cited.key, file=file, line=began)) from None
    header = rows[0] if rows else []
    problems = _header_problems(header, file, cited) or _row_problems(header, rows[1:], lines[1:], file, cited)
    if problems:
        raise _unreadable(*problems)
    return Table(file, digest, dict(zip(header, zip(*rows[1:], strict=True), strict=True)), lines[1:])


def _header_problems(header: Sequence[str], file: str, cited: Cited) -> list[Problem]:
    if not any(header):
        return [Problem("the table is empty: it has no header", "begin it with a line of column names", cited.key, file=file, line=1)]
    twice = sorted({name for name in header if header.count(name) > 1})
    if not twice:
        return []
    named = some([f"'{name}' (columns {', '.join(str(n) for n, given in enumerate(header, 1) if given == name)})" for name in twice])
    return [Problem(f"the header has the same name more than once: {named}", "give every column its own name", cited.key, file=file, line=1)]


def _row_problems(
    header: Sequence[str], rows: Sequence[Sequence[str]], lines: Sequence[int], file: str, cited: Cited
) -> list[Problem]:
    if not rows:
        return [Problem("the table has no rows, only a header", "add one row per place", cited.key, file=file, line=1)]
    width = len(header)
    ragged = [(row, line) for row, line in zip(rows, lines, strict=True) if len(row) != width]
    if not ragged:
        return []
    named = some([f"{row[0]} (line {line}: {len(row)} cells)" for row, line in ragged])
    message = f"{count(len(ragged), 'line does', 'lines do')} not have the header's {width} cells: {named}"
    cure = "put cells that contain a comma in quotation marks, and write every cell, also the empty ones"
    return [Problem(message, cure, cited.key, file=file, line=ragged[0][1])]


def _read_parquet(raw: bytes, file: str, digest: str, cited: Cited) -> Table:
    import pyarrow
    from pyarrow import parquet

    try:
        found = parquet.read_table(io.BytesIO(raw))
    except (pyarrow.ArrowException, OSError) as fault:
        problem = Problem(f"not a Parquet file: {fault}", "write it again, or name a CSV file", cited.key, file=file)
        raise _unreadable(problem) from None
    header = list(found.column_names)
    rows = list(range(1, found.num_rows + 1))
    problems = _header_problems(header, file, cited) or _row_problems([], [[] for _ in rows], rows, file, cited)
    if problems:
        raise _unreadable(*problems)
    columns = {name: [_cell(value) for value in found.column(name).to_pylist()] for name in header}
    return Table(file, digest, columns, rows, counted="row")


def _cell(value: object) -> str:
    """A Parquet value as text; null and not-a-number are the empty cell."""
    return "" if value is None or value != value else str(value)


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
    return Problem(
        f"{table.file} has no column '{name}'", f"{cure}its columns are: {', '.join(header)}", cited.key, cited.mark, table.file
    )


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
        problems.append(_found(table, empty, message, "write the code, or delete the row", cited))
    if spaced:
        message = f"column '{name}' has {count(len(spaced), 'code')} with spaces around: {_cells(table, found, spaced, found)}"
        problems.append(_found(table, spaced, message, "remove the spaces before and after the code", cited))
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
    named = some([f"{code} ({table.counted}s {some([str(table.lines[row]) for row in at])})" for code, at in repeated.items()])
    message = f"column '{name}' has {count(len(repeated), 'code')} more than once: {named}"
    cure = "keep one row per code; delete or add up the others, whichever is true"
    return [_found(table, next(iter(repeated.values()))[1:], message, cure, cited)]


def _found(table: Table, rows: Sequence[int], message: str, cure: str, cited: Cited) -> Problem:
    return Problem(message, cure, cited.key, file=table.file, line=table.lines[rows[0]])


def _cells(table: Table, labels: Sequence[str], rows: Sequence[int], cells: Sequence[str] | None = None) -> str:
    """'A (line 3: '£5'), B (line 9: '-')', in the order of the file."""
    ordered = sorted(rows, key=lambda row: table.lines[row])
    listed = ordered[:FIRST]
    named = [
        f"{labels[row].strip() or 'no code'} ({table.counted} {table.lines[row]}{f': {cells[row]!r}' if cells else ''})" for row in listed
    ]
    return ", ".join(named) + (f" and {len(rows) - FIRST:,} more" if len(rows) > FIRST else "")


def texts(
    table: Table, labels: Sequence[str], name: str, cited: Cited, problems: list[Problem], *, unknown: str | None = None
) -> Sequence[str]:
    """The cells of column `name` as text, none empty; with `unknown`, empty cells read so instead of being a problem."""
    found = column(table, name, cited, problems)
    if found is None:
        return [""] * len(table)
    empty = [row for row, cell in enumerate(found) if not cell.strip()]
    if empty and unknown is None:
        problems.append(_empty(table, labels, name, empty, cited))
    return [cell if cell.strip() else unknown or "" for cell in found] if empty else found


def _empty(table: Table, labels: Sequence[str], name: str, rows: Sequence[int], cited: Cited) -> Problem:
    message = f"column '{name}' has {count(len(rows), 'empty value')}: {_cells(table, labels, rows)}"
    cure = "write the values, leave the places out with inputs.places.only, or name another column"
    if cited.key.startswith(("inputs.places.columns.imd", "report.group_by")):
        role = cited.key.rpartition(".")[2] if "columns" in cited.key else name
        cure = f"write the values, or say what to do: inputs.places.missing: {{{role}: {{treat: own_group, why: ...}}}}"
    return _found(table, rows, message, cure, cited)


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

    Problems: no such column; empty cells; cells that are not plain numbers ('1,234', '£5', '#N/A', ' 12 ', 'inf');
    numbers outside `bounds`. `labels` are the codes that the message names. Any row with a problem is NaN.
    """
    found = column(table, name, cited, problems)
    if found is None:
        return np.full(len(table), np.nan)
    values = _plain(found)
    if values is None:
        values = _one_by_one(table, labels, name, found, cited, problems, may_be_empty)
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
    may_be_empty: bool,
) -> NDArray[np.float64]:
    values = np.array([_number(cell) for cell in cells])
    unread = [row for row in range(len(cells)) if np.isnan(values[row])]
    empty = [row for row in unread if not cells[row].strip()]
    wrong = [row for row in unread if cells[row].strip()]
    if empty and not may_be_empty:
        problems.append(_empty(table, labels, name, empty, cited))
    if wrong:
        message = f"column '{name}' has {count(len(wrong), 'value')} that {'is not a number' if len(wrong) == 1 else 'are not numbers'}: "
        message += _cells(table, labels, wrong, cells)
        cures = dict.fromkeys(_cure_of(cells[row]) for row in wrong)
        problems.append(_found(table, wrong, message, "; ".join(cures), cited))
    return values


def _cure_of(cell: str) -> str:
    text = cell.strip()
    if text.startswith("#") or text.casefold() in {"-", "–", "—", "..", "*", "na", "n/a", "nan", "null", "none", "nil", "not known"}:
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
            message = f"column '{name}' has {count(len(rows), 'value')} {words}: {_cells(table, labels, rows, cells)}"
            message += f"; {bounds.why}" if bounds.why else ""
            problems.append(_found(table, rows, message, bounds.cure or "correct the values", cited))


def _below(bounds: Bounds) -> str:
    if bounds.above is not None:
        return f"not above {bounds.above:g}"
    return "below zero" if bounds.least == 0 else f"below {bounds.least:g}"


@dataclass(frozen=True)
class Keyed:
    """A table with its codes, for a join."""

    table: Table
    codes: Sequence[str]
    what: str


def join(keyed: Keyed, places: Keyed, cited: Cited, problems: list[Problem]) -> None:
    """Both tables must hold the same codes: each code that only one of them has is named, with its line."""
    have, want = set(keyed.codes), set(places.codes)
    if have == want:
        return
    hints = _look_alike(want - have, have - want)
    absent = _first_rows(places, want - have)
    surplus = _first_rows(keyed, have - want)
    if absent:
        message = f"no row for {count(len(absent), places.what)} of {places.table.file}: {_cells(places.table, places.codes, absent)}"
        cure = hints or f"add the missing rows to {keyed.table.file}; nothing is filled in"
        problems.append(Problem(message, cure, cited.key, cited.mark, file=keyed.table.file))
    if surplus:
        message = f"{count(len(surplus), 'code')} that {places.table.file} does not have: {_cells(keyed.table, keyed.codes, surplus)}"
        cure = hints or f"delete the rows, or add the codes to {places.table.file}"
        problems.append(_found(keyed.table, surplus, message, cure, cited))


def _first_rows(keyed: Keyed, wanted: Iterable[str]) -> list[int]:
    first: dict[str, int] = {}
    for row, code in enumerate(keyed.codes):
        first.setdefault(code, row)
    return sorted(first[code] for code in wanted if code.strip())


def _look_alike(absent: Iterable[str], surplus: Iterable[str]) -> str:
    """'write 'A1' for 'a1': they differ only by upper and lower case', for pairs that are nearly the same."""
    tests = (
        ("spaces around the code", lambda code: code.strip()),
        ("upper and lower case", lambda code: code.strip().casefold()),
        ("leading zeros", lambda code: code.strip().casefold().lstrip("0")),
    )
    said: dict[str, str] = {}
    for difference, form in tests:
        wanted = {form(code): code for code in sorted(absent)}
        for code in sorted(surplus):
            if form(code) in wanted:
                said.setdefault(code, f"'{wanted[form(code)]}' for '{code}' (they differ only by {difference})")
    return f"write {some(list(said.values()))}" if said else ""
