"""The deficit of consortia whose members' allocations are decided with the grouping. Imports `model` alone.

`m` is the view of `allocopt.grouping.joint`: `m.deficit(h)` is a variable of at least the spend of the members of hub h
less the money they bring.
"""

from __future__ import annotations

from typing import Any

from allocopt.model import objective


@objective(
    index="grouping",
    unit="GBP m",
    equation="sum_h max(0, sum_p (s_p x_ph - w_ph))",
    source="Gross deficit after pooling: members' surpluses offset members' overspends, other consortia's do not",
    needs_spend=True,
)
def gross_deficit(m: Any) -> Any:
    """Overspends of consortia added up; a surplus in another consortium does not offset them."""
    return sum(m.deficit(h) for h in m.hubs)
