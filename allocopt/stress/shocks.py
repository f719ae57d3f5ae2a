"""The standard stress set: named tests whose sizes never change, so that plans of different years can be compared.

Each test changes spend (or what becomes of surpluses) in the same draws as the plain simulation. A test whose numbers
changed would get another name. Imports `bodies`, `simulate`, `treasury`, `streams` and `errors`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
from scipy.special import ndtri

from allocopt import streams
from allocopt.errors import Problem, ScenarioFault
from allocopt.problem import Array
from allocopt.settings.stress import STANDARD
from allocopt.stress.bodies import Subject
from allocopt.stress.simulate import Case, Drawn, Shock
from allocopt.stress.treasury import Retention

PRICE = 0.05
"""Of one component of the formula."""
FORMULA_SD = 0.02
"""A formula's error, shared by an area. Source: changing the health-inequality weight from 15% to 10% in 2011-12 moved
targets by -4.1% to +4.2% (Public Health Manchester): two sd."""
INFLATION = 0.10
"""How much longer than their people the lists of a tenth of the places are: a convention."""
INFLATED = 0.10
LOST = 0.10
"""The bodies with the largest surpluses: a tenth keep theirs out of reach: a convention."""
AREA_SURGE = 0.05
RARE_RATE, RARE_SHARE = 0.0006, 0.028
"""Fifteen rare costly categories: 2.8% of cost (Bachmann and Bevan, BMJ 1996), at 0.6 cases per 1,000 people a year,
which gives their largest 6.8% among 100 fund-years of 7,000 people (three sd). The test adds as many cases again."""


MANY = 200.0


@dataclass(frozen=True)
class StressTest:
    """One test of the set."""

    name: str
    words: str
    shock: Shock
    retention: Retention | None = None
    """In place of the scenario's own."""


def standard(subject: Subject) -> list[StressTest]:
    """The whole set for a plan, in its order; one price test for each component that has a part in every need."""
    demand = [
        StressTest(f"demand_{100 * size:g}pct", f"spend of every place is {100 * size:g}% higher", Shock(1.0 + size))
        for size in (0.01, 0.02, 0.05)
    ]
    prices = [_price(subject, name) for name in subject.components]
    return [
        *demand,
        _area_surge(subject),
        StressTest(
            "formula_error", "the formula misses the need of whole areas, sd 2%", Shock(drawn=_formula(subject))
        ),
        _list_inflation(subject),
        StressTest(
            "largest_surpluses_lost",
            "the tenth of bodies with the largest surpluses spend them",
            Shock(largest_lost=LOST),
        ),
        StressTest("high_cost_cases", "twice as many rare, costly cases", Shock(drawn=_rare(subject))),
        StressTest(
            "retention_change", "bodies may keep the whole of a surplus", Shock(), Retention(1.0, 0.0, "all retained")
        ),
        *prices,
    ]


def chosen(subject: Subject, names: Sequence[str]) -> list[StressTest]:
    """The tests that a scenario names. Raises ScenarioFault for a name that is not in the set."""
    known = {test.name: test for test in standard(subject)}
    if STANDARD in names:
        return list(known.values())
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ScenarioFault("the stress names a test that is not in the standard set", tuple(_unknown(unknown, known)))
    return [known[name] for name in names]


def _unknown(names: Sequence[str], known: Mapping[str, StressTest]) -> list[Problem]:
    found = []
    for name in names:
        close = get_close_matches(name, known, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        found.append(
            Problem(f"no test '{name}'{hint}", f"name {STANDARD} or some of {', '.join(known)}", "stress.tests")
        )
    return found


def largest_area(subject: Subject) -> str:
    """The area (else the place) with the largest allocation; the first by name among equals."""
    found = subject.levels.get("area", subject.levels["place"])
    return str(found.names[int(np.argmax(found.allocation))])


def _area_surge(subject: Subject) -> StressTest:
    found = subject.levels.get("area", subject.levels["place"])
    name = largest_area(subject)
    factor = np.where(found.names[found.member] == name, 1.0 + AREA_SURGE, 1.0)
    return StressTest(
        "area_surge", f"spend of {name}, the area with the largest allocation, is 5% higher", Shock(factor)
    )


def _price(subject: Subject, component: str) -> StressTest:
    factor = 1.0 + PRICE * subject.components[component]
    return StressTest(f"price_{component}_5pct", f"the price of {component} is 5% higher", Shock(factor))


def _list_inflation(subject: Subject) -> StressTest:
    """A tenth of the lists hold a tenth too many: their people's true need is less, everybody else's is more."""
    luck = streams.uniforms(subject.risk.exposure.keys, seed=subject.risk.seed, stream="inflated")[0]
    true = np.where(luck < INFLATED, 1.0 / (1.0 + INFLATION), 1.0)
    factor = true * subject.base.sum() / float(true @ subject.base)
    return StressTest("list_inflation", "a tenth of the lists are 10% longer than their people", Shock(factor))


def _formula(subject: Subject) -> Drawn:
    exposure, seed = subject.risk.exposure, subject.risk.seed
    alone = exposure.independent()

    def drawn(case: Case, first: int, count: int) -> Array:
        of = exposure if case == "correlated" and exposure.area_keys is not None else alone
        assert of.area_keys is not None
        error = streams.standard_normals(of.area_keys, seed=seed, stream="formula", first=first, count=count)
        missed: Array = FORMULA_SD * error[:, of.area_of]
        return missed

    return drawn


def _rare(subject: Subject) -> Drawn:
    exposure, seed = subject.risk.exposure, subject.risk.seed
    people = np.asarray(subject.levels["place"].population, dtype=float)
    cases = RARE_RATE * people
    cost = RARE_SHARE / np.maximum(cases, 1e-12)

    def drawn(_case: Case, first: int, count: int) -> Array:
        luck = streams.uniforms(exposure.keys, seed=seed, stream="rare", first=first, count=count)
        number = poisson(luck, cases)
        number *= cost
        return number

    return drawn


def poisson(luck: Array, mean: Array) -> Array:
    """Poisson counts by the inverse distribution: the smallest k with P(N <= k) >= luck; draw x place.

    A mean above 200 is drawn as the nearest whole number to a normal of the same mean and variance.
    """
    found = np.maximum(np.rint(mean + np.sqrt(mean) * ndtri(luck)), 0.0)
    left = np.flatnonzero(mean <= MANY)
    found[:, left] = 0.0
    chance = np.exp(-mean[left])
    reached, k = chance, 0
    while left.size:
        above = luck[:, left] > reached
        found[:, left] += above
        k += 1
        more = above.any(axis=0) & ((k < mean[left]) | (chance > 0))
        left = left[more]
        chance = chance[more] * mean[left] / k
        reached = reached[more] + chance
    return found
