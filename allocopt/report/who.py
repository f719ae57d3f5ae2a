"""Who gains and who loses: the map, the groups, the five bands, and the places with the largest changes.

Imports `material`, `parts`, `charts`, `england`, `consortia.hulls`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from allocopt.effects.words import BANDS
from allocopt.report import england
from allocopt.report.charts import BLUE, GREY, ORANGE, Series, bars
from allocopt.report.material import Material, group_words, grouping_words
from allocopt.report.parts import Column, Figure, Grid, Section, grid_of, heading_of, kind_of, pounds

DRAWN = ("imd_fifth", "need_decile", "region")
"""Groupings with a picture; the others are tables."""
FEW = 14
"""Other groupings are drawn too when they have at most this many groups."""
GROUP_MEASURES = (
    "places",
    "population",
    "baseline_gbp",
    "target_gbp",
    "allocation_gbp",
    "against_uniform_gbp",
    "against_uniform_pct",
    "gained_gbp",
    "lost_gbp",
    "change_gbp",
    "growth_pct",
    "opening_dft_pct",
    "closing_dft_pct",
    "deficit_gbp",
    "surplus_gbp",
    "allocation_per_head",
)
PLACE_COLUMNS = (
    "population",
    "baseline_gbp",
    "target_gbp",
    "allocation_gbp",
    "against_uniform_gbp",
    "against_uniform_pct",
    "growth_pct",
    "opening_dft_pct",
    "closing_dft_pct",
    "budget_gbp",
    "spend_gbp",
    "deficit_gbp",
    "distance_km",
)
SHOWN = 20
"""Largest gains, and largest losses, that stand in the page for print and for readers without scripts."""


def million(values: Iterable[float]) -> list[float]:
    """Pounds as £m for an axis."""
    return [value / 1e6 for value in values]


def map_section(found: Material) -> Section | None:
    """The map of England, or the reason why there is none."""
    places = found.places
    if not {"latitude", "longitude"} <= set(places.columns):
        words = ("The scenario names no coordinates of its places, so there is no map.",)
        return Section("map", "Map", words)
    there = england.inside(places)
    if not there.any():
        return Section("map", "Map", ("No place of this run lies on the map of England.",))
    return Section("map", "Map", figures=(_map(places, there),))


def _map(places: pd.DataFrame, there: pd.Series) -> Figure:
    number = {code: at for at, code in enumerate(places.index)}
    drawn = places[there]
    dots = england.Dots(
        drawn["longitude"].to_numpy(dtype=float),
        drawn["latitude"].to_numpy(dtype=float),
        [england.STYLES[band] for band in drawn["band"]],
        [number[code] for code in drawn.index],
    )
    counts = places["band"].value_counts().reindex(list(BANDS), fill_value=0)
    said = ", ".join(f"{counts[band]:,} {band}" for band in BANDS)
    left_out = (
        f" {len(places) - len(drawn):,} places have no coordinates in England and are not drawn."
        if (~there).any()
        else ""
    )
    caption = (
        "Each mark is a place, coloured by its change against uniform growth: filled discs gain, open rings lose, "
        f"grey is within 0.1%; darker is beyond 5%.{left_out} "
        "Point at a mark, or choose a place in the table of places, to read its figures."
    )
    alt = f"Map of England with {len(drawn):,} places by change against uniform growth: {said}."
    title = "Gain or loss of each place against uniform growth"
    bands = tuple((band, int(counts[band])) for band in BANDS)
    grid = Grid("Places by band", (Column("band"), Column("places", "count")), bands)
    svg = england.draw(dots, (), label=alt)
    return Figure("map-england", title, caption, alt, svg=svg, grid=grid, key=england.KEY)


def groups_section(found: Material) -> Section | None:
    """Gains and losses by deprivation fifth, need decile and region, then every other grouping as a table."""
    if not found.groupings:
        return None
    tables = {name: found.wide(f"by_{name}") for name in found.groupings}
    drawn = [name for name, table in tables.items() if table is not None and (name in DRAWN or len(table) <= FEW)]
    figures = [_group_figure(found, name) for name in drawn]
    grids = [_group_grid(found, name) for name in tables if name not in drawn]
    bands = _bands_figure(found)
    words = (
        "A gain or a loss is the difference from uniform growth: what a place would have if every baseline grew alike. "
        "Gains and losses add up to nothing over all places, so both are shown, with each group's net as a diamond."
    )
    return Section(
        "groups",
        "Gains and losses by group",
        (words,),
        figures=(*figures, *([bands] if bands else [])),
        grids=tuple(grids),
    )


def _group_figure(found: Material, name: str) -> Figure:
    table = found.wide(f"by_{name}")
    assert table is not None
    rows = table.drop(index="total", errors="ignore")
    labels, said = group_words(name, list(rows.index)), grouping_words(name)
    gained, lost, net = rows["gained_gbp"], -rows["lost_gbp"], rows["against_uniform_gbp"]
    spec = bars(
        labels,
        [
            Series("gains", million(gained), [pounds(value) for value in gained], BLUE),
            Series("losses", million(lost), [pounds(-value) for value in lost], ORANGE, pattern="/"),
        ],
        axis="£m against uniform growth",
        dots=Series("net", million(net), [pounds(value) for value in net]),
    )
    most, least = int(net.to_numpy().argmax()), int(net.to_numpy().argmin())
    caption = (
        f"By {said}: the largest net change upwards is {pounds(net.iloc[most])} ({labels[most]}), the largest "
        f"downwards {pounds(net.iloc[least])} ({labels[least]}). {_within(found, name)}"
    )
    alt = f"Bars of gains and losses against uniform growth by {said}, with the net of each group."
    return Figure(f"by-{name}", f"Gains and losses by {said}", caption, alt, spec=spec, grid=_group_grid(found, name))


def _within(found: Material, name: str) -> str:
    """The spread inside the groups, which a group's net hides."""
    table = found.wide(f"by_{name}")
    if table is None or "opposite_places" not in table:
        return ""
    return f"{table['opposite_places'].iloc[-1]:,.0f} places move against the net of their own group."


def _group_grid(found: Material, name: str) -> Grid:
    table = found.wide(f"by_{name}")
    assert table is not None
    named = table.rename(index=dict(zip(table.index, group_words(name, list(table.index)), strict=True)))
    mark = found.mark if "deficit_gbp" in table else ""
    return grid_of(f"Effects by {grouping_words(name)}{mark}", named, grouping_words(name), GROUP_MEASURES)


def _bands_figure(found: Material) -> Figure | None:
    table = found.wide("bands_by_imd_fifth")
    table = found.wide("bands_by_need_decile") if table is None else table
    name = "imd_fifth" if found.wide("bands_by_imd_fifth") is not None else "need_decile"
    if table is None:
        return None
    looks = ((ORANGE, "x"), (ORANGE, "/"), (GREY, ""), (BLUE, "."), (BLUE, ""))
    series = [
        Series(band, table[band].tolist(), [f"{value:.1f}%" for value in table[band]], colour, pattern)
        for band, (colour, pattern) in zip(BANDS, looks, strict=True)
    ]
    spec = bars(group_words(name, list(table.index)), series, axis="% of the group's people")
    said = grouping_words(name)
    caption = (
        f"Every {said} holds places that gain and places that lose: each bar adds up to 100% of the group's people."
    )
    return Figure(
        "bands",
        f"Five bands of change within each {said}",
        caption,
        f"Stacked bars of the shares of people in five bands of change, by {said}.",
        spec=spec,
        grid=grid_of(
            f"Shares of people by band, {said}", table.add_suffix(" _pct").rename(columns=_band_heading), said
        ),
    )


def _band_heading(name: str) -> str:
    return name.replace(" _pct", "_pct")


def movers_section(found: Material) -> Section | None:
    """The table of places: the largest movers in the page, every place within reach of its search and sort."""
    places = found.places
    if places.empty:
        return None
    columns = [name for name in PLACE_COLUMNS if name in places]
    labels = [name for name in ("region", "area", "group") if name in places]
    heads = (
        Column("place"),
        Column("name"),
        *(Column(name) for name in labels),
        *(Column(heading_of(name), kind_of(name)) for name in columns),
    )
    by = "against_uniform_gbp" if "against_uniform_gbp" in places else columns[0]
    order = places.sort_values(by, ascending=False, kind="stable")
    top = pd.concat([order.head(SHOWN), order.tail(SHOWN)]) if len(order) > 2 * SHOWN else order
    table = places.reset_index()[["place", "name", *labels, *columns]]
    rows = tuple(map(tuple, top.reset_index()[table.columns].to_numpy(dtype=object).tolist()))
    extra = {"grid": Grid("Places", heads, rows), "data": data_of(table, heads)}
    return Section("places", _places_title(found), (_places_words(found, len(order), columns),), extra=extra)


def _places_title(found: Material) -> str:
    return "Largest movers and every place" if found.allocates else "Every place"


def _places_words(found: Material, number: int, columns: Sequence[str]) -> str:
    mark = found.mark if {"deficit_gbp", "spend_gbp"} & set(columns) else ""
    what = "gains and losses against uniform growth, in pounds" if found.allocates else "and smallest places"
    return (
        f"The {min(SHOWN, number)} largest {what}; type a code or a name to search all {number:,} places, or press a "
        f"heading to sort.{mark}"
    )


def _column(values: pd.Series) -> list[Any]:
    return [None if missing else value for value, missing in zip(values.tolist(), values.isna(), strict=True)]


def data_of(table: pd.DataFrame, heads: Sequence[Column]) -> dict[str, Any]:
    """Every place, column by column, for the page's search and sort and for the map's cards."""
    columns = [_column(table[name]) for name in table]
    return {
        "heads": [column.heading for column in heads],
        "kinds": [column.kind for column in heads],
        "columns": columns,
    }
