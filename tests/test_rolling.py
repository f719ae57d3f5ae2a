"""Paths over several years: joint and rolling, deficits carried forward, and how near the path comes."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from allocopt.check.folder import verify
from allocopt.errors import InputFault
from allocopt.explain import explain
from allocopt.pathway import band_headline, projected
from allocopt.report.explanation import plain_text
from allocopt.runs import run

PLACES = "code,name,people,need,base,spend\nA,Ash,1000,126,100,110\nB,Beech,1000,105,100,100\nC,Cedar,1000,84,100,102\n"
SCENARIO = """\
format: 1
name: three places, three years
model: pace_of_change
years: [2019-20, 2020-21, 2021-22]
pot: {value: {2019-20: £315m, 2020-21: £330.75m, 2021-22: £347.2875m}}
inputs:
  places: {table: places.csv, key: code, name: name, columns: {population: people}}
  baseline: {table: places.csv, column: base, unit: £m}
  spend: {risk_model: england_practices, seed: 1, area_sd: 0%, gradient_poorest: 0%, gradient_richest: 0%}
formula: {need: {share: 100%, need: need}}
rules: {growth_floor: {rate: 2%, taper: {from: 5%, to: 10%}}}
objectives: [shortfall_below_target, movement]
"""
ROLLING = SCENARIO + "path: rolling\n"


def solved(folder, text, out=None):
    (folder / "places.csv").write_text(PLACES, encoding="utf-8")
    (folder / "path.yaml").write_text(text, encoding="utf-8")
    return run(folder / "path.yaml", out=out)


def column(found, name):
    return found.allocations.pivot_table(index="place", columns="year", values=name, sort=False).to_numpy()


def test_each_year_of_a_rolling_path_opens_with_what_the_year_before_gave(tmp_path):
    found = solved(tmp_path, ROLLING)
    assert (column(found, "baseline_gbp")[:, 1:] == column(found, "allocation_gbp")[:, :-1]).all()


def test_a_rolling_path_tapers_on_its_own_openings_and_a_joint_one_on_the_base_years(tmp_path):
    # C opens at 100 against 300 x 84/315 = 80: +25%, where the taper ends, so it is held at 100. Rolling, C opens
    # 2020-21 at 100 against 84: +19.05%, and its floor is 2% x (25 - 19.05) / 20 = 0.6%; joint, it stays at nothing.
    wide = "taper: {from: 5%, to: 25%}"
    rolling, joint = (
        solved(tmp_path, text.replace("taper: {from: 5%, to: 10%}", wide)) for text in (ROLLING, SCENARIO)
    )
    given = column(rolling, "allocation_gbp")[2, 0] / 1e6
    opening = rolling.allocations.set_index(["place", "year"])["opening_dft_pct"]["C", "2020-21"] / 100
    assert opening == pytest.approx(given / 84 - 1, abs=1e-6)
    compiled = rolling.plan.compiled
    floor = compiled.row_lower[compiled.row_names.index("growth_floor[C,2020-21]")]
    assert floor == pytest.approx((1 + 0.02 * (0.25 - opening) / 0.2) * given, abs=1e-6)
    row = joint.plan.compiled.row_names.index("growth_floor[C,2020-21]")
    assert sorted(np.abs(joint.plan.compiled.matrix[[row]].data)) == pytest.approx([1.0, 1.0])


def test_the_stages_of_a_rolling_path_are_the_sums_of_its_years(tmp_path):
    found = solved(tmp_path, ROLLING)
    for stage in found.record["objectives"]:
        assert stage["value"] == pytest.approx(sum(one["value"] for one in stage["by_year"].values()))
        assert stage["by"] == "weak duality, each year by itself"
        assert stage["proven"]
    assert any("no optimality over the years is claimed" in one for one in found.record["warnings"])


def test_a_joint_path_says_what_its_tapers_take(tmp_path):
    found = solved(tmp_path, SCENARIO)
    assert any(one.startswith("path: joint: all years are one programme") for one in found.record["warnings"])


CARRY = ROLLING + "carry_forward: {share: 50%}\n"


def test_a_deficit_is_the_first_call_on_next_years_money(tmp_path):
    found = solved(tmp_path, CARRY)
    deficit, carried = column(found, "deficit_gbp"), column(found, "carried_forward_gbp")
    spend, alone = column(found, "spend_gbp"), column(solved(tmp_path, ROLLING), "spend_gbp")
    assert deficit[:, 0].any()
    assert (carried[:, 0] == 0).all()
    assert carried[:, 1:] == pytest.approx(0.5 * deficit[:, :-1], abs=1)
    assert spend - carried == pytest.approx(alone, abs=1)


# A is given 90 of the 100 that it needs and spends, B 110, C 100, three years running. A's deficit is 10 a year,
# carried on: 10, 20, 30, all of it underfunding, of which 10 a year are new. Nobody ever spends above need.
STANDING = """\
format: 1
name: three places that spend what they need
model: pace_of_change
years: [2019-20, 2020-21, 2021-22]
path: rolling
carry_forward: {share: 100%}
pot: {value: {2019-20: £300m, 2020-21: £300m, 2021-22: £300m}}
inputs:
  places: {table: standing.csv, key: code, columns: {population: people}}
  baseline: {table: standing.csv, column: base, unit: £m}
  spend:
    {risk_model: england_practices, seed: 1, kappa: 0, area_sd: 0%, persistent_sd: 0%, heavy_sd: 0%, heavy_share: 0%,
     gradient_poorest: 0%, gradient_richest: 0%, national_shift: 0%}
formula: {need: {share: 100%, need: need}}
rules: {uniform_growth: {}}
objectives: [gross_deficit]
"""


def standing(folder):
    rows = "A,1000,90,100\nB,1000,110,100\nC,1000,100,100\n"
    (folder / "standing.csv").write_text("code,people,base,need\n" + rows, encoding="utf-8")
    (folder / "standing.yaml").write_text(STANDING, encoding="utf-8")
    return run(folder / "standing.yaml", out=folder / "runs")


def test_a_carried_deficit_keeps_its_origin_and_is_told_from_the_new_one(tmp_path):
    found = standing(tmp_path)
    for name, wanted in {
        "carried_forward_gbp": [0, 10, 20],
        "deficit_gbp": [10, 20, 30],
        "deficit_underfunding_gbp": [10, 20, 30],
        "deficit_above_need_gbp": [0, 0, 0],
        "deficit_new_gbp": [10, 10, 10],
        "deficit_carried_gbp": [0, 10, 20],
    }.items():
        assert (column(found, name)[0] / 1e6).tolist() == wanted, name
    said = {name: found.headline[f"{name}_gbp"] / 1e6 for name in ("gross_deficit", "new_deficit", "closing_deficit")}
    assert said == {"gross_deficit": 60, "new_deficit": 30, "closing_deficit": 30}
    assert found.headline["deficit_above_need_gbp"] == 0
    assert any("counts again in the gross deficit of every later year" in one for one in found.record["warnings"])
    assert [one for one in verify(found.folder).checks if not one.passed] == []


def test_a_carried_deficit_is_a_line_of_its_own_where_a_place_is_explained(tmp_path):
    said = plain_text(explain(standing(tmp_path).folder, "A", year="2021-22"))
    sums = said[said.index("expected spend") :].splitlines()
    assert [line.strip() for line in sums] == [
        "expected spend  100,000,000",
        "deficit of the years before, to be paid first  +20,000,000",
        "less what it receives  -90,000,000",
        "deficit  30,000,000",
        "of it underfunding: it receives, or received, less than its fair share  30,000,000",
        "of it spending above need  0",
        "the same deficit: new this year  10,000,000",
        "the same deficit: of the years before, not repaid  20,000,000",
    ]


@pytest.mark.parametrize("text", [SCENARIO, ROLLING, CARRY])
def test_a_path_is_verified_from_its_folder_year_by_year(tmp_path, text):
    found = solved(tmp_path, text, out=tmp_path / "runs")
    verdict = verify(found.folder)
    assert verdict.passed, [check for check in verdict.checks if not check.passed]


def test_a_bound_of_one_year_that_is_not_proved_is_found(tmp_path):
    found = solved(tmp_path, ROLLING, out=tmp_path / "runs")
    said = json.loads((found.folder / "run.json").read_text(encoding="utf-8"))
    stage = said["objectives"][0]
    stage["by_year"]["2020-21"]["bound"] += 5
    stage["bound"] += 5
    (found.folder / "run.json").write_text(json.dumps(said), encoding="utf-8")
    failed = {check.name for check in verify(found.folder).checks if not check.passed}
    assert "bound shortfall_below_target 2020-21" in failed


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SCENARIO + "carry_forward: {share: 100%}\n", "deficits can be carried forward only where each year"),
        (
            ROLLING.replace("growth_floor: {rate: 2%, taper: {from: 5%, to: 10%}}", "equal_steps: {years: 3}"),
            "equal_steps",
        ),
    ],
)
def test_a_path_that_cannot_be_taken_is_told_with_its_cure(tmp_path, text, words):
    with pytest.raises(InputFault, match=words) as caught:
        solved(tmp_path, text)
    assert caught.value.problems[0].cure


def distances(*years):
    rows = [(f"P{p}", f"{2019 + t}", o, c) for t, (o, c) in enumerate(years) for p in range(1)]
    return pd.DataFrame(rows, columns=["place", "year", "opening_dft_pct", "closing_dft_pct"])


def test_years_to_band_count_from_the_first_year():
    # 20% -> 10% -> 5% -> 2.5%: within 5% from the second year; a third year out again does not count
    assert band_headline(distances((20, 10), (10, 5), (5, 2.5)), 0.05)["years_to_band"] == 2
    assert band_headline(distances((20, 4), (4, 6), (6, 3)), 0.05)["years_to_band"] == 3
    assert band_headline(distances((20, 10), (10, 8)), 0.05)["years_to_band"] is None
    assert band_headline(distances((20, 10)), 0.05) == {}


def test_the_projection_is_the_closed_form():
    # halved every year: 20, 10, 5, 2.5, 1.25; to 1.25% takes 4 years, of which two are in the path
    assert projected(20, 5, 1.25, 2) == pytest.approx(4)
    assert projected(20, 20, 5, 2) is None
    assert projected(4, 3, 5, 2) == 0


def test_a_path_that_ends_at_target_has_no_speed_that_could_be_projected():
    # equal steps: 20, 10, 0 (or a millionth of a point, by rounding): the band is reached in the path, and that is said
    assert projected(20, 0, 5, 3) is None
    assert projected(20, 1e-6, 5, 3) is None
    assert projected(4, 0, 5, 3) == 0
    assert projected(0, 0, 0, 3) == 0
    reached = band_headline(distances((20, 10), (10, 0)), 0.05)
    assert (reached["years_to_band"], reached["projected_years_to_band"]) == (2, None)


def test_a_path_of_equal_steps_to_target_is_written_and_verified(tmp_path):
    # A and C open 20% from target, 20 -> 13.3 -> 6.7 -> 0
    text = SCENARIO.replace("growth_floor: {rate: 2%, taper: {from: 5%, to: 10%}}", "equal_steps: {steps: 3}")
    found = solved(tmp_path, text, out=tmp_path / "runs")
    assert np.abs(column(found, "closing_dft_pct")[:, 2]).max() < 1e-5
    assert found.headline["projected_years_to_band"] is None
    assert [one for one in verify(found.folder).checks if not one.passed] == []


def test_a_frontier_of_a_rolling_path_is_refused(tmp_path):
    frontier = "frontier: {x: movement, y: shortfall_below_target, points: 3}\n"
    with pytest.raises(InputFault, match="the path cannot be taken") as caught:
        solved(tmp_path, ROLLING + frontier)
    assert caught.value.exit == 2
    (problem,) = caught.value.problems
    assert problem.key == "frontier"
    assert "each year of a rolling path is a programme of its own" in problem.message
    assert solved(tmp_path, SCENARIO + frontier).record["frontier"][0]["proven"]


def test_verify_finds_a_frontier_that_was_traced_on_a_rolling_path(tmp_path):
    folder = solved(tmp_path, ROLLING, out=tmp_path).folder
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    record["scenario"]["frontier"] = [{"x": "movement", "y": "shortfall_below_target", "points": 3}]
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    said = {check.name: check.words for check in verify(folder).checks if not check.passed}
    assert "traced with every opening held" in said["frontier"]
