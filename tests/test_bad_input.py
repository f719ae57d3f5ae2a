"""Every kind of bad input: exit code 2, a message that names place, cause and cure, and no run folder left behind.

Each folder in `fixtures/bad` is one kind: a scenario that breaks the good one, and `expect.txt` with what is said.
"""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from allocopt.cli import app

BAD = Path(__file__).parent / "fixtures" / "bad"
KINDS = sorted(folder.name for folder in BAD.iterdir() if folder.name != "good")


def test_there_are_twenty_kinds_at_least() -> None:
    assert len(KINDS) >= 20


@pytest.mark.parametrize("kind", KINDS)
def test_bad_input_names_place_cause_and_cure(kind: str, tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["run", str(BAD / kind / "scenario.yaml"), "--out", str(tmp_path)])
    assert answer.exit_code == 2, answer.output
    assert answer.stdout == ""
    for said in (BAD / kind / "expect.txt").read_text(encoding="utf-8").splitlines():
        assert said in answer.stderr
    assert "cure: " in answer.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_bad_input_is_one_json_object(kind: str, tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["run", str(BAD / kind / "scenario.yaml"), "--out", str(tmp_path), "--json"])
    error = json.loads(answer.stdout)["error"]
    assert (answer.exit_code, error["exit"]) == (2, 2)
    assert error["problems"]
    for problem in error["problems"]:
        assert set(problem) == {"file", "line", "column", "key", "message", "cure"}
        assert problem["message"]
        assert problem["cure"]
        assert problem["file"]


def test_the_good_scenario_runs(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["run", str(BAD / "good" / "scenario.yaml"), "--out", str(tmp_path), "--json"])
    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.stdout)["headline"]["pot_gbp"] == 10_800_000
