"""Rows that are handed over as columns stand in the file as xlsxwriter would have written them cell by cell."""

from __future__ import annotations

import math
import re
from io import BytesIO
from zipfile import ZipFile

import pytest
import xlsxwriter

from allocopt.report.bulk import BulkSheet, Column, packed_quickly

COLUMNS = {
    "text": ["Oak", "Elm & Ash", None, "Oak", " spaced ", "Elm & Ash"],
    "whole": [1, -2, 0, 10**15, 7, 7],
    "fraction": [0.1 + 0.2, -0.0, 1e-300, 123456789.123456789, 2.5e22, 1 / 3],
    "gaps": [1.5, None, 3, float("nan"), math.inf, -math.inf],
    "not all finite": [1.5, math.nan, 2.0, math.inf, -math.inf, 1e16],
    "mixed": [1, 2.5, True, False, 3, None],
    "nothing": [None, None, None, None, None, None],
    "more text": ["Oak", None, "new", "new", "5", "1.0"],
}
SHEET = "xl/worksheets/sheet1.xml"
TEXT = ("text", "more text")


def parts(*, in_bulk: bool) -> dict[str, bytes]:
    """The files of a workbook with all columns from its third row on, without the hints of how wide a row is."""
    stream = BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True, "strings_to_numbers": False}) as book:
        page, look = book.add_worksheet("one", BulkSheet if in_bulk else None), book.add_format({"bold": True})
        page.write_string(0, 0, "Oak")
        if in_bulk:
            page.write_columns(2, [Column(values, look, name in TEXT) for name, values in COLUMNS.items()])
        else:
            for at, (name, values) in enumerate(COLUMNS.items()):
                for row, value in enumerate(values, start=2):
                    if value is not None and not (isinstance(value, float) and not math.isfinite(value)):
                        (page.write_string if name in TEXT else page.write_number)(row, at, value, look)
        page.write_string(8, 0, "after")
    with ZipFile(stream) as files:
        found = {name: files.read(name) for name in files.namelist() if name != "docProps/core.xml"}
    return found | {SHEET: re.sub(rb' spans="[0-9:]+"', b"", found[SHEET])}


def test_columns_are_written_as_their_cells_would_be_one_by_one():
    one, other = parts(in_bulk=True), parts(in_bulk=False)
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []


def test_packing_quickly_changes_no_content_and_ends_with_its_block():
    with packed_quickly():
        packed = parts(in_bulk=True)
    assert packed == parts(in_bulk=True)
    assert xlsxwriter.workbook.ZipFile is ZipFile


def test_packing_quickly_ends_when_writing_fails():
    with pytest.raises(ValueError, match="torn"), packed_quickly():
        raise ValueError("torn")
    assert xlsxwriter.workbook.ZipFile is ZipFile
