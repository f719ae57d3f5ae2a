"""Textbook measures of distribution: Gini, concentration, redistribution, Theil, Atkinson; imports nothing of allocopt.

Every measure takes one value a place and one weight a place (people, or pounds of target) and treats a place as that
many equal units: cutting a place in two changes nothing, nor does the order of the places. Places that tie in a ranking
share the middle of their ranks, so that no measure depends on how a tie was broken. Source of the definitions: Lambert,
*The Distribution and Redistribution of Income*; Reynolds and Smolensky (1977) and Kakwani (1977) for redistribution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Redistribution:
    """Reynolds-Smolensky: `effect` = `vertical` - `reranking`; indices, `reranking` is never negative."""

    effect: float
    vertical: float
    reranking: float


@dataclass(frozen=True)
class TheilSplit:
    """Theil's index and its two parts: `total` = `within` + `between`."""

    total: float
    within: float
    between: float


def _read(values: npt.ArrayLike, weights: npt.ArrayLike) -> tuple[Floats, Floats]:
    y, w = np.asarray(values, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    if y.ndim != 1 or y.shape != w.shape or not y.size:
        raise ValueError(f"one value and one weight a place are needed: got shapes {y.shape} and {w.shape}")
    if not np.isfinite(y).all() or (y < 0).any() or not y.any():
        raise ValueError("a distribution needs finite values of zero or more, with a sum above zero")
    if not np.isfinite(w).all() or (w <= 0).any():
        raise ValueError("weights must be finite and above zero")
    return y, w


def _middle_ranks(by: Floats, weights: Floats) -> Floats:
    """Fractional rank less one half, in weight: the middle of each place's stretch, ties sharing one stretch."""
    order = np.argsort(by, kind="stable")
    ordered = by[order]
    block = np.concatenate(([0], np.cumsum(ordered[1:] != ordered[:-1])))
    stretch = np.bincount(block, weights=weights[order])
    middle = (np.cumsum(stretch) - stretch / 2) / stretch.sum() - 0.5
    ranks = np.empty_like(by)
    ranks[order] = middle[block]
    return ranks


def concentration(values: npt.ArrayLike, weights: npt.ArrayLike, *, by: npt.ArrayLike) -> float:
    """Concentration index of `values` over places ranked by `by`, lowest first: -1..1.

    Positive where the high ranks have more: C = 2 sum w (y - mean y) (R - 1/2) / (sum w x mean y), R the fractional
    rank in weight. Arrays of one entry a place.
    Raises ValueError for values below zero, weights not above zero, or a ranking that is not known everywhere.
    """
    y, w = _read(values, weights)
    rank_by = np.asarray(by, dtype=np.float64)
    if rank_by.shape != y.shape or not np.isfinite(rank_by).all():
        raise ValueError("a ranking needs one finite value a place")
    mean = float(np.average(y, weights=w))
    return float(2 * np.sum(w * (y - mean) * _middle_ranks(rank_by, w)) / (w.sum() * mean))


def gini(values: npt.ArrayLike, weights: npt.ArrayLike) -> float:
    """Gini index, 0 (all equal) to 1: the concentration index of `values` ranked by themselves. Errors as there."""
    return concentration(values, weights, by=values)


def redistribution(before: npt.ArrayLike, after: npt.ArrayLike, weights: npt.ArrayLike) -> Redistribution:
    """Split the fall of the Gini from `before` (X) to `after` (Y): G_X - G_Y = (G_X - C_Y|X) - (G_Y - C_Y|X).

    C_Y|X ranks Y by X: the second bracket is what places overtaking each other add back. Errors as `concentration`.
    """
    g_before, g_after = gini(before, weights), gini(after, weights)
    ranked = concentration(after, weights, by=before)
    return Redistribution(effect=g_before - g_after, vertical=g_before - ranked, reranking=g_after - ranked)


def kakwani(values: npt.ArrayLike, need: npt.ArrayLike, weights: npt.ArrayLike) -> float:
    """Progressivity to need: C of `values` ranked by `need` less the Gini of `need`; 0 when in proportion to need."""
    return concentration(values, weights, by=need) - gini(need, weights)


def lorenz(values: npt.ArrayLike, weights: npt.ArrayLike, *, by: npt.ArrayLike | None = None) -> tuple[Floats, Floats]:
    """The Lorenz curve (ranked by `by`: the concentration curve): cumulative shares of weight and of value, 0 to 1.

    Two arrays with one point for each distinct rank and the origin: ties are one straight stretch.
    """
    y, w = _read(values, weights)
    _, block = np.unique(np.asarray(values if by is None else by, dtype=np.float64), return_inverse=True)
    people, money = np.bincount(block, weights=w), np.bincount(block, weights=w * y)
    return tuple(np.concatenate(([0.0], np.cumsum(part) / part.sum())) for part in (people, money))  # type: ignore[return-value]


def _entropy(ratio: Floats) -> Floats:
    """r ln r, with its limit 0 at r = 0."""
    return ratio * np.log(np.where(ratio > 0, ratio, 1.0))


def theil(values: npt.ArrayLike, weights: npt.ArrayLike) -> float:
    """Theil's T = weighted mean of (y / mean) ln(y / mean): 0 when all are equal. Errors as `concentration`."""
    y, w = _read(values, weights)
    return float(np.average(_entropy(y / np.average(y, weights=w)), weights=w))


def theil_split(values: npt.ArrayLike, weights: npt.ArrayLike, *, groups: Codes) -> TheilSplit:
    """Theil's T within and between groups (`groups`: a code 0, 1, .. a place).

    Between: T if every place had its group's mean. Within: the groups' own T weighted by their share of the money.
    The parts are computed separately; `total` is T of the places, so their sum can be checked.
    """
    y, w = _read(values, weights)
    codes = np.unique(groups, return_inverse=True)[1]
    people, money = np.bincount(codes, weights=w), np.bincount(codes, weights=w * y)
    means = money / people
    between = float(np.average(_entropy(means / np.average(y, weights=w)), weights=people))
    own = np.where(means > 0, means, 1.0)[codes]
    within = np.bincount(codes, weights=w * _entropy(y / own)) / people
    return TheilSplit(total=theil(y, w), within=float(np.average(within, weights=money)), between=between)


def atkinson(values: npt.ArrayLike, weights: npt.ArrayLike, *, epsilon: float) -> float:
    """Atkinson's index, 0 to 1, at aversion `epsilon` > 0: the share that could go if the rest were spread equally.

    1 - (mean of (y / mean)^(1 - e))^(1 / (1 - e)); at e = 1, 1 - geometric mean / mean. Once e >= 1 a value of 0
    gives 1. Raises ValueError for another epsilon; other errors as `concentration`.
    """
    if not epsilon > 0:
        raise ValueError(f"Atkinson's epsilon must be above zero: {epsilon:g}")
    y, w = _read(values, weights)
    if epsilon >= 1 and (y == 0).any():
        return 1.0
    ratio = y / np.average(y, weights=w)
    if epsilon == 1:
        return float(-np.expm1(np.average(np.log(ratio), weights=w)))
    return float(1 - np.average(ratio ** (1 - epsilon), weights=w) ** (1 / (1 - epsilon)))
