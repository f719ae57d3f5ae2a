"""One place's target, component by component, and what each column of the formula does for it.

The part of a component is share x (pot less amounts) x n_p / sum n, as `formula` works it out; here it is shown with
the place's own numbers. `drivers` splits the target into an equal share per head and the effect of each column,
order-free: a Shapley value over the columns of a component (each effect is the mean over every order in which columns
can be brought in), which adds up because components do. Source: DH answer Q50 (2006): one overall adjustment cannot
be published without an ordering. Imports `formula`, `shapley`, `ledger` and the types of `settings`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from allocopt.explain.shapley import in_pounds, shapley
from allocopt.formula import need
from allocopt.plan import Facts
from allocopt.settings import Component

SAME = 1e-9


@dataclass(frozen=True)
class Part:
    """What one component of the formula gives a place."""

    name: str
    amount_gbp: int
    """Its part of the target in whole pounds: the parts add up to `target_gbp`."""
    money: float
    """The component's money for all places, GBP million."""
    share: float | None
    """The component's share of the pot that is left after amounts; None for an amount."""
    fraction: float
    """The place's fraction of the component's money."""
    columns: Mapping[str, float] = field(default_factory=dict)
    """The place's figure in each column that the component reads."""
    need: float | None = None
    """n_p, the product of the columns; with populations by year, of the growth of its people too."""
    total_need: float | None = None


def parts(facts: Facts, place: str, year: str, target_gbp: int) -> list[Part]:
    """Every component, in the order of the scenario; the amounts add up to `target_gbp`."""
    formula = facts.loaded.scenario.formula
    money = {name: facts.targets.components[name][year] for name in formula}
    pounds = in_pounds([float(money[name][place]) for name in formula], target_gbp)
    return [_part(facts, name, place, year, money[name], pound) for (name, pound) in zip(formula, pounds, strict=True)]


def _part(facts: Facts, name: str, place: str, year: str, money: pd.Series, amount_gbp: int) -> Part:
    component, total = facts.loaded.scenario.formula[name], float(money.sum())
    fraction = float(money[place]) / total if total else 0.0
    columns = {column: float(facts.inputs.places[column][place]) for column in columns_of(component)}
    needs = _need_of(component, facts, year) if component.amount is None else None
    if component.opening_dft is not None and needs is not None:
        columns = {f"baseline over 1 + {component.opening_dft}%": float(need(component, facts.inputs)[place])}
    if facts.inputs.growth is not None and needs is not None:
        columns |= {f"people of {year} over those of the need": float(facts.inputs.growth[year][place])}
    if needs is None or abs(float(needs[place] / needs.sum()) - fraction) > SAME:
        return Part(name, amount_gbp, total, component.share, fraction, columns)
    return Part(name, amount_gbp, total, component.share, fraction, columns, float(needs[place]), float(needs.sum()))


def _need_of(component: Component, facts: Facts, year: str) -> pd.Series:
    """n_p of a year: with populations by year a need grows with its place's people."""
    needs, growth = need(component, facts.inputs), facts.inputs.growth
    return needs if growth is None else needs * growth[year]


def columns_of(component: Component) -> list[str]:
    """The columns that a component reads, needs first."""
    if component.amount is not None:
        return [component.amount, *([component.less] if component.less else [])]
    needs = [component.need] if isinstance(component.need, str) else list(component.need or {})
    return [*needs, *component.times]


@dataclass(frozen=True)
class Driver:
    """What one thing adds to (or takes from) the place's target."""

    name: str
    amount_gbp: int


def drivers(facts: Facts, place: str, year: str, target_gbp: int) -> list[Driver]:
    """An equal share per head, then the effect of need and of each index, adding up to `target_gbp`.

    Empty where no population is known, or where the year's needs are not the columns' own.
    """
    people = facts.inputs.population[year]
    found = parts(facts, place, year, target_gbp)
    if people.isna().any() or any(part.share is not None and part.need is None for part in found):
        return []
    formula = facts.loaded.scenario.formula
    heads = float(people[place] / people.sum())
    total = float(sum(frame[year].sum() for frame in facts.targets.components.values()))
    effects = {"an equal share per head": heads * total}
    for name, component in formula.items():
        money = facts.targets.components[name][year]
        if component.amount is not None:
            more = {name: float(money[place]) - heads * float(money.sum())}
        else:
            more = _effects(facts, name, component, place, year, float(money.sum()))
        for driver, effect in more.items():
            effects[driver] = effects.get(driver, 0.0) + effect
    pounds = in_pounds(list(effects.values()), target_gbp)
    return [Driver(name, pound) for name, pound in zip(effects, pounds, strict=True)]


def _effects(facts: Facts, name: str, component: Component, place: str, year: str, money: float) -> dict[str, float]:
    """The Shapley value of the need and of every index of one component, GBP million."""
    places, people = facts.inputs.places, facts.inputs.population[year]
    whole = component.model_copy(update={"times": []})
    factors = {f"need ({name})": _need_of(whole, facts, year) / people} | {one: places[one] for one in component.times}

    def worth(chosen: Sequence[str]) -> float:
        weighted = people * np.prod([factors[one] for one in chosen], axis=0) if chosen else people
        return money * float(weighted[place] / weighted.sum())

    return shapley(list(factors), worth)
