"""How the risk of an overspend falls with population, and the smallest population for an accepted risk.

A pool of N people is made of m = N / mean list places of equal size in one area. With h of them in the heavy tail,
h ~ Bin(m, heavy share), its distance from target is normal with

    variance(h) = area_sd^2 + kappa^2 / N + (h heavy_sd^2 + (m - h) persistent_sd^2) / m^2

so P(overspend > x) = sum_h Bin(h) (1 - Phi((x - shift) / sqrt(variance(h)))), exactly (the clip of +/-60% aside).
Three curves: chance alone (the insurable part, which published patient-level data show), independent areas (the shock
is each place's own) and correlated areas. Where the area's shock alone exceeds the accepted risk no size is enough.
Imports `risk`, `estimates`, `settings.stress`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from scipy.stats import binom, norm

from allocopt.problem import Array
from allocopt.risk import RiskModel
from allocopt.settings.stress import Sizes
from allocopt.stress.estimates import PEOPLE, PROBABILITY, Row

Curve = Literal["chance", "correlated", "independent"]
CURVES: tuple[Curve, ...] = ("chance", "correlated", "independent")
LARGEST = 100_000_000
"""People: no pool is larger."""


def overspend(model: RiskModel, *, people: float, beyond: float, mean_list: float, curve: Curve) -> float:
    """P(spend exceeds allocation by more than `beyond`) of a pool of `people`; rates are fractions."""
    chance = model.kappa**2 / people
    if curve == "chance":
        return _tail(beyond, np.array([chance]), np.ones(1))
    places = max(1, round(people / mean_list))
    area = model.area_sd**2 / (1 if curve == "correlated" else places)
    heavy = np.arange(places + 1)
    weights = binom.pmf(heavy, places, model.heavy_share)
    used = weights > 1e-15
    persistent = (heavy * model.heavy_sd**2 + (places - heavy) * model.persistent_sd**2) / places**2
    return _tail(beyond - model.national_shift, (area + chance + persistent)[used], weights[used])


def _tail(beyond: float, variance: Array, weights: Array) -> float:
    sd = np.sqrt(variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        above = np.where(sd > 0, norm.sf(beyond / np.where(sd > 0, sd, 1.0)), float(beyond < 0))
    return float(weights @ above)


def smallest_population(model: RiskModel, *, accepted: float, beyond: float, mean_list: float, curve: Curve) -> float:
    """People from which on the risk is at most `accepted`, in whole mean lists (chance alone: in people); NaN: none is.

    A few lists can be riskier than one (one of them is oftener in the heavy tail), so the last crossing is sought.
    """

    unit = 1.0 if curve == "chance" else mean_list

    def risk(lists: int) -> float:
        return overspend(model, people=lists * unit, beyond=beyond, mean_list=mean_list, curve=curve)

    counts = np.unique(np.rint(1.15 ** np.arange(int(np.log(LARGEST / unit) / np.log(1.15)) + 1)).astype(int)).tolist()
    above = [count for count in counts if risk(count) > accepted]
    if not above:
        return unit
    if above[-1] == counts[-1]:
        return float("nan")
    low, high = above[-1], counts[counts.index(above[-1]) + 1]
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if risk(middle) > accepted else (low, middle)
    return float(high * unit)


def rows_of(model: RiskModel, *, mean_list: float, asked: Sizes) -> Iterator[Row]:
    """The curves point by point, then the smallest population of each overspend."""
    for curve in CURVES:
        for beyond in asked.overspend:
            measure = f"overspend_{100 * beyond:g}pct"
            for people in asked.populations:
                risk = overspend(model, people=people, beyond=beyond, mean_list=mean_list, curve=curve)
                yield Row(f"population_{people}_{curve}", "group", measure, "probability", PROBABILITY, risk)
            enough = smallest_population(
                model, accepted=asked.accepted, beyond=beyond, mean_list=mean_list, curve=curve
            )
            yield Row(f"smallest_population_{curve}", "group", measure, "value", PEOPLE, enough)
