"""The monitoring view: plan, forecast and variance by body within area, with an explicit offset line.

The deficits of members need not add up to their area's: what lies between is offset elsewhere in the area and has
a line of its own, so that no figure is read as another. Imports `returns` and `settings.stress`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from allocopt.returns import Returns
from allocopt.settings.stress import Bands
from allocopt.stress.estimates import COUNT, GBP, Row

COLUMNS = ("area", "body", "line", "plan_gbp", "forecast_gbp", "variance_gbp", "variance_pct", "band")
LIGHTS = ("green", "amber", "red")


def view(returns: Returns, bands: Bands) -> pd.DataFrame:
    """monitoring.csv: bodies in the order of the returns, then the offset, then the area, area by area.

    Variance is forecast less plan: positive is over plan. Where an area returns no position of its own it is the sum of
    its bodies and the offset is 0; money in whole pounds, empty where it was not returned. A light is empty where no
    limit can be compared: shares of plan need the plan.
    """
    areas = [_area(str(area), rows, bands) for area, rows in returns.table.groupby("area", sort=True)]
    return pd.concat(areas, ignore_index=True)[list(COLUMNS)]


def _area(area: str, rows: pd.DataFrame, bands: Bands) -> pd.DataFrame:
    money = ["plan", "forecast", "variance"]
    bodies = rows[rows["body"] != ""]
    summed = bodies[money].sum(min_count=len(bodies) or 1)
    own = rows.loc[rows["body"] == "", money]
    stated = own.iloc[0] if len(own) else summed
    lines = bodies.assign(line="body")
    extra = pd.DataFrame([stated - summed if len(bodies) else stated * np.nan, stated])
    extra = extra.assign(area=area, body="", line=["offset", "area"])
    found = pd.concat([lines, extra.astype(dict.fromkeys(money, "float64"))], ignore_index=True)
    return _written(found, bands)


def _written(found: pd.DataFrame, bands: Bands) -> pd.DataFrame:
    share = found["variance"] / found["plan"].where(found["plan"] > 0)
    lights = [
        None if line == "offset" else light(variance, rate, bands)
        for line, variance, rate in zip(found["line"], found["variance"], share, strict=True)
    ]
    pounds = {f"{name}_gbp": (1e6 * found[name]).round().astype("Int64") for name in ("plan", "forecast", "variance")}
    rates = share.where(found["line"] != "offset")
    return found.assign(**pounds, variance_pct=(100 * rates).round(6), band=pd.Series(lights, dtype=object))


def light(variance: float, share: float, bands: Bands) -> str | None:
    """The worse of the lights by share and by amount; None where neither can be compared."""
    lights = [_level(share, bands.amber, bands.red), _level(variance, bands.amber_money, bands.red_money)]
    known = [one for one in lights if one is not None]
    return LIGHTS[max(known)] if known else None


def _level(value: float, amber: float | None, red: float | None) -> int | None:
    if np.isnan(value) or (amber is None and red is None):
        return None
    if red is not None and value > red:
        return 2
    return int(amber is not None and value > amber)


def rows_of(shown: pd.DataFrame) -> Iterator[Row]:
    """The sums over all areas and the count of bodies by light."""
    for line, level in (("body", "group"), ("area", "area")):
        part = shown[shown["line"] == line]
        variance = part["variance_gbp"].astype("float64") / 1e6
        yield Row("monitoring", level, "gross_deficit", "value", GBP, float(np.maximum(variance, 0.0).sum()))
        yield Row("monitoring", level, "gross_surplus", "value", GBP, float(np.maximum(-variance, 0.0).sum()))
        yield Row("monitoring", level, "net", "value", GBP, float(variance.sum()))
        for name in LIGHTS:
            yield Row("monitoring", level, f"bodies_{name}", "value", COUNT, float((part["band"] == name).sum()))
    offset = shown.loc[shown["line"] == "offset", "variance_gbp"].astype("float64") / 1e6
    yield Row("monitoring", "area", "offset", "value", GBP, float(offset.sum()))
