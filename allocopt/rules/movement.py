"""Rules about how much moves between places, and in which order places end.

In every rule `m` is one year's view. Movement is against uniform growth, as everywhere: what a place gets less its
baseline grown with the pot. `m.amounts(name, {key: most})` gives bounded variables that belong to the rule alone.
"""

from __future__ import annotations

from typing import Any

from allocopt.model import rule
from allocopt.ranges import Amount


@rule(
    index="year",
    unit="GBP m",
    equation="sum_p max(0, x_p - b_p Q / B) <= R",
    source="A limit on the money moved in a year; half the sum of absolute differences from uniform growth",
    relax=("max", "up"),
)
def mover_budget(m: Any, *, max: Amount) -> Any:  # noqa: A002 - the parameter's name in scenarios
    """No more than `max` moves between places, against uniform growth."""
    gain = m.positive_part("gain", {p: m.allocation[p] - m.uniform[p] for p in m.places}, m.pot)
    return sum(gain.values()) <= max


@rule(
    index="year",
    unit="%",
    equation="x_p / T_p <= x_q / T_q if d0_p < d0_q",
    source="Order-preserving pace of change: nobody overtakes a place that opened nearer to its target from below",
)
def no_leapfrogging(m: Any) -> Any:
    """No place ends ahead of a place that opened ahead of it; places that open level are free among themselves.

    Written with one z_k between levels k and k + 1 of opening distance: x_p <= z_k T_p below, x_q >= z_k T_q above. z_k
    is at most Q / (targets of the levels above k), which the rule and the pot imply.
    """
    above, most = 0.0, dict[str, float]()
    for number, level in reversed(list(enumerate(m.dft_levels[1:]))):
        above += sum(m.target[p] for p in level)
        most[str(number)] = m.pot / above
    order = m.amounts("dft_order", dict(reversed(most.items())))
    rows: dict[tuple[str, str], Any] = {}
    for number, (lower, upper) in enumerate(zip(m.dft_levels, m.dft_levels[1:], strict=False)):
        limit = order[str(number)]
        rows |= {(p, "most"): m.allocation[p] - m.target[p] * limit <= 0 for p in lower}
        rows |= {(p, "least"): m.allocation[p] - m.target[p] * limit >= 0 for p in upper}
    return rows
