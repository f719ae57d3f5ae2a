"""The checker's own groups of places, candidate formulas and money beside the pot. Imports `check.inputs`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from allocopt.check.inputs import Known, Plain, places_of
from allocopt.check.needs import POUNDS, target_of
from allocopt.check.verdict import Check, Floats, compared, measured


def check_formulas(
    frame: pd.DataFrame, record: Plain, tables: Mapping[str, Path | None], own: Known
) -> Iterator[Check]:
    """Every candidate's target in formulas.csv, worked out again from the tables, to the pound."""
    places = places_of(record["scenario"]["inputs"]["places"], tables)
    candidates = {"formula": record["scenario"]["formula"], **record["scenario"].get("formulas", {})}
    listed = list(dict.fromkeys(frame["formula"]))
    yield compared("formulas listed", [] if listed == list(candidates) else [f"{listed}"], ", ".join(candidates))
    for name, formula in candidates.items():
        said = frame.loc[frame["formula"] == name, "target_gbp"].to_numpy(dtype=np.float64)
        off = np.abs(said - target_of(formula, places, float(own.pot[0]), own.grown[:, 0], own.baseline))
        yield measured(f"formula {name}", off, at=list(own.places), what="targets worked out again", tolerance=1.0)


def with_streams(own: Known, record: Plain) -> Known:
    """The adjusted baseline: streams that are made recurrent, in whole pounds, belong to it."""
    streams = record["scenario"].get("streams", {}).values()
    added = [_stream(own, said, 0) for said in streams if said.get("recurrent")]
    return replace(own, baseline=np.asarray(np.sum([own.baseline, *added], axis=0)))


def check_streams(frame: pd.DataFrame, record: Plain, own: Known) -> Iterator[Check]:
    """Every stream in streams.csv, shared out again, to the pound, with its total."""
    for name, said in record["scenario"]["streams"].items():
        for step, year in enumerate(own.years[:1] if said.get("recurrent") else own.years):
            rows = frame[(frame["stream"] == name) & (frame["year"] == year)]
            found, again = rows["amount_gbp"].to_numpy(dtype=np.float64), _stream(own, said, step)
            label = f"stream {name} {year}"
            yield measured(label, np.abs(found - again), at=list(own.places), what="shared out again")
            total = np.array([abs(float(found.sum() - again.sum()))])
            yield measured(f"{label} total", total, at=["all places"], what="to the pound", tolerance=0.5)


def _stream(own: Known, said: Plain, step: int) -> Floats:
    """(n,) pounds of a stream in a year, not rounded."""
    if "column" in said:
        return POUNDS[said["unit"]] * np.array([float(cell) for cell in own.columns[said["column"]]])
    if "per_head" in said:
        return np.asarray(1e6 * said["per_head"] * own.people(step))
    value = said["value"]
    by = said.get("by", "target")
    known = {"target": own.target[:, step], "population": own.people(step)}
    weight = known[by] if by in known else np.array([float(cell) for cell in own.columns[by]])
    return np.asarray(1e6 * (value[own.years[step]] if isinstance(value, Mapping) else value) * weight / weight.sum())


def group_of(known: Known, column: str) -> list[str]:
    """The group of each place: a fifth or tenth of people, a role, or a column as it stands. Raises KeyError."""
    if column == "imd_fifth":
        cells = known.columns[known.roles["imd"]]
        score = np.array([float(cell) if cell.strip() else np.nan for cell in cells])
        return [one if one == "not known" else str(6 - int(one)) for one in _cut(known, score, 5)]
    if column == "need_decile":
        return _cut(known, known.target[:, 0] / known.people(0), 10)
    return list(known.columns[known.roles.get(column, column)])


def _cut(known: Known, score: Floats, parts: int) -> list[str]:
    """Parts of equal population by ascending score, ties by code; a place goes where the middle of its people falls."""
    order = sorted((row for row in range(len(score)) if not np.isnan(score[row])), key=lambda row: score[row])
    people = known.people(0)[order]
    middle = np.round(parts * (np.cumsum(people) - people / 2) / people.sum(), 9)
    found = ["not known"] * len(score)
    for row, one in zip(order, np.minimum(np.floor(middle) + 1, parts), strict=True):
        found[row] = str(int(one))
    return found
