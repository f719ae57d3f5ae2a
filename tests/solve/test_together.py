"""A rule asked for all places at once: only where it gives what it gives place by place."""

from __future__ import annotations

import numpy as np
import pytest
from situations import situation
from test_template import PATH, assert_same, compiled, facts, parts, template

from allocopt.figures import Column, plain
from allocopt.model import load_model, rule
from allocopt.problem import build
from allocopt.settings import RuleSetting
from allocopt.solve.compiled import compile_problem
from allocopt.solve.template import make_template
from allocopt.tapers import PerHeadTaper, Taper, greater, lesser, tapered


def at_once(*sets: str) -> set[str]:
    return {name for _, name in template(facts(*sets)).at_once}


def test_floors_ceilings_and_the_usual_objectives_are_asked_for_all_places_at_once():
    named = {"budget", "growth_floor", "growth_ceiling", "gross_deficit", "shortfall_below_target", "movement"}
    assert named <= at_once()
    assert {"budget", "growth_floor", "growth_ceiling", "movement"} <= at_once(*PATH)
    assert "mover_budget" in at_once("rules.mover_budget={max: £900m}")


def test_what_sums_figures_or_looks_at_single_places_is_asked_place_by_place():
    rules = ("rules.no_leapfrogging={}", "rules.group_protection={column: region, least: 90%}")
    assert not {"no_leapfrogging", "group_protection"} & at_once(*rules)
    assert "worst_shortfall" not in at_once("objectives=[worst_shortfall]")


def refusing(write):
    """Whether a rule of its own is asked place by place, and its programme the one that is built all the same."""
    model, base = load_model("pace_of_change"), situation(pot=420, baseline=[100] * 4, weight=[90, 110, 110, 110])
    added = rule(unit="GBP m", equation="x_p >= c_p", source="test")(write)
    with_own = type(model)([added, *model.rules], model.objectives, model.always)
    said = {"rules": {added.name: RuleSetting()}, "objectives": ()}
    _, first, made = make_template(base, with_own, **said)
    assert_same(first, compile_problem(build(base, with_own, **said)))
    assert made is not None
    return (-1, added.name) not in made.at_once


def test_a_rule_that_sums_over_places_is_refused():
    def mean(m, p):
        """At least a fifth of the mean target."""
        return m.allocation[p] >= sum(m.target.values()) / 20

    def largest(m, p):
        """At least a fifth of the largest target."""
        return m.allocation[p] >= max(m.target.values()) / 5

    def counted(m, p):
        """At least so many pounds."""
        return m.allocation[p] >= 1.0 * len(m.places)

    def chosen(m, p):
        """Only places under target."""
        return m.allocation[p] >= 0.9 * m.target[p] if m.opening_dft[p] < 0 else None

    def each(m, p):
        """Nine tenths of the target."""
        return m.allocation[p] >= 0.9 * m.target[p]

    assert [refusing(one) for one in (mean, largest, counted, chosen, each)] == [True, True, True, True, False]


def test_a_column_does_to_each_figure_what_the_rule_does_to_one():
    values = np.array([-0.2, 0.0, 0.05, 0.07, 0.1, 0.4])
    taper = Taper.model_validate({"from": "5%", "to": "10%", "end": "1%"})
    assert tapered(0.036, taper, Column(values)).values.tolist() == [
        tapered(0.036, taper, one) for one in values.tolist()
    ]
    a_head, people = PerHeadTaper.model_validate({"from": "5%", "to": "10%", "end_per_head": "1%"}), values / 7
    assert a_head.at(0.036 + Column(people), Column(people), Column(values)).values.tolist() == [
        a_head.at(0.036 + more, more, one) for more, one in zip(people.tolist(), values.tolist(), strict=True)
    ]
    assert lesser(1.0, 1.0 + Column(values)).values.tolist() == [min(1.0, 1.0 + one) for one in values.tolist()]
    assert greater(0.0, -Column(values) / 3).values.tolist() == [max(0.0, -one / 3) for one in values.tolist()]


@pytest.mark.parametrize(
    "use", [lambda c: 0 + c, lambda c: c == 1, lambda c: c < 1, bool, len, sum, abs, float, lambda c: c**2, max]
)
def test_a_column_refuses_what_is_not_done_to_each_place_by_itself(use):
    with pytest.raises(TypeError):
        use(Column(np.ones(3)))


def test_a_column_that_would_divide_by_nothing_says_so_as_a_figure_does():
    with pytest.raises(ZeroDivisionError):
        1 / Column(np.array([1.0, 0.0]))


def test_parameters_that_may_name_a_place_are_not_plain():
    assert plain({"rate": {"2019-20": 0.01}, "taper": Taper.model_validate({"from": "5%", "to": "10%"}), "most": None})
    assert not plain({"places": ["A"]})
    assert not plain({"group": "North"})


def test_an_answer_for_all_places_is_the_programme_that_is_built():
    """A pot, a target and a spend that all differ: every part is asked again, at once."""
    held, other = template(facts()), facts("pot.value=£79.9bn", "rules.growth_floor.taper={from: 1%, to: 2%}")
    assert_same(held.renumbered(other.situation, *parts(other).values()), compiled(other))
