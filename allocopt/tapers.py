"""How a limit on growth fades as a place lies farther above its target: read from a scenario, used in the rules.

Figures are those of one place, or of every place at once (`figures.Column`). Imports `settings` and `units`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from allocopt.settings import Frozen
from allocopt.units import Rate, write_rate


def lesser(number: float, figure: Any) -> Any:
    """The lesser of a number and a figure of one place, or of every place at once (`figures.Column`)."""
    return min(number, figure) if isinstance(figure, int | float) else figure.lesser(number)


def greater(number: float, figure: Any) -> Any:
    """The greater of a number and a figure of one place, or of every place at once."""
    return max(number, figure) if isinstance(figure, int | float) else figure.greater(number)


class Fading(Frozen):
    """How a growth limit fades as a place lies farther above its target: continuous and piecewise linear.

    Full up to `from`, straight line to its end at `to`, constant beyond; the argument is the opening distance from
    target.
    """

    start: Rate = Field(alias="from")
    """Opening distance from target up to which the limit is full."""
    to: Rate
    """Opening distance from target at which the taper ends."""

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        if self.to <= self.start:
            said = f"a taper runs to a larger distance, not from {write_rate(self.start)} to {write_rate(self.to)}"
            raise ValueError(said)
        return self

    def between(self, growth: float, end: float, distance: float) -> float:
        """The growth at an opening distance from target on the way from `growth` to `end` (all fractions)."""
        way = lesser(1.0, greater(0.0, (distance - self.start) / (self.to - self.start)))
        result: float = growth + (end - growth) * way
        return result

    def _written(self, name: str, end: float) -> str:
        return f"{{from: {write_rate(self.start)}, to: {write_rate(self.to)}, {name}: {write_rate(end)}}}"


class Taper(Fading):
    """How a limit on growth fades: to `end`, nothing if it is not said."""

    end: Rate = 0.0
    """The growth that the limit implies at `to` and beyond."""

    def at(self, growth: float, distance: float) -> float:
        """The tapered growth at an opening distance from target (all fractions)."""
        return self.between(growth, self.end, distance)

    def __str__(self) -> str:
        return self._written("end", self.end)


class PerHeadTaper(Fading):
    """How a limit on growth a head fades: to `end`, growth of the allocation, or to `end_per_head`, growth a head."""

    end: Rate | None = 0.0
    """The growth of the allocation that the limit implies at `to` and beyond."""
    end_per_head: Rate | None = None
    """The growth a head at `to` and beyond, in place of `end`."""

    @model_validator(mode="before")
    @classmethod
    def _ends_once(cls, said: Any) -> Any:
        if not isinstance(said, Mapping) or said.get("end_per_head") is None:
            return said
        if said.get("end") is not None:
            raise ValueError("a taper ends at one rate: say end (of the allocation) or end_per_head, not both")
        return {**said, "end": None}

    def at(self, growth: float, people: float, distance: float) -> float:
        """The tapered growth of an allocation whose population grew by `people` (all fractions)."""
        if self.end_per_head is not None:
            return self.between(growth, (1 + self.end_per_head) * (1 + people) - 1, distance)
        return self.between(growth, self.end or 0.0, distance)

    def __str__(self) -> str:
        if self.end_per_head is not None:
            return self._written("end_per_head", self.end_per_head)
        return self._written("end", self.end or 0.0)


def tapered(growth: float, taper: Taper | None, distance: float) -> float:
    """A growth limit after its taper, if it has one."""
    return growth if taper is None else taper.at(growth, distance)
