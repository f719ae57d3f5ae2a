"""Scenario files: found, read, inherited, overridden, validated, with the place of every value kept.

`load` gives the typed scenario or raises one ScenarioFault with every problem of the file and of all that it extends.
Imports the `scenario_*` rooms, `settings`, `units`, `shipped` and `errors`; nothing that reckons, so that a typing
error is told at once.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from allocopt.errors import Mark, Problem, ScenarioFault
from allocopt.scenario.chain import Chain, marks, merge, same, short
from allocopt.scenario.checks import cross_checks, year_names
from allocopt.scenario.faults import Findings, type_errors
from allocopt.scenario.files import find_scenario
from allocopt.scenario.fresh import new_scenario, write_new
from allocopt.scenario.rules import idle_offs, named_models, needs_spend, objective_settings, rule_settings, with_slack
from allocopt.scenario.schema import schema, write_schema
from allocopt.scenario.shape import known, stated
from allocopt.scenario.tree import (
    Items,
    Keys,
    Leaf,
    SetMark,
    Table,
    Tree,
    dotted,
    find,
    plain,
    suggestion,
    walk,
    written,
)
from allocopt.settings import Scenario
from allocopt.units import Unit

__all__ = [
    "Difference",
    "Loaded",
    "Row",
    "SweepFile",
    "describe",
    "difference",
    "find_scenario",
    "load",
    "load_sweep",
    "new_scenario",
    "refuse_sweep",
    "schema",
    "write_new",
    "write_schema",
]


@dataclass(frozen=True)
class Loaded:
    """A validated scenario and where everything in it was written."""

    scenario: Scenario
    path: Path
    marks: Mapping[Keys, Mark]
    """Key path, such as ("rules", "growth_floor", "rate"), to the place that had the last word."""
    overrides: tuple[str, ...]
    """One line per applied override: `rules.growth_floor.rate: 2% -> 1%  (no-floor.yaml:5:18)`."""
    warnings: tuple[str, ...]
    resolved: Mapping[str, Any]
    """The scenario as plain JSON data in internal units (GBP million, fractions, km, seconds), keys sorted."""
    written: Tree | None = field(default=None, repr=False)
    """The merged tree as written, for `describe` and `difference`."""
    sweep: Tree | None = field(default=None, repr=False)
    """The cases that the file asks for, when it is a sweep."""
    files: tuple[Path, ...] = field(default=(), repr=False)
    """The files of the scenario, parents first, `--set` last: later ones have the last word."""

    def mark(self, *keys: str | int) -> Mark | None:
        """Where the value at a key path was written, or the nearest key above it; None when none is written."""
        path = tuple(map(str, keys))
        return next((self.marks[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.marks), None)

    def table_path(self, *keys: str) -> Path:
        """The absolute path of the table named at a key path.

        It is relative to the file that states it (to the working folder when `--set` states it). Raises KeyError
        when no text is there.
        """
        value = stated(self.scenario, keys)
        if not isinstance(value, str):
            raise KeyError(dotted(keys))
        mark = self.mark(*keys)
        file = self.path if mark is None else mark.file
        home = Path.cwd() if isinstance(mark, SetMark) else file.parent
        return (home / value).resolve()


@dataclass(frozen=True)
class Row:
    """One line of `show`: a key, its value as written, where it was written and its source."""

    key: str
    value: str
    mark: Mark | None
    source: str


@dataclass(frozen=True)
class Difference:
    """A key that two scenarios say differently; None where one does not say it."""

    key: str
    this: str | None
    other: str | None


@dataclass(frozen=True)
class SweepFile:
    """A sweep as it is written: many cases of one scenario, none of them read yet."""

    path: Path
    tree: Tree
    """The `sweep` block."""
    sets: Mapping[str, str | Tree]
    """What `--set` changes in every case."""
    name: str


Sets = Mapping[str, str | Tree] | Sequence[str]
"""Changes that come last: `key.path=value` texts, or a map from key to value."""


def load(path: str | Path, *, set: Sets = (), parent: Path | None = None) -> Loaded:  # noqa: A002
    """The scenario of a file (or of a shipped name) after inheritance and `set` ("key.path=value", the last word).

    `parent` stands in for what the file extends: a sweep over scenario files reads itself on each of them.

    Raises ScenarioFault with all problems of the file, of what it extends and of `set`.
    """
    file = find_scenario(path)
    sets, refused = _pairs(set)
    chain = merge(file, sets, parent)
    found = Findings(chain.tree, [*refused, *chain.problems])
    warnings = [*chain.warnings]
    scenario = None if chain.broken else _validated(found, chain, warnings)
    resolved = _resolved(scenario) if scenario else {}
    _finite(found, resolved)
    _point_at_drops(found, chain)
    if scenario is None or found.problems:
        raise _fault(file, found.problems)
    return Loaded(
        scenario,
        file,
        marks(chain.tree),
        tuple(chain.overrides),
        tuple(warnings),
        resolved,
        chain.tree,
        chain.sweep,
        chain.files,
    )


def load_sweep(path: str | Path, *, set: Sets = ()) -> SweepFile | None:  # noqa: A002
    """The sweep that a file holds, or None when it is one scenario. Raises ScenarioFault when it cannot be read.

    The scenario around the sweep is read with each case: it may be complete only with the values of the sweep.
    """
    file = find_scenario(path)
    sets, refused = _pairs(set)
    own = [(key, value) for key, value in sets if key.partition(".")[0] == "sweep"]
    chain = merge(file, own)
    if chain.broken or refused or (chain.sweep and chain.problems):
        raise _fault(file, [*refused, *chain.problems])
    name = chain.tree.items.get("name")
    said = written(name) if name else file.stem
    return SweepFile(file, chain.sweep, dict(one for one in sets if one not in own), said) if chain.sweep else None


def refuse_sweep(loaded: Loaded) -> None:
    """A sweep is many scenarios, and a run is one. Raises ScenarioFault."""
    if loaded.sweep is not None:
        said = f"{loaded.path.name} is a sweep of many cases"
        cure = f"solve them with `allocopt batch {loaded.path.name}`"
        raise ScenarioFault(said, (Problem(said, cure, "sweep", loaded.sweep.mark),))


def _pairs(given: Sets) -> tuple[list[tuple[str, str | Tree]], list[Problem]]:
    if isinstance(given, Mapping):
        return [(key, _as_text(value)) for key, value in given.items()], []
    texts = [given] if isinstance(given, str) else list(given)
    pairs, problems = list[tuple[str, str | Tree]](), []
    for number, text in enumerate(texts, 1):
        key, equals, value = text.partition("=")
        if equals and key.strip():
            pairs.append((key.strip(), value))
        else:
            mark = SetMark(Path("--set"), number, 1, text)
            problems.append(Problem(f"'{text}' does not set a key", "write --set key.path=value", mark=mark))
    return pairs, problems


def _as_text(value: object) -> str | Tree:
    return value if isinstance(value, str | Leaf | Items | Table) else json.dumps(value)


def _validated(found: Findings, chain: Chain, warnings: list[str]) -> Scenario | None:
    data: dict[str, Any] = plain(chain.tree)
    years = year_names(data)
    models = named_models(found)
    rules = rule_settings(found, models, years)
    objectives = objective_settings(found, models, years)
    needs_spend(found, models)
    for keys, mark in idle_offs(found, chain.idle, models):
        warnings.append(f"{short(mark)}: {dotted(keys)}: off changes nothing: there is nothing to drop")
    cross_checks(found, data)
    try:
        given = Scenario.model_validate({**data, "rules": rules, "objectives": objectives}, strict=True)
        return with_slack(given, models)
    except ValidationError as fault:
        type_errors(found, fault, models=models)
        return None


def _finite(found: Findings, value: Any, keys: Keys = ()) -> None:
    """No quantity is so large that it becomes infinite."""
    if isinstance(value, Mapping | list):
        below = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, one in below:
            _finite(found, one, (*keys, str(key)))
    elif isinstance(value, float) and not math.isfinite(value):
        found.add(keys, "the number is too large to reckon with", "write a smaller number")


def _point_at_drops(found: Findings, chain: Chain) -> None:
    """A key that is missing because `off` dropped it is shown where it was dropped."""
    for number, problem in enumerate(found.problems):
        mark = chain.dropped.get(tuple(problem.key.split(".")))
        if mark and "is missing" in problem.message:
            cure = "a scenario cannot do without it: remove the off"
            found.problems[number] = Problem(f"{problem.message}: off drops it here", cure, problem.key, mark)


def _fault(file: Path, problems: Sequence[Problem]) -> ScenarioFault:
    unique = sorted(_without_echoes(problems), key=_place)
    count = f"{len(unique)} problem{'s' if len(unique) > 1 else ''}"
    return ScenarioFault(f"the scenario {file.name} has {count}", tuple(unique))


def _without_echoes(problems: Sequence[Problem]) -> Iterator[Problem]:
    """Each problem once: the first that is said of a key and place stands for those that follow from it."""
    told: dict[tuple[str, str], str] = {}
    for problem in problems:
        place = (problem.key, str(problem.mark))
        echo = "is missing" in problem.message and any(key == problem.key for key, _ in told)
        if not problem.key or (not echo and told.setdefault(place, problem.message) == problem.message):
            yield problem


def _place(problem: Problem) -> tuple[bool, str, int, int]:
    mark = problem.mark
    if mark is None:
        return (False, problem.file, problem.line or 0, 0)
    return (isinstance(mark, SetMark), str(mark.file), mark.line, mark.column)


OUTSIDE_EVERY_HASH = (("grouping", "workers"),)
"""What decides no figure: timing.json notes it instead."""


def _resolved(scenario: Scenario) -> dict[str, Any]:
    rules = {name: _flat(rule) for name, rule in scenario.rules.items()}
    objectives = [{"name": one.name, **_flat(one)} for one in scenario.objectives]
    data: dict[str, Any] = _jsonable({**dict(scenario), "rules": rules, "objectives": objectives})
    for block, key in OUTSIDE_EVERY_HASH:
        if block in data:
            del data[block][key]
    return data


def _flat(setting: Any) -> dict[str, Any]:
    return {**setting.parameters, "source": setting.source, "why": setting.why}


def _jsonable(value: Any) -> Any:
    if isinstance(value, BaseModel):
        names = {name: info.alias or name for name, info in type(value).model_fields.items()}
        return _jsonable({names[key]: one for key, one in value})
    if is_dataclass(value) and not isinstance(value, type):
        return _jsonable(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _jsonable(value[key]) for key in sorted(value) if value[key] is not None}
    return [_jsonable(one) for one in value] if isinstance(value, list | tuple) else value


def _tree(loaded: Loaded) -> Tree:
    return loaded.written or Table(Mark(loaded.path, 1, 1), {})


def _ends(tree: Tree, at: Keys = ()) -> dict[Keys, Tree]:
    """The values of a tree: scalars, lists and empty maps."""
    if isinstance(tree, Table) and (tree.items or not at):
        return {path: one for key, below in tree.items.items() for path, one in _ends(below, (*at, key)).items()}
    return {at: tree}


def _defaults(model: BaseModel, at: Keys = ()) -> Iterator[tuple[Keys, str]]:
    """What a scenario does not write and the types fill in: settings of reports and solver, never data."""
    for name, info in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _defaults(value, (*at, name))
        elif value is not None and value not in ({}, []):
            unit = next((one for one in info.metadata if isinstance(one, Unit)), None)
            text = f"[{', '.join(value)}]" if isinstance(value, list) else str(value)
            yield (*at, name), unit.write(value) if unit else text


def describe(loaded: Loaded, key: str | None = None) -> list[Row]:
    """What the scenario says (below `key`), one row a value, in written units; a default has no mark.

    Raises ScenarioFault for a key that the scenario does not have.
    """
    tree = _tree(loaded)
    rows = [Row(dotted(keys), written(one), one.mark, _source(loaded, tree, keys)) for keys, one in _ends(tree).items()]
    said = {keys[:n] for keys, _ in walk(tree) for n in range(1, len(keys) + 1)}
    for part in ("report", "solver"):
        defaults = _defaults(getattr(loaded.scenario, part), (part,))
        rows += [Row(dotted(keys), text, None, "default") for keys, text in defaults if keys not in said]
    if key is None:
        return rows
    chosen = [row for row in rows if row.key == key or row.key.startswith(f"{key}.")]
    if chosen:
        return chosen
    keys = tuple(key.split("."))
    node = find(tree, keys)
    if node is not None:
        return [Row(key, written(node), node.mark, _source(loaded, tree, keys))]
    raise ScenarioFault(f"the scenario says nothing about '{key}'", (_nothing_about(key, tree, rows),))


def _nothing_about(key: str, tree: Tree, rows: Sequence[Row]) -> Problem:
    names = {dotted(keys) for keys, _ in walk(tree)} | {row.key for row in rows}
    top = ", ".join(known(()) or ())
    return Problem(f"unknown key '{key}'{suggestion(key, sorted(names))}", f"the keys at the top are {top}", key)


def _source(loaded: Loaded, tree: Tree, keys: Keys) -> str:
    """The nearest source at or above a value; an older one is said to be that of the value before.

    The source at the top of a file speaks for the values of that file only.
    """
    value = find(tree, keys)
    for depth in range(len(keys) - 1, -1, -1):
        above = find(tree, keys[:depth])
        source = above.items.get("source") if isinstance(above, Table) else None
        if source and value:
            if depth == 0 and _age(loaded, value.mark) != _age(loaded, source.mark):
                return ""
            stale = _age(loaded, value.mark) > _age(loaded, source.mark)
            return f"not said (the value before: {written(source)})" if stale else written(source)
    return ""


def _age(loaded: Loaded, mark: Mark) -> int:
    file = mark.file if isinstance(mark, SetMark) else mark.file.resolve()
    return loaded.files.index(file) if file in loaded.files else 0


def difference(loaded: Loaded, other: Loaded) -> list[Difference]:
    """The keys that two scenarios say differently, values as written; 2% and 2.0% are the same."""
    this, that = _ends(_tree(loaded)), _ends(_tree(other))
    changed = [keys for keys in {**this, **that} if not same(this.get(keys), that.get(keys), keys[-1])]
    return [Difference(dotted(keys), _text(this.get(keys)), _text(that.get(keys))) for keys in changed]


def _text(tree: Tree | None) -> str | None:
    return None if tree is None else written(tree)
