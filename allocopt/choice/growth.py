# mypy: disable-error-code="no-untyped-def, no-untyped-call"
"""A coalition that hangs together, grown from its hub over the neighbour graph: loops compiled by numba.

Proposes only: what it finds is lawful, but it proves nothing. Imports `kernels` and numba alone.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from allocopt.choice.kernels import TINY

ROUNDS = 12
"""Times that the ratio of what was found is the next trial ratio."""
CHANGES = 200
"""Improvements of one coalition before it is left as it is."""


@njit(cache=True)
def holds(member, count, hub, gone, start, near, able):
    """Whether the members without one of them still hang together with the hub."""
    seen, edge = 1, np.empty(count, dtype=np.int64)
    able[hub] = 2
    edge[0], top = hub, 1
    while top > 0:
        top -= 1
        p = edge[top]
        for k in range(start[p], start[p + 1]):
            q = near[k]
            if member[q] and q != gone and able[q] == 1:
                able[q] = 2
                seen += 1
                edge[top] = q
                top += 1
    for p in range(len(member)):
        if able[p] == 2:
            able[p] = 1
    return seen == count - 1


@njit(cache=True)
def best_next(score, people, member, room, start, near, able):
    """The neighbour of the members with the best score a person, looking one place further; -1 where none fits."""
    found, best = -1, -np.inf
    for p in np.flatnonzero(member):
        for k in range(start[p], start[p + 1]):
            q = near[k]
            if able[q] == 0 or member[q] or people[q] > room:
                continue
            rate = score[q] / max(people[q], TINY)
            for j in range(start[q], start[q + 1]):
                r = near[j]
                if able[r] == 1 and not member[r] and r != q and people[q] + people[r] <= room:
                    rate = max(rate, (score[q] + score[r]) / max(people[q] + people[r], TINY))
            if rate > best:
                found, best = q, rate
    return found


@njit(cache=True)
def worst_leaf(score, people, member, count, hub, spare, start, near, able):
    """The member with the worst score a person that the others can do without; -1 where there is none."""
    found, worst = -1, np.inf
    for p in np.flatnonzero(member):
        rate = score[p] / max(people[p], TINY)
        if p != hub and people[p] <= spare and rate < worst and holds(member, count, hub, p, start, near, able):
            found, worst = int(p), rate
    return found


@njit(cache=True)
def grown(value, weight, people, hub, least, most, start, near, able, rate):
    """Members around the hub at a trial ratio: grown to size, then places exchanged while the sum rises; (n,) flags.

    Empty where the hub cannot gather enough people. `able` is 1 for the hub's candidates that are there, else 0.
    """
    member = np.zeros(len(value), dtype=np.bool_)
    score = value - rate * weight
    member[hub] = True
    held, count = people[hub], 1
    while True:
        q = best_next(score, people, member, most - held, start, near, able)
        if q < 0 or (held >= least and score[q] <= 0):
            break
        member[q] = True
        held += people[q]
        count += 1
    if held < least - 1e-6 or held > most + TINY:
        member[:] = False
        return member
    for _ in range(CHANGES):
        p = worst_leaf(score, people, member, count, hub, held, start, near, able)
        if p < 0:
            break
        member[p] = False
        q = best_next(score, people, member, most - held + people[p], start, near, able)
        without = held - people[p] >= least
        if q >= 0 and q != p and held - people[p] + people[q] >= least and score[q] > (0.0 if without else score[p]):
            member[q] = True
            held += people[q] - people[p]
        elif without and score[p] < 0:
            held -= people[p]
            count -= 1
        else:
            member[p] = True
            break
    return member


@njit(cache=True)
def grow(value, weight, people, hub, least, most, start, near, able):
    """The best coalition found around a hub over a few trial ratios: its ratio and its members' flags."""
    best, found = -np.inf, np.zeros(len(value), dtype=np.bool_)
    rate = value[hub] / max(weight[hub], TINY)
    for _ in range(ROUNDS):
        member = grown(value, weight, people, hub, least, most, start, near, able, rate)
        if not member.any():
            break
        now = (value * member).sum() / max((weight * member).sum(), TINY)
        if now <= best + 1e-9:
            break
        best, found = now, member
        rate = now
    return best, found
