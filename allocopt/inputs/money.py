"""Tables of money keyed on a code: a baseline or spend by place, or a larger body's money and how it is shared.

Imports `reading`, `joins`, `cells`, `tables`, `units` and `errors`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from allocopt.errors import Problem, TableFault
from allocopt.inputs.cells import Bounds, codes, column, numbers
from allocopt.inputs.joins import Keyed, join
from allocopt.inputs.reading import Reading
from allocopt.inputs.tables import Cited, Table, count, some
from allocopt.units import to_million

if TYPE_CHECKING:
    from allocopt.settings import Baseline, Spend

_ABOVE_ZERO = Bounds(
    above=0,
    why="distance from target and growth would not exist",
    cure="correct the values, or leave the places out with inputs.places.only or small_lists",
)


@dataclass(frozen=True)
class Money:
    """A table of money with its codes: `which` is baseline or spend; `within` names the larger body, if it is one's."""

    which: str
    keyed: Keyed
    column: str
    to_million: float
    within: str | None


def money_table(reading: Reading, which: str, places: Keyed | None) -> Money | None:
    """The table that the scenario names for `which`, joined with every place; None when none can be read."""
    inputs = reading.scenario.inputs
    given: Baseline | Spend | None = inputs.baseline if which == "baseline" else inputs.spend
    if given is None or given.table is None or given.column is None or given.unit is None:
        return None
    table = reading.table(given.table, "inputs", which, "table")
    if table is None:
        return None
    within = inputs.baseline.shared.within if which == "baseline" and inputs.baseline.shared else None
    cited = reading.cited("inputs", which, "key" if given.key else "table")
    found = _codes(reading, table, given.key or within or inputs.places.key, cited, places)
    amounts = column(table, given.column, reading.cited("inputs", which, "column"), reading.problems)
    if found is None or amounts is None:
        return None
    money = Money(which, Keyed(table, found, ("place", "places")), given.column, to_million(given.unit), within)
    if places is not None:
        _join(reading, money, places)
    return money


def _codes(reading: Reading, table: Table, key: str, cited: Cited, places: Keyed | None) -> Sequence[str] | None:
    """The codes of the table; those of the places table itself are checked already."""
    if places is not None and table is places.table and key == reading.scenario.inputs.places.key:
        return places.codes
    return codes(table, key, cited, reading.problems)


def _join(reading: Reading, money: Money, places: Keyed) -> None:
    cited = reading.cited("inputs", money.which, "table")
    if money.within is None:
        join(money.keyed, places, cited, reading.problems)
    elif money.within in places.table.columns:
        bodies = Keyed(places.table, places.table.columns[money.within], ("larger body", "larger bodies"))
        join(money.keyed, bodies, cited, reading.problems)


def spend_by_place(reading: Reading, money: Money | None, kept: Keyed) -> pd.Series | None:
    """Recorded spend of the places of the run, GBP million, none below zero."""
    return None if money is None else _values(reading, money, kept.codes, Bounds())


def baseline_by_place(
    reading: Reading, money: Money | None, kept: Keyed, frame: pd.DataFrame
) -> tuple[pd.Series | None, pd.Series | None]:
    """The baseline by place, and the larger bodies' money, as far as they stand before targets exist (GBP million)."""
    shared = reading.scenario.inputs.baseline.shared
    if money is None or shared is None:
        return (None if money is None else _values(reading, money, kept.codes, _ABOVE_ZERO)), None
    bodies = _values(reading, money, sorted(set(kept.table.columns.get(shared.within, []))), _ABOVE_ZERO)
    if reading.problems or shared.by == "target":
        return None, bodies
    try:
        return share_within(bodies, frame[shared.within], frame[shared.by]), bodies
    except TableFault as fault:
        reading.problems.extend(fault.problems)
        return None, bodies


def _values(reading: Reading, money: Money, wanted: Sequence[str], bounds: Bounds) -> pd.Series:
    """GBP million by code, in the order wanted; a code without a row has had its problem told by the join."""
    row = {code: row for row, code in enumerate(money.keyed.codes)}
    labels = [code for code in wanted if code in row]
    table = money.keyed.table.take([row[code] for code in labels])
    cited = reading.cited("inputs", money.which, "column")
    values = numbers(table, labels, money.column, cited, reading.problems, bounds=bounds) * money.to_million
    return pd.Series(values, index=pd.Index(labels, name="place", dtype="str"), name=money.which)


def share_within(bodies: pd.Series, within: pd.Series, by: pd.Series) -> pd.Series:
    """Each body's money (GBP million, by body) over its places in proportion to `by`; adds up to every body's money.

    `within` (place -> body) and `by` have the index place. Raises TableFault when `by` sums to zero within a body, or
    is zero for a place: its baseline would be zero.
    """
    total = by.groupby(within).transform("sum")
    empty = sorted(set(within[total <= 0]))
    nothing = [str(code) for code in by.index[(by <= 0) & (total > 0)]]
    problems, key = [], "inputs.baseline.shared.by"
    if empty:
        message = f"'{by.name}' sums to zero within {count(len(empty), 'larger body', 'larger bodies')}: {some(empty)}"
        problems.append(Problem(message, "share by another column", key))
    if nothing:
        message = (
            f"'{by.name}' is zero for {count(len(nothing), 'place')}, whose baseline would be zero: {some(nothing)}"
        )
        problems.append(Problem(message, "share by another column, or leave the places out", key))
    if problems:
        raise TableFault("a larger body's money cannot be shared among its places", tuple(problems))
    return (within.map(bodies).astype("float64") * by / total).rename("baseline")
