"""Bound P of a finished run: proved again from the prices that its folder keeps, and refused when they were changed."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from grouping_scenarios import scenario_of
from test_grouping_regions import sparse_town

from allocopt.check.consortia import verify_grouping
from allocopt.grouping import solution
from allocopt.runs import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run that was searched as a nation is, on places where people are few."""
    at = tmp_path_factory.mktemp("pockets")
    instance, where = sparse_town(3)
    instance = replace(instance, imd=np.full(len(instance), np.nan))
    path = scenario_of(at, instance, where, ["gross_deficit", "travel"], deterministic="true", exempt="least")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(solution, "EXACT_PAIRS", 0)
        found = run(path, set={"solver.time_limit": "4s", "report.rule_prices": "false"}, out=at / "runs")
    assert found.folder is not None
    return found.folder


def said(folder, name: str):
    return next(one for one in verify_grouping(folder, None).checks if one.name == name)


def test_bound_p_is_above_bound_b_and_proved_again_without_the_solver(folder):
    stated = {one["name"]: one["value"] for one in json.loads((folder / "run.json").read_text())["bounds"]}
    assert stated["P"] > stated["B"] + 0.01
    assert not [one for one in verify_grouping(folder, None).checks if not one.passed]
    assert "weak duality" in said(folder, "bound P").words


def changed(folder, change) -> str:
    """What is said of bound P when its kept prices are other ones."""
    path = folder / "certificate.npz"
    before = path.read_bytes()
    with np.load(path) as kept:
        arrays = dict(kept)
    change(arrays)
    np.savez_compressed(path, **arrays)
    try:
        check = said(folder, "bound P")
    finally:
        path.write_bytes(before)
    assert not check.passed
    return str(check.words)


def test_prices_that_prove_less_are_refused(folder):
    def double(arrays):
        arrays["P.prices"] = 2 * arrays["P.prices"]

    assert "prove only" in changed(folder, double)


def test_a_price_of_a_row_that_is_not_there_is_refused(folder):
    def rename(arrays):
        arrays["P.rows"] = np.array([b"0:duty_to_admit[nowhere]", *arrays["P.rows"][1:]])

    assert "does not have" in changed(folder, rename)
