"""Which places are in a run: their codes, what `only` keeps, what becomes of small lists.

Places leave a run only by a choice that the scenario states, and a note says how many left. A place is never left out
because a value is missing. Imports `reading`, `joins`, `cells`, `tables` and `errors`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from allocopt.inputs.cells import codes, column, numbers
from allocopt.inputs.joins import Keyed, join
from allocopt.inputs.reading import Reading
from allocopt.inputs.tables import Cited, Origin, Table, count, some


def all_places(reading: Reading) -> Keyed | None:
    """The places table with its codes, in the order of the file; None when it cannot be read."""
    given = reading.scenario.inputs.places
    table = reading.table(given.table, "inputs", "places", "table")
    found = codes(table, given.key, reading.cited("inputs", "places", "key"), reading.problems) if table else None
    if table is None or found is None:
        return None
    reading.notes.extend(_differ_by_case(found))
    places: Keyed | None = Keyed(table, found, ("place", "places"))
    for number in range(len(given.more)):
        places = None if places is None else _with_more(reading, places, number)
    return places


def _with_more(reading: Reading, places: Keyed, number: int) -> Keyed | None:
    """The places with the columns of one more table, joined exactly; a column may stand in one table only."""
    given, keys = reading.scenario.inputs.places.more[number], ("inputs", "places", "more", str(number))
    table = reading.table(given.table, *keys, "table")
    found = codes(table, given.key, reading.cited(*keys, "key"), reading.problems) if table else None
    if table is None or found is None:
        return None
    if given.others == "leave_out":
        places = _leave_others(reading, places, set(found), table.file)
    join(Keyed(table, found, ("place", "places")), places, reading.cited(*keys, "table"), reading.problems)
    twice = [name for name in table.columns if name in places.table.columns and name != given.key]
    if twice:
        message = f"{table.file} and {places.table.file} both have the columns {some(twice)}"
        reading.wrong(message, "rename them in one of the tables", *keys, "table", file=table.file)
    if reading.problems:
        return places
    row = {code: at for at, code in enumerate(found)}
    order = [row[code] for code in places.codes]
    fresh = {
        name: [cells[at] for at in order] for name, cells in table.columns.items() if name not in places.table.columns
    }
    origin = Origin(table.file, [table.lines[at] for at in order], table.counted)
    joined = {**places.table.joined, **dict.fromkeys(fresh, origin)}
    made = replace(places.table, columns={**places.table.columns, **fresh}, joined=joined)
    return Keyed(made, places.codes, places.what)


def _leave_others(reading: Reading, places: Keyed, have: set[str], file: str) -> Keyed:
    """The places that another table has; the scenario says that the others leave the run."""
    rows = [row for row, code in enumerate(places.codes) if code in have]
    left = len(places.codes) - len(rows)
    if left:
        reading.notes.append(
            f"{count(left, 'place')} that {file} does not have {'is' if left == 1 else 'are'} left out"
        )
    return _take(places, rows)


def _differ_by_case(found: Sequence[str]) -> list[str]:
    folded: dict[str, set[str]] = {}
    for code in found:
        folded.setdefault(code.casefold(), set()).add(code)
    pairs = [" and ".join(sorted(same)) for _, same in sorted(folded.items()) if len(same) > 1]
    return (
        [f"place codes that differ only by upper and lower case, kept as different places: {some(pairs)}"]
        if pairs
        else []
    )


def places_of_run(reading: Reading, places: Keyed) -> Keyed:
    """The places that `only` and `small_lists` keep, sorted by code."""
    ordered = _take(places, sorted(range(len(places.codes)), key=lambda row: places.codes[row]))
    return _small_lists(reading, _only(reading, ordered))


def _take(places: Keyed, rows: Sequence[int]) -> Keyed:
    return Keyed(places.table.take(rows), [places.codes[row] for row in rows], places.what)


def _keep(places: Keyed, keep: NDArray[np.bool_]) -> Keyed:
    return places if keep.all() else _take(places, [int(row) for row in np.flatnonzero(keep)])


def _only(reading: Reading, places: Keyed) -> Keyed:
    """The places whose column has one of the values that `only` lists; each value must exist."""
    given = reading.scenario.inputs.places.only
    keep = np.ones(len(places.codes), dtype=np.bool_)
    for name, values in given.items():
        wanted = [values] if isinstance(values, str) else values
        keep &= _has(reading, places.table, name, wanted)
    kept = _keep(places, keep)
    if given:
        words = " and ".join(
            f"{name} is {value if isinstance(value, str) else ' or '.join(value)}" for name, value in given.items()
        )
        reading.notes.append(
            f"only {len(kept.codes):,} of {len(places.codes):,} places are in the run and share the pot: {words}"
        )
        _whole_bodies(reading, places.table, keep)
        if not keep.any() and not reading.problems:
            reading.wrong(
                f"no place is left: {words}", "widen `only`", "inputs", "places", "only", file=places.table.file
            )
    return kept


def _has(reading: Reading, table: Table, name: str, wanted: Sequence[str]) -> NDArray[np.bool_]:
    cells = column(table, name, reading.cited("inputs", "places", "only", name), reading.problems)
    if cells is None:
        return np.zeros(len(table), dtype=np.bool_)
    values = set(cells)
    absent = [value for value in wanted if value not in values]
    if absent:
        message = f"no place of {table.file} has {' or '.join(repr(value) for value in absent)} in column '{name}'"
        reading.wrong(
            message, f"its values are: {some(sorted(values))}", "inputs", "places", "only", name, file=table.file
        )
    return np.array([cell in wanted for cell in cells], dtype=np.bool_)


def _bodies(reading: Reading, table: Table) -> NDArray[np.object_] | None:
    """The larger body of each place, when the baseline is shared among a body's places."""
    shared = reading.scenario.inputs.baseline.shared
    cells = table.columns.get(shared.within) if shared else None
    return None if cells is None else np.array(cells, dtype=object)


def _whole_bodies(reading: Reading, table: Table, keep: NDArray[np.bool_]) -> None:
    """A body's money can be shared only when all of its places are in the run, or none."""
    bodies = _bodies(reading, table)
    cut = [] if bodies is None else sorted(set(bodies[keep]) & set(bodies[~keep]))
    if cut:
        message = (
            f"`only` keeps some places of {count(len(cut), 'larger body', 'larger bodies')} and leaves out others, "
        )
        message += f"so the baseline cannot be shared among them: {some(cut)}"
        cure = "choose by the column that names the larger body, or by a larger area"
        reading.wrong(message, cure, "inputs", "places", "only", file=table.file)


def _small_lists(reading: Reading, places: Keyed) -> Keyed:
    """Keep or leave out the places below the population that the scenario states, and say how many."""
    given = reading.scenario.inputs.places.small_lists
    if given is None:
        return places
    name = reading.roles.get("population")
    if name is None:
        cure = "name the column: inputs.places.columns.population"
        reading.wrong("small_lists needs a population column", cure, "inputs", "places", "small_lists")
        return places
    people = _people(places, name)
    small = (people >= 0) & (people < given.under)
    verb = "is" if small.sum() == 1 else "are"
    done = (
        f"{verb} kept"
        if given.treat == "keep"
        else f"{verb} left out, with {'its target' if verb == 'is' else 'their targets'}"
    )
    under = (
        f"{count(int(small.sum()), 'place')} under {given.under:g} people ({people[small].sum():,.0f} people in all)"
    )
    reading.notes.append(f"{under} {done}")
    return places if given.treat == "keep" else _without(reading, places, small)


def _people(places: Keyed, name: str) -> NDArray[np.float64]:
    """Population, NaN where it cannot be read: such a place stays, so that its problem is told with the others."""
    if name not in places.table.columns:
        return np.full(len(places.codes), np.nan)
    return numbers(places.table, places.codes, name, Cited(""), [], may_be_empty=True)


def _without(reading: Reading, places: Keyed, small: NDArray[np.bool_]) -> Keyed:
    if small.all():
        reading.wrong(
            "no place is left: all are small lists", "lower `under`", "inputs", "places", "small_lists", "under"
        )
        return places
    bodies = _bodies(reading, places.table)
    if bodies is not None:
        _money_moves(reading, bodies, small)
    return _keep(places, ~small)


def _money_moves(reading: Reading, body_of: NDArray[np.object_], small: NDArray[np.bool_]) -> None:
    """A left-out place's part of its body's money goes to the body's other places: say so; without others, refuse."""
    left, stay = set(body_of[small]), set(body_of[~small])
    empty = sorted(left - stay)
    if empty:
        bodies_have = count(len(empty), "larger body has", "larger bodies have")
        message = f"{bodies_have} no place left to take the money: {some(empty)}"
        reading.wrong(message, "lower `under`, or treat: keep", "inputs", "places", "small_lists", "under")
    if left & stay:
        said = count(
            len(left & stay), "larger body that loses small lists is", "larger bodies that lose small lists is"
        )
        reading.notes.append(f"the whole baseline of {said} shared among the places that stay")
