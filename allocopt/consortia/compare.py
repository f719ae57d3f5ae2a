"""Groupings beside the plan: present groups, nearest hubs, areas on and off, the frontier, alternatives, one given.

Every row is measured by `consortia_record.comparison_row`. Imports `consortia`, `consortia.record`, `grouping`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from allocopt.consortia import Consortia, task_of
from allocopt.consortia.record import comparison_row, effects_of
from allocopt.errors import AllocoptError, Infeasible, Stopped
from allocopt.grouping.instance import Ints, possible_pairs
from allocopt.grouping.measure import hubs_of_labels
from allocopt.grouping.solution import Solution, Task, solve_grouping
from allocopt.settings import Grouping


def tables_of_run(found: Consortia) -> dict[str, pd.DataFrame]:
    """Every table of a grouping by file name; those that the scenario does not ask for are not there."""
    comparison = comparison_of(found)
    tables = {"groups": found.groups, "consortia": found.consortia, "comparison": comparison}
    tables["effects"] = effects_of(found, comparison)
    further = {"travel_frontier": frontier_of(found), "alternatives": alternatives_of(found)}
    tables |= {name: table for name, table in further.items() if table is not None}
    if found.before is not None:
        tables["allocations"] = found.before.table
    return tables


def comparison_of(found: Consortia) -> pd.DataFrame:
    """The rows that `grouping.compare` asks for, after no pooling at all and before the plan."""
    said = found.facts.loaded.scenario.grouping or Grouping()
    rows = [comparison_row(found, "unpooled", np.arange(len(found.solution.instance)), bound=None)]
    for name in said.compare:
        rows += list(_ROWS[name](found, said)) if name in _ROWS else []
    if found.two_steps is not None:
        steps = replace(found, budget=found.two_steps.budget)
        rows.append(comparison_row(steps, "one after the other", found.two_steps.hub, bound=None))
    bound = next((stage.bound for stage in found.solution.stages if stage.name == "gross_deficit"), None)
    return pd.DataFrame([*rows, comparison_row(found, "plan", found.solution.hub, bound=bound)])


def _present(found: Consortia, said: Grouping) -> Iterator[dict[str, Any]]:
    """Present groups, each with the member of least travel as its hub; places without a group stand alone."""
    instance, places = found.solution.instance, found.facts.inputs.places
    columns = said.present or [
        found.facts.inputs.roles[role] for role in ("group",) if role in found.facts.inputs.roles
    ]
    for column in columns:
        labels = places[column].astype(str).to_numpy(dtype=object)
        yield comparison_row(found, f"present: {column}", hubs_of_labels(instance, labels), bound=None)


def _nearest(found: Consortia, _said: Grouping) -> Iterator[dict[str, Any]]:
    """Every place with the nearest declared hub that it may join (of the plan's hubs, where hubs were chosen)."""
    instance = found.solution.instance
    pairs = possible_pairs(instance)
    used = np.zeros(len(instance), dtype=bool)
    used[instance.hubs if instance.declared else found.solution.hub] = True
    pairs = pairs.take(used[pairs.hub])
    order = np.lexsort((pairs.hub, pairs.km, pairs.place))
    places, first = np.unique(pairs.place[order], return_index=True)
    hub = found.solution.hub.copy()
    hub[places] = pairs.hub[order][first]
    hub[used] = np.flatnonzero(used)
    yield comparison_row(found, "nearest hub", hub, bound=None)


def _areas(found: Consortia, said: Grouping, *, on: bool) -> Iterator[dict[str, Any]]:
    name = "optimal within areas" if on else "optimal across areas"
    task = task_of(found, found.solution.instance, said)
    settings = {key: one for key, one in task.instance.settings.items() if key != "stay_in_area"}
    task.instance = replace(task.instance, settings=settings | ({"stay_in_area": {}} if on else {}))
    try:
        solved = solve_grouping(task)
    except (Infeasible, Stopped):
        return
    yield comparison_row(found, name, solved.hub, bound=_bound_of(solved))


def _bound_of(solved: Solution) -> float | None:
    return next((stage.bound for stage in solved.stages if stage.name == "gross_deficit"), None)


_ROWS: dict[str, Callable[[Consortia, Grouping], Iterator[dict[str, Any]]]] = {
    "present": _present,
    "nearest_hub": _nearest,
    "within_areas": partial(_areas, on=True),
    "across_areas": partial(_areas, on=False),
}


def frontier_of(found: Consortia) -> pd.DataFrame | None:
    """Gross deficit against travel: for each rate of `grouping.frontier`, the least travel at that much more
    deficit.
    """
    said = found.facts.loaded.scenario.grouping
    if said is None or not said.frontier:
        return None
    rows = []
    for rate in said.frontier:
        task = task_of(found, found.solution.instance, said)
        task.solver = task.solver.model_copy(update={"slack": rate})
        solved = solve_grouping(task)
        travel = next((stage for stage in solved.stages if stage.name == "travel"), None)
        row = comparison_row(found, f"deficit up to {rate:.2%} above the least", solved.hub, bound=_bound_of(solved))
        rows.append({"slack_pct": 100 * rate, **row, "travel_bound_km": None if travel is None else travel.bound})
    return pd.DataFrame(rows)


def alternatives_of(found: Consortia) -> pd.DataFrame | None:
    """Plans within a share of the best deficit that differ from each other in a number of places: place, plan, hub."""
    said = found.facts.loaded.scenario.grouping
    if said is None or said.alternatives is None:
        return None
    wanted, plans = said.alternatives, [found.solution.hub]
    best = next(stage.value for stage in found.solution.stages if stage.name == "gross_deficit")
    for turn in range(1, 4 * wanted.number + 1):
        if len(plans) > wanted.number:
            break
        hub = _another(found, said, plans, turn)
        worth = np.inf if hub is None else np.maximum(0, np.bincount(hub, weights=found.solution.instance.over)).sum()
        if hub is not None and worth <= best * (1 + wanted.within) + 1e-6 and _far(hub, plans, wanted.differ):
            plans.append(hub)
    codes = np.array(found.solution.instance.places, dtype=object)
    frames = [pd.DataFrame({"plan": number, "place": codes, "hub": codes[hub]}) for number, hub in enumerate(plans)]
    return pd.concat(frames, ignore_index=True)


def _far(hub: Ints, plans: Sequence[Ints], differ: int) -> bool:
    return all(int((hub != other).sum()) >= differ for other in plans)


def _another(found: Consortia, said: Grouping, plans: Sequence[Ints], turn: int) -> Ints | None:
    """The plan of another seed, within the allowance, kept away from the plans so far where programmes are exact."""
    assert said.alternatives is not None
    task: Task = task_of(found, found.solution.instance, said)
    task.grouping = said.model_copy(update={"seed": said.seed + turn, "exempt": "least"})
    task.solver = task.solver.model_copy(update={"slack": 0.5 * said.alternatives.within})
    task.away_from, task.differ = tuple(plans), said.alternatives.differ
    try:
        return solve_grouping(task).hub
    except AllocoptError:
        return None


__all__ = ["alternatives_of", "comparison_of", "frontier_of", "tables_of_run"]
