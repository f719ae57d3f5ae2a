"""Why a scenario has no solution, in policy words, and the smallest single changes that would give it one.

Four questions, each answered on the compiled programme and by solving: do the limits of each rule fit the pot; at
which places do limits cross; which named rules contradict each other (minimal sets, hard rules kept); how far must
each number move, alone, for a solution to exist. Imports the rooms of this house, `plan` and `errors`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from allocopt.diagnose.arithmetic import SHOWN, Sum, crossings, reach, sums, together
from allocopt.diagnose.conflicts import minimal_conflicts
from allocopt.diagnose.cures import Asked, single_changes
from allocopt.diagnose.parts import Parts, WriteAllocation, Writer
from allocopt.diagnose.rolled import Plans, failing_year
from allocopt.errors import Cure, Infeasible, Problem
from allocopt.model import Model, Rule, load_model
from allocopt.plan import Facts
from allocopt.rolling import is_rolling

__all__ = ["diagnose"]

Conflicts = tuple[tuple[str, ...], ...]
PLANS = {True: 40, False: 400}
"""Whole plans that are made to try cures, of a large programme and of another."""


def diagnose(facts: Facts, model: Model, failure: Infeasible, *, write: Writer | None = None) -> Infeasible:
    """The same failure with its reasons (`problems`) and what would cure it (`cures`), every cure tried by solving.

    `write` compiles the rules of models that are not allocation models.
    """
    if failure.cures or failure.problems:
        return failure
    rolling = is_rolling(facts.loaded.scenario)
    year = failing_year(facts) if rolling else facts
    if year is None:
        return failure
    parts = Parts(year, model, write or WriteAllocation(), path=facts if rolling else None)
    conflicts, settled = minimal_conflicts([rule.name for rule in parts.named], parts.holds)
    if not conflicts and not settled:
        return failure
    makes = write is None and load_model(facts.loaded.scenario.model[0]).kind == "allocation" and not parts.large
    plans = Plans(PLANS[parts.large]) if makes or rolling else None
    if not conflicts and (plans is None or plans(facts) is not False):
        return _edge(parts, failure, ())
    found = _cures(Asked(parts, plans, decides=rolling or not conflicts), conflicts, settled=settled)
    untried = plans is not None and plans.left == 0
    if not conflicts:
        return _edge(parts, failure, found)
    problems = _problems(parts, conflicts, found, untried=untried)
    return Infeasible(_headline(parts, conflicts), tuple(problems), tuple(found))


def _cures(asked: Asked, conflicts: Conflicts, *, settled: bool) -> list[Cure]:
    """Changes of rules that belong to every contradiction; on a rolling path of others where these do not help."""
    every = [rule.name for rule in asked.parts.named]
    common = [name for name in every if all(name in one for one in conflicts) or not settled]
    found = list(single_changes(asked, common))
    if found or asked.parts.path is None or common == every:
        return found
    return list(single_changes(asked, every))


def _edge(parts: Parts, failure: Infeasible, found: Sequence[Cure]) -> Infeasible:
    """Rules that can be obeyed to the pound, of which the solver makes no plan at its own accuracy."""
    said = f"every rule can be obeyed to the pound{_when(parts)}, yet the solver found no plan"
    return Infeasible(f"{failure.message}: {said}", (Problem(said, "ease one limit a little", "rules"),), tuple(found))


def _when(parts: Parts) -> str:
    """The year that is spoken of, where years are decided one after another."""
    if parts.path is None:
        return ""
    year, years = parts.facts.situation.years[0], parts.path.situation.years
    step = years.index(year)
    return f" in {year}" + (f", on what {years[step - 1]} leaves" if step else "")


def _headline(parts: Parts, conflicts: Conflicts) -> str:
    said = "no allocation obeys every rule" if parts.model.kind == "allocation" else "no grouping obeys every rule"
    return f"{said}{_when(parts)}: {'; '.join(_contradiction(parts, one) for one in conflicts)}"


def _contradiction(parts: Parts, conflict: Sequence[str]) -> str:
    kept = _kept(parts)
    if not conflict:
        return f"the rules that always hold ({kept}) contradict each other"
    if len(conflict) == 1:
        return f"{conflict[0]} contradicts {kept}, which always {'hold' if len(parts.kept) > 1 else 'holds'}"
    return f"{_and(conflict)} cannot hold together"


def _kept(parts: Parts) -> str:
    return _and([rule.name for rule in parts.kept])


def _and(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def _problems(parts: Parts, conflicts: Conflicts, found: Sequence[Cure], *, untried: bool) -> Iterator[Problem]:
    yield from _sums(parts, conflicts)
    yield from _crossings(parts)
    yield from _sets(parts, conflicts)
    if untried:
        said = "not every number was tried in the number of plans that are made for it"
        yield Problem(said, "switch rules off that are not in question")
    if not found:
        rolling = " that was tried" if parts.path is not None else ""
        said = f"no single change of a rule or of the pot{rolling} makes it solvable"
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
                Problem(f"{_and(conflict) or _kept(parts)}: {one}", key="rules")
                for one in reach(parts, _rules(parts, conflict))
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
