"""The departmental view: gross deficits, surpluses that are still available, net, and exposure against the limit.

    exposure = gross deficit - available surplus + drawdown,   available = (1 - retained share) x surplus
    breach when exposure > limit;   net = gross deficit - gross surplus

A retained surplus may not be there when somebody else overspends; a surplus of earlier years that is spent now adds to
spending without adding to the limit. Imports `bodies`, `simulate`, `estimates`, `settings.stress` and `streams`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from allocopt import streams
from allocopt.problem import Array
from allocopt.settings.stress import Drawdown, Stress, SurplusSplit
from allocopt.stress.bodies import Level
from allocopt.stress.estimates import Row, amounts, mean_share, probability, shortfall
from allocopt.stress.simulate import CASES, FIRST, Case, Outcome, Tally
from allocopt.units import write_rate

NATION = streams.keys(["the nation"])


@dataclass(frozen=True)
class Retention:
    """What becomes of a surplus: kept by the body (`retained`), paid out as `profit`, the rest returned; fractions."""

    retained: float
    profit: float = 0.0
    words: str = ""

    @property
    def available(self) -> float:
        """The share that can offset an overspend elsewhere in the same year."""
        return 1.0 - self.retained - self.profit


def retentions(said: Sequence[float | SurplusSplit]) -> list[Retention]:
    """The rules of the scenario in their order."""
    return [_retention(one) for one in said]


def _retention(said: float | SurplusSplit) -> Retention:
    if isinstance(said, SurplusSplit):
        words = f"{write_rate(said.profit)} profit, {write_rate(said.returned)} returned, the rest reinvested"
        return Retention(1.0 - said.returned - said.profit, said.profit, words)
    return Retention(said, 0.0, f"{write_rate(said)} of a surplus retained")


def slug(rule: Retention) -> str:
    """The name of a retention rule as a test: `retention_30pct`, or `retention_profit_10pct_returned_40pct`."""
    if rule.profit:
        return f"retention_profit_{100 * rule.profit:g}pct_returned_{100 * rule.available:g}pct"
    return f"retention_{100 * rule.retained:g}pct"


def drawdowns(said: Drawdown | None, *, seed: int, first: int, count: int) -> Array:
    """Retained surpluses drawn in each draw, GBP million; a surge comes for the whole nation at once."""
    if said is None:
        return np.zeros(count)
    return (said.stock + said.foundation_trusts) * drawn_share(said, seed=seed, first=first, count=count, year=0)


def drawn_share(said: Drawdown, *, seed: int, first: int, count: int, year: int) -> Array:
    """The share of the stock that is drawn in each draw of a year."""
    if said.surge is None:
        return np.full(count, said.share)
    stream = "surge" if year == 0 else f"surge:{year}"
    luck = streams.uniforms(NATION, seed=seed, stream=stream, first=first, count=count)[:, 0]
    return np.where(luck < said.surge.probability, said.surge.share, said.share)


@dataclass(frozen=True)
class View:
    """One level in one case under one retention rule; a number a draw, GBP million."""

    deficit: Array
    surplus: Array
    available: Array
    drawdown: Array

    @property
    def net(self) -> Array:
        return self.deficit - self.surplus

    @property
    def exposure(self) -> Array:
        return self.deficit - self.available + self.drawdown


def view(tally: Tally, rule: Retention, drawdown: Array) -> View:
    """The departmental view of a tally; surpluses that a test takes away are not available."""
    return View(tally.deficit, tally.surplus, rule.available * (tally.surplus - tally.lost), drawdown)


def case_name(test: str, case: Case) -> str:
    """`test` for correlated areas, `test_independent` beside it; the plain simulation is named by its case alone."""
    if not test:
        return case
    return test if case == "correlated" else f"{test}_independent"


def rows_of(outcome: Outcome, *, test: str, rule: Retention, stress: Stress, seed: int) -> Iterator[Row]:
    """Every measure of every level, correlated and then independent."""
    for case in CASES:
        for level, tally in outcome[case].items():
            yield from _level_rows(case_name(test, case), level, tally, rule, stress, seed)


def _level_rows(test: str, level: Level, tally: Tally, rule: Retention, stress: Stress, seed: int) -> Iterator[Row]:
    drawn = drawdowns(stress.drawdown, seed=seed, first=FIRST, count=len(tally.deficit))
    seen = view(tally, rule, drawn)
    measures = {
        "gross_deficit": seen.deficit,
        "available_surplus": seen.available,
        "net": seen.net,
        "gross_surplus": seen.surplus,
        "drawdown": seen.drawdown,
        "exposure": seen.exposure,
    }
    for measure, values in measures.items():
        yield from amounts(test, level, measure, values)
    yield from probability(test, level, "breach", np.asarray(seen.exposure > stress.limit))
    yield from shortfall(test, level, seen.exposure, stress.shortfall)


def retention_rows(outcome: Outcome, *, rule: Retention, stress: Stress, seed: int) -> Iterator[Row]:
    """What a retention rule changes: what is available, the exposure, its tail and the breach."""
    for case in CASES:
        name = case_name(slug(rule), case)
        for row in (
            row for level, tally in outcome[case].items() for row in _level_rows(name, level, tally, rule, stress, seed)
        ):
            if row.measure not in ("gross_surplus", "drawdown"):
                yield row


def size_rows(
    outcome: Outcome, bands: Sequence[tuple[str, float, float]], stress: Stress, held: dict[Level, Array]
) -> Iterator[Row]:
    """The probability that a body of a size overspends by more than a share of its allocation.

    `held[level]` (bands,) says how many bodies of the size there are; bands without bodies are left out.
    """
    for case in CASES:
        for level, tally in outcome[case].items():
            for band, (name, _, _) in enumerate(bands):
                if tally.beyond.shape[1] and held[level][band]:
                    yield from _band_rows(case_name(f"size_{name}", case), level, tally.beyond[:, band], stress)


def _band_rows(test: str, level: Level, beyond: Array, stress: Stress) -> Iterator[Row]:
    for at, threshold in enumerate(stress.overspend):
        yield from mean_share(test, level, f"overspend_{100 * threshold:g}pct", beyond[:, at])
