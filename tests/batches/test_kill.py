"""kill -9 at any moment, then the same command again: the bytes of a batch that was never disturbed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

GOOD = Path(__file__).parents[1] / "fixtures" / "bad" / "good" / "scenario.yaml"


def command(file: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "allocopt.cli", "batch", str(file), "--workers", "1", "--out", str(out), "--quiet"]


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def cases(out: Path) -> int:
    return len(list(out.glob("*/cases/*/case.json")))


def test_a_batch_that_was_killed_three_times_ends_with_the_same_bytes(tmp_path):
    file = tmp_path / "floors.yaml"
    over = "{rules.growth_floor.rate: {from: 1%, to: 4%, step: 0.25%}}"
    file.write_text(f"extends: {GOOD}\nname: floors\nsweep: {{over: {over}}}\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(command(file, whole), check=True, env=environment, capture_output=True)
    for wanted in (1, 5, 9):
        process = subprocess.Popen(command(file, killed), env=environment, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while cases(killed) < wanted and process.poll() is None and time.monotonic() < until:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run([*command(file, killed), "--resume"], check=True, env=environment, capture_output=True)
    assert bytes_of(killed) == bytes_of(whole)
