"""The neighbours of a scenario's places as a table of links, to be edited and named at `rules.contiguity.graph`.

They are those of the table that the scenario names, else Delaunay's. Imports `inputs`, `grouping.neighbours`,
`scenario` and `errors`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from allocopt.errors import InputFault, Problem
from allocopt.grouping.instance import Array, Ints, great_circle, on_sphere
from allocopt.grouping.neighbours import delaunay_links
from allocopt.inputs import Inputs, read_inputs
from allocopt.scenario import Loaded, refuse_sweep
from allocopt.settings.neighbours import NEIGHBOUR, PLACE

FORMAT, FILE = "neighbours", "neighbours.csv"
METRES = 3
"""Decimals of a kilometre."""


def neighbours_of(loaded: Loaded) -> pd.DataFrame:
    """One row a link, each once and sorted: place, neighbour, km (great circle; empty without coordinates).

    Raises InputFault where the tables have problems, and where there is neither a table of links nor a map.
    """
    refuse_sweep(loaded)
    inputs = read_inputs(loaded)
    position = _position(inputs)
    if inputs.links is None and position is None:
        said = "the scenario's places have no neighbours: it names neither coordinates nor a table of links"
        keys = "inputs.places.columns.latitude and .longitude"
        raise InputFault(said, (Problem(said, f"name their columns at {keys}", "inputs.places.columns"),))
    links = inputs.links if inputs.links is not None else delaunay_links(position)
    return _table(inputs, links, position)


def _position(inputs: Inputs) -> Array | None:
    north, east = inputs.role("latitude"), inputs.role("longitude")
    return None if north is None or east is None else on_sphere(north.to_numpy(float), east.to_numpy(float))


def _table(inputs: Inputs, links: Ints, position: Array | None) -> pd.DataFrame:
    codes, (one, other) = inputs.places.index.to_numpy(dtype=object), links.T
    km = np.full(len(links), np.nan) if position is None else great_circle(position[one], position[other])
    return pd.DataFrame({PLACE: codes[one], NEIGHBOUR: codes[other], "km": np.round(km, METRES)})


def words(table: pd.DataFrame, path: Path) -> tuple[str, str]:
    """What to know about the table, and the line that a scenario needs to use it."""
    places = pd.unique(table[[PLACE, NEIGHBOUR]].to_numpy().ravel())
    said = f"{len(table):,} links of {len(places):,} places"
    if table["km"].notna().any():
        said += f", the longest {table['km'].max():,.1f} km: delete the rows of places that are no neighbours"
    return said, f"rules: {{contiguity: {{graph: {path.name}}}}}"
