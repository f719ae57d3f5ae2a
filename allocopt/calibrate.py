"""Fit the risk model to published shares, and show how well it fits: `allocopt calibrate`.

Two calibrations that must not be mixed. Places: the shares of places farther than 5, 10 and 20% from budget give the
persistent part. Consortia: the share of consortia that overspend in a year of net overspend gives the national shift
and, without a heavy tail, the persistent part of a year. Both are fitted to exact normal-mixture shares, not to draws,
so the fit is the same every time. Imports `stress.sizes`, `risk`, `plan` and `units`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import brentq, least_squares
from scipy.stats import norm

from allocopt.errors import Problem, ScenarioFault
from allocopt.plan import Facts
from allocopt.problem import Array
from allocopt.risk import FIFTHS, Exposure, RiskModel
from allocopt.spend import exposure, risk_model
from allocopt.stress.sizes import overspend

PUBLISHED: Mapping[float, float] = {0.05: 0.53, 0.10: 0.26, 0.20: 0.11}
"""Distance from budget -> share of 8,238 practices beyond it (HSJ 5016663)."""
NET, OVERSPENT, LISTS = 0.025, 0.83, 11
"""190 consortia of 2,000 and more practices in 2009-10: 2.5% over in all, 83% of them over (HSJ 5018606)."""
FITTED = ("persistent_sd", "heavy_sd", "heavy_share")


@dataclass(frozen=True)
class Fit:
    """One calibration: what was wanted, what the fitted and the stated parameters give, and the parameters."""

    name: str
    words: str
    wanted: Mapping[str, float]
    fitted: Mapping[str, float]
    stated: Mapping[str, float]
    parameters: Mapping[str, float]
    before: Mapping[str, float]

    @property
    def error(self) -> float:
        """The largest miss of the fit, as a fraction (0.01 is a point)."""
        return max(abs(self.fitted[name] - self.wanted[name]) for name in self.wanted)

    def as_dict(self) -> dict[str, Any]:
        """As `calibrate --json` prints it; every figure a fraction."""
        return {**asdict(self), "error": self.error}


def share_beyond(model: RiskModel, of: Exposure, beyond: float) -> float:
    """Expected share of places farther than `beyond` from target, exactly (below the clip)."""
    count = len(of.places)
    chance = np.zeros(count) if of.population is None else model.kappa**2 / of.population
    mean = _gradient(model, of, count) + model.national_shift
    parts = ((1.0 - model.heavy_share, model.persistent_sd), (model.heavy_share, model.heavy_sd))
    shares = [weight * _outside(mean, np.sqrt(model.area_sd**2 + chance + sd**2), beyond) for weight, sd in parts]
    return float(np.mean(shares[0] + shares[1]))


def _gradient(model: RiskModel, of: Exposure, count: int) -> Array:
    if of.fifth is None:
        return np.zeros(count)
    line = np.interp(of.fifth, [1, FIFTHS], [model.gradient_richest, model.gradient_poorest])
    return np.where(np.isnan(of.fifth), 0.0, line)


def _outside(mean: Array, sd: Array, beyond: float) -> Array:
    safe = np.maximum(sd, 1e-12)
    return np.asarray(norm.sf((beyond - mean) / safe) + norm.cdf((-beyond - mean) / safe))


def calibrate(facts: Facts, *, wanted: Mapping[float, float] = PUBLISHED) -> tuple[Fit, Fit]:
    """Both calibrations for the places of a scenario. Raises ScenarioFault where its spend is not modelled."""
    spend = facts.loaded.scenario.inputs.spend
    if spend is None or spend.risk_model is None:
        problem = Problem("this scenario's spend is not modelled", "name inputs.spend.risk_model", "inputs.spend")
        raise ScenarioFault("there is no risk model to calibrate", (problem,))
    model = risk_model(spend)
    of = exposure(spend, facts.inputs, model=model)
    people = facts.situation.population[:, 0]
    return fit_places(model, of, wanted), fit_consortia(model, mean_list=float(np.mean(people)))


def fit_places(model: RiskModel, of: Exposure, wanted: Mapping[float, float]) -> Fit:
    """Persistent effect (ordinary sd, heavy sd, heavy share) by least squares; everything else as it is."""

    def shares(made: RiskModel) -> dict[str, float]:
        return {_name(beyond): share_beyond(made, of, beyond) for beyond in wanted}

    def missed(values: Array) -> Array:
        found = shares(_with(model, values))
        return np.array([found[_name(beyond)] - share for beyond, share in wanted.items()])

    start = np.clip([getattr(model, name) for name in FITTED], 1e-3, 0.5)
    solved = least_squares(missed, start, bounds=([0.0, 0.05, 0.0], [0.2, 1.0, 0.9]), xtol=1e-12, ftol=1e-12)
    fitted = _with(model, solved.x)
    return Fit(
        "places",
        "shares of places beyond a distance from budget: 8,238 practices (HSJ 5016663)",
        {_name(beyond): share for beyond, share in wanted.items()},
        shares(fitted),
        shares(model),
        {name: getattr(fitted, name) for name in FITTED},
        {name: getattr(model, name) for name in FITTED},
    )


def _name(beyond: float) -> str:
    return f"beyond_{100 * beyond:g}pct"


def _with(model: RiskModel, values: Array) -> RiskModel:
    return replace(model, **dict(zip(FITTED, (float(value) for value in values), strict=True)))


def fit_consortia(model: RiskModel, *, mean_list: float, lists: int = LISTS) -> Fit:
    """National shift and yearly persistent sd, without a heavy tail, for consortia of `lists` places of mean size."""

    def over(made: RiskModel) -> float:
        return overspend(made, people=lists * mean_list, beyond=0.0, mean_list=mean_list, curve="correlated")

    plain = replace(model, national_shift=NET, heavy_share=0.0)

    def missed(sd: float) -> float:
        return over(replace(plain, persistent_sd=sd)) - OVERSPENT

    sd = float(brentq(missed, 0.0, 0.5, xtol=1e-12)) if missed(0.0) >= 0 >= missed(0.5) else 0.0
    fitted = replace(plain, persistent_sd=sd)
    names = ("national_shift", "persistent_sd", "heavy_share")
    return Fit(
        "consortia",
        f"share of consortia of {lists} places that overspend in a year that is 2.5% over in all (HSJ 5018606)",
        {"net": NET, "overspent": OVERSPENT},
        {"net": fitted.national_shift, "overspent": over(fitted)},
        {"net": model.national_shift, "overspent": over(model)},
        {name: getattr(fitted, name) for name in names},
        {name: getattr(model, name) for name in names},
    )
