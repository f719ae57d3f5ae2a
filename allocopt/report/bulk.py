"""A worksheet that takes its rows as whole columns: half a million cells in a third of a second.

xlsxwriter holds an object for every cell and writes them one by one, which took as long as the rest of a national run.
Here the rows of a table become text in one go, and stand where xlsxwriter would have written them; everything else of
the sheet stays its own. Imports nothing of the package.
"""

# ruff: noqa: SLF001 - a worksheet class of xlsxwriter's writes through its inner methods, as its own do

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet


@dataclass(frozen=True)
class Column:
    """The cells of one column: `values` (None or NaN: no cell), a format of the workbook's, text or numbers."""

    values: Sequence[Any]
    look: Any
    is_text: bool


class BulkSheet(Worksheet):  # type: ignore[misc]
    """A worksheet with one block of rows that were handed over column by column."""

    def __init__(self) -> None:
        super().__init__()
        self.dim_rowmin: Any = self.dim_rowmin
        self.dim_rowmax: Any = self.dim_rowmax
        self._first, self._end = 0, 0
        self._block: list[tuple[list[str], Column]] = []

    def write_columns(self, first: int, columns: Sequence[Column]) -> None:
        """Rows from `first` on, of columns of one length."""
        number = len(columns[0].values) if columns else 0
        if number:
            self._first, self._end = first, first + number
            self._block = [(self._said(one), one) for one in columns]
            self._check_dimensions(first, 0)
            self._check_dimensions(first + number - 1, len(columns) - 1)

    def _said(self, column: Column) -> list[str]:
        """What each cell holds: a number, or the place of a text in the workbook's table of texts."""
        index = self.str_table._get_shared_string_index
        write = (lambda value: str(index(value))) if column.is_text else _number
        return ["" if _none(one) else write(one) for one in column.values]

    def _write_rows(self) -> None:
        """Called by xlsxwriter: the rows before the block, the block, the rows after it."""
        if not self._block:
            super()._write_rows()
            return
        low, high = self.dim_rowmin, self.dim_rowmax
        self.dim_rowmax = self._first - 1
        super()._write_rows()
        self.fh.write("".join(self._rows()))
        self.dim_rowmin, self.dim_rowmax = self._end, high
        super()._write_rows()
        self.dim_rowmin = low

    def _rows(self) -> list[str]:
        numbers = [str(row + 1) for row in range(self._first, self._end)]
        cells = [self._cells(at, numbers, *one) for at, one in enumerate(self._block)]
        return [f'<row r="{number}">{"".join(row)}</row>' for number, *row in zip(numbers, *cells, strict=True)]

    def _cells(self, at: int, numbers: Sequence[str], said: Sequence[str], column: Column) -> list[str]:
        start = f'<c r="{xl_col_to_name(at)}'
        kind = ' t="s"' if column.is_text else ""
        middle = f'" s="{column.look._get_xf_index()}"{kind}><v>'
        return [
            f"{start}{number}{middle}{one}</v></c>" if one else "" for number, one in zip(numbers, said, strict=True)
        ]


def _none(value: Any) -> bool:
    return value is None or (value.__class__ is float and not math.isfinite(value))


def _number(value: float) -> str:
    """As xlsxwriter writes it: sixteen digits."""
    return str(value) if value.__class__ is int else f"{value:.16G}"
