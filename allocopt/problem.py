"""From a situation and the rules that are on to one Pyomo model, built once.

`Situation` holds the numbers that places bring; `YearView` is the `m` that every rule and objective reads. In a joint
path over years the baseline of a year is the allocation of the year before, so it is decided too; the arguments of
tapers and conditions (`opening_dft`) stay data: the base-year allocation rolled forward uniformly, against that
year's targets.
Imports `model`, `settings` and `errors`.
"""

from __future__ import annotations

# ruff: noqa: SLF001 - `_put` and `_variable` fill Pyomo components directly
import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from allocopt.errors import Infeasible, ScenarioFault
from allocopt.errors import Problem as Fault
from allocopt.model import Model, Objective, Rule
from allocopt.modelling import pyo
from allocopt.settings import ObjectiveSetting, RuleSetting

from pyomo.core.base.constraint import ConstraintData  # isort: skip - after `modelling`
from pyomo.core.base.var import VarData  # isort: skip
from pyomo.core.expr.relational_expr import EqualityExpression, InequalityExpression  # isort: skip

_RELATIONS = frozenset({EqualityExpression, InequalityExpression})

Array = npt.NDArray[np.float64]

INDEX = ("places", "year", "path")
"""What rules about allocations are asked for: a joint model has others, which are not built here."""


@dataclass(frozen=True)
class Situation:
    """What the places bring, as arrays: n places (sorted by code), T years; money in GBP million."""

    places: tuple[str, ...]
    years: tuple[str, ...]
    pot: Array
    """(T,)"""
    baseline: Array
    """(n,)"""
    target: Array
    """(n, T); each column sums to the year's pot, but where published distances put the places off it as a whole"""
    population: Array
    """(n, T) people"""
    previous_population: Array | None = None
    """(n, T) people, a year before each year"""
    spend: Array | None = None
    """(n, T) expected spend"""
    reserve: Array | None = None
    """(T,) money held back before anything is allocated; `pot` is what is left"""
    spend_draws: Array | None = None
    """(n, T, K) draws of spend, for objectives over draws; without them expected spend is the one draw"""
    openings: Array | None = None
    """(n, T) what each place opens each year with, where years were decided one after another"""
    carried: Array | None = None
    """(n, T) deficits of earlier years within `spend`: the first call on the year's money"""
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Columns that rules may name: column -> value per place"""

    @property
    def share(self) -> Array:
        """Target shares, (n, T)."""
        return self.target / self.pot

    @property
    def opening_dft(self) -> Array:
        """Opening distance from target as a fraction, (n, T): of openings, or the baseline rolled forward uniformly."""
        held = self.baseline[:, None] if self.openings is None else self.openings
        result: Array = held / held.sum(axis=0) / self.share - 1.0
        return result


class YearView:
    """One year as the rules see it: dictionaries by place code, and the variables to be decided."""

    def __init__(self, *, problem: Any, step: int, previous: YearView | None) -> None:
        situation = problem.situation
        self.year = situation.years[step]
        self.step = step + 1
        self.years = situation.years
        self.places: Any = problem.places
        self.pot = float(situation.pot[step])
        opening = situation.baseline if situation.openings is None else situation.openings[:, step]
        known = previous is None or situation.openings is not None
        self.total_baseline = float(opening.sum()) if known else float(situation.pot[step - 1])
        self.allocation: dict[str, Any] = problem.allocation(self.year)
        self.baseline: dict[str, Any] = (
            previous.allocation if previous is not None and not known else problem.by_place(opening)
        )
        self.base_year: dict[str, float] = problem.by_place(opening)
        self.target: dict[str, float] = problem.by_place(situation.target[:, step])
        self.opening_dft: dict[str, float] = problem.by_place(situation.opening_dft[:, step])
        self.reserve = 0.0 if situation.reserve is None else float(situation.reserve[step])
        self.population: dict[str, float] = problem.by_place(situation.population[:, step])
        self.previous_population = _optional(problem, situation.previous_population, step)
        self._first = known
        self.spend = _optional(problem, situation.spend, step)
        self.spend_draws = _draws(problem, step) or [self.spend]
        growth = self.pot / self.total_baseline
        self.uniform: dict[str, Any] = problem.each(lambda p: growth * self.baseline[p])
        self._problem = problem

    @cached_property
    def groups(self) -> dict[str, dict[str, str]]:
        """Column -> group of each place."""
        columns = self._problem.situation.groups
        return {name: dict(zip(self.places, column, strict=True)) for name, column in columns.items()}

    @cached_property
    def population_growth(self) -> dict[str, float]:
        """Growth of each place's population over the year before, as a fraction."""
        found: dict[str, float] = self._problem.each(lambda p: self.population[p] / self.previous_population[p] - 1)
        return found

    @cached_property
    def mean_population_growth(self) -> float:
        """Growth of the population of all places together."""
        return sum(self.population.values()) / sum(self.previous_population.values()) - 1

    @property
    def known_baseline(self) -> dict[str, float]:
        """The baseline as figures. Raises ScenarioFault where a joint path has yet to decide it."""
        if self._first:
            return self.baseline
        said = f"a rule compares the targets of {self.year} with allocations that the path has yet to decide"
        cure = "write path: rolling, or leave out floor_damping and capped_gains"
        raise ScenarioFault(said, (Fault(said, cure, "years"),))

    @cached_property
    def dft_levels(self) -> list[list[str]]:
        """The places by opening distance from target, lowest first; those that open level stand together."""
        levels: dict[float, list[str]] = {}
        for p in sorted(self.places, key=lambda p: (round(self.opening_dft[p], 9), p)):
            levels.setdefault(round(self.opening_dft[p], 9), []).append(p)
        return list(levels.values())

    def amounts(self, name: str, most: Mapping[str, float]) -> dict[str, Any]:
        """Variables y_k with 0 <= y_k <= most_k, one for each key; the same name gives the same variables."""
        made: dict[str, Any] = self._problem.amounts(name, self.year, most)
        return made

    def positive_part(self, name: str, excess: Mapping[str, Any], most: Mapping[str, float] | float) -> dict[str, Any]:
        """Variables y_p with 0 <= y_p <= most_p and y_p >= excess_p; the same name gives the same variables."""
        made: dict[str, Any] = self._problem.positive_part(name, self.year, excess, most)
        return made

    def variable(self, name: str, *, least: float, most: float) -> Any:
        """One bounded variable of the whole programme; the same name gives the same variable."""
        return self._problem.variable(name, least, most)

    def require(self, name: str, key: str, expression: Any) -> None:
        """A row that belongs to a definition (not to a rule), named `name[key,year]`."""
        self._problem.require(name, (key, self.year), expression)


def by_place(situation: Situation, values: Array) -> dict[str, float]:
    """One value a place as a plain dictionary of Python floats (quick to read from a rule)."""
    return dict(zip(situation.places, values.tolist(), strict=True))


class OneByOne:
    """A programme whose places are asked one by one: what a view needs to know of them."""

    situation: Situation

    @property
    def places(self) -> tuple[str, ...]:
        """The codes, in order."""
        return self.situation.places

    def by_place(self, values: Array) -> dict[str, float]:
        """One figure a place."""
        return by_place(self.situation, values)

    def each(self, make: Callable[[str], Any]) -> dict[str, Any]:
        """What `make` makes of each place."""
        return {p: make(p) for p in self.places}


def _optional(problem: Any, values: Array | None, step: int) -> dict[str, float]:
    return {} if values is None else problem.by_place(values[:, step])


def _draws(problem: Any, step: int) -> list[dict[str, float]]:
    """Each draw of a year's spend by place; [] where none was made."""
    if problem.situation.spend_draws is None:
        return []
    return [problem.by_place(draw) for draw in problem.situation.spend_draws[:, step, :].T]


@dataclass(frozen=True)
class Problem:
    """A built programme: the Pyomo model and what its parts mean."""

    pyomo: Any
    situation: Situation
    rules: Mapping[str, Rule]
    settings: Mapping[str, RuleSetting]
    objectives: tuple[tuple[Objective, ObjectiveSetting], ...]


class _Builder(OneByOne):
    """Fills one Pyomo model; lives only inside `build`."""

    def __init__(self, situation: Situation) -> None:
        self.situation = situation
        self.model = pyo.ConcreteModel()
        self.model.allocation = pyo.Var(situation.places, situation.years, bounds=self._allocation_bounds)
        self._definitions: dict[str, Any] = {}
        self._parts: dict[tuple[str, str], dict[str, Any]] = {}

    def _allocation_bounds(self, _model: Any, _place: str, year: str) -> tuple[float, float]:
        return 0.0, float(self.situation.pot[self.situation.years.index(year)])

    def allocation(self, year: str) -> dict[str, Any]:
        variables = self.model.allocation
        return {p: variables[p, year] for p in self.situation.places}

    def positive_part(
        self, name: str, year: str, excess: Mapping[str, Any], most: Mapping[str, float] | float
    ) -> dict[str, Any]:
        if (name, year) not in self._parts:
            self._parts[name, year] = self._new_part(name, year, excess, most)
        return self._parts[name, year]

    def amounts(self, name: str, year: str, most: Mapping[str, float]) -> dict[str, Any]:
        if (name, year) not in self._parts:
            variables = self._component(name, lambda: pyo.Var(pyo.Any, dense=False))
            self._parts[name, year] = {key: _variable(variables, (key, year), upper) for key, upper in most.items()}
        return self._parts[name, year]

    def _new_part(
        self, name: str, year: str, excess: Mapping[str, Any], most: Mapping[str, float] | float
    ) -> dict[str, Any]:
        variables = self._component(name, lambda: pyo.Var(pyo.Any, dense=False))
        made = {}
        for p, expression in excess.items():
            made[p] = variable = _variable(variables, (p, year), most if isinstance(most, float) else most[p])
            self.require(f"{name}_definition", (p, year), variable >= expression)
        return made

    def variable(self, name: str, least: float, most: float) -> Any:
        if not hasattr(self.model, name):
            self.model.add_component(name, pyo.Var(bounds=(least, most)))
        return getattr(self.model, name)

    def require(self, name: str, key: tuple[str, ...], expression: Any) -> None:
        _put(self._component(name, lambda: pyo.Constraint(pyo.Any)), key, expression)

    def _component(self, name: str, fresh: Callable[[], Any]) -> Any:
        if name not in self._definitions:
            made = self._definitions[name] = fresh()
            self.model.add_component(name, made)
        return self._definitions[name]

    def views(self) -> list[YearView]:
        made: list[YearView] = []
        for step in range(len(self.situation.years)):
            made.append(YearView(problem=self, step=step, previous=made[-1] if made else None))
        return made

    def add_rule(self, rule: Rule, parameters: Mapping[str, Any], views: Sequence[YearView]) -> None:
        component = pyo.Constraint(pyo.Any)
        self.model.add_component(rule.name, component)
        for key, expression in rule_rows(rule, parameters, views):
            if expression is None or expression is True:
                continue
            if expression is False:
                raise Infeasible(f"rule {rule.name} cannot hold at {', '.join(key)}: its numbers alone contradict it")
            _put(component, key, expression)

    def add_objective(self, objective: Objective, parameters: Mapping[str, Any], views: Sequence[YearView]) -> None:
        sense = pyo.minimize if objective.sense == "minimise" else pyo.maximize
        expression = objective_expression(objective, parameters, views)
        self.model.add_component(f"objective_{objective.name}", pyo.Objective(expr=expression, sense=sense))


def _variable(component: Any, key: tuple[str, ...], most: float) -> Any:
    """A variable between 0 and `most` of an open component, put there as `_put` does."""
    variable = component._data[key] = VarData(component)
    variable._index = key
    variable._domain = pyo.Reals
    variable.lower, variable.upper = 0.0, most
    return variable


def _put(component: Any, key: tuple[str, ...], expression: Any) -> None:
    """A row of an open component, without the search of its index that Pyomo makes for each (twice the time)."""
    if expression.__class__ in _RELATIONS and key not in component._data:
        row = component._data[key] = ConstraintData(expression, component)
        row._index = key
    else:
        component.add(key, expression)


def rule_rows(
    rule: Rule, parameters: Mapping[str, Any], views: Sequence[YearView]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    if rule.index == "path":
        for key, expression in rule.write(views, **parameters).items():
            yield _as_key(key), expression
        return
    for view in views:
        said = for_year(parameters, view.year)
        if rule.index == "year":
            written = rule.write(view, **said)
            rows = {(): written} if not isinstance(written, Mapping) else written
            yield from (((*_as_key(key), view.year), row) for key, row in rows.items())
            continue
        for p in view.places:
            yield (p, view.year), rule.write(view, p, **said)


def _as_key(key: str | tuple[str, ...]) -> tuple[str, ...]:
    return key if isinstance(key, tuple) else (key,)


def objective_expression(objective: Objective, parameters: Mapping[str, Any], views: Sequence[YearView]) -> Any:
    if objective.index == "path":
        return objective.write(views, **parameters)
    return sum(objective.write(view, **for_year(parameters, view.year)) for view in views)


def for_year(parameters: Mapping[str, Any], year: str) -> dict[str, Any]:
    """The parameters of one year: a map from year to value gives that year's value."""
    return {name: value[year] if isinstance(value, Mapping) else value for name, value in parameters.items()}


@contextmanager
def paused_collector() -> Iterator[None]:
    """Building makes many small objects and frees none: the garbage collector only costs time here."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def chosen_parts(
    model: Model, rules: Mapping[str, RuleSetting], objectives: Sequence[ObjectiveSetting]
) -> tuple[dict[str, Rule], dict[str, RuleSetting], tuple[tuple[Objective, ObjectiveSetting], ...]]:
    """The rules that always hold and those that are on, their settings, and the objectives, in order."""
    own = [rule for rule in (*model.always, *model.rules) if rule.index in INDEX]
    on = {rule.name: rule for rule in own if rule in model.always or rule.name in rules}
    settings = {name: rules.get(name, RuleSetting()) for name in on}
    return on, settings, tuple((model.objective(setting.name), setting) for setting in objectives)


def build(
    situation: Situation,
    model: Model,
    *,
    rules: Mapping[str, RuleSetting],
    objectives: Sequence[ObjectiveSetting],
) -> Problem:
    """The Pyomo model of a situation under the rules that always hold and those that are on.

    Raises Infeasible when a rule contradicts the numbers by itself.
    """
    on, settings, chosen = chosen_parts(model, rules, objectives)
    with paused_collector():
        builder = _Builder(situation)
        views = builder.views()
        for name, rule in on.items():
            builder.add_rule(rule, settings[name].parameters, views)
        for objective, setting in chosen:
            builder.add_objective(objective, setting.parameters, views)
    return Problem(builder.model, situation, on, settings, chosen)
