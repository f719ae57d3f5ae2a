"""A table of returns: what each body of an area planned to spend and what it forecasts (the monitoring view's data).

A row names its area and its body; a row without a body is the area's own position, which its members need not add up
to. Imports `reading`, `cells`, `tables`, `inputs`, `units` and `errors`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from allocopt.errors import Problem
from allocopt.inputs import InputFile
from allocopt.inputs.cells import Bounds, column, numbers
from allocopt.inputs.reading import Reading
from allocopt.inputs.tables import Table
from allocopt.scenario import Loaded
from allocopt.settings.stress import Monitoring
from allocopt.units import to_million

_ANY = Bounds(least=-np.inf)


@dataclass(frozen=True)
class Returns:
    """One row a return: `area`, `body` (empty for the area itself), `plan`, `forecast`, `variance`; GBP million.

    `plan` and `forecast` are NaN where only variances are published; `variance` = forecast - plan, positive = over.
    """

    table: pd.DataFrame
    file: InputFile


def read_returns(loaded: Loaded, problems: list[Problem]) -> Returns | None:
    """The table that `stress.monitoring` names, checked; adds to `problems` what is wrong with it."""
    assert loaded.scenario.stress is not None
    asked = loaded.scenario.stress.monitoring
    assert asked is not None
    reading = Reading(loaded)
    at = ("stress", "monitoring")
    _ways(reading, asked)
    table = reading.table(asked.table, *at, "table")
    found = None if table is None or reading.problems else _frame(reading, table, asked)
    problems += reading.problems
    if found is None or table is None or reading.problems:
        return None
    return Returns(found, InputFile(table.file, table.sha256, len(table)))


def _ways(reading: Reading, asked: Monitoring) -> None:
    both = asked.plan is not None and asked.forecast is not None
    if both == (asked.variance is not None) or (asked.plan is None) != (asked.forecast is None):
        cure = "name plan and forecast, or variance alone"
        reading.wrong("the returns need plan and forecast, or the variance between them", cure, "stress", "monitoring")


def _frame(reading: Reading, table: Table, asked: Monitoring) -> pd.DataFrame | None:
    texts = {name: _texts(reading, table, getattr(asked, name), name) for name in ("area", "body")}
    if any(found is None for found in texts.values()):
        return None
    money = {name: _money(reading, table, asked, name) for name in ("plan", "forecast", "variance")}
    frame = pd.DataFrame({**texts, **money})
    if asked.variance is None:
        frame["variance"] = frame["forecast"] - frame["plan"]
    _codes(reading, table, frame, asked)
    return frame


def _texts(reading: Reading, table: Table, name: str, key: str) -> Sequence[str] | None:
    found = column(table, name, reading.cited("stress", "monitoring", key), reading.problems)
    return None if found is None else [cell.strip() for cell in found]


def _money(reading: Reading, table: Table, asked: Monitoring, key: str) -> object:
    name = getattr(asked, key)
    if name is None:
        return np.full(len(table), np.nan)
    cited = reading.cited("stress", "monitoring", key)
    rows = [str(line) for line in table.lines]
    values = numbers(table, rows, name, cited, reading.problems, bounds=_ANY)
    return np.asarray(values) * to_million(asked.unit)


def _codes(reading: Reading, table: Table, frame: pd.DataFrame, asked: Monitoring) -> None:
    nameless = np.flatnonzero(frame["area"] == "").tolist()
    twice = np.flatnonzero(frame.duplicated(["area", "body"])).tolist()
    at = ("stress", "monitoring", "table")
    for row in nameless:
        reading.wrong(f"line {table.lines[row]} of {table.file} names no area", "write it", *at, file=table.file)
    for row in twice:
        body = frame["body"][row] or "the area itself"
        message = f"line {table.lines[row]} of {table.file}: a second return of {body} in {frame['area'][row]}"
        reading.wrong(message, f"keep one row for each {asked.body}", *at, file=table.file)
