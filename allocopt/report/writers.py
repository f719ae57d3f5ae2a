"""The files that a report is: written into a run folder when a run is made, or later beside it.

Imports `folders`, `runs`, `page`, `versus`, `workbook`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from allocopt.errors import InputFault, Problem
from allocopt.folders import seal_again
from allocopt.problem import paused_collector
from allocopt.report.material import material
from allocopt.report.page import page
from allocopt.report.partners import picture
from allocopt.report.workbook import workbook
from allocopt.runs import Run, read_run

FILES = ("report.html", "report.xlsx")
COMPARISON = "comparison.html"
PICTURE = "free-choice.svg"
"""Beside the report of free choice: who shares a budget with whom, as one picture."""


def reports(found: Run, folder: Path) -> None:
    """Write report.html and report.xlsx of a run into `folder`.

    They are made from the files where the run stands there already, so that a report made later has the same bytes.
    """
    if (folder / "run.json").is_file():
        found = replace(read_run(folder), folder=found.folder)
    shown = material(found.record, found.tables, found.folder)
    with paused_collector():
        (folder / "report.html").write_text(page(shown), encoding="utf-8")
        (folder / "report.xlsx").write_bytes(workbook(shown))
        if "plans" in found.tables:
            (folder / PICTURE).write_text(picture(shown) + "\n", encoding="utf-8")


def twins(found: Run, folder: Path) -> None:
    """Write a Parquet twin of every table of a run into `folder`."""
    for name, table in found.tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)


def compare_reports(runs: Sequence[Run], path: Path) -> None:
    """Write the comparison of two or more runs to `path`. Raises InputFault when they cannot be compared."""
    from allocopt.report.versus import comparison  # noqa: PLC0415 - a run compares nothing

    shown = [material(one.record, one.tables, one.folder) for one in runs]
    path.write_text(comparison(shown), encoding="utf-8")


def write_reports(folders: Sequence[Path], out: Path | None) -> list[Path]:
    """The report of one run or batch folder, or the comparison of several runs; returns what was written, and where.

    A comparison without `out` goes to the working folder. Raises InputFault for a folder that is no run.
    """
    from allocopt.report.cases import is_batch  # noqa: PLC0415 - a run is no batch

    if len(folders) == 1 and is_batch(folders[0]):
        return [_write_batch(folders[0], out or folders[0])]
    runs = [read_run(folder) for folder in folders]
    home = out or (folders[0] if len(runs) == 1 else Path())
    try:
        home.mkdir(parents=True, exist_ok=True)
        if len(runs) > 1:
            compare_reports(runs, home / COMPARISON)
            return [home / COMPARISON]
        reports(runs[0], home)
        seal_again(home, FILES)
    except OSError as failure:
        said = f"cannot write in {home}: {failure.strerror or failure}"
        raise InputFault(said, (Problem(said, "name a folder that you may write to: --out DIR", "--out"),)) from failure
    return [home / name for name in FILES]


def _write_batch(folder: Path, home: Path) -> Path:
    from allocopt.report.cases import batch_page  # noqa: PLC0415 - a run is no batch

    text, path = batch_page(folder), home / FILES[0]
    try:
        home.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        seal_again(home, FILES[:1])
    except OSError as failure:
        said = f"cannot write in {home}: {failure.strerror or failure}"
        raise InputFault(said, (Problem(said, "name a folder that you may write to: --out DIR", "--out"),)) from failure
    return path
