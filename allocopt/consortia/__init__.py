"""From a scenario to consortia: which budget is pooled, the grouping sought or given, its check, its tables in pounds.

Where a model stands before, its allocation is made first and pooled. Imports `plan`, `grouping`, `check.grouping` and
below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from allocopt.check.grouping import Broken, Grouped, broken_rules, haversine, objectives, slip
from allocopt.consortia.given import fault, given_grouping, given_hubs, left_out, outside_rules
from allocopt.consortia.needs import check_facts
from allocopt.errors import PlanRefused
from allocopt.grouping.instance import Instance, Ints, on_sphere
from allocopt.grouping.neighbours import with_links
from allocopt.grouping.programme import INDEX
from allocopt.grouping.solution import EVALUATED, Solution, Task, evaluated, solve_grouping
from allocopt.ledger import whole_pounds
from allocopt.model import Model, load_model
from allocopt.plan import Facts, Plan, make_plan
from allocopt.settings import Grouping, Scenario

Pounds = npt.NDArray[np.int64]

GROUP_COLUMNS = ("place", "group", "hub", "area", "previous_group", "moved", "distance_km")
CONSORTIUM_COLUMNS = (
    "group",
    "hub",
    "area",
    "places",
    "population",
    "budget_gbp",
    "spend_gbp",
    "balance_gbp",
    "balance_pct",
    "deficit_gbp",
    "need_index",
    "imd",
    "travel_km",
)
JOINTLY = "one joint programme"
"""How the method of a joint plan is told: its allocations are rounded to whole pounds after solving."""
TOLERANCE = 1e-6
"""GBP million or km: how far the checker's value of an objective may lie from the plan's."""


@dataclass(frozen=True)
class TwoSteps:
    """Beside a joint plan: the allocation made first and grouped after, under the same rules and objectives."""

    hub: Ints
    budget: Pounds
    values: Mapping[str, float]
    """Every objective of the scenario by name"""


@dataclass(frozen=True)
class Consortia:
    """A finished grouping: what it was made from, what was decided and proved, and the tables in pounds."""

    facts: Facts
    model: Model
    before: Plan | None
    """The allocation that was pooled, where a model stands before"""
    solution: Solution
    budget: Pounds
    """(n,) what each place brings"""
    spend: Pounds
    broken: tuple[Broken, ...]
    groups: pd.DataFrame
    consortia: pd.DataFrame
    two_steps: TwoSteps | None = None
    """Of a joint plan: one after the other"""

    @property
    def status(self) -> str:
        """`optimal` when every stage is proven within the asked gap, `evaluated` for a given grouping, else `gap`."""
        if self.solution.method == EVALUATED:
            return "evaluated"
        return "optimal" if all(stage.proven for stage in self.solution.stages) else "gap"


def is_grouping(scenario: Scenario) -> bool:
    """Whether the last model of a scenario groups places."""
    return load_model(scenario.model[-1]).kind in ("grouping", "joint")


def make_consortia(facts: Facts, *, tell: Callable[[str], None] = lambda step: None) -> Consortia:  # noqa: ARG005
    """Solve the models before, then the grouping. Raises as `make_plan`, and ScenarioFault for what a grouping
    needs.
    """
    scenario = facts.loaded.scenario
    model, said = load_model(scenario.model[-1]), scenario.grouping or Grouping()
    check_facts(facts, said)
    before = make_plan(models_before(facts), tell=tell) if len(scenario.model) > 1 else None
    budget, spend = money_of(facts, before, said)
    instance = instance_of(facts, model, said, budget, spend)
    task = _task(scenario, model, instance, said, tell)
    given = given_grouping(facts, said)
    if given is not None:
        inputs = facts.inputs
        file = () if given.file is None else (given.file,)
        inputs = replace(inputs, files=(*inputs.files, *file), notes=(*inputs.notes, *left_out(given)))
        facts = replace(facts, inputs=inputs)
    solution = solve_grouping(task) if given is None else evaluated(task, given_hubs(instance, given, said))
    return finished(facts, model, before, solution, (budget, spend))


def finished(
    facts: Facts,
    model: Model,
    before: Plan | None,
    solution: Solution,
    money: tuple[Pounds, Pounds],
    *,
    two_steps: TwoSteps | None = None,
) -> Consortia:
    """A solution after its own check, with its tables in pounds. Raises PlanRefused for a plan that fails it."""
    broken = tuple(broken_rules(grouped_of(facts, solution.instance, solution.hub)))
    if solution.method != EVALUATED:
        _refuse_wrong(facts, solution, broken)
    elif broken:
        solution = outside_rules(solution)
    groups, consortia = tables_of(facts, solution, *money)
    return Consortia(facts, model, before, solution, *money, broken, groups, consortia, two_steps)


def _task(scenario: Scenario, model: Model, instance: Instance, said: Grouping, tell: Callable[[str], None]) -> Task:
    names = {one.name for one in model.objectives}
    asked = [model.objective(one.name) for one in scenario.objectives if one.name in names]
    return Task(model, instance, asked, scenario.solver, said, tell)


def task_of(found: Consortia, instance: Instance, said: Grouping) -> Task:
    """The task of a finished grouping once more, for a comparison; beside a joint plan its allocation is held."""
    model = load_model("consortia") if found.model.kind == "joint" else found.model
    return _task(found.facts.loaded.scenario, model, instance, said, lambda _step: None)


def models_before(facts: Facts) -> Facts:
    """The facts with the scenario cut to the models before the grouping: their rules and their objectives."""
    scenario = facts.loaded.scenario
    if len(scenario.model) > 2:
        raise fault("a grouping follows one allocation model", "name one model before it", "model")
    first = load_model(scenario.model[0])
    rules = {name: one for name, one in scenario.rules.items() if name in {rule.name for rule in first.rules}}
    wanted = [one for one in scenario.objectives if one.name in {other.name for other in first.objectives}]
    cut = scenario.model_copy(update={"model": [first.name], "rules": rules, "objectives": wanted})
    return replace(facts, loaded=replace(facts.loaded, scenario=cut))


def money_of(facts: Facts, before: Plan | pd.DataFrame | None, said: Grouping) -> tuple[Pounds, Pounds]:
    """What each place brings and what it is expected to spend, in whole pounds; the last year's."""
    assert facts.situation.spend is not None
    choice = said.budget or ("target" if before is None else "allocation")
    if choice == "allocation" and before is None:
        raise fault(
            "no allocation is made before the grouping",
            "list a model before it, or say budget: target",
            "grouping.budget",
        )
    spend = np.rint(facts.situation.spend[:, -1] * 1e6).astype(np.int64)
    if choice == "allocation":
        assert before is not None
        table = before.table if isinstance(before, Plan) else before
        last = table[table["year"] == facts.situation.years[-1]]
        return last.set_index("place")["allocation_gbp"].loc[list(facts.situation.places)].to_numpy(
            dtype=np.int64
        ), spend
    if choice == "baseline":
        return whole_pounds(facts.situation.baseline), spend
    return whole_pounds(facts.situation.target[:, -1], total=round(float(facts.situation.pot[-1]) * 1e6)), spend


def instance_of(facts: Facts, model: Model, said: Grouping, budget: Pounds, spend: Pounds) -> Instance:
    """The grouping's instance, its money in GBP million from whole pounds."""
    inputs, n = facts.inputs, len(facts.situation.places)
    hub, area, present = inputs.role("hub"), inputs.role("area"), inputs.role("group")
    imd, latitude, longitude = (_floats(facts, role) for role in ("imd", "latitude", "longitude"))
    choice = said.hubs or ("free" if hub is None else "declared")
    accepted = {rule.name for rule in model.rules if rule.index in INDEX}
    settings = {name: one.parameters for name, one in facts.loaded.scenario.rules.items() if name in accepted}
    priced = {one.name for one in model.objectives if one.index in INDEX and one.parameters}
    settings = {
        name: {**said_of, **({"waive": []} if said_of.get("waive") == "least" else {})}
        for name, said_of in settings.items()
    }
    made = Instance(
        places=facts.situation.places,
        population=facts.situation.population[:, -1],
        budget=budget / 1e6,
        spend=spend / 1e6,
        area=tuple(area.astype(str)) if area is not None else ("all",) * n,
        may_hub=np.ones(n, dtype=bool) if choice == "free" or hub is None else hub.to_numpy() == 1,
        declared=choice == "declared",
        position=None if latitude is None or longitude is None else on_sphere(latitude, longitude),
        imd=imd,
        present=None if present is None else tuple(present.astype(str)),
        settings=settings,
        aims={one.name: one.parameters for one in facts.loaded.scenario.objectives if one.name in priced},
    )
    return with_links(made, inputs.links)


def _floats(facts: Facts, role: str) -> npt.NDArray[np.float64] | None:
    column = facts.inputs.role(role)
    return None if column is None else column.to_numpy(dtype=np.float64)


def grouped_of(facts: Facts, instance: Instance, hub: Ints) -> Grouped:
    """The grouping as the checker takes it."""
    return Grouped(
        places=instance.places,
        population=instance.population,
        budget=instance.budget,
        spend=instance.spend,
        area=instance.area,
        hub=hub,
        settings=instance.settings,
        latitude=_floats(facts, "latitude"),
        longitude=_floats(facts, "longitude"),
        imd=instance.imd,
        present=instance.present,
        declared=instance.may_hub.tolist() if instance.declared else None,
        may_hub=instance.may_hub.tolist(),
        links=None if instance.links is None else [(a, b) for a, b in instance.links.tolist()],
        excess=instance.excess,
        aims=instance.aims,
    )


def _refuse_wrong(facts: Facts, solution: Solution, broken: Sequence[Broken]) -> None:
    """A plan that fails its own check is never written."""
    if broken:
        raise PlanRefused(f"the plan breaks {len(broken)} rules and is not written: {'; '.join(map(str, broken[:5]))}")
    found = objectives(grouped_of(facts, solution.instance, solution.hub))
    for stage in (one for one in solution.stages if one.name in found):
        if abs(found[stage.name] - stage.final_value) > max(TOLERANCE, 1e-9 * abs(stage.final_value)):
            raise PlanRefused(
                f"{stage.name} is {found[stage.name]:.9g} by the checker, {stage.final_value:.9g} by the plan"
            )
    proved = [*((stage.name, stage.bound) for stage in solution.stages)]
    proved += [(solution.instance.aim, one.value) for one in solution.bounds]
    rounded = len(solution.instance) if solution.method.startswith(JOINTLY) else 1
    known = {name: [value] for name, value in found.items()}
    for stage in (one for one in solution.stages if one.name in found):
        known[stage.name].append(stage.value)  # a plan too, before the objectives after it took their slack
    for name, bound in (one for one in proved if one[0] in found):
        value = min(known[name])
        if bound > value + slip(value, rounded):
            said = f"{name} is {value:.9g}, yet no plan is said to have less than {bound:.9g}"
            raise PlanRefused(f"{said}: the plan or its proof is wrong, and neither is written")


def tables_of(facts: Facts, solution: Solution, budget: Pounds, spend: Pounds) -> tuple[pd.DataFrame, pd.DataFrame]:
    """groups.csv and consortia.csv: money from whole pounds, distances to the metre; ordered by place and by group."""
    instance, hub = solution.instance, solution.hub
    codes = np.array(instance.places, dtype=object)
    of = grouped_of(facts, instance, hub)
    groups = pd.DataFrame(
        {
            "place": codes,
            "group": codes[hub],
            "hub": codes[hub],
            "area": instance.area,
            "previous_group": list(instance.present) if instance.present else [""] * len(codes),
            "moved": _moved(instance, hub),
            "distance_km": np.round(haversine(of, np.arange(len(hub)), hub), 3),
        }
    )
    rows = [
        consortium_row(facts, instance, h, np.flatnonzero(hub == h), of, budget, spend) for h in np.unique(hub).tolist()
    ]
    consortia = pd.DataFrame(rows, columns=list(CONSORTIUM_COLUMNS))
    return groups, consortia


def _moved(instance: Instance, hub: Ints) -> list[int]:
    if instance.present is None:
        return [0] * len(hub)
    return [
        int(bool(instance.present[p]) and instance.present[p] != instance.present[h])
        for p, h in enumerate(hub.tolist())
    ]


def consortium_row(
    facts: Facts, instance: Instance, hub: int, members: Ints, of: Grouped, budget: Pounds, spend: Pounds
) -> dict[str, Any]:
    people = instance.population[members]
    money, spent = int(budget[members].sum()), int(spend[members].sum())
    target = facts.situation.target[members, -1].sum() / facts.situation.pot[-1]
    return {
        "group": instance.places[hub],
        "hub": instance.places[hub],
        "area": instance.area[hub],
        "places": len(members),
        "population": round(float(people.sum()), 3),
        "budget_gbp": money,
        "spend_gbp": spent,
        "balance_gbp": money - spent,
        "balance_pct": round(100.0 * (money - spent) / money, 6) if money else np.nan,
        "deficit_gbp": max(0, spent - money),
        "need_index": round(float(target / (people.sum() / instance.population.sum())), 6),
        "imd": round(_mean_imd(instance, members), 4),
        "travel_km": round(float(haversine(of, members, np.full(len(members), hub)) @ people / people.sum()), 4),
    }


def _mean_imd(instance: Instance, members: Ints) -> float:
    if instance.imd is None:
        return float("nan")
    known = members[~np.isnan(instance.imd[members])]
    people = instance.population[known]
    return float(instance.imd[known] @ people / people.sum()) if len(known) else float("nan")
