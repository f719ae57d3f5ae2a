"""The objectives of a finished assignment, in numpy: what the search steers by. Imports `instance` alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from allocopt.grouping.instance import DEFICIT, TOLLED, Array, Flags, Instance, Ints


def overspends(instance: Instance, hub: Ints) -> Array:
    """The overspend of the consortium of each hub, (n,); zero where there is none."""
    return np.asarray(np.bincount(hub, weights=instance.over, minlength=len(instance)), dtype=np.float64)


def crossing_costs(instance: Instance, hub: Ints) -> Array:
    """What the crossings of the consortium of each hub cost, (n,) GBP m."""
    tolls = instance.tolls(np.arange(len(hub)), hub)
    return np.asarray(np.bincount(hub, weights=tolls, minlength=len(instance)), dtype=np.float64)


def costs(instance: Instance, hub: Ints) -> Array:
    """What the consortium of each hub adds to the objective in money that is sought, (n,) GBP m."""
    return np.maximum(0.0, overspends(instance, hub)) + crossing_costs(instance, hub)


def moved(instance: Instance, hub: Ints) -> Flags:
    """(n,) places whose consortium does not continue their present group."""
    if instance.present is None:
        return np.zeros(len(hub), dtype=bool)
    present = np.array(instance.present, dtype=object)
    return np.asarray((present != "") & (present != present[hub]), dtype=bool)


def objective_values(instance: Instance, hub: Ints) -> dict[str, float]:
    """Every objective by name."""
    at = np.arange(len(hub))
    deficit = float(np.maximum(0.0, overspends(instance, hub)).sum())
    return {
        DEFICIT: deficit,
        TOLLED: deficit + float(crossing_costs(instance, hub).sum()),
        "travel": float(instance.km(at, hub) @ instance.population / instance.population.sum()),
        "moves": float(moved(instance, hub).sum()),
        "crossings": float((instance.area_codes != instance.area_codes[hub]).sum()),
    }


def hubs_of_labels(
    instance: Instance, labels: np.ndarray[Any, np.dtype[np.object_]], *, allowed: Flags | None = None
) -> Ints:
    """The hub of each place when groups are given by label: the member with the least travel, of those that are
    `allowed` where there is one; places without a label alone.
    """
    hub = np.arange(len(instance), dtype=np.int64)
    for label in sorted(set(labels.tolist()) - {""}):
        members = np.flatnonzero(labels == label)
        km = instance.km(np.tile(members, len(members)), np.repeat(members, len(members))).reshape(len(members), -1)
        travel = km @ instance.population[members]
        if allowed is not None and allowed[members].any():
            travel = np.where(allowed[members], travel, np.inf)
        hub[members] = members[int(np.argmin(travel))]
    return hub
