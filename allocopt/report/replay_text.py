"""What the terminal says of published rounds that were computed again. Imports `console`; types from `replay`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.markup import escape

from allocopt.report.console import console, table

if TYPE_CHECKING:
    from allocopt.replay import Episode, Row

ROWS = 12
"""Of a longer round only so many rows are shown when all rounds are: the farthest from what was published."""


def show_replay(episodes: Sequence[Episode], *, whole: bool) -> None:
    """Each round: how many figures are reproduced, published beside computed, and what to make of differences."""
    out = console()
    for one in episodes:
        out.print(f"[bold]{escape(one.title)}[/bold]   ({one.name})")
        out.print(f"{verdict(one)}; source: {escape(one.source)}", soft_wrap=True)
        rows = one.rows if whole or len(one.rows) <= ROWS else farthest(one)
        title = "" if len(rows) == len(one.rows) else f"the {len(rows)} of {len(one.rows)} figures farthest from print"
        out.print(table(title, ["figure", "published", "computed", "unit", ""], map(_cells, rows)))
        for words in one.words:
            out.print(escape(words))
        out.print("")


def verdict(one: Episode) -> str:
    """`35 of 35 published figures reproduced`, green when all are."""
    checked = [row for row in one.rows if row.published is not None]
    met = sum(row.passed for row in checked)
    colour = "green" if one.passed else "red"
    return f"[{colour}]{met} of {len(checked)} published figures reproduced[/{colour}]"


def farthest(one: Episode) -> list[Row]:
    """The rows that use up most of what rounding allows, most first; those without a published figure come last."""
    return sorted(one.rows, key=_used, reverse=True)[:ROWS]


def _used(row: Row) -> float:
    return -1.0 if row.published is None else abs(row.computed - row.published) / max(row.tolerance, 1e-12)


def _cells(row: Row) -> tuple[str, ...]:
    published = "not published" if row.published is None else f"{row.published:,.10g}"
    said = "" if row.published is None else "[green]met[/green]" if row.passed else "[red]NOT MET[/red]"
    return escape(row.label), published, _number(row), row.unit, said


def _number(row: Row) -> str:
    """As many decimals as tell it from the published figure's rounding."""
    if row.unit in ("practices", "people"):
        return f"{row.computed:,.0f}"
    digits = 0 if row.tolerance >= 1 else 3 if row.tolerance < 0.1 else 2
    return f"{row.computed:,.{digits}f}"
