"""The wheel ships models and scenarios with their data, and runs in an empty folder."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_an_installed_wheel_runs_england_in_an_empty_folder(tmp_path: Path) -> None:
    built, site, empty = tmp_path / "built", tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(built), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    run = [sys.executable, "-m", "allocopt.cli", "run", "england", "--json"]
    done = subprocess.run(
        run, capture_output=True, text=True, cwd=empty, env={**os.environ, "PYTHONPATH": str(site)}, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["status"], said["headline"]["places"]) == ("optimal", 7325)
    assert said["headline"]["pot_gbp"] == 78_541_382_000
    assert (empty / said["run"] / "allocations.csv").exists()
