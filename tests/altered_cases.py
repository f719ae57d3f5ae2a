"""Small groupings of every kind, run and written, for tests that change one figure of theirs."""

from __future__ import annotations

from pathlib import Path

import pytest
from four_places import PLACES as FOUR
from four_places import four_places
from test_consortia import PLACES, SCENARIO
from test_joint import PLACES as JOINT_PLACES
from test_joint import SCENARIO as JOINT

import allocopt
from allocopt.consortia import prices
from allocopt.grouping import solution

COMPARED = "[unpooled, present, nearest_hub, within_areas, across_areas]"
EVERYTHING = {
    "grouping.frontier": "[0%, 30%]",
    "grouping.alternatives": "{number: 1, within: 100%, differ: 1}",
    "objectives": "[gross_deficit, travel, moves]",
    "report.rule_prices": "true",
}
FREE = "columns: {population: people, latitude: lat, longitude: lon, area: area, group: now, imd: imd}"
AREAS = {
    "rules.stay_in_area": "{}",
    "rules.balance_band": "{max: 20%}",
    "rules.deprivation_mix": "{max: 90%}",
    "rules.population_window": "{min: 20000, max: 90000}",
}
GIVEN = "code,group,hub\nA,one,A\nB,one,A\nC,two,C\nD,two,C\n"
AFTER = {"model": "[pace_of_change, consortia]", "grouping.budget": "allocation"}


def _five(folder: Path, text: str = SCENARIO, places: str = PLACES) -> Path:
    (folder / "places.csv").write_text(places, encoding="utf-8")
    path = folder / "five.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def _run(path: Path, sets: dict[str, str]) -> Path:
    run = allocopt.run(path, set=sets, out=path.parent / "runs")
    assert run.folder is not None
    return run.folder


def declared(folder: Path) -> Path:
    """Declared hubs, areas that may be crossed, everything beside the plan asked for."""
    return _run(_five(folder), {**EVERYTHING, "rules.population_window": "{min: 30000}"})


def within_areas(folder: Path) -> Path:
    """The same within areas, with rules that compare with the area."""
    return _run(_five(folder), {**EVERYTHING, **AREAS})


def free(folder: Path) -> Path:
    """Every place may be a hub."""
    text = SCENARIO.replace("hub: hub, ", "").replace("nearest_hub, ", "")
    return _run(_five(folder, text), {**EVERYTHING, "rules.population_window": "{min: 40000}"})


def given(folder: Path) -> Path:
    """A grouping from a table, which breaks a rule."""
    path = four_places(
        folder, grouping=f"hub: hub, compare: {COMPARED}, frontier: [10%]", given=GIVEN, rules="reach: {max: 5 km}"
    )
    return _run(path, {})


def after_an_allocation(folder: Path) -> Path:
    """An allocation is made first and pooled."""
    text = SCENARIO.replace("grouping: {budget: baseline, ", "grouping: {")
    text = text.replace("model: consortia", "model: [pace_of_change, consortia]").replace(
        "rules:\n", "rules:\n  growth_floor: {rate: -5%}\n  growth_ceiling: {rate: 5%}\n"
    )
    text = text.replace("[gross_deficit, travel]", "[gross_deficit, shortfall_below_target, travel]")
    return _run(_five(folder, text), {"report.rule_prices": "true"})


def jointly(folder: Path) -> Path:
    """Allocation and grouping in one programme."""
    sets = {"rules.growth_ceiling.rate": "5.5%", "rules.locked.places": "{B: D, C: D, E: D}"}
    return _run(_five(folder, JOINT, JOINT_PLACES), {**sets, "report.rule_prices": "true"})


def bounded(folder: Path) -> Path:
    """Prices of rules by bounds alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prices, "CHEAP_PAIRS", 0)
        return _run(_five(folder), {**AREAS, "grouping.compare": "[unpooled]"})


def searched(folder: Path) -> Path:
    """Free hubs, searched as a nation is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(solution, "EXACT_PAIRS", 0)
        text = SCENARIO.replace("hub: hub, ", "").replace(COMPARED, "[unpooled, present]")
        sets = {"grouping.deterministic": "true", "rules.population_window": "{min: 40000}"}
        return _run(_five(folder, text), {**sets, "solver.time_limit": "4s"})


TOLL = "deficit_and_crossings: {per_place: £2.5m, per_head: £20}"


def crossings_priced(folder: Path) -> Path:
    """Crossings cost something: one is worth it, everything beside the plan asked for."""
    sets = {**EVERYTHING, "objectives": f"[{TOLL}, travel, moves]", "rules.population_window": "{min: 30000}"}
    return _run(_five(folder), sets)


def crossings_given(folder: Path) -> Path:
    """The same counted for a grouping from a table, in which D has its hub in another area."""
    path = four_places(
        folder,
        grouping=f"hub: hub, compare: {COMPARED}, frontier: [10%]",
        given=GIVEN.replace("D,two,C", "D,one,A"),
        objectives=f"{TOLL.replace('£2.5m', '£0.3m')}, travel",
        places=FOUR.replace("9.5,10", "9.4,10").replace("-1,E,0,g2", "-1,W,0,g2"),
        rules="reach: {max: 20 km}",
    )
    return _run(path, {"report.rule_prices": "true"})


def crossings_jointly(folder: Path) -> Path:
    """Allocation and grouping in one programme: B and C are with D, in another area."""
    places = JOINT_PLACES.replace("25,west,1", "25,east,1").replace("24,west,0", "24,east,0")
    sets = {"rules.growth_ceiling.rate": "5.5%", "rules.locked.places": "{B: D, C: D, E: D}"}
    sets |= {"objectives": f"[{TOLL}, shortfall_below_target, travel]"}
    return _run(_five(folder, JOINT, places), {**sets, "report.rule_prices": "true"})


def crossings_searched(folder: Path) -> Path:
    """Declared hubs and a price of crossings, searched as a nation is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(solution, "EXACT_PAIRS", 0)
        sets = {"grouping.deterministic": "true", "objectives": f"[{TOLL}, travel]", "solver.time_limit": "4s"}
        return _run(_five(folder), {**sets, "grouping.alternatives": "{number: 1, within: 100%, differ: 1}"})


CASES = {
    one.__name__: one
    for one in (
        declared,
        within_areas,
        free,
        given,
        after_an_allocation,
        jointly,
        bounded,
        searched,
        crossings_priced,
        crossings_given,
        crossings_jointly,
        crossings_searched,
    )
}
