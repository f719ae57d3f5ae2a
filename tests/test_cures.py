"""Cures as a new user takes them: out of --json, given with --set alone; each solves, the step before it does not."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from small_case import five_places, path_over_years
from typer.testing import CliRunner

import allocopt
from allocopt.cli import app
from allocopt.errors import Infeasible
from allocopt.plan import gather, make_plan
from allocopt.scenario import load

PUSHED = {
    "rules.growth_floor.rate": ["4%", "5.5%", "7%", "12%"],
    "rules.growth_ceiling.rate": ["1%", "3%", "4.5%"],
    "rules.dft_floor.rate": ["-25%", "-3%", "0%", "2%"],
    "rules.dft_ceiling.rate": ["0%", "10%", "25%"],
    "rules.mover_budget.max": ["£0m", "£1m", "£20m"],
    "rules.reserve.share": ["1%", "4%"],
    "rules.growth_floor.taper": ["{from: 5%, to: 30%}"],
    "rules.no_further_under_target": ["{}"],
}


def solves(path: Path, sets: list[str]) -> bool:
    try:
        make_plan(gather(load(path, set=sets)))
    except Infeasible:
        return False
    return True


def told(path: Path, sets: list[str]) -> dict | None:
    """The error of `run --json`; None where the scenario solves."""
    given = [word for one in sets for word in ("--set", one)]
    answer = CliRunner().invoke(app, ["run", str(path), *given, "--json", "--no-report", "--out", str(path.parent)])
    if answer.exit_code == 0:
        return None
    assert answer.exit_code == 3, answer.output
    return json.loads(answer.stdout)["error"]


def one_step_less(cure: dict) -> str | None:
    """The cure's value one step of its printed precision nearer to the present one; None for rules switched off.

    Rates are told to 0.01 points, money to the fifth digit of what it is now.
    """
    now, to = cure["from"], cure["to"]
    if to.endswith("%"):
        now, to = (round(100 * float(one.removesuffix("%"))) for one in (now, to))
        return None if abs(to - now) <= 1 else f"{(to - (1 if to > now else -1)) / 100:g}%"
    if to.startswith("£") and to.endswith("m") and now.endswith("m"):
        now, to = (float(one.removeprefix("£").removesuffix("m")) for one in (now, to))
        step = 10.0 ** (len(str(int(now or 1))) - 5)
        return None if abs(to - now) <= step else f"£{to - (step if to > now else -step):.6f}m"
    return None


@pytest.mark.parametrize("seed", range(24))
def test_every_cure_solves_and_nothing_smaller_does(tmp_path, seed):
    pick = random.Random(seed)  # noqa: S311 - cases to try, not secrets
    path = path_over_years(tmp_path, ["£525m", "£546m"]) if seed % 4 == 3 else five_places(tmp_path)
    sets = [f"{key}={pick.choice(PUSHED[key])}" for key in pick.sample(list(PUSHED), pick.choice([1, 2, 3]))]
    error = told(path, sets)
    if error is None:
        assert solves(path, sets)
        return
    assert error["cures"] or "no single change" in error["message"] + str(error["problems"])
    for cure in error["cures"]:
        assert cure["verified"]
        assert solves(path, [*sets, f"{cure['key']}={cure['to']}"]), cure
        less = one_step_less(cure)
        assert less is None or not solves(path, [*sets, f"{cure['key']}={less}"]), (cure, less)


ROLLING = """format: 1
name: rolling
model: pace_of_change
years: [2019-20, 2020-21, 2021-22]
pot: {value: {POTS}}
inputs:
  places: {table: places.csv, key: code, columns: {population: people}}
  baseline: {table: places.csv, column: base, unit: £m}
formula: {need: {share: 100%, need: need}}
rules: {RULES}
objectives: [shortfall_below_target, movement]
path: rolling
"""
CEILING = """{2019-20: £341.861m, 2020-21: £355.086m, 2021-22: £370.319m}
{growth_floor: {rate: 4.64%, taper: {from: 4.7%, to: 25.2%}}, growth_ceiling: {rate: 6.14%},
 no_further_under_target: {}}
143.2,126 136.98,112 97.04,88"""
BY_YEAR = """{2019-20: £617.493m, 2020-21: £653.266m, 2021-22: £666.996m}
{growth_floor: {rate: 2.86%}, dft_floor: {rate: {2019-20: -19%, 2020-21: -17%, 2021-22: -4.08%}},
 reserve: {share: 0.75%}}
116.79,91 81.63,77 129.21,117 137.68,129 82.94,82 72.74,89"""
TAPER = """{2019-20: £592.598m, 2020-21: £619.417m, 2021-22: £636.426m}
{growth_floor: {rate: 3.68%, taper: {from: -4.6%, to: 29.1%}}, no_further_under_target: {}}
52.55,64 81.47,107 96.66,100 74.81,78 77.05,101 98.67,112"""


def rolls(path: Path, *sets: str) -> bool:
    try:
        return allocopt.run(path, set=sets, out=None).exit == 0
    except Infeasible:
        return False


@pytest.mark.parametrize("case", [CEILING, BY_YEAR, TAPER], ids=["ceiling", "by year", "taper"])
def test_every_cure_of_a_rolling_path_rolls_and_nothing_smaller_does(tmp_path, case):
    pots, *rules, places = case.split("\n")
    rows = [f"P{number},1000,{place}" for number, place in enumerate(places.split())]
    (tmp_path / "places.csv").write_text("\n".join(["code,people,need,base", *rows]), encoding="utf-8")
    (tmp_path / "path.yaml").write_text(
        ROLLING.replace("{POTS}", pots).replace("{RULES}", "".join(rules)), encoding="utf-8"
    )
    error = told(tmp_path / "path.yaml", [])
    assert error is not None
    assert error["cures"]
    assert ", on what 20" in error["message"]
    for cure in error["cures"]:
        assert rolls(tmp_path / "path.yaml", f"{cure['key']}={cure['to']}"), cure
        if "is not enough" in cure["words"]:
            nearly = cure["words"].split("; ")[-1].removesuffix(" is not enough")
            assert not rolls(tmp_path / "path.yaml", f"{cure['key']}={nearly}"), cure


def cures(path: Path, *sets: str) -> dict[str, str]:
    """Key -> value, each of which was found to solve."""
    error = told(path, list(sets))
    assert error is not None
    for cure in error["cures"]:
        assert solves(path, [*sets, f"{cure['key']}={cure['to']}"]), cure
    return {cure["key"]: cure["to"] for cure in error["cures"]}


def test_a_round_that_leaves_no_choice_has_numbers_and_can_be_dropped(tmp_path):
    # in equal steps of 1 / K Alder gets 105 + 45 / K, at most 109, and Elder 105 - 45 / K, at least 102: K is 15
    path = five_places(tmp_path)
    assert cures(path, "rules.equal_steps={steps: 2}") == {"rules.equal_steps.steps": "15"}
    # uniform growth is 105 each; the linear rule agrees where a is all the growth there is
    found = cures(path, "rules.growth_floor=off", "rules.growth_ceiling=off", "rules.uniform_growth={}", LINEAR)
    assert found == {"rules.linear_rule.a": "5%", "rules.uniform_growth": "off", "pot.value": "£515m"}


LINEAR = "rules.linear_rule={a: 3%}"


def test_a_share_that_is_held_back_may_be_less(tmp_path):
    # floors of 4.5% make £522.5m: at most £2.5m of £525m, 0.47%, can be held back
    found = cures(five_places(tmp_path), "rules.growth_floor.rate=4.5%", "rules.reserve.share=1%")
    assert found["rules.reserve.share"] == "0.47%"
    assert found["rules.growth_floor.rate"] == "3.95%"  # £519.75m / £500m


def test_numbers_inside_a_list_are_cures_one_by_one_and_together(tmp_path):
    # growth 8% at -30% to 6% at 0% and beyond: Birch, at -4.545%, has 6.303%; 32.303 in all, and 25 are there
    points = "rules.growth_schedule={points: [{dft: -30%, growth: 8%}, {dft: 0%, growth: 6%}]}"
    found = cures(five_places(tmp_path), "rules.growth_floor=off", points)
    assert found["rules.growth_schedule.points"] == "[{dft: -30%, growth: 6.53%}, {dft: 0%, growth: 4.53%}]"
    # 8 + 0.1515 x 8 + 3.8485 y = 25
    assert found["rules.growth_schedule.points.1.growth"] == "4.1%"


def test_floors_by_class_are_cures(tmp_path):
    # 4 x 6% + 3% = 27 against 25: the four may have 5.5%
    floors = "{column: kind, floors: [{group: big, growth: 6%}, {group: small, growth: 3%}]}"
    path = five_places(tmp_path)
    table = (tmp_path / "places.csv").read_text(encoding="utf-8").splitlines()
    kinds = ["kind", *["big"] * 4, "small"]
    lines = [f"{line},{kind}" for line, kind in zip(table, kinds, strict=True)]
    (tmp_path / "places.csv").write_text("\n".join(lines), encoding="utf-8")
    found = cures(path, "rules.growth_floor=off", f"rules.class_floor={floors}")
    assert found["rules.class_floor.floors.0.growth"] == "5.5%"
    assert found["rules.class_floor.floors"] == "[{group: big, growth: 5.6%}, {group: small, growth: 2.6%}]"
