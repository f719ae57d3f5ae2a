"""What a stress needs to know before a plan exists: the risk model, who shares a budget, the table of returns.

Read with the other tables, so that `check` tells what is wrong without solving. Imports `spend`, `risk`, `inputs`,
`reading`, `tables`, `cells`, `settings`, `units` and `errors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches

import numpy as np
import numpy.typing as npt

from allocopt.errors import Problem, ScenarioFault, TableFault
from allocopt.formula import Targets
from allocopt.inputs import InputFile, Inputs
from allocopt.inputs.columns import NOT_KNOWN
from allocopt.returns import Returns, read_returns
from allocopt.risk import ENGLAND_PRACTICES, Exposure, RiskModel, draws
from allocopt.scenario import Loaded
from allocopt.settings import Scenario, Spend
from allocopt.settings.stress import Stress
from allocopt.spend import exposure, risk_model
from allocopt.streams import Floats

Labels = npt.NDArray[np.str_]

RECORDED = replace(
    ENGLAND_PRACTICES, persistent_sd=0.0, heavy_sd=0.0, heavy_share=0.0, gradient_poorest=0.0, gradient_richest=0.0
)
"""Risk around recorded spend: what a place always does is in the record, so chance and the area's shock are left."""


@dataclass(frozen=True)
class Risk:
    """How spend is drawn: base x (1 + d), base the target where spend is modelled, else the recorded spend (n, T)."""

    model: RiskModel
    exposure: Exposure
    seed: int
    base: Floats
    words: str


@dataclass(frozen=True)
class StressInputs:
    """What the `stress:` block asks for, read and checked."""

    settings: Stress
    risk: Risk | None
    """None where the scenario has no expected spend: then only the returns are shown."""
    labels: Mapping[str, Labels]
    """`group` and `area`, where a column says them: one label a place."""
    returns: Returns | None
    files: tuple[InputFile, ...]


def read_stress(loaded: Loaded, inputs: Inputs, targets: Targets, recorded: Floats | None) -> StressInputs | None:
    """Everything that the `stress:` block names; None where the scenario has none.

    `recorded` (n, T) is the expected spend in GBP m, or None. Raises TableFault with every problem of columns and
    returns, ScenarioFault where there is no spend to stress or no seed.
    """
    scenario = loaded.scenario
    if scenario.stress is None:
        return None
    problems: list[Problem] = []
    labels = {
        name: found
        for name, column in _columns(scenario, inputs).items()
        if (found := _labels(loaded, inputs, name, column, problems)) is not None
    }
    returns = read_returns(loaded, problems) if scenario.stress.monitoring else None
    if problems:
        raise TableFault("the stress cannot be made from these tables", tuple(problems))
    risk = _risk(scenario, inputs, targets, recorded)
    files = (returns.file,) if returns and returns.file not in inputs.files else ()
    return StressInputs(scenario.stress, risk, labels, returns, files)


def _columns(scenario: Scenario, inputs: Inputs) -> dict[str, str]:
    assert scenario.stress is not None
    named = {"group": scenario.stress.group, "area": scenario.stress.area or inputs.roles.get("area")}
    return {name: column for name, column in named.items() if column is not None}


def _labels(loaded: Loaded, inputs: Inputs, name: str, column: str, problems: list[Problem]) -> Labels | None:
    key = f"stress.{name}"
    mark = loaded.mark("stress", name) or loaded.mark("stress")
    if column not in inputs.places.columns:
        close = get_close_matches(column, [str(one) for one in inputs.places.columns], n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        cure = "name a column of the places table"
        problems.append(Problem(f"the places table has no column '{column}'{hint}", cure, key, mark))
        return None
    given = inputs.places[column].astype("str").to_numpy(dtype=np.str_)
    empty = np.isin(np.char.strip(given), ["", NOT_KNOWN, "nan"])
    if not empty.any():
        return given
    if name == "group" and loaded.scenario.stress is not None and loaded.scenario.stress.ungrouped == "alone":
        return np.where(empty, np.array([f"alone: {place}" for place in inputs.places.index]), given)
    named = inputs.named([str(place) for place in inputs.places.index[empty]])
    cure = "fill it in" if name == "area" else "fill it in, or write stress.ungrouped: alone"
    problems.append(Problem(f"no {name} is known in column '{column}' for {named}", cure, key, mark))
    return None


def _risk(scenario: Scenario, inputs: Inputs, targets: Targets, recorded: Floats | None) -> Risk | None:
    assert scenario.stress is not None
    spend = scenario.inputs.spend
    if spend is None or recorded is None:
        if scenario.stress.monitoring is None:
            raise _fault(
                "stress", "there is no expected spend to stress", "write inputs.spend with a table or a risk model"
            )
        return None
    modelled = spend.risk_model is not None
    changed = {key: value for key, value in scenario.stress.risk if value is not None}
    model = risk_model(_said(spend, changed)) if modelled else _changed(RECORDED, changed)
    seed = scenario.stress.seed if scenario.stress.seed is not None else spend.seed
    if seed is None:
        raise _fault("stress.seed", "a stress needs a seed", "write one, such as seed: 7; it is kept with every result")
    around = spend.model_copy(update={"area": scenario.stress.risk.area or spend.area})
    base = targets.target.to_numpy(dtype=float) if modelled else recorded
    return Risk(model, exposure(around, inputs, model=model), seed, base, _words(modelled=modelled, seed=seed))


def _said(spend: Spend, changed: Mapping[str, object]) -> Spend:
    return spend.model_copy(update=dict(changed))


def _changed(model: RiskModel, changed: Mapping[str, object]) -> RiskModel:
    known = {one.name for one in fields(RiskModel)}
    return replace(model, **{key: value for key, value in changed.items() if key in known})  # type: ignore[arg-type]


def _words(*, modelled: bool, seed: int) -> str:
    around = "targets" if modelled else "recorded spend"
    return f"modelled spend risk around {around}, seed {seed}"


def _fault(key: str, message: str, cure: str) -> ScenarioFault:
    return ScenarioFault("the stress cannot be made", (Problem(message, cure, key),))


def sampled_spend(stress: StressInputs | None) -> Floats | None:
    """Spend of each place, year and draw (n, T, S) in GBP m for objectives over draws; None where none is asked for.

    Draws 1 to S, the first S of the stress, the same distance in every year.
    """
    if stress is None or stress.risk is None or stress.settings.scenarios is None:
        return None
    risk = stress.risk
    distances = draws(risk.model, risk.exposure, seed=risk.seed, first=1, count=stress.settings.scenarios)
    return risk.base[:, :, None] * (1.0 + distances.T[:, None, :])
