"""Rules that tie an allocation to a grouping when both are decided at once: the money of a place follows its place.

`m` is the view of `allocopt.grouping.joint`: `m.allocation[p]` is what place p is allocated, `m.x[p, h]` is 1 where it
belongs to the consortium of hub h, and `m.brings[p, h]` is the money it brings there. The product of the two decisions
is written without a big number: `m.least[p]` and `m.most[p]` are the limits that the other rules set to the
allocation of p alone, so that the rows are the perspective form of "allocated within its limits, in one consortium".
"""

from __future__ import annotations

from typing import Any

from allocopt.model import rule


@rule(
    unit="GBP m",
    equation="sum_h w_ph = x_p",
    source="A member brings its whole allocation to its consortium",
    index="grouping",
    hard=True,
)
def brings_all(m: Any) -> Any:
    """What a place brings to consortia is what it is allocated."""
    return {p: sum(m.brings[p, h] for h in m.choices[p]) - m.allocation[p] == 0 for p in m.places}


@rule(
    unit="GBP m",
    equation="w_ph >= l_p x_ph",
    source="Perspective form of the limits on one allocation: McCormick's envelope, exact where x_ph is 0 or 1",
    index="pairs",
    hard=True,
)
def brings_at_least(m: Any, p: str, h: str) -> Any:
    """Where a place belongs, it brings at least the least that the rules allow it."""
    return m.brings[p, h] - m.least[p] * m.x[p, h] >= 0


@rule(
    unit="GBP m",
    equation="w_ph <= u_p x_ph",
    source="Perspective form of the limits on one allocation: McCormick's envelope, exact where x_ph is 0 or 1",
    index="pairs",
    hard=True,
)
def brings_at_most(m: Any, p: str, h: str) -> Any:
    """Where a place belongs, it brings at most the most that the rules allow it; elsewhere it brings nothing."""
    return m.brings[p, h] - m.most[p] * m.x[p, h] <= 0
