"""Every rule and objective that allocopt has, found by looking, so that a new one cannot be forgotten."""

from __future__ import annotations

import importlib
import pkgutil

from allocopt import objectives, objectives_choice, objectives_grouping, rules
from allocopt.model import Model, Objective, Rule, load_model, model_names

GROUPING = ("grouping", "membership")
"""The rooms of allocopt/rules/ whose rules are about consortia: their worked examples stand in
tests/worked_grouping/.
"""
JOINT = ("joint",)
"""The rooms whose rules tie an allocation to a grouping: held to enumeration in tests/test_joint.py."""
CHOICE = ("coalition",)
"""The rooms whose rules are about one coalition at a time: their worked examples stand in tests/worked_choice/."""


def all_rules() -> list[Rule]:
    """Every Rule in allocopt/rules/ about allocations, by name."""
    others = (*GROUPING, *CHOICE, *JOINT)
    return _rules_of(found.name for found in pkgutil.iter_modules(rules.__path__) if found.name not in others)


def grouping_rules() -> list[Rule]:
    """Every Rule in allocopt/rules/ about consortia, by name."""
    return _rules_of(GROUPING)


def grouping_objectives() -> list[Objective]:
    """Every Objective of a grouping, by name."""
    return _named(one for one in vars(objectives_grouping).values() if isinstance(one, Objective))


def choice_rules() -> list[Rule]:
    """Every Rule in allocopt/rules/ about one coalition, by name."""
    return _rules_of(CHOICE)


def choice_objectives() -> list[Objective]:
    """Every sharing rule of free choice, by name."""
    return _named(one for one in vars(objectives_choice).values() if isinstance(one, Objective))


def _rules_of(names) -> list[Rule]:
    modules = [importlib.import_module(f"{rules.__name__}.{name}") for name in names]
    return _named(one for module in modules for one in vars(module).values() if isinstance(one, Rule))


def all_objectives() -> list[Objective]:
    """Every Objective in allocopt/objectives.py, by name."""
    return _named(one for one in vars(objectives).values() if isinstance(one, Objective))


def all_models() -> list[Model]:
    """Every model in models/, by name."""
    return [load_model(name) for name in model_names()]


def _named(parts):
    return sorted({part.name: part for part in parts}.values(), key=lambda part: part.name)
