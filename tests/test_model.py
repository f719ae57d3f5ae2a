"""One function is one rule: its signature is the schema, its docstring the sentence."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from pydantic import ValidationError

from allocopt.errors import ScenarioFault
from allocopt.model import Model, load_model, model_names, objective, rule
from allocopt.rules.growth import budget, growth_floor
from allocopt.rules.need import dft_floor
from allocopt.tapers import PerHeadTaper, Taper, tapered
from allocopt.units import Kilometres, Rate

TAPER = Taper.model_validate({"from": "5%", "to": "10%"})


@rule(unit="km", equation="d_p <= r", source="a test", relax=("most", "up"))
def near(m, p, *, most: Kilometres, but: Rate | None = None):
    """No place lies farther away than `most`."""
    return m.distance[p] <= most * (1 + (but or 0.0))


@objective(unit="GBP m", equation="sum_p x_p", source="a test", sense="maximise")
def everything(m):
    """All the money there is."""
    return sum(m.allocation.values())


def test_a_rule_is_named_after_its_function_and_says_its_docstring():
    assert (near.name, near.sentence) == ("near", "No place lies farther away than `most`.")
    assert (near.unit, near.index, near.relax, near.hard) == ("km", "places", ("most", "up"), False)


def test_the_keywords_of_a_rule_are_its_parameters():
    assert list(near.parameters) == ["most", "but"]
    assert [one.required for one in near.parameters.values()] == [True, False]
    assert [one.unit.name for one in near.parameters.values()] == ["km", "%"]
    assert budget.parameters == {}


def test_an_objective_is_summed_over_years_unless_it_says_otherwise():
    assert (everything.index, everything.sense, everything.is_money, everything.needs_spend) == (
        "year",
        "maximise",
        True,
        False,
    )


@pytest.mark.parametrize(
    ("written", "read"),
    [("2%", 0.02), ("2.3%", 0.023), ("-5%", -0.05), ("0%", 0.0)],
    ids=["whole", "tenths", "negative", "zero"],
)
def test_a_rate_is_read_as_a_fraction(written, read):
    assert growth_floor.parameters["rate"].read(written) == read


@pytest.mark.parametrize(
    ("given", "said"),
    [(2, r"2 needs its unit: write it like 2\.5%"), ("2", "'2' is not a rate: write a number and %, such as 2.5%")],
    ids=["a bare number", "text without a unit"],
)
def test_a_rate_without_its_unit_is_refused(given, said):
    with pytest.raises(ValidationError, match=said):
        growth_floor.parameters["rate"].read(given)


def test_a_parameter_is_written_as_a_scenario_says_it():
    rate, taper = growth_floor.parameters["rate"], growth_floor.parameters["taper"]
    assert rate.write(0.023) == "2.3%"
    assert rate.write({"2019-20": 0.02, "2020-21": 0.01}) == "{2019-20: 2%, 2020-21: 1%}"
    assert taper.write(TAPER) == "{from: 5%, to: 10%, end: 0%}"
    assert taper.write(None) == "none"
    assert near.parameters["most"].write(25.0) == "25 km"


def test_editors_learn_that_a_rate_ends_in_a_percent_sign():
    assert dft_floor.parameters["rate"].json_schema()["pattern"] == r"%\s*$"


@pytest.mark.parametrize(
    ("distance", "growth"),
    [(-0.2, 0.02), (0.05, 0.02), (0.075, 0.01), (0.10, 0.0), (0.50, 0.0)],  # halfway: 2% x (10 - 7.5) / (10 - 5) = 1%
)
def test_a_taper_is_full_then_a_straight_line_then_its_end(distance, growth):
    assert TAPER.at(0.02, distance) == pytest.approx(growth, abs=1e-15)


def test_a_taper_may_end_elsewhere_than_at_nothing():
    # halfway from 8% to 1%: 4.5%
    assert Taper.model_validate({"from": "5%", "to": "10%", "end": "1%"}).at(0.08, 0.075) == pytest.approx(0.045)


@pytest.mark.parametrize(("distance", "growth"), [(0.05, 0.0506), (0.075, 0.0404), (0.10, 0.0302), (0.5, 0.0302)])
def test_a_floor_a_head_may_fade_to_another_growth_a_head(distance, growth):
    # 2% more people. 3% a head: 1.03 x 1.02 - 1 = 5.06%; 1% a head: 1.01 x 1.02 - 1 = 3.02%; halfway 4.04%, 2% a head
    taper = PerHeadTaper.model_validate({"from": "5%", "to": "10%", "end_per_head": "1%"})
    assert taper.at(0.0506, 0.02, distance) == pytest.approx(growth, abs=1e-15)
    assert str(taper) == "{from: 5%, to: 10%, end_per_head: 1%}"


@pytest.mark.parametrize(("said", "halfway"), [({}, 0.0253), ({"end": "1%"}, 0.0303)])
def test_a_floor_a_head_may_fade_to_a_growth_of_the_allocation(said, halfway):
    # of 5.06% half is left, 2.53%; halfway to 1% it is (5.06% + 1%) / 2 = 3.03%, however many people there are
    taper = PerHeadTaper.model_validate({"from": "5%", "to": "10%", **said})
    assert [taper.at(0.0506, people, 0.075) for people in (0.02, 0.5)] == pytest.approx([halfway, halfway])


def test_a_taper_does_not_end_twice():
    with pytest.raises(ValidationError, match=r"say end \(of the allocation\) or end_per_head, not both"):
        PerHeadTaper.model_validate({"from": "5%", "to": "10%", "end": "0%", "end_per_head": "1%"})


def test_only_a_floor_a_head_fades_to_a_growth_a_head():
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Taper.model_validate({"from": "5%", "to": "10%", "end_per_head": "1%"})


def test_without_a_taper_the_limit_is_the_same_everywhere():
    assert tapered(0.02, None, 0.5) == 0.02


def test_a_taper_takes_no_key_that_it_does_not_know():
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Taper.model_validate({"from": "5%", "to": "10%", "till": "12%"})


def test_a_rule_cannot_be_changed_once_declared():
    with pytest.raises(FrozenInstanceError):
        near.unit = "m"


def test_a_model_finds_its_parts_by_name():
    model = Model(rules=[near], objectives=[everything], always=[budget])
    assert (model.rule("near"), model.rule("budget"), model.objective("everything")) == (near, budget, everything)


def test_a_loaded_model_knows_its_name_and_its_text():
    model = load_model("pace_of_change")
    assert model.name == "pace_of_change"
    assert model.text.startswith("Pace of change: how far each place moves")


@pytest.mark.parametrize("name", ["pace", "../models/pace_of_change", "pace_of_change.py", "Pace_of_change", ""])
def test_a_model_is_named_and_never_given_as_a_path(name):
    with pytest.raises(ScenarioFault) as fault:
        load_model(name)
    assert str(fault.value) == (
        f"there is no model '{name}'\n  model: there is no model '{name}'\n"
        f"    cure: name one of {', '.join(model_names())}; a model is named, never given as a path"
    )
