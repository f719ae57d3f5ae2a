"""Risk pools a second time: does the top-slice suffice as often as it claims, and would a smaller one?

The draws it was chosen on and the fresh ones are made again; what a pool lacks is summed body by body in pounds.
Imports `check.shocks`, `check.bound`, `check.decided`, `check.verdict` and `risk`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from allocopt.check.bound import Recompiled
from allocopt.check.decided import Decided
from allocopt.check.shocks import AT_ONCE, Held, held
from allocopt.check.verdict import Check, Floats, measured
from allocopt.risk import Exposure, draws

SMALLER = 0.999
"""A top-slice that is a thousandth smaller must fail too often."""


def check_pools(of: Recompiled, decided: Decided, record: Mapping[str, Any], table: pd.DataFrame) -> Iterator[Check]:
    """Every pool of stress.csv; nothing where none was sized."""
    stress = of.facts.stress
    if stress is None or stress.risk is None or stress.settings.pool is None:
        return
    one, asked = held(of, decided, record), stress.settings.pool
    value = table.set_index(["test", "measure", "statistic"])["value"]
    layers = {"pool": 0.0, **{f"pool_area_layer_{100 * share:g}pct": share for share in asked.area_layer}}
    for suffix, exposure in (("", stress.risk.exposure), ("_independent", stress.risk.exposure.independent())):
        named = {f"{name}{suffix}": share for name, share in layers.items() if f"{name}{suffix}" in set(table["test"])}
        slices = {test: float(value[test, "top_slice", "value"]) / 100 for test in named}
        trials = {test: (slices[test], SMALLER * slices[test], share) for test, share in named.items()}
        short = _short(of, one, exposure, {test: trial for test, trial in trials.items() if trial[0] > trial[2]})
        for test, (enough, less) in short.items():
            chosen, fresh = enough[: asked.draws].mean(), enough[asked.draws :].mean()
            missed = {
                "too often in its own draws": max(0.0, float(chosen) - asked.breach - 1.5 / asked.draws),
                "a smaller one is enough": max(0.0, asked.breach - float(less[: asked.draws].mean())),
                "fresh draws": abs(float(fresh) - value[test, "breach_on_fresh_draws", "probability"]),
            }
            off = np.array([*missed.values()])
            what = f"a top-slice of {100 * slices[test]:.4g}%: {chosen:.2%} of its own draws, {fresh:.2%} of fresh ones"
            yield measured(
                f"stress {test}", off, at=[*missed], what=what, tolerance=1.5 / asked.fresh, unit="of the draws"
            )


def _short(
    of: Recompiled, one: Held, exposure: Exposure, trials: Mapping[str, tuple[float, float, float]]
) -> dict[str, tuple[Floats, Floats]]:
    """Test -> whether its pool falls short in each draw, at its top-slice and at the smaller one."""
    stress = of.facts.stress
    assert stress is not None
    assert stress.risk is not None
    assert stress.settings.pool is not None
    risk, asked = stress.risk, stress.settings.pool
    found: dict[str, tuple[list[Floats], list[Floats]]] = {test: ([], []) for test in trials}
    last = asked.draws + asked.fresh
    for first in range(1, last + 1, AT_ONCE):
        many = min(AT_ONCE, last + 1 - first)
        distance = draws(risk.model, exposure, seed=risk.seed, first=first, count=many)
        over = one.by_body((1.0 + distance) * one.base - one.given)
        for test, (at, less, layer) in trials.items():
            for slot, share in enumerate((at + 2e-8, less)):
                found[test][slot].append((_lacking(one, over, share, layer, asked) > 0).astype(float))
    return {test: (np.concatenate(at), np.concatenate(less)) for test, (at, less) in found.items()}


def _lacking(one: Held, over: Floats, share: float, layer: float, asked: Any) -> Floats:
    """(draws,) pounds that the pools cannot pay."""
    size = one.by_body(one.given)[0]
    left = (1 - share) * over if asked.spend == "follows_budget" else over + share * size
    claims = (left - asked.stop_loss * (1 - share) * size).clip(0.0)
    helped = one.kept * (-left).clip(0.0).sum(axis=1)
    if not layer:
        return np.asarray(claims.sum(axis=1) - helped - share * size.sum())
    area = one.area_of_body()
    unpaid = np.stack([np.bincount(area, weights=row) for row in claims]) - layer * np.bincount(area, weights=size)
    return np.asarray(unpaid.clip(0.0).sum(axis=1) - helped - (share - layer) * size.sum())
