"""A joint run: one after the other first (the allocation, then its grouping), then both in one programme from there.

The two-step plan is kept beside the joint one, under the same measures; the joint plan is never behind it in the
scenario's order of objectives. Imports `consortia`, `plan`, `grouping` and below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from allocopt.consortia import JOINTLY, Consortia, TwoSteps, finished, instance_of, money_of
from allocopt.consortia import make_consortia as one_after_the_other
from allocopt.consortia.keeping import Arrays, kept_plan, kept_proof
from allocopt.consortia.needs import check_facts
from allocopt.errors import Infeasible, Problem, ScenarioFault, Stopped
from allocopt.grouping.bounds import Bound
from allocopt.grouping.instance import Array, Instance, Ints, possible_pairs
from allocopt.grouping.joint import Joint, build_joint, held, pots_of
from allocopt.grouping.jointly import Answer, Wanted, relaxed_joint, solve_jointly
from allocopt.grouping.measure import objective_values
from allocopt.grouping.relaxed import MOST_PAIRS
from allocopt.grouping.solution import Solution, Task, stage_of
from allocopt.ledger import ledger
from allocopt.model import Objective, load_model
from allocopt.plan import Facts, Plan, allocation_of
from allocopt.settings import Grouping, ObjectiveSetting
from allocopt.solve.highs import minimise
from allocopt.solve.stages import Stage

Tell = Callable[[str], None]
STEPS = ("pace_of_change", "consortia")
NODES = 20_000
CLOSE = 1e-9
NOTE = (
    "bounds A and B of a grouping need fixed budgets and do not apply to a joint programme: its bounds are N (spend "
    "beyond the pot), C (linear relaxation) and the solver's own"
)
HELD = "optimal groupings, frontiers and alternatives beside it hold the joint plan's allocation"


def make_joint(facts: Facts, *, tell: Tell = lambda step: None) -> Consortia:  # noqa: ARG005 - the default ignores it
    """Solve a joint scenario. Raises as `make_consortia`, and ScenarioFault for what a joint programme cannot do."""
    scenario = facts.loaded.scenario
    model, said = load_model(scenario.model[-1]), scenario.grouping or Grouping()
    check_facts(facts, said)
    _check_joint(facts, said)
    tell("one after the other")
    steps = _two_steps(facts, tell)
    instance = _instance(facts, steps, said)
    pairs = possible_pairs(instance)
    tell("building the joint programme")
    objectives = [model.objective(one.name) for one in scenario.objectives]
    joint = build_joint(facts.situation, instance, pairs, model, rules=scenario.rules, objectives=scenario.objectives)
    pot = float(facts.situation.pot[0])
    bounds = _bounds(joint, instance, objectives, pot)
    task = Task(model, instance, objectives, scenario.solver, said, tell)
    tell("solving jointly")
    answer = solve_jointly(joint, objectives, _wanted(task), pot, None if steps is None else steps.solution.hub)
    return _finished(facts, task, joint, answer, bounds, steps)


def _check_joint(facts: Facts, said: Grouping) -> None:
    """Raises ScenarioFault for several years or models, or a grouping that is given."""
    problems = []
    if len(facts.situation.years) > 1:
        problems.append(Problem("a joint programme is about one year", "name one year", "years"))
    if len(facts.loaded.scenario.model) > 1:
        problems.append(Problem("a joint programme makes the allocation itself", "write model: joint", "model"))
    if said.column is not None:
        problems.append(
            Problem("a given grouping is evaluated, not decided", "write model: [pace_of_change, consortia]", "model")
        )
    if said.budget is not None:
        problems.append(
            Problem("what is pooled is the allocation that is decided", "remove the line", "grouping.budget")
        )
    if problems:
        raise ScenarioFault("the joint programme cannot be made from this scenario", tuple(problems))


def _two_steps(facts: Facts, tell: Tell) -> Consortia | None:
    """The allocation first and its grouping after, under the same rules; None where only a decided budget can keep
    the balance band.
    """
    scenario = facts.loaded.scenario
    known = {one.name for name in STEPS for one in load_model(name).objectives}
    wanted = [one for one in scenario.objectives if one.name in known]
    first = {one.name for one in load_model(STEPS[0]).objectives}
    if not any(one.name in first for one in wanted):
        wanted = [ObjectiveSetting(name="shortfall_below_target"), *wanted]
    band = "balance_band" in scenario.rules
    said = (scenario.grouping or Grouping()).model_copy(update={"exempt": "none"} if band else {})
    cut = scenario.model_copy(update={"model": list(STEPS), "objectives": wanted, "grouping": said})
    try:
        return one_after_the_other(replace(facts, loaded=replace(facts.loaded, scenario=cut)), tell=tell)
    except Infeasible:
        if band:
            return None
        raise


def _instance(facts: Facts, steps: Consortia | None, said: Grouping) -> Instance:
    """The instance with the exemptions that the rules about places need; its budgets stand at target, undecided."""
    model = load_model("joint")
    budget, spend = money_of(facts, None, said.model_copy(update={"budget": "target"}))
    instance = instance_of(facts, model, said, budget, spend)
    if steps is None:
        return instance
    return replace(instance, settings=steps.solution.instance.settings, excess=steps.solution.instance.excess)


def _wanted(task: Task) -> Wanted:
    numbers, places = range(len(task.objectives)), len(task.instance)
    return Wanted(
        gaps=tuple(task.asked(number) for number in numbers),
        slacks=tuple(task.slack(number, places) for number in numbers),
        seconds=float("inf") if task.grouping.deterministic else task.solver.time_limit,
        nodes=NODES if task.grouping.deterministic else None,
    )


def _bounds(joint: Joint, instance: Instance, objectives: Sequence[Objective], pot: float) -> tuple[Bound, ...]:
    """Bound N, and bound C where the objective in money comes first and the programme is small enough."""
    found = [net_bound(instance, pots_of(joint.alone, joint.allocations.situation, instance))]
    if objectives[0].name == instance.aim and len(joint.view.pairs) <= MOST_PAIRS:
        try:
            found.append(relaxed_joint(joint, pot))
        except Stopped:
            return tuple(found)
    return tuple(found)


def net_bound(instance: Instance, pots: dict[str, float]) -> Bound:
    """Bound N: no plan offsets more than the pot; by area where consortia stay in areas whose pots are fixed."""
    areas = np.array(instance.area, dtype=object)
    by_area = instance.on("stay_in_area") and not instance.waived("stay_in_area").any()
    by_area = by_area and set(instance.areas) <= set(pots)
    if not by_area:
        value = max(0.0, float(instance.spend.sum()) - pots[""])
        words = f"all places spend £{instance.spend.sum():,.3f}m, the pot is £{pots['']:,.3f}m"
        return Bound("N", value, words, pots={"": pots[""]})
    short = {one: float(instance.spend[areas == one].sum()) - pots[one] for one in instance.areas}
    over = {one: value for one, value in short.items() if value > 0}
    words = f"{len(over)} of {len(short)} areas spend more than their pot, by £{sum(over.values()):,.3f}m together"
    return Bound("N", float(sum(over.values())), words, pots={one: pots[one] for one in instance.areas})


def first_stage(found: Consortia, instance: Instance, left_out: str) -> tuple[Stage, Arrays]:
    """The first objective once more, under the rules of `instance` and without the rule left out, from the finished
    plan; and what is kept of it. Raises as `solve_jointly`.
    """
    facts, scenario = found.facts, found.facts.loaded.scenario
    first = scenario.objectives[:1]
    rules = {name: one for name, one in scenario.rules.items() if name != left_out}
    model, pot = found.model, float(facts.situation.pot[0])
    joint = build_joint(facts.situation, instance, possible_pairs(instance), model, rules=rules, objectives=first)
    task = Task(model, instance, [model.objective(first[0].name)], scenario.solver, scenario.grouping or Grouping())
    bounds = _bounds(joint, instance, task.objectives, pot)
    answer = solve_jointly(joint, task.objectives, _wanted(task), pot, found.solution.hub)
    stage = _stage(task, 0, answer, {first[0].name: answer.value[0]}, bounds)
    allocation = _plan(facts, joint, answer.values).allocation[:, 0]
    kept = kept_plan(_hub_of(joint, instance, answer.values), allocation=allocation)
    return stage, kept | kept_proof(instance, bounds, stage.by)


def _finished(
    facts: Facts, task: Task, joint: Joint, answer: Answer, bounds: tuple[Bound, ...], steps: Consortia | None
) -> Consortia:
    """The tables in whole pounds, the stages, and the two-step plan beside them."""
    before = _plan(facts, joint, answer.values)
    budget, spend = money_of(facts, before, Grouping(budget="allocation"))
    hub = _hub_of(joint, task.instance, answer.values)
    task.instance = replace(task.instance, budget=budget / 1e6)
    final = _at_allocation(joint, task, before.allocation) | objective_values(task.instance, hub)
    numbers = range(len(task.objectives))
    stages = tuple(_stage(task, number, answer, final, bounds) for number in numbers)
    exemptions = () if steps is None else steps.solution.exemptions
    words = JOINTLY + (f" in {answer.pieces} pieces" if answer.pieces > 1 else "")
    solution = Solution(task.instance, hub, stages, bounds, exemptions, _notes(answer, steps), words)
    two = None if steps is None else _beside(joint, task, steps)
    return finished(facts, task.model, before, solution, (budget, spend), two_steps=two)


def _notes(answer: Answer, steps: Consortia | None) -> tuple[str, ...]:
    kept = answer.pieces - answer.searched
    said = [NOTE, HELD]
    if kept:
        said.append(
            f"{kept} of {answer.pieces} pieces are too large for branch and bound: they keep the two-step grouping, "
            "with the allocation decided anew; only their bounds say how far a better grouping could bring them"
        )
    if steps is None:
        said.append("one after the other breaks the balance band, so there is no two-step plan to compare with")
    return tuple(said)


def _plan(facts: Facts, joint: Joint, values: Array) -> Plan:
    """The allocation of a joint plan as an allocation plan without stages of its own."""
    at = {joint.compiled.columns[j]: j for j in range(len(values))}
    own = np.array([values[at[column]] for column in joint.alone.columns])
    allocation = allocation_of(joint.alone, facts.situation, own)
    table = ledger(facts.situation, allocation, facts.inputs.name)
    return Plan(facts, load_model("joint"), joint.allocations, joint.alone, (), own, allocation, table)


def _hub_of(joint: Joint, instance: Instance, values: Array) -> Ints:
    """The hub of each place (positions) of a point."""
    hub = np.full(len(instance), -1, dtype=np.int64)
    for j in joint.compiled.columns_of("member").tolist():
        if values[j] > 0.5:
            p, h = joint.compiled.columns[j][1]
            hub[instance.index[p]] = instance.index[h]
    return hub


def _at_allocation(joint: Joint, task: Task, allocation: Array) -> dict[str, float]:
    """The objectives about allocations at a given allocation (n, 1), by name."""
    compiled = joint.alone
    place = {code: number for number, code in enumerate(task.instance.places)}
    lower, upper = compiled.column_lower.copy(), compiled.column_upper.copy()
    for j in compiled.columns_of("allocation").tolist():
        lower[j] = upper[j] = allocation[place[compiled.columns[j][1][0]], 0]
    own = np.isin(compiled.row_component, list(joint.allocations.rules), invert=True)
    fixed = held(replace(compiled, column_lower=lower, column_upper=upper), own)
    names = [one.name for one, _ in joint.allocations.objectives]
    return {
        name: float(cost @ minimise(fixed, cost, time_limit=60.0).values + compiled.offsets[number])
        for number, (name, cost) in enumerate(zip(names, compiled.costs, strict=True))
    }


def _stage(task: Task, number: int, answer: Answer, final: Mapping[str, float], bounds: Sequence[Bound]) -> Stage:
    value, bound, by = answer.value[number], answer.bound[number], "highs"
    best = max(bounds, key=lambda one: one.value)
    if number == 0 and task.objectives[0].name == task.instance.aim and best.value >= bound - CLOSE:
        bound, by = best.value, f"bound {best.name}"
    name = task.objectives[number].name
    return stage_of(
        task,
        number,
        value=value,
        bound=bound,
        cap=answer.cap[number],
        final=final[name],
        by=by,
        method="joint programme",
    )


def _beside(joint: Joint, task: Task, steps: Consortia) -> TwoSteps:
    """The two-step plan under every objective of the joint one."""
    assert steps.before is not None
    values = _at_allocation(joint, task, steps.before.allocation)
    values |= objective_values(steps.solution.instance, steps.solution.hub)
    return TwoSteps(steps.solution.hub, steps.budget, {one.name: values[one.name] for one in task.objectives})
