"""Reads the worked examples of tests/worked/: a few places, a sum in a comment, the answer to the pound.

A file is written as a scenario is, with its table inside:

    shows: one sentence that says what is to be seen
    model: pace_of_change
    years: [2019-20]                # 2019-20 unless said
    pot: £315m                      # or one amount a year
    reserve: £3m                    # held back before the pot; nothing unless said
    places: |
      place  population  baseline  target  spend
      A      1000        £100m     £126m   £110m
    rules:
      growth_floor: {rate: 2%}
    objectives: [shortfall_below_target, movement]      # or {name: {parameter: value}}
    expect:
      places: |                     # any money or percentage column of allocations.csv, without _gbp or _pct
        place  allocation  growth
        A      £108m       8%
      objectives: {shortfall_below_target: £18m}
      headline: {places_in_deficit: 2, gross_deficit_gbp: £14m}
      binds: {growth_floor: [C]}    # exactly these places (years, for a rule about the pot)

A file about a failure expects `fails: infeasible` instead. With several years the tables have a `year` column and the
baseline of later years is written `-`. Stages leave no slack here, so that the sum comes out exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from allocopt.ledger import ledger
from allocopt.model import Model, Parameter, load_model
from allocopt.plan import allocation_of
from allocopt.problem import Problem, Situation, build
from allocopt.record import BINDING
from allocopt.settings import ObjectiveSetting, RuleSetting, Solver
from allocopt.solve.certificate import largest_violation
from allocopt.solve.compiled import Compiled, compile_problem
from allocopt.solve.stages import Stage, lexicographic
from allocopt.units import MONEY, RATE

FOLDER = Path(__file__).parent / "worked"
EXACT = Solver(slack="0%", slack_at_least="£0")
KEYS = {"shows", "model", "years", "pot", "reserve", "places", "rules", "objectives", "expect"}
EXPECTED = {"places", "objectives", "headline", "binds", "fails"}
COLUMNS = {"place", "year", "population", "previous_population", "baseline", "target", "spend", "region"}
DRAWS = {"spend_1", "spend_2"}
GROUPS = {"region"}


@dataclass(frozen=True)
class Worked:
    """One worked example, read but not yet solved."""

    name: str
    model: Model
    situation: Situation
    rules: Mapping[str, RuleSetting]
    objectives: Sequence[ObjectiveSetting]
    expect: Mapping[str, Any]

    def build(self) -> Problem:
        return build(self.situation, self.model, rules=self.rules, objectives=self.objectives)

    def solve(self) -> Solved:
        """Raises what the solver raises."""
        problem = self.build()
        compiled = compile_problem(problem)
        aims = [self.model.objective(one.name) for one in self.objectives]
        values, stages = lexicographic(compiled, aims, solver=EXACT, pot=float(self.situation.pot.max()))
        return Solved(self, compiled, values, stages)


@dataclass(frozen=True)
class Solved:
    """A worked example with its answer."""

    worked: Worked
    compiled: Compiled
    values: np.ndarray
    stages: Sequence[Stage]

    @cached_property
    def table(self) -> pd.DataFrame:
        """allocations.csv, indexed by place and year."""
        situation = self.worked.situation
        names = pd.Series({place: f"Place {place}" for place in situation.places})
        return ledger(situation, allocation_of(self.compiled, situation, self.values), names)

    @property
    def missed(self) -> float:
        """GBP million by which the answer breaks a row."""
        return largest_violation(self.compiled, self.values)

    def binding(self, rule: str) -> list[str]:
        """The keys of a rule's rows that lie within a pound of their limit: `A`, or `A 2019-20` with several years."""
        rows = np.flatnonzero(self.compiled.row_component == rule)
        activity = self.compiled.matrix[rows] @ self.values
        least, most = self.compiled.row_lower[rows], self.compiled.row_upper[rows]
        at = rows[np.minimum(activity - least, most - activity) <= BINDING]
        return sorted(self._said(self.compiled.rows[row][1]) for row in at)

    def _said(self, key: tuple[str, ...]) -> str:
        return " ".join(key) if len(key) == 1 or len(self.worked.situation.years) > 1 else key[0]


def worked_files() -> list[Path]:
    """Every worked example, by name."""
    return sorted(FOLDER.glob("*.yaml"))


def read_worked(path: Path) -> Worked:
    """A worked example from its file. Raises ValueError that names the file and what is wrong."""
    return as_worked(path.stem, YAML(typ="safe").load(path.read_text(encoding="utf-8")))


def as_worked(name: str, said: Mapping[str, Any]) -> Worked:
    """A worked example from what its file says."""
    _only(name, said, KEYS)
    _only(f"{name}, expect", said["expect"], EXPECTED)
    model = load_model(said["model"])
    years = tuple(said.get("years", ["2019-20"]))
    pot = said["pot"] if isinstance(said["pot"], Mapping) else dict.fromkeys(years, said["pot"])
    return Worked(
        name=name,
        model=model,
        situation=replace(
            _situation(name, years, [MONEY.parse(pot[year]) for year in years], read_table(said["places"])),
            reserve=np.full(len(years), MONEY.parse(said.get("reserve", "£0"))),
        ),
        rules={rule: _setting(name, model, rule, given, years) for rule, given in said.get("rules", {}).items()},
        objectives=[_objective(name, model, one) for one in said["objectives"]],
        expect=said["expect"],
    )


def _only(where: str, said: Mapping[str, Any], known: set[str]) -> None:
    if not set(said) <= known:
        raise ValueError(f"{where}: {', '.join(sorted(set(said) - known))} is not one of {', '.join(sorted(known))}")


def read_table(text: str) -> pd.DataFrame:
    """Words in columns, as they were written, every cell text."""
    header, *rows = [line.split() for line in text.strip().splitlines()]
    return pd.DataFrame(rows, columns=header, dtype="str")


def quantity(cell: str) -> float:
    """A cell as the engine holds it: £ as GBP million, % as a fraction, a bare number as a count."""
    if "£" in cell:
        return MONEY.parse(cell)
    return RATE.parse(cell) if "%" in cell else float(cell)


def _situation(name: str, years: tuple[str, ...], pot: list[float], table: pd.DataFrame) -> Situation:
    _only(f"{name}, places", dict.fromkeys(table.columns), COLUMNS | DRAWS)
    table = table if "year" in table else table.assign(year=years[0])
    places = tuple(sorted(set(table["place"])))
    read = {
        column: _by_year(table, column, places, years)
        for column in table.columns
        if column not in {"place", "year", *GROUPS}
    }
    first = table[table["year"] == years[0]].set_index("place")
    for step, year in enumerate(years):
        total = round(read["target"][:, step].sum(), 9)
        if total != round(pot[step], 9):
            raise ValueError(
                f"{name}: the targets of {year} add up to {MONEY.write(total)}, the pot is {MONEY.write(pot[step])}"
            )
    return Situation(
        places=places,
        years=years,
        pot=np.array(pot),
        baseline=read["baseline"][:, 0],
        target=read["target"],
        population=read["population"],
        previous_population=read.get("previous_population"),
        spend=read.get("spend"),
        spend_draws=np.stack([read[name] for name in sorted(DRAWS)], axis=2) if set(read) >= DRAWS else None,
        groups={name: tuple(first.loc[list(places), name]) for name in sorted(GROUPS & set(table.columns))},
    )


def _by_year(table: pd.DataFrame, column: str, places: tuple[str, ...], years: tuple[str, ...]) -> np.ndarray:
    cells = table.set_index(["place", "year"])[column]
    return np.array([[np.nan if cells[p, year] == "-" else quantity(cells[p, year]) for year in years] for p in places])


def _objective(name: str, model: Model, given: str | Mapping[str, Any]) -> ObjectiveSetting:
    """An objective by its name, or {name: {parameter: value}}."""
    ((aim, said),) = [(given, {})] if isinstance(given, str) else given.items()
    parameters = model.objective(aim).parameters
    _only(f"{name}, {aim}", said, set(parameters))
    return ObjectiveSetting(name=aim, parameters={key: parameters[key].read(value) for key, value in said.items()})


def _setting(name: str, model: Model, rule: str, given: Mapping[str, Any], years: Sequence[str]) -> RuleSetting:
    parameters = next(one for one in (*model.always, *model.rules) if one.name == rule).parameters
    _only(f"{name}, {rule}", given, set(parameters))
    return RuleSetting(parameters={key: _read(parameters[key], value, years) for key, value in given.items()})


def _read(parameter: Parameter, value: Any, years: Sequence[str]) -> Any:
    if parameter.by_year and isinstance(value, Mapping):
        return {year: parameter.read(value[year]) for year in years}
    return parameter.read(value)
