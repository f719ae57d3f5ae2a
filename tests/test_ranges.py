"""Numbers that mean nothing are refused where they are written, before anything is solved."""

from __future__ import annotations

from pathlib import Path

import pytest
from four_places import four_places
from typer.testing import CliRunner

import allocopt
from allocopt.cli import app
from allocopt.errors import ScenarioFault

GOOD = Path(__file__).parent / "fixtures" / "bad" / "good" / "scenario.yaml"


def refused(path: Path, changes: dict[str, str] | None = None) -> str:
    with pytest.raises(ScenarioFault) as failure:
        allocopt.run(path, out=None, set=changes or {})
    assert failure.value.exit == 2
    return str(failure.value)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ("population_window: {min: 30000, max: 20000}", "rules.population_window.min: min 30000 is above max 20000"),
        ("population_window: {min: -5}", "rules.population_window.min: people are counted from 0 up, not -5"),
        ("population_window: {}", "rules.population_window: the rule is on and says neither min nor max"),
        ("number_of_consortia: {min: 3, max: 1}", "rules.number_of_consortia.min: min 3 is above max 1"),
        ("number_of_consortia: {max: -1}", "rules.number_of_consortia.max: expected a number that is not negative"),
        ("reach: {max: -5 km}", "rules.reach.max: a distance is not negative, not -5 km"),
        ("balance_band: {max: -5%}", "rules.balance_band.max: a limit on a difference is not negative, not -5%"),
        ("deprivation_mix: {max: -1%}", "rules.deprivation_mix.max: a limit on a difference is not negative"),
        ("surplus_concentration: {max: 120%}", "rules.surplus_concentration.max: a share lies between 0% and 100%"),
        ("containment: {rate: 175%}", "rules.containment.rate: a share lies between 0% and 100%, not 175%"),
        ("together: {groups: [[]]}", "rules.together.groups: [] is no list of different places"),
        ("together: {groups: []}", "rules.together.groups: the rule is on and has no list of places"),
        ("apart: {groups: [[A, A]]}", "rules.apart.groups: [A, A] is no list of different places"),
        ("apart: {groups: [[A, B, A]]}", "rules.apart.groups: [A, B, A] names a place twice"),
        ("reach: {max: {2019-20: 25 km}}", "rules.reach.max: expected a quantity such as 25 km"),
    ],
)
def test_limits_of_a_grouping_that_mean_nothing(tmp_path, rules, words):
    said = refused(four_places(tmp_path, rules=rules))
    assert words in said
    assert "four.yaml:13:" in said


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("rules.growth_floor.rate", "-150%", "no place can lose more than it has, not -150%"),
        ("rules.growth_ceiling", "{rate: -101%}", "rules.growth_ceiling.rate: no place can lose more than it has"),
        ("rules.per_head_floor", "{rate: -101%}", "rules.per_head_floor.rate: no place can lose more than it has"),
        ("rules.dft_floor", "{rate: -150%}", "rules.dft_floor.rate: no place can lose more than it has"),
        ("rules.dft_ceiling", "{rate: -150%}", "rules.dft_ceiling.rate: no place can lose more than it has"),
        ("rules.mover_budget", "{max: -£1m}", "rules.mover_budget.max: a limit on money is not negative, not -£1m"),
        ("rules.reserve", "{share: 120%}", "what is held back lies between 0% and less than 100%: 120%"),
        ("rules.reserve", "{share: -5%}", "what is held back lies between 0% and less than 100%: -5%"),
        ("rules.capped_gains", "{floor: 5%, cap: 2%}", "rules.capped_gains.floor: floor 5% is above cap 2%"),
        ("rules.group_protection", "{column: area, least: -3%}", "least: a share is not negative, not -3%"),
        (
            "rules.growth_schedule",
            "{points: [{dft: 0%, growth: -200%}]}",
            "no place can lose more than it has, not -200%",
        ),
        ("solver.gap", "-1%", "solver.gap: a gap is not negative, not -1%"),
        ("solver.slack", "-1%", "solver.slack: a slack is not negative, not -1%"),
        ("solver.time_limit", "0s", "solver.time_limit: time has to pass, not 0s"),
    ],
)
def test_limits_of_an_allocation_that_mean_nothing(key, value, words):
    assert words in refused(GOOD, {key: value})


def test_a_limit_by_year_is_compared_year_by_year():
    years = {"years": "[2019-20, 2020-21]", "pot": "{value: {2019-20: £10.8m, 2020-21: £11m}}"}
    ends = "{floor: {2019-20: 1%, 2020-21: 5%}, cap: 2%}"
    said = refused(GOOD, {**years, "rules.capped_gains": ends})
    assert "rules.capped_gains.floor: floor 5% is above cap 2% in 2020-21" in said
    assert "in 2019-20" not in said


def test_all_of_them_are_told_at_once_and_nothing_is_written(tmp_path):
    path = four_places(tmp_path, rules="reach: {max: -5 km}, balance_band: {max: -5%}, containment: {rate: 175%}")
    answer = CliRunner().invoke(app, ["run", str(path), "--out", str(tmp_path / "runs")])
    assert (answer.exit_code, answer.stdout, (tmp_path / "runs").exists()) == (2, "", False)
    assert "the scenario four.yaml has 3 problems" in answer.stderr
