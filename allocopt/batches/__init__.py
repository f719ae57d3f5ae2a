"""Many what-ifs from one sweep file: solved in any order on any number of workers, resumable, the same bytes each time.

    batch = allocopt.batch("scenarios/floors.yaml", workers=2)
    batch.results          # a DataFrame, one row a case
    batch.exit             # the largest exit code of its cases

    runs/<sweep>-<hash>/  results.csv, results.parquet, allocations.parquet (when kept), batch.json, cases/<id>/

Imports the rooms of this package, `plan` and `scenario`.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from allocopt.batches.axes import Plan, read_sweep
from allocopt.batches.cases import Case, cases
from allocopt.batches.checking import keep_problems
from allocopt.batches.pool import executors, hand_out
from allocopt.batches.record import batch_record, kept, seal_of
from allocopt.batches.reuse import Memory, tables_key
from allocopt.batches.store import SEAL, Store, made_by, write_bytes
from allocopt.batches.table import Asked, case_row, parquet_data, results, whole_table
from allocopt.batches.work import ALL, TABLES, Task, failed, pack
from allocopt.csv_text import csv_text
from allocopt.errors import AllocoptError, Mark, Problem, ScenarioFault
from allocopt.folders import folder_name, write_json
from allocopt.record import canonical
from allocopt.scenario import Sets, SweepFile, load_sweep

CHUNK = 8
"""Cases of one kind that a worker gets at a time: what a kill may cost, against the cost of handing out."""


@dataclass(frozen=True)
class Progress:
    """How far a batch is: cases finished, all, those that were done before, and the case that just failed."""

    done: int
    total: int
    reused: int
    seconds: float
    failure: str | None = None

    @property
    def rate(self) -> float:
        """Cases a second, of those that had to be solved."""
        return (self.done - self.reused) / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """At this rate; None before the first case."""
        return (self.total - self.done) / self.rate if self.rate > 0 else None


@dataclass(frozen=True)
class Batch:
    """A finished batch: its record (batch.json), its results and where they are."""

    folder: Path
    record: Mapping[str, Any]
    results: pd.DataFrame
    """One row a case; the columns are those of results.csv"""
    reused: int = 0
    """Cases that were done already"""

    @property
    def exit(self) -> int:
        """The largest exit code of its cases."""
        return int(self.record["exit"])

    def case(self, number: int) -> Path:
        """The folder of a case by its number in the sweep, from 1."""
        return self.folder / "cases" / str(self.results["case"].iloc[number - 1])


@dataclass
class _Pending:
    """Cases of one kind that wait for a worker."""

    cases: list[tuple[str, bytes]] = field(default_factory=list)


def batch(
    sweep: str | Path,
    *,
    workers: int | None = None,
    cluster: str | None = None,
    set: Sets = (),  # noqa: A002 - the contract's name
    out: str | Path = "runs",
    fresh: bool = False,
    tell: Callable[[Progress], None] = lambda progress: None,  # noqa: ARG005 - the default listener ignores it
) -> Batch:
    """Solve every case of a sweep that is not done yet, and write the results of all.

    A case that fails keeps its diagnosis and stops no other. Raises ScenarioFault (2) when the sweep itself cannot be
    read or no case of it can, InputFault (2) when the folder cannot be written or the cluster does not answer.
    """
    file = sweep_file(sweep, set=set)
    plan = read_sweep(file)
    asked, pending, faults = _sorted(cases(file, plan))
    if wrong := keep_problems(file, plan, Memory()):
        raise ScenarioFault(f"the sweep {file.path.name} keeps what no case has: nothing was solved", tuple(wrong))
    tables, figures = kept(plan.sweep.keep, len(asked))
    store = Store(Path(out) / folder_name(file.path.stem, batch_hash(asked, tables, figures)), tables)
    store.open(fresh=fresh)
    reused = _solve(store, asked, pending, faults, workers=workers, cluster=cluster, fresh=fresh, tell=tell)
    return _finish(file, plan, store, asked, figures, reused)


def sweep_file(sweep: str | Path, *, set: Sets = ()) -> SweepFile:  # noqa: A002
    """The sweep of a file. Raises ScenarioFault when it holds none."""
    file = load_sweep(sweep, set=set)
    if file is None:
        said = f"{sweep} is one scenario, not a sweep"
        cure = "write sweep: {over: {rules.growth_floor.rate: [1%, 2%]}}, or use `allocopt run`"
        raise ScenarioFault(said, (Problem(said, cure, "sweep", Mark(Path(sweep), 1, 1)),))
    return file


def batch_hash(asked: Sequence[Asked], tables: Sequence[str], figures: Sequence[str]) -> str:
    """What is asked for: the cases in their order and what is kept of them."""
    said = {"cases": [[one.case, dict(one.parameters)] for one in asked], "tables": tables, "figures": figures}
    return hashlib.sha256(canonical(said).encode()).hexdigest()


def _sorted(found: Iterator[Case]) -> tuple[list[Asked], dict[str, _Pending], dict[str, AllocoptError]]:
    """The rows that are asked for; what is to be solved, by kind; the cases that cannot be read.

    Raises ScenarioFault when no case can be read: then the sweep is at fault, and nothing is written.
    """
    asked, pending, faults = list[Asked](), dict[str, _Pending](), dict[str, AllocoptError]()
    seen = dict[str, None]()
    for case in found:
        asked.append(Asked(case.number, case.id, case.parameters))
        if case.id in seen:
            continue
        seen[case.id] = None
        if case.loaded is None:
            assert case.fault is not None
            faults[case.id] = case.fault
        else:
            kind = hashlib.sha256(tables_key(case.loaded).encode()).hexdigest()
            pending.setdefault(kind, _Pending()).cases.append((case.id, pack(case.loaded)))
    if not pending:
        problems = dict.fromkeys(one for fault in faults.values() for one in fault.problems)
        raise ScenarioFault("no case of the sweep can be read", tuple(problems))
    return asked, pending, faults


def _solve(
    store: Store,
    asked: Sequence[Asked],
    pending: Mapping[str, _Pending],
    faults: Mapping[str, AllocoptError],
    *,
    workers: int | None,
    cluster: str | None,
    fresh: bool,
    tell: Callable[[Progress], None],
) -> int:
    """Solve what is not done; how many were done already."""
    named = {one.case: _named(one) for one in reversed(asked)}
    start, total = time.perf_counter(), len(named)
    reused = 0
    for group in pending.values():
        left = [one for one in group.cases if store.done(one[0], beside=not fresh) is None]
        reused += len(group.cases) - len(left)
        group.cases[:] = left
    count = reused

    def told(failure: str | None = None) -> None:
        tell(Progress(count, total, reused, time.perf_counter() - start, failure))

    told()
    for case, fault in faults.items():
        count += 1
        store.write(failed(case, fault))
        told(_failure(store, case, named))
    needed = workers or min(os.cpu_count() or 1, max(1, total // CHUNK))
    with executors(needed, cluster) as (make, number):
        for done in hand_out(_tasks(pending, store.tables), make, number):
            count += 1
            store.write(done)
            told(None if "run.json" in done.files else _failure(store, done.id, named))
    return reused


def _failure(store: Store, case: str, named: Mapping[str, str]) -> str:
    return f"{named[case]}: {case_row(store.case(case))['message']}"


def _named(one: Asked) -> str:
    """`case 6 (pot.value £78.5bn, rules.growth_floor.rate 6%)`."""
    said = ", ".join(f"{key} {value}" for key, value in one.parameters.items())
    return f"case {one.number}{f' ({said})' if said else ''}"


def _tasks(pending: Mapping[str, _Pending], tables: Sequence[str]) -> Iterator[Task]:
    for group in pending.values():
        for first in range(0, len(group.cases), CHUNK):
            yield Task(tuple(group.cases[first : first + CHUNK]), tuple(tables))


def _finish(
    file: SweepFile, plan: Plan, store: Store, asked: Sequence[Asked], figures: Sequence[str], reused: int
) -> Batch:
    """The results of all cases, from their folders alone: so they do not depend on who solved them, or when."""
    unique = list(dict.fromkeys(one.case for one in asked))
    store.close(unique)
    frame = results(asked, store, figures=figures)
    write_bytes(store.folder / "results.csv", csv_text(frame).encode())
    write_bytes(store.folder / "results.parquet", parquet_data(frame))
    for name in (one for one in TABLES if one not in ("certificate", ALL)):
        if {name, ALL} & set(store.tables):
            whole_table(name, unique, store, store.folder / f"{name}.parquet")
    said = batch_record(file, plan, frame, store, figures)
    write_json(store.folder / "batch.json", said)
    return Batch(store.folder, said, frame, reused)


__all__ = ["SEAL", "Batch", "Progress", "batch", "made_by", "replace", "seal_of", "sweep_file"]
