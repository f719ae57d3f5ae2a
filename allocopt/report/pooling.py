"""Consortia: the map with their outlines, what pooling does to deficits, sizes and balances, and the proof in words.

Imports `material`, `parts`, `charts`, `england`, `consortia.hulls`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from allocopt.report import england
from allocopt.report.charts import BLUE, GREY, ORANGE, Series, bars, line, lines
from allocopt.report.material import Material
from allocopt.report.parts import Figure, Grid, Section, grid_of_frame, pounds
from allocopt.report.who import million

KEY = (("Place with a surplus of its own", "gain1"), ("Place with a deficit of its own", "loss1"))


def map_section(found: Material) -> Section:
    """The map of England with one outline a consortium, or the reason why there is none."""
    places = found.places
    if not {"latitude", "longitude"} <= set(places.columns):
        return Section("map", "Map", ("The scenario names no coordinates of its places, so there is no map.",))
    there = england.inside(places)
    if not there.any():
        return Section("map", "Map", ("No place of this run lies on the map of England.",))
    return Section("map", "Map of the consortia", figures=(_map(found, places[there], places.index),))


def _map(found: Material, drawn: pd.DataFrame, every: pd.Index) -> Figure:
    number = {code: at for at, code in enumerate(every)}
    own = _own_balance(drawn)
    dots = england.Dots(
        drawn["longitude"].to_numpy(dtype=float),
        drawn["latitude"].to_numpy(dtype=float),
        ["even" if value is None else "gain1" if value >= 0 else "loss1" for value in own],
        [number[code] for code in drawn.index],
    )
    consortia = found.tables["consortia"]
    short = int((consortia["balance_gbp"] < 0).sum())
    said = f"{len(consortia):,} consortia, {len(consortia) - short:,} with a surplus and {short:,} with a deficit"
    caption = (
        f"{said}. Each outline spans the places of one consortium (it is no boundary): solid blue has a "
        "surplus, dashed orange a deficit. Discs are places with a surplus of their own, rings places with a "
        f"deficit.{found.mark}"
    )
    svg = england.draw(dots, _hulls(drawn, consortia), label=f"Map of {said}.")
    title = f"Consortia and their balance{found.mark}"
    return Figure("map-england", title, caption, f"Map of {said}.", svg=svg, key=KEY, modelled=found.modelled)


def _own_balance(places: pd.DataFrame) -> list[float | None]:
    """Budget less spend of each place, where the run states them."""
    given = next((name for name in ("budget_gbp", "allocation_gbp") if name in places), None)
    if given is None or "spend_gbp" not in places:
        return [None] * len(places)
    balance = places[given] - places["spend_gbp"]
    return [None if missing else value for value, missing in zip(balance.tolist(), balance.isna(), strict=True)]


def _hulls(drawn: pd.DataFrame, consortia: pd.DataFrame) -> list[england.Hull]:
    rows = {str(row["group"]): row for row in consortia.to_dict("records")}
    parts = drawn.dropna(subset=["group"]).groupby("group", sort=True)
    return [_hull(rows[str(name)], part) for name, part in parts]


def _hull(row: dict[Any, Any], part: pd.DataFrame) -> england.Hull:
    surplus = row["balance_gbp"] >= 0
    words = (
        f"{row['group']}; {row['places']:,} places, {row['population']:,.0f} people; "
        f"budget {pounds(row['budget_gbp'])}; "
        f"{'surplus' if surplus else 'deficit'} {pounds(abs(row['balance_gbp']))} ({row['balance_pct']:+.2f}%); "
        f"need index {row['need_index']:.3f}; {row['travel_km']:.1f} km to the hub"
    )
    from allocopt.consortia.hulls import hull  # noqa: PLC0415 - only consortia have an outline

    corners = hull(part[["longitude", "latitude"]].to_numpy(dtype=float))
    return england.Hull(corners, "surplus" if surplus else "short", words)


def consortia_section(found: Material) -> Section | None:
    """What pooling does: the plan beside others, balances against size, the bounds in words, every consortium."""
    if not found.groups:
        return None
    comparison, bounds = found.tables.get("comparison"), found.record.get("bounds", [])
    figures = [_plans(found, comparison)] if comparison is not None and len(comparison) else []
    figures.append(_sizes(found))
    items = [f"Bound {one['name']}: {one['words']}." for one in bounds]
    items += [f"Exempted: {one['words']}." for one in found.record.get("exemptions", [])]
    grids: list[Grid] = [grid_of_frame(f"Consortia{found.mark}", found.tables["consortia"])]
    return Section("consortia", "Consortia", figures=tuple(figures), items=tuple(items), grids=tuple(grids))


def _plans(found: Material, comparison: pd.DataFrame) -> Figure:
    named = [str(plan) for plan in comparison["plan"]]
    deficit, surplus = comparison["gross_deficit_gbp"], comparison["gross_surplus_gbp"]
    spec = bars(
        named,
        [
            Series("gross deficit", million(deficit), [pounds(value) for value in deficit], ORANGE, "/"),
            Series("gross surplus", million(-surplus), [pounds(value) for value in surplus], GREY, "x"),
        ],
        axis="£m: deficits to the right, surpluses to the left",
    )
    least, first = int(deficit.to_numpy().argmin()), pounds(deficit.iloc[0])
    caption = (
        f"Gross deficit is {first} for “{named[0]}” and least, {pounds(deficit.iloc[least])}, for “{named[least]}”"
        f"{_breaks(comparison, least)}. "
        f"Gross deficit and gross surplus fall together: pooling sets one against the other.{found.mark}"
    )
    grid = grid_of_frame(f"Plans under the same measures{found.mark}", comparison)
    title = f"What pooling does to deficits{found.mark}"
    alt = f"Bars of gross deficit and gross surplus for each of {len(named)} plans.{found.mark}"
    return Figure("plans", title, caption, alt, spec=spec, grid=grid, modelled=found.modelled)


def _breaks(comparison: pd.DataFrame, row: int) -> str:
    """The rules of the scenario that a plan breaks, which must stand beside a figure that is better for it."""
    broken = comparison["breaks"].iloc[row] if "breaks" in comparison else ""
    return f", which breaks {broken.replace('; ', ', ')}" if isinstance(broken, str) and broken else ""


def _sizes(found: Material) -> Figure:
    table = found.tables["consortia"]
    spec = lines([], [], x_axis="people", y_axis="balance (% of budget)")
    for name, colour, symbol, rows in (
        ("surplus", BLUE, "circle", table[table["balance_gbp"] >= 0]),
        ("deficit", ORANGE, "circle-open", table[table["balance_gbp"] < 0]),
    ):
        texts = [f"{group}: {pounds(value)}" for group, value in zip(rows["group"], rows["balance_gbp"], strict=True)]
        drawn = line(rows["population"].tolist(), Series(name, rows["balance_pct"].tolist(), texts, colour))
        drawn |= {"mode": "markers", "marker": {"color": colour, "symbol": symbol, "size": 8, "line": {"width": 2}}}
        spec["data"].append(drawn)
    people, balance = table["population"].to_numpy(dtype=float), table["balance_pct"].to_numpy(dtype=float)
    caption = (
        f"{len(table):,} consortia of {people.min():,.0f} to {people.max():,.0f} people; balances run from "
        f"{np.min(balance):+.2f}% to {np.max(balance):+.2f}% of budget.{found.mark}"
    )
    title = f"Balance of each consortium by size{found.mark}"
    return Figure("sizes", title, caption, f"Scatter of {caption}", spec=spec, modelled=found.modelled)
