"""Every rule and objective a second time, in plain numpy and in pounds, for the checker alone.

A rule's function gives the amounts that it limits and the limits, computed exactly from the inputs; an allocation
that was rounded to the pound may pass a limit by a pound. A rule or objective without a second implementation here is
checked on the programme that is compiled again from the inputs (`check.bound`), and the words of its check say so.
Imports `check.verdict`, `check.inputs`, `check.decided` and `check.rounds`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from allocopt.check.decided import Decided, Limits, at_least, at_most, tapered_growth
from allocopt.check.inputs import Plain
from allocopt.check.rounds import ROUNDS
from allocopt.check.verdict import POUND, Check, Floats, measured


def budget(of: Decided, step: int) -> Limits:
    """The allocations add up to the pot, to the pound."""
    pot = np.array([np.rint(of.known.pot[step])])
    return Limits(np.array([of.given[:, step].sum()]), pot, pot, 0.0)


def growth_floor(of: Decided, step: int, *, rate: float, taper: Plain | None = None) -> Limits:
    """Allocation of at least (1 + tapered rate) x the year before."""
    factor = 1.0 + tapered_growth(of, step, rate, taper)
    return at_least(of, step, factor * of.prior(step), POUND + of.carried(step) * float(factor.max()))


def growth_ceiling(of: Decided, step: int, *, rate: float, taper: Plain | None = None) -> Limits:
    """Allocation of at most (1 + tapered rate) x the year before."""
    factor = 1.0 + tapered_growth(of, step, rate, taper)
    return at_most(of, step, factor * of.prior(step), POUND + of.carried(step) * float(factor.max()))


def at_target(of: Decided, step: int) -> Limits:
    """Allocation equal to target."""
    target = of.known.target[:, step]
    return Limits(of.given[:, step], target, target)


def dft_floor(of: Decided, step: int, *, rate: float) -> Limits:
    """Closing distance from target of at least `rate`."""
    return at_least(of, step, (1.0 + rate) * of.known.target[:, step])


def no_further_under_target(of: Decided, step: int) -> Limits:
    """Closing over opening position where that is under target; at target or above where it is over."""
    position = np.clip(1.0 + of.known.opening[:, step], None, 1.0)
    return at_least(of, step, position * of.known.target[:, step])


SECOND: Mapping[str, Callable[..., Limits]] = {
    **{
        one.__name__: one
        for one in (budget, growth_floor, growth_ceiling, at_target, dft_floor, no_further_under_target)
    },
    **ROUNDS,
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
    tolerance = np.concatenate([np.broadcast_to(one.tolerance, len(one.amount)) for one in found])
    return measured(f"rule {name}", missed, at=at, what="limits computed exactly from the inputs", tolerance=tolerance)


def _label(of: Decided, year: str, spot: int, found: Limits) -> str:
    if found.groups is not None:
        return f"{found.groups[spot]} {year}"
    return f"{of.known.places[spot]} {year}" if len(found.amount) == len(of.known.places) else year


def gross_deficit(of: Decided, step: int) -> Floats:
    """(n,) pounds by which spend is above allocation."""
    if of.known.spend is None:
        raise ValueError("a deficit needs spend, and this run has none")
    return np.maximum(0.0, of.known.spend[:, step] - of.given[:, step])


def shortfall_below_target(of: Decided, step: int) -> Floats:
    """(n,) pounds by which allocation is below target."""
    return np.maximum(0.0, of.known.target[:, step] - of.given[:, step])


def need_weighted_shortfall(of: Decided, step: int) -> Floats:
    """(n,) pounds below target, weighted by need per head over its average."""
    people, target = of.known.people(step), of.known.target[:, step]
    return np.asarray(shortfall_below_target(of, step) * (target / people) / (target.sum() / people.sum()))


def movement(of: Decided, step: int) -> Floats:
    """(n,) half the distance between allocation and uniform growth, pounds."""
    return np.asarray(0.5 * np.abs(of.given[:, step] - of.uniform(step)))


MEASURES: Mapping[str, Callable[[Decided, int], Floats]] = {
    one.__name__: one for one in (gross_deficit, shortfall_below_target, need_weighted_shortfall, movement)
}
"""The objectives that are written a second time, by name."""


BY_DRAWS = ("tail_deficit", "worst_deficit")
"""The objectives that `check.stress` writes a second time: they rest on draws or on a worst case."""


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
    yield from _extremes(of, record)


def worst_shortfall(of: Decided) -> tuple[float, float]:
    """The largest shortfall as a share of target over all places and years, and what rounding may have done to it."""
    short = (of.known.target - of.given) / of.known.target
    return max(0.0, float(short.max())), float((POUND / of.known.target).max())


def common_speed(of: Decided) -> tuple[float, float]:
    """The least part of its opening distance that any place closes a year, and what rounding may have done to it."""
    opening = of.known.opening
    distance, left = of.known.target * opening, of.given - of.known.target
    near = np.abs(distance) < 1.0  # within a pound of target: all is closed while the distance is kept to ten pence
    way = np.where(distance > 0, 1.0, -1.0)
    begins, a_unit = distance + np.where(near, 0.1 * way, 0.0), np.where(near, 0.1, np.abs(distance))
    years = np.broadcast_to(np.arange(1, opening.shape[1] + 1), opening.shape)
    closed = (begins - left) * way / a_unit / years
    most = 1.0 / opening.shape[1]
    return min(most, float(closed.min())), float((POUND / a_unit).max())


EXTREMES: Mapping[str, Callable[[Decided], tuple[float, float]]] = {
    one.__name__: one for one in (worst_shortfall, common_speed)
}
"""The objectives that are one place's measure, not a sum: the value and the tolerance."""


def _extremes(of: Decided, record: Plain) -> Iterator[Check]:
    for said in record["objectives"]:
        if said["name"] not in EXTREMES:
            continue
        found, tolerance = EXTREMES[said["name"]](of)
        off = found - float(said["final_value"])
        missed = np.array([max(0.0, off if said["name"] == "worst_shortfall" else -off)])
        what = f"{found:.6f} in the table against the final value in run.json"
        at, unit = ["the plan"], "as a fraction"
        yield measured(f"objective {said['name']}", missed, at=at, what=what, tolerance=tolerance, unit=unit)
