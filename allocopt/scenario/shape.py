"""Which keys a scenario knows at each place: read off the types of `settings` and the signatures of the rules.

Suggestions, `--set` and `off` ask here, so that no list of keys is written a second time. Imports `settings`,
`tree` and, for its types, `model`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from allocopt.scenario.tree import Keys
from allocopt.settings import RuleSetting, Scenario

if TYPE_CHECKING:
    from allocopt.model import Model, Objective, Rule

PROVENANCE = ("source", "why")


def alternatives(annotation: Any) -> Iterator[Any]:
    """The types that an annotation allows, without None."""
    if get_origin(annotation) is Annotated:
        yield from alternatives(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for one in get_args(annotation):
            yield from alternatives(one)
    elif annotation is not NoneType:
        yield annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {info.alias or name: info.annotation for name, info in model.model_fields.items()}


def _below(annotation: Any, key: str) -> Iterator[Any]:
    for one in alternatives(annotation):
        if _is_model(one):
            yield from [_fields(one)[key]] if key in _fields(one) else []
        elif get_origin(one) is dict:
            yield get_args(one)[1]
        elif get_origin(one) is list and key.isdigit():
            yield get_args(one)[0]


def _keys_of(annotations: Sequence[Any]) -> tuple[str, ...] | None:
    found = [one for annotation in annotations for one in alternatives(annotation)]
    if any(get_origin(one) is dict for one in found):
        return None
    return tuple(key for one in found if _is_model(one) for key in _fields(one))


def stated(scenario: Scenario, keys: Keys) -> Any:
    """What a scenario says at a key path, a rule's parameters included; None where it says nothing."""
    value: Any = scenario
    for key in keys:
        if isinstance(value, list):
            value = value[int(key)]
        elif isinstance(value, RuleSetting):
            value = value.parameters.get(key)
        else:
            value = value.get(key) if isinstance(value, Mapping) else getattr(value, key, None)
    return value


def known(keys: Keys, models: Sequence[Model] = ()) -> tuple[str, ...] | None:
    """The keys that may stand under a key path: () under a value, None where the writer names the keys."""
    if keys[:1] == ("rules",):
        return _known_rules(keys[1:], models)
    reached: list[Any] = [Scenario]
    for key in keys:
        reached = [one for annotation in reached for one in _below(annotation, key)]
    names = _keys_of(reached)
    return ("extends", *names) if not keys and names else names


def accepted(models: Sequence[Model]) -> dict[str, Rule]:
    """The rules that the models accept, by name."""
    return {rule.name: rule for model in models for rule in model.rules}


def objectives(models: Sequence[Model]) -> dict[str, Objective]:
    """The objectives that the models accept, by name."""
    return {one.name: one for model in models for one in model.objectives}


def _known_rules(keys: Keys, models: Sequence[Model]) -> tuple[str, ...] | None:
    rules = accepted(models)
    if not keys:
        return tuple(rules) or None
    if keys[0] not in rules:
        return ()
    parameters = rules[keys[0]].parameters
    if len(keys) == 1:
        return (*parameters, *PROVENANCE)
    reached: list[Any] = [parameters[keys[1]].annotation] if keys[1] in parameters else []
    for key in keys[2:]:
        reached = [one for annotation in reached for one in _below(annotation, key)]
    return _keys_of(reached)
