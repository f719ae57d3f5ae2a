"""What goes wrong in a batch is told and loses nothing: broken cases, a full disk, a folder that cannot be written."""

from __future__ import annotations

import errno
import json
import resource
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sweeps import ENVIRONMENT, FLOOR, bytes_of, command, sweep

from allocopt.batches import batch
from allocopt.errors import InputFault

BROKEN = {
    20: "9%",
    40: "9.5%",
    60: "3",
    80: "2,5%",
    100: "12%",
    120: "£4m",
    140: "11%",
    160: "10%",
    180: "off%",
    200: "8.5%",
}
"""Number of the case -> a floor that no allocation obeys, or one that cannot be read."""


def floors() -> list[str]:
    return [BROKEN.get(number, f"{1 + number / 100:g}%") for number in range(1, 201)]


def test_ten_broken_cases_of_two_hundred_keep_their_diagnosis_and_stop_no_other(tmp_path):
    quoted = ", ".join(f'"{one}"' for one in floors())
    file = sweep(tmp_path, f"{{over: {{{FLOOR}: [{quoted}]}}, keep: [gross_deficit_gbp, allocations]}}")
    told: list[str] = []
    found = batch(file, workers=1, out=tmp_path / "runs", tell=lambda one: told.append(one.failure or ""))
    assert found.record["statuses"] == {"infeasible": 6, "optimal": 190, "scenario": 4}
    assert (found.record["cases"], found.exit) == (200, 3)
    wrong = found.results[found.results["status"] != "optimal"]
    assert sorted(wrong["number"]) == sorted(BROKEN)
    assert sum(bool(one) for one in told) == 10
    for number, code in zip(wrong["number"], wrong["exit"], strict=True):
        error = json.loads((found.case(int(number)) / "error.json").read_text(encoding="utf-8"))["error"]
        assert error["exit"] == code
        assert error["cures"] if code == 3 else all(one["cure"] for one in error["problems"])
        assert not (found.case(int(number)) / "run.json").exists()
    right = found.results[found.results["status"] == "optimal"]
    assert right["gross_deficit_gbp"].notna().all()
    assert all((found.folder / "cases" / case / "run.json").is_file() for case in right["case"])


def test_a_disk_that_fills_up_is_told_and_what_is_done_is_kept(tmp_path, monkeypatch):
    file = sweep(tmp_path, f"{{over: {{{FLOOR}: {{from: 1%, to: 4%, step: 0.25%}}}}}}")
    whole = batch(file, workers=1, out=tmp_path / "whole")
    write, left = Path.write_bytes, 40

    def fills_up(path: Path, data: Any) -> int:
        nonlocal left
        left -= 1
        if left <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", fills_up)
    with pytest.raises(InputFault, match=r"(?s)No space left on device.*finished cases are kept: run it again"):
        batch(file, workers=1, out=tmp_path / "full")
    monkeypatch.undo()
    again = batch(file, workers=1, out=tmp_path / "full")
    assert 0 < again.reused < 13
    assert bytes_of(tmp_path / "full") == bytes_of(tmp_path / "whole")
    assert whole.folder.name == again.folder.name


def test_a_limit_on_file_sizes_is_told_by_the_command(tmp_path):
    """The operating system itself refuses to write: exit 2, the path, a cure, and no traceback."""
    file = sweep(tmp_path, f"{{over: {{{FLOOR}: [1%, 2%]}}}}")
    done = subprocess.run(
        command(file, tmp_path / "runs", "--workers", "1"),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)),
    )
    assert done.returncode == 2, done.stderr
    assert "cannot write" in done.stderr
    assert "--out DIR" in done.stderr
    assert "Traceback" not in done.stderr
