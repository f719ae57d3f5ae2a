"""Jobs of a search done side by side: the answers come in the order of the jobs, whatever the number of processes.

Each job is a function of its arguments alone, so that the plan does not depend on the number of workers. Imports
nothing of the project.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from types import TracebackType
from typing import Self, TypeVar

_Job = TypeVar("_Job")
_Answer = TypeVar("_Answer")


class Crew:
    """One or more processes; to be used with `with`. Processes start with the first jobs that need them."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def do(
        self, work: Callable[[_Job], _Answer], jobs: Sequence[_Job], size: Callable[[_Job], float] = lambda _job: 0.0
    ) -> list[_Answer]:
        """What `work` makes of each job, in their order; the largest are begun first, so that none is waited for."""
        if self.workers == 1 or len(jobs) < 2:
            return [work(job) for job in jobs]
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self.workers, mp_context=get_context("spawn"))
        order = sorted(range(len(jobs)), key=lambda number: -size(jobs[number]))
        found = dict(zip(order, self._pool.map(work, [jobs[number] for number in order]), strict=True))
        return [found[number] for number in range(len(jobs))]
