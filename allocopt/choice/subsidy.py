"""The least payments that keep a plan together where the field is large: payments that hold, and a total that none
undercut.

Payments are found from the top: the best coalition of places that are not paid yet is broken by paying some of its
members what it would give them, then the best of the rest, until nobody gains. The total that none undercut is found
without a solver: in a circle whose places could all go together, whoever is not paid up to a level forms a coalition
at that level unless fewer people than a consortium needs are left unpaid, or what they have over the level is used up.
Imports `partition`, `stability` and `field`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from allocopt.choice.circles import circle_bound
from allocopt.choice.connected import Grown, is_large
from allocopt.choice.field import Array, Field, Flags, Ints
from allocopt.choice.kernels import ratio_bound
from allocopt.choice.partition import Queue
from allocopt.choice.search import Best
from allocopt.choice.stability import Terms

WIDTHS = (0.5, 0.55, 0.65, 0.8, 1.0)
"""How much of the reach the circles have as their radius; within one half all members reach each other."""
COARSE, FINE = 16, 240
"""Levels of the first reckoning and of the last."""


def payments_that_hold(of: Field, have: Array, terms: Terms, least: float, *, epsilon: float) -> Array:
    """(n,) payments per weight under which no coalition gains more than `least` for each of its members.

    Why they hold: of every coalition some member was the first to be set aside, at a level which no coalition of those
    then there exceeded, and with its payment it has that level less `least`.
    """
    pay, keep = np.zeros(len(of)), np.ones(len(of), dtype=bool)
    find = _finder(of, keep, epsilon)
    while True:
        best, reached = find()
        if best is None:
            return pay
        short = terms.pays(reached) - least - have
        members = np.array(best.members, dtype=np.int64)
        free = members[short[members] <= 0]
        if len(free):
            keep[keep & (short <= 0)] = False
            continue
        payable = members[np.isfinite(short[members])]
        if not len(payable):
            keep[members] = False
            continue
        chosen = _to_pay(of, payable, short, best.ratio)
        pay[chosen], keep[chosen] = short[chosen], False


def _finder(of: Field, keep: Flags, epsilon: float) -> Callable[[], tuple[Best | None, float]]:
    """Gives the best coalition of those kept, and what none exceeds; where coalitions are grown, what was found."""
    if not is_large(of):
        queue = Queue(of, keep, epsilon=epsilon)
        return lambda: queue.best(keep)
    grown = Grown(of)

    def found() -> tuple[Best | None, float]:
        best = grown(keep)
        return best, -np.inf if best is None else best.ratio

    return found


def _to_pay(of: Field, members: Ints, short: Array, ratio: float) -> int:
    """The member whose going costs the others most for each pound that it is paid."""
    adds = of.value[members] - ratio * of.weight[members]
    return int(members[np.argmax(adds / (short[members] * of.weight[members]))])


@dataclass(frozen=True)
class Circle:
    """Members that could all go together, those around whom they could meet, and what must be paid among them."""

    members: Ints
    meets: Flags
    value: float


def can_be_bounded(of: Field) -> bool:
    """Whether the argument holds: coalitions are free but for their size and who may join which hub."""
    return not of.linear and of.graph is None and not of.in_order


def circles(of: Field, have: Array, terms: Terms, least: float) -> tuple[Circle, ...]:
    """Circles without common members, the one with the most to be paid first, then the next of those that remain."""
    if not can_be_bounded(of):
        return ()
    free, found = np.ones(len(of), dtype=bool), list[Circle]()
    search = _Circles(of, have, terms, least)
    heap = [(-search.quick(hub, free), hub) for hub in of.hubs.tolist()]
    heapq.heapify(heap)
    while heap and heap[0][0] < 0:
        _, hub = heapq.heappop(heap)
        now = search.quick(hub, free)
        if heap and now < -heap[0][0]:
            if now > 0:
                heapq.heappush(heap, (-now, hub))
            continue
        circle = search.closely(hub, free)
        free[circle.members] = False
        if circle.value > 0:
            found.append(circle)
    return tuple(found)


@dataclass(frozen=True)
class _Circles:
    """What must be paid around each hub."""

    of: Field
    have: Array
    terms: Terms
    least: float

    def members(self, hub: int, free: Flags, width: float) -> Ints:
        """Free candidates within so much of the hub's reach, whose lists leave room in a consortium."""
        of = self.of
        at = of.candidates(hub)
        if of.instance.on("reach") and of.instance.position is not None:
            at = at[: int(np.searchsorted(of.km(hub), width * of.instance.said("reach", "max"), side="right"))]
        fits = (of.fewest + of.people[at] <= of.most) & np.isfinite(self.have[at])
        return np.asarray(at[free[at] & fits])

    def quick(self, hub: int, free: Flags) -> float:
        """A first reckoning, at few levels and as if any member could be the hub."""
        at = self.members(hub, free, WIDTHS[0])
        return self._bound(at, np.ones(len(at), dtype=bool), COARSE)

    def closely(self, hub: int, free: Flags) -> Circle:
        """The best of a few widths, at many levels."""
        best: Circle | None = None
        for width in WIDTHS:
            at = self.members(hub, free, width)
            meets = np.array([self._meets(int(p), at) for p in at], dtype=bool)
            circle = Circle(at, meets, self._bound(at, meets, FINE))
            best = circle if best is None or circle.value > best.value else best
        assert best is not None
        return best

    def _meets(self, hub: int, at: Ints) -> bool:
        return bool(np.isin(at, self.of.candidates(hub)).all())

    def _bound(self, at: Ints, meets: Flags, number: int) -> float:
        of, terms = self.of, self.terms
        if not len(at) or of.people[at].sum() <= of.fewest:
            return 0.0
        top = ratio_bound(of.value[at], of.weight[at], of.people[at], of.fewest, of.most)
        low = terms.needs(float(self.have[at].min()) + self.least)
        if not np.isfinite(low) or top <= low:
            return 0.0
        levels = np.linspace(low, top, number + 1)[1:]
        return float(
            circle_bound(
                of.value[at], of.weight[at], of.people[at], self.have[at], meets, of.fewest, self.least,
                levels, terms.retained, terms.liable,
            )
        )  # fmt: skip
