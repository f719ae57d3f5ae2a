"""Where cases are solved: in this process, in processes beside it, or on a Dask cluster; one way to hand them out.

A worker that dies takes nothing with it: its cases are handed out again, one at a time, and a case on which three
workers died is told as such. Imports `work` and `errors`.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from typing import Any

from allocopt.batches.work import Done, Task, failed, work
from allocopt.errors import AllocoptError, InputFault, Problem

TRIES = 3
"""Workers that may die on a case before it is given up."""
AHEAD = 3
"""Tasks handed out for each worker: enough to keep it busy, few enough that memory does not grow."""

PATIENCE = "10s"
"""How long a cluster may take to answer."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Make = Callable[[], Executor]


class Here(Executor):
    """This process: a task is done when it is handed out."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do it now."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as failure:  # noqa: BLE001 - handed to whoever asks for the result, as an executor does
            future.set_exception(failure)
        return future


@contextmanager
def executors(workers: int, cluster: str | None) -> Iterator[tuple[Make, int]]:
    """A maker of executors and how many workers they have. Raises InputFault when a cluster cannot be reached."""
    if cluster is None:
        with one_thread():
            yield (lambda: _processes(workers)) if workers > 1 else Here, workers
        return
    client = _client(cluster)
    try:
        count = max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
        yield (lambda: client.get_executor(retries=TRIES)), count
    finally:
        client.close()


@contextmanager
def one_thread() -> Iterator[None]:
    """Processes that start meanwhile take one thread each for their linear algebra.

    More would stand in each other's way, and a library with more threads adds up in another order.
    """
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _processes(workers: int) -> Executor:
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))


def _client(address: str) -> Any:
    try:
        from distributed import Client  # noqa: PLC0415 - an extra that only clusters need
    except ImportError as missing:
        said = "a cluster needs Dask's scheduler, which is not installed"
        raise InputFault(said, (Problem(said, "pip install 'allocopt[cluster]'", "--cluster"),)) from missing
    try:
        return Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as failure:
        said = f"no cluster answers at {address}: {failure}"
        cure = "start one with `dask scheduler` and `dask worker ADDRESS`, and give its address"
        raise InputFault(said, (Problem(said, cure, "--cluster"),)) from failure


def hand_out(tasks: Iterable[Task], make: Make, workers: int) -> Iterator[Done]:
    """Every case of every task as it finishes, in no particular order."""
    waiting, tries = deque[Task](), dict[str, int]()
    source = iter(tasks)
    executor = make()
    running: dict[Future[list[Done]], Task] = {}
    try:
        while True:
            ahead = 1 if waiting or isinstance(executor, Here) else AHEAD * workers
            for task in _next(waiting, source, ahead - len(running)):
                running[executor.submit(work, task)] = task
            if not running:
                return
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            lost = list[Task]()
            for future in sorted(finished, key=lambda one: list(running).index(one)):
                task = running.pop(future)
                try:
                    yield from future.result()
                except Exception as failure:  # noqa: BLE001 - a worker died or its task could not be carried
                    alone = not running and len(task.cases) == 1
                    tries[task.cases[0][0]] = tries.get(task.cases[0][0], 0) + alone
                    lost += _again(task, tries)
                    yield from _given_up(task, failure, tries)
                    if isinstance(failure, BrokenProcessPool):
                        lost += [one for other in running.values() for one in _alone(other)]
                        running.clear()
                        _shut(executor, running)
                        executor = make()
                        break
            waiting.extend(lost)
    finally:
        _shut(executor, running)


def _shut(executor: Executor, running: Iterable[Future[list[Done]]]) -> None:
    """Nothing more is started; Dask's executor knows no other way to say so than to cancel each task."""
    for future in running:
        future.cancel()
    executor.shutdown(wait=True)


def _next(waiting: deque[Task], source: Iterator[Task], room: int) -> Iterator[Task]:
    for _ in range(room):
        task = waiting.popleft() if waiting else next(source, None)
        if task is None:
            return
        yield task


def _alone(task: Task) -> list[Task]:
    return [replace(task, cases=(one,)) for one in task.cases]


def _again(task: Task, tries: Mapping[str, int]) -> list[Task]:
    """The cases of a lost task that are worth another worker, one at a time and nothing beside them."""
    return [one for one in _alone(task) if tries.get(one.cases[0][0], 0) < TRIES]


def _given_up(task: Task, failure: Exception, tries: Mapping[str, int]) -> Iterator[Done]:
    for case, _ in task.cases:
        if tries.get(case, 0) >= TRIES:
            said = f"{TRIES} workers ended on this case: {type(failure).__name__}: {failure}"
            yield failed(case, AllocoptError(said))
