"""Levers: every single number of a scenario whose change could make it solvable, and how it is written.

A lever moves in steps of a readable precision: 0.01 points for rates, one unit in the fifth digit for money, 0.1 km,
1 for counts. Step k is the k-th round number beyond the present value, so a cure is never more precise than people
would write. Imports `model`, `settings` and `units`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from allocopt.model import Parameter, Rule, unit_in
from allocopt.settings import RuleSetting
from allocopt.units import KILOMETRES, MONEY, RATE, Unit

Way = Literal[1, -1]
POT, GROWTH = "pot", "growth"
INDEX = ("places", "year", "path")
"""What rules about allocations are asked for."""
FARTHEST = {RATE.name: 10.0, KILOMETRES.name: 1000.0}
"""How far a rate (1,000 points) or a distance is moved at most; money and counts to twice or half."""
STEPS_OF_A_COUNT = 100
"""A count of a rule about allocations, such as the steps to target, is moved by as many at most."""


@dataclass(frozen=True)
class Lever:
    """One number: where it stands, what it is now, which way it is moved and in which steps."""

    owner: str
    """The rule it belongs to, or `pot`."""
    path: tuple[str, ...]
    """Where it stands among the owner's parameters: ("rate",), ("rate", "2020-21"), ("taper", "from")."""
    before: float
    way: Way
    unit: Unit | None = None
    whole: bool = False
    inner: bool = False
    """Part of a larger value, such as the distance at which a taper begins: moved by 100 points at most."""
    together: tuple[Parameter, tuple[Any, ...]] | None = None
    """A list whose rates of growth are all moved alike, by the number that the lever stands for (0 at present)."""
    far: float | None = None
    """By how much it is moved at most, where that is not as for every number of its unit."""

    @property
    def key(self) -> str:
        """The key for `--set`."""
        return ".".join((self.owner, *self.path) if self.owner == POT else ("rules", self.owner, *self.path))

    @property
    def step(self) -> float:
        """The precision of its steps."""
        if self.unit is RATE:
            return 1e-4
        if self.unit is KILOMETRES:
            return 0.1
        size = math.floor(math.log10(abs(self.before) or 1.0))
        if self.unit is MONEY:
            return 10.0 ** (size - 4)
        return float(10 ** max(0, size - 2)) if self.whole else 10.0 ** (size - 2)

    def at(self, number: int) -> float:
        """The value `number` steps away: round numbers beyond the present one; 0 is the present value itself."""
        if number == 0:
            return self.before
        start = self.before / self.step
        whole = math.floor(start + 1e-6) + number if self.way == 1 else math.ceil(start - 1e-6) - number
        return whole / round(1 / self.step) if self.step < 1 else whole * self.step

    def beyond(self, value: float) -> int:
        """The first step that goes at least as far as `value`."""
        steps = (value - self.at(1)) * self.way / self.step
        return max(1, 1 + math.ceil(steps - 1e-6))

    @property
    def farthest(self) -> int:
        """The number of steps beyond which nothing is tried."""
        far = FARTHEST.get(self.unit.name if self.unit else "") if self.far is None else self.far
        far = 1.0 if self.unit is RATE and self.inner else far
        least = self.before / 2 if far is None else self.before - far
        most = self.before * 2 if far is None else self.before + far
        end = least if self.way == -1 else most
        return max(0, math.floor(abs(end - self.before) / self.step))

    def write(self, value: float) -> str:
        """As a scenario would say it."""
        if self.together is not None:
            return self.together[0].write(self.value(value))
        if self.unit:
            return self.unit.write(value)
        return str(round(value)) if self.whole or float(value).is_integer() else f"{value:.12g}"

    def value(self, number: float) -> Any:
        """What the scenario would hold: the number as text, or the list with its rates of growth moved by it."""
        if self.together is None:
            return self.write(number)
        items = self.together[1]
        return [one.model_copy(update={GROWTH: round(getattr(one, GROWTH) + number, 9)}) for one in items]


def levers_of(rule: Rule, setting: RuleSetting) -> Iterator[Lever]:
    """The numbers of a rule that is on: its relaxing parameter one way, every other number both ways."""
    allocates = rule.index in INDEX
    for name, parameter in rule.parameters.items():
        value = setting.parameters.get(name, parameter.default)
        ways: Sequence[Way] = (1, -1)
        if rule.relax and rule.relax[0] == name:
            ways = (1,) if rule.relax[1] == "up" else (-1,)
        inner = isinstance(value, BaseModel | list)
        if isinstance(value, list) and value and all(hasattr(one, GROWTH) for one in value):
            alike = Lever(rule.name, (name,), 0.0, 1, RATE, together=(parameter, tuple(value)))
            yield from (replace(alike, way=way) for way in ways)
        for path, number, unit in _numbers((name,), value, parameter.unit):
            whole = isinstance(number, int) or (unit is None and float(number).is_integer())
            far = STEPS_OF_A_COUNT if whole and allocates and unit is None else None
            yield from (Lever(rule.name, path, float(number), way, unit, whole, inner, far=far) for way in ways)


def _numbers(
    path: tuple[str, ...], value: Any, unit: Unit | None
) -> Iterator[tuple[tuple[str, ...], float, Unit | None]]:
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int | float):
        yield path, value, unit
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _numbers((*path, str(key)), one, unit)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _numbers((*path, str(number)), one, unit)
    elif isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            inner = unit_in(*field.metadata, field.annotation)
            yield from _numbers((*path, field.alias or name), getattr(value, name), inner)


def moved(setting: RuleSetting, rule: Rule, path: Sequence[str], value: Any) -> RuleSetting | None:
    """The setting with what stands at `path` as `value` says (a number as text); None when the rule refuses it."""
    parameter = rule.parameters[path[0]]
    given = setting.parameters.get(path[0], parameter.default)
    try:
        read = _moved(parameter, given, path[1:], value)
    except (ValidationError, ValueError):
        return None
    return setting.model_copy(update={"parameters": {**setting.parameters, path[0]: read}})


def _moved(parameter: Parameter, given: Any, path: Sequence[str], value: Any) -> Any:
    if path and not isinstance(given, Mapping):
        return parameter.read(_within(given, path, value))
    number = value if parameter.unit or not isinstance(value, str) else _number(value)
    return {**given, path[0]: parameter.read(number)} if path else parameter.read(number)


def _within(given: Any, path: Sequence[str], value: str) -> Any:
    """What is given, as a scenario would say it, with the number at `path` written as `value`."""
    if not path:
        return value
    if isinstance(given, list):
        return [_within(one, path[1:], value) if str(number) == path[0] else one for number, one in enumerate(given)]
    said = {
        (field.alias or name): _said(getattr(given, name), field)
        for name, field in type(given).model_fields.items()
        if getattr(given, name) is not None
    }
    return {**said, path[0]: value}


def _said(value: Any, field: Any) -> str:
    unit = unit_in(*field.metadata, field.annotation)
    return unit.write(value) if unit else str(value)


def _number(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdigit() else float(text)
