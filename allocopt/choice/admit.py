"""A duty to admit: those whom free choice left out are placed, one by one, the largest list first.

Each goes to the consortium within reach that has room, still meets its other rules, and has the best balance per
weight at that moment. Imports `field`.
"""

from __future__ import annotations

import numpy as np

from allocopt.choice.field import Field, Ints


def admit_left_out(of: Field, group: Ints) -> Ints:
    """The groups after the duty; a place that no consortium within reach has room for stays at -1."""
    now = group.copy()
    people = np.bincount(now[now >= 0], weights=of.people[now >= 0], minlength=len(of))
    value = np.bincount(now[now >= 0], weights=of.value[now >= 0], minlength=len(of))
    weight = np.bincount(now[now >= 0], weights=of.weight[now >= 0], minlength=len(of))
    waiting = np.flatnonzero(now < 0)
    by_hub = _hubs_of(of, now)
    changed = True
    while changed:  # a consortium that admits a neighbour may come to border on another place
        changed = False
        for p in sorted((one for one in waiting.tolist() if now[one] < 0), key=lambda one: (-of.people[one], one)):
            able = [h for h in by_hub.get(p, []) if people[h] + of.people[p] <= of.most and _may(of, now, h, p)]
            if not able:
                continue
            hub = max(able, key=lambda h: (value[h] / weight[h], -h))
            now[p], changed = hub, True
            people[hub] += of.people[p]
            value[hub] += of.value[p]
            weight[hub] += of.weight[p]
    return now


def _hubs_of(of: Field, group: Ints) -> dict[int, list[int]]:
    """For each place that is left out, the hubs of consortia that it could join."""
    found: dict[int, list[int]] = {}
    for hub in np.unique(group[group >= 0]).tolist():
        for p in of.candidates(hub).tolist():
            if group[p] < 0:
                found.setdefault(p, []).append(hub)
    return found


def _may(of: Field, group: Ints, hub: int, p: int) -> bool:
    """Whether the consortium still meets its other rules with the place."""
    if of.graph is not None and not any(group[q] == hub for q in of.graph.of(p).tolist()):
        return False
    if not of.linear:
        return True
    rows, first = of.rows(hub)
    at = of.candidates(hub)
    joined = (group[at] == hub) | (at == p)
    return bool((rows @ joined + first <= 1e-7).all())
