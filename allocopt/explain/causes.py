"""Why an allocation differs from another run's: the part of each cause, order-free, adding up to the pound.

A cause is a section of the scenario: data (tables, baseline, spend), formula, money (pot, years, streams, deficits
carried forward), pace of change (model, rules, objectives, kind of path). Every mixture of the two runs' sections is
solved once, as a run would solve it (2^n programmes for n causes that differ; the two runs themselves are taken as they
are), and the parts are Shapley values. Imports `recalled`, `shapley`, `plan`, `rolling`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from allocopt.errors import Infeasible, InputFault, PlanRefused, Problem
from allocopt.explain.recalled import Recalled
from allocopt.explain.shapley import in_pounds, shapley
from allocopt.model import load_model
from allocopt.plan import Plan, gather, make_plan
from allocopt.rolling import check_path, is_rolling, make_rolling_plan
from allocopt.scenario import Loaded
from allocopt.settings import RuleSetting, Scenario

CAUSES: Mapping[str, tuple[str, ...]] = {
    "data": ("inputs", "stress"),
    "formula": ("formula",),
    "money": ("pot", "years", "streams", "carry_forward"),
    "pace of change": ("model", "rules", "objectives", "path", "solver"),
}
"""The sections of a scenario that make up each cause."""
NO_CAUSE = ("format", "name", "why", "source", "formulas", "grouping", "choice", "frontier", "report", "sweep")
"""The sections that no allocation of an allocation model rests on."""
IDLE = ("source", "why")


@dataclass(frozen=True)
class Waterfall:
    """From one allocation to another of the same place, cause by cause; whole pounds that add up."""

    from_words: str
    from_gbp: int
    parts: tuple[tuple[str, int], ...]
    to_gbp: int
    solved: int = 0
    """How many mixtures were solved."""

    def as_dict(self) -> dict[str, Any]:
        """As --json has it."""
        parts = [{"cause": cause, "amount_gbp": amount} for cause, amount in self.parts]
        return {"from": self.from_words, "from_gbp": self.from_gbp, "causes": parts, "to_gbp": self.to_gbp}


def causes_between(this: Recalled, other: Recalled, place: str, year: str, *, tell: Callable[[str], None]) -> Waterfall:
    """The waterfall from the other run's allocation of a place to this run's.

    The other run's year is the same one, or its only one. Raises InputFault where the runs cannot be mixed, and
    Infeasible where a mixture has no solution.
    """
    before = year if year in other.facts.inputs.years else _only_year(other, year)
    start, end = (int(run.row(place, at)["allocation_gbp"]) for run, at in ((other, before), (this, year)))
    differ = [cause for cause in CAUSES if _said(this, cause) != _said(other, cause)]
    worth = _Mixtures(this, other, differ, place, {"this": year, "other": before}, {"none": start, "all": end}, tell)
    found = shapley(differ, worth) if differ else {}
    pounds = in_pounds(list(found.values()), end - start) if differ else []
    parts = tuple(zip(found, pounds, strict=True))
    if abs(sum(found.values()) * 1e6 - (end - start)) > 0.5:
        said = f"the runs give {place} amounts £{abs(end - start):,} apart, and what they say differently is not why"
        raise PlanRefused(said, (Problem(said, "run both scenarios again with this version, then explain"),))
    words = f"{other.record['name']}, {before} ({other.folder.name})"
    return Waterfall(words, start, parts, end, solved=worth.solved)


def _only_year(other: Recalled, year: str) -> str:
    years = other.facts.inputs.years
    if len(years) > 1:
        said = f"{other.folder} has no year {year}, and more than one other"
        raise InputFault(said, (Problem(said, f"name one of its years: --year {years[-1]}"),))
    return years[0]


def _said(run: Recalled, cause: str) -> Any:
    """What a run says of a cause, without sources and reasons; of data, the bytes of its tables too."""
    said = {section: _plain(run.record["scenario"].get(section)) for section in CAUSES[cause]}
    return (said, run.record["inputs"]) if cause == "data" else said


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items() if key not in IDLE}
    return [_plain(one) for one in value] if isinstance(value, list) else value


@dataclass
class _Mixtures:
    """The place's allocation in GBP million under this run's word on `chosen` causes and the other's on the rest."""

    this: Recalled
    other: Recalled
    causes: Sequence[str]
    place: str
    years: Mapping[str, str]
    known: Mapping[str, int]
    tell: Callable[[str], None]
    solved: int = 0

    def __call__(self, chosen: tuple[str, ...]) -> float:
        if len(chosen) in (0, len(self.causes)):
            return self.known["all" if chosen else "none"] / 1e6
        self.solved += 1
        self.tell(f"solving with {' and '.join(chosen)} of {self.this.record['name']}")
        return self._solve(chosen) / 1e6

    def _solve(self, chosen: tuple[str, ...]) -> int:
        source = {cause: self.this if cause in chosen else self.other for cause in self.causes}
        data = source.get("data", self.this)
        scenario = mixed(self.this.found.scenario, {cause: run.found.scenario for cause, run in source.items()})
        year = self.years["this" if source.get("money", self.this) is self.this else "other"]
        try:
            table = _plan(replace(data.found, scenario=scenario)).table
        except (Infeasible, InputFault) as failure:
            what = " and ".join(f"{cause} of {run.record['name']}" for cause, run in source.items())
            failure.args = (f"the causes cannot be told apart: {what} do not go together: {failure.message}",)
            failure.message = str(failure.args[0])
            raise
        row = table[(table["place"] == self.place) & (table["year"] == year)]
        return int(row["allocation_gbp"].iloc[0])


def _plan(loaded: Loaded) -> Plan:
    """The plan of a scenario as a run makes it. Raises Infeasible or InputFault."""
    if load_model(loaded.scenario.model[0]).kind != "allocation":
        said = f"model {loaded.scenario.model[0]} decides more than allocations"
        raise InputFault(said, (Problem(said, "compare runs of an allocation model"),))
    check_path(loaded)
    facts = gather(loaded)
    return make_rolling_plan(facts, tell=_quietly) if is_rolling(loaded.scenario) else make_plan(facts)


def _quietly(step: str) -> None:
    """The mixture is told, not its steps."""


def mixed(base: Scenario, sections: Mapping[str, Scenario]) -> Scenario:
    """`base` with the sections of each cause taken from another scenario; rates by year follow the mixture's years."""
    taken = {name: getattr(one, name) for cause, one in sections.items() for name in CAUSES[cause]}
    mixture = base.model_copy(update=taken)
    rules = {name: _in_years(setting, mixture.years) for name, setting in mixture.rules.items()}
    return mixture.model_copy(update={"rules": rules})


def _in_years(setting: RuleSetting, years: Sequence[str]) -> RuleSetting:
    """Values by year, year by year in their order: the first stays the first."""
    parameters = {
        name: dict(zip(years, value.values(), strict=False)) if _by_year(value, years) else value
        for name, value in setting.parameters.items()
    }
    return setting.model_copy(update={"parameters": parameters})


def _by_year(value: Any, years: Sequence[str]) -> bool:
    return isinstance(value, Mapping) and len(value) == len(years)
