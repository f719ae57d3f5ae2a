"""What `allocopt check SWEEP` finds: how many cases, the first rows, and every error of every case, solving nothing.

Imports `axes`, `cases`, `reuse`, `record` of this package, `ledger`, `record` and `errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from allocopt.batches.axes import Plan, read_sweep
from allocopt.batches.cases import Case, cases
from allocopt.batches.record import kept
from allocopt.batches.reuse import Memory
from allocopt.batches.work import TABLES
from allocopt.checked import check_grouping
from allocopt.errors import AllocoptError, Mark, Problem, ScenarioFault
from allocopt.ledger import ledger
from allocopt.model import load_model
from allocopt.plan import Facts
from allocopt.record import headline
from allocopt.scenario import Loaded, SweepFile
from allocopt.scenario.tree import suggestion

FIRST = 10
"""Rows that are shown."""


@dataclass(frozen=True)
class SweepCheck:
    """A sweep that can be solved: nothing is wrong with any of its cases."""

    name: str
    cases: int
    unique: int
    first: Sequence[Mapping[str, Any]]
    """The first rows: number, case id and what changes."""
    keep: Sequence[str]
    warnings: Sequence[str]

    def as_dict(self) -> dict[str, Any]:
        """As `check --json` prints it."""
        return {
            "name": self.name,
            "cases": self.cases,
            "unique_cases": self.unique,
            "first": [dict(row) for row in self.first],
            "keep": list(self.keep),
            "warnings": list(self.warnings),
        }


def check_sweep(file: SweepFile, *, tell: Callable[[str], None] = lambda step: None) -> SweepCheck:  # noqa: ARG005
    """Read every case and every table that they rest on. Raises ScenarioFault (2) with the faults of all cases."""
    plan, memory = read_sweep(file), Memory()
    problems, ids, first, count, broken = dict[Problem, int](), dict[str, None](), list[Mapping[str, Any]](), 0, 0
    for case in cases(file, plan):
        tell(f"checking case {case.number:,}")
        count = case.number
        first += [{"number": case.number, "case": case.id, **case.parameters}] if count <= FIRST else []
        found = [] if case.id in ids else faults(case, memory)
        ids[case.id] = None
        broken += bool(found)
        for problem in found:
            problems[problem] = problems.get(problem, 0) + 1
    problems |= dict.fromkeys(keep_problems(file, plan, memory), count)
    if problems:
        said = f"the sweep {file.path.name} has {count:,} cases, {broken:,} of them with problems: nothing was solved"
        raise ScenarioFault(said, tuple(problems))
    tables, figures = kept(plan.sweep.keep, count)
    return SweepCheck(file.name, count, len(ids), first, [*tables, *(figures or ["every figure"])], plan.notes)


def faults(case: Case, memory: Memory) -> Sequence[Problem]:
    """What is wrong with a case and with its tables."""
    try:
        if case.fault is not None:
            raise case.fault
        assert case.loaded is not None
        check_grouping(memory.gather(case.loaded))
    except AllocoptError as fault:
        return fault.problems or (Problem(fault.message),)
    return ()


def keep_problems(file: SweepFile, plan: Plan, memory: Memory) -> list[Problem]:
    """The names under `keep` that no case will have; none where no case can say which there are."""
    _, figures = kept(plan.sweep.keep, 0)
    known = _known(file, plan, memory) if figures else None
    if known is None:
        return []
    mark = file.tree.mark
    at = Mark(mark.file, mark.line, mark.column)
    return [
        Problem(
            f"'{name}' is no headline figure, objective or table{suggestion(name, [*TABLES, *known])}",
            f"name some of {', '.join((*TABLES, *known))}",
            "sweep.keep",
            at,
        )
        for name in figures
        if name not in known
    ]


def _known(file: SweepFile, plan: Plan, memory: Memory) -> list[str] | None:
    """The figures and objectives of the first case that can be read, where its model allocates."""
    for case in cases(file, plan):
        if case.loaded is None:
            continue
        if load_model(case.loaded.scenario.model[-1]).kind != "allocation":
            return None
        with suppress(AllocoptError):
            return figures_of(case.loaded, memory.gather(case.loaded))
    return None


def figures_of(loaded: Loaded, facts: Facts) -> list[str]:
    """The figures that a run of these facts has, read off a uniform allocation; and its objectives."""
    situation = facts.situation
    held = (situation.baseline / situation.baseline.sum())[:, None] * situation.pot
    names = headline(ledger(situation, held, facts.inputs.name))
    return [*names, *(one.name for one in loaded.scenario.objectives)]
