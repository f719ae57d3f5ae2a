"""A bound on travel when hubs are declared and gross deficit is capped, by prices alone (Lagrange), in plain numpy.

For any prices t_h in [0, 1], l >= 0, a_h >= 0, b_h >= 0, every plan within the cap C and the population window [L, U]
has

    travel  >=  sum_p min_h (c_ph + l t_h over_p + (b_h - a_h) n_p)  -  l C  +  sum_h (a_h L - b_h U)

because max(0, D_h) >= t_h D_h. Subgradient steps improve the prices; whatever they are, the sum is a bound.
Imports `instance` alone.
"""

from __future__ import annotations

import numpy as np

from allocopt.grouping.instance import Array, Instance, Ints, Pairs

ROUNDS = 1500


def travel_bound(instance: Instance, pairs: Pairs, cap: float, *, rounds: int = ROUNDS) -> float:
    """The best bound on population-weighted mean kilometres found; 0 where hubs are to be chosen (none is known)."""
    if not instance.declared or not len(pairs):
        return 0.0
    n, hubs = len(instance), instance.hubs
    number = np.full(n, -1)
    number[hubs] = np.arange(len(hubs))
    hub, place = number[pairs.hub], pairs.place
    cost = instance.population[place] * pairs.km / instance.population.sum()
    first = np.flatnonzero(np.diff(place, prepend=-1))
    over, price, slope = instance.over, np.full(len(hubs), 0.5), 0.0
    best, step = 0.0, 1.0
    scale = float(np.abs(over).sum())
    for turn in range(rounds):
        weighted = cost + slope * price[hub] * over[place]
        least = np.minimum.reduceat(weighted, first)
        value = float(least.sum()) - slope * cap
        best = max(best, value)
        at = first + _argmin(weighted, first, least)
        net = np.bincount(hub[at], weights=over[place[at]], minlength=len(hubs))
        step = 1.0 / (1 + turn / 50)
        slope = max(0.0, slope + step * (float(price @ net) - cap) * 2.0 / scale / 10)
        price = np.clip(price + step * 0.02 * np.sign(net) * np.minimum(1.0, np.abs(net) / 5.0), 0.0, 1.0)
    return best


def _argmin(weighted: Array, first: Ints, least: Array) -> Ints:
    sizes = np.diff(np.append(first, len(weighted)))
    hit = weighted <= np.repeat(least, sizes)
    position = np.arange(len(weighted)) - np.repeat(first, sizes)
    return np.asarray(np.minimum.reduceat(np.where(hit, position, len(weighted)), first))
