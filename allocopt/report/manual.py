"""The manual of models, rules and objectives, printed from the code itself. Imports `model` alone."""

from __future__ import annotations

from typing import Any

from rich.markup import escape

from allocopt.model import Objective, Parameter, Rule, load_model, model_names
from allocopt.report.console import console, table


def show_models() -> None:
    """Every shipped model and the first line of its docstring."""
    rows = [(name, load_model(name).text.split("\n")[0]) for name in model_names()]
    console().print(table("", ["model", "what it decides"], rows, left=2))


def show_model(name: str) -> None:
    """The whole programme of a model, then its rules and objectives. Raises ScenarioFault for an unknown name."""
    model, out = load_model(name), console()
    out.print(f"[bold]{name}[/bold]\n")
    out.print(escape(model.text), soft_wrap=True)
    for heading, parts in (("Always", model.always), ("Rules a scenario may switch on", model.rules)):
        if parts:
            out.print(f"\n[bold]{heading}[/bold]")
        for part in parts:
            out.print(escape(part_text(part)), soft_wrap=True)
    out.print("\n[bold]Objectives, in the order a scenario lists them[/bold]")
    for objective in model.objectives:
        out.print(escape(part_text(objective)), soft_wrap=True)


def part_text(part: Rule | Objective) -> str:
    """A rule or objective: sentence, equation, unit, parameters, source."""
    lines = [f"  {part.name}", f"      {part.sentence}", f"      {part.equation}   [{part.unit}]"]
    lines += [f"      {part.note}"] if part.note else []
    for one in part.parameters.values():
        lines += [f"      {parameter_text(one)}", *(f"        {key}: {said}" for key, said in keys_of(one).items())]
    return "\n".join([*lines, f"      source: {part.source}"])


def parameter_text(parameter: Parameter) -> str:
    """`rate (%): required` or its default."""
    unit = f" ({parameter.unit.name})" if parameter.unit else ""
    default = "required" if parameter.required else f"default {parameter.write(parameter.default)}"
    return f"{parameter.name}{unit}: {default}"


def keys_of(parameter: Parameter) -> dict[str, str]:
    """What each key of a parameter that is a map, or a list of maps, means."""
    maps = parameter.json_schema().get("$defs", {}).values()
    return {key: said["description"] for one in maps for key, said in one.get("properties", {}).items()}


def model_record(name: str | None) -> dict[str, Any]:
    """The manual as data: one model, or the list of them."""
    if name is None:
        return {"models": {one: load_model(one).text.split("\n")[0] for one in model_names()}}
    model = load_model(name)
    return {
        "name": name,
        "text": model.text,
        "always": [_part_record(one) for one in model.always],
        "rules": [_part_record(one) for one in model.rules],
        "objectives": [_part_record(one) for one in model.objectives],
    }


def _part_record(part: Rule | Objective) -> dict[str, Any]:
    return {
        "name": part.name,
        "sentence": part.sentence,
        "note": part.note,
        "equation": part.equation,
        "unit": part.unit,
        "source": part.source,
        "parameters": {
            one.name: {
                "unit": one.unit.name if one.unit else None,
                "required": one.required,
                "default": None if one.required else one.write(one.default),
                "keys": keys_of(one),
            }
            for one in part.parameters.values()
        },
    }
