"""Reads the linear expressions of a Pyomo model into rows and columns, one pass, names and all.

Pyomo's own compiler (`pyomo.repn`, the twin in the tests) is made for every kind of expression and takes 2.7 s for a
national path of 176,000 rows; a dispatch on the few kinds that rules are written with takes a quarter of that.
Anything else linear is handed to Pyomo's standard form. Imports `errors` alone.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any

import numpy as np

from allocopt.errors import Infeasible, InputFault
from allocopt.modelling import pyo  # before any other part of Pyomo

from pyomo.core.base.var import ScalarVar, VarData  # isort: skip
from pyomo.core.expr import numeric_expr as kinds  # isort: skip
from pyomo.core.expr.relational_expr import EqualityExpression, RangedExpression  # isort: skip

Key = tuple[str, ...]
_NUMBERS = frozenset({int, float, np.float64, np.int64})
_INFINITE = float("inf")
_SLACK = 1e-9
"""A row without a column may miss its sides by this much (GBP million) and still hold."""


class Reader:
    """Rows and columns read so far. A row has its terms at starts[row] .. starts[row + 1] of `index` and `data`."""

    def __init__(self, model: Any) -> None:
        self._position: dict[int, int] = {}
        self.columns: list[tuple[str, Key, Any]] = []
        self.index, self.data, self.starts = list[int](), list[float](), [0]
        self.constant = 0.0
        self.rows: list[tuple[str, Key]] = []
        self.lower, self.upper = list[float](), list[float]()
        self.objectives: list[tuple[dict[int, float], float, int]] = []
        for objective in model.component_data_objects(pyo.Objective, active=True):
            self._read_objective(objective)
        for component in model.component_objects(pyo.Constraint, active=True):
            name = component.local_name
            rows = sorted([(_key(index), row) for index, row in component.items()], key=itemgetter(0))
            for key, row in rows:
                self._read_row(name, key, row)

    def _read_objective(self, objective: Any) -> None:
        self.constant = 0.0
        self.add(objective.expr, 1.0)
        costs: dict[int, float] = {}
        for column, value in zip(self.index, self.data, strict=True):
            costs[column] = costs.get(column, 0.0) + value
        self.index, self.data = [], []
        self.objectives.append((costs, self.constant, 1 if objective.sense == pyo.minimize else -1))

    def _read_row(self, name: str, key: Key, constraint: Any) -> None:
        start = self.starts[-1]
        self.constant = 0.0
        lower, upper = self._sides(constraint.expr)
        end = len(self.index)
        if end == start:
            _hold(name, key, self.constant, lower, upper)
            return
        lower, upper = lower - self.constant, upper - self.constant
        two = lower != upper and lower > -_INFINITE and upper < _INFINITE
        self._end_row(name, key, -_INFINITE if two else lower, upper)
        if two:
            self.index += self.index[start:end]
            self.data += self.data[start:end]
            self._end_row(name, (*key, "lower"), lower, _INFINITE)

    def _end_row(self, name: str, key: Key, lower: float, upper: float) -> None:
        self.starts.append(len(self.index))
        self.rows.append((name, key))
        self.lower.append(lower)
        self.upper.append(upper)

    def _sides(self, expression: Any) -> tuple[float, float]:
        """Lower and upper side of a relation, its body read; sides that vary move into the body."""
        parts = expression.args
        if expression.__class__ is RangedExpression:
            self.add(parts[1], 1.0)
            return float(pyo.value(parts[0])), float(pyo.value(parts[2]))
        left, right = parts
        equal = expression.__class__ is EqualityExpression
        if _is_number(right):
            self.add(left, 1.0)
            side = _figure(right)
            return (side if equal else -_INFINITE), side
        if _is_number(left):
            self.add(right, 1.0)
            side = _figure(left)
            return side, (side if equal else _INFINITE)
        self.add(left, 1.0)
        self.add(right, -1.0)
        return (0.0 if equal else -_INFINITE), 0.0

    def add(self, expression: Any, factor: float) -> None:
        """Add factor x expression to the row that is being read."""
        kind = expression.__class__
        if kind in _NUMBERS:
            self.constant += factor * expression
        elif kind is VarData:
            self.variable(expression, factor)
        elif kind is kinds.MonomialTermExpression:
            coefficient, variable = expression.args
            self.variable(variable, factor * _figure(coefficient))
        else:
            known = _KINDS.get(kind) or _kind_of(expression)
            known(self, expression, factor)

    def variable(self, variable: Any, factor: float) -> None:
        """Add factor x variable; a fixed variable is a constant."""
        column = self._position.get(id(variable))
        if column is None:
            if variable.fixed:
                self.constant += factor * variable.value
                return
            self._take_columns(variable.parent_component())
            column = self._position[id(variable)]
        self.index.append(column)
        self.data.append(factor)

    def _take_columns(self, component: Any) -> None:
        """A column for every variable of a component, in the order of their keys, when the first one is met."""
        name, number = component.local_name, len(self.columns)
        for key, variable in sorted([(_key(index), one) for index, one in component.items()], key=itemgetter(0)):
            if not variable.fixed:
                self._position[id(variable)] = number
                self.columns.append((name, key, variable))
                number += 1

    def total(self, expression: Any, factor: float) -> None:
        """Add every part of a sum; the kinds that most sums are made of without a further call."""
        position = self._position
        for part in expression.args:
            kind = part.__class__
            if kind is VarData:
                column, size = position.get(id(part)), factor
            elif kind is kinds.MonomialTermExpression:
                coefficient, variable = part.args
                column, size = position.get(id(variable)), factor * _figure(coefficient)
            else:
                column = None
            if column is None:
                self.add(part, factor)
            else:
                self.index.append(column)
                self.data.append(size)

    def opposite(self, expression: Any, factor: float) -> None:
        """Take an expression away."""
        self.add(expression.args[0], -factor)

    def product(self, expression: Any, factor: float) -> None:
        """Add factor x (number x expression)."""
        one, other = expression.args
        if _is_number(one):
            self.add(other, factor * _figure(one))
        elif _is_number(other):
            self.add(one, factor * _figure(other))
        else:
            self.anything(expression, factor)

    def quotient(self, expression: Any, factor: float) -> None:
        """Add factor x (expression / number)."""
        above, below = expression.args
        if _is_number(below):
            self.add(above, factor / _figure(below))
        else:
            self.anything(expression, factor)

    def number(self, expression: Any, factor: float) -> None:
        """Add a number that Pyomo or numpy holds."""
        self.constant += factor * _figure(expression)

    def anything(self, expression: Any, factor: float) -> None:
        """Leave it to Pyomo. Raises InputFault when it is not linear."""
        from pyomo.repn import generate_standard_repn  # noqa: PLC0415 - no rule of the library comes here

        form = generate_standard_repn(expression)
        if not form.is_linear():
            raise InputFault(f"an expression is not linear: {expression}")
        self.constant += factor * float(form.constant)
        for coefficient, variable in zip(form.linear_coefs, form.linear_vars, strict=True):
            self.variable(variable, factor * float(coefficient))


_KINDS: dict[type, Callable[[Reader, Any, float], None]] = {
    kinds.LinearExpression: Reader.total,
    kinds.SumExpression: Reader.total,
    kinds.NegationExpression: Reader.opposite,
    kinds.ProductExpression: Reader.product,
    kinds.DivisionExpression: Reader.quotient,
    ScalarVar: Reader.variable,
}


def _kind_of(expression: Any) -> Callable[[Reader, Any, float], None]:
    """How to add an expression of a class that is met for the first time."""
    if _is_number(expression):
        return Reader.number
    if expression.is_variable_type():
        return Reader.variable
    return Reader.anything


def _is_number(expression: Any) -> bool:
    return expression.__class__ in _NUMBERS or not expression.is_potentially_variable()


def _figure(expression: Any) -> float:
    value: Any = expression if expression.__class__ in _NUMBERS else pyo.value(expression)
    return float(value)


def _hold(name: str, key: Key, constant: float, lower: float, upper: float) -> None:
    if not lower - _SLACK <= constant <= upper + _SLACK:
        at = f" at {', '.join(key)}" if key else ""
        raise Infeasible(f"rule {name} cannot hold{at}: its numbers alone contradict it")


def _key(index: Any) -> Key:
    if index.__class__ is tuple:
        if all([part.__class__ is str for part in index]):  # noqa: C419 - a generator takes twice as long
            return index
        return tuple([part if part.__class__ is str else str(part) for part in index])
    return () if index is None else (str(index),)
