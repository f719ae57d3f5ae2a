"""Programmes written as matrices, for tests of the solver and the certificate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from allocopt.solve.compiled import Compiled

NONE = np.inf


def programme(
    matrix: Sequence[Sequence[float]],
    *,
    rows: tuple[Sequence[float], Sequence[float]],
    columns: tuple[Sequence[float], Sequence[float]],
    cost: Sequence[float],
    integer: bool = False,
) -> Compiled:
    """minimise cost x subject to rows[0] <= matrix x <= rows[1], columns[0] <= x <= columns[1]."""
    body = sp.csr_array(np.array(matrix, dtype=float))
    lower, upper, least, most = (np.array(one, dtype=float) for one in (*rows, *columns))
    return Compiled(
        matrix=body,
        row_lower=lower,
        row_upper=upper,
        column_lower=least,
        column_upper=most,
        integer=np.full(body.shape[1], integer),
        costs=np.array([cost], dtype=float),
        offsets=np.zeros(1),
        sense=(1,),
        rows=tuple(("row", (str(number),)) for number in range(body.shape[0])),
        columns=tuple(("x", (str(number),)) for number in range(body.shape[1])),
    )
