"""The independent checker: a sound run passes, and a change of one pound, byte, price or input is found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import allocopt
from allocopt.check import bound as check_bound
from allocopt.check import limits as check_limits
from allocopt.check import rules as check_rules
from allocopt.check.folder import verify
from allocopt.check.verdict import Verdict, measured
from allocopt.errors import InputFault, ScenarioFault
from allocopt.model import load_model

PLACES = """code,name,ccg,people,need,index,less,more,baseline,spend
A1,"Alder, North",X,1000,1100,1.0,0,100,2500,3050
A2,Birch,X,2000,1900,1.1,0,0,2300,2450
B1,Cedar,Y,3000,3200,0.9,0,0,2900,2750
B2,Damson,Y,4000,3800,1.0,0,0,2300,3333.3333
"""
BODIES = "ccg,money\nX,4800\nY,5200\n"
SCENARIO = """\
format: 1
name: four places
model: pace_of_change
years: [2019-20]
pot: £11m
inputs:
  places: {table: places.csv, key: code, name: name, columns: {population: people, area: ccg}}
  baseline: {table: places.csv, column: baseline, unit: £k}
  spend: {table: places.csv, column: spend, unit: £k}
formula:
  care: {share: 80%, need: need, times: [index]}
  people: {share: 20%, need: {people: 60%, need: 40%}}
  remote: {amount: more, less: less, unit: £k}
rules:
  growth_floor: {rate: 2%, taper: {from: 5%, to: 15%, end: -5%}}
  growth_ceiling: {rate: 30%}
  no_further_under_target: {}
objectives: [gross_deficit, shortfall_below_target, movement]
solver: {ties: as_solved}
report: {group_by: [area]}
"""
MODELLED = """
  spend: {risk_model: england_practices, seed: 7, area: ccg, gradient_poorest: 0%, gradient_richest: 0%}
"""
PATH = (
    SCENARIO.replace("years: [2019-20]", "years: [2019-20, 2020-21, 2021-22]")
    .replace("pot: £11m", "pot: {value: {2019-20: £11m, 2020-21: £11.7m, 2021-22: £12.4m}}")
    .replace("{rate: 30%}", "{rate: {2019-20: 30%, 2020-21: 20%, 2021-22: 25%}}")
    .replace("  spend: {table: places.csv, column: spend, unit: £k}\n", MODELLED.lstrip("\n"))
)


def solved(folder: Path, text: str = SCENARIO, **options: Any) -> Path:
    """The run folder of four places under `folder`."""
    folder.mkdir(exist_ok=True)
    (folder / "places.csv").write_text(PLACES, encoding="utf-8")
    (folder / "bodies.csv").write_text(BODIES, encoding="utf-8")
    (folder / "case.yaml").write_text(text, encoding="utf-8")
    found = allocopt.run(folder / "case.yaml", out=folder / "runs", **options).folder
    assert found is not None
    return found


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return solved(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def run(sound: Path, tmp_path: Path) -> Path:
    """A copy of the sound run with its inputs, free to be changed."""
    shutil.copytree(sound.parents[1], tmp_path / "case")
    folder = tmp_path / "case" / "runs" / sound.name
    timing = json.loads((folder / "timing.json").read_text())
    timing["scenario"] = str(tmp_path / "case" / "case.yaml")
    timing["tables"] = {which: str(tmp_path / "case" / "places.csv") for which in timing["tables"]}
    (folder / "timing.json").write_text(json.dumps(timing))
    return folder


def failed(verdict: Verdict) -> dict[str, str]:
    return {one.name: one.words for one in verdict.checks if not one.passed}


def sealed_again(folder: Path) -> None:
    """What a forger would do: write the hashes of the changed files into timing.json."""
    timing = json.loads((folder / "timing.json").read_text())
    timing["sha256"] = {name: sha256((folder / name).read_bytes()).hexdigest() for name in timing["sha256"]}
    (folder / "timing.json").write_text(json.dumps(timing))


def change_record(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    record = json.loads((folder / "run.json").read_text())
    change(record)
    (folder / "run.json").write_text(json.dumps(record))
    sealed_again(folder)


def change_table(folder: Path, change: Callable[[pd.DataFrame], object], name: str = "allocations") -> None:
    table = pd.read_csv(folder / f"{name}.csv")
    change(table)
    table.to_csv(folder / f"{name}.csv", index=False)
    sealed_again(folder)


def test_a_sound_run_passes_every_check(sound):
    verdict = verify(sound)
    assert failed(verdict) == {}
    assert verdict.passed
    names = [one.name for one in verdict.checks]
    assert len(set(names)) == len(names)
    for rule in ("budget", "growth_floor", "growth_ceiling", "no_further_under_target"):
        assert f"rule {rule}" in names
        assert f"programme {rule}" in names
    for objective in ("gross_deficit", "shortfall_below_target", "movement"):
        words = next(one.words for one in verdict.checks if one.name == f"bound {objective}")
        assert words.startswith("re-proved by weak duality")
    assert json.loads(json.dumps(verdict.as_dict(), allow_nan=False))["passed"] is True


SHARED = "  baseline: {table: bodies.csv, column: money, unit: £k, shared: {within: ccg, by: %s}}\n"
DIRECT = "  baseline: {table: places.csv, column: baseline, unit: £k}\n"
ACTIVITY = "  baseline: {follows_activity: {beyond: 1%, share_beyond: 50%, seed: 3, total: £10m}}\n"
FEW_RULES = SCENARIO[: SCENARIO.index("rules:")] + "objectives: [movement]\nreport: {group_by: [area]}\n"
RECORDED = "  spend: {table: places.csv, column: spend, unit: £k}\n"


@pytest.mark.parametrize(
    "text",
    [
        PATH,
        FEW_RULES.replace(DIRECT, SHARED % "target"),
        FEW_RULES.replace(DIRECT, SHARED % "need"),
        FEW_RULES.replace(DIRECT, ACTIVITY),
        FEW_RULES.replace(RECORDED, ""),
        FEW_RULES.replace(RECORDED, MODELLED.lstrip("\n")),
        FEW_RULES.replace("model: pace_of_change", "model: target_share"),
        FEW_RULES.replace("objectives: [movement]", "rules: {dft_floor: {rate: -3%}}\nobjectives: [movement]"),
        FEW_RULES.replace("area: ccg}", "area: ccg}, small_lists: {under: 1500, treat: leave_out}"),
        FEW_RULES.replace("area: ccg}", "area: ccg}, only: {ccg: Y}").replace(
            "pot: £11m", "pot: {value: £11m, only: {ccg: Y}}"
        ),
    ],
    ids=["years", "by target", "by need", "activity", "no spend", "modelled", "target", "dft", "small", "only"],
)
def test_every_kind_of_scenario_is_read_a_second_time_alike(tmp_path, text):
    if "only:" in text or "leave_out" in text:
        text = text.replace("£11m", "£9m")
    assert failed(verify(solved(tmp_path, text))) == {}


def test_the_baseline_of_a_later_year_is_the_allocation_of_the_year_before(tmp_path):
    folder = solved(tmp_path, PATH)
    change_table(
        folder, lambda table: table.__setitem__("baseline_gbp", table["baseline_gbp"] + (table["year"] == "2020-21"))
    )
    assert "£1.00 at A1 2020-21" in failed(verify(folder))["baseline of later years"]


def test_set_values_and_a_parent_in_another_folder_need_nothing_more(tmp_path):
    solved(tmp_path / "base")
    (tmp_path / "child").mkdir()
    child = tmp_path / "child" / "child.yaml"
    child.write_text("extends: ../base/case.yaml\nname: child\n", encoding="utf-8")
    found = allocopt.run(child, set={"rules.growth_floor.rate": "1.5%"}, out=tmp_path / "runs").folder
    assert verify(found).passed
    (found / "timing.json").write_text(
        json.dumps({"sha256": json.loads((found / "timing.json").read_text())["sha256"]})
    )
    assert "--scenario FILE" in failed(verify(found))["input places.csv"]
    assert verify(found, scenario=child).passed  # the table lies beside the parent that states it


def test_a_table_that_is_named_with_its_folder_and_without_is_one_file(tmp_path):
    """The scenario names places.csv; for the baseline alone the same file is named with its folder."""
    folder = solved(tmp_path, set={"inputs.baseline.table": str(tmp_path / "places.csv")})
    assert len(json.loads((folder / "run.json").read_text(encoding="utf-8"))["inputs"]) == 1
    verdict = verify(folder)
    assert verdict.passed, failed(verdict)
    (tmp_path / "places.csv").write_text((tmp_path / "places.csv").read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert "input places.csv" in failed(verify(folder))


def test_a_run_whose_inputs_have_moved_says_what_to_do(run, tmp_path):
    shutil.move(run.parents[1], tmp_path / "moved")
    folder = tmp_path / "moved" / "runs" / run.name
    assert "places.csv is not found" in failed(verify(folder))["input places.csv"]
    assert verify(folder, scenario=tmp_path / "moved" / "case.yaml").passed
    with pytest.raises(ScenarioFault, match="there is no scenario"):
        verify(folder, scenario=tmp_path / "nowhere.yaml")


def test_a_change_of_one_pound_is_found_without_the_seal(run):
    change_table(run, lambda table: table.loc.__setitem__((0, "allocation_gbp"), table.loc[0, "allocation_gbp"] + 1))
    found = failed(verify(run))
    assert "sealed files" not in found
    assert "allocation_gbp adds up to £11,000,001, not £11,000,000" in found["pot 2019-20"]
    assert "£1.00" in found["rule budget"]
    assert "£1.00 at A1 2019-20" in found["column change_gbp"]


@pytest.mark.parametrize("column", ["target_gbp", "baseline_gbp", "spend_gbp", "uniform_gbp", "deficit_above_need_gbp"])
def test_a_change_of_two_pounds_in_any_column_is_found(run, column):
    change_table(run, lambda table: table.loc.__setitem__((2, column), table.loc[2, column] + 2))
    assert failed(verify(run))


def test_a_percentage_that_is_off_by_a_hundred_thousandth_is_found(run):
    change_table(
        run, lambda table: table.loc.__setitem__((1, "opening_dft_pct"), table.loc[1, "opening_dft_pct"] + 1e-5)
    )
    assert list(failed(verify(run))) == ["column opening_dft_pct"]


def move_ten_pounds(table: pd.DataFrame) -> None:
    """£10 from a place on its floor to another, with every column that follows: a plan that only its rules refuse."""
    to, of = 0, int(table["growth_pct"].argmin())
    to = 1 if of == to else to
    table.loc[of, "allocation_gbp"] -= 10
    table.loc[to, "allocation_gbp"] += 10
    over = table["spend_gbp"] - table["allocation_gbp"]
    short = table["target_gbp"] - table["allocation_gbp"]
    table["change_gbp"] = table["allocation_gbp"] - table["baseline_gbp"]
    table["growth_pct"] = (100 * table["change_gbp"] / table["baseline_gbp"]).round(6)
    table["closing_dft_pct"] = (-100 * short / table["target_gbp"]).round(6)
    table["deficit_gbp"], table["surplus_gbp"] = over.clip(lower=0), (-over).clip(lower=0)
    table["deficit_underfunding_gbp"] = np.minimum(over.clip(lower=0), short.clip(lower=0))
    table["deficit_above_need_gbp"] = table["deficit_gbp"] - table["deficit_underfunding_gbp"]


def test_a_plan_that_breaks_a_floor_is_found_with_the_place_and_the_pounds(run):
    change_table(run, move_ten_pounds)
    found = failed(verify(run))
    assert not any(name.startswith(("column", "pot", "targets")) for name in found)
    broken = [words for name, words in found.items() if name.startswith("rule ")]
    assert len(broken) == 1
    assert "the farthest is £" in broken[0]
    assert "2019-20" in broken[0]


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda record: record.update(status="gap"), "status"),
        (lambda record: record.update(modelled_spend=True), "spend as said"),
        (lambda record: record.update(seed=7), "spend as said"),
        (lambda record: record.update(model=["target_share"]), "named as the scenario"),
        (lambda record: record["headline"].update(places=5), "headline"),
        (lambda record: record["headline"].update(best=1), "headline"),
        (lambda record: record["inputs"][0].update(rows=5), "input places.csv"),
        (lambda record: record["inputs"].append({"file": "more.csv", "sha256": "", "rows": 1}), "input files listed"),
        (lambda record: record["rules"].pop(), "rules listed"),
        (lambda record: record["rules"][1]["parameters"].update(rate="1%"), "rules listed"),
        (lambda record: record["scenario"]["rules"]["growth_floor"]["taper"].update(end=-0.04), "rule growth_floor"),
        (lambda record: record["scenario"]["pot"].update(value=11.000001), "hash"),
        (lambda record: record["objectives"][0].update(proven=False), "stage gross_deficit"),
        (lambda record: record["objectives"][0].update(gap=0.5), "stage gross_deficit"),
        (lambda record: record["objectives"][0].update(cap=99.0), "stage gross_deficit"),
        (lambda record: record["objectives"][2].update(final_value=0.0), "objective movement"),
        (lambda record: record["objectives"].pop(), "objectives listed"),
    ],
)
def test_a_changed_statement_of_the_record_is_found_without_the_seal(run, change, check):
    change_record(run, change)
    assert check in failed(verify(run))


def test_a_bound_that_the_prices_do_not_prove_is_found(run):
    def claim(record: dict[str, Any]) -> None:
        stage = record["objectives"][0]
        stage.update(bound=stage["value"] + 1e-4)

    change_record(run, claim)
    words = failed(verify(run))["bound gross_deficit"]
    assert "the kept prices prove only" in words


def change_prices(folder: Path, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    with np.load(folder / "certificate.npz") as kept:
        arrays = {key: kept[key] for key in kept.files}
    arrays[name] = change(arrays[name])
    np.savez_compressed(folder / "certificate.npz", **arrays)
    sealed_again(folder)


def test_one_changed_price_is_found(run):
    change_prices(run, "movement.prices", lambda prices: np.append(prices[:-1], prices[-1] + 0.1))
    assert list(failed(verify(run))) == ["bound movement"]


def test_a_price_of_a_row_that_is_not_there_is_found(run):
    change_prices(run, "movement.rows", lambda rows: np.array([b"growth_floor[Z9,2019-20]", *rows[1:]]))
    assert "growth_floor[Z9,2019-20]" in failed(verify(run))["bounds"]


def test_a_total_of_the_effects_that_is_off_by_a_pound_is_found(run):
    def one_pound_more(effects: pd.DataFrame) -> None:
        row = effects.index[(effects["group"] == "total") & (effects["measure"] == "allocation_gbp")][0]
        effects.loc[row, "value"] += 1

    change_table(run, one_pound_more, "effects")
    assert "allocation_gbp is 1.1e+07, the allocations give 1.1e+07" in failed(verify(run))["effects"]


def test_one_changed_cell_of_an_input_is_found_and_nothing_is_said_of_the_rest(run):
    table = run.parents[1] / "places.csv"
    table.write_text(PLACES.replace("3200", "3201"), encoding="utf-8")
    found = failed(verify(run))
    assert "of the file that the run read" in found["input places.csv"]
    assert found["the plan against the inputs"] == "not checked: these are not the inputs of the run"


def found_out(folder: Path) -> bool:
    """The run does not pass, or is no longer a run folder at all."""
    try:
        return not verify(folder).passed
    except InputFault:
        return True


def test_one_changed_byte_anywhere_in_the_folder_is_found(run):
    for name in ("run.json", "allocations.csv", "effects.csv", "certificate.npz"):
        whole = (run / name).read_bytes()
        for at in np.linspace(0, len(whole) - 1, 12).astype(int):
            (run / name).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            assert found_out(run), f"byte {at} of {name}"
        (run / name).write_bytes(whole)
    assert verify(run).passed


def test_without_the_hashes_of_timing_json_a_run_does_not_pass(run):
    (run / "timing.json").unlink()
    words = failed(verify(run, scenario=run.parents[1] / "case.yaml"))["sealed files"]
    assert words == "timing.json notes no hashes, so the bytes cannot be compared with those written"


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(InputFault, match="is not a run folder that can be read") as refused:
        verify(tmp_path)
    assert refused.value.exit == 2
    assert "name a folder that `allocopt run` wrote" in str(refused.value)


def test_every_rule_and_objective_of_pace_of_change_is_written_a_second_time():
    """A rule that is added later starts on the fallback below, and joins this list when it is written twice."""
    model = load_model("pace_of_change")
    rules = {one.name for one in (*model.always, *model.rules)}
    objectives = {one.name for one in model.objectives}
    assert sorted(rules - set(check_rules.SECOND)) == [], "write these rules a second time in check_rounds.py"
    assert sorted(objectives - set(check_rules.MEASURES) - set(check_rules.EXTREMES)) == []


@pytest.mark.parametrize("end", [{"end": "1%"}, {"end_per_head": "1%"}])
def test_what_is_left_of_a_floor_a_head_is_worked_out_a_second_time(tmp_path, end):
    ((said, rate),) = end.items()
    sets = {"rules.growth_floor": "off", "rules.per_head_floor.taper": f"{{from: 1%, to: 8%, {said}: {rate}}}"}
    folder = allocopt.run("policy-2016-21", set=sets, out=tmp_path).folder
    assert folder is not None
    assert failed(verify(folder)) == {}
    more = {said: 0.03}
    change_record(folder, lambda record: record["scenario"]["rules"]["per_head_floor"]["taper"].update(more))
    assert "rule per_head_floor" in failed(verify(folder))


@pytest.fixture
def only_first_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the floor and the movement had been added a moment ago, with no second implementation."""
    second = {name: one for name, one in check_rules.SECOND.items() if name != "growth_floor"}
    measures = {name: one for name, one in check_rules.MEASURES.items() if name != "movement"}
    for module in (check_rules, check_bound, check_limits, allocopt.check.folder):
        for name, kept in (("SECOND", second), ("MEASURES", measures)):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, kept)


@pytest.mark.usefixtures("only_first_two")
def test_a_rule_without_a_second_implementation_is_checked_on_the_recompiled_programme(run):
    verdict = verify(run)
    assert failed(verdict) == {}
    words = {one.name: one.words for one in verdict.checks}
    assert "checked on the recompiled programme only" in words["rule growth_floor"]
    assert "on the recompiled programme only" in words["objective movement"]
    change_table(run, move_ten_pounds)
    assert any(name.startswith("rule ") for name in failed(verify(run)))


def test_a_rule_that_the_programme_states_differently_is_found(run, monkeypatch):
    # the second implementation asks for 1 point more growth than the programme: the two no longer say the same
    floor = check_rules.growth_floor
    slack = {
        **check_rules.SECOND,
        "growth_floor": lambda of, step, *, rate, taper: floor(of, step, rate=rate - 0.01, taper=taper),
    }
    monkeypatch.setattr(check_rules, "SECOND", slack)
    found = failed(verify(run))
    assert list(found) == ["programme growth_floor", "limits growth_floor"]


def test_a_missing_figure_is_a_missed_check():
    found = measured("x", np.array([0.0, np.nan]), at=["A", "B"], what="figures")
    assert not found.passed
    assert found.worst is None
    assert "at B" in found.words


@pytest.mark.parametrize(
    ("column", "by", "check"),
    [
        ("growth_floor_gbp", 2, "limits growth_floor"),
        ("growth_floor_growth_pct", 0.001, "limits growth_floor"),
        ("minimum_gbp", 3, "limits minimum"),
        ("minimum_growth_pct", 0.01, "limits minimum"),
        ("maximum_gbp", -3, "limits maximum"),
    ],
)
def test_a_changed_limit_of_a_place_is_found(run, column, by, check):
    def change(table: pd.DataFrame) -> None:
        table[column] = table[column].astype(float)
        table.loc[1, column] += by

    change_table(run, change, "limits")
    found = failed(verify(run))
    assert check in found
    assert "A2 2019-20" in found[check]


def test_a_limit_that_is_said_to_come_from_another_rule_is_found(run):
    table = pd.read_csv(run / "limits.csv", index_col="place")
    assert table.loc["A1", "minimum_rule"] == "growth_floor"  # far over target: 105% of nothing further under
    change_table(run, lambda table: table.__setitem__("minimum_rule", "no_further_under_target"), "limits")
    assert "limits minimum" in failed(verify(run))


def test_a_place_that_is_not_at_its_limit_is_not_held_by_it(run):
    change_table(run, lambda table: table.__setitem__("held_by", "maximum"), "limits")
    assert "is said to be held by its maximum" in failed(verify(run))["limits held"]


def test_a_run_with_the_returns_of_a_monitoring_table_is_checked_again(tmp_path):
    folder = allocopt.run("monitoring", out=tmp_path).folder
    assert folder is not None
    assert failed(verify(folder)) == {}
