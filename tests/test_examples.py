"""Every example runs from the command line and answers its question with figures that hang together."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
QUICK = {
    "what_does_the_floor_cost": ["england-ccgs"],
    "how_many_consortia": ["4", "2"],
    "who_was_underfunded": ["england-ccgs"],
    "how_large_must_a_reserve_be": ["england-ccgs", "400"],
    "which_formula": [],
}


def run(name: str, *words: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    command = [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_every_example_is_run_here():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(QUICK)


@pytest.mark.parametrize("name", QUICK)
def test_an_example_runs_and_ends_with_its_answer_in_words(name):
    said = run(name, *QUICK[name])
    assert len(said.splitlines()) > 4
    assert said.rstrip().endswith(".")


def test_a_tighter_floor_never_costs_less():
    table = runpy.run_path(str(EXAMPLES / "what_does_the_floor_cost.py"))["answer"]("england-ccgs")
    cost = table["cost_gbp"].iloc[1:].to_numpy()
    assert (cost >= -2).all()
    assert (cost[1:] - cost[:-1] >= -2).all()
    assert cost[-1] > 1e6


def test_fewer_consortia_leave_no_larger_deficit_than_the_bound_of_more():
    table = runpy.run_path(str(EXAMPLES / "how_many_consortia.py"))["answer"]((4, 2))
    assert (table["bound_gbp"] <= table["gross_deficit_gbp"] + 1).all()
    assert (table["gross_deficit_gbp"] <= table["unpooled_deficit_gbp"]).all()
    assert table.loc[4, "travel_km"] < table.loc[2, "travel_km"]


def test_the_shortfall_of_the_underfunded_is_the_runs_own():
    run_, short = runpy.run_path(str(EXAMPLES / "who_was_underfunded.py"))["answer"]("england-ccgs")
    assert short["short_after_gbp"].sum() <= run_.headline["shortfall_below_target_gbp"]
    assert short["short_before_gbp"].min() >= 0
