"""Risk pools: the least top-slice that is enough in all but an accepted share of draws, tried on fresh draws.

Every body gives the share t of its allocation A_b and plans on the rest; x_bd is what it overspends on a whole
allocation. A body claims its overspend less its stop-loss; surpluses that are still available help to pay:

    short_d(t) = (1 - t) (sum_b max(0, x_bd - loss A_b) - a sum_b max(0, -x_bd)) - t sum_b A_b

Where spend stays as it was, (1 - t) x_bd becomes x_bd + t A_b: then no pool can pay what the nation overspends. short_d
falls with t in every draw d, so each draw has a least t_d of its own and the least t with short_d(t) <= 0 in a share
1 - e of N draws is exactly the ceil((1 - e) N)-th smallest t_d: the sample-average optimum needs no search. Order
statistics give the interval of the true least top-slice (its upper end less t is the gap), fresh draws its coverage.

Layers: a pool of each area with the share u pays first, t - u goes to the nation's pool for what areas cannot pay.
Imports `simulate`, `bodies`, `treasury`, `estimates`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import betabinom

from allocopt.problem import Array
from allocopt.settings.stress import Pool, Stress
from allocopt.stress.bodies import Bodies, Rows, Subject
from allocopt.stress.estimates import CONFIDENCE, GBP, PROBABILITY, SHARE, Events, Row, order_interval, probability
from allocopt.stress.simulate import BLOCK, CASES, FIRST, Case, Shock, balances, in_blocks
from allocopt.stress.treasury import Retention, case_name

MOST = 1.0
"""A top-slice is at most the whole allocation."""


@dataclass(frozen=True)
class Terms:
    """What a pool pays: the whole allocation per body (B,), who is in which area, and the rules as fractions."""

    allocation: Array
    area_of: Rows | None
    stop_loss: float
    available: float
    follows: bool = True
    """Spend follows the sliced budget."""

    def short(self, over: Array, slice_: Array | float, area: float = 0.0) -> Array:
        """What the pools lack in each draw, GBP million: `over` draw x body, `slice_` (draws,) or one top-slice.

        `area` of it stays in pools of the areas.
        """
        share = np.asarray(slice_, dtype=float)[..., None]
        given, kept = share * self.allocation, (1.0 - share) * self.allocation
        left = (1.0 - share) * over if self.follows else over + given
        claims = np.maximum(0.0, left - self.stop_loss * kept)
        offset = self.available * np.maximum(0.0, -left).sum(axis=-1)
        if self.area_of is None or not area:
            lacking: Array = claims.sum(axis=-1) - offset - given.sum(axis=-1)
            return lacking
        beyond = self._by_area(claims) - area * self._by_area(self.allocation[None])
        nation = given.sum(axis=-1) - area * self.allocation.sum()
        short: Array = np.maximum(0.0, beyond).sum(axis=-1) - offset - nation
        return short

    def _by_area(self, amounts: Array) -> Array:
        assert self.area_of is not None
        found = np.zeros((len(amounts), int(self.area_of.max()) + 1))
        np.add.at(found.T, self.area_of, amounts.T)
        return found


def least_slices(terms: Terms, over: Array, *, area: float = 0.0) -> Array:
    """t_d of each draw, by bisection to 1e-9; at least the area's layer; NaN where none suffices."""
    low, high = np.full(len(over), area), np.full(len(over), MOST)
    never = terms.short(over, high, area) > 0
    high = np.where(terms.short(over, low, area) <= 0, low, high)
    while float((high - low).max()) > 1e-9:
        middle = (low + high) / 2
        enough = terms.short(over, middle, area) <= 0
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(never, np.nan, high)


@dataclass(frozen=True)
class Sized:
    """A top-slice (fractions): its interval, its gap, and how it did on fresh draws."""

    top_slice: float
    low: float
    high: float
    breaches: Events
    """(fresh,) True where it did not suffice."""
    expected: tuple[float, float]
    """95% range of the share of `breaches`, if fresh draws are like those that it was chosen on."""

    @property
    def gap(self) -> float:
        """How much larger the true least top-slice may be, with 97.5% confidence."""
        return self.high - self.top_slice


def sized(subject: Subject, terms: Terms, asked: Pool, case: Case, *, area: float, workers: int | None) -> Sized:
    """The sample-average optimum on the first draws, tried on the draws that follow them."""
    needed = np.sort(_each(subject, terms, case, area, FIRST, asked.draws, workers))
    low, high = order_interval(asked.draws, 1.0 - asked.breach)
    rank = int(np.ceil((1.0 - asked.breach) * asked.draws - 1e-9))
    at = needed[rank - 1]
    fresh = _each(subject, terms, case, area, FIRST + asked.draws, asked.fresh, workers)
    return Sized(float(at), float(needed[low - 1]), float(needed[high - 1]), ~(fresh <= at), _expected(asked, rank))


def _expected(asked: Pool, rank: int) -> tuple[float, float]:
    """The draws beyond the `rank`-th of N are Beta(N - rank + 1, rank) of all, so fresh ones are beta-binomial."""
    tail = (1 - CONFIDENCE) / 2
    beyond = betabinom(asked.fresh, asked.draws - rank + 1, rank)
    return float(beyond.ppf(tail)) / asked.fresh, float(beyond.ppf(1 - tail)) / asked.fresh


def _each(
    subject: Subject, terms: Terms, case: Case, area: float, first: int, draws: int, workers: int | None
) -> Array:
    def block(start: int) -> Array:
        count = min(BLOCK, first + draws - start)
        over = balances(subject, shock=Shock(), first=start, count=count)[case]
        return least_slices(terms, subject.holders.sums(over), area=area)

    return np.concatenate(in_blocks(block, first=first, draws=draws, workers=workers))


def rows_of(subject: Subject, *, rule: Retention, stress: Stress, workers: int | None = None) -> Iterator[Row]:
    """The pool that the scenario asks for, and a layered one for each share of the areas' pools."""
    asked = stress.pool
    assert asked is not None
    holders, follows = subject.holders, asked.spend == "follows_budget"
    plain = Terms(holders.allocation, None, asked.stop_loss, rule.available, follows)
    for case in CASES:
        found = sized(subject, plain, asked, case, area=0.0, workers=workers)
        yield from _rows(case_name("pool", case), subject, found)
        if "area" in subject.levels:
            terms = Terms(
                holders.allocation, area_of(holders, subject.levels["area"]), asked.stop_loss, rule.available, follows
            )
            for share in asked.area_layer:
                layered = sized(subject, terms, asked, case, area=share, workers=workers)
                yield from _rows(case_name(f"pool_area_layer_{100 * share:g}pct", case), subject, layered)


def area_of(holders: Bodies, areas: Bodies) -> Rows:
    """The area of each body: that of most of its allocation's places (the first place, where a body lies in one)."""
    found = np.zeros(len(holders), dtype=np.intp)
    counts = np.zeros((len(holders), len(areas)))
    np.add.at(counts, (holders.member, areas.member), 1.0)
    found[:] = counts.argmax(axis=1)
    return found


def _rows(test: str, subject: Subject, found: Sized) -> Iterator[Row]:
    total = float(subject.allocation.sum())
    for statistic, value in (
        ("value", found.top_slice),
        ("ci_low", found.low),
        ("ci_high", found.high),
        ("gap", found.gap),
    ):
        yield Row(test, subject.holder, "top_slice", statistic, SHARE, value)
        yield Row(test, subject.holder, "top_slice_money", statistic, GBP, value * total)
    yield from probability(test, subject.holder, "breach_on_fresh_draws", found.breaches)
    for statistic, value in zip(("expected_low", "expected_high"), found.expected, strict=True):
        yield Row(test, subject.holder, "breach_on_fresh_draws", statistic, PROBABILITY, value)
