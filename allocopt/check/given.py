"""A given grouping against the table that gives it, read here again: who is with whom, and at which hub.

Imports `check.grouping`, `check.inputs` and `check.verdict`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from allocopt.check.grouping import Grouped, Ints, haversine
from allocopt.check.inputs import Plain, cells, places_of
from allocopt.check.verdict import Check, compared


def check_given(of: Grouped, record: Plain, where: Mapping[str, Path | None]) -> Iterator[Check]:
    """Each place's consortium and hub as the table has them; nothing where the grouping was sought."""
    said = record["scenario"].get("grouping") or {}
    if said.get("column") is None:
        return
    own, rows = _rows(record, where, said)
    wrong = [f"{code} is not in the table" for code in of.places if code not in own]
    wrong += [f"{code} of the table is no place of the run" for code in own if code not in set(of.places)]
    if len(set(own)) != len(own):
        wrong.append("a place stands twice in the table")
    if not wrong:
        at = {code: row for row, code in enumerate(own)}
        order = [at[code] for code in of.places]
        label = np.array([str(rows[said["column"]].iloc[row]).strip() for row in order], dtype=object)
        hub = None
        if said.get("hub") is not None:
            hub = np.array([str(rows[said["hub"]].iloc[row]).strip() for row in order], dtype=object)
        wrong += _grouping(of, label, hub)
    wrong += [] if record["status"] == "evaluated" else ["a given grouping is evaluated, and this run says otherwise"]
    yield compared("the given grouping", wrong, f"{len(own):,} places as the table groups them")


def _rows(record: Plain, where: Mapping[str, Path | None], said: Plain) -> tuple[list[str], pd.DataFrame]:
    """The codes of the table and its rows; of the places table those of the run."""
    key = record["scenario"]["inputs"]["places"]["key"]
    if said.get("table") is None:
        rows = places_of(record["scenario"]["inputs"]["places"], where)
        return [str(code) for code in rows.index], rows
    path = where.get("grouping")
    if path is None:
        raise ValueError("the table of the given grouping is nowhere")
    rows = cells(path)
    return [str(code).strip() for code in rows[said.get("key") or key]], rows


def _grouping(of: Grouped, label: Ints, hub: Ints | None) -> Iterator[str]:
    """What differs between the groups of groups.csv and those of the table."""
    alone = label == ""
    names = np.where(alone, [f"\0{code}" for code in of.places], label)
    for name in dict.fromkeys(names.tolist()):
        members = np.flatnonzero(names == name)
        found = np.unique(of.hub[members])
        if len(found) > 1:
            yield f"{of.places[members[0]]} and others of '{name}' have different hubs in groups.csv"
            continue
        others = np.flatnonzero((of.hub == found[0]) & (names != name))
        if len(others):
            yield f"{of.places[others[0]]} is in the consortium of '{name}', the table has it elsewhere"
        stated = set() if hub is None else {str(hub[p]) for p in members.tolist()} - {""}
        if alone[members[0]]:
            stated = {of.places[members[0]]}
        if stated and stated != {of.places[found[0]]}:
            yield f"the hub of '{name}' is {of.places[found[0]]}, the table says {', '.join(sorted(stated))}"
        elif not stated and not is_middle(of, members, int(found[0]), of.may_hub):
            yield f"the hub of '{name}' is {of.places[found[0]]}, which is not the member of least travel"


def is_middle(of: Grouped, members: Ints, hub: int, allowed: object = None) -> bool:
    """Whether a hub is a member with the least travel of all, or of those that may be a hub where one may."""
    may = np.ones(len(of.hub), dtype=bool) if allowed is None else np.array(allowed, dtype=bool)
    could = members[may[members]] if may[members].any() else members
    if hub not in could:
        return False
    people = of.population[members]
    travel = np.array([float(haversine(of, members, np.full(len(members), one)) @ people) for one in could.tolist()])
    own = float(travel[np.flatnonzero(could == hub)[0]])
    return bool(own <= travel.min() + 1e-6 * max(1.0, float(people.sum()) * 1e-3))
