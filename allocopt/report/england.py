"""The map of England as inline SVG: outlines, one mark a place, hulls of consortia. It prints and scales.

Gains are filled discs and losses open rings, so that the two stay apart in greyscale. Imports `shipped` (the outlines).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import cos, radians

import numpy as np
import pandas as pd

from allocopt.effects.words import BANDS
from allocopt.shipped import shipped

WEST, EAST, SOUTH, NORTH = -6.5, 1.85, 49.85, 55.9
"""Degrees: the frame of England, the Isles of Scilly included."""
WIDTH = 680.0
SCALE = WIDTH / ((EAST - WEST) * cos(radians(53.0)))
"""Units of the drawing a degree of latitude: an equirectangular map at 53 degrees north."""
HEIGHT = (NORTH - SOUTH) * SCALE
WHOLE = f"0 0 {WIDTH:.0f} {HEIGHT:.0f}"
LONDON = (-0.53, 51.27, 0.35, 51.71)
"""West, south, east, north of the inset, which shows London at four times the scale."""
INSET = (4.0, 4.0, 300.0)
"""Left, top and width of the inset."""
OUTLINES = "scenarios/data/england_ccg_outlines_2020.geojson"

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]


@dataclass(frozen=True)
class Dots:
    """Places to draw: longitudes and latitudes, a style class for each, and the number each one answers to."""

    longitude: Floats
    latitude: Floats
    style: Sequence[str]
    number: Sequence[int]


@dataclass(frozen=True)
class Hull:
    """A consortium's area: corners as (longitude, latitude), a style class, and what a reader hears."""

    corners: Sequence[tuple[float, float]]
    style: str
    label: str


KEY = tuple(
    (f"{band[0].upper()}{band[1:]}", style)
    for band, style in zip(BANDS, ("loss2", "loss1", "even", "gain1", "gain2"), strict=True)
)
"""What each style of mark means on a map of gains and losses."""
STYLES = dict(zip(BANDS, ("loss2", "loss1", "even", "gain1", "gain2"), strict=True))
"""The style class of each band of change."""


def inside(places: pd.DataFrame) -> pd.Series:
    """Which places have coordinates within the frame of England."""
    longitude, latitude = places["longitude"], places["latitude"]
    return longitude.between(WEST, EAST) & latitude.between(SOUTH, NORTH)


def draw(dots: Dots, hulls: Sequence[Hull], *, label: str) -> str:
    """The whole map as one SVG element; `label` is its text for those who do not see it."""
    view = _view(dots)
    parts = [
        f'<svg class="map" viewBox="{view}" role="img" aria-label="{_attribute(label)}">',
        f'<g class="land"><path d="{_outlines(WEST, NORTH, SCALE)}"/></g>',
        _hulls(hulls, WEST, NORTH, SCALE),
        _marks(dots, WEST, NORTH, SCALE, radius=2.0),
        _inset(dots, hulls) if view == WHOLE else "",
        "</svg>",
    ]
    return "".join(parts)


def _view(dots: Dots) -> str:
    """All of England, or the part that holds the places where they fill less than half its height."""
    x, y = _x(dots.longitude, WEST, SCALE), (NORTH - dots.latitude) * SCALE
    height = 1.15 * max(float(np.ptp(y)), float(np.ptp(x)) * HEIGHT / WIDTH) + 20.0
    if height > HEIGHT / 2:
        return WHOLE
    width = height * WIDTH / HEIGHT
    left, top = float(x.min() + x.max() - width) / 2, float(y.min() + y.max() - height) / 2
    return f"{left:.1f} {top:.1f} {width:.1f} {height:.1f}"


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


def _inset(dots: Dots, hulls: Sequence[Hull]) -> str:
    """London, where a fifth of the practices stand on a hundredth of the map, drawn larger in the empty west."""
    west, south, east, north = LONDON
    left, top, width = INSET
    scale = width / ((east - west) * cos(radians(53.0)))
    height = (north - south) * scale
    there = (dots.longitude > west) & (dots.longitude < east) & (dots.latitude > south) & (dots.latitude < north)
    if not there.any():
        return ""
    within = Dots(
        dots.longitude[there],
        dots.latitude[there],
        [style for style, here in zip(dots.style, there, strict=True) if here],
        [number for number, here in zip(dots.number, there, strict=True) if here],
    )
    frame = f'<rect width="{width:.0f}" height="{height:.1f}"'
    clip = f'<clipPath id="inset">{frame}/></clipPath>'
    drawn = [
        f'<g class="inset" transform="translate({left:.0f} {top:.0f})">{clip}{frame} class="sea"/>',
        f'<g clip-path="url(#inset)"><g class="land"><path d="{_outlines(west, north, scale)}"/></g>',
        _hulls(hulls, west, north, scale),
        _marks(within, west, north, scale, radius=2.4),
        f'</g>{frame} class="frame"/><text x="6" y="16">London, enlarged</text></g>',
    ]
    return "".join(drawn)


def _x(longitude: Floats, west: float, scale: float) -> Floats:
    return (longitude - west) * cos(radians(53.0)) * scale


def _marks(dots: Dots, west: float, north: float, scale: float, *, radius: float) -> str:
    """Circles in the order: within, losses, gains, so that the largest changes lie on top."""
    x, y = _x(dots.longitude, west, scale), (north - dots.latitude) * scale
    order = sorted(range(len(x)), key=lambda at: (_RANK.get(dots.style[at], 0), at))
    circles = [
        f'<circle class="{dots.style[at]}" cx="{x[at]:.1f}" cy="{y[at]:.1f}" r="{radius}" data-i="{dots.number[at]}"/>'
        for at in order
    ]
    return f'<g class="dots">{"".join(circles)}</g>'


_RANK = {"even": 0, "loss1": 1, "gain1": 1, "loss2": 2, "gain2": 2}


def _hulls(hulls: Sequence[Hull], west: float, north: float, scale: float) -> str:
    drawn = [
        f'<path class="hull {one.style}" data-words="{_attribute(one.label)}" '
        f'd="{_ring(one.corners, west, north, scale)}">'
        f"<title>{_attribute(one.label)}</title></path>"
        for one in hulls
    ]
    return f'<g class="hulls">{"".join(drawn)}</g>' if drawn else ""


def _ring(corners: Sequence[tuple[float, float]], west: float, north: float, scale: float) -> str:
    points = np.asarray(corners, dtype=float)
    x, y = _x(points[:, 0], west, scale), (north - points[:, 1]) * scale
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True)) + "Z"


@cache
def _outlines(west: float, north: float, scale: float) -> str:
    return "".join(_ring(ring, west, north, scale) for ring in _rings())


@cache
def _rings() -> tuple[tuple[tuple[float, float], ...], ...]:
    """The rings of the shipped outlines (2020 CCGs, simplified, Office for National Statistics)."""
    folder, _, file = OUTLINES.partition("/")
    data = json.loads((shipped(folder) / file).read_text(encoding="utf-8"))
    polygons = [polygon for feature in data["features"] for polygon in _polygons(feature["geometry"])]
    return tuple(tuple((point[0], point[1]) for point in ring) for polygon in polygons for ring in polygon)


def _polygons(geometry: dict[str, list[list[list[list[float]]]]]) -> list[list[list[list[float]]]]:
    shape = geometry["coordinates"]
    return shape if str(geometry["type"]) == "MultiPolygon" else [shape]  # type: ignore[list-item]
