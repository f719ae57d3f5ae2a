"""The workbook: its totals are formulas that agree with the run, and it opens without a warning."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import zipfile
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from allocopt.runs import Run

SPACE = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


class Book:
    """Cells of a workbook by sheet: stored value and formula."""

    def __init__(self, data: bytes) -> None:
        self.files = zipfile.ZipFile(BytesIO(data))
        self.text = self._shared()
        book = ET.fromstring(self.files.read("xl/workbook.xml"))  # noqa: S314 - our own file
        self.names = [str(sheet.get("name")) for sheet in book.findall(".//m:sheet", SPACE)]

    def _shared(self) -> list[str]:
        root = ET.fromstring(self.files.read("xl/sharedStrings.xml"))  # noqa: S314 - our own file
        return [
            "".join(part.text or "" for part in one.findall(".//m:t", SPACE)) for one in root.findall("m:si", SPACE)
        ]

    def cells(self, name: str) -> dict[str, tuple[str | float, str | None]]:
        at = self.names.index(name) + 1
        root = ET.fromstring(self.files.read(f"xl/worksheets/sheet{at}.xml"))  # noqa: S314 - our own file
        found = {}
        for cell in root.findall(".//m:c", SPACE):
            value, formula = cell.find("m:v", SPACE), cell.find("m:f", SPACE)
            if value is not None and value.text is not None:
                plain = self.text[int(value.text)] if cell.get("t") == "s" else float(value.text)
                found[str(cell.get("r"))] = (plain, None if formula is None else formula.text)
        return found


def book_of(run: Run) -> Book:
    assert run.folder is not None
    return Book((run.folder / "report.xlsx").read_bytes())


def column_of(cells: dict[str, tuple[str | float, str | None]], heading: str, row: int = 2) -> str:
    return next(re.sub(r"\d", "", at) for at, (value, _) in cells.items() if value == heading and at.endswith(str(row)))


@pytest.mark.parametrize(
    ("heading", "key"),
    [("allocation, £", "pot_gbp"), ("deficit, £", "gross_deficit_gbp"), ("surplus, £", "gross_surplus_gbp")],
)
def test_totals_are_formulas_that_agree_with_the_run_to_the_pound(national, heading, key):
    cells = book_of(national).cells("allocations")
    column, last = column_of(cells, heading), 2 + len(national.allocations)
    value, formula = cells[f"{column}{last + 1}"]
    assert formula == f"SUM({column}3:{column}{last})"
    assert value == national.headline[key]
    assert value == sum(float(cells[f"{column}{row}"][0]) for row in range(3, last + 1))


def test_every_sum_on_every_sheet_adds_up_to_the_figure_that_is_stored_with_it(national):
    book, found = book_of(national), 0
    for name in book.names:
        cells = book.cells(name)
        for value, formula in cells.values():
            span = re.fullmatch(r"SUM\(([A-Z]+)(\d+):[A-Z]+(\d+)\)", formula or "")
            if span is None:
                continue
            rows = range(int(span[2]), int(span[3]) + 1)
            added = sum(float(cells[f"{span[1]}{row}"][0]) for row in rows if f"{span[1]}{row}" in cells)
            assert added == pytest.approx(value, rel=1e-12, abs=1e-6), (name, formula)
            found += 1
    assert found > 60


def test_the_cover_shows_the_scenario_the_gap_and_the_caveats(national):
    said = {value for value, _ in book_of(national).cells("cover").values()}
    assert national.record["name"] in said
    assert any("gap £0" in str(one) for one in said)
    assert set(national.record["warnings"]) <= said
    differences = [value for value, formula in book_of(national).cells("cover").values() if formula]
    assert differences == [0.0, 0.0, 0.0]


def test_there_is_one_sheet_a_table_with_frozen_and_filtered_headings(national):
    book = book_of(national)
    tables = dict.fromkeys(national.effects["table"])
    assert {"cover", "allocations", "rules", "assumptions", "definitions", "provenance", *tables} == set(book.names)
    for name in ("allocations", *tables):
        sheet = book.files.read(f"xl/worksheets/sheet{book.names.index(name) + 1}.xml").decode()
        assert 'state="frozen"' in sheet
        assert "<autoFilter" in sheet


def test_money_is_formatted_as_pounds_and_rates_as_percentages(small):
    styles = book_of(small).files.read("xl/styles.xml").decode()
    assert "£#,##0" in styles
    assert "0.00&quot;%&quot;" in styles


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed on this machine")
def test_libreoffice_opens_it_and_works_out_the_same_totals(small, tmp_path):
    assert small.folder is not None
    source = tmp_path / "report.xlsx"
    shutil.copy(small.folder / "report.xlsx", source)
    sheet = 1 + book_of(small).names.index("allocations")
    profile = f"-env:UserInstallation=file://{tmp_path / 'profile'}"
    options = f"csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,false,false,false,{sheet}"
    words = ["soffice", "--headless", profile, "--convert-to", options, "--outdir", str(tmp_path), str(source)]
    subprocess.run(words, check=True, capture_output=True, timeout=120)
    with next(iter(tmp_path.glob("report*.csv"))).open(encoding="utf-8") as opened:
        rows = list(csv.reader(opened))
    total = rows[-1][rows[1].index("allocation, £")]
    assert rows[-1][0] == "total"
    assert float(re.sub(r"[£,]", "", total)) == small.headline["pot_gbp"]


def test_the_workbook_carries_no_clock(small):
    properties = book_of(small).files.read("docProps/core.xml").decode()
    assert "2000-01-01T00:00:00Z" in properties
    assert {info.date_time[:3] for info in book_of(small).files.infolist()} == {(1980, 1, 1)}


def test_the_file_is_small_enough_to_send(national):
    assert (Path(str(national.folder)) / "report.xlsx").stat().st_size < 3e6
