"""run.json: what was asked, what came out, how it was proved, from which files. No times: they stand beside it.

Imports `plan` and below.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from allocopt import __version__
from allocopt.awkward import awkward
from allocopt.cliffs import Cliff, cliffs, neighbours
from allocopt.ledger import CARRIED_COLUMNS, SPEND_COLUMNS
from allocopt.model import Rule
from allocopt.pathway import band_headline
from allocopt.plan import Facts, Plan
from allocopt.price import Price
from allocopt.problem import Array
from allocopt.rolling import path_words
from allocopt.scenario import OUTSIDE_EVERY_HASH
from allocopt.solve.leximin import Levels
from allocopt.solve.stages import Stage
from allocopt.units import say_money

PACKAGES = ("highspy", "numpy", "pandas", "pyomo", "scipy")
EVEN = (
    "of all plans that are equally good in every objective this is the one closest to uniform growth (squared "
    "differences over baseline), so places with equal claims are treated equally"
)
AS_SOLVED = (
    "other plans may be equally good in every objective: which one is written rests on the solver, and places with "
    "equal claims may be treated differently"
)
CARRIED = (
    "deficits are carried forward: spend_gbp holds what is carried into a year (carried_forward_gbp), and a deficit "
    "that is not repaid counts again in the gross deficit of every later year; deficit_new_gbp counts each once"
)
BINDING = 1e-6
"""GBP million: a row within a pound of its limit binds."""
FREE = 1e-9
"""A price that is no more than this is a solver's rounding."""


def inputs_hash(facts: Facts) -> str:
    """Sha-256 of everything that decides the answer: the resolved scenario and the bytes of every table."""
    said = {
        "scenario": {key: value for key, value in facts.loaded.resolved.items() if key not in ("why", "source")},
        "files": sorted((one.file, one.sha256) for one in facts.inputs.files),
    }
    return hashlib.sha256(canonical(said).encode()).hexdigest()


def overrides_of(facts: Facts) -> list[str]:
    """What was changed of the scenario; not what decides no figure, which stands in timing.json."""
    aside = tuple(f"{'.'.join(keys)}: " for keys in OUTSIDE_EVERY_HASH)
    return [one for one in facts.loaded.overrides if not one.startswith(aside)]


def canonical(data: Any) -> str:
    """JSON with one spelling: sorted keys, no spaces that depend on mood, no NaN."""
    return json.dumps(data, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def record(plan: Plan, priced: Mapping[str, Price]) -> dict[str, Any]:
    """The whole of run.json for a plan, as plain JSON data; `priced` by rule, empty where no prices are asked for."""
    facts = plan.facts
    jumps = cliffs(facts)
    return {
        **what_was_asked(facts, plan.status),
        "pot_gbp": {
            year: round(float(pot) * 1e6) for year, pot in zip(facts.situation.years, facts.situation.pot, strict=True)
        },
        "objectives": _stage_records(plan),
        "headline": headline(plan.table) | band_headline(plan.table, facts.loaded.scenario.report.band),
        "rules": [_rule_record(plan, rule, priced.get(rule.name)) for rule in plan.programme.rules.values()],
        "cliffs": [one.as_dict() for one in jumps],
        "neighbours": neighbours(facts, plan.allocation),
        **what_it_rests_on(facts, [*warnings_of(facts, jumps), *ties_warning(plan)]),
        "ties": ties_record(plan),
    }


def what_was_asked(facts: Facts, status: str) -> dict[str, Any]:
    """The first part of every run.json: the scenario as it was resolved, its hash, and how the run ended."""
    return {
        "format": 1,
        "name": facts.loaded.scenario.name,
        "hash": inputs_hash(facts),
        "scenario": dict(facts.loaded.resolved),
        "overrides": overrides_of(facts),
        "model": facts.loaded.scenario.model,
        "status": status,
    }


def what_it_rests_on(facts: Facts, warnings: Sequence[str]) -> dict[str, Any]:
    """The last part of every run.json: files, versions, what the reader must know, and where spend comes from."""
    return {
        "inputs": [{"file": one.file, "sha256": one.sha256, "rows": one.rows} for one in facts.inputs.files],
        "versions": versions(),
        "warnings": list(warnings),
        "modelled_spend": facts.spend.modelled if facts.spend else False,
        "seed": facts.spend.seed if facts.spend else None,
        "spend": facts.spend.words if facts.spend else None,
    }


def ties_record(plan: Plan) -> dict[str, Any]:
    """Which of several equally good plans this is, and the relative gap of the proof that it is the most even."""
    if plan.even is None:
        return {"broken": "as_solved", "gap": None, "words": AS_SOLVED}
    return {"broken": "even", "gap": plan.even.gap, "words": EVEN}


def ties_warning(plan: Plan) -> list[str]:
    """A plan that is one of several says so, unless the rules leave nothing to choose."""
    return [AS_SOLVED] if plan.even is None else []


def facts_record(facts: Facts) -> dict[str, Any]:
    """What `check --json` says: what a run would be made from."""
    return {
        "name": facts.loaded.scenario.name,
        "scenario": dict(facts.loaded.resolved),
        "hash": inputs_hash(facts),
        "places": len(facts.situation.places),
        "years": list(facts.situation.years),
        "pot_gbp": [round(float(pot) * 1e6) for pot in facts.situation.pot],
        "baseline_gbp": round(float(facts.situation.baseline.sum()) * 1e6),
        "inputs": [{"file": one.file, "sha256": one.sha256, "rows": one.rows} for one in facts.inputs.files],
        "overrides": overrides_of(facts),
        "warnings": warnings_of(facts),
    }


def warnings_of(facts: Facts, jumps: Sequence[Cliff] | None = None) -> list[str]:
    """What the reader must know: the loader's warnings, the choices applied to the data, modelled spend, awkward places
    of a grouping and cliffs.

    `jumps` are the cliffs when they have been looked for already.
    """
    said = [*facts.loaded.warnings, *facts.inputs.notes]
    words = path_words(facts.loaded.scenario)
    said += [] if words is None else [words]
    if facts.loaded.scenario.carry_forward is not None:
        said.append(CARRIED)
    if facts.spend and facts.spend.modelled:
        said.append(f"{facts.spend.words}: every deficit and surplus here is made from it")
    return [*said, *awkward(facts), *(one.words for one in (cliffs(facts) if jumps is None else jumps))]


def _stage_records(plan: Plan) -> list[dict[str, Any]]:
    """One a stage; of a rolling path with each year's own."""
    found = [stage_record(stage) for stage in plan.stages]
    for number, said in enumerate(found if plan.by_year else ()):
        said["by_year"] = {one.facts.situation.years[0]: stage_record(one.stages[number]) for one in plan.by_year}
    return found


def stage_record(stage: Stage) -> dict[str, Any]:
    """One objective as the contract has it; money in GBP million, the gap also in pounds."""
    return {
        "name": stage.name,
        "unit": stage.unit,
        "value": stage.value,
        "bound": stage.bound if np.isfinite(stage.bound) else None,
        "gap": stage.gap if np.isfinite(stage.gap) else None,
        "gap_gbp": stage.gap_gbp if stage.gap_gbp is not None and np.isfinite(stage.gap_gbp) else None,
        "final_value": stage.final_value,
        "cap": stage.cap,
        "proven": stage.proven,
        "by": stage.by,
        "method": stage.method,
        **({"levels": levels_record(stage.levels)} if stage.levels else {}),
    }


def levels_record(levels: Levels) -> dict[str, Any]:
    """What was settled below the worst place; a row is a place in a year."""
    return {
        "common": [{"value": one.value, "bound": one.bound, "rows": one.rows} for one in levels.common],
        "rows_at_their_own_limits": levels.own,
        "complete": levels.complete,
    }


def headline(table: pd.DataFrame) -> dict[str, Any]:
    """The figures people quote, from the whole pounds of the table; money of all years together."""
    found: dict[str, Any] = {
        "places": int(table["place"].nunique()),
        "years": int(table["year"].nunique()),
        "pot_gbp": int(table["allocation_gbp"].sum()),
        "baseline_gbp": int(table["baseline_gbp"].sum()),
        "movement_gbp": int(np.maximum(0, table["allocation_gbp"] - table["uniform_gbp"]).sum()),
        "shortfall_below_target_gbp": int(np.maximum(0, table["target_gbp"] - table["allocation_gbp"]).sum()),
        "places_gaining": int((table["allocation_gbp"] > table["uniform_gbp"]).sum()),
        "places_losing": int((table["allocation_gbp"] < table["uniform_gbp"]).sum()),
        "opening_dft_least_pct": float(table["opening_dft_pct"].min()),
        "opening_dft_most_pct": float(table["opening_dft_pct"].max()),
        "closing_dft_least_pct": float(table["closing_dft_pct"].min()),
        "closing_dft_most_pct": float(table["closing_dft_pct"].max()),
    }
    if set(SPEND_COLUMNS) <= set(table.columns):
        found |= _deficit_headline(table)
    if set(CARRIED_COLUMNS) <= set(table.columns):
        last = table[table["year"] == table["year"].iloc[-1]]
        found["new_deficit_gbp"] = int(table["deficit_new_gbp"].sum())
        found["closing_deficit_gbp"] = int(last["deficit_gbp"].sum())
    return found


def _deficit_headline(table: pd.DataFrame) -> dict[str, int]:
    gross, surplus = int(table["deficit_gbp"].sum()), int(table["surplus_gbp"].sum())
    return {
        "spend_gbp": int(table["spend_gbp"].sum()),
        "gross_deficit_gbp": gross,
        "gross_surplus_gbp": surplus,
        "net_deficit_gbp": gross - surplus,
        "deficit_underfunding_gbp": int(table["deficit_underfunding_gbp"].sum()),
        "deficit_above_need_gbp": int(table["deficit_above_need_gbp"].sum()),
        "places_in_deficit": int((table["deficit_gbp"] > 0).sum()),
    }


def _rule_record(plan: Plan, rule: Rule, price: Price | None) -> dict[str, Any]:
    compiled = plan.compiled
    rows = np.flatnonzero(compiled.row_component == rule.name)
    activity = compiled.matrix[rows] @ plan.values
    away = np.minimum(activity - compiled.row_lower[rows], compiled.row_upper[rows] - activity)
    binding = int((away <= BINDING).sum())
    setting = plan.programme.settings[rule.name]
    said, found = said_parameters(rule, setting.parameters), _found(plan, rule)
    return {
        "name": rule.name,
        "parameters": {
            name: parameter.write(setting.parameters.get(name, parameter.default))
            for name, parameter in rule.parameters.items()
        },
        "rows": len(rows),
        "binding": binding,
        **(price.as_dict() if price else {"price": None}),
        "words": f"{rule.name}{f' {said}' if said else ''}: "
        f"binds in {binding:,} of {len(rows):,} rows{_off_by_slack(plan, away, price)}{_found_words(found)}",
        **({"found": found} if found else {}),
        "source": setting.source or rule.source,
        "why": setting.why,
    }


def slack_left(stages: Sequence[Stage]) -> float:
    """GBP million that finished stages left to later ones: what a place may lie off a limit that holds it."""
    return sum(abs(stage.cap - stage.value) for stage in stages if stage.unit == "GBP m")


def _off_by_slack(plan: Plan, away: Array, price: Price | None) -> str:
    """Where a rule costs something and seems to bind nowhere: what the slack of the stages has moved off its limits."""
    if price is None or (price.price or 0.0) <= FREE or not len(away) or away.min() <= BINDING:
        return ""
    slack = slack_left(plan.stages)
    near = int((away <= slack).sum())
    return (
        f" to the pound; {near:,} are within the {say_money(slack)} that the slack of the objectives may move a place"
    )


def _found(plan: Plan, rule: Rule) -> dict[str, float]:
    """The shares that a rule leaves the pot to determine, by year: each lies between 0 and 1."""
    compiled = plan.compiled
    columns = compiled.columns_of(rule.finds) if rule.finds else ()
    return {compiled.columns[column][1][-1]: float(plan.values[column]) for column in columns}


def _found_words(found: Mapping[str, float]) -> str:
    return "".join(
        f"; scaling factor {value:.6f} in {year} (it must lie between 0 and 1)" for year, value in found.items()
    )


def said_parameters(rule: Rule, parameters: Mapping[str, Any]) -> str:
    """A rule's parameters in the units of the scenario: `rate 2%, taper {...}`."""
    return ", ".join(f"{name} {rule.parameters[name].write(value)}" for name, value in parameters.items())


def versions() -> dict[str, str]:
    """What computed this: the interpreter and the packages whose results it rests on."""
    return dict(_versions())


@cache
def _versions() -> dict[str, str]:
    return {"allocopt": __version__, "python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
