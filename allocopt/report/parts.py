"""The parts of a page: sections of figures, tables and words. Frozen data that a template or a workbook can show.

Imports nothing of allocopt but `units` (how money is said).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

Kind = Literal["text", "hash", "gbp", "pct", "count", "number", "index", "per_head"]
"""How a column is written: money in whole pounds, rates in percent, counts with thousands, indices to four places."""

_ENDINGS: Mapping[str, Kind] = {"_gbp": "gbp", "_pct": "pct", "_per_head": "per_head", "population": "count"}
_COUNTS = frozenset({"places", "gaining", "losing", "within", "rows", "binding", "moved"})


@dataclass(frozen=True)
class Column:
    """A column of a grid: its heading, how its cells are written, and what it means."""

    heading: str
    kind: Kind = "text"
    note: str = ""


@dataclass(frozen=True)
class Grid:
    """A table as people read it; `rows` hold plain values, the last one is a total when `total` says so."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    total: bool = False

    @property
    def written(self) -> list[list[str]]:
        """The cells as text."""
        kinds = [column.kind for column in self.columns]
        return [[write(value, kind) for value, kind in zip(row, kinds, strict=True)] for row in self.rows]


@dataclass(frozen=True)
class Figure:
    """One picture: a Plotly `spec` or an `svg`, always with a caption (what to see), alt text and its own figures."""

    id: str
    title: str
    caption: str
    alt: str
    spec: Mapping[str, Any] | None = None
    svg: str | None = None
    grid: Grid | None = None
    modelled: bool = False
    key: tuple[tuple[str, str], ...] = ()
    """For a map: what each style of mark means."""


@dataclass(frozen=True)
class Section:
    """A headed part of the page; `words` are paragraphs, `items` a list of sentences."""

    id: str
    title: str
    words: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    grids: tuple[Grid, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Anything only one kind of section has, such as the searchable table of places."""


def kind_of(measure: str) -> Kind:
    """How a measure is written, read off its name."""
    if measure in _COUNTS or measure.endswith("places"):
        return "count"
    return next((kind for ending, kind in _ENDINGS.items() if measure.endswith(ending)), "number")


def heading_of(measure: str) -> str:
    """`closing_dft_pct` as a heading: `closing distance from target, %`."""
    words = measure.removesuffix("_gbp").removesuffix("_pct").removesuffix("_per_head").replace("_", " ")
    words = words.replace("dft", "distance from target").replace("imd", "deprivation score")
    unit = next((said for ending, said in _UNITS if measure.endswith(ending)), "")
    return f"{words}{unit}"


_UNITS = (("_gbp", ", £"), ("_pct", ", %"), ("_per_head", ", £ a head"))


def grid_of(title: str, table: pd.DataFrame, first: str, measures: Sequence[str] = ()) -> Grid:
    """A wide table as a grid: the index under the heading `first`, then `measures` (all columns without them)."""
    shown = [name for name in (measures or list(table.columns)) if name in table.columns]
    columns = (Column(first), *(Column(heading_of(str(name)), kind_of(str(name))) for name in shown))
    values = table[shown].to_numpy(dtype=object)
    rows = tuple((str(group).replace("_", " "), *row) for group, row in zip(table.index, values.tolist(), strict=True))
    return Grid(title, columns, rows, total=bool(len(table)) and str(table.index[-1]) == "total")


def grid_of_frame(title: str, frame: pd.DataFrame) -> Grid:
    """A table without an index as a grid; text columns stay text."""
    kinds = [kind_of(str(name)) if frame[name].dtype.kind in "iuf" else "text" for name in frame.columns]
    columns = tuple(Column(heading_of(str(name)), kind) for name, kind in zip(frame.columns, kinds, strict=True))
    return Grid(title, columns, tuple(tuple(row) for row in frame.to_numpy(dtype=object).tolist()))


def empty(value: Any) -> bool:
    """Whether a cell has nothing to show."""
    return value is None or (isinstance(value, (float, np.floating)) and not np.isfinite(value))


def write(value: Any, kind: Kind) -> str:
    """A cell as text: `£1,234`, `-2.50%`, `7,325`; a missing value is a dash."""
    if empty(value):
        return "–"
    if kind in ("text", "hash") or isinstance(value, (str, bool)):
        return str(value)
    return str(_WRITE[kind](value))


def pounds(value: float) -> str:
    """Whole pounds with a sign before the pound: -1234 -> `-£1,234`."""
    size = abs(round(value))
    return f"{'-' if round(value) < 0 else ''}£{size:,}"


_WRITE: Mapping[str, Any] = {
    "gbp": pounds,
    "pct": lambda value: f"{value + 0.0:.2f}%",
    "count": lambda value: f"{value:,.0f}",
    "number": lambda value: f"{value:,.6g}",
    "index": lambda value: f"{value:.4f}",
    "per_head": lambda value: f"{'-' if value < 0 else ''}£{abs(value):,.2f}",
}
