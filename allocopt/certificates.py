"""certificate.npz: the row prices that prove every stage, by row name; of a rolling path, year by year; of a grouping,
the prices of its linear relaxation.

Imports `plan`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from allocopt.plan import Plan


def write_certificate(path: Path, plan: Plan) -> None:
    """Every stage's row prices by row name (only the rows that have one), for `verify` to evaluate again."""
    arrays: dict[str, Any] = {}
    for one in plan.by_year or (plan,):
        mark = f"{one.facts.situation.years[0]}." if plan.by_year else ""
        arrays |= {f"{mark}{name}": array for name, array in _kept_prices(one).items()}
    np.savez_compressed(path, **arrays)


def write_prices(path: Path, bounds: Mapping[str, Mapping[str, float] | None]) -> None:
    """The row prices of a grouping's bounds by row name, for those that rest on prices; no file where none does."""
    arrays: dict[str, Any] = {}
    for name, prices in bounds.items():
        if prices is not None:
            arrays[f"{name}.rows"] = np.array([row.encode() for row in prices], dtype=np.bytes_)
            arrays[f"{name}.prices"] = np.array(list(prices.values()), dtype=np.float64)
    if arrays:
        np.savez_compressed(path, **arrays)


def _kept_prices(plan: Plan) -> dict[str, Any]:
    names = plan.compiled.row_names + [f"cap_{stage.name}" for stage in plan.stages]
    arrays: dict[str, Any] = {}
    for stage in plan.stages:
        used = np.flatnonzero(stage.prices)
        arrays[f"{stage.name}.rows"] = np.array([names[row].encode() for row in used], dtype=np.bytes_)
        arrays[f"{stage.name}.prices"] = stage.prices[used]
        if stage.levels is not None:
            arrays[f"{stage.name}.settled"] = stage.levels.settled
    return arrays
