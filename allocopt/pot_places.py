"""For which places a pot is: a part of the country cannot be given the money of the whole without its being said.

Where `inputs.places.only` leaves places out, the scenario says at `pot.only` that its money is for the same places. The
refusal offers what their targets add up to in the whole. Imports `baseline`, `formula`, `inputs`, `errors`, `units`
and the types of `settings` and `scenario`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from allocopt.baseline import baseline
from allocopt.errors import InputFault, Problem, ScenarioFault
from allocopt.formula import Targets, targets
from allocopt.inputs import Inputs, read_inputs
from allocopt.inputs.tables import count
from allocopt.settings import Scenario
from allocopt.units import say_money

if TYPE_CHECKING:
    from allocopt.scenario import Loaded

Chosen = Mapping[str, str | list[str]]


def check_pot(loaded: Loaded, inputs: Inputs) -> None:
    """Raises ScenarioFault where the pot is not said to be for the places that `inputs.places.only` keeps."""
    scenario = loaded.scenario
    kept, meant = scenario.inputs.places.only, scenario.pot.only or {}
    if _plain(kept) == _plain(meant):
        return
    number, pot = count(len(inputs.places), "place"), say_money(float(inputs.pot.iloc[0]))
    if not kept:
        said = f"the pot of {pot} is for {_written(meant)}, and the run has {number}, none left out"
        cure = f"--set 'inputs.places.only={_written(meant)}', or the pot of all of them and --set pot.only=off"
    elif meant:
        said = f"the pot of {pot} is for {_written(meant)}, and the run has the {number} of {_written(kept)}"
        cure = f"say the pot of these places and --set 'pot.only={_written(kept)}'"
    else:
        said = f"the run has {number} alone, those of {_written(kept)}, and the pot of {pot} is not said to be for them"
        cure = _cure(loaded, inputs, kept)
    said += "".join(f"; neither is {one}" for one in _amounts(scenario)) if kept else ""
    key = "pot.only" if meant else "pot"
    raise ScenarioFault(
        "the money is not said to be for the places of the run",
        (Problem(said, cure, key, loaded.mark(*key.split("."))),),
    )


def _plain(chosen: Chosen) -> dict[str, list[str]]:
    return {name: sorted([given] if isinstance(given, str) else given) for name, given in chosen.items()}


def _written(chosen: Chosen) -> str:
    """As a scenario writes it."""
    listed = {name: given if isinstance(given, str) else f"[{', '.join(given)}]" for name, given in chosen.items()}
    return f"{{{', '.join(f'{name}: {given}' for name, given in listed.items())}}}"


def _amounts(scenario: Scenario) -> list[str]:
    """Other money of the scenario that is stated as an amount."""
    follows = scenario.inputs.baseline.follows_activity
    total = ["inputs.baseline.follows_activity.total"] if follows and follows.total is not None else []
    return total + [f"streams.{name}.value" for name, one in scenario.streams.items() if one.value is not None]


def _cure(loaded: Loaded, inputs: Inputs, kept: Chosen) -> str:
    """The money that these places have in the whole, ready to paste where it can be worked out."""
    scenario = loaded.scenario
    everywhere = scenario.inputs.places.model_copy(update={"only": {}})
    whole = scenario.model_copy(update={"inputs": scenario.inputs.model_copy(update={"places": everywhere})})
    only, known = _written(kept), scenario.pot.model_dump(exclude_none=True, exclude={"value", "only", "source", "why"})
    own = f"; if that pot is for these places alone: --set 'pot.only={only}'"
    try:
        found = read_inputs(replace(loaded, scenario=whole))
        aims = targets(whole, found)
        announced = aims.target.loc[inputs.places.index].sum()
        if inputs.reserve is not None:
            announced = announced * (1 + inputs.reserve / inputs.pot)
        off = "".join(f", {name}: off" for name in known)
        pot = f"--set 'pot={{value: {_by_year(announced)}, only: {only}{off}}}'"
        return f"{pot}{_total(whole, found, aims, inputs)} (what these places have in the whole){own}"
    except InputFault:
        return f"say the pot of these places alone: pot: {{value: ..., only: {only}}}{own}"


def _by_year(money: pd.Series) -> str:
    figures = {str(year): f"£{amount:.6f}m" for year, amount in money.items()}
    if len(figures) == 1:
        return next(iter(figures.values()))
    return f"{{{', '.join(f'{year}: {amount}' for year, amount in figures.items())}}}"


def _total(whole: Scenario, found: Inputs, aims: Targets, inputs: Inputs) -> str:
    """The baseline's total of these places, where the scenario states the whole's."""
    follows = whole.inputs.baseline.follows_activity
    if follows is None or follows.total is None:
        return ""
    theirs = float(baseline(whole, found, aims).loc[inputs.places.index].sum())
    return f" --set inputs.baseline.follows_activity.total=£{theirs:.6f}m"
