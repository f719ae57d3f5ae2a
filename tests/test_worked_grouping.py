"""Every rule and objective of a grouping in an example worked by hand: four places on a road, the sum in a comment.

The files stand in tests/worked_grouping/, one for each rule and objective (`moves_counted` for the objective of that
name). Places lie on the equator, so that `km` along the road is the great-circle distance.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from grouping_cases import brute_force, random_instance, task
from library import grouping_objectives, grouping_rules
from ruamel.yaml import YAML

from allocopt.errors import Infeasible
from allocopt.grouping.instance import EARTH_KM, Instance, on_sphere
from allocopt.grouping.solution import solve_grouping
from allocopt.model import load_model
from allocopt.units import MONEY

FOLDER = Path(__file__).parent / "worked_grouping"
FILES = sorted(FOLDER.glob("*.yaml"))
KEYS = {"shows", "hubs", "places", "rules", "objectives", "expect"}
ALWAYS = ("duty_to_admit", "hub_opens")
OBJECTIVE_FILES = {"moves": "moves_counted"}


def read(path: Path) -> tuple[Instance, np.ndarray, Mapping[str, Any]]:
    """The instance of an example, latitude and longitude in degrees, and what the file says."""
    said = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    assert set(said) <= KEYS, f"{path.name}: {set(said) - KEYS} is not known"
    header, *rows = [line.split() for line in said["places"].strip().splitlines()]
    column = {name: [row[at] for row in rows] for at, name in enumerate(header)}
    where = np.column_stack([np.zeros(len(rows)), np.degrees(np.array(column["km"], float) / EARTH_KM)])
    instance = Instance(
        places=tuple(column["place"]),
        population=np.array(column["people"], float),
        budget=np.array([MONEY.parse(one) for one in column["budget"]]),
        spend=np.array([MONEY.parse(one) for one in column["spend"]]),
        area=tuple(column.get("area", ["all"] * len(rows))),
        may_hub=np.array(column["hub"]) == "1",
        declared=said["hubs"] == "declared",
        position=on_sphere(where[:, 0], where[:, 1]),
        imd=np.array(column["imd"], float) if "imd" in column else None,
        present=tuple(column["now"]) if "now" in column else None,
        settings=settings_of(said.get("rules", {})),
        aims=aims_of(said["objectives"]),
    )
    names = [one if isinstance(one, str) else next(iter(one)) for one in said["objectives"]]
    return instance, where, {**said, "objectives": names}


def aims_of(objectives: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """The objectives that are written with parameters."""
    model = load_model("consortia")
    written = {name: given for one in objectives if isinstance(one, Mapping) for name, given in one.items()}
    return {
        name: {key: model.objective(name).parameters[key].read(value) for key, value in given.items()}
        for name, given in written.items()
    }


def settings_of(rules: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Rules with their parameters as the engine holds them, defaults included."""
    model = load_model("consortia")
    return {
        name: {
            key: one.read(given[key]) if key in given else one.default
            for key, one in model.rule(name).parameters.items()
        }
        for name, given in rules.items()
    }


def amount(said: Any) -> float:
    """£5m as GBP million, 7 km and plain numbers as they are."""
    text = str(said)
    return MONEY.parse(text) if "£" in text else float(text.removesuffix(" km"))


def solved(instance: Instance, objectives: list[str]) -> tuple[dict[str, float], dict[str, list[str]]]:
    found = solve_grouping(task(instance, objectives))
    assert all(stage.proven for stage in found.stages)
    groups: dict[str, list[str]] = {}
    for place, hub in zip(instance.places, found.hub.tolist(), strict=True):
        groups.setdefault(instance.places[hub], []).append(place)
    return {stage.name: stage.final_value for stage in found.stages}, groups


def amounts(said: Mapping[str, Any]) -> dict[str, float]:
    return {name: amount(one) for name, one in said.items()}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_worked_grouping_comes_out_as_it_was_worked_by_hand(path):
    instance, where, said = read(path)
    values, groups = solved(instance, said["objectives"])
    assert values == pytest.approx(amounts(said["expect"]["objectives"]), abs=1e-6)
    assert groups == said["expect"]["groups"]
    assert brute_force(instance, where, said["objectives"]) == pytest.approx(list(values.values()), abs=1e-6)


@pytest.mark.parametrize("rule", grouping_rules(), ids=lambda rule: rule.name)
def test_every_grouping_rule_costs_something_in_its_worked_example(rule):
    path = FOLDER / f"{rule.name}.yaml"
    assert path.exists(), f"{rule.name} has no worked example: write tests/worked_grouping/{rule.name}.yaml"
    if rule.name in ALWAYS:
        return
    instance, _, said = read(path)
    assert rule.name in instance.settings
    others = {name: one for name, one in instance.settings.items() if name != rule.name}
    values, _ = solved(dataclasses.replace(instance, settings=others), said["objectives"])
    wanted = amounts(said["expect"]["without"])
    assert {name: values[name] for name in wanted} == pytest.approx(wanted, abs=1e-6)
    assert wanted != amounts({name: said["expect"]["objectives"][name] for name in wanted})


@pytest.mark.parametrize("part", grouping_objectives(), ids=lambda part: part.name)
def test_every_grouping_objective_has_a_worked_example(part):
    path = FOLDER / f"{OBJECTIVE_FILES.get(part.name, part.name)}.yaml"
    assert part.name in read(path)[2]["objectives"]


def test_every_worked_grouping_is_named_after_what_it_shows():
    names = {part.name for part in (*grouping_rules(), *grouping_objectives())} | set(OBJECTIVE_FILES.values())
    assert {path.stem for path in FILES} == names


TIGHTER: dict[str, dict[str, Any]] = {
    "reach": {"max": 0.8},
    "population_window": {"min": 1.2, "max": 0.9},
    "balance_band": {"max": 0.6},
    "number_of_consortia": {"max": 0.7},
    "deprivation_mix": {"max": 0.7},
    "surplus_concentration": {"max": 0.8},
    "containment": {"rate": 1.2},
    "moves": {"max": 0.5},
}
"""By how much each amount is multiplied to tighten its rule; the others are tightened by switching them on."""


def optimum(instance: Instance) -> float:
    """The least gross deficit; infinite where no plan obeys the rules."""
    try:
        return solve_grouping(task(instance, ["gross_deficit"])).stages[0].value
    except Infeasible:
        return float("inf")


def tightened(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    whole = {"number_of_consortia", "moves"}
    changed = {key: said[key] * times for key, times in TIGHTER[name].items()}
    return {**said, **({key: int(one) for key, one in changed.items()} if name in whole else changed)}


def test_tightening_or_adding_a_rule_never_improves():
    seen: dict[str, int] = {}
    for seed in range(60):
        instance, _ = random_instance(300 + seed)
        if not instance.settings:
            continue
        now = optimum(instance)
        name = sorted(instance.settings)[seed % len(instance.settings)]
        seen[name] = seen.get(name, 0) + 1
        without = {other: one for other, one in instance.settings.items() if other != name}
        assert optimum(dataclasses.replace(instance, settings=without)) <= now + 1e-6, f"seed {seed}: without {name}"
        if name in TIGHTER:
            settings = {**instance.settings, name: tightened(name, instance.settings[name])}
            tighter = optimum(dataclasses.replace(instance, settings=settings))
            assert tighter >= now - 1e-6, f"seed {seed}: {name} tightened"
    assert len(seen) >= 10, seen
