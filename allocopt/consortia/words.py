"""A grouping in sentences, from run.json alone, so that `verify` can hold the words against the figures.

Imports `consortia`, `grouping.solution`, `inputs.tables` and `units` for the names of methods and the look of figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from allocopt.consortia import JOINTLY
from allocopt.grouping.solution import ONE_PROGRAMME
from allocopt.inputs.tables import count
from allocopt.said_bounds import aim_of, without_solver
from allocopt.units import say_money

Told = Mapping[str, Any]


def summary_of(record: Told) -> str:
    """The result in neutral words."""
    head = record["headline"]
    spend = "With modelled spend, " if record["modelled_spend"] else ""
    alone, pooled, left = (
        say_money(head[name] / 1e6) for name in ("unpooled_deficit_gbp", "gross_deficit_gbp", "gross_surplus_gbp")
    )
    said = (
        f"{spend}{head['places']:,} places form {head['consortia']:,} consortia. Gross deficits are {alone} before "
        f"pooling and {pooled} after, against surpluses of {left} that other consortia hold"
    )
    if "crossing_cost_gbp" in head:
        said += _crossings_words(head)
    if "bound_gbp" in head:
        said += f"; no grouping under these rules has less than {say_money(head['bound_gbp'] / 1e6)}"
        said += _by_the_solver(record) + _held_first(record) + _broken_words(record["broken"])
    moved = f"{head['places_moved']:,} places leave their present group"
    if "two_steps" in record:
        said += f". Decided one after the other: {two_steps_words(record['two_steps']['objectives'])}"
    return f"{said}. People are on average {head['travel_km']:.1f} km from their hub; {moved}."


def _crossings_words(head: Told) -> str:
    """What crosses areas, what that counts, and both together: what is made least."""
    number, cost = head["places_crossing"], say_money(head["crossing_cost_gbp"] / 1e6)
    lie = f"{count(number, 'place lies', 'places lie')} outside the area of {'its' if number == 1 else 'their'} hub"
    return f"; {lie}, which counts {cost}: {say_money(head['deficit_and_crossings_gbp'] / 1e6)} together"


def _by_the_solver(record: Told) -> str:
    """Where the bound is branch and bound's own: how much of it is proved without."""
    alone = without_solver(record)
    if alone is None:
        return ""
    return f" (by branch and bound, which is not proved again; without it {say_money(alone)})"


def _held_first(record: Told) -> str:
    """What is proven of the objective in money under those before it, in words; nothing where it comes first."""
    stages = record["objectives"]
    at = [stage["name"] for stage in stages].index(aim_of(record))
    before, stage = stages[:at], stages[at]
    if not before:
        return ""
    parts = "" if record["method"] in (JOINTLY, ONE_PROGRAMME) else ", part by part,"
    return f"; with {' and '.join(map(_kept, before))}{parts} none has less than {say_money(stage['bound'])}"


def _kept(stage: Told) -> str:
    """What a stage leaves to those after it, never rounded up: what is proven beyond it may be false."""
    if stage["unit"] == "GBP m":
        return f"{stage['name']} at most £{np.floor(stage['cap'] * 1e6):,.0f}"
    most = np.floor(stage["cap"] * 1e4) / 1e4
    words = {"travel": "a mean distance of at most {} km", "moves": "at most {} places moved"}
    words |= {"crossings": "at most {} places in other areas than their hub's"}
    return words.get(stage["name"], f"{stage['name']} at most {{}} {stage['unit']}").format(f"{most:,.6g}")


def _broken_words(broken: Sequence[Told]) -> str:
    """A given grouping that breaks rules is no grouping under them."""
    rules = sorted({one["rule"] for one in broken})
    return f", and this one is not under them: it breaks {', '.join(rules)}" if rules else ""


def two_steps_words(objectives: Sequence[Told]) -> str:
    """Of a joint plan, every objective jointly and one after the other."""
    said = []
    for one in objectives:
        amounts = [
            say_money(amount) if one["unit"] == "GBP m" else f"{amount:,.6g} {one['unit']}"
            for amount in (one["jointly"], one["one_after_the_other"])
        ]
        said.append(f"{one['name']} {amounts[0]} jointly, {amounts[1]} one after the other")
    return "; ".join(said)


def beside_words(comparison: pd.DataFrame) -> str:
    """The rules that the groupings beside the plan break, for the summary; nothing where they keep them all."""
    breaks = comparison["breaks"].fillna("")
    rows = comparison[breaks.ne("") & comparison["plan"].ne("plan")]
    said = "; ".join(f"{one['plan']} breaks {one['breaks'].replace('; ', ', ')}" for one in rows.to_dict("records"))
    return f" Of the groupings beside it, {said}." if said else ""
