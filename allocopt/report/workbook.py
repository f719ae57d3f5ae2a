"""report.xlsx: the tables of a run for those who work in spreadsheets: formats, filters, notes, and totals as formulas.

A total is a formula over the sheet's own rows and agrees with the run to the pound; its stored value is the run's, so
that a viewer that does not calculate shows the same. The same run gives the same bytes. Imports `account`, `bulk`,
`glossary`, `headline`, `material`, `parts`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pandas as pd
import xlsxwriter
from xlsxwriter.utility import xl_col_to_name, xl_rowcol_to_cell

from allocopt.report.account import ATTRIBUTION, DEFINITIONS, assumptions
from allocopt.report.bulk import BulkSheet, Column, packed_quickly
from allocopt.report.glossary import COLUMNS, SPENDING
from allocopt.report.headline import headline_rows, objective_row, rule_row, status_words
from allocopt.report.material import Material, command
from allocopt.report.parts import empty, heading_of, kind_of

EPOCH = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)
"""The creation date of every workbook: a clock would change its bytes."""
FORMATS = {
    "gbp": "£#,##0;[Red]-£#,##0",
    "pct": '0.00"%";[Red]-0.00"%"',
    "count": "#,##0",
    "per_head": "£#,##0.00;[Red]-£#,##0.00",
    "number": "#,##0.######",
    "index": "0.0000",
    "text": "@",
}
ADDED = frozenset({"gbp", "count"})
"""Kinds of column that add up; a rate never does."""
NOT_ADDED = frozenset({"largest_gain_gbp", "largest_loss_gbp", "need_index", "opposite_population"})


@dataclass(frozen=True)
class Sheet:
    """One sheet: a table whose columns keep the names of the CSV, a title, and whether a total row ends it."""

    name: str
    title: str
    table: pd.DataFrame
    total: bool


def workbook(found: Material) -> bytes:
    """The workbook of a run as bytes."""
    stream = BytesIO()
    options = {"in_memory": True, "strings_to_numbers": False, "strings_to_formulas": False}
    with packed_quickly(), xlsxwriter.Workbook(stream, options) as book:
        book.set_properties(
            {"title": str(found.record["name"]), "created": EPOCH, "comments": f"allocopt run {found.name}"}
        )
        looks = Looks(book)
        shown = sheets(found)
        _cover(book, looks, found, shown)
        for one in shown:
            _sheet(book, looks, one, mark=found.mark)
        _text_sheet(book, looks, "rules", ("rule", "binding rows", "price", "why", "source"), _rules(found))
        _text_sheet(
            book, looks, "assumptions", ("key", "value", "why", "source"), assumptions(found.record["scenario"])
        )
        _text_sheet(book, looks, "definitions", ("word", "meaning"), DEFINITIONS)
        _text_sheet(book, looks, "provenance", ("what", "value"), _provenance(found))
    return stream.getvalue()


class Looks:
    """The formats of a workbook, each made once."""

    def __init__(self, book: Any) -> None:
        plain = {"font_name": "Arial", "font_size": 10, "valign": "top"}
        self.kinds = {kind: book.add_format({**plain, "num_format": said}) for kind, said in FORMATS.items()}
        bold = {**plain, "bold": True, "top": 2}
        self.totals = {kind: book.add_format({**bold, "num_format": said}) for kind, said in FORMATS.items()}
        self.head = book.add_format({**plain, "bold": True, "text_wrap": True, "bottom": 2, "bg_color": "#E8EDF2"})
        self.title = book.add_format({**plain, "bold": True, "font_size": 12})
        self.big = book.add_format({**plain, "bold": True, "font_size": 16})
        self.wrap = book.add_format({**plain, "text_wrap": True})
        self.bold = book.add_format({**plain, "bold": True, "text_wrap": True})
        self.link = book.add_format({**plain, "font_color": "#005A8C", "underline": 1})


def sheets(found: Material) -> list[Sheet]:
    """Places, effects, then whatever else there is; limits and formula components stay in their CSV, for machines."""
    shown: list[Sheet] = []
    if found.allocates:
        title = f"Allocations by place and year{found.mark}"
        shown.append(Sheet("allocations", title, _without_places(found), total=True))
    for name in found.effects_names:
        table = found.wide(name)
        assert table is not None
        if name not in found.tables or name.startswith("formula"):
            shown.append(_effects_sheet(f"{name}_effects" if name in found.tables else name, found.title(name), table))
    known = {"allocations", "effects", "limits", "formula_components"} | ({"places"} if found.allocates else set())
    for name, table in found.tables.items():
        if name not in known and len(table):
            shown.append(Sheet(_sheet_name(name, shown), name.replace("_", " "), table, total=name == "consortia"))
    return shown


def _without_places(found: Material) -> pd.DataFrame:
    """The allocations with region and area beside the name, for filters."""
    table, known = found.tables["allocations"], found.tables.get("places")
    if known is None:
        return table
    labels = [name for name in ("region", "area") if name in known]
    joined = table.merge(known[["place", *labels]], on="place", how="left", validate="many_to_one")
    return joined[["place", "name", *labels, *[name for name in table.columns if name not in ("place", "name")]]]


def _effects_sheet(name: str, title: str, table: pd.DataFrame) -> Sheet:
    total = str(table.index[-1]) == "total"
    rows = (table.iloc[:-1] if total else table).rename_axis("group").reset_index()
    rows.attrs = {"stated": table.iloc[-1].to_dict() if total else {}}
    return Sheet(_sheet_name(name, ()), title, rows, total=total)


def _sheet_name(name: str, others: Sequence[Sheet]) -> str:
    short, taken = name[:31], {one.name for one in others}
    return short if short not in taken else f"{short[:28]}_{len(others)}"


def _sheet(book: Any, looks: Looks, one: Sheet, *, mark: str) -> None:
    page = book.add_worksheet(one.name, BulkSheet)
    names = [str(name) for name in one.table.columns]
    kinds = [kind_of(name) if one.table[name].dtype.kind in "iuf" else "text" for name in one.table.columns]
    modelled = mark if SPENDING & set(names) and mark.strip() not in one.title else ""
    page.write_string(0, 0, f"{one.title}{modelled}", looks.title)
    for at, name in enumerate(names):
        page.write_string(1, at, heading_of(name), looks.head)
        if name in COLUMNS:
            page.write_comment(
                1, at, COLUMNS[name] + (mark if name in SPENDING else ""), {"x_scale": 1.6, "author": "allocopt"}
            )
    _rows(page, looks, one, kinds)
    if one.total and len(one.table):
        _total(page, looks, one, names, kinds)
    last = 1 + len(one.table)
    page.autofilter(1, 0, last, len(names) - 1)
    page.freeze_panes(2, 2 if len(names) > 1 and names[1] == "name" else 1)
    _page(page, names, kinds)


def _rows(page: Any, looks: Looks, one: Sheet, kinds: Sequence[str]) -> None:
    columns = [
        Column(_shown(one.table.iloc[:, at], kind), looks.kinds[kind], kind == "text") for at, kind in enumerate(kinds)
    ]
    page.write_columns(2, columns)


def _shown(column: pd.Series, kind: str) -> list[Any]:
    """The values of a column as its cells take them; None for an empty cell."""
    values = column.tolist()
    if kind != "text":
        return values
    return [value if value.__class__ is str else None if empty(value) else str(value) for value in values]


def _total(page: Any, looks: Looks, one: Sheet, names: Sequence[str], kinds: Sequence[str]) -> None:
    """A formula under each column that adds up; a rate's total is the run's own figure."""
    row, stated = 2 + len(one.table), one.table.attrs.get("stated", {})
    page.write_string(row, 0, "total", looks.totals["text"])
    for at, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        if at == 0 or kind == "text":
            continue
        if _adds(name, kind):
            first, last = xl_rowcol_to_cell(2, at), xl_rowcol_to_cell(row - 1, at)
            value = stated.get(name, one.table[name].sum())
            page.write_formula(row, at, f"=SUM({first}:{last})", looks.totals[kind], _plain(value))
        elif not empty(stated.get(name)):
            page.write_number(row, at, float(stated[name]), looks.totals[kind])


def _adds(name: str, kind: str) -> bool:
    return kind in ADDED and name not in NOT_ADDED


def _plain(value: Any) -> float | int:
    return int(value) if float(value).is_integer() else float(value)


def _page(page: Any, names: Sequence[str], kinds: Sequence[str]) -> None:
    widths = {"gbp": 16, "pct": 11, "count": 11, "text": 14}
    for at, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        page.set_column(at, at, 34 if name == "name" else widths.get(kind, 12))
    page.set_row(1, 44)
    page.set_landscape()
    page.set_paper(9)
    page.fit_to_pages(1, 0)
    page.repeat_rows(1)


def _cover(book: Any, looks: Looks, found: Material, shown: Sequence[Sheet]) -> None:
    page, said = book.add_worksheet("cover"), found.record
    page.set_column(0, 0, 34)
    page.set_column(1, 1, 70)
    page.hide_gridlines(2)
    page.write_string(0, 0, str(said["name"]), looks.big)
    lines = [
        ("status", status_words(said)),
        ("model", ", ".join(said["model"])),
        ("years", ", ".join(found.years)),
        ("run", found.name),
        ("why", str(said["scenario"].get("why") or "–")),
        ("made again by", command(found)),
        *(("modelled spend", str(said["spend"])) for _ in range(int(found.modelled))),
        *((words.strip(), figure) for words, figure in headline_rows(said)),
        *(
            (f"objective: {row[0]}", f"{row[1]}, proven bound {row[2]}, gap {row[3]}")
            for row in map(objective_row, said["objectives"])
        ),
        ("in words", str(said["summary"])),
        *(("caveat", line) for line in said["warnings"]),
        ("licence", ATTRIBUTION),
    ]
    for row, (what, value) in enumerate(lines, start=2):
        page.write_string(row, 0, what, looks.bold)
        page.write_string(row, 1, value, looks.wrap)
    row = _agreement(page, looks, found, shown, 3 + len(lines))
    page.write_string(row + 1, 0, "sheets", looks.bold)
    for at, one in enumerate(shown, start=row + 2):
        page.write_url(at, 0, f"internal:'{one.name}'!A1", looks.link, one.name)
        page.write_string(at, 1, one.title, looks.wrap)


def _agreement(page: Any, looks: Looks, found: Material, shown: Sequence[Sheet], row: int) -> int:
    """The totals of the allocations sheet beside the run's own, with their difference as a formula."""
    if not found.allocates:
        return row
    page.write_string(row, 0, "totals of the sheet allocations, less the run's", looks.bold)
    allocations = next(one.table for one in shown if one.name == "allocations")
    rows = 2 + len(allocations)
    for name, key in (
        ("allocation_gbp", "pot_gbp"),
        ("deficit_gbp", "gross_deficit_gbp"),
        ("surplus_gbp", "gross_surplus_gbp"),
    ):
        if name not in allocations or key not in found.record["headline"]:
            continue
        row += 1
        column = xl_col_to_name(list(allocations.columns).index(name))
        stated = int(found.record["headline"][key])
        page.write_string(row, 0, heading_of(name), looks.wrap)
        formula = f"=SUM(allocations!{column}3:{column}{rows})-{stated}"
        page.write_formula(row, 1, formula, looks.kinds["gbp"], int(allocations[name].sum()) - stated)
    return row


def _text_sheet(book: Any, looks: Looks, name: str, heads: Sequence[str], rows: Any) -> None:
    page = book.add_worksheet(name)
    for at, head in enumerate(heads):
        page.write_string(0, at, head, looks.head)
        page.set_column(at, at, 30 if at == 0 else 44)
    for row, cells in enumerate(rows, start=1):
        for at, cell in enumerate(cells):
            page.write_string(row, at, str(cell), looks.wrap)
    page.freeze_panes(1, 1)


def _rules(found: Material) -> list[tuple[str, ...]]:
    return [
        (*rule_row(one), str(one.get("why") or "–"), str(one.get("source") or "–")) for one in found.record["rules"]
    ]


def _provenance(found: Material) -> list[tuple[str, str]]:
    said: Mapping[str, Any] = found.record
    files = [(f"file {one['file']}", f"{one['rows']:,} rows, sha-256 {one['sha256']}") for one in said["inputs"]]
    versions = [(f"version of {name}", str(value)) for name, value in said["versions"].items()]
    changes = [("changed", str(line)) for line in said["overrides"]]
    seed = "no random draw" if said.get("seed") is None else str(said["seed"])
    return [("run", found.name), ("hash of the inputs", str(said["hash"])), ("seed", seed), *changes, *files, *versions]
