"""A batch on a real Dask scheduler with two worker processes, one of them killed on the way: the same bytes."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sweeps import ENVIRONMENT, FLOOR, bytes_of, sweep

from allocopt.batches import Progress, batch
from allocopt.errors import InputFault

MISSING = importlib.util.find_spec("distributed") is None
pytestmark = pytest.mark.skipif(MISSING, reason="the cluster extra is not installed")
QUIET = ("--no-dashboard",)


def started(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", *words], env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and two workers as an analyst starts them; its address and its workers."""
    file = folder / "scheduler.json"
    where = ("--scheduler-file", str(file))
    scheduler = started("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", *where, *QUIET)
    alone = ("--no-nanny", "--nthreads", "1", "--local-directory", str(folder))
    workers = [started("distributed.cli.dask_worker", *where, *alone, *QUIET) for _ in range(2)]
    try:
        yield address(file), workers
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()


def address(file: Path) -> str:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if file.is_file() and (text := file.read_text(encoding="utf-8")).strip().endswith("}"):
            return str(json.loads(text)["address"])
        time.sleep(0.05)
    raise TimeoutError("the scheduler did not start")


def joined(at: str, number: int) -> None:
    from distributed import Client  # noqa: PLC0415 - an extra that may be missing

    with Client(at, set_as_default=False) as client:
        client.wait_for_workers(number, timeout=30)


def test_a_cluster_of_which_a_worker_is_killed_gives_the_bytes_of_this_machine(tmp_path):
    file = sweep(tmp_path, f"{{over: {{{FLOOR}: {{from: 1%, to: 9%, step: 0.25%}}}}}}")
    alone = batch(file, workers=1, out=tmp_path / "alone")
    assert alone.record["statuses"].keys() == {"optimal", "infeasible"}
    with cluster(tmp_path) as (at, workers):
        joined(at, 2)
        killed: list[int] = []

        def tell(progress: Progress) -> None:
            if progress.done >= 3 and not killed:
                workers[0].kill()
                killed.append(workers[0].wait())

        found = batch(file, cluster=at, out=tmp_path / "cluster", tell=tell)
    assert killed == [-9]
    assert bytes_of(found.folder) == bytes_of(alone.folder)


def test_a_cluster_that_does_not_answer_is_a_clear_error(tmp_path, monkeypatch):
    monkeypatch.setattr("allocopt.batches.pool.PATIENCE", "1s")
    file = sweep(tmp_path, f"{{over: {{{FLOOR}: [1%, 2%]}}}}")
    with pytest.raises(InputFault, match=r"no cluster answers at tcp://127.0.0.1:9"):
        batch(file, cluster="tcp://127.0.0.1:9", out=tmp_path / "runs")
