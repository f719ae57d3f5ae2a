"""What every rule costs in the first objective: by hand, and against finite differences of whole runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_case import five_places, path_over_years

import allocopt
from allocopt.check.folder import verify
from allocopt.plan import gather, make_plan
from allocopt.price import Price
from allocopt.prices import prices
from allocopt.scenario import load

# Spend is 140, 112, 104, 90, 70; everybody gets 102 to 109 of the pot of 525. Elder and Damson, who spend less, stay
# at 102; Birch is at its ceiling of 109, Cedar has its 104, Alder what is left, 525 - 102 - 102 - 104 - 109 = 108 (or
# the two the other way round): deficits 32 + 3 = 35.


def priced(path: Path, *sets: str) -> dict[str, Price]:
    return prices(make_plan(gather(load(path, set=sets))))


def value(path: Path, *sets: str) -> float:
    return float(allocopt.run(path, set=sets, out=None).record["objectives"][0]["value"])


def test_a_floor_costs_what_it_keeps_from_those_who_need_it(tmp_path):
    # 0.1 points of the floors of Damson and Elder are £0.1m each: £0.2m less deficit, £2m a point
    found = priced(five_places(tmp_path))["growth_floor"]
    assert found.price == pytest.approx(2.0)
    assert found.unit == "GBP m per point"
    assert found.at_most == pytest.approx(2.0)
    assert found.words == "lowering growth_floor rate by 0.1 points cuts gross deficit by £200,000"
    # Alder and Birch have room for £1m more below their ceilings: 0.5 points, of which the tried steps reach 0.4
    assert found.reaches == pytest.approx(0.4)
    assert found.without == pytest.approx(1.0)


def test_a_pound_more_in_the_pot_is_a_pound_less_deficit(tmp_path):
    found = priced(five_places(tmp_path))["budget"]
    assert found.price == pytest.approx(1.0)
    assert found.words == "£1m more in the pot (targets and spend as they are) cuts gross deficit by £1.0m"
    assert found.reaches == pytest.approx(1.0)  # then both are at their ceilings


def test_a_rule_that_costs_nothing_is_told_so_and_not_solved(tmp_path):
    found = priced(five_places(tmp_path))["growth_ceiling"]
    assert (found.price, found.without) == (0.0, 0.0)
    assert found.words == "raising growth_ceiling rate by 0.1 points changes nothing in gross deficit"


def test_a_rule_without_numbers_is_priced_as_a_whole(tmp_path):
    # need first: Alder, Birch and Cedar must have £105m each, so Cedar gets £1m more than it spends
    sets = ["rules.no_further_under_target={}"]
    found = priced(five_places(tmp_path), *sets)["no_further_under_target"]
    assert found.price == pytest.approx(1.0)
    assert found.unit == "GBP m for the whole rule"
    assert found.words == "dropping no_further_under_target cuts gross deficit by £1.0m"


def test_a_round_that_leaves_no_choice_is_priced_by_leaving_it_out(tmp_path):
    # uniform growth gives 105 each, deficits of 35 + 7; without it they are 32 + 3
    path = five_places(tmp_path)
    found = priced(path, "rules.uniform_growth={}", "rules.reserve.share=0%")
    assert (found["uniform_growth"].price, found["uniform_growth"].without) == pytest.approx((7.0, 7.0))
    assert found["uniform_growth"].words == "dropping uniform_growth cuts gross deficit by £7.0m"
    assert found["reserve"].price is None
    folder = allocopt.run(path, set=["rules.uniform_growth={}", "rules.reserve.share=0%"], out=tmp_path).folder
    assert [check for check in verify(folder).checks if not check.passed] == []


def test_dropping_a_rule_is_two_runs_apart(tmp_path):
    path = five_places(tmp_path)
    assert priced(path)["growth_floor"].without == pytest.approx(value(path) - value(path, "rules.growth_floor=off"))


def test_a_price_agrees_with_the_difference_of_two_runs(tmp_path):
    path = five_places(tmp_path)
    found = priced(path)["growth_floor"]
    assert found.step is not None
    eased = value(path, f"rules.growth_floor.rate={2 - found.step}%")
    assert (value(path) - eased) / found.step == pytest.approx(found.price)


def test_a_later_objective_changes_no_price(tmp_path):
    """C spends 190 and the others 60: a common speed that comes later does not keep C from what they can spare."""
    text = """\
format: 1
name: three
model: pace_of_change
years: [2019-20]
pot: £315m
inputs:
  places: {table: places.csv, key: code, columns: {population: need}}
  baseline: {table: places.csv, column: base, unit: £m}
  spend: {table: places.csv, column: spend, unit: £m}
formula: {need: {share: 100%, need: need}}
rules: {growth_floor: {rate: -20%}}
objectives: [gross_deficit, common_speed]
"""
    (tmp_path / "three.yaml").write_text(text, encoding="utf-8")
    table = "code,need,base,spend\nA,120,100,60\nB,100,100,60\nC,80,100,190\n"
    (tmp_path / "places.csv").write_text(table, encoding="utf-8")
    # A and B keep 80 each, which leaves 155 for C: 35 short, and £0.2m less for each 0.1 points of the floor
    for aims in ("[gross_deficit, common_speed]", "[gross_deficit]"):
        assert value(tmp_path / "three.yaml", f"objectives={aims}") == pytest.approx(35)
        found = priced(tmp_path / "three.yaml", f"objectives={aims}")["growth_floor"]
        assert (found.price, found.without) == pytest.approx((2.0, 35.0))


@settings(max_examples=6)
@given(
    floor=st.integers(0, 45),
    ceiling=st.integers(55, 120),
    objective=st.sampled_from(["gross_deficit", "shortfall_below_target"]),
)
def test_every_price_is_a_finite_difference_and_never_above_its_proof(tmp_path_factory, floor, ceiling, objective):
    path = five_places(tmp_path_factory.mktemp("case"))
    sets = [
        f"rules.growth_floor.rate={floor / 10}%",
        f"rules.growth_ceiling.rate={ceiling / 10}%",
        f"objectives=[{objective}]",
    ]
    start = value(path, *sets)
    for name, way in (("growth_floor", -1), ("growth_ceiling", 1)):
        found = priced(path, *sets)[name]
        step = found.step or 0.1
        rate = (floor if way < 0 else ceiling) / 10 + way * step
        eased = value(path, *sets, f"rules.{name}.rate={rate:.9g}%")
        assert (start - eased) / step == pytest.approx(found.price, abs=1e-5)
        assert found.price <= found.at_most + 1e-9
        assert found.without >= -1e-9


def test_over_years_a_rate_is_eased_in_every_year(tmp_path):
    # the floor of the second year stands on the allocation of the first: its coefficients change with the rate
    path, sets = path_over_years(tmp_path, ["£525m", "£546m"]), ["rules.growth_floor.rate=3%"]
    found = priced(path, *sets)["growth_floor"]
    assert found.words.startswith(
        "lowering growth_floor rate of every year by 0.1 points cuts shortfall below target by £"
    )
    assert found.step is not None
    eased = value(path, f"rules.growth_floor.rate={3 - found.step}%")
    assert (value(path, *sets) - eased) / found.step == pytest.approx(found.price)


def test_rates_by_year_are_eased_together(tmp_path):
    path = path_over_years(tmp_path, ["£525m", "£546m"])
    by_year = priced(path, "rules.growth_floor.rate={2019-20: 3%, 2020-21: 3%}")["growth_floor"]
    assert by_year.price == pytest.approx(priced(path, "rules.growth_floor.rate=3%")["growth_floor"].price)


def test_prices_stand_in_the_record(tmp_path):
    said: dict[str, Any] = {one["name"]: one for one in allocopt.run(five_places(tmp_path), out=None).record["rules"]}
    floor = said["growth_floor"]
    assert floor["price"] == pytest.approx(2.0)
    assert floor["price_unit"] == "GBP m per point"
    assert floor["price_words"] == "lowering growth_floor rate by 0.1 points cuts gross deficit by £200,000"
    assert json.loads(json.dumps(floor))["without"] == pytest.approx(1.0)


def test_a_rule_that_always_holds_is_not_for_sale(tmp_path):
    found = priced(five_places(tmp_path), "model=target_share", "rules=off", "objectives=[gross_deficit]")
    assert found["at_target"].price is None
    assert found["budget"].words == "not priced: the eased programme could not be solved"


def test_modelled_spend_is_said_with_the_price():
    found = prices(make_plan(gather(load("england-ccgs"))))["growth_floor"]
    assert found.words.endswith("(modelled spend)")
    assert found.price == pytest.approx(found.at_most, rel=0.01)


@pytest.mark.slow
def test_a_price_of_a_national_path_is_proven_from_both_sides_and_is_a_difference_of_two_runs():
    plan = make_plan(gather(load("england-path")))
    found = prices(plan)["growth_floor"]
    assert found.step is not None
    assert found.price == pytest.approx(found.at_most, rel=1e-3)
    eased = make_plan(gather(load("england-path", set=[f"rules.growth_floor.rate={2.5 - 10 * found.step:.9g}%"])))
    difference = (plan.stages[0].value - eased.stages[0].value) / (10 * found.step)
    assert difference == pytest.approx(found.price, rel=0.02)
