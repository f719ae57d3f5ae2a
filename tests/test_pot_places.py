"""A part of the places is never given the money of all unseen: the pot says for whom it is."""

from __future__ import annotations

import re

import pytest
from four_places import PLACES, four_places

import allocopt
from allocopt.errors import ScenarioFault
from allocopt.plan import gather
from allocopt.scenario import load

NORTH = PLACES.replace("52.05,-1,E", "52.05,-1,N").replace("52.00,-1,E", "52.00,-1,N")
ONLY = {"inputs.places.only": "{area: N}"}
SHIFTED = NORTH.replace("9.0,10", "9.0,14")


def refused(path, changes) -> str:
    with pytest.raises(ScenarioFault) as failure:
        allocopt.run(path, out=None, set=changes)
    assert failure.value.exit == 2
    return str(failure.value)


def test_the_whole_pot_is_not_shared_by_a_few(tmp_path):
    """Needs 10, 14, 10, 10 of a pot of 44: A and B have 10 and 14, which is what the cure offers, ready to paste."""
    path = four_places(tmp_path, places=SHIFTED, grouping="budget: target").with_suffix(".yaml")
    path.write_text(path.read_text().replace("budget: baseline, ", "").replace("£40m", "£44m"))
    said = refused(path, ONLY)
    assert f"{path}:5:1: pot: the run has 2 places alone, those of {{area: N}}" in said
    assert "the pot of £44.0m is not said to be for them" in said
    offered = re.search(r"--set 'pot=(\{[^']+\})'", said).group(1)
    assert offered == "{value: £24.000000m, only: {area: N}}"
    run = allocopt.run(path, out=None, set={**ONLY, "pot": offered})
    whole = gather(load(path)).targets.target["2019-20"]
    assert run.headline["budget_gbp"] == round(whole[["A", "B"]].sum() * 1e6) == 24_000_000
    assert "only 2 of 4 places are in the run and share the pot: area is N" in run.record["warnings"]


def test_the_offer_has_every_year_and_a_stated_baseline_total(tmp_path):
    path = four_places(tmp_path, places=SHIFTED)
    text = (
        path.read_text()
        .replace("£40m", "{value: {2019-20: £44m, 2020-21: £88m}}")
        .replace("[2019-20]", "[2019-20, 2020-21]")
    )
    old = "baseline: {table: places.csv, column: base_m, unit: £m}"
    new = "baseline: {follows_activity: {beyond: 5%, share_beyond: 50%, seed: 1, total: £40m}}"
    path.write_text(text.replace(old, new))
    said = refused(path, ONLY)
    assert "neither is inputs.baseline.follows_activity.total" in said
    assert "pot={value: {2019-20: £24.000000m, 2020-21: £48.000000m}, only: {area: N}}" in said
    assert re.search(r"follows_activity.total=£[12]\d\.\d{6}m", said)


def test_a_pot_for_other_places_is_refused(tmp_path):
    path = four_places(tmp_path, places=NORTH)
    other = {**ONLY, "pot": "{value: £20m, only: {area: E}}"}
    assert "the pot of £20.0m is for {area: E}, and the run has the 2 places of {area: N}" in refused(path, other)
    nobody_left_out = {"pot": "{value: £20m, only: {area: E}}"}
    assert "is for {area: E}, and the run has 4 places, none left out" in refused(path, nobody_left_out)


def test_one_value_and_a_list_of_one_say_the_same(tmp_path):
    path = four_places(tmp_path, places=NORTH)
    run = allocopt.run(path, out=None, set={**ONLY, "pot": "{value: £20m, only: {area: [N]}}"})
    assert run.headline["places"] == 2


def test_where_the_whole_cannot_be_worked_out_the_offer_has_no_figure(tmp_path):
    path = four_places(tmp_path, places=NORTH.replace("10,10.5,10", "10,10.5,0"))
    assert "cure: say the pot of these places alone: pot: {value: ..., only: {area: N}}" in refused(path, ONLY)
