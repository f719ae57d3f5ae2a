"""Reading one table: every cell as text, once, with the line it stands on.

Nothing is trimmed, converted or filled in here; a column becomes numbers in `cells`, and only when the scenario uses
it. A file that cannot be read is refused whole, with the lines. Imports `errors` alone.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path

from allocopt.errors import Mark, Problem, TableFault

FIRST = 10
"""How many codes, lines or names a message lists before it gives the count of the rest."""


@dataclass(frozen=True)
class Origin:
    """The other file that a joined column was read from, and the line of each row in it."""

    file: str
    lines: Sequence[int]
    counted: str = "line"


@dataclass(frozen=True)
class Table:
    """One table as text: columns of equal length, and for each row the line (CSV) or row (Parquet) it was read from."""

    file: str
    sha256: str
    columns: Mapping[str, Sequence[str]]
    lines: Sequence[int]
    counted: str = "line"
    joined: Mapping[str, Origin] = field(default_factory=dict)
    """Columns that another table brought"""

    def __len__(self) -> int:
        return len(self.lines)

    def take(self, rows: Sequence[int]) -> Table:
        """The table with these rows, in this order; rows keep their line numbers."""
        columns = {name: [cells[row] for row in rows] for name, cells in self.columns.items()}
        joined = {name: replace(one, lines=[one.lines[row] for row in rows]) for name, one in self.joined.items()}
        return Table(self.file, self.sha256, columns, [self.lines[row] for row in rows], self.counted, joined)

    def of(self, name: str) -> Table:
        """The table as messages about column `name` cite it: the file and the lines that the column was read from."""
        origin = self.joined.get(name)
        if origin is None:
            return self
        return replace(self, file=origin.file, lines=origin.lines, counted=origin.counted)


@dataclass(frozen=True)
class Cited:
    """Where the scenario names a table or a column: the dotted key, and the mark when it is known."""

    key: str
    mark: Mark | None = None

    def problem(self, message: str, cure: str, *, file: str = "", line: int | None = None) -> Problem:
        """What is wrong with what is named here: at a line of a table, else where the scenario names it."""
        return Problem(message, cure, self.key, None if line else self.mark, file, line)


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
        cure = "save the table as CSV (UTF-8) and name that file"
        raise _unreadable(cited.problem(f"{file} is neither CSV nor Parquet", cure))
    return _read_csv(_decode(raw, file, cited), file, digest, cited)


def _unreadable(*problems: Problem) -> TableFault:
    return TableFault("a table cannot be read", problems)


def _not_found(path: Path, file: str, cited: Cited) -> Problem:
    if not path.parent.is_dir():
        return cited.problem(f"table not found: there is no folder {path.parent}", "correct the path")
    beside = sorted(item.name for item in path.parent.iterdir() if item.is_file())
    close = get_close_matches(path.name, beside, n=3, cutoff=0.6)
    has = some(beside) or "no files"
    cure = f"did you mean {' or '.join(map(repr, close))}?" if close else f"that folder has: {has}"
    return cited.problem(f"table not found: {file} (looked for {path})", cure)


def _decode(raw: bytes, file: str, cited: Cited) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = raw.count(b"\n", 0, fault.start) + 1
        message = f"the file is not UTF-8: byte 0x{raw[fault.start]:02x} on line {line} cannot be read"
        cure = "save it as 'CSV UTF-8' (in Excel: Save as, CSV UTF-8)"
        raise _unreadable(cited.problem(message, cure, file=file, line=line)) from None


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
        raise _unreadable(cited.problem(message, cure, file=file, line=began)) from None
    header = rows[0] if rows else []
    problems = _header_problems(header, file, cited) or _row_problems(header, rows[1:], lines[1:], file, cited)
    if problems:
        raise _unreadable(*problems)
    return Table(file, digest, dict(zip(header, zip(*rows[1:], strict=True), strict=True)), lines[1:])


def _header_problems(header: Sequence[str], file: str, cited: Cited) -> list[Problem]:
    if not any(header):
        message, cure = "the table is empty: it has no header", "begin it with a line of column names"
        return [cited.problem(message, cure, file=file, line=1)]
    twice = sorted({name for name in header if header.count(name) > 1})
    if not twice:
        return []
    at = {name: ", ".join(str(number) for number, given in enumerate(header, 1) if given == name) for name in twice}
    named = some([f"'{name}' (columns {numbers})" for name, numbers in at.items()])
    message = f"the header has the same name more than once: {named}"
    return [cited.problem(message, "give every column its own name", file=file, line=1)]


def _row_problems(
    header: Sequence[str], rows: Sequence[Sequence[str]], lines: Sequence[int], file: str, cited: Cited
) -> list[Problem]:
    if not rows:
        return [cited.problem("the table has no rows, only a header", "add its rows", file=file, line=1)]
    width = len(header)
    ragged = [(row, line) for row, line in zip(rows, lines, strict=True) if len(row) != width]
    if not ragged:
        return []
    named = some([f"{row[0]} (line {line}: {len(row)} cells)" for row, line in ragged])
    message = f"{count(len(ragged), 'line does', 'lines do')} not have the header's {width} cells: {named}"
    cure = "put cells that contain a comma in quotation marks, and write every cell, also the empty ones"
    return [cited.problem(message, cure, file=file, line=ragged[0][1])]


def _read_parquet(raw: bytes, file: str, digest: str, cited: Cited) -> Table:
    import pyarrow as pa  # noqa: PLC0415  not loaded for a run that reads only CSV
    from pyarrow import parquet  # noqa: PLC0415

    try:
        found = parquet.read_table(io.BytesIO(raw))
    except (pa.ArrowException, OSError) as fault:
        problem = cited.problem(f"not a Parquet file: {fault}", "write it again, or name a CSV file", file=file)
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
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else str(value)
