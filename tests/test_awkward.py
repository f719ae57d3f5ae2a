"""Awkward places are told in words with a cure, by `check` before anything is solved and by every run; none crashes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from grouping_cases import row_of_places
from grouping_scenarios import scenario_of
from typer.testing import CliRunner

import allocopt
from allocopt.awkward import within
from allocopt.cli import app
from allocopt.errors import Infeasible, TableFault
from allocopt.grouping.instance import Instance, on_sphere


def noted(folder: Path, instance: Instance, where: np.ndarray, hubs: str = "declared") -> list[str]:
    """What `check --json` warns of, beside the places without a score."""
    path = scenario_of(folder, instance, where, ["gross_deficit"], hubs=hubs, exempt="least")
    found = CliRunner().invoke(app, ["check", str(path), "--json"])
    assert found.exit_code == 0, found.output
    return [one for one in json.loads(found.stdout)["warnings"] if "imd" not in one]


def test_a_place_beyond_reach_is_told_with_the_nearest_hub(tmp_path):
    instance, where = row_of_places([0.0, 10.0, 40.5], [1000] * 3, [0.0] * 3, "100", reach={"max": 25.0})
    assert noted(tmp_path, instance, where) == [
        "1 place beyond reach of every hub (C), C the farthest at 40.5 km: rules.reach.waive: [C], or a reach of 41 km"
    ]


def test_a_pocket_with_too_few_people_is_told_with_its_middle(tmp_path):
    """C, D and E lie 60 km from B and have 3,000 people; from D the farthest of them is nearest."""
    settings = {"reach": {"max": 20.0}, "population_window": {"min": 4000.0}}
    instance, where = row_of_places(
        [0.0, 10.0, 70.0, 75.0, 82.0], [3000, 3000, 1000, 1000, 1000], [0.0] * 5, "11111", **settings
    )
    (said,) = noted(tmp_path, replace(instance, declared=False), where, "free")
    assert said == (
        "an island or pocket of 3 places (C, D, E) with 3,000 people has no other place in reach, and a consortium "
        "needs 4,000: rules.population_window.waive: [D], or a reach of 60 km"
    )


def test_an_area_smaller_than_the_minimum_is_told(tmp_path):
    settings = {"stay_in_area": {}, "population_window": {"min": 2500.0}}
    instance, where = row_of_places([0.0, 10.0, 40.0], [2000, 1000, 1000], [0.0] * 3, "101", **settings)
    instance = replace(instance, area=("east", "east", "west"))
    (said,) = noted(tmp_path, instance, where)
    assert said == (
        "1 area with fewer people than the minimum of 2,500, the smallest west with 1,000: "
        "rules.population_window.waive: [west] excuses their consortia"
    )
    said = noted(tmp_path, replace(instance, may_hub=np.array([True, True, False])), where)[0]
    assert said.startswith("1 area without a hub (west), which no consortium may leave: declare a hub there")


def test_a_declared_hub_short_of_people_is_told(tmp_path):
    settings = {"reach": {"max": 20.0}, "population_window": {"min": 2500.0}}
    instance, where = row_of_places([0.0, 10.0, 80.0], [2000, 1000, 1000], [0.0] * 3, "101", **settings)
    (said,) = noted(tmp_path, instance, where)
    assert said == (
        "1 declared hub without 2,500 people in reach (C): rules.population_window.waive: [C], or "
        "grouping.hubs: optional"
    )


def test_neighbours_across_a_long_way_and_places_at_one_point_are_told(tmp_path):
    """C and D stand 200 km from B at one point; contiguity calls them its neighbours."""
    instance, where = row_of_places([0.0, 10.0, 210.0, 210.0], [1000] * 4, [0.0] * 4, "1001", contiguity={})
    points, water = noted(tmp_path, instance, where)
    assert points == (
        "2 places share 1 point of the map, such as C, D: they are neighbours and 0 km apart; correct their "
        "coordinates if they are not"
    )
    assert water == (
        "C, D: the nearest other place is 200 km away and counts as a neighbour all the same, since Delaunay's "
        "graph knows no water; rules.reach.max: 50 km keeps them apart, and so would a table of links of your own: "
        "rules.contiguity.graph"
    )


def test_a_scenario_without_awkward_places_warns_of_none(tmp_path):
    settings = {"reach": {"max": 25.0}, "population_window": {"min": 1500.0}, "contiguity": {}}
    instance, where = row_of_places([0.0, 10.0, 20.0, 30.0], [1000] * 4, [0.0] * 4, "1001", **settings)
    assert noted(tmp_path, instance, where) == []


@pytest.mark.parametrize("awkward", ["one point", "island"])
def test_awkward_places_are_grouped_or_refused_and_told_by_the_run(awkward, tmp_path):
    settings = {"reach": {"max": 25.0}, "population_window": {"min": 1500.0}, "contiguity": {}}
    km = {"one point": [0.0] * 4, "island": [0.0, 10.0, 20.0, 300.0]}[awkward]
    instance, where = row_of_places(km, [1000.0] * 4, [1.0, -1.0, 0.5, 0.0], "1111", **settings)
    path = scenario_of(tmp_path, replace(instance, declared=False), where, ["gross_deficit", "travel"], exempt="least")
    word = {"one point": "share 1 point", "island": "D: the nearest other place"}[awkward]
    run = allocopt.run(path, out=None, set={"grouping.hubs": "free"})
    assert any(word in one for one in run.record["warnings"])
    assert run.headline["exemptions"] == (awkward == "island")
    if awkward == "island":
        with pytest.raises(Infeasible):
            allocopt.run(path, out=None, set={"grouping.hubs": "free", "grouping.exempt": "none"})


def test_a_place_without_people_is_refused_in_words(tmp_path):
    instance, where = row_of_places([0.0, 10.0], [1000, 0], [0.0] * 2, "11")
    with pytest.raises(TableFault, match="a place without people has no figure per head"):
        allocopt.run(scenario_of(tmp_path, instance, where, ["gross_deficit"]), out=None)


@pytest.mark.parametrize("seed", range(12))
def test_groups_within_reach_are_those_of_all_pairs(seed):
    draw = np.random.default_rng(seed)
    n = int(draw.integers(12, 40))
    where = np.column_stack([51 + draw.random(n), draw.random(n)])
    where[: n // 3] = where[0]
    hubs = draw.random(n) < 0.5
    hubs[0] = True
    empty = np.zeros(n)
    made = Instance(
        tuple(map(str, range(n))), empty, empty, empty, ("all",) * n, hubs, declared=False, position=on_sphere(*where.T)
    )
    label, group = within(made, 12.0), np.arange(n)
    for _ in range(n):
        for p in range(n):
            for h in np.flatnonzero(hubs).tolist():
                if made.km(np.array([p]), np.array([h]))[0] <= 12.0:
                    group[[p, h]] = min(group[p], group[h])
    assert [set(np.flatnonzero(label == one)) for one in label] == [set(np.flatnonzero(group == one)) for one in group]
