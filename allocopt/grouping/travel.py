"""Bounds on travel in plain numpy: by prices alone (Lagrange) when hubs are declared and gross deficit is capped, else
by the nearest people that a consortium's minimum needs.

For any prices t_h in [0, 1], l >= 0, a_h >= 0, b_h >= 0, every plan within the cap C and the population window [L, U]
has

    travel  >=  sum_p min_h (c_ph + l (t_h over_p + k_ph) + (b_h - a_h) n_p)  -  l C  +  sum_h (a_h L - b_h U)

because max(0, D_h) >= t_h D_h; k_ph is what a crossing costs, where the cap counts it. Subgradient
steps improve the prices; whatever they are, the sum is a bound.

Where hubs are free and a consortium has at least L people, those of hub h travel on average a_h or more, the mean over
the L people nearest to h that may join it (more people only lie further away), and 0 where h is excused from L; each
place p adds n_p min_h a_h.
Imports `instance` alone.
"""

from __future__ import annotations

import numpy as np

from allocopt.grouping.instance import Array, Instance, Ints, Pairs

ROUNDS = 1500


def travel_bound(instance: Instance, pairs: Pairs, cap: float, *, rounds: int = ROUNDS) -> float:
    """The best bound on population-weighted mean kilometres found; 0 where free hubs have no minimum."""
    if not instance.declared or not len(pairs):
        return _gathering_bound(instance, pairs)
    n, hubs = len(instance), instance.hubs
    number = np.full(n, -1)
    number[hubs] = np.arange(len(hubs))
    hub, place = number[pairs.hub], pairs.place
    cost = instance.population[place] * pairs.km / instance.population.sum()
    tolls, first = instance.tolls(pairs.place, pairs.hub), np.flatnonzero(np.diff(place, prepend=-1))
    over, price, slope = instance.over, np.full(len(hubs), 0.5), 0.0
    best, step = 0.0, 1.0
    scale = float(np.abs(over).sum())
    for turn in range(rounds):
        weighted = cost + slope * price[hub] * over[place] + slope * tolls
        least = np.minimum.reduceat(weighted, first)
        value = float(least.sum()) - slope * cap
        best = max(best, value)
        at = first + _argmin(weighted, first, least)
        net = np.bincount(hub[at], weights=over[place[at]], minlength=len(hubs))
        step = 1.0 / (1 + turn / 50)
        slope = max(0.0, slope + step * (float(price @ net) + float(tolls[at].sum()) - cap) * 2.0 / scale / 10)
        price = np.clip(price + step * 0.02 * np.sign(net) * np.minimum(1.0, np.abs(net) / 5.0), 0.0, 1.0)
    return best


def _gathering_bound(instance: Instance, pairs: Pairs) -> float:
    window = instance.settings.get("population_window", {})
    if not window.get("min") or not len(pairs):
        return 0.0
    order = np.lexsort((pairs.km, pairs.hub))
    hub, km, people = pairs.hub[order], pairs.km[order], instance.population[pairs.place[order]]
    first = np.flatnonzero(np.diff(hub, prepend=-1))
    before = np.cumsum(people) - people
    before -= np.repeat(before[first], np.diff(np.append(first, len(hub))))
    counted = np.clip(window["min"] - before, 0.0, people)
    mean = np.zeros(len(instance))
    mean[hub[first]] = np.add.reduceat(counted * km, first) / window["min"]
    mean[instance.excused("population_window")] = 0.0
    least = np.where(instance.waived("reach"), 0.0, np.inf)
    np.minimum.at(least, pairs.place, mean[pairs.hub])
    return float(np.where(np.isfinite(least), least, 0.0) @ instance.population / instance.population.sum())


def _argmin(weighted: Array, first: Ints, least: Array) -> Ints:
    sizes = np.diff(np.append(first, len(weighted)))
    hit = weighted <= np.repeat(least, sizes)
    position = np.arange(len(weighted)) - np.repeat(first, sizes)
    return np.asarray(np.minimum.reduceat(np.where(hit, position, len(weighted)), first))
