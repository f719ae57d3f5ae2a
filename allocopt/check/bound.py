"""Bounds proved again without the solver: the programme compiled from the inputs, the kept prices, weak duality.

The scenario is taken from run.json, the tables from where they are now; the programme is built and compiled anew. For
any row prices y, every plan with L <= A x <= U and l <= x <= u costs at least

    sum_i min(y_i L_i, y_i U_i) + sum_j min(d_j l_j, d_j u_j),   d = c - A' y

This is written here again, not imported. The compiled programme is held against the checker's own rules too, so that
the bound is one for the programme that the plan obeys. Imports `plan` and below (to compile), `check.rules`,
`check.inputs`, `check.verdict`.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import numpy as np
import scipy.sparse as sp
from pydantic import BaseModel

from allocopt.check.decided import Decided, Limits
from allocopt.check.inputs import Known, Plain, keys_of
from allocopt.check.rules import BY_DRAWS, EXTREMES, MEASURES, SECOND, limits, said_of
from allocopt.check.verdict import POUND, Check, Floats, compared, measured
from allocopt.model import Model, load_model
from allocopt.plan import Facts, gather
from allocopt.problem import Problem, build
from allocopt.scenario import Loaded
from allocopt.settings import ObjectiveSetting, Report, RuleSetting, Scenario
from allocopt.solve.compiled import Compiled, compile_problem

MILLION = 1e6
RELATIVE = 1e-9


@dataclass(frozen=True)
class Found(Loaded):
    """A scenario taken from run.json, with its tables where they are now."""

    tables: Mapping[str, Path | None] = field(default_factory=dict)

    def table_path(self, *keys: str) -> Path:
        """The table of a key path. Raises KeyError when it is nowhere."""
        path = next((path for which, path in self.tables.items() if keys_of(which) == keys), None)
        if path is None:
            raise KeyError(".".join(keys))
        return path.resolve()


def recall(record: Plain, tables: Mapping[str, Path | None], folder: Path) -> Found:
    """The scenario of a run from run.json, whose quantities are in internal units already."""
    said = dict(record["scenario"])
    models = [load_model(name) for name in said["model"]]
    known_rules = {one.name: one.parameters for model in reversed(models) for one in (*model.always, *model.rules)}
    aims = {one.name: one.parameters for model in reversed(models) for one in model.objectives}
    rules = {name: _setting(known_rules[name], one) for name, one in said.pop("rules", {}).items()}
    objectives = [
        ObjectiveSetting(name=one["name"], **_setting_parts(aims[one["name"]], one))
        for one in said.pop("objectives", [])
    ]
    parts = {key: _typed(Scenario.model_fields[key].annotation, value) for key, value in said.items()}
    scenario = Scenario.model_construct(**{**parts, "rules": rules, "objectives": objectives, "report": Report()})
    return Found(scenario, folder / "run.json", {}, (), (), record["scenario"], tables=tables)


def _setting(parameters: Mapping[str, Any], said: Plain) -> RuleSetting:
    return RuleSetting(**_setting_parts(parameters, said))


def _setting_parts(parameters: Mapping[str, Any], said: Plain) -> dict[str, Any]:
    own = {key: value for key, value in said.items() if key not in ("name", "source", "why")}
    typed = {key: _typed(parameters[key].annotation, value) for key, value in own.items()}
    return {"parameters": typed, "source": said.get("source"), "why": said.get("why")}


def _typed(annotation: Any, value: Any) -> Any:
    """Plain data as the types that a scenario has, without reading units again."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _typed(get_args(annotation)[0], value)
    if origin in (Union, types.UnionType):
        shapes = [_unwrapped(one) for one in get_args(annotation)]
        return _typed(next((one for one in shapes if _fits(one, value)), Any), value)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        names = {info.alias or name: info.annotation for name, info in annotation.model_fields.items()}
        return annotation.model_construct(**{key: _typed(names[key], one) for key, one in value.items()})
    if origin is dict and isinstance(value, Mapping):
        return {key: _typed(get_args(annotation)[1], one) for key, one in value.items()}
    if origin is list and isinstance(value, list):
        return [_typed(get_args(annotation)[0], one) for one in value]
    return value


def _unwrapped(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _fits(annotation: Any, value: Any) -> bool:
    shaped = (isinstance(annotation, type) and issubclass(annotation, BaseModel)) or get_origin(annotation) is dict
    return (
        shaped
        if isinstance(value, Mapping)
        else not shaped and (get_origin(annotation) is list) == isinstance(value, list)
    )


@dataclass(frozen=True)
class Recompiled:
    """The programme of a run, compiled anew from its inputs."""

    facts: Facts
    model: Model
    programme: Problem
    compiled: Compiled

    @cached_property
    def row_at(self) -> dict[str, int]:
        """The position of each row by its name."""
        return {name: row for row, name in enumerate(self.compiled.row_names)}


def recompile(found: Found) -> Recompiled:
    """Build and compile the programme of a run. Raises InputFault or Infeasible."""
    scenario, facts = found.scenario, gather(found)
    model = load_model(scenario.model[0])
    programme = build(facts.situation, model, rules=scenario.rules, objectives=scenario.objectives)
    return Recompiled(facts, model, programme, compile_problem(programme))


def drawn_distance(facts: Facts) -> Floats | None:
    """(n,) the distances from need of modelled spend, drawn again by the spend model; None when it is not modelled."""
    said = facts.loaded.scenario.inputs.spend
    if said is None or said.risk_model is None or facts.spend is None:
        return None
    year = facts.inputs.years[0]
    return np.asarray(facts.spend.spend[year] / facts.targets.target[year] - 1.0, dtype=np.float64)


def check_recompiled(of: Recompiled, decided: Decided, record: Plain) -> Iterator[Check]:
    """The programme whose bound is proved has the checker's own figures and limits, and the rules of run.json."""
    known, situation = decided.known, of.facts.situation
    pairs = {"target": (situation.target, known.target), "baseline": (situation.baseline, known.baseline)}
    if situation.spend is not None and known.spend is not None:
        pairs["spend"] = (situation.spend, known.spend)
    off = {name: float(np.max(np.abs(MILLION * mine - its))) for name, (mine, its) in pairs.items()}
    words = "the programme's figures against the checker's own"
    yield measured("recompiled figures", np.array(list(off.values())), at=list(off), what=words, tolerance=0.01)
    yield _rules_listed(of, record)
    for name in of.programme.rules:
        if name in SECOND:
            yield _same_limits(of, decided, name, said_of(record, name))


def _rules_listed(of: Recompiled, record: Plain) -> Check:
    found = {one["name"]: one for one in record["rules"]}
    wrong = [f"run.json does not list {name}" for name in of.programme.rules if name not in found]
    wrong += [f"run.json lists {name}, which is not on" for name in found if name not in of.programme.rules]
    for name, rule in of.programme.rules.items():
        setting = of.programme.settings[name].parameters
        said = {key: one.write(setting.get(key, one.default)) for key, one in rule.parameters.items()}
        rows = int((of.compiled.row_component == name).sum())
        if name in found and (found[name]["parameters"] != said or found[name]["rows"] != rows):
            wrong.append(f"{name} has parameters {said} and {rows:,} rows, run.json says otherwise")
    return compared("rules listed", wrong, f"{', '.join(of.programme.rules)}, with their parameters")


def _same_limits(of: Recompiled, decided: Decided, name: str, parameters: Plain) -> Check:
    """Pounds between plan and limit, row by row, in the compiled programme and in the second implementation."""
    point, at, missed = plan_point(of, decided), list[str](), list[float]()
    slack = dict(zip(of.compiled.row_names, MILLION * _row_slack(of.compiled, point), strict=True))
    for step, year in enumerate(decided.known.years):
        second = limits(name, decided, step, parameters)
        if not second.row_by_row:
            continue
        for row, one in zip(_row_names(name, decided, second, year), second.slack, strict=True):
            if row in slack or np.isfinite(one):
                at.append(row)
                missed.append(abs(slack.get(row, np.inf) - one))
    what = "rows of the recompiled programme against the second implementation"
    return measured(f"programme {name}", np.array(missed), at=at, what=what, tolerance=0.01)


def _row_names(name: str, decided: Decided, found: Limits, year: str) -> list[str]:
    if found.groups is not None:
        return [f"{name}[{one},{year}]" for one in found.groups]
    by_place = len(found.amount) == len(decided.known.places)
    return [f"{name}[{p},{year}]" for p in decided.known.places] if by_place else [f"{name}[{year}]"]


def _row_slack(compiled: Compiled, point: Floats) -> Floats:
    activity = compiled.matrix @ point
    return np.asarray(np.minimum(activity - compiled.row_lower, compiled.row_upper - activity))


def plan_point(of: Recompiled, decided: Decided) -> Floats:
    """(columns,) GBP million: the allocations in whole pounds, every other column at the least its rows allow."""
    compiled, known = of.compiled, decided.known
    place = {code: row for row, code in enumerate(known.places)}
    step = {year: column for column, year in enumerate(known.years)}
    point = np.where(np.isfinite(compiled.column_lower), compiled.column_lower, 0.0)
    fixed = compiled.column_component == "allocation"
    for column in np.flatnonzero(fixed):
        code, year = compiled.columns[column][1]
        point[column] = decided.given[place[code], step[year]] / MILLION
    return completed(compiled, point, fixed)


def completed(compiled: Compiled, point: Floats, fixed: Any) -> Floats:
    """Columns that are not `fixed` at the least that rows with one such column allow."""
    free = sp.csr_array(compiled.matrix[:, np.flatnonzero(~fixed)])
    held = compiled.matrix[:, np.flatnonzero(fixed)] @ point[fixed]
    single = np.flatnonzero(np.diff(free.indptr) == 1)
    column = np.flatnonzero(~fixed)[free.indices[free.indptr[single]]]
    slope = free.data[free.indptr[single]]
    side = np.where(slope > 0, compiled.row_lower[single], compiled.row_upper[single])
    needed = (side - held[single]) / slope
    finite = np.isfinite(needed)
    np.maximum.at(point, column[finite], needed[finite])
    return point


def check_rule_recompiled(of: Recompiled, decided: Decided, name: str) -> Check:
    """A rule that has no second implementation, on its rows in the recompiled programme, in pounds."""
    compiled, point = of.compiled, plan_point(of, decided)
    rows = np.flatnonzero(compiled.row_component == name)
    missed = np.maximum(0.0, -MILLION * _row_slack(compiled, point)[rows])
    moved = np.asarray(abs(compiled.matrix[rows]) @ _rounding(compiled)) * POUND
    what = "checked on the recompiled programme only (it has no second implementation)"
    at = [compiled.row_names[row] for row in rows]
    return measured(f"rule {name}", missed, at=at, what=what, tolerance=np.maximum(POUND, moved))


def _rounding(compiled: Compiled) -> Floats:
    """(columns,) pounds by which rounding may move a column: a pound for an allocation, what follows for the others."""
    fixed = compiled.column_component == "allocation"
    free = sp.csr_array(compiled.matrix[:, np.flatnonzero(~fixed)])
    moved: Floats = fixed.astype(np.float64)
    single = np.flatnonzero(np.diff(free.indptr) == 1)
    column = np.flatnonzero(~fixed)[free.indices[free.indptr[single]]]
    step = (abs(compiled.matrix) @ moved)[single] / np.abs(free.data[free.indptr[single]])
    np.maximum.at(moved, column, step)
    return moved


def check_objectives_recompiled(of: Recompiled, decided: Decided, record: Plain) -> Iterator[Check]:
    """Final values of objectives without a second implementation, on the recompiled programme."""
    compiled, point = of.compiled, plan_point(of, decided)
    for number, said in enumerate(record["objectives"]):
        if said["name"] in MEASURES or said["name"] in EXTREMES or said["name"] in BY_DRAWS:
            continue
        found = compiled.sense[number] * float(compiled.costs[number] @ point + compiled.offsets[number])
        scale = MILLION if said["unit"] == "GBP m" else 1.0
        allowed = scale * (float(np.abs(compiled.costs[number]) @ _rounding(compiled)) / MILLION + 1e-9 * abs(found))
        what = "on the recompiled programme only (it has no second implementation)"
        missed = np.array([scale * abs(float(said["final_value"]) - found)])
        yield measured(f"objective {said['name']}", missed, at=["the plan"], what=what, tolerance=allowed)


def check_bounds(of: Recompiled, record: Plain, certificate: Path, *, mark: str = "") -> Iterator[Check]:
    """Each stage's bound from its kept prices, on the recompiled matrices with the caps of the stages before."""
    wanted = [objective.name for objective, _ in of.programme.objectives]
    said = [one["name"] for one in record["objectives"]]
    yield compared(
        "objectives listed",
        [] if wanted == said else [f"run.json has {said}, the scenario {wanted}"],
        ", ".join(wanted) or "none",
    )
    if wanted != said:
        return
    with np.load(certificate, allow_pickle=False) as kept:
        arrays = {name.removeprefix(mark): kept[name] for name in kept.files if name.startswith(mark)}
    for number, stage in enumerate(record["objectives"]):
        yield _bound(of, record["objectives"][:number], number, stage, arrays)


def _bound(of: Recompiled, before: list[Plain], number: int, stage: Plain, arrays: Mapping[str, Any]) -> Check:
    name = f"bound {stage['name']}"
    if of.compiled.integer.any():
        words = f"stated by {stage['by']}: branch and bound, not re-proved"
        return Check(name, stage["by"] == "highs", words)
    if stage["bound"] is None:
        return Check(name, not stage["proven"], "no bound is stated, so none is re-proved")
    sense, offset = of.compiled.sense[number], float(of.compiled.offsets[number])
    rows, prices = _prices(of, before, stage["name"], arrays)
    held = _with_levels(of, before, arrays)
    y = np.zeros(len(of.row_at) + len(before))
    y[rows] = prices
    proved = max(_dual(held, before, number, y), _dual(held, before, number, 0.0 * y)) + offset
    short = sense * float(stage["bound"]) - proved
    scale, unit = (MILLION, "£") if stage["unit"] == "GBP m" else (1.0, stage["unit"])
    allowed = RELATIVE * abs(float(stage["bound"])) * scale + (POUND if unit == "£" else 0.0)
    passed = bool(short * scale <= allowed)
    words = f"re-proved by weak duality with {len(rows):,} prices: {sense * proved:,.6f} {stage['unit']}"
    if not passed:
        words = (
            f"the kept prices prove only {sense * proved:,.6f} {stage['unit']}, run.json states {stage['bound']:,.6f}"
        )
    return Check(name, passed, words, max(0.0, short * scale) if np.isfinite(short) else None, allowed)


def _prices(of: Recompiled, before: list[Plain], name: str, arrays: Mapping[str, Any]) -> tuple[Any, Floats]:
    """Row positions and prices of a stage; caps follow the programme's own rows. Raises KeyError for an unknown row."""
    caps = {f"cap_{one['name']}": len(of.row_at) + number for number, one in enumerate(before)}
    at = of.row_at | caps
    rows = np.array([at[row.decode("utf-8")] for row in arrays[f"{name}.rows"]], dtype=np.intp)
    prices = np.asarray(arrays[f"{name}.prices"], dtype=np.float64)
    if len(rows) != len(prices) or len(set(rows.tolist())) != len(rows) or not np.isfinite(prices).all():
        raise ValueError(f"the prices of {name} are not one finite number a row")
    return rows, prices


def _with_levels(of: Recompiled, before: list[Plain], arrays: Mapping[str, Any]) -> Compiled:
    """The programme in which every place keeps the level that an earlier stage settled below the worst place.

    Row T_p z + x_p >= T_p becomes x_p >= T_p (1 - level_p), with the stage's slack and a penny at most.
    """
    compiled, slack = of.compiled, float(of.facts.loaded.scenario.solver.slack)
    for one in before:
        if f"{one['name']}.settled" not in arrays:
            continue
        level = np.asarray(arrays[f"{one['name']}.settled"], dtype=np.float64)
        z = f"{one['name']}_level"
        at = np.flatnonzero(compiled.row_component == f"{z}_definition")
        body = compiled.matrix.tolil()
        body[at, int(np.flatnonzero(compiled.column_component == z)[0])] = 0.0
        lower = compiled.row_lower.copy()
        target = compiled.row_lower[at]
        kept = target * (1.0 - level - np.maximum(slack * level, 1e-9))
        lower[at] = kept - np.minimum(1e-8, 5e-7 * target)
        compiled = replace(compiled, matrix=sp.csr_array(body), row_lower=lower)
    return compiled


def check_levels(of: Recompiled, decided: Decided, certificate: Path) -> Iterator[Check]:
    """Every place keeps the level that was settled for it, to the pound and the stage's slack."""
    with np.load(certificate, allow_pickle=False) as kept:
        levels = {name.removesuffix(".settled"): kept[name] for name in kept.files if name.endswith(".settled")}
    slack = float(of.facts.loaded.scenario.solver.slack)
    for name, level in levels.items():
        rows = [
            of.compiled.rows[row][1] for row in np.flatnonzero(of.compiled.row_component == f"{name}_level_definition")
        ]
        place = {code: number for number, code in enumerate(decided.known.places)}
        spot = [(place[code], decided.known.years.index(year)) for code, year in rows]
        target = np.array([decided.known.target[one] for one in spot])
        given = np.array([decided.given[one] for one in spot])
        missed = np.maximum(0.0, target * (1.0 - level - np.maximum(slack * level, 1e-9)) - given)
        at = [f"{code} {year}" for code, year in rows]
        yield measured(f"levels {name}", missed, at=at, what="shortfall against the level that was settled")


def _dual(compiled: Compiled, before: list[Plain], number: int, y: Floats) -> float:
    """The least cost of a stage that the prices (rows and caps,) prove, before the objective's constant."""
    most = [compiled.sense[k] * float(one["cap"]) - float(compiled.offsets[k]) for k, one in enumerate(before)]
    capped = replace(
        compiled,
        matrix=sp.vstack([compiled.matrix, sp.csr_array(compiled.costs[: len(before)])], format="csr"),
        row_lower=np.concatenate([compiled.row_lower, np.full(len(before), -np.inf)]),
        row_upper=np.concatenate([compiled.row_upper, most]),
    )
    return dual(capped, compiled.costs[number], y)


def dual(compiled: Compiled, cost: Floats, y: Floats) -> float:
    """The least of cost @ x that the row prices (rows,) prove; minus infinity when they prove none."""
    lower, upper = compiled.row_lower, compiled.row_upper
    usable = np.where(((y > 0) & np.isneginf(lower)) | ((y < 0) & np.isposinf(upper)), 0.0, y)
    reduced = cost - compiled.matrix.T @ usable
    return cheapest(usable, lower, upper) + cheapest(reduced, compiled.column_lower, compiled.column_upper)


def cheapest(slope: Floats, lower: Floats, upper: Floats) -> float:
    """sum_i of the least slope_i z_i over lower_i <= z_i <= upper_i."""
    up, down = slope > 0, slope < 0
    return float(slope[up] @ lower[up] + slope[down] @ upper[down])


def decided_of(known: Known, given: Floats) -> Decided:
    """The plan (n, T) in whole pounds beside the inputs. Raises ValueError for other places or years."""
    if given.shape != known.target.shape:
        raise ValueError(f"the table has {given.shape} places and years, the inputs {known.target.shape}")
    return Decided(known, given)
