"""Free choice where consortia must hang together and the field is large: coalitions are grown, bounds disregard it.

The bound on what any coalition could have takes reach and size into account, not connection, so the certificate is
honest and wide. Imports `growth`, `search` and `field`.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import numpy as np

from allocopt.choice.field import Field, Flags, Ints
from allocopt.choice.growth import grow
from allocopt.choice.search import Best, bound

LARGE = 2_000
"""Pairs of place and hub from which connected coalitions are grown rather than searched."""


def is_large(of: Field) -> bool:
    """Whether the field is too large for branch and bound over connected coalitions."""
    return of.graph is not None and not of.linear and not of.in_order and len(of.near) > LARGE


def grown_around(of: Field, links: tuple[Ints, Ints], hub: int, keep: Flags) -> Best | None:
    """The best coalition grown around a hub among the places kept; None where none was."""
    able, at = np.zeros(len(of), dtype=np.int64), of.candidates(hub)
    able[at[keep[at]]] = 1
    ratio, member = grow(of.value, of.weight, of.people, hub, of.least(hub), of.most, *links, able)
    if not np.isfinite(ratio):
        return None
    return Best(hub, float(ratio), tuple(np.flatnonzero(member).tolist()), np.inf)


@dataclass
class Grown:
    """Finds the best coalition among the places kept, as the other finders do; `upper` holds for every coalition."""

    of: Field
    method: str = "connected coalitions grown around each hub, bounds without connection"
    found: dict[int, Best] = field(default_factory=dict)
    heap: list[tuple[float, int]] = field(default_factory=list)
    bounds: list[tuple[float, int]] = field(default_factory=list)
    links: tuple[Ints, Ints] | None = None

    def __call__(self, keep: Flags) -> Best | None:
        """The best coalition grown around any hub; None where none was found."""
        if self.links is None:
            self._begin(keep)
        while self.heap:
            _, hub = self.heap[0]
            best = self.found[hub]
            if keep[list(best.members)].all():
                return Best(hub, best.ratio, best.members, max(best.ratio, self._upper(keep)))
            heapq.heappop(self.heap)
            self._look(hub, keep)
        return None

    def _begin(self, keep: Flags) -> None:
        self.links = self.of.links(np.arange(len(self.of)))
        for hub in self.of.hubs.tolist():
            self._look(hub, keep)
            self.bounds.append((-bound(self.of, hub, keep), hub))
        heapq.heapify(self.bounds)

    def _look(self, hub: int, keep: Flags) -> None:
        """Grow around a hub that is still there."""
        if not keep[hub]:
            return
        assert self.links is not None
        best = grown_around(self.of, self.links, hub, keep)
        if best is not None:
            self.found[hub] = best
            heapq.heappush(self.heap, (-best.ratio, hub))

    def _upper(self, keep: Flags) -> float:
        """No coalition of the places kept has a larger ratio: the largest of the hubs' bounds, brought up to date."""
        while self.bounds:
            stale, hub = self.bounds[0]
            now = bound(self.of, hub, keep) if keep[hub] else -np.inf
            if -now <= stale + 1e-9:
                return -stale
            heapq.heapreplace(self.bounds, (-now, hub))
        return -np.inf
