"""What rules and objectives need of the tables, told before anything is built: columns, groupings and their groups.

Groupings that rules may name are made here once, with the definitions that the tables use. Imports `quantiles`,
`model`, `inputs`, `scenario` and `errors`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from allocopt.errors import Problem, ScenarioFault
from allocopt.model import Model, Objective, Rule
from allocopt.quantiles import weighted_groups
from allocopt.settings import RuleSetting

if TYPE_CHECKING:
    from allocopt.formula import Targets
    from allocopt.inputs import Inputs
    from allocopt.scenario import Loaded

NOT_KNOWN = "not known"
Groups = Mapping[str, tuple[str, ...]]


class Groupings(Mapping[str, tuple[str, ...]]):
    """Column -> group of each place; a text column is turned into groups when it is first asked for."""

    def __init__(self, text: Mapping[str, pd.Series], made: Mapping[str, tuple[str, ...]]) -> None:
        self._text, self._made = {name: one for name, one in text.items() if name not in made}, dict(made)
        self._names = tuple(dict.fromkeys((*text, *made)))

    def __getitem__(self, name: str) -> tuple[str, ...]:
        if name not in self._made and name in self._text:
            self._made[name] = tuple(self._text[name].astype(str).tolist())
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def groupings(inputs: Inputs, aims: Targets) -> Groups:
    """Column -> group of each place: text columns, `region`, `area`, `imd_fifth` and `need_decile` as in the tables."""
    text = {name: inputs.places[name] for name in inputs.places.columns if inputs.places[name].dtype.kind not in "fiu"}
    roles = {role: inputs.places[inputs.roles[role]] for role in ("region", "area") if role in inputs.roles}
    return Groupings(text | roles, _made_groups(inputs, aims))


def _made_groups(inputs: Inputs, aims: Targets) -> dict[str, tuple[str, ...]]:
    """The groupings that are made here: fifths by deprivation, tenths by need."""
    made = dict[str, tuple[str, ...]]()
    people = inputs.population[inputs.years[0]]
    if people.isna().any():
        return made
    imd = inputs.role("imd")
    if imd is not None:
        made["imd_fifth"] = _labels(6 - weighted_groups(imd, people, 5))
    made["need_decile"] = _labels(weighted_groups(aims.target[inputs.years[0]] / people, people, 10))
    return made


def _labels(groups: pd.Series) -> tuple[str, ...]:
    number = groups.to_numpy(dtype=float)
    text = np.nan_to_num(number).astype(np.int64).astype(np.str_)
    return tuple(np.where(np.isnan(number), NOT_KNOWN, text).tolist())


def check_needs(loaded: Loaded, models: Sequence[Model], groups: Groups) -> None:
    """Raises ScenarioFault with every column, grouping and group that a rule or an objective needs and the places
    lack."""
    problems = [one for model in models for one in (*_columns(loaded, model), *_groups(loaded, model, groups))]
    if problems:
        raise ScenarioFault("the rules need what the places do not have", tuple(dict.fromkeys(problems)))


def _on(loaded: Loaded, model: Model) -> Iterator[tuple[Rule, RuleSetting]]:
    names = {rule.name: rule for rule in model.rules}
    yield from ((names[name], setting) for name, setting in loaded.scenario.rules.items() if name in names)


def _listed(loaded: Loaded, model: Model) -> Iterator[tuple[Objective, str]]:
    names = {one.name: one for one in model.objectives}
    for number, setting in enumerate(loaded.scenario.objectives):
        if setting.name in names:
            yield names[setting.name], str(number)


def _columns(loaded: Loaded, model: Model) -> Iterator[Problem]:
    given = {role for role, column in loaded.scenario.inputs.places.columns if column is not None}
    if loaded.scenario.inputs.populations is not None:
        given.add("previous_population")
    if {"population", "population_growth"} <= given:
        given.add("previous_population")
    if {"population", "previous_population"} <= given:
        given.add("population_growth")
    asked: list[tuple[Rule | Objective, tuple[str, str]]] = [
        (rule, ("rules", rule.name)) for rule, _ in _on(loaded, model)
    ]
    asked += [(one, ("objectives", number)) for one, number in _listed(loaded, model)]
    for part, keys in asked:
        for role in (role for role in part.needs if role not in given):
            held = f"the column that holds each place's {role.replace('_', ' ')}"
            said = f"{part.name} needs {held}, and the scenario names none"
            others = " in per cent, or population and previous_population" if role == "population_growth" else ""
            cure = f"name it: inputs.places.columns.{role}{others}; or leave {part.name} out"
            yield Problem(said, cure, ".".join(keys), loaded.mark(*keys))


def _groups(loaded: Loaded, model: Model, groups: Groups) -> Iterator[Problem]:
    for rule, setting in _on(loaded, model):
        for name in (name for name, one in rule.parameters.items() if one.names_groups):
            column = setting.parameters.get(name)
            if column is not None:
                yield from _grouping(loaded, rule, column, setting.parameters.get("group"), groups)
                for one in setting.parameters.get("floors") or ():
                    yield from _grouping(loaded, rule, column, one.group, groups, key="floors")


def _grouping(
    loaded: Loaded, rule: Rule, column: str, group: str | None, groups: Groups, *, key: str = "group"
) -> Iterator[Problem]:
    if column not in groups:
        at = ("rules", rule.name, "column")
        said = f"the places have no grouping '{column}'{_meant(column, groups)}"
        yield Problem(said, f"name one of {', '.join(sorted(groups))}", ".".join(at), loaded.mark(*at))
    elif group is not None and group not in groups[column]:
        at = ("rules", rule.name, key)
        there = sorted(set(groups[column]))
        shown = ", ".join(there[:20]) + (f" and {len(there) - 20} more" if len(there) > 20 else "")
        said = f"no place has '{group}' as its {column}{_meant(group, dict.fromkeys(there))}"
        yield Problem(said, f"name one of {shown}", ".".join(at), loaded.mark(*at))


def _meant(given: str, there: Mapping[str, object]) -> str:
    near = get_close_matches(given, list(there), 1)
    return f"; did you mean '{near[0]}'?" if near else ""
