"""What members of a consortium share equally: the sharing rule of free choice, and so the order of all coalitions.

Each is a ratio of two sums, found by Dinkelbach's method: at a trial ratio `m.rate` the programme makes
value - rate x weight large, and the ratio found is the next trial. `m` is the view of `allocopt.grouping.programme`.
Imports `model` alone.
"""

from __future__ import annotations

from typing import Any

from allocopt.model import objective

SHARED = "Farrell and Scotchmer, Quarterly Journal of Economics 103, 1988: partnerships that share equally"


@objective(
    index="grouping",
    unit="GBP a head",
    equation="sum_p (b_p - s_p) x_ph / sum_p n_p x_ph",
    source=SHARED,
    sense="maximise",
    needs_spend=True,
)
def balance_per_head(m: Any) -> Any:
    """A consortium's balance is shared equally by its patients: each coalition wants the most a head."""
    return sum((-m.over[p] - m.rate * m.population[p] / 1e6) * m.x[p, h] for p, h in m.pairs)


@objective(
    index="grouping",
    unit="share of budget",
    equation="sum_p (b_p - s_p) x_ph / sum_p b_p x_ph",
    source=SHARED,
    sense="maximise",
    needs_spend=True,
)
def balance_per_pound(m: Any) -> Any:
    """A consortium's balance is shared in proportion to budgets: each coalition wants the most per pound."""
    return sum((-m.over[p] - m.rate * m.budget[p]) * m.x[p, h] for p, h in m.pairs)
