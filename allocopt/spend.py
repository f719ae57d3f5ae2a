"""What each place is expected to spend: a column of a table, or one draw of a calibrated model, marked as modelled.

No practice-level spend is public, so expected spend is usually modelled: everything made from it says so, with the
seed. This room reads what the scenario and the tables say; the model itself stands in `allocopt.risk`.
Imports `formula`, `inputs`, `columns`, `tables`, `risk`, `quantiles`, `streams`, `settings`, `units` and `errors`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from allocopt import streams
from allocopt.errors import Problem, ScenarioFault, TableFault
from allocopt.inputs import Inputs
from allocopt.inputs.columns import NOT_KNOWN
from allocopt.inputs.tables import some
from allocopt.quantiles import weighted_groups
from allocopt.risk import ENGLAND_PRACTICES, FIFTHS, Exposure, RiskModel, added, draw_parts, draws
from allocopt.settings import Scenario, Spend
from allocopt.units import write_rate

if TYPE_CHECKING:
    from allocopt.formula import Targets

AREA_COLUMN = "ccg_code"
"""The area that shares a shock, unless the scenario names another column at `inputs.spend.area`."""

_MODELS = {"england_practices": ENGLAND_PRACTICES}


@dataclass(frozen=True)
class ExpectedSpend:
    """Expected spend, place x year in GBP m, and the words that go with everything made from it."""

    spend: pd.DataFrame
    modelled: bool
    seed: int | None
    words: str


def expected_spend(scenario: Scenario, inputs: Inputs, targets: Targets) -> ExpectedSpend:
    """Spend of each place and year in GBP m, from the table or from draw 0 of the model that the scenario names.

    Modelled: target x (1 + d_p), the same d_p in every year. Recorded: for a scenario of one year.
    Raises `ScenarioFault` where the scenario says no spend, no seed, or a table for several years, and `TableFault`
    where a column or value that the spend needs is missing.
    """
    spend = _said(scenario)
    if spend.risk_model is None:
        return _from_table(spend, inputs)
    model, seed = risk_model(spend), _seed(spend)
    place_exposure = exposure(spend, inputs, model=model)
    _same_places(targets.target.index, place_exposure.places, "targets")
    distance = draws(model, place_exposure, seed=seed)[0]
    modelled = targets.target.mul(1 + distance, axis="index")
    return ExpectedSpend(spend=modelled, modelled=True, seed=seed, words=_model_words(spend, model, seed))


def risk_parts(scenario: Scenario, inputs: Inputs, *, draw: int = 0) -> pd.DataFrame:
    """The parts of d_p, place x (area, persistent, chance, gradient, shift, clipped), fractions of target.

    `clipped` is what the clip adds or takes, so a row adds up to d_p. Draw 0 is the one in `expected_spend`.
    Raises as `expected_spend` does; spend from a table has no parts: `ScenarioFault`.
    """
    spend = _said(scenario)
    if spend.risk_model is None:
        raise _scenario_fault(
            "risk_model", "spend from a table has no parts", "name a model at inputs.spend.risk_model"
        )
    model = risk_model(spend)
    place_exposure = exposure(spend, inputs, model=model)
    parts = draw_parts(model, place_exposure, seed=_seed(spend), first=draw)
    frame = pd.DataFrame({name: part[0] for name, part in parts.items()}, index=place_exposure.places)
    total = added(parts)[0]
    frame["clipped"] = np.clip(total, -model.clip, model.clip) - total
    return frame


def risk_model(spend: Spend) -> RiskModel:
    """The model that the scenario names, with the parameters that it states in place of the model's own."""
    if spend.risk_model is None:
        raise _scenario_fault("risk_model", "no spend model is named", "write risk_model: england_practices")
    said = {item.name: getattr(spend, item.name, None) for item in fields(RiskModel)}
    return replace(_MODELS[spend.risk_model], **{name: value for name, value in said.items() if value is not None})


def exposure(spend: Spend, inputs: Inputs, *, model: RiskModel) -> Exposure:
    """Read what `model` needs to know of each place; effects that are zero ask for nothing.

    List size and the weights of the fifths are the people of the first year; fifths are formed over the places of the
    run. Raises `TableFault` with every missing column and value.
    """
    problems: list[Problem] = []
    graded = model.gradient_poorest != 0 or model.gradient_richest != 0
    area = _area(spend, inputs, problems) if model.area_sd else None
    people = _population(inputs, problems) if model.kappa or graded else None
    imd = _imd(inputs, problems) if graded else None
    if problems:
        raise TableFault("expected spend cannot be modelled from these tables", tuple(problems))
    places = inputs.places.index
    area_of, areas = (None, None) if area is None else pd.factorize(area, sort=True)
    return Exposure(
        places=places,
        keys=streams.keys(places),
        area_keys=None if areas is None else streams.keys(areas),
        area_of=area_of,
        population=None if people is None else people.to_numpy(),
        fifth=None if imd is None or people is None else weighted_groups(imd, people, FIFTHS).to_numpy(),
    )


def _area(spend: Spend, inputs: Inputs, problems: list[Problem]) -> pd.Series | None:
    name = spend.area or AREA_COLUMN
    cure = "name at inputs.spend.area the column whose value is the area that shares a shock, or set area_sd: 0%"
    if name not in inputs.places.columns:
        close = get_close_matches(name, [str(column) for column in inputs.places.columns], n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        problems.append(Problem(f"the places table has no column '{name}'{hint}", cure=cure, key="inputs.spend.area"))
        return None
    area: pd.Series = inputs.places[name]
    missing = area.index[area.isna() | area.isin(["", NOT_KNOWN])]
    if len(missing):
        named = inputs.named(list(missing))
        message = f"no area is known in column '{name}' for {named}: nothing says whose shock they share"
        problems.append(Problem(message, cure=f"fill it in, or {cure}", key="inputs.spend.area"))
        return None
    return area.astype("str")


def _population(inputs: Inputs, problems: list[Problem]) -> pd.Series | None:
    key = "inputs.places.columns.population"
    if "population" not in inputs.roles:
        message = "no column of population is named: list-size noise and deprivation fifths need it"
        problems.append(Problem(message, cure=f"name the column at {key}", key=key))
        return None
    people: pd.Series = inputs.population[inputs.years[0]].astype(np.float64)
    wrong = people.index[~(np.isfinite(people) & (people > 0))]
    if len(wrong):
        message = f"population is missing or not above 0 for {inputs.named(list(wrong))}"
        problems.append(Problem(message, cure="correct the table, or leave them out with small_lists", key=key))
        return None
    return people


def _imd(inputs: Inputs, problems: list[Problem]) -> pd.Series | None:
    imd: pd.Series | None = inputs.role("imd")
    if imd is None:
        key = "inputs.places.columns.imd"
        cure = f"name the column at {key}, or set inputs.spend.gradient_poorest and gradient_richest to 0%"
        problems.append(Problem("no deprivation score: the gradient by deprivation fifth needs it", cure=cure, key=key))
    return imd


def _from_table(spend: Spend, inputs: Inputs) -> ExpectedSpend:
    if len(inputs.years) > 1:
        message = f"recorded spend is one year's and the scenario has {len(inputs.years)}: nothing says how it grows"
        raise _scenario_fault("column", message, f"keep one year (years: [{inputs.years[0]}]), or use risk_model")
    recorded = inputs.recorded_spend
    if recorded is None:
        raise _scenario_fault("table", "no recorded spend was read", "name its table, column and unit")
    _same_places(recorded.index, inputs.places.index, "recorded spend")
    missing = recorded.index[~np.isfinite(recorded)]
    if len(missing):
        problem = Problem(
            f"spend is missing for {inputs.named(list(missing))}", cure="fill it in", key="inputs.spend.column"
        )
        raise TableFault("recorded spend is not complete", (problem,))
    modelled = bool(spend.modelled)
    words = f"{'modelled' if modelled else 'recorded'} spend: column {spend.column} of {spend.table}"
    return ExpectedSpend(spend=recorded.to_frame(inputs.years[0]), modelled=modelled, seed=None, words=words)


def _same_places(found: pd.Index, places: pd.Index, what: str) -> None:
    if not found.equals(places):
        unmatched = found.symmetric_difference(places)
        detail = f"these codes do not match: {some(list(unmatched))}" if len(unmatched) else "the order differs"
        raise TableFault(f"{what} and places are not the same places: {detail}")


def _model_words(spend: Spend, model: RiskModel, seed: int) -> str:
    published = _MODELS[str(spend.risk_model)]
    changes = [
        f"{item.name} {value:g}" if item.name == "kappa" else f"{item.name} {write_rate(value)}"
        for item in fields(RiskModel)
        if (value := getattr(model, item.name)) != getattr(published, item.name)
    ]
    if spend.area not in (None, AREA_COLUMN):
        changes.append(f"area {spend.area}")
    return f"modelled spend: {spend.risk_model}{' with ' * bool(changes)}{', '.join(changes)}, seed {seed}"


def _said(scenario: Scenario) -> Spend:
    if scenario.inputs.spend is None:
        cure = "give a table, column and unit, or risk_model and seed"
        raise ScenarioFault(
            "no expected spend", (Problem("the scenario says no spend", cure=cure, key="inputs.spend"),)
        )
    return scenario.inputs.spend


def _seed(spend: Spend) -> int:
    if spend.seed is None:
        raise _scenario_fault(
            "seed", "modelled spend needs a seed", "write one, such as seed: 7; it is kept with every result"
        )
    return spend.seed


def _scenario_fault(name: str, message: str, cure: str) -> ScenarioFault:
    return ScenarioFault("expected spend cannot be given", (Problem(message, cure=cure, key=f"inputs.spend.{name}"),))
