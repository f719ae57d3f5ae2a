"""The manual is written from the code, and the file in the repository is what the code writes."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from allocopt.cli import app
from allocopt.ledger import COLUMNS as LEDGER
from allocopt.model import load_model, model_names
from allocopt.report.glossary import COLUMNS, TABLES
from allocopt.report.handbook import handbook

MANUAL = Path(__file__).parents[2] / "MANUAL.md"


def test_the_manual_in_the_repository_is_current():
    cure = "write it again: allocopt models --manual > MANUAL.md"
    assert MANUAL.read_text(encoding="utf-8") == handbook(), cure


def test_every_rule_and_objective_of_every_model_is_in_it():
    text = handbook()
    for name in model_names():
        model = load_model(name)
        for part in (*model.always, *model.rules, *model.objectives):
            assert f"**`{part.name}`**" in text
            assert part.equation in text


def test_the_keys_of_a_parameter_that_is_a_map_are_explained_with_it():
    _, after = handbook().split("**`per_head_floor`**", 1)
    assert "- `taper`: default `none`\n  - `from`: Opening distance from target up to which" in after
    assert "  - `end_per_head`: The growth a head at `to` and beyond, in place of `end`.\n" in after


def test_keys_of_a_scenario_are_listed_with_their_meaning():
    text = handbook()
    for key in ("pot.value", "inputs.baseline.shared.within", "formula.NAME.share", "solver.gap", "report.group_by"):
        assert f"| `{key}` |" in text


def test_the_columns_of_the_allocations_are_all_explained():
    assert TABLES["allocations.csv"][1] == LEDGER
    assert {column for _, columns in TABLES.values() for column in columns} <= set(COLUMNS)


def test_the_verb_prints_it():
    said = CliRunner().invoke(app, ["models", "--manual"])
    assert said.exit_code == 0
    assert said.stdout == handbook()
