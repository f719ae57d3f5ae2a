"""Joining two tables on their codes, exactly in both directions: no code is matched by luck and none falls out unseen.

Imports `cells`, `tables` and `errors`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from allocopt.errors import Problem
from allocopt.inputs.cells import cells_at, found_at
from allocopt.inputs.tables import Cited, Table, count, some


@dataclass(frozen=True)
class Keyed:
    """A table with its codes, for a join."""

    table: Table
    codes: Sequence[str]
    what: tuple[str, str]
    """What a code names, one and many."""


def join(keyed: Keyed, places: Keyed, cited: Cited, problems: list[Problem]) -> None:
    """Both tables must hold the same codes: each code that only one of them has is named, with its line."""
    have, want = set(keyed.codes), set(places.codes)
    if have == want:
        return
    hints = look_alike(want - have, have - want)
    absent = _first_rows(places, want - have)
    surplus = _first_rows(keyed, have - want)
    if absent:
        message = f"no row for {count(len(absent), *places.what)} of {places.table.file}: "
        message += cells_at(places.table, places.codes, absent)
        cure = hints or f"add the missing rows to {keyed.table.file}; nothing is filled in"
        problems.append(cited.problem(message, cure, file=keyed.table.file))
    if surplus:
        message = f"{count(len(surplus), 'code')} that {places.table.file} does not have: "
        message += cells_at(keyed.table, keyed.codes, surplus)
        cure = hints or f"delete the rows, or add the codes to {places.table.file}"
        problems.append(found_at(keyed.table, surplus, message, cure, cited))


def _first_rows(keyed: Keyed, wanted: Iterable[str]) -> list[int]:
    first: dict[str, int] = {}
    for row, code in enumerate(keyed.codes):
        first.setdefault(code, row)
    return sorted(first[code] for code in wanted if code.strip())


def look_alike(absent: Iterable[str], surplus: Iterable[str]) -> str:
    """'write 'A1' for 'a1': they differ only by upper and lower case', for pairs that are nearly the same."""
    tests = (
        ("spaces around the code", _unspaced),
        ("upper and lower case", _folded),
        ("leading zeros", _unpadded),
    )
    said: dict[str, str] = {}
    for difference, form in tests:
        wanted = {form(code): code for code in sorted(absent)}
        for code in sorted(surplus):
            if form(code) in wanted:
                said.setdefault(code, f"'{wanted[form(code)]}' for '{code}' (they differ only by {difference})")
    return f"write {some(list(said.values()))}" if said else ""


def _unspaced(code: str) -> str:
    return code.strip()


def _folded(code: str) -> str:
    return code.strip().casefold()


def _unpadded(code: str) -> str:
    return code.strip().casefold().lstrip("0")
