"""Sessions of the place-based allocation tool: its saved places as a grouping, and a grouping as its saved places.

A session is JSON: one object a place with `gps` ("A83005: Whinfield Medical Practice") and `icb`, and the list `places`
(`group_list` and `ics` in its first year). Imports `need_index` (what a place is), `official` and `errors`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from allocopt.errors import InputFault, Problem, TableFault
from allocopt.exchange.need_index import Place, icb_column
from allocopt.exchange.official import Official

LISTS = ("places", "group_list")


def read_session(path: Path) -> list[Place]:
    """The places of a saved session, in its order. Raises InputFault for what is no session."""
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as failure:
        raise _fault(path, f"{path} is not JSON: {failure.msg}", failure.lineno) from failure
    except OSError as failure:
        raise _fault(path, f"cannot read {path}: {failure.strerror}") from failure
    if not isinstance(data, dict):
        raise _fault(path, f"{path} is not a session: it holds no object")
    names = next((data[name] for name in LISTS if isinstance(data.get(name), list)), None)
    if names is None:
        names = [name for name, one in data.items() if isinstance(one, dict) and "gps" in one]
    return [_place(path, data, str(name)) for name in names]


def _place(path: Path, data: Mapping[str, Any], name: str) -> Place:
    one = data.get(name)
    if not isinstance(one, dict) or not isinstance(one.get("gps"), list) or not one["gps"]:
        raise _fault(path, f"{path}: place '{name}' has no list of practices (`gps`)")
    icb = str(one.get("icb") or one.get("ics") or "")
    return Place(name, tuple(str(practice).partition(":")[0].strip() for practice in one["gps"]), icb)


def _fault(path: Path, message: str, line: int | None = None) -> InputFault:
    cure = "give the session that the tool saves (Download session data as JSON)"
    return InputFault(message, (Problem(message, cure, file=str(path), line=line),))


def grouping(places: Sequence[Place]) -> pd.DataFrame:
    """Places as a grouping: one row a practice (place, group, icb). Raises TableFault for a practice in two places."""
    pairs = [(code, one.name, one.icb) for one in places for code in one.practices]
    counts = Counter(code for code, _, _ in pairs)
    twice = sorted(code for code, number in counts.items() if number > 1)
    if twice:
        said = f"practices in more than one place: {', '.join(twice[:10])}{' ...' if len(twice) > 10 else ''}"
        cure = "a grouping has each practice once: take it out of all places but one (need indices may overlap)"
        raise TableFault(said, (Problem(said, cure),))
    return pd.DataFrame(pairs, columns=["place", "group", "icb"])


def session(groups: pd.DataFrame, names: Mapping[str, str], bodies: Mapping[str, str]) -> dict[str, Any]:
    """A grouping as a session that the tool opens: `groups` has `place` and `group`; ICB by group in `bodies`."""
    made: dict[str, Any] = {}
    for group, part in groups.dropna(subset=["group"]).groupby("group", sort=True):
        practices = [f"{code}: {names.get(code, code)}" for code in part["place"]]
        made[str(group)] = {"gps": practices, "icb": bodies[str(group)]}
    return {**made, "places": list(made)}


def write_session(path: Path, data: Mapping[str, Any]) -> None:
    """As the tool writes it: four spaces, keys in order."""
    path.write_text(json.dumps(data, indent=4, ensure_ascii=False), encoding="utf-8")


def bodies_of(groups: pd.DataFrame, official: Official | None) -> tuple[dict[str, str], list[str]]:
    """The ICB of each group: the one with most of its practices in the official table, else its area; and notes."""
    if official is None:
        said = "ICBs are the run's area codes: give the tool's practice table (--table) for the names that it looks for"
        area = groups["area"] if "area" in groups else pd.Series("", index=groups.index)
        first = groups.assign(area=area.fillna("")).groupby("group", sort=True)["area"].first()
        return {str(group): str(code) for group, code in first.items()}, [said]
    column = icb_column(official)
    body = groups["place"].map(official.table.set_index("practice_code")[column])
    found, notes = {}, []
    for group, part in body.groupby(groups["group"], sort=True):
        counts = part.value_counts()
        found[str(group)] = str(counts.index[0]) if len(counts) else ""
        if len(counts) != 1:
            notes.append(
                f"group {group} has practices in {len(counts)} ICBs: it is filed under {found[str(group)] or 'none'}"
            )
    return found, notes
