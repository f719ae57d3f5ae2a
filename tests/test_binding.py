"""A rule that costs something binds somewhere, and what is said of a place at a limit is true to the pound."""

from __future__ import annotations

import re

import pytest

import allocopt
from allocopt.check.folder import verify
from allocopt.explain import explain
from allocopt.report.explanation import plain_text
from allocopt.scenario import load

CEILING = {"pot.value": "£79bn", "rules.growth_floor.rate": "3%", "rules.growth_ceiling.rate": "8%"}
CEILING |= {"objectives": "[gross_deficit, movement]"}
LOOSE = {"solver.slack": "0.01%", "solver.slack_at_least": "£1000"}


def test_a_ceiling_that_costs_28m_a_tenth_of_a_point_holds_places_to_the_pound(tmp_path):
    run = allocopt.run("england-ccgs", set=CEILING, out=tmp_path)
    (ceiling,) = (one for one in run.record["rules"] if one["name"] == "growth_ceiling")
    assert (ceiling["binding"], ceiling["price"]) == (69, pytest.approx(282.74, abs=0.01))
    limits = run.tables["limits"].set_index("place")
    held = limits[limits["held_by"] == "maximum"]
    assert len(held) == 69
    growth = run.allocations.set_index("place")["growth_pct"]
    assert growth[held.index].to_list() == pytest.approx([8.0] * 69, abs=1e-6)
    assert "it stands at the limit of growth_ceiling" in plain_text(explain(run.folder, "00R"))
    assert [one for one in verify(run.folder).checks if not one.passed] == []


@pytest.mark.parametrize("name", ["england-ccgs", "policy-1999-2000", "policy-2009-11", "policy-2016-21"])
def test_no_rule_with_a_price_binds_nowhere(name):
    rules = allocopt.run(name, out=None).record["rules"]
    assert [one["name"] for one in rules if (one["price"] or 0) > 1e-6 and not one["binding"]] == []


def test_the_last_objective_keeps_all_that_it_reached_to_the_pound():
    # with one objective alone there is no stage after it, and none before
    run = allocopt.run("england-ccgs", set=CEILING | {"objectives": "[gross_deficit]"}, out=None)
    (stage,) = run.record["objectives"]
    assert stage["final_value"] - stage["value"] <= 1.01e-6
    assert run.record["ties"]["broken"] == "even"
    assert {one["name"]: one["binding"] for one in run.record["rules"]}["growth_ceiling"] == 69


def test_a_slack_that_is_asked_for_is_told_where_it_moves_places_off_a_limit(tmp_path):
    # 0.01% of the gross deficit and of the money moved: 69 places lie up to £10,000 below their ceiling
    run = allocopt.run("england-ccgs", set=CEILING | LOOSE, out=tmp_path)
    (ceiling,) = (one for one in run.record["rules"] if one["name"] == "growth_ceiling")
    assert ceiling["binding"] == 0
    assert "binds in 0 of 192 rows to the pound; 70 are within the £142,422" in ceiling["words"]
    said = plain_text(explain(run.folder, "00R"))
    assert "no rule stops it" not in said
    assert re.search(r"it ends £8\d\d from the limit of growth_ceiling, within the £142,422 that the slack", said)


@pytest.mark.parametrize(
    ("sets", "slack"),
    [
        ({}, (0.0, 1e-6)),
        ({"solver.slack": "0.5%"}, (0.005, 1e-3)),
        ({"objectives": "[worst_shortfall, movement]"}, (1e-4, 1e-3)),
    ],
)
def test_stages_of_one_year_leave_a_pound_unless_the_scenario_says_more(sets, slack):
    solver = load("england-ccgs", set=sets).scenario.solver
    assert (solver.slack, solver.slack_at_least) == slack


def test_years_in_one_programme_keep_their_slack():
    assert load("england-ccgs-path").scenario.solver.slack == 1e-4
    assert load("england-ccgs-path", set={"path": "rolling"}).scenario.solver.slack_at_least == 1e-6
