"""The sweep block: which keys change, their values, and every combination that is asked for, in a fixed order.

Faults are collected with their places, as everywhere in a scenario. Imports `scenario`, `settings`, `streams` and
`errors`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any

import numpy as np
from pydantic import ValidationError

from allocopt import streams
from allocopt.errors import Mark, Problem, ScenarioFault
from allocopt.scenario import SweepFile
from allocopt.scenario.chain import same
from allocopt.scenario.faults import Findings, type_errors
from allocopt.scenario.tree import Items, Keys, Leaf, Table, Tree, find, plain, suggestion, written
from allocopt.settings.sweep import Sweep

Variation = tuple[tuple[str, Tree], ...]
"""One case: key and value, in the order of the sweep."""

FILES = ("scenario", "extends")
"""Keys that name scenario files rather than values."""
MOST = 100_000
"""Values of one key: more is a slip of the step."""
_QUANTITY = re.compile(r"^(?P<head>[^\d.+-]*)(?P<number>[-+]?(?:\d[\d,]*\.?\d*|\.\d+))\s*(?P<tail>\D*)$")
_LEAST_POWER = {"k": -3, "m": -6, "bn": -9}


@dataclass(frozen=True)
class Range:
    """From one quantity to another, both written in the same unit."""

    start: Decimal
    end: Decimal
    head: str
    tail: str
    mark: Mark

    def at(self, value: Decimal) -> Leaf:
        """A quantity of the range as a scenario would write it."""
        text = f"{self.head}{value.normalize():f}{self.tail}"
        bare = not self.head and not self.tail
        number: float | str = (int(value) if value == value.to_integral_value() else float(value)) if bare else text
        return Leaf(self.mark, number, text, plain=True)

    def steps(self, step: Decimal) -> tuple[Leaf, ...]:
        """from, from + step, ... as far as `to`."""
        return tuple(self.at(self.start + n * step) for n in range(int((self.end - self.start) / step) + 1))

    def along(self, way: float) -> Leaf:
        """The quantity at a share of the way, to six figures of the span and never below a pound."""
        span = self.end - self.start
        power = max(span.adjusted() - 5, _LEAST_POWER.get(self.tail.strip(), 0 if self.head.strip() else -12))
        value = self.start + Decimal(repr(way)) * span
        return self.at(value.quantize(Decimal(1).scaleb(power)))


@dataclass(frozen=True)
class Axis:
    """One key and its values: a list, or (for a sample) a range."""

    key: str
    values: tuple[Tree, ...]
    range: Range | None = None

    def along(self, way: float) -> Tree:
        """The value at a share of the way through the axis, 0 <= way < 1."""
        return self.range.along(way) if self.range else self.values[int(way * len(self.values))]


@dataclass(frozen=True)
class Plan:
    """A sweep that has been read: its settings, its axes, what it leaves out."""

    sweep: Sweep
    axes: tuple[Axis, ...]
    excluded: tuple[Mapping[str, Tree], ...]
    notes: tuple[str, ...] = ()

    def variations(self) -> Iterator[Variation]:
        """Every case in order, without those that are left out."""
        yield from (one for one in _combined(self.sweep, self.axes) if not any(_out(one, out) for out in self.excluded))


def read_sweep(file: SweepFile) -> Plan:
    """The sweep of a file. Raises ScenarioFault with everything wrong with the block."""
    tree = file.tree
    found = Findings(Table(Mark(file.path, 1, 1), {"sweep": tree}))
    sweep = _settings(found, tree)
    axes = _axes(found, sweep, find(tree, ("over",))) if sweep else ()
    excluded = _excluded(found, axes, find(tree, ("exclude",)))
    if sweep and not found.problems:
        _shape(found, sweep, axes)
    if sweep is None or found.problems:
        raise ScenarioFault(f"the sweep of {file.path.name} cannot be read", tuple(found.problems))
    plan = Plan(sweep, axes, excluded, tuple(_idle(sweep, axes, excluded)))
    if next(plan.variations(), None) is None:
        said = "every case is left out by exclude"
        raise ScenarioFault(f"{file.path.name}: {said}", (Problem(said, "exclude less", "sweep.exclude", tree.mark),))
    return plan


def _settings(found: Findings, tree: Tree) -> Sweep | None:
    try:
        return Sweep.model_validate(plain(tree), strict=True)
    except ValidationError as fault:
        type_errors(found, fault, ("sweep",))
        return None


def _axes(found: Findings, sweep: Sweep, over: Tree | None) -> tuple[Axis, ...]:
    items = over.items if isinstance(over, Table) else {}
    if not items:
        found.add(("sweep", "over"), "no key is swept", "write over: {rules.growth_floor.rate: [1%, 2%]}")
    read = [_axis(found, sweep, key, one) for key, one in items.items()]
    return tuple(axis for axis in read if axis)


def _axis(found: Findings, sweep: Sweep, key: str, given: Tree) -> Axis | None:
    at = ("sweep", "over", key)
    if isinstance(given, Items) and given.items:
        return Axis(key, given.items)
    if isinstance(given, Table) and {"from", "to"} <= set(given.items) <= {"from", "to", "step"}:
        return _range(found, sweep, at, given)
    if isinstance(given, Table):
        cure = f"write each key in full: {key}.{next(iter(given.items), 'name')}: [first, second]"
        found.add(at, "expected a list of values, or {from, to, step}", cure)
    else:
        found.add(at, f"expected a list of values, not {written(given)}", "write [first, second] or {from, to, step}")
    return None


def _range(found: Findings, sweep: Sweep, at: Keys, given: Table) -> Axis | None:
    parts = {name: _QUANTITY.match(written(one).strip()) for name, one in given.items.items()}
    read = {name: part for name, part in parts.items() if part}
    units = {(part["head"], part["tail"].strip()) for part in read.values()}
    if len(read) < len(parts) or len(units) > 1:
        found.add(at, f"{written(given)} is not a range of one unit", "write from, to and step alike: 1%, 3%, 0.5%")
        return None
    number = {name: Decimal(part["number"].replace(",", "")) for name, part in read.items()}
    head, tail = read["from"]["head"], read["from"]["tail"]
    span = Range(number["from"], number["to"], head, tail, given.mark)
    if span.end <= span.start:
        found.add(at, f"'to' is not above 'from': {written(given)}", "write the smaller first")
    elif "step" in number:
        return _stepped(found, at, span, number["step"])
    elif sweep.how == "sample":
        return Axis(at[-1], (), span)
    else:
        found.add((*at, "step"), f"'step' is missing: {sweep.how} needs it", "write {from: 1%, to: 3%, step: 0.5%}")
    return None


def _stepped(found: Findings, at: Keys, span: Range, step: Decimal) -> Axis | None:
    if step > 0 and (span.end - span.start) / step < MOST:
        return Axis(at[-1], span.steps(step))
    found.add((*at, "step"), f"the step gives no list of values (or more than {MOST:,})", "write a step above 0")
    return None


def _excluded(found: Findings, axes: Sequence[Axis], given: Tree | None) -> tuple[Mapping[str, Tree], ...]:
    items = [one for one in given.items if isinstance(one, Table)] if isinstance(given, Items) else []
    keys = [axis.key for axis in axes]
    for number, one in enumerate(items):
        for key in one.items:
            if key not in keys and axes:
                found.add(
                    ("sweep", "exclude", str(number), key),
                    f"'{key}' is not swept{suggestion(key, keys)}",
                    f"the swept keys are {', '.join(keys)}",
                )
    return tuple(one.items for one in items)


def _shape(found: Findings, sweep: Sweep, axes: Sequence[Axis]) -> None:
    """What a way of combining asks of the axes."""
    lengths = {axis.key: len(axis.values) for axis in axes}
    if sweep.how == "together" and len(set(lengths.values())) > 1:
        said = ", ".join(f"{key} has {length}" for key, length in lengths.items())
        found.add(("sweep", "over"), f"the lists are not equally long: {said}", "give each key as many values")
    for name in ("draws", "seed") if sweep.how == "sample" else ():
        if getattr(sweep, name) is None:
            found.add(("sweep", name), f"'{name}' is missing: a sample needs draws and seed", f"write {name}: 7")
    if sum(axis.key in FILES for axis in axes) > 1:
        found.add(("sweep", "over"), "the scenario files are swept twice", "keep one of scenario and extends")


def _idle(sweep: Sweep, axes: Sequence[Axis], excluded: Sequence[Mapping[str, Tree]]) -> Iterator[str]:
    for out in excluded:
        if not any(_out(one, out) for one in _combined(sweep, axes)):
            said = ", ".join(f"{key}: {written(one)}" for key, one in out.items())
            yield f"exclude {{{said}}} leaves nothing out"


def _combined(sweep: Sweep, axes: Sequence[Axis]) -> Iterator[Variation]:
    keys = [axis.key for axis in axes]
    if sweep.how == "grid":
        rows: Iterator[Any] = product(*(axis.values for axis in axes))
    elif sweep.how == "together":
        rows = zip(*(axis.values for axis in axes), strict=True)
    elif sweep.how == "sample":
        rows = _sample(sweep, axes)
    else:
        yield ()
        yield from (((axis.key, value),) for axis in axes for value in axis.values)
        return
    yield from (tuple(zip(keys, row, strict=True)) for row in rows)


def _sample(sweep: Sweep, axes: Sequence[Axis]) -> Iterator[tuple[Tree, ...]]:
    """A Latin hypercube: every axis is cut into `draws` equal parts, and each part is used once.

    Source: McKay, Beckman and Conover, Technometrics 21 (1979).
    """
    draws, seed = sweep.draws or 0, sweep.seed or 0
    of = streams.keys(range(draws))
    ways = [
        (
            np.argsort(streams.uniforms(of, seed=seed, stream=f"sweep order {axis.key}")[0], kind="stable")
            + streams.uniforms(of, seed=seed, stream=f"sweep place {axis.key}")[0]
        )
        / draws
        for axis in axes
    ]
    for number in range(draws):
        yield tuple(axis.along(min(float(way[number]), 1 - 1e-12)) for axis, way in zip(axes, ways, strict=True))


def _out(variation: Variation, out: Mapping[str, Tree]) -> bool:
    """True when every key of an exclusion matches; a list of the exclusion stands for any of its values."""
    values = dict(variation)
    return bool(out) and all(key in values and _matches(values[key], one, key) for key, one in out.items())


def _matches(value: Tree, out: Tree, key: str) -> bool:
    last = key.rpartition(".")[2]
    any_of = isinstance(out, Items) and not isinstance(value, Items)
    return any(same(value, one, last) for one in out.items) if any_of and isinstance(out, Items) else same(value, out)
