"""One place of any run folder: its allocation where one was made, its consortium where places were grouped.

Imports `explain`, `explain.member`, `check.consortia` and `errors`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from allocopt.check.consortia import is_grouping_folder
from allocopt.errors import InputFault, Problem
from allocopt.explain import Explanation, explain
from allocopt.explain.member import Member, explain_member

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Place:
    """What is said of one place."""

    allocation: Explanation | None = None
    grouping: Member | None = None

    def as_dict(self) -> dict[str, Any]:
        """The one JSON object of `explain --json`: the allocation, with the grouping beside it where there is one."""
        if self.allocation is None:
            assert self.grouping is not None
            return self.grouping.as_dict()
        beside = {} if self.grouping is None else {"grouping": self.grouping.as_dict()}
        return self.allocation.as_dict() | beside


def explain_place(
    folder: Path,
    place: str,
    *,
    year: str | None = None,
    against: Path | None = None,
    scenario: Path | None = None,
    tell: Tell = lambda step: None,  # noqa: ARG005 - the default listener ignores it
) -> Place:
    """Explain a place of a run folder. Raises InputFault (2)."""
    grouped, allocated = is_grouping_folder(folder), (folder / "allocations.csv").is_file()
    if grouped and not allocated and (year or against):
        option = "--year" if year else "--against"
        said = f"{option} is about allocations, and this run has none"
        raise InputFault(said, (Problem(said, "leave it out"),))
    allocation = None
    if allocated or not grouped:
        allocation = explain(folder, place, year=year, against=against, scenario=scenario, tell=tell)
    return Place(allocation, explain_member(folder, place, scenario=scenario) if grouped else None)
