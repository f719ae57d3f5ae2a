"""What the models that a scenario names say about its rules and objectives.

Each parameter is read by the signature of its rule. Imports `faults`, `shape`, `tree`,
`errors` and, when a scenario is checked, `model`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from allocopt.errors import Problem, ScenarioFault
from allocopt.scenario.faults import Findings, type_errors
from allocopt.scenario.shape import PROVENANCE, accepted, known, objectives
from allocopt.scenario.tree import Items, Keys, Leaf, Table, Tree, find, plain, suggestion, written
from allocopt.settings import year_text

if TYPE_CHECKING:
    from allocopt.model import Model, Parameter
    from allocopt.settings import Scenario

A_POUND_OF_SLACK = {"slack": 0.0, "slack_at_least": 1e-6}
"""What a stage leaves to the next where every year is decided by itself: what the solver may miss by rounding."""


def named_models(found: Findings) -> list[Model]:
    """The models that the scenario names and that exist."""
    from allocopt.model import load_model, model_names  # noqa: PLC0415 - only a scenario that can be read needs its models

    models = []
    given = find(found.tree, ("model",))
    for number, one in enumerate(given.items if isinstance(given, Items) else ()):
        name, keys = plain(one), ("model", str(number))
        if not isinstance(name, str):
            continue
        if not re.fullmatch(r"[a-z_]+", name):
            cure = f"write one of {', '.join(model_names())}"
            found.add(
                keys, f"'{name}' is not a model's name: a scenario may only name a model, never give a path", cure
            )
            continue
        try:
            models.append(load_model(name))
        except ScenarioFault as fault:
            found.add(
                keys,
                f"{fault.message}{suggestion(name, model_names())}",
                fault.problems[0].cure if fault.problems else "",
            )
    return models


def _who(models: Sequence[Model]) -> str:
    return (
        f"model {models[0].name}" if len(models) == 1 else f"none of the models {', '.join(one.name for one in models)}"
    )


def _has(models: Sequence[Model]) -> str:
    return f"{_who(models)} has {'no' if len(models) == 1 else 'a'}"


def not_accepted(
    found: Findings, name: str, kind: str, keys: Keys, models: Sequence[Model], names: Sequence[str]
) -> None:
    """A rule or an objective that the scenario's models do not have."""
    if kind == "rule" and name in {rule.name for model in models for rule in model.always}:
        found.add(keys, f"'{name}' always holds in this model and cannot be set", "remove the line")
        return
    cure = f"it accepts {', '.join(names)}" if names else f"it accepts no {kind}s"
    found.add(keys, f"{_has(models)} {kind} '{name}'{suggestion(name, names)}", cure)


def rule_settings(found: Findings, models: Sequence[Model], years: Sequence[str]) -> dict[str, Any]:
    """The rules in the shape of `settings`, their parameters read by the models' own signatures."""
    given, rules = found.tree.items.get("rules"), accepted(models)
    settings: dict[str, Any] = {}
    if given and not isinstance(given, Table):
        found.add(
            ("rules",), f"expected a map of rules, not {written(given)}", "write rules: {growth_floor: {rate: 2%}}"
        )
    for name, one in given.items.items() if isinstance(given, Table) else ():
        keys = ("rules", name)
        if name not in rules:
            if models:
                not_accepted(found, name, "rule", keys, models, list(rules))
        elif not isinstance(one, Table):
            wanted = ", ".join(f"{key}: ..." for key in rules[name].parameters)
            found.add(keys, f"expected the parameters of the rule, not {written(one)}", f"write {name}: {{{wanted}}}")
        else:
            settings[name] = _with_parameters(found, keys, one, rules[name].parameters, years, models)
            _ends(found, keys, rules[name].parameters, settings[name]["parameters"], one)
    return settings


_ENDS = (("min", "max"), ("floor", "cap"))
"""Parameters of one rule of which the first is not above the second."""


def _ends(
    found: Findings, keys: Keys, parameters: Mapping[str, Parameter], values: Mapping[str, Any], given: Table
) -> None:
    """A lower limit above the upper one, and a rule of two limits that says neither."""
    for low, high in _ENDS:
        if not {low, high} <= parameters.keys():
            continue
        if not {low, high} & given.items.keys() and not parameters[low].required:
            cure = f"write one of them, or {keys[-1]}: off"
            found.add(keys, f"the rule is on and says neither {low} nor {high}: it limits nothing", cure)
        ends = [values.get(name) for name in (low, high)]
        years = sorted({year for one in ends if isinstance(one, dict) for year in one}) or [""]
        for year in years:
            least, most = (one.get(year) if isinstance(one, dict) else one for one in ends)
            if least is not None and most is not None and least > most:
                said = f"{low} {parameters[low].write(least)} is above {high} {parameters[high].write(most)}"
                found.add((*keys, low), f"{said}{f' in {year}' if year else ''}", f"write a {low} that is not above it")


def _with_parameters(
    found: Findings,
    keys: Keys,
    given: Table,
    parameters: Mapping[str, Parameter],
    years: Sequence[str],
    models: Sequence[Model],
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, one in given.items.items():
        if key in parameters:
            values |= _parameter(found, (*keys, key), one, parameters[key], years, models)
        elif key not in (*PROVENANCE, "name"):
            found.unknown((*keys, key), (*parameters, *PROVENANCE))
    for parameter in parameters.values():
        if parameter.required and parameter.name not in given.items:
            example = f", such as {parameter.unit.example}" if parameter.unit else ""
            cure = f"write {parameter.name}: with its value{example}"
            found.add((*keys, parameter.name), f"'{parameter.name}' is missing", cure)
    return {"parameters": values, **{key: plain(given.items[key]) for key in PROVENANCE if key in given.items}}


def _parameter(
    found: Findings, keys: Keys, given: Tree, parameter: Parameter, years: Sequence[str], models: Sequence[Model]
) -> dict[str, Any]:
    if not (parameter.by_year and isinstance(given, Table)):
        read = _read(found, keys, given, parameter, models)
        return {} if read is None else {parameter.name: read}
    every_year(found, keys, given, years)
    by_year = {
        year_text(year): _read(found, (*keys, year), one, parameter, models) for year, one in given.items.items()
    }
    return {} if None in by_year.values() else {parameter.name: by_year}


def every_year(found: Findings, keys: Keys, given: Table, years: Sequence[str]) -> None:
    """A map by year has every year of the scenario and no other."""
    said = [year_text(year) for year in given.items]
    missing = [year for year in years if year not in said]
    extra = [year for year in given.items if year_text(year) not in years]
    if years and missing:
        found.add(keys, f"no value for {', '.join(missing)}", f"write one for every year: {', '.join(years)}")
    for year in extra if years else ():
        found.add(
            (*keys, year),
            f"'{year}' is not a year of this scenario{suggestion(year, years)}",
            f"the years are {', '.join(years)}",
        )


def _read(found: Findings, keys: Keys, given: Tree, parameter: Parameter, models: Sequence[Model]) -> Any:
    try:
        value = parameter.read(plain(given))
    except ValidationError as fault:
        type_errors(found, fault, keys, models)
        return None
    if isinstance(value, float) and not math.isfinite(value):
        found.add(keys, f"{written(given)} is too large to reckon with", "write a smaller number")
        return None
    return value


def objective_settings(found: Findings, models: Sequence[Model], years: Sequence[str]) -> list[dict[str, Any]]:
    """The objectives in the shape of `settings`, in their order."""
    given, known_here = found.tree.items.get("objectives"), objectives(models)
    if given and not isinstance(given, Items):
        found.add(("objectives",), f"expected a list of objectives, not {written(given)}", "write [first, second]")
        return []
    items = given.items if isinstance(given, Items) else ()
    settings: list[dict[str, Any]] = []
    for number, one in enumerate(items):
        name, at, body = _objective(one, ("objectives", str(number)))
        if name is None:
            found.add(at, f"expected an objective, not {written(one)}", "write its name, or {name: {parameter: value}}")
        elif name in known_here:
            parts = _with_parameters(found, at, body, known_here[name].parameters, years, models)
            settings.append({"name": name, **parts})
            _twice(found, at, settings)
        elif models:
            not_accepted(found, name, "objective", at, models, list(known_here))
    _enough(found, models, items)
    return settings


def _objective(given: Tree, at: Keys) -> tuple[str | None, Keys, Table]:
    """The name of an objective, where its parameters stand, and the parameters."""
    nothing = Table(given.mark, {})
    if isinstance(given, Leaf):
        return (given.value if isinstance(given.value, str) else None), at, nothing
    if isinstance(given, Table) and isinstance(named := given.items.get("name"), Leaf):
        return str(named.value), at, given
    if isinstance(given, Table) and len(given.items) == 1:
        key, body = next(iter(given.items.items()))
        return (key, (*at, key), body) if isinstance(body, Table) else (None, at, nothing)
    return None, at, nothing


def _twice(found: Findings, at: Keys, settings: Sequence[Mapping[str, Any]]) -> None:
    last = settings[-1]
    if any(one["name"] == last["name"] and one["parameters"] == last["parameters"] for one in settings[:-1]):
        found.add(at, f"objective '{last['name']}' is listed twice", "remove one of the two")


def _enough(found: Findings, models: Sequence[Model], items: Sequence[Tree]) -> None:
    names = {_objective(one, ())[0] for one in items}
    for model in models:
        own = [one.name for one in model.objectives]
        if own and not names.intersection(own) and (not names or names <= set(objectives(models))):
            found.add(
                ("objectives",),
                f"model {model.name} has no objective to pursue",
                f"list at least one of {', '.join(own)}",
            )


def needs_spend(found: Findings, models: Sequence[Model]) -> None:
    """Objectives that need spend are refused where the scenario gives none."""
    given = found.tree.items.get("objectives")
    if find(found.tree, ("inputs", "spend")) or not isinstance(given, Items):
        return
    for number, one in enumerate(given.items):
        name = _objective(one, ())[0]
        known_here = objectives(models)
        if name in known_here and known_here[name].needs_spend:
            cure = "write inputs.spend with a table or a risk model, or take the objective out"
            found.add(
                ("objectives", str(number)),
                f"objective '{name}' needs expected spend, and the scenario gives none",
                cure,
            )


def idle_offs(found: Findings, idle: Sequence[tuple[Keys, Any]], models: Sequence[Model]) -> Iterator[tuple[Keys, Any]]:
    """Each `off` that dropped nothing: an error when no such key exists, else handed back to be warned about."""
    for keys, mark in idle:
        names = known(keys[:-1], models)
        if keys[0] == "rules" and len(keys) == 2 and models and keys[1] not in accepted(models):
            not_accepted(found, keys[1], "rule", keys, models, list(accepted(models)))
        elif names and keys[-1] not in names:
            found.unknown(keys, names)
        else:
            yield keys, mark
            continue
        last = found.problems.pop()
        found.problems.append(Problem(last.message, last.cure, last.key, mark))


def with_slack(scenario: Scenario, models: Sequence[Model]) -> Scenario:
    """The scenario with the slack of its stages, where it says none: a pound where every year is decided by itself.

    A slack that is worth something to the later objectives moves places off the limits that hold them, and a limit that
    binds no longer seems to. Years in one programme, groupings and objectives that are no money keep a share.
    """
    said = scenario.solver.model_fields_set & {"slack", "slack_at_least"}
    aims = {one.name: one for model in models for one in model.objectives}
    whole = scenario.path == "joint" and len(scenario.years) > 1
    pounds = all(aims[one.name].is_money and not aims[one.name].continued for one in scenario.objectives)
    if said or whole or not pounds or any(model.kind != "allocation" for model in models):
        return scenario
    return scenario.model_copy(update={"solver": scenario.solver.model_copy(update=A_POUND_OF_SLACK)})
