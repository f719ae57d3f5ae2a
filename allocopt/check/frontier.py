"""A frontier looked at again: levels kept, gaps as they are said, never rising, and bent one way only.

Bounds hold for a whole curve: between two points the least of y lies on or below the straight line between their
values, and on or above every bound, so a value above that line or a bound above a value shows a fault.
Imports `check.verdict`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from allocopt.check.verdict import Check, Floats, compared

TOLERANCE = 1e-6
"""GBP m, and share of the value."""


def check_frontier(table: pd.DataFrame) -> Iterator[Check]:
    """One check a frontier of frontier.csv."""
    for name, part in table.groupby("frontier", sort=False):
        x, y = part[part["by"] == "limit"], part[part["by"] != "limit"]
        wrong = [*_rows(x, y), *_shape(x["limit"].to_numpy(float), y["value"].to_numpy(float))]
        yield compared(f"frontier {name}", wrong, f"{len(y)} points: levels kept, gaps as said, falling and convex")


def _rows(x: pd.DataFrame, y: pd.DataFrame) -> Iterator[str]:
    if list(x["point"]) != list(range(len(x))) or list(y["point"]) != list(x["point"]):
        yield "the points are not numbered from 0, each with its two rows"
    over = x["value"].to_numpy(float) - x["limit"].to_numpy(float)
    if (over > TOLERANCE).any():
        yield f"a plan lies above its level by {over.max():.6f}"
    value, bound = y["value"].to_numpy(float), y["bound"].to_numpy(float)
    gap = np.abs(value - bound) / np.maximum(np.abs(value), 1e-6)
    if (np.abs(gap - y["gap"].to_numpy(float)) > 1e-9).any():
        yield "a gap is not that of its value and bound"
    if (value < bound - TOLERANCE * np.maximum(1.0, np.abs(value))).any():
        yield "a value is better than its bound"


def _shape(level: Floats, value: Floats) -> Iterator[str]:
    """`level` and `value` (points,) of minimised objectives: falling, and convex."""
    slack = TOLERANCE * np.maximum(1.0, np.abs(value))
    if (np.diff(value) > slack[1:]).any():
        yield "the curve rises"
    for k in range(1, len(value) - 1):
        width = level[k + 1] - level[k - 1]
        share = 0.5 if width <= 0 else (level[k] - level[k - 1]) / width
        if value[k] > (1 - share) * value[k - 1] + share * value[k + 1] + slack[k]:
            yield f"point {k} lies above the line between its neighbours"
