"""certificate.npz: the row prices that prove every stage, by row name; of a rolling path, year by year; of a grouping,
the prices of its linear relaxation and the plans beside its own; of every rule's price and every point of a frontier, a
plan and row prices.

Imports `plan` and below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import numpy.typing as npt
from numpy.lib.format import write_array

from allocopt.plan import Plan
from allocopt.problem import Array
from allocopt.solve.compiled import Compiled, components

LEVEL = 4
"""Of packing: half the time of zlib's own level 6, and no larger for row names and prices."""


@dataclass(frozen=True)
class Kept:
    """What proves again, without the solver, the least cost of one programme: from above a plan, from below prices."""

    arrays: Mapping[str, Any]
    """Prices by row name, and the plan with the components that its columns come from, in their order."""

    @classmethod
    def of(cls, compiled: Compiled, prices: Array, values: Array | None = None) -> Self:
        """Row prices (m,) of a programme and its plan (n,); None where nothing but a bound is claimed."""
        used = np.flatnonzero(prices)
        found = {"rows": _narrow(compiled.row_labels[used]), "prices": prices[used]}
        if values is not None:
            parts = components(compiled.column_component)
            found |= {"parts": np.array([part.encode() for part in parts], dtype=np.bytes_), "values": values}
        return cls(found)


def write_certificate(path: Path, plan: Plan, kept: Mapping[str, Kept]) -> None:
    """Every stage's row prices by row name (only the rows that have one), for `verify` to evaluate again; then what
    proves rule prices and frontiers, by name.
    """
    arrays: dict[str, Any] = {}
    for one in plan.by_year or (plan,):
        mark = f"{one.facts.situation.years[0]}." if plan.by_year else ""
        arrays |= {f"{mark}{name}": array for name, array in _kept_prices(one).items()}
    arrays |= {f"{name}.{part}": array for name, one in kept.items() for part, array in one.arrays.items()}
    pack(path, arrays)


def write_grouping(path: Path, bounds: Mapping[str, Mapping[str, float] | None], kept: Mapping[str, Kept]) -> None:
    """The row prices of a grouping's bounds by row name, for those that rest on prices, and what is kept beside them;
    no file where there is nothing.
    """
    arrays: dict[str, Any] = {}
    for name, prices in bounds.items():
        if prices is not None:
            arrays[f"{name}.rows"] = np.array([row.encode() for row in prices], dtype=np.bytes_)
            arrays[f"{name}.prices"] = np.array(list(prices.values()), dtype=np.float64)
    arrays |= {f"{name}.{part}": array for name, one in kept.items() for part, array in one.arrays.items()}
    if arrays:
        pack(path, arrays)


def kept_allocation(plan: Plan, kept: Mapping[str, Kept]) -> Kept:
    """An allocation that is pooled, as the certificate of its own run would have it."""
    arrays = _kept_prices(plan)
    return Kept(arrays | {f"{name}.{part}": array for name, one in kept.items() for part, array in one.arrays.items()})


def pack(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """As `numpy.savez_compressed`, at `LEVEL`: the same arrays give the same bytes."""
    with ZipFile(path, "w", ZIP_DEFLATED, compresslevel=LEVEL) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                write_array(stream, array, allow_pickle=False)


def _narrow(names: npt.NDArray[np.bytes_]) -> npt.NDArray[np.bytes_]:
    """The same names at the width of the longest."""
    width = int(np.char.str_len(names).max(initial=1))
    return names.astype(f"S{width}")


def _kept_prices(plan: Plan) -> dict[str, Any]:
    caps = np.array([f"cap_{stage.name}".encode() for stage in plan.stages], dtype=np.bytes_)
    names = np.concatenate([plan.compiled.row_labels, caps])
    arrays: dict[str, Any] = {}
    for stage in plan.stages:
        used = np.flatnonzero(stage.prices)
        arrays[f"{stage.name}.rows"] = _narrow(names[used])
        arrays[f"{stage.name}.prices"] = stage.prices[used]
        if stage.levels is not None:
            arrays[f"{stage.name}.settled"] = stage.levels.settled
    return arrays
