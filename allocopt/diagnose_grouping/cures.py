"""What would make a grouping possible: one number of one rule, a rule less, hubs that need not open, the fewest
exemptions; each tried by solving.

A change of one rule can help only when the rule belongs to every contradiction, so no other rule is tried. Imports
`questions`, `jointly`, `search`, `diagnose.levers` and below.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from allocopt.diagnose.levers import POT, Lever, levers_of, moved
from allocopt.diagnose.parts import pot_levers, with_pot
from allocopt.diagnose_grouping.arithmetic import sums
from allocopt.diagnose_grouping.field import count, fields_of
from allocopt.diagnose_grouping.jointly import BAND, Jointly
from allocopt.diagnose_grouping.questions import Answer, Groups, Patience, Settings, Way
from allocopt.diagnose_grouping.search import Nothing, smallest
from allocopt.errors import Cure, Infeasible, InputFault, Stopped
from allocopt.grouping.exempt import Exemption, Union, least_exemptions, unions, unreachable, with_exemptions
from allocopt.grouping.instance import Ints
from allocopt.grouping.neighbours import graph_of
from allocopt.grouping.programme import INDEX
from allocopt.model import Model
from allocopt.plan import Facts
from allocopt.settings import Grouping, RuleSetting
from allocopt.units import MONEY

EASES = {"max": 1, "min": -1, "rate": -1}
"""Which way a number of a rule about groupings is eased."""
MEASURED = ("balance_band", "deprivation_mix")
"""Rules that compare with the area where areas may not be crossed, with the nation else."""
NAMED = 12
"""So many exemptions are listed to be pasted; more are better found by the run itself."""


MOST_EXCUSED = 500
"""Without areas, so many places may all be excused from reach: looking for the hubs of more takes too long."""


@dataclass
class Case:
    """A scenario that groups places and has no plan: whom to ask, and what about."""

    facts: Facts
    model: Model
    groups: Groups
    patience: Patience
    joint: Jointly | None = None

    @cached_property
    def settings(self) -> Settings:
        """The rules that the scenario sets and the model has; without what it would exempt from them."""
        own = {rule.name for rule in self.model.rules}
        said = {name: one for name, one in self.facts.loaded.scenario.rules.items() if name in own}
        return excused(said, self.groups.instance.places) if self.exempts else said

    @cached_property
    def exempts(self) -> bool:
        """Whether the scenario finds exemptions by itself; in a joint programme it does not for the balance band."""
        said = self.facts.loaded.scenario.grouping or Grouping()
        banded = self.joint is not None and BAND in self.facts.loaded.scenario.rules
        return said.exempt == "least" and not banded

    @property
    def kept(self) -> tuple[str, ...]:
        """Rules that always hold, and areas where they are what balances are compared with."""
        areas = "stay_in_area" in self.settings and any(name in self.settings for name in MEASURED)
        return (*(rule.name for rule in self.model.always), *(("stay_in_area",) if areas else ()))

    @property
    def free(self) -> tuple[str, ...]:
        """The other rules that are on, in the order of the model."""
        return tuple(
            rule.name for rule in self.model.rules if rule.name in self.settings and rule.name not in self.kept
        )

    def settle(self) -> list[tuple[Ints, bool | None]]:
        """The parts that cannot be solved as the scenario stands."""
        everywhere = np.arange(len(self.groups.instance))
        if self.exempts and "stay_in_area" not in self.settings and len(everywhere) > MOST_EXCUSED:
            return [(everywhere, None)]
        if self.joint is None:
            return self.groups.settle(self.settings)
        loose = {name: one for name, one in self.joint.grouping(self.settings).items() if name != BAND}
        troubled = self.groups.settle(loose)
        if troubled:
            return troubled
        found = self.ask(self.settings)
        return [] if found.holds else [(everywhere, found.holds)]

    def ask(
        self, settings: Settings, way: Way = "whole", plan: Ints | None = None, facts: Facts | None = None
    ) -> Answer:
        """Can these rules hold together? Where hubs are free the relaxation refutes little, and sums go first."""
        if way == "relaxed" and not self.groups.instance.declared and self._refuted_by_hand(settings):
            return Answer(False)
        if self.joint is not None:
            return self.joint.ask(settings, way, plan, facts)
        return self.groups.ask(settings, way, plan)

    def holds(self, names: Sequence[str]) -> bool | None:
        """Whether the rules of these names can hold together with those that are kept."""
        on = {name: one for name, one in self.settings.items() if name in names or name in self.kept}
        found = self.ask(on).holds
        return False if found is None and self._refuted_by_hand(on) else found

    def _refuted_by_hand(self, settings: Settings) -> bool:
        """Whether sums alone show that these rules cannot hold: for what is too large to be solved."""
        own = settings if self.joint is None else self.joint.grouping(settings)
        if self.patience.left() <= 0:
            return False
        try:
            fields = fields_of(self.groups.with_settings(own), {}, fixed=self.joint is None)
        except InputFault:  # more pairs than can be looked at
            return False
        return any(one.refutes for name in own for one in sums(fields, name))


def excused(settings: Settings, places: Sequence[str]) -> Settings:
    """What is left of the rules where a scenario waives reach, population minima and bands by itself.

    A cap on the surpluses within reach would be looser if everything were: there reach stays.
    """
    left = {name: one for name, one in settings.items() if name != BAND}
    kept = {"reach": left["reach"]} if {"reach", "surplus_concentration"} <= set(left) else {}
    for name, change in (("reach", {"waive": list(places)}), ("population_window", {"min": None})):
        if name in left:
            left[name] = left[name].model_copy(update={"parameters": {**left[name].parameters, **change}})
    return left | kept


def single_changes(case: Case, common: Sequence[str]) -> tuple[list[Cure], list[str]]:
    """The smallest change of each number of these rules that helps, and the keys that were not tried in time."""
    found, untried = list[Cure](), list[str]()
    levers = list(_levers(case, common))
    for number, lever in enumerate(levers):
        case.patience.share(len(levers) - number + 1)  # the one more is for what is asked after the numbers
        cure = _cure(case, lever)
        if isinstance(cure, Cure):
            found.append(cure)
        elif not cure.tried:
            untried.append(lever.key)
    case.patience.share(1)
    return found, untried


def _levers(case: Case, common: Sequence[str]) -> Iterator[Lever]:
    for rule in (case.model.rule(name) for name in common):
        for lever in levers_of(rule, case.settings[rule.name]):
            if not lever.inner and (rule.index not in INDEX or EASES.get(lever.path[0], lever.way) == lever.way):
                yield lever
    if case.joint is not None and BAND in common:
        yield from pot_levers(case.facts)


def _cure(case: Case, lever: Lever) -> Cure | Nothing:
    far = _farthest(case, lever)
    while far > 0 and _setting(case, lever, far) is None:
        far //= 2
    found = smallest(partial(_at, case, lever), far) if far > 0 else Nothing(tried=True)
    if isinstance(found, Nothing):
        return found
    now, after = lever.write(lever.before), lever.write(lever.at(found.number))
    nearly = lever.write(lever.at(found.number - 1))
    said = f"; {nearly} is not enough" if found.number > 1 else ""
    said = said if found.least else "; whether a smaller change is enough was not found out in time"
    return Cure(lever.key, now, after, verified=True, words=f"now {now}{said}")


def _farthest(case: Case, lever: Lever) -> int:
    """How many steps are looked at: down to nothing, up to all people or all places; rates and distances as far as
    numbers of allocations go.
    """
    if lever.owner == POT or case.model.rule(lever.owner).index not in INDEX:
        return lever.farthest
    if lever.way == -1:
        return int(lever.before / lever.step - 1e-9)
    if lever.unit is not None:
        return lever.farthest
    people = lever.owner == "population_window"
    most = float(case.groups.instance.population.sum()) if people else float(len(case.groups.instance))
    return max(0, int((most - lever.before) / lever.step) + 1)


def _at(case: Case, lever: Lever, number: int, way: Way, plan: Ints | None) -> Answer:
    """The question with one number as `--set` would write it; a value that is refused cannot hold."""
    changed = _setting(case, lever, number)
    if changed is None:
        return Answer(False)
    settings, facts = changed
    return case.ask(settings, way, plan, facts)


def _setting(case: Case, lever: Lever, number: int) -> tuple[Settings, Facts | None] | None:
    value = lever.value(lever.at(number))
    if lever.owner == POT:
        try:
            return case.settings, with_pot(case.facts, lever.path[1:], MONEY.parse(value))
        except InputFault:
            return None
    setting = moved(case.settings[lever.owner], case.model.rule(lever.owner), lever.path, value)
    return None if setting is None else ({**case.settings, lever.owner: setting}, None)


def other_changes(case: Case, common: Sequence[str]) -> Iterator[Cure]:
    """A rule less; declared hubs that need not all open."""
    areas = [name for name in ("stay_in_area",) if name in case.kept]
    for name in (*common, *areas):
        if case.ask({other: one for other, one in case.settings.items() if other != name}).holds:
            yield Cure(f"rules.{name}", "on", "off", verified=True, words="now on: the rule is dropped")
    if case.groups.instance.declared and _optional(case).holds:
        words = "now every declared hub has its consortium: those that are not wanted need not open"
        yield Cure("grouping.hubs", "declared", "optional", verified=True, words=words)


def _optional(case: Case) -> Answer:
    instance = replace(case.groups.instance, declared=False)
    groups = Groups(case.groups.model, instance, case.patience, case.groups.obeys)
    return (groups if case.joint is None else replace(case.joint, groups=groups)).ask(case.settings)


def exempting(case: Case, parts: Sequence[Ints], known: Sequence[Cure]) -> Iterator[Cure]:
    """The fewest exemptions of all parts, where a scenario refuses them: to be found by the run, or named.

    Where they were not found, those that the failure knows, which were not tried.
    """
    if case.exempts or (case.joint is not None and BAND in case.settings):
        return
    found = _fewest(case, parts)
    if not found:
        yield from (replace(one, verified=False) for one in known if found is None)
        return
    rules = sorted({one.rule for one in found})
    number = count(len(found), "exemption")
    words = f"{number} from {' and '.join(rules)}, the fewest there are, named in the run"
    holds = case.ask(_waived(case.settings, found)).holds
    if holds is False:
        return  # contiguity, which counting exemptions does not see, needs more of them
    yield Cure("grouping.exempt", "none", "least", verified=holds is True, words=words)
    if len(rules) == 1 and len(found) <= NAMED:
        codes = _waived(case.settings, found)[rules[0]].parameters["waive"]
        before = case.settings[rules[0]].parameters.get("waive", [])
        yield Cure(
            f"rules.{rules[0]}.waive",
            _list(before),
            _list(codes),
            verified=holds is True,
            words="the same, named by hand" + (": places then at any distance" if rules[0] == "reach" else ""),
        )


def _list(codes: object) -> str:
    return f"[{', '.join(codes)}]" if isinstance(codes, list) else str(codes)


def _fewest(case: Case, parts: Sequence[Ints]) -> tuple[Exemption, ...] | None:
    """The fewest exemptions of these parts; nothing where none helps, None where they were not found and proven."""
    instance = case.groups.instance
    alone = unreachable(instance)
    if alone:
        reached = with_exemptions(instance, alone)
        again = Groups(case.groups.model, reached, case.patience, case.groups.obeys)
        parts = [places for places, _ in again.settle(_waived(case.settings, alone))]
    troubled = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
    joined = [one for one in unions(instance, parts) if np.isin(one.places, troubled).any()]
    looked = {instance.places[p] for one in joined for p in one.places.tolist()}
    found = [one for one in alone if one.code not in looked]
    for one in joined:
        seconds = case.patience.left()
        here = _of_union(case, one, seconds) if one.whole and seconds > 0 else None
        if not here:
            return here
        found += here
    return tuple(found)


def _of_union(case: Case, union: Union, seconds: float) -> tuple[Exemption, ...] | None:
    """None where they were not found in time; nothing where no exemption helps."""
    instance = case.groups.instance
    graph = graph_of(instance)
    try:
        here, proven = least_exemptions(case.groups.model, instance, union.places, graph=graph, seconds=seconds)
    except Infeasible:
        return ()
    except Stopped:
        return None
    return here if proven else None


def _waived(settings: Settings, found: Sequence[Exemption]) -> Settings:
    """The rules with exemptions written into their `waive` lists."""
    made: dict[str, RuleSetting] = dict(settings)
    for one in found:
        listed = made[one.rule].parameters.get("waive", [])
        codes = sorted({*(listed if isinstance(listed, list) else []), one.code})
        made[one.rule] = made[one.rule].model_copy(update={"parameters": {**made[one.rule].parameters, "waive": codes}})
    return made
