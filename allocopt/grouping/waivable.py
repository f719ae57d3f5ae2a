"""The grouping programme with switches: what it costs to waive reach, the population minimum and the balance band.

Every pair that reach alone forbids is open and counted; each consortium has a switch for its rows that may be waived,
and each such row says by what share it is missed. Imports `instance`, `programme` and `solve`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from allocopt.grouping.instance import Array, Instance
from allocopt.grouping.programme import Built
from allocopt.solve.compiled import Compiled, compile_problem

WAIVABLE = {"population_window": "least", "balance_band": ""}
"""Rules whose rows may be switched off for a consortium, and which side (all sides where empty)."""


@dataclass(frozen=True)
class Elastic:
    """A programme with switches, and for each column the exemptions it stands for and their excess as a share."""

    compiled: Compiled
    number: Array
    excess: Array


def elastic_of(instance: Instance, built: Built) -> Elastic:
    """The programme with a switch for each consortium whose rows may be waived, and by how much each row misses."""
    compiled = _within_reach(instance, built, compile_problem(built))
    rows = [
        number
        for number, (component, key) in enumerate(compiled.rows)
        if component in WAIVABLE and (not WAIVABLE[component] or WAIVABLE[component] in key)
    ]
    names = sorted({(compiled.rows[row][0], (compiled.rows[row][1][0],)) for row in rows})
    number_of = {one: number for number, one in enumerate(names)}
    switch = np.array([number_of[compiled.rows[row][0], (compiled.rows[row][1][0],)] for row in rows], dtype=np.int64)
    below = np.isfinite(compiled.row_lower[rows])
    most = np.array([_most_missed(compiled, row) for row in rows])
    m, columns = compiled.matrix.shape[0], len(compiled.columns)
    miss = sp.csr_array((np.where(below, most, -most), (rows, range(len(rows)))), shape=(m, len(rows)))
    missed = [("missed", (compiled.row_names[row],)) for row in rows]
    wide = with_columns(with_columns(compiled, miss, missed, whole=False), sp.csr_array((m, len(names))), names)
    link = sp.lil_array((len(rows), columns + len(rows) + len(names)))
    for number, at in enumerate(switch.tolist()):
        link[number, columns + number], link[number, columns + len(rows) + at] = 1.0, -1.0
    links = tuple(("may_miss", key) for _, key in missed)
    wide = replace(
        wide,
        matrix=sp.vstack([wide.matrix, link.tocsr()], format="csr"),
        row_lower=np.append(wide.row_lower, np.full(len(rows), -np.inf)),
        row_upper=np.append(wide.row_upper, np.zeros(len(rows))),
        rows=(*wide.rows, *links),
    )
    beyond = _beyond(instance, built, compiled)
    return Elastic(
        wide,
        np.concatenate([beyond > 0, np.zeros(len(rows)), np.ones(len(names))]).astype(float),
        np.concatenate([beyond, np.ones(len(rows)), np.zeros(len(names))]),
    )


def _most_missed(compiled: Compiled, row: int) -> float:
    """By how much a row can be missed at most."""
    weights = compiled.matrix[[row], :].data
    if np.isfinite(compiled.row_lower[row]):
        return float(max(1e-6, compiled.row_lower[row] - np.minimum(0.0, weights).sum()))
    return float(max(1e-6, np.maximum(0.0, weights).sum() - compiled.row_upper[row]))


def _beyond(instance: Instance, built: Built, compiled: Compiled) -> Array:
    """By how much each column's place lies beyond reach of its hub, as a share of reach; 0 where it does not."""
    most, distance = instance.farthest, built.view.distance
    beyond = np.zeros(len(compiled.columns))
    for at in compiled.columns_of("member").tolist():
        p, h = compiled.columns[at][1]
        limit = most[instance.index[p]]
        if distance[p, h] > limit + 1e-9:
            beyond[at] = (distance[p, h] - limit) / max(1.0, limit)
    return beyond


def _within_reach(instance: Instance, built: Built, compiled: Compiled) -> Compiled:
    """Surpluses within reach of a hub are those that may join it without an exemption, and those that do with one."""
    if not (instance.on("surplus_concentration") and instance.on("reach")):
        return compiled
    share, view, most = instance.said("surplus_concentration", "max"), built.view, instance.farthest
    matrix, upper = compiled.matrix.tolil(), compiled.row_upper.copy()
    column = {key: at for at, (component, key) in enumerate(compiled.columns) if component == "member"}
    for row in np.flatnonzero(compiled.row_component == "surplus_concentration").tolist():
        h = compiled.rows[row][1][0]
        for p in view.members[h]:
            if view.surplus[p] > 0 and view.distance[p, h] > most[instance.index[p]] + 1e-9:
                upper[row] -= share * view.surplus[p]
                matrix[row, column[p, h]] -= share * view.surplus[p]
    return replace(compiled, matrix=matrix.tocsr(), row_upper=upper)


def with_columns(
    compiled: Compiled, extra: Any, names: Sequence[tuple[str, tuple[str, ...]]], *, whole: bool = True
) -> Compiled:
    """The programme with further columns from 0 to 1, yes-or-no ones or not; costs stay those of its own columns."""
    return replace(
        compiled,
        matrix=sp.hstack([compiled.matrix, extra], format="csr"),
        column_lower=np.append(compiled.column_lower, np.zeros(len(names))),
        column_upper=np.append(compiled.column_upper, np.ones(len(names))),
        integer=np.append(compiled.integer, np.full(len(names), whole)),
        columns=(*compiled.columns, *names),
    )
