# mypy: disable-error-code="no-untyped-def, no-untyped-call"
"""What must be paid inside one circle of places that could all go together: loops compiled by numba.

At a trial level t a member scores value - t weight. Let S be some of the members who have less than t, W their people
and B > 0 their scores added up. Those of S who are not paid up to t could leave together, around a member with a score
of 0 or more, unless the paid ones hold (1) more than W - least people, or (2) B of score or more, or (3) every member
around whom all could meet. Each case is a fractional knapsack, and the cheapest of the three must be paid whatever S
is; between one level and the next every such member costs the step, so the levels add up to a total that no payments
undercut. Imports `kernels` and numba alone.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from allocopt.choice.kernels import TINY, payoff


@njit(cache=True)
def cheapest(cost, counts, need):
    """The least cost of parts (0 to 1) whose `counts` add up to `need`; inf where they cannot."""
    total = 0.0
    for p in np.argsort(cost / np.maximum(counts, TINY), kind="mergesort"):
        if need <= TINY:
            break
        if counts[p] <= 0:
            continue
        part = min(1.0, need / counts[p])
        total += part * cost[p]
        need -= part * counts[p]
    return total if need <= 1e-6 else np.inf


@njit(cache=True)
def layer(score, people, cost, meets, least):
    """What must be paid at one level, for members who have less than it.

    S begins with the best scores per person; the more it takes the more people must be paid, and the less score.
    """
    order = np.argsort(-score / np.maximum(people, TINY), kind="mergesort")
    held, sums = np.cumsum(people[order]), np.cumsum(score[order])
    first = int((score >= 0).sum())
    hubs = order[:first][meets[order[:first]]]
    if len(hubs) == 0:
        return 0.0
    last = first
    while last < len(order) and sums[last] > 0:
        last += 1
    low, high, found = first, last, 0.0
    while low <= high:
        upto = (low + high) // 2
        at = order[:upto]
        by_people = cheapest(cost[at], people[at], held[upto - 1] - least)
        by_score = np.inf if upto == first else cheapest(cost[at], np.maximum(score[at], 0.0), sums[upto - 1])
        found = max(found, min(by_people, by_score))
        if by_people < by_score:
            low = upto + 1
        else:
            high = upto - 1
    return min(found, cost[hubs].sum())


@njit(cache=True)
def circle_bound(value, weight, people, have, meets, least, gain, levels, retained, liable):
    """The total, in the unit of value, that no payments to these members undercut. `levels` increase."""
    total = 0.0
    below = np.zeros(len(value))
    for level in levels:
        needs = np.maximum(0.0, payoff(level, retained, liable) - gain - have)
        at = np.flatnonzero(needs > 0)
        if len(at):
            cost = weight[at] * (needs[at] - below[at])
            total += layer(value[at] - level * weight[at], people[at], cost, meets[at], least)
        below = needs
    return total
