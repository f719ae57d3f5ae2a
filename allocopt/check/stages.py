"""The stages of an allocation fit together: value, bound, gap, cap, proof and status.

Imports `check.inputs` and `check.verdict`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from allocopt.check.inputs import Plain
from allocopt.check.verdict import POUND, Check, compared


def check_stages(record: Plain) -> Iterator[Check]:
    """Value, bound, gap, cap, proof and status of run.json fit together."""
    solver, largest = record["scenario"]["solver"], max(record["pot_gbp"].values()) / 1e6
    for stage in (year for one in record["objectives"] for year in one.get("by_year", {"": one}).values()):
        wrong = [*_stage_faults(stage, solver, 1e-9 * largest * 1e6)]
        words = (
            f"value {stage['value']:,.6f}, final value {stage['final_value']:,.6f} {stage['unit']}, gap {stage['gap']}"
        )
        yield compared(f"stage {stage['name']}", wrong, words)
    status = "optimal" if all(stage["proven"] for stage in record["objectives"]) else "gap"
    wrong = [] if record["status"] == status else [f"status is {record['status']}, the stages make it {status}"]
    yield compared("status", wrong, status)


def _stage_faults(stage: Plain, solver: Plain, close: float) -> Iterator[str]:
    """What does not fit in one objective of run.json; `close` is the gap in pounds that counts as proof."""
    money, value, bound, cap = stage["unit"] == "GBP m", stage["value"], stage["bound"], stage["cap"]
    sense, scale = (1 if cap >= value else -1), (1e6 if money else 1.0)
    slack = max(solver["slack"] * abs(value), solver["slack_at_least"] if money else 1e-9)
    if not np.isclose(cap, value + sense * slack, rtol=1e-12, atol=1e-12):
        yield f"cap {cap} is not the value and its slack, {value + sense * slack}"
    if scale * sense * (stage["final_value"] - cap) > (POUND if money else 1e-6):
        yield f"final value {stage['final_value']} passes the cap {cap} that the stage left"
    off = None if bound is None else abs(value - bound)
    gap = None if off is None else off / max(abs(value), 1e-6)
    gap_gbp = off * 1e6 if off is not None and money else None
    for name, found in (("gap", gap), ("gap_gbp", gap_gbp)):
        if (stage[name] is None) != (found is None) or not np.isclose(
            stage[name] or 0.0, found or 0.0, rtol=1e-9, atol=1e-12
        ):
            yield f"{name} is {stage[name]}, value and bound make it {found}"
    if bound is not None and scale * sense * (bound - value) > max(POUND if money else 0.0, 1e-9 * scale * abs(value)):
        yield f"bound {bound} is on the wrong side of the value {value}"
    proven = gap is not None and (gap <= solver["gap"] or (gap_gbp is not None and gap_gbp <= close))
    if stage["proven"] is not proven:
        yield f"proven is {stage['proven']}, the gap makes it {proven}"
