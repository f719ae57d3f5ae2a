"""results.csv: one row a case, and the tables of all cases in one file. Imports `store`, `work` and `units`.

Columns: number, case, each swept key as written (and in figures where it is a quantity: `_pct`, `_gbp`, `_km`, `_s`),
status, exit, the headline, then value, bound, gap, gap_gbp and final_value of each objective in the units of run.json,
and for a case without a result its message and the first cure.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from allocopt.batches.store import Store
from allocopt.errors import InputFault
from allocopt.units import KILOMETRES, MONEY, RATE, SECONDS, Unit

OBJECTIVE = ("value", "bound", "gap", "gap_gbp", "final_value")
_FIGURES: tuple[tuple[Unit, str, float], ...] = (
    (RATE, "pct", 100.0),
    (MONEY, "gbp", 1e6),
    (KILOMETRES, "km", 1.0),
    (SECONDS, "s", 1.0),
)


@dataclass(frozen=True)
class Asked:
    """A row that is asked for: number from 1, case id, the swept keys and their values as written."""

    number: int
    case: str
    parameters: Mapping[str, str]


def case_row(folder: Path) -> dict[str, Any]:
    """What a case folder says in one row."""
    error = folder / "error.json"
    if error.is_file():
        said = json.loads(error.read_text(encoding="utf-8"))["error"]
        return {"status": said["kind"], "exit": said["exit"], "message": message(said), "cure": _cure(said)}
    said = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    stages = {f"{one['name']}_{part}": one[part] for one in said["objectives"] for part in OBJECTIVE}
    status = said["status"]
    return {"status": status, "exit": 4 if status == "gap" else 0, **said["headline"], **stages}


def message(said: Mapping[str, Any]) -> str:
    """A failure in one line: the message and the problems, with their keys."""
    problems = [f"{one['key']}: {one['message']}" if one["key"] else one["message"] for one in said["problems"]]
    return "; ".join(dict.fromkeys([said["message"], *problems])).replace("\n", " ")


def _cure(said: Mapping[str, Any]) -> str | None:
    if said["cures"]:
        first = said["cures"][0]
        return f"--set {first['key']}={first['to']}"
    return next((one["cure"] for one in said["problems"] if one["cure"]), None)


def results(asked: Sequence[Asked], store: Store, *, figures: Sequence[str] = ()) -> pd.DataFrame:
    """One row a case, in the order of the sweep; `figures` are the columns to keep, all of them when none is named."""
    rows = list[dict[str, Any]]()
    keys = list(dict.fromkeys(key for one in asked for key in one.parameters))
    for one in asked:
        said = {key: one.parameters.get(key) for key in keys}
        rows.append({"number": one.number, "case": one.case, **said, **case_row(store.case(one.case))})
    names = list(dict.fromkeys(name for row in rows for name in row))
    last = [name for name in ("message", "cure") if name in names]
    first = ["number", "case", *keys, "status", "exit"]
    rest = [name for name in names if name not in (*first, *last) and _kept(name, figures)]
    columns = {name: _column([row.get(name) for row in rows]) for name in (*first, *rest, *last)}
    return pd.DataFrame(_with_figures(columns, keys))


def _kept(name: str, figures: Sequence[str]) -> bool:
    return not figures or any(name == one or name in {f"{one}_{part}" for part in OBJECTIVE} for one in figures)


def _column(values: Sequence[Any]) -> pd.Series:
    told = [one for one in values if one is not None]
    if told and all(isinstance(one, int) and not isinstance(one, bool) for one in told):
        return pd.Series(values, dtype="Int64")
    if told and all(isinstance(one, int | float) and not isinstance(one, bool) for one in told):
        return pd.Series(values, dtype="float64")
    return pd.Series([None if one is None else str(one) for one in values], dtype="str")


def _with_figures(columns: Mapping[str, pd.Series], keys: Sequence[str]) -> dict[str, pd.Series]:
    """The swept quantities in figures, each beside the text."""
    found: dict[str, pd.Series] = {}
    for name, column in columns.items():
        found[name] = column
        if name in keys:
            found |= _in_figures(name, column)
    return found


def _in_figures(name: str, column: pd.Series) -> dict[str, pd.Series]:
    texts = [None if pd.isna(one) else str(one) for one in column]
    for unit, suffix, factor in _FIGURES:
        try:
            values = [None if one in (None, "off") else round(unit.parse(str(one)) * factor, 9) for one in texts]
        except ValueError:
            continue
        whole = suffix == "gbp" and all(one is None or one == int(one) for one in values)
        typed = pd.Series([None if one is None else int(one) for one in values], dtype="Int64") if whole else None
        return {f"{name}_{suffix}": pd.Series(values, dtype="float64") if typed is None else typed}
    return {}


def parquet_data(frame: pd.DataFrame) -> bytes:
    """The results with their types."""
    made = io.BytesIO()
    frame.to_parquet(made, index=False)
    return made.getvalue()


def whole_table(name: str, cases: Iterable[str], store: Store, path: Path) -> bool:
    """One Parquet file with the table of every solved case, `case` in front; False when no case has it.

    A case is a row group of its own, so memory does not grow with their number. Raises InputFault.
    """
    writer: pq.ParquetWriter | None = None
    draft = path.with_name(f".{path.name}")
    try:
        for case, table in _tables(name, cases, store):
            named = table.add_column(0, "case", pa.array([case] * len(table), pa.string())).replace_schema_metadata()
            writer = writer or pq.ParquetWriter(draft, named.schema, compression="zstd")
            writer.write_table(named.cast(writer.schema))
    except OSError as failure:
        raise InputFault(f"cannot write {path}: {failure.strerror or failure}") from failure
    finally:
        if writer:
            writer.close()
    if writer:
        draft.replace(path)
    return writer is not None


def _tables(name: str, cases: Iterable[str], store: Store) -> Iterator[tuple[str, pa.Table]]:
    for case in cases:
        path = store.case(case) / f"{name}.parquet"
        if path.is_file():
            yield case, pq.read_table(path)
