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
from dataclasses import dataclass
from typing import Any

import pandas as pd

from allocopt.batches.reuse import Memory
from allocopt.effects import check_groupings
from allocopt.errors import AllocoptError
from allocopt.plan import Plan, make_plan
from allocopt.record import record
from allocopt.runs import attributes, groupings, run_of, write_certificate
from allocopt.scenario import Loaded

TABLES = ("allocations", "effects", "certificate")
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
        plan = planned(loaded)
        files = plan_files(plan, tables)
    except AllocoptError as failure:
        return failed(case, failure)
    except Exception as failure:  # noqa: BLE001 - a bug in one case must not lose the others; it is told as a bug
        return Done(case, 1, {"error.json": _json(_bug(failure))})
    return Done(case, 0 if plan.status == "optimal" else 4, files)


def planned(loaded: Loaded) -> Plan:
    """The plan of a scenario, from what earlier cases have left in memory."""
    facts = MEMORY.gather(loaded)
    return make_plan(facts)


def failed(case: str, failure: AllocoptError) -> Done:
    """A case without a result: what `--json` would print."""
    return Done(case, failure.exit, {"error.json": _json(failure.as_dict())})


def _bug(failure: Exception) -> dict[str, Any]:
    said = f"{type(failure).__name__}: {failure}"
    where = [
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in traceback.extract_tb(failure.__traceback__)
    ]
    return {"error": {"exit": 1, "kind": "bug", "message": said, "problems": [], "cures": [], "where": where}}


def plan_files(plan: Plan, tables: Sequence[str]) -> dict[str, bytes]:
    """The files of a solved case; the effects are worked out only when they are kept."""
    if "effects" in tables:
        check_groupings(groupings(plan.facts), attributes(plan.facts))
        found = run_of(plan)
        said, frames = (
            found.record,
            {name: frame for name, frame in found.tables.items() if name in tables or name not in TABLES},
        )
    else:
        said, frames = record(plan), {"allocations": plan.table} if "allocations" in tables else {}
    files = {"run.json": _json(said)}
    for name, frame in frames.items():
        files |= {f"{name}.csv": csv_bytes(frame), f"{name}.parquet": parquet_bytes(frame)}
    if "certificate" in tables:
        made = io.BytesIO()
        write_certificate(made, plan)
        files["certificate.npz"] = made.getvalue()
    return files


def csv_bytes(frame: pd.DataFrame) -> bytes:
    """A table as every run folder has it."""
    text: str = frame.to_csv(index=False, lineterminator="\n", float_format="%.15g")
    return text.encode()


def parquet_bytes(frame: pd.DataFrame) -> bytes:
    """The Parquet twin of a table."""
    made = io.BytesIO()
    frame.to_parquet(made, index=False)
    return made.getvalue()


def _json(data: Mapping[str, Any]) -> bytes:
    return (json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
