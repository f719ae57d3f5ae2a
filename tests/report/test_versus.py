"""Runs side by side: differences from the numbers, the same bytes, and a refusal where nothing can be compared."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import allocopt
from allocopt.cli import app
from allocopt.errors import InputFault
from allocopt.report.material import Material, material
from allocopt.report.versus import comparison, comparison_sections, differences, labels, scenario_differences
from allocopt.runs import Run, read_run

SMALL = Path(__file__).parents[1] / "fixtures" / "bad" / "good" / "scenario.yaml"


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The small run under another floor."""
    found = allocopt.run(SMALL, set={"rules.growth_floor.rate": "4.5%"}, out=tmp_path_factory.mktemp("other"))
    assert found.folder is not None
    return read_run(found.folder)


def facts(run: Run) -> Material:
    return material(run.record, run.tables, run.folder)


def test_differences_are_the_last_run_less_the_first_to_the_pound(small, other):
    found = differences([facts(small), facts(other)])
    wanted = other.allocations["allocation_gbp"].to_numpy() - small.allocations["allocation_gbp"].to_numpy()
    assert found["difference_gbp"].tolist() == wanted.tolist()
    assert found["difference_gbp"].sum() == 0
    assert found["difference_gbp"].abs().sum() > 0


def test_what_was_asked_differently_is_named_by_key(small, other):
    assert scenario_differences([facts(small), facts(other)]) == [("rules.growth_floor.rate", ["0.01", "0.045"])]


def test_the_sentence_turns_when_the_runs_change_places(small, other):
    one, two = ([facts(small), facts(other)], [facts(other), facts(small)])
    words = [next(iter(s.words[0] for s in comparison_sections(runs, labels(runs)) if s)) for runs in (one, two)]
    change = other.headline["shortfall_below_target_gbp"] - small.headline["shortfall_below_target_gbp"]
    assert change > 0
    assert f"shortfall below target £{change:,} more" in words[0]
    assert f"shortfall below target £{change:,} less" in words[1]


def test_names_drop_what_they_share_and_alike_names_carry_their_hash(small, other):
    runs = [facts(small), facts(other)]
    assert labels(runs) == [f"four places ({found.name[-8:]})" for found in runs]
    named = [replace(found, record={**found.record, "name": f"England, {at}"}) for at, found in enumerate(runs)]
    assert labels(named) == ["0", "1"]


def test_two_runs_make_one_page_with_the_same_bytes(small, other, tmp_path: Path):
    folders = [str(small.folder), str(other.folder)]
    for where in ("one", "two"):
        said = CliRunner().invoke(app, ["report", *folders, "--out", str(tmp_path / where), "--json"])
        assert said.exit_code == 0, said.output
        assert json.loads(said.stdout) == {"written": [str(tmp_path / where / "comparison.html")]}
    assert (tmp_path / "one/comparison.html").read_bytes() == (tmp_path / "two/comparison.html").read_bytes()


def test_report_makes_the_same_page_again_in_the_run_folder(small):
    assert small.folder is not None
    before = (small.folder / "report.html").read_bytes()
    said = CliRunner().invoke(app, ["report", str(small.folder)])
    assert said.exit_code == 0
    assert said.stdout.split() == [str(small.folder / "report.html"), str(small.folder / "report.xlsx")]
    assert (small.folder / "report.html").read_bytes() == before


def test_a_folder_that_is_no_run_is_exit_2(tmp_path: Path):
    said = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert said.exit_code == 2
    assert "is not a run folder" in said.stderr


def test_runs_without_a_place_in_common_cannot_be_compared(small, national):
    with pytest.raises(InputFault, match="no place in common"):
        comparison([facts(small), facts(national)])
    with pytest.raises(InputFault, match="needs two runs"):
        comparison([facts(small)])
