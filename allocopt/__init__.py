"""Fair-share reallocations and consortium groupings of NHS budgets, solved and proved.

    import allocopt
    run = allocopt.run("scenarios/england.yaml", set={"rules.growth_floor.rate": "1%"})
    run.allocations        # a DataFrame, one row per place and year

The verbs are imported when they are first used, so that the command line answers at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from allocopt.batches import Batch, batch
    from allocopt.check.folder import verify
    from allocopt.comparison import Comparison, compare
    from allocopt.runs import Run, read_run, run

__version__ = "0.1.0"

__all__ = ["Batch", "Comparison", "Run", "batch", "compare", "read_run", "run", "verify"]

_HOMES = {
    "Comparison": "allocopt.comparison",
    "compare": "allocopt.comparison",
    "Batch": "allocopt.batches",
    "batch": "allocopt.batches",
    "Run": "allocopt.runs",
    "read_run": "allocopt.runs",
    "run": "allocopt.runs",
    "verify": "allocopt.check.folder",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'allocopt' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
