"""What each rule of a grouping costs: the run without it, and the interval that plans and bounds prove."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from grouping_cases import brute_force, random_instance
from grouping_scenarios import scenario_of
from test_joint import PLACES as JOINT_PLACES
from test_joint import SCENARIO as JOINT
from typer.testing import CliRunner

import allocopt
from allocopt.check.folder import verify
from allocopt.cli import app
from allocopt.consortia import prices
from allocopt.errors import Stopped
from allocopt.grouping.instance import Instance
from allocopt.report.writers import reports

SMALL = 3e-6
"""GBP million: what solver and enumeration may differ by, twice."""


def without(instance: Instance, rule: str) -> Instance:
    return replace(instance, settings={name: one for name, one in instance.settings.items() if name != rule})


def rules_of(path: Path, sets: Mapping[str, str] | None = None) -> dict[str, Any]:
    run = allocopt.run(path, set=sets or {}, out=None)
    return {one["name"]: one for one in run.record["rules"]}


def measured_otherwise(instance: Instance, rule: str) -> bool:
    """Areas are the yardstick of balances and of the mix."""
    return rule == "stay_in_area" and bool({"balance_band", "deprivation_mix"} & set(instance.settings))


@pytest.mark.parametrize("seeds", [range(24), pytest.param(range(24, 208), marks=pytest.mark.slow)])
def test_the_price_of_a_rule_is_what_enumeration_gains_without_it(seeds, tmp_path_factory):
    compared = gaining = 0
    for seed in seeds:
        instance, where = random_instance(seed)
        best = brute_force(instance, where, ["gross_deficit"])
        if best is None or not instance.settings:
            continue
        path = scenario_of(tmp_path_factory.mktemp("case"), instance, where, ["gross_deficit"], exempt="none")
        for name, one in rules_of(path).items():
            least = brute_force(without(instance, name), where, ["gross_deficit"])
            said = f"seed {seed}, {name}: {one}"
            if least is None:
                assert measured_otherwise(instance, name), said
                continue
            gain = best[0] - least[0]
            assert one["without_least"] - SMALL <= gain <= one["without_most"] + SMALL, said
            assert one["price"] == pytest.approx(gain, abs=SMALL), said
            assert one["without_least"] >= 0 or measured_otherwise(instance, name), said
            compared, gaining = compared + 1, gaining + (gain > 0.01)
    assert compared >= 15
    assert gaining >= 3


# three hubs in two areas, by hand: spend less budget in GBP m is A 3, B -2 in the west, C -4, D 1 in the east

PLACES = """code,people,area,hub,lat,lon,base_m,spend_m
A,1000,west,1,0.0,0.00,20,23
B,1000,west,0,0.0,0.10,20,18
C,1000,east,1,0.0,0.20,20,16
D,1000,east,0,0.0,0.30,20,21
"""
SCENARIO = """format: 1
name: four places on a road
model: consortia
years: [2019-20]
pot: £80m
inputs:
  places:
    table: places.csv
    key: code
    columns: {population: people, area: area, hub: hub, latitude: lat, longitude: lon}
  baseline: {table: places.csv, column: base_m, unit: £m}
  spend: {table: places.csv, column: spend_m, unit: £m}
formula:
  need: {share: 100%, need: people}
grouping: {budget: baseline}
rules:
  reach: {max: 40 km}
  stay_in_area: {}
  locked: {places: {D: C}}
objectives: [gross_deficit]
"""


@pytest.fixture
def road(tmp_path: Path) -> Path:
    (tmp_path / "places.csv").write_text(PLACES, encoding="utf-8")
    path = tmp_path / "road.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return path


def test_areas_cost_what_a_neighbour_beyond_them_could_offset(road):
    # west A + B: 1 over; east C + D: 3 under: deficit 1. Without areas B may join C, which helps nobody; A is a hub,
    # and D is locked to C: still 1. Without the lock D stays with C, its only hub in the east: 1.
    found = rules_of(road)
    assert [found[name]["price"] for name in ("reach", "stay_in_area", "locked")] == pytest.approx([0.0, 0.0, 0.0])
    assert found["locked"]["price_words"] == "without locked gross deficit would be the same"


def test_a_rule_is_priced_in_pounds_and_words(road):
    # B locked to C leaves A 3 over; without the lock A + B are 1 over: £2m less
    found = rules_of(road, {"rules.stay_in_area": "off", "rules.locked.places": "{B: C, D: C}"})
    one = found["locked"]
    assert (one["price"], one["price_unit"]) == (pytest.approx(2.0), "GBP m for the whole rule")
    assert one["without_least"] == pytest.approx(one["without_most"]) == pytest.approx(2.0)
    assert one["price_words"] == "without locked gross deficit would be £2.0m less"


def test_the_price_is_two_runs_apart(road):
    sets = {"rules.stay_in_area": "off", "rules.locked.places": "{B: C, D: C}"}
    with_it = allocopt.run(road, set=sets, out=None).record["objectives"][0]["value"]
    without_it = allocopt.run(road, set=sets | {"rules.locked": "off"}, out=None).record["objectives"][0]["value"]
    assert rules_of(road, sets)["locked"]["price"] == pytest.approx(with_it - without_it)


def test_where_a_solve_is_too_much_the_bounds_say_how_much_at_most(road, monkeypatch):
    monkeypatch.setattr(prices, "CHEAP_PAIRS", 0)
    sets = {"rules.stay_in_area": "off", "rules.locked.places": "{B: C, D: C}"}
    run = allocopt.run(road, set=sets, out=None)
    one = {rule["name"]: rule for rule in run.record["rules"]}["locked"]
    # bound B without the lock: A is 3 over and B may join it: 1, so that no more than 3 - 1 = 2 can be gained
    assert (one["price"], one["without_least"], one["without_most"]) == (None, 0.0, pytest.approx(2.0))
    assert one["price_words"] == "without locked gross deficit would be the same or at most £2.0m less"
    assert any("what locked costs was bounded, not solved for" in note for note in run.record["warnings"])
    assert any("--set report.rule_prices=true asks for it" in note for note in run.record["warnings"])
    asked = rules_of(road, sets | {"report.rule_prices": "true"})["locked"]
    assert asked["price"] == pytest.approx(2.0)
    assert "price_words" not in rules_of(road, sets | {"report.rule_prices": "false"})["locked"]


def test_a_solve_that_finds_nothing_claims_no_more_than_the_bounds(road, monkeypatch):
    def stopped(*_: object) -> prices.Other:
        raise Stopped("no plan in time")

    monkeypatch.setattr(prices, "_solved", stopped)
    one = rules_of(road, {"rules.stay_in_area": "off", "rules.locked.places": "{B: C, D: C}"})["locked"]
    assert (one["price"], one["without_most"]) == (None, pytest.approx(2.0))
    assert one["price_words"].endswith("no plan without locked was made: no plan in time")


@pytest.mark.parametrize(
    ("value", "bound", "words"),
    [
        (10.0, 10.0, "the same"),
        (7.5, 7.5, "£2.5m less"),
        (7.5, 7.0, "£1.5m to £3.0m less"),
        (9.5, 9.0, "the same or at most £1.0m less"),
        (6.999, 6.998, "£2.0m to £3.0m less"),
    ],
)
def test_both_gaps_make_the_interval(road, value, bound, words):
    # with the rule the plan has 10 and the bound says 9 (or 10): 9 - 7.5 = 1.5 to 10 - 7 = 3
    run = allocopt.run(road, out=None)
    assert run.plan is not None
    least = 10.0 if value == bound else 9.0
    stage = replace(run.plan.solution.stages[0], value=10.0, bound=least)
    found = prices.between(run.plan, "reach", stage, prices.Other(value, bound), helps=True)
    assert found.words == f"without reach gross deficit would be {words}"


def test_a_range_narrower_than_its_words_is_told_as_one_figure(road):
    # 376.5 less something between 0.010 and 0.030: £376m whichever way
    run = allocopt.run(road, out=None)
    assert run.plan is not None
    stage = replace(run.plan.solution.stages[0], value=376.5, bound=376.49)
    found = prices.between(run.plan, "reach", stage, prices.Other(0.03, 0.01), helps=True)
    assert (found.least, found.most) == pytest.approx((376.46, 376.49))
    assert found.words == "without reach gross deficit would be £376m less"


def test_a_range_is_told_beneath_the_bars(road, tmp_path, monkeypatch):
    # without the lock the plan has 1.5 and the bound says 1: £1.5m to £2m less than 3
    monkeypatch.setattr(prices, "_solved", lambda *_: prices.Other(1.5, 1.0))
    sets = {"rules.stay_in_area": "off", "rules.locked.places": "{B: C, D: C}"}
    run = allocopt.run(road, set=sets, out=tmp_path / "runs", also=[reports])
    one = {rule["name"]: rule for rule in run.record["rules"]}["locked"]
    assert one["price_words"] == "without locked gross deficit would be £1.5m to £2.0m less"
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "Bars are the difference of two plans; the words give the range that is proven." in page


def test_rules_that_cost_nothing_draw_no_bars(road, tmp_path):
    run = allocopt.run(road, out=tmp_path / "runs", also=[reports])
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "without locked gross deficit would be the same" in page
    assert "What each rule costs" not in page


def test_without_areas_another_yardstick_may_cost(road):
    run = allocopt.run(road, out=None)
    assert run.plan is not None
    stage = replace(run.plan.solution.stages[0], value=10.0, bound=9.0)
    found = prices.between(run.plan, "stay_in_area", stage, prices.Other(12.0, 11.5), helps=False)
    assert (found.least, found.most) == (-3.0, -1.5)
    assert found.words == "without stay_in_area gross deficit would be £1.5m to £3.0m more"
    either = prices.between(run.plan, "stay_in_area", stage, prices.Other(9.5, 8.0), helps=False)
    assert either.words.endswith("between £500,000 more and £2.0m less")


def test_a_joint_run_prices_rules_of_both_kinds(tmp_path):
    (tmp_path / "places.csv").write_text(JOINT_PLACES, encoding="utf-8")
    path = tmp_path / "five.yaml"
    path.write_text(JOINT, encoding="utf-8")
    # A alone spends 112 and gets at most 105.5: 6.5 over; without the ceiling it may get 525 - 4 x 103 = 113
    sets = {"rules.growth_ceiling.rate": "5.5%", "rules.locked.places": "{B: D, C: D, E: D}"}
    found = rules_of(path, sets)
    with_all = allocopt.run(path, set=sets, out=None).record["objectives"][0]["value"]
    for name in ("growth_floor", "growth_ceiling", "locked"):
        least = allocopt.run(path, set=sets | {f"rules.{name}": "off"}, out=None).record["objectives"][0]["value"]
        assert found[name]["price"] == pytest.approx(with_all - least, abs=SMALL), name
        assert found[name]["without_least"] - SMALL <= with_all - least <= found[name]["without_most"] + SMALL
    assert found["budget"]["price"] is None
    assert found["growth_ceiling"]["price"] == pytest.approx(6.5)


def test_prices_stand_on_the_terminal_the_page_and_in_the_workbook(road, tmp_path):
    said = ["run", str(road), "--set", "rules.stay_in_area=off", "--set", "rules.locked.places={B: C, D: C}"]
    answer = CliRunner(env={"COLUMNS": "250"}).invoke(app, [*said, "--out", str(tmp_path / "runs")])
    assert answer.exit_code == 0
    assert "without locked gross deficit would be £2.0m less" in " ".join(answer.stdout.split())
    (folder,) = (tmp_path / "runs").iterdir()
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "without locked gross deficit would be £2.0m less" in page
    assert "£2.0m, without locked" in page
    assert "the range that is proven" not in page, "both optima are known to the pound"
    assert verify(folder).passed
    rules = {one["name"]: one for one in json.loads((folder / "run.json").read_text(encoding="utf-8"))["rules"]}
    assert rules["locked"]["without"] == pytest.approx(2.0)
