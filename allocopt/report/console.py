"""One way to print: rich tables on a terminal, the same words without colour in a pipe. Imports nothing of allocopt.

In a pipe the width is 120 (or the variable COLUMNS), and no line ends in spaces.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from io import TextIOBase
from typing import IO, cast

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

PIPE_WIDTH = 120
FIGURE = 24
"""Characters: what is longer is words."""


def console() -> Console:
    """stdout: coloured and as wide as the terminal, or plain and as wide as `width` says in a pipe."""
    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(highlight=False, width=pipe_width(), no_color=True, file=cast("IO[str]", _Trimmed(sys.stdout)))


def pipe_width() -> int:
    """120, or COLUMNS where it is a number of at least 40."""
    asked = os.environ.get("COLUMNS", "")
    return int(asked) if asked.isdigit() and int(asked) >= 40 else PIPE_WIDTH


class _Trimmed(TextIOBase):
    """A stream without spaces at the ends of lines."""

    def __init__(self, to: IO[str]) -> None:
        self._to = to

    def write(self, text: str) -> int:
        return self._to.write(re.sub(r"[ ]+(?=\n|$)", "", text))

    def flush(self) -> None:
        self._to.flush()

    def isatty(self) -> bool:
        return False


def table(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> Table:
    """A plain table: the first `left` columns and columns of words to the left, columns of figures to the right."""
    made = Table(
        title=f"\n{title}" if title else None,
        title_justify="left",
        box=SIMPLE_HEAD,
        title_style="bold",
        pad_edge=False,
        show_edge=False,
    )
    cells = [tuple(row) for row in rows]
    for number, heading in enumerate(headings):
        words = number < left or not all(_figure(row[number]) for row in cells)
        made.add_column(heading, justify="left" if words else "right", overflow="fold")
    for row in cells:
        made.add_row(*row)
    return made


def _figure(cell: str) -> bool:
    """Whether a cell is a figure, a dash or nothing; a sentence that begins with one is not."""
    return not cell or (cell[0] in "-+–£.0123456789" and len(cell) < FIGURE)
