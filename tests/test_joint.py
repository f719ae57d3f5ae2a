"""Allocation and grouping in one programme: equal to enumeration, never behind one after the other, and checked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from grouping_cases import legal_plans, random_instance
from scipy.optimize import linprog
from situations import on

import allocopt
from allocopt.check.folder import verify
from allocopt.errors import Infeasible, ScenarioFault
from allocopt.explain import explain
from allocopt.grouping.exact import Slack
from allocopt.grouping.instance import Instance, on_sphere, possible_pairs
from allocopt.grouping.joint import build_joint, pieces_of, pots_of
from allocopt.grouping.jointly import Wanted, relaxed_joint, solve_jointly
from allocopt.model import load_model
from allocopt.problem import Situation
from allocopt.settings import ObjectiveSetting

LEFT_OUT = ("contiguity", "surplus_concentration", "balance_band", "moves")
STAGES = ["gross_deficit", "shortfall_below_target"]


def case(seed: int, *, band: float | None = None):
    """A random grouping of 3 to 6 places whose allocations may move by a few percent."""
    instance, where = random_instance(seed)
    draw = np.random.default_rng(1000 + seed)
    n = min(6, len(instance))
    keep = np.arange(n)
    settings = {name: said for name, said in instance.settings.items() if name not in LEFT_OUT}
    own = {"locked": "places", "together": "groups", "apart": "groups"}
    settings = {
        name: said
        for name, said in settings.items()
        if name not in own or set(np.ravel(said[own[name]])) <= {f"P{p}" for p in range(n)}
    }
    if band is not None:
        settings = {name: said for name, said in settings.items() if name != "stay_in_area"}
        settings["balance_band"] = {"max": band}
    may_hub = instance.may_hub[:n].copy()
    may_hub[0] |= not may_hub.any()
    instance = replace(
        instance,
        places=instance.places[:n],
        population=instance.population[keep],
        budget=instance.budget[keep],
        spend=instance.spend[keep],
        area=instance.area[:n],
        may_hub=may_hub,
        position=instance.position[keep],
        imd=instance.imd[keep],
        present=instance.present[:n],
        settings=settings,
    )
    pot = float(np.round(1.03 * instance.budget.sum(), 3))
    weight = instance.budget * (1 + 0.1 * draw.standard_normal(n))
    situation = Situation(
        places=instance.places,
        years=("2019-20",),
        pot=np.array([pot]),
        baseline=instance.budget,
        target=(pot * weight / weight.sum())[:, None],
        population=instance.population[:, None],
        spend=instance.spend[:, None],
        groups={"area": instance.area},
    )
    return instance, where[:n], situation, on(growth_floor={"rate": 0.01}, growth_ceiling={"rate": 0.06})


def solved(instance, situation, rules, names=tuple(STAGES), *, start=None):
    """The answer and its programme; no slack between stages worth speaking of."""
    model = load_model("joint")
    aims = [ObjectiveSetting(name=name) for name in names]
    joint = build_joint(situation, instance, possible_pairs(instance), model, rules=rules, objectives=aims)
    wanted = Wanted((0.0,) * len(names), (Slack(0.0, 1e-7),) * len(names), 60.0)
    objectives = [model.objective(name) for name in names]
    return joint, solve_jointly(joint, objectives, wanted, float(situation.pot[0]), start)


def cheapest(instance, situation, hub, band):
    """Least pooled deficit of a grouping, then least shortfall below target: two linear programmes by hand."""
    n, pot = len(hub), float(situation.pot[0])
    hubs = sorted(set(hub))
    low, high = 1.01 * situation.baseline, 1.06 * situation.baseline
    rows, sides = [], []
    for number, h in enumerate(hubs):
        inside = np.array([one == h for one in hub])
        spend = float(instance.spend[inside].sum())
        rows.append(np.concatenate([-inside.astype(float), -np.eye(len(hubs))[number], np.zeros(n)]))
        sides.append(-spend)
        if band is not None:
            common = 1 - instance.spend.sum() / pot
            for sign in (1, -1):
                money = sign * (1 - common - sign * band) * inside
                rows.append(np.concatenate([money, np.zeros(len(hubs) + n)]))
                sides.append(sign * spend)
    for p in range(n):
        rows.append(np.concatenate([-np.eye(n)[p], np.zeros(len(hubs)), -np.eye(n)[p]]))
        sides.append(-float(situation.target[p, 0]))
    bounds = [*zip(low, high, strict=True), *[(0, None)] * (len(hubs) + n)]
    total = np.concatenate([np.ones(n), np.zeros(len(hubs) + n)])[None, :]
    cost = np.concatenate([np.zeros(n), np.ones(len(hubs)), np.zeros(n)])
    first = linprog(cost, np.array(rows), sides, total, [pot], bounds)
    if first.status != 0:
        return None
    then = np.concatenate([np.zeros(n + len(hubs)), np.ones(n)])
    second = linprog(then, np.vstack([rows, cost]), [*sides, first.fun + 1e-7], total, [pot], bounds)
    return first.fun, second.fun


def enumerated(instance, where, situation, band):
    """The lexicographic optimum over every legal grouping, or None."""
    plain = replace(instance, settings={name: one for name, one in instance.settings.items() if name != "balance_band"})
    found = [cheapest(instance, situation, hub, band) for hub, _ in legal_plans(plain, where)]
    known = [one for one in found if one is not None]
    if not known:
        return None
    least = min(one[0] for one in known)
    return least, min(one[1] for one in known if one[0] <= least + 2e-7)


@pytest.mark.parametrize(
    ("band", "seeds"),
    [
        (None, range(30)),
        (0.02, range(15)),
        pytest.param(None, range(30, 230), marks=pytest.mark.slow),
        pytest.param(0.02, range(15, 115), marks=pytest.mark.slow),
    ],
)
def test_a_joint_plan_is_the_optimum_of_exhaustive_enumeration(band, seeds):
    compared = 0
    for seed in seeds:
        instance, where, situation, rules = case(seed, band=band)
        best = enumerated(instance, where, situation, band)
        if best is None:
            continue
        compared += 1
        joint, answer = solved(instance, situation, rules | on(**instance.settings))
        assert answer.value == pytest.approx(best, abs=3e-6), f"seed {seed}, {dict(instance.settings)}"
        assert all(bound <= value + 1e-9 for bound, value in zip(answer.bound, answer.value, strict=True))
        assert relaxed_joint(joint, float(situation.pot[0])).value <= best[0] + 1e-6
    assert compared >= 5


def test_a_joint_plan_is_never_behind_the_grouping_that_it_starts_from():
    for seed in range(12):
        instance, where, situation, rules = case(seed)
        for hub, _ in list(legal_plans(instance, where))[:2]:
            before = cheapest(instance, situation, hub, None)
            _, answer = solved(instance, situation, rules | on(**instance.settings), start=np.array(hub))
            assert answer.value[0] <= before[0] + 1e-6


def test_areas_with_pots_of_their_own_are_pieces_of_their_own():
    """Protections of 100% for every area use up the pot: the programme falls apart and the answer stays."""
    instance, _, situation, rules = case(4)
    share = situation.baseline / situation.baseline.sum()
    situation = replace(situation, target=(share * situation.pot[0])[:, None])
    instance = replace(instance, settings={"stay_in_area": {}}, declared=False, may_hub=np.ones(len(instance), bool))
    split = rules | on(stay_in_area={}, group_protection={"column": "area", "least": 1.0, "group": None})
    joint, answer = solved(instance, situation, split)
    pot = float(situation.pot[0])
    areas = sorted(set(instance.area))
    assert len(areas) == 2
    assert len(pieces_of(joint.compiled, pot)) == answer.pieces >= 2
    pots = pots_of(joint.alone, situation, instance)
    for area in areas:
        assert pots[area] == pytest.approx(situation.target[np.array(instance.area) == area, 0].sum())
    bound = relaxed_joint(joint, pot)
    assert bound.value <= answer.value[0] + 1e-6
    assert len(pieces_of(solved(instance, situation, rules | on(stay_in_area={}))[0].compiled, pot)) == 1


PLACES = """code,name,people,weight,area,hub,now,lat,lon,base_m,spend_m
A,Alder,30000,30,west,1,g1,52.00,0.00,100,112
B,Birch,22000,27,west,0,g1,52.02,0.05,100,101
C,Cedar,20000,26,west,0,g2,52.01,0.10,100,104
D,Damson,21000,25,west,1,g2,52.05,0.12,100,96
E,Elder,12000,24,west,0,g2,52.04,0.02,100,95
"""
SCENARIO = """format: 1
name: five places, both decisions at once
model: joint
years: [2019-20]
pot: £525m
inputs:
  places:
    table: places.csv
    key: code
    name: name
    columns: {population: people, latitude: lat, longitude: lon, area: area, hub: hub, group: now}
  baseline: {table: places.csv, column: base_m, unit: £m}
  spend: {table: places.csv, column: spend_m, unit: £m}
formula:
  need: {share: 100%, need: weight}
rules:
  growth_floor: {rate: 3%}
  growth_ceiling: {rate: 7%}
  reach: {max: 15 km}
objectives: [gross_deficit, shortfall_below_target, travel]
grouping: {compare: [unpooled, nearest_hub]}
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    (tmp_path / "places.csv").write_text(PLACES, encoding="utf-8")
    path = tmp_path / "five.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return path


def test_a_joint_run_writes_both_tables_and_the_two_steps_beside_them_and_verifies(scenario, tmp_path):
    run = allocopt.run(scenario, out=tmp_path / "runs", set={"rules.growth_ceiling.rate": "6%"})
    assert {"allocations", "groups", "consortia", "comparison", "effects"} <= set(run.tables)
    assert run.allocations["allocation_gbp"].sum() == 525_000_000
    assert run.tables["consortia"]["budget_gbp"].sum() == 525_000_000
    assert list(run.tables["comparison"]["plan"]) == ["unpooled", "nearest hub", "one after the other", "plan"]
    steps = {one["name"]: one for one in run.record["two_steps"]["objectives"]}
    assert steps["gross_deficit"]["jointly"] <= steps["gross_deficit"]["one_after_the_other"] + 1e-6
    assert [one["name"] for one in run.record["rules"]] == ["budget", "growth_floor", "growth_ceiling", "reach"]
    assert {one["name"] for one in run.record["bounds"]} == {"N", "C"}
    verdict = verify(run.folder)
    assert verdict.passed, [one for one in verdict.checks if not one.passed]


def test_comparisons_beside_a_joint_plan_hold_its_allocation(scenario, tmp_path):
    said = "{compare: [within_areas, across_areas], frontier: [1%], alternatives: {number: 1, within: 50%, differ: 1}}"
    run = allocopt.run(scenario, out=tmp_path / "runs", set={"grouping": said})
    rows = run.tables["comparison"].set_index("plan")
    assert {"optimal within areas", "optimal across areas", "one after the other"} <= set(rows.index)
    assert rows.loc["optimal across areas", "gross_deficit_gbp"] <= rows.loc["plan", "gross_deficit_gbp"] + 2000
    assert len(run.tables["travel_frontier"]) == 1
    assert any("hold the joint plan's allocation" in note for note in run.record["warnings"])
    assert verify(run.folder).passed


def test_a_kept_price_or_a_pound_that_was_changed_is_found(scenario, tmp_path):
    run = allocopt.run(scenario, out=tmp_path / "runs")
    said = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))
    said["bounds"][1]["value"] += 0.01
    (run.folder / "run.json").write_text(json.dumps(said), encoding="utf-8")
    failed = {one.name for one in verify(run.folder).checks if not one.passed}
    assert {"sealed files", "bound C"} <= failed


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "[pace_of_change, joint]"}, "makes the allocation itself"),
        ({"grouping": "{budget: target}"}, "the allocation that is decided"),
        ({"grouping": "{column: now}"}, "evaluated, not decided"),
        (
            {"rules": "{balance_band: {max: 5%}, stay_in_area: {}}", "inputs.places.columns.area": "now"},
            "whose pot is decided too",
        ),
    ],
)
def test_what_a_joint_programme_cannot_be_asked_is_told(scenario, change, words):
    with pytest.raises(ScenarioFault) as failure:
        allocopt.run(scenario, out=None, set=change)
    assert words in str(failure.value.problems)


def test_an_allocation_that_cannot_be_made_is_explained_with_cures(scenario):
    with pytest.raises(Infeasible) as failure:
        allocopt.run(scenario, out=None, set={"rules.growth_floor.rate": "6%"})
    assert "growth_floor contradicts budget" in str(failure.value)
    assert any(cure.key == "rules.growth_floor.rate" and cure.verified for cure in failure.value.cures)


def test_two_consortia_worked_by_hand():
    """A 100 and B 100 spend 110 and 104, C 100 and D 100 spend 97 and 99; the pot is 408, each may grow 0 to 4%.

    A and D are hubs; B and C may join either. Spend is 410, two more than the pot: no plan leaves less than 2. A with C
    spends 207 and may get 207; B with D spends 203 and gets the other 201: 2 are short. A with B spends 214 and gets at
    most 208: 6 are short, whatever C and D are left.
    """
    instance = Instance(
        places=("A", "B", "C", "D"),
        population=np.full(4, 1000.0),
        budget=np.full(4, 102.0),
        spend=np.array([110.0, 104.0, 97.0, 99.0]),
        area=("all",) * 4,
        may_hub=np.array([True, False, False, True]),
        declared=True,
        position=on_sphere(np.zeros(4), np.array([0.0, 0.1, 0.2, 0.3])),
    )
    situation = Situation(
        places=instance.places,
        years=("2019-20",),
        pot=np.array([408.0]),
        baseline=np.full(4, 100.0),
        target=np.full((4, 1), 102.0),
        population=np.full((4, 1), 1000.0),
        spend=instance.spend[:, None],
    )
    rules = on(growth_floor={"rate": 0.0}, growth_ceiling={"rate": 0.04})
    joint, answer = solved(instance, situation, rules, ("gross_deficit",))
    assert answer.value == pytest.approx([2.0])
    assert relaxed_joint(joint, 408.0).value == pytest.approx(2.0)
    _, apart = solved(
        replace(instance, settings={"locked": {"places": {"B": "A", "C": "D"}}}), situation, rules, ("gross_deficit",)
    )
    assert apart.value == pytest.approx([6.0])


def test_a_place_of_a_joint_run_is_explained(scenario, tmp_path):
    run = allocopt.run(scenario, out=tmp_path / "runs")
    (year,) = explain(run.folder, "A").years
    given = run.allocations.set_index("place").loc["A", "allocation_gbp"]
    assert year.change.to_gbp == given == year.change.from_gbp + sum(amount for _, amount in year.change.parts)
    assert {one.rule for one in year.limits} == {"growth_floor", "growth_ceiling"}


def test_the_same_joint_run_gives_the_same_bytes_under_another_hash_seed(scenario, tmp_path):
    said = []
    for seed in ("1", "2"):
        out = tmp_path / seed
        command = [sys.executable, "-m", "allocopt", "run", str(scenario), "--quiet", "--no-report", "--out", str(out)]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True)
        (folder,) = out.iterdir()
        said.append({path.name: path.read_bytes() for path in folder.iterdir() if path.name != "timing.json"})
    assert said[0] == said[1]
