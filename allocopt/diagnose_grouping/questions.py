"""What is asked of a grouping that cannot be made: can these rules, with these numbers, hold for every place?

Each question is answered part by part: parts that the scenario's own rules already let be solved keep their plan,
only the others are asked again. Three ways to ask: `whole` (the integer programme), `relaxed` (without whole numbers:
it can only refute) and `held` (the grouping is given: it can only confirm). An answer that was not found in time is
None, never a guess. Imports `grouping`, `settings` and `errors`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import numpy as np

from allocopt.errors import Infeasible, InputFault, Stopped
from allocopt.grouping.exact import Staged, cuts_needed, with_cuts
from allocopt.grouping.instance import Instance, Ints, Pairs, components, possible_pairs
from allocopt.grouping.neighbours import graph_of
from allocopt.grouping.programme import Part, build_part
from allocopt.model import Model
from allocopt.settings import RuleSetting
from allocopt.solve.compiled import Compiled, compile_problem
from allocopt.solve.integer import Effort, IntegerPoint, minimise_whole

Settings = Mapping[str, RuleSetting]
Way = Literal["whole", "relaxed", "held"]
QUESTION_SECONDS = 10.0
"""Seconds that one integer programme may take."""
MOST_PAIRS = 60_000
"""Pairs of place and hub beyond which a part is not asked about: building it alone would take most of a minute."""
CUT_ROUNDS = 60
KEPT = 6
"""Built programmes that are kept for the next question."""


@dataclass(frozen=True)
class Answer:
    """Whether the rules can hold (None: not known), and the hub of each place (n,) of a plan that shows it."""

    holds: bool | None
    hub: Ints | None = None


class Asked(Protocol):
    """Whoever answers questions about rules and their numbers."""

    def ask(self, settings: Settings, way: Way = "whole", plan: Ints | None = None) -> Answer:
        """Can these rules hold together with those that always do?"""
        ...


@dataclass
class Patience:
    """The processor seconds that all questions together may take: a busy machine changes no answer."""

    seconds: float
    started: float = field(default_factory=time.process_time)
    spent: bool = False
    """Whether a question went unanswered for want of time"""
    until: float | None = None
    """Where the share of the search that is under way ends, in seconds from the start"""

    @property
    def used(self) -> float:
        """Seconds since the start."""
        return time.process_time() - self.started

    def share(self, searches: int) -> None:
        """Give the search that begins now its part of what is left for so many; all of it for one."""
        self.until = self.used + max(0.0, self.seconds - self.used) / searches

    def left(self) -> float:
        """Seconds for the next question; 0 when there are none."""
        end = self.seconds if self.until is None else min(self.until, self.seconds)
        return max(0.0, min(QUESTION_SECONDS, end - self.used))


@dataclass
class Groups:
    """The questions about a grouping whose budgets are given."""

    model: Model
    instance: Instance
    patience: Patience
    obeys: Callable[[Instance, Ints], bool]
    """The independent check of a plan: an answer is only given with a plan that passes it"""
    known: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """(n,) hub of the places whose part can be solved as the scenario stands, -1 elsewhere"""
    _built: dict[object, Staged | Answer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.known = np.full(len(self.instance), -1, dtype=np.int64)

    def with_settings(self, settings: Settings) -> Instance:
        """The instance under other rules."""
        return replace(self.instance, settings=plain(settings))

    def settle(self, settings: Settings) -> list[tuple[Ints, bool | None]]:
        """Which parts cannot be solved as the scenario stands: their places, False or None (not known)."""
        instance = self.with_settings(settings)
        pairs, troubled, found = possible_pairs(instance), list[tuple[Ints, bool | None]](), self.known.copy()
        for places in components(instance, pairs):
            answer = self._part(instance, settings, _part_of(pairs, places), "whole", None)
            if answer.holds and answer.hub is not None:
                found[places] = answer.hub[places]
            else:
                troubled.append((places, answer.holds))
        self.known = found
        return troubled

    def ask(self, settings: Settings, way: Way = "whole", plan: Ints | None = None) -> Answer:
        """Can these rules hold? Rules may be fewer or looser than the scenario's, never tighter."""
        instance = self.with_settings(settings)
        if self.patience.left() <= 0:
            self.patience.spent = True
            return Answer(None)
        try:
            pairs, hub, sure = possible_pairs(instance), self._kept(instance).copy(), True
        except InputFault:  # more pairs than can be looked at
            self.patience.spent = True
            return Answer(None)
        for places in components(instance, pairs):
            todo = places[hub[places] < 0]
            if not len(todo):
                continue
            answer = self._asked(instance, settings, pairs, places, todo, way, plan)
            if answer.holds is False:
                return answer
            sure = sure and answer.holds is True
            if answer.hub is not None:
                hub = np.where(answer.hub >= 0, answer.hub, hub)
        if way == "whole" and sure and not self.obeys(instance, hub):
            return Answer(None)
        return Answer(True if sure else None, hub if sure else None)

    def _kept(self, instance: Instance) -> Ints:
        """Plans of parts that stay good: looser rules keep them, another yardstick for balances does not."""
        measured = instance.on("balance_band") or instance.on("deprivation_mix")
        if self.instance.on("stay_in_area") and not instance.on("stay_in_area") and measured:
            return np.full(len(self.instance), -1, dtype=np.int64)
        return self.known

    def _asked(
        self,
        instance: Instance,
        settings: Settings,
        pairs: Pairs,
        places: Ints,
        todo: Ints,
        way: Way,
        plan: Ints | None,
    ) -> Answer:
        """A component: by the places in trouble alone where that is enough, else as a whole."""
        if len(todo) < len(places) and way != "relaxed":
            alone = _part_of(pairs, todo)
            alone = Part(todo, alone.pairs.take(np.isin(alone.pairs.hub, todo)))
            answer = self._part(instance, settings, alone, way, plan)
            if answer.holds:
                return answer
        return self._part(instance, settings, _part_of(pairs, places), way, plan)

    def _part(self, instance: Instance, settings: Settings, part: Part, way: Way, plan: Ints | None) -> Answer:
        if way == "held" and plan is not None and not instance.on("surplus_concentration"):
            pairs = part.pairs.take(plan[part.pairs.place] == part.pairs.hub)
            staged = self._build(instance, replace(part, pairs=pairs))
        else:
            staged = self._staged(instance, settings, part)
        if isinstance(staged, Answer):
            return staged
        seconds = self.patience.left()
        found = _answered(self.instance, staged, way, plan, seconds) if seconds > 0 else Answer(None)
        self.patience.spent |= found.holds is None and way == "whole"
        return found

    def _staged(self, instance: Instance, settings: Settings, part: Part) -> Staged | Answer:
        """The programme of a part; the answer itself where building it shows it, or it is too large to be built."""
        if len(part.pairs) > MOST_PAIRS or self.patience.left() <= 0:
            self.patience.spent = True
            return Answer(None)
        key = (repr(sorted((name, one.parameters) for name, one in settings.items())), part.places.tobytes())
        if key not in self._built:
            if len(self._built) >= KEPT:
                del self._built[next(iter(self._built))]
            self._built[key] = self._build(instance, part)
        return self._built[key]

    def _build(self, instance: Instance, part: Part) -> Staged | Answer:
        """Without objectives; with travel under contiguity, so that plans hang together."""
        graph = graph_of(instance)
        try:
            built = build_part(self.model, instance, part, [self.model.objective("travel")] if graph else [])
        except Infeasible:
            return Answer(False)
        return Staged(built, compile_problem(built), graph)


def _answered(instance: Instance, staged: Staged, way: Way, plan: Ints | None, seconds: float) -> Answer:
    """One part, solved one of the three ways; a whole one with its consortia connected where they must be."""
    if way != "whole":
        return one_programme(instance, staged.compiled, way, plan, seconds)
    try:
        return _connected(instance, staged, seconds)
    except Infeasible:
        return Answer(False)
    except Stopped:
        return Answer(None)


def one_programme(instance: Instance, compiled: Compiled, way: Way, plan: Ints | None, seconds: float) -> Answer:
    """One programme, solved one of the three ways."""
    if seconds <= 0:
        return Answer(None)
    try:
        if way == "held" and plan is not None:
            held = with_members(compiled, instance, plan)
            return Answer(None) if held is None else _plan_of(instance, held, point_of(held, seconds))
        point = point_of(compiled, seconds, relaxed=way == "relaxed")
        return Answer(None) if way == "relaxed" else _plan_of(instance, compiled, point)
    except Infeasible:
        return Answer(None if way == "held" else False)
    except Stopped:
        return Answer(None)


def point_of(compiled: Compiled, seconds: float, *, relaxed: bool = False) -> IntegerPoint:
    """Any point of a programme. Raises Infeasible, or Stopped where none was found in time."""
    cost = np.zeros(len(compiled.columns))
    return minimise_whole(compiled, cost, effort=Effort(seconds=seconds), relaxed=relaxed)


def _connected(instance: Instance, staged: Staged, seconds: float) -> Answer:
    """A plan, and where consortia must be connected, a plan whose consortia are: cut after cut."""
    end = time.perf_counter() + seconds
    for _ in range(CUT_ROUNDS):
        left = end - time.perf_counter()
        if left <= 0:
            break
        cost = np.zeros(len(staged.compiled.columns)) if staged.graph is None else staged.compiled.costs[0]
        point = minimise_whole(staged.compiled, cost, effort=Effort(gap=0.5, seconds=left))
        cuts = cuts_needed(staged, point.values)
        if not cuts:
            return _plan_of(instance, staged.compiled, point)
        staged.compiled = with_cuts(staged.compiled, cuts)
    return Answer(None)


def _plan_of(instance: Instance, compiled: Compiled, point: IntegerPoint) -> Answer:
    hub = np.full(len(instance), -1, dtype=np.int64)
    for column in compiled.columns_of("member").tolist():
        if point.values[column] > 0.5:
            p, h = compiled.columns[column][1]
            hub[instance.index[p]] = instance.index[h]
    return Answer(True, hub)


def with_members(compiled: Compiled, instance: Instance, plan: Ints) -> Compiled | None:
    """The programme with the grouping of a plan; None where it uses a pair that the programme does not have."""
    at = compiled.columns_of("member")
    index = instance.index
    pairs = np.array([[index[p], index[h]] for p, h in (compiled.columns[column][1] for column in at.tolist())])
    if not len(pairs):
        return compiled
    member = (plan[pairs[:, 0]] == pairs[:, 1]).astype(np.float64)
    if member.sum() < len(np.unique(pairs[:, 0])):
        return None
    lower, upper = compiled.column_lower.copy(), compiled.column_upper.copy()
    lower[at] = upper[at] = member
    return replace(compiled, column_lower=lower, column_upper=upper)


def plain(settings: Settings) -> dict[str, dict[str, object]]:
    """Settings as an instance holds them: `waive: least` asks for exemptions and is none."""
    return {
        name: {**one.parameters, **({"waive": []} if one.parameters.get("waive") == "least" else {})}
        for name, one in settings.items()
    }


def _part_of(pairs: Pairs, places: Ints) -> Part:
    return Part(places, pairs.take(np.isin(pairs.place, places)))
