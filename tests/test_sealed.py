"""One changed byte of any file of a run, or of a batch's page, is found; a report that is written again is sealed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from allocopt.check.folder import verify
from allocopt.cli import app

GOOD = Path(__file__).parent / "fixtures" / "bad" / "good" / "scenario.yaml"


def done(*words: str, status: int = 0) -> str:
    answer = CliRunner().invoke(app, list(words))
    assert answer.exit_code == status, answer.output
    return answer.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs")
    done("run", str(GOOD), "--format", "parquet", "--out", str(out), "--quiet")
    (found,) = out.iterdir()
    return found


def test_one_changed_byte_is_found_in_every_file(folder):
    assert verify(folder).passed
    names = sorted(path.name for path in folder.iterdir())
    assert {"report.html", "report.xlsx", "assurance.md", "allocations.parquet", "run.json"} <= set(names)
    for name in names:
        if name in ("timing.json", "run.json", "allocations.csv", "effects.csv"):  # read first, or outside every hash
            continue
        before = (folder / name).read_bytes()
        changed = bytearray(before)
        changed[len(changed) // 2] ^= 1
        (folder / name).write_bytes(bytes(changed))
        assert f"{name} is not as it was written" in failed(folder)
        (folder / name).write_bytes(before)
    (folder / "report.html").rename(folder / "elsewhere")
    assert "report.html is not there" in failed(folder)
    (folder / "elsewhere").rename(folder / "report.html")
    assert verify(folder).passed


def failed(folder: Path) -> str:
    return "\n".join(one.words for one in verify(folder).checks if not one.passed)


def test_a_report_that_is_written_again_is_sealed_again(folder):
    before = (folder / "report.html").read_bytes()
    (folder / "report.html").write_bytes(b"spoiled")
    assert not verify(folder).passed
    done("report", str(folder))
    assert (folder / "report.html").read_bytes() == before
    assert verify(folder).passed


def test_the_page_of_a_batch_is_sealed_with_it(tmp_path):
    file = tmp_path / "floors.yaml"
    over = "{rules.growth_floor.rate: [1%, 2%]}"
    file.write_text(f"extends: {GOOD}\nname: floors\nsweep: {{over: {over}, keep: [movement]}}\n", encoding="utf-8")
    words = ("batch", str(file), "--workers", "1", "--out", str(tmp_path / "runs"), "--report")
    (found,) = (Path(json.loads(done(*words, "--json"))["batch"]),)
    assert json.loads(done("verify", str(found), "--json"))["passed"]
    page = found / "report.html"
    page.write_text(page.read_text(encoding="utf-8").replace("2%", "3%", 1), encoding="utf-8")
    assert "report.html is not as it was written" in done("verify", str(found), "--json", status=1)
    done(*words, "--quiet")
    assert json.loads(done("verify", str(found), "--json"))["passed"]
