"""How every verb speaks: one JSON object or words, progress on stderr, failures with their exit code.

Imports `errors` alone; what a terminal needs is imported when it is used.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import typer

from allocopt.errors import AllocoptError, InputFault, Problem

SELDOM = 1_000_000
"""Objects made, less objects gone, before Python looks for garbage among them; its own 700 took a tenth of a run."""


def print_json(data: Any) -> None:
    """One JSON object on stdout."""
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def failures(*, as_json: bool) -> Iterator[None]:
    """Turn every failure of the error tree into its message (or one JSON object) and its exit code."""
    try:
        yield
    except AllocoptError as failure:
        _fail(failure, as_json=as_json)
    except KeyboardInterrupt:
        sys.stderr.write("stopped by you; what was finished is kept (a batch goes on where it stopped)\n")
        raise typer.Exit(130) from None


def refuse_both(one: str, other: str, *, given: bool) -> None:
    """Raise InputFault when two options that say opposite things are given."""
    if given:
        said = f"{one} and {other} say opposite things"
        raise InputFault(said, (Problem(said, "give one of them", one),))


def _fail(failure: AllocoptError, *, as_json: bool) -> NoReturn:
    if as_json:
        print_json(failure.as_dict())
    else:
        sys.stderr.write(f"allocopt: {failure}\n")
    raise typer.Exit(failure.exit) from None


@contextmanager
def progress(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """A spinner with the step's name on a terminal's stderr; nothing when quiet or piped."""
    if quiet or not sys.stderr.isatty():
        yield lambda _step: None
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as status:
        yield status.update


@contextmanager
def leaving_at_once() -> Iterator[None]:
    """A process that lives for one verb: it looks for garbage seldom, and ends as soon as its verb is done, where
    nothing else runs in it or watches it.

    Taking the small objects of a national programme apart one by one takes a second and changes nothing.
    """
    _collect_seldom()
    try:
        yield
    except SystemExit as leaving:
        _leave(leaving.code)
        raise


def _collect_seldom() -> None:
    """Let the garbage collector rest: nearly all that is made is kept to its end.

    Garbage is still found wherever it lies each time the process has made a few times as many objects: a long search
    builds one large Pyomo model after the other, whose parts hold each other, and would fill the memory with them.
    """
    gc.set_threshold(SELDOM, 0, 0)


def _leave(code: object) -> None:
    watched = sys.gettrace() is not None or sys.getprofile() is not None
    if watched or threading.active_count() > 1 or not isinstance(code, int | None):
        return
    atexit._run_exitfuncs()  # noqa: SLF001 - what Python itself calls here
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        return
    os._exit(code or 0)
