"""A batch in one page: what every case answers, each swept key against each headline figure, and the trade-off.

Read from results.csv alone, so that a batch of a thousand cases is a small page. Imports `parts`, `charts`, `page`,
`headline`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from allocopt.errors import InputFault, Problem
from allocopt.report.account import ATTRIBUTION
from allocopt.report.charts import BLACK, BLUE, GREEN, ORANGE, SKY, Series, line, lines
from allocopt.report.headline import HEADLINE_WORDS
from allocopt.report.page import render
from allocopt.report.parts import Column, Figure, Grid, Section, grid_of_frame, kind_of, write

LOOKS = ((BLUE, "solid"), (ORANGE, "dash"), (GREEN, "dot"), (BLACK, "dashdot"), (SKY, "longdash"))
FIGURES = ("gross_deficit_gbp", "shortfall_below_target_gbp", "movement_gbp")
FIXED = frozenset({"number", "case", "status", "exit", "places", "years"})
MOST = 500
"""Cases that the page lists; results.csv has them all."""


def is_batch(folder: Path) -> bool:
    """Whether a folder holds the results of a sweep."""
    return (folder / "results.csv").is_file() and (folder / "batch.json").is_file()


def batch_page(folder: Path) -> str:
    """The page of a batch folder. Raises InputFault when its files cannot be read."""
    try:
        table = pd.read_csv(folder / "results.csv", dtype={"case": "str"})
        said = json.loads((folder / "batch.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as failure:
        message = f"{folder} is not a batch folder: {failure}"
        raise InputFault(
            message, (Problem(message, "name a folder that `allocopt batch` wrote", str(folder)),)
        ) from failure
    modelled = bool(said.get("modelled_spend", "spend_gbp" in table))
    mark = " [modelled spend]" if modelled else ""
    keys = swept(table)
    parts = [_summary(table, keys, mark), *_figures(table, keys, mark), _every(table, mark), _end(folder)]
    title = str(said.get("name") or folder.name)
    facts = f"{len(table):,} cases; {folder.name}"
    return render(parts, title=title, kind="Batch of runs", why=said.get("why"), facts=facts, modelled=modelled)


def swept(table: pd.DataFrame) -> list[str]:
    """The swept keys: the columns between the case and its status, without their twins in numbers."""
    names = [str(name) for name in table.columns]
    start = names.index("case") + 1 if "case" in names else 0
    stop = names.index("status") if "status" in names else start
    between = names[start:stop]
    return [name for name in between if not any(name == f"{key}{end}" for key in between for end in ENDINGS)]


ENDINGS = ("_pct", "_gbp", "_km", "_seconds")


def number_of(table: pd.DataFrame, key: str) -> str:
    """The column that holds a swept key as a number, or the key itself."""
    return next((f"{key}{end}" for end in ENDINGS if f"{key}{end}" in table), key)


def _summary(table: pd.DataFrame, keys: Sequence[str], mark: str) -> Section:
    counts = table["status"].value_counts(sort=False)
    states = ", ".join(f"{number:,} {state}" for state, number in counts.items())
    done = table[table["exit"].isin([0, 4])]
    rows = []
    for name in (name for name in FIGURES if name in done and len(done)):
        order = done.sort_values(name, kind="stable")
        low, high = order.iloc[0], order.iloc[-1]
        at = [", ".join(f"{key.rsplit('.', 1)[-1]} {row[key]}" for key in keys) for row in (low, high)]
        kind = kind_of(name)
        rows.append((HEADLINE_WORDS[name].strip(), write(low[name], kind), at[0], write(high[name], kind), at[1]))
    heads = tuple(map(Column, ("figure", "least", "at", "most", "at ")))
    words = f"{len(table):,} cases: {states}. Swept: {', '.join(keys) or 'nothing'}."
    return Section(
        "summary", "Summary", (words,), grids=(Grid(f"Least and most of each figure{mark}", heads, tuple(rows)),)
    )


def _figures(table: pd.DataFrame, keys: Sequence[str], mark: str) -> list[Section]:
    done = table[table["exit"].isin([0, 4])]
    sections = []
    for place, key in enumerate(keys, start=1):
        drawn = [
            _by_key(done, key, keys, name, mark, f"{place}-{at}") for at, name in enumerate(FIGURES) if name in done
        ]
        shown = tuple(figure for figure in drawn if figure is not None)
        if shown:
            sections.append(Section(f"key-{place}", key, figures=shown))
    trade = _trade(done, keys, mark)
    return [*sections, *([trade] if trade else [])]


def _by_key(done: pd.DataFrame, key: str, keys: Sequence[str], name: str, mark: str, label: str) -> Figure | None:
    """One headline figure against one swept key; a line for each value of one other key, if there is one."""
    across, others = number_of(done, key), [other for other in keys if other != key]
    if done[across].dtype.kind not in "if" or done[across].nunique() < 2:
        return None
    split = others[0] if others else None
    groups: list[tuple[Any, pd.DataFrame]] = [("", done)] if split is None else list(done.groupby(split, sort=False))
    marked = mark if "deficit" in name else ""
    words = HEADLINE_WORDS[name].strip()
    spec = lines([], [], x_axis=key, y_axis=f"{words} (£m)")
    spec["layout"]["yaxis"]["zeroline"] = False
    for (value, part), (colour, dash) in zip(groups, LOOKS, strict=False):
        best = part.groupby(across)[name].min().sort_index()
        legend = f"{split.rsplit('.', 1)[-1]} {value}" if split else words
        texts = [write(one, "gbp") for one in best]
        drawn = Series(legend, [one / 1e6 for one in best], texts, colour, dash=dash)
        spec["data"].append(line(best.index.tolist(), drawn, markers=True))
    ends = f"{write(done[name].min(), 'gbp')} to {write(done[name].max(), 'gbp')}"
    more = " Where further keys vary, the least over them is drawn." if len(others) > 1 else ""
    caption = f"{words[0].upper()}{words[1:]} runs from {ends} over the cases.{more}{marked}"
    title = f"{words[0].upper()}{words[1:]} by {key.rsplit('.', 2)[-2] if '.' in key else key}{marked}"
    return Figure(f"case-{label}", title, caption, f"Lines by {key}. {caption}", spec=spec, modelled=bool(marked))


def _trade(done: pd.DataFrame, keys: Sequence[str], mark: str) -> Section | None:
    x, y = "shortfall_below_target_gbp", "gross_deficit_gbp"
    if not {x, y} <= set(done.columns) or len(done) < 2:
        return None
    texts = [", ".join(f"{key.rsplit('.', 1)[-1]} {row[key]}" for key in keys) for _, row in done.iterrows()]
    spec = lines([], [], x_axis="shortfall below target (£m)", y_axis=f"gross deficit (£m){mark}")
    spec["layout"]["yaxis"]["zeroline"] = False
    dots = line((done[x] / 1e6).tolist(), Series("cases", (done[y] / 1e6).tolist(), texts, BLUE))
    spec["data"].append(dots | {"mode": "markers", "marker": {"size": 9, "color": BLUE}})
    caption = f"Each case is a mark: down and to the left is less of both.{mark}"
    figure = Figure("trade", f"Deficit against shortfall{mark}", caption, caption, spec=spec, modelled=bool(mark))
    return Section("trade", "Deficit against distance from need", figures=(figure,))


def _every(table: pd.DataFrame, mark: str) -> Section:
    names = [
        *swept(table),
        "status",
        *(name for name in table if str(name).endswith("_gbp") and name in HEADLINE_WORDS),
    ]
    shown = table[["number", "case", *dict.fromkeys(names)]].head(MOST)
    grid = grid_of_frame(f"Cases{mark}", shown)
    cut = (f"The first {MOST} of {len(table):,} cases; results.csv has them all.",) if len(table) > MOST else ()
    return Section("cases", "Every case", cut, grids=(grid,))


def _end(folder: Path) -> Section:
    return Section("provenance", "Provenance", (ATTRIBUTION, f"Each case is a run folder: {folder.name}/cases/CASE."))
