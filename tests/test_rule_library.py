"""What holds for every rule of the library, and for objectives that are one place's measure, on small systems."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest
from situations import NO_SLACK, on, situation, solved
from typer.testing import CliRunner

import allocopt
from allocopt.check.folder import verify
from allocopt.cli import app
from allocopt.errors import Infeasible, ScenarioFault
from allocopt.ledger import whole_pounds
from allocopt.model import ClassRate, Point, load_model, scheduled
from allocopt.tapers import PerHeadTaper, Taper

POUND = 1e-6
SCHEDULE = [Point.model_validate({"dft": "-10%", "growth": "5%"}), Point.model_validate({"dft": "10%", "growth": "1%"})]
HIGHER = [Point.model_validate({"dft": "-10%", "growth": "6%"}), Point.model_validate({"dft": "10%", "growth": "2%"})]
LOWER_FLOORS = [ClassRate.model_validate({"group": "north", "growth": "1%"})]
HIGHER_FLOORS = [ClassRate.model_validate({"group": "north", "growth": "3%"})]
TIGHTER = {
    "growth_floor": ({"rate": 0.01}, {"rate": 0.02}),
    "class_floor": ({"column": "region", "floors": LOWER_FLOORS}, {"column": "region", "floors": HIGHER_FLOORS}),
    "per_head_floor": ({"rate": 0.0}, {"rate": 0.01}),
    "growth_ceiling": ({"rate": 0.10}, {"rate": 0.08}),
    "growth_schedule": ({"points": SCHEDULE}, {"points": HIGHER}),
    "dft_floor": ({"rate": -0.20}, {"rate": -0.10}),
    "dft_ceiling": ({"rate": 0.20}, {"rate": 0.10}),
    "group_protection": ({"column": "region", "least": 0.90}, {"column": "region", "least": 0.95}),
    "mover_budget": ({"max": 10.0}, {"max": 4.0}),
}
"""Rule -> (looser, tighter) parameters."""
PLAIN = ("no_further_under_target", "population_growth_protection", "no_leapfrogging", "uniform_growth")
OBJECTIVES = [one.name for one in load_model("pace_of_change").objectives]
LIMITS = on(growth_floor={"rate": -0.3}, growth_ceiling={"rate": 0.6})


def systems(number: int, size: int = 4):
    """Systems drawn once and for all: whole millions, populations that grow or shrink, two regions."""
    random = np.random.default_rng(2019)
    for _ in range(number):
        baseline, weight, spend = (random.integers(60, 140, size) for _ in range(3))
        given = situation(pot=float(baseline.sum()) * 1.05, baseline=baseline, weight=weight, spend=spend)
        yield replace(
            given,
            previous_population=given.population / random.uniform(0.98, 1.04, (size, 1)),
            groups={"region": tuple("north" if one % 2 else "south" for one in range(size))},
        )


def value(system, rules, objective):
    """The first stage's value as something to minimise; None when the rules cannot all hold."""
    try:
        _, (stage,) = solved(system, rules=rules, objectives=[objective], solver=NO_SLACK)
    except Infeasible:
        return None
    assert stage.proven
    return -stage.value if objective == "common_speed" else stage.value


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("rule", TIGHTER)
def test_tightening_a_rule_never_improves(rule, objective):
    loose, tight = (on(**{rule: parameters}) for parameters in TIGHTER[rule])
    compared = 0
    for system in systems(4):
        looser, tighter = value(system, loose, objective), value(system, tight, objective)
        if tighter is not None:
            assert looser is not None
            assert tighter >= looser - 1e-8
            compared += 1
    assert compared


def first_of(system, objectives):
    _, stages = solved(system, rules=LIMITS, objectives=objectives)
    assert all(stage.proven for stage in stages)
    return stages[0].value


@pytest.mark.parametrize(("first", "later"), list(permutations(OBJECTIVES, 2)))
def test_a_later_objective_rules_out_no_plan_of_an_earlier_one(first, later):
    # spend is far from target, and where there is a level place it opens at target to the penny
    for system, level in product(systems(3, 5), (False, True)):
        aim = system.target[:, 0].copy()
        if level:
            aim[0] = 1.05 * system.baseline[0]
            aim[1:] *= (system.pot[0] - aim[0]) / aim[1:].sum()
        given = replace(system, target=aim[:, None])
        assert first_of(given, [first, later]) == pytest.approx(first_of(given, [first]), abs=1e-7)


def test_what_other_rules_take_from_a_place_at_target_is_a_low_speed_and_no_contradiction():
    # B opens at its target of 105; A must have 116, C at least 99: B has 100, 50,000,000 times ten pence less
    system = situation(pot=315, baseline=[100, 100, 100], weight=[126, 105, 84])
    rules = on(dft_floor={"rate": 116 / 126 - 1}, dft_ceiling={"rate": 0.25}, growth_floor={"rate": -0.01})
    allocation, (stage,) = solved(system, rules=rules, objectives=["common_speed"])
    # C ends at its floor of 99, 6 of its distance of 21 closed; A closes 11 of 21; B has 100
    assert allocation[:, 0] == pytest.approx([116, 100, 99], abs=1e-5)
    assert stage.value == pytest.approx(1 - 5e7, rel=1e-9)
    assert stage.proven


@pytest.mark.parametrize("rule", PLAIN)
def test_switching_a_rule_on_never_improves(rule):
    for system, objective in product(systems(3), OBJECTIVES):
        found, free = value(system, on(**{rule: {}}), objective), value(system, {}, objective)
        assert found is None or found >= free - 1e-8


@pytest.mark.parametrize("rule", [*TIGHTER, *PLAIN])
def test_money_in_other_units_and_places_in_another_order_change_nothing(rule):
    setting = TIGHTER[rule][0] if rule in TIGHTER else {}
    for system in systems(2):
        scaled = replace(
            system,
            pot=10 * system.pot,
            baseline=10 * system.baseline,
            target=10 * system.target,
            spend=10 * system.spend,
        )
        order = [2, 0, 3, 1]
        turned = replace(
            system,
            baseline=system.baseline[order],
            target=system.target[order],
            population=system.population[order],
            previous_population=system.previous_population[order],
            spend=system.spend[order],
            groups={"region": tuple(system.groups["region"][one] for one in order)},
        )
        more = {"max": 100.0} if rule == "mover_budget" else setting
        found = value(system, on(**{rule: setting}), "shortfall_below_target")
        for other, said, factor in ((scaled, more, 10), (turned, setting, 1)):
            again = value(other, on(**{rule: said}), "shortfall_below_target")
            assert (again is None) == (found is None)
            assert found is None or again == pytest.approx(factor * found, abs=1e-6)


@pytest.mark.parametrize("rule", ["linear_rule", "floor_damping", "capped_gains", "equal_steps", "uniform_growth"])
def test_a_whole_round_adds_up_to_the_pot(rule):
    parameters = {
        "linear_rule": {"a": 0.03},
        "floor_damping": {"rate": 0.02},
        "capped_gains": {"floor": 0.0, "cap": 0.03},
        "equal_steps": {"steps": 5},
    }.get(rule, {})
    for system in systems(4):
        allocation, _ = solved(system, rules=on(**{rule: parameters}), objectives=["movement"])
        pot = round(float(system.pot[0]) * 1e6)
        assert whole_pounds(allocation[:, 0], total=pot).sum() == pot
        assert (allocation > 0).all()


def better(one, other) -> bool:
    """Whether shortfalls `one`, worst first, come before `other` in the lexicographic order."""
    for a, b in zip(sorted(one, reverse=True), sorted(other, reverse=True), strict=True):
        if abs(a - b) > 1e-6:
            return a < b
    return False


@pytest.mark.parametrize("protected", [False, True])
@pytest.mark.parametrize("size", [4, 6])
def test_no_allocation_in_whole_millions_beats_the_lexicographic_worst_shortfall(size, protected):
    compared = 0
    for system in systems(4, size):
        rules = on(growth_floor={"rate": 0.02}, growth_ceiling={"rate": 0.08})
        if protected:
            rules |= on(group_protection={"column": "region", "group": "north", "least": 0.97})
        try:
            allocation, (stage,) = solved(system, rules=rules, objectives=["worst_shortfall"], solver=NO_SLACK)
        except Infeasible:
            continue
        found = np.maximum(0, 1 - allocation[:, 0] / system.target[:, 0])
        assert stage.value == pytest.approx(found.max(), abs=1e-7)
        assert stage.levels.complete
        for given in whole_millions(system, rules):
            assert not better(np.maximum(0, 1 - given / system.target[:, 0]), found)
            compared += 1
    assert compared > 100


def whole_millions(system, rules):
    """Every allocation in whole millions, the last place taking the rest of the pot, that keeps the rules."""
    low, high = np.ceil(1.02 * system.baseline), np.floor(1.08 * system.baseline)
    north = np.array([one == "north" for one in system.groups["region"]])
    least = rules["group_protection"].parameters["least"] if "group_protection" in rules else 0.0
    step = 1 if len(low) == 4 else 2
    for first in product(*(range(int(a), int(b) + 1, step) for a, b in zip(low[:-1], high[:-1], strict=True))):
        given = np.array([*first, system.pot[0] - sum(first)], dtype=float)
        inside = 1.02 * system.baseline[-1] <= given[-1] <= 1.08 * system.baseline[-1]
        if inside and given[north].sum() >= least * system.target[north, 0].sum():
            yield given


@pytest.mark.parametrize("floor", [0.0, 0.02, 0.04])
def test_the_largest_common_speed_is_what_bisection_finds(floor):
    ceiling = 0.09
    for system in systems(6):
        rules = on(growth_floor={"rate": floor}, growth_ceiling={"rate": ceiling})
        found = value(system, rules, "common_speed")
        assert found is not None
        assert -found == pytest.approx(by_bisection(system, floor, ceiling), abs=1e-7)


def by_bisection(system, floor, ceiling):
    target, opening = system.target[:, 0], system.opening_dft[:, 0]
    pot = system.pot[0]

    def holds(speed):
        line = target * (1 + (1 - speed) * opening)
        low = np.maximum((1 + floor) * system.baseline, np.where(opening <= 0, line, 0))
        high = np.minimum((1 + ceiling) * system.baseline, np.where(opening > 0, line, np.inf))
        return bool((low <= high + 1e-12).all() and low.sum() <= pot + 1e-9 and high.sum() >= pot - 1e-9)

    low, high = -1.0, 1.0
    assert holds(low)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def test_the_damping_scale_of_the_programme_is_that_of_the_published_algebra():
    for system in systems(6):
        allocation, _ = solved(system, rules=on(floor_damping={"rate": 0.02}), objectives=["movement"])
        floor, target = 1.02 * system.baseline, system.target[:, 0]
        scale = 1 - np.maximum(0, floor - target).sum() / np.maximum(0, target - floor).sum()
        assert 0 <= scale <= 1
        assert allocation[:, 0] == pytest.approx(floor + scale * np.maximum(0, target - floor), abs=POUND)


def test_nobody_overtakes_and_places_that_open_level_are_free():
    for system in systems(4, 5):
        rules = on(no_leapfrogging={}, growth_floor={"rate": 0.0})
        allocation, _ = solved(system, rules=rules, objectives=["gross_deficit"])
        position = (allocation / system.target)[np.argsort(system.opening_dft[:, 0]), 0]
        assert (np.diff(position) >= -1e-7).all()
    level = situation(pot=315, baseline=[100, 100, 100], weight=[1, 1, 1], spend=[150, 90, 75])
    allocation, _ = solved(level, rules=on(no_leapfrogging={}), objectives=["gross_deficit"], solver=NO_SLACK)
    assert allocation[0, 0] == pytest.approx(150)


def test_a_floor_a_head_without_growth_of_people_is_a_floor_in_cash():
    said = {"from": "5%", "to": "10%"}
    tapers = {"growth_floor": Taper.model_validate(said), "per_head_floor": PerHeadTaper.model_validate(said)}
    for system in systems(3):
        still = replace(system, previous_population=system.population)
        found = [
            value(still, on(**{name: {"rate": 0.02, "taper": taper}}), "shortfall_below_target")
            for name, taper in tapers.items()
        ]
        assert found[0] == pytest.approx(found[1], abs=POUND)


def tapering(system, **said):
    taper = PerHeadTaper.model_validate({"from": "0%", "to": "10%", **said})
    rules = on(per_head_floor={"rate": 0.02, "taper": taper})
    return value(system, rules, "shortfall_below_target")


def test_a_floor_a_head_that_fades_to_itself_does_not_fade():
    for system in systems(3):
        whole = value(system, on(per_head_floor={"rate": 0.02}), "shortfall_below_target")
        assert tapering(system, end_per_head="2%") == pytest.approx(whole, abs=POUND)


def test_the_more_a_head_is_left_of_a_floor_the_more_shortfall_it_costs():
    for system in systems(3):
        found = [tapering(system, end_per_head=end) for end in ("-3%", "0%", "1%", "2%")]
        assert (np.diff(found) >= -POUND).all()


def test_without_growth_of_people_a_floor_that_fades_to_a_rate_a_head_fades_to_that_rate_in_cash():
    for system in systems(3):
        still = replace(system, previous_population=system.population)
        assert tapering(still, end_per_head="1%") == pytest.approx(tapering(still, end="1%"), abs=POUND)


def test_equal_steps_end_at_target():
    for system in systems(3):
        allocation, _ = solved(system, rules=on(equal_steps={"steps": 1}), objectives=["movement"])
        assert allocation == pytest.approx(system.target, abs=POUND)


def test_a_schedule_runs_straight_between_its_points_and_is_constant_beyond():
    assert [scheduled(SCHEDULE, one) for one in (-0.5, -0.1, 0.0, 0.05, 0.1, 0.5)] == pytest.approx(
        [0.05, 0.05, 0.03, 0.02, 0.01, 0.01]
    )


def test_the_reserve_and_the_allocations_are_the_announced_pot():
    run = allocopt.run("england-ccgs", set={"rules.reserve.share": "0.5%"}, out=None)
    # 0.5% of 78,541,382,000 is 392,706,910
    assert run.headline["pot_gbp"] == 78_541_382_000 - 392_706_910
    assert any("held back as a reserve" in one for one in run.record["warnings"])


@pytest.mark.parametrize(
    ("pot", "share"),
    [
        ("£78.541381bn", "0.25%"),
        ("£78.541382bn", "0.875%"),
        ("£78.541381bn", "0.05%"),
        ("£78.541381bn", "1.05%"),
        ("£78.541387bn", "0.75%"),
    ],
)
def test_a_reserve_that_ends_in_half_a_pound_leaves_what_is_allocated(tmp_path, pot, share):
    # 0.25% of 78,541,381,000 is 196,353,452.50: rounded once, and what is left is what may be allocated
    sets = {"pot.value": pot, "rules.reserve.share": share, "rules.growth_floor": "off", "objectives": "[movement]"}
    run = allocopt.run("england-ccgs", set=sets, out=tmp_path)
    assert [one for one in verify(run.folder).checks if not one.passed] == []
    assert [one["binding"] for one in run.record["rules"] if one["name"] == "reserve"] == [1]


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        (
            {"rules.per_head_floor.rate": "1%"},
            "per_head_floor needs the column that holds each place's population growth",
        ),
        (
            {"rules.capped_gains": "{floor: 0%, cap: 3%}"},
            "name it: inputs.places.columns.population_growth in per cent, or population and",
        ),
        ({"rules.group_protection": "{column: regoin, least: 98%}"}, "did you mean 'region'"),
        ({"rules.group_protection": "{column: region, group: Lundon, least: 98%}"}, "did you mean 'London'"),
        ({"rules.growth_floor.taper.to": "5%"}, "a taper runs to a larger distance"),
        ({"rules.growth_floor.taper.end_per_head": "1%"}, "end_per_head"),
        ({"rules.per_head_floor": "{rate: 3%, taper: {from: 5%, to: 9%, end: 0%, end_per_head: 1%}}"}, "at one rate"),
        ({"rules.growth_schedule": "{points: [{dft: 5%, growth: 1%}, {dft: 0%, growth: 2%}]}"}, "from the lowest"),
        ({"rules.equal_steps.steps": "0"}, "expected a number of at least 1, not 0"),
        ({"rules.reserve.share": "110%"}, "between 0% and less than 100%: 110%"),
        ({"rules.reserve.share": "-1%"}, "between 0% and less than 100%: -1%"),
        ({"rules.reserve.share": "{2019-20: 100%}"}, "between 0% and less than 100%: 100%"),
    ],
)
def test_what_a_rule_needs_and_does_not_find_is_told_with_its_cure(sets, words):
    with pytest.raises(ScenarioFault, match=words) as fault:
        allocopt.run("england-ccgs", set=sets, out=None)
    assert fault.value.exit == 2


def test_a_missing_column_is_told_as_json_with_exit_2():
    done = CliRunner().invoke(app, ["check", "england-ccgs", "--set", "rules.per_head_floor.rate=1%", "--json"])
    assert done.exit_code == 2
    assert "rules.per_head_floor" in done.stdout


def test_a_round_that_compares_targets_with_money_yet_to_be_decided_says_so():
    two_years = replace(
        situation(pot=315, baseline=[100, 100, 100], weight=[126, 105, 84]),
        years=("2019-20", "2020-21"),
        pot=np.array([315.0, 330.75]),
        target=np.array([[126, 132.3], [105, 110.25], [84, 88.2]]),
        population=np.full((3, 2), 1000.0),
        previous_population=np.full((3, 2), 1000.0),
    )
    with pytest.raises(ScenarioFault, match="allocations that the path has yet to decide"):
        solved(two_years, rules=on(floor_damping={"rate": 0.02}), objectives=["movement"])
