"""Surpluses and deficits carried from year to year, for each budget holder in each draw; what the Treasury sees.

Year t of body b, with A its allocation, S its spend before any saving, C the deficit it carried in, R what it retained:

    saving   = min(most x A, max(0, C + S - A)) if C > 0 else 0      recovery plan
    deficit  = max(0, S - saving - A)         surplus = max(0, A - S + saving)
    repaid   = min(C, surplus)                first call on a surplus
    C'       = C - repaid + deficit
    R'       = R + retained x (surplus - repaid) - drawdown;    drawdown = share x R, more in a surge
    available = repaid + (1 - retained - profit) x (surplus - repaid)
    exposure  = sum of deficits - sum available + sum of drawdown     (foundation trusts' drawdown with it)

In one draw what a place always does stays, an area's shock is correlated with the year before, chance is new.
Year 1 is the plain simulation: the same draws. Imports `simulate`, `treasury`, `bodies`, `risk`, `estimates`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from allocopt.problem import Array
from allocopt.risk import Exposure, RiskModel, added, draw_parts, yearly_parts
from allocopt.settings.stress import Drawdown, Stress, Years
from allocopt.stress.bodies import Bodies, Subject
from allocopt.stress.estimates import Row, amounts, probability, shortfall
from allocopt.stress.simulate import BLOCK, CASES, FIRST, Case, in_blocks
from allocopt.stress.treasury import Retention, case_name, drawn_share

FLOWS = (
    "gross_deficit",
    "gross_surplus",
    "saving",
    "repaid",
    "available_surplus",
    "drawdown",
    "carried_deficit",
    "retained",
)


PENNY = 1e-8
"""GBP million: a deficit that is repaid to the penny is repaid, or rounding would keep its recovery plan alive."""


@dataclass(frozen=True)
class Books:
    """Where bodies stand at the end of a year: carried deficits and retained surpluses, draw x body, GBP million."""

    carried: Array
    retained: Array


@dataclass(frozen=True)
class Terms:
    """What holds in every year."""

    rule: Retention
    saving: float


def close_year(
    opening: Books, spend: Array, allocation: Array, terms: Terms, drawn: Array
) -> tuple[Books, dict[str, Array]]:
    """One year's books and flows; spend and books draw x body, allocation (bodies,), `drawn` (draws,) share of R."""
    owed = opening.carried
    saving = np.where(owed > 0, np.minimum(terms.saving * allocation, np.maximum(0.0, owed + spend - allocation)), 0.0)
    result = allocation - spend + saving
    deficit, surplus = np.maximum(0.0, -result), np.maximum(0.0, result)
    repaid = np.minimum(owed, surplus)
    repaid = np.where(owed - repaid < PENNY, owed, repaid)
    drawdown = drawn[:, None] * opening.retained
    free = np.maximum(0.0, surplus - repaid)
    closing = Books(owed - repaid + deficit, opening.retained + terms.rule.retained * free - drawdown)
    flows = (
        deficit,
        surplus,
        saving,
        repaid,
        repaid + terms.rule.available * free,
        drawdown,
        closing.carried,
        closing.retained,
    )
    return closing, dict(zip(FLOWS, flows, strict=True))


@dataclass(frozen=True)
class Path:
    """Allocations and bases of the years, place x year, GBP million."""

    allocation: Array
    base: Array


def path(allocation: Array, base: Array, asked: Years) -> Path:
    """The plan's years, then as many more as are asked for, each growing by `growth`; fewer are cut off."""
    return Path(_longer(allocation, asked), _longer(base, asked))


def _longer(amounts: Array, asked: Years) -> Array:
    known = amounts[:, : asked.number]
    more = np.arange(1, asked.number - known.shape[1] + 1)
    return np.hstack([known, known[:, -1:] * (1.0 + asked.growth) ** more])


def rows_of(
    subject: Subject, *, along: Path, rule: Retention, stress: Stress, workers: int | None = None
) -> Iterator[Row]:
    """Each year's flows, exposure, breach and tail at the level of the budget holders, correlated and independent."""
    asked = stress.years
    assert asked is not None

    def block(first: int) -> dict[Case, list[dict[str, Array]]]:
        count = min(BLOCK, FIRST + asked.draws - first)
        return {case: _block(subject, along, rule, stress, case, first, count) for case in CASES}

    made = in_blocks(block, first=FIRST, draws=asked.draws, workers=workers)
    for case in CASES:
        for year in range(asked.number):
            flows = {name: np.concatenate([one[case][year][name] for one in made]) for name in FLOWS}
            yield from _year_rows(case_name(f"year_{year + 1}", case), subject.holder, flows, stress)


def _year_rows(test: str, level: str, flows: dict[str, Array], stress: Stress) -> Iterator[Row]:
    for name, values in flows.items():
        yield from amounts(test, level, name, values)
    exposure = flows["gross_deficit"] - flows["available_surplus"] + flows["drawdown"]
    yield from amounts(test, level, "net", flows["gross_deficit"] - flows["gross_surplus"])
    yield from amounts(test, level, "exposure", exposure)
    yield from probability(test, level, "breach", np.asarray(exposure > stress.limit))
    yield from shortfall(test, level, exposure, stress.shortfall)


def _block(
    subject: Subject, along: Path, rule: Retention, stress: Stress, case: Case, first: int, count: int
) -> list[dict[str, Array]]:
    """The flows of each year summed over bodies, a number a draw."""
    asked, holders, seed = stress.years, subject.holders, subject.risk.seed
    assert asked is not None
    books, trusts = _opening(stress.drawdown, holders, count)
    distances = _distances(subject, asked, case, first, count)
    years = []
    for year, distance in enumerate(distances):
        spend = holders.sums((1.0 + distance) * along.base[:, year])
        allocation = holders.sums(along.allocation[None, :, year])[0]
        drawn = _drawn(stress.drawdown, seed, first, count, year)
        books, flows = close_year(books, spend, allocation, Terms(rule, asked.saving), drawn)
        totals = {name: flow.sum(axis=1) for name, flow in flows.items()}
        totals["drawdown"] = totals["drawdown"] + drawn * trusts
        trusts = trusts * (1.0 - drawn)
        years.append(totals)
    return years


def _opening(said: Drawdown | None, holders: Bodies, count: int) -> tuple[Books, Array]:
    stock = 0.0 if said is None else said.stock
    share = holders.allocation / holders.allocation.sum()
    none = np.zeros((count, len(holders)))
    return Books(none, none + stock * share), np.full(count, 0.0 if said is None else said.foundation_trusts)


def _drawn(said: Drawdown | None, seed: int, first: int, count: int, year: int) -> Array:
    return np.zeros(count) if said is None else drawn_share(said, seed=seed, first=first, count=count, year=year)


def _distances(subject: Subject, asked: Years, case: Case, first: int, count: int) -> Sequence[Array]:
    """The distances of each year, draw x place; the first year's are those of the plain simulation."""
    model, of, seed = subject.risk.model, subject.risk.exposure, subject.risk.seed
    placed = of if case == "correlated" else of.independent()
    return yearly(
        model, placed, seed=seed, first=first, count=count, years=asked.number, correlation=asked.area_correlation
    )


def yearly(
    model: RiskModel, of: Exposure, *, seed: int, first: int, count: int, years: int, correlation: float
) -> list[Array]:
    """d_pt of each year, draw x place, fractions; areas follow a_t = rho a_{t-1} + sqrt(1 - rho^2) fresh."""
    parts = draw_parts(model, of, seed=seed, first=first, count=count)
    found = [np.clip(added(parts), -model.clip, model.clip)]
    area = parts["area"]
    for year in range(1, years):
        fresh = yearly_parts(model, of, seed=seed, year=year, first=first, count=count)
        area = correlation * area + np.sqrt(1.0 - correlation**2) * fresh["area"]
        found.append(np.clip(added({**parts, "area": area, "chance": fresh["chance"]}), -model.clip, model.clip))
    return [np.broadcast_to(one, (count, len(of.places))) for one in found]
