"""Every rule that is on becomes rows, one a place and year; what is off, and what says nothing, becomes none."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pytest
from situations import compiled_of, on, situation

from allocopt.errors import Infeasible
from allocopt.model import Model, objective, rule
from allocopt.problem import build, by_place, for_year, paused_collector
from allocopt.rules.growth import budget, growth_floor
from allocopt.settings import ObjectiveSetting, RuleSetting

ONE = situation(pot=315, baseline=[100, 100, 100], weight=[126, 105, 84], spend=[110, 100, 100])
TWO = replace(
    ONE,
    years=("2019-20", "2020-21"),
    pot=np.array([315.0, 330.75]),
    target=np.column_stack([ONE.target[:, 0], 1.05 * ONE.target[:, 0]]),
    population=np.full((3, 2), 1000.0),
    previous_population=None,
    spend=np.full((3, 2), 105.0),
)


def view_of(given):
    """What a rule is shown: caught by a rule that says nothing."""
    seen = []

    @rule(index="year", unit="GBP m", equation="none", source="a test")
    def look(m):
        """Nothing."""
        seen.append(m)

    build(given, Model(rules=[look], objectives=[]), rules=on(look={}), objectives=[])
    return seen


def test_shares_and_opening_distances_follow_from_targets_and_baselines():
    # A: 126 / 315 = 40%; opens at (100 / 300) / 0.4 - 1 = -16.67%; C at (1/3) / 0.26667 - 1 = 25%
    assert ONE.share[:, 0] == pytest.approx([0.4, 1 / 3, 4 / 15])
    assert ONE.opening_dft[:, 0] == pytest.approx([-1 / 6, 0, 0.25])


def test_a_rule_sees_the_numbers_of_its_year():
    first, second = view_of(TWO)
    assert (first.year, first.step, first.pot, first.total_baseline) == ("2019-20", 1, 315.0, 300.0)
    assert (second.year, second.step, second.pot, second.total_baseline) == ("2020-21", 2, 330.75, 315.0)
    assert second.target == pytest.approx({"A": 132.3, "B": 110.25, "C": 88.2})
    assert first.uniform == pytest.approx({"A": 105.0, "B": 105.0, "C": 105.0})
    assert second.base_year == {"A": 100.0, "B": 100.0, "C": 100.0}


def test_the_baseline_of_a_later_year_is_the_allocation_of_the_year_before():
    first, second = view_of(TWO)
    assert second.baseline is first.allocation


def test_without_spend_a_rule_sees_none():
    assert view_of(replace(ONE, spend=None))[0].spend == {}


def test_a_rule_sees_the_groups_that_places_belong_to():
    grouped = replace(ONE, groups={"region": ("North", "South", "South")})
    assert view_of(grouped)[0].groups == {"region": {"A": "North", "B": "South", "C": "South"}}


def test_a_rule_that_is_off_has_no_rows_and_one_that_always_holds_has():
    compiled = compiled_of(ONE, rules={}, objectives=[])
    assert compiled.row_names == ["budget[2019-20]"]


def test_a_rule_that_is_on_has_one_row_for_each_place_and_year():
    compiled = compiled_of(TWO, rules=on(growth_floor={"rate": 0.02}), objectives=[])
    assert sorted(compiled.row_names) == [
        "budget[2019-20]",
        "budget[2020-21]",
        *(f"growth_floor[{place},{year}]" for place in "ABC" for year in ("2019-20", "2020-21")),
    ]


def test_an_objective_over_years_is_the_sum_of_its_years():
    compiled = compiled_of(TWO, rules={}, objectives=["gross_deficit"])
    assert compiled.costs[0].sum() == 6
    assert set(compiled.column_component[compiled.costs[0] != 0]) == {"deficit"}


def test_two_parts_that_ask_for_the_same_variables_share_them():
    @objective(unit="GBP m", equation="twice", source="a test")
    def twice(m):
        """The shortfall, asked for a second time."""
        return 2 * sum(
            m.positive_part("shortfall", {p: m.target[p] - m.allocation[p] for p in m.places}, m.target).values()
        )

    shared = Model(always=[budget], rules=[], objectives=[twice, replace(twice, write=twice.write)])
    problem = build(ONE, shared, rules={}, objectives=[ObjectiveSetting(name="twice")])
    assert len(problem.pyomo.shortfall) == len(problem.pyomo.shortfall_definition) == 3


def test_a_positive_part_is_bounded_on_both_sides_so_that_its_bound_can_be_proved():
    compiled = compiled_of(ONE, rules={}, objectives=["shortfall_below_target"])
    parts = compiled.columns_of("shortfall")
    assert compiled.column_lower[parts].tolist() == [0, 0, 0]
    assert compiled.column_upper[parts] == pytest.approx([126, 105, 84])


def test_a_rule_for_all_years_together_is_asked_once_and_may_name_variables_of_its_own():
    @rule(index="path", unit="GBP m", equation="sum_t x_At <= z", source="a test")
    def together(views):
        """A may have no more than one amount over all years."""
        most = views[0].variable("most", least=0.0, most=240.0)
        assert views[1].variable("most", least=0.0, most=240.0) is most
        views[0].require("at_least", "A", views[0].allocation["A"] >= 1)
        return {"A": sum(view.allocation["A"] for view in views) <= most, ("B", "both"): None}

    problem = build(TWO, Model(rules=[together], objectives=[]), rules=on(together={}), objectives=[])
    assert list(problem.pyomo.together) == [("A",)] or list(problem.pyomo.together) == ["A"]
    assert list(problem.pyomo.at_least) == [("A", "2019-20")]


def test_a_rule_may_say_nothing_about_a_place():
    @rule(unit="GBP m", equation="x_A >= 1", source="a test")
    def only_the_first(m, p):
        """A has something; of the others it says nothing or what holds anyhow."""
        return {"A": m.allocation["A"] >= 1, "B": None, "C": True}[p]

    problem = build(ONE, Model(rules=[only_the_first], objectives=[]), rules=on(only_the_first={}), objectives=[])
    assert list(problem.pyomo.only_the_first) == [("A", "2019-20")]


def test_a_rule_that_its_numbers_alone_contradict_is_named_with_the_place():
    @rule(unit="GBP m", equation="T_p >= 100", source="a test")
    def large(m, p):
        """Every target is at least 100."""
        return m.target[p] >= 100

    with pytest.raises(Infeasible) as failure:
        build(ONE, Model(rules=[large], objectives=[]), rules=on(large={}), objectives=[])
    assert str(failure.value) == "rule large cannot hold at C, 2019-20: its numbers alone contradict it"


def test_the_settings_of_a_rule_travel_with_the_problem():
    setting = RuleSetting(parameters={"rate": 0.02}, source="a speech")
    problem = build(
        ONE, Model(always=[budget], rules=[growth_floor], objectives=[]), rules={"growth_floor": setting}, objectives=[]
    )
    assert list(problem.rules) == ["budget", "growth_floor"]
    assert problem.settings["growth_floor"] is setting
    assert problem.settings["budget"] == RuleSetting()


def test_a_map_from_year_to_value_gives_each_year_its_own():
    said = {"rate": {"2019-20": 0.02, "2020-21": 0.01}, "most": 3.0}
    assert for_year(said, "2020-21") == {"rate": 0.01, "most": 3.0}


def test_places_keep_plain_numbers():
    assert by_place(ONE, ONE.baseline) == {"A": 100.0, "B": 100.0, "C": 100.0}
    assert type(by_place(ONE, ONE.baseline)["A"]) is float


def test_the_collector_is_on_again_after_a_build_that_fails():
    def fail():
        with paused_collector():
            assert not gc.isenabled()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert gc.isenabled()
