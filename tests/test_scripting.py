"""What examples/scripting.md shows is executed: every block, in order, in one folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from allocopt.errors import AllocoptError, Infeasible, InputFault, ScenarioFault, Stopped, Unbounded

JQ = shutil.which("jq") is not None
ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "examples" / "scripting.md").read_text(encoding="utf-8")
SHIM = f"#!/bin/sh\nexec '{sys.executable}' -m allocopt.cli \"$@\"\n"


def blocks(*languages: str) -> list[tuple[str, str]]:
    found = re.findall(r"```(\w+)\n(.*?)```", PAGE, flags=re.DOTALL)
    return [(language, text) for language, text in found if language in languages]


def environment(folder: Path) -> dict[str, str]:
    """`allocopt` on the path is this checkout."""
    shim = folder / "bin" / "allocopt"
    shim.parent.mkdir()
    shim.write_text(SHIM, encoding="utf-8")
    shim.chmod(0o755)
    return {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{shim.parent}{os.pathsep}{os.environ['PATH']}"}


def without_jq(text: str) -> str:
    """The commands of this project alone, for a machine without jq."""
    return "\n".join(line.partition(" | jq ")[0] for line in text.splitlines() if not line.startswith("jq "))


def executed(words: list[str], folder: Path, around: dict[str, str]) -> str:
    done = subprocess.run(words, cwd=folder, env=around, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words[-1]}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def said(tmp_path_factory) -> dict[str, str]:
    """What each block prints, and the folder that they leave."""
    folder = tmp_path_factory.mktemp("scripting")
    around, found = environment(folder), {"folder": str(folder)}
    python = ""
    for language, text in blocks("bash", "yaml", "python"):
        if language == "yaml":
            (folder / text.partition("\n")[0].removeprefix("# ")).write_text(text, encoding="utf-8")
        elif language == "bash":
            found[text] = executed(["bash", "-euo", "pipefail", "-c", text if JQ else without_jq(text)], folder, around)
        else:
            python += text
    found["python"] = executed([sys.executable, "-c", python], folder, around)
    return found


def test_every_block_of_the_page_works_and_says_what_the_page_promises(said):
    printed = "\n".join(said.values())
    assert "exit 3" in printed
    assert "9 cases, nothing wrong found" in printed
    assert "3 ['rules.growth_floor.rate'" in said["python"]
    assert "True True" in said["python"]


@pytest.mark.skipif(not JQ, reason="jq is not installed: its lines were left out")
def test_what_jq_takes_from_the_json_is_what_the_page_promises(said):
    printed = "\n".join(said.values())
    assert re.search(r"optimal: gross deficit £[\d]+m, written to runs/england-ccgs-", printed)
    assert "infeasible, exit 3" in printed
    assert re.search(r"--set rules\.growth_floor\.rate=[\d.]+%", printed)
    assert "9 cases: optimal" in printed


def test_the_table_of_exit_codes_is_that_of_the_errors():
    codes = dict(re.findall(r"^\| (\d) \| ([^|]+) \|", PAGE, flags=re.MULTILINE))
    assert sorted(codes) == ["0", "1", "2", "3", "4"]
    assert [one("said").exit for one in (Infeasible, Unbounded)] == [3, 3]
    assert [one("said", ()).exit for one in (InputFault, ScenarioFault)] == [2, 2]
    assert (Stopped("said").exit, AllocoptError("said").exit) == (4, 1)


def test_a_batch_of_the_page_has_the_columns_that_it_names(said):
    (folder,) = Path(said["folder"]).glob("runs/what-ifs-*")
    record = json.loads((folder / "batch.json").read_text(encoding="utf-8"))
    assert record["exit"] == 0
    first = (folder / "results.csv").read_text(encoding="utf-8").partition("\n")[0].split(",")
    for name in ("number", "case", "pot.value", "pot.value_gbp", "rules.growth_floor.rate_pct", "status", "exit"):
        assert name in first


@pytest.mark.skipif(shutil.which("pwsh") is None, reason="PowerShell is not installed")
def test_the_powershell_block_works(said, tmp_path):
    ((_, text),) = blocks("powershell")
    shutil.copytree(Path(said["folder"]) / "runs", tmp_path / "runs")
    executed(["pwsh", "-NoProfile", "-Command", text], tmp_path, environment(tmp_path))
