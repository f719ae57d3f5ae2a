# mypy: disable-error-code="no-untyped-def, no-untyped-call"
"""The checker's own loops for free choice: second implementations that share no code with the search they check.

`gains` proves by a depth-first search of its own that no coalition gains more than is said, `regroup` exchanges places
at random with the stated seed, `owed` adds up what must be paid in a circle. Imports numpy and numba alone.
"""

from __future__ import annotations

import numpy as np
from numba import njit

SMALL = 1e-7
"""Pounds and people: what floating point may cost."""
PATIENCE = 3_000_000
"""Steps of one search before it is given up."""


@njit(cache=True)
def kept(rate, retained, liable):
    """What a member has of its consortium's balance."""
    return rate * (retained if rate > 0 else liable)


@njit(cache=True)
def most_more(gain, people, first, room, asked):
    """The most that items from `first` on can add with at most `room` people and at least `asked`: parts allowed."""
    total = 0.0
    for item in range(first, len(gain)):
        if gain[item] > 0:
            part = min(1.0, room / people[item])
        else:
            part = min(1.0, max(0.0, asked) / people[item])
            if part == 0:
                break
        total += part * gain[item]
        room -= part * people[item]
        asked -= part * people[item]
        if room <= 0:
            break
    return total if asked <= 1e-6 else -np.inf


@njit(cache=True)
def can_beat(gain, people, own, own_people, least, most):
    """1 where the hub and some of the items have a positive sum within the window, 0 where none, 2 when undecided.

    Items by gain a person, best first; each is taken before it is passed over.
    """
    taken, at, steps = np.zeros(len(gain), dtype=np.bool_), 0, 0
    total, held = own, own_people
    if held > most + 1e-9:
        return 0
    while True:
        steps += 1
        if steps > PATIENCE:
            return 2
        if total > SMALL and held >= least - 1e-6:
            return 1
        if at < len(gain) and total + most_more(gain, people, at, most - held, least - held) > SMALL:
            if held + people[at] <= most + 1e-9:
                taken[at] = True
                total += gain[at]
                held += people[at]
            at += 1
            continue
        at -= 1
        while at >= 0 and not taken[at]:
            at -= 1
        if at < 0:
            return 0
        taken[at] = False
        total -= gain[at]
        held -= people[at]
        at += 1


@njit(cache=True)
def beats(value, weight, people, least, most, rate, thorough):
    """`can_beat` at a ratio for a hub (the first) and its other candidates; not `thorough`: 0 or 2, by parts."""
    gain, room = (value - rate * weight)[1:], np.maximum(people[1:], 1e-9)
    order = np.argsort(-gain / room)
    own = value[0] - rate * weight[0]
    if thorough:
        return can_beat(gain[order], room[order], own, people[0], least, most)
    reach = most_more(gain[order], room[order], 0, most - people[0], least - people[0])
    return 0 if own + reach <= SMALL or people[0] > most + 1e-9 else 2


@njit(cache=True)
def needed(have, allowed, retained, liable):
    """The ratio at which a member that has `have` of its present consortium's balance gains `allowed`."""
    pay = kept(have, retained, liable) + allowed
    share = retained if pay > 0 else liable
    return pay / share if share > 0 else np.inf


@njit(cache=True)
def gains(value, weight, people, level, least, most, retained, liable, allowed):
    """Whether a coalition around the hub (the first) gains more than `allowed` over its best placed member: as
    `can_beat`. From the highest level down; what parts of members cannot reach is passed over.
    """
    levels, undecided = np.unique(level), 0
    k = len(levels) - 1
    while k >= 0 and levels[k] >= level[0]:
        inside = level <= levels[k]
        v, w, n = value[inside], weight[inside], people[inside]
        low, high = 0, k + 1
        while low < high:
            middle = (low + high) // 2
            if beats(v, w, n, least, most, needed(levels[middle], allowed, retained, liable), False) == 0:
                high = middle
            else:
                low = middle + 1
        if low > k:
            found = beats(v, w, n, least, most, needed(levels[k], allowed, retained, liable), True)
            if found == 1:
                return 1
            undecided, low = max(undecided, found), k
        k = low - 1
    return undecided


@njit(cache=True)
def regroup(group, size, start, near, place, centre, radius, people, fewest, most, tries, seed):
    """So many tries to let two neighbours change consortia, as the score's own text says; seeds as it does."""
    np.random.seed(seed % 4294967296)
    for _ in range(tries):
        one = np.random.randint(0, len(group))
        span = start[one + 1] - start[one]
        if span == 0:
            continue
        other = near[np.random.randint(start[one], start[one + 1])]
        mine, theirs = group[one], group[other]
        if mine == theirs:
            continue
        gain = people[other] - people[one]
        if size[mine] + gain < fewest[mine] or size[mine] + gain > most[mine]:
            continue
        if size[theirs] - gain < fewest[theirs] or size[theirs] - gain > most[theirs]:
            continue
        away = ((place[one] - centre[theirs]) ** 2).sum()
        back = ((place[other] - centre[mine]) ** 2).sum()
        if away <= radius[theirs] and back <= radius[mine]:
            group[one], group[other] = theirs, mine
            size[mine] += gain
            size[theirs] -= gain


@njit(cache=True)
def cover(cost, worth, asked):
    """The least cost of worth `asked`, parts allowed, cheapest a unit first; inf where there is not so much."""
    if asked <= 0:
        return 0.0
    there = np.flatnonzero(worth > 0)
    order = there[np.argsort(cost[there] / worth[there])]
    paid = 0.0
    for item in order:
        if worth[item] >= asked - 1e-9:
            return paid + cost[item] * min(1.0, asked / worth[item])
        asked -= worth[item]
        paid += cost[item]
    return np.inf


@njit(cache=True)
def owed(value, weight, people, have, meets, least, gain, levels, retained, liable):
    """What must be paid among members who could all meet around those of `meets`, level by level.

    Whatever few best members are looked at, those who are not paid up to the level leave together, unless the paid
    ones leave fewer than `least` people, or use up the sum over the level, or are all of those around whom they meet.
    """
    total, paid = 0.0, np.zeros(len(value))
    for level in levels:
        needs = np.maximum(0.0, kept(level, retained, liable) - gain - have)
        there = np.flatnonzero(needs > 0)
        cost = weight[there] * (needs[there] - paid[there])
        over, n = value[there] - level * weight[there], people[there]
        order = np.argsort(-over / np.maximum(n, 1e-9))
        cost, over, n, hubs = cost[order], over[order], n[order], meets[there][order]
        plus = over >= 0
        if (plus & hubs).any():
            total += min(_widest(cost, over, n, least), cost[plus & hubs].sum())
        paid = needs
    return total


@njit(cache=True)
def _widest(cost, over, n, least):
    """The best number of first members to look at: more of them ask for more people, and for less over the level."""
    few, held, sums = int((over >= 0).sum()), np.cumsum(n), np.cumsum(over)
    many = few
    while many < len(over) and sums[many] > 0:
        many += 1
    best = 0.0
    while few <= many:
        k = (few + many) // 2
        by_people = cover(cost[:k], n[:k], held[k - 1] - least)
        by_sum = np.inf if over[k - 1] >= 0 else cover(cost[:k], np.maximum(over[:k], 0.0), sums[k - 1])
        best = max(best, min(by_people, by_sum))
        if by_people < by_sum:
            few = k + 1
        else:
            many = k - 1
    return best
