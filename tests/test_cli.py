"""The verbs as people script against them: one JSON object, exit codes, the same bytes, no needless heavy import."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from allocopt.cli import app

FIXTURES = Path(__file__).parent / "fixtures" / "bad"
GOOD = str(FIXTURES / "good" / "scenario.yaml")
HEAVY = ("pandas", "numpy", "scipy", "pyomo", "highspy", "pyarrow")


def answer(*words: str, status: int = 0):
    said = CliRunner().invoke(app, list(words))
    assert said.exit_code == status, said.output
    return said


def process(*words: str, seed: str = "0", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd, check=False)


@pytest.mark.parametrize("words", [["--help"], ["run", str(FIXTURES / "syntax" / "scenario.yaml")]])
def test_help_and_a_syntax_error_import_nothing_heavy(words: list[str]) -> None:
    script = (
        "import sys\nfrom allocopt.cli import app\n"
        f"try:\n    app({words!r})\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert process("-c", script).stdout.splitlines()[-1] == "[]"


def test_run_prints_one_json_object_and_writes_a_whole_folder(tmp_path: Path) -> None:
    said = json.loads(answer("run", GOOD, "--out", str(tmp_path), "--json").stdout)
    folder = Path(said["run"])
    assert folder.name.startswith("scenario-")
    assert len(folder.name) == len("scenario-") + 8
    files = {"run.json", "allocations.csv", "effects.csv", "certificate.npz", "timing.json"}
    assert files <= {path.name for path in folder.iterdir()}
    written = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert written == {key: value for key, value in said.items() if key != "run"}
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_the_same_input_gives_the_same_bytes_under_any_hash_seed(tmp_path: Path) -> None:
    folders = []
    for seed in ("1", "2"):
        done = process("-m", "allocopt.cli", "run", "england-ccgs", "--out", str(tmp_path / seed), "--json", seed=seed)
        folders.append(Path(json.loads(done.stdout)["run"]))
    one, other = folders
    names = sorted(path.name for path in one.iterdir() if path.name != "timing.json")
    assert names == sorted(path.name for path in other.iterdir() if path.name != "timing.json")
    for name in names:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_quiet_prints_the_folder_alone(tmp_path: Path) -> None:
    said = answer("run", GOOD, "--out", str(tmp_path), "--quiet")
    assert Path(said.stdout.strip()).is_dir()
    assert said.stderr == ""


def test_set_changes_the_answer_and_is_told(tmp_path: Path) -> None:
    said = json.loads(
        answer("run", GOOD, "--out", str(tmp_path), "--json", "--set", "rules.growth_floor.rate=2%").stdout
    )
    assert said["overrides"] == ["rules.growth_floor.rate: 1% -> 2%  (--set)"]
    assert said["scenario"]["rules"]["growth_floor"]["rate"] == 0.02
    assert said["scenario"]["pot"]["value"] == 10.8


def test_an_impossible_floor_is_exit_3_and_leaves_no_folder(tmp_path: Path) -> None:
    words = ["run", GOOD, "--out", str(tmp_path), "--json", "--set", "rules.growth_floor.rate=9%"]
    error = json.loads(answer(*words, status=3).stdout)["error"]
    assert (error["exit"], error["kind"]) == (3, "infeasible")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way", encoding="utf-8")
    said = answer("run", GOOD, "--out", str(blocked), status=2)
    assert f"cannot write {blocked}" in said.stderr
    assert "--out DIR" in said.stderr


def test_check_finds_no_fault_and_solves_nothing() -> None:
    said = json.loads(answer("check", GOOD, "--json").stdout)
    assert (said["places"], said["pot_gbp"]) == (4, [10_800_000])
    assert "nothing wrong found" in answer("check", GOOD).stdout


def test_show_names_where_a_value_was_written() -> None:
    (row,) = json.loads(answer("show", GOOD, "rules.growth_floor.rate", "--json").stdout)["rows"]
    assert (row["value"], row["where"].endswith("scenario.yaml:17:18")) == ("1%", True)


def test_show_against_another_scenario_tells_what_differs() -> None:
    rows = json.loads(answer("show", "no-floor", "--against", "england", "--json").stdout)["rows"]
    floor = next(row for row in rows if row["key"] == "rules.growth_floor.rate")
    assert floor == {"key": "rules.growth_floor.rate", "this": None, "other": "3.6%"}


def test_models_prints_the_mathematics_from_the_code() -> None:
    said = answer("models", "pace_of_change").stdout
    for words in ("x_p >= (1 + f(d0_p)) b_p", "rate (%): required", "sum_p max(0, s_p - x_p)", "source: "):
        assert words in said
    assert set(json.loads(answer("models", "--json").stdout)["models"]) >= {"pace_of_change", "target_share"}
    unknown = answer("models", "pace_of_chang", status=2)
    assert "there is no model 'pace_of_chang'" in unknown.stderr


def test_new_writes_a_scenario_that_runs_and_never_overwrites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    answer("new", "mine", "--from", GOOD)
    assert json.loads(answer("check", "mine.yaml", "--json").stdout)["name"] == "mine"
    again = answer("new", "mine", "--from", GOOD, status=2)
    assert "mine.yaml is there already" in again.stderr


def test_verify_passes_a_run_and_finds_one_changed_pound(tmp_path: Path) -> None:
    folder = Path(json.loads(answer("run", GOOD, "--out", str(tmp_path), "--json").stdout)["run"])
    verdict = json.loads(answer("verify", str(folder), "--json").stdout)
    assert verdict["passed"] is True
    table = folder / "allocations.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    cells = lines[1].split(",")
    place = lines[0].split(",").index("allocation_gbp")
    cells[place] = str(int(cells[place]) + 1)
    table.write_text("\n".join([lines[0], ",".join(cells), *lines[2:]]) + "\n", encoding="utf-8")
    assert json.loads(answer("verify", str(folder), "--json", status=1).stdout)["passed"] is False


def test_a_process_of_one_verb_looks_for_garbage_seldom():
    script = "import gc\nfrom allocopt import cli\ncli.app = lambda: print(gc.get_threshold()[0])\ncli.main()"
    assert int(process("-c", script).stdout) > 100 * 700


def test_garbage_that_has_grown_old_is_found_all_the_same():
    """Models whose parts hold each other, built one after the other as a long search does: few stand at any time."""
    script = """
import gc, weakref
from allocopt import cli, cli_parts
class Part: pass
def model():
    parts = [Part() for _ in range(5_000)]
    for part in parts: part.all = parts
    return parts[0]
def verb():
    gc.freeze()
    seen, most = [], 0
    for _ in range(60):
        seen.append(weakref.ref(model()))
        most = max(most, sum(one() is not None for one in seen))
    print(most)
cli_parts.SELDOM = 500
cli.app = verb
cli.main()
"""
    assert int(process("-c", script).stdout) <= 5
