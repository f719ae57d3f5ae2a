"""Gross deficit against travel: the least travel at so much more gross deficit than the least, rate by rate.

Gross deficit (with what crossings of areas cost, where that is asked for) and travel come first and second whatever the
scenario asks for, and the rate is left to travel alone. It applies to the whole country where one programme holds all
of it, or where it is searched; else to every part, and the row says so. Imports `consortia`, `consortia.record`,
`grouping`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from allocopt.consortia import Consortia, task_of
from allocopt.consortia.keeping import Arrays, kept_plan
from allocopt.consortia.record import comparison_row, kept_solution, least_deficit
from allocopt.errors import Infeasible, Stopped
from allocopt.grouping.exact import Known, solve_part
from allocopt.grouping.instance import TOLLED, Ints, Pairs, components, possible_pairs
from allocopt.grouping.neighbours import graph_of
from allocopt.grouping.programme import Part
from allocopt.grouping.solution import CONTIGUOUS_PAIRS, EXACT_PAIRS, Solution, Task, is_searched, solve_grouping
from allocopt.settings import Grouping
from allocopt.solve.integer import Effort

WHOLE, PARTS = "the whole", "each part"


class Point(NamedTuple):
    """A plan of the frontier: hubs, the proven least travel (km) and the cap on what comes first (GBP m), and what the
    rate applies to.
    """

    hub: Ints
    travel: float
    cap: float
    applies: str


def frontier_of(found: Consortia) -> tuple[pd.DataFrame | None, list[str], dict[str, Arrays]]:
    """travel_frontier.csv, a row for each rate of `grouping.frontier` (None where none is asked for); in words why
    there is no such row; and what certificate.npz keeps of the least deficit and of each row.
    """
    said = found.facts.loaded.scenario.grouping
    if said is None or not said.frontier:
        return None, [], {}
    try:
        least = solve_grouping(_task(found, said, None, travel=False))
    except (Infeasible, Stopped) as failure:
        return None, [f"there is no frontier: {failure.message}"], {}
    rows, notes = list[dict[str, Any]](), list[str]()
    kept = {"frontier.least": kept_solution(least)}
    for rate in said.frontier:
        try:
            point = _point(found, said, least, rate)
        except (Infeasible, Stopped) as failure:
            notes.append(f"the frontier has no row at {rate:.2%}: {failure.message}")
            continue
        kept[f"frontier.{len(rows)}"] = kept_plan(point.hub)
        rows.append(_row(found, least, rate, point))
    return (pd.DataFrame(rows) if rows else None), notes, (kept if rows else {})


def _task(found: Consortia, said: Grouping, rate: float | None, *, travel: bool) -> Task:
    """The scenario's grouping with the objective in money first, a rate left to what follows; with `travel` that is
    next, and the others after it.
    """
    task = task_of(found, found.solution.instance, said)
    first = (task.instance.aim, *(("travel",) if travel else ()))
    others = [one for one in task.objectives if one.name not in first] if travel else []
    task.objectives = [*(task.model.objective(name) for name in first), *others]
    task.allowance = rate
    return task


def _point(found: Consortia, said: Grouping, least: Solution, rate: float) -> Point:
    task = _task(found, said, rate, travel=True)
    pairs = possible_pairs(task.instance)
    most = CONTIGUOUS_PAIRS if task.instance.on("contiguity") else EXACT_PAIRS
    if len(pairs) <= most:
        return _as_one(task, pairs, least, len(said.frontier))
    whole = is_searched(task, pairs, components(task.instance, pairs))
    solved = solve_grouping(task)
    stages = {stage.name: stage for stage in solved.stages}
    return Point(solved.hub, stages["travel"].bound, stages[task.instance.aim].cap, WHOLE if whole else PARTS)


def _as_one(task: Task, pairs: Pairs, least: Solution, rates: int) -> Point:
    """All parts in one programme, with one cap on what they cost together."""
    stage, numbers, places = least.stages[0], range(len(task.objectives)), np.arange(len(task.instance))
    cap = task.slack(0, len(places)).after(stage.value)
    seconds = float("inf") if task.grouping.deterministic else max(5.0, task.solver.time_limit / rates)
    nodes = 20_000 if task.grouping.deterministic else None
    efforts = [Effort(gap=0.5 * task.asked(number), nodes=nodes, seconds=seconds, doubt=True) for number in numbers]
    answer = solve_part(
        task.model,
        task.instance,
        Part(places, pairs),
        task.objectives,
        efforts=efforts,
        slacks=[task.slack(number, len(places)) for number in numbers],
        graph=graph_of(task.instance),
        start=least.hub,
        known=Known(stage.value, stage.bound, cap),
    )
    return Point(answer.hub, max(0.0, answer.bound[1]), cap, WHOLE)


def _row(found: Consortia, least: Solution, rate: float, point: Point) -> dict[str, Any]:
    stage = least.stages[0]
    than = "the least" if stage.proven else "the least found"
    where = "" if point.applies == WHOLE else ", in each part of the country"
    what = "deficit with crossings" if found.solution.instance.aim == TOLLED else "deficit"
    row = comparison_row(found, f"{what} up to {rate:.2%} above {than}{where}", point.hub, bound=least_deficit(least))
    further = {"travel_bound_km": point.travel, "deficit_at_most_gbp": round(point.cap * 1e6), "applies": point.applies}
    broken = {name: row.pop(name) for name in ("rules_broken", "breaks")}
    return {"slack_pct": 100 * rate, **row, **further, **broken}
