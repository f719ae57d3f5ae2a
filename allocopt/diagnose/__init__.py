"""Why a scenario has no solution, in policy words, and the smallest single changes that would give it one.

Four questions, each answered on the compiled programme and by solving: do the limits of each rule fit the pot; at
which places do limits cross; which named rules contradict each other (minimal sets, hard rules kept); how far must
each number move, alone, for a solution to exist. Imports the rooms of this house, `plan` and `errors`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from allocopt.diagnose.arithmetic import SHOWN, Sum, crossings, reach, sums, together
from allocopt.diagnose.conflicts import minimal_conflicts
from allocopt.diagnose.cures import single_changes
from allocopt.diagnose.parts import Parts, WriteAllocation, Writer
from allocopt.errors import Cure, Infeasible, Problem
from allocopt.model import Model, Rule
from allocopt.plan import Facts

__all__ = ["diagnose"]

Conflicts = tuple[tuple[str, ...], ...]


def diagnose(facts: Facts, model: Model, failure: Infeasible, *, write: Writer | None = None) -> Infeasible:
    """The same failure with its reasons (`problems`) and what would cure it (`cures`), every cure tried by solving.

    `write` compiles the rules of models that are not allocation models.
    """
    if failure.cures or failure.problems:
        return failure
    parts = Parts(facts, model, write or WriteAllocation())
    conflicts, settled = minimal_conflicts([rule.name for rule in parts.named], parts.holds)
    if not conflicts:
        return _edge(failure) if settled else failure
    found = list(single_changes(parts, conflicts, settled=settled))
    return Infeasible(_headline(parts, conflicts), tuple(_problems(parts, conflicts, found)), tuple(found))


def _edge(failure: Infeasible) -> Infeasible:
    said = "every rule can be obeyed to the pound, yet the solver found no plan: the limits meet at a single point"
    return Infeasible(f"{failure.message}: {said}", (Problem(said, "ease one limit by a hundredth of a point"),))


def _headline(parts: Parts, conflicts: Conflicts) -> str:
    said = "no allocation obeys every rule" if parts.model.kind == "allocation" else "no grouping obeys every rule"
    return f"{said}: {'; '.join(_contradiction(parts, one) for one in conflicts)}"


def _contradiction(parts: Parts, conflict: Sequence[str]) -> str:
    kept = _and([rule.name for rule in parts.kept])
    if not conflict:
        return f"the rules that always hold ({kept}) contradict each other"
    if len(conflict) == 1:
        return f"{conflict[0]} contradicts {kept}, which always {'hold' if len(parts.kept) > 1 else 'holds'}"
    return f"{_and(conflict)} cannot hold together"


def _and(names: Sequence[str]) -> str:
    if not names:
        return "the rules that always hold"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _problems(parts: Parts, conflicts: Conflicts, found: Sequence[Cure]) -> Iterator[Problem]:
    yield from _sums(parts, conflicts)
    yield from _crossings(parts)
    yield from _sets(parts, conflicts)
    if not found:
        said = "no single change of a rule or of the pot makes it solvable"
        yield Problem(said, "change one rule of each contradiction")


def _sums(parts: Parts, conflicts: Conflicts) -> Iterator[Problem]:
    quiet = True
    for rule in parts.named:
        for one in sums(parts, rule):
            quiet &= one.fits
            yield _about(parts, rule, one)
    for one in together(parts) if quiet else ():
        quiet &= one.fits
        if not one.fits:
            yield Problem(str(one), key="rules")
    if quiet:
        for conflict in conflicts:
            yield from (
                Problem(f"{_and(conflict)}: {one}", key="rules") for one in reach(parts, _rules(parts, conflict))
            )


def _about(parts: Parts, rule: Rule, one: Sum) -> Problem:
    return Problem(str(one), key=f"rules.{rule.name}", mark=parts.facts.loaded.mark("rules", rule.name))


def _rules(parts: Parts, names: Sequence[str]) -> list[Rule]:
    return [rule for rule in parts.named if rule.name in names]


def _crossings(parts: Parts) -> Iterator[Problem]:
    found = crossings(parts)
    if not found:
        return
    names = {str(code): str(name) for code, name in parts.facts.inputs.name.items()}
    more = f"; and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
    places = "; ".join(one.said(names) for one in found[:SHOWN])
    yield Problem(f"limits cross at {len(found):,} place{'s' * (len(found) > 1)}: {places}{more}", key="rules")


def _sets(parts: Parts, conflicts: Conflicts) -> Iterator[Problem]:
    for conflict in conflicts:
        if len(conflict) > 1:
            said = f"{_and(conflict)} cannot hold together; without any one of them the others can"
            yield Problem(said, key="rules", mark=parts.facts.loaded.mark("rules", conflict[0]))
