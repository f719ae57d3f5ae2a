"""Who neighbours whom, as a scenario says it: Delaunay's graph of the places, or a table of links of the user's own.

Imports `frozen` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from allocopt.frozen import Frozen

PLACE, NEIGHBOUR = "place", "neighbour"
"""Columns of a table of links, unless the scenario names others; `export --format neighbours` writes these."""
LINKS = ("rules", "contiguity", "graph", "table")
"""Where a scenario names such a table."""


class NeighbourTable(Frozen):
    """A table of links between places that count as neighbours: a row for each, in one direction or in both."""

    table: str
    """CSV or Parquet file with a row for each link, relative to the scenario file that states it; `graph: FILE` says
    the same where the columns have their usual names."""
    place: str = PLACE
    """Column with the code of a place; `place` unless said."""
    neighbour: str = NEIGHBOUR
    """Column with the code of a place that it neighbours; `neighbour` unless said."""

    def __str__(self) -> str:
        """As a scenario would say it."""
        if (self.place, self.neighbour) == (PLACE, NEIGHBOUR):
            return self.table
        return f"{{table: {self.table}, place: {self.place}, neighbour: {self.neighbour}}}"


def _as_table(given: Any) -> Any:
    """The name of a file stands for a table with the usual columns."""
    if given == "delaunay" or isinstance(given, Mapping | NeighbourTable):
        return given
    if not isinstance(given, str) or "." not in given:
        raise ValueError(
            f"'{given}' is neither delaunay nor a file: write delaunay, or the name of a table such as neighbours.csv"
        )
    return {"table": given}


NeighbourGraph = Annotated[
    Literal["delaunay"] | NeighbourTable,
    BeforeValidator(
        _as_table,
        json_schema_input_type=Literal["delaunay"] | str | NeighbourTable,  # noqa: PYI051 - editors offer the name
    ),
]
"""`delaunay`, a file with the columns `place` and `neighbour`, or a table whose columns are named."""


def graph_words(graph: NeighbourGraph | None) -> str:
    """Whose neighbours they are: `by the table neighbours.csv`; nothing for Delaunay's."""
    return f" by the table {graph.table}" if isinstance(graph, NeighbourTable) else ""
