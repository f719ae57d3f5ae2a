"""One case in a worker: solved, proved, and handed back as the bytes of its files.

The same function works here, in a process of its own or on a cluster: it takes plain data and returns plain data, and
only the process that asked writes. Whatever goes wrong in a case is its result. Imports `reuse`, `runs` and below.
"""

from __future__ import annotations

import io
import json
import pickle
import traceback
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from allocopt.batches.reuse import Memory
from allocopt.consortia import is_grouping
from allocopt.errors import AllocoptError, Infeasible
from allocopt.folders import write_json
from allocopt.plan import Facts, Plan
from allocopt.record import record
from allocopt.rolling import check_path, is_rolling
from allocopt.runs import Run, explained, plan_of, run_facts, whereabouts, write_files
from allocopt.scenario import Loaded

ALL = "everything"
"""Keeps the whole run folder of each case."""
TABLES = (
    *("allocations", "effects", "places", "groups", "consortia", "comparison", "stress", "certificate"),
    ALL,
)
"""What may be kept of a case beside its run.json."""

MEMORY = Memory()


@dataclass(frozen=True)
class Task:
    """Cases of one kind, to be solved in turn by one worker: id and packed scenario."""

    cases: Sequence[tuple[str, bytes]]
    tables: Sequence[str]


@dataclass(frozen=True)
class Done:
    """A finished case: its files by name, and its exit code."""

    id: str
    exit: int
    files: Mapping[str, bytes]


def pack(loaded: Loaded) -> bytes:
    """A scenario in a few kilobytes: what waits for a worker must not fill the memory."""
    return zlib.compress(pickle.dumps(loaded), 1)


def work(task: Task) -> list[Done]:
    """Solve the cases of a task."""
    return [solve_case(case, pickle.loads(zlib.decompress(packed)), task.tables) for case, packed in task.cases]  # noqa: S301 - packed by this program


def solve_case(case: str, loaded: Loaded, tables: Sequence[str]) -> Done:
    """One case as the bytes of its folder: run.json and the tables that are kept, or its diagnosis."""
    try:
        files, status = case_files(loaded, tables)
    except AllocoptError as failure:
        return failed(case, failure)
    except Exception as failure:  # noqa: BLE001 - a bug in one case must not lose the others; it is told as a bug
        return Done(case, 1, {"error.json": _json(_bug(failure))})
    return Done(case, 4 if status == "gap" else 0, files)


def case_files(loaded: Loaded, tables: Sequence[str]) -> tuple[dict[str, bytes], str]:
    """The files of a case and its status. Raises what a run raises.

    An allocation of which only figures are kept is solved and proved, but its effects and the prices of its rules are
    not worked out.
    """
    facts = MEMORY.gather(loaded)
    scenario = loaded.scenario
    if not tables and not is_grouping(scenario) and scenario.stress is None and not scenario.frontier:
        said = record(plan_or_reasons(facts), {})
        return {"run.json": _json(said)}, said["status"]
    found = run_facts(facts, tell=_quietly, plan=lambda facts, _tell: planned(facts))
    return run_files(found, loaded, tables), found.record["status"]


def _quietly(_step: str) -> None:
    return


def plan_or_reasons(facts: Facts) -> Plan:
    """The plan; where there is none, Infeasible with its reasons and cures."""
    try:
        return planned(facts)
    except Infeasible as failure:
        raise explained(facts, failure, _quietly) from failure


def planned(facts: Facts) -> Plan:
    """The plan of an allocation, built on what earlier cases have left in memory."""
    check_path(facts.loaded)
    if is_rolling(facts.loaded.scenario):
        return plan_of(facts, _quietly)
    return MEMORY.plan(facts)


def run_files(found: Run, loaded: Loaded, tables: Sequence[str]) -> dict[str, bytes]:
    """The files of a run folder that are kept, each table with its Parquet twin."""
    wanted = {name: frame for name, frame in found.tables.items() if ALL in tables or name in tables}
    with TemporaryDirectory() as draft:
        folder = Path(draft)
        write_files(replace(found, tables=wanted), folder)
        if ALL in tables:
            where = whereabouts(loaded, folder)
            write_json(folder / "timing.json", {key: one for key, one in where.items() if key != "scenario"})
        for name in ("certificate.npz", "assurance.md") if ALL not in tables else ():
            if name.partition(".")[0] not in tables:
                (folder / name).unlink(missing_ok=True)
        files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    return files | {f"{name}.parquet": parquet_bytes(frame) for name, frame in wanted.items()}


def failed(case: str, failure: AllocoptError) -> Done:
    """A case without a result: what `--json` would print."""
    return Done(case, failure.exit, {"error.json": _json(failure.as_dict())})


def _bug(failure: Exception) -> dict[str, Any]:
    said = f"{type(failure).__name__}: {failure}"
    where = [
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in traceback.extract_tb(failure.__traceback__)
    ]
    return {"error": {"exit": 1, "kind": "bug", "message": said, "problems": [], "cures": [], "where": where}}


def parquet_bytes(frame: pd.DataFrame) -> bytes:
    """The Parquet twin of a table."""
    made = io.BytesIO()
    frame.to_parquet(made, index=False)
    return made.getvalue()


def _json(data: Mapping[str, Any]) -> bytes:
    return (json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
