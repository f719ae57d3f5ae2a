"""What cases that differ only in numbers share: tables, targets and spend, and the built and compiled programme.

Facts are kept with a trace of what they were made from: the scenario without its rules' parameters, and those
parameters that were read on the way. They are used again only when everything that was read is the same, so a rule
that changes the facts is never overlooked. Where only the pot, a share of the formula or a seed differs, the tables
are not read again. Nothing here carries an answer from one case to another: a case's result is that of `allocopt run`,
whatever was solved before it. Imports `plan` and below, and `solve.template`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from allocopt.inputs import Inputs, read_inputs, with_pot
from allocopt.model import load_model
from allocopt.plan import Facts, Plan, facts_of, make_plan, solve_plan
from allocopt.record import canonical
from allocopt.scenario import Loaded
from allocopt.scenario.shape import stated
from allocopt.settings.neighbours import LINKS
from allocopt.solve.template import NotAlike, Template, make_template

KEPT = 4
"""Facts and programmes that a worker remembers: memory must not grow with the number of cases."""
_OWN = ("name", "why", "source", "solver", "rules")

Read = dict[tuple[str, str], Any]
Structure = tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]]


class Watched(dict[str, Any]):
    """The parameters of one rule, noting which are read."""

    def __init__(self, rule: str, parameters: Mapping[str, Any], read: Read) -> None:
        super().__init__(parameters)
        self._rule, self._read = rule, read

    def __getitem__(self, key: str) -> Any:
        return self._noted(key, super().__getitem__(key))

    def get(self, key: str, default: Any = None) -> Any:
        return self._noted(key, super().get(key, default))

    def __iter__(self) -> Iterator[str]:
        for key in super().__iter__():
            self._noted(key, super().__getitem__(key))
            yield key

    def items(self) -> Any:
        return [(key, self[key]) for key in self]

    def values(self) -> Any:
        return [self[key] for key in self]

    def _noted(self, key: str, value: Any) -> Any:
        self._read[self._rule, key] = value
        return value


@dataclass
class Memory:
    """What one worker remembers, oldest use first."""

    facts: OrderedDict[str, list[tuple[Read, Facts]]] = field(default_factory=OrderedDict)
    tables: OrderedDict[str, Inputs] = field(default_factory=OrderedDict)
    templates: OrderedDict[Structure, Template | None] = field(default_factory=OrderedDict)

    def gather(self, loaded: Loaded) -> Facts:
        """The facts of a scenario, made anew only when something that they rest on has changed."""
        key = facts_key(loaded)
        known = self.facts.setdefault(key, [])
        self.facts.move_to_end(key)
        found = next((facts for read, facts in known if _still(read, loaded)), None)
        if found is None:
            found = self._gathered(loaded, known)
        while len(self.facts) > KEPT:
            self.facts.popitem(last=False)
        return replace(found, loaded=loaded)

    def _gathered(self, loaded: Loaded, known: list[tuple[Read, Facts]]) -> Facts:
        read: Read = {}
        noting = watched(loaded, read)
        facts = facts_of(noting, self._inputs(noting))
        known.append((read, facts))
        del known[:-KEPT]
        return facts

    def _inputs(self, loaded: Loaded) -> Inputs:
        """The tables of a scenario, read anew only when something that their reading rests on has changed."""
        scenario = loaded.scenario
        if scenario.pot.table is not None or "reserve" in scenario.rules or stated(scenario, LINKS):
            return read_inputs(loaded)
        key = tables_key(loaded)
        found = self.tables.get(key) or read_inputs(loaded)
        self.tables[key] = found
        self.tables.move_to_end(key)
        while len(self.tables) > KEPT:
            self.tables.popitem(last=False)
        return with_pot(found, scenario)

    def plan(self, facts: Facts) -> Plan:
        """The plan of an allocation: the one that `make_plan` makes, from a programme whose numbers were changed."""
        scenario = facts.loaded.scenario
        model = load_model(scenario.model[0])
        structure = _structure(facts)
        template = self.templates.get(structure)
        if template is not None:
            try:
                compiled = template.renumbered(facts.situation, scenario.rules, scenario.objectives)
                return solve_plan(facts, model, template.of(facts.situation, scenario), compiled)
            except NotAlike:
                pass
        if structure in self.templates and template is None:
            return make_plan(facts)
        programme, compiled, made = make_template(
            facts.situation, model, rules=scenario.rules, objectives=scenario.objectives
        )
        self.templates[structure] = made
        while len(self.templates) > KEPT:
            self.templates.popitem(last=False)
        return solve_plan(facts, model, programme, compiled)


def _structure(facts: Facts) -> Structure:
    """What cases share that differ only in numbers."""
    scenario = facts.loaded.scenario
    objectives = tuple(one.name for one in scenario.objectives)
    return scenario.model[0], tuple(scenario.rules), objectives, facts.situation.places, facts.situation.years


def facts_key(loaded: Loaded) -> str:
    """The scenario without what cannot change its facts, and without the parameters of its rules."""
    told = {key: one for key, one in loaded.resolved.items() if key not in _OWN}
    tables = [str(loaded.table_path("inputs", which, "table")) for which in _tables(loaded)]
    links = [str(loaded.table_path(*LINKS))] if stated(loaded.scenario, LINKS) else []
    return canonical({**told, "rules": sorted(loaded.scenario.rules), "tables": tables, "links": links})


def tables_key(loaded: Loaded) -> str:
    """The scenario without what no table's reading looks at: the pot, objectives, shares of the formula, the seed."""
    told = {key: one for key, one in loaded.resolved.items() if key not in (*_OWN, "pot", "objectives")}
    formula = told.get("formula")
    if isinstance(formula, Mapping):
        told["formula"] = {name: _without(one, "share") for name, one in formula.items()}
    told["inputs"] = {name: _without(one, "seed") for name, one in told["inputs"].items()}
    return canonical({**told, "tables": [str(loaded.table_path("inputs", one, "table")) for one in _tables(loaded)]})


def _without(block: Any, name: str) -> Any:
    return {key: one for key, one in block.items() if key != name} if isinstance(block, Mapping) else block


def _tables(loaded: Loaded) -> list[str]:
    inputs = loaded.scenario.inputs
    return [
        which
        for which in ("places", "baseline", "spend", "populations")
        if getattr(getattr(inputs, which), "table", None)
    ]


def watched(loaded: Loaded, read: Read) -> Loaded:
    """The same scenario, noting in `read` which parameters of its rules are looked at."""
    rules = {
        name: rule.model_copy(update={"parameters": Watched(name, rule.parameters, read)})
        for name, rule in loaded.scenario.rules.items()
    }
    return replace(loaded, scenario=loaded.scenario.model_copy(update={"rules": rules}))


def _still(read: Read, loaded: Loaded) -> bool:
    rules = loaded.scenario.rules
    return all(rules[rule].parameters.get(name) == value for (rule, name), value in read.items())
