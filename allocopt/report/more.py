"""Sections that show when the run has the material: consortia, stress, frontier, formulas, limits and further tables.

Imports `material`, `parts`, `charts`.
"""

from __future__ import annotations

import pandas as pd

from allocopt.report.material import Material
from allocopt.report.parts import Section, grid_of_frame

KNOWN = frozenset({"allocations", "effects", "places", "groups", "consortia", "comparison"})
"""Tables that other sections show."""
ROWS = 200
"""A further table is cut to this many rows in the page; the workbook and the CSV hold them all."""


def further_sections(found: Material) -> list[Section]:
    """One section a further table, in the order of the run."""
    others = {name: table for name, table in found.tables.items() if name not in KNOWN and len(table)}
    return [_table_section(name, others[name]) for name in others]


def _table_section(name: str, table: pd.DataFrame) -> Section:
    words = () if len(table) <= ROWS else (f"The first {ROWS} of {len(table):,} rows; {name}.csv holds them all.",)
    title = name.replace("_", " ")
    return Section(
        f"table-{name}", title[0].upper() + title[1:], words, grids=(grid_of_frame(title, table.head(ROWS)),)
    )
