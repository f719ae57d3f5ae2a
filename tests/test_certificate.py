"""A bound that needs no trust in the solver, and the three ways in which there is no plan to bound."""

from __future__ import annotations

import numpy as np
import pytest
from programmes import NONE, programme

from allocopt.errors import Infeasible, Stopped, Unbounded
from allocopt.solve.certificate import dual_bound, largest_violation
from allocopt.solve.highs import minimise

# minimise x + 2y subject to x + y >= 3, x <= 2, y <= 5: x = 2, y = 1, value 4; the price of the row is 2.
SMALL = programme([[1, 1]], rows=([3], [NONE]), columns=([0, 0], [2, 5]), cost=[1, 2])


@pytest.mark.parametrize(
    ("price", "bound"),
    [
        (2.0, 4.0),  # 2 x 3 + min (1 - 2) x over [0, 2] = 6 - 2
        (1.0, 3.0),  # 1 x 3 + 0
        (3.0, 0.0),  # 3 x 3 + (1 - 3) x 2 + (2 - 3) x 5 = 9 - 4 - 5
        (0.0, 0.0),
        (-1.0, 0.0),  # the row has no upper side: a negative price proves nothing and counts as none
    ],
)
def test_prices_prove_the_bound_that_the_sum_says(price, bound):
    assert dual_bound(SMALL, SMALL.costs[0], np.array([price])) == bound


def test_the_solver_s_prices_prove_its_optimum():
    point = minimise(SMALL, SMALL.costs[0], time_limit=10)
    assert point.values.tolist() == [2.0, 1.0]
    assert dual_bound(SMALL, SMALL.costs[0], point.prices) == pytest.approx(4.0, abs=1e-9)


def test_a_column_without_a_limit_makes_a_wrong_price_prove_nothing():
    free = programme([[1, 1]], rows=([3], [NONE]), columns=([0, 0], [NONE, NONE]), cost=[1, 2])
    assert dual_bound(free, free.costs[0], np.array([1.5])) == -np.inf
    assert dual_bound(free, free.costs[0], np.array([1.0])) == 3.0


@pytest.mark.parametrize(
    ("point", "missed"),
    [([2, 1], 0.0), ([2, 0.5], 0.5), ([2.25, 1], 0.25), ([-1, 5], 1.0)],
    ids=["obeys", "row too small", "above its limit", "below its limit"],
)
def test_the_worst_break_of_a_row_or_a_limit_is_found(point, missed):
    assert largest_violation(SMALL, np.array(point, dtype=float)) == missed


def test_rules_that_contradict_each_other_end_with_exit_3():
    none = programme([[1, 1]], rows=([5], [NONE]), columns=([0, 0], [1, 1]), cost=[1, 1])
    with pytest.raises(Infeasible, match=r"^no allocation obeys every rule$") as failure:
        minimise(none, none.costs[0], time_limit=10)
    assert (failure.value.exit, failure.value.kind) == (3, "infeasible")


def test_an_objective_without_a_limit_ends_with_exit_3():
    endless = programme([[1, -1]], rows=([0], [0]), columns=([0, 0], [NONE, NONE]), cost=[-1, 0])
    with pytest.raises(
        Unbounded, match=r"^the objective can improve for ever: a rule that limits it is missing$"
    ) as failure:
        minimise(endless, endless.costs[0], time_limit=10)
    assert (failure.value.exit, failure.value.kind) == (3, "unbounded")


def test_a_solver_stopped_before_it_has_a_plan_ends_with_exit_4():
    """Stopped at once it holds a point that breaks the rules: that is no plan, and no proof that there is none."""
    chance = np.random.default_rng(7)
    large = programme(
        chance.random((60, 80)), rows=([1] * 60, [NONE] * 60), columns=([0] * 80, [1] * 80), cost=chance.random(80)
    )
    with pytest.raises(
        Stopped, match=r"stopped without a plan \(time limit reached\): give it more time, --set solver.time_limit"
    ) as failure:
        minimise(large, large.costs[0], time_limit=0)
    assert (failure.value.exit, failure.value.kind) == (4, "stopped")
