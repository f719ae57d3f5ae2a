"""Sections that show when the run has the material: the frontier, formulas compared, and any further table.

Imports `material`, `parts`, `charts`.
"""

from __future__ import annotations

import pandas as pd

from allocopt.report.charts import BLUE, Series, bars, line, lines
from allocopt.report.material import Material
from allocopt.report.parts import Figure, Section, grid_of, grid_of_frame, pounds
from allocopt.units import say_money

KNOWN = frozenset(
    {
        "allocations",
        "effects",
        "places",
        "groups",
        "consortia",
        "comparison",
        "stress",
        "frontier",
        "limits",
        "formulas",
        "formula_components",
        "price",
        "shunning",
        "blocking",
        "choice",
        "plans",
        "payments",
    }
)
"""Tables that other sections show, or that `explain` reads place by place."""
ROWS = 100
"""A further table is cut to this many rows in the page; the workbook and the CSV hold them all."""


def further_sections(found: Material) -> list[Section]:
    """The frontier, then one section a further table, in the order of the run."""
    others = {name: table for name, table in found.tables.items() if name not in KNOWN and len(table)}
    return [*_frontiers(found), *_formulas(found), *(_table_section(name, others[name]) for name in others)]


def _table_section(name: str, table: pd.DataFrame) -> Section:
    words = () if len(table) <= ROWS else (f"The first {ROWS} of {len(table):,} rows; {name}.csv holds them all.",)
    title = name.replace("_", " ")
    return Section(
        f"table-{name}", title[0].upper() + title[1:], words, grids=(grid_of_frame(title, table.head(ROWS)),)
    )


def _formulas(found: Material) -> list[Section]:
    """Candidate formulas beside the one in force: pounds that change hands and places that cross the bands."""
    compared, parts = found.wide("formulas"), found.wide("formula_components")
    if compared is None or "gross_movement_gbp" not in compared:
        return []
    moved = compared["gross_movement_gbp"]
    names = [str(name).replace("_", " ") for name in compared.index]
    series = [
        Series("moves between places", [value / 1e6 for value in moved], [pounds(value) for value in moved], BLUE)
    ]
    most = int(moved.to_numpy().argmax())
    caption = (
        f"Against the formula in force, “{names[most]}” moves most between places: {pounds(moved.iloc[most])}. "
        "Targets alone are compared: what is allocated follows the formula in force."
    )
    grids = [grid_of(found.title("formulas"), compared, "formula")]
    grids += [] if parts is None else [grid_of(found.title("formula_components"), parts, "component")]
    spec = bars(names, series, axis="£m of targets")
    figure = Figure("formulas", "What each candidate formula would move", caption, f"Bars. {caption}", spec=spec)
    return [Section("formulas", "Formulas compared", figures=(figure,), grids=tuple(grids))]


def _frontiers(found: Material) -> list[Section]:
    table = found.tables.get("frontier")
    if table is None or not {"frontier", "point", "objective", "value"} <= set(table.columns):
        return []
    parts = [part for _, part in table.groupby("frontier", sort=False)]
    figures = [_frontier(found, number, part) for number, part in enumerate(parts, start=1)]
    drawn = tuple(figure for figure in figures if figure is not None)
    return [Section("frontier", "Frontier: one objective against another", figures=drawn)] if drawn else []


def _frontier(found: Material, number: int, part: pd.DataFrame) -> Figure | None:
    """A trade-off of proven points: the first objective across, the second up."""
    names = list(dict.fromkeys(part["objective"].astype(str)))
    if len(names) != 2:
        return None
    points = part.pivot_table(index="point", columns="objective", values="value", sort=False)[names].sort_values(
        names[0]
    )
    x, y = points[names[0]].tolist(), points[names[1]].tolist()
    mark = found.mark if any("deficit" in one for one in names) else ""
    said = [one.replace("_", " ") for one in names]
    units = dict(zip(part["objective"].astype(str), part["unit"].astype(str), strict=True))
    texts = [
        f"{said[0]} {_amount(a, units[names[0]])}, {said[1]} {_amount(b, units[names[1]])}"
        for a, b in zip(x, y, strict=True)
    ]
    axes = [f"{words} ({units[name].replace('GBP m', '£m')})" for words, name in zip(said, names, strict=True)]
    spec = lines([], [], x_axis=axes[0], y_axis=axes[1])
    spec["layout"]["yaxis"]["zeroline"] = False
    spec["data"].append(line(x, Series("proven points", y, texts, BLUE), markers=True))
    proven = bool(part["proven"].astype(bool).all()) if "proven" in part else False
    caption = (
        f"Each point is the least {said[1]} for its {said[0]}: from {texts[0]} to {texts[-1]}. "
        f"{'Every point is proven.' if proven else 'Some points are not proven within the asked gap.'}{mark}"
    )
    grid = grid_of_frame(f"Points of the frontier{mark}", part)
    alt = f"A line of {len(points)} points. {caption}"
    title = f"{said[1][0].upper()}{said[1][1:]} against {said[0]}{mark}"
    return Figure(f"frontier-{number}", title, caption, alt, spec=spec, grid=grid, modelled=bool(mark))


def _amount(value: float, unit: str) -> str:
    return say_money(value) if unit == "GBP m" else f"{value:,.4g} {unit}"
