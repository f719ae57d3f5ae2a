"""Programmes that certificate.npz keeps a plan and row prices of, looked at again: what their least cost lies between.

The plan bounds the least cost from above: every column that the certificate does not hold stands at the least its
rows allow, and the whole programme is checked row by row. The prices bound it from below, by weak duality. No solver
takes part. Imports `check.bound`, `check.verdict` and `solve.compiled`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from allocopt.check.bound import MILLION, completed, dual
from allocopt.check.verdict import Floats
from allocopt.solve.compiled import Compiled

OBEYED = 0.01
"""Pounds by which the plan of a changed programme may miss one of its rows."""


class NotKept(ValueError):
    """The certificate holds nothing that proves a figure."""


@dataclass(frozen=True)
class Certificate:
    """What certificate.npz holds, by name."""

    arrays: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> Certificate:
        """The whole file; nothing where there is none."""
        if not path.is_file():
            return cls({})
        with np.load(path, allow_pickle=False) as kept:
            return cls({name: kept[name] for name in kept.files})

    def part(self, name: str) -> dict[str, Any]:
        """Everything under a name, by what follows it."""
        mark = f"{name}."
        return {key.removeprefix(mark): one for key, one in self.arrays.items() if key.startswith(mark)}

    def has(self, name: str) -> bool:
        """Whether anything is kept under this name."""
        return f"{name}.rows" in self.arrays

    def prices(self, name: str, row_at: Mapping[str, int], rows: int) -> Floats:
        """(rows,) row prices. Raises ValueError for a row that is not there, named twice, or without a number."""
        if not self.has(name):
            raise NotKept(f"the certificate keeps no prices of {name}")
        at = np.array([row_at[row.decode("utf-8")] for row in self.arrays[f"{name}.rows"]], dtype=np.intp)
        said = np.asarray(self.arrays[f"{name}.prices"], dtype=np.float64)
        if len(at) != len(said) or len(set(at.tolist())) != len(at) or not np.isfinite(said).all():
            raise ValueError(f"the prices of {name} are not one finite number a row")
        found = np.zeros(rows)
        found[at] = said
        return found

    def plan(self, name: str, compiled: Compiled) -> Floats:
        """(columns,) the plan, with every column that is not kept at the least that its rows allow."""
        if f"{name}.values" not in self.arrays:
            raise NotKept(f"the certificate keeps no plan of {name}")
        parts = [part.decode("utf-8") for part in self.arrays[f"{name}.parts"]]
        kept = np.isin(compiled.column_component, parts)
        values = np.asarray(self.arrays[f"{name}.values"], dtype=np.float64)
        if len(values) != int(kept.sum()) or not np.isfinite(values).all():
            raise ValueError(f"the plan of {name} is not one finite number a column of {', '.join(parts)}")
        point = np.where(np.isfinite(compiled.column_lower), compiled.column_lower, 0.0)
        point[kept] = values
        return completed(compiled, point, kept)


@dataclass(frozen=True)
class Proof:
    """One objective of one programme, with what is kept of it."""

    kept: Certificate
    name: str
    compiled: Compiled
    row_at: Mapping[str, int]
    number: int = 0
    """Which objective of the programme."""

    @cached_property
    def prices(self) -> Floats:
        """(rows,)"""
        return self.kept.prices(self.name, self.row_at, self.compiled.matrix.shape[0])

    @cached_property
    def plan(self) -> Floats:
        """(columns,)"""
        return self.kept.plan(self.name, self.compiled)

    @cached_property
    def at_least(self) -> float:
        """What the prices prove of the least cost, before the objective's constant."""
        return dual(self.compiled, self.compiled.costs[self.number], self.prices)

    @cached_property
    def at_most(self) -> float:
        """What the plan costs, before the objective's constant."""
        return float(self.compiled.costs[self.number] @ self.plan)

    def missed(self) -> str | None:
        """The row or column that the plan misses by more than a rounding, in words."""
        compiled, point = self.compiled, self.plan
        activity = compiled.matrix @ point
        by_row = np.maximum(compiled.row_lower - activity, activity - compiled.row_upper)
        by_column = np.maximum(compiled.column_lower - point, point - compiled.column_upper)
        for apart, names in ((by_row, compiled.rows), (by_column, compiled.columns)):
            worst = int(np.argmax(apart))
            if MILLION * apart[worst] > OBEYED:
                component, key = names[worst]
                return f"the kept plan misses {component}[{','.join(key)}] by £{MILLION * apart[worst]:,.2f}"
        return None
