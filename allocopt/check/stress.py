"""Robust objectives and stress.csv a second time, in plain numpy: worst cases by sorting, draws summed again.

One thing is not written twice: the draws themselves, which the risk model makes again. Everything made from them here
(spend, deficits, surpluses, exposure, breach) shares no code with the rooms of `stress`, and every row of the table is
held to what rows of its kind must obey. Imports `check.bound`, `check.decided`, `check.inputs`, `risk`, `streams`,
`check.verdict`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from allocopt import streams
from allocopt.check.bound import Recompiled
from allocopt.check.decided import Decided
from allocopt.check.inputs import Plain
from allocopt.check.verdict import POUND, Check, Floats, compared, measured
from allocopt.risk import draws

AT_ONCE = 250
PARTS = ("gross_deficit", "available_surplus", "drawdown", "exposure", "gross_surplus", "net")


def worst_deficit(of: Decided, step: int, _draws: Floats | None, said: Plain) -> float:
    """Pounds: the largest gross deficit when floor(share n) places spend `deviation` more."""
    spend, given = _spend(of)[:, step], of.given[:, step]
    number = int(said["share"] * len(spend) + 1e-9)
    plain = np.maximum(0.0, spend - given)
    gains = np.sort(np.maximum(0.0, spend * (1.0 + said["deviation"]) - given) - plain)[::-1]
    return float(plain.sum() + gains[:number].sum())


def tail_deficit(of: Decided, step: int, drawn: Floats | None, said: Plain) -> float:
    """Pounds: the mean gross deficit of the worst part of the draws, the last of them counted in part."""
    spends = _spend(of)[:, step, None] if drawn is None else 1e6 * drawn[:, step, :]
    totals = np.sort(np.maximum(0.0, spends - of.given[:, step, None]).sum(axis=0))[::-1]
    mass = (1.0 - said["level"]) * len(totals)
    weights = np.clip(mass - np.arange(len(totals)), 0.0, 1.0)
    return float(totals @ weights / mass)


def _spend(of: Decided) -> Floats:
    if of.known.spend is None:
        raise ValueError("a deficit needs spend, and this run has none")
    return of.known.spend


TOTALS: Mapping[str, Callable[[Decided, int, Floats | None, Plain], float]] = {
    one.__name__: one for one in (worst_deficit, tail_deficit)
}
"""The objectives that are neither sums over places nor one place's measure."""
DEFAULTS: Mapping[str, Plain] = {"worst_deficit": {"deviation": 0.1, "share": 0.05}, "tail_deficit": {"level": 0.9}}


def check_robust(of: Recompiled, decided: Decided, record: Plain) -> Iterator[Check]:
    """The final value of each robust objective, from the pounds of the table."""
    asked = {one["name"]: one for one in record["scenario"].get("objectives", ())}
    rounded = len(decided.known.places) * len(decided.known.years) * POUND
    for said in record["objectives"]:
        name = said["name"]
        if name not in TOTALS:
            continue
        terms = {**DEFAULTS[name], **{key: one for key, one in asked[name].items() if key in DEFAULTS[name]}}
        years = range(len(decided.known.years))
        found = sum(TOTALS[name](decided, step, of.facts.situation.spend_draws, terms) for step in years)
        missed = np.array([abs(1e6 * float(said["final_value"]) - found)])
        what = f"£{found:,.0f} in the table against the final value in run.json"
        yield measured(f"objective {name}", missed, at=["the plan"], what=what, tolerance=rounded)


def check_stress(of: Recompiled, decided: Decided, record: Plain, folder: Path) -> Iterator[Check]:
    """stress.csv: what every row must obey, and the plain simulation summed again; nothing where there is none."""
    if "stress" not in record:
        return
    table = pd.read_csv(folder / "stress.csv", dtype={"value": "float64"})
    yield from check_rows(table)
    if of.facts.stress is not None and of.facts.stress.risk is not None:
        yield from _drawn_again(of, decided, table)


def check_rows(table: pd.DataFrame) -> Iterator[Check]:
    """Probabilities between 0 and 1, intervals around their figures, parts that add up to the exposure."""
    value = table["value"]
    chances = table[table["unit"] == "probability"]
    wrong = chances[~chances["value"].between(0.0, 1.0)]
    yield compared("stress probabilities", _named(wrong), f"{len(chances):,} lie between 0 and 1")
    wide = table.assign(value=value).pivot_table(
        index=["test", "level", "measure"], columns="statistic", values="value", aggfunc="first"
    )
    yield compared("stress intervals", _outside(wide), "every figure lies in its interval")
    yield from _sums(wide["mean"].unstack("measure") if "mean" in wide else pd.DataFrame())  # noqa: PD010 - an index


def _named(rows: pd.DataFrame) -> list[str]:
    return [f"{row.test} {row.level} {row.measure} {row.statistic} is {row.value}" for row in rows.itertuples()]


def _outside(wide: pd.DataFrame) -> list[str]:
    found = []
    for figure in wide.columns:
        ends = ("ci_low", "ci_high") if figure in ("mean", "probability") else (f"{figure}_ci_low", f"{figure}_ci_high")
        if not set(ends) <= set(wide.columns):
            continue
        rows = wide[[figure, *ends]].dropna()
        off = (rows[figure] < rows[ends[0]] - POUND) | (rows[figure] > rows[ends[1]] + POUND)
        found += [f"{' '.join(map(str, name))}: {figure} lies outside its interval" for name in rows.index[off]]
    return found


def _sums(mean: pd.DataFrame) -> Iterator[Check]:
    """Means of pounds that were rounded one by one: three pounds at most."""
    if not set(PARTS) <= set(mean.columns):
        return
    rows = mean[list(PARTS)].dropna()
    at = [" ".join(map(str, name)) for name in rows.index]
    made = rows["gross_deficit"] - rows["available_surplus"] + rows["drawdown"]
    off = (rows["exposure"] - made).abs().to_numpy()
    yield measured("stress exposure", off, at=at, what="deficit less available surplus plus drawdown", tolerance=2.0)
    off = (rows["net"] - rows["gross_deficit"] + rows["gross_surplus"]).abs().to_numpy()
    yield measured("stress net", off, at=at, what="deficit less surplus", tolerance=2.0)


def _drawn_again(of: Recompiled, decided: Decided, table: pd.DataFrame) -> Iterator[Check]:
    """Mean deficit, surplus and exposure, and the breach, of places, groups and the nation in the correlated draws."""
    stress = of.facts.stress
    assert stress is not None
    labels = {"place": np.arange(len(decided.known.places)), "nation": np.zeros(len(decided.known.places), dtype=int)}
    if "group" in stress.labels:
        labels["group"] = np.unique(stress.labels["group"], return_inverse=True)[1]
    plain = table[table["test"] == "correlated"].set_index(["level", "measure", "statistic"])["value"]
    drawn = drawdown(of)
    for level, (deficit, surplus) in _totals(of, decided, labels).items():
        kept = available(stress.settings.retention[0]) * surplus
        exposure = deficit - kept + drawn
        pairs = {"gross_deficit": deficit, "gross_surplus": surplus, "available_surplus": kept, "exposure": exposure}
        off = [abs(float(one.mean()) - plain[level, name, "mean"]) for name, one in pairs.items()]
        what = f"{stress.settings.draws:,} draws summed again"
        tolerance = POUND + 1e-9 * float(deficit.mean() + surplus.mean())
        yield measured(f"stress {level}", np.array(off), at=list(pairs), what=what, tolerance=tolerance)
        share = float((exposure > 1e6 * stress.settings.limit).mean())
        off = [abs(share - plain[level, "breach", "probability"])]
        yield measured(
            f"stress breach {level}", np.array(off), at=[level], what=what, tolerance=1e-6, unit="probability"
        )


def available(rule: float | object) -> float:
    """The share of a surplus that can offset an overspend elsewhere, as the scenario's rule says."""
    returned = getattr(rule, "returned", None)
    return float(returned) if returned is not None else 1.0 - float(rule)  # type: ignore[arg-type]


def drawdown(of: Recompiled) -> Floats:
    """(draws,) pounds of retained surpluses that are drawn."""
    stress = of.facts.stress
    assert stress is not None
    assert stress.risk is not None
    said, count = stress.settings.drawdown, stress.settings.draws
    if said is None:
        return np.zeros(count)
    share = np.full(count, said.share)
    if said.surge is not None:
        nation = streams.keys(["the nation"])
        luck = streams.uniforms(nation, seed=stress.risk.seed, stream="surge", first=1, count=count)[:, 0]
        share[luck < said.surge.probability] = said.surge.share
    return np.asarray(1e6 * (said.stock + said.foundation_trusts) * share)


def _totals(of: Recompiled, decided: Decided, labels: Mapping[str, Floats]) -> dict[str, tuple[Floats, Floats]]:
    """Deficits and surpluses of each level in each draw, pounds."""
    stress = of.facts.stress
    assert stress is not None
    assert stress.risk is not None
    risk, count = stress.risk, stress.settings.draws
    found: dict[str, list[tuple[Floats, Floats]]] = {level: [] for level in labels}
    for first in range(1, count + 1, AT_ONCE):
        many = min(AT_ONCE, count + 1 - first)
        distance = draws(risk.model, risk.exposure, seed=risk.seed, first=first, count=many)
        over = 1e6 * risk.base[:, 0] * (1.0 + distance) - decided.given[:, 0]
        for level, of_body in labels.items():
            body = np.stack([np.bincount(of_body.astype(np.intp), weights=row) for row in over])
            found[level].append((body.clip(0.0).sum(axis=1), (-body).clip(0.0).sum(axis=1)))
    joined = {level: zip(*parts, strict=True) for level, parts in found.items()}
    return {level: (np.concatenate(short), np.concatenate(over)) for level, (short, over) in joined.items()}
