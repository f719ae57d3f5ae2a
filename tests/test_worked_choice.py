"""Free choice worked by hand: practices on a road, the sum in a comment; and what the solver is told, kept as text.

The files of tests/worked_choice/ are one for the rule and each sharing rule of `models/free_choice.py`. Places lie on
the equator, so that `km` along the road is the great-circle distance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from choice_cases import core, lawful
from library import choice_objectives, choice_rules
from lp_text import as_lp_text
from ruamel.yaml import YAML

from allocopt.choice.field import Field, field_of
from allocopt.choice.partition import free_choice
from allocopt.choice.programme import BestCoalition, programme
from allocopt.grouping.instance import EARTH_KM, Instance, on_sphere, possible_pairs
from allocopt.grouping.programme import Part
from allocopt.model import load_model
from allocopt.solve.integer import Effort, minimise_whole
from allocopt.units import MONEY, RATE

FOLDER, GOLDEN = Path(__file__).parent / "worked_choice", Path(__file__).parent / "golden" / "choice"
FILES = sorted(FOLDER.glob("*.yaml"))
KEYS = {"shows", "places", "rules", "objective", "expect"}
MODEL = load_model("free_choice")


def read(path: Path) -> tuple[Field, np.ndarray, Mapping[str, Any]]:
    """The field of an example, latitude and longitude in degrees, and what the file says."""
    said = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    assert set(said) == KEYS, f"{path.name}: {set(said) ^ KEYS} is missing or not known"
    header, *rows = [line.split() for line in said["places"].strip().splitlines()]
    column = {name: [row[at] for row in rows] for at, name in enumerate(header)}
    where = np.column_stack([np.zeros(len(rows)), np.degrees(np.array(column["km"], float) / EARTH_KM)])
    parameters = {name: MODEL.rule(name).parameters for name in said["rules"]}
    instance = Instance(
        places=tuple(column["place"]),
        population=np.array(column["people"], float),
        budget=np.array([MONEY.parse(one) for one in column["budget"]]),
        spend=np.array([MONEY.parse(one) for one in column["spend"]]),
        area=("all",) * len(rows),
        may_hub=np.ones(len(rows), dtype=bool),
        declared=False,
        position=on_sphere(where[:, 0], where[:, 1]),
        settings={
            name: {key: one.read(said["rules"][name][key]) for key, one in known.items() if key in said["rules"][name]}
            for name, known in parameters.items()
        },
    )
    share = said["objective"].removeprefix("balance_")
    return field_of(instance, MODEL, share=share), where, said


def ratio(said: str) -> float:
    """£550 a head in pounds, 30% as a fraction."""
    return RATE.parse(said) if "%" in said else MONEY.parse(said) * 1e6


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_free_choice_comes_out_as_it_was_worked_by_hand(path):
    """By branch and bound, by the programme of the model, and by enumeration."""
    of, where, said = read(path)
    wanted = [(tuple(one["members"]), pytest.approx(ratio(one["ratio"]))) for one in said["expect"]["coalitions"]]
    objective = MODEL.objective(said["objective"])
    for found in (free_choice(of), free_choice(of, find=BestCoalition(of, objective))):
        codes = of.instance.places
        assert [(tuple(codes[p] for p in sorted(one.members)), one.ratio) for one in found.order] == wanted
        assert [codes[p] for p in found.left_out] == said["expect"]["left_out"]
    every = core(lawful(of.instance, where, of))
    assert [(tuple(of.instance.places[p] for p in members), share) for share, members in every] == wanted


@pytest.mark.parametrize("part", [*choice_rules(), *choice_objectives()], ids=lambda part: part.name)
def test_every_part_of_free_choice_has_a_worked_example(part):
    assert (FOLDER / f"{part.name}.yaml").exists(), f"write tests/worked_choice/{part.name}.yaml"


@pytest.mark.parametrize("objective", choice_objectives(), ids=lambda one: one.name)
def test_a_worked_example_shows_its_sharing_rule(objective):
    assert read(FOLDER / f"{objective.name}.yaml")[2]["objective"] == objective.name


def test_without_its_rule_a_coalition_would_form_around_every_hub_at_once():
    """At a trial ratio of -£1,000 a head every coalition counts as gain, and a place may belong to several."""
    of, _, said = read(FOLDER / "balance_per_head.yaml")
    compiled = compiled_of(of, said["objective"], rate=-1000.0)
    row = compiled.row_component == "one_coalition"
    free = replace(
        compiled, row_lower=np.where(row, 0.0, compiled.row_lower), row_upper=np.where(row, 9.0, compiled.row_upper)
    )
    hubs = [at for at, (_, (p, h)) in enumerate(compiled.columns) if p == h]
    formed = [round(minimise_whole(one, one.costs[0], effort=Effort()).values[hubs].sum()) for one in (compiled, free)]
    assert formed == [1, 4]


def compiled_of(of: Field, objective: str, *, rate: float):
    pairs = possible_pairs(of.instance)
    part = Part(np.arange(len(of)), pairs)
    return programme(of, replace(of.instance, declared=False), part, MODEL.objective(objective), rate=rate)[1]


@pytest.mark.parametrize("name", [one.name for one in (*choice_rules(), *choice_objectives())])
def test_what_the_solver_is_told_about_a_coalition_is_what_was_agreed(name, write_golden):
    of, _, said = read(FOLDER / f"{name}.yaml")
    compiled = compiled_of(of, said["objective"], rate=100.0 if "head" in said["objective"] else 0.1)
    text = as_lp_text(
        compiled,
        components={name} if name == "one_coalition" else set(),
        objectives={} if name == "one_coalition" else {name: 0},
    )
    path = GOLDEN / f"{name}.lp"
    if write_golden:
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
