"""What every model in models/ must be: a docstring with the whole programme, then parts of the library by name."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

import pytest
from library import all_models, all_objectives, all_rules, grouping_objectives, grouping_rules
from situations import NO_SLACK, on, situation, solved

from allocopt.ledger import whole_pounds
from allocopt.model import Model, Parameter
from allocopt.shipped import shipped

MODELS = all_models()
ALLOCATIONS = [model for model in MODELS if model.kind == "allocation"]
PARTS = [*all_rules(), *all_objectives(), *grouping_rules(), *grouping_objectives()]
LIBRARY = ("allocopt.model", "allocopt.objectives", "allocopt.rules.")


def name_of(part):
    return part.name


def without_spaces(text: str) -> str:
    return re.sub(r"\s+", "", text)


def test_nothing_but_models_lies_in_the_folder():
    found = [path.name for path in shipped("models").iterdir() if path.name != "__pycache__"]
    assert [name for name in found if not re.fullmatch(r"[a-z_]+\.py", name)] == []
    assert "__init__.py" not in found


@pytest.mark.parametrize("model", MODELS, ids=name_of)
def test_a_model_is_a_docstring_imports_and_one_assignment(model):
    tree = ast.parse((shipped("models") / f"{model.name}.py").read_text(encoding="utf-8"))
    _docstring, *body = tree.body
    imported = [one.module or "" for one in body if isinstance(one, ast.ImportFrom)]
    assert ast.get_docstring(tree)
    assert [type(one) for one in body] == [ast.ImportFrom] * (len(body) - 1) + [ast.Assign]
    assert [one for one in imported if not one.startswith(LIBRARY)] == []


@pytest.mark.parametrize("model", MODELS, ids=name_of)
def test_a_model_says_its_whole_programme(model):
    """Each rule's and objective's equation stands on the page, on the line that names it."""
    lines = model.text.splitlines()
    for part in (*model.always, *model.rules, *model.objectives):
        said = [without_spaces(line) for line in lines if re.search(rf"\b{part.name}\b", line)]
        forms = [
            without_spaces(part.equation),
            *(without_spaces(side) for side in part.equation.split(" = ") if "sum" in side),
        ]
        assert said, f"the docstring of models/{model.name}.py does not name {part.name}"
        assert any(form in line for form in forms for line in said), (
            f"models/{model.name}.py: the line of {part.name} does not say '{part.equation}'"
        )
    assert "Symbols:" in model.text
    assert "Source:" in model.text


@pytest.mark.parametrize("model", MODELS, ids=name_of)
def test_names_in_a_model_are_its_own(model):
    for parts in ((*model.always, *model.rules), model.objectives):
        names = [part.name for part in parts]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("part", PARTS, ids=name_of)
def test_every_rule_and_objective_says_its_sentence_equation_unit_and_source(part):
    assert part.sentence.endswith(".")
    assert part.equation.strip()
    assert part.unit.strip()
    assert part.source.strip()


@pytest.mark.parametrize("part", PARTS, ids=name_of)
def test_every_rule_and_objective_is_in_a_model(part):
    assert any(part in (*model.always, *model.rules, *model.objectives) for model in MODELS), (
        f"no model names {part.name}"
    )


@pytest.mark.parametrize("part", PARTS, ids=name_of)
def test_a_number_among_the_parameters_has_a_unit(part):
    bare = [one.name for one in part.parameters.values() if one.annotation in (float, int) and one.unit is None]
    assert bare == [], f"{part.name}: {', '.join(bare)} would be read without a unit"


@pytest.mark.parametrize("rule", all_rules(), ids=name_of)
def test_the_parameter_that_relaxes_a_rule_is_one_of_its_own(rule):
    assert rule.relax is None or rule.relax[0] in rule.parameters
    assert not (rule.hard and rule.relax), f"{rule.name} is hard and yet offered as a cure"


STANDSTILL = {
    "steps": 3,
    "points": [{"dft": "0%", "growth": "0%"}],
    "column": "region",
    "floors": [{"group": "north", "growth": "0%"}],
}


def nothing(parameter: Parameter) -> object:
    """No growth, no distance, no money: the value of a required parameter that a standstill satisfies."""
    if parameter.name in STANDSTILL:
        return parameter.read(STANDSTILL[parameter.name])
    zeros = {"%": "0%", "£": "£0", "km": "0 km"}
    assert parameter.unit, f"say here which value of {parameter.name} a standstill satisfies"
    return parameter.read(zeros[parameter.unit.name])


def all_on(model: Model):
    required = {rule.name: [one for one in rule.parameters.values() if one.required] for rule in model.rules}
    return on(**{name: {one.name: nothing(one) for one in needed} for name, needed in required.items()})


@pytest.mark.parametrize("model", ALLOCATIONS, ids=name_of)
def test_with_every_rule_on_a_system_at_target_stands_still(model):
    """Baseline = target and no growth of the pot: with all rates 0% the only allocation is the baseline."""
    given = situation(pot=400, baseline=[130, 110, 90, 70], weight=[130, 110, 90, 70], spend=[140, 100, 90, 70])
    given = replace(given, groups={"region": ("north", "north", "south", "south")})
    allocation, stages = solved(
        given, rules=all_on(model), objectives=[one.name for one in model.objectives], model=model.name
    )
    assert whole_pounds(allocation[:, 0]).tolist() == [130_000_000, 110_000_000, 90_000_000, 70_000_000]
    assert all(stage.proven for stage in stages)


@pytest.mark.parametrize("model", ALLOCATIONS, ids=name_of)
def test_each_objective_of_a_model_is_proved_by_itself(model):
    given = situation(pot=420, baseline=[130, 110, 90, 70], weight=[90, 110, 90, 110], spend=[140, 110, 95, 90])
    for objective in model.objectives:
        allocation, (stage,) = solved(given, rules={}, objectives=[objective.name], model=model.name, solver=NO_SLACK)
        assert whole_pounds(allocation[:, 0]).sum() == 420_000_000
        assert stage.proven
