"""Rules about need: how far from its target a place may end.

In every rule `m` is one year's view; `m.target[p]` is the place's fair share of the year's pot in GBP million,
`m.opening_dft[p]` its opening distance from target as a fraction, negative when under target.
"""

from __future__ import annotations

from typing import Any

from allocopt.model import rule
from allocopt.units import Rate


@rule(
    unit="GBP m",
    equation="x_p = T_p",
    source="Weighted capitation: every place at its fair share",
    hard=True,
)
def at_target(m: Any, p: str) -> Any:
    """Every place receives its target."""
    return m.allocation[p] == m.target[p]


@rule(
    unit="%",
    equation="x_p >= (1 + u) T_p",
    source="NHS England pace-of-change policy 2016-17: nobody more than 5% under target",
    relax=("rate", "down"),
)
def dft_floor(m: Any, p: str, *, rate: Rate) -> Any:
    """No place ends further under target than `rate` (written -5%)."""
    return m.allocation[p] >= (1 + rate) * m.target[p]


@rule(
    unit="%",
    equation="x_p / T_p >= min(1, 1 + d0_p)",
    source="Pace-of-change policy 2010-11: no PCT moves further under target (Hansard, Commons, 20 March 2009)",
)
def no_further_under_target(m: Any, p: str) -> Any:
    """Need first: no place that opens under target ends further under it, and no place over target ends under it."""
    return m.allocation[p] >= min(1.0, 1.0 + m.opening_dft[p]) * m.target[p]
