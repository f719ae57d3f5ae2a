"""The programme of a scenario rule by rule, and with one number changed: what every question of the diagnosis is
asked of.

Imports `plan` and below, and `levers`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from allocopt.diagnose.levers import POT, Lever, Way, levers_of, moved
from allocopt.errors import Infeasible, InputFault
from allocopt.inputs import with_pot as inputs_with_pot
from allocopt.model import Model, Rule
from allocopt.plan import Facts, facts_of
from allocopt.problem import Situation, build
from allocopt.settings import RuleSetting
from allocopt.solve.alone import Alone
from allocopt.solve.cases import joined, possible
from allocopt.solve.compiled import Compiled, compile_problem
from allocopt.units import MONEY

Writer = Callable[[Facts, Model, Mapping[str, RuleSetting]], Compiled]
"""Compiles the rules of a model that always hold and those that are set, without objectives."""

RESERVE, MOST_HELD = "reserve", 0.99
OF_THE_POT = (POT, RESERVE)
"""What decides how much there is to allocate, beside which every target is made anew."""
LARGE = 10_000
"""Places times years."""
PATIENCE = 30.0
"""Seconds that one question may take."""


class WriteAllocation:
    """The programme of an allocation model without objectives; of one rule alone without building it in Pyomo.

    What was learnt of the rules of one situation serves for the next of the same places and years.
    """

    def __init__(self) -> None:
        self._situation: Situation | None = None
        self._alone: Alone | None = None

    def __call__(self, facts: Facts, model: Model, rules: Mapping[str, RuleSetting]) -> Compiled:
        """The compiled rules. Raises Infeasible or InputFault."""
        on = [*model.always, *(rule for rule in model.rules if rule.name in rules)]
        if len(on) == 1:
            return self._of(facts.situation, model).compiled(on[0], rules.get(on[0].name, RuleSetting()))
        return compile_problem(build(facts.situation, model, rules=rules, objectives=()))

    def _of(self, situation: Situation, model: Model) -> Alone:
        if self._alone is None or self._situation is not situation:
            self._situation, self._alone = situation, Alone(situation, model, like=self._alone)
        return self._alone


@dataclass(frozen=True)
class Parts:
    """A scenario's programme, taken apart: one compiled part for each rule that is on."""

    facts: Facts
    model: Model
    write: Writer = field(default_factory=WriteAllocation)
    cache: dict[tuple[str, str], Compiled | None] = field(default_factory=dict)
    path: Facts | None = None
    """The facts of all years, to which changes are made, where `facts` are one year of a rolling path"""

    @property
    def settings(self) -> Mapping[str, RuleSetting]:
        """The rules that the scenario sets and the model has."""
        own = {rule.name for rule in (*self.model.always, *self.model.rules)}
        return {name: one for name, one in self.facts.loaded.scenario.rules.items() if name in own}

    @property
    def kept(self) -> tuple[Rule, ...]:
        """The rules that always hold: never offered as a cure."""
        return tuple(self.model.always)

    @property
    def named(self) -> tuple[Rule, ...]:
        """The rules that the scenario switches on, in the order of the model."""
        return tuple(rule for rule in self.model.rules if rule.name in self.settings)

    @property
    def large(self) -> bool:
        """Whether one question takes about a second: a path over years of thousands of places."""
        return len(self.facts.situation.places) * len(self.facts.situation.years) > LARGE

    def part(self, rule: Rule, setting: RuleSetting | None = None) -> Compiled | None:
        """The programme of one rule alone; None when its numbers contradict themselves."""
        chosen = setting or self.settings.get(rule.name, RuleSetting())
        key = (rule.name, repr(chosen.parameters))
        if key not in self.cache:
            self.cache[key] = self._part(rule, chosen)
        return self.cache[key]

    def _part(self, rule: Rule, setting: RuleSetting) -> Compiled | None:
        always = [one for one in self.model.always if one.name == rule.name]
        alone = replace(self.model, always=always, rules=[] if always else [rule])
        try:
            return self.write(self.facts, alone, {rule.name: setting})
        except (Infeasible, InputFault, ArithmeticError):
            return None

    def whole(self, rules: Sequence[Rule], changed: Mapping[str, RuleSetting] | None = None) -> Compiled | None:
        """The kept rules and `rules` together, some with other settings; None when one contradicts itself."""
        parts = [self.part(rule, (changed or {}).get(rule.name)) for rule in (*self.kept, *rules)]
        known = [part for part in parts if part is not None]
        return joined(known) if len(known) == len(parts) else None

    def holds(self, names: Sequence[str]) -> bool | None:
        """Whether the rules of these names can hold together with those that are kept."""
        compiled = self.whole([rule for rule in self.named if rule.name in names])
        return False if compiled is None else possible(compiled, time_limit=PATIENCE)

    def programme(self, lever: Lever, value: float) -> Compiled | None:
        """The whole programme with one number as `--set` would write it; None when it is refused.

        Of one year of a rolling path: that year's, on what the years before it leave without the change.
        """
        if lever.owner in OF_THE_POT:
            facts = self.changed(lever, value)
            return None if facts is None else Parts(self._here(facts), self.model, self.write).whole(self.named)
        setting = self._moved(lever, value)
        return None if setting is None else self.whole(self.named, {lever.owner: setting})

    def _here(self, facts: Facts) -> Facts:
        """Changed facts as far as they are about the year that is looked at."""
        if self.path is None:
            return facts
        year, whole = self.facts.situation, facts.situation
        at = slice(whole.years.index(year.years[0]), whole.years.index(year.years[0]) + 1)
        reserve = None if whole.reserve is None else whole.reserve[at]
        year = replace(year, pot=whole.pot[at], target=whole.target[:, at], reserve=reserve)
        return replace(facts, situation=year)

    def accepts(self, lever: Lever, value: float) -> bool:
        """Whether the scenario may say this value."""
        return lever.owner == POT or self._moved(lever, value) is not None

    def changed(self, lever: Lever, value: float) -> Facts | None:
        """The facts with one number as `--set` would write it; None when it is refused."""
        facts = self.path or self.facts
        try:
            if lever.owner == POT:
                return with_pot(facts, lever.path[1:], MONEY.parse(lever.write(value)))
            setting = self._moved(lever, value)
            return None if setting is None else with_rules(facts, {**self._rules, lever.owner: setting})
        except InputFault:
            return None

    def without(self, rule: Rule) -> Facts:
        """The facts without one rule."""
        return with_rules(
            self.path or self.facts, {name: one for name, one in self._rules.items() if name != rule.name}
        )

    @property
    def _rules(self) -> Mapping[str, RuleSetting]:
        return self.facts.loaded.scenario.rules

    def _moved(self, lever: Lever, value: float) -> RuleSetting | None:
        setting, rule = self.settings[lever.owner], self.model.rule(lever.owner)
        return moved(setting, rule, lever.path, lever.value(value))

    def levers(self, names: Sequence[str]) -> Iterator[Lever]:
        """Every number of the rules of these names, the share that is held back, and the pot; of a rolling path none of
        later years.
        """
        years = self.facts.situation.years
        later = [] if self.path is None else list(self.path.situation.years)
        later = later[later.index(years[0]) + 1 :] if later else []
        yield from (lever for lever in self._levers(names) if not set(lever.path) & set(later))

    def _levers(self, names: Sequence[str]) -> Iterator[Lever]:
        for rule in self.named:
            if rule.name in names and rule.name != RESERVE:
                yield from levers_of(rule, self.settings[rule.name])
        if self.reserve_moves:
            for lever in levers_of(self.model.rule(RESERVE), self.settings[RESERVE]):
                yield replace(lever, far=lever.before if lever.way == -1 else MOST_HELD - lever.before)
        yield from pot_levers(self.facts)

    @property
    def reserve_moves(self) -> bool:
        """Whether a share is held back of a pot that the scenario itself states."""
        return RESERVE in self.settings and self.facts.loaded.scenario.pot.value is not None


def pot_levers(facts: Facts) -> Iterator[Lever]:
    """The pot, or each year's, both ways."""
    value = facts.loaded.scenario.pot.value
    if value is None:
        return  # the pots stand in a table: no single key changes one
    amounts = (
        {("value", year): amount for year, amount in value.items()} if isinstance(value, dict) else {("value",): value}
    )
    ways: tuple[Way, Way] = (1, -1)
    for path, amount in amounts.items():
        yield from (Lever(POT, path, amount, way, MONEY) for way in ways)


def with_rules(facts: Facts, rules: Mapping[str, RuleSetting]) -> Facts:
    """The facts with other rules, and the pot that these leave."""
    scenario = facts.loaded.scenario.model_copy(update={"rules": dict(rules)})
    loaded = replace(facts.loaded, scenario=scenario)
    if facts.loaded.scenario.rules.get(RESERVE) == rules.get(RESERVE):
        return replace(facts, loaded=loaded)
    return facts_of(loaded, inputs_with_pot(facts.inputs, scenario))


def with_pot(facts: Facts, years: Sequence[str], amount: float) -> Facts:
    """The facts with another pot (of `years`, or of every year when none is named), targets and spend following."""
    scenario = facts.loaded.scenario
    given = scenario.pot.value
    value = {**given, **dict.fromkeys(years, amount)} if isinstance(given, dict) else amount
    pot = scenario.pot.model_copy(update={"value": value})
    changed = scenario.model_copy(update={"pot": pot})
    return facts_of(replace(facts.loaded, scenario=changed), inputs_with_pot(facts.inputs, changed))
