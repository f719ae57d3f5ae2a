"""Alternatives: plans within a share of the best that differ in a number of places, and whether there is none."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from grouping_cases import checked, legal_plans, random_instance, task
from test_grouping_search import town
from test_joint import PLACES, SCENARIO

import allocopt
from allocopt.check.folder import verify
from allocopt.check.grouping import broken_rules, objectives
from allocopt.consortia import Consortia, compare
from allocopt.consortia.compare import cheaper_words
from allocopt.grouping import alternatives as room
from allocopt.grouping.alternatives import Wish, alternatives, another_plan, differences
from allocopt.grouping.measure import costs
from allocopt.grouping.solution import solve_grouping
from allocopt.model import load_model
from allocopt.settings import Solver

MODEL = load_model("consortia")
ALTERNATIVES = "{number: 2, within: 20%, differ: 1}"
ROUGH = Solver(gap="20%", time_limit="2s")  # type: ignore[arg-type]
AIMS = [MODEL.objective(name) for name in ("gross_deficit", "travel")]


def least_moves(one, other) -> int:
    """Places that move between two groupings, over every way to name the groups of one after those of the other."""
    first, second = sorted(set(one)), sorted(set(other))
    names = [*second, *range(-len(first), 0)]
    return min(
        sum(given[first.index(a)] != b for a, b in zip(one, other, strict=True))
        for given in permutations(names, len(first))
    )


def test_the_difference_of_two_groupings_is_the_fewest_places_that_move():
    draw = np.random.default_rng(5)
    free = replace(random_instance(0)[0], declared=False)
    for _ in range(60):
        one, other = draw.integers(0, 3, 5), draw.integers(0, 3, 5)
        assert differences(free, one, other) == least_moves(one.tolist(), other.tolist())
    assert differences(free, np.array([0, 0, 2]), np.array([1, 1, 2])) == 0
    assert differences(replace(free, declared=True), np.array([0, 0, 2]), np.array([1, 1, 2])) == 2


def test_an_alternative_is_found_wherever_enumeration_finds_one():
    found, none = 0, 0
    for seed in range(60):
        instance, where = random_instance(seed)
        plans = list(legal_plans(instance, where))
        if not plans:
            continue
        best = solve_grouping(task(instance, ["gross_deficit", "travel"]))
        most = best.stages[0].value * 1.2 + 0.5
        wish = Wish(most, 2)
        there = [hub for hub, said in plans if said["gross_deficit"] <= most + 1e-6]
        there = [hub for hub in there if differences(instance, best.hub, np.array(hub)) >= 2]
        other = another_plan(MODEL, instance, AIMS, [best.hub], wish)
        assert (other is not None) == bool(there), f"seed {seed}, rules {dict(instance.settings)}"
        if other is None:
            none += 1
            continue
        found += 1
        plan = checked(instance, where, other)
        assert not broken_rules(plan), f"seed {seed}, rules {dict(instance.settings)}"
        assert objectives(plan)["gross_deficit"] <= most + 1e-6
        assert differences(instance, best.hub, other) >= 2
    assert min(found, none) >= 8


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("pairs", [4_000, 60])
def test_several_alternatives_differ_from_each_other_in_one_piece_and_in_clusters(monkeypatch, declared, pairs):
    monkeypatch.setattr(room, "REGION_PAIRS", pairs)
    monkeypatch.setattr(room, "CLUSTER", 3)
    window = {} if declared else {"population_window": {"min": 40_000.0, "max": 200_000.0}}
    instance, where = town(30, declared=declared, reach={"max": 20.0}, **window)
    best = solve_grouping(task(instance, ["gross_deficit", "travel"], solver=ROUGH)).hub
    least = objectives(checked(instance, where, best))["gross_deficit"]
    wish = Wish(1.05 * least + 1.0, 4)
    plans = alternatives(MODEL, instance, AIMS, best, number=3, wish=wish, tell=lambda _step: None)
    assert len(plans) == 4
    for k, hub in enumerate(plans):
        plan = checked(instance, where, hub)
        assert not broken_rules(plan)
        assert objectives(plan)["gross_deficit"] <= wish.most + 1e-6
        assert all(differences(instance, hub, one) >= 4 for one in plans[:k])


def test_a_run_writes_its_alternatives_and_verify_reads_them_again(tmp_path):
    text = SCENARIO.replace("model: joint", "model: consortia")
    text = text.replace("  growth_floor: {rate: 3%}\n  growth_ceiling: {rate: 7%}\n", "")
    text = text.replace(", shortfall_below_target", "").replace(
        "{compare:", f"{{alternatives: {ALTERNATIVES}, compare:"
    )
    (tmp_path / "places.csv").write_text(PLACES, encoding="utf-8")
    (tmp_path / "five.yaml").write_text(text, encoding="utf-8")
    run = allocopt.run(tmp_path / "five.yaml", out=tmp_path / "runs")
    assert run.record["alternatives"]["found"] >= 1
    assert set(run.tables["alternatives"]["plan"]) == set(range(run.record["alternatives"]["found"] + 1))
    assert list(run.tables["comparison"]["plan"])[-1] == f"alternative {run.record['alternatives']['found']}"
    verdict = verify(run.folder)
    assert verdict.passed, [one for one in verdict.checks if not one.passed]
    table = pd.read_csv(run.folder / "alternatives.csv")
    table["hub"] = table["place"].map(table[table["plan"] == 0].set_index("place")["hub"])
    table.to_csv(run.folder / "alternatives.csv", index=False)
    assert {one.name for one in verify(run.folder).checks if not one.passed} >= {"alternatives"}


def test_an_alternative_that_costs_less_than_the_plan_is_told(tmp_path):
    """The plan is taken to have reached GBP 0.5m more than it did, as a search that stopped early would."""
    (tmp_path / "places.csv").write_text(PLACES, encoding="utf-8")
    text = SCENARIO.replace("model: joint", "model: consortia").replace(", shortfall_below_target", "")
    text = text.replace("  growth_floor: {rate: 3%}\n  growth_ceiling: {rate: 7%}\n", "")
    (tmp_path / "five.yaml").write_text(text, encoding="utf-8")
    found = allocopt.run(tmp_path / "five.yaml").plan
    assert isinstance(found, Consortia)
    plans = [found.solution.hub, found.solution.hub]
    assert cheaper_words(found, plans) == []
    first = found.solution.stages[0]
    assert first.name == "gross_deficit"
    least = float(costs(found.solution.instance, found.solution.hub).sum())
    worse = replace(found.solution, stages=(replace(first, value=least + 0.5), *found.solution.stages[1:]))
    (said,) = cheaper_words(replace(found, solution=worse), plans)
    other = replace(worse, stages=(replace(first, name="travel"), *worse.stages))
    assert cheaper_words(replace(found, solution=other), plans) == []  # held to an objective that was sought before
    assert said.startswith("alternative 1 has £500,000 less gross deficit than the plan's first stage reached")


def test_a_run_with_alternatives_warns_of_those_that_cost_less(tmp_path, monkeypatch):
    monkeypatch.setattr(compare, "cheaper_words", lambda _found, plans: [f"{len(plans)} plans were compared"])
    (tmp_path / "places.csv").write_text(PLACES, encoding="utf-8")
    text = SCENARIO.replace("model: joint", "model: consortia").replace(", shortfall_below_target", "")
    text = text.replace("  growth_floor: {rate: 3%}\n  growth_ceiling: {rate: 7%}\n", "")
    text = text.replace("{compare:", f"{{alternatives: {ALTERNATIVES}, compare:")
    (tmp_path / "five.yaml").write_text(text, encoding="utf-8")
    run = allocopt.run(tmp_path / "five.yaml")
    assert f"{run.record['alternatives']['found'] + 1} plans were compared" in run.record["warnings"]
