"""A rule or an objective, asked with stand-ins for all that it adds to a programme, as arrays.

What a rule may read of a case is told from its code, so that an answer can be kept until one of those figures changes.
Imports `affine`, `problem` and `model`.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from allocopt.model import Objective, Rule
from allocopt.problem import Array, OneByOne, Situation, YearView, objective_expression, rule_rows
from allocopt.solve.affine import Affine, Lin, Row, Var

Ints = npt.NDArray[np.int64]
Name = tuple[str, tuple[str, ...]]

_OF_NO_CONSEQUENCE = {"allocation", "places", "years", "year", "step", "_first", "_problem"}
"""What a view says that is the same for every case of one template."""


@dataclass(frozen=True)
class Block:
    """Rows or a cost as arrays: names of rows, terms by row, sides."""

    names: tuple[Name, ...]
    columns: Ints
    coefs: Array
    sizes: Ints
    lower: Array
    upper: Array


@dataclass(frozen=True)
class Bounds:
    """Variables that a rule or an objective brought, with their bounds."""

    names: tuple[Name, ...]
    lower: Array
    upper: Array


@dataclass(frozen=True)
class Answer:
    """All that one rule or objective adds to a programme."""

    rows: Block
    bounds: Bounds
    parts: Mapping[tuple[str, str], Mapping[str, Var]]
    cost: Lin | None = None


class NotAlike(Exception):
    """The numbers of a case do not fit the template: it is built anew."""


class Asker(OneByOne):
    """Takes the place of Pyomo's model while rules are asked for their numbers."""

    def __init__(self, situation: Situation, column_at: Mapping[Name, int]) -> None:
        self.situation, self._column_at = situation, column_at
        self.parts: dict[tuple[str, str], Mapping[str, Var]] = {}
        self._names, self._rows = list[Name](), list[Row]()
        self._bounded, self._lower, self._upper = list[Name](), list[float](), list[float]()
        self._made = list[tuple[str, str]]()

    def _column(self, name: str, key: tuple[str, ...]) -> Var:
        try:
            return Var(self._column_at[name, key])
        except KeyError:
            raise NotAlike from None

    def _bounded_column(self, name: str, key: tuple[str, ...], least: float, most: float) -> Var:
        self._bounded.append((name, key))
        self._lower.append(least)
        self._upper.append(most)
        return self._column(name, key)

    def allocation(self, year: str) -> dict[str, Var]:
        return {p: self._column("allocation", (p, year)) for p in self.situation.places}

    def amounts(self, name: str, year: str, most: Mapping[str, float]) -> Mapping[str, Var]:
        if (name, year) not in self.parts:
            self._made.append((name, year))
            self.parts[name, year] = {
                key: self._bounded_column(name, (key, year), 0.0, upper) for key, upper in most.items()
            }
        return self.parts[name, year]

    def positive_part(
        self, name: str, year: str, excess: Mapping[str, Any], most: Mapping[str, float] | float
    ) -> Mapping[str, Var]:
        if (name, year) not in self.parts:
            upper = dict.fromkeys(excess, most) if isinstance(most, float) else most
            made = self.amounts(name, year, {p: upper[p] for p in excess})
            for p, expression in excess.items():
                self.require(f"{name}_definition", (p, year), made[p] >= expression)
        return self.parts[name, year]

    def variable(self, name: str, least: float, most: float) -> Var:
        if (name, "") not in self.parts:
            self._made.append((name, ""))
            self.parts[name, ""] = {"": self._bounded_column(name, (), least, most)}
        return self.parts[name, ""][""]

    def require(self, name: str, key: tuple[str, ...], expression: Any) -> None:
        if expression is True or expression is None:
            return
        if not isinstance(expression, Row):
            raise NotAlike
        self._names.append((name, key))
        self._rows.append(expression)

    def answer(self, ask: Callable[[], Lin | None]) -> Answer:
        """All that `ask` adds, as arrays."""
        self._names, self._rows, self._made = [], [], []
        self._bounded, self._lower, self._upper = [], [], []
        cost = ask()
        bounds = Bounds(tuple(self._bounded), np.array(self._lower), np.array(self._upper))
        made = {name: self.parts[name] for name in self._made}
        return Answer(_block(self._names, self._rows), bounds, made, cost)

    def replay(self, known: Answer) -> None:
        """Make the variables of an earlier answer known to the rules that come after it."""
        if self.parts.keys() & known.parts.keys():
            raise NotAlike
        self.parts |= known.parts


def _block(names: Sequence[Name], rows: Sequence[Row]) -> Block:
    return Block(
        tuple(names),
        np.array([column for row in rows for column in row.columns], dtype=np.int64),
        np.array([coef for row in rows for coef in row.coefs], dtype=float),
        np.array([len(row.columns) for row in rows], dtype=np.int64),
        np.array([row.lower for row in rows], dtype=float),
        np.array([row.upper for row in rows], dtype=float),
    )


class Figures:
    """The views of one case, made when they are first needed, and the figures that each rule may read."""

    def __init__(self, situation: Situation) -> None:
        self.situation = situation
        self._views: list[YearView] | None = None
        self._held: dict[str, Any] = {}

    def views(self, asker: Asker) -> list[YearView]:
        """One view a year, with stand-ins for variables. Raises NotAlike."""
        if self._views is None:
            made: list[YearView] = []
            for step in range(len(self.situation.years)):
                made.append(YearView(problem=asker, step=step, previous=made[-1] if made else None))
            if any(vars(view).keys() - _FROM.keys() - _OF_NO_CONSEQUENCE for view in made):
                raise NotAlike  # a figure of which it is not known what it is made from
            self._views = made
        return self._views

    def read_by(self, part: Rule | Objective) -> dict[str, Any]:
        """The figures of the situation that a rule or an objective may read, by name."""
        names = read_by(part.write)
        return {name: self._figure(name) for name in names}

    def _figure(self, name: str) -> Any:
        if name not in self._held:
            self._held[name] = getattr(self.situation, name)
        return self._held[name]


_FROM = {
    "pot": ("pot",),
    "total_baseline": ("baseline", "pot"),
    "baseline": ("baseline",),
    "base_year": ("baseline",),
    "target": ("target",),
    "opening_dft": ("opening_dft",),
    "reserve": ("reserve",),
    "population": ("population",),
    "previous_population": ("previous_population",),
    "spend": ("spend",),
    "spend_draws": ("spend_draws", "spend"),
    "groups": ("groups",),
    "uniform": ("baseline", "pot"),
}
"""What each figure of a view is made from."""


@lru_cache(maxsize=256)
def read_by(function: Callable[..., Any]) -> tuple[str, ...]:
    """The figures of the situation that a function may read through a view: every name that its code mentions.

    A superset, read off the code itself and off the functions that it calls.
    """
    mentioned = _mentioned(function, set())
    if mentioned & {"getattr", "vars", "__dict__"}:
        return tuple(sorted(one.name for one in fields(Situation) if one.name not in _OF_NO_CONSEQUENCE))
    found = {figure for name in mentioned for figure in _FROM.get(name, ())}
    return tuple(sorted(found))


def _mentioned(function: Any, seen: set[Any]) -> set[str]:
    code = getattr(function, "__code__", None)
    if code is None or code in seen:
        return set()
    seen.add(code)
    names = _names_of(code)
    found = set(names)
    for name in names:
        other = getattr(function, "__globals__", {}).get(name)
        if isinstance(other, types.FunctionType):
            found |= _mentioned(other, seen)
        member = vars(YearView).get(name)
        inner = getattr(member, "func", None) or getattr(member, "fget", None) or member
        if isinstance(inner, types.FunctionType):
            found |= _mentioned(inner, seen)
    return found


def _names_of(code: types.CodeType) -> set[str]:
    inner = [one for one in code.co_consts if isinstance(one, types.CodeType)]
    return {*code.co_names, *(name for one in inner for name in _names_of(one))}


def same_figure(one: Any, other: Any) -> bool:
    """True when two figures of a situation are the same to the bit."""
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one is other or np.array_equal(one, other, equal_nan=True)
    return bool(one is other or one == other)


def ask(part: Rule | Objective, parameters: Mapping[str, Any], asker: Asker, figures: Figures) -> Lin | None:
    """Ask a rule for its rows or an objective for its cost; raises NotAlike for an answer that is not linear."""
    views = figures.views(asker)
    if isinstance(part, Rule):
        for key, expression in rule_rows(part, parameters, views):
            asker.require(part.name, key, expression)
        return None
    cost = objective_expression(part, parameters, views)
    if not isinstance(cost, Affine):
        raise NotAlike
    return cost.lin()
