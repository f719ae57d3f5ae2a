"""Steps towards the top of a concave function of a few bounded prices: which way, and how far.

The way is that of Newton's step kept within the bounds: to the top of the quadratic that fits the function where it
stands. The curvature is lifted in proportion to what the slope still is, so that flat parts are crossed in short steps
and the last steps are Newton's own. Sums are taken in one order and without a library's threads, so that the same
function gives the same bytes. Imports `problem` alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from allocopt.problem import Array

LOOKS = 60
"""Points along one way: every third halves what is left, so the last bit is reached."""
FALLEN = 0.75
"""Of the slope along the way: where it has fallen to this, another way is better."""
ROUNDED = 1e-11
"""Of the value: a loss of no more than what rounding leaves is none."""
LONGER = 4.0
NEAREST = 0.02
"""Of the interval: a point is not tried nearer to its ends."""
LIFT, LEAST_LIFT, MOST_LIFT = 0.01, 1e-12, 1.0
"""Of the largest slope, in curvatures that count as large; and its limits."""
FLAT = 1e-12
"""Of the largest slope: a bound is left only for more."""


def way_up(curvature: Array, slope: Array, low: Array, high: Array, *, size: float) -> Array:
    """The step d (k,) with low <= d <= high that climbs most: at the top of slope d - 1/2 d curvature d.

    `low` <= 0 <= `high` are what the bounds leave; `curvature` (k, k) is minus the second derivative, and `size` one
    that counts as large.
    """
    blocked = ((low >= 0) & (slope < 0)) | ((high <= 0) & (slope > 0))
    left = float(np.abs(np.where(blocked, 0.0, slope)).max(initial=0.0))
    lift = min(max(LIFT * left / size, LEAST_LIFT), MOST_LIFT) * size
    scale = np.sqrt(np.diag(curvature) + lift)
    scaled = (curvature + lift * np.eye(len(slope))) / np.outer(scale, scale)
    way: Array = np.clip(_top(scaled, slope / scale, low * scale, high * scale) / scale, low, high)
    return way


def _top(curvature: Array, slope: Array, low: Array, high: Array) -> Array:
    """The top of a strictly concave quadratic within bounds, by letting go of one bound at a time.

    Source: Nocedal and Wright, Numerical Optimization (2006), section 16.5 (primal active sets).
    """
    at, held = np.zeros(len(slope)), np.zeros(len(slope), dtype=np.int64)
    for _ in range(20 + 10 * len(slope)):
        wanted = _inner(curvature, slope, at, held == 0)
        reach = _reach(at, wanted, low, high)
        first = int(np.argmin(reach))
        if reach[first] < 1:
            held[first] = -1 if wanted[first] < at[first] else 1
            at = at + reach[first] * (wanted - at)
            at[first] = low[first] if held[first] < 0 else high[first]
            continue
        at = wanted
        pull = (slope - _times(curvature, at)) * held
        loosest = int(np.argmin(pull))
        if pull[loosest] >= -FLAT * float(np.abs(slope).max(initial=0.0)):
            break
        held[loosest] = 0
    return at


def _inner(curvature: Array, slope: Array, at: Array, free: npt.NDArray[np.bool_]) -> Array:
    """The top with the held prices where they are."""
    found = at.copy()
    if free.any():
        rest = slope[free] - _times(curvature[np.ix_(free, ~free)], at[~free])
        found[free] = solved(curvature[np.ix_(free, free)], rest)
    return found


def _reach(at: Array, wanted: Array, low: Array, high: Array) -> Array:
    """The share of the way to `wanted` at which each price meets a bound."""
    step = wanted - at
    with np.errstate(divide="ignore", invalid="ignore"):
        meets = np.where(wanted < low, (low - at) / step, np.where(wanted > high, (high - at) / step, np.inf))
    return np.maximum(meets, 0.0)


def _times(matrix: Array, vector: Array) -> Array:
    """Their product, summed in one order: a library's depends on how many threads it takes."""
    result: Array = np.sum(matrix * vector, axis=1)
    return result


def solved(matrix: Array, right: Array) -> Array:
    """x with matrix x = right for a positive definite matrix, by elimination."""
    work, answer = matrix.copy(), right.copy()
    for k in range(len(right)):
        share = work[k + 1 :, k] / work[k, k]
        work[k + 1 :, k:] -= share[:, None] * work[k, k:]
        answer[k + 1 :] -= share * answer[k]
    for k in range(len(right) - 1, -1, -1):
        answer[k] = (answer[k] - float(np.sum(work[k, k + 1 :] * answer[k + 1 :]))) / work[k, k]
    return answer


def how_far(rise: Callable[[float], tuple[float, float]], *, start: tuple[float, float], longest: float) -> float:
    """The share of a way after which the slope along it has fallen enough, and the value not at all.

    `rise` gives value and slope along the way at a share of it; `start` is what it gives at 0, where the slope is
    above zero. `longest` >= 1 is as far as the bounds allow.
    """
    steep, enough = start[1], start[0] - ROUNDED * max(1.0, abs(start[0]))
    low, at_low, high, at_high, share = 0.0, steep, np.inf, 0.0, 1.0
    for number in range(1, LOOKS):
        value, slope = rise(share)
        if abs(slope) <= FALLEN * steep and value >= enough:
            break
        if slope > 0:
            low, at_low = share, slope
        else:
            high, at_high = share, slope
        if share >= longest and slope > 0:
            break
        share = _between(low, at_low, high, at_high, halve=number % 3 == 0) if high < np.inf else LONGER * share
        share = min(share, longest)
    return share


def _between(low: float, at_low: float, high: float, at_high: float, *, halve: bool) -> float:
    """Where a straight line through two slopes is nothing, or half-way."""
    way = 0.5 if halve else at_low / (at_low - at_high)
    return low + min(max(way, NEAREST), 1 - NEAREST) * (high - low)
