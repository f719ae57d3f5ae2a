"""A small run that decides allocations."""

from __future__ import annotations

from pathlib import Path

import pytest

import allocopt


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run over four places."""
    scenario = Path(__file__).parents[1] / "fixtures" / "bad" / "good" / "scenario.yaml"
    found = allocopt.run(scenario, out=tmp_path_factory.mktemp("small"))
    assert found.folder is not None
    return found.folder
