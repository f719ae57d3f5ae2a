"""Figures from draws, each with its 95% confidence interval, as rows of stress.csv.

A draw is one observation: whatever is correlated inside a draw is already in its number, so the intervals hold for
correlated areas too. Imports nothing of allocopt but types.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import binom, norm

from allocopt.problem import Array

CONFIDENCE = 0.95
Z = float(norm.ppf(0.5 + CONFIDENCE / 2))
Events = npt.NDArray[np.bool_]
COLUMNS = ("test", "level", "measure", "statistic", "unit", "value")
GBP, PROBABILITY, SHARE, PEOPLE, COUNT = "GBP", "probability", "%", "people", "count"
QUANTILES = ((0.05, "p05"), (0.50, "p50"), (0.95, "p95"), (0.99, "p99"))


@dataclass(frozen=True)
class Row:
    """One figure; money is held in GBP million and written in whole pounds, shares are fractions written in percent."""

    test: str
    level: str
    measure: str
    statistic: str
    unit: str
    value: float

    def written(self) -> tuple[str, str, str, str, str, float]:
        """The row as stress.csv has it."""
        scale = {GBP: 1e6, SHARE: 100.0}.get(self.unit, 1.0)
        digits = 0 if self.unit in (GBP, PEOPLE, COUNT) else 6
        value = round(self.value * scale, digits) + 0.0 if np.isfinite(self.value) else np.nan
        return self.test, self.level, self.measure, self.statistic, self.unit, value


def table(rows: Sequence[Row]) -> pd.DataFrame:
    """stress.csv; a figure that does not exist is empty."""
    made = pd.DataFrame([row.written() for row in rows], columns=list(COLUMNS))
    return made.assign(value=pd.Series([_plain(value) for value in made["value"]], dtype=object))


def _plain(value: float) -> object:
    """Whole numbers without a point, so that pounds read as pounds."""
    if np.isnan(value):
        return None
    return int(value) if float(value).is_integer() else float(value)


def amounts(test: str, level: str, measure: str, values: Array, *, unit: str = GBP) -> Iterator[Row]:
    """Mean, sd and quantiles of a number a draw, each with its interval."""

    def row(statistic: str, value: float) -> Row:
        return Row(test, level, measure, statistic, unit, value)

    mean, error = float(values.mean()), standard_error(values)
    yield row("mean", mean)
    yield row("ci_low", mean - Z * error)
    yield row("ci_high", mean + Z * error)
    sd, sd_error = float(values.std(ddof=1)), _sd_error(values)
    yield from _with_interval(row, "sd", sd, max(0.0, sd - Z * sd_error), sd + Z * sd_error)
    ordered = np.sort(values)
    for share, name in QUANTILES:
        yield from _with_interval(row, name, *quantile(ordered, share))


def _with_interval(row, name: str, value: float, low: float, high: float) -> Iterator[Row]:  # type: ignore[no-untyped-def]  # noqa: ANN001
    yield row(name, value)
    yield row(f"{name}_ci_low", low)
    yield row(f"{name}_ci_high", high)


def standard_error(values: Array) -> float:
    """Of the mean of a number a draw."""
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def _sd_error(values: Array) -> float:
    """Of the standard deviation, from the fourth moment (no normal assumption)."""
    centred = values - values.mean()
    variance = float(centred @ centred) / len(values)
    if variance <= 0:
        return 0.0
    fourth = float((centred**4).mean())
    return float(np.sqrt(max(fourth - variance**2, 0.0) / len(values)) / (2 * np.sqrt(variance)))


def quantile(ordered: Array, share: float) -> tuple[float, float, float]:
    """The smallest number that `share` of the draws do not exceed, and its interval by order statistics."""
    count = len(ordered)
    at = max(1, int(np.ceil(share * count - 1e-9)))
    low, high = order_interval(count, share)
    return float(ordered[at - 1]), float(ordered[low - 1]), float(ordered[high - 1])


def order_interval(count: int, share: float) -> tuple[int, int]:
    """Ranks (from 1) between which the true quantile lies with 95% confidence, whatever the distribution."""
    tail = (1 - CONFIDENCE) / 2
    low, high = int(binom.ppf(tail, count, share)), int(binom.ppf(1 - tail, count, share)) + 1
    return min(max(1, low), count), min(max(1, high), count)


def probability(test: str, level: str, measure: str, events: Events) -> Iterator[Row]:
    """The share of draws in which something happens, with Wilson's interval."""
    share, low, high = wilson(int(np.count_nonzero(events)), len(events))
    for statistic, value in (("probability", share), ("ci_low", low), ("ci_high", high)):
        yield Row(test, level, measure, statistic, PROBABILITY, value)


def wilson(hits: int, draws: int) -> tuple[float, float, float]:
    """A share and its 95% interval. Source: Wilson, JASA 1927."""
    share, z2 = hits / draws, Z**2
    middle = (share + z2 / (2 * draws)) / (1 + z2 / draws)
    half = Z / (1 + z2 / draws) * np.sqrt(share * (1 - share) / draws + z2 / (4 * draws**2))
    return share, max(0.0, float(middle - half)), min(1.0, float(middle + half))


def mean_share(test: str, level: str, measure: str, shares: Array) -> Iterator[Row]:
    """The mean of a share a draw (such as the share of bodies that overspend), as a probability with its interval."""
    mean, error = float(shares.mean()), standard_error(shares)
    bounds = {"probability": mean, "ci_low": max(0.0, mean - Z * error), "ci_high": min(1.0, mean + Z * error)}
    for statistic, value in bounds.items():
        yield Row(test, level, measure, statistic, PROBABILITY, value)


def shortfall(test: str, level: str, values: Array, levels: Sequence[float]) -> Iterator[Row]:
    """Expected shortfall: the mean of the worst draws, at each level. Source: Rockafellar and Uryasev, 2000."""
    for share in levels:
        worst, error = tail_mean(values, share)
        name = f"p{100 * share:g}"
        for statistic, value in (
            (name, worst),
            (f"{name}_ci_low", worst - Z * error),
            (f"{name}_ci_high", worst + Z * error),
        ):
            yield Row(test, level, "expected_shortfall", statistic, GBP, value)


def tail_mean(values: Array, share: float) -> tuple[float, float]:
    """min over eta of eta + mean(max(0, v - eta)) / (1 - share), at eta = the quantile; and its standard error."""
    threshold, _, _ = quantile(np.sort(values), share)
    excess = np.maximum(values - threshold, 0.0) / (1 - share)
    return threshold + float(excess.mean()), standard_error(excess)


def single(test: str, level: str, measure: str, values: Mapping[str, tuple[str, float]]) -> Iterator[Row]:
    """Figures that come from no sample: statistic -> (unit, value)."""
    for statistic, (unit, value) in values.items():
        yield Row(test, level, measure, statistic, unit, value)
