"""GeoJSON (RFC 7946) of a run, for QGIS and other maps: consortia as areas, places as points.

Imports `consortia.hulls`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from allocopt.consortia.hulls import hull

DIGITS = 6
"""Decimals of a coordinate: about 10 cm."""


def consortia_features(places: pd.DataFrame, consortia: pd.DataFrame) -> dict[str, Any]:
    """One polygon a consortium: the convex hull of its places, with every column of consortia.csv as a property.

    `places` (index place) has longitude, latitude and group; places without coordinates are counted in a property.
    """
    features = []
    for row in consortia.to_dict("records"):
        part = places[places["group"].astype(str) == str(row["group"])]
        known = part.dropna(subset=["longitude", "latitude"])
        lost = {"places_without_coordinates": len(part) - len(known)}
        features.append(_feature(_polygon(known) if len(known) else None, {**row, **lost}))
    return {"type": "FeatureCollection", "features": features}


def place_features(places: pd.DataFrame) -> dict[str, Any]:
    """One point a place with its figures as properties."""
    features = []
    for row in places.reset_index().to_dict("records"):
        x, y = row.pop("longitude"), row.pop("latitude")
        shape = None if pd.isna(x) or pd.isna(y) else {"type": "Point", "coordinates": _pair(x, y)}
        features.append(_feature(shape, row))
    return {"type": "FeatureCollection", "features": features}


def _polygon(part: pd.DataFrame) -> dict[str, Any]:
    corners = [_pair(x, y) for x, y in hull(part[["longitude", "latitude"]].to_numpy(dtype=float))]
    return {"type": "Polygon", "coordinates": [[*corners, corners[0]]]}


def _pair(x: float, y: float) -> list[float]:
    return [round(float(x), DIGITS), round(float(y), DIGITS)]


def _feature(shape: dict[str, Any] | None, row: Mapping[Any, Any]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": shape, "properties": {str(key): _plain(value) for key, value in row.items()}}


def _plain(value: Any) -> Any:
    if isinstance(value, (np.integer, np.floating)):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def write_geojson(path: Path, data: Mapping[str, Any]) -> None:
    """Compact JSON with one feature a line."""
    lines = ",\n".join(json.dumps(one, ensure_ascii=False, allow_nan=False) for one in data["features"])
    path.write_text(f'{{"type": "FeatureCollection", "features": [\n{lines}\n]}}\n', encoding="utf-8")
