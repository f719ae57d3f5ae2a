"""Waivers and exemptions: nothing gets worse by them, they excuse what they name, and they are as few as can be."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from grouping_cases import checked, task
from grouping_scenarios import scenario_of

import allocopt
from allocopt.check.folder import verify
from allocopt.check.grouping import broken_rules
from allocopt.errors import ScenarioFault
from allocopt.grouping.instance import Instance, on_sphere
from allocopt.grouping.solution import solve_grouping

KM = 180 / math.pi / 6371.0088
"""Degrees of latitude of a kilometre."""


def row_of_places(
    km: list[float], people: list[float], over: list[float], hub: str, **settings: dict[str, object]
) -> tuple[Instance, np.ndarray]:
    """Places on a meridian with budgets of GBP 10m; `hub` has 1 for those that may be a hub, all of which open."""
    where = np.column_stack([50 + np.array(km) * KM, np.zeros(len(km))])
    instance = Instance(
        places=tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(km)]),
        population=np.array(people, dtype=float),
        budget=np.full(len(km), 10.0),
        spend=10.0 + np.array(over, dtype=float),
        area=("all",) * len(km),
        may_hub=np.array([one == "1" for one in hub]),
        declared=True,
        position=on_sphere(where[:, 0], where[:, 1]),
        imd=np.full(len(km), 20.0),
        settings=settings,
    )
    return instance, where


def crowded(**settings: dict[str, object]) -> tuple[Instance, np.ndarray]:
    """Z overspends 1; 24 hubs stand around it in balance, and hub A, the 25th nearest, has a surplus of 1."""
    km = [20.0, *(float(one) / 10 for one in range(1, 25)), 0.0]
    over = [-1.0, *[0.0] * 24, 1.0]
    return row_of_places(km, [1000.0] * 26, over, "1" * 25 + "0", **settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"reach": {"max": 5.0, "waive": ["Z"]}},
        {"reach": {"max": 30.0, "waive": ["Z"]}},
        {"reach": {"max": 5.0, "waive": ["Z"]}, "locked": {"places": {"Z": "A"}}},
        {"stay_in_area": {"waive": ["Z"]}},
        {"stay_in_area": {"waive": ["Z"]}, "reach": {"max": 30.0}},
    ],
)
def test_a_waived_place_may_join_any_hub_that_the_other_rules_allow(settings):
    instance, _ = crowded(**settings)
    found = solve_grouping(task(instance, ["gross_deficit"]))
    assert instance.places[int(found.hub[-1])] == "A"
    assert found.stages[0].final_value == 0.0


def test_a_run_with_a_waiver_is_proven_again(tmp_path):
    instance, where = crowded(reach={"max": 5.0, "waive": ["Z"]})
    instance = replace(instance, spend=instance.spend + np.where(np.arange(26) == 0, 0.4, 0.0))
    run = allocopt.run(scenario_of(tmp_path, instance, where, ["gross_deficit"]), out=tmp_path / "runs")
    assert (run.headline["gross_deficit_gbp"], run.headline["bound_gbp"]) == (400_000, 400_000)
    assert [one for one in verify(run.folder).checks if not one.passed] == []


def one_area_named_as_a_hub() -> tuple[Instance, np.ndarray]:
    """Hubs A and C, all in area C. A has 3,000 people, C 1,000 and B, which must join one of them, 2,000."""
    window = {"min": 4000.0}
    instance, where = row_of_places(
        [0.0, 5.0, 10.0], [3000, 2000, 1000], [0.0, -1.0, 1.0], "101", population_window=window
    )
    return replace(instance, area=("C",) * 3), where


def test_an_exempted_hub_does_not_excuse_an_area_of_the_same_code(tmp_path):
    """With B in C the deficit is 0 but A is short too: two exemptions. With B in A only C is short, and 1 is left."""
    instance, where = one_area_named_as_a_hub()
    run = allocopt.run(scenario_of(tmp_path, instance, where, ["gross_deficit"]), out=tmp_path / "runs")
    assert [(one["rule"], one["code"]) for one in run.record["exemptions"]] == [("population_window", "C")]
    assert run.headline["gross_deficit_gbp"] == 1_000_000
    assert [one for one in verify(run.folder).checks if not one.passed] == []


@pytest.mark.parametrize("rule", ["population_window", "balance_band"])
def test_a_waiver_that_could_mean_a_hub_or_an_area_is_refused(rule, tmp_path):
    instance, where = one_area_named_as_a_hub()
    settings = {**instance.settings, "balance_band": {"max": 0.5}}
    settings[rule] = {**settings[rule], "waive": ["C"]}
    path = scenario_of(tmp_path, replace(instance, settings=settings), where, ["gross_deficit"])
    with pytest.raises(ScenarioFault, match="C is the code of a place and of an area"):
        allocopt.run(path, out=None)


def test_an_area_is_excused_by_its_code(tmp_path):
    instance, where = one_area_named_as_a_hub()
    settings = {"population_window": {"min": 4000.0, "waive": ["west"]}}
    instance = replace(instance, area=("west",) * 3, settings=settings)
    run = allocopt.run(scenario_of(tmp_path, instance, where, ["gross_deficit"]), out=None)
    assert (run.headline["gross_deficit_gbp"], run.headline["exemptions"]) == (0, 0)


def test_a_consortium_around_a_place_that_may_not_be_a_hub_is_a_broken_rule():
    """A may be a hub and B may not: each alone is a consortium of B that nobody declared."""
    instance, where = row_of_places([0.0, 5.0], [1000, 1000], [0.0, 0.0], "10")
    alone = replace(checked(instance, where, np.array([0, 1])), may_hub=instance.may_hub.tolist())
    assert [str(one) for one in broken_rules(alone)] == [
        "hub_opens at B: a consortium at a place that is not among the scenario's hubs"
    ]
    assert broken_rules(replace(alone, hub=np.array([0, 0]))) == []
