"""How far surplus practices sit with surplus practices, against random regroupings under the same geography.

The score is the share of all variation in balance per head that lies between consortia: 0 where every consortium has
the same balance, 1 where each holds only places that are alike. Random regroupings exchange two places at a time, each
within the circle around its new consortium's centre that its members already span and with sizes kept, so that what
geography alone brings is in the comparison. Imports `kernels` style loops (numba), `grouping.instance`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from allocopt.choice.field import Array, Ints
from allocopt.choice.swaps import regroup

NEIGHBOURS = 60
"""Each place may change with this many nearest places (and with those that count it among theirs)."""
SIZE_KEPT = 0.2
"""A consortium's people stay within this share of what it has."""
BURN_IN, BETWEEN = 50, 10
"""Sweeps (one try a place) before the first regrouping, and between one and the next."""


@dataclass(frozen=True)
class Grouped:
    """What is scored: n places with their balance per head (`rate`), people and position; `group` -1: none."""

    rate: Array
    people: Array
    position: Array
    group: Ints


@dataclass(frozen=True)
class Shunning:
    """The score, what random regroupings score, and who drives it."""

    score: float
    expected: float
    deviation: float
    """standard deviation of the score over random regroupings"""
    p_value: float
    """share of regroupings (and the plan itself) that score as high"""
    index: float
    """0: as random regroupings; 1: complete separation"""
    isolation: float
    """of 100 people beside a surplus practice's patient in a consortium, those of surplus practices, as a fraction"""
    isolation_expected: float
    isolation_p_value: float
    contribution: Array
    """(n,) each place's part of score less expected; 0 for places in no consortium"""
    permutations: int
    seed: int
    moved: float
    """share of places that a random regrouping has in another consortium than the plan: how far it mixes"""


def score(rate: Array, people: Array, group: Ints) -> tuple[float, float, Array]:
    """The score, the isolation of surplus practices, and each place's consortium's rate less the mean, (n,)."""
    share = people / people.sum()
    mean = float(share @ rate)
    number = int(group.max()) + 1
    held = np.bincount(group, weights=share, minlength=number)
    of_group = np.bincount(group, weights=share * (rate - mean), minlength=number) / np.maximum(held, 1e-300)
    spread = float(share @ (rate - mean) ** 2)
    between = float(held @ of_group**2)
    surplus = rate > 0
    plus = np.bincount(group, weights=share * surplus, minlength=number)
    isolation = float((plus**2 / np.maximum(held, 1e-300)).sum() / plus.sum()) if plus.sum() > 0 else float("nan")
    return (between / spread if spread > 0 else 0.0), isolation, of_group[group]


def shunning(of: Grouped, *, permutations: int, seed: int) -> Shunning:
    """The score of a grouping with its permutation test. Places in no consortium are left aside."""
    inside = np.flatnonzero(of.group >= 0)
    rate, people, position = of.rate[inside], of.people[inside], of.position[inside]
    group = np.unique(of.group[inside], return_inverse=True)[1].astype(np.int64)
    own, own_isolation, own_rate = score(rate, people, group)
    scores, isolations, mean_rate, moved = _random(rate, people, position, group, permutations, seed)
    expected = float(scores.mean())
    share, mean = people / people.sum(), float(people @ rate / people.sum())
    spread = float(share @ (rate - mean) ** 2)
    contribution = np.zeros(len(of.group))
    if spread > 0:
        contribution[inside] = share * (rate - mean) * (own_rate - mean_rate) / spread
    return Shunning(
        score=own,
        expected=expected,
        deviation=float(scores.std()),
        p_value=_p_value(scores, own),
        index=(own - expected) / (1 - expected) if expected < 1 else 0.0,
        isolation=own_isolation,
        isolation_expected=float(isolations.mean()),
        isolation_p_value=_p_value(isolations, own_isolation),
        contribution=contribution,
        permutations=permutations,
        seed=seed,
        moved=moved,
    )


def _p_value(drawn: Array, own: float) -> float:
    return float((1 + (drawn >= own - 1e-12).sum()) / (1 + len(drawn)))


def _random(
    rate: Array, people: Array, position: Array, group: Ints, permutations: int, seed: int
) -> tuple[Array, Array, Array, float]:
    """Scores and isolations of random regroupings, the mean rate of each place's consortium, the share moved."""
    start, near = _exchanges(position)
    centre, span = _circles(position, people, group)
    size = np.bincount(group, weights=people)
    now, held = group.copy(), size.copy()
    limits = size * (1 - SIZE_KEPT), size * (1 + SIZE_KEPT)
    scores, isolations, total, moved = np.zeros(permutations), np.zeros(permutations), np.zeros(len(rate)), 0.0
    for draw in range(permutations):
        sweeps = BURN_IN if draw == 0 else BETWEEN
        tries = sweeps * len(rate)
        regroup(now, held, start, near, position, centre, span, people, *limits, tries, seed * 1_000_003 + draw)
        scores[draw], isolations[draw], of_group = score(rate, people, now)
        total += of_group
        moved += float((now != group).mean())
    return scores, isolations, total / permutations, moved / permutations


def _exchanges(position: Array) -> tuple[Ints, Ints]:
    """Who may change places with whom, both ways, in compressed form."""
    n = len(position)
    _, near = cKDTree(position).query(position, k=min(NEIGHBOURS + 1, n))
    near = near.reshape(n, -1)
    one, other = np.repeat(np.arange(n), near.shape[1]), near.ravel().astype(np.int64)
    keys = np.unique(np.concatenate([one * n + other, other * n + one]))
    one, other = keys // n, keys % n
    one, other = one[one != other], other[one != other]
    return np.concatenate([[0], np.cumsum(np.bincount(one, minlength=n))]).astype(np.int64), other


def _circles(position: Array, people: Array, group: Ints) -> tuple[Array, Array]:
    """Each consortium's centre (mean position, weighted by people) and the squared distance of its farthest member."""
    number = int(group.max()) + 1
    held = np.bincount(group, weights=people, minlength=number)
    centre = np.column_stack(
        [np.bincount(group, weights=people * position[:, axis], minlength=number) / held for axis in range(3)]
    )
    centre /= np.linalg.norm(centre, axis=1)[:, None]
    away = ((position - centre[group]) ** 2).sum(axis=1)
    span = np.zeros(number)
    np.maximum.at(span, group, away)
    return centre, span * (1 + 1e-9) + 1e-15
