"""A rule or an objective asked for all places at once: the answer of `asked`, thousands of times quicker.

The view holds one stand-in for every place, a column of figures where a figure was, and a column of variables where a
variable was. What a rule does to each place by itself works as it is; anything else raises, and the rule is then asked
place by place. `template` holds every such answer against the one by one before it is used. Imports `asked`,
`affine`, `figures`, `problem` and `model`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from allocopt.figures import Column, plain
from allocopt.model import Objective, Rule
from allocopt.problem import Array, Situation, YearView, objective_expression, rule_rows
from allocopt.solve.affine import Lin, Row, Var
from allocopt.solve.asked import Answer, Asker, Block, Bounds, Ints, Name, NotAlike

EVERY: Any = object()
"""Stands for each place."""
REFUSED = (TypeError, ValueError, AttributeError, KeyError, ZeroDivisionError, NotImplementedError, NotAlike)
"""What a rule raises that has to be asked place by place."""

Part = Rule | Objective


class Places:
    """Every place, as one: it can be gone through, and nothing else."""

    def __iter__(self) -> Iterator[Any]:
        return iter((EVERY,))


class Each(Mapping[Any, Any]):
    """What belongs to each place. Variables can be summed; figures cannot, since their sum is not done here."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __getitem__(self, place: Any) -> Any:
        if place is not EVERY:
            raise KeyError(place)
        return self.value

    def __iter__(self) -> Iterator[Any]:
        return iter((EVERY,))

    def __len__(self) -> int:
        raise TypeError("the number of places is not known here")

    def values(self) -> Any:
        """The variables, to be summed."""
        if not isinstance(self.value, Sum):
            raise TypeError("figures are summed place by place")
        return (self.value,)


@dataclass(frozen=True)
class Rows:
    """A row for each place."""

    terms: tuple[tuple[Ints, Any], ...]
    lower: Any
    upper: Any

    def __bool__(self) -> bool:
        raise TypeError("a row is not true or false: it is decided by the solver")


@dataclass(frozen=True, eq=False)
class Sum:
    """A linear expression of each place: columns with coefficients, and a constant."""

    terms: tuple[tuple[Ints, Any], ...]
    const: Any = 0.0

    def _plus(self, other: Any, sign: float) -> Sum:
        if isinstance(other, Sum):
            if any(one is another for one, _ in self.terms for another, _ in other.terms):
                raise TypeError("a column that stands twice is added up place by place")
            added = tuple((columns, sign * coefs) for columns, coefs in other.terms)
            return Sum((*self.terms, *added), self.const + sign * other.const)
        return Sum(self.terms, self.const + sign * _numbers(other))

    def __add__(self, other: Any) -> Sum:
        return self._plus(other, 1.0)

    def __radd__(self, other: Any) -> Any:
        if isinstance(other, int | float) and other == 0:
            return self.total()  # the start of a sum over places
        return self._plus(other, 1.0)

    def __sub__(self, other: Any) -> Sum:
        return self._plus(other, -1.0)

    def __rsub__(self, other: Any) -> Sum:
        return (self * -1.0)._plus(other, 1.0)

    def __mul__(self, factor: Any) -> Sum:
        size = _numbers(factor)
        return Sum(tuple((columns, size * coefs) for columns, coefs in self.terms), size * self.const)

    __rmul__ = __mul__

    def __truediv__(self, divisor: Any) -> Sum:
        size = _numbers(divisor)
        if np.any(np.equal(size, 0)):
            raise ZeroDivisionError
        return Sum(tuple((columns, coefs / size) for columns, coefs in self.terms), self.const / size)

    def __neg__(self) -> Sum:
        return self * -1.0

    def __ge__(self, other: Any) -> Rows:
        if isinstance(other, Sum):
            return other.__le__(self)
        body = self._plus(other, -1.0)
        return Rows(body.terms, -body.const, math.inf)

    def __le__(self, other: Any) -> Rows:
        body = self._plus(other, -1.0)
        return Rows(body.terms, -math.inf, -body.const)

    def __eq__(self, other: object) -> Rows:  # type: ignore[override]
        body = self._plus(other, -1.0)
        return Rows(body.terms, -body.const, -body.const)

    __hash__ = None  # type: ignore[assignment]

    def total(self) -> Lin:
        """The sum over all places, added up in their order."""
        columns = [columns for columns, _ in self.terms]
        coefs = [np.broadcast_to(coefs, one.shape) for one, coefs in self.terms]
        const = np.cumsum(np.broadcast_to(self.const, columns[0].shape))[-1]
        return Lin(np.concatenate(columns).tolist(), np.concatenate(coefs).tolist(), sum(map(len, columns)), const)


def _numbers(given: Any) -> Any:
    if isinstance(given, Column):
        return given.values
    if isinstance(given, int | float):
        return given
    raise TypeError(f"a linear expression takes no {type(given).__name__}")


class Made(Mapping[str, Var]):
    """The variables that a part brought, for parts that are asked place by place."""

    def __init__(self, places: Sequence[str], columns: Ints) -> None:
        self._places, self.columns = places, columns
        self._held: dict[str, Var] | None = None

    def _all(self) -> dict[str, Var]:
        if self._held is None:
            self._held = {p: Var(column) for p, column in zip(self._places, self.columns.tolist(), strict=True)}
        return self._held

    def __getitem__(self, place: str) -> Var:
        return self._all()[place]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


@dataclass
class Names:
    """Names and columns of variables and rows that stand for each place, made once for all cases of a template."""

    places: tuple[str, ...]
    column_at: Mapping[Name, int]
    _keys: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    _names: dict[tuple[str, str], tuple[Name, ...]] = field(default_factory=dict)
    _columns: dict[tuple[str, str], Ints] = field(default_factory=dict)

    def of(self, name: str, year: str) -> tuple[Name, ...]:
        """(name, (place, year)) of each place."""
        if (name, year) not in self._names:
            if year not in self._keys:
                self._keys[year] = [(p, year) for p in self.places]
            self._names[name, year] = tuple([(name, key) for key in self._keys[year]])
        return self._names[name, year]

    def columns(self, name: str, year: str) -> Ints:
        """The column of each place's variable. Raises KeyError where a place has none."""
        if (name, year) not in self._columns:
            self._columns[name, year] = np.array([self.column_at[one] for one in self.of(name, year)], dtype=np.int64)
        return self._columns[name, year]


class Together:
    """Takes the place of Pyomo's model while a part is asked for all places at once."""

    def __init__(self, situation: Situation, names: Names) -> None:
        self.situation, self._names, self.places = situation, names, Places()
        self._views: list[YearView] | None = None
        self._known: set[tuple[str, str]] = set()
        self._clear()

    def _clear(self) -> None:
        self._rows = list[tuple[tuple[Name, ...], Rows | Row]]()
        self._bounds = list[tuple[tuple[Name, ...], Any]]()
        self._made = dict[tuple[str, str], Made]()

    def by_place(self, values: Array) -> Each:
        """A column of figures."""
        return Each(Column(np.ascontiguousarray(values)))

    def each(self, make: Callable[[Any], Any]) -> Each:
        """What `make` makes of every place."""
        return Each(make(EVERY))

    def allocation(self, year: str) -> Each:
        return Each(self._variables("allocation", year))

    def _variables(self, name: str, year: str) -> Sum:
        return Sum(((self._names.columns(name, year), np.ones(len(self.situation.places))),))

    def amounts(self, name: str, year: str, most: Any) -> Each:
        if (name, year) not in self._known and (name, year) not in self._made:
            upper = most[EVERY]
            columns = self._names.columns(name, year)
            self._made[name, year] = Made(self.situation.places, columns)
            self._bounds.append((self._names.of(name, year), _numbers(upper)))
        return Each(self._variables(name, year))

    def positive_part(self, name: str, year: str, excess: Mapping[Any, Any], most: Any) -> Each:
        fresh = (name, year) not in self._known and (name, year) not in self._made
        if set(excess) != {EVERY}:
            raise TypeError("a part of the places is asked place by place")
        made = self.amounts(name, year, Each(most) if isinstance(most, float) else most)
        if fresh:
            self.require(f"{name}_definition", (EVERY, year), made[EVERY] >= excess[EVERY])
        return made

    def variable(self, _name: str, _least: float, _most: float) -> Any:
        raise TypeError("a variable of the whole programme is asked for place by place")

    def require(self, name: str, key: tuple[Any, ...], expression: Any) -> None:
        if expression is True or expression is None:
            return
        if isinstance(expression, Rows) and len(key) == 2 and key[0] is EVERY:
            self._rows.append((self._names.of(name, key[1]), expression))
        elif isinstance(expression, Row) and all(isinstance(one, str) for one in key):
            self._rows.append((((name, key),), expression))
        else:
            raise TypeError("a row is that of a place or of none")

    def answer(self, part: Part, parameters: Mapping[str, Any], asker: Asker) -> Answer:
        """All that a part adds to the programme, as `Asker.answer` has it. Raises one of REFUSED."""
        if not plain(parameters):
            raise TypeError("a parameter may name a place")
        self._clear()
        self._known = set(asker.parts)
        cost = self._asked(part, parameters)
        answer = Answer(_block(self._rows, len(self.situation.places)), self._bounds_of(), self._made, cost)
        asker.parts |= self._made
        return answer

    def _asked(self, part: Part, parameters: Mapping[str, Any]) -> Lin | None:
        views = self.views()
        if isinstance(part, Rule):
            for key, expression in rule_rows(part, parameters, views):
                self.require(part.name, key, expression)
            return None
        cost = objective_expression(part, parameters, views)
        if not isinstance(cost, Lin):
            raise TypeError("an objective is one sum")
        return cost

    def views(self) -> list[YearView]:
        """One view a year."""
        if self._views is None:
            made: list[YearView] = []
            for step in range(len(self.situation.years)):
                made.append(YearView(problem=self, step=step, previous=made[-1] if made else None))
            self._views = made
        return self._views

    def _bounds_of(self) -> Bounds:
        alone = len(self._bounds) == 1
        names = self._bounds[0][0] if alone else tuple([name for group, _ in self._bounds for name in group])
        upper = [np.broadcast_to(most, len(group)) for group, most in self._bounds]
        return Bounds(names, np.zeros(len(names)), np.concatenate([np.zeros(0), *upper]))


def _block(rows: Sequence[tuple[tuple[Name, ...], Rows | Row]], places: int) -> Block:
    parts = [
        _rows_block(names, one, places) if isinstance(one, Rows) else _row_block(names, one) for names, one in rows
    ]
    if len(parts) == 1:
        return parts[0]
    return Block(
        tuple([name for part in parts for name in part.names]),
        np.concatenate([np.zeros(0, dtype=np.int64), *(part.columns for part in parts)]),
        np.concatenate([np.zeros(0), *(part.coefs for part in parts)]),
        np.concatenate([np.zeros(0, dtype=np.int64), *(part.sizes for part in parts)]),
        np.concatenate([np.zeros(0), *(part.lower for part in parts)]),
        np.concatenate([np.zeros(0), *(part.upper for part in parts)]),
    )


def _rows_block(names: tuple[Name, ...], rows: Rows, places: int) -> Block:
    coefs = np.stack([np.broadcast_to(coefs, places) for _, coefs in rows.terms], axis=1).ravel()
    if not coefs.all():
        raise TypeError("a coefficient of nothing changes the shape")
    return Block(
        names,
        np.stack([columns for columns, _ in rows.terms], axis=1).ravel(),
        coefs,
        np.full(places, len(rows.terms), dtype=np.int64),
        np.broadcast_to(np.asarray(rows.lower, dtype=float), places),
        np.broadcast_to(np.asarray(rows.upper, dtype=float), places),
    )


def _row_block(names: tuple[Name, ...], row: Row) -> Block:
    return Block(
        names,
        np.array(row.columns, dtype=np.int64),
        np.array(row.coefs, dtype=float),
        np.array([len(row.columns)], dtype=np.int64),
        np.array([row.lower], dtype=float),
        np.array([row.upper], dtype=float),
    )
