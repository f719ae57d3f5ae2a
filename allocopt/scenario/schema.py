"""The JSON Schema of scenario files, for editors: made from the types of `settings` and the signatures of the rules.

Every key may be left out, because a scenario says only what differs from the one it extends; a file that extends
nothing must have the keys that have no default. Imports `settings`, `shape` and, when asked, `model`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allocopt.scenario.shape import accepted, objectives
from allocopt.settings import Scenario

if TYPE_CHECKING:
    from allocopt.model import Model, Objective, Parameter, Rule

_OFF = {"const": "off", "description": "Drop what the parent says."}
_TEXT = {"type": "string"}
_NEVER_OFF = {"format", "name", "extends", "model", "years"}
Json = dict[str, Any]


def _one_or_list(item: Json) -> Json:
    return {"anyOf": [item, {"type": "array", "items": item, "minItems": 1}]}


def schema() -> Json:
    """JSON Schema (draft 2020-12) of a scenario file, with the rules and objectives of every shipped model."""
    from allocopt.model import load_model, model_names  # noqa: PLC0415 - as in `rules`

    models = [load_model(name) for name in model_names()]
    made = Scenario.model_json_schema(by_alias=True)
    definitions: Json = made.pop("$defs")
    for unused in ("RuleSetting", "ObjectiveSetting"):
        definitions.pop(unused, None)
    required = made.pop("required")
    made["properties"] |= _own_forms(made["properties"], models, definitions)
    listed = _objectives(models, definitions)
    _loosen(made)
    _loosen(list(definitions.values()))
    made["properties"]["objectives"] = listed
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "title": "allocopt scenario",
        "$defs": dict(sorted(definitions.items())),
        "if": {"not": {"required": ["extends"]}},
        "then": {"required": required},
    }


def write_schema(path: str | Path) -> None:
    """Write the schema as indented JSON."""
    Path(path).write_text(json.dumps(schema(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _own_forms(given: Json, models: Sequence[Model], definitions: Json) -> Json:
    """The keys whose written form is wider than their type."""
    year = {"type": ["string", "integer"]}
    known_rules = accepted(models)
    rules = {name: _block(known_rules[name], definitions) for name in sorted(known_rules)}
    pot = given["pot"]
    return {
        "extends": {"description": "The scenario or scenarios that this one builds on.", **_one_or_list(_TEXT)},
        "model": {
            "description": "A model, or several in a row.",
            **_one_or_list({"enum": [one.name for one in models]}),
        },
        "years": {"description": "The years, in order.", **_one_or_list(year)},
        "pot": {
            **{key: one for key, one in pot.items() if key != "$ref"},
            "anyOf": [{"$ref": pot.get("$ref", "#/$defs/Pot")}, _TEXT],
        },
        "rules": {"type": "object", "additionalProperties": False, "properties": rules},
    }


def _objectives(models: Sequence[Model], definitions: Json) -> Json:
    known_here = objectives(models)
    forms = [form for name in sorted(known_here) for form in _objective(known_here[name], definitions)]
    about = "What to make small, each in its turn."
    return {"description": about, "type": "array", "items": {"anyOf": [{"enum": sorted(known_here)}, *forms]}}


def _parameters(parameters: Iterable[Parameter], definitions: Json) -> Json:
    found: Json = {}
    for parameter in parameters:
        one = parameter.json_schema()
        definitions |= one.pop("$defs", {})
        by_year = {"type": "object", "additionalProperties": one}
        found[parameter.name] = {"anyOf": [one, by_year]} if parameter.by_year else one
    return found


def _block(part: Rule | Objective, definitions: Json) -> Json:
    properties = {**_parameters(part.parameters.values(), definitions), "source": _TEXT, "why": _TEXT}
    return {"type": "object", "additionalProperties": False, "description": part.sentence, "properties": properties}


def _objective(one: Objective, definitions: Json) -> list[Json]:
    block = _block(one, definitions)
    nested = {"type": "object", "additionalProperties": False, "required": [one.name], "properties": {one.name: block}}
    flat = {**block, "required": ["name"], "properties": {"name": {"const": one.name}, **block["properties"]}}
    return [nested, flat]


def _loosen(node: Any) -> None:
    """Let a child say a part only, drop a key with `off`, and never write null."""
    if isinstance(node, list):
        for one in node:
            _loosen(one)
    if not isinstance(node, dict):
        return
    node.pop("required", None)
    if "anyOf" in node:
        node["anyOf"] = [form for form in node["anyOf"] if form != {"type": "null"}]
    if "properties" not in node:
        node.pop("default", None)  # defaults are held in internal units, which nobody writes
    for one in list(node.values()):
        _loosen(one)
    for name, one in node.get("properties", {}).items() if isinstance(node.get("properties"), dict) else ():
        if isinstance(one, dict) and name not in _NEVER_OFF:
            node["properties"][name] = _or_off(one)


def _or_off(one: Json) -> Json:
    forms = one.get("anyOf")
    about: Json = {key: one[key] for key in ("description", "title") if key in one}
    inner = forms or [{key: value for key, value in one.items() if key not in about}]
    return {**about, "anyOf": [*inner, _OFF]}
