"""Cures as a new user takes them: out of --json, given with --set alone; each solves, the step before it does not."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from small_case import five_places, path_over_years
from typer.testing import CliRunner

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
