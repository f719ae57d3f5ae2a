"""Rounds that leave no choice: dated policies that fix every allocation by one formula.

Each reproduces a published round; a scenario that switches one on asks what that policy would do to its own figures.
Shares (the damping scale, the part of gains that is kept) are variables between 0 and 1 that the pot determines, so a
policy whose share would lie outside is infeasible and says so. In every rule `m` is one year's view.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from allocopt.model import ClassRates, Column, class_rate, rule
from allocopt.ranges import Change
from allocopt.units import Rate


@rule(
    unit="GBP m",
    equation="x_p = b_p Q / B",
    source="2013-14 round: a uniform uplift for every CCG (HFMA, Give and take, October 2013)",
    hard=True,
)
def uniform_growth(m: Any, p: str) -> Any:
    """Every place grows by the same rate."""
    return m.allocation[p] == m.uniform[p]


@rule(
    unit="GBP m",
    equation="x_p = T_p (1 + (1 - min(1, k / K)) d0_p)",
    source="1991 planning rule: equal steps to target over five years (Hansard, written answers, 21 March 1991)",
    hard=True,
)
def equal_steps(m: Any, p: str, *, steps: Annotated[int, Field(ge=1)]) -> Any:
    """Every place moves to its target in `steps` equal yearly steps of its opening distance from target.

    k is the year of the path. With a fixed pot and fixed targets this is x_p = b_p + (k / K)(T_p - b_p).
    """
    left = 1 - min(1.0, m.step / steps)
    return m.allocation[p] == m.target[p] * (1 + left * m.opening_dft[p])


@rule(
    unit="GBP m",
    equation="x_p = (1 + a) b_p + b T_p B / Q",
    source="2001-02 round (Hansard, written answers, 12 July 2001); a = 4.95%, b = 3.29% fitted to 35 authorities",
    hard=True,
)
def linear_rule(m: Any, p: str, *, a: Rate | None = None, b: Rate | None = None) -> Any:
    """Every place grows by `a` and gets `b` of its target; whichever is left out follows from the pot (a + b = its
    growth).

    Distances from target shrink alike: d1_p = d0_p (1 + a) / (1 + a + b).
    """
    growth = m.pot / m.total_baseline - 1
    a = growth - (b or 0.0) if a is None else a
    b = growth - a if b is None else b
    return m.allocation[p] == (1 + a) * m.baseline[p] + b * m.target[p] * (m.total_baseline / m.pot)


@rule(
    index="year",
    unit="GBP m",
    equation="x_p = (1 + F_c(p)) b_p + s max(0, T_p - (1 + F_c(p)) b_p)",
    source="Local government finance settlement 2011-12, floor damping: s = 1 - cost of the floor / gains above it",
    relax=("rate", "down"),
    finds="damping_scale",
)
def floor_damping(m: Any, *, rate: Change, column: Column | None = None, floors: ClassRates | None = None) -> Any:
    """Every place gets its floor, growth of `rate` (or of its class in `column`, where `floors` names it), and the
    same scaled part s of what its target is above the floor."""
    scale = m.amounts("damping_scale", {"s": 1.0})["s"]
    groups = {} if column is None else m.groups[column]
    floor = {p: (1 + class_rate(floors, groups.get(p, ""), otherwise=rate)) * m.known_baseline[p] for p in m.places}
    return {p: m.allocation[p] == floor[p] + scale * max(0.0, m.target[p] - floor[p]) for p in m.places}


@rule(
    index="year",
    unit="GBP m",
    equation="x_p = min(max(T_p, (1 + m) h_p), (1 + c) h_p) + k max(0, T_p - (1 + c) h_p)",
    source="Schools national funding formula: minimum funding guarantee paid for by scaling back gains above a cap",
    relax=("floor", "down"),
    needs=("population_growth",),
    finds="gain_kept",
)
def capped_gains(m: Any, *, floor: Change, cap: Change) -> Any:
    """Target, but growth a head is at least `floor`, and only a common part k of growth a head above `cap` is kept."""
    kept = m.amounts("gain_kept", {"k": 1.0})["k"]
    rows = {}
    for p in m.places:
        base = m.known_baseline[p] * (1 + m.population_growth[p])
        least, most = (1 + floor) * base, (1 + cap) * base
        rows[p] = m.allocation[p] == min(max(m.target[p], least), most) + kept * max(0.0, m.target[p] - most)
    return rows
