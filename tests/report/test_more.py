"""Sections that show when the run has the material: stress, prices, the frontier, consortia, further tables."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from allocopt.report.account import rules_section
from allocopt.report.material import Material, material
from allocopt.report.more import further_sections
from allocopt.report.page import page, sections
from allocopt.report.pooling import consortia_section
from allocopt.report.treasury import stress_section
from allocopt.report.workbook import workbook
from allocopt.runs import Run


def facts(run: Run) -> Material:
    return material(run.record, run.tables, run.folder)


def with_table(found: Material, name: str, table: pd.DataFrame) -> Material:
    return replace(found, tables={**found.tables, name: table})


def stressed(found: Material) -> Material:
    """Two levels, two kinds of luck, one further test: means and 90% ranges, a breach, a pool."""
    rows = []
    for test, shift in (("correlated", 0), ("independent", -10), ("demand_1pct", 100)):
        for level, mean in (("place", 1000), ("nation", 200)):
            rows += [(test, level, "gross_deficit", "mean", "GBP", 1e6 * (mean + shift))]
            rows += [
                (test, level, "exposure", stat, "GBP", 1e6 * (mean + shift + by))
                for stat, by in (("mean", 0), ("p05", -50), ("p95", 50))
            ]
            rows += [
                (test, level, "gross_deficit", stat, "GBP", 1e6 * (mean + shift + by))
                for stat, by in (("p05", -50), ("p95", 50))
            ]
            rows += [(test, level, "breach", "probability", "probability", 0.25)]
    rows += [("pool", "nation", "top_slice_money", "value", "GBP", 5e6)]
    table = pd.DataFrame(rows, columns=["test", "level", "measure", "statistic", "unit", "value"])
    said = {
        "draws": 100,
        "seed": 7,
        "words": "w",
        "limit_gbp": 10,
        "retention": ["30% kept"],
        "budget_holder": "nation",
    }
    said["tests"] = {"correlated": "as it is", "independent": "by itself", "demand_1pct": "1% more"}
    return replace(with_table(found, "stress", table), record={**found.record, "stress": said})


def test_a_run_without_stress_has_no_stress_section(small):
    assert stress_section(facts(small)) is None


def test_stress_shows_both_kinds_of_luck_and_every_test(small):
    section = stress_section(stressed(facts(small)))
    assert section is not None
    assert [figure.id for figure in section.figures] == ["stress-level", "stress-tests"]
    levels = section.figures[0].spec
    assert levels is not None
    lines = {trace["name"]: trace["y"] for trace in levels["data"]}
    assert lines["mean, correlated"] == [1000.0, 200.0]
    assert lines["mean, independent"] == [990.0, 190.0]
    assert lines["5 to 95% of draws"] == [1050.0, 250.0]
    assert "£1,000,000,000 to £200,000,000" in section.figures[0].caption
    assert "largest mean exposure is £300,000,000, under “demand 1pct”" in section.figures[1].caption
    assert section.grids[0].rows[0] == ("correlated", "place", 1e9, None, None, 1e9, 25.0)
    assert section.grids[1].written == [["pool", "nation", "top slice money", "£5,000,000"]]


def test_prices_are_drawn_where_the_run_has_worked_them_out(small):
    rules = [{**one, "without": 2.5 if one["name"] == "growth_floor" else None} for one in small.record["rules"]]
    found = replace(facts(small), record={**small.record, "rules": rules})
    section = rules_section(found)
    assert section.figures[0].grid is not None
    assert section.figures[0].grid.rows[0][:2] == ("growth_floor", 2.5e6)
    assert "£2.5m, without growth_floor" in section.figures[0].caption


def test_a_frontier_is_drawn_as_proven_points(small):
    rows = [("f", point, name, "GBP m", 0.0, value, value, 0.0, True) for point, name, value in (
        (0, "movement", 1.0), (0, "gross_deficit", 9.0), (1, "movement", 2.0), (1, "gross_deficit", 4.0))]  # fmt: skip
    columns = ["frontier", "point", "objective", "unit", "limit", "value", "bound", "gap", "proven"]
    section = further_sections(with_table(facts(small), "frontier", pd.DataFrame(rows, columns=columns)))[0]
    spec = section.figures[0].spec
    assert spec is not None
    assert (spec["data"][0]["x"], spec["data"][0]["y"]) == ([1.0, 2.0], [9.0, 4.0])
    assert "Every point is proven." in section.figures[0].caption


def test_a_table_nobody_knows_is_shown_too_and_cut_with_a_word(small):
    found = with_table(facts(small), "something_new", pd.DataFrame({"place": ["D1"] * 150, "extra_gbp": range(150)}))
    section = further_sections(found)[0]
    assert section.title == "Something new"
    assert section.words == ("The first 100 of 150 rows; something_new.csv holds them all.",)
    assert len(section.grids[0].rows) == 100


@pytest.fixture
def grouped(small: Run) -> Material:
    """The small run with a grouping: two consortia, one with a deficit; coordinates in England."""
    found = facts(small)
    codes = found.places.index.tolist()
    groups = pd.DataFrame(
        {"place": codes, "group": ["D1", "D1", "D3", "D3"], "moved": 0, "distance_km": [0.0, 2.0, 0.0, 3.0]}
    )
    rows = [("D1", 2, 10.0, 100, 90, 10, 10.0, 0, 1.0, 1.0), ("D3", 2, 20.0, 300, 330, -30, -10.0, 30, 1.1, 2.0)]
    money = ["budget_gbp", "spend_gbp", "balance_gbp", "balance_pct", "deficit_gbp"]
    consortia = pd.DataFrame(rows, columns=["group", "places", "population", *money, "need_index", "travel_km"])
    comparison = pd.DataFrame(
        {"plan": ["unpooled", "plan"], "gross_deficit_gbp": [50, 30], "gross_surplus_gbp": [30, 10]}
    )
    places = found.tables["places"].assign(latitude=[51.5, 51.6, 53.0, 53.1], longitude=[-0.1, 0.0, -1.0, -1.1])
    tables = {**found.tables, "groups": groups, "consortia": consortia, "comparison": comparison, "places": places}
    return replace(found, tables=tables)


def test_consortia_are_outlined_on_the_map_by_surplus_and_deficit(grouped):
    text = page(grouped)
    assert text.count('<path class="hull surplus"') == text.count('<path class="hull short"') >= 1
    assert "deficit £30 (-10.00%)" in text


def test_what_pooling_does_is_said_from_the_numbers(grouped):
    section = consortia_section(grouped)
    assert section is not None
    assert "Gross deficit is £50 for “unpooled” and least, £30, for “plan”" in section.figures[0].caption


def test_a_grouping_without_allocations_still_makes_a_page_and_a_workbook(grouped):
    tables = {name: table for name, table in grouped.tables.items() if name not in ("allocations", "effects")}
    effects = pd.DataFrame(
        {"table": ["comparison"], "group": ["plan"], "measure": ["m"], "unit": ["GBP"], "value": [1.0]}
    )
    alone = replace(grouped, tables={**tables, "effects": effects})
    made = [section.id for section in sections(alone)]
    assert made[:3] == ["summary", "map", "consortia"]
    assert "distance" not in made
    assert workbook(alone)[:2] == b"PK"
