"""A grouping that is given rather than sought: read from a table or a column, for evaluation under the same measures.

Imports `plan`, `reading`, `cells`, `joins`, `tables`, `grouping` and below.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from allocopt.errors import Problem, ScenarioFault
from allocopt.grouping.instance import Instance, Ints
from allocopt.grouping.measure import hubs_of_labels
from allocopt.inputs import InputFile
from allocopt.inputs.cells import codes, column
from allocopt.inputs.joins import Keyed, join
from allocopt.inputs.reading import Reading
from allocopt.inputs.tables import Table, count, some
from allocopt.plan import Facts
from allocopt.settings import Grouping


def fault(message: str, cure: str, key: str) -> ScenarioFault:
    """One thing that the scenario's grouping lacks."""
    return ScenarioFault(message, (Problem(message, cure, key),))


def given_grouping(facts: Facts, said: Grouping) -> tuple[pd.DataFrame, tuple[InputFile, ...]] | None:
    """A grouping that is to be evaluated and the file it was read from; or None.

    The table has columns `group` and `hub` (empty where none is said) by place.
    """
    if said.column is None:
        if said.table is not None:
            raise fault("a given grouping needs the column of the consortium", "name it", "grouping.column")
        return None
    places = facts.inputs.places
    if said.table is None:
        return _columns_of(places, said), ()
    reading = Reading(facts.loaded)
    table = reading.table(said.table, "grouping", "table")
    key = said.key or facts.loaded.scenario.inputs.places.key
    found = codes(table, key, reading.cited("grouping", "key"), reading.problems) if table else None
    if table is not None and found is not None:
        own = Keyed(
            Table("the places of this run", "", {}, list(range(len(places)))), list(places.index), ("place", "places")
        )
        join(Keyed(table, found, ("place", "places")), own, reading.cited("grouping", "table"), reading.problems)
        for name in (said.column, *([said.hub] if said.hub else [])):
            column(table, name, reading.cited("grouping", "column"), reading.problems)
    reading.stop_if_wrong()
    assert table is not None
    assert found is not None
    frame = pd.DataFrame({name: list(cells) for name, cells in table.columns.items()}, index=list(found))
    file = InputFile(table.file, table.sha256, len(table))
    known = {one.file for one in facts.inputs.files}
    return _columns_of(frame.loc[list(places.index)], said), () if file.file in known else (file,)


def _columns_of(frame: pd.DataFrame, said: Grouping) -> pd.DataFrame:
    if said.column not in frame.columns:
        raise fault(f"there is no column '{said.column}'", "name a column of the places table", "grouping.column")
    hub = frame[said.hub].astype(str) if said.hub else [""] * len(frame)
    return pd.DataFrame({"group": frame[said.column].astype(str), "hub": hub}, index=frame.index)


def left_out(given: pd.DataFrame) -> list[str]:
    """The places for which no consortium is given, in words: none, or one sentence."""
    number = int((given["group"] == "").sum())
    return [f"the given grouping names no consortium for {count(number, 'place')}: each stands alone"] if number else []


def given_hubs(instance: Instance, given: pd.DataFrame, said: Grouping) -> Ints:
    """Positions of the hubs of a given grouping. Raises ScenarioFault for a place without a group or a strange hub."""
    labels = given["group"].to_numpy(dtype=object)
    alone = [code for code, label in zip(instance.places, labels, strict=True) if not label]
    if alone and said.left_out == "refuse":
        raise fault(
            f"no consortium is given for {some(alone)}",
            "name one for each, or let them stand alone: grouping.left_out: alone",
            "grouping.column",
        )
    if not given["hub"].any():
        return hubs_of_labels(instance, labels)
    own = np.array(instance.places, dtype=object)
    hubs = np.where(labels == "", own, given["hub"].to_numpy(dtype=object))
    lost = sorted(set(hubs) - set(instance.places))
    if lost:
        raise fault(
            f"these hubs are no places of the run: {', '.join(lost[:10])}", "a hub is a place code", "grouping.hub"
        )
    return np.array([instance.index[code] for code in hubs], dtype=np.int64)
