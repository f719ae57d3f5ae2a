"""A finished run with one figure changed and the seals renewed, as a forger would: what `verify` makes of it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from allocopt.check.folder import verify

ASIDE = ("scenario", "inputs", "versions", "format", "hash", "overrides", "name", "model")
"""Keys of run.json that say what was asked, of what, and with which programs: held by the hash and the files' own."""


@dataclass(frozen=True)
class Figure:
    """One number of a run folder: the file, where in it, and what stands there."""

    file: str
    at: tuple[Any, ...]
    value: float

    def __str__(self) -> str:
        return f"{self.file}: {'.'.join(map(str, self.at))} = {self.value!r}"


def changed(value: float) -> float:
    """One per cent more, or the next whole number; 0 becomes 1."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + max(1, round(abs(value) / 100))
    return value * 1.01 if value else 1.0


def figures(folder: Path) -> Iterator[Figure]:
    """Every number of run.json and of the tables."""
    yield from _of(json.loads((folder / "run.json").read_text(encoding="utf-8")), "run.json", ())
    for path in sorted(folder.glob("*.csv")):
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
        for row, cells in enumerate(rows[1:], 1):
            for column, cell in enumerate(cells):
                if (number := _number(cell)) is not None:
                    yield Figure(path.name, (row, column, rows[0][column]), number)


def _of(node: Any, file: str, at: tuple[Any, ...]) -> Iterator[Figure]:
    parts = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, one in parts:
        if at or key not in ASIDE:
            yield from _of(one, file, (*at, key))
    if isinstance(node, int | float):
        yield Figure(file, at, node)


def _number(cell: str) -> float | None:
    try:
        return int(cell)
    except ValueError:
        try:
            return float(cell)
        except ValueError:
            return None


def passes_with(folder: Path, figure: Figure, change: Callable[[float], float] = changed) -> bool:
    """Whether `verify` passes the folder with that figure changed; the folder is as before afterwards."""
    path = folder / figure.file
    before = path.read_bytes()
    path.write_text(_rewritten(before.decode("utf-8"), figure, change(figure.value)), encoding="utf-8")
    try:
        with resealed(folder):
            return verify(folder).passed
    finally:
        path.write_bytes(before)


def _rewritten(text: str, figure: Figure, value: float) -> str:
    if figure.file == "run.json":
        record = json.loads(text)
        node = record
        for key in figure.at[:-1]:
            node = node[key]
        node[figure.at[-1]] = value
        return json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    rows = list(csv.reader(io.StringIO(text)))
    row, column, _ = figure.at
    rows[row][column] = str(value)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


class resealed:  # noqa: N801 - read as a statement: with resealed(folder)
    """timing.json notes the hashes of the files as they now stand, and as before afterwards."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "timing.json"

    def __enter__(self) -> None:
        self.before = self.path.read_bytes()
        timing = json.loads(self.before)
        timing["sha256"] = {
            name: sha256((self.folder / name).read_bytes()).hexdigest()
            for name in timing["sha256"]
            if (self.folder / name).is_file()
        }
        self.path.write_text(json.dumps(timing), encoding="utf-8")

    def __exit__(self, *_: object) -> None:
        self.path.write_bytes(self.before)
