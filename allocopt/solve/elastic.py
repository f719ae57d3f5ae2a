"""A programme whose rows may be missed at a price: what it costs says how far the programme is from having a point.

Imports `compiled`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from allocopt.problem import Array
from allocopt.solve.compiled import Compiled

A_POUND = 1e-6
"""GBP million: rows that can be met to the pound can be met."""
MOST, MISSED = 1e6, "missed"
"""No row is missed by more than this (GBP million, or thousands of people); what the amounts missed are called."""


def coupling(compiled: Compiled) -> npt.NDArray[np.intp]:
    """The rows that tie places: a row of one place has two amounts and a measuring variable at most."""
    return np.flatnonzero(np.diff(compiled.matrix.indptr) > 3)


def elastic(compiled: Compiled, rows: npt.NDArray[np.intp]) -> tuple[Compiled, Array]:
    """The programme (integers relaxed) in which `rows` may be missed either way, and the cost (n + 2k,) of missing.

    The last 2k columns are the amounts missed, below and then above, of the k rows.
    """
    count, width = compiled.matrix.shape
    slack = sp.csr_array((np.ones(len(rows)), (rows, np.arange(len(rows)))), shape=(count, len(rows)))
    extra = 2 * len(rows)
    wide = replace(
        compiled,
        matrix=sp.csr_array(sp.hstack([compiled.matrix, slack, -slack], format="csr")),
        column_lower=np.concatenate([compiled.column_lower, np.zeros(extra)]),
        column_upper=np.concatenate([compiled.column_upper, np.full(extra, MOST)]),
        integer=np.zeros(width + extra, dtype=bool),
        columns=(*compiled.columns, *((MISSED, (str(number),)) for number in range(extra))),
    )
    return wide, np.concatenate([np.zeros(width), np.ones(extra)])
