"""Small subjects for stress tests: places with a plan and a risk model, GBP million."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from allocopt import streams
from allocopt.risk import Exposure, RiskModel
from allocopt.stress.bodies import Subject, levels_of
from allocopt.stress_inputs import Risk

NO_RISK = RiskModel(
    kappa=0,
    area_sd=0,
    persistent_sd=0,
    heavy_sd=0,
    heavy_share=0,
    gradient_poorest=0,
    gradient_richest=0,
    national_shift=0,
)


def subject(
    *,
    base: Sequence[float],
    allocation: Sequence[float] | None = None,
    groups: Sequence[str] | None = None,
    areas: Sequence[str] | None = None,
    people: float = 10_000.0,
    seed: int = 7,
    **parts: float,
) -> Subject:
    """Places P000, P001, ...; `parts` are the parameters of the risk model that are not 0."""
    count = len(base)
    places = pd.Index([f"P{number:03}" for number in range(count)])
    lists = np.full(count, people)
    area_of, names = pd.factorize(np.array(areas if areas is not None else places), sort=True)
    exposure = Exposure(places, streams.keys(places), streams.keys(names), area_of, lists, np.full(count, 3.0))
    spend = np.array(base, dtype=float)
    labels = {"group": groups, "area": areas}
    found = levels_of(
        tuple(places),
        {name: np.array(one) for name, one in labels.items() if one is not None},
        spend if allocation is None else np.array(allocation, dtype=float),
        lists,
    )
    risk = Risk(replace(NO_RISK, **parts), exposure, seed, spend[:, None], "test")
    return Subject(risk, spend, spend, {}, found, "group" if groups is not None else "place")
