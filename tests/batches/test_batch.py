"""A batch as people run it: every case on record, the same bytes on any number of workers, nothing done twice."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from sweeps import FLOOR, GOOD, bytes_of, sweep
from typer.testing import CliRunner

from allocopt.batches import batch
from allocopt.cli import app
from allocopt.errors import InputFault, ScenarioFault
from allocopt.runs import run


@pytest.fixture
def floors(tmp_path):
    return sweep(tmp_path, f"{{over: {{{FLOOR}: [0%, 1%, 2%, 9%]}}}}")


def test_each_case_is_a_row_and_the_broken_one_keeps_its_diagnosis(floors, tmp_path):
    found = batch(floors, workers=1, out=tmp_path / "runs")
    table = pd.read_csv(found.folder / "results.csv")
    assert list(table[FLOOR]) == ["0%", "1%", "2%", "9%"]
    assert list(table[f"{FLOOR}_pct"]) == [0, 1, 2, 9]
    assert list(table["status"]) == ["optimal"] * 3 + ["infeasible"]
    assert (found.exit, list(table["exit"])) == (3, [0, 0, 0, 3])
    assert table["gross_deficit_gbp"].notna().tolist() == [True] * 3 + [False]
    assert {"gross_deficit_value", "gross_deficit_bound", "gross_deficit_gap"} <= set(table.columns)
    error = json.loads((found.case(4) / "error.json").read_text())["error"]
    assert (error["exit"], error["kind"]) == (3, "infeasible")
    said = json.loads((found.case(1) / "run.json").read_text())
    assert said["headline"]["gross_deficit_gbp"] == table["gross_deficit_gbp"][0]
    typed = pd.read_parquet(found.folder / "results.parquet")
    assert str(typed["gross_deficit_gbp"].dtype) == "Int64"


def test_a_case_is_what_run_says_of_the_same_scenario(floors, tmp_path):
    found = batch(floors, workers=1, out=tmp_path / "runs")
    alone = run(GOOD, set=[f"{FLOOR}=2%"], out=tmp_path / "alone")
    assert alone.folder is not None
    for name in ("allocations.csv", "effects.csv", "certificate.npz"):
        assert (found.case(3) / name).read_bytes() == (alone.folder / name).read_bytes()


def test_one_and_two_workers_give_the_same_bytes(floors, tmp_path):
    one = batch(floors, workers=1, out=tmp_path / "one")
    two = batch(floors, workers=2, out=tmp_path / "two")
    assert bytes_of(one.folder) == bytes_of(two.folder)
    assert one.folder.name == two.folder.name


@pytest.mark.slow
def test_any_number_of_workers_gives_the_same_bytes_of_englands_ccgs(tmp_path):
    over = f"pot.value: [£78bn, £78.5bn, £79bn], {FLOOR}: {{from: 1%, to: 6%, step: 0.25%}}"
    file = sweep(tmp_path, f"{{over: {{{over}}}, keep: [everything]}}", parent="england-ccgs")
    one, *others = (batch(file, workers=number, out=tmp_path / str(number)) for number in (1, 2, 4))
    assert set(one.record["statuses"]) == {"optimal", "infeasible"}
    for other in others:
        assert bytes_of(other.folder) == bytes_of(one.folder)


def test_a_case_that_was_done_is_not_done_again_even_for_another_sweep(floors, tmp_path):
    first = batch(floors, workers=1, out=tmp_path / "runs")
    assert first.reused == 0
    assert batch(floors, workers=1, out=tmp_path / "runs").reused == 4
    other = sweep(tmp_path, f"{{over: {{{FLOOR}: [2.0%, 2.5%]}}}}", name="others")
    found = batch(other, workers=1, out=tmp_path / "runs")
    assert found.reused == 1
    undisturbed = batch(other, workers=1, out=tmp_path / "alone")
    assert bytes_of(found.folder) == bytes_of(undisturbed.folder)
    assert batch(floors, workers=1, out=tmp_path / "runs", fresh=True).reused == 0


def test_a_damaged_case_is_solved_again(floors, tmp_path):
    found = batch(floors, workers=1, out=tmp_path / "runs")
    before = bytes_of(found.folder)
    path = found.case(2) / "allocations.csv"
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    assert batch(floors, workers=1, out=tmp_path / "runs").reused == 3
    assert bytes_of(found.folder) == before


def test_cases_that_cannot_be_read_stop_no_other(tmp_path):
    file = sweep(tmp_path, f"{{over: {{{FLOOR}: [1%, 3, 2%]}}}}")
    found = batch(file, workers=1, out=tmp_path / "runs")
    assert list(found.results["status"]) == ["optimal", "scenario", "optimal"]
    assert found.exit == 2
    assert "3 needs its unit" in found.results["message"][1]


def test_a_sweep_of_which_no_case_can_be_read_is_a_fault_of_the_sweep(tmp_path):
    file = sweep(tmp_path, "{over: {rules.growth_flor.rate: [1%, 2%]}}")
    with pytest.raises(ScenarioFault, match="did you mean 'growth_floor'"):
        batch(file, out=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_list_of_scenario_files_needs_no_parent(tmp_path):
    (tmp_path / "low.yaml").write_text(f"extends: {GOOD}\nname: low\nrules: {{growth_floor: off}}\n", encoding="utf-8")
    file = sweep(tmp_path, f"{{over: {{scenario: [{GOOD}, low.yaml], pot.value: [£10.8m, £10.9m]}}}}", parent=None)
    found = batch(file, workers=1, out=tmp_path / "runs")
    assert list(found.results["status"]) == ["optimal"] * 4
    assert list(found.results["pot.value_gbp"]) == [10_800_000, 10_900_000] * 2
    assert list(found.results["pot_gbp"]) == [10_800_000, 10_900_000] * 2


def test_what_is_kept_is_what_the_sweep_names(tmp_path):
    file = sweep(tmp_path, f"{{over: {{{FLOOR}: [1%, 2%]}}, keep: [gross_deficit_gbp, movement, allocations]}}")
    found = batch(file, workers=1, out=tmp_path / "runs")
    assert list(found.results.columns) == [
        *("number", "case", FLOOR, f"{FLOOR}_pct", "status", "exit", "gross_deficit_gbp"),
        *("movement_value", "movement_bound", "movement_gap", "movement_gap_gbp", "movement_final_value"),
    ]
    assert {path.name for path in found.case(1).iterdir()} == {
        "run.json",
        "case.json",
        "allocations.csv",
        "allocations.parquet",
    }
    whole = pd.read_parquet(found.folder / "allocations.parquet")
    assert list(whole["case"].unique()) == list(found.results["case"])
    assert list(whole.groupby("case")["allocation_gbp"].sum()) == [10_800_000, 10_800_000]


def test_a_folder_that_cannot_be_written_is_a_clear_error(floors, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way", encoding="utf-8")
    with pytest.raises(InputFault, match=r"cannot write .*\n.*--out DIR"):
        batch(floors, workers=1, out=blocked)


def answer(*words: str, status: int = 0):
    said = CliRunner().invoke(app, list(words))
    assert said.exit_code == status, said.output
    return said


def test_the_verb_prints_one_json_object_and_exits_with_the_largest_code(floors, tmp_path):
    words = ("batch", str(floors), "--out", str(tmp_path / "runs"), "--workers", "1")
    said = json.loads(answer(*words, "--json", status=3).stdout)
    assert (said["cases"], said["statuses"], said["exit"]) == (4, {"infeasible": 1, "optimal": 3}, 3)
    assert Path(said["batch"]).name.startswith("floors-")
    again = answer(*words, "--resume", status=3)
    assert "4 cases were done already" in again.stdout
    assert "failed" not in again.stderr


def test_check_finds_every_error_of_every_case_and_solves_nothing(floors, tmp_path):
    said = json.loads(answer("check", str(floors), "--json").stdout)
    assert (said["cases"], [row[FLOOR] for row in said["first"]]) == (4, ["0%", "1%", "2%", "9%"])
    assert "4 cases, nothing wrong found" in answer("check", str(floors)).stdout
    bad = sweep(tmp_path, f"{{over: {{{FLOOR}: [1%, 3], inputs.baseline.column: [baseline_k, nowhere]}}}}", name="bad")
    told = answer("check", str(bad), status=2).stderr
    assert "4 cases, 3 of them with problems" in told
    assert "3 needs its unit" in told
    assert "nowhere" in told


def test_check_refuses_a_figure_that_no_case_will_have(tmp_path):
    file = sweep(tmp_path, f"{{over: {{{FLOOR}: [1%, 3]}}, keep: [gros_deficit_gbp]}}")
    said = answer("check", str(file), status=2).stderr
    assert "did you mean 'gross_deficit_gbp'?" in said
    assert "3 needs its unit" in said
    assert "keeps what no case has" in answer("batch", str(file), "--out", str(tmp_path / "r"), status=2).stderr
    assert not (tmp_path / "r").exists()


def test_a_failing_case_is_told_by_its_number_and_what_it_changes(floors, tmp_path):
    told: list[str] = []
    batch(floors, workers=1, out=tmp_path / "runs", tell=lambda one: told.append(one.failure or ""))
    (said,) = filter(None, told)
    assert said.startswith("case 4 (rules.growth_floor.rate 9%): no allocation obeys every rule")


def test_run_refuses_a_sweep_and_batch_a_scenario(floors):
    assert "allocopt batch floors.yaml" in answer("run", str(floors), status=2).stderr
    assert "is one scenario, not a sweep" in answer("batch", str(GOOD), status=2).stderr
