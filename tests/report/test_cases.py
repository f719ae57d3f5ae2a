"""A batch in one page: every case, each swept key against the figures, from results.csv alone."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
from typer.testing import CliRunner

from allocopt.cli import app
from allocopt.report.cases import batch_page, swept


def batch(folder: Path) -> Path:
    rows = [
        (1, "a", "1%", 1.0, "optimal", 0, 900_000_000, 100_000_000, 5_000_000),
        (2, "b", "2%", 2.0, "optimal", 0, 950_000_000, 120_000_000, 4_000_000),
        (3, "c", "9%", 9.0, "infeasible", 3, None, None, None),
    ]
    names = ["number", "case", "rules.growth_floor.rate", "rules.growth_floor.rate_pct", "status", "exit"]
    money = ["gross_deficit_gbp", "shortfall_below_target_gbp", "movement_gbp"]
    pd.DataFrame(rows, columns=[*names, *money]).to_csv(folder / "results.csv", index=False)
    (folder / "batch.json").write_text(json.dumps({"name": "floors", "modelled_spend": True}), encoding="utf-8")
    return folder


def test_swept_keys_are_named_without_their_numbers(tmp_path):
    assert swept(pd.read_csv(batch(tmp_path) / "results.csv")) == ["rules.growth_floor.rate"]


def test_the_page_says_how_cases_ended_and_where_the_least_deficit_is(tmp_path):
    text = batch_page(batch(tmp_path))
    assert "3 cases: 2 optimal, 1 infeasible." in text
    assert "£900,000,000" in text
    assert '"y":[900.0,950.0]' in text


def test_report_of_a_batch_folder_writes_its_page(tmp_path):
    said = CliRunner().invoke(app, ["report", str(batch(tmp_path)), "--json"])
    assert said.exit_code == 0, said.output
    assert json.loads(said.stdout)["written"] == [str(tmp_path / "report.html")]
