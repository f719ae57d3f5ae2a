"""A worker that dies takes no case with it, and a case on which every worker dies is told as such."""

from __future__ import annotations

import os
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from allocopt.batches.pool import THREADS, TRIES, Here, executors, hand_out
from allocopt.batches.work import Done, Task


class Dying(Executor):
    """Processes of which one dies whenever it is given a case named `bad`: then all are lost, as in a real pool."""

    made = 0

    def __init__(self) -> None:
        Dying.made += 1
        self.broken = False

    def submit(self, _fn: Any, /, task: Task) -> Future[list[Done]]:  # type: ignore[override]
        future: Future[list[Done]] = Future()
        self.broken = self.broken or any(case == "bad" for case, _ in task.cases)
        if self.broken:
            future.set_exception(BrokenProcessPool("a process ended"))
        else:
            future.set_result([Done(case, 0, {}) for case, _ in task.cases])
        return future


def tasks(*names: str) -> list[Task]:
    return [Task(tuple((one, b"") for one in names[at : at + 2]), ()) for at in range(0, len(names), 2)]


def test_a_case_on_which_every_worker_dies_is_told_and_stops_no_other():
    Dying.made = 0
    done = {one.id: one for one in hand_out(tasks("a", "bad", "b", "c", "d", "e"), Dying, 2)}
    assert sorted(done) == ["a", "b", "bad", "c", "d", "e"]
    assert {one.exit for name, one in done.items() if name != "bad"} == {0}
    assert done["bad"].exit == 1
    assert f"{TRIES} workers ended on this case".encode() in done["bad"].files["error.json"]
    assert Dying.made >= TRIES


def test_what_cannot_be_carried_to_a_worker_loses_no_case():
    class Refusing(Here):
        refused = 0

        def submit(self, _fn: Any, /, *args: Any, **_kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            Refusing.refused += 1
            if Refusing.refused == 1:
                future.set_exception(OSError("the connection was lost"))
            else:
                future.set_result([Done(case, 0, {}) for case, _ in args[0].cases])
            return future

    done = [one.id for one in hand_out(tasks("a", "b", "c"), Refusing, 1)]
    assert sorted(done) == ["a", "b", "c"]


def test_workers_take_one_thread_each_and_the_environment_is_left_as_it_was(monkeypatch):
    monkeypatch.setenv(THREADS[0], "3")
    monkeypatch.delenv(THREADS[1], raising=False)
    with executors(2, None) as (_, number):
        assert [os.environ[name] for name in THREADS] == ["1"] * len(THREADS)
        assert number == 2
    assert os.environ[THREADS[0]] == "3"
    assert THREADS[1] not in os.environ
