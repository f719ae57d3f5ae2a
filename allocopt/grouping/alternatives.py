"""Plans that are nearly as good as the best and differ from it, and from each other, in a number of places.

How far two plans differ is the least number of places that must move to turn one into the other: with declared hubs a
place that joins another hub; with hubs that were chosen, after matching the consortia of one to those of the other, so
that a consortium under another hub's name is no difference. A plan is changed region by region: in each the programme
of the ordinary rules, with a cap on gross deficit and a row for every earlier plan on the places that may agree with
it. Imports `exact`, `instance`, `measure`, `neighbours`, `programme` and `solve`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from allocopt.errors import Infeasible, Stopped
from allocopt.grouping.exact import Staged, assignment, cuts_needed, with_cuts
from allocopt.grouping.instance import Array, Instance, Ints, Pairs, components, possible_pairs
from allocopt.grouping.measure import costs, moved
from allocopt.grouping.neighbours import Graph, graph_of
from allocopt.grouping.programme import Part, build_part
from allocopt.model import Model, Objective
from allocopt.solve.compiled import compile_problem
from allocopt.solve.integer import Effort, minimise_whole

REGION_PAIRS = 4_000
"""A part with at most this many pairs is one region; a larger one is cut into clusters of adjacent consortia."""
CLUSTER = 8
ROUNDS = 40
EFFORT = Effort(gap=0.05, nodes=2_000)
EXACT = Effort(nodes=200_000)
CLOSE = 1e-7
"""GBP million: ten pence."""


@dataclass(frozen=True)
class Wish:
    """What another plan must be: at most `most` GBP m of what is sought, `differ` places away from every plan."""

    most: float
    differ: int


def differences(instance: Instance, one: Ints, other: Ints) -> int:
    """The least number of places that move between two plans (hub positions of each place)."""
    if instance.declared:
        return int((one != other).sum())
    return len(one) - sum(int(overlap) for _, _, overlap in matched(one, other))


def matched(one: Ints, other: Ints) -> Iterator[tuple[int, int, int]]:
    """Consortia of one plan with those of another that hold most of the same places: hub, hub, places in common."""
    rows, first = np.unique(one, return_inverse=True)
    columns, second = np.unique(other, return_inverse=True)
    common = np.zeros((len(rows), len(columns)), dtype=np.int64)
    np.add.at(common, (first, second), 1)
    for row, column in zip(*linear_sum_assignment(common, maximize=True), strict=True):
        yield int(rows[row]), int(columns[column]), int(common[row, column])


def another_plan(
    model: Model, instance: Instance, objectives: Sequence[Objective], plans: Sequence[Ints], wish: Wish
) -> Ints | None:
    """A plan that grants the wish, or None where none was found; `plans` begins with the best one."""
    pairs = possible_pairs(instance)
    parts = components(instance, pairs)
    graph = graph_of(instance)
    search = _Search(model, instance, _ordered(objectives, model, instance.aim), list(plans), wish, graph)
    hub = plans[0].copy()
    for region in _regions(instance, pairs, parts, plans[0]):
        if search.left(hub) <= 0:
            break
        hub = search.changed(hub, region)
    if search.left(hub) > 0 and len(pairs) <= REGION_PAIRS:
        return search.exactly(Part(np.arange(len(instance)), pairs))
    return hub if search.left(hub) <= 0 else None


def _ordered(objectives: Sequence[Objective], model: Model, aim: str) -> list[Objective]:
    """The objective in money, then the one after it that a changed plan keeps small."""
    others = [one for one in objectives if one.name != aim]
    return [model.objective(aim), *others[:1]]


def _regions(instance: Instance, pairs: Pairs, parts: Sequence[Ints], plan: Ints) -> Iterator[Part]:
    """Places with the hubs that the plan gives them: whole parts that are small, clusters of consortia elsewhere."""
    used = np.zeros(len(instance), dtype=bool)
    used[plan] = True
    pairs = pairs.take(used[pairs.hub])
    for places in sorted(parts, key=lambda one: -len(one)):
        for members in _clusters(instance, pairs, places, plan):
            inside = np.zeros(len(instance), dtype=bool)
            inside[members] = True
            own = pairs.take(inside[pairs.place] & inside[pairs.hub])
            outside = ~inside
            elsewhere = len(np.unique(plan[outside]))
            yield Part(members, own, elsewhere, int(moved(instance, plan)[outside].sum()))


def _clusters(instance: Instance, pairs: Pairs, places: Ints, plan: Ints) -> Iterator[Ints]:
    inside = np.zeros(len(instance), dtype=bool)
    inside[places] = True
    if int(inside[pairs.place].sum()) <= REGION_PAIRS:
        yield places
        return
    left = np.unique(plan[places])
    while len(left):
        near = left[np.argsort(instance.km(np.full(len(left), left[0]), left), kind="stable")[:CLUSTER]]
        yield np.flatnonzero(np.isin(plan, near))
        left = np.setdiff1d(left, near)


@dataclass
class _Search:
    """The plans so far and what is wished of the next."""

    model: Model
    instance: Instance
    objectives: Sequence[Objective]
    plans: Sequence[Ints]
    wish: Wish
    graph: Graph | None
    maps: list[list[Mapping[int, int]]] = field(default_factory=list)

    def left(self, hub: Ints) -> int:
        """The most places that are missing between a plan and one of those so far."""
        return max(self.wish.differ - differences(self.instance, hub, plan) for plan in self.plans)

    def changed(self, hub: Ints, part: Part) -> Ints:
        """The plan with one region changed: as far as is wished, or as far as it goes."""
        needs = [self.wish.differ - differences(self.instance, hub, plan) for plan in self.plans]
        region = _Region(self, part, self._allowance(hub, part))
        far = region.farthest([need > 0 for need in needs])
        if far is None:
            return hub
        gain = [region.differs(far, number) for number in range(len(self.plans))]
        before = [region.differs(hub[part.places], number) for number in range(len(self.plans))]
        wanted = [min(had + max(0, need), most) for had, need, most in zip(before, needs, gain, strict=True)]
        found = region.close(wanted)
        result = hub.copy()
        result[part.places] = far if found is None else found
        return result if self.left(result) < self.left(hub) else hub

    def _allowance(self, hub: Ints, part: Part) -> float:
        """The most that the region may cost, GBP m."""
        cost = costs(self.instance, hub)
        inside = np.unique(hub[part.places])
        return self.wish.most - float(cost.sum() - cost[inside].sum())

    def exactly(self, part: Part) -> Ints | None:
        """The whole instance with every hub: a plan if there is one."""
        region = _Region(self, part, self.wish.most)
        found = region.close([self.wish.differ] * len(self.plans), effort=EXACT)
        if found is None:
            return None
        hub = np.zeros(len(self.instance), dtype=np.int64)
        hub[part.places] = found
        return hub if self.left(hub) <= 0 else None


class _Region:
    """One region's programme with its cap on gross deficit."""

    def __init__(self, search: _Search, part: Part, most: float) -> None:
        self.search, self.part = search, part
        self.built = build_part(search.model, search.instance, part, search.objectives)
        compiled = compile_problem(self.built)
        cap = most - float(compiled.offsets[0]) + CLOSE
        self.compiled = compiled.with_row(f"cap_{search.instance.aim}", compiled.costs[0], lower=-np.inf, upper=cap)
        codes = search.instance.places
        self.column = {compiled.columns[j][1]: j for j in compiled.columns_of("member").tolist()}
        self.codes = [codes[p] for p in part.places.tolist()]

    def differs(self, found: Ints, number: int) -> int:
        """How far the region's places lie from an earlier plan."""
        return differences(self.search.instance, found, self.search.plans[number][self.part.places])

    def agreement(self, number: int, to: Mapping[int, int]) -> Array:
        """(columns,) 1 where a place stays with the consortium that an earlier plan's is matched to."""
        row, codes = np.zeros(len(self.compiled.columns)), self.search.instance.places
        for code, h in zip(self.codes, self.search.plans[number][self.part.places].tolist(), strict=True):
            column = self.column.get((code, codes[to.get(h, h)]))
            if column is not None:
                row[column] = 1.0
        return row

    def farthest(self, needed: Sequence[bool]) -> Ints | None:
        """The plan of this region that agrees least with the earlier plans that are still too near."""
        rows = [self.agreement(number, {}) for number, need in enumerate(needed) if need]
        return self._solved(np.sum(rows, axis=0), EFFORT)

    def close(self, wanted: Sequence[int], *, effort: Effort = EFFORT) -> Ints | None:
        """The best plan in the objective after gross deficit that differs by at least `wanted` from each plan."""
        for number in range(len(wanted)):
            self._keep_away(number, {}, wanted[number])
        for _ in range(ROUNDS):
            found = self._solved(self.compiled.costs[-1], effort)
            near = [] if found is None else [k for k, most in enumerate(wanted) if self.differs(found, k) < most]
            if found is None or not near:
                return found
            for number in near:
                plan = self.search.plans[number][self.part.places]
                self._keep_away(number, {one: other for one, other, _ in matched(plan, found)}, wanted[number])
        return None

    def _keep_away(self, number: int, to: Mapping[int, int], wanted: int) -> None:
        most = len(self.part.places) - wanted
        self.compiled = self.compiled.with_row("differ", self.agreement(number, to), lower=-np.inf, upper=float(most))

    def _solved(self, cost: Array, effort: Effort) -> Ints | None:
        """One programme, with the cuts that contiguity needs; None where no plan was found."""
        run = Staged(self.built, self.compiled, self.search.graph)
        try:
            for _ in range(ROUNDS):
                values = minimise_whole(run.compiled, cost, effort=effort).values
                cuts = cuts_needed(run, values)
                if not cuts:
                    self.compiled = run.compiled
                    return assignment(self.built, run.compiled, self.search.instance, values)
                run.compiled = with_cuts(run.compiled, cuts)
        except (Infeasible, Stopped):
            return None
        return None


Tell = Callable[[str], None]


def alternatives(
    model: Model,
    instance: Instance,
    objectives: Sequence[Objective],
    best: Ints,
    *,
    number: int,
    wish: Wish,
    tell: Tell,
) -> list[Ints]:
    """The best plan and up to `number` others, each found with all before it kept away from."""
    plans = [best]
    for turn in range(number):
        tell(f"alternative {turn + 1} of {number}")
        found = another_plan(model, instance, objectives, plans, wish)
        if found is None:
            break
        plans.append(found)
    return plans
