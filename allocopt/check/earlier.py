"""The allocation that was made before a grouping and pooled by it: its part of run.json, checked as a run's own is.

Its row prices and what proves its rules' prices stand in the grouping's certificate under `before.`. Imports the rooms
of the checker that look at allocations, `consortia` and `problem`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd

from allocopt.check.bound import (
    Recompiled,
    check_bounds,
    check_objectives_recompiled,
    check_recompiled,
    decided_of,
)
from allocopt.check.decided import Decided
from allocopt.check.inputs import Known, Plain
from allocopt.check.kept import Certificate
from allocopt.check.plan import check_headline, given_of
from allocopt.check.pooled import table_at
from allocopt.check.prices import check_prices
from allocopt.check.rules import check_objectives
from allocopt.check.stages import check_stages
from allocopt.check.verdict import Check
from allocopt.check.without import check_binding
from allocopt.consortia import models_before
from allocopt.model import load_model
from allocopt.plan import Facts
from allocopt.problem import build
from allocopt.solve.compiled import compile_problem

MARK = "before."


def check_before(facts: Facts, record: Plain, folder: Path, own: Known) -> Iterator[Check]:
    """Headline, stages, objectives, bounds and prices of the allocation; each check is named after it."""
    table = table_at(folder, "allocations")
    decided = decided_of(own, given_of(table))
    for one in _checks(models_before(facts), _as_a_run(record, decided.known), table, decided, folder):
        yield replace(one, name=f"before: {one.name}")


def _as_a_run(record: Plain, own: Known) -> Plain:
    """The allocation's part as the record of a run of its own."""
    pots = {year: round(float(pot)) for year, pot in zip(own.years, own.pot, strict=True)}
    return {**record, **record["before"], "pot_gbp": pots}


def _checks(facts: Facts, record: Plain, table: pd.DataFrame, decided: Decided, folder: Path) -> Iterator[Check]:
    scenario, model = facts.loaded.scenario, load_model(facts.loaded.scenario.model[0])
    programme = build(facts.situation, model, rules=scenario.rules, objectives=scenario.objectives)
    of = Recompiled(facts, model, programme, compile_problem(programme))
    yield check_headline(table, record)
    yield from check_stages(record)
    yield from check_objectives(decided, record)
    yield from check_objectives_recompiled(of, decided, record)
    yield from check_recompiled(of, decided, record)
    yield from check_binding({}, facts, record)
    certificate = Certificate.read(folder / "certificate.npz")
    if not certificate.part("before"):
        yield Check("bounds", record["objectives"] == [], "no row prices are kept: made by an earlier version")
        return
    yield from check_bounds(of, record, folder / "certificate.npz", mark=MARK)
    yield from check_prices(of, decided.known, record, Certificate(certificate.part("before")))
