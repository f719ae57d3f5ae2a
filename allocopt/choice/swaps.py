# mypy: disable-error-code="no-untyped-def, no-untyped-call"
"""Random regroupings by exchange, compiled by numba. Imports numba and numpy alone."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def regroup(group, held, start, near, position, centre, span, people, low, high, tries, seed):
    """Try so many exchanges of two places, in place: each must lie in the circle of its new consortium, and both
    consortia keep their people between `low` and `high`. Exchanges undo as likely as they are made, so that every
    regrouping that they reach is equally likely. Returns the number made.
    """
    np.random.seed(seed % 4294967296)
    made = 0
    for _ in range(tries):
        p = np.random.randint(0, len(group))
        if start[p + 1] == start[p]:
            continue
        q = near[np.random.randint(start[p], start[p + 1])]
        a, b = group[p], group[q]
        if a == b:
            continue
        more = people[q] - people[p]
        if not (low[a] <= held[a] + more <= high[a] and low[b] <= held[b] - more <= high[b]):
            continue
        far_p, far_q = 0.0, 0.0
        for axis in range(3):
            far_p += (position[p, axis] - centre[b, axis]) ** 2
            far_q += (position[q, axis] - centre[a, axis]) ** 2
        if far_p > span[b] or far_q > span[a]:
            continue
        group[p], group[q] = b, a
        held[a] += more
        held[b] -= more
        made += 1
    return made
