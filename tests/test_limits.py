"""Each place's lowest and highest allocation, rule by rule: published minimum growth out of a stated policy."""

from __future__ import annotations

import random

import numpy as np
import pandas as pd
import pytest

import allocopt
from allocopt.check.folder import verify
from allocopt.errors import InputFault, ScenarioFault
from allocopt.explain import explain
from allocopt.shipped import shipped

SCENARIO = """\
format: 1
name: Five CCGs of a minimum-growth policy
model: pace_of_change
years: [2016-17]
pot: {pot}
inputs:
  places:
    table: ccgs.csv
    key: code
    columns: {{population: people, previous_population: people_before}}
  baseline: {{table: ccgs.csv, column: baseline_k, unit: £k}}
formula: {{target: {{share: 100%, need: need}}}}
rules:
  growth_floor: {{rate: 3.05%, taper: {{from: 5%, to: 10%}}}}
  per_head_floor: {{rate: 1.39%, taper: {{from: 5%, to: 10%}}}}
objectives: [movement]
"""
# Opening distance: baseline / (1,000,000 x need / 1000) - 1: A -20%, B +5%, C +7.5%, D +10%, E what is left.
# Cash floor: A and B 3.05%, C half of it, 1.525%, D nothing.
# Per head: A 1.0139 x 1.03 - 1 = 4.4317%; B 1.0139 x 1.01 - 1 = 2.4039%; C 1.0139 x 1.02 - 1 = 3.4178%, half of it
# 1.7089%; D nothing.
# Minimum growth: A 4.4317% (per head), B 3.05% (cash), C 1.7089% (per head), D 0%.
TABLE = """\
code,people,people_before,baseline_k,need
A,103000,100000,160000,200
B,101000,100000,210000,200
C,102000,100000,215000,200
D,104000,100000,220000,200
E,100000,100000,195000,200
"""
MINIMUM = {"A": 4.4317, "B": 3.05, "C": 1.7089, "D": 0.0}
RULE = {"A": "per_head_floor", "B": "growth_floor", "C": "per_head_floor"}


def run_of(folder, pot: str) -> allocopt.Run:
    (folder / "ccgs.csv").write_text(TABLE, encoding="utf-8")
    (folder / "minimum.yaml").write_text(SCENARIO.format(pot=pot), encoding="utf-8")
    return allocopt.run(folder / "minimum.yaml", out=None)


def test_minimum_growth_comes_out_of_a_scenario_that_only_states_the_policy(tmp_path):
    limits = run_of(tmp_path, "£1.05bn").tables["limits"].set_index("place")
    assert limits.loc[list(MINIMUM), "minimum_growth_pct"].to_dict() == pytest.approx(MINIMUM, abs=1e-6)
    assert limits.loc[list(RULE), "minimum_rule"].to_dict() == RULE
    assert limits.loc["A", "minimum_gbp"] == 167_090_720
    assert limits.loc["A", "growth_floor_growth_pct"] == 3.05
    assert limits["maximum_gbp"].isna().all()


def test_a_pot_that_pays_for_the_minimum_alone_gives_everybody_the_minimum(tmp_path):
    # 167,090,720 + 216,405,000 + 218,674,135 + 220,000,000 + 200,947,500 (E: cash floor, 3.05%) = 1,023,117,355
    run = run_of(tmp_path, "£1,023,117,355")
    growth = run.allocations.set_index("place")["growth_pct"]
    assert growth[list(MINIMUM)].to_dict() == pytest.approx(MINIMUM, abs=1e-6)
    assert set(run.tables["limits"]["held_by"]) == {"minimum"}


def test_the_2016_policy_gives_all_192_ccgs_the_published_form_of_minimum_growth():
    """A second sum in pandas: both floors, each times what is left of it between 5% and 10% over target."""
    run = allocopt.run("policy-2016-21", out=None)
    limits = run.tables["limits"].set_index("place")
    table = pd.read_csv(shipped("scenarios") / "data" / "england_ccgs_2019_20.csv", index_col="ccg_code").sort_index()
    base, need = table["allocation_2018_19_k"], table["weighted_population_2019_20"]
    distance = 100 * ((base / base.sum()) / (need / need.sum()) - 1)
    left = ((10 - distance) / 5).clip(0, 1)
    people = table["registered_population_2019_20"] / table["registered_population_2018_19"]
    expected = np.maximum(3.6 * left, (100 * 1.0296 * people - 100) * left)
    floors = limits[["growth_floor_growth_pct", "per_head_floor_growth_pct"]].max(axis=1)
    assert len(limits) == 192
    assert np.abs(floors - expected).max() < 1e-6
    given = run.allocations.set_index("place")["growth_pct"]
    assert (given - limits["minimum_growth_pct"]).min() > -1e-5


CASH, HEAD = 3.05, 1.39
"""Per cent: a cash floor and a per-head floor of the form of 2016-17."""


def ccgs(number: int, seed: int) -> list[dict[str, float]]:
    """CCGs with baselines from 30% under to 30% over target, and people that grow, shrink or stay."""
    draw = random.Random(seed)  # noqa: S311 - cases to try, not secrets
    made = []
    for _ in range(number):
        before = draw.randint(60_000, 900_000)
        weighted = before * draw.uniform(0.8, 1.25)
        base = round(1.1 * weighted * (1 + max(-0.3, min(0.3, draw.gauss(0, 0.06)))))
        people = round(before * (1 + draw.gauss(0.007, 0.012)))
        made.append({"before": before, "people": people, "weighted": weighted, "baseline_k": base})
    return made


def minimum(one: dict[str, float], money: float, weight: float, *, taper: float = 5) -> float:
    """Published minimum growth, per cent to two decimals: the higher of the floors, each fading from 5% over target."""
    distance = 100 * (one["baseline_k"] / (money * one["weighted"] / weight) - 1)
    left = 1.0 if distance <= 5 else 0.0 if distance >= 5 + taper else (5 + taper - distance) / taper
    per_head = (100 + HEAD) * one["people"] / one["before"] - 100
    return round(max(CASH * left, per_head * left), 2)


@pytest.mark.parametrize("form", ["weighted", "target_k", "share", "opening_dft"])
@pytest.mark.parametrize("taper", [5, 10])
def test_209_ccgs_get_the_published_minimum_growth_from_a_scenario_that_states_the_policy(tmp_path, form, taper):
    """A second sum in plain Python; targets are weighted populations, pounds, shares, or follow from distances."""
    table = ccgs(209, seed=taper)
    money, weight = sum(one["baseline_k"] for one in table), sum(one["weighted"] for one in table)
    rows = [
        f"{number:03d},{one['people']},{one['before']},{one['baseline_k']},"
        + {
            "weighted": repr(one["weighted"]),
            "target_k": str(round(one["weighted"] / weight * money)),
            "share": repr(one["weighted"] / weight),
            "opening_dft": f"{100 * (one['baseline_k'] / (money * one['weighted'] / weight) - 1):.4f}",
        }[form]
        for number, one in enumerate(table)
    ]
    text = SCENARIO.format(pot="£130bn").replace("to: 10%", f"to: {5 + taper}%")
    text = text.replace("need: need", "opening_dft: need") if form == "opening_dft" else text
    (tmp_path / "minimum.yaml").write_text(text, encoding="utf-8")
    head = "code,people,people_before,baseline_k,need"
    (tmp_path / "ccgs.csv").write_text("\n".join([head, *rows, ""]), encoding="utf-8")
    limits = allocopt.run(tmp_path / "minimum.yaml", out=None).tables["limits"]
    wanted = [minimum(one, money, weight, taper=taper) for one in table]
    assert limits["minimum_growth_pct"].to_list() == pytest.approx(wanted, abs=0.0052)
    assert {0.0, 3.05} < set(wanted)  # some are beyond the taper, some have the cash floor, most are between


def test_places_open_where_published_distances_say(tmp_path):
    # as a whole these places have targets of 998.9 in 1,000 of their money: they are 0.11% over target together
    text = SCENARIO.format(pot="£1.05bn").replace("need: need", "opening_dft: far")
    rows = [
        line + end for line, end in zip(TABLE.split(), (",far", ",-20", ",5", ",7.5", ",10", ",-1.954"), strict=True)
    ]
    (tmp_path / "ccgs.csv").write_text("\n".join([*rows, ""]), encoding="utf-8")
    (tmp_path / "minimum.yaml").write_text(text, encoding="utf-8")
    run = allocopt.run(tmp_path / "minimum.yaml", out=tmp_path / "runs")
    opening = run.allocations.set_index("place")["opening_dft_pct"]
    assert opening.to_list() == pytest.approx([-20, 5, 7.5, 10, -1.954], abs=2e-6)
    # 160 / 0.8 + 210 / 1.05 + 215 / 1.075 + 220 / 1.1 + 195 / 0.98046 = 998.886, grown by 5% as the pot is
    assert run.allocations["target_gbp"].sum() == pytest.approx(1.05 * 998_886_237, abs=1000)
    assert "by their published distances these places together are 0.11% over target" in " ".join(
        run.record["warnings"]
    )
    assert [one for one in verify(run.folder).checks if not one.passed] == []
    (explained,) = explain(run.folder, "C").years
    assert list(explained.parts[0].columns) == ["baseline over 1 + far%"]


GROWING = "population: people, previous_population: people_before"


def with_growth(folder, columns: str):
    rows = [line + end for line, end in zip(TABLE.split(), (",growth", ",3", ",1", ",2", ",4", ",0"), strict=True)]
    (folder / "ccgs.csv").write_text("\n".join([*rows, ""]), encoding="utf-8")
    text = SCENARIO.format(pot="£1.05bn").replace(GROWING, columns)
    (folder / "minimum.yaml").write_text(text, encoding="utf-8")
    return allocopt.run(folder / "minimum.yaml", out=folder / "runs")


def test_published_population_growth_stands_for_the_population_before(tmp_path):
    run = with_growth(tmp_path, "population: people, population_growth: growth")
    limits = run.tables["limits"].set_index("place")
    assert limits.loc[list(MINIMUM), "minimum_growth_pct"].to_dict() == pytest.approx(MINIMUM, abs=1e-6)
    assert [one for one in verify(run.folder).checks if not one.passed] == []


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ("population_growth: growth", "it is the growth of a population, and none is named"),
        (f"{GROWING}, population_growth: growth", "previous_population says it already"),
    ],
)
def test_population_growth_alone_or_twice_is_told(tmp_path, columns, words):
    with pytest.raises(InputFault, match=words):
        with_growth(tmp_path, columns)


def test_a_part_of_the_country_opens_where_its_published_distances_say(tmp_path):
    """Most of 209 CCGs: minimum growth as published, from distances to two decimals."""
    table = ccgs(209, seed=5)
    money, weight = sum(one["baseline_k"] for one in table), sum(one["weighted"] for one in table)
    far = [round(100 * (one["baseline_k"] / (money * one["weighted"] / weight) - 1), 2) for one in table]
    rows = [
        f"{number:03d},{one['people']},{one['before']},{one['baseline_k']},{far[number]}"
        for number, one in enumerate(table)
    ]
    kept = [number for number in range(209) if number % 10 or far[number] < 0]  # a dozen that are over target are not
    (tmp_path / "ccgs.csv").write_text(
        "\n".join(["code,people,people_before,baseline_k,need", *(rows[n] for n in kept), ""]), encoding="utf-8"
    )
    text = SCENARIO.format(pot="£130bn").replace("need: need", "opening_dft: need")
    (tmp_path / "minimum.yaml").write_text(text, encoding="utf-8")
    run = allocopt.run(tmp_path / "minimum.yaml", out=tmp_path / "runs")
    assert "are not the whole country" in " ".join(run.record["warnings"])
    assert run.allocations["opening_dft_pct"].to_list() == pytest.approx([far[n] for n in kept], abs=2e-6)
    wanted = [minimum(table[n], money, weight) for n in kept]
    assert run.tables["limits"]["minimum_growth_pct"].to_list() == pytest.approx(wanted, abs=0.01)
    assert [one for one in verify(run.folder).checks if not one.passed] == []


def with_distances(folder, far, *, places: int = 1):
    header, *given = TABLE.split()
    lines = [line.split(",") for line in given]
    rows = [
        ",".join([f"{cells[0]}{copy}", *cells[1:], one])
        for copy in range(places)
        for cells, one in zip(lines, far, strict=True)
    ]
    (folder / "ccgs.csv").write_text("\n".join([f"{header},far", *rows, ""]), encoding="utf-8")
    text = SCENARIO.format(pot=f"£{1.05 * places}bn").replace("need: need", "opening_dft: far")
    (folder / "minimum.yaml").write_text(text, encoding="utf-8")
    return allocopt.run(folder / "minimum.yaml", out=folder / "runs")


def test_distances_may_say_that_they_are_per_cent(tmp_path):
    run = with_distances(tmp_path, ["-20%", "5.00%", "7.5%", "10%", "-1.954%"])
    assert run.allocations["opening_dft_pct"].to_list() == pytest.approx([-20, 5, 7.5, 10, -1.954], abs=2e-6)
    assert [one for one in verify(run.folder).checks if not one.passed] == []


def test_distances_of_which_some_alone_say_per_cent_are_refused(tmp_path):
    with pytest.raises(InputFault, match="the unit stands in the scenario"):
        with_distances(tmp_path, ["-20%", "5", "7.5", "10", "-1.954"])


@pytest.mark.parametrize(("by", "told"), [(100, True), (1, False)])
def test_distances_that_look_like_fractions_are_noticed(tmp_path, by, told):
    far = [f"{one / by:.6f}" for one in (-20, 5, 7.5, 10, -1.954)]
    warnings = with_distances(tmp_path, far, places=2).record["warnings"]
    assert any("if they are fractions (0.05 for 5%)" in one for one in warnings) == told


def test_published_distances_without_a_baseline_of_each_place_are_refused(tmp_path):
    run_of(tmp_path, "£1.05bn")
    sets = [
        "formula.target.need=off",
        "formula.target.opening_dft=need",
        "inputs.baseline.shared={within: code, by: target}",
    ]
    with pytest.raises(InputFault, match="need a baseline that stands in a table, place by place"):
        allocopt.run(tmp_path / "minimum.yaml", set=sets, out=None)


def test_a_component_says_need_or_distances_and_not_both(tmp_path):
    run_of(tmp_path, "£1.05bn")
    with pytest.raises(ScenarioFault, match="'need' has no place in a component with published distances"):
        allocopt.run(tmp_path / "minimum.yaml", set=["formula.target.opening_dft=need"], out=None)


def test_a_ceiling_stands_as_highest(tmp_path):
    run_of(tmp_path, "£1.05bn")
    limits = allocopt.run(tmp_path / "minimum.yaml", set={"rules.growth_ceiling.rate": "9%"}, out=None).tables["limits"]
    assert limits["maximum_growth_pct"].unique().tolist() == [9.0]
    assert set(limits["maximum_rule"]) == {"growth_ceiling"}


def test_a_run_without_rules_about_places_has_no_limits():
    found = allocopt.run("england-ccgs-2019-20", set={"rules.no_further_under_target": "off"}, out=None)
    assert "limits" not in found.tables
