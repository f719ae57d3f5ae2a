"""The national path written in linopy, end to end: what a modeller would have without this package.

The same three stages with the same caps, as labelled arrays over places and years, solved through linopy's own bridge
to HiGHS. Needs the `benchmarks` extra.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import linopy
import numpy as np
import xarray as xr

from allocopt.problem import Situation

FLOOR, CEILING, FADES, GONE = 0.025, 0.09, 0.05, 0.10
"""The rules of `england-path`: a floor of 2.5% that fades between 5% and 10% over target, a ceiling of 9%."""


def programme(situation: Situation) -> tuple[linopy.Model, list[Any]]:
    """The model with every rule and definition, and its three objectives."""
    index = {"place": list(situation.places), "year": list(situation.years)}
    target = xr.DataArray(situation.target, coords=index)
    spend = xr.DataArray(situation.spend, coords=index)
    opening = xr.DataArray(situation.opening_dft, coords=index)
    base = xr.DataArray(situation.baseline, coords={"place": index["place"]})
    pot = xr.DataArray(situation.pot, coords={"year": index["year"]})
    model = linopy.Model()
    x = model.add_variables(lower=0, upper=pot.broadcast_like(target), name="allocation")
    deficit, shortfall = (model.add_variables(lower=0, upper=most, name=n) for n, most in _measured(spend, target))
    gain = model.add_variables(lower=0, upper=pot.broadcast_like(target), name="gain")
    floor = FLOOR * (1 - ((opening - FADES) / (GONE - FADES)).clip(0, 1))
    model.add_constraints(x.sum("place") == pot, name="budget")
    model.add_constraints(x >= target * np.minimum(1, 1 + opening), name="no_further_under_target")
    model.add_constraints(deficit + x >= spend, name="deficit_definition")
    model.add_constraints(shortfall + x >= target, name="shortfall_definition")
    before, growth = base, situation.pot[0] / situation.baseline.sum()
    for number, year in enumerate(situation.years):
        now = x.sel(year=year, drop=True)
        model.add_constraints(now - (1 + floor.sel(year=year, drop=True)) * before >= 0, name=f"floor_{year}")
        model.add_constraints(now - (1 + CEILING) * before <= 0, name=f"ceiling_{year}")
        model.add_constraints(gain.sel(year=year, drop=True) - now + growth * before >= 0, name=f"gain_{year}")
        before = now
        growth = situation.pot[number + 1] / situation.pot[number] if number + 1 < len(situation.years) else 0.0
    return model, [one.sum() for one in (deficit, shortfall, gain)]


def _measured(spend: xr.DataArray, target: xr.DataArray) -> list[tuple[str, xr.DataArray]]:
    return [("deficit", spend), ("shortfall", target)]


def stages(
    situation: Situation, caps: Sequence[float], options: Mapping[str, Any], limit: float
) -> list[tuple[float, float, float]]:
    """Building, then each stage: its value, seconds of wall clock and of processor time; NaN where it did not end."""
    found, mark = [], (time.perf_counter(), time.process_time())
    model, objectives = programme(situation)
    for number, objective in enumerate(objectives):
        model.objective = objective
        model.solve(solver_name="highs", io_api="direct", time_limit=limit, threads=1, output_flag=False, **options)
        value = float(model.objective.value) if model.termination_condition == "optimal" else np.nan
        now = (time.perf_counter(), time.process_time())
        found.append((value, now[0] - mark[0], now[1] - mark[1]))
        mark = now
        model.add_constraints(objective <= caps[number], name=f"cap_{number}")
    return found
