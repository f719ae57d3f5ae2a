"""What each grouping rule and objective says to the solver for four places, kept as text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from library import grouping_objectives, grouping_rules
from lp_text import as_lp_text

from allocopt.grouping.instance import Instance, on_sphere, possible_pairs
from allocopt.grouping.programme import Part, build_part
from allocopt.model import load_model
from allocopt.solve.compiled import compile_problem

GOLDEN = Path(__file__).parent / "golden" / "grouping"
SETTINGS: dict[str, dict[str, object]] = {
    "population_window": {"min": 2000.0, "max": 6000.0},
    "balance_band": {"max": 0.05},
    "number_of_consortia": {"min": 1, "max": 2},
    "deprivation_mix": {"max": 0.25},
    "surplus_concentration": {"max": 0.5},
    "together": {"groups": [["A", "B"]]},
    "apart": {"groups": [["A", "C"]]},
    "containment": {"rate": 0.75},
    "moves": {"max": 1},
    "reach": {"max": 12.0},
    "stay_in_area": {},
    "locked": {"places": {"B": "A"}},
    "contiguity": {"graph": "delaunay"},
}
"""A rule that only says which pairs exist shows as the pairs that duty_to_admit is left with."""
AIMS = {"deficit_and_crossings": {"per_place": 0.2, "per_head": 1e-5}}
"""GBP million."""
PAIRS = ("reach", "stay_in_area", "locked", "contiguity")


def four_places(rule: str) -> Instance:
    """A and B in the west, C and D in the east, 10 km apart in a row; A and D may be hubs."""
    return Instance(
        places=("A", "B", "C", "D"),
        population=np.array([1000.0, 2000.0, 1500.0, 2500.0]),
        budget=np.array([10.0, 20.0, 15.0, 25.0]),
        spend=np.array([11.0, 18.0, 15.5, 25.0]),
        area=("west", "west", "east", "east"),
        may_hub=np.array([True, False, False, True]),
        declared=False,
        position=on_sphere(np.full(4, 52.0), np.array([0.0, 0.146, 0.292, 0.438])),
        imd=np.array([30.0, 20.0, 10.0, 25.0]),
        present=("g1", "g1", "g1", "g2"),
        settings={rule: SETTINGS[rule]} if rule in SETTINGS else {},
        aims={rule: AIMS[rule]} if rule in AIMS else {},
    )


def golden_text(name: str) -> str:
    """The rows of a rule, or an objective with the rows that define it."""
    instance, model = four_places(name), load_model("consortia")
    pairs = possible_pairs(instance)
    chosen = [one for one in grouping_objectives() if one.name == name and name not in SETTINGS]
    compiled = compile_problem(build_part(model, instance, Part(np.arange(4), pairs), chosen))
    components = {"duty_to_admit" if name in PAIRS else name} if not chosen else {"deficit_definition"}
    return as_lp_text(compiled, components=components, objectives={name: 0} if chosen else {})


@pytest.mark.parametrize("name", sorted({part.name for part in (*grouping_rules(), *grouping_objectives())}))
def test_what_the_solver_is_told_about_a_grouping_is_what_was_agreed(name, write_golden):
    path = GOLDEN / f"{name}.lp"
    if write_golden:
        path.parent.mkdir(exist_ok=True)
        path.write_text(golden_text(name), encoding="utf-8")
    assert golden_text(name) == path.read_text(encoding="utf-8")
