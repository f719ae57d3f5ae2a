"""batch.json: what was swept, what is kept, how the cases ended, and the seal over all of them.

Imports `axes`, `store` and `scenario`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from allocopt.batches.axes import Plan
from allocopt.batches.store import SEAL, Store, made_by
from allocopt.batches.work import ALL, TABLES
from allocopt.scenario import SweepFile
from allocopt.scenario.tree import written

WHOLE = 100
"""Up to so many cases everything is kept unless the sweep says otherwise."""


def kept(keep: Sequence[str] | None, cases: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tables and the figures that are kept; no figure named means all of them."""
    if keep is None:
        return ((ALL,) if cases <= WHOLE else ()), ()
    return tuple(name for name in TABLES if name in keep), tuple(name for name in keep if name not in TABLES)


def batch_record(
    file: SweepFile, plan: Plan, frame: pd.DataFrame, store: Store, figures: Sequence[str]
) -> dict[str, Any]:
    """The whole of batch.json, as plain JSON data: the same for any worker count and any order."""
    counts = frame["status"].value_counts().sort_index()
    return {
        "format": 1,
        "name": file.name,
        "sweep": file.path.name,
        "how": plan.sweep.how,
        "over": {
            axis.key: axis_words(axis.values)
            if axis.values
            else written(axis.range.at(axis.range.start)) + " to " + written(axis.range.at(axis.range.end))
            if axis.range
            else []
            for axis in plan.axes
        },
        "seed": plan.sweep.seed,
        "cases": len(frame),
        "unique_cases": int(frame["case"].nunique()),
        "statuses": {str(status): int(count) for status, count in counts.items()},
        "exit": int(frame["exit"].max()),
        "keep": {"tables": list(store.tables), "figures": list(figures) or "all"},
        "warnings": [*plan.notes, *_warnings(frame, store)],
        **made_by(),
        "seal": seal_of(store.folder, list(dict.fromkeys(frame["case"]))),
        "sha256": {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(store.folder.iterdir())
            if path.suffix in (".csv", ".parquet", ".html")
        },
    }


def axis_words(values: Sequence[Any]) -> list[str]:
    """The values of an axis as written."""
    return [written(one) for one in values]


def _warnings(frame: pd.DataFrame, store: Store) -> list[str]:
    """What the reader of the results must know, from every case that has a result: each once."""
    said: dict[str, None] = {}
    for case in frame.loc[frame["exit"].isin([0, 4]), "case"]:
        path = store.case(case) / "run.json"
        if path.is_file():
            said |= dict.fromkeys(json.loads(path.read_text(encoding="utf-8"))["warnings"])
    return list(said)[:20]


def seal_of(folder: Path, cases: Sequence[str]) -> str:
    """One hash over the seals of all cases."""
    told = hashlib.sha256()
    for case in cases:
        path = folder / "cases" / case / SEAL
        told.update(path.read_bytes() if path.is_file() else b"not there")
    return told.hexdigest()
