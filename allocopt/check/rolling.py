"""A rolling path looked at again: every year rebuilt on the pounds of the year before, its bounds proved by itself.

Openings and carried deficits are taken from the table's own pounds by the definitions, not from the run. Imports
`check.bound`, `check.inputs`, `plan` and `rolling` (to build each year's programme), `check.verdict`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from allocopt.check.bound import MILLION, Found, Recompiled, check_bounds
from allocopt.check.inputs import Known, Plain
from allocopt.check.verdict import Check, Floats, compared, measured
from allocopt.model import load_model
from allocopt.plan import gather
from allocopt.problem import build
from allocopt.rolling import is_rolling, one_year, rolled
from allocopt.solve.compiled import compile_problem


def with_openings(known: Known, given: Floats, record: Plain) -> Known:
    """What is known, with the openings and carried deficits that `given` (n, T) pounds leave year by year."""
    if record["scenario"].get("path") != "rolling" or len(known.years) == 1:
        return known
    openings = np.column_stack([known.baseline, given[:, :-1]])
    if known.spend is None or not record["scenario"].get("carry_forward"):
        return replace(known, openings=openings)
    return replace(known, openings=openings, spend=known.spend + carried(known, given, record))


def carried(known: Known, given: Floats, record: Plain) -> Floats:
    """(n, T) pounds: the share of each deficit, with what was carried into it, that the next year must pay first."""
    said, calls = record["scenario"].get("carry_forward"), np.zeros_like(given)
    if said is None or known.spend is None:
        return calls
    for step in range(1, given.shape[1]):
        spend = np.rint(known.spend[:, step - 1] + calls[:, step - 1])
        calls[:, step] = np.rint(said["share"] * np.maximum(0.0, spend - given[:, step - 1]))
    return calls


def check_calls(table: pd.DataFrame, calls: Floats) -> Iterator[Check]:
    """What the table says was carried into each year is the share of the deficit that the year before left."""
    off = np.abs(table["carried_forward_gbp"].to_numpy() - calls.ravel())
    at = [f"{place} {year}" for place, year in zip(table["place"], table["year"], strict=True)]
    yield measured("carried forward", off, at=at, what="the share of the deficit of the year before", tolerance=0.0)


def recompile_rolled(found: Found, of: Recompiled, given: Floats, calls: Floats) -> Recompiled:
    """The programme of all years with the openings that the table's pounds give."""
    if not is_rolling(found.scenario):
        return of
    openings = np.column_stack([of.facts.situation.baseline, given[:, :-1] / MILLION])
    facts = rolled(gather(found), openings, calls / MILLION)
    programme = build(facts.situation, of.model, rules=found.scenario.rules, objectives=found.scenario.objectives)
    return Recompiled(facts, of.model, programme, compile_problem(programme))


def check_rolled_bounds(
    found: Found, given: Floats, calls: Floats, record: Plain, certificate: Path
) -> Iterator[Check]:
    """Each year's bounds by that year's prices, and the sums over the years."""
    facts, model = gather(found), load_model(found.scenario.model[0])
    for stage in record["objectives"]:
        for figure in ("value", "bound", "cap", "final_value"):
            total = sum(one[figure] for one in stage["by_year"].values())
            wrong = [] if np.isclose(total, stage[figure], rtol=1e-12, atol=1e-9) else [f"{figure} is {stage[figure]}"]
            yield compared(f"{stage['name']} {figure} over the years", wrong, f"{total:,.6f}")
    for step, year in enumerate(found.scenario.years):
        opening = facts.situation.baseline if step == 0 else given[:, step - 1] / MILLION
        one = one_year(facts, step, opening, calls[:, step] / MILLION)
        programme = build(one.situation, model, rules=found.scenario.rules, objectives=found.scenario.objectives)
        of = Recompiled(one, model, programme, compile_problem(programme))
        said = {"objectives": [stage["by_year"][year] for stage in record["objectives"]]}
        for check in check_bounds(of, said, certificate, mark=f"{year}."):
            yield replace(check, name=f"{check.name} {year}")
