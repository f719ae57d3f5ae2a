"""Objectives in their order: each stage with a cap, a bound and a slack that is said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from situations import NO_SLACK, on, situation, solved

from allocopt.errors import Stopped
from allocopt.model import Model, load_model, objective
from allocopt.problem import build
from allocopt.rules.growth import budget, growth_ceiling, growth_floor
from allocopt.settings import ObjectiveSetting, Solver
from allocopt.solve import stages
from allocopt.solve.compiled import compile_problem
from allocopt.solve.method import Method
from allocopt.solve.stages import lexicographic, stage_slack

# Floor 2%: C keeps 102, A and B share 213 and should have 231: shortfall 18 (see tests/worked/growth_floor.yaml)
SYSTEM = situation(pot=315, baseline=[100, 100, 100], weight=[126, 105, 84], spend=[110, 100, 100])
FLOOR = on(growth_floor={"rate": 0.02})
ORDER = ["shortfall_below_target", "movement"]


def test_the_first_objective_goes_first():
    _, (first, second) = solved(SYSTEM, rules=FLOOR, objectives=ORDER)
    _, (other_first, other_second) = solved(SYSTEM, rules=FLOOR, objectives=ORDER[::-1])
    assert (first.value, second.value) == pytest.approx((18, 3))
    # movement first: nothing moves, 105 each, so A is 126 - 105 = 21 short
    assert (other_first.value, other_second.value) == pytest.approx((0, 21))


def test_a_stage_leaves_a_ten_thousandth_to_the_next_and_says_so():
    # 18 x 0.0001 = 0.0018 may be given up; moving 0.0018 less costs 0.0018 of shortfall
    _, (first, second) = solved(SYSTEM, rules=FLOOR, objectives=ORDER, solver=Solver())
    assert first.cap == pytest.approx(18.0018)
    assert second.value == pytest.approx(3 - 0.0018)
    assert first.final_value == pytest.approx(18.0018)


def test_without_slack_the_first_objective_is_kept():
    _, (first, _) = solved(SYSTEM, rules=FLOOR, objectives=ORDER)
    assert first.cap == first.value
    assert first.final_value == pytest.approx(18)


@pytest.mark.parametrize(("value", "slack"), [(0.0, 0.001), (5.0, 0.001), (10.0, 0.001), (300.0, 0.03), (-300.0, 0.03)])
def test_a_money_stage_leaves_a_ten_thousandth_and_at_least_a_thousand_pounds(value, slack):
    movement = load_model("pace_of_change").objective("movement")
    assert stage_slack(movement, value, Solver()) == pytest.approx(slack)


def test_a_stage_in_another_unit_leaves_no_money():
    @objective(unit="km", equation="d", source="a test")
    def far(m):
        """Kilometres."""

    assert stage_slack(far, 0.0, Solver()) == 1e-9
    assert stage_slack(far, 20.0, Solver()) == pytest.approx(0.002)


def test_a_maximised_stage_is_bounded_from_above_in_its_own_direction():
    @objective(unit="GBP m", equation="x_A", source="a test", sense="maximise")
    def most_for_the_first(m):
        """A has as much as can be."""
        return m.allocation["A"]

    model = Model(always=[budget], rules=[growth_ceiling], objectives=[most_for_the_first])
    problem = build(
        SYSTEM, model, rules=on(growth_ceiling={"rate": 0.08}), objectives=[ObjectiveSetting(name="most_for_the_first")]
    )
    _, (stage,) = lexicographic(compile_problem(problem), model.objectives, solver=Solver(), pot=315)
    assert (stage.value, stage.bound) == pytest.approx((108, 108))
    assert stage.bound >= stage.value - 1e-9
    assert stage.cap == pytest.approx(108 - 0.0108)
    assert stage.proven


def test_a_constant_in_an_objective_is_no_licence_to_give_it_up():
    @objective(unit="GBP m", equation="x_A + 100", source="a test")
    def the_first_and_a_hundred(m):
        """A has as little as can be, and 100 is added."""
        return m.allocation["A"] + 100

    model = Model(
        always=[budget],
        rules=[growth_floor],
        objectives=[the_first_and_a_hundred, load_model("pace_of_change").objective("movement")],
    )
    settings = [ObjectiveSetting(name=one.name) for one in model.objectives]
    compiled = compile_problem(build(SYSTEM, model, rules=FLOOR, objectives=settings))
    _, (first, second) = lexicographic(compiled, model.objectives, solver=NO_SLACK, pot=315)
    # A keeps its floor of 102 where uniform growth gives 105: 102 + 100 = 202, moved 3
    assert (first.value, first.final_value, second.value) == pytest.approx((202, 202, 3))


def test_a_stage_says_its_gap_in_pounds_and_how_it_was_proved():
    _, (first, _) = solved(SYSTEM, rules=FLOOR, objectives=ORDER)
    assert (first.unit, first.by, first.method) == ("GBP m", "weak duality", "highs simplex")
    assert first.gap_gbp == pytest.approx(abs(first.value - first.bound) * 1e6)
    assert first.gap_gbp <= 0.01


def test_prices_are_kept_for_every_row_and_every_cap_before():
    _, (first, second) = solved(SYSTEM, rules=FLOOR, objectives=ORDER)
    assert len(second.prices) == len(first.prices) + 1


def test_a_level_that_was_not_continued_to_the_end_is_not_proven(monkeypatch):
    _, (whole,) = solved(SYSTEM, rules=FLOOR, objectives=["worst_shortfall"])
    cut_off = replace(whole.levels, complete=False)
    monkeypatch.setattr(stages, "continue_down", lambda *_, **__: cut_off)
    _, (stage,) = solved(SYSTEM, rules=FLOOR, objectives=["worst_shortfall"])
    assert (whole.proven, stage.proven) == (True, False)
    assert stage.value == whole.value


def test_without_objectives_there_are_no_stages():
    _, none = solved(SYSTEM, rules={}, objectives=[])
    assert none == ()


def test_a_later_stage_that_stops_keeps_the_plan_and_proves_nothing(monkeypatch):
    real, calls = Method.minimise, []

    def stops_the_second_time(self, current, cost, *, time_limit):
        calls.append(1)
        if len(calls) == 2:
            raise Stopped("time limit")
        return real(self, current, cost, time_limit=time_limit)

    monkeypatch.setattr(Method, "minimise", stops_the_second_time)
    values, (first, second) = solved(SYSTEM, rules=FLOOR, objectives=ORDER)
    assert (first.value, first.proven, second.proven) == (pytest.approx(18), True, False)
    assert second.bound == 0.0
    assert second.value == pytest.approx(second.final_value)
    assert sum(values[:3]) == pytest.approx(315)
