"""Stress: what the Treasury would see, by level of pooling, by test, by size of body and by year.

Every figure stands in stress.csv with its confidence interval; correlated and independent luck stand side by side.
Imports `material`, `parts`, `charts`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

import pandas as pd

from allocopt.report.charts import BLUE, GREY, ORANGE, SKY, Series, Spec, fan, line, lines, stacked_with
from allocopt.report.material import Material
from allocopt.report.parts import Column, Figure, Grid, Section, pounds, write

LEVELS = ("place", "group", "area", "nation")
LUCK = (("correlated", BLUE, "solid"), ("independent", ORANGE, "dash"))
SHADE = "rgba(0,114,178,0.18)"
MEASURES = (
    ("gross_deficit", "gross deficit"),
    ("available_surplus", "surplus still available"),
    ("net", "net"),
    ("exposure", "exposure"),
)
Key = tuple[str, str, str, str]


def stress_section(found: Material) -> Section | None:
    """The stress of a run, or nothing where its scenario asks for none."""
    table = found.tables.get("stress")
    if table is None or table.empty:
        return None
    said = found.record.get("stress", {})
    values = _values(table)
    figures = [
        _by_level(found, values),
        _by_test(found, values, said.get("tests", {}), str(said.get("budget_holder") or "group")),
        _by_population(found, values),
        _by_year(found, values),
    ]
    return Section(
        "stress",
        "Stress: what the Treasury would see",
        _words(said),
        items=_found(found),
        figures=tuple(figure for figure in figures if figure is not None),
        grids=(_view(found, values), *_findings(found, table)),
    )


def _values(table: pd.DataFrame) -> dict[Key, float]:
    keys = zip(table["test"], table["level"], table["measure"], table["statistic"], strict=True)
    return {tuple(map(str, key)): float(value) for key, value in zip(keys, table["value"], strict=True)}  # type: ignore[misc]


def _words(said: Mapping[str, Any]) -> tuple[str, ...]:
    if not said:
        return ()
    tests = f"{said.get('draws', 0):,} draws, seed {said.get('seed')}; {said.get('words', '')}."
    kept = ", ".join(map(str, said.get("retention", [])))
    limit = f"The limit is {pounds(said.get('limit_gbp') or 0)}; {kept}."
    view = (
        "Exposure is gross deficit less the surplus still available plus what is drawn down; a breach is exposure above"
    )
    return (tests, f"{limit} {view} the limit.")


def _found(found: Material) -> tuple[str, ...]:
    """What the tables of a stress beside the simulation say in words, where run.json has them."""
    said = found.record.get("stress", {})
    lists = [
        value
        for key, value in said.items()
        if key in ("words_found", "reverse", "pools", "robust") and isinstance(value, list)
    ]
    return tuple(str(one.get("words", one)) if isinstance(one, dict) else str(one) for part in lists for one in part)


def _view(found: Material, values: Mapping[Key, float]) -> Grid:
    rows = []
    for luck, *_ in LUCK:
        for level in LEVELS:
            if (luck, level, "gross_deficit", "mean") not in values:
                continue
            money = [values.get((luck, level, measure, "mean")) for measure, _ in MEASURES]
            breach = values.get((luck, level, "breach", "probability"))
            rows.append((luck, level, *money, None if breach is None else 100 * breach))
    heads = (Column("luck"), Column("pooled by"), *(Column(f"{words}, £", "gbp") for _, words in MEASURES))
    return Grid(f"Mean of the draws{found.mark}", (*heads, Column("probability of a breach, %", "pct")), tuple(rows))


def _findings(found: Material, table: pd.DataFrame) -> tuple[Grid, ...]:
    """What reverse stress tests, risk pools and sizes found: every row that is a single value."""
    rows = table[table["statistic"] == "value"]
    if rows.empty:
        return ()
    cells = zip(
        rows["test"].str.replace("_", " "),
        rows["level"],
        rows["measure"].str.replace("_", " "),
        [_amount(value, unit) for value, unit in zip(rows["value"], rows["unit"].astype(str), strict=True)],
        strict=True,
    )
    heads = tuple(map(Column, ("test", "level", "measure", "value")))
    return (Grid(f"What was found{found.mark}", heads, tuple(cells)),)


def _amount(value: float, unit: str) -> str:
    return pounds(value) if unit == "GBP" and not isnan(value) else f"{write(value, 'number')} {unit}"


def _by_level(found: Material, values: Mapping[Key, float]) -> Figure | None:
    levels = [level for level in LEVELS if ("correlated", level, "gross_deficit", "mean") in values]
    if not levels:
        return None

    def read(luck: str, statistic: str) -> list[float]:
        return [values.get((luck, level, "gross_deficit", statistic), float("nan")) for level in levels]

    series = [_series(f"mean, {luck}", read(luck, "mean"), colour, dash) for luck, colour, dash in LUCK]
    spec = _category(lines(levels, series, x_axis="budgets are pooled by", y_axis="gross deficit (£m)", markers=True))
    band = fan(
        levels,
        _million(read("correlated", "p05")),
        _million(read("correlated", "p95")),
        name="5 to 95% of draws",
        shade=SHADE,
    )
    first, last = read("correlated", "mean")[0], read("correlated", "mean")[-1]
    caption = (
        f"Pooling by {levels[-1]} instead of by {levels[0]} takes the mean gross deficit from {pounds(first)} to "
        f"{pounds(last)}. The band holds nine draws in ten; lines part where areas share their luck.{found.mark}"
    )
    title = f"Gross deficit by level of pooling{found.mark}"
    return Figure(
        "stress-level",
        title,
        caption,
        f"Lines with a band. {caption}",
        spec=stacked_with(spec, band),
        modelled=found.modelled,
    )


def _by_test(found: Material, values: Mapping[Key, float], tests: Mapping[str, str], level: str) -> Figure | None:
    """The standard set beside the plain simulation: exposure of the body that holds the budget."""
    names = [name for name in tests if name != "independent" and (name, level, "exposure", "mean") in values]
    if len(names) < 2:
        return None
    mean = [values[name, level, "exposure", "mean"] for name in names]
    low, high = ([values.get((name, level, "exposure", end), float("nan")) for name in names] for end in ("p05", "p95"))
    labels = [name.replace("_", " ") for name in names]
    one = line(_million(mean), Series("mean exposure", [], [pounds(value) for value in mean], BLUE))
    one |= {"y": labels, "mode": "markers", "marker": {"size": 10, "color": BLUE, "symbol": "diamond"}}
    one["error_x"] = {
        "type": "data",
        "symmetric": False,
        "array": _million([h - m for h, m in zip(high, mean, strict=True)]),
        "arrayminus": _million([m - at for m, at in zip(mean, low, strict=True)]),
        "color": GREY,
    }
    spec = lines([], [], x_axis="exposure (£m): mean, and 5 to 95% of draws", y_axis="")
    spec["layout"]["yaxis"] |= {"type": "category", "autorange": "reversed"}
    spec["layout"]["height"] = 120 + 26 * len(names)
    spec["data"].append(one)
    rows = tuple(
        (label, tests[name], m, h, 100 * values.get((name, level, "breach", "probability"), float("nan")))
        for label, name, m, h in zip(labels, names, mean, high, strict=True)
    )
    heads = (
        Column("test"),
        Column("what it does"),
        Column("mean exposure, £", "gbp"),
        Column("95% of draws below, £", "gbp"),
    )
    grid = Grid(
        f"Standard stress tests, budgets held by {level}{found.mark}", (*heads, Column("breach, %", "pct")), rows
    )
    worst = max(zip(mean, labels, strict=True))
    caption = (
        f"The largest mean exposure is {pounds(worst[0])}, under “{worst[1]}”; budgets are held by {level}.{found.mark}"
    )
    title = f"Exposure under each test{found.mark}"
    return Figure(
        "stress-tests", title, caption, f"Marks with ranges. {caption}", spec=spec, grid=grid, modelled=found.modelled
    )


def _by_population(found: Material, values: Mapping[Key, float]) -> Figure | None:
    """How large a body must be: the probability of an overspend by population."""
    shapes = {key: re.fullmatch(r"population_(\d+)_(\w+)", key[0]) for key in values}
    points = sorted({(int(shape[1]), shape[2]) for shape in shapes.values() if shape is not None})
    if not points:
        return None
    sizes, measure = sorted({size for size, _ in points}), "overspend_2pct"
    looks = (("correlated", BLUE, "solid"), ("independent", ORANGE, "dash"), ("chance", SKY, "dot"))
    series = []
    for luck, colour, dash in looks:
        read = [
            values.get((f"population_{size}_{luck}", "group", measure, "probability"), float("nan")) for size in sizes
        ]
        series.append(
            Series(luck, [100 * value for value in read], [f"{100 * value:.2f}%" for value in read], colour, dash=dash)
        )
    spec = lines(sizes, series, x_axis="people", y_axis="probability of overspending by 2% or more (%)", markers=True)
    spec["layout"]["xaxis"]["type"] = "log"
    rows = tuple((size, *(one.values[at] for one in series)) for at, size in enumerate(sizes))
    grid = Grid(
        f"Probability of overspending by 2% or more{found.mark}",
        (Column("people", "count"), *(Column(one.name, "pct") for one in series)),
        rows,
    )
    caption = (
        f"A body of {sizes[0]:,} people overspends by 2% or more in {series[0].values[0]:.1f}% of years, one of "
        f"{sizes[-1]:,} in {series[0].values[-1]:.1f}%, where areas share their luck; chance alone falls to "
        f"{series[2].values[-1]:.1f}%.{found.mark}"
    )
    title = f"Risk by size of body{found.mark}"
    return Figure(
        "stress-size", title, caption, f"Falling lines. {caption}", spec=spec, grid=grid, modelled=found.modelled
    )


def _by_year(found: Material, values: Mapping[Key, float]) -> Figure | None:
    years = sorted({int(key[0].removeprefix("year_")) for key in values if re.fullmatch(r"year_\d+", key[0])})
    levels = [level for level in LEVELS if years and (f"year_{years[0]}", level, "exposure", "mean") in values]
    if len(years) < 2 or not levels:
        return None

    def read(ending: str, statistic: str) -> list[float]:
        return [values.get((f"year_{year}{ending}", levels[0], "exposure", statistic), float("nan")) for year in years]

    series = [
        _series("mean, correlated", read("", "mean"), BLUE, "solid"),
        _series("mean, independent", read("_independent", "mean"), ORANGE, "dash"),
    ]
    spec = _category(lines([f"year {year}" for year in years], series, x_axis="", y_axis="exposure (£m)", markers=True))
    names = [f"year {year}" for year in years]
    band = fan(names, _million(read("", "p05")), _million(read("", "p95")), name="5 to 95% of draws", shade=SHADE)
    caption = (
        f"Mean exposure goes from {pounds(read('', 'mean')[0])} in year {years[0]} to "
        f"{pounds(read('', 'mean')[-1])} in year {years[-1]}, with deficits and surpluses carried forward.{found.mark}"
    )
    title = f"Exposure over the years{found.mark}"
    return Figure(
        "stress-years",
        title,
        caption,
        f"Lines with a band. {caption}",
        spec=stacked_with(spec, band),
        modelled=found.modelled,
    )


def _series(name: str, values: Sequence[float], colour: str, dash: str) -> Series:
    return Series(name, _million(values), [write(value, "gbp") for value in values], colour, dash=dash)


def _million(values: Sequence[float]) -> list[Any]:
    """Pounds as £m; what is not known is left out of the line."""
    return [None if isnan(value) else value / 1e6 for value in values]


def _category(spec: Spec) -> Spec:
    spec["layout"]["xaxis"]["type"] = "category"
    return spec
