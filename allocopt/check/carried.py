"""The years of a stress a second time: what is carried, saved, repaid, retained and drawn, body by body, in pounds.

The draws are made again by the risk model; areas' shocks follow their own recursion here. Imports `check.shocks`,
`check.bound`, `check.decided`, `check.verdict`, `risk` and `streams`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from allocopt import streams
from allocopt.check.bound import Recompiled
from allocopt.check.decided import Decided
from allocopt.check.shocks import AT_ONCE, Held, held
from allocopt.check.verdict import POUND, Check, Floats, measured
from allocopt.risk import Exposure, draw_parts, yearly_parts

PENNY = 0.01
"""Pounds: what is owed less than this is repaid."""
Totals = list[dict[str, Floats]]


def check_years(of: Recompiled, decided: Decided, record: Mapping[str, Any], table: pd.DataFrame) -> Iterator[Check]:
    """Every year's mean flows and its share of breaches, areas correlated and independent."""
    stress = of.facts.stress
    if stress is None or stress.risk is None or stress.settings.years is None:
        return
    one = held(of, decided, record)
    value = table.set_index(["test", "measure", "statistic"])["value"]
    for suffix, exposure in (("", stress.risk.exposure), ("_independent", stress.risk.exposure.independent())):
        off, at = list[float](), list[str]()
        for year, flows in enumerate(_years(of, decided, one, exposure), start=1):
            test = f"year_{year}{suffix}"
            at += [f"{test} {name}" for name in flows]
            off += [abs(float(made.mean()) - value[test, name, "mean"]) for name, made in flows.items()]
            share = float((flows["exposure"] > one.limit).mean())
            at.append(f"{test} breach")
            off.append(1e9 * max(0.0, abs(share - value[test, "breach", "probability"]) - 1e-6))
        what = f"{stress.settings.years.draws:,} draws of each year summed again"
        tolerance = POUND + 1e-9 * float(one.base.sum())
        yield measured(f"stress years{suffix}", np.array(off), at=at, what=what, tolerance=tolerance)


def _years(of: Recompiled, decided: Decided, one: Held, exposure: Exposure) -> Totals:
    """Year -> flow -> a number a draw."""
    assert of.facts.stress is not None
    asked = of.facts.stress.settings.years
    assert asked is not None
    blocks = [
        _block(of, decided, one, exposure, first, min(AT_ONCE, asked.draws + 1 - first))
        for first in range(1, asked.draws + 1, AT_ONCE)
    ]
    return [
        {name: np.concatenate([block[year][name] for block in blocks]) for name in blocks[0][year]}
        for year in range(asked.number)
    ]


def _block(of: Recompiled, decided: Decided, one: Held, exposure: Exposure, first: int, count: int) -> Totals:
    stress = of.facts.stress
    assert stress is not None
    assert stress.risk is not None
    assert stress.settings.years is not None
    said, asked, base = stress.settings.drawdown, stress.settings.years, 1e6 * stress.risk.base
    size = one.by_body(one.given)
    stock = 0.0 if said is None else 1e6 * said.stock
    trusts = np.full(count, 0.0 if said is None else 1e6 * said.foundation_trusts)
    owed, retained = np.zeros((count, size.shape[1])), np.tile(stock * size / size.sum(), (count, 1))
    made = list[dict[str, Floats]]()
    for year, distance in enumerate(_distances(of, exposure, first, count)):
        budget = one.by_body(_in_year(decided.given, year, asked.growth))
        over = one.by_body((1.0 + distance) * _in_year(base, year, asked.growth)) - budget
        share = _share(of, first, count, year)
        saving = np.where(owed > 0, np.minimum(asked.saving * budget, (owed + over).clip(0.0)), 0.0)
        left = saving - over
        repaid = np.minimum(owed, left.clip(0.0))
        repaid[owed - repaid < PENNY] = owed[owed - repaid < PENNY]
        free = (left.clip(0.0) - repaid).clip(0.0)
        drawn = share[:, None] * retained
        owed, retained = owed - repaid + (-left).clip(0.0), retained + _retained(stress, one) * free - drawn
        flows = {
            "gross_deficit": (-left).clip(0.0),
            "gross_surplus": left.clip(0.0),
            "saving": saving,
            "repaid": repaid,
            "available_surplus": repaid + one.kept * free,
            "carried_deficit": owed,
            "retained": retained,
        }
        totals = {name: flow.sum(axis=1) for name, flow in flows.items()}
        totals["drawdown"] = drawn.sum(axis=1) + share * trusts
        totals["exposure"] = totals["gross_deficit"] - totals["available_surplus"] + totals["drawdown"]
        trusts = trusts * (1.0 - share)
        made.append(totals)
    return made


def _in_year(amounts: Floats, year: int, growth: float) -> Floats:
    """(n,) the amounts of a year; after the last known one they grow."""
    known = min(year, amounts.shape[1] - 1)
    return np.asarray(amounts[:, known] * (1.0 + growth) ** (year - known))


def _retained(stress: Any, one: Held) -> float:
    rule = stress.settings.retention[0]
    return 1.0 - one.kept - float(getattr(rule, "profit", 0.0))


def _share(of: Recompiled, first: int, count: int, year: int) -> Floats:
    """(draws,) the share of the stock that is drawn in a year."""
    stress = of.facts.stress
    assert stress is not None
    assert stress.risk is not None
    said = stress.settings.drawdown
    if said is None:
        return np.zeros(count)
    share = np.full(count, said.share)
    if said.surge is not None:
        stream = f"surge:{year}" if year else "surge"
        luck = streams.uniforms(
            streams.keys(["the nation"]), seed=stress.risk.seed, stream=stream, first=first, count=count
        )
        share[luck[:, 0] < said.surge.probability] = said.surge.share
    return share


def _distances(of: Recompiled, exposure: Exposure, first: int, count: int) -> Iterator[Floats]:
    """d of each year, draw x place: the area's shock fades by its correlation, what a place always does stays."""
    stress = of.facts.stress
    assert stress is not None
    assert stress.risk is not None
    assert stress.settings.years is not None
    model, seed, keep = stress.risk.model, stress.risk.seed, stress.settings.years.area_correlation
    parts = draw_parts(model, exposure, seed=seed, first=first, count=count)
    lasting = parts["persistent"] + parts["gradient"] + parts["shift"]
    area, chance = parts["area"], parts["chance"]
    for year in range(stress.settings.years.number):
        if year:
            new = yearly_parts(model, exposure, seed=seed, year=year, first=first, count=count)
            area, chance = keep * area + (1.0 - keep**2) ** 0.5 * new["area"], new["chance"]
        yield (lasting + area + chance).clip(-model.clip, model.clip)
