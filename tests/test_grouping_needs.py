"""What a scenario says of a grouping is obeyed or refused, never ignored; what it lacks is told in words."""

from __future__ import annotations

import json
import warnings

import pytest
from four_places import COLUMNS, PLACES, four_places
from typer.testing import CliRunner

import allocopt
from allocopt.check.folder import verify
from allocopt.cli import app
from allocopt.errors import ScenarioFault

NO_GROUP = COLUMNS.replace(", group: now", "")


def refused(tmp_path, **said: str) -> str:
    with pytest.raises(ScenarioFault) as failure:
        allocopt.run(four_places(tmp_path, **said), out=None)
    assert failure.value.exit == 2
    return str(failure.value)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ("population_window: {min: 9000, waive: [TYPO]}", "rules.population_window.waive: no such hub or area: TYPO"),
        ("balance_band: {max: 50%, waive: [TYPO]}", "rules.balance_band.waive: no such hub or area: TYPO"),
        ("reach: {max: 50 km, waive: [TYPO]}", "rules.reach.waive: no such place: TYPO"),
        ("balance_band: {max: 50%, waive: [B]}", "only a hub can be excused, and B is none"),
        ("locked: {places: {B: D}}", "rules.locked.places.B: B is locked to D, which is not among the scenario's hubs"),
        ("locked: {places: {A: C}}", "A is locked to C and is a declared hub itself"),
    ],
)
def test_names_that_would_be_ignored_or_cannot_hold(tmp_path, rules, words):
    said = refused(tmp_path, rules=rules)
    assert words in said
    assert "four.yaml:13:" in said


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"rules": "locked: {places: {B: D}}"}, "B is locked to D, which is not among the scenario's hubs"),
        ({"given": "code,group\nA,one\nB,one\nC,two\nD,\n"}, "given.csv:5: grouping.column: no consortium is given"),
    ],
)
def test_check_finds_it_without_solving(tmp_path, said, words):
    answer = CliRunner().invoke(app, ["check", str(four_places(tmp_path, **said))])
    assert answer.exit_code == 2
    assert words in answer.stderr
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text("extends: four.yaml\nsweep: {how: grid, over: {solver.gap: [0%, 1%]}}\n", encoding="utf-8")
    answer = CliRunner().invoke(app, ["check", str(sweep)])
    assert (answer.exit_code, words in answer.stderr) == (2, True)


def test_areas_and_hubs_may_be_excused(tmp_path):
    path = four_places(
        tmp_path, rules="population_window: {min: 25000, waive: [E]}, balance_band: {max: 1%, waive: [A, C]}"
    )
    assert allocopt.run(path, out=None).record["exemptions"] == []


def test_a_lock_needs_a_present_group(tmp_path):
    said = refused(tmp_path, rules="locked: {places: [A, B]}", columns=NO_GROUP)
    assert "A, B are to stay in their present group, and no column of present groups is named" in said
    said = refused(tmp_path, rules="locked: {places: [A, B]}", places=PLACES.replace("0,g1", "0,"))
    assert "rules.locked.places: B have no present group to stay in" in said


def test_a_hub_that_is_locked_to_another_is_no_hub_to_be_locked_to(tmp_path):
    said = refused(tmp_path, grouping="hubs: free", rules="locked: {places: {A: B, B: C}}")
    assert "A is locked to B, which is itself locked to C" in said


def test_least_exemptions_and_none_contradict_each_other(tmp_path):
    said = refused(tmp_path, grouping="exempt: none", rules="reach: {max: 3 km, waive: least}")
    assert "rules.reach.waive: as few places as possible are to be excused, and grouping.exempt: none" in said


def test_alternatives_that_cannot_be(tmp_path):
    wish = "alternatives: {number: 2, within: 1%, differ: 9}"
    assert "plans cannot differ at 9 places: the run has 4 places" in refused(tmp_path, grouping=wish)
    wish = "column: now, alternatives: {number: 2, within: 1%, differ: 1}"
    assert "there are no alternatives to it" in refused(tmp_path, grouping=wish)
    wish = "alternatives: {number: 2, within: -1%, differ: 1}"
    assert "grouping.alternatives.within: a limit on a difference is not negative" in refused(tmp_path, grouping=wish)


def test_fewer_alternatives_than_asked_are_told(tmp_path):
    wish = "alternatives: {number: 3, within: 0%, differ: 3}"
    run = allocopt.run(four_places(tmp_path, grouping=wish, rules="reach: {max: 6 km}"), out=None)
    assert run.record["alternatives"]["found"] == 0
    assert any("0 of 3 alternatives found" in one for one in run.record["warnings"])


def test_comparisons_with_groups_that_are_not_there(tmp_path):
    said = refused(tmp_path, grouping="compare: [present]", columns=NO_GROUP)
    assert "grouping.compare: present groups are to be compared, and no column of them is named" in said
    said = refused(tmp_path, grouping="compare: [present], present: [nope]")
    assert "grouping.present: the places have no column 'nope'" in said


def test_the_nearest_hub_needs_coordinates(tmp_path):
    columns = COLUMNS.replace("latitude: lat, longitude: lon, ", "")
    said = refused(tmp_path, grouping="compare: [nearest_hub]", columns=columns, objectives="gross_deficit")
    assert "distances need coordinates, and no column is named for latitude" in said


def test_a_hub_column_without_a_hub(tmp_path):
    said = refused(tmp_path, places=PLACES.replace(",E,1,", ",E,0,"))
    assert "inputs.places.columns.hub: no place of the run has 1 in the hub column 'hub'" in said
    assert "grouping.hubs: free" in said


def test_scores_of_which_no_share_can_be_taken(tmp_path):
    said = refused(tmp_path, rules="deprivation_mix: {max: 10%}", places=PLACES.replace(",20,10,", ",0,10,"))
    assert "rules.deprivation_mix: the mean deprivation score of all places is 0" in said


def test_an_area_without_any_score_is_not_held_to_a_mix(tmp_path):
    """C and D are an area of their own without a score: the rule says nothing of them, and nothing is divided by 0."""
    places = PLACES.replace("52.10,-1,E,1,g2,20", "52.10,-1,N,1,g2,").replace("52.15,-1,E,0,g2,20", "52.15,-1,N,0,g2,")
    path = four_places(tmp_path, rules="stay_in_area: {}, deprivation_mix: {max: 10%}", places=places)
    path.write_text(path.read_text().replace("group: now}}", "group: now}, missing: {imd: {treat: own_group}}}"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = allocopt.run(path, out=None)
    assert run.record["status"] == "optimal"
    assert "2 places have no imd: own group 'not known'" in run.record["warnings"]


def test_a_column_without_a_gap_is_not_told_of(tmp_path):
    path = four_places(tmp_path)
    path.write_text(path.read_text().replace("group: now}}", "group: now}, missing: {imd: {treat: own_group}}}"))
    assert not any("no imd" in one for one in allocopt.run(path, out=None).record["warnings"])


def test_the_number_of_workers_changes_nothing_but_the_timing(tmp_path):
    """Two areas, two parts: the folder, its name and every byte but timing.json are those of one worker."""
    places = PLACES.replace("52.10,-1,E", "52.10,-1,N").replace("52.15,-1,E", "52.15,-1,N")
    path = four_places(tmp_path, rules="stay_in_area: {}", places=places)
    one, two = (
        allocopt.run(path, out=tmp_path / f"with_{workers}", set={"grouping.workers": workers}).folder
        for workers in ("1", "2")
    )
    assert one.name == two.name
    names = sorted(file.name for file in one.iterdir())
    assert names == sorted(file.name for file in two.iterdir())
    for name in (name for name in names if name != "timing.json"):
        assert (one / name).read_bytes() == (two / name).read_bytes(), name
    assert [json.loads((folder / "timing.json").read_text())["workers"] for folder in (one, two)] == [1, 2]
    assert all(verify(folder).passed for folder in (one, two))
