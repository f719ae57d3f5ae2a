"""`import` and `export`: which file is which, what is written, and what a person must know about it.

Imports the other rooms of `exchange`, and `runs` to read a run folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from allocopt.errors import InputFault, Problem
from allocopt.exchange.geography import consortia_features, place_features, write_geojson
from allocopt.exchange.need_index import Place, need_indices, places_by
from allocopt.exchange.neighbours import FILE, FORMAT, neighbours_of, words
from allocopt.exchange.official import Official, read_official
from allocopt.exchange.session import bodies_of, grouping, read_session, session, write_session
from allocopt.runs import Run, read_run
from allocopt.scenario import Loaded, load

FORMATS = ("geojson", "parquet", "session")


@dataclass(frozen=True)
class Taken:
    """What was written, what to know about it, and the lines a scenario needs to use it."""

    written: tuple[Path, ...]
    notes: tuple[str, ...]
    scenario: str = ""

    def as_dict(self) -> dict[str, object]:
        """For `--json`."""
        written = [str(path) for path in self.written]
        return {"written": written, "notes": list(self.notes), "scenario": self.scenario or None}


def take_in(path: Path, *, session_file: Path | None, by: str | None, out: Path) -> Taken:
    """Read a file of another tool: a practice table (CSV) or a saved session (JSON). Raises InputFault."""
    if path.suffix.lower() == ".json":
        return _take_session(path, out)
    found = read_official(path)
    places = read_session(session_file) if session_file else places_by(found, by)
    indices = need_indices(found, places)
    stem = path.stem.replace(" ", "_")
    table, index = out / f"{stem}_places.csv", out / f"{stem}_need_indices.csv"
    _write(found.table, table)
    _write(indices, index)
    notes = (*found.notes, f"need indices: {len(places):,} places in {indices.shape[0] - len(places):,} ICBs")
    return Taken((table, index), notes, _inputs(found, table.name))


def _take_session(path: Path, out: Path) -> Taken:
    places = read_session(path)
    target = out / f"{path.stem.replace(' ', '_')}_groups.csv"
    _write(grouping(places), target)
    lines = f"grouping: {{table: {target.name}, key: place, column: group}}"
    return Taken(
        (target,), (f"{len(places):,} places of {sum(len(one.practices) for one in places):,} practices",), lines
    )


def _write(table: pd.DataFrame, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(path, index=False, lineterminator="\n")
    except OSError as failure:
        raise _cannot(path, failure) from failure


def _cannot(path: Path, failure: OSError) -> InputFault:
    said = f"cannot write {path}: {failure.strerror or failure}"
    return InputFault(said, (Problem(said, "name a folder that you may write to: --out DIR", "--out"),))


def _inputs(found: Official, name: str) -> str:
    """The block of a scenario that reads the imported table."""
    roles = {"population": "population", "latitude": "latitude", "longitude": "longitude"}
    roles |= {"area": "icb_code", "region": "region_name", "group": "pcn_code"}
    there = {role: column for role, column in roles.items() if column in found.table}
    columns = ", ".join(f"{role}: {column}" for role, column in there.items())
    named = ", name: practice_name" if "practice_name" in found.table else ""
    return f"inputs:\n  places: {{table: {name}, key: practice_code{named}, columns: {{{columns}}}}}"


def give_out(
    folder: Path, *, formats: Sequence[str], table: Path | None, out: Path | None, sets: Sequence[str] = ()
) -> Taken:
    """Write a run in the formats of other tools; all that it has material for when none is asked.

    `neighbours` is asked of a scenario, with what `--set` changes, before anything is run. Raises InputFault.
    """
    if list(formats) == [FORMAT] and not folder.is_dir():
        return give_out_neighbours(load(folder, set=sets), out or Path())
    if sets:
        useless = "a finished run is written as it is: --set changes nothing in it"
        raise InputFault(useless, (Problem(useless, "leave --set out", "--set"),))
    run = read_run(folder)
    asked = tuple(formats) or tuple(name for name in FORMATS if _can(run, name))
    problems = [
        Problem(f"cannot export '{name}'", _reason(name), "--format")
        for name in asked
        if name not in FORMATS or not _can(run, name)
    ]
    if problems:
        raise InputFault(f"{folder} cannot be exported so", tuple(problems))
    home = out or folder
    official = read_official(table) if table else None
    written, notes = list[Path](), list[str]()
    try:
        home.mkdir(parents=True, exist_ok=True)
        for name in asked:
            paths, said = _EXPORTS[name](run, home, official)
            written += paths
            notes += said
    except OSError as failure:
        raise _cannot(home, failure) from failure
    return Taken(tuple(written), tuple(notes))


def give_out_neighbours(loaded: Loaded, out: Path) -> Taken:
    """Write the neighbours of a scenario's places as a table of links. Raises InputFault."""
    table, path = neighbours_of(loaded), out / FILE
    _write(table, path)
    said, lines = words(table, path)
    return Taken((path,), (said,), lines)


def _can(run: Run, name: str) -> bool:
    places = run.tables.get("places")
    located = places is not None and {"latitude", "longitude"} <= set(places.columns)
    return {"parquet": True, "session": "groups" in run.tables, "geojson": located}.get(name, False)


def _reason(name: str) -> str:
    said = {
        "session": "a session holds a grouping: export the run of a model that groups places",
        "geojson": "name latitude and longitude under inputs.places.columns, and run again",
        FORMAT: "neighbours are those of a scenario: allocopt export SCENARIO --format neighbours, and no other format",
    }
    return said.get(name, f"choose from {', '.join(FORMATS)}")


def _parquet(run: Run, home: Path, official: Official | None) -> tuple[list[Path], list[str]]:  # noqa: ARG001
    """A twin of every table: the same rows and columns, typed."""
    paths = [home / f"{name}.parquet" for name in sorted(run.tables)]
    for path in paths:
        run.tables[path.stem].to_parquet(path, index=False)
    return paths, []


def _geojson(run: Run, home: Path, official: Official | None) -> tuple[list[Path], list[str]]:  # noqa: ARG001
    places = located_places(run)
    paths = [home / "places.geojson"]
    write_geojson(paths[0], place_features(places))
    if "consortia" in run.tables:
        paths.append(home / "consortia.geojson")
        write_geojson(paths[1], consortia_features(places, run.tables["consortia"]))
    lost = int(places["latitude"].isna().sum() if "latitude" in places else 0)
    hulls = ["a consortium's area is the convex hull of its places: it is no boundary"] if len(paths) > 1 else []
    return paths, [*hulls, *([f"{lost:,} places have no coordinates"] if lost else [])]


def located_places(run: Run) -> pd.DataFrame:
    """Every place (index place) of the last year with coordinates, money and consortium, as the run has them."""
    found = run.tables["places"].set_index("place")
    if "allocations" in run.tables:
        table = run.tables["allocations"]
        last = table[table["year"] == table["year"].iloc[-1]].set_index("place")
        found = found.join(last[[name for name in last if name not in found]])
    if "groups" in run.tables:
        groups = run.tables["groups"].set_index("place")
        found = found.join(groups[[name for name in groups if name not in found]])
    return found


def _session(run: Run, home: Path, official: Official | None) -> tuple[list[Path], list[str]]:
    groups = run.tables["groups"]
    bodies, notes = bodies_of(groups, official)
    names = (
        official.table
        if official
        else run.tables["places"].rename(columns={"place": "practice_code", "name": "practice_name"})
    )
    called = dict(zip(names["practice_code"], names["practice_name"], strict=True))
    path = home / "session.json"
    write_session(path, session(groups, called, bodies))
    return [path], notes


_EXPORTS = {"parquet": _parquet, "geojson": _geojson, "session": _session}

__all__ = ["Place", "Taken", "give_out", "give_out_neighbours", "take_in"]
