"""`show`: a scenario as it stands after inheritance. Imports `scenario`."""

from __future__ import annotations

from typing import Any

from rich.markup import escape

from allocopt.report.console import console, table
from allocopt.scenario import Loaded, describe, difference

Rows = list[dict[str, Any]]


def scenario_rows(loaded: Loaded, key: str | None, other: Loaded | None) -> Rows:
    """One row a value: where it stands and its source, or (with `other`) what differs.

    Raises ScenarioFault for a key that the scenario does not have.
    """
    if other is not None:
        changed = [row for row in difference(loaded, other) if key is None or f"{row.key}.".startswith(f"{key}.")]
        return [{"key": row.key, "this": row.this, "other": row.other} for row in changed]
    return [
        {"key": row.key, "value": row.value, "where": str(row.mark) if row.mark else None, "source": row.source or None}
        for row in describe(loaded, key)
    ]


def show_rows(loaded: Loaded, rows: Rows) -> None:
    """The rows as a table, then the overrides and warnings."""
    out = console()
    headings = list(rows[0]) if rows else ["nothing differs"]
    cells = [[escape(str(row[name] if row[name] is not None else "-")) for name in headings] for row in rows]
    out.print(table(escape(loaded.scenario.name), headings, cells, left=len(headings)))
    for override in loaded.overrides:
        out.print(f"  changed: {escape(override)}")
    for warning in loaded.warnings:
        out.print(f"[yellow]note:[/yellow] {escape(warning)}")
