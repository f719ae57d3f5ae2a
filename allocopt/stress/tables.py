"""Everything that the `stress:` block asks for, as stress.csv, monitoring.csv and the words beside them.

Imports the rooms of `stress` and `plan`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from allocopt.plan import Facts, Plan
from allocopt.problem import Array
from allocopt.settings.stress import Stress
from allocopt.stress import monitoring, pools, reverse, robust, shocks, sizes, treasury, years
from allocopt.stress.bodies import Level, Rows, Subject, holder, levels_of, size_bands
from allocopt.stress.estimates import Row, table
from allocopt.stress.simulate import Asked, band_of, simulate
from allocopt.stress.treasury import Retention, retentions
from allocopt.stress.words import findings
from allocopt.stress_inputs import Labels, StressInputs
from allocopt.units import say_money

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Stressed:
    """What a stress found: tables by file name, the part of run.json, and what the reader must know."""

    tables: Mapping[str, pd.DataFrame]
    record: Mapping[str, Any]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Decided:
    """What was decided before the stress."""

    facts: Facts
    budget: Array
    """(n, T) what each place has, GBP million"""
    groups: Labels | None = None
    """(n,) the plan's own grouping; an empty label is a place by itself"""
    plan: Plan | None = None
    """The allocation that was solved, for the price of robustness"""


def stress_of(decided: Decided, *, tell: Tell = lambda step: None, workers: int | None = None) -> Stressed | None:  # noqa: ARG005
    """Stress what was decided as its scenario asks; None where it asks for nothing.

    The same draws for any number of `workers`. Raises ScenarioFault for a level or a test that is not there.
    """
    inputs = decided.facts.stress
    if inputs is None:
        return None
    rows: list[Row] = []
    found, tests, held = dict[str, pd.DataFrame](), dict[str, str](), None
    if inputs.risk is not None:
        subject = subject_of(decided, inputs)
        held = subject.holder
        rows += simulated(subject, inputs.settings, tests, tell=tell, workers=workers)
        rows += _more(decided, subject, inputs, tell=tell, workers=workers)
    if inputs.returns is not None and inputs.settings.monitoring is not None:
        tell("reading the returns")
        found["monitoring"] = monitoring.view(inputs.returns, inputs.settings.monitoring.bands)
        rows += monitoring.rows_of(found["monitoring"])
    return Stressed({"stress": table(rows), **found}, _record(inputs, rows, tests, held), _warnings(inputs))


def subject_of(decided: Decided, inputs: StressInputs) -> Subject:
    """The first year of what was decided, with its risk and its bodies."""
    assert inputs.risk is not None
    situation, aims = decided.facts.situation, decided.facts.targets
    assert situation.spend is not None
    levels = levels_of(situation.places, _labels(decided, inputs), decided.budget[:, 0], situation.population[:, 0])
    year = situation.years[0]
    target = aims.target[year].to_numpy(dtype=float)
    return Subject(
        risk=inputs.risk,
        base=inputs.risk.base[:, 0],
        expected=situation.spend[:, 0],
        components={name: frame[year].to_numpy(dtype=float) / target for name, frame in aims.components.items()},
        levels=levels,
        holder=holder(inputs, levels),
    )


def _labels(decided: Decided, inputs: StressInputs) -> Mapping[str, Labels]:
    """Who shares a budget: the column that the scenario names, else the plan's own grouping."""
    if decided.groups is None or "group" in inputs.labels:
        return inputs.labels
    places = np.array([f"alone: {place}" for place in decided.facts.situation.places])
    return {**inputs.labels, "group": np.where(decided.groups == "", places, decided.groups)}


def paid(plan: Plan) -> Array:
    """(n, T) the allocations of the table in GBP million: the rounded pounds that are really paid."""
    situation = plan.facts.situation
    pounds = plan.table.pivot_table(index="place", columns="year", values="allocation_gbp")
    found: Array = pounds.loc[list(situation.places), list(situation.years)].to_numpy(dtype=float) / 1e6
    return found


def simulated(
    subject: Subject, stress: Stress, tests: dict[str, str], *, tell: Tell, workers: int | None = None
) -> Iterator[Row]:
    """The plain simulation, retention rule by retention rule, then by size, then the standard set."""
    rules, seed = retentions(stress.retention), subject.risk.seed
    bands = size_bands(stress.sizes)
    rows: dict[Level, Rows] = {
        level: band_of(found, bands) for level, found in subject.levels.items() if level != "nation"
    }
    tell(f"stress: {stress.draws:,} draws of spend")
    plain = simulate(subject, draws=stress.draws, asked=Asked(rows, len(bands), stress.overspend), workers=workers)
    tests["correlated"] = f"areas' shocks shared; {rules[0].words}"
    tests["independent"] = "the same luck, with a shock of each place's own"
    yield from treasury.rows_of(plain, test="", rule=rules[0], stress=stress, seed=seed)
    for rule in rules[1:]:
        tests[treasury.slug(rule)] = rule.words
        yield from treasury.retention_rows(plain, rule=rule, stress=stress, seed=seed)
    held = {level: np.bincount(one[one >= 0], minlength=len(bands)).astype(float) for level, one in rows.items()}
    yield from treasury.size_rows(plain, bands, stress, held)
    yield from _tests(subject, stress, rules[0], tests, tell=tell, workers=workers)


def _tests(
    subject: Subject, stress: Stress, rule: Retention, tests: dict[str, str], *, tell: Tell, workers: int | None
) -> Iterator[Row]:
    for test in shocks.chosen(subject, stress.tests) if stress.tests else ():
        tell(f"stress: {test.name}")
        tests[test.name] = test.words
        outcome = simulate(subject, draws=stress.test_draws, shock=test.shock, workers=workers)
        yield from treasury.rows_of(
            outcome, test=test.name, rule=test.retention or rule, stress=stress, seed=subject.risk.seed
        )


def _more(
    decided: Decided, subject: Subject, inputs: StressInputs, *, tell: Tell, workers: int | None
) -> Iterator[Row]:
    """Years, reverse stress, pools, sizes and the price of robustness, as far as they are asked for."""
    stress, risk = inputs.settings, subject.risk
    rule = retentions(stress.retention)[0]
    if stress.years is not None:
        tell("stress: years")
        along = years.path(decided.budget, risk.base, stress.years)
        yield from years.rows_of(subject, along=along, rule=rule, stress=stress, workers=workers)
    if stress.reverse is not None:
        tell("stress: the smallest shock that breaches")
        yield from reverse.rows_of(subject, rule=rule, stress=stress, workers=workers)
    if stress.pool is not None:
        tell("stress: risk pools")
        yield from pools.rows_of(subject, rule=rule, stress=stress, workers=workers)
    if stress.population_risk is not None:
        mean_list = float(np.mean(subject.levels["place"].population))
        yield from sizes.rows_of(risk.model, mean_list=mean_list, asked=stress.population_risk)
    if decided.plan is not None and robust.is_robust(decided.plan):
        tell("stress: the price of robustness")
        yield from robust.rows_of(decided.plan, risk, fresh_draws=stress.test_draws)


def _record(inputs: StressInputs, rows: list[Row], tests: dict[str, str], held: str | None) -> dict[str, Any]:
    stress, risk = inputs.settings, inputs.risk
    if risk is None:
        return {"modelled_spend": False, "tests": tests}
    return {
        "modelled_spend": True,
        "words": risk.words,
        "seed": risk.seed,
        "draws": stress.draws,
        "test_draws": stress.test_draws,
        "confidence": "95%",
        "limit_gbp": round(1e6 * stress.limit),
        "retention": [rule.words for rule in retentions(stress.retention)],
        "budget_holder": held,
        "tests": tests,
        "headline": headline(rows),
        "by_test": by_test(rows, tests, held),
        "words_found": findings(rows, stress),
    }


def by_test(rows: list[Row], tests: Mapping[str, str], held: str | None) -> dict[str, Any]:
    """Exposure and breach under each test and in each year, where the budget is held: mean, 95th percentile, share."""
    wanted = {("exposure", "mean"): "exposure_gbp", ("exposure", "p95"): "exposure_p95_gbp"}
    wanted |= {("breach", "probability"): "breach_probability"}
    plain = {"correlated", "independent"}
    found: dict[str, Any] = {}
    for row in rows:
        key = wanted.get((row.measure, row.statistic))
        of = row.test.removesuffix("_independent")
        if key and row.level == held and row.test not in plain and (of in tests or of.startswith("year_")):
            found.setdefault(row.test, {})[key] = row.written()[-1]
    return found


def headline(rows: list[Row]) -> dict[str, Any]:
    """The figures of the plain simulation that people quote, by level."""
    wanted = {
        ("gross_deficit", "mean"): "gross_deficit_gbp",
        ("available_surplus", "mean"): "available_surplus_gbp",
        ("net", "mean"): "net_gbp",
        ("exposure", "mean"): "exposure_gbp",
        ("breach", "probability"): "breach_probability",
    }
    found: dict[str, Any] = {}
    for row in rows:
        key = wanted.get((row.measure, row.statistic))
        if key and row.test in ("correlated", "independent"):
            found.setdefault(row.test, {}).setdefault(row.level, {})[key] = row.written()[-1]
    return found


def _warnings(inputs: StressInputs) -> tuple[str, ...]:
    if inputs.risk is None:
        return ()
    limit = say_money(inputs.settings.limit)
    words = f"{inputs.risk.words}: every figure of stress.csv is made from draws of it; the limit is {limit}"
    return (words,)
