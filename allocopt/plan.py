"""The way data flows, in one direction: scenario, inputs, targets, expected spend, problem, compiled, solution.

Each step is one public function elsewhere; `make_plan` calls them in order. Imports every room below `effects`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from allocopt.baseline import baseline
from allocopt.errors import PlanRefused
from allocopt.formula import Targets, targets, whole_words
from allocopt.inputs import Inputs, pot_against_baseline, read_inputs
from allocopt.ledger import ledger
from allocopt.model import Model, load_model
from allocopt.money_streams import Paid, made_recurrent, paid_streams
from allocopt.pot_places import check_pot
from allocopt.problem import Array, Situation
from allocopt.problem import Problem as Programme
from allocopt.required import check_needs, groupings
from allocopt.scenario import Loaded
from allocopt.solve.at_once import built
from allocopt.solve.certificate import largest_violation
from allocopt.solve.compiled import Compiled
from allocopt.solve.least import least_parts
from allocopt.solve.stages import KEPT, Stage, at_plan, capped, lexicographic
from allocopt.spend import ExpectedSpend, expected_spend
from allocopt.stress_inputs import StressInputs, read_stress, sampled_spend

if TYPE_CHECKING:
    from allocopt.solve.even import Evened

TOLERANCE = 1e-6
"""GBP million: a row may be missed by a pound before the plan is refused."""


@dataclass(frozen=True)
class Facts:
    """Everything known before a decision is made."""

    loaded: Loaded
    inputs: Inputs
    targets: Targets
    spend: ExpectedSpend | None
    situation: Situation
    stress: StressInputs | None = None
    streams: tuple[Paid, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A solved allocation: what was decided (`allocation`, (n, T) GBP m), how it was proved, the table in pounds."""

    facts: Facts
    model: Model
    programme: Programme
    compiled: Compiled
    stages: tuple[Stage, ...]
    values: Array
    """(columns,) the point itself"""
    allocation: Array
    table: pd.DataFrame
    even: Evened | None = None
    """How ties between equally good plans were broken; None when the plan is as the solver left it."""
    by_year: tuple[Plan, ...] = ()
    """The plan of each year, where years were decided one after another"""

    @property
    def status(self) -> str:
        """`optimal` when every stage is proven within the asked gap, else `gap`."""
        return "optimal" if all(stage.proven for stage in self.stages) else "gap"


def gather(loaded: Loaded) -> Facts:
    """Read, check and join the tables; apply the formula; draw or read expected spend."""
    return facts_of(loaded, read_inputs(loaded))


def facts_of(loaded: Loaded, inputs: Inputs) -> Facts:
    """What follows from tables that have been read: targets, expected spend, baseline."""
    check_pot(loaded, inputs)
    aims = targets(loaded.scenario, inputs)
    spend = expected_spend(loaded.scenario, inputs, aims) if loaded.scenario.inputs.spend else None
    streams = paid_streams(loaded.scenario, inputs, aims)
    base = made_recurrent(streams, baseline(loaded.scenario, inputs, aims))
    off = whole_words(loaded.scenario, inputs, aims)
    notes = (*pot_against_baseline(inputs, base), *off, *(one.words for one in streams))
    inputs = replace(inputs, notes=(*inputs.notes, *notes))
    stress = read_stress(loaded, inputs, aims, spend.spend.to_numpy(dtype=float) if spend else None)
    inputs = replace(inputs, files=(*inputs.files, *(stress.files if stress else ())))
    situation = Situation(
        places=tuple(inputs.places.index),
        years=inputs.years,
        pot=inputs.pot.to_numpy(dtype=float),
        baseline=base.to_numpy(dtype=float),
        target=aims.target.to_numpy(dtype=float),
        population=inputs.population.to_numpy(dtype=float),
        previous_population=_array(inputs.previous_population),
        reserve=None if inputs.reserve is None else inputs.reserve.to_numpy(dtype=float),
        spend=spend.spend.to_numpy(dtype=float) if spend else None,
        spend_draws=sampled_spend(stress),
        groups=groupings(inputs, aims),
    )
    check_needs(loaded, [load_model(name) for name in loaded.scenario.model], situation.groups)
    return Facts(loaded, inputs, aims, spend, situation, stress, streams)


def _array(table: pd.DataFrame | None) -> Array | None:
    return None if table is None else table.to_numpy(dtype=float)


def make_plan(facts: Facts, *, tell: Callable[[str], None] = lambda step: None) -> Plan:  # noqa: ARG005
    """Build and solve the programme of a scenario. Raises Infeasible, Unbounded or Stopped; `tell` hears each step."""
    scenario = facts.loaded.scenario
    model = load_model(scenario.model[0])
    tell("building the programme")
    programme, compiled = built(facts.situation, model, rules=scenario.rules, objectives=scenario.objectives)
    tell("solving")
    return solve_plan(facts, model, programme, compiled)


def solve_plan(facts: Facts, model: Model, programme: Programme, compiled: Compiled) -> Plan:
    """The stages in order, then the table in pounds."""
    objectives = [objective for objective, _ in programme.objectives]
    pot = float(facts.situation.pot.max())
    values, stages = lexicographic(compiled, objectives, solver=facts.loaded.scenario.solver, pot=pot)
    even = most_even(facts, compiled, stages)
    values = least_parts(compiled, values if even is None else even.values)
    stages = at_plan(compiled, stages, values)
    missed = largest_violation(compiled, values)
    if missed > TOLERANCE:
        raise PlanRefused(f"the solver's plan breaks a row by GBP {missed * 1e6:,.0f}: it is not written")
    allocation = allocation_of(compiled, facts.situation, values)
    table = ledger(facts.situation, allocation, facts.inputs.name)
    return Plan(facts, model, programme, compiled, stages, values, allocation, table, even)


def most_even(facts: Facts, compiled: Compiled, stages: tuple[Stage, ...]) -> Evened | None:
    """Of the plans that all stages leave, the one closest to uniform growth; None where it is not asked for or had."""
    situation = facts.situation
    unproven = any(stage.levels is not None or not stage.proven for stage in stages)
    if facts.loaded.scenario.solver.ties != "even" or unproven or len(situation.years) > 1:
        return None
    from allocopt.solve.even import evened  # noqa: PLC0415 - a path over years does without scipy's optimisers

    reference = situation.baseline * (situation.pot[0] / situation.baseline.sum())
    for keep_last, within in ((True, 0.0), (True, KEPT), (False, KEPT)):
        current = capped(compiled, stages, keep_last=keep_last, within=within)
        found = evened(compiled, current, reference=reference, weight=1 / situation.baseline)
        if found is not None:
            return found
    return None


def allocation_of(compiled: Compiled, situation: Situation, values: Array) -> Array:
    """The allocation columns of a point as an (n, T) array in the order of places and years."""
    place = {code: number for number, code in enumerate(situation.places)}
    step = {year: number for number, year in enumerate(situation.years)}
    columns = compiled.columns_of("allocation")
    keys = [compiled.columns[column][1] for column in columns.tolist()]
    result = np.zeros((len(place), len(step)))
    result[[place[code] for code, _ in keys], [step[year] for _, year in keys]] = values[columns]
    return result
