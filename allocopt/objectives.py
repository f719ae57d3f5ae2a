"""The objectives: what a good allocation makes small, each in its turn.

In every objective `m` is one year's view. `m.positive_part(name, {p: e_p}, most)` gives variables
y_p >= max(0, e_p), where `most` bounds them from above so that every bound can be proved by weak duality.
Imports `model` alone.
"""

from __future__ import annotations

from typing import Any

from allocopt.model import objective


@objective(
    unit="GBP m",
    equation="sum_p max(0, s_p - x_p)",
    source="Gross deficit: overspends added up without offsetting surpluses elsewhere",
    needs_spend=True,
)
def gross_deficit(m: Any) -> Any:
    """Overspends added up; a surplus elsewhere does not offset them."""
    deficit = m.positive_part("deficit", {p: m.spend[p] - m.allocation[p] for p in m.places}, m.spend)
    return sum(deficit.values())


@objective(
    unit="GBP m",
    equation="sum_p max(0, T_p - x_p)",
    source="Money by which places fall short of their fair share",
)
def shortfall_below_target(m: Any) -> Any:
    """Money by which places fall short of their target."""
    shortfall = m.positive_part("shortfall", {p: m.target[p] - m.allocation[p] for p in m.places}, m.target)
    return sum(shortfall.values())


@objective(
    unit="GBP m",
    equation="1/2 sum_p |x_p - b_p Q / B| = sum_p max(0, x_p - b_p Q / B)",
    source="Distance from uniform growth: half the sum of absolute differences (the gains equal the losses)",
)
def movement(m: Any) -> Any:
    """Money moved between places, against uniform growth of the pot."""
    gain = m.positive_part("gain", {p: m.allocation[p] - m.uniform[p] for p in m.places}, m.pot)
    return sum(gain.values())
