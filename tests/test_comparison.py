"""Runs side by side: the figures, what was asked, the rules, and the places whose money differs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import allocopt
from allocopt.batches import batch
from allocopt.cli import app
from allocopt.comparison import compare
from allocopt.errors import InputFault
from allocopt.runs import Run, run

GOOD = Path(__file__).parent / "fixtures" / "bad" / "good" / "scenario.yaml"


def made(folder: Path, rate: str) -> Run:
    return run(GOOD, set=[f"rules.growth_floor.rate={rate}"], out=folder)


def test_what_was_asked_and_what_came_out_stand_side_by_side(tmp_path):
    one, other = made(tmp_path, "0%"), made(tmp_path, "4%")
    assert one.folder is not None
    assert other.folder is not None
    found = compare([one.folder, other.folder])
    names = [one.folder.name, other.folder.name]
    assert list(found.runs) == names
    asked = found.settings.set_index("key")
    assert list(asked.index) == ["rules.growth_floor.rate"]
    assert list(asked.loc["rules.growth_floor.rate"]) == [0, 0.04]
    figures = found.figures.set_index("figure")
    assert list(figures.loc["movement_gbp"]) == [one.headline["movement_gbp"], other.headline["movement_gbp"]]
    assert len(found.inputs) == 0
    difference = (
        other.allocations.set_index("place")["allocation_gbp"] - one.allocations.set_index("place")["allocation_gbp"]
    )
    movers = found.movers.set_index("place")["largest_difference_gbp"]
    assert movers.abs().is_monotonic_decreasing
    assert dict(movers) == {place: gbp for place, gbp in difference.items() if gbp}


def test_tables_that_are_the_same_are_said_to_be_input_tables(tmp_path):
    folders = [str(made(tmp_path, rate).folder) for rate in ("0%", "4%")]
    said = CliRunner().invoke(app, ["compare", *folders]).stdout
    assert "Input tables whose bytes differ: none" in said
    assert "Places whose money differs most, in pounds" in said


def test_a_run_does_not_differ_from_itself(tmp_path):
    folder = made(tmp_path, "1%").folder
    assert folder is not None
    found = compare([folder, folder])
    assert (len(found.settings), len(found.inputs), len(found.movers)) == (0, 0, 0)
    assert found.runs == (f"{folder.name} (1)", f"{folder.name} (2)")


def test_a_batch_stands_for_its_solved_cases(tmp_path):
    file = tmp_path / "floors.yaml"
    over = "{rules.growth_floor.rate: [1%, 9%, 2%]}"
    file.write_text(f"extends: {GOOD}\nname: floors\nsweep: {{over: {over}}}\n", encoding="utf-8")
    folder = batch(file, workers=1, out=tmp_path).folder
    said = CliRunner().invoke(app, ["compare", str(folder), "--json"])
    told = json.loads(said.stdout)
    assert told["runs"] == ["case 1", "case 3"]
    floor = next(row for row in told["settings"] if row["key"] == "rules.growth_floor.rate")
    assert (floor["case 1"], floor["case 3"]) == (0.01, 0.02)
    assert "Figures" in CliRunner().invoke(app, ["compare", str(folder)]).stdout


def test_one_run_alone_and_a_folder_that_is_no_run_are_refused(tmp_path):
    with pytest.raises(InputFault, match="two runs or more"):
        compare([made(tmp_path, "1%").folder or ""])
    with pytest.raises(InputFault, match="is not a run folder"):
        allocopt.compare([tmp_path, tmp_path])
