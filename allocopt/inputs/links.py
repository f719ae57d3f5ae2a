"""A scenario's own table of links between places: who neighbours whom, for contiguous consortia.

A row is a link and counts in both directions, so that a table may state it once or twice. A code that no place has is
an error; links of places that the scenario leaves out leave with them. Imports `reading`, `joins`, `cells`, `tables`
and `settings.neighbours`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from allocopt.inputs.cells import cells_at, column, found_at
from allocopt.inputs.joins import Keyed, look_alike
from allocopt.inputs.reading import Reading
from allocopt.inputs.tables import FIRST, Table, count, some
from allocopt.settings.neighbours import LINKS, NeighbourTable

Links = NDArray[np.int64]
_RULE, _PARAMETER = LINKS[1:3]


def neighbour_table(reading: Reading) -> NeighbourTable | None:
    """The table of links that the scenario names; None where contiguity is off or its graph is Delaunay's."""
    rule = reading.scenario.rules.get(_RULE)
    graph = None if rule is None else rule.parameters.get(_PARAMETER)
    return graph if isinstance(graph, NeighbourTable) else None


def links_of(reading: Reading, places: Keyed, kept: Keyed) -> Links | None:
    """(m, 2) positions of the places of each link among those of the run, the lower first, sorted, each once.

    None where the scenario names no table, or it has problems: an empty cell or one with spaces around the code, a
    code that no place has, a place linked to itself.
    """
    said = neighbour_table(reading)
    table = None if said is None else reading.table(said.table, *LINKS)
    if said is None or table is None:
        return None
    ends = [_codes(reading, table, name, key) for name, key in ((said.place, "place"), (said.neighbour, "neighbour"))]
    one, other = ends
    if one is None or other is None:
        return None
    before = len(reading.problems)
    known = set(places.codes)
    for name, cells in ((said.place, one), (said.neighbour, other)):
        _unknown(reading, table, name, cells, places, known)
    _to_itself(reading, table, one, other)
    return None if len(reading.problems) > before else _positions(reading, table, one, other, kept)


def _codes(reading: Reading, table: Table, name: str, key: str) -> Sequence[str] | None:
    """The codes of one column, with every cell that holds none told."""
    cited = reading.cited(*LINKS[:-1], key)
    found = column(table, name, cited, reading.problems)
    if found is None:
        return None
    empty = [row for row, code in enumerate(found) if not code.strip()]
    spaced = [row for row, code in enumerate(found) if code.strip() and code != code.strip()]
    if empty:
        lines = some([str(table.lines[row]) for row in empty])
        message = f"column '{name}' has {count(len(empty), 'empty code')}: {table.counted} {lines}"
        cure = "write the code, or delete the row: a place without neighbours needs none"
        reading.problems.append(found_at(table, empty, message, cure, cited))
    if spaced:
        message = f"column '{name}' has {count(len(spaced), 'code')} with spaces around: "
        message += cells_at(table, found, spaced, found)
        cure = "remove the spaces before and after the code"
        reading.problems.append(found_at(table, spaced, message, cure, cited))
    return found


def _unknown(reading: Reading, table: Table, name: str, cells: Sequence[str], places: Keyed, known: set[str]) -> None:
    """Codes that the places table does not have, each at its first line with the place that looks most like it."""
    first: dict[str, int] = {}
    for row, code in enumerate(cells):
        if code.strip() == code and code and code not in known:
            first.setdefault(code, row)
    if not first:
        return
    file = places.table.file
    message = f"column '{name}' has {count(len(first), 'code')} that {file} does not have: "
    message += cells_at(table, cells, list(first.values()))
    alike = look_alike(known, first) or _nearest(list(first)[:FIRST], places.codes)
    cure = f"{alike}; or delete the rows" if alike else f"delete the rows, or add the places to {file}"
    cited = reading.cited(*LINKS)
    reading.problems.append(found_at(table, list(first.values()), message, cure, cited))


def _nearest(codes: Sequence[str], known: Sequence[str]) -> str:
    """'did you mean 'A81001' for 'A8101'?', for codes that are like one of a place."""
    near = {code: get_close_matches(code, known, n=1, cutoff=0.7) for code in codes}
    pairs = [f"'{found[0]}' for '{code}'" for code, found in near.items() if found]
    return f"did you mean {some(pairs)}?" if pairs else ""


def _to_itself(reading: Reading, table: Table, one: Sequence[str], other: Sequence[str]) -> None:
    rows = [row for row, code in enumerate(one) if code.strip() and code == other[row]]
    if rows:
        verb = "is its own neighbour" if len(rows) == 1 else "are their own neighbours"
        message = f"{count(len(rows), 'place')} {verb}: {cells_at(table, one, rows)}"
        reading.problems.append(found_at(table, rows, message, "delete the rows", reading.cited(*LINKS)))


def _positions(reading: Reading, table: Table, one: Sequence[str], other: Sequence[str], kept: Keyed) -> Links:
    """The links of the places of the run; what is stated twice and what leaves with its places is noted."""
    index = {code: at for at, code in enumerate(kept.codes)}
    stated = Counter(zip(one, other, strict=True))
    twice = sum(stated.values()) - len(stated)
    if twice:
        verb = "is" if twice == 1 else "are"
        reading.notes.append(f"{table.file}: {count(twice, 'row')} that {verb} stated twice {verb} counted once")
    gone = {tuple(sorted(ends)) for ends in stated if not (ends[0] in index and ends[1] in index)}
    if gone:
        verb = "is" if len(gone) == 1 else "are"
        reading.notes.append(
            f"{table.file}: {count(len(gone), 'link')} of places that are not in the run {verb} left out"
        )
    inside = [(index[a], index[b]) for a, b in stated if a in index and b in index]
    pairs = np.sort(np.array(inside, dtype=np.int64).reshape(-1, 2), axis=1)
    return np.unique(pairs, axis=0)


__all__ = ["Links", "links_of", "neighbour_table"]
