"""The checker's own reading of the inputs: tables, pot, targets, baseline and spend, in pounds.

Written a second time on purpose: it shares no code with the rooms that made the run, so that a fault in either shows
as a difference. One thing is not written twice: random draws. The distances of modelled spend and the persistent
effect of a baseline that follows activity are drawn again by the spend model, since a draw has no second derivation.
Imports `risk` (for that draw), `scenario` and `shipped` (to find files) and `errors`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from allocopt.check.needs import POUNDS, figures, target_of
from allocopt.check.verdict import Check, Floats, compared
from allocopt.errors import ScenarioFault
from allocopt.risk import ENGLAND_PRACTICES, persistent_draw
from allocopt.scenario import find_scenario, load
from allocopt.scenario.shape import stated
from allocopt.shipped import shipped

Plain = Mapping[str, Any]

TABLES: dict[str, tuple[str, ...]] = {
    which: ("inputs", which, "table") for which in ("places", "baseline", "spend", "populations")
}
TABLES["pot"] = ("pot", "table")
TABLES["monitoring"] = ("stress", "monitoring", "table")
TABLES["grouping"] = ("grouping", "table")
TABLES["neighbours"] = ("rules", "contiguity", "graph", "table")
"""Key path of each table that a scenario may name once; `more.0` and so on are further tables about the places."""
LIMIT = 0.6
"""The effect of past activity stays within +/-60%."""


@dataclass(frozen=True)
class Known:
    """What the places bring, n places by code and T years; money in pounds, not rounded."""

    places: tuple[str, ...]
    names: tuple[str, ...]
    years: tuple[str, ...]
    pot: Floats
    """(T,)"""
    baseline: Floats
    """(n,)"""
    target: Floats
    """(n, T)"""
    population: Floats
    """(n, T) people; NaN throughout when no column is named"""
    spend: Floats | None
    """(n, T)"""
    previous: Floats
    """(n,) people a year before the first year; NaN throughout when nothing says so"""
    reserve: Floats
    """(T,) held back from what was announced"""
    columns: Mapping[str, tuple[str, ...]]
    """The places table, every cell text, in the order of `places`"""
    roles: Plain
    """Role of the places table -> column"""
    grown: Floats
    """(n, T) people over those of the places table, where populations come by year; 1 elsewhere"""
    openings: Floats | None = None
    """(n, T) what each place opened each year with, where years were decided one after another"""

    def people(self, step: int) -> Floats:
        """(n,) people of a year; the year before the first is -1."""
        return self.previous if step < 0 else self.population[:, step]

    @property
    def opening(self) -> Floats:
        """(n, T) opening distance from target: the base-year money in the base-year shape, on each year's shares."""
        held = self.baseline[:, None] if self.openings is None else self.openings
        return np.asarray(held / held.sum(axis=0) / (self.target / self.pot) - 1.0)


def find_tables(folder: Path, record: Plain, scenario: Path | None) -> dict[str, Path | None]:
    """Where each table of the run is now, by its key below `inputs`; None when it is nowhere.

    With `scenario`, where that file states it; else where timing.json says it was read, beside the scenario file
    that it names, or among the scenarios that are shipped. Raises ScenarioFault when `scenario` is not there.
    """
    more = [f"more.{number}" for number in range(len(record["scenario"]["inputs"]["places"].get("more", [])))]
    written = {which: name for which in (*TABLES, *more) if (name := _said_at(record, which))}
    return {
        which: next((path for path in _candidates(folder, which, name, scenario) if path.is_file()), None)
        for which, name in written.items()
    }


def keys_of(which: str) -> tuple[str, ...]:
    """The key path of a table."""
    number = which.removeprefix("more.")
    return TABLES.get(which, ("inputs", "places", "more", number, "table"))


def _said_at(record: Plain, which: str) -> str | None:
    """The table that the scenario of a run names, as it is written."""
    node: Any = record["scenario"]
    for key in keys_of(which):
        below = node.get(key, {}) if isinstance(node, Mapping) else {}
        node = node[int(key)] if isinstance(node, list) else below
    return str(node) if node else None


def _candidates(folder: Path, which: str, name: str, scenario: Path | None) -> Iterator[Path]:
    if scenario is not None:
        file = find_scenario(scenario)
        yield from _stated(file, which, name)
        yield file.resolve().parent / name
        return
    timing = read_timing(folder)
    noted = timing.get("tables", {})
    if which in noted:
        yield Path(noted[which])
    if "scenario" in timing:
        yield Path(timing["scenario"]).parent / name
    yield shipped("scenarios") / name


def _stated(file: Path, which: str, name: str) -> Iterator[Path]:
    """Where the scenario (or one that it extends) states the table, when it still names it."""
    try:
        loaded = load(file)
        if stated(loaded.scenario, keys_of(which)) == name:
            yield loaded.table_path(*keys_of(which))
    except (ScenarioFault, IndexError):
        return


def read_timing(folder: Path) -> Plain:
    """What timing.json notes: `scenario` and `tables` (paths), `sha256` (by file); empty where it does not hold it."""
    try:
        found = json.loads((folder / "timing.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    shapes = {"scenario": str, "tables": dict, "sha256": dict}
    noted = {key: found[key] for key in shapes if isinstance(found, dict) and isinstance(found.get(key), shapes[key])}
    return {
        key: one
        for key, one in noted.items()
        if key == "scenario" or all(isinstance(text, str) for text in one.values())
    }


def check_files(record: Plain, tables: Mapping[str, Path | None]) -> Iterator[Check]:
    """Every table of the scenario is there with the bytes that the run read, and run.json names no other."""
    named = {str(_said_at(record, which)): path for which, path in tables.items()}
    listed = {one["file"]: one for one in record["inputs"]}
    odd = [f"run.json lists {name}, which its scenario does not name" for name in listed if name not in named]
    read = {path.resolve() for name, path in named.items() if path is not None and name in listed}
    again = {name for name, path in named.items() if name not in listed and path is not None and path.resolve() in read}
    needed = [name for name in named if name not in again]  # a file named in two ways is read and listed once
    odd += [f"run.json does not list {name}, which its scenario names" for name in needed if name not in listed]
    yield compared("input files listed", odd, f"the {len(listed)} files that the scenario names")
    for name in needed:
        yield _same_bytes(name, named[name], listed.get(name, {}))


def _same_bytes(name: str, path: Path | None, listed: Plain) -> Check:
    if path is None:
        return Check(f"input {name}", False, f"{name} is not found: say where the scenario file is, --scenario FILE")
    found, rows = sha256(path.read_bytes()).hexdigest(), len(cells(path))
    differences = []
    if found != listed.get("sha256"):
        differences.append(
            f"sha-256 of {path} is {found[:16]}..., of the file that the run read {listed.get('sha256')}"
        )
    if rows != listed.get("rows"):
        differences.append(f"{path} has {rows:,} rows, the file that the run read {listed.get('rows')}")
    return compared(f"input {name}", differences, f"same bytes: sha-256 {found[:16]}..., {rows:,} rows")


def check_hash(record: Plain) -> Check:
    """The hash in run.json is that of its scenario and of its files."""
    said = {
        "scenario": {key: value for key, value in record["scenario"].items() if key not in ("why", "source")},
        "files": sorted([one["file"], one["sha256"]] for one in record["inputs"]),
    }
    text = json.dumps(said, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    found = sha256(text.encode()).hexdigest()
    wrong = [] if found == record["hash"] else [f"scenario and files hash to {found[:16]}..., run.json says otherwise"]
    return compared("hash", wrong, f"the scenario and the files hash to {found[:8]}")


def cells(path: Path) -> pd.DataFrame:
    """A table with every cell as text."""
    if path.suffix.lower() in {".parquet", ".pq"}:
        frame = pd.read_parquet(path)
        return frame.astype(object).where(frame.notna(), "").astype(str)
    rows = [row for row in csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")) if row]
    return pd.DataFrame(rows[1:], columns=rows[0], dtype=str)


def known(record: Plain, tables: Mapping[str, Path | None], *, distance: Floats | None) -> Known:
    """The inputs of a run as its scenario (in run.json) says; `distance` (n,) is the draw of modelled spend."""
    scenario = record["scenario"]
    places = places_of(scenario["inputs"]["places"], tables)
    years = tuple(scenario["years"])
    announced, people = _pots(scenario["pot"], tables, years), _people(scenario["inputs"], places, tables, years)
    held = _held_back(scenario.get("rules", {}).get("reserve"), years, announced)
    pot = announced - held
    first = _population(scenario["inputs"]["places"], places, "population")
    grown = people / first[:, None] if "populations" in scenario["inputs"] else np.ones((len(places), len(years)))
    formula, had = scenario["formula"], None
    if any("opening_dft" in one for one in formula.values()):
        had = _baseline(scenario["inputs"], places, tables, np.ones(len(places)), 1.0)
    target = np.stack([target_of(formula, places, pot[t], grown[:, t], had) for t in range(len(years))], axis=1)
    return Known(
        places=tuple(places.index),
        names=_names(scenario["inputs"]["places"], places),
        years=years,
        pot=pot,
        baseline=_baseline(scenario["inputs"], places, tables, target[:, 0], float(pot[0])),
        target=target,
        population=people,
        spend=_spend(scenario["inputs"], places, tables, target, distance),
        previous=_before(scenario["inputs"], places, first, people[:, 0]),
        reserve=held,
        columns={str(name): tuple(places[name]) for name in places.columns},
        roles=scenario["inputs"]["places"].get("columns", {}),
        grown=grown,
    )


def _held_back(said: Plain | None, years: tuple[str, ...], announced: Floats) -> Floats:
    """(T,) whole pounds that the rule `reserve` takes off the announced pot."""
    share = said["share"] if said else 0.0
    return np.rint(announced * [share[year] if isinstance(share, Mapping) else share for year in years])


def table_of(tables: Mapping[str, Path | None], which: str) -> pd.DataFrame:
    """The table of `which`, every cell text. Raises ValueError when it is not found."""
    path = tables[which]
    if path is None:
        raise ValueError(f"the table of {which} is not found")
    return cells(path)


def places_of(said: Plain, tables: Mapping[str, Path | None]) -> pd.DataFrame:
    """The rows of the places that take part, by code, with the columns of further tables about them."""
    frame = table_of(tables, "places")
    for number, more in enumerate(said.get("more", [])):
        fresh = table_of(tables, f"more.{number}").set_index(more["key"])
        if more.get("others") == "leave_out":
            frame = frame[frame[said["key"]].isin(fresh.index)]
        fresh = fresh.loc[list(frame[said["key"]])]
        columns = {name: list(fresh[name]) for name in fresh.columns if name not in frame.columns}
        frame = frame.assign(**columns)
    for column, wanted in said.get("only", {}).items():
        frame = frame[frame[column].isin([wanted] if isinstance(wanted, str) else wanted)]
    small = said.get("small_lists")
    if small and small["treat"] == "leave_out":
        frame = frame[figures(frame, said["columns"]["population"]) >= small["under"]]
    found = frame.set_index(said["key"], drop=False)
    return found.loc[sorted(found.index)]


def _names(said: Plain, places: pd.DataFrame) -> tuple[str, ...]:
    column: str = said.get("name", said["key"])
    return tuple(map(str, places[column]))


def _population(said: Plain, places: pd.DataFrame, role: str) -> Floats:
    column = said.get("columns", {}).get(role)
    return np.full(len(places), np.nan) if column is None else figures(places, column)


def _year_rows(said: Plain, frame: pd.DataFrame, year: str) -> pd.DataFrame:
    """The rows of one year that `where` keeps; 2019/20 and 2019-20 are the same year."""
    frame = frame[frame[said["year"]].str.strip().str.replace("/", "-") == year]
    for column, wanted in said.get("where", {}).items():
        frame = frame[frame[column].isin([wanted] if isinstance(wanted, str) else wanted)]
    return frame


def _pots(said: Plain, tables: Mapping[str, Path | None], years: tuple[str, ...]) -> Floats:
    """(T,) pounds."""
    if "table" in said:
        rows = [_year_rows(said, table_of(tables, "pot"), year) for year in years]
        return np.array([POUNDS[said["unit"]] * figures(one, said["column"]).item() for one in rows])
    value = said["value"]
    return np.array([1e6 * float(value[year] if isinstance(value, Mapping) else value) for year in years])


def _people(inputs: Plain, places: pd.DataFrame, tables: Mapping[str, Path | None], years: tuple[str, ...]) -> Floats:
    """(n, T): the same in every year, or from the table of populations, body by body where places follow one."""
    own, said = _population(inputs["places"], places, "population"), inputs.get("populations")
    if said is None:
        return np.repeat(own[:, None], len(years), axis=1)
    codes = places[said.get("follows", inputs["places"]["key"])]
    found = np.empty((len(places), len(years)))
    for step, year in enumerate(years):
        rows = _year_rows(said, table_of(tables, "populations"), year)
        figure = dict(zip(rows[said["key"]], figures(rows, said["column"]), strict=True))
        found[:, step] = [figure[code] for code in codes]
    if "follows" not in said:
        return found
    total: dict[str, float] = {}
    for code, one in zip(codes, own, strict=True):
        total[code] = total.get(code, 0.0) + one
    return np.asarray(found * (own / np.array([total[code] for code in codes]))[:, None])


def _before(inputs: Plain, places: pd.DataFrame, first: Floats, people: Floats) -> Floats:
    """(n,) people a year before the first year: with populations by year, those that the needs belong to."""
    roles = inputs["places"].get("columns", {})
    if "population_growth" in roles:
        return np.asarray(people / (1.0 + figures(places, roles["population_growth"]) / 100.0))
    named = "previous_population" in roles
    return (
        first if "populations" in inputs and not named else _population(inputs["places"], places, "previous_population")
    )


def _money(said: Plain, frame: pd.DataFrame, key: str) -> dict[str, float]:
    """Pounds by the code in column `key`."""
    return dict(zip(frame[key], POUNDS[said["unit"]] * figures(frame, said["column"]), strict=True))


def _baseline(
    inputs: Plain, places: pd.DataFrame, tables: Mapping[str, Path | None], target: Floats, pot: float
) -> Floats:
    said = inputs["baseline"]
    if "follows_activity" in said:
        return _activity(said["follows_activity"], tuple(places.index), target / target.sum(), pot)
    frame = table_of(tables, "baseline")
    if "shared" not in said:
        money = _money(said, frame, said.get("key", inputs["places"]["key"]))
        return np.array([money[place] for place in places.index])
    within, by = said["shared"]["within"], said["shared"]["by"]
    money = _money(said, frame, said.get("key", within))
    weight = target if by == "target" else figures(places, by)
    total: dict[str, float] = {}
    for body, one in zip(places[within], weight, strict=True):
        total[body] = total.get(body, 0.0) + one
    return np.array([money[body] * one / total[body] for body, one in zip(places[within], weight, strict=True)])


def _activity(said: Plain, places: tuple[str, ...], share: Floats, pot: float) -> Floats:
    """Fair share x (1 + size x effect), rescaled; the size is bisected in [0, 64] so that enough places lie beyond."""
    effect = persistent_draw(pd.Index(places, dtype="str", name="place"), seed=said["seed"], model=ENGLAND_PRACTICES)

    def activity(size: float) -> Floats:
        made = share * (1.0 + np.clip(size * effect, -LIMIT, LIMIT))
        return np.asarray(made / made.sum())

    def beyond(size: float) -> float:
        return float(np.mean(np.abs(activity(size) / share - 1.0) > said["beyond"]))

    low, high = 0.0, 64.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if beyond(middle) < said["share_beyond"] else (low, middle)
    size = low if abs(beyond(low) - said["share_beyond"]) <= abs(beyond(high) - said["share_beyond"]) else high
    return activity(size) * (1e6 * said["total"] if "total" in said else pot)


def _spend(
    inputs: Plain, places: pd.DataFrame, tables: Mapping[str, Path | None], target: Floats, distance: Floats | None
) -> Floats | None:
    said = inputs.get("spend")
    if said is None:
        return None
    if "risk_model" in said:
        if distance is None:
            raise ValueError("modelled spend was not drawn again")
        return np.asarray(target * (1.0 + distance[:, None]))
    money = _money(said, table_of(tables, "spend"), said.get("key", inputs["places"]["key"]))
    return np.array([[money[place]] for place in places.index])
