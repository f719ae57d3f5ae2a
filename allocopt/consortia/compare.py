"""Groupings beside the plan: present groups, nearest hubs, areas on and off, alternatives, one given.

Every row is measured by `consortia_record.comparison_row`. Imports `consortia`, `consortia.record`, `grouping`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from allocopt.check.grouping import broken_rules
from allocopt.consortia import Consortia, grouped_of, task_of
from allocopt.consortia.frontier import frontier_of
from allocopt.consortia.keeping import Arrays, kept_plan
from allocopt.consortia.record import breaks, comparison_row, effects_of, kept_solution, least_deficit, wrong_in
from allocopt.errors import Infeasible, Stopped
from allocopt.grouping.alternatives import Wish, alternatives, differences
from allocopt.grouping.instance import Ints, possible_pairs
from allocopt.grouping.measure import costs, hubs_of_labels
from allocopt.grouping.solution import EVALUATED, solve_grouping
from allocopt.settings import Grouping

CHEAPER = 1e-6
"""GBP m: an alternative that costs less by this is told."""


def tables_of_run(
    found: Consortia, plans: Sequence[Ints]
) -> tuple[dict[str, pd.DataFrame], list[str], dict[str, Arrays]]:
    """Every table of a grouping by file name (those that the scenario does not ask for are not there); in words what
    was asked for and could not be made; and the plans beside the run's own that certificate.npz keeps.
    """
    comparison, notes, kept = comparison_of(found, plans)
    tables = {"groups": found.groups, "consortia": found.consortia, "comparison": comparison}
    tables["effects"] = effects_of(found, comparison)
    frontier, unmade, points = frontier_of(found)
    tables |= {} if frontier is None else {"travel_frontier": frontier}
    tables |= {"alternatives": alternatives_table(found, plans)} if len(plans) > 1 else {}
    if found.before is not None:
        tables["allocations"] = found.before.table
    return tables, [*notes, *unmade], kept | points


class Row(NamedTuple):
    """A row of the comparison, and what is kept of its plan where no table holds it."""

    figures: dict[str, Any]
    kept: Arrays


def comparison_of(found: Consortia, plans: Sequence[Ints] = ()) -> tuple[pd.DataFrame, list[str], dict[str, Arrays]]:
    """The rows that `grouping.compare` asks for, after no pooling at all and before the plan and its alternatives; in
    words which of them could not be made; and what is kept of the plans of the rows that are.
    """
    said = found.facts.loaded.scenario.grouping or Grouping()
    bound = least_deficit(found.solution)
    alone = comparison_row(found, "unpooled", np.arange(len(found.solution.instance)), bound=None, broken=())
    rows = [Row(alone | {"rules_broken": np.nan}, {})]  # no grouping, which no rule is about
    notes = list[str]()
    for name in (one for one in said.compare if one in _ROWS):
        try:
            rows += list(_ROWS[name](found, said))
        except (Infeasible, Stopped) as failure:
            notes.append(f"the comparison has no row for {name}: {failure.message}")
    if found.two_steps is not None:
        hub, budget = found.two_steps.hub, found.two_steps.budget
        own = comparison_row(replace(found, budget=budget), "one after the other", hub, bound=bound)
        rows.append(Row(own, kept_plan(hub, allocation=budget / 1e6)))
    rows.append(Row(comparison_row(found, "plan", found.solution.hub, bound=bound, broken=found.broken), {}))
    rows += [Row(comparison_row(found, f"alternative {k}", hub, bound=bound), {}) for k, hub in enumerate(plans) if k]
    kept = {f"beside.{row.figures['plan']}": row.kept for row in rows if row.kept}
    return pd.DataFrame([row.figures for row in rows]), notes, kept


def _present(found: Consortia, said: Grouping) -> Iterator[Row]:
    """Present groups, each with the member of least travel as its hub; places without a group stand alone."""
    instance, places = found.solution.instance, found.facts.inputs.places
    bound = least_deficit(found.solution)
    columns = said.present or [
        found.facts.inputs.roles[role] for role in ("group",) if role in found.facts.inputs.roles
    ]
    for column in columns:
        labels = places[column].astype(str).to_numpy(dtype=object)
        hub = hubs_of_labels(instance, labels)
        yield Row(comparison_row(found, f"present: {column}", hub, bound=bound), kept_plan(hub))


def _nearest(found: Consortia, _said: Grouping) -> Iterator[Row]:
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
    yield Row(comparison_row(found, "nearest hub", hub, bound=least_deficit(found.solution)), kept_plan(hub))


def _areas(found: Consortia, said: Grouping, *, on: bool) -> Iterator[Row]:
    name = "optimal within areas" if on else "optimal across areas"
    task = task_of(found, found.solution.instance, said)
    settings = {key: one for key, one in task.instance.settings.items() if key != "stay_in_area"}
    task.instance = replace(task.instance, settings=settings | ({"stay_in_area": {}} if on else {}))
    solved = solve_grouping(task)
    own = comparison_row(found, name, solved.hub, bound=least_deficit(solved), broken=())
    broken = wrong_in(grouped_of(found.facts, found.solution.instance, solved.hub))
    strayed = grouped_of(found.facts, replace(found.solution.instance, settings={"stay_in_area": {}}), solved.hub)
    broken += broken_rules(strayed) if on and not found.solution.instance.on("stay_in_area") else []
    yield Row(own | breaks(broken), kept_solution(solved))


_ROWS: dict[str, Callable[[Consortia, Grouping], Iterator[Row]]] = {
    "present": _present,
    "nearest_hub": _nearest,
    "within_areas": partial(_areas, on=True),
    "across_areas": partial(_areas, on=False),
}


def plans_of(found: Consortia, *, tell: Callable[[str], None] = lambda step: None) -> list[Ints]:  # noqa: ARG005
    """The plan and its alternatives; the plan alone where none is asked for."""
    said = found.facts.loaded.scenario.grouping
    if said is None or said.alternatives is None or found.solution.method == EVALUATED:
        return [found.solution.hub]
    asked, instance = said.alternatives, found.solution.instance
    best = float(costs(instance, found.solution.hub).sum())
    wish = Wish(best * (1 + asked.within), asked.differ)
    task = task_of(found, instance, said)
    made = alternatives(
        task.model, instance, task.objectives, found.solution.hub, number=asked.number, wish=wish, tell=tell
    )
    legal = [made[0], *(hub for hub in made[1:] if not broken_rules(grouped_of(found.facts, instance, hub)))]
    return [
        hub for k, hub in enumerate(legal) if all(differences(instance, hub, one) >= asked.differ for one in legal[:k])
    ]


def alternatives_table(found: Consortia, plans: Sequence[Ints]) -> pd.DataFrame:
    """alternatives.csv: the hub of each place in each plan, the best plan being number 0."""
    codes = np.array(found.solution.instance.places, dtype=object)
    frames = [pd.DataFrame({"plan": number, "place": codes, "hub": codes[hub]}) for number, hub in enumerate(plans)]
    return pd.concat(frames, ignore_index=True)


def alternatives_record(found: Consortia, plans: Sequence[Ints]) -> dict[str, Any]:
    """What was asked of the alternatives, what was found, and how far each is from the plans before it."""
    said = found.facts.loaded.scenario.grouping
    assert said is not None
    assert said.alternatives is not None
    asked, instance = said.alternatives, found.solution.instance
    away = [min(differences(instance, hub, one) for one in plans[:k]) for k, hub in enumerate(plans) if k]
    words = (
        f"{len(away)} of {asked.number} alternatives found within {asked.within:.3%} of the plan's {instance.aim_words}"
    )
    return {
        "asked": asked.number,
        "within": asked.within,
        "differ": asked.differ,
        "found": len(away),
        "least_difference": away,
        "words": f"{words}, each {asked.differ:,} places or more away from every plan before it",
    }


def cheaper_words(found: Consortia, plans: Sequence[Ints]) -> list[str]:
    """For each alternative that costs less than the plan's stage reached: that the plan is not the least there is.

    Only where that is sought first: an alternative need not keep to what an objective before it reached.
    """
    instance, first = found.solution.instance, found.solution.stages[0]
    if first.name != instance.aim:
        return []
    less = {k: first.value - float(costs(instance, hub).sum()) for k, hub in enumerate(plans) if k}
    return [
        f"alternative {k} has £{1e6 * gain:,.0f} less {instance.aim_words} than the plan's first stage reached: the "
        "plan is not the least there is; allow a longer solver.time_limit, or give that plan as grouping.table"
        for k, gain in less.items()
        if gain > CHEAPER
    ]


__all__ = ["cheaper_words", "comparison_of", "plans_of", "tables_of_run"]
