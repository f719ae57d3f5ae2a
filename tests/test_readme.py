"""What the README shows is executed: its commands, and the rule that it adds."""

import re
import shlex
from dataclasses import replace
from glob import glob
from pathlib import Path
from typing import Any

import pytest
import worked_examples
from ruamel.yaml import YAML
from typer.testing import CliRunner

from allocopt.cli import app
from allocopt.model import Rule, load_model, rule
from allocopt.units import Money

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[str]:
    return [line for block in blocks("bash") for line in block.splitlines() if line.startswith("allocopt ")]


def test_every_command_of_the_readme_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(commands()) >= 5
    for command in commands():
        words = [found for word in shlex.split(command)[1:] for found in (sorted(glob(word)) or [word])]  # noqa: PTH207
        answer = CliRunner().invoke(app, words)
        assert answer.exit_code == 0, f"{command}\n{answer.output}"


def test_the_rule_that_the_readme_adds_is_all_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    (source,) = [block for block in blocks("python") if block.startswith("@rule")]
    names: dict[str, Any] = {"rule": rule, "Money": Money, "Any": Any}
    exec(source, names)  # noqa: S102 - the README's own example
    added = names["cash_ceiling"]
    assert isinstance(added, Rule)
    model = load_model("pace_of_change")
    monkeypatch.setattr(worked_examples, "load_model", lambda _name: replace(model, rules=[*model.rules, added]))
    (text,) = [block for block in blocks("yaml") if "cash_ceiling" in block]
    said = YAML(typ="safe").load(text)
    worked = worked_examples.as_worked("cash_ceiling", said)
    solved = worked.solve()
    assert solved.binding("cash_ceiling") == said["expect"]["binds"]["cash_ceiling"]
    (value,) = [stage.value for stage in solved.stages if stage.name == "shortfall_below_target"]
    assert value == pytest.approx(10.0)
