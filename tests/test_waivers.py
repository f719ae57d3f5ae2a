"""Waivers and exemptions: nothing gets worse by them, they excuse what they name, and they are as few as can be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from grouping_cases import brute_force, checked, legal_plans, random_instance, row_of_places, task
from grouping_scenarios import scenario_of

import allocopt
from allocopt.check.folder import verify
from allocopt.check.grouping import broken_rules
from allocopt.errors import Infeasible, ScenarioFault
from allocopt.grouping import exempt, solution
from allocopt.grouping.exempt import Exemption, with_exemptions
from allocopt.grouping.instance import Instance, on_sphere, possible_pairs
from allocopt.grouping.solution import solve_grouping
from allocopt.grouping.travel import travel_bound
from allocopt.model import load_model
from allocopt.settings import Solver

MOST_PLANS = 4_000
"""Assignments that an enumeration looks at."""


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


def test_an_exempted_place_is_not_sent_farther_than_its_exemption_needs(tmp_path):
    """B lies 25.6 km from A. The surplus of hub C, 300 km away, would halve the deficit; 26 km are all that B gets."""
    instance, where = row_of_places([0.0, 25.6, 325.0], [1000] * 3, [1.0, 0.5, -0.5], "101", reach={"max": 25.0})
    run = allocopt.run(scenario_of(tmp_path, instance, where, ["gross_deficit"], exempt="least"), out=tmp_path / "runs")
    assert [(one["code"], one["km"]) for one in run.record["exemptions"]] == [("B", 26.0)]
    assert run.headline["gross_deficit_gbp"] == 1_500_000
    assert [one for one in verify(run.folder).checks if not one.passed] == []
    elsewhere = replace(checked(instance, where, np.array([0, 2, 2])), excess={"B": 26.0})
    settings = {"reach": {"max": 25.0, "waive": ["B"]}}
    assert [one.rule for one in broken_rules(replace(elsewhere, settings=settings))] == ["reach"]


def test_an_exemption_reaches_as_far_as_a_plan_needs_where_the_nearest_hub_is_full():
    """B must leave A, which is full with its own place, for C, 60 km away: one exemption, up to 60 km."""
    settings = {"reach": {"max": 25.0}, "population_window": {"max": 2500.0}}
    instance, _ = row_of_places([0.0, 30.0, 90.0], [2000, 1000, 1000], [0.0] * 3, "101", **settings)
    found = solve_grouping(task(instance, ["gross_deficit"], exempt="least"))
    assert found.exemptions == (Exemption("reach", "B", 60.0),)
    assert found.hub.tolist() == [0, 2, 2]


def apart_from_each_other(n: int = 150) -> tuple[Instance, np.ndarray]:
    """n places of a town, and 109 km away five that lack people for a consortium of their own."""
    draw = np.random.default_rng(5)
    side = (n / 150) ** 0.5
    where = np.column_stack([52 + 0.3 * side * draw.random(n + 5), 0.4 * side * draw.random(n + 5)])
    where[n:] = [53.3, 0.2] + 0.02 * draw.random((5, 2))
    people = draw.integers(40, 120, n + 5) * 100.0
    people[n:] = 8000.0
    budget = draw.integers(5, 20, n + 5).astype(float)
    return Instance(
        places=tuple(f"P{number:03d}" for number in range(n + 5)),
        population=people,
        budget=budget,
        spend=np.round(budget * (1 + 0.15 * draw.standard_normal(n + 5)), 3),
        area=("all",) * (n + 5),
        may_hub=np.ones(n + 5, dtype=bool),
        declared=False,
        position=on_sphere(where[:, 0], where[:, 1]),
        settings={"reach": {"max": 15.0}, "population_window": {"min": 50_000.0, "max": 200_000.0}},
    ), where


@pytest.mark.parametrize("most_pairs", [0, 10**6])
def test_a_pocket_short_of_people_is_one_exempted_consortium_searched_or_solved(most_pairs, monkeypatch):
    """Not five places that are sent away: 40,000 people form one consortium below the minimum."""
    monkeypatch.setattr(solution, "EXACT_PAIRS", most_pairs)
    instance, where = apart_from_each_other(150 if most_pairs == 0 else 20)
    short = Solver(gap="5%", time_limit="3s")  # type: ignore[arg-type]
    found = solve_grouping(task(instance, ["gross_deficit", "travel"], solver=short, exempt="least"))
    assert [one.rule for one in found.exemptions] == ["population_window"]
    assert len(set(found.hub[-5:].tolist())) == 1
    assert broken_rules(checked(found.instance, where, found.hub)) == []


def fewest_by_hand(instance: Instance, where: np.ndarray) -> int | None:
    """Over every plan that obeys the other rules: how many places and consortia have to be excused, at least."""
    loose = {name: dict(said) for name, said in instance.settings.items() if name not in ("reach", "balance_band")}
    least = loose.get("population_window", {}).pop("min", 0.0)
    most, band = instance.said("reach", "max", np.inf), instance.said("balance_band", "max", np.inf)
    km = 6371.0088 * np.arccos(np.clip(instance.position @ instance.position.T, -1, 1))
    own = instance.area_codes if instance.on("stay_in_area") else np.zeros(len(instance), dtype=int)
    found = []
    for plan, _ in legal_plans(replace(instance, settings=loose), where):
        hub = np.array(plan)
        count = int((km[np.arange(len(hub)), hub] > most + 1e-3).sum())
        for h in set(plan):
            inside, around = hub == h, own == own[h]
            count += bool(instance.population[inside].sum() < least)
            away = instance.spend[inside].sum() / instance.budget[inside].sum()
            count += bool(abs(away - instance.spend[around].sum() / instance.budget[around].sum()) > band + 1e-9)
        found.append(count)
    return min(found, default=None)


def in_need(seed: int) -> tuple[Instance, np.ndarray] | None:
    """A random instance that no plan obeys, with the three rules that can be waived; surpluses in reach left out."""
    instance, where = random_instance(seed)
    if instance.may_hub.sum() ** len(instance) > MOST_PLANS:
        return None
    draw = np.random.default_rng(seed)
    total = float(instance.population.sum())
    settings = {name: said for name, said in instance.settings.items() if name != "surplus_concentration"}
    settings |= {"reach": {"max": float(draw.choice([3, 8, 14]))}, "population_window": {"min": round(total * 0.3)}}
    settings |= {"balance_band": {"max": 0.1}} if draw.random() < 0.5 else {}
    instance = replace(instance, settings=settings)
    return None if brute_force(instance, where, ["gross_deficit"]) is not None else (instance, where)


@pytest.mark.parametrize("batch", range(4))
def test_exemptions_are_the_fewest_of_exhaustive_enumeration(batch):
    """As many as enumeration says, and the plan is the best under them; exit 3 only where none would help."""
    helped, joined = 0, 0
    for seed in range(batch * 30, batch * 30 + 30):
        made = in_need(seed)
        if made is None:
            continue
        instance, where = made
        fewest, said = fewest_by_hand(instance, where), f"seed {seed}, rules {dict(instance.settings)}"
        if fewest is None:
            with pytest.raises(Infeasible):
                solve_grouping(task(instance, ["gross_deficit"], exempt="least"))
            continue
        found = solve_grouping(task(instance, ["gross_deficit"], exempt="least"))
        assert len(found.exemptions) == fewest, said
        assert not found.notes, said
        assert broken_rules(replace(checked(found.instance, where, found.hub), excess=found.instance.excess)) == []
        best = limited(found.instance, where)
        assert found.stages[0].final_value == pytest.approx(best, abs=2e-6), said
        helped, joined = helped + 1, joined + bool(found.instance.excess)
    assert helped >= 6
    assert joined >= 1


def limited(instance: Instance, where: np.ndarray) -> float:
    """The least deficit of all plans in which exempted places are no farther from their hubs than allowed."""
    km = 6371.0088 * np.arccos(np.clip(instance.position @ instance.position.T, -1, 1))
    at = {instance.index[code]: most for code, most in instance.excess.items()}
    plans = legal_plans(instance, where)
    return min(
        one["gross_deficit"] for hub, one in plans if all(km[p, hub[p]] <= most + 1e-3 for p, most in at.items())
    )


def test_what_cannot_be_counted_over_all_parts_is_not_called_proven(monkeypatch):
    monkeypatch.setattr(exempt, "MOST_PAIRS", 0)
    window = {"reach": {"max": 5.0}, "population_window": {"min": 2500.0}}
    instance, _ = row_of_places([0.0, 1.0, 50.0, 51.0], [1000, 1000, 2000, 2000], [0.0] * 4, "1010", **window)
    found = solve_grouping(task(instance, ["gross_deficit"], exempt="least"))
    assert found.exemptions == (Exemption("population_window", "A"),)
    assert any("not proven" in note for note in found.notes)
    monkeypatch.setattr(exempt, "MOST_PAIRS", 60_000)
    assert not solve_grouping(task(instance, ["gross_deficit"], exempt="least")).notes


def test_of_many_pairs_one_exempted_consortium_is_found_without_those_beyond_reach(monkeypatch):
    """As few as with them, and proven, since the rules cannot hold without any; two need the whole programme."""
    monkeypatch.setattr(exempt, "NEAR_PAIRS", 0)
    window = {"reach": {"max": 5.0}, "population_window": {"min": 2500.0}}
    instance, _ = row_of_places([0.0, 1.0, 50.0, 51.0], [1000, 1000, 2000, 2000], [0.0] * 4, "1010", **window)
    found = solve_grouping(task(instance, ["gross_deficit"], exempt="least"))
    assert found.exemptions == (Exemption("population_window", "A"),)
    assert not found.notes
    two = replace(instance, population=np.array([1000.0, 1000.0, 1000.0, 1000.0]))
    found = solve_grouping(task(two, ["gross_deficit"], exempt="least"))
    assert len(found.exemptions) == 2
    assert not found.notes


@pytest.mark.parametrize("rule", ["reach", "stay_in_area"])
def test_a_waived_place_only_ever_gains(rule):
    """The optimum is that of enumeration, in which a waived place may be anywhere, and no worse than without."""
    compared = 0
    for seed in range(70):
        instance, where = random_instance(seed)
        if not instance.on(rule) or instance.may_hub.sum() ** len(instance) > MOST_PLANS:
            continue
        without = brute_force(instance, where, ["gross_deficit"])
        waive = {**instance.settings[rule], "waive": [instance.places[seed % len(instance)]]}
        instance = replace(instance, settings={**instance.settings, rule: waive})
        best = brute_force(instance, where, ["gross_deficit"])
        if best is None:
            assert without is None
            continue
        found = solve_grouping(task(instance, ["gross_deficit"]))
        assert found.stages[0].final_value == pytest.approx(best[0], abs=2e-6), f"seed {seed}"
        assert without is None or best[0] <= without[0] + 1e-9
        compared += 1
    assert compared >= 5


def test_an_excused_consortium_does_not_end_the_bound_on_travel():
    instance, _ = apart_from_each_other(60)
    pairs = possible_pairs(instance)
    with_one = with_exemptions(instance, (Exemption("population_window", instance.places[-1]),))
    assert 0 < travel_bound(with_one, pairs, 1e9) < travel_bound(instance, pairs, 1e9)


def test_places_that_no_hub_may_take_need_no_count_of_exemptions():
    instance, _ = apart_from_each_other(20)
    nothing = possible_pairs(instance).take(np.zeros(0, dtype=np.int64))
    found, proven, hub = exempt.left_out(load_model("consortia"), instance, np.array([0]), nothing, seconds=10.0)
    assert (found, proven, set(hub.tolist())) == ((), True, {-1})
