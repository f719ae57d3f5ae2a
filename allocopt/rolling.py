"""A path decided year by year: each year starts from the whole pounds that the year before really gave.

    opening_t = allocation_(t-1),   tapers and conditions on the actual opening distance from target

A condition on an opening that is itself to be decided is not convex, so a joint path takes the arguments of tapers from
the base year; here they are the openings themselves, and nothing is claimed of the path as a whole: every year is
proven by itself, given the years before. Deficits may be carried forward as the first call on the next year's money:
they are added to what the place is expected to spend. Imports `plan` and below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from allocopt.errors import Problem as Fault
from allocopt.errors import ScenarioFault
from allocopt.ledger import ledger, whole_pounds
from allocopt.model import Model, load_model
from allocopt.plan import Facts, Plan, make_plan
from allocopt.problem import Array, Situation
from allocopt.scenario import Loaded
from allocopt.settings import Scenario
from allocopt.solve.at_once import built
from allocopt.solve.compiled import Compiled
from allocopt.solve.stages import TINY, Stage

BY = "weak duality, each year by itself"
WORDS = "path: rolling: each year is decided on what the year before left; no optimality over the years is claimed"
JOINT = (
    "path: joint: all years are one programme; tapers and conditions on the opening distance from target take the base "
    "year's money, rolled forward uniformly, against each year's targets"
)


def is_rolling(scenario: Scenario) -> bool:
    """True when several years are decided one after another."""
    return scenario.path == "rolling" and len(scenario.years) > 1


def path_words(scenario: Scenario) -> str | None:
    """Which kind of path was taken; None for a single year."""
    if len(scenario.years) == 1:
        return None
    return WORDS if is_rolling(scenario) else JOINT


def check_path(loaded: Loaded) -> None:
    """Raises ScenarioFault where a rolling path is asked for what only a joint one can do, or the other way round."""
    scenario, problems = loaded.scenario, list[Fault]()
    if scenario.carry_forward is not None and not is_rolling(scenario):
        said = "deficits can be carried forward only where each year is decided after the year before"
        problems.append(
            Fault(said, "write path: rolling, with several years", "carry_forward", loaded.mark("carry_forward"))
        )
    if scenario.carry_forward is not None and scenario.inputs.spend is None:
        said = "deficits cannot be carried forward without expected spend"
        problems.append(Fault(said, "say inputs.spend", "carry_forward", loaded.mark("carry_forward")))
    if is_rolling(scenario):
        problems += _over_all_years(loaded, load_model(scenario.model[0]))
        problems += _frontiers(loaded)
    if problems:
        raise ScenarioFault("the path cannot be taken", tuple(problems))


def _frontiers(loaded: Loaded) -> list[Fault]:
    said = "a frontier is traced on one programme, and each year of a rolling path is a programme of its own"
    cure = "write path: joint, ask for one year, or leave the frontier out"
    return [Fault(said, cure, "frontier", loaded.mark("frontier"))] if loaded.scenario.frontier else []


def _over_all_years(loaded: Loaded, model: Model) -> list[Fault]:
    rules = {rule.name for rule in model.rules if rule.index == "path" or rule.name == "equal_steps"}
    aims = {one.name for one in model.objectives if one.index == "path"}
    found = [("rules", name) for name in loaded.scenario.rules if name in rules]
    found += [("objectives", one.name) for one in loaded.scenario.objectives if one.name in aims]
    cure, said = "write path: joint, or leave it out", "looks over all years, and a rolling path decides one at a time"
    return [Fault(f"{name} {said}", cure, f"{kind}.{name}", loaded.mark(kind)) for kind, name in found]


def make_rolling_plan(
    facts: Facts,
    *,
    tell: Callable[[str], None],
    reached: Callable[[Facts], None] = lambda year: None,  # noqa: ARG005 - the default listener ignores it
) -> Plan:
    """The years one after another, then one plan of them all. Raises as `make_plan` does; `reached` is given the facts
    of each year before it is decided.
    """
    situation, carry = facts.situation, facts.loaded.scenario.carry_forward
    opening, carried = situation.baseline, np.zeros(len(situation.places))
    plans: list[Plan] = []
    openings, calls = np.zeros_like(situation.target), np.zeros_like(situation.target)
    for step in range(len(situation.years)):
        openings[:, step], calls[:, step] = opening, carried
        year = one_year(facts, step, opening, carried)
        reached(year)
        plans.append(make_plan(year, tell=tell))
        given = whole_pounds(plans[-1].allocation[:, 0], total=round(float(situation.pot[step]) * 1e6))
        opening = given / 1e6
        if carry is not None:
            carried = carried_forward(plans[-1].facts.situation, given / 1e6, carry.share)
    return _together(rolled(facts, openings, calls), plans)


def carried_forward(situation: Situation, given: Array, share: float) -> Array:
    """(n,) GBP m, whole pounds: the share of each place's deficit that is the first call on next year's money."""
    assert situation.spend is not None
    spend = np.rint(situation.spend[:, 0] * 1e6)
    return np.asarray(np.rint(share * np.maximum(0.0, spend - np.rint(given * 1e6))) / 1e6)


def one_year(facts: Facts, step: int, opening: Array, carried: Array) -> Facts:
    """The facts of one year by itself: its opening (n,) and what is carried into it (n,), GBP m."""
    whole, at = facts.situation, slice(step, step + 1)

    def of_year(table: Array | None) -> Array | None:
        return None if table is None else table[:, at]

    situation = Situation(
        places=whole.places,
        years=whole.years[at],
        pot=whole.pot[at],
        baseline=opening,
        target=whole.target[:, at],
        population=whole.population[:, at],
        previous_population=of_year(whole.previous_population),
        reserve=None if whole.reserve is None else whole.reserve[at],
        spend=None if whole.spend is None else whole.spend[:, at] + carried[:, None],
        groups=whole.groups,
    )
    return replace(facts, situation=situation)


def rolled(facts: Facts, openings: Array, calls: Array) -> Facts:
    """The facts of all years once they are decided: openings (n, T), and spend with what was carried into each year."""
    whole = facts.situation
    spend = None if whole.spend is None else whole.spend + calls
    carried = None if facts.loaded.scenario.carry_forward is None else calls
    return replace(facts, situation=replace(whole, openings=openings, spend=spend, carried=carried))


def _together(facts: Facts, plans: Sequence[Plan]) -> Plan:
    """One plan of all years: the programme that they are together, now that every opening is known."""
    scenario, first = facts.loaded.scenario, plans[0]
    programme, compiled = built(facts.situation, first.model, rules=scenario.rules, objectives=scenario.objectives)
    values = _collected(compiled, plans)
    allocation = np.column_stack([plan.allocation[:, 0] for plan in plans])
    stages = tuple(_sum([plan.stages[k] for plan in plans], len(compiled.rows)) for k in range(len(first.stages)))
    table = ledger(facts.situation, allocation, facts.inputs.name)
    return Plan(facts, first.model, programme, compiled, stages, values, allocation, table, by_year=tuple(plans))


def _collected(compiled: Compiled, plans: Sequence[Plan]) -> Array:
    """The years' points in the columns of the programme of all years."""
    found = {
        name: value for plan in plans for name, value in zip(plan.compiled.columns, plan.values.tolist(), strict=True)
    }
    return np.array([found[name] for name in compiled.columns])


def _sum(parts: Sequence[Stage], rows: int) -> Stage:
    """One objective over the years: sums of values, bounds and caps; proven where every year is."""
    value, bound = sum(one.value for one in parts), sum(one.bound for one in parts)
    return replace(
        parts[0],
        value=value,
        bound=bound,
        gap=abs(value - bound) / max(abs(value), TINY),
        proven=all(one.proven for one in parts),
        by=BY,
        method="; ".join(dict.fromkeys(one.method.split(":")[0] for one in parts)) + f", {len(parts)} years one by one",
        prices=np.zeros(rows),
        cap=sum(one.cap for one in parts),
        final_value=sum(one.final_value for one in parts),
    )
