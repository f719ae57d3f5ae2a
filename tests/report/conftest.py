"""One national run and one small one, made once, with their reports."""

from __future__ import annotations

from pathlib import Path

import pytest

import allocopt
from allocopt.report.writers import reports
from allocopt.runs import Run, read_run

SMALL = Path(__file__).parents[1] / "fixtures" / "bad" / "good" / "scenario.yaml"


@pytest.fixture(scope="session")
def national(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The main job with its report, read back from its folder."""
    found = allocopt.run("england", out=tmp_path_factory.mktemp("national"), also=(reports,))
    assert found.folder is not None
    return read_run(found.folder)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of a few places without coordinates, with its report."""
    found = allocopt.run(SMALL, out=tmp_path_factory.mktemp("small"), also=(reports,))
    assert found.folder is not None
    return read_run(found.folder)
