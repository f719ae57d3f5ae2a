"""The alternatives of a grouping checked again: each obeys the rules, costs no more than was said, and differs.

Imports `check.grouping` and `check.verdict`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from allocopt.check.grouping import Grouped, Ints, broken_rules, objectives
from allocopt.check.verdict import Check, compared
from allocopt.said_bounds import AIMS, aim_of

SLIP = 2e-6


def check_alternatives(folder: Path, record: dict[str, Any], of: Grouped) -> Iterator[Check]:
    """Every plan of alternatives.csv against what run.json says was asked."""
    said = record["alternatives"]
    plans = plans_of(folder / "alternatives.csv", of) if said["found"] else [of.hub]
    wrong = [] if len(plans) == said["found"] + 1 else [f"{len(plans) - 1} plans, run.json says {said['found']}"]
    if not np.array_equal(plans[0], of.hub):
        wrong.append("plan 0 is not that of groups.csv")
    asked = record["scenario"]["grouping"]["alternatives"]
    for name, key in (("asked", "number"), ("within", "within"), ("differ", "differ")):
        if said[name] != asked[key]:
            wrong.append(f"{name} is {said[name]}, the scenario's is {asked[key]}")
    away = [min(_moved(of, hub, plans[k]) for k in range(number)) for number, hub in enumerate(plans) if number]
    if said["least_difference"] != away:
        wrong.append(f"least_difference is {said['least_difference']}, recomputed {away}")
    aim = aim_of(record)
    most = objectives(of)[aim] * (1 + said["within"]) + SLIP
    for number, hub in enumerate(plans):
        plan = replace(of, hub=hub)
        wrong += [f"plan {number}: {one}" for one in broken_rules(plan)] if number else []
        if objectives(plan)[aim] > most:
            wrong.append(f"plan {number} has more {aim.replace('_', ' ')} than was asked")
        near = [k for k in range(number) if _moved(of, hub, plans[k]) < said["differ"]]
        wrong += [f"plan {number} is nearer than {said['differ']} places to plan {k}" for k in near]
    told = (
        f"{said['found']} of {said['asked']} alternatives found within {said['within']:.3%} of the plan's {AIMS[aim]}"
    )
    if said["words"] != f"{told}, each {said['differ']:,} places or more away from every plan before it":
        wrong.append(f"the words are '{said['words']}'")
    words = f"{said['found']} plans obey the rules, within {said['within']:.3%}, {said['differ']} places or more apart"
    yield compared("alternatives", wrong, words)


def plans_of(path: Path, of: Grouped) -> list[Ints]:
    """The hubs (n,) of every plan of alternatives.csv, the run's own first."""
    table = pd.read_csv(path, dtype={"place": "str", "hub": "str"}, keep_default_na=False)
    index = {code: number for number, code in enumerate(of.places)}
    found = []
    for _, rows in table.groupby("plan", sort=True):
        hub = rows.set_index("place")["hub"].loc[list(of.places)]
        found.append(np.array([index[code] for code in hub], dtype=np.int64))
    return found


def _moved(of: Grouped, one: Ints, other: Ints) -> int:
    """Places that move: to another hub where hubs are declared, else after the best matching of the groups."""
    if of.declared is not None:
        return int((one != other).sum())
    common = pd.crosstab(one, other).to_numpy()
    rows, columns = linear_sum_assignment(-common)
    return len(one) - int(common[rows, columns].sum())
