"""Stand-ins for Pyomo's variables: the same rule, asked again, gives its numbers without building expressions.

A rule or an objective is a function of a year's view. Asked with a view whose variables are `Var`, it answers with
`Row` and `Lin`: column numbers and coefficients. Nothing is written a second time: it is the same function, and the
room `template` holds its answer against the programme that Pyomo compiled. Imports nothing of allocopt.
"""

from __future__ import annotations

import math
from typing import Any

Number = float | int


class Row:
    """lower <= sum of coefs x columns <= upper."""

    __slots__ = ("coefs", "columns", "lower", "upper")

    def __init__(self, columns: list[int], coefs: list[float], lower: float, upper: float) -> None:
        self.columns, self.coefs, self.lower, self.upper = columns, coefs, lower, upper

    def __bool__(self) -> bool:
        raise TypeError("a row is not true or false: it is decided by the solver")


class Affine:
    """What variables and linear expressions share. Two expressions are compared as Pyomo has it: less - more <= 0."""

    __slots__ = ()

    def lin(self) -> Lin:
        """As a linear expression."""
        raise NotImplementedError

    def __add__(self, other: Any) -> Lin:
        return self.lin().plus(other, 1.0)

    def __radd__(self, other: Any) -> Lin:
        return self.lin().plus(other, 1.0)

    def __sub__(self, other: Any) -> Lin:
        return self.lin().plus(other, -1.0)

    def __rsub__(self, other: Any) -> Lin:
        return self.lin().times(-1.0).plus(other, 1.0)

    def __mul__(self, factor: Number) -> Lin:
        return self.lin().times(factor)

    def __rmul__(self, factor: Number) -> Lin:
        return self.lin().times(factor)

    def __truediv__(self, divisor: Number) -> Lin:
        return self.lin().divided(divisor)

    def __neg__(self) -> Lin:
        return self.lin().times(-1.0)

    def __ge__(self, other: Any) -> Row:
        if isinstance(other, Affine):
            return other.__le__(self)
        body = self.lin().plus(other, -1.0)
        return body.row(-body.const, math.inf)

    def __le__(self, other: Any) -> Row:
        body = self.lin().plus(other, -1.0)
        return body.row(-math.inf, -body.const)

    def __eq__(self, other: object) -> Row:  # type: ignore[override]
        body = self.lin().plus(other, -1.0)
        return body.row(-body.const, -body.const)

    __hash__ = None  # type: ignore[assignment]


class Var(Affine):
    """One column."""

    __slots__ = ("column",)

    def __init__(self, column: int) -> None:
        self.column = column

    def lin(self) -> Lin:
        """As a linear expression."""
        return Lin([self.column], [1.0], 1, 0.0)

    def __ge__(self, other: Any) -> Row:
        if isinstance(other, float):
            return Row([self.column], [1.0], other, math.inf)
        return super().__ge__(other)

    def __le__(self, other: Any) -> Row:
        if isinstance(other, float):
            return Row([self.column], [1.0], -math.inf, other)
        return super().__le__(other)

    def __rmul__(self, factor: Number) -> Lin:
        if isinstance(factor, float):
            return Lin([self.column], [factor], 1, 0.0)
        return super().__rmul__(factor)

    def __rsub__(self, other: Any) -> Lin:
        if isinstance(other, float):
            return Lin([self.column], [-1.0], 1, other)
        return super().__rsub__(other)


class Lin(Affine):
    """The first `size` terms of two lists, and a constant.

    Adding a term appends to the lists and hands out a longer view of them, so a sum of n terms takes n steps; whoever
    adds to a view that is no longer the longest gets a copy.
    """

    __slots__ = ("coefs", "columns", "const", "size")

    def __init__(self, columns: list[int], coefs: list[float], size: int, const: float) -> None:
        self.columns, self.coefs, self.size, self.const = columns, coefs, size, const

    def lin(self) -> Lin:
        """As a linear expression."""
        return self

    def plus(self, other: Any, sign: float) -> Lin:
        """This and `sign` times the other."""
        if isinstance(other, Var):
            columns, coefs = self._own()
            columns.append(other.column)
            coefs.append(sign)
            return Lin(columns, coefs, self.size + 1, self.const)
        if isinstance(other, Lin):
            columns, coefs = self._own()
            columns += other.columns[: other.size]
            coefs += [sign * one for one in other.coefs[: other.size]]
            return Lin(columns, coefs, self.size + other.size, self.const + sign * other.const)
        if isinstance(other, int | float):
            return Lin(self.columns, self.coefs, self.size, self.const + sign * other)
        raise TypeError(f"a linear expression takes no {type(other).__name__}")

    def _own(self) -> tuple[list[int], list[float]]:
        if len(self.columns) == self.size:
            return self.columns, self.coefs
        return self.columns[: self.size], self.coefs[: self.size]

    def times(self, factor: Number) -> Lin:
        """The product with a number."""
        if not isinstance(factor, int | float):
            raise TypeError("a linear expression is multiplied by numbers only")
        coefs = [factor * one for one in self.coefs[: self.size]]
        return Lin(self.columns[: self.size], coefs, self.size, factor * self.const)

    def divided(self, divisor: Number) -> Lin:
        """The quotient with a number."""
        if not isinstance(divisor, int | float):
            raise TypeError("a linear expression is divided by numbers only")
        coefs = [one / divisor for one in self.coefs[: self.size]]
        return Lin(self.columns[: self.size], coefs, self.size, self.const / divisor)

    def row(self, lower: float, upper: float) -> Row:
        """A row with these sides, every column once and none with nothing."""
        columns, coefs = self.merged()
        return Row(columns, coefs, lower, upper)

    def merged(self) -> tuple[list[int], list[float]]:
        """Columns and coefficients, every column once and none with nothing."""
        columns, coefs = self.columns[: self.size], self.coefs[: self.size]
        if self.size == 2 and columns[0] != columns[1] and coefs[0] and coefs[1]:
            return columns, coefs
        if len(set(columns)) == self.size and 0.0 not in coefs:
            return columns, coefs
        total: dict[int, float] = {}
        for column, coef in zip(columns, coefs, strict=True):
            total[column] = total.get(column, 0.0) + coef
        kept = {column: coef for column, coef in total.items() if coef != 0}
        return list(kept), list(kept.values())
