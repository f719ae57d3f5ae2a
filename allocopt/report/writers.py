"""The files that a report is: written into a run folder when a run is made, or later beside it.

Imports `runs`, `page`, `workbook`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from allocopt.report.page import write_page
from allocopt.report.workbook import write_workbook
from allocopt.runs import Run, read_run

FILES = ("report.html", "report.xlsx")


def reports(found: Run, folder: Path) -> None:
    """Write report.html and report.xlsx of a run into `folder`.

    They are made from the files where the run stands there already, so that a report made later has the same bytes.
    """
    if (folder / "run.json").is_file():
        found = replace(read_run(folder), folder=found.folder)
    if "groups" in found.tables:  # the page of a grouping is not written yet
        return
    (folder / "report.html").write_text(write_page(found), encoding="utf-8")
    (folder / "report.xlsx").write_bytes(write_workbook(found))
