"""The risk model of expected spend: how far each place lies from its target, in parts that are never mixed.

Chance, what a place always does, what its area shares and deprivation are different things with different cures. Each
is drawn from a stream of its own that belongs to the place (`allocopt.streams`), so scenarios are compared on the same
luck. Nothing here knows of scenarios or tables: `allocopt.spend` reads those, and baselines that follow activity use
the persistent part alone. Imports `streams` and `errors`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allocopt import streams
from allocopt.errors import Problem, ScenarioFault
from allocopt.streams import Floats, Keys

FIFTHS = 5

PARTS = ("area", "persistent", "chance", "gradient", "shift")
"""The parts of a place's distance from target, in the order in which they are added up, before the clip."""

_BLOCK = 32
"""Draws made at once: the parts of 7,325 places then stay in the processor's cache."""


@dataclass(frozen=True)
class RiskModel:
    """How far the spend of place p lies from its target: spend_p = target_p x (1 + d_p).

        d_p = shift + area shock + persistent_p + kappa / sqrt(n_p) x z_p + gradient of p's deprivation fifth

    clipped to +/-clip and never rescaled. z_p, the area shocks and the persistent effects are independent normals with
    mean 0; n_p is registered people. Everything but kappa is a fraction of target.
    """

    kappa: float
    """Unpredictable cost of a person as a multiple of mean cost: a list of n people has sd kappa / sqrt(n). Source:
    German patient-level data on pools of 100,000 and 300,000 people (HSJ 5023200), which imply 3.5 to 3.8."""
    area_sd: float
    """Sd of the shock shared by a whole area, fraction of target. Source: set so that every consortium over budget in
    about half of the areas is plausible (HSJ 5018606, 190 consortia of 2009-10); without it pooling looks too good."""
    persistent_sd: float
    """Sd of what an ordinary place always spends beyond target, fraction. Source: fitted with `heavy_sd` and
    `heavy_share` to 53 / 26 / 11% of 8,238 practices beyond 5 / 10 / 20% of budget (HSJ 5016663)."""
    heavy_sd: float
    """The same for a place in the heavy tail, fraction. Source: the same fit."""
    heavy_share: float
    """Share of places in the heavy tail, fraction of places. Source: the same fit."""
    gradient_poorest: float
    """Mean distance of the most deprived fifth of people, fraction of target. Source: practice-based commissioning
    toolkit, 1,802 practices: the poorest fifth uses 1.8% less than its fair share."""
    gradient_richest: float
    """Mean distance of the least deprived fifth, fraction; the fifths between lie on a straight line. Source: the same
    toolkit: the richest fifth uses 1.7% more."""
    national_shift: float
    """Added to every place, fraction of target: 0 unless a national overspend is assumed. Source: the scenario."""
    clip: float = 0.6
    """Largest distance either way, fraction of target. Source: convention, so that no tiny list dominates."""

    def __post_init__(self) -> None:
        problems = tuple(_problems(self))
        if problems:
            raise ScenarioFault("the spend model cannot be drawn", problems)


def _problems(model: RiskModel) -> Iterator[Problem]:
    for name in ("kappa", "area_sd", "persistent_sd", "heavy_sd"):
        value = getattr(model, name)
        if not (value >= 0 and math.isfinite(value)):
            yield _wrong(name, f"a spread cannot be negative or without limit: {value:g}", "give 0 or more")
    if not 0 <= model.heavy_share <= 1:
        yield _wrong(
            "heavy_share", f"a share lies between 0% and 100%: {100 * model.heavy_share:g}%", "give 0% to 100%"
        )
    if not 0 < model.clip < 1:
        yield Problem(f"the clip must lie above 0 and below 1: {model.clip:g}", cure="give a fraction such as 0.6")
    for name in ("gradient_poorest", "gradient_richest", "national_shift"):
        value = getattr(model, name)
        if not abs(value) < model.clip:
            yield _wrong(name, f"{value:g} lies beyond the clip of {model.clip:g}", "give a smaller effect")


def _wrong(name: str, message: str, cure: str) -> Problem:
    return Problem(message, cure=cure, key=f"inputs.spend.{name}")


ENGLAND_PRACTICES = RiskModel(
    kappa=3.67,
    area_sd=0.02,
    persistent_sd=0.04,
    heavy_sd=0.30,
    heavy_share=0.19,
    gradient_poorest=-0.018,
    gradient_richest=0.017,
    national_shift=0.0,
)


@dataclass(frozen=True)
class Exposure:
    """What the risk of each place depends on; an effect that the model leaves out needs nothing and has None.

    `places` are codes and `keys` their random keys; `area_of[p]` is the row of place p's area in `area_keys`;
    `population` is people; `fifth` is 1 (least deprived) to 5, NaN where deprivation is not known. For independent
    instead of correlated areas, give every place an area of its own: `independent()`.
    """

    places: pd.Index
    keys: Keys
    area_keys: Keys | None = None
    area_of: NDArray[np.intp] | None = None
    population: Floats | None = None
    fifth: Floats | None = None

    def independent(self) -> Exposure:
        """The same places, with a shock of each place's own where the area's was."""
        return replace(self, area_keys=self.keys, area_of=np.arange(len(self.keys)))


def draws(model: RiskModel, of: Exposure, *, seed: int, first: int = 0, count: int = 1) -> Floats:
    """Distances d_p of draws `first` to `first + count - 1`: a row for each draw, a column for each place, fractions.

    A number depends on the place, the seed and the draw alone, so blocks can be made in any order and anywhere.
    """
    rows = np.empty((count, len(of.places)))
    for start in range(0, count, _BLOCK):
        block = rows[start : start + _BLOCK]
        parts = draw_parts(model, of, seed=seed, first=first + start, count=len(block))
        np.clip(added(parts), -model.clip, model.clip, out=block)
    return rows


def paired_draws(model: RiskModel, of: Exposure, *, seed: int, first: int = 0, count: int = 1) -> tuple[Floats, Floats]:
    """The same draws twice, as `draws` gives them: with the areas' shocks, and with a shock of each place's own.

    Everything but the area part is one and the same luck, so the difference is correlation alone.
    """
    parts = draw_parts(model, of, seed=seed, first=first, count=count)
    alone = {**parts, "area": _area_shock(model, of.independent(), seed, first, count)}
    together, apart = added(parts), added(alone)
    np.clip(together, -model.clip, model.clip, out=together)
    np.clip(apart, -model.clip, model.clip, out=apart)
    wide = (count, len(of.places))
    return np.broadcast_to(together, wide), np.broadcast_to(apart, wide)


def draw_parts(model: RiskModel, of: Exposure, *, seed: int, first: int = 0, count: int = 1) -> dict[str, Floats]:
    """The parts of d_p before the clip (`PARTS`), each draw x place, fractions; one row if it holds for all."""
    return {
        "area": _area_shock(model, of, seed, first, count),
        "persistent": _persistent(model, of.keys, seed, first, count),
        "chance": _chance(model, of, seed, first, count),
        "gradient": _gradient(model, of),
        "shift": np.full((1, len(of.places)), model.national_shift),
    }


def yearly_parts(
    model: RiskModel, of: Exposure, *, seed: int, year: int, first: int = 0, count: int = 1
) -> dict[str, Floats]:
    """The parts that are new in a later year (1 is the year after that of `draws`): the area's shock and chance."""
    return {
        "area": _area_shock(model, of, seed, first, count, stream=f"area:{year}"),
        "chance": _chance(model, of, seed, first, count, stream=f"chance:{year}"),
    }


def added(parts: dict[str, Floats]) -> Floats:
    """The parts added up in the order of `PARTS`, before the clip; draw x place, fractions of target."""
    total = parts[PARTS[0]]
    for name in PARTS[1:]:
        total = total + parts[name]
    return total


def persistent_draw(places: pd.Index, *, seed: int, model: RiskModel, draw: int = 0) -> Floats:
    """The persistent effect alone, one fraction of target for each place code, before the clip.

    The same seed and draw give the effect that is inside `expected_spend`.
    """
    effects: Floats = _persistent(model, streams.keys(places), seed, draw, 1)[0]
    return effects


def chance_sd(population: Floats, *, kappa: float) -> Floats:
    """Sd of chance for lists or pools of `population` people, fraction of target: kappa / sqrt(n)."""
    return kappa / np.sqrt(population)


def _area_shock(model: RiskModel, of: Exposure, seed: int, first: int, count: int, stream: str = "area") -> Floats:
    if not model.area_sd:
        return np.zeros((1, len(of.places)))
    if of.area_keys is None or of.area_of is None:
        raise _not_read("area_sd")
    shocks = streams.standard_normals(of.area_keys, seed=seed, stream=stream, first=first, count=count)
    return model.area_sd * shocks[:, of.area_of]


def _persistent(model: RiskModel, keys: Keys, seed: int, first: int, count: int) -> Floats:
    if not (model.persistent_sd or model.heavy_sd):
        return np.zeros((1, len(keys)))
    ranks = streams.uniforms(keys, seed=seed, stream="heavy", first=first, count=count)
    effects = streams.standard_normals(keys, seed=seed, stream="persistent", first=first, count=count)
    effects *= np.where(ranks < model.heavy_share, model.heavy_sd, model.persistent_sd)
    return effects


def _chance(model: RiskModel, of: Exposure, seed: int, first: int, count: int, stream: str = "chance") -> Floats:
    if not model.kappa:
        return np.zeros((1, len(of.places)))
    if of.population is None:
        raise _not_read("kappa")
    luck = streams.standard_normals(of.keys, seed=seed, stream=stream, first=first, count=count)
    luck *= chance_sd(of.population, kappa=model.kappa)
    return luck


def _gradient(model: RiskModel, of: Exposure) -> Floats:
    """A straight line over the fifths; a place whose deprivation is not known has none."""
    if not (model.gradient_poorest or model.gradient_richest):
        return np.zeros((1, len(of.places)))
    if of.fifth is None:
        raise _not_read("gradient_poorest")
    line = np.interp(of.fifth, [1, FIFTHS], [model.gradient_richest, model.gradient_poorest])
    return np.where(np.isnan(of.fifth), 0.0, line)[np.newaxis]


def _not_read(name: str) -> ValueError:
    return ValueError(
        f"this exposure was read for a model without {name}: read it again with `exposure(..., model=...)`"
    )
