"""Two or more runs side by side, or the cases of a whole batch: figures, what was asked, from which files, who moved.

    found = allocopt.compare(["runs/england-1a2b3c4d", "runs/no-floor-5e6f7a8b"])
    found.figures, found.settings, found.inputs, found.movers       # data frames

Every difference is taken from the first run. Imports `runs` and `errors`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from allocopt.errors import InputFault, Problem

TOP = 20
"""Places that are listed as movers."""
MOST = 50
"""Cases of a batch that are set side by side; results.csv has all of them."""


@dataclass(frozen=True)
class Comparison:
    """Runs by name, in the order given; every table has one column a run."""

    runs: tuple[str, ...]
    figures: pd.DataFrame
    """Status, headline, and each objective's value and bound: one row a figure (`figure`), one column a run."""
    settings: pd.DataFrame
    """Keys of the scenario that the runs say differently: `key`, one column a run, None where a run does not say it."""
    rules: pd.DataFrame
    """Binding rows and price of each rule: `rule`, `measure`, one column a run."""
    inputs: pd.DataFrame
    """Tables whose bytes differ: `file`, the hash in each run."""
    movers: pd.DataFrame
    """The places whose money differs most: place, name, pounds in each run, the largest difference from the first."""

    def as_dict(self) -> dict[str, Any]:
        """As `compare --json` prints it."""
        names = ("figures", "settings", "rules", "inputs", "movers")
        return {"runs": list(self.runs), **{name: rows(getattr(self, name)) for name in names}}


def rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A frame as JSON rows; what is missing is null."""
    found: list[dict[str, Any]] = json.loads(frame.to_json(orient="records", force_ascii=False, double_precision=15))
    return found


@dataclass(frozen=True)
class _Read:
    name: str
    record: Mapping[str, Any]
    allocations: pd.DataFrame | None


def compare(runs: Sequence[str | Path]) -> Comparison:
    """Compare run folders; one batch folder stands for its solved cases (the first 50).

    Raises InputFault for fewer than two runs and for a folder that is no run.
    """
    read = [one for folder in runs for one in _folder(Path(folder))]
    if len(read) < 2:
        said = "a comparison needs two runs or more"
        raise InputFault(said, (Problem(said, "name a second run folder, or the folder of a batch"),))
    names = _unlike([one.name for one in read])
    read = [_Read(name, one.record, one.allocations) for name, one in zip(names, read, strict=True)]
    return Comparison(
        tuple(names),
        _side_by_side(read, ["figure"], lambda one: {(key,): value for key, value in figures(one.record).items()}),
        _differing(read, "key", lambda one: flat(one.record["scenario"])),
        _side_by_side(read, ["rule", "measure"], _rules),
        _differing(read, "file", lambda one: {file["file"]: file["sha256"] for file in one.record["inputs"]}),
        movers(read),
    )


def _folder(folder: Path) -> Iterator[_Read]:
    if not (folder / "batch.json").is_file():
        yield _run(folder, folder.name)
        return
    results = pd.read_csv(folder / "results.csv", dtype="str", keep_default_na=False)
    solved = results[results["exit"].isin(["0", "4"])].drop_duplicates("case").head(MOST)
    for number, case in zip(solved["number"], solved["case"], strict=True):
        yield _run(folder / "cases" / case, f"case {number}")


def _run(folder: Path, name: str) -> _Read:
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        path = folder / "allocations.csv"
        table = pd.read_csv(path, dtype={"place": "str", "name": "str", "year": "str"}) if path.is_file() else None
        for key in ("scenario", "headline", "objectives", "rules", "inputs"):
            record[key]
    except (OSError, ValueError, KeyError) as failure:
        said = f"{folder} is not a run folder: {failure}"
        raise InputFault(
            said, (Problem(said, "name a folder that `allocopt run` or `allocopt batch` wrote", str(folder)),)
        ) from failure
    return _Read(name, record, table)


def _unlike(names: Sequence[str]) -> list[str]:
    """Each name once: a repeated one gets its place in the list."""
    return [name if names.count(name) == 1 else f"{name} ({number})" for number, name in enumerate(names, 1)]


def figures(record: Mapping[str, Any]) -> dict[str, Any]:
    """Status, headline figures, and value and bound of each objective."""
    stages = {f"{one['name']} {part}": one[part] for one in record["objectives"] for part in ("value", "bound", "gap")}
    return {"status": record["status"], **record["headline"], **stages}


def flat(said: Any, at: str = "") -> dict[str, Any]:
    """A resolved scenario as key path -> value; lists stay whole where they hold no maps."""
    if isinstance(said, Mapping):
        below = [(f"{at}.{key}" if at else str(key), one) for key, one in said.items()]
    elif isinstance(said, list) and any(isinstance(one, Mapping) for one in said):
        below = [(f"{at}.{number}", one) for number, one in enumerate(said)]
    else:
        return {at: said}
    return {key: value for path, one in below for key, value in flat(one, path).items()}


def _rules(one: _Read) -> dict[tuple[str, ...], Any]:
    return {
        (rule["name"], measure): rule.get(measure) for rule in one.record["rules"] for measure in ("binding", "price")
    }


def _side_by_side(read: Sequence[_Read], index: list[str], said: Any) -> pd.DataFrame:
    told = [said(one) for one in read]
    keys = list(dict.fromkeys(key for one in told for key in one))
    columns = {name: [key[number] for key in keys] for number, name in enumerate(index)}
    values = {
        one.name: pd.Series([found.get(key) for key in keys], dtype=object)
        for one, found in zip(read, told, strict=True)
    }
    return pd.DataFrame({**columns, **values})


def _differing(read: Sequence[_Read], index: str, said: Any) -> pd.DataFrame:
    told = [said(one) for one in read]
    keys = list(dict.fromkeys(key for one in told for key in one))
    changed = [key for key in keys if any(one.get(key) != told[0].get(key) for one in told)]
    values = {
        one.name: pd.Series([_text(found.get(key)) for key in changed], dtype=object)
        for one, found in zip(read, told, strict=True)
    }
    return pd.DataFrame({index: changed, **values})


def _text(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value


def movers(read: Sequence[_Read]) -> pd.DataFrame:
    """The places whose allocation, all years together, differs most from the first run; empty without allocations."""
    kept = [(one.name, one.allocations) for one in read if one.allocations is not None]
    if len(kept) < 2 or read[0].allocations is None:
        return pd.DataFrame({"place": [], "name": []})
    money = {name: table.groupby("place")["allocation_gbp"].sum() for name, table in kept}
    wide = pd.DataFrame(money).dropna().astype("int64")
    difference = wide.sub(wide[kept[0][0]], axis="index")
    largest = difference.abs().max(axis=1)
    order = largest.sort_values(ascending=False, kind="stable").head(TOP).index
    names = kept[0][1].drop_duplicates("place").set_index("place")["name"]
    shown = wide.loc[order[largest[order] > 0]]
    farthest = difference.loc[shown.index].apply(lambda row: row[row.abs().idxmax()], axis=1)
    shown = shown.assign(largest_difference_gbp=farthest.astype("int64") if len(shown) else pd.Series(dtype="int64"))
    shown.insert(0, "name", names.reindex(shown.index))
    return shown.reset_index()
