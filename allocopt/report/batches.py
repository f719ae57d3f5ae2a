"""What the terminal says about sweeps, batches and comparisons. Imports `batches` and `report.console`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.markup import escape

from allocopt.report.console import console, table

if TYPE_CHECKING:
    from allocopt.batches import Batch, Progress
    from allocopt.batches.checking import SweepCheck
    from allocopt.comparison import Comparison

EVERY = 10.0
"""Seconds between lines of progress where there is no terminal."""
SHOWN = 20
WIDE = 5
"""Runs that fit side by side on a terminal."""


@contextmanager
def watching(*, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Progress on stderr: cases, rate and time left; a case that fails is told at once."""
    if quiet:
        yield lambda _progress: None
    elif sys.stderr.isatty():
        yield from _on_a_terminal()
    else:
        yield _Lines()


def _on_a_terminal() -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import Progress as Bar  # noqa: PLC0415

    with Bar(console=Console(stderr=True)) as bar:
        task = bar.add_task("cases", total=None)

        def tell(progress: Progress) -> None:
            bar.update(task, total=progress.total, completed=progress.done, description=said(progress))
            if progress.failure:
                bar.console.print(f"[red]failed[/red] {escape(progress.failure)}")

        yield tell


class _Lines:
    """A line every few seconds, for logs."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        if progress.failure:
            sys.stderr.write(f"failed {progress.failure}\n")
        if time.monotonic() - self._last >= EVERY:
            self._last = time.monotonic()
            sys.stderr.write(f"{said(progress)}\n")


def said(progress: Progress) -> str:
    """`320 of 1,000 cases, 12.1 a second, 56 s left`."""
    left = progress.seconds_left
    rest = "" if left is None else f", {progress.rate:,.1f} a second, {left:,.0f} s left"
    return f"{progress.done:,} of {progress.total:,} cases{rest}"


def show_sweep(found: SweepCheck) -> None:
    """The count and the first rows."""
    out = console()
    out.print(f"[bold]{escape(found.name)}[/bold]: {found.cases:,} cases, nothing wrong found")
    keys = list(dict.fromkeys(key for row in found.first for key in row))
    rows = [[escape(str(row.get(key, ""))) for key in keys] for row in found.first]
    out.print(table(f"The first {len(rows)}", keys, rows, left=len(keys)))
    if found.unique < found.cases:
        out.print(f"{found.cases - found.unique:,} cases repeat another: they are solved once")
    out.print(f"kept of each case: {', '.join(found.keep)}")
    for warning in found.warnings:
        out.print(f"[yellow]note:[/yellow] {escape(warning)}")


def show_batch(found: Batch, *, quiet: bool = False) -> None:
    """How the cases ended and where the results are."""
    out = console()
    if quiet:
        out.print(str(found.folder), soft_wrap=True)
        return
    said = found.record
    out.print(f"[bold]{escape(said['name'])}[/bold]: {said['cases']:,} cases ({said['how']})")
    rows = [(status, f"{count:,}") for status, count in said["statuses"].items()]
    out.print(table("", ["status", "cases"], rows))
    wrong = found.results[~found.results["status"].isin(["optimal"])]
    if len(wrong) and "message" in wrong:
        told = wrong.head(SHOWN)[["number", "status", "message"]].fillna({"message": ""})
        rows3 = [(str(row["number"]), str(row["status"]), escape(str(row["message"]))) for _, row in told.iterrows()]
        out.print(table("Cases without a proven result", ["case", "status", "why"], rows3, left=3))
    if found.reused:
        out.print(f"{found.reused:,} cases were done already and were not solved again")
    for warning in said["warnings"]:
        out.print(f"[yellow]note:[/yellow] {escape(warning)}")
    out.print(f"written to {found.folder}", soft_wrap=True)


def show_comparison(found: Comparison) -> None:
    """The tables of a comparison, one under the other."""
    out = console()
    frames = (
        ("Figures", found.figures, 1),
        ("What was asked (internal units: GBP m, fractions)", found.settings, 1),
        ("Rules: rows that bind, and price", found.rules, 2),
        ("Input tables whose bytes differ", found.inputs, 1),
        ("Places whose money differs most, in pounds", found.movers, 2),
    )
    for title, frame, left in frames:
        if not len(frame):
            none = "none, or no table was kept" if frame is found.movers else "none"
            out.print(f"{title}: {none}")
            continue
        shown = frame.drop(columns=[name for name in found.runs[WIDE:] if name in frame])
        rows = [[escape(_cell(value)) for value in row] for row in shown.itertuples(index=False)]
        out.print(table(title, [str(name) for name in shown.columns], rows, left=left))
    if len(found.runs) > WIDE:
        out.print(f"{len(found.runs) - WIDE} more runs are compared in --json, and every case stands in results.csv")


def _cell(value: object) -> str:
    if value is None or value != value:  # noqa: PLR0124 - only NaN differs from itself
        return "–"
    if isinstance(value, float):
        return f"{value:,.6g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
