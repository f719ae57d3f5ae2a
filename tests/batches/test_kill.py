"""kill -9 at any moment, then the same command again: the bytes of a batch that was never disturbed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from sweeps import ENVIRONMENT, FLOOR, bytes_of, command, sweep
from typer.testing import CliRunner

from allocopt.cli import app

STARTING = 2.0
"""Seconds that a process takes to begin with its first case: a kill may fall into them."""


def steps(folder: Path) -> Path:
    return sweep(folder, f"{{over: {{{FLOOR}: {{from: 1%, to: 4%, step: 0.125%}}}}}}")


def whole(file: Path, out: Path, *words: str) -> float:
    """Run the batch to its end in this process; how long a process of its own takes, about."""
    start = time.monotonic()
    answer = CliRunner().invoke(app, ["batch", str(file), "--out", str(out), "--quiet", *words])
    assert answer.exit_code == 0, answer.output
    return STARTING + time.monotonic() - start


def killed_after(seconds: float, cases: int, file: Path, out: Path, *, workers: int = 2) -> None:
    """Start the batch in a process group of its own; kill the group some time after so many cases are done."""
    words = command(file, out, "--workers", str(workers))
    process = subprocess.Popen(words, env=ENVIRONMENT, stdout=subprocess.DEVNULL, start_new_session=True)
    until = time.monotonic() + 60
    while len(list(out.glob("*/cases/*/case.json"))) < cases and process.poll() is None and time.monotonic() < until:
        time.sleep(0.001)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def assert_same_after_kills(tmp_path: Path, kills: int, *, seed: int) -> None:
    file, chance = steps(tmp_path), random.Random(seed)  # noqa: S311 - moments, not secrets
    duration = whole(file, tmp_path / "whole", "--workers", "1")
    expected = bytes_of(tmp_path / "whole")
    moments = sorted(chance.uniform(0.0, duration) for _ in range(kills))
    for number, moment in enumerate(moments):
        out = tmp_path / f"killed {number}"
        cases = chance.randrange(24)
        odd = number % 2
        killed_after(moment if odd else moment / 50, 0 if odd else cases, file, out, workers=2 - odd)
        whole(file, out, "--resume", "--workers", "1")
        assert bytes_of(out) == expected, f"kill {number} of seed {seed}"


def test_a_batch_that_was_killed_ends_with_the_same_bytes(tmp_path):
    assert_same_after_kills(tmp_path, 2, seed=1)


@pytest.mark.slow
def test_twenty_random_kills_change_no_byte(tmp_path):
    assert_same_after_kills(tmp_path, 20, seed=random.SystemRandom().randrange(1 << 30))


@pytest.mark.slow
def test_one_folder_that_is_killed_again_and_again_is_finished_in_the_end(tmp_path):
    file = steps(tmp_path)
    for cases in (1, 8, 16):
        killed_after(0.0, cases, file, tmp_path / "killed")
    whole(file, tmp_path / "killed", "--resume", "--workers", "2")
    whole(file, tmp_path / "whole", "--workers", "1")
    assert bytes_of(tmp_path / "killed") == bytes_of(tmp_path / "whole")
