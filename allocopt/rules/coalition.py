"""Rules about one coalition at a time, as practices would form it when they pick their partners.

`m` is the view of `allocopt.grouping.programme`: `m.open[h]` is 1 where a coalition forms around place h.
"""

from __future__ import annotations

from typing import Any

from allocopt.model import rule


@rule(
    unit="-",
    equation="sum_h x_hh = 1",
    source="The best coalition leaves first (Farrell and Scotchmer, Quarterly Journal of Economics 103, 1988)",
    index="grouping",
    hard=True,
)
def one_coalition(m: Any) -> Any:
    """One coalition forms at a time; places that stay outside form the next."""
    return {"all": sum(m.open[h] for h in m.hubs) == 1}
