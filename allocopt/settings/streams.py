"""What a scenario may say of money beside the pot. Imports `frozen` and `units` alone."""

from __future__ import annotations

from allocopt.frozen import Sourced
from allocopt.units import Money, TableUnit


class Stream(Sourced):
    """Money beside the pot, given in one way: `value` shared `by` something, `per_head`, or a `column`."""

    recurrent: bool = False
    """true: last year's money, made recurrent in the first year's baseline; false: in no baseline and no distance."""
    value: Money | dict[str, Money] | None = None
    """An amount, or one a year, to be shared."""
    by: str | None = None
    """What `value` is shared by: `target` (unless said), `population`, or a column of the places table."""
    per_head: Money | None = None
    """Pounds a head, such as £24.73 for running costs."""
    column: str | None = None
    """Column of the places table with the money."""
    unit: TableUnit | None = None
