"""The area that a set of places spans: a convex hull, or a small lozenge where fewer than three points span none.

For maps and for GeoJSON: a hull shows where a consortium lies, it is no boundary. Imports nothing of allocopt.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, QhullError

Points = npt.NDArray[np.float64]
LEAST = 0.01
"""Degrees, about a kilometre: how far a lozenge reaches around a point."""


def hull(points: Points) -> list[tuple[float, float]]:
    """Corners of the convex hull of (longitude, latitude) points (n, 2), anticlockwise, not closed.

    Points on one line, or a single point, get a lozenge of `LEAST` degrees around each end.
    """
    distinct = np.unique(np.asarray(points, dtype=float), axis=0)
    try:
        corners = distinct[ConvexHull(distinct).vertices] if len(distinct) > 2 else None
    except QhullError:
        corners = None
    if corners is None:
        spread = np.array([[LEAST, 0.0], [0.0, LEAST], [-LEAST, 0.0], [0.0, -LEAST]])
        around = (distinct[:, None, :] + spread[None, :, :]).reshape(-1, 2)
        corners = around[ConvexHull(around).vertices]
    start = int(np.lexsort((corners[:, 1], corners[:, 0]))[0])
    return [(float(x), float(y)) for x, y in np.roll(corners, -start, axis=0)]
