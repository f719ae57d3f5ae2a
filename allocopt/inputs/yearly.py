"""Tables with a row for each year: the pots, and the people of each place year by year.

    population_pt = column_p x C_bt / (C_b: the column summed over the places of body b)     where places follow a body
    population_pt = the table's own figure                                                   elsewhere

so that a body's places together have its people in every year. The column of the places table is the population of the
year before the first. Imports `reading`, `joins`, `cells`, `tables`, `units`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

import numpy as np
import pandas as pd

from allocopt.inputs.cells import Bounds, cells_at, column, found_at, numbers
from allocopt.inputs.joins import Keyed
from allocopt.inputs.reading import Reading
from allocopt.inputs.tables import Table, count, some
from allocopt.settings import Populations, Scenario, year_text
from allocopt.units import to_million

_MONEY = Bounds(above=0, why="there would be nothing to allocate", cure="correct the amount")
_PEOPLE = Bounds(above=0, why="a place without people has no figure per head", cure="correct the figure")


def pots(reading: Reading) -> pd.Series:
    """The pot of each year, GBP million, index year: from `value`, or one row a year of the table."""
    scenario = reading.scenario
    if scenario.pot.table is None:
        return stated_pots(scenario)
    pot, keys = scenario.pot, ("pot",)
    table = reading.table(pot.table or "", "pot", "table")
    nothing = pd.Series(np.nan, index=pd.Index(scenario.years, name="year"), name="pot")
    rows = None if table is None else _rows(reading, table, pot.where, pot.year or "", keys)
    if table is None or rows is None:
        return nothing
    chosen = _one_each(reading, table, {year: rows.get(year, []) for year in scenario.years}, keys, sorted(rows))
    if chosen is None:
        return nothing
    taken = table.take([chosen[year] for year in scenario.years])
    cited = reading.cited("pot", "column")
    money = numbers(taken, scenario.years, pot.column or "", cited, reading.problems, bounds=_MONEY)
    nothing[:] = np.round(money * to_million(pot.unit or "£"), 6)
    return nothing


def stated_pots(scenario: Scenario) -> pd.Series:
    """The pot of each year, GBP million, of a scenario that gives it as `value`."""
    value = scenario.pot.value
    by_year = {year: value[year] if isinstance(value, dict) else value for year in scenario.years}
    return pd.Series(by_year, name="pot", dtype="float64").rename_axis("year")


def _rows(
    reading: Reading, table: Table, where: Mapping[str, str | list[str]] | None, year: str, keys: tuple[str, ...]
) -> dict[str, list[int]] | None:
    """Rows by year, of those that `where` keeps; None and problems when a column or a value is not there."""
    keep = np.ones(len(table), dtype=np.bool_)
    for name, wanted in (where or {}).items():
        found = column(table, name, reading.cited(*keys, "where", name), reading.problems)
        if found is None:
            return None
        values = [wanted] if isinstance(wanted, str) else wanted
        absent = [value for value in values if value not in set(found)]
        if absent:
            message = f"no row of {table.file} has {' or '.join(map(repr, absent))} in column '{name}'"
            cure = f"its values are: {some(sorted(set(found)))}"
            reading.wrong(message, cure, *keys, "where", name, file=table.file)
            return None
        keep &= np.isin(np.array(found, dtype=object), values)
    years = column(table, year, reading.cited(*keys, "year"), reading.problems)
    if years is None:
        return None
    rows: dict[str, list[int]] = {}
    for row in np.flatnonzero(keep):
        rows.setdefault(year_text(years[int(row)].strip()), []).append(int(row))
    return rows


def _one_each(
    reading: Reading, table: Table, rows: Mapping[str, Sequence[int]], keys: tuple[str, ...], years: Sequence[str]
) -> dict[str, int] | None:
    """The one row of every year; None and a problem where there is none, or more than one."""
    missing = [year for year, found in rows.items() if not found]
    several = [year for year, found in rows.items() if len(found) > 1]
    if missing:
        cure = f"the years of the table are {some(years)}: change `years`, or add the rows"
        reading.wrong(f"{table.file} has no row for {some(missing)}", cure, *keys, "year", file=table.file)
    if several:
        lines = some(
            [f"{year} (lines {', '.join(str(table.lines[row]) for row in rows[year][:5])})" for year in several]
        )
        cure = "say which rows are meant: `where: {column: value}`"
        reading.wrong(f"{table.file} has more than one row for {lines}", cure, *keys, "where", file=table.file)
    return None if missing or several else {year: found[0] for year, found in rows.items()}


def populations(reading: Reading, kept: Keyed, columns: pd.DataFrame) -> pd.DataFrame:
    """Place x year, people; NaN throughout when the scenario names no population. Problems are kept in `reading`."""
    years, role = reading.scenario.years, reading.roles.get("population")
    given = reading.scenario.inputs.populations
    own = columns[role].to_numpy(dtype=float) if role in columns else np.full(len(columns), np.nan)
    same = pd.DataFrame(dict.fromkeys(years, own), index=columns.index)
    if given is None:
        return same
    keys = ("inputs", "populations")
    if role is None:
        message = "populations by year need the population that the needs of the places table belong to"
        reading.wrong(message, "name its column: inputs.places.columns.population", *keys)
        return same
    codes = _bodies(reading, kept, given)
    table = reading.table(given.table, *keys, "table")
    if table is None or codes is None:
        return same
    people = _people(reading, table, given, sorted(set(codes)))
    if people is None or reading.problems:
        return same
    by_place = people.reindex(codes).to_numpy()
    if given.follows is not None:
        total = pd.Series(own).groupby(np.asarray(codes, dtype=object)).sum().reindex(codes).to_numpy()
        by_place = own[:, None] * by_place / total[:, None]
    return pd.DataFrame(by_place, index=columns.index, columns=list(years))


def _bodies(reading: Reading, kept: Keyed, given: Populations) -> list[str] | None:
    """The code under which each place stands in the table: its own, or its body's."""
    if given.follows is None:
        return list(kept.codes)
    found = column(kept.table, given.follows, reading.cited("inputs", "populations", "follows"), reading.problems)
    return None if found is None else list(found)


def _people(reading: Reading, table: Table, given: Populations, wanted: Sequence[str]) -> pd.DataFrame | None:
    """People by code and year: exactly one row for each code that is wanted, in every year."""
    keys, years = ("inputs", "populations"), reading.scenario.years
    rows = _rows(reading, table, given.where, given.year, keys)
    codes = column(table, given.key, reading.cited(*keys, "key"), reading.problems)
    if rows is None or codes is None:
        return None
    if any(year not in rows for year in years):
        _one_each(reading, table, {year: rows.get(year, [])[:1] for year in years}, keys, sorted(rows))
        return None
    found = {}
    for year in years:
        at: dict[str, list[int]] = {}
        for row in rows[year]:
            at.setdefault(codes[row], []).append(row)
        if not _all_there(reading, Keyed(table, codes, ("code", "codes")), at, wanted, year):
            return None
        taken = table.take([at[code][0] for code in wanted])
        cited = reading.cited(*keys, "column")
        found[year] = numbers(taken, wanted, given.column, cited, reading.problems, bounds=_PEOPLE)
    return pd.DataFrame(found, index=list(wanted))


def _all_there(
    reading: Reading, keyed: Keyed, at: Mapping[str, Sequence[int]], wanted: Sequence[str], year: str
) -> bool:
    missing = [code for code in wanted if code not in at]
    twice = [row for code in wanted for row in at.get(code, [])[1:]]
    cited = reading.cited("inputs", "populations", "table")
    if missing:
        near = get_close_matches(missing[0], list(at), n=1)
        message = f"no population of {year} for {count(len(missing), 'code')}: {some(missing)}"
        cure = f"add the rows; nothing is filled in{f' (there is a row for {near[0]!r})' if near else ''}"
        reading.problems.append(cited.problem(message, cure, file=keyed.table.file))
    if twice:
        message = f"more than one population of {year} for {cells_at(keyed.table, keyed.codes, twice)}"
        cure = "say which rows are meant: inputs.populations.where"
        reading.problems.append(found_at(keyed.table, twice, message, cure, cited))
    return not missing and not twice


def previous(population: pd.DataFrame, before: pd.Series) -> pd.DataFrame:
    """Place x year: the people of the year before each year, `before` in front of the first."""
    years = list(population.columns)
    shifted = [before.to_numpy(dtype=float), *(population[year].to_numpy() for year in years[:-1])]
    return pd.DataFrame(dict(zip(years, shifted, strict=True)), index=population.index)
