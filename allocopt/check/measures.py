"""What is told of a grouping, in numbers, a second time: from places, hubs and whole pounds alone.

Shares no code with the rooms that write the tables. Money is whole pounds, distances km. Imports `check.grouping`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from allocopt.check.grouping import Broken, Floats, Grouped, Ints, crossing_cost, haversine, objectives

Pounds = npt.NDArray[np.int64]


def pounds(amounts: Floats) -> Pounds:
    """GBP million (n,) as whole pounds."""
    return np.rint(amounts * 1e6).astype(np.int64)


def members_of(of: Grouped) -> dict[int, Ints]:
    """The places of each consortium, by its hub, in the order of places."""
    order = np.argsort(of.hub, kind="stable")
    hubs, first = np.unique(of.hub[order], return_index=True)
    return dict(zip(hubs.tolist(), np.split(order, first[1:]), strict=True))


def balances(of: Grouped) -> Pounds:
    """Budget less spend of each consortium, (k,), in the order of their hubs."""
    left = pounds(of.budget) - pounds(of.spend)
    return np.array([left[at].sum() for at in members_of(of).values()], dtype=np.int64)


def figures(of: Grouped) -> dict[str, float]:
    """A row of the comparison, but for its bound and the rules that it breaks."""
    left, now = balances(of), objectives(of)
    people = [float(of.population[at].sum()) for at in members_of(of).values()]
    return {
        "gross_deficit_gbp": int(-left[left < 0].sum()),
        "gross_surplus_gbp": int(left[left > 0].sum()),
        "consortia": len(left),
        "least_people": min(people),
        "most_people": max(people),
        "travel_km": now["travel"],
        "moves": now["moves"],
        "imd_spread": _spread(of),
        "crossings": now["crossings"],
        "crossing_cost_gbp": round(1e6 * crossing_cost(of)),
    }


def costs(row: Mapping[str, Any]) -> float:
    """Of the figures of a plan what bounds are about, in pounds: gross deficit, and what crossings cost."""
    return float(row["gross_deficit_gbp"] + row["crossing_cost_gbp"])


def _spread(of: Grouped) -> float:
    """The standard deviation of consortia's mean deprivation, each weighing as its people with a score do."""
    if of.imd is None:
        return float("nan")
    mean, weight = list[float](), list[float]()
    for at in members_of(of).values():
        known = at[~np.isnan(of.imd[at])]
        if len(known):
            weight.append(float(of.population[known].sum()))
            mean.append(float(of.population[known] @ of.imd[known]) / weight[-1])
    share = np.array(weight) / sum(weight)
    middle = float(share @ np.array(mean))
    return float(np.sqrt(share @ (np.array(mean) - middle) ** 2))


def consortium(of: Grouped, hub: int, at: Ints, share: Floats) -> dict[str, Any]:
    """A row of consortia.csv; `share` (n,) is each place's target as a part of the pot."""
    people = of.population[at]
    budget, spend = int(pounds(of.budget)[at].sum()), int(pounds(of.spend)[at].sum())
    scored = at if of.imd is None else at[~np.isnan(of.imd[at])]
    weight = float(of.population[scored].sum())
    imd = float(of.population[scored] @ of.imd[scored]) / weight if of.imd is not None and len(scored) else np.nan
    return {
        "group": of.places[hub],
        "hub": of.places[hub],
        "area": of.area[hub],
        "places": len(at),
        "population": float(people.sum()),
        "budget_gbp": budget,
        "spend_gbp": spend,
        "balance_gbp": budget - spend,
        "balance_pct": 100.0 * (budget - spend) / budget if budget else np.nan,
        "deficit_gbp": max(0, spend - budget),
        "need_index": float(share[at].sum()) / float(people.sum() / of.population.sum()),
        "imd": imd,
        "travel_km": float(haversine(of, at, np.full(len(at), hub)) @ people / people.sum()),
    }


def headline(of: Grouped) -> dict[str, float]:
    """The figures people quote, but for exemptions, bound and gap."""
    row, alone = figures(of), pounds(of.spend) - pounds(of.budget)
    return {
        "places": len(of.places),
        "consortia": row["consortia"],
        "budget_gbp": int(pounds(of.budget).sum()),
        "spend_gbp": int(pounds(of.spend).sum()),
        "unpooled_deficit_gbp": int(alone[alone > 0].sum()),
        "gross_deficit_gbp": row["gross_deficit_gbp"],
        "gross_surplus_gbp": row["gross_surplus_gbp"],
        "net_deficit_gbp": row["gross_deficit_gbp"] - row["gross_surplus_gbp"],
        "consortia_in_deficit": int((balances(of) < 0).sum()),
        "population_least": row["least_people"],
        "population_most": row["most_people"],
        "travel_km": row["travel_km"],
        "places_moved": row["moves"],
        "places_crossing": objectives(of)["crossings"],
    }


def breaks(broken: Sequence[Broken]) -> str:
    """How many places or consortia each broken rule is broken at, as the comparison has it."""
    times = Counter(one.rule for one in broken)
    return "; ".join(f"{rule} at {number:,}" for rule, number in times.items())


def once(broken: Sequence[Broken]) -> list[Broken]:
    """Each place or consortium of a rule once."""
    return list({(one.rule, one.at): one for one in broken}.values())


def gap(gross: float, bound_gbp: float) -> float:
    """What of a gross deficit, with what crossings cost, is not proven to be needed, percent."""
    return max(0.0, 100.0 * (1.0 - bound_gbp / gross)) if gross else 0.0


DIGITS: Mapping[str, int] = {
    "travel_km": 4,
    "imd": 4,
    "imd_spread": 4,
    "balance_pct": 6,
    "need_index": 6,
    "gap_pct": 6,
    "distance_km": 3,
    "population": 3,
}
"""Digits behind the point that a column is written with."""


def blank(cell: Any) -> bool:
    """Whether a cell is empty: no text, or no number."""
    return cell is None or cell == "" or (isinstance(cell, float) and bool(np.isnan(cell)))


def differs(name: str, said: Any, found: Any) -> bool:
    """Whether a cell says another figure than was found, but for its last digit; an empty cell says no figure."""
    if isinstance(found, str):
        return bool(("" if blank(said) else said) != found)
    if blank(said) or np.isnan(found):
        return not (blank(said) and np.isnan(found))
    # a digit of the rounding, and what a sum in another order makes
    return bool(abs(float(said) - found) > 0.51 * 10.0 ** -DIGITS.get(name, 9) + 1e-11 * abs(found))


def told(where: str, said: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """What differs in a row, in words."""
    return [
        f"{where}: {name} is {said.get(name)}, recomputed {value}"
        for name, value in found.items()
        if differs(name, said.get(name), value)
    ]
