"""How near a path of several years comes to fair shares: the year in which every place is within a band of its target.

    speed = (|d_T| / |d_0|)^(1/T),   further years = ln(band / |d_T|) / ln(speed)

d_0 is the farthest opening distance of the first year, d_T the farthest closing distance of the last: the closed form
takes the farthest place to go on shrinking as it did on average. Imports nothing of the package.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

REACHED = 1e-3
"""Per cent: nearer to target than this is at target but for rounding, and the path has no speed that could go on."""


def band_headline(table: pd.DataFrame, band: float) -> dict[str, Any]:
    """Figures of a path for the headline; {} for a single year. `band` is a fraction, distances as in the table.

    `years_to_band` counts years from the first until every place closes within the band and stays there; None where
    the path ends before. `projected_years_to_band` is the closed form, None where the farthest place does not come
    nearer, or is at target at the end.
    """
    years = table["year"].unique().tolist()
    if len(years) == 1:
        return {}
    closing = _farthest(table, "closing_dft_pct", years)
    start = float(table.loc[table["year"] == years[0], "opening_dft_pct"].abs().max())
    last = table.loc[table["year"] == years[-1], "closing_dft_pct"].abs()
    beyond = [number for number, one in enumerate(closing, 1) if one > 100 * band]
    reached = beyond[-1] + 1 if beyond else 1
    return {
        "band_pct": 100 * band,
        "years_to_band": reached if reached <= len(years) else None,
        "places_beyond_band": int((last > 100 * band).sum()),
        "projected_years_to_band": projected(start, closing[-1], 100 * band, len(years)),
    }


def _farthest(table: pd.DataFrame, column: str, years: list[str]) -> list[float]:
    return [float(np.nanmax(table.loc[table["year"] == year, column].abs())) for year in years]


def projected(start: float, end: float, band: float, years: int) -> float | None:
    """Years from the first until the farthest distance falls to the band, at the mean speed from `start` to `end`."""
    if end <= band and (start <= band or end <= REACHED):
        return 0.0 if start <= band else None
    if end <= band:
        return round(years * math.log(start / band) / math.log(start / end), 2)
    if end >= start or band <= 0:
        return None
    return round(years + years * math.log(end / band) / math.log(start / end), 2)
