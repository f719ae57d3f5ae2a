"""The grouping programme: rules and objectives of a grouping model over some places and pairs, built once in Pyomo.

A part of the country (an area, a few neighbouring consortia) is a programme of its own over the same rules: `Part`
says which
places and pairs it decides. `GroupingView` is the `m` that rules and objectives read. Imports `instance`, `model`,
`problem` and `solve.compiled`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_type_hints

import numpy as np

from allocopt.errors import Infeasible
from allocopt.grouping.instance import Array, Instance, Ints, Pairs
from allocopt.model import Model, Objective, Rule
from allocopt.modelling import pyo
from allocopt.problem import paused_collector
from allocopt.solve.compiled import SMALLEST

INDEX = ("pairs", "hubs", "grouping")
"""What rules and objectives about a grouping are asked for; a model may have others too."""


@dataclass(frozen=True)
class Part:
    """The places and pairs that a programme decides; what stays outside it is counted in."""

    places: Ints
    pairs: Pairs
    consortia_elsewhere: int = 0
    moves_elsewhere: int = 0


@dataclass(frozen=True)
class Built:
    """A built programme, ready to be compiled."""

    pyomo: Any
    view: GroupingView


class GroupingView:
    """A grouping as the rules see it: dictionaries by place code, and the variables to be decided."""

    def __init__(
        self, instance: Instance, part: Part, allowed: Sequence[tuple[int, int, float]], model: Any = None
    ) -> None:
        self.instance, self.part = instance, part
        self.model = pyo.ConcreteModel() if model is None else model
        codes = instance.places
        self.places = tuple(codes[p] for p in part.places)
        self.pairs = tuple((codes[p], codes[h]) for p, h, _ in allowed)
        self.distance = {(codes[p], codes[h]): km for p, h, km in allowed}
        self.choices: dict[str, list[str]] = {p: [] for p in self.places}
        members: dict[str, list[str]] = {}
        for p, h in self.pairs:
            self.choices[p].append(h)
            members.setdefault(h, []).append(p)
        self.members = {h: found for h, found in sorted(members.items()) if h in found}
        self.hubs = tuple(self.members)
        self.pairs = tuple((p, h) for p, h in self.pairs if h in self.members)
        self.choices = {p: [h for h in found if h in self.members] for p, found in self.choices.items()}
        self.declared = frozenset(self.hubs) if instance.declared else frozenset[str]()
        self._read_places()
        self.all_people = float(instance.population.sum())
        self.consortia_elsewhere, self.moves_elsewhere = part.consortia_elsewhere, part.moves_elsewhere
        self.model.member = pyo.Var(self.pairs, domain=pyo.Binary)
        self.x = {pair: self.model.member[pair] for pair in self.pairs}
        self.open: dict[str, Any] = {h: 1 if h in self.declared else self.x[h, h] for h in self.hubs}
        self._deficit: dict[str, Any] = {}

    def _read_places(self) -> None:
        instance, at = self.instance, self.part.places
        seen = sorted({*at.tolist(), *(instance.index[h] for h in self.hubs)})

        def by_code(values: Array) -> dict[str, float]:
            return {instance.places[p]: float(values[p]) for p in seen}

        self.population = by_code(instance.population)
        self.budget, self.spend, self.over = by_code(instance.budget), by_code(instance.spend), by_code(instance.over)
        self.surplus = {p: max(0.0, -over) for p, over in self.over.items()}
        self.area = {instance.places[p]: instance.area[p] for p in seen}
        self.imd = (
            {p: None if np.isnan(one) else one for p, one in by_code(instance.imd).items()}
            if instance.imd is not None
            else {}
        )
        self.present = None if instance.present is None else {instance.places[p]: instance.present[p] for p in seen}

    def at(self, p: str, h: str) -> Any:
        """x_ph, or 0 where the pair is not allowed."""
        return self.x.get((p, h), 0)

    def moves(self, p: str, h: str) -> bool:
        """Whether place p leaves its present group by joining hub h; a place without a present group never moves."""
        if self.present is None:
            return False
        return bool(self.present[p]) and self.present[p] != self.present[h]

    def excused(self, h: str, waive: Sequence[str]) -> bool:
        """Whether a `waive` list names the consortium of hub h: by the hub, or by an area whose code is no place's."""
        return h in waive or (self.area[h] in waive and self.area[h] not in self.instance.index)

    def deficit(self, h: str) -> Any:
        """The variable max(0, overspend of the consortium of hub h)."""
        if h not in self._deficit:
            if not hasattr(self.model, "deficit"):
                self.model.deficit = pyo.Var(self.hubs)
                self.model.deficit_definition = pyo.Constraint(self.hubs)
            variable = self.model.deficit[h]
            variable.setlb(0.0)
            variable.setub(sum(max(0.0, self.over[p]) for p in self.members[h]))
            self.model.deficit_definition[h] = variable - self.overspend(h) >= 0
            self._deficit[h] = variable
        return self._deficit[h]

    def overspend(self, h: str) -> Any:
        """Spend of the consortium of hub h less its budget."""
        return sum(self.over[p] * self.x[p, h] for p in self.members[h])

    def beyond(self, p: str, h: str, share: float) -> Any:
        """What place p brings to hub h beyond its spend, when only this share of its budget counts; ten pence is
        nothing.
        """
        amount = self.budget[p] * share - self.spend[p]
        return (amount if abs(amount) >= SMALLEST else 0.0) * self.x[p, h]

    def binary(self, name: str, *key: str) -> Any:
        """A further yes-or-no variable of a rule."""
        if not hasattr(self.model, name):
            self.model.add_component(name, pyo.Var(pyo.Any, dense=False))
        variable = getattr(self.model, name).add(key)
        variable.domain = pyo.Binary
        return variable

    def _of_area(self, h: str) -> Any:
        instance = self.instance
        if not instance.on("stay_in_area"):
            return slice(None)
        return instance.area_codes == instance.area_codes[instance.index[h]]

    def common_balance(self, h: str) -> float:
        """The balance of the hub's area as a fraction of its budget; of all places where areas may be crossed."""
        at = self._of_area(h)
        return float(1 - self.instance.spend[at].sum() / self.instance.budget[at].sum())

    def common_imd(self, h: str) -> float:
        """The mean deprivation score, weighted by people, of the hub's area (all places where areas may be crossed)."""
        assert self.instance.imd is not None
        score, people = self.instance.imd[self._of_area(h)], self.instance.population[self._of_area(h)]
        known = ~np.isnan(score)
        if not known.any():
            return float("nan")
        return float(score[known] @ people[known] / people[known].sum())

    def surplus_in_reach(self, h: str) -> float:
        """Surplus money of all places that may join hub h."""
        return sum(self.surplus[p] for p in self.members[h])

    def people_of_area(self, area: str) -> float:
        """People of an area, all its places counted."""
        return float(self.instance.population[np.array([one == area for one in self.instance.area])].sum())

    def connect(self, _graph: str) -> Mapping[str, Any]:
        """Contiguity has no rows to begin with: `allocopt.grouping.exact` adds those that a plan breaks."""
        return {}


def filters(model: Model, instance: Instance) -> list[Rule]:
    """The rules that only say which pairs are allowed: their functions return True or False."""
    rules = [rule for rule in model.rules if rule.index == "pairs" and instance.on(rule.name)]
    return [rule for rule in rules if get_type_hints(rule.write).get("return") is bool]


class _Lookup:
    """What a rule about pairs reads before a programme exists: distances and areas by code."""

    def __init__(self, instance: Instance, distance: Mapping[tuple[str, str], float]) -> None:
        self.distance, self._instance = distance, instance
        self.area = dict(zip(instance.places, instance.area, strict=True))

    def moves(self, p: str, h: str) -> bool:
        """As in GroupingView."""
        present, index = self._instance.present, self._instance.index
        return present is not None and bool(present[index[p]]) and present[index[p]] != present[index[h]]


def allowed_pairs(model: Model, instance: Instance, pairs: Pairs) -> list[tuple[int, int, float]]:
    """The pairs that every rule about pairs allows, asked one by one."""
    codes = instance.places
    listed = list(zip(pairs.place.tolist(), pairs.hub.tolist(), pairs.km.tolist(), strict=True))
    rules = filters(model, instance)
    if not rules:
        return listed
    look = _Lookup(instance, {(codes[p], codes[h]): km for p, h, km in listed})
    said = [(rule.write, instance.settings[rule.name]) for rule in rules]
    return [one for one in listed if all(write(look, codes[one[0]], codes[one[1]], **say) for write, say in said)]


def build_part(model: Model, instance: Instance, part: Part, objectives: Sequence[Objective]) -> Built:
    """The Pyomo model of a part. Raises Infeasible when a place has no hub or a rule contradicts the numbers by
    itself.
    """
    with paused_collector():
        view = GroupingView(instance, part, allowed_pairs(model, instance, part.pairs))
        alone = [p for p in view.places if not view.choices[p]]
        if alone:
            raise Infeasible(f"no hub that {', '.join(alone[:10])} may join")
        add_rules(view, model)
        for objective in objectives:
            add_objective(view, objective)
    return Built(view.model, view)


def add_objective(view: GroupingView, objective: Objective) -> None:
    """An objective about groupings with the parameters that the instance has for it."""
    expression = objective.write(view, **view.instance.aims.get(objective.name, {})) + 0.0
    view.model.add_component(f"objective_{objective.name}", pyo.Objective(expr=expression))


def add_rules(view: GroupingView, model: Model) -> None:
    """The rows of the model's rules about groupings that always hold or are on."""
    skip = {rule.name for rule in filters(model, view.instance)}
    for rule in (*model.always, *model.rules):
        here = rule.index in INDEX and rule.name not in skip
        if here and (rule in model.always or view.instance.on(rule.name)):
            _add_rule(view, rule, view.instance.settings.get(rule.name, {}))


def _add_rule(view: GroupingView, rule: Rule, said: Mapping[str, Any]) -> None:
    component = pyo.Constraint(pyo.Any)
    view.model.add_component(rule.name, component)
    for key, expression in _rows(view, rule, said):
        if expression is None or expression is True:
            continue
        if expression is False:
            raise Infeasible(f"rule {rule.name} cannot hold at {', '.join(key)}: its numbers alone contradict it")
        component.add(key, expression)


def _rows(view: GroupingView, rule: Rule, said: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if rule.index == "pairs":
        for p, h in view.pairs:
            yield (p, h), rule.write(view, p, h, **said)
        return
    for h in view.hubs if rule.index == "hubs" else ("",):
        made = rule.write(view, h, **said) if h else rule.write(view, **said)
        for name, expression in made.items():
            yield ((h, name) if h else (name,)), expression
