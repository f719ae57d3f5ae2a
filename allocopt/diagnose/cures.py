"""Cures: the smallest single change of each number that makes a scenario solvable, each tried by solving.

A change of one rule can help only when the rule belongs to every contradiction, so no other rule is tried; where years
are decided one after another it may help through an earlier year, so others are tried where these do not help.
Imports `levers`, `parts`, `rolled`, `search` and `errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from allocopt.diagnose.levers import POT, Lever
from allocopt.diagnose.parts import PATIENCE, RESERVE, Parts
from allocopt.diagnose.search import Trials, smallest
from allocopt.errors import Cure
from allocopt.model import Rule
from allocopt.plan import Facts


@dataclass(frozen=True)
class Asked:
    """How cures are tried."""

    parts: Parts
    plans: Callable[[Facts], bool | None] | None
    """Whether the plan of a whole scenario can be made; None where that takes too long to be asked."""
    decides: bool
    """True where only the plan itself tells: years one after another, or limits that leave hardly any room."""

    def works(self, facts: Facts, names: Sequence[str]) -> bool:
        """Whether the rules of these names can hold, with facts that may have another pot."""
        same = facts.situation is self.parts.facts.situation
        parts = self.parts if same else replace(self.parts, facts=facts, cache={})
        if not self.decides and not parts.holds(names):
            return False
        return self.plans is None or self.plans(facts) is True

    def trials(self, lever: Lever) -> Trials:
        """The trials of one number."""
        return Trials(
            lever,
            partial(self.parts.programme, lever),
            partial(self.parts.accepts, lever),
            PATIENCE,
            plans=None if self.plans is None else partial(self._plans, lever),
            decides=self.decides,
        )

    def _plans(self, lever: Lever, value: float) -> bool | None:
        assert self.plans is not None
        facts = self.parts.changed(lever, value)
        return False if facts is None else self.plans(facts)


def single_changes(asked: Asked, names: Sequence[str]) -> Iterator[Cure]:
    """Numbers of the rules of these names first, in the order of the model, then rules to switch off, then the pot.

    Of a large programme the numbers inside a larger value (a taper's distances) are tried only where no other number of
    a rule is a cure: the rows are not affine in them, so they take many trials.
    """
    parts = asked.parts
    levers = [lever for lever in parts.levers(names) if not lever.inner]
    found = {lever.key: cure for lever in levers if (cure := _cure(asked, lever)) is not None}
    if not (parts.large or asked.decides) or not any(key.startswith("rules.") for key in found):
        inner = [lever for lever in parts.levers(names) if lever.inner]
        found |= {lever.key: cure for lever in inner if (cure := _cure(asked, lever)) is not None}
    yield from (cure for key, cure in found.items() if not key.startswith(POT))
    for rule in parts.named:
        droppable = rule.name in names or (rule.name == RESERVE and parts.reserve_moves)
        if droppable and not any(key.startswith(f"rules.{rule.name}.") for key in found):
            yield from list(_same_every_year(asked, rule)) or _off(asked, rule)
    yield from (cure for key, cure in found.items() if key.startswith(POT))


def _cure(asked: Asked, lever: Lever, before: str = "") -> Cure | None:
    found = smallest(asked.trials(lever))
    if found is None:
        return None
    now, after = before or lever.write(lever.before), lever.write(lever.at(found.number))
    nearly = lever.write(lever.at(found.number - 1))
    said = f"; {nearly} is not enough" if found.least and found.number > 1 else ""
    return Cure(lever.key, now, after, verified=True, words=f"now {now}{said}")


def _same_every_year(asked: Asked, rule: Rule) -> Iterator[Cure]:
    """For a parameter given year by year that no one year cures: one value for all years."""
    for name, value in asked.parts.settings[rule.name].parameters.items():
        parameter = rule.parameters[name]
        if isinstance(value, Mapping) and rule.relax and rule.relax[0] == name:
            up = rule.relax[1] == "up"
            start = min(value.values()) if up else max(value.values())
            lever = Lever(rule.name, (name,), float(start), 1 if up else -1, parameter.unit)
            cure = _cure(asked, lever, parameter.write(value))
            yield from () if cure is None else (cure,)


def _off(asked: Asked, rule: Rule) -> Iterator[Cure]:
    others = [one.name for one in asked.parts.named if one.name != rule.name]
    if asked.works(asked.parts.without(rule), others):
        yield Cure(f"rules.{rule.name}", "on", "off", verified=True, words="now on: the rule is dropped")
