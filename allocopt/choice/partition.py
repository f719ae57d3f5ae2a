"""Free choice: the partition that forms when the best coalition leaves first, then the best of those that remain.

All members of a coalition rank it by the same ratio, so nobody in the best one can do better, and so on down: the
result is stable (Farrell and Scotchmer, Quarterly Journal of Economics 103, 1988). With a tolerance e at each step no
coalition gains more than e: whichever of its members left first did so with at least its ratio less e.
Imports `search` and `field`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from allocopt.choice.field import Field, Flags, Ints
from allocopt.choice.search import Best, best_around, bound


class Finder(Protocol):
    """Gives the best coalition among the places kept; `method` says how, in words."""

    method: str

    def __call__(self, keep: Flags) -> Best | None: ...


@dataclass(frozen=True)
class Partition:
    """Who went with whom: `group` holds each place's hub or -1 (left out), `order` the coalitions as they formed."""

    group: Ints
    order: tuple[Best, ...]
    epsilon: float
    """No coalition gains more than this (pounds a head, or a fraction of budget)."""
    method: str

    @property
    def left_out(self) -> Ints:
        """Places in no consortium."""
        return np.flatnonzero(self.group < 0).astype(np.int64)


class Queue:
    """Upper bounds by hub, the highest first. They stay valid as places leave, so most are never looked at again."""

    def __init__(self, of: Field, keep: Flags, *, epsilon: float) -> None:
        self.of, self.epsilon = of, epsilon
        self.known: dict[int, Best] = {}
        self.tried: dict[int, tuple[int, float, Best]] = {}
        found = ((bound(of, hub, keep), hub) for hub in of.hubs.tolist() if keep[hub])
        if of.in_order:
            found = ((np.inf, hub) for _, hub in found)
        self.heap = [(-upper, hub) for upper, hub in found if upper > -np.inf]
        heapq.heapify(self.heap)

    def best(self, keep: Flags) -> tuple[Best | None, float]:
        """The best coalition among the places kept (None: there is none) and what no coalition exceeds."""
        top: Best | None = None
        back = list[tuple[float, int]]()
        reached = -np.inf
        while self.heap and (top is None or -self.heap[0][0] > top.ratio + self.epsilon):
            upper, hub = heapq.heappop(self.heap)
            if not keep[hub]:
                continue
            found = self._look(hub, keep, top)
            if found.upper > -np.inf:
                back.append((-min(found.upper, -upper), hub))
            if found.members and (top is None or found.ratio > top.ratio):
                top = found
        if self.heap:
            reached = -self.heap[0][0]
        for one in back:
            reached = max(reached, -one[0])
            heapq.heappush(self.heap, one)
        return top, reached

    def _look(self, hub: int, keep: Flags, top: Best | None) -> Best:
        """What is known of a hub while its members are all there; else it is searched again, unless all its
        candidates are as they were and it is known to hold nothing better, or was given up at much the same ratio.
        """
        known = self.known.get(hub)
        if known is not None and keep[list(known.members)].all():
            return known
        above = -np.inf if top is None else top.ratio
        there = int(keep[self.of.candidates(hub)].sum())
        if hub in self.tried:
            number, beaten, before = self.tried[hub]
            given_up = before.upper > beaten + self.epsilon
            if number == there and (
                before.upper <= above + self.epsilon or (given_up and above >= beaten - self.epsilon)
            ):
                return before
        found = best_around(self.of, hub, keep, above=above, epsilon=self.epsilon)
        self.known.pop(hub, None)
        if found.members:
            self.known[hub] = found
        else:
            self.tried[hub] = (there, above, found)
        return found


def free_choice(
    of: Field,
    *,
    epsilon: float = 0.0,
    find: Finder | None = None,
    tell: Callable[[str], None] = lambda step: None,  # noqa: ARG005
) -> Partition:
    """The partition of free choice. `find` gives the best coalition exactly where the field is small (see
    `programme`); without it branch and bound does, to `epsilon`.
    """
    keep, order, gap = np.ones(len(of), dtype=bool), list[Best](), 0.0
    group = np.full(len(of), -1, dtype=np.int64)
    queue = Queue(of, keep, epsilon=epsilon) if find is None else None
    while True:
        if queue is not None:
            best, reached = queue.best(keep)
        else:
            assert find is not None
            best = find(keep)
            reached = best.upper if best else -np.inf
        if best is None:
            break
        gap = max(gap, reached - best.ratio)
        members = list(best.members)
        group[members], keep[members] = best.hub, False
        order.append(best)
        tell(f"coalition {len(order)}: {keep.sum():,} places left")
    method = "branch and bound by hub" if find is None else find.method
    return Partition(group, tuple(order), max(0.0, gap), method)
