"""A grouping that is given rather than sought: read from a table or a column, for evaluation under the same measures.

It is evaluated as it is given or refused: a hub column that says something else than the column of consortia is an
error, and a grouping outside the rules keeps the bound of those within them. Imports `plan`, `reading`, `cells`,
`joins`, `tables`, `grouping` and below.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from allocopt.errors import Problem, ScenarioFault
from allocopt.grouping.instance import Instance, Ints
from allocopt.grouping.measure import hubs_of_labels
from allocopt.grouping.solution import Solution
from allocopt.inputs import InputFile
from allocopt.inputs.cells import codes, column
from allocopt.inputs.joins import Keyed, join
from allocopt.inputs.reading import Reading
from allocopt.inputs.tables import Table, count, some
from allocopt.plan import Facts
from allocopt.settings import Grouping

Texts = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Given:
    """What a table says of each place, in the order of the run: its consortium and hub (empty: none), and the line."""

    group: Texts
    hub: Texts | None
    """None where no column of hubs is named"""
    lines: Sequence[int]
    table: str
    file: InputFile | None = None
    """the table, where it is not one of the run's other inputs"""


def fault(message: str, cure: str, key: str) -> ScenarioFault:
    """One thing that the scenario's grouping lacks."""
    return ScenarioFault(message, (Problem(message, cure, key),))


def given_grouping(facts: Facts, said: Grouping) -> Given | None:
    """A grouping that is to be evaluated; or None. Raises InputFault with everything that is wrong in its table."""
    if said.column is None:
        named = [name for name in ("table", "hub", "key") if getattr(said, name) is not None]
        if named:
            words = f"a given grouping needs the column of the consortium; only {', '.join(named)} is said"
            raise fault(words, "name the column", "grouping.column")
        return None
    reading, places = Reading(facts.loaded), facts.inputs.places
    if said.table is None:
        name = facts.loaded.scenario.inputs.places.table
        table = Table(name, "", {str(one): list(places[one].astype(str)) for one in places}, list(facts.inputs.lines))
        return _read(reading, table, list(places.index), facts, said, file=None)
    found = reading.table(said.table, "grouping", "table")
    key = said.key or facts.loaded.scenario.inputs.places.key
    own = codes(found, key, reading.cited("grouping", "key"), reading.problems) if found else None
    if found is not None and own is not None:
        run = f"the places of this run ({facts.loaded.scenario.inputs.places.table})"
        known = Keyed(Table(run, "", {}, list(facts.inputs.lines)), list(places.index), ("place", "places"))
        join(Keyed(found, own, ("place", "places")), known, reading.cited("grouping", "table"), reading.problems)
        file = InputFile(found.file, found.sha256, len(found))
        listed = {one.file for one in facts.inputs.files}
        return _read(reading, found, own, facts, said, file=None if file.file in listed else file)
    reading.stop_if_wrong()
    raise AssertionError("a table without codes is a problem")


def _read(
    reading: Reading, table: Table, own: Sequence[str], facts: Facts, said: Grouping, *, file: InputFile | None
) -> Given:
    wanted = {name: getattr(said, name) for name in ("column", "hub") if getattr(said, name) is not None}
    cells = {
        name: column(table, label, reading.cited("grouping", name), reading.problems) for name, label in wanted.items()
    }
    reading.stop_if_wrong()
    row = {code: at for at, code in enumerate(own)}
    order = [row[code] for code in facts.inputs.places.index]
    by_place = {
        name: np.array([str(found[at]).strip() for at in order], dtype=object)
        for name, found in cells.items()
        if found is not None
    }
    return Given(by_place["column"], by_place.get("hub"), [table.lines[at] for at in order], table.file, file)


def left_out(given: Given) -> list[str]:
    """The places for which no consortium is given, in words: none, or one sentence."""
    number = int((given.group == "").sum())
    return [f"the given grouping names no consortium for {count(number, 'place')}: each stands alone"] if number else []


def given_hubs(instance: Instance, given: Given, said: Grouping) -> Ints:
    """Positions of the hubs of a given grouping.

    Raises ScenarioFault, with everything that is wrong: a place without a consortium or without a hub, a strange hub,
    a consortium of two hubs, two consortia of one hub.
    """
    problems = [*_alone(instance, given, said), *(_hubs(instance, given) if given.hub is not None else ())]
    if problems:
        raise ScenarioFault("the given grouping cannot be evaluated as it is given", tuple(problems))
    if given.hub is None:
        return hubs_of_labels(instance, given.group, allowed=instance.may_hub)
    own = np.array(instance.places, dtype=object)
    hubs = np.where(given.group == "", own, given.hub)
    return np.array([instance.index[code] for code in hubs], dtype=np.int64)


def _alone(instance: Instance, given: Given, said: Grouping) -> Iterator[Problem]:
    at = np.flatnonzero(given.group == "").tolist()
    if at and said.left_out == "refuse":
        cure = "name one for each, or let them stand alone: grouping.left_out: alone"
        yield _problem(instance, given, at, f"no consortium is given for {_places(instance, given, at)}", cure)


def _hubs(instance: Instance, given: Given) -> Iterator[Problem]:
    """What is wrong with the column of hubs."""
    assert given.hub is not None
    group, hub = given.group, given.hub
    own = np.array(instance.places, dtype=object)
    checks = (
        (
            (group != "") & (hub == ""),
            "no hub is given for {}",
            "write the hub of its consortium in every row, or leave grouping.hub out",
        ),
        (
            (hub != "") & ~np.isin(hub.astype(str), own.astype(str)),
            "these hubs are no places of the run: {}",
            "a hub is a place code",
        ),
        (
            (group == "") & (hub != "") & (hub != own),
            "a hub and no consortium is given for {}",
            "name the consortium, or leave the hub empty: a place without a consortium stands alone",
        ),
    )
    for wrong, words, cure in checks:
        at = np.flatnonzero(wrong).tolist()
        if at:
            said = _places(instance, given, at, hub if "these hubs" in words else None)
            yield _problem(instance, given, at, words.format(said), cure, key="grouping.hub")
    yield from _disagreeing(instance, given, group, hub)


def _disagreeing(instance: Instance, given: Given, group: Texts, hub: Texts) -> Iterator[Problem]:
    """Consortia with two hubs, and hubs with two consortia: which of the columns is meant is not guessed."""
    groups: dict[str, dict[str, int]] = {}
    for p, (label, code) in enumerate(zip(group.tolist(), hub.tolist(), strict=True)):
        named = label or f"none (place {instance.places[p]} alone)"
        if code or not label:
            groups.setdefault(named, {}).setdefault(code or instance.places[p], p)
    for label, hubs in sorted(groups.items()):
        if len(hubs) > 1:
            said = some([f"{code} (line {given.lines[p]})" for code, p in hubs.items()])
            words = f"the places of consortium '{label}' name {len(hubs)} hubs: {said}"
            cure = "write one hub for all of them, or leave grouping.hub out"
            yield _problem(instance, given, list(hubs.values())[1:], words, cure, key="grouping.hub")
    shared: dict[str, dict[str, int]] = {}
    for label, hubs in sorted(groups.items()):
        for code, p in hubs.items():
            shared.setdefault(code, {})[label] = p
    for code, labels in sorted(shared.items()):
        if len(labels) > 1:
            said = some([f"{label} (line {given.lines[p]})" for label, p in labels.items()])
            words = f"{len(labels)} consortia name hub {code}: {said}"
            cure = "give each its own hub, or one name in the column of consortia if they are one"
            yield _problem(instance, given, list(labels.values())[1:], words, cure, key="grouping.hub")


def _places(instance: Instance, given: Given, at: Sequence[int], cells: Texts | None = None) -> str:
    says = [f"line {given.lines[p]}" + ("" if cells is None else f": '{cells[p]}'") for p in at]
    return some([f"{instance.places[p]} ({words})" for p, words in zip(at, says, strict=True)])


def _problem(
    _instance: Instance, given: Given, at: Sequence[int], words: str, cure: str, key: str = "grouping.column"
) -> Problem:
    return Problem(words, cure, key, file=given.table, line=min(given.lines[p] for p in at))


def outside_rules(solution: Solution) -> Solution:
    """An evaluated grouping that breaks rules: the bound stays that of groupings within the rules, and nothing about
    this one is proven, even where it lies below the bound.
    """
    best = max((one.value for one in solution.bounds), default=0.0)
    stages = tuple(
        replace(stage, bound=best if stage.name == solution.instance.aim else stage.bound, gap=np.nan, proven=False)
        for stage in solution.stages
    )
    return replace(solution, stages=stages)
