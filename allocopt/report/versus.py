"""Two or more runs side by side: figures, what was asked, groups, distance, the trade-off, and place by place.

Every difference is taken from the first run. Imports the section rooms, `material`, `parts` and `charts`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from allocopt.effects.words import BANDS
from allocopt.errors import InputFault, Problem
from allocopt.report import england
from allocopt.report.account import ATTRIBUTION
from allocopt.report.charts import BLACK, BLUE, GREEN, GREY, ORANGE, SKY, Series, Spec, bars, line, lines
from allocopt.report.headline import HEADLINE_WORDS, gap_words
from allocopt.report.material import Material, command, group_words, grouping_words
from allocopt.report.need import at_steps, weights
from allocopt.report.page import render
from allocopt.report.parts import Column, Figure, Grid, Section, heading_of, kind_of, pounds, write
from allocopt.report.who import SHOWN, data_of, million

LOOKS = (
    (BLUE, "", "solid"),
    (ORANGE, "/", "dash"),
    (GREEN, "x", "dot"),
    (BLACK, ".", "dashdot"),
    (SKY, "-", "longdash"),
)
KEY = (
    ("Over 5% less", "loss2"),
    ("0.1-5% less", "loss1"),
    ("Within 0.1%", "even"),
    ("0.1-5% more", "gain1"),
    ("Over 5% more", "gain2"),
)
MOST = len(LOOKS)
"""Runs that one figure can tell apart."""


def comparison(runs: Sequence[Material]) -> str:
    """The comparison of two or more runs as HTML. Raises InputFault for fewer than two or no common place."""
    if len(runs) < 2:
        said = "a comparison needs two runs or more"
        raise InputFault(said, (Problem(said, "name a second run folder"),))
    names = labels(runs)
    return render(
        [one for one in comparison_sections(runs, names) if one is not None],
        title=" against ".join(_titles(runs)) if len(runs) == 2 else f"{len(runs)} runs side by side",
        kind="Comparison of runs",
        why=None,
        facts="; ".join(f"{name}: {found.name}" for name, found in zip(names, runs, strict=True)),
        modelled=any(found.modelled for found in runs),
    )


def labels(runs: Sequence[Material]) -> list[str]:
    """A short name for each run, unlike the others: its scenario's name, with the hash where two are alike."""
    said = _without_shared_start([str(found.record["name"]) for found in runs])
    return [
        name if said.count(name) == 1 else f"{name} ({found.name.rsplit('-', 1)[-1]})"
        for name, found in zip(said, runs, strict=True)
    ]


def _without_shared_start(names: list[str]) -> list[str]:
    """`England, no floor` and `England, floor` as `no floor` and `floor`: what they share stands in the title."""
    first = {name.partition(", ")[0] for name in names}
    rest = [name.partition(", ")[2] for name in names]
    return rest if len(first) == 1 and all(rest) else names


def _titles(runs: Sequence[Material]) -> list[str]:
    return [str(found.record["name"]) for found in runs]


def comparison_sections(runs: Sequence[Material], names: Sequence[str]) -> Iterator[Section | None]:
    """The sections in order; one without material is None."""
    yield _headline(runs, names)
    yield _asked(runs, names)
    yield _map(runs, names)
    yield _groups(runs, names)
    yield _distance(runs, names)
    yield _trade(runs, names)
    yield _places(runs, names)
    yield _provenance(runs, names)


def _mark(runs: Sequence[Material]) -> str:
    return next((found.mark for found in runs if found.mark), "")


def headline_differences(runs: Sequence[Material]) -> list[tuple[str, list[Any]]]:
    """Each headline figure that every run has, with its value in each run."""
    shared = [name for name in runs[0].record["headline"] if all(name in found.record["headline"] for found in runs)]
    figures = [name for name in shared if not isinstance(runs[0].record["headline"][name], str)]
    return [(name, [found.record["headline"][name] for found in runs]) for name in figures]


def _headline(runs: Sequence[Material], names: Sequence[str]) -> Section:
    rows = []
    for name, values in headline_differences(runs):
        kind = kind_of(name)
        differences = [write(value - values[0], kind) for value in values[1:]]
        rows.append((_words(name), *[write(value, kind) for value in values], *differences))
    heads = ("figure", *names, *(f"{name}, less the first" for name in names[1:]))
    columns = (Column("figure"), *(Column(head, "number") for head in heads[1:]))
    grid = Grid(f"Headline figures{_mark(runs)}", columns, tuple(rows))
    return Section("summary", "Side by side", (_in_words(runs, names),), grids=(grid, _proofs(runs, names)))


def _words(name: str) -> str:
    return HEADLINE_WORDS.get(name, heading_of(name)).strip()


def _in_words(runs: Sequence[Material], names: Sequence[str]) -> str:
    """One sentence a run, from the numbers."""
    first = runs[0].record["headline"]
    said = []
    for found, name in zip(runs[1:], names[1:], strict=True):
        parts = []
        for key in ("gross_deficit_gbp", "shortfall_below_target_gbp", "movement_gbp"):
            if key in first and key in found.record["headline"]:
                change = found.record["headline"][key] - first[key]
                verb = "the same" if change == 0 else f"{pounds(abs(change))} {'more' if change > 0 else 'less'}"
                parts.append(f"{_words(key)} {verb}")
        said.append(f"{name}, against {names[0]}: {', '.join(parts)}{found.mark}.")
    return " ".join(said)


def _proofs(runs: Sequence[Material], names: Sequence[str]) -> Grid:
    rows = [
        (name, found.record["status"], one["name"], f"{one['value']:,.6g} {one['unit']}", gap_words(one))
        for found, name in zip(runs, names, strict=True)
        for one in found.record["objectives"]
    ]
    return Grid("How each is proven", tuple(map(Column, ("run", "status", "objective", "value", "gap"))), tuple(rows))


def flat(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """A resolved scenario as dotted keys and plain text."""
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from flat(one, f"{key}.{name}" if key else str(name))
    else:
        yield key, str(value)


def scenario_differences(runs: Sequence[Material]) -> list[tuple[str, list[str]]]:
    """The keys of the scenarios that are not alike, with each run's value (a dash where it has none)."""
    asked = [dict(flat(found.record["scenario"])) for found in runs]
    keys = dict.fromkeys(key for one in asked for key in one)
    rows = [(key, [one.get(key, "–") for one in asked]) for key in keys]
    return [
        (key, values) for key, values in rows if len(set(values)) > 1 and key.split(".")[-1] not in ("why", "source")
    ]


def _asked(runs: Sequence[Material], names: Sequence[str]) -> Section:
    heads = tuple(map(Column, ("key", *names)))
    changed = Grid("Keys that differ", heads, tuple((key, *values) for key, values in scenario_differences(runs)))
    files = [{one["file"]: one["sha256"][:16] for one in found.record["inputs"]} for found in runs]
    every = dict.fromkeys(name for one in files for name in one)
    inputs = tuple((name, *(one.get(name, "–") for one in files)) for name in every)
    rules = dict.fromkeys(one["name"] for found in runs for one in found.record["rules"])
    binds = [
        {one["name"]: f"{one['binding']:,} of {one['rows']:,}" for one in found.record["rules"] if "rows" in one}
        for found in runs
    ]
    rows = tuple((name, *(one.get(name, "–") for one in binds)) for name in rules)
    grids = (changed, Grid("Rules: rows that bind", heads, rows), Grid("Tables read (start of sha-256)", heads, inputs))
    return Section("asked", "What was asked", grids=grids)


def shared_places(runs: Sequence[Material]) -> pd.Index:
    """The places that every run has. Raises InputFault when there is none."""
    places = runs[0].places.index
    for found in runs[1:]:
        places = places.intersection(found.places.index)
    if not len(places):
        said = "these runs have no place in common"
        raise InputFault(said, (Problem(said, "compare runs over the same places"),))
    return places


def differences(runs: Sequence[Material]) -> pd.DataFrame:
    """Allocation of the last run less the first, place by place, beside both (whole pounds)."""
    places = shared_places(runs)
    first, last = runs[0].places.loc[places], runs[-1].places.loc[places]
    return first.assign(
        first_gbp=first["allocation_gbp"],
        last_gbp=last["allocation_gbp"],
        difference_gbp=last["allocation_gbp"] - first["allocation_gbp"],
        difference_pct=100.0 * (last["allocation_gbp"] / first["allocation_gbp"] - 1.0),
    )


def _map(runs: Sequence[Material], names: Sequence[str]) -> Section | None:
    if not _allocate(runs):
        return None
    places = differences(runs)
    if not {"latitude", "longitude"} <= set(places.columns):
        return None
    drawn = places[england.inside(places)]
    if drawn.empty:
        return None
    number = {code: at for at, code in enumerate(places.index)}
    change = drawn["difference_pct"].to_numpy(dtype=float)
    band = np.where(np.abs(change) <= 0.1, 0, np.sign(change) * (1 + (np.abs(change) > 5))).astype(int) + 2
    dots = england.Dots(
        drawn["longitude"].to_numpy(dtype=float),
        drawn["latitude"].to_numpy(dtype=float),
        [england.STYLES[BANDS[at]] for at in band],
        [number[code] for code in drawn.index],
    )
    up, down = int((change > 0.1).sum()), int((change < -0.1).sum())
    said = f"{up:,} places have more and {down:,} less by over 0.1%, {len(drawn) - up - down:,} are within 0.1%"
    caption = f"Allocation of {names[-1]} against {names[0]}: {said}. Filled discs have more, open rings less."
    alt = f"Map of England: {said}."
    title = f"{names[-1]} against {names[0]}, place by place"
    rows = tuple((name, int((band == at).sum())) for at, name in enumerate(BANDS))
    grid = Grid("Places by band", (Column("band"), Column("places", "count")), rows)
    figure = Figure("map-england", title, caption, alt, svg=england.draw(dots, (), label=alt), grid=grid, key=KEY)
    return Section("map", "Map of the difference", figures=(figure,))


def _groups(runs: Sequence[Material], names: Sequence[str]) -> Section | None:
    shared = [name for name in runs[0].groupings if all(name in found.groupings for found in runs)]
    figures = [_group_figure(runs, names, name) for name in shared]
    drawn = tuple(figure for figure in figures if figure is not None)
    return Section("groups", "Net gain or loss by group", figures=drawn) if drawn else None


def _group_figure(runs: Sequence[Material], names: Sequence[str], name: str) -> Figure | None:
    tables = [found.wide(f"by_{name}") for found in runs]
    rows = [table.drop(index="total", errors="ignore")["against_uniform_gbp"] for table in tables if table is not None]
    groups = list(rows[0].index)
    if len(groups) > 14 or any(list(one.index) != groups for one in rows):
        return None
    said = grouping_words(name)
    shown = list(zip(rows, names, LOOKS, strict=False))
    series = [
        Series(label, million(values), [pounds(value) for value in values], colour, pattern)
        for values, label, (colour, pattern, _) in shown
    ]
    spec = bars(group_words(name, groups), series, axis="£m against uniform growth", stacked=False)
    heads = (Column(said), *(Column(label, "gbp") for label in names))
    cells = zip(group_words(name, groups), *(values.tolist() for values in rows), strict=True)
    grid = Grid(f"Net against uniform growth by {said}", heads, tuple(cells))
    caption = f"Net gain or loss of each {said} against uniform growth, one bar a run{_few(runs)}."
    return Figure(
        f"by-{name}",
        f"Net gain or loss by {said}",
        caption,
        f"Grouped bars by {said}, one a run.",
        spec=spec,
        grid=grid,
    )


def _few(runs: Sequence[Material]) -> str:
    return f" (the first {MOST} runs are drawn, the table has all)" if len(runs) > MOST else ""


def _distance(runs: Sequence[Material], names: Sequence[str]) -> Section | None:
    if not _allocate(runs):
        return None
    spec: Spec = {}
    for found, name, (colour, _, dash) in zip(runs, names, LOOKS, strict=False):
        places = found.places.dropna(subset=["closing_dft_pct"])
        x, y = at_steps(places["closing_dft_pct"].to_numpy(dtype=float), weights(places))
        one = Series(name, y, colour=colour, dash=dash)
        axes = ("people, ranked by distance from target (%)", "closing distance from target (%)")
        spec = spec or lines(x, [], x_axis=axes[0], y_axis=axes[1])
        spec["data"].append(line(x, one))
    ends = [(found.places["closing_dft_pct"].min(), found.places["closing_dft_pct"].max()) for found in runs]
    rows = tuple((name, low, high) for name, (low, high) in zip(names, ends, strict=True))
    heads = (Column("run"), Column("lowest", "pct"), Column("highest", "pct"))
    caption = (
        f"Closing distance from target over all people, each run ranked on its own{_few(runs)}; flatter is closer."
    )
    figure = Figure(
        "dft-curve",
        "Distance from target after each plan",
        caption,
        caption,
        spec=spec,
        grid=Grid("Ends of the curves", heads, rows),
    )
    return Section("distance", "Distance from target", figures=(figure,))


def _trade(runs: Sequence[Material], names: Sequence[str]) -> Section | None:
    """Each run as a point: shortfall below target across, gross deficit up; the runs no other run beats are joined."""
    keys = ("shortfall_below_target_gbp", "gross_deficit_gbp")
    if any(key not in found.record["headline"] for found in runs for key in keys):
        return None
    points = [tuple(found.record["headline"][key] / 1e6 for key in keys) for found in runs]
    best = sorted(at for at in set(points) if not any(_beats(other, at) for other in points))
    spec = lines([], [], x_axis="shortfall below target (£m)", y_axis=f"gross deficit (£m){_mark(runs)}")
    spec["layout"]["yaxis"]["zeroline"] = False
    edge = line([x for x, _ in best], Series("not beaten on both", [y for _, y in best], colour=GREY, dash="dot"))
    texts = [
        f"{name}: shortfall {write(x, 'number')}, deficit {write(y, 'number')} £m"
        for name, (x, y) in zip(names, points, strict=True)
    ]
    marks = line([x for x, _ in points], Series("runs", [y for _, y in points], texts, BLUE))
    marks |= {
        "mode": "markers+text",
        "text": list(names),
        "textposition": "top center",
        "marker": {"size": 11, "color": BLUE},
        "cliponaxis": False,
    }
    spec["data"] += [edge, marks]
    grid = Grid(
        f"Deficit and shortfall{_mark(runs)}",
        (Column("run"), Column("shortfall below target, £", "gbp"), Column("gross deficit, £", "gbp")),
        tuple(
            (name, *(found.record["headline"][key] for key in keys)) for found, name in zip(runs, names, strict=True)
        ),
    )
    caption = (
        "Down and to the left is less of both. The dotted line joins the runs that no other run here beats on both; it "
        f"is no proof that nothing better exists.{_mark(runs)}"
    )
    figure = Figure(
        "trade", f"Gross deficit against shortfall below target{_mark(runs)}", caption, caption, spec=spec, grid=grid
    )
    return Section("trade", "Deficit against distance from need", figures=(figure,))


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(mine <= theirs for mine, theirs in zip(one, other, strict=True))


def _allocate(runs: Sequence[Material]) -> bool:
    """Whether every run decided allocations, so that places can be compared."""
    return all(found.allocates for found in runs)


def _places(runs: Sequence[Material], names: Sequence[str]) -> Section | None:
    if not _allocate(runs):
        return None
    table = differences(runs)
    columns = ["population", "target_gbp", "first_gbp", "last_gbp", "difference_gbp", "difference_pct"]
    said = {"first_gbp": f"{names[0]}, £", "last_gbp": f"{names[-1]}, £", "difference_gbp": "difference, £"}
    text = [name for name in ("region", "area") if name in table]
    heads = (
        Column("place"),
        Column("name"),
        *(Column(name) for name in text),
        *(Column(said.get(name, heading_of(name)), kind_of(name)) for name in columns),
    )
    every = table.reset_index()[["place", "name", *text, *columns]]
    order = every.sort_values("difference_gbp", ascending=False, kind="stable")
    top = pd.concat([order.head(SHOWN), order.tail(SHOWN)]) if len(order) > 2 * SHOWN else order
    grid = Grid("Places", heads, tuple(map(tuple, top.to_numpy(dtype=object).tolist())))
    moved = int(every["difference_gbp"].abs().sum() + 1) // 2
    only = {name: len(found.places) - len(every) for found, name in zip(runs, names, strict=True)}
    left_out = "".join(f" {count:,} places are in {name} alone." for name, count in only.items() if count)
    words = (
        f"{pounds(moved)} lies differently between {names[0]} and {names[-1]}.{left_out} "
        "Search a code or a name, or press a heading to sort."
    )
    return Section("places", "Place by place", (words,), extra={"grid": grid, "data": data_of(every, heads)})


def _provenance(runs: Sequence[Material], names: Sequence[str]) -> Section:
    rows = tuple(
        (name, found.name, found.record["hash"], command(found)) for found, name in zip(runs, names, strict=True)
    )
    heads = (Column("run"), Column("folder"), Column("hash of the inputs", "hash"), Column("made again by"))
    items = tuple(
        f"{name}: {line}" for found, name in zip(runs, names, strict=True) for line in found.record["warnings"]
    )
    return Section(
        "provenance", "Provenance and caveats", (ATTRIBUTION,), items=items, grids=(Grid("Runs", heads, rows),)
    )
