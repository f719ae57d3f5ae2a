"""A whole run with a stress block: stress.csv, run.json, the golden standard set, bad input and the checker."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from small_case import SCENARIO, five_places
from typer.testing import CliRunner

import allocopt
from allocopt.calibrate import calibrate
from allocopt.check.folder import verify
from allocopt.check.stress import check_rows
from allocopt.cli import app
from allocopt.errors import InputFault
from allocopt.plan import gather
from allocopt.scenario import load
from allocopt.stress.estimates import COLUMNS

GOLDEN = Path(__file__).parents[1] / "golden" / "stress"
BLOCK = """
stress:
  draws: 200
  seed: 3
  limit: £20m
  retention: [30%, 100%]
  risk: {area: code}
  drawdown: {stock: £10m, share: 10%}
  years: {number: 2, area_correlation: 50%, saving: 2%, draws: 50}
  tests: [demand_1pct, retention_change]
  test_draws: 50
  reverse: {places: 2, bodies: 5}
  pool: {breach: 10%, draws: 100, fresh: 100}
  population_risk: {populations: [10000, 100000]}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("stress")
    run = allocopt.run(five_places(made, text=SCENARIO + BLOCK), out=made / "runs")
    assert run.folder is not None
    return run.folder


@pytest.fixture(scope="module")
def table(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "stress.csv")


def value(table: pd.DataFrame, *key: str) -> float:
    (found,) = table.set_index(["test", "level", "measure", "statistic"]).loc[[key], "value"]
    return float(found)


def test_the_table_has_the_columns_that_scripts_rely_on(table):
    assert tuple(table.columns) == COLUMNS
    assert not table.duplicated(["test", "level", "measure", "statistic"]).any()
    assert set(table["level"]) <= {"place", "group", "area", "nation"}
    pounds = table.loc[table["unit"] == "GBP", "value"].dropna()
    assert (pounds == pounds.round()).all()


def test_correlated_and_independent_stand_side_by_side_everywhere(table):
    drawn = table[~table["test"].str.match("reverse|population|smallest|robust|size")]
    tests = set(drawn["test"])
    for test in tests - {"correlated", "independent"}:
        plain = test.removesuffix("_independent")
        assert {plain, f"{plain}_independent"} <= tests
    found = set(zip(drawn["test"], drawn["level"], drawn["measure"], strict=True))
    for measure in ("gross_deficit", "available_surplus", "net", "breach", "expected_shortfall"):
        assert {(test, "nation", measure) for test in ("correlated", "independent")} <= found


def test_the_exposure_adds_up_to_the_pound(table):
    for test in ("correlated", "independent", "demand_1pct", "year_1", "year_2"):
        parts = [value(table, test, "place", one, "mean") for one in ("gross_deficit", "available_surplus", "drawdown")]
        assert value(table, test, "place", "exposure", "mean") == pytest.approx(parts[0] - parts[1] + parts[2], abs=2)


def test_a_retention_of_all_makes_the_exposure_the_gross_deficit_and_the_drawdown(table):
    exposure = value(table, "retention_100pct", "place", "exposure", "mean")
    deficit = value(table, "correlated", "place", "gross_deficit", "mean")
    assert exposure == pytest.approx(deficit + 1_000_000, abs=2)


def test_run_json_says_seed_limit_holders_and_that_spend_is_modelled(folder):
    said = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    stress = said["stress"]
    assert (stress["seed"], stress["draws"], stress["limit_gbp"]) == (3, 200, 20_000_000)
    assert (stress["modelled_spend"], stress["budget_holder"], stress["confidence"]) == (True, "place", "95%")
    assert any("stress.csv" in one and "modelled" in one for one in said["warnings"])
    assert stress["headline"]["correlated"]["nation"]["breach_probability"] <= 1


def test_the_checker_passes_a_sound_stress_and_finds_a_changed_figure(folder, table, tmp_path):
    assert verify(folder).passed
    for measure, statistic, by in (("exposure", "mean", 1e5), ("breach", "probability", 0.9), ("net", "ci_low", 1e12)):
        broken = tmp_path / measure
        shutil.copytree(folder, broken)
        wrong = table.copy()
        key = ("correlated", "nation", measure, statistic)
        rows = (wrong[["test", "level", "measure", "statistic"]] == list(key)).all(axis=1)
        wrong.loc[rows, "value"] += by
        wrong.to_csv(broken / "stress.csv", index=False)
        failed = [one.name for one in verify(broken).checks if not one.passed]
        assert any(name.startswith("stress") for name in failed), measure


@pytest.mark.parametrize(
    ("key", "by", "name"),
    [
        (("year_2", "place", "carried_deficit", "mean"), 1e3, "stress years"),
        (("year_2_independent", "place", "saving", "mean"), 1e3, "stress years_independent"),
        (("demand_1pct", "place", "exposure", "mean"), 1e3, "stress tests"),
        (("retention_change_independent", "place", "breach", "probability"), -0.05, "stress tests_independent, breach"),
        (("reverse_uniform", "place", "smallest_shock", "target: every place"), 0.2, "stress reverse_uniform"),
        (("reverse_uniform", "place", "smallest_shock", "target: every place"), -0.2, "stress reverse_uniform"),
        (("reverse_places", "place", "smallest_shock", "target: the worst 2 places"), 5.0, "stress reverse_places"),
        (("reverse_bodies_in_deficit", "place", "smallest_shock", "value"), 5.0, "stress bodies in deficit"),
        (("pool", "place", "top_slice", "value"), 0.5, "stress pool"),
        (("pool", "place", "top_slice", "value"), -0.5, "stress pool"),
    ],
)
def test_the_checker_makes_years_tests_reverse_shocks_and_pools_again(folder, table, tmp_path, key, by, name):
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    rows = (table[["test", "level", "measure", "statistic"]] == list(key)).all(axis=1)
    assert rows.sum() == 1
    table.assign(value=table["value"].where(~rows, table["value"] + by)).to_csv(broken / "stress.csv", index=False)
    assert name in [one.name for one in verify(broken).checks if not one.passed]


def test_what_was_found_is_said_in_sentences_that_the_table_bears_out(folder, table):
    said = json.loads((folder / "run.json").read_text(encoding="utf-8"))["stress"]
    shock = value(table, "reverse_uniform", "place", "smallest_shock", "value")
    pool = value(table, "pool", "place", "top_slice", "value")
    assert any(
        f"to every place that breaches the limit of £20.0m is {shock:.2f}%" in one for one in said["words_found"]
    )
    assert any(f"A top-slice of {pool:.2f}%" in one for one in said["words_found"])
    assert any("People who must share a budget" in one for one in said["words_found"])
    assert set(said["by_test"]) == {
        f"{test}{case}"
        for test in ("retention_100pct", "demand_1pct", "retention_change", "year_1", "year_2")
        for case in ("", "_independent")
    }


def test_the_checker_knows_what_every_row_must_obey(table):
    assert all(one.passed for one in check_rows(table))
    wrong = table.assign(value=table["value"].where(table["unit"] != "probability", 1.5))
    assert [one.name for one in check_rows(wrong) if not one.passed] == ["stress probabilities"]


def test_the_same_scenario_gives_the_same_bytes(folder, tmp_path):
    again = allocopt.run(five_places(tmp_path, text=SCENARIO + BLOCK), out=tmp_path / "runs")
    assert again.folder is not None
    assert (again.folder / "stress.csv").read_bytes() == (folder / "stress.csv").read_bytes()


def test_without_a_stress_block_there_is_no_stress_table(tmp_path):
    assert "stress" not in allocopt.run(five_places(tmp_path), out=None).tables


def refused(folder: Path, block: str) -> str:
    with pytest.raises(InputFault) as fault:
        allocopt.run(five_places(folder, text=SCENARIO + block), out=None)
    assert fault.value.exit == 2
    return str(fault.value)


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ("stress: {seed: 1, draws: 5}", "must be 10 to 1,000,000, not 5"),
        ("stress: {seed: 1, retention: 130%}", "a share or a probability lies between 0% and 100%: 130%"),
        ("stress: {seed: 1, retention: 0.3}", "0.3 needs its unit"),
        ("stress: {seed: 1, risk: {area_sd: -2%}}", "must not be negative: -2%"),
        ("stress: {seed: 1, risk: {kappa: -1}}", "a spread cannot be negative: -1"),
        ("stress: {seed: 1, risk: {heavy_share: 120%}}", "lies between 0% and 100%: 120%"),
        ("stress: {seed: 1, shortfall: [100%]}", "must lie above 0% and below 100%: 100%"),
        ("stress: {seed: 1, drawdown: {stock: -£1m, share: 10%}}", "is not negative: -£1m"),
        ("stress: {seed: 1, limt: £5m}", "unknown key 'limt'; did you mean 'limit'?"),
        ("stress: {seed: 1, risk: {area: code}, group: ccg}", "the places table has no column 'ccg'"),
        ("stress: {seed: 1, risk: {area: cod}}", "no column 'cod'; did you mean 'code'?"),
        ("stress: {risk: {area: code}}", "a stress needs a seed"),
        (
            "stress: {seed: 1, risk: {area: code}, tests: [demand_1pc]}",
            "no test 'demand_1pc'; did you mean 'demand_1pct'?",
        ),
        ("stress: {seed: 1, risk: {area: code}, budget_holder: group}", "there is no level 'group'"),
        ("stress: {seed: 1, retention: [{profit: 60%, returned: 50%}]}", "are 110% of a surplus together"),
    ],
)
def test_an_impossible_stress_is_told_with_its_cure(tmp_path, block, words):
    said = refused(tmp_path, block)
    assert words in said
    assert "cure:" in said


def test_an_objective_over_draws_needs_their_number(tmp_path):
    text = SCENARIO.replace("model: pace_of_change", "model: robust_pace").replace(
        "[gross_deficit,", "[tail_deficit, gross_deficit,"
    )
    with pytest.raises(InputFault, match=r"tail_deficit is made small over draws"):
        allocopt.run(five_places(tmp_path, text=text), out=None)


def standard_set() -> pd.DataFrame:
    """The standard set on the CCGs of england-ccgs.yaml: means and probabilities of 200 draws, correlated."""
    changes = {"stress.tests": "standard", "stress.draws": "200", "stress.test_draws": "200", "stress.limit": "£1bn"}
    table = allocopt.run("england-ccgs", out=None, set=changes).tables["stress"]
    kept = table[
        table["statistic"].isin(["mean", "probability"])
        & table["measure"].isin(["gross_deficit", "exposure", "breach"])
    ]
    return kept[kept["level"].isin(["place", "nation"]) & ~kept["test"].str.contains("size_")].reset_index(drop=True)


def test_the_standard_stress_set_gives_its_golden_results(write_golden):
    path, found = GOLDEN / "standard.csv", standard_set()
    if write_golden:
        found.to_csv(path, index=False, lineterminator="\n")
    golden = pd.read_csv(path)
    names = ["test", "level", "measure", "statistic", "unit"]
    assert found[names].equals(golden[names])
    for unit, close in (("GBP", 4_000.0), ("probability", 1e-9)):
        rows = golden["unit"] == unit
        assert found.loc[rows, "value"].astype(float).tolist() == pytest.approx(
            golden.loc[rows, "value"].tolist(), abs=close
        )


def test_the_calibration_meets_the_published_shares_and_shows_what_the_model_gives():
    places, consortia = calibrate(gather(load("england")))
    assert places.error < 1e-4
    assert places.stated["beyond_5pct"] == pytest.approx(0.532, abs=0.002)
    assert places.stated["beyond_10pct"] == pytest.approx(0.259, abs=0.002)
    assert places.stated["beyond_20pct"] == pytest.approx(0.110, abs=0.002)
    assert consortia.fitted == pytest.approx({"net": 0.025, "overspent": 0.83})
    assert consortia.parameters["national_shift"] == 0.025


def test_the_calibrate_verb_prints_one_json_object():
    done = CliRunner().invoke(app, ["calibrate", "england", "--json"])
    assert done.exit_code == 0
    assert set(json.loads(done.stdout)) == {"places", "consortia"}
