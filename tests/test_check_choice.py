"""The independent check of free choice passes what was written and tells what was changed afterwards."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from choice_cases import largest_gain, lawful, random_field
from test_choice import written

import allocopt
from allocopt.check import coalitions
from allocopt.check.folder import verify
from allocopt.choice.circles import circle_bound
from allocopt.choice.field import field_of, level_of
from allocopt.model import load_model

MODEL = load_model("free_choice")
PRICE = (
    "choice.price={banded: {balance_band: 30%}, placed: {admit: left_out}}",
    "rules.reach={max: 25 km}",
    "grouping={budget: baseline, deterministic: true}",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("choice")
    found = allocopt.run(written(home), set=list(PRICE), out=home / "runs").folder
    assert found is not None
    return found


def table(name: str, change: Callable[[pd.DataFrame], None]) -> Callable[[Path], None]:
    def write(at: Path) -> None:
        frame = pd.read_csv(at / f"{name}.csv", dtype="str", keep_default_na=False)
        change(frame)
        frame.to_csv(at / f"{name}.csv", index=False)

    return write


def cell(name: str, row: int, column: str, value: str) -> Callable[[Path], None]:
    def change(frame: pd.DataFrame) -> None:
        assert frame.loc[row, column] != value
        frame.loc[row, column] = value

    return table(name, change)


def record(change: Callable[[dict], None]) -> Callable[[Path], None]:
    def write(at: Path) -> None:
        said = json.loads((at / "run.json").read_text(encoding="utf-8"))
        change(said)
        (at / "run.json").write_text(json.dumps(said), encoding="utf-8")

    return write


def swapped(at: Path) -> None:
    """A and B change places in every table, as if it had been so from the start."""
    for name, columns in (("groups", ["group", "hub"]), ("plans", ["free_choice"])):

        def change(frame: pd.DataFrame, columns=columns) -> None:
            frame.loc[[0, 1], columns] = frame.loc[[1, 0], columns].to_numpy()

        table(name, change)(at)


def test_what_was_written_passes(folder):
    found = verify(folder)
    assert found.passed, [one.words for one in found.checks if not one.passed]
    names = {one.name for one in found.checks}
    assert {
        "rules of banded",
        "gains in free_choice",
        "who would leave now",
        "payments hold the plan together",
        "charges of bound B",
        "price of placed",
        "shunning score of now",
        "who stands where in now",
    } <= names


TAMPERED = {
    "consortia add up": swapped,
    "groups.csv and plans.csv agree": cell("groups", 0, "group", "B"),
    "every place stands once": cell("groups", 2, "place", "A"),
    "rules of banded": cell("plans", 0, "banded", "C"),
    "price of free_choice": cell("price", 1, "gross_deficit_gbp", "1"),
    "price of placed": cell("price", 3, "captured_pct", "99.0"),
    "bounds of the price": record(lambda said: said["bounds"][0].update(value=5.0)),
    "who would leave now": cell("blocking", 0, "gain_per_head_gbp", "501.0"),
    "gains in now": record(lambda said: said["judged"][1].update(largest_gain_not_ruled_out=400.0)),
    "payments add up": record(lambda said: said["keeps_together"]["payments"].update(total_gbp=7)),
    "payments hold the plan together": table("payments", lambda frame: frame.__setitem__("paid_to_stay_gbp", "0")),
    "charges of bound B": table("payments", lambda frame: frame.__setitem__("price", "1")),
    "common_share holds now": record(lambda said: said["keeps_together"]["levers"][1].update(setting=0.5)),
    "shunning score of now": cell("shunning", 1, "p_value", "0.5"),
    "who stands where in now": table(
        "choice",
        lambda frame: frame.__setitem__(
            "value", ["7" if m == "deficit" else v for m, v in zip(frame["measure"], frame["value"], strict=True)]
        ),
    ),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_change_is_told_by_the_check_it_concerns(folder, tmp_path, name):
    at = tmp_path / folder.name
    shutil.copytree(folder, at)
    TAMPERED[name](at)
    wrong = {one.name for one in verify(at).checks if not one.passed}
    assert name in wrong
    assert "sealed files" in wrong


def test_a_partition_that_is_not_stable_is_told_though_its_tables_agree(folder, tmp_path):
    """A with B and D with E: (A, D) would gain. Consortia and plans say the same, so only the search can tell."""
    at = tmp_path / folder.name
    shutil.copytree(folder, at)
    swapped(at)
    assert "gains in free_choice" in {one.name for one in verify(at).checks if not one.passed}


@pytest.mark.parametrize("batch", range(4))
def test_the_second_search_decides_gains_as_enumeration_does(batch):
    for seed in range(25 * batch, 25 * batch + 25):
        instance, where = random_field(seed)
        of = field_of(instance, MODEL)
        if of.linear or of.graph is not None:
            continue
        level = level_of(of, np.random.default_rng(seed).integers(0, 3, len(of)))
        most = largest_gain(lawful(instance, where, of), level)
        for allowed, wanted in ((most + 1e-3, 0), (max(0.0, most - 1e-3), 1 if most > 1e-3 else 0)):
            found = 0
            for hub in of.hubs.tolist():
                p = of.candidates(hub)
                found = max(
                    found,
                    coalitions.gains(
                        of.value[p], of.weight[p], of.people[p], level[p], of.least(hub), of.most, 1.0, 1.0, allowed
                    ),
                )
            assert found == wanted, seed


def test_the_second_reckoning_of_a_circle_agrees_with_the_first():
    draw = np.random.default_rng(5)
    for _ in range(20):
        n = int(draw.integers(3, 30))
        people = 1000.0 * draw.integers(1, 12, n)
        value, have = people * 100 * draw.standard_normal(n), 20 * draw.standard_normal(n)
        given = (value, people, people, have, draw.random(n) < 0.7, 10_000.0, 5.0, np.linspace(-20, 300, 40), 0.9, 1.0)
        assert coalitions.owed(*given) == pytest.approx(circle_bound(*given), rel=1e-9, abs=1e-6)


def test_the_checkers_loops_are_those_of_plain_python():
    draw = np.random.default_rng(7)
    value, people = 1e5 * draw.standard_normal(8), 1000.0 * draw.integers(1, 9, 8)
    level = np.array([0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 0.0, 1.0])
    given = (value, people, people, level, 9000.0, 30_000.0, 1.0, 1.0)
    for allowed in (0.0, 5.0, 20.0, 80.0):
        assert coalitions.gains(*given, allowed) == coalitions.gains.py_func(*given, allowed)


def test_two_hash_seeds_give_the_same_bytes(tmp_path):
    path = written(tmp_path)
    code = "import allocopt, sys; print(allocopt.run(sys.argv[1], set=sys.argv[3:], out=sys.argv[2]).folder)"
    folders = []
    for seed in ("1", "2"):
        made = subprocess.run(
            [sys.executable, "-c", code, str(path), str(tmp_path / seed), *PRICE],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        )
        folders.append(Path(made.stdout.strip()))
    names = sorted(one.name for one in folders[0].iterdir() if one.name != "timing.json")
    assert names == sorted(one.name for one in folders[1].iterdir() if one.name != "timing.json")
    assert "plans.csv" in names
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name
