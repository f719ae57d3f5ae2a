"""`verify` of a grouping with one figure changed and the seals renewed: nothing that is checked changes unnoticed.

The exceptions are listed here and in the manual (What verify checks again).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from altered_cases import CASES, GIVEN, given
from altering import Figure, changed, figures, passes_with, resealed

from allocopt.check.folder import verify
from allocopt.check.inputs import check_hash
from allocopt.record import canonical

NOT_CHECKED = {
    "travel_frontier.csv": re.compile(r"travel_bound_km"),  # less is true as well; it is branch and bound's own
}
NOISE = 1e-12
"""A figure this small is the rounding of a nought."""
STRIDE = 11
"""Of the figures of a case, one in so many is changed where the whole is not asked for."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = CASES[name](tmp_path_factory.mktemp(name))
        return made[name]

    return folder


def less(value: float) -> float:
    if isinstance(value, bool):
        return not value
    return value - (changed(value) - value)


def unnoticed(folder: Path, *, change: Callable[[float], float], stride: int) -> list[str]:
    found = [one for one in figures(folder) if not 0 < abs(one.value) < NOISE]
    odd = list[str]()
    for one in found[::stride]:
        if not passes_with(folder, one, change):
            continue
        if change is changed or one.file not in NOT_CHECKED or not NOT_CHECKED[one.file].search(str(one)):
            odd.append(str(one))
    return odd


@pytest.mark.parametrize("name", CASES)
def test_no_figure_of_a_grouping_changes_unnoticed(folders, name):
    folder = folders(name)
    assert [one for one in verify(folder).checks if not one.passed] == []
    assert unnoticed(folder, change=changed, stride=STRIDE) == []


@pytest.mark.slow
@pytest.mark.parametrize("change", [changed, less])
@pytest.mark.parametrize("name", CASES)
def test_no_figure_at_all_changes_unnoticed(folders, name, change):
    assert unnoticed(folders(name), change=change, stride=1) == []


def failed(folder: Path) -> dict[str, str]:
    return {one.name: one.words for one in verify(folder).checks if not one.passed}


def rewritten(folder: Path, change: Callable[[dict[str, Any]], None]) -> dict[str, str]:
    """What fails of a folder whose certificate was changed."""
    path = folder / "certificate.npz"
    before = path.read_bytes()
    with np.load(path) as kept:
        arrays = dict(kept)
    change(arrays)
    np.savez_compressed(path, **arrays)
    try:
        with resealed(folder):
            return failed(folder)
    finally:
        path.write_bytes(before)


def test_another_plan_without_a_rule_is_no_proof_of_its_price(folders):
    """Every place at the hub of the first: A leads, and what is said to be gained is not."""

    def gather(arrays):
        name = next(one for one in arrays if one.startswith("priced.locked") and one.endswith(".hub"))
        arrays[name] = np.zeros_like(arrays[name])

    found = rewritten(folders("jointly"), gather)
    assert "the kept plan breaks" in found["price locked"]


def test_a_plan_that_is_not_kept_proves_no_price(folders):
    def lose(arrays):
        for name in [one for one in arrays if one.startswith("priced.growth_ceiling.")]:
            del arrays[name]

    found = rewritten(folders("jointly"), lose)
    assert "keeps no plan without the rule" in found["price growth_ceiling"]


def test_the_optimal_grouping_within_areas_is_looked_at_again(folders):
    """Every place alone keeps no rule about sizes, and has another deficit than the row says."""

    def alone(arrays):
        name = "beside.optimal within areas.hub"
        arrays[name] = np.arange(len(arrays[name]), dtype=np.int32)

    words = rewritten(folders("free"), alone)["comparison, optimal within areas"]
    assert "its plan breaks population_window at A" in words


@pytest.mark.parametrize(
    ("name", "change", "check", "words"),
    [
        ("T.prices", lambda one: one / 2, "bound T", "the kept prices prove only GBP"),
        ("T.prices", lambda one: one + 1, "bound T", "a kept price of bound T is not between 0 and 1"),
        ("T.rows", lambda one: np.full_like(one, b"Z"), "bound T", "1 of the kept prices are of rows"),
        ("priced.reach.prices", lambda one: one / 2, "price reach", "bound T is"),
        ("beside.optimal across areas.prices", lambda one: one / 2, "comparison, optimal across areas", "bound T is"),
    ],
)
def test_the_prices_of_bound_t_are_evaluated_again_wherever_they_stand(folders, name, change, check, words):
    """The run's own, those of a plan beside it, and those of what a rule costs."""

    def altered(arrays):
        arrays[name] = change(arrays[name])

    assert words in rewritten(folders("crossings_searched"), altered)[check]


def test_what_is_by_branch_and_bound_is_not_called_proved(folders):
    """A price whose bound is the solver's own says so."""
    record = json.loads((folders("jointly") / "run.json").read_text(encoding="utf-8"))
    words = {one.name: one.words for one in verify(folders("jointly")).checks}
    priced = [one for one in record["rules"] if one.get("without_by")]
    assert {one["without_by"] for one in priced} <= {"highs", "none", "net overspend", "bound N", "bound C"}
    for one in priced:
        own = one["without_by"] == "highs"
        assert ("not re-proved" in words[f"price {one['name']}"]) == own, one


def test_the_words_of_a_price_are_those_of_its_figures(folders):
    folder = folders("jointly")
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    at = next(k for k, one in enumerate(record["rules"]) if one["name"] == "locked")
    words = Figure("run.json", ("rules", at, "price_words"), "")  # type: ignore[arg-type]
    assert not passes_with(folder, words, lambda _: "without locked gross deficit would be £7.5m less")  # type: ignore[arg-type,return-value]


def test_a_given_grouping_is_read_from_its_table_again(tmp_path):
    """The table says that C leads C and D; a table that has D with A, under new hashes, is another grouping."""
    folder = given(tmp_path)
    table, record = tmp_path / "given.csv", json.loads((folder / "run.json").read_text(encoding="utf-8"))
    table.write_text(GIVEN.replace("D,two,C", "D,one,A"), encoding="utf-8")
    _pretend(folder, record, "given.csv", table)
    assert failed(folder).keys() == {"the given grouping"}
    assert "A and others of 'one' have different hubs" in failed(folder)["the given grouping"]
    table.write_text(GIVEN.replace("two,C", "two,D"), encoding="utf-8")
    _pretend(folder, record, "given.csv", table)
    assert failed(folder) == {"the given grouping": "the hub of 'two' is C, the table says D"}
    table.write_text(GIVEN + "E,two,C\n", encoding="utf-8")
    _pretend(folder, record, "given.csv", table)
    assert failed(folder) == {"the given grouping": "E of the table is no place of the run"}


def _pretend(folder: Path, record: dict[str, Any], file: str, table: Path) -> None:
    """run.json with the hash of a table as it is now, the hash of the inputs that makes, and new seals."""
    from hashlib import sha256  # noqa: PLC0415 - used here alone

    for one in record["inputs"]:
        if one["file"] == file:
            one["sha256"] = sha256(table.read_bytes()).hexdigest()
            one["rows"] = len(table.read_text(encoding="utf-8").splitlines()) - 1
    said = {
        "scenario": {key: value for key, value in record["scenario"].items() if key not in ("why", "source")},
        "files": sorted((one["file"], one["sha256"]) for one in record["inputs"]),
    }
    record["hash"] = sha256(canonical(said).encode()).hexdigest()
    assert check_hash(record).passed
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    timing = json.loads((folder / "timing.json").read_text(encoding="utf-8"))
    timing["sha256"]["run.json"] = sha256((folder / "run.json").read_bytes()).hexdigest()
    (folder / "timing.json").write_text(json.dumps(timing), encoding="utf-8")


def test_a_folder_of_an_earlier_version_is_told_and_not_refused(tmp_path):
    """Before the plans beside a run's own were kept, none was there to look at."""
    from allocopt.csv_text import csv_text  # noqa: PLC0415 - used here alone
    from allocopt.runs import read_run  # noqa: PLC0415 - as above

    folder = CASES["within_areas"](tmp_path)
    run = read_run(folder)
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    for one in record["rules"]:
        one.pop("without_bound", None)
        one.pop("without_by", None)
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    for name in ("comparison", "travel_frontier"):
        table = run.tables[name].drop(columns="bound_by")
        (folder / f"{name}.csv").write_text(csv_text(table), encoding="utf-8")
    with np.load(folder / "certificate.npz") as kept:
        arrays = {name: kept[name] for name in kept.files if name.startswith(("C.", "P."))}
    np.savez_compressed(folder / "certificate.npz", **arrays)
    with resealed(folder):
        verdict = verify(folder)
    words = {one.name: one.words for one in verdict.checks}
    assert verdict.passed, [one for one in verdict.checks if not one.passed]
    assert words["prices of rules"].startswith("not re-checked: made by an earlier version")
    assert words["comparison"].startswith("not re-checked: made by an earlier version")
