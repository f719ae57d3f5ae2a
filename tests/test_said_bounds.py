"""A bound that is branch and bound's own is called so wherever it is shown."""

from __future__ import annotations

from typing import Any

import pytest
from altered_cases import CASES

from allocopt.consortia.words import summary_of
from allocopt.report.headline import BY_SOLVER, headline_rows
from allocopt.runs import read_run
from allocopt.said_bounds import aim_of, without_solver

LIFTED = {"name": "L", "value": 9.0, "unit": "GBP m", "words": "by integer programmes", "by": "highs"}


@pytest.fixture(scope="module")
def record(tmp_path_factory) -> dict[str, Any]:
    """Within areas the plan is 7 over, and bound A proves all of it."""
    return dict(read_run(CASES["bounded"](tmp_path_factory.mktemp("bounded"))).record)


def test_a_bound_that_needs_no_solver_is_told_as_it_is(record):
    assert without_solver(record) is None
    assert "branch and bound" not in summary_of(record)
    assert not any(BY_SOLVER in figure for _, figure in headline_rows(record))


def test_what_branch_and_bound_adds_is_named_with_what_is_proved_without_it(record):
    """Bound A is 7; local integer programmes make it 9."""
    lifted = {
        **record,
        "bounds": [*record["bounds"], LIFTED],
        "headline": {**record["headline"], "bound_gbp": 9_000_000},
    }
    assert without_solver(lifted) == pytest.approx(7.0)
    said = "has less than £9.0m (by branch and bound, which is not proved again; without it £7.0m)"
    assert said in summary_of(lifted)
    assert [figure for _, figure in headline_rows(lifted) if BY_SOLVER in figure] == [f"£9.0m{BY_SOLVER}"]


def test_a_stage_of_the_solver_alone_is_named_too(record):
    stage = record["objectives"][0] | {"bound": 7.5, "by": "highs"}
    assert without_solver({**record, "objectives": [stage, *record["objectives"][1:]]}) == pytest.approx(7.0)


def test_with_a_price_of_crossings_the_bound_is_that_of_both_together():
    """£12.3m with what crossings count, by the solver alone; gross deficit after it has a bound of another kind."""
    first = {"name": "deficit_and_crossings", "value": 12.3, "bound": 12.3, "by": "highs"}
    after = {"name": "gross_deficit", "value": 9.0, "bound": 9.0, "by": "highs"}
    bounds = [{"name": "T", "value": 4.2}]
    assert aim_of({"objectives": [after]}) == "gross_deficit"
    assert aim_of({"objectives": [after, first]}) == "deficit_and_crossings"
    assert without_solver({"objectives": [first, after], "bounds": bounds}) == pytest.approx(4.2)
    assert without_solver({"objectives": [after, first], "bounds": bounds}) is None
