"""A finished batch, checked again: every byte, every row of the results, a sample of cases.

Imports the rooms of this package, `check`, `check.verdict` and `scenario`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from allocopt import streams
from allocopt.batches import sweep_file
from allocopt.batches.axes import read_sweep
from allocopt.batches.cases import cases
from allocopt.batches.record import seal_of
from allocopt.batches.store import SEAL, broken, made_by, read_seal
from allocopt.batches.table import case_row
from allocopt.batches.work import ALL, solve_case
from allocopt.check.folder import verify
from allocopt.check.verdict import Check, Verdict, compared, guarded
from allocopt.errors import InputFault, Problem

RESULTS = ("number", "case")


def is_batch(folder: Path) -> bool:
    """True for a folder that `allocopt batch` wrote."""
    return (folder / "batch.json").is_file()


def verify_batch(folder: Path, *, sample: int = 3, rerun: int = 0, scenario: Path | None = None) -> Verdict:
    """Check a batch again: the bytes of every case, the results, `sample` cases by the independent checker.

    `rerun` cases are solved again and compared byte by byte; `scenario` says where the sweep file is, which that needs.
    The sample is the same every time. Raises InputFault (2) when the folder is no batch, or no sweep is given.
    """
    record, results = _read(folder)
    ids = list(dict.fromkeys(results["case"]))
    checks = [
        *guarded("files of the batch", lambda: [_own_files(folder, record)]),
        *guarded("files of each case", lambda: [_case_files(folder, ids)]),
        *guarded("seal", lambda: [_seal(folder, record, ids)]),
        *guarded("results", lambda: [_rows(folder, results)]),
        *guarded("status and exit", lambda: [_counts(record, results)]),
    ]
    for case in _chosen(_whole(folder, ids), sample):
        checks += guarded(f"case {case}", lambda case=case: [_checked(folder, case)])  # type: ignore[misc]
    if rerun:
        checks += _again(folder, ids, rerun, scenario)
    return Verdict(folder, tuple(checks))


def _read(folder: Path) -> tuple[Mapping[str, Any], pd.DataFrame]:
    try:
        record = json.loads((folder / "batch.json").read_text(encoding="utf-8"))
        results = pd.read_csv(folder / "results.csv", dtype="str", keep_default_na=False)
        record["seal"], record["sha256"], results["case"], results["number"]
    except (OSError, ValueError, KeyError, TypeError) as failure:
        said = f"{folder} is not a batch that can be read: {failure}"
        raise InputFault(said, (Problem(said, "name a folder that `allocopt batch` wrote", str(folder)),)) from failure
    return record, results


def _own_files(folder: Path, record: Mapping[str, Any]) -> Check:
    wrong = []
    for name, digest in record["sha256"].items():
        path = folder / name
        if not path.is_file():
            wrong.append(f"{name} is not there")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            wrong.append(f"{name} is not as it was written")
    return compared("files of the batch", wrong, f"{', '.join(record['sha256'])}: as written")


def _case_files(folder: Path, ids: Sequence[str]) -> Check:
    wrong = [f"case {path.name} was not asked for" for path in (folder / "cases").iterdir() if path.name not in ids]
    for case in ids:
        seal = read_seal(folder / "cases" / case)
        faults = [f"{SEAL} cannot be read"] if seal is None else broken(folder / "cases" / case, seal)
        wrong += [f"case {case}: {one}" for one in faults]
    return compared("files of each case", sorted(wrong), f"{len(ids):,} cases: every file as written")


def _seal(folder: Path, record: Mapping[str, Any], ids: Sequence[str]) -> Check:
    found = seal_of(folder, ids)
    wrong = [] if found == record["seal"] else ["the seals of the cases are not those that batch.json notes"]
    return compared("seal", wrong, f"the seals of {len(ids):,} cases hash to {found[:16]}")


def _rows(folder: Path, results: pd.DataFrame) -> Check:
    """Every figure of results.csv is that of its case."""
    wrong = []
    for _, row in results.iterrows():
        said = case_row(folder / "cases" / str(row["case"]))
        wrong += [
            f"case {row['number']}: {name} is {row[name]}, its folder says {value}"
            for name, value in said.items()
            if name in results.columns and not _alike(str(row[name]), value)
        ]
    return compared("results", wrong, f"{len(results):,} rows: each as its case says")


def _alike(text: str, value: Any) -> bool:
    if value is None:
        return text == ""
    if isinstance(value, int | float):
        return bool(text) and float(text) == float(f"{value:.15g}")
    return text == str(value)


def _counts(record: Mapping[str, Any], results: pd.DataFrame) -> Check:
    counts = {str(status): int(count) for status, count in results["status"].value_counts().sort_index().items()}
    exit_code = int(results["exit"].astype(int).max())
    wrong = [] if counts == record["statuses"] else [f"batch.json counts {record['statuses']}, the results {counts}"]
    wrong += [] if exit_code == record["exit"] else [f"batch.json says exit {record['exit']}, the results {exit_code}"]
    return compared("status and exit", wrong, f"{counts}, exit {exit_code}")


def _whole(folder: Path, ids: Sequence[str]) -> list[str]:
    """The cases whose whole run folder was kept."""
    seals = {case: read_seal(folder / "cases" / case) for case in ids}
    return [case for case, seal in seals.items() if seal and ALL in seal["tables"] and "run.json" in seal["sha256"]]


def _chosen(ids: Sequence[str], number: int) -> list[str]:
    """A sample that is the same every time: the ids come first whose own hash is smallest."""
    if not ids:
        return []
    order = np.argsort(streams.uniforms(streams.keys(ids), seed=7, stream="verify")[0], kind="stable")
    return [ids[place] for place in order[:number]]


def _checked(folder: Path, case: str) -> Check:
    verdict = verify(folder / "cases" / case)
    wrong = [f"{one.name}: {one.words}" for one in verdict.checks if not one.passed]
    return compared(f"case {case}", wrong, f"{len(verdict.checks)} checks by the independent checker passed")


def _again(folder: Path, ids: Sequence[str], number: int, scenario: Path | None) -> Iterator[Check]:
    if scenario is None:
        said = "solving cases again needs the sweep file"
        raise InputFault(said, (Problem(said, "say where it is: --scenario SWEEP.yaml", "--scenario"),))
    file = sweep_file(scenario)
    wanted = set(_chosen(ids, number))
    for case in cases(file, read_sweep(file)):
        if case.id in wanted and case.loaded is not None:
            wanted.discard(case.id)
            yield _solved_again(folder, case.id, case.loaded)
    if wanted:
        missing = [f"{case} is no case of this sweep (or its inputs have changed)" for case in sorted(wanted)]
        yield compared("solved again", missing, "")


def _solved_again(folder: Path, case: str, loaded: Any) -> Check:
    seal = read_seal(folder / "cases" / case)
    if seal is None:
        return Check(f"solved again {case}", False, f"{SEAL} cannot be read")
    done = solve_case(case, loaded, tuple(seal["tables"]))
    found = {name: hashlib.sha256(data).hexdigest() for name, data in done.files.items()}
    wrong = [f"{name} came out otherwise" for name, digest in seal["sha256"].items() if found.get(name) != digest]
    if wrong and {key: seal.get(key) for key in made_by()} != made_by():
        wrong.append("the batch was made by another version of the code or of its packages")
    return compared(f"solved again {case}", wrong, "the same bytes")
