"""Small sweeps for the tests of batches."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
GOOD = Path(__file__).parents[1] / "fixtures" / "bad" / "good" / "scenario.yaml"
FLOOR = "rules.growth_floor.rate"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def sweep(folder: Path, block: str, *, name: str = "floors", parent: Path | str | None = GOOD) -> Path:
    """A sweep file over a small scenario."""
    file = folder / f"{name}.yaml"
    extends = f"extends: {parent}\n" if parent else ""
    file.write_text(f"{extends}name: {name}\nsweep: {block}\n", encoding="utf-8")
    return file


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def command(file: Path, out: Path, *words: str) -> list[str]:
    """The command line of a batch."""
    return [sys.executable, "-m", "allocopt.cli", "batch", str(file), "--out", str(out), "--quiet", *words]
