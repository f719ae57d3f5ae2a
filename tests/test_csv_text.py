"""Tables are written as pandas writes them, to the byte."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocopt.csv_text import csv_text


def by_pandas(table: pd.DataFrame) -> str:
    return table.to_csv(index=False, lineterminator="\n", float_format="%.15g")


EVERY_KIND = pd.DataFrame(
    {
        "text": pd.Series(["plain", "with, comma", 'a "quote"', "two\nlines", None, " é£ "], dtype="str"),
        "whole, or not": pd.Series([1, -2, 0, 10**15, 5, 6]),
        "money": pd.Series([0.1, np.nan, 1e-300, -0.0, np.inf, 123456789.123456789]),
        "short": pd.Series([0.1, np.nan, 2.5, 1 / 3, 4.0, 5.0], dtype="float32"),
        "gaps": pd.Series([1, None, 3, None, 5, 6], dtype="Int64"),
        "fractions with gaps": pd.Series([1.25, None, 1 / 3, None, 5, 6], dtype="Float64"),
        "true": pd.Series([True, False, True, True, False, False]),
        "true with gaps": pd.Series([True, None, False, None, True, True], dtype="boolean"),
        "anything": pd.Series([1, 0.1 + 0.2, None, "x,y", True, np.nan], dtype=object),
        "kind": pd.Categorical(["a", "b", None, "a,b", "a", "b"]),
        "small": pd.Series([1, 2, 3, 4, 5, 255], dtype="uint8"),
    }
)


def test_every_kind_of_column_is_written_as_pandas_writes_it():
    assert csv_text(EVERY_KIND) == by_pandas(EVERY_KIND)


@pytest.mark.parametrize("column", EVERY_KIND.columns)
def test_one_column_alone_is_written_as_pandas_writes_it(column):
    assert csv_text(EVERY_KIND[[column]]) == by_pandas(EVERY_KIND[[column]])


@pytest.mark.parametrize("table", [EVERY_KIND.iloc[:0], EVERY_KIND.iloc[:0, :1], EVERY_KIND.iloc[::-2]])
def test_no_rows_and_rows_out_of_order_are_written_as_pandas_writes_them(table):
    assert csv_text(table) == by_pandas(table)


def test_columns_of_one_name_are_both_written():
    table = pd.DataFrame([[1, 2.5], [3, 4.5]], columns=["twice", "twice"])
    assert csv_text(table) == "twice,twice\n1,2.5\n3,4.5\n" == by_pandas(table)


@given(st.lists(st.floats(), max_size=20), st.lists(st.text(st.characters(codec="utf-8")), max_size=20))
def test_any_numbers_and_texts_are_written_as_pandas_writes_them(numbers, texts):
    length = min(len(numbers), len(texts))
    table = pd.DataFrame({"number": numbers[:length], "text": pd.Series(texts[:length], dtype=object)})
    assert csv_text(table) == by_pandas(table)


def test_dates_are_refused():
    with pytest.raises(TypeError, match="the column day holds dates or times"):
        csv_text(pd.DataFrame({"day": pd.to_datetime(["2026-01-01"])}))
