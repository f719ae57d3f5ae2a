"""What a scenario may say about its sweep: the `sweep:` block. Imports `frozen` alone."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from allocopt.frozen import Frozen


class Sweep(Frozen):
    """Many cases of one scenario: which keys change, and how their values are combined."""

    how: Literal["grid", "together", "one-at-a-time", "sample"] = "grid"
    """`grid`: every combination; `together`: first with first, second with second; `one-at-a-time`: the scenario as it
    stands, then each value alone; `sample`: a Latin hypercube of `draws` cases."""
    over: dict[str, Any]
    """Key path, such as rules.growth_floor.rate, to its values: a list, or {from, to, step}; for `sample` {from, to}
    or a list. The key `scenario` takes a list of scenario files, each in turn in place of what the sweep extends."""
    exclude: list[dict[str, Any]] = Field(default_factory=list)
    """Combinations to leave out: {key: value} or {key: [values]}; a case goes when every key of one item matches."""
    keep: list[str] | None = None
    """What is stored of each case: headline figures and objectives by name, tables by name (`allocations`, `effects`,
    `certificate`, ...), or `everything`: its whole run folder. Without it: everything up to 100 cases, beyond that
    every figure and no table."""
    draws: int | None = Field(default=None, ge=1)
    """For `sample`: how many cases."""
    seed: int | None = None
    """For `sample`: the seed of the hypercube."""
