"""One changed byte of a batch is found, wherever it stands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from allocopt.batches import batch
from allocopt.batches.audit import verify_batch
from allocopt.cli import app

GOOD = Path(__file__).parents[1] / "fixtures" / "bad" / "good" / "scenario.yaml"


@pytest.fixture
def made(tmp_path):
    file = tmp_path / "floors.yaml"
    over = "{rules.growth_floor.rate: [1%, 9%, 2%]}"
    file.write_text(f"extends: {GOOD}\nname: floors\nsweep: {{over: {over}}}\n", encoding="utf-8")
    return file, batch(file, workers=1, out=tmp_path / "runs")


def test_a_batch_passes_and_its_cases_come_out_the_same_again(made):
    file, found = made
    verdict = verify_batch(found.folder, rerun=2, scenario=file)
    assert [one.words for one in verdict.checks if not one.passed] == []
    assert sum(one.words == "the same bytes" for one in verdict.checks) == 2
    said = CliRunner().invoke(app, ["verify", str(found.folder), "--json"])
    assert (said.exit_code, json.loads(said.stdout)["passed"]) == (0, True)


@pytest.mark.parametrize("name", ["results.csv", "results.parquet", "case.json", "run.json", "effects.csv"])
def test_one_changed_byte_is_found(made, name):
    _, found = made
    path = found.folder / name if name.startswith("results") else found.case(1) / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    assert not verify_batch(found.folder, sample=0).passed


def test_a_case_that_nobody_asked_for_is_found(made):
    _, found = made
    (found.folder / "cases" / "0123456789abcdef").mkdir()
    verdict = verify_batch(found.folder, sample=0)
    assert [one.name for one in verdict.checks if not one.passed] == ["files of each case"]
