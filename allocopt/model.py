"""Rule, Objective and Model: the idiom in which the mathematics is written once.

A rule is one function. Its signature is the scenario's schema, its docstring the sentence a policy officer would say,
its decorator the equation, unit and source; the body is the inequality. From that one function come the Pyomo
component, the YAML key, the manual page, the report row and the diagnosis.

Imports `settings`, `units`, `errors` and `shipped`; never Pyomo, so that reading a scenario stays quick.
"""

from __future__ import annotations

import importlib.util
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal, get_args, get_type_hints

from pydantic import AfterValidator, Field, TypeAdapter

from allocopt.errors import Problem, ScenarioFault
from allocopt.ranges import Change
from allocopt.settings import Frozen
from allocopt.shipped import shipped
from allocopt.units import Rate, Unit, write_rate

Index = Literal["places", "year", "path", "pairs", "hubs", "grouping"]
Role = Literal["population", "previous_population", "population_growth"]


class GroupColumn:
    """Marks a parameter that names a grouping of the places."""


Column = Annotated[str, GroupColumn()]
"""A column of the places table, or `region`, `area`, `imd_fifth` (1 = most deprived), `need_decile` (1 = lowest target
per head)."""


class Point(Frozen):
    """One corner of a growth schedule: at this opening distance from target, this growth."""

    dft: Rate
    """Opening distance from target."""
    growth: Change
    """Growth over the baseline."""

    def __str__(self) -> str:
        return f"{{dft: {write_rate(self.dft)}, growth: {write_rate(self.growth)}}}"


class ClassRate(Frozen):
    """The growth that places of one class get at least."""

    group: str
    """The class, as the column that tells classes apart writes it."""
    growth: Change
    """Growth over the baseline."""

    def __str__(self) -> str:
        return f"{{group: {self.group}, growth: {write_rate(self.growth)}}}"


def _named_once(floors: list[ClassRate]) -> list[ClassRate]:
    names = [one.group for one in floors]
    if len(set(names)) < len(names):
        raise ValueError("name every class once")
    return floors


ClassRates = Annotated[list[ClassRate], Field(min_length=1), AfterValidator(_named_once)]
"""Growth by class of place."""


def class_rate(floors: Sequence[ClassRate] | None, group: str, *, otherwise: float) -> float:
    """The growth of a class; `otherwise` for a class that is not named."""
    return next((one.growth for one in floors or () if one.group == group), otherwise)


def scheduled(points: Sequence[Point], distance: float) -> float:
    """Growth on the straight lines between the corners, constant beyond the first and the last.

    Two corners at one distance make a step, and the second holds on the step itself; the cliff detector names it.
    """
    if distance < points[0].dft:
        return points[0].growth
    after = next((number for number, point in enumerate(points) if point.dft > distance), len(points))
    last = points[after - 1]
    if after == len(points):
        return last.growth
    way = (distance - last.dft) / (points[after].dft - last.dft)
    return last.growth + (points[after].growth - last.growth) * way


def _in_order(points: list[Point]) -> list[Point]:
    if [point.dft for point in points] != sorted(point.dft for point in points):
        raise ValueError("list the points of a schedule from the lowest distance from target to the highest")
    return points


Schedule = Annotated[list[Point], Field(min_length=1), AfterValidator(_in_order)]
"""Growth as a function of opening distance from target, by its corners."""


@dataclass(frozen=True)
class Parameter:
    """One keyword of a rule or an objective."""

    name: str
    annotation: Any
    default: Any = inspect.Parameter.empty
    yearly: bool = True
    """False: one value, whatever the years."""

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty

    @cached_property
    def unit(self) -> Unit | None:
        """The unit in which it is written, when it has one."""
        return unit_in(self.annotation)

    @property
    def by_year(self) -> bool:
        """True when a map from year to value is accepted as well."""
        return self.unit is not None and self.yearly

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(self.annotation)

    @property
    def names_groups(self) -> bool:
        """True when the value names a grouping of the places."""
        return any(isinstance(part, GroupColumn) for part in _flatten(self.annotation))

    def read(self, value: Any) -> Any:
        """The value inside the engine; raises pydantic's ValidationError."""
        return self.adapter.validate_python(value)

    def json_schema(self) -> dict[str, Any]:
        """What editors check."""
        return self.adapter.json_schema()

    def write(self, value: Any) -> str:
        """The value as a scenario would say it."""
        if isinstance(value, Mapping):
            return "{" + ", ".join(f"{key}: {self.write(one)}" for key, one in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(self.write(one) for one in value) + "]"
        if value is None:
            return "none"
        if self.unit and isinstance(value, int | float):
            return self.unit.write(value)
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _flatten(annotation: Any) -> list[Any]:
    parts = list(getattr(annotation, "__metadata__", ()))
    for one in get_args(annotation):
        parts += _flatten(one)
    return parts


def unit_in(*annotations: Any) -> Unit | None:
    """The unit that an annotation, or the metadata of a field, names."""
    found = [part for one in annotations for part in (one, *_flatten(one)) if isinstance(part, Unit)]
    return found[0] if found else None


def _parameters(function: Callable[..., Any]) -> dict[str, Parameter]:
    hints = get_type_hints(function, include_extras=True)
    keywords = [p for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    return {p.name: Parameter(p.name, hints[p.name], p.default) for p in keywords}


def _once(parameters: Mapping[str, Parameter], index: Index) -> dict[str, Parameter]:
    yearly = index not in ("pairs", "hubs", "grouping")
    return {name: replace(one, yearly=yearly) for name, one in parameters.items()}


@dataclass(frozen=True)
class _Part:
    """What rules and objectives share: a function that is its own documentation."""

    write: Callable[..., Any]
    unit: str
    equation: str
    source: str
    needs: tuple[Role, ...] = field(default=(), kw_only=True)
    """The roles of the places table that it reads and that a scenario may leave out."""

    @property
    def name(self) -> str:
        return self.write.__name__

    @property
    def sentence(self) -> str:
        """The docstring's first paragraph: what a policy officer would say."""
        return (inspect.getdoc(self.write) or "").partition("\n\n")[0]

    @property
    def note(self) -> str:
        """The rest of the docstring on one line: symbols, and how the rule is written down."""
        return " ".join((inspect.getdoc(self.write) or "").partition("\n\n")[2].split())

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        return _parameters(self.write)


@dataclass(frozen=True)
class Rule(_Part):
    """Something an allocation must obey.

    `index` says what the function is asked for: each place of each year ("places", called with m, p), each year
    ("year", called with m; it may return a map from key to row) or once for all years ("path", called with the views of
    all years); a grouping rule is asked for each pair of place and hub ("pairs", called with m, p, h), each hub
    ("hubs", with m, h) or once ("grouping"). `relax` names the parameter whose change eases the rule, and the
    direction; `hard` rules are never offered as a cure.
    """

    index: Index = "places"
    relax: tuple[str, Literal["up", "down"]] | None = None
    hard: bool = False
    finds: str = field(default="", kw_only=True)
    """The variable whose value run.json reports with the rule, such as the damping scale."""

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """Of a rule about a grouping, which is one for all years, no parameter may differ by year."""
        return _once(super().parameters, self.index)


@dataclass(frozen=True)
class Objective(_Part):
    """Something to make small (or large), in its turn. Indexed like a rule: "year" objectives are summed over years."""

    index: Index = "year"
    sense: Literal["minimise", "maximise"] = "minimise"
    needs_spend: bool = False
    continued: bool = False
    """True for the worst place's value, which is then continued below the worst place (lexicographic min-max)."""

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """Of an objective about a grouping, which is one for all years, no parameter may differ by year."""
        return _once(super().parameters, self.index)

    @property
    def is_money(self) -> bool:
        return self.unit == "GBP m"


def rule(
    *,
    unit: str,
    equation: str,
    source: str,
    index: Index = "places",
    relax: tuple[str, Literal["up", "down"]] | None = None,
    hard: bool = False,
    needs: tuple[Role, ...] = (),
    finds: str = "",
) -> Callable[[Callable[..., Any]], Rule]:
    """Make a function a rule: its keyword-only arguments are the rule's parameters."""

    def declare(function: Callable[..., Any]) -> Rule:
        return Rule(function, unit, equation, source, index, relax, hard, needs=needs, finds=finds)

    return declare


def objective(
    *,
    unit: str,
    equation: str,
    source: str,
    index: Index = "year",
    sense: Literal["minimise", "maximise"] = "minimise",
    needs_spend: bool = False,
    continued: bool = False,
    needs: tuple[Role, ...] = (),
) -> Callable[[Callable[..., Any]], Objective]:
    """Make a function an objective: it returns the expression to make small (or large)."""

    def declare(function: Callable[..., Any]) -> Objective:
        return Objective(function, unit, equation, source, index, sense, needs_spend, continued, needs=needs)

    return declare


@dataclass(frozen=True)
class Model:
    """A programme: the rules that always hold, the rules a scenario may switch on, the objectives it may list."""

    rules: Sequence[Rule]
    objectives: Sequence[Objective]
    always: Sequence[Rule] = ()
    kind: Literal["allocation", "grouping", "choice", "joint"] = "allocation"
    name: str = field(default="", compare=False)
    text: str = field(default="", compare=False)

    def rule(self, name: str) -> Rule:
        """The rule of that name, whether it always holds or not."""
        return next(rule for rule in (*self.always, *self.rules) if rule.name == name)

    def objective(self, name: str) -> Objective:
        """The objective of that name."""
        return next(one for one in self.objectives if one.name == name)


def model_names() -> list[str]:
    """The models that are shipped, sorted."""
    return sorted(path.stem for path in shipped("models").glob("*.py"))


@lru_cache
def load_model(name: str) -> Model:
    """The model of that name, from its file in `models/`.

    A scenario may only name a model, never give a path, so that a scenario file received by e-mail is safe.
    Raises ScenarioFault for a name that is not [a-z_]+ or not there.
    """
    if not re.fullmatch(r"[a-z_]+", name) or name not in model_names():
        raise ScenarioFault(f"there is no model '{name}'", (_unknown_model(name),))
    spec = importlib.util.spec_from_file_location(f"allocopt_model_{name}", shipped("models") / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    given: Model = module.MODEL
    return Model(given.rules, given.objectives, given.always, given.kind, name, inspect.getdoc(module) or "")


def _unknown_model(name: str) -> Problem:
    names = ", ".join(model_names())
    return Problem(
        f"there is no model '{name}'", f"name one of {names}; a model is named, never given as a path", "model"
    )
