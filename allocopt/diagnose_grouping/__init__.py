"""Why no grouping obeys every rule, in policy words, and the smallest single changes with which one does.

The same four questions as for allocations (`allocopt.diagnose`), asked of whole-number programmes: the sums of each
rule, part by part of the country; which named rules contradict each other; how far each number must move, alone; and
which places and consortia would have to be exempted. Every answer is by solving; what was not solved in time is said.
Imports `consortia`, `diagnose` and below.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from allocopt.diagnose.conflicts import minimal_conflicts
from allocopt.diagnose_grouping.arithmetic import sums
from allocopt.diagnose_grouping.cures import Case, exempting, other_changes, single_changes
from allocopt.diagnose_grouping.field import Field, Sum, count, fields_of, listed
from allocopt.errors import Cure, Infeasible, Problem
from allocopt.grouping.instance import Ints

__all__ = ["diagnose_grouping"]

Conflicts = tuple[tuple[str, ...], ...]
SENTENCES = 6
"""Sentences of arithmetic that are printed for one rule; the others are counted."""
COUNTED = ("number_of_consortia",)
"""Rules whose sums no exemption changes."""
ASK_LESS = "ask about one area: --set 'inputs.places.only={COLUMN: AREA}' (you are then told its part of the pot)"


def diagnose_grouping(case: Case, failure: Infeasible) -> Infeasible:
    """The failure with its reasons (`problems`) and its cures, each tried; as it is where nothing was found out."""
    troubled = case.settle()
    if not troubled:
        said = "every part can be solved by itself, yet no plan was found"
        return _untried(failure, end=Problem(said, "ease one limit a little", "rules"))
    if not any(holds is False for _, holds in troubled):
        return _by_hand(case, failure, troubled)
    conflicts, settled = minimal_conflicts(case.free, case.holds)
    if not conflicts:
        return _untold(case, failure)
    common = [name for name in case.free if all(name in one for one in conflicts) or not settled]
    fields = _fields(case, troubled)
    changes, untried = single_changes(case, common)
    exempted = exempting(case, [places for places, _ in troubled], failure.cures)
    found = [*changes, *other_changes(case, common), *exempted]
    sets = _sets(case, conflicts) if settled else ()
    problems = (*_sums(case, fields, conflicts), *sets, *_ends(case, found, untried, settled=settled))
    return Infeasible(_headline(case, conflicts, fields), problems, tuple(found))


def _by_hand(case: Case, failure: Infeasible, troubled: Sequence[tuple[Ints, bool | None]]) -> Infeasible:
    """What sums alone say about parts that are too large to be solved again; cures of the failure were not tried."""
    parts = [places for places, _ in troubled]
    fields = fields_of(case.groups.instance, _names(case), fixed=case.joint is None, parts=parts)
    rules = [
        name for name in (*case.kept, *case.free) if name in case.settings and (not case.exempts or name in COUNTED)
    ]
    refuting = [one for name in rules for one in sums(fields, name) if one.refutes]
    where = f"{count(len(fields), 'part')} of the country {'is' if len(fields) == 1 else 'are'}"
    said = f"no change of a number was tried: {where} too large for it, or the time was up"
    return _untried(failure, *(_about(case, one) for one in refuting), end=Problem(said, ASK_LESS, "rules"))


def _untold(case: Case, failure: Infeasible) -> Infeasible:
    if not case.patience.spent:
        return failure
    said = "which rules contradict each other was not found out in time"
    return _untried(failure, end=Problem(said, ASK_LESS, "rules"))


def _untried(failure: Infeasible, *problems: Problem, end: Problem) -> Infeasible:
    """The failure with what is known beside; the cures that came with it were not tried."""
    cures = tuple(replace(one, verified=False) for one in failure.cures)
    return Infeasible(failure.message, (*problems, *failure.problems[:SENTENCES], end), cures)


def _names(case: Case) -> dict[str, str]:
    return {str(code): str(name) for code, name in case.facts.inputs.name.items()}


def _fields(case: Case, troubled: Sequence[tuple[Ints, bool | None]]) -> list[Field]:
    """The parts that were shown to be impossible; those without an answer where there is no other."""
    sure = [places for places, holds in troubled if holds is False] or [places for places, _ in troubled]
    own = case.settings if case.joint is None else case.joint.grouping(case.settings)
    return fields_of(case.groups.with_settings(own), _names(case), fixed=case.joint is None, parts=sure)


def _headline(case: Case, conflicts: Conflicts, fields: Sequence[Field]) -> str:
    said = "; ".join(_contradiction(case, one) for one in conflicts)
    where = listed(sorted({area for field in fields for area in field.areas}))
    there = f" (in {where})" if where else ""
    excused = ", whatever is exempted" if case.exempts else ""
    return f"no grouping obeys every rule{excused}{there}: {said}"


def _contradiction(case: Case, conflict: Sequence[str]) -> str:
    if not conflict:
        return f"the rules that always hold ({', '.join(case.kept)}) contradict each other"
    if len(conflict) == 1:
        return f"{conflict[0]} cannot hold by itself when every place must belong to a consortium"
    return f"{', '.join(conflict[:-1])} and {conflict[-1]} cannot hold together"


def _sums(case: Case, fields: Sequence[Field], conflicts: Conflicts) -> Iterator[Problem]:
    """The sums of the rules that contradict each other, and of others that cannot hold by themselves in some part."""
    blamed = [name for name in case.free if any(name in one for one in conflicts)]
    rules = [name for name in (*case.kept, *case.free) if name in case.settings]
    said = {name: [one for one in sums(fields, name) if one.refutes or name in blamed] for name in rules}
    quiet = not any(one.refutes for found in said.values() for one in found)
    for name, found in said.items():
        yield from (_about(case, one) for one in found[:SENTENCES])
        if len(found) > SENTENCES:
            yield _about(case, Sum(name, f"and {count(len(found) - SENTENCES, 'more such sum')}", refutes=False))
    if quiet:
        begin = "each of these sums fits; " if any(said.values()) else ""
        yield Problem(f"{begin}that no grouping obeys every rule was found by solving", key="rules")


def _about(case: Case, one: Sum) -> Problem:
    return Problem(one.words, key=f"rules.{one.rule}", mark=case.facts.loaded.mark("rules", one.rule))


def _sets(case: Case, conflicts: Conflicts) -> Iterator[Problem]:
    for conflict in conflicts:
        if len(conflict) > 1:
            said = f"{', '.join(conflict[:-1])} and {conflict[-1]} cannot hold together"
            mark = case.facts.loaded.mark("rules", conflict[0])
            yield Problem(f"{said}; without any one of them the others can", key="rules", mark=mark)


def _ends(case: Case, found: Sequence[Cure], untried: Sequence[str], *, settled: bool) -> Iterator[Problem]:
    if untried:
        said = f"not tried, being too large or not done in time: {', '.join(untried)}"
        more = f"allow more time, --set solver.time_limit={20 * case.patience.seconds:.0f}s, or {ASK_LESS}"
        yield Problem(said, more, "rules")
    if not settled:
        yield Problem("whether further rules contradict each other was not found out in time", key="rules")
    if not found and not untried and settled:
        said = "no single change of a rule makes it solvable"
        yield Problem(said, "change one rule of each contradiction", "rules")
