"""One solve: a point, its prices and an honest status. Failures are in test_certificate."""

from __future__ import annotations

import numpy as np
import pytest
from programmes import NONE, programme

from allocopt.plan import gather, make_plan
from allocopt.scenario import load
from allocopt.solve.highs import minimise

# minimise x + 2y subject to x + y >= 3, x <= 2
SMALL = programme([[1, 1]], rows=([3], [NONE]), columns=([0, 0], [2, 5]), cost=[1, 2])


def test_an_optimum_comes_with_its_point_and_prices():
    # x = 2 costs less than y; y = 1 makes up the 3: a unit more would cost one more y, 2
    point = minimise(SMALL, SMALL.costs[0], time_limit=10)
    assert point.optimal
    assert point.values.tolist() == [2.0, 1.0]
    assert point.prices.tolist() == [2.0]
    assert point.method == "highs simplex"


def test_whole_numbers_stay_whole():
    # 2x >= 3: x = 1.5, in whole numbers 2
    whole = programme([[2]], rows=([3], [NONE]), columns=([0], [9]), cost=[1], integer=True)
    assert minimise(whole, whole.costs[0], time_limit=10).values.tolist() == [2.0]


def test_the_same_programme_gives_the_same_bytes():
    chance = np.random.default_rng(3)
    large = programme(
        chance.random((20, 30)), rows=([1] * 20, [NONE] * 20), columns=([0] * 30, [1] * 30), cost=chance.random(30)
    )
    one, other = (minimise(large, large.costs[0], time_limit=10) for _ in range(2))
    assert one.values.tobytes() == other.values.tobytes()
    assert one.prices.tobytes() == other.prices.tobytes()


def test_a_cost_may_be_asked_for_that_is_not_the_programme_s_own():
    # minimise y alone: x = 2 (its limit), y = 1
    assert minimise(SMALL, np.array([0.0, 1.0]), time_limit=10).values[1] == pytest.approx(1.0)


def test_limits_that_just_meet_are_not_called_infeasible():
    """Damping at a pot that the shares fill to the last digit: the scale is 1, every allocation is determined.

    The solver's presolve says that there is no point, at tolerances of 1e-9 on a pot of 94,000; there is one.
    """
    sets = ["pot.value=£94.803bn", "rules.reserve.share=1%", "rules.no_further_under_target={}"]
    plan = make_plan(gather(load("policy-local-government-damping", set=sets)))
    assert float(plan.values[plan.compiled.columns_of("damping_scale")][0]) == pytest.approx(1)
    assert plan.table["allocation_gbp"].sum() == 93_854_970_000
