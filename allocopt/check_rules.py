"""Every rule and objective a second time, in plain numpy and in pounds, for the checker alone.

A rule's function gives the amounts that it limits and the limits, computed exactly from the inputs; an allocation
that was rounded to the pound may pass a limit by a pound. A rule or objective without a second implementation here is
checked on the programme that is compiled again from the inputs (`check_bound`), and the words of its check say so.
Imports `verdict` and `check_inputs`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from allocopt.check_inputs import Known, Plain
from allocopt.verdict import POUND, Check, Floats, measured


@dataclass(frozen=True)
class Decided:
    """A finished allocation with what is known of its places; money in pounds."""

    known: Known
    given: Floats
    """(n, T) the allocations of allocations.csv"""

    def prior(self, step: int) -> Floats:
        """(n,) what each place had the year before: its baseline, then its allocation."""
        return self.known.baseline if step == 0 else np.asarray(self.given[:, step - 1])

    def carried(self, step: int) -> float:
        """Pounds by which rounding has moved what a place had the year before."""
        return 0.0 if step == 0 else POUND

    def uniform(self, step: int) -> Floats:
        """(n,) the pot in the proportions of the year before."""
        prior = self.prior(step)
        return np.asarray(prior * (self.known.pot[step] / prior.sum()))


@dataclass(frozen=True)
class Limits:
    """What a rule limits in one year: lower <= amount <= upper, each (k,) pounds; k is n places, or 1 for the year."""

    amount: Floats
    lower: Floats
    upper: Floats
    tolerance: float = POUND

    @property
    def slack(self) -> Floats:
        """(k,) pounds between the amount and the nearer of its limits, negative where it is missed."""
        return np.minimum(self.amount - self.lower, self.upper - self.amount)


def _at_least(of: Decided, step: int, limit: Floats, tolerance: float = POUND) -> Limits:
    return Limits(of.given[:, step], limit, np.full_like(limit, np.inf), tolerance)


def _at_most(of: Decided, step: int, limit: Floats, tolerance: float = POUND) -> Limits:
    return Limits(of.given[:, step], np.full_like(limit, -np.inf), limit, tolerance)


def _growth(of: Decided, step: int, rate: float, taper: Plain | None) -> Floats:
    """(n,) the growth that a limit implies after its taper."""
    if taper is None:
        return np.full(len(of.known.places), rate)
    points, end = [taper["from"], taper["to"]], taper.get("end", 0.0)
    return np.asarray(np.interp(of.known.opening[:, step], points, [rate, end]))


def budget(of: Decided, step: int) -> Limits:
    """The allocations add up to the pot, to the pound."""
    pot = np.array([np.rint(of.known.pot[step])])
    return Limits(np.array([of.given[:, step].sum()]), pot, pot, 0.0)


def growth_floor(of: Decided, step: int, *, rate: float, taper: Plain | None = None) -> Limits:
    """Allocation of at least (1 + tapered rate) x the year before."""
    factor = 1.0 + _growth(of, step, rate, taper)
    return _at_least(of, step, factor * of.prior(step), POUND + of.carried(step) * float(factor.max()))


def growth_ceiling(of: Decided, step: int, *, rate: float, taper: Plain | None = None) -> Limits:
    """Allocation of at most (1 + tapered rate) x the year before."""
    factor = 1.0 + _growth(of, step, rate, taper)
    return _at_most(of, step, factor * of.prior(step), POUND + of.carried(step) * float(factor.max()))


def at_target(of: Decided, step: int) -> Limits:
    """Allocation equal to target."""
    target = of.known.target[:, step]
    return Limits(of.given[:, step], target, target)


def dft_floor(of: Decided, step: int, *, rate: float) -> Limits:
    """Closing distance from target of at least `rate`."""
    return _at_least(of, step, (1.0 + rate) * of.known.target[:, step])


def no_further_under_target(of: Decided, step: int) -> Limits:
    """Closing over opening position where that is under target; at target or above where it is over."""
    position = np.clip(1.0 + of.known.opening[:, step], None, 1.0)
    return _at_least(of, step, position * of.known.target[:, step])


SECOND: Mapping[str, Callable[..., Limits]] = {
    one.__name__: one for one in (budget, growth_floor, growth_ceiling, at_target, dft_floor, no_further_under_target)
}
"""The rules that are written a second time, by name."""


def limits(name: str, of: Decided, step: int, parameters: Plain) -> Limits:
    """The limits of one rule in one year; a parameter may be a map from year to value."""
    year = of.known.years[step]
    return SECOND[name](of, step, **{key: _of_year(value, year) for key, value in parameters.items()})


def _of_year(value: Any, year: str) -> Any:
    return value[year] if isinstance(value, Mapping) and year in value else value


def said_of(record: Plain, name: str) -> Plain:
    """A rule's parameters as run.json has them; none for a rule that always holds."""
    said = record["scenario"].get("rules", {}).get(name, {})
    return {key: one for key, one in said.items() if key not in ("source", "why")}


def check_rule(name: str, of: Decided, parameters: Plain) -> Check:
    """A rule in every year, with the place where it is missed by most."""
    found = [limits(name, of, step, parameters) for step in range(len(of.known.years))]
    years = of.known.years
    at = [
        _label(of, year, spot, one) for year, one in zip(years, found, strict=True) for spot in range(len(one.amount))
    ]
    missed = np.concatenate([np.maximum(0.0, -one.slack) for one in found])
    tolerance = np.concatenate([np.full(len(one.amount), one.tolerance) for one in found])
    return measured(f"rule {name}", missed, at=at, what="limits computed exactly from the inputs", tolerance=tolerance)


def _label(of: Decided, year: str, spot: int, found: Limits) -> str:
    return f"{of.known.places[spot]} {year}" if len(found.amount) == len(of.known.places) else year


def gross_deficit(of: Decided, step: int) -> Floats:
    """(n,) pounds by which spend is above allocation."""
    if of.known.spend is None:
        raise ValueError("a deficit needs spend, and this run has none")
    return np.maximum(0.0, of.known.spend[:, step] - of.given[:, step])


def shortfall_below_target(of: Decided, step: int) -> Floats:
    """(n,) pounds by which allocation is below target."""
    return np.maximum(0.0, of.known.target[:, step] - of.given[:, step])


def movement(of: Decided, step: int) -> Floats:
    """(n,) half the distance between allocation and uniform growth, pounds."""
    return np.asarray(0.5 * np.abs(of.given[:, step] - of.uniform(step)))


MEASURES: Mapping[str, Callable[[Decided, int], Floats]] = {
    one.__name__: one for one in (gross_deficit, shortfall_below_target, movement)
}
"""The objectives that are written a second time, by name."""


def check_objectives(of: Decided, record: Plain) -> Iterator[Check]:
    """The final value of each objective that is known here, from the pounds of the table."""
    rounded = len(of.known.places) * len(of.known.years) * POUND
    for said in record["objectives"]:
        name = said["name"]
        if name not in MEASURES:
            continue
        found = sum(float(MEASURES[name](of, step).sum()) for step in range(len(of.known.years)))
        missed = np.array([abs(1e6 * float(said["final_value"]) - found)])
        what = f"£{found:,.0f} in the table against the final value in run.json"
        growing = name == "movement" and len(of.known.years) > 1
        yield measured(f"objective {name}", missed, at=["the plan"], what=what, tolerance=rounded * (1 + growing))
