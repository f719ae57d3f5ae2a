"""A table is read as it stands or refused with the line, the cause and the cure."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from table_cases import PLACES, loaded, refused, write

from allocopt.errors import Mark, TableFault
from allocopt.inputs import read_inputs
from allocopt.inputs.tables import Cited, count, read_table, some

FIXTURES = Path(__file__).parent / "fixtures" / "tables"
HERE = Cited("inputs.places.table", Mark(Path("case.yaml"), 7, 12))


def unreadable(path: Path) -> str:
    with pytest.raises(TableFault) as fault:
        read_table(path, file=f"data/{path.name}", cited=HERE)
    return str(fault.value)


def test_every_cell_is_text_and_keeps_its_line() -> None:
    table = read_table(FIXTURES / "quoted.csv", file="data/quoted.csv", cited=HERE)
    # line 2 holds a comma, lines 3 and 4 are one cell with a line break, line 5 is blank, line 6 is the last row
    assert table.columns == {"code": ("A1", "A2", "A3"), "name": ("Alder, North", "Birch\nSurgery", " 007 ")}
    assert list(table.lines) == [2, 3, 6]


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    table = read_table(FIXTURES / "bom.csv", file="data/bom.csv", cited=HERE)
    assert list(table.columns) == ["code", "people"]


def test_a_table_that_is_not_there_is_answered_with_the_close_names() -> None:
    message = unreadable(FIXTURES / "quotes.csv")
    assert "case.yaml:7:12: inputs.places.table: table not found: data/quotes.csv" in message
    assert "cure: did you mean 'quoted.csv'" in message


def test_a_table_with_no_close_name_is_answered_with_what_the_folder_has() -> None:
    message = unreadable(FIXTURES / "zzzzzzzzz")
    assert "cure: that folder has: bom.csv" in message


def test_a_folder_that_is_not_there_is_named() -> None:
    assert "there is no folder" in unreadable(FIXTURES / "nowhere" / "places.csv")


def test_a_workbook_is_refused() -> None:
    message = unreadable(FIXTURES / "places.xlsx")
    assert "data/places.xlsx is neither CSV nor Parquet" in message
    assert "cure: save the table as CSV (UTF-8)" in message


def test_another_encoding_is_refused_with_the_line() -> None:
    message = unreadable(FIXTURES / "latin1.csv")
    assert "data/latin1.csv:3: inputs.places.table: the file is not UTF-8: byte 0xe9 on line 3" in message
    assert "cure: save it as 'CSV UTF-8'" in message


def test_ragged_lines_are_named() -> None:
    message = unreadable(FIXTURES / "ragged.csv")
    assert "data/ragged.csv:3: " in message
    assert "2 lines do not have the header's 3 cells: A2 (line 3: 4 cells), A4 (line 5: 2 cells)" in message
    assert "cure: put cells that contain a comma in quotation marks" in message


def test_an_open_quotation_mark_is_refused_with_the_line() -> None:
    message = unreadable(FIXTURES / "open_quote.csv")
    assert "data/open_quote.csv:3: inputs.places.table: not valid CSV" in message
    assert "cure: close the quotation mark" in message


def test_a_name_twice_in_the_header_is_refused() -> None:
    message = unreadable(FIXTURES / "twice.csv")
    assert "data/twice.csv:1: " in message
    assert "the header has the same name more than once: 'people' (columns 2, 4)" in message
    assert "cure: give every column its own name" in message


def test_a_table_without_rows_is_refused() -> None:
    message = unreadable(FIXTURES / "header_only.csv")
    assert "the table has no rows, only a header" in message
    assert "cure: add its rows" in message


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("")
    assert "the table is empty: it has no header" in unreadable(tmp_path / "empty.csv")


def test_a_parquet_table_gives_the_same_inputs(tmp_path: Path) -> None:
    write(tmp_path)
    pd.read_csv(tmp_path / "places.csv").to_parquet(tmp_path / "places.parquet")
    changes = {"inputs.places.table": "places.parquet", "inputs.baseline.table": "places.parquet"}
    csv, parquet = read_inputs(loaded(tmp_path)), read_inputs(loaded(tmp_path, changes))
    used = ["people", "need", "index", "imd"]
    pd.testing.assert_frame_equal(csv.places[used], parquet.places[used])
    assert parquet.notes == csv.notes


def test_a_parquet_table_is_counted_in_rows(tmp_path: Path) -> None:
    pd.DataFrame({"code": ["A1", "A2"], "name": ["a", "b"]}).to_parquet(tmp_path / "places.parquet")
    text = PLACES.replace("A2,", "A1,")
    write(tmp_path, places=text)
    pd.read_csv(tmp_path / "places.csv").to_parquet(tmp_path / "places.parquet")
    message = refused(tmp_path, {"inputs.places.table": "places.parquet"})
    assert "column 'code' has 1 code more than once: A1 (rows 1, 2)" in message


def test_a_file_that_is_not_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "places.parquet").write_text(PLACES)
    assert "not a Parquet file" in unreadable(tmp_path / "places.parquet")


def test_a_list_shows_the_first_ten_and_the_count_of_the_rest() -> None:
    assert some([str(n) for n in range(13)]) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 3 more"
    assert count(1, "place") == "1 place"
    assert count(1200, "body", "bodies") == "1,200 bodies"
