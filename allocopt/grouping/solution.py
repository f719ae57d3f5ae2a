"""A grouping from beginning to end: bounds first, then exemptions where rules cannot hold, then the stages, each with
its proof.

Imports every other room of `grouping`, `model`, `settings` and `solve`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import TypeVar

import numpy as np

from allocopt.errors import AllocoptError, Infeasible, Stopped
from allocopt.grouping.beforehand import of_small_parts, refuse_hopeless
from allocopt.grouping.bounds import Bound, bounds_of
from allocopt.grouping.exact import Answer, Slack, solve_part
from allocopt.grouping.exempt import Exemption, Fewest, cannot_hold, fewest_of, unions, unreachable, with_exemptions
from allocopt.grouping.instance import DEFICIT, Instance, Ints, Pairs, components, legal_pairs, possible_pairs
from allocopt.grouping.measure import objective_values
from allocopt.grouping.national import KNOWN, Wanted, search_nation
from allocopt.grouping.neighbours import Graph, graph_of
from allocopt.grouping.programme import Part
from allocopt.grouping.relaxed import relaxed_bound
from allocopt.grouping.task import Solution, Task
from allocopt.model import load_model
from allocopt.solve.integer import Effort
from allocopt.solve.stages import TINY, Stage

EVALUATED = "evaluated as given"
ONE_PROGRAMME = "one integer programme"
FILLED = (
    "no fewer exemptions hold these places, unless a place beyond its reach fills up the minimum of another "
    "consortium: that this does not happen is not proven"
)
"""What a search proves of the number of exemptions."""
EXACT_PAIRS = 8_000
CONTIGUOUS_PAIRS = 1_500
"""A part with at most this many pairs is solved as one integer programme; larger ones are searched."""


Asked = TypeVar("Asked")
Got = TypeVar("Got")


def solve_grouping(task: Task) -> Solution:
    """Solve a grouping. Raises Infeasible with verified cures, or Stopped when no plan was found in time."""
    asked = task.instance
    task.instance, exempt = _reachable(task)
    pairs = possible_pairs(task.instance)
    graph = graph_of(task.instance)
    parts = components(task.instance, pairs)
    if is_searched(task, pairs, parts):
        return _nationally(task, exempt, graph, pairs, parts)
    task.tell("bounds")
    bounds, unsaid = _all_bounds(task, pairs, parts)
    beyond = _beyond_search(task, pairs, parts)
    task.tell(f"solving {len(parts)} parts")
    answers, unproven = _solve_parts(task, pairs, parts, bounds, graph, {}), tuple[str, ...]()
    if None in answers:
        exempt, unproven = _exempted(task, asked, exempt, parts, answers, graph)
        known = {_key(places, pairs): one for places, one in zip(parts, answers, strict=True) if one is not None}
        task.instance = with_exemptions(asked, exempt)
        pairs = possible_pairs(task.instance)
        parts = components(task.instance, pairs)
        bounds, unsaid = _all_bounds(task, pairs, parts)
        answers = _solve_parts(task, pairs, parts, bounds, graph, known)
    done = [one for one in answers if one is not None]
    if len(done) < len(answers):
        raise Stopped("the exemptions leave no room between limits: ease one of them a little")
    hub = np.zeros(len(task.instance), dtype=np.int64)
    for answer in done:
        hub[answer.places] = answer.hub
    stages = _stages(task, done, bounds, objective_values(task.instance, hub))
    several = f"{len(parts)} integer programmes, each with its share of the slack between stages"
    method = several if len(parts) > 1 else ONE_PROGRAMME
    return Solution(task.instance, hub, stages, bounds, exempt, (*beyond, *unsaid, *unproven), method)


def _all_bounds(task: Task, pairs: Pairs, parts: Sequence[Ints]) -> tuple[tuple[Bound, ...], tuple[str, ...]]:
    """Bounds A, B and C, and in words why C was not computed where it would say more."""
    relaxed, unsaid = relaxed_bound(task.model, task.instance, pairs, parts)
    found = bounds_of(task.instance, legal_pairs(task.instance, pairs))
    return (*found, *([relaxed] if relaxed else [])), ((unsaid,) if unsaid else ())


def _exempted(
    task: Task,
    asked: Instance,
    alone: Sequence[Exemption],
    parts: Sequence[Ints],
    answers: Sequence[Answer | None],
    graph: Graph | None,
) -> tuple[tuple[Exemption, ...], tuple[str, ...]]:
    """The fewest exemptions with which every part can be solved, and in words where that is not proven.

    Counted over all parts that exemptions could join to one that cannot be solved; places that reach leaves alone
    elsewhere keep theirs. Raises Infeasible where exemptions are not wanted or do not help.
    """
    task.tell("the fewest exemptions")
    lost = np.concatenate([places for places, one in zip(parts, answers, strict=True) if one is None])
    seconds = float("inf") if task.grouping.deterministic else max(15.0, task.solver.time_limit * _SHARE_OF_TIME)
    together = [one for one in unions(asked, parts) if np.isin(one.places, lost).any()]
    made = _side_by_side(task, fewest_of, [Fewest(task.model.name, asked, one, graph, seconds) for one in together])
    looked = {asked.places[p] for one in together for p in one.places.tolist()}
    found = (*(one for one in alone if one.code not in looked), *(one for some, _ in made for one in some))
    if not any(some for some, _ in made):
        raise Stopped("every part can be solved by itself, yet the solver found no plan: ease one limit a little")
    if task.grouping.exempt == "none":
        raise cannot_hold(found)
    sure = all(proven for _, proven in made)
    return found, () if sure else ("that fewer exemptions do not suffice is not proven",)


def evaluated(task: Task, hub: Ints) -> Solution:
    """A given grouping under the same measures: nothing is sought, the bounds stand beside it."""
    pairs = possible_pairs(task.instance)
    bounds, unsaid = _all_bounds(task, pairs, components(task.instance, pairs))
    best, final = max(bounds, key=lambda one: one.value), objective_values(task.instance, hub)
    stages = tuple(
        stage_of(
            task,
            number,
            value=final[one.name],
            bound=best.value if one.name == task.instance.aim else 0.0,
            cap=final[one.name],
            final=final[one.name],
            by=f"bound {best.name}" if one.name == task.instance.aim else "none",
            method="given",
        )
        for number, one in enumerate(task.objectives)
    )
    return Solution(task.instance, hub, stages, bounds, (), unsaid, EVALUATED)


def is_searched(task: Task, pairs: Pairs, parts: Sequence[Ints]) -> bool:
    """Whether a part has more pairs than one integer programme can prove, and the search knows every rule."""
    if not set(task.instance.settings) <= KNOWN or task.instance.position is None:
        return False
    return _largest(task.instance, pairs, parts) > (CONTIGUOUS_PAIRS if task.instance.on("contiguity") else EXACT_PAIRS)


def _largest(instance: Instance, pairs: Pairs, parts: Sequence[Ints]) -> int:
    """Pairs of the part that has most."""
    label = np.zeros(len(instance), dtype=np.int64)
    for number, places in enumerate(parts):
        label[places] = number
    return int(np.bincount(label[pairs.place]).max())


def _beyond_search(task: Task, pairs: Pairs, parts: Sequence[Ints]) -> tuple[str, ...]:
    """In words, where a part that is large goes to one integer programme because the search does not know a rule."""
    unknown, most = sorted(set(task.instance.settings) - KNOWN), _largest(task.instance, pairs, parts)
    if most <= EXACT_PAIRS or (not unknown and task.instance.position is not None):
        return ()
    why = f"the search does not know {', '.join(unknown)}" if unknown else "the search needs coordinates"
    said = f"{why}: a part of {most:,} pairs was one integer programme"
    return (f"{said}, whose gap may be wide; with stay_in_area, or a smaller reach, the parts are smaller",)


def _nationally(
    task: Task, exempt: tuple[Exemption, ...], graph: Graph | None, pairs: Pairs, parts: list[Ints]
) -> Solution:
    """The whole instance searched, with the certificates of the bounds."""
    names, aim = [one.name for one in task.objectives], task.instance.aim
    if names[:1] != [aim] or not set(names) <= {DEFICIT, aim, "travel", "moves", "crossings"}:
        raise Stopped(f"at national size a search starts from {aim}: list it first")
    refuse_hopeless(task.instance, pairs, parts)
    more = of_small_parts(task.model, task.instance, pairs, parts, max(10.0, task.solver.time_limit / 10))
    if more and task.grouping.exempt == "none":
        raise cannot_hold(more)
    task.instance, exempt = with_exemptions(task.instance, more), (*exempt, *more)
    wanted = Wanted(
        gap=task.asked(0),
        travel="travel" in names,
        slack=lambda value: task.slack(0, len(task.instance)).after(value),
        seconds=task.solver.time_limit * task.grouping.effort,
        seed=task.grouping.seed,
        consortia=task.grouping.consortia,
        exempt=task.grouping.exempt == "least",
        workers=task.grouping.workers,
        patience=float("inf") if task.grouping.deterministic else task.solver.time_limit / 40,
        out_of_time=lambda: task.left < 0.2 * task.solver.time_limit,
        tell=task.tell,
    )
    found = search_nation(task.model, task.instance, wanted, graph)
    task.instance = found.instance
    final = objective_values(found.instance, found.hub)
    pairs = possible_pairs(found.instance)
    relaxed, unsaid = relaxed_bound(task.model, found.instance, pairs, components(found.instance, pairs))
    bounds = (*found.bounds, *([relaxed] if relaxed else []))
    best = max(bounds, key=lambda one: one.value)
    stages = []
    for number, name in enumerate(names):
        value, bound, cap, by = final[name], 0.0, final[name], "none"
        if name == aim:
            value, bound, cap = found.deficit, best.value, found.cap
            by = "highs" if best.name == "L" else f"bound {best.name}"
        elif name == "travel" and found.travel_least > 0:
            bound = found.travel_least
            by = "prices (Lagrange)" if found.instance.declared else "the nearest people of each hub"
        stages.append(
            stage_of(task, number, value=value, bound=bound, cap=cap, final=final[name], by=by, method="search")
        )
    exemptions = (*exempt, *found.exemptions)
    notes = (*found.notes, *([unsaid] if unsaid else []), *([FILLED] if len(found.exemptions) > 1 else []))
    return Solution(found.instance, found.hub, tuple(stages), bounds, exemptions, notes, "annealing and neighbourhoods")


def _reachable(task: Task) -> tuple[Instance, tuple[Exemption, ...]]:
    """The instance in which every place has a possible hub. Raises Infeasible where no exemption is wanted."""
    found = unreachable(task.instance)
    if found and task.grouping.exempt == "none":
        raise cannot_hold(found)
    return with_exemptions(task.instance, found), found


def _solve_parts(
    task: Task,
    pairs: Pairs,
    parts: Sequence[Ints],
    bounds: Sequence[Bound],
    graph: Graph | None,
    known: Mapping[Key, Answer],
) -> list[Answer | None]:
    """Each part's answer, those that are known taken over; None where its rules cannot hold."""
    keys = [_key(places, pairs) for places in parts]
    jobs = [_job(task, Part(places, _of(pairs, places)), bounds, graph) for places in parts]
    new = [number for number, key in enumerate(keys) if key not in known]
    order = sorted(new, key=lambda number: -len(jobs[number].part.pairs))
    done = dict(zip(order, _side_by_side(task, run_job, [jobs[number] for number in order]), strict=True))
    return [known[key] if key in known else done[number] for number, key in enumerate(keys)]


Key = tuple[bytes, int]


def _key(places: Ints, pairs: Pairs) -> Key:
    """What tells parts apart: their places, and how many pairs they have."""
    return places.tobytes(), len(_of(pairs, places))


def _side_by_side(task: Task, work: Callable[[Asked], Got], jobs: Sequence[Asked]) -> list[Got]:
    if task.grouping.workers == 1 or len(jobs) < 2:
        return [work(job) for job in jobs]
    with ProcessPoolExecutor(task.grouping.workers, mp_context=get_context("spawn")) as pool:
        return list(pool.map(work, jobs))


def _of(pairs: Pairs, places: Ints) -> Pairs:
    inside = np.zeros(int(max(pairs.place.max(), places.max())) + 1, dtype=bool)
    inside[places] = True
    return pairs.take(inside[pairs.place])


@dataclass(frozen=True)
class Job:
    """One part for one process: names rather than functions, so that it can be sent."""

    model: str
    objectives: tuple[str, ...]
    instance: Instance
    part: Part
    efforts: tuple[Effort, ...]
    slacks: tuple[Slack, ...]
    graph: Graph | None
    deadline: float
    """clock time after which each stage gets a second, no more; without end where nodes bound the programmes"""

    def in_time(self) -> tuple[Effort, ...]:
        """The efforts with what is left until the deadline."""
        left = max(1.0, (self.deadline - time.time()) / len(self.efforts))
        return tuple(replace(one, seconds=min(one.seconds, left)) for one in self.efforts)


def _job(task: Task, part: Part, bounds: Sequence[Bound], graph: Graph | None) -> Job:
    share = len(part.places) / len(task.instance)
    money = max(one.value for one in bounds)
    efforts = []
    for number, objective in enumerate(task.objectives):
        asked = 0.5 * task.asked(number)
        absolute = max(1e-9, asked * money * share) if objective.is_money else 1e-9
        seconds = max(5.0, task.solver.time_limit * max(share, _SHARE_OF_TIME))
        nodes = 20_000 if task.grouping.deterministic else None
        limit = float("inf") if task.grouping.deterministic else seconds
        efforts.append(Effort(gap=asked, gap_absolute=absolute, nodes=nodes, seconds=limit, doubt=True))
    slacks = tuple(task.slack(number, len(part.places)) for number in range(len(task.objectives)))
    names = tuple(one.name for one in task.objectives)
    deadline = time.time() + task.left
    return Job(task.model.name, names, task.instance, part, tuple(efforts), slacks, graph, deadline)


_SHARE_OF_TIME = 0.15


def run_job(job: Job) -> Answer | None:
    """Solve one part; None where its rules cannot hold."""
    model = load_model(job.model)
    objectives = [model.objective(name) for name in job.objectives]
    try:
        return solve_part(
            model, job.instance, job.part, objectives, efforts=job.in_time(), slacks=job.slacks, graph=job.graph
        )
    except Infeasible:
        return None


def _stages(
    task: Task, answers: Sequence[Answer], bounds: Sequence[Bound], final: Mapping[str, float]
) -> tuple[Stage, ...]:
    """The parts' stages added up; the objective in money that is sought is certified by the best bound there is."""
    stages = []
    for number, objective in enumerate(task.objectives):
        value, bound, cap = (sum(getattr(one, name)[number] for one in answers) for name in ("value", "bound", "cap"))
        by = "highs"
        if objective.name == task.instance.aim:
            best = max(bounds, key=lambda one: one.value)
            if best.value >= bound - 1e-9 * max(1.0, abs(bound)):
                bound, by = min(value, best.value), f"bound {best.name}"
        stages.append(stage_of(task, number, value=value, bound=bound, cap=cap, final=final[objective.name], by=by))
    return tuple(stages)


def stage_of(
    task: Task,
    number: int,
    *,
    value: float,
    bound: float,
    cap: float,
    final: float,
    by: str,
    method: str = "integer programme",
) -> Stage:
    """One finished stage in the shape of run.json."""
    objective = task.objectives[number]
    bound = max(0.0, min(bound, value))
    gap = abs(value - bound) / max(abs(value), TINY)
    close = objective.is_money and (value - bound) <= 1e-9 * float(task.instance.budget.sum())
    close = close or value - bound <= TINY
    return Stage(
        name=objective.name,
        unit=objective.unit,
        value=value,
        bound=bound,
        gap=gap,
        proven=bool(gap <= task.asked(number) + 1e-12 or close),
        by=by,
        method=method,
        prices=np.zeros(0),
        cap=cap,
        final_value=final,
    )


__all__ = ["AllocoptError", "Solution", "Task", "replace", "solve_grouping"]
