"""A figure of every place at once, which a rule may use as if it were the figure of one.

A rule is written for one place. Asked with such columns in place of figures it answers for all places in one go, by
the same operations on each, so to the same bits. Whatever is not done to each place by itself (a sum over places, a
comparison, a number of places) is refused with TypeError: then the rule is asked place by place. Imports numpy alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Number = int | float


def plain(parameters: Mapping[str, Any]) -> bool:
    """Whether the parameters of a rule name no place and no group: only then may it be asked for all places at once."""
    return all(_plain(one) for one in parameters.values())


def _plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_plain(one) for one in value.values())
    return value is None or isinstance(value, int | float) or hasattr(value, "at")


class Column:
    """One number a place: sums, differences, products and quotients with numbers and other columns."""

    __slots__ = ("values",)
    __array_ufunc__ = None
    """numpy's own numbers leave arithmetic to this class"""

    def __init__(self, values: Array) -> None:
        self.values = values

    def _with(self, other: Any, operation: Callable[[Any, Any], Any], *, turned: bool = False) -> Any:
        if isinstance(other, Column):
            return Column(operation(self.values, other.values))
        if not isinstance(other, int | float):
            return NotImplemented
        return Column(operation(other, self.values) if turned else operation(self.values, other))

    def __add__(self, other: Any) -> Any:
        return self._with(other, np.add)

    def __radd__(self, other: Any) -> Any:
        if isinstance(other, int | float) and other == 0:
            raise TypeError("a sum may run over places: it is taken place by place")
        return self._with(other, np.add, turned=True)

    def __sub__(self, other: Any) -> Any:
        return self._with(other, np.subtract)

    def __rsub__(self, other: Any) -> Any:
        return self._with(other, np.subtract, turned=True)

    def __mul__(self, other: Any) -> Any:
        return self._with(other, np.multiply)

    def __rmul__(self, other: Any) -> Any:
        return self._with(other, np.multiply, turned=True)

    def __truediv__(self, other: Any) -> Any:
        return self._with(other, _divided)

    def __rtruediv__(self, other: Any) -> Any:
        return self._with(other, _divided, turned=True)

    def __neg__(self) -> Column:
        return Column(-self.values)

    def lesser(self, number: Number) -> Column:
        """As `min(number, figure)` of each place."""
        return Column(np.where(self.values < number, self.values, number))

    def greater(self, number: Number) -> Column:
        """As `max(number, figure)` of each place."""
        return Column(np.where(self.values > number, self.values, number))

    def _refused(self, *_: Any) -> NoReturn:
        raise TypeError("a column of figures is not compared: the rule is asked place by place")

    __eq__ = __ne__ = __bool__ = __contains__ = _refused
    __hash__ = None  # type: ignore[assignment]


def _divided(one: Any, other: Any) -> Any:
    if np.any(np.equal(other, 0)):
        raise ZeroDivisionError("division by zero")
    return np.true_divide(one, other)
