"""The frontier of gross deficit against travel: the least travel at so much more deficit, whatever the objectives."""

from __future__ import annotations

import pytest
from grouping_cases import legal_plans, random_instance
from grouping_scenarios import scenario_of
from test_consortia import OFF, PLACES, SCENARIO

import allocopt
from allocopt.consortia import frontier
from allocopt.errors import ScenarioFault

RATES = (0.0, 0.25, 1.0)


@pytest.fixture
def scenario(tmp_path):
    (tmp_path / "places.csv").write_text(PLACES, encoding="utf-8")
    path = tmp_path / "five.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return path


def test_every_point_is_the_least_travel_of_exhaustive_enumeration(tmp_path):
    """The rate is the whole country's, however many parts decide for themselves."""
    parts = 0
    for number, seed in enumerate((0, 2, 3, 20, 44, 55, 73, 86, 99)):
        instance, where = random_instance(seed)
        plans = [found for _, found in legal_plans(instance, where)]
        least = min(found["gross_deficit"] for found in plans)
        folder = tmp_path / str(seed)
        folder.mkdir()
        order = (["gross_deficit"], ["moves", "gross_deficit"], ["travel", "gross_deficit"])[number % 3]
        path = scenario_of(folder, instance, where, order, exempt="none", frontier="[0%, 25%, 100%]")
        run = allocopt.run(path, out=None)
        table = run.tables["travel_frontier"]
        for rate, row in zip(RATES, table.to_dict("records"), strict=True):
            best = min(one["travel"] for one in plans if one["gross_deficit"] <= least * (1 + rate) + 2e-7)
            said = f"seed {seed} at {rate:.0%}"
            assert row["travel_km"] == pytest.approx(best, abs=1e-4), said
            assert row["travel_bound_km"] == pytest.approx(best, abs=1e-5), said
            assert row["bound_gbp"] == pytest.approx(least * 1e6, abs=1), said
            assert row["deficit_at_most_gbp"] == pytest.approx(least * (1 + rate) * 1e6, abs=1), said
        parts += "integer programmes" in run.record["method"]
    assert parts == 2


def test_of_a_large_country_each_part_may_exceed_its_own_least_and_the_row_says_so(scenario, monkeypatch):
    monkeypatch.setattr(frontier, "EXACT_PAIRS", 0)
    asked = {**OFF, "rules.stay_in_area": "{}", "grouping.frontier": "[10%]"}
    table = allocopt.run(scenario, out=None, set=asked).tables["travel_frontier"]
    assert table.loc[0, ["plan", "applies"]].tolist() == [
        "deficit up to 10.00% above the least, in each part of the country",
        "each part",
    ]


def test_a_rate_below_the_least_is_refused(scenario):
    with pytest.raises(ScenarioFault, match="not negative, not -10%"):
        allocopt.run(scenario, out=None, set={**OFF, "grouping.frontier": "[-10%]"})


def test_a_frontier_without_coordinates_is_refused(scenario):
    text = scenario.read_text(encoding="utf-8").replace("latitude: lat, longitude: lon, ", "")
    scenario.write_text(text.replace("  reach: {max: 40 km}", "  number_of_consortia: {max: 2}"), encoding="utf-8")
    asked = {**OFF, "objectives": "[gross_deficit]", "grouping.frontier": "[10%]"}
    with pytest.raises(ScenarioFault) as failure:
        allocopt.run(scenario, out=None, set=asked)
    assert "distances need coordinates" in str(failure.value)


def test_a_given_grouping_whose_rules_cannot_hold_is_evaluated_and_says_that_it_has_no_frontier(scenario):
    rules = {"rules.population_window": "{max: 20000}", "grouping.exempt": "none"}
    asked = {**OFF, **rules, "grouping.column": "now", "grouping.frontier": "[10%]"}
    run = allocopt.run(scenario, out=None, set=asked)
    assert "travel_frontier" not in run.tables
    assert any(note.startswith("there is no frontier: ") for note in run.record["warnings"])
