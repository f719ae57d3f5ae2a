"""Which coalitions would break a plan up: every one whose members would all gain, or a proof that none gains much.

A coalition's gain is what its ratio adds to what its best placed member has now. `level` is what each place has: its
consortium's balance per weight, -inf in none. Imports `search` and `field`.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import numpy as np

from allocopt.choice import kernels
from allocopt.choice.connected import grown_around, is_large
from allocopt.choice.field import Array, Field, Flags
from allocopt.choice.search import Best, best_around, bound

GROWN_LEVELS = 8
"""Where connected coalitions are grown: at so many levels, those with the most to gain, around each hub."""
OUTSIDE = -1e12
"""Stands for the level of a place in no consortium inside the loops."""


@dataclass(frozen=True)
class Terms:
    """What members keep of their consortium's balance, as fractions."""

    retained: float = 1.0
    """of a surplus"""
    liable: float = 1.0
    """of a deficit"""

    def pays(self, rate: float) -> float:
        """What a member has from a balance of `rate` per weight."""
        return float(kernels.payoff(rate, self.retained, self.liable))

    def needs(self, pay: float) -> float:
        """The least balance per weight that pays so much; inf where none does."""
        share = self.retained if pay > 0 else self.liable
        if share == 0:
            return np.inf if pay > 0 else 0.0 if pay == 0 else -np.inf
        return pay / share


@dataclass(frozen=True)
class Blocking:
    """A coalition whose members would all gain by leaving: at least `gain` each, per weight."""

    hub: int
    members: tuple[int, ...]
    ratio: float
    level: float
    """what its best placed member has now; -inf where all are in no consortium"""
    gain: float


@dataclass(frozen=True)
class Stability:
    """The coalitions found, no two with a common member, the largest gain first; no coalition gains more than
    `epsilon`.
    """

    blocking: tuple[Blocking, ...]
    epsilon: float
    limit: float = np.inf
    """gains up to this count as none"""

    @property
    def stable(self) -> bool:
        """Whether it is proven that nobody breaks away."""
        return not self.blocking and self.epsilon <= self.limit


@dataclass
class _Search:
    """Upper bounds on gains by hub, the highest first, for one plan."""

    of: Field
    level: Array
    terms: Terms
    tolerance: float
    heap: list[tuple[float, int]] = field(default_factory=list)
    known: dict[int, tuple[float, Blocking | None]] = field(default_factory=dict)

    def fill(self, keep: Flags) -> None:
        """Quick bounds for every hub: the best ratio of all its candidates against what the hub has."""
        for hub in self.of.hubs.tolist():
            upper = bound(self.of, hub, keep) if keep[hub] else -np.inf
            if upper > -np.inf:
                self.heap.append((self.terms.pays(float(self.level[hub])) - self.terms.pays(upper), hub))
        heapq.heapify(self.heap)

    def levels(self, hub: int, keep: Flags, beat: float) -> list[tuple[float, float]]:
        """(level, upper bound on the gain over it) for a hub's candidates, as closely as `beat` asks."""
        at = self.of.candidates(hub)
        at = at[keep[at]]
        if not len(at) or at[0] != hub:
            return []
        found = kernels.level_gains(
            self.of.value[at], self.of.weight[at], self.of.people[at], self.level[at],
            self.of.least(hub), self.of.most, self.terms.retained, self.terms.liable, beat + self.tolerance,
        )  # fmt: skip
        return [(float(level), float(gain)) for level, gain in found]

    def best(self, keep: Flags, least: float, *, any_will_do: bool) -> tuple[Blocking | None, float]:
        """The coalition with the largest gain above `least` (None: there is none) and what no gain exceeds."""
        top: Blocking | None = None
        back = list[tuple[float, int]]()
        while (
            self.heap
            and not (top and any_will_do)
            and -self.heap[0][0] > (least if top is None else top.gain) + self.tolerance
        ):
            upper, hub = heapq.heappop(self.heap)
            if not keep[hub]:
                continue
            proven, found = self._look(hub, keep, least if top is None else top.gain)
            if proven > -np.inf:
                back.append((-min(proven, -upper), hub))
            if found is not None and (top is None or found.gain > top.gain):
                top = found
        reached = -self.heap[0][0] if self.heap else -np.inf
        for one in back:
            reached = max(reached, -one[0])
            heapq.heappush(self.heap, one)
        return top, reached

    def _look(self, hub: int, keep: Flags, beat: float) -> tuple[float, Blocking | None]:
        known = self.known.get(hub)
        if known is not None and known[1] is not None and keep[list(known[1].members)].all():
            return known
        found = self._search(hub, keep, beat)
        self.known[hub] = found
        return found

    def _search(self, hub: int, keep: Flags, beat: float) -> tuple[float, Blocking | None]:
        """Level by level: the best coalition of places that have no more than that now."""
        top: Blocking | None = None
        proven = -np.inf
        for level, upper in sorted(self.levels(hub, keep, beat), key=lambda one: -one[1]):
            bar = beat if top is None else max(beat, top.gain)
            if upper <= bar + self.tolerance:
                proven = max(proven, upper)
                continue
            have = self.terms.pays(level)
            above = self.terms.needs(have + bar)
            allowed = keep & (self.level <= level)
            share = self.terms.retained if have + bar >= 0 else min(self.terms.liable, self.terms.retained)
            epsilon = self.tolerance / share if share else 0.0
            best = best_around(self.of, hub, allowed, above=above, epsilon=epsilon)
            proven = max(proven, self.terms.pays(best.upper) - have)
            found = self._blocking(best) if best.members else None
            top = found if found is not None and found.gain > bar else top
        return proven, top

    def grown(self, keep: Flags, least: float, number: int) -> Stability:
        """Where connected coalitions are grown: the best of each hub over the levels, without common members."""
        links, found, epsilon = self.of.links(np.arange(len(self.of))), list[Blocking](), 0.0
        for hub in self.of.hubs.tolist():
            top: Blocking | None = None
            for level, upper in sorted(self.levels(hub, keep, least), key=lambda one: -one[1])[:GROWN_LEVELS]:
                epsilon = max(epsilon, upper)
                if upper <= (least if top is None else top.gain) + self.tolerance:
                    break
                best = grown_around(self.of, links, hub, keep & (self.level <= level))
                one = None if best is None else self._blocking(best)
                top = one if one is not None and one.gain > (least if top is None else top.gain) else top
            found += [top] if top is not None else []
        chosen = list[Blocking]()
        for one in sorted(found, key=lambda one: (-one.gain, one.hub)):
            if len(chosen) < number and keep[list(one.members)].all():
                chosen.append(one)
                keep[list(one.members)] = False
        return Stability(tuple(chosen), epsilon, _limit(least, self.tolerance))

    def _blocking(self, best: Best) -> Blocking:
        level = float(self.level[list(best.members)].max())
        gain = self.terms.pays(best.ratio) - self.terms.pays(level)
        return Blocking(best.hub, best.members, best.ratio, level if level > OUTSIDE else -np.inf, gain)


def stability(
    of: Field,
    level: Array,
    *,
    terms: Terms | None = None,
    least: float = 0.0,
    number: int = 20,
    tolerance: float = 1e-6,
    any_will_do: bool = False,
) -> Stability:
    """The coalitions that gain more than `least` each (at most `number`, without common members), and the largest gain
    that is not ruled out. A coalition of places that are all in none gains without limit (over 1e11). With
    `any_will_do` the first one found is as good as the one that gains most.
    """
    inside = np.where(np.isfinite(level), level, OUTSIDE)
    search = _Search(of, inside, terms or Terms(), tolerance)
    keep = np.ones(len(of), dtype=bool)
    if is_large(of):
        return search.grown(keep, least, number)
    search.fill(keep)
    found = list[Blocking]()
    epsilon = -np.inf
    while len(found) < max(number, 1):
        top, reached = search.best(keep, least, any_will_do=any_will_do)
        if not found:
            epsilon = max(reached, -np.inf if top is None else top.gain)
        if top is None:
            break
        found.append(top)
        keep[list(top.members)] = False
    return Stability(tuple(found), max(0.0, epsilon), _limit(least, tolerance))


def _limit(least: float, tolerance: float) -> float:
    """Up to this a gain counts as none, floating point included."""
    return least + tolerance * (1 + 1e-6) + 1e-9
