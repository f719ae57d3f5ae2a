"""Distance from target, inequality and deficits: the sections that set money against need.

Imports `material`, `parts`, `charts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from allocopt.report.charts import BLUE, GREY, ORANGE, SKY, Series, Spec, bars, lines
from allocopt.report.material import Material, group_words
from allocopt.report.parts import Figure, Grid, Section, grid_of, pounds
from allocopt.units import say_money

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
LOOKS = {"baseline": (ORANGE, "dash"), "allocation": (BLUE, "solid"), "target": (GREY, "dot")}
"""Colour and dash of the three distributions of money."""
STEPS = 400
"""Points of a curve: every quarter of a per cent of people."""


def distance_section(found: Material) -> Section | None:
    """Distance from target before and after: the curve over people, and the bands; nothing without allocations."""
    if not found.allocates:
        return None
    figures = (_curve(found), *_bands(found))
    beyond = found.wide("beyond")
    grids = () if beyond is None else (grid_of(f"Beyond 5, 10 and 20% of target{found.mark}", beyond, "position"),)
    words = (
        "Distance from target is allocation less target as a percentage of target; below zero is under target. The "
        "opening position sets last year's money against this year's target shares, so that a change of population or "
        "of the formula moves it."
    )
    return Section("distance", "Distance from target, before and after", (words,), figures=figures, grids=grids)


def at_steps(values: Floats, people: Floats) -> tuple[list[float], list[float]]:
    """The value at each step of the people ranked by value: share of people in percent, value."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(people[order]) / people.sum()
    wanted = (np.arange(STEPS) + 0.5) / STEPS
    at = np.minimum(np.searchsorted(reached, wanted), len(order) - 1)
    return (100 * wanted).round(4).tolist(), values[order][at].tolist()


def weights(places: pd.DataFrame) -> Floats:
    """People, or 1 a place where the run has no populations."""
    people = places["population"].to_numpy(dtype=float)
    return people if np.isfinite(people).all() else np.ones(len(places))


def _curve(found: Material) -> Figure:
    places = found.places.dropna(subset=["opening_dft_pct", "closing_dft_pct"])
    people = weights(places)
    x, before = at_steps(places["opening_dft_pct"].to_numpy(dtype=float), people)
    _, after = at_steps(places["closing_dft_pct"].to_numpy(dtype=float), people)
    spec = lines(
        x,
        [
            Series("before (opening)", before, colour=ORANGE, dash="dash"),
            Series("after (closing)", after, colour=BLUE),
        ],
        x_axis="people, ranked by distance from target (%)",
        y_axis="distance from target (%)",
    )
    low = [f"{places[f'{when}_dft_pct'].min():+.2f}% to {places[f'{when}_dft_pct'].max():+.2f}%" for when in _WHEN]
    caption = (
        f"The flatter the curve, the closer everybody is to target. Places run from {low[0]} before and from {low[1]} "
        "after; each curve is ranked on its own."
    )
    alt = f"Two rising curves of distance from target over people, before and after; before {low[0]}, after {low[1]}."
    return Figure("dft-curve", "Distance from target over all people", caption, alt, spec=spec)


_WHEN = ("opening", "closing")


def _bands(found: Material) -> tuple[Figure, ...]:
    table = found.wide("dft_bands")
    if table is None:
        return ()
    rows = table.drop(index="total")
    series = [
        Series(
            said, rows[f"{when}_places"].tolist(), [f"{value:,.0f} places" for value in rows[f"{when}_places"]], *look
        )
        for when, said, look in (
            ("opening", "before (opening)", (ORANGE, "/")),
            ("closing", "after (closing)", (BLUE, "")),
        )
    ]
    spec = bars(list(rows.index), series, axis="places", stacked=False)
    inner = "-2.5% to 2.5%"
    caption = (
        f"Within 2.5% of target stand {float(rows['opening_places'][inner]):,.0f} places before and "
        f"{float(rows['closing_places'][inner]):,.0f} after; a place on a limit counts as inside."
    )
    alt = "Bars of the number of places in seven bands of distance from target, before and after."
    figure = Figure(
        "dft-bands",
        "Places by band of distance from target",
        caption,
        alt,
        spec=spec,
        grid=grid_of("Places and people by band", table, "band"),
    )
    return (figure,)


def inequality_section(found: Material) -> Section | None:
    """Lorenz and concentration curves of pounds a head, with the indices the run states."""
    places = found.places
    if not found.allocates or not np.isfinite(places["population"].to_numpy(dtype=float)).all():
        return None
    figures = [_lorenz(found), _concentration(found)]
    names = ("inequality_per_head", "inequality_to_target", "redistribution")
    tables = [(name, found.wide(name)) for name in names]
    grids = tuple(_index_grid(found.title(name), table) for name, table in tables if table is not None)
    words = (
        "Pounds a head differ because need differs: a smaller index is not better by itself. What moves towards need "
        "is read from the concentration curves and from the index of pounds over target."
    )
    return Section("inequality", "Lorenz and concentration curves", (words,), figures=tuple(figures), grids=grids)


def _index_grid(title: str, table: pd.DataFrame) -> Grid:
    grid = grid_of(title, table, "of")
    kept = (grid.columns[0], *(replace(column, kind="index") for column in grid.columns[1:]))
    return replace(grid, columns=kept)


def cumulative(money: Floats, people: Floats, rank: Floats) -> tuple[list[float], list[float]]:
    """Cumulative share of money against people ranked by `rank`, both in percent, thinned to the page's steps."""
    order = np.argsort(rank, kind="stable")
    x = np.concatenate([[0.0], np.cumsum(people[order]) / people.sum()])
    y = np.concatenate([[0.0], np.cumsum(money[order]) / money.sum()])
    keep = np.unique(np.linspace(0, len(x) - 1, STEPS // 2 + 1).round().astype(int))
    return (100 * x[keep]).round(6).tolist(), (100 * y[keep]).round(6).tolist()


def _lorenz(found: Material) -> Figure:
    """Lorenz curves, drawn as how far they lie below equal shares: close curves can be told apart."""
    places = found.places
    people = weights(places)
    spec: Spec = {}
    for name, (colour, dash) in LOOKS.items():
        money = places[f"{name}_gbp"].to_numpy(dtype=float)
        x, y = cumulative(money, people, money / people)
        spec = _with_line(
            spec, x, Series(name, _below(x, y), colour=colour, dash=dash), "people, ranked by pounds a head (%)"
        )
    table = found.wide("inequality_per_head")
    gini = "" if table is None else _gini_words(table)
    caption = (
        "Share of money less share of people, everyone ranked by their own pounds a head: zero would be equal pounds a "
        f"head, and the deeper the curve the more unequal. {gini}"
    )
    alt = f"Lorenz curves of baseline, allocation and target as distance from equal shares. {gini}"
    return Figure("lorenz", "Lorenz curves of pounds a head", caption, alt, spec=spec)


def _below(x: Sequence[float], y: Sequence[float]) -> list[float]:
    return [round(money - share, 6) for share, money in zip(x, y, strict=True)]


def _with_line(spec: Spec, x: Sequence[float], one: Series, axis: str) -> Spec:
    """A figure with one more curve, which may have its own x."""
    drawn = lines(x, [one], x_axis=axis, y_axis="money less people (percentage points)")
    return {"data": [*spec.get("data", []), *drawn["data"]], "layout": drawn["layout"]}


def _gini_words(table: pd.DataFrame) -> str:
    return _index_words(table, "gini", "Gini index")


def _index_words(table: pd.DataFrame, measure: str, words: str) -> str:
    said = ", ".join(f"{name} {value:.4f}" for name, value in table[measure].items())
    return f"{words}: {said}."


def _concentration(found: Material) -> Figure:
    """The same with everybody ranked by need: the nearer to the target's curve, the closer money follows need."""
    places = found.places
    people = weights(places)
    need = places["target_gbp"].to_numpy(dtype=float) / people
    spec: Spec = {}
    for name, (colour, dash) in LOOKS.items():
        x, y = cumulative(places[f"{name}_gbp"].to_numpy(dtype=float), people, need)
        one = Series(name, _below(x, y), colour=colour, dash=dash)
        spec = _with_line(spec, x, one, "people, ranked from least to most need a head (%)")
    table = found.wide("inequality_per_head")
    said = "" if table is None else f" {_index_words(table, 'concentration_need', 'Concentration index by need')}"
    caption = (
        "Share of money less share of people, everyone ranked by target a head: a curve nearer to the dotted one "
        f"(target) follows need more closely.{said}"
    )
    alt = "Concentration curves of baseline, allocation and target by need, drawn as distance from equal shares."
    return Figure("concentration", "Concentration curves by need", caption, alt, spec=spec)


def deficit_section(found: Material) -> Section | None:
    """Deficits, split into underfunding and spending above need; nothing without spend."""
    table = found.wide("deficit")
    if table is None:
        return None
    rows = table.drop(index="total", errors="ignore")
    rows = table if rows.empty else rows
    labels = group_words("imd_fifth", list(rows.index))
    parts = (
        ("underfunding", rows["deficit_underfunding_gbp"], SKY, ""),
        ("spending above need", rows["deficit_above_need_gbp"], ORANGE, "/"),
        ("surplus", -rows["surplus_gbp"], GREY, "x"),
    )
    series = [
        Series(name, [value / 1e6 for value in values], [pounds(abs(value)) for value in values], *look)
        for name, values, *look in parts
    ]
    total = {str(name): float(table[name].iloc[-1]) for name in table.columns}
    caption = (
        f"Gross deficit {pounds(total['deficit_gbp'])}: {pounds(total['deficit_underfunding_gbp'])} is underfunding "
        "(the place is below target and spends above its allocation), "
        f"{pounds(total['deficit_above_need_gbp'])} is spending above need. "
        f"Gross surplus {pounds(total['surplus_gbp'])}; net {pounds(total['net_gbp'])}.{found.mark}"
    )
    figure = Figure(
        "deficit",
        f"Deficit, split by its cause, and surplus{found.mark}",
        caption,
        f"Stacked bars by deprivation fifth: underfunding, spending above need, surplus.{found.mark}",
        spec=bars(labels, series, axis="£m: deficits to the right, surpluses to the left"),
        grid=grid_of(f"Deficit and surplus by deprivation fifth{found.mark}", table, "deprivation fifth"),
        modelled=found.modelled,
    )
    return Section("deficit", "Deficits: underfunding and spending above need", _spend_words(found), figures=(figure,))


def _spend_words(found: Material) -> tuple[str, ...]:
    if not found.modelled:
        return ()
    return (
        f"{str(found.record['spend']).capitalize()}. No practice's spend of its commissioning budget is published.",
    )


def path_section(found: Material) -> Section | None:
    """Several years: deficit, shortfall and distance by year."""
    table = found.wide("path")
    if table is None or len(table) < 2:
        return None
    allocations = found.tables["allocations"]
    short = (allocations["target_gbp"] - allocations["allocation_gbp"]).clip(lower=0)
    by_year = short.groupby(allocations["year"].astype(str), sort=False).sum().reindex(table.index)
    series = [_yearly("shortfall below target", by_year, BLUE, "solid")]
    if "deficit_gbp" in table:
        series.append(_yearly(f"gross deficit{found.mark}", table["deficit_gbp"], ORANGE, "dash"))
    spec = lines(list(table.index), series, x_axis="year", y_axis="£m", markers=True)
    spec["layout"]["xaxis"]["type"] = "category"
    first, last = by_year.iloc[0], by_year.iloc[-1]
    ends = f"from {say_money(first / 1e6)} to {say_money(last / 1e6)}"
    caption = f"The shortfall below target goes {ends} over {len(table)} years."
    figure = Figure(
        "path",
        "The path over years",
        caption,
        f"Lines by year. {caption}",
        spec=spec,
        grid=grid_of(f"Totals by year{found.mark}", table, "year"),
    )
    return Section("path", "The path over years", figures=(figure,))


def _yearly(name: str, values: pd.Series, colour: str, dash: str) -> Series:
    return Series(name, [value / 1e6 for value in values], [pounds(value) for value in values], colour, dash=dash)
