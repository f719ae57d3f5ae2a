# mypy: disable-error-code="no-untyped-def, no-untyped-call"
"""The loops of the search for the best coalition, compiled by numba.

A coalition around a hub takes the hub (item 0) and any of the other candidates, with `least` to `most` people. The
relaxation takes the last one in part; branch and bound decides the others by depth first search in order of score per
person. Rows are further linear rules, sum of rows x + first <= 0. Plain numbers and arrays only; `py_func` is the twin
in plain numpy that the tests run. Imports numba and numpy alone.
"""

from __future__ import annotations

import numpy as np
from numba import njit

NEVER = -1e300
TINY = 1e-9


@njit(cache=True)
def ordered(score, people):
    """The candidates but the hub by score per person, best first; equal ones keep their order."""
    per = np.empty(len(score) - 1)
    for k in range(len(per)):
        per[k] = -score[k + 1] / max(people[k + 1], TINY)
    return np.argsort(per, kind="mergesort") + 1


@njit(cache=True)
def relaxed(score, people, least, most):
    """The most that a coalition could score if the last member could join in part, and each one's part, (m,)."""
    part = np.zeros(len(score))
    part[0] = 1.0
    total, held = score[0], people[0]
    if held > most + TINY:
        return NEVER, part
    for p in ordered(score, people):
        room = most - held if score[p] > 0 else least - held
        if room <= TINY:
            if score[p] <= 0:
                break
            continue
        part[p] = min(1.0, room / max(people[p], TINY))
        total += part[p] * score[p]
        held += part[p] * people[p]
    if held < least - 1e-6:
        return NEVER, part
    return total, part


@njit(cache=True)
def ratio_bound(value, weight, people, least, most):
    """No coalition has more value per weight than this; NEVER where none has enough people (or the hub too many)."""
    return ratio_from(value, weight, people, least, most, value.sum() / max(weight.sum(), TINY))


@njit(cache=True)
def ratio_from(value, weight, people, least, most, rate):
    """`ratio_bound`, sought from a first guess of the ratio."""
    heavy, total = TINY, 0.0
    for _ in range(60):
        total, part = relaxed(value - rate * weight, people, least, most)
        if total == NEVER:
            return NEVER
        heavy = max((weight * part).sum(), TINY)
        if abs(total) <= 1e-5:
            return rate + max(0.0, total) / heavy
        rate = (value * part).sum() / heavy
    return rate + max(0.0, total) / heavy


@njit(cache=True)
def joined(chosen, start, near):
    """Whether the chosen candidates hang together with the hub through neighbours (positions within the candidates)."""
    seen = np.zeros(len(chosen), dtype=np.bool_)
    edge = np.empty(len(chosen), dtype=np.int64)
    edge[0], top, seen[0] = 0, 1, True
    while top > 0:
        top -= 1
        p = edge[top]
        for k in range(start[p], start[p + 1]):
            q = near[k]
            if chosen[q] and not seen[q]:
                seen[q] = True
                edge[top] = q
                top += 1
    for p in range(len(chosen)):
        if chosen[p] and not seen[p]:
            return False
    return True


@njit(cache=True)
def completed(total, held, j, some, sums, positives, least, most):
    """The most that items j and later can bring a coalition of `held` people to; prefix sums of people and scores."""
    k = len(some) - 1
    if held + some[k] - some[j] < least - 1e-6:
        return NEVER
    target = held + some[max(j, positives)] - some[j]
    target = max(min(target, most), least)
    need = target - held
    if need <= 0:
        return total
    upto = some[j] + need
    i = min(np.searchsorted(some, upto, side="right") - 1, k)
    bound = total + sums[i] - sums[j]
    if i < k and some[i + 1] > some[i]:
        bound += (upto - some[i]) * (sums[i + 1] - sums[i]) / (some[i + 1] - some[i])
    return bound


@njit(cache=True)
def prefix(values, order):
    """Running sums in an order, beginning with 0, (m,)."""
    sums = np.zeros(len(order) + 1)
    for k in range(len(order)):
        sums[k + 1] = sums[k] + values[order[k]]
    return sums


@njit(cache=True)
def least_activity(rows, order):
    """For each row and depth, the least that undecided items can still add, (K, m)."""
    low = np.zeros((len(rows), len(order) + 1))
    for r in range(len(rows)):
        for k in range(len(order) - 1, -1, -1):
            low[r, k] = low[r, k + 1] + min(0.0, rows[r, order[k]])
    return low


@njit(cache=True)
def hopeless(activity, low, depth):
    """Whether some row can no longer be met."""
    for r in range(len(activity)):
        if activity[r] + low[r, depth] > 1e-7:
            return True
    return False


@njit(cache=True)
def met(activity):
    """Whether every row is met."""
    for r in range(len(activity)):
        if activity[r] > 1e-7:
            return False
    return True


@njit(cache=True)
def branch(true, bounding, offset, people, rows, first, least, most, slack, limit, start, near):
    """The coalition with the largest positive total of `true`: (total, members, upper bound, nodes).

    `bounding` + `offset` is never less than `true` where the rows hold. Nodes that promise at most `slack` more are
    dropped and counted in the upper bound; so are the open ones after `limit` nodes. An empty `start` asks for no
    connection. The total is 0 where nothing better than 0 was found.
    """
    order = ordered(bounding, people)
    k = len(order)
    some, sums, low = prefix(people, order), prefix(bounding, order), least_activity(rows, order)
    positives = 0
    while positives < k and bounding[order[positives]] > 0:
        positives += 1
    chosen, best_set = np.zeros(k + 1, dtype=np.bool_), np.zeros(k + 1, dtype=np.bool_)
    chosen[0] = True
    activity = first + rows[:, 0]
    best, upper, nodes, j = 0.0, 0.0, 0, 0
    total, bound_total, held = true[0], bounding[0] + offset, people[0]
    forward = held <= most + TINY
    while forward or j > 0:
        if forward:
            nodes += 1
            fits = held >= least - 1e-6 and total > best + 1e-7 and met(activity)
            if fits and (len(start) == 0 or joined(chosen, start, near)):
                best = total
                best_set[:] = chosen
            bound = completed(bound_total, held, j, some, sums, positives, least, most)
            if j == k or bound <= best + slack or nodes >= limit or hopeless(activity, low, j):
                if j < k and bound > upper and not hopeless(activity, low, j):
                    upper = bound
                forward = False
                continue
            p = order[j]
            if held + people[p] <= most + TINY:
                chosen[p] = True
                total += true[p]
                bound_total += bounding[p]
                held += people[p]
                for r in range(len(activity)):
                    activity[r] += rows[r, p]
            j += 1
            continue
        j -= 1
        p = order[j]
        if chosen[p]:
            chosen[p] = False
            total -= true[p]
            bound_total -= bounding[p]
            held -= people[p]
            for r in range(len(activity)):
                activity[r] -= rows[r, p]
            forward = True
            j += 1
    return best, best_set, max(best, upper), nodes


@njit(cache=True)
def nearest_first(value, weight, people, rows, first, least, most, start, near):
    """Where a hub may pass over nobody: the best ratio of a run of candidates as they stand, and its length (0: none).

    The run ends where the next would make it too large.
    """
    best, length = NEVER, 0
    total, heavy, held = 0.0, 0.0, 0.0
    activity = first.copy()
    chosen = np.zeros(len(value), dtype=np.bool_)
    for p in range(len(value)):
        held += people[p]
        if held > most + TINY:
            break
        chosen[p] = True
        total += value[p]
        heavy += weight[p]
        for r in range(len(activity)):
            activity[r] += rows[r, p]
        fits = held >= least - 1e-6 and met(activity) and total / max(heavy, TINY) > best
        if fits and (len(start) == 0 or joined(chosen, start, near)):
            best, length = total / max(heavy, TINY), p + 1
    return best, length


@njit(cache=True)
def payoff(rate, retained, liable):
    """What a member keeps of its consortium's balance: a share of a surplus, a share of a deficit."""
    return retained * rate if rate > 0 else liable * rate


@njit(cache=True)
def level_gains(value, weight, people, level, least, most, retained, liable, beat):
    """(level, gain): no coalition of a hub's candidates at or below a level gains more than this over it, (K, 2).

    From the highest level down to the hub's own. Of levels that could not gain more than `beat` in a row only the
    lowest is told, with what bounds them all.
    """
    levels = np.unique(level)
    levels = levels[levels >= level[0]]
    found = np.empty((2 * len(levels), 2))
    rate, told, k = value.sum() / max(weight.sum(), TINY), 0, len(levels) - 1
    while k >= 0:
        at = np.flatnonzero(level <= levels[k])
        rate = ratio_from(value[at], weight[at], people[at], least, most, rate)
        if rate == NEVER:
            break
        best = payoff(rate, retained, liable)
        found[told, 0], found[told, 1] = levels[k], best - payoff(levels[k], retained, liable)
        told += 1
        k -= 1
        skipped = k
        while k >= 0 and best - payoff(levels[k], retained, liable) <= beat:
            k -= 1
        if k < skipped:
            found[told, 0], found[told, 1] = levels[k + 1], best - payoff(levels[k + 1], retained, liable)
            told += 1
    return found[:told]
