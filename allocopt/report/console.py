"""One way to print: rich tables on a terminal, the same words without colour in a pipe. Imports nothing of allocopt."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

PIPE_WIDTH = 120


def console() -> Console:
    """stdout: coloured and as wide as the terminal, or plain and 120 wide in a pipe."""
    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(highlight=False, width=PIPE_WIDTH, no_color=True)


def table(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> Table:
    """A plain table: the first `left` columns to the left, the others (figures) to the right."""
    made = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD, title_style="bold", pad_edge=False)
    for number, heading in enumerate(headings):
        made.add_column(heading, justify="left" if number < left else "right", overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made
