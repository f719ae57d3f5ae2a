"""The best coalition around a hub: found by branch and bound on Dinkelbach's parameter, with an upper bound.

At a trial ratio r the members' score is value - r weight. A coalition with a positive total beats r; where there is
none, r is the best. Multipliers on the further rules (any that are not negative) keep the relaxation above every
coalition that obeys them. Imports `field` and `kernels`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from allocopt.choice import kernels
from allocopt.choice.field import Array, Field, Flags, Ints

NODES = 200_000
"""How many nodes a hub may take before its upper bound is left as it stands."""
ROW_NODES = 2_000
"""The same where further rules hold: their relaxation is weaker and more nodes seldom help."""
CONNECTED = 60
"""Coalitions that must hang together are searched thoroughly among up to so many candidates."""
_DOUBLINGS = 20
"""A price that still helps after so many doublings belongs to rows that cannot hold."""
_SECTIONS = 18
_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Local:
    """A hub's candidates that are still there, as the loops take them."""

    at: Ints
    value: Array
    weight: Array
    people: Array
    rows: Array
    first: Array
    least: float
    most: float
    start: Ints
    near: Ints

    @property
    def patience(self) -> int:
        """How many nodes the search may take."""
        return ROW_NODES if len(self.rows) or (len(self.start) and len(self.at) > CONNECTED) else NODES

    @property
    def lightest(self) -> float:
        """No coalition of these weighs less."""
        per = np.min(self.weight / np.maximum(self.people, kernels.TINY))
        return float(max(self.weight[0], self.least * per, kernels.TINY))


@dataclass(frozen=True)
class Best:
    """What was found around a hub: the best ratio and its members, and what no coalition there exceeds."""

    hub: int
    ratio: float
    members: tuple[int, ...]
    upper: float
    nodes: int = 0


def local(of: Field, hub: int, keep: Flags) -> Local:
    """The hub's candidates that `keep` allows, with their rows."""
    whole = of.candidates(hub)
    inside = keep[whole]
    at = whole[inside]
    rows, first = of.rows(hub)
    start, near = of.links(at)
    return Local(
        at, of.value[at], of.weight[at], of.people[at], rows[:, inside], first, of.least(hub), of.most, start, near
    )


def bound(of: Field, hub: int, keep: Flags) -> float:
    """A quick upper bound on the ratio of every coalition around a hub; -inf where none is possible."""
    at = of.candidates(hub)
    at = at[keep[at]]
    found = kernels.ratio_bound(of.value[at], of.weight[at], of.people[at], of.least(hub), of.most)
    return -np.inf if found == kernels.NEVER else float(found)


def best_around(of: Field, hub: int, keep: Flags, *, above: float = -np.inf, epsilon: float = 0.0) -> Best:
    """The best coalition around a hub among the places kept, if it beats `above`.

    `upper` holds for every coalition there: within `epsilon` of the better of `above` and what was found, or where the
    nodes ran out, whatever is proven.
    """
    here = local(of, hub, keep)
    if of.in_order:
        return _in_order(hub, here)
    quick = bound(of, hub, keep)
    if quick <= above + epsilon or quick == -np.inf:
        return Best(hub, -np.inf, (), quick)
    if np.isfinite(above):
        return _improve(hub, here, above, quick, epsilon=epsilon)
    low = _low(here)
    found = _improve(hub, here, low, quick, epsilon=epsilon)
    return replace(found, upper=-np.inf) if found.upper <= low else found  # every coalition beats that: there is none


def _low(here: Local) -> float:
    """A ratio that every coalition beats."""
    per = here.value / np.maximum(here.weight, kernels.TINY)
    return float(per.min()) - 1.0


def _in_order(hub: int, here: Local) -> Best:
    ratio, length = kernels.nearest_first(
        here.value, here.weight, here.people, here.rows, here.first, here.least, here.most, here.start, here.near
    )
    if not length:
        return Best(hub, -np.inf, (), -np.inf)
    return Best(hub, float(ratio), tuple(here.at[:length].tolist()), float(ratio))


def _improve(hub: int, here: Local, rate: float, quick: float, *, epsilon: float) -> Best:
    """Dinkelbach: solve at the ratio found last until nothing beats it."""
    members, nodes, slack = np.zeros(0, dtype=np.int64), 0, epsilon * here.lightest
    while True:
        true = here.value - rate * here.weight
        bounding, offset = priced(here, true)
        total, chosen, upper, took = kernels.branch(
            true, bounding, offset, here.people, here.rows, here.first, here.least, here.most,
            slack, here.patience, here.start, here.near,
        )  # fmt: skip
        nodes += int(took)
        if total <= 0:
            break
        members = np.flatnonzero(chosen)
        rate = float(here.value[members].sum() / here.weight[members].sum())
    proven = min(quick, rate + max(0.0, float(upper)) / here.lightest)
    if len(here.rows) and proven > rate + epsilon:
        proven = _tightened(here, rate, proven, max(epsilon, (proven - rate) / 2**_DOUBLINGS))
    if not len(members):
        return Best(hub, -np.inf, (), proven, nodes)
    return Best(hub, rate, tuple(here.at[members].tolist()), max(proven, rate), nodes)


def _tightened(here: Local, rate: float, proven: float, step: float) -> float:
    """An upper bound on the ratio from the priced relaxation at trial ratios a doubling step above what was found."""
    while rate + step < proven:
        scores, offset = priced(here, here.value - (rate + step) * here.weight)
        if kernels.relaxed(scores, here.people, here.least, here.most)[0] + offset <= 0:
            return rate + step
        step *= 2
    return proven


def priced(here: Local, true: Array) -> tuple[Array, float]:
    """Scores that bound `true` where the rows hold: true - u rows, and the constant - u first, for good prices u.

    Rows that the relaxation meets by itself have no price.
    """
    prices = np.zeros(len(here.rows))
    if len(prices):
        _, part = kernels.relaxed(true, here.people, here.least, here.most)
        broken = np.flatnonzero(here.rows @ part + here.first > 0)
        for _ in range(min(2, len(broken))):
            for row in broken.tolist():
                prices[row] = _price(here, true, prices, row)
    return np.asarray(true - prices @ here.rows), float(-prices @ here.first)


def _price(here: Local, true: Array, prices: Array, row: int) -> float:
    """The price of one row that brings the relaxation lowest, the others as they are: convex, so by golden section."""

    def height(price: float) -> float:
        tried = prices.copy()
        tried[row] = price
        found, _ = kernels.relaxed(true - tried @ here.rows, here.people, here.least, here.most)
        return float(found - tried @ here.first)

    high = float(np.abs(true).sum() / max(np.abs(here.rows[row]).sum(), kernels.TINY))
    for _ in range(_DOUBLINGS):
        if height(2 * high) >= height(high) - 1e-6:
            break
        high *= 2
    low, high = 0.0, 2 * high
    for _ in range(_SECTIONS):
        one, other = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if height(one) <= height(other):
            high = other
        else:
            low = one
    middle = (low + high) / 2
    return middle if height(middle) < height(0.0) else 0.0
