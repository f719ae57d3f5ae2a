"""One place, step by step, with its own numbers: population, each part of its target, each limit, what it receives.

Every amount is whole pounds and every list adds up: components to the target, last year's money to the allocation,
expected spend to the deficit and its two parts. Nothing is solved again unless another run is to be compared with.
Imports the rooms of this house, `diagnose.parts`, `rolling`, `model` and `errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from allocopt.diagnose.parts import Parts
from allocopt.errors import InputFault, Problem
from allocopt.explain.causes import Waterfall, causes_between
from allocopt.explain.formula_steps import Driver, Part, drivers, parts
from allocopt.explain.limit_steps import Limit, limits
from allocopt.explain.recalled import Recalled, place_of, recalled
from allocopt.explain.shapley import in_pounds
from allocopt.model import load_model
from allocopt.plan import Facts
from allocopt.problem import Array
from allocopt.rolling import is_rolling, rolled

__all__ = ["Explained", "Explanation", "explain"]


@dataclass(frozen=True)
class Explained:
    """One year of one place. Money in whole pounds, `row` is its line of allocations.csv."""

    year: str
    row: Mapping[str, Any]
    parts: tuple[Part, ...]
    """Add up to the target."""
    drivers: tuple[Driver, ...]
    """Add up to the target; empty where no population is known."""
    limits: tuple[Limit, ...]
    uniform_growth: float
    """By which every place would have grown alike, a fraction."""
    change: Waterfall
    """From last year's money to this year's allocation."""
    people: float | None
    all_people: float | None
    all_target_gbp: int

    @property
    def binds(self) -> tuple[str, ...]:
        """The rules at whose limit the place ended."""
        return tuple(limit.rule for limit in self.limits if limit.binds)

    def as_dict(self) -> dict[str, Any]:
        """A year of `explain --json`."""
        row = {key: (None if value != value else value) for key, value in self.row.items()}  # noqa: PLR0124 - NaN
        return {
            "year": self.year,
            "population": self.people,
            "formula": [asdict(part) for part in self.parts],
            "drivers": [asdict(driver) for driver in self.drivers],
            "target_gbp": int(self.row["target_gbp"]),
            "uniform_growth_pct": round(self.uniform_growth * 100, 6),
            "limits": [asdict(limit) for limit in self.limits],
            "binds": list(self.binds),
            "change": self.change.as_dict(),
            "row": row,
        }


@dataclass(frozen=True)
class Explanation:
    """One place of a run, year by year."""

    run: str
    scenario: str
    place: str
    name: str
    years: tuple[Explained, ...]
    modelled_spend: bool
    spend_words: str
    objectives: tuple[str, ...]
    against: Waterfall | None = None
    slack_gbp: int = 0
    """What finished objectives left to later ones: a place may lie so far off a limit that holds it."""
    places: int = 0
    warnings: tuple[str, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """The one JSON object of `explain --json`."""
        return {
            "run": self.run,
            "scenario": self.scenario,
            "place": self.place,
            "name": self.name,
            "modelled_spend": self.modelled_spend,
            "objectives": list(self.objectives),
            "years": [one.as_dict() for one in self.years],
            "against": self.against.as_dict() if self.against else None,
            "warnings": list(self.warnings),
        }


def explain(
    folder: str | Path,
    place: str,
    *,
    year: str | None = None,
    against: str | Path | None = None,
    scenario: str | Path | None = None,
    tell: Callable[[str], None] = lambda step: None,  # noqa: ARG005 - the default listener ignores it
) -> Explanation:
    """Explain a place (code or whole name) of a run folder; `year` for one year of a path, else all.

    `against` another run folder adds why its allocation of the place differs, cause by cause. `scenario` says where
    the scenario file is now, when its tables have moved. Raises InputFault (2) for what cannot be found.
    """
    tell("gathering the run again")
    run = recalled(folder, scenario=scenario)
    code, years = place_of(run, place), _years(run, year)
    found = Parts(_decided(run), load_model(run.record["model"][0]))
    given = run.given
    spend = run.facts.spend
    return Explanation(
        run=run.folder.name,
        scenario=str(run.record["name"]),
        place=code,
        name=str(run.row(code, years[0])["name"]),
        years=tuple(_explained(run, found, given, code, one) for one in years),
        modelled_spend=bool(run.record["modelled_spend"]),
        spend_words=spend.words if spend else "",
        objectives=tuple(one["name"] for one in run.record["objectives"]),
        against=None if against is None else causes_between(run, recalled(against), code, years[-1], tell=tell),
        slack_gbp=_slack(run.record),
        places=len(run.facts.situation.places),
        warnings=tuple(run.record["warnings"]),
    )


def _decided(run: Recalled) -> Facts:
    """The facts that the rules were asked with: in a rolling path, every year on what the year before really gave."""
    if not is_rolling(run.facts.loaded.scenario):
        return run.facts
    names = ("baseline_gbp", "carried_forward_gbp")
    openings, calls = (_by_year(run, name) for name in names)
    return rolled(run.facts, openings, calls)


def _by_year(run: Recalled, column: str) -> Array:
    """(n, T) GBP m of a column of allocations.csv; nothing where it has none."""
    shape = run.facts.situation.target.shape
    if column not in run.table:
        return np.zeros(shape)
    return np.asarray(run.table[column].to_numpy(dtype=np.float64).reshape(shape) / 1e6)


def _shares(record: Mapping[str, Any]) -> dict[tuple[str, str], float]:
    """By rule and year, the share that a rule left the pot to determine."""
    found = [(one["name"], one.get("found", {})) for one in record["rules"]]
    return {(name, year): float(value) for name, shares in found for year, value in shares.items()}


def _slack(record: Mapping[str, Any]) -> int:
    money = [one for one in record["objectives"] if one["unit"] == "GBP m"]
    return round(1e6 * sum(float(abs(one["cap"] - one["value"])) for one in money))


def _years(run: Recalled, year: str | None) -> list[str]:
    own = list(run.facts.inputs.years)
    if year is None:
        return own
    if year not in own:
        said = f"this run has no year '{year}'"
        raise InputFault(said, (Problem(said, f"name one of {', '.join(own)}", "--year"),))
    return [year]


def _explained(run: Recalled, found: Parts, given: Mapping[tuple[str, str], int], place: str, year: str) -> Explained:
    row, table = run.row(place, year), run.table[run.table["year"] == year]
    target, people = int(row["target_gbp"]), run.facts.inputs.population[year]
    components = parts(run.facts, place, year, target)
    known = not people.isna().any()
    return Explained(
        year=year,
        row=row,
        parts=tuple(components),
        drivers=tuple(drivers(run.facts, place, year, target)),
        limits=tuple(limits(found, given, place, year, _shares(run.record))),
        uniform_growth=float(table["uniform_gbp"].sum() / table["baseline_gbp"].sum() - 1),
        change=_change(row, components),
        people=float(people[place]) if known else None,
        all_people=float(people.sum()) if known else None,
        all_target_gbp=int(table["target_gbp"].sum()),
    )


def _change(row: Mapping[str, Any], components: list[Part]) -> Waterfall:
    """Last year's money, growth of the pot, each component's pull towards the target, pace of change, allocation.

    Order-free: a component's pull is its part of the target less the same component's part of uniform growth, so the
    pulls add up to target less uniform growth; pace of change is what is left out of the way to the target.
    """
    keys = ("baseline_gbp", "uniform_gbp", "target_gbp", "allocation_gbp")
    before, uniform, target, now = (int(row[key]) for key in keys)
    money = sum(part.money for part in components)
    pulls = [part.amount_gbp / 1e6 - uniform / 1e6 * part.money / money for part in components]
    pounds = in_pounds(pulls, target - uniform)
    causes = [("growth of the pot", uniform - before)]
    causes += [(f"need: {part.name}", pound) for part, pound in zip(components, pounds, strict=True)]
    causes += [("pace of change", now - target)]
    return Waterfall("last year's money", before, tuple(causes), now)
