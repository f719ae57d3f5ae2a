"""Cures: the smallest single change of each number that makes a scenario solvable, each tried by solving.

A change of one rule can help only when the rule belongs to every contradiction, so no other rule is tried.
Imports `levers`, `parts`, `search` and `errors`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from allocopt.diagnose.levers import POT, Lever
from allocopt.diagnose.parts import PATIENCE, Parts
from allocopt.diagnose.search import Trials, smallest
from allocopt.errors import Cure
from allocopt.model import Rule


def single_changes(parts: Parts, conflicts: Sequence[Sequence[str]], *, settled: bool) -> Iterator[Cure]:
    """Numbers of rules first, in the order of the model, then rules to switch off, then the pot.

    Of a large programme the numbers inside a larger value (a taper's distances) are tried only where no other number of
    a rule is a cure: the rows are not affine in them, so they take many trials.
    """
    common = [rule.name for rule in parts.named if all(rule.name in one for one in conflicts) or not settled]
    levers = [lever for lever in parts.levers(common) if not lever.inner]
    found = {lever.key: cure for lever in levers if (cure := _cure(parts, lever)) is not None}
    if not parts.large or not any(key.startswith("rules.") for key in found):
        inner = [lever for lever in parts.levers(common) if lever.inner]
        found |= {lever.key: cure for lever in inner if (cure := _cure(parts, lever)) is not None}
    yield from (cure for key, cure in found.items() if not key.startswith(POT))
    for rule in parts.named:
        if rule.name not in common or any(key.startswith(f"rules.{rule.name}.") for key in found):
            continue
        yield from list(_same_every_year(parts, rule)) or _off(parts, rule)
    yield from (cure for key, cure in found.items() if key.startswith(POT))


def _cure(parts: Parts, lever: Lever, before: str = "") -> Cure | None:
    trials = Trials(lever, partial(parts.programme, lever), partial(parts.accepts, lever), PATIENCE)
    found = smallest(trials)
    if found is None:
        return None
    now, after = before or lever.write(lever.before), lever.write(lever.at(found.number))
    nearly = lever.write(lever.at(found.number - 1))
    said = f"; {nearly} is not enough" if found.least and found.number > 1 else ""
    return Cure(lever.key, now, after, verified=True, words=f"now {now}{said}")


def _same_every_year(parts: Parts, rule: Rule) -> Iterator[Cure]:
    """For a parameter given year by year that no one year cures: one value for all years."""
    for name, value in parts.settings[rule.name].parameters.items():
        parameter = rule.parameters[name]
        if isinstance(value, Mapping) and rule.relax and rule.relax[0] == name:
            up = rule.relax[1] == "up"
            start = min(value.values()) if up else max(value.values())
            lever = Lever(rule.name, (name,), float(start), 1 if up else -1, parameter.unit)
            cure = _cure(parts, lever, parameter.write(value))
            yield from () if cure is None else (cure,)


def _off(parts: Parts, rule: Rule) -> Iterator[Cure]:
    others = [one.name for one in parts.named if one.name != rule.name]
    if parts.holds(others):
        yield Cure(f"rules.{rule.name}", "on", "off", verified=True, words="now on: the rule is dropped")
