"""The stages of a grouping fit together: value, bound, gap, cap, proof and status, and who proved what.

Imports `check.inputs`, `check.verdict` and `said_bounds`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from allocopt.check.inputs import Plain
from allocopt.check.verdict import Check, compared
from allocopt.model import load_model
from allocopt.said_bounds import aim_of

TINY = 1e-6
"""GBP million, or the objective's unit: a difference that counts as proof."""
OTHERS = ("highs", "none", "prices (Lagrange)", "the nearest people of each hub")
SEARCHED = "annealing and neighbourhoods"
SETTLED = ("given", "search")
"""Methods whose later stages leave no slack: their cap is the value that they ended with."""


def check_stages(record: Plain, budget: float) -> Iterator[Check]:
    """Every stage of run.json; `budget` is what all places bring, GBP million."""
    for number, stage in enumerate(record["objectives"]):
        wrong = [*_proof(record, stage, budget), *_cap(record, stage, number, budget), *_by(record, stage, number)]
        words = f"value {stage['value']:.9g}, bound {stage['bound']:.9g} {stage['unit']}, gap {stage['gap']}"
        yield compared(f"stage {stage['name']}", wrong, words)
    proven = all(stage["proven"] for stage in record["objectives"])
    status = "evaluated" if record["method"].startswith("evaluated") else "optimal" if proven else "gap"
    wrong = [] if record["status"] == status else [f"status is {record['status']}, the stages make it {status}"]
    wanted = [one["name"] for one in record["scenario"].get("objectives", [])]
    own = [one["name"] for one in record["objectives"]]
    strange = [name for name in own if name not in wanted]
    wrong += [f"{name} is no objective of the scenario" for name in strange]
    units = {one.name: one.unit for one in load_model(record["model"][-1]).objectives}
    stages, bounds = record["objectives"], record["bounds"]
    wrong += [f"{one['name']} is said in {one['unit']}" for one in stages if one["unit"] != units[one["name"]]]
    wrong += [f"bound {one['name']} is said in {one['unit']}" for one in bounds if one["unit"] != "GBP m"]
    yield compared("status", wrong, status)


def _outside(record: Plain) -> bool:
    """A given grouping that breaks rules, of which nothing is proven."""
    return record["status"] == "evaluated" and bool(record["broken"])


def _proof(record: Plain, stage: Plain, budget: float) -> Iterator[str]:
    money, value, bound = stage["unit"] == "GBP m", stage["value"], stage["bound"]
    off = abs(value - bound)
    gap: float | None = None if _outside(record) else off / max(abs(value), TINY)
    gap_gbp = off * 1e6 if money and gap is not None else None
    for name, found in (("gap", gap), ("gap_gbp", gap_gbp)):
        said = stage[name]
        if (said is None) != (found is None) or not np.isclose(said or 0.0, found or 0.0, rtol=1e-9, atol=1e-12):
            yield f"{name} is {said}, value and bound make it {found}"
    said_of = record["scenario"].get("grouping") or {}
    asked = record["scenario"]["solver"]["gap"]
    if stage["name"] == "travel" and said_of.get("travel_gap") is not None:
        asked = said_of["travel_gap"]
    close = value - bound <= TINY or (money and value - bound <= 1e-9 * budget)
    proven = gap is not None and (gap <= asked + 1e-12 or close)
    if stage["proven"] is not proven:
        yield f"proven is {stage['proven']}, the gap makes it {proven}"


def _cap(record: Plain, stage: Plain, number: int, budget: float) -> Iterator[str]:
    """The cap is the value and its slack; parts have their share of the slack each, so that it is known to a range."""
    value, cap, final, solver = stage["value"], stage["cap"], stage["final_value"], record["scenario"]["solver"]
    money = stage["unit"] == "GBP m"
    if stage["method"] in SETTLED and (number or stage["method"] == "given" or stage["name"] != aim_of(record)):
        least = most = value
        if abs(final - value) > TINY:
            yield f"final value {final} is not the value {value}"
    else:
        amount = solver["slack_at_least"] if money else 1e-9
        share = solver["slack"] * abs(value)
        jointly = "joint" in record["model"]
        least = value + (0.0 if jointly else max(share, amount))
        whole = max(budget, abs(value)) if jointly and money else abs(value)
        most = value + solver["slack"] * whole + amount + TINY * 1e-3 * record["headline"]["places"]
    if not least - 1e-9 * max(1.0, abs(value)) <= cap <= most + 1e-9 * max(1.0, abs(value)):
        yield f"cap {cap} is not the value and its slack, {least:.9g} to {most:.9g}"
    if final > cap + TINY + 1e-9 * abs(cap) + (
        1e-6 * record["headline"]["places"] if "joint" in record["model"] else 0
    ):
        yield f"final value {final} passes the cap {cap} that the stage left"


def _by(record: Plain, stage: Plain, number: int) -> Iterator[str]:
    """A stage says who proved its bound: a bound of the run says no less, the solver is called by its name."""
    named = {f"bound {one['name']}": float(one["value"]) for one in record["bounds"]}
    by = stage["by"]
    if by in named:
        first = number == 0 or stage["name"] == aim_of(record)
        if not first or by == "bound L":
            yield f"it is said proved by {by}, which is none of its own"
        elif abs(stage["bound"] - min(stage["value"], named[by])) > TINY and not _outside(record):
            yield f"bound {stage['bound']} is not that of {by}, {named[by]:.9g}"
    elif by not in OTHERS:
        yield f"it is said proved by {by}, which the run does not have"
    if by == "none" and stage["bound"] != 0:
        yield f"bound {stage['bound']} is proved by nobody"
