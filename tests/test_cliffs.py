"""A jump in growth for a hundredth of a point of distance from target is found, and no slope is taken for one."""

from __future__ import annotations

import numpy as np
import pytest

import allocopt
from allocopt.cliffs import _widest, cliffs
from allocopt.plan import gather
from allocopt.scenario import load

BASE = "england-ccgs-2019-20"


def found(**rules: str):
    return cliffs(gather(load(BASE, set={f"rules.{name}": said for name, said in rules.items()})))


@pytest.mark.parametrize(
    "rules",
    [
        {"growth_floor": "{rate: 3.6%, taper: {from: 5%, to: 10%}}"},
        {"growth_floor": "{rate: 3.6%, taper: {from: 5%, to: 5.5%}}"},
        {"per_head_floor": "{rate: 3%, taper: {from: 5%, to: 10%, end: 1%}}"},
        {"per_head_floor": "{rate: 3%, taper: {from: 5%, to: 10%, end_per_head: 1%}}"},
        {"growth_ceiling": "{rate: 9%, taper: {from: 0%, to: 20%, end: 4%}}"},
        {"growth_schedule": "{points: [{dft: -5%, growth: 7%}, {dft: 0%, growth: 5%}, {dft: 2.5%, growth: 4%}]}"},
        {"dft_floor": "{rate: -5%}", "dft_ceiling": "{rate: 5%}", "population_growth_protection": "{why: x}"},
        {"linear_rule": "{a: 3%}"},
        {"floor_damping": "{rate: 3%}"},
        {"capped_gains": "{floor: 0%, cap: 3%}"},
        {"equal_steps": "{steps: 5}"},
        {"class_floor": "{column: region, floors: [{group: London, growth: 3%}, {group: Midlands, growth: 4%}]}"},
        {"floor_damping": "{rate: 3%, column: region, floors: [{group: London, growth: 3.5%}]}"},
    ],
)
def test_no_continuous_rule_has_a_cliff(rules):
    assert found(**rules) == ()


def test_the_bands_of_1999_are_a_cliff_at_each_edge():
    """2.52% more just over target, 1.67% beyond +2.5%: the edge of the band is a jump of 0.85 points."""
    points = "[{dft: 0%, growth: 5.02%}, {dft: 2.5%, growth: 5.02%}, {dft: 2.5%, growth: 4.17%}]"
    (cliff,) = found(growth_schedule=f"{{points: {points}}}")
    assert (cliff.rule, cliff.side) == ("growth_schedule", "lowest")
    assert (cliff.at_dft_pct, cliff.before_pct, cliff.after_pct) == pytest.approx((2.5, 5.02, 4.17), abs=1e-6)
    assert cliff.jump_pct == pytest.approx(-0.85, abs=1e-6)
    assert "jumps from 5.02% to 4.17% at +2.50% from target" in cliff.words
    assert "differ by 0.85 points" in cliff.words


def test_a_jump_as_small_as_a_thousandth_of_a_point_is_found():
    points = "[{dft: 0.005%, growth: 4%}, {dft: 0.005%, growth: 4.001%}]"
    (cliff,) = found(growth_schedule=f"{{points: {points}}}")
    assert cliff.jump_pct == pytest.approx(0.001, abs=1e-6)


@pytest.mark.parametrize(
    ("taper", "low", "high"), [("{from: 5%, to: 5.01%}", 5, 5.01), ("{from: 5.003%, to: 5.2%}", 5, 5.2)]
)
def test_a_taper_as_steep_as_a_cliff_is_one(taper, low, high):
    # 3.6% of growth gone within a hundredth (a fifth) of a point of distance: no jump, and no less a cliff
    (cliff,) = found(growth_floor=f"{{rate: 3.6%, taper: {taper}}}")
    assert (cliff.rule, cliff.side) == ("growth_floor", "lowest")
    assert (cliff.at_dft_pct, cliff.before_pct, cliff.after_pct) == pytest.approx((low, 3.6, 0), abs=0.01)
    assert cliff.jump_pct == pytest.approx(-3.6, abs=0.01)
    assert cliff.at_dft_pct + cliff.over_points == pytest.approx(high, abs=0.01)
    assert f"goes from {cliff.before_pct:.4g}% to" in cliff.words


def test_a_jump_on_a_steep_slope_is_told_apart_from_it():
    points = "[{dft: 1%, growth: 6%}, {dft: 1.1%, growth: 4%}, {dft: 1.1%, growth: 3%}]"
    jump, slope = found(growth_schedule=f"{{points: {points}}}")
    assert (jump.at_dft_pct, jump.jump_pct, jump.over_points) == pytest.approx((1.1, -1, 0), abs=1e-6)
    assert (slope.at_dft_pct, slope.jump_pct, slope.over_points) == pytest.approx((1, -2, 0.1), abs=1e-6)


def test_a_run_reports_cliffs_and_the_places_that_the_plan_sets_apart():
    points = "[{dft: 2.5%, growth: 4.5%}, {dft: 2.5%, growth: 4%}]"
    run = allocopt.run(BASE, set={"rules.growth_schedule": f"{{points: {points}}}"}, out=None)
    assert [one["at_dft_pct"] for one in run.record["cliffs"]] == [2.5]
    assert any("cliff edge" in one for one in run.record["warnings"])
    (apart,) = run.record["neighbours"]
    assert len(set(apart["places"])) == 2
    growth = run.allocations.set_index("place")["growth_pct"]
    first, second = apart["places"]
    assert abs(growth[first] - growth[second]) == pytest.approx(apart["growth_apart_pct"], abs=1e-5)


def test_the_widest_pair_within_a_hundredth_of_a_point_is_that_of_all_pairs():
    random = np.random.default_rng(3)
    for _ in range(20):
        distance, growth = np.sort(random.uniform(0, 1e-3, 30)), random.uniform(0, 0.1, 30)
        pairs = [
            abs(growth[i] - growth[j]) for i in range(30) for j in range(30) if abs(distance[i] - distance[j]) <= 1e-4
        ]
        first, second = _widest(growth, distance)
        assert abs(growth[first] - growth[second]) == pytest.approx(max(pairs))
