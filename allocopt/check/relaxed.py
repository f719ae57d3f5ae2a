"""What a grouping holds beyond itself: bounds T, C and P from kept prices, and the allocation that is pooled.

Bound T is evaluated in plain numpy by `check.grouping`, the others by weak duality on programmes compiled anew from the
inputs, with no solver; the allocation is held against the checker's own reading of the inputs and its own rules.
Imports the rooms that compile, `check.bound`, `check.grouping`, `check.inputs`, `check.plan`, `check.rules`,
`check.decided` and `check.verdict`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from allocopt.check.bound import cheapest, decided_of
from allocopt.check.grouping import Grouped, price_bound, reachable_hubs
from allocopt.check.inputs import Known, Plain
from allocopt.check.plan import check_against_inputs, check_columns, given_of
from allocopt.check.rules import SECOND, check_objectives, check_rule, said_of
from allocopt.check.verdict import Check, Floats, compared
from allocopt.grouping.bounds import closed_side
from allocopt.grouping.instance import Flags, Instance, components, legal_pairs, possible_pairs
from allocopt.grouping.joint import build_joint
from allocopt.grouping.pockets import numbered, pocket_programme, pockets
from allocopt.grouping.relaxed import compiled_parts
from allocopt.model import load_model
from allocopt.plan import Facts
from allocopt.said_bounds import AIMS
from allocopt.solve.compiled import Compiled

SLIP = 1e-6
"""GBP million: a pound."""


def check_allocation(folder: Path, record: Plain, own: Known) -> Iterator[Check]:
    """The allocation that a grouping pools: its table, the rules that are on and its objectives, in plain numpy."""
    text = {"place": "str", "name": "str", "year": "str"}
    table = pd.read_csv(folder / "allocations.csv", dtype=text, keep_default_na=False, na_values=[""])
    yield from check_columns(table)
    yield from check_against_inputs(table, own, record)
    decided = decided_of(own, given_of(table))
    names = ["budget", *record["scenario"].get("rules", {})]
    unseen = []
    model = load_model(record["scenario"]["model"][0])
    for rule in (*model.always, *model.rules):
        if rule.name in SECOND and rule.name in names:
            yield check_rule(rule.name, decided, said_of(record, rule.name))
        elif rule.name in names and rule.index in ("places", "year", "path"):
            unseen.append(rule.name)
    if unseen:
        words = f"no second implementation of {', '.join(unseen)}: held by the solver's programme only"
        yield Check("rules of the allocation", True, words)
    if model.kind == "joint":
        others = [one for one in record["objectives"] if one["name"] not in AIMS]
        yield from check_objectives(decided, {**record, "objectives": others})


def check_prices(folder: Path, record: Plain, of: Grouped, may_hub: Flags) -> Iterator[Check]:
    """Bound T from the prices of hubs in certificate.npz, in plain numpy."""
    stated = [one for one in record["bounds"] if one["name"] == "T"]
    if stated:
        prices = _kept(folder, "T")
        yield _compared("T", stated[0], toll_value(of, prices, may_hub), len(prices))


def toll_value(of: Grouped, prices: Mapping[str, float], may_hub: Flags) -> float:
    """What prices by hub prove of gross deficit with what crossings cost. Raises ValueError for prices of no place."""
    _all_used(len(prices.keys() & set(of.places)), len(prices))
    return price_bound(of, prices, reachable_hubs(of, may_hub))


def check_relaxed(folder: Path, record: Plain, facts: Facts, instance: Instance) -> Iterator[Check]:
    """Bound C from the prices in certificate.npz, on matrices compiled anew."""
    stated = [one for one in record["bounds"] if one["name"] == "C"]
    if not stated:
        return
    prices, joint = _kept(folder, "C"), load_model(record["model"][-1]).kind == "joint"
    value = relaxed_value(_compiled(facts, instance), prices)
    yield _compared("C", stated[0], value, len(prices), rounded=len(instance) if joint else 0)


def relaxed_value(programmes: Iterable[Compiled], prices: Mapping[str, float]) -> float:
    """What prices by row name prove of the first objective of programmes that share nothing, each at least 0.

    Raises ValueError for prices of rows that none of them has.
    """
    used, value = 0, 0.0
    for compiled in programmes:
        found, taken = _proved(compiled, compiled.costs[0], prices)
        value, used = value + max(0.0, found + float(compiled.offsets[0])), used + taken
    _all_used(used, len(prices))
    return value


def check_pockets(record: Plain, folder: Path, instance: Instance) -> Iterator[Check]:
    """Bound P: the pockets of bound B's minimum cut found anew, and what their kept prices prove on top of it."""
    stated = {one["name"]: one for one in record["bounds"]}
    if "P" not in stated:
        return
    prices = _kept(folder, "P")
    chosen = np.isin(np.array(list(instance.places)), stated["B"].get("overspenders", []))
    value = pocket_value(record["scenario"]["model"][-1], instance, chosen, prices)
    yield _compared("P", stated["P"], value, len(prices))


def pocket_value(model: str, instance: Instance, chosen: Flags, prices: Mapping[str, float]) -> float:
    """Bound P: bound B of the chosen overspenders (n,), and what prices by numbered row name prove on top of it.

    Raises ValueError for prices of rows that no pocket has.
    """
    pairs = legal_pairs(instance, possible_pairs(instance))
    side = closed_side(instance, pairs, chosen)
    used, value = 0, float(instance.over[side].sum())
    for number, pocket in enumerate(pockets(model, instance, pairs, side)):
        mark = numbered(number, "")
        mine = {name[len(mark) :]: price for name, price in prices.items() if name.startswith(mark)}
        if mine:
            found, taken = _proved(*pocket_programme(pocket), mine)
            value, used = value + found, used + taken
    _all_used(used, len(prices))
    return value


def _kept(folder: Path, bound: str) -> dict[str, float]:
    with np.load(folder / "certificate.npz", allow_pickle=False) as kept:
        rows = [row.decode("utf-8") for row in kept[f"{bound}.rows"]]
        return dict(zip(rows, kept[f"{bound}.prices"].tolist(), strict=True))


def _all_used(used: int, kept: int) -> None:
    if used != kept:
        raise ValueError(f"{kept - used} of the kept prices are of rows that the programme does not have")


def _compared(name: str, stated: Plain, value: float, kept: int, *, rounded: int = 0) -> Check:
    """The bound that is stated, neither more nor less than its prices prove; a joint one is proved piece by piece, and
    so known to a pound for each place that was `rounded`.
    """
    words = f"re-proved by weak duality with {kept:,} prices: GBP {value:,.6f}m"
    wrong = [] if value >= stated["value"] - SLIP else [f"the kept prices prove only GBP {value:,.6f}m"]
    if value > stated["value"] + SLIP * (1 + rounded) + 1e-9 * value:
        wrong.append(f"the kept prices prove GBP {value:,.6f}m, run.json says {stated['value']:,.6f}")
    if stated.get("prices", kept) != kept:
        wrong.append(f"{kept:,} prices are kept, run.json says {stated['prices']:,}")
    return compared(f"bound {name}", wrong, words)


def _compiled(facts: Facts, instance: Instance) -> Iterator[Compiled]:
    scenario = facts.loaded.scenario
    model, pairs = load_model(scenario.model[-1]), possible_pairs(instance)
    if model.kind == "joint":
        joint = build_joint(
            facts.situation, instance, pairs, model, rules=scenario.rules, objectives=scenario.objectives
        )
        yield joint.compiled
        return
    yield from compiled_parts(model, instance, pairs, components(instance, pairs))


def _proved(compiled: Compiled, cost: Floats, prices: Mapping[str, float]) -> tuple[float, int]:
    """What the prices of this programme's rows prove of a cost, and how many there are."""
    names: dict[str, Any] = {name: row for row, name in enumerate(compiled.row_names)}
    y = np.zeros(len(names))
    for name in (one for one in prices if one in names):
        y[names[name]] = prices[name]
    if not np.isfinite(y).all():
        raise ValueError("a kept price is no finite number")
    taken = sum(name in names for name in prices)
    lower, upper = compiled.row_lower, compiled.row_upper
    y[((y > 0) & np.isneginf(lower)) | ((y < 0) & np.isposinf(upper))] = 0.0
    reduced: Floats = cost - compiled.matrix.T @ y
    value = cheapest(y, lower, upper) + cheapest(reduced, compiled.column_lower, compiled.column_upper)
    return float(value), taken
