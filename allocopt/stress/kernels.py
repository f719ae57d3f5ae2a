# mypy: disable-error-code="no-untyped-def, no-untyped-call"
"""The loop that counts overspending bodies by size, compiled by numba. Imports numba and numpy alone."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def count_passed(over, limits, band, bands):
    """(draws, bands, thresholds + 1) how many bodies of each band pass exactly so many of their limits.

    over (draws, bodies) spend less allocation; limits (bodies, thresholds) in the same unit; band (bodies,) the row of
    each body's band. Whatever a body passes is counted without a branch: which bodies overspend cannot be foreseen.
    """
    draws, bodies = over.shape
    thresholds = limits.shape[1]
    found = np.zeros((draws, bands, thresholds + 1), dtype=np.int64)
    for draw in range(draws):
        for body in range(bodies):
            passed = 0
            for at in range(thresholds):
                passed += int(over[draw, body] > limits[body, at])
            found[draw, band[body], passed] += 1
    return found
