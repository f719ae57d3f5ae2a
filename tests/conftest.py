"""How every test here runs: the same examples each time, and one flag to write golden files anew."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "steady",
    derandomize=True,
    deadline=None,
    max_examples=40,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-golden", action="store_true", help="write the golden files anew; read the diff before committing"
    )


@pytest.fixture
def write_golden(request: pytest.FixtureRequest) -> bool:
    """True when golden files are to be written rather than compared."""
    return bool(request.config.getoption("--write-golden"))
