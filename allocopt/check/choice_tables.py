"""The tables of free choice added up again: the price of every plan, who stands where, the shunning scores.

Imports `check.choice`, `check.coalitions`, `check.grouping`, `check.verdict`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from allocopt.check.choice import Flags, Floats, Known
from allocopt.check.coalitions import regroup
from allocopt.check.grouping import Ints, cut_bound, haversine, reachable_hubs
from allocopt.check.verdict import Check, compared, guarded

CLOSE = 1e-4
"""How far a figure of a table may lie from what it is added up to again, in its own unit."""
NEAREST, KEPT, FIRST, NEXT = 60, 0.2, 50, 10
"""The score's regroupings: neighbours, the share by which people may change, sweeps before the first and each next."""


def check_price(of: Known) -> Iterator[Check]:
    """price.csv: every figure of every plan, and the bounds from their certificates."""
    table = of.tables["price"].set_index("plan")
    bounds = _bounds(of)
    yield from guarded("bounds of the price", lambda: [_bound_check(of, bounds)])
    alone = np.full(len(of.value), -1)
    for plan in table.index:
        if str(plan).startswith("bound_"):
            continue
        group = alone if plan == "unpooled" else of.at(str(plan))
        yield from guarded(f"price of {plan}", lambda p=plan, g=group: [_row(of, table.loc[p], str(p), g, bounds)])  # type: ignore[misc]


def _bounds(of: Known) -> dict[str, float]:
    """GBP: bound A by areas, bound B by the overspenders of its cut."""
    found = {}
    settings = {name: said for name, said in of.of.settings.items() if name != "stay_in_area"}
    across = replace(of.of, settings=settings)
    for one in of.record["bounds"]:
        if one["by"] == "A":
            net = pd.Series(-of.value).groupby(np.array(list(of.of.area), dtype=object)).sum()
            found[one["name"]] = float(net.clip(lower=0).sum())
        else:
            chosen = np.isin(np.array(list(of.of.places)), one["overspenders"])
            plain = replace(across, settings={name: s for name, s in settings.items() if name != "population_window"})
            able = reachable_hubs(plain, np.array(of.of.may_hub))
            found[one["name"]] = 1e6 * cut_bound(plain, chosen, able)
    return found


def _bound_check(of: Known, bounds: Mapping[str, float]) -> Check:
    price: pd.Series[Any] = of.tables["price"].set_index("plan")["gross_deficit_gbp"]
    wrong = []
    for one in of.record["bounds"]:
        name, value = one["name"], bounds[one["name"]]
        stated = float(price[f"bound_{name}"])
        if value < one["value"] * 1e6 - 1 or abs(value - stated) > 1:
            wrong.append(f"{name} is GBP {value:,.0f}, the tables say {stated:,.0f} and GBP {one['value']:,.6f}m")
    return compared("bounds of the price", wrong, "proved again without the solver")


def _row(of: Known, said: Any, plan: str, group: Ints, bounds: Mapping[str, float]) -> Check:
    found = _figures(of, group)
    unpooled, least = float(np.maximum(0, -of.value).sum()), bounds["across_areas"]
    if unpooled > least:
        found["captured_pct"] = 100 * (unpooled - found["gross_deficit_gbp"]) / (unpooled - least)
    wrong = []
    for name, value in found.items():
        stated = said[name]
        missing = pd.isna(stated), np.isnan(value)
        if missing[0] != missing[1] or (not missing[0] and abs(stated - value) > _allowed(name)):
            wrong.append(f"{name} is {value:,.6g}, the table says {stated}")
    return compared(f"price of {plan}", wrong, f"{len(found)} figures added up again")


def _allowed(name: str) -> float:
    return 1.0 if name.endswith("_gbp") else 0.01 if "people" in name else CLOSE


def _figures(of: Known, group: Ints) -> dict[str, float]:
    inside, people = group >= 0, np.asarray(of.of.population)
    sums = pd.Series(of.value[inside]).groupby(group[inside]).sum().to_numpy()
    sizes = pd.Series(people[inside]).groupby(group[inside]).sum().to_numpy()
    outside = of.value[~inside]
    own = -np.minimum(outside, 0.0).sum()
    every = np.ones(len(group), dtype=bool)
    return {
        "gross_deficit_gbp": float(-np.minimum(sums, 0.0).sum() + own),
        "gross_surplus_gbp": float(np.maximum(sums, 0.0).sum() + np.maximum(outside, 0.0).sum()),
        "consortia": float(len(sums)),
        "places_left_out": float((~inside).sum()),
        "people_left_out": float(people[~inside].sum()),
        "left_out_imd": _mean_imd(of, ~inside),
        "all_imd": _mean_imd(of, every),
        "left_out_deficit_gbp": float(own),
        "least_people": float(sizes.min()) if len(sizes) else np.nan,
        "median_people": float(np.median(sizes)) if len(sizes) else np.nan,
        "most_people": float(sizes.max()) if len(sizes) else np.nan,
        "travel_km": _travel(of, group),
    }


def _mean_imd(of: Known, at: Flags) -> float:
    if of.of.imd is None:
        return np.nan
    at = at & ~np.isnan(of.of.imd)
    people = of.of.population[at]
    return float(of.of.imd[at] @ people / people.sum()) if len(people) else np.nan


def _travel(of: Known, group: Ints) -> float:
    inside = np.flatnonzero(group >= 0)
    if not len(inside) or of.of.latitude is None:
        return np.nan
    people = of.of.population[inside]
    return float(haversine(of.of, inside, group[inside]) @ people / people.sum())


def check_standing(of: Known) -> Iterator[Check]:
    """Those left out, plan by plan: how many, and how their deficits split into underfunding and above need."""
    table = of.tables["choice"]
    target = of.facts.situation.target[:, -1] * 1e6
    deficit = np.maximum(0.0, -of.value)
    under = np.minimum(deficit, np.maximum(0.0, target - of.budget))
    for one in of.record["judged"]:
        plan = one["plan"]
        rows = table[table["table"] == f"standing:{plan}"]
        sums = rows.groupby(["group", "measure"])["value"].sum().unstack().astype(float)  # noqa: PD010
        out, wrong = of.at(plan) < 0, []
        split = {"deficit": deficit, "deficit_underfunding": under, "deficit_above_need": deficit - under}
        for name, values in split.items():
            if abs(sums[name].sum() - values.sum()) > 10:
                wrong.append(f"{name} adds up to {sums[name].sum():,.0f}, places have {values.sum():,.0f}")
            if out.any() and abs(sums.loc["left out", name] - values[out].sum()) > 1:
                wrong.append(f"{name} of those left out is {values[out].sum():,.0f}")
        if out.any() and sums.loc["left out", "places"] != out.sum():
            wrong.append(f"{int(out.sum())} places are left out")
        yield compared(f"who stands where in {plan}", wrong, f"{len(sums)} groups, deficits split")


def check_scores(of: Known) -> Iterator[Check]:
    """shunning.csv: the score, and all random regroupings drawn again with the stated seed."""
    for row in of.tables["shunning"].to_dict("records"):
        yield from guarded(f"shunning score of {row['plan']}", lambda r=row: [_score_check(of, r)])  # type: ignore[misc]


def _score_check(of: Known, row: Mapping[str, Any]) -> Check:
    group = of.at(str(row["plan"]))
    inside = np.flatnonzero(group >= 0)
    rate, people = (of.value / np.maximum(of.weight, 1e-9))[inside], np.asarray(of.of.population)[inside]
    named = np.unique(group[inside], return_inverse=True)[1]
    own = _score(rate, people, named)
    drawn = np.array(list(_drawn(of, inside, rate, people, named, int(row["seed"]), int(row["permutations"]))))
    mean = drawn.mean(axis=0)
    found = {
        "score": own[0],
        "expected": mean[0],
        "index_pct": 100 * (own[0] - mean[0]) / (1 - mean[0]),
        "p_value": (1 + (drawn[:, 0] >= own[0] - 1e-12).sum()) / (1 + len(drawn)),
        "isolation_pct": 100 * own[1],
        "isolation_expected_pct": 100 * mean[1],
        "isolation_p_value": (1 + (drawn[:, 1] >= own[1] - 1e-12).sum()) / (1 + len(drawn)),
        "places": float(len(inside)),
    }
    wrong = [
        f"{name} is {value:.6f}, the table says {row[name]}"
        for name, value in found.items()
        if not np.isnan(value) and abs(value - row[name]) > CLOSE
    ]
    return compared(f"shunning score of {row['plan']}", wrong, f"{len(drawn):,} regroupings drawn again, the same seed")


def _score(rate: Floats, people: Floats, group: Ints) -> tuple[float, float]:
    """Variation between consortia over all variation, and how much of a surplus patient's company is surplus."""
    mean = np.average(rate, weights=people)
    held = np.bincount(group, weights=people)
    away = np.bincount(group, weights=people * (rate - mean))
    spread = (people * (rate - mean) ** 2).sum()
    plus = np.bincount(group, weights=people * (rate > 0))
    company = (plus**2 / held).sum() / plus.sum() if plus.sum() else np.nan
    return float((away**2 / held).sum() / spread) if spread else 0.0, float(company)


def _drawn(
    of: Known, inside: Ints, rate: Floats, people: Floats, named: Ints, seed: int, number: int
) -> Iterator[tuple[float, float]]:
    place = _on_sphere(of, inside)
    start, near = _neighbours(place)
    size = np.bincount(named, weights=people)
    centre = np.column_stack([np.bincount(named, weights=people * place[:, k]) / size for k in range(3)])
    centre /= np.sqrt((centre**2).sum(axis=1))[:, None]
    away = ((place - centre[named]) ** 2).sum(axis=1)
    radius = pd.Series(away).groupby(named).max().to_numpy() * (1 + 1e-9) + 1e-15
    now, held = named.astype(np.int64), size.copy()
    for draw in range(number):
        tries = (FIRST if draw == 0 else NEXT) * len(rate)
        regroup(
            now, held, start, near, place, centre, radius, people, size * (1 - KEPT), size * (1 + KEPT), tries,
            seed * 1_000_003 + draw,
        )  # fmt: skip
        yield _score(rate, people, now)


def _on_sphere(of: Known, at: Ints) -> Floats:
    assert of.of.latitude is not None
    assert of.of.longitude is not None
    north, east = np.radians(of.of.latitude[at]), np.radians(of.of.longitude[at])
    return np.column_stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)])


def _neighbours(place: Floats) -> tuple[Ints, Ints]:
    """Each place's nearest and those that count it among theirs, in order, in compressed form."""
    n = len(place)
    near = cKDTree(place).query(place, k=min(NEAREST + 1, n))[1].reshape(n, -1)
    both = {(p, int(q)) for p in range(n) for q in near[p]} | {(int(q), p) for p in range(n) for q in near[p]}
    pairs = np.array(sorted(pair for pair in both if pair[0] != pair[1]), dtype=np.int64).reshape(-1, 2)
    start = np.concatenate([[0], np.cumsum(np.bincount(pairs[:, 0], minlength=n))]).astype(np.int64)
    return start, np.ascontiguousarray(pairs[:, 1])
