"""The tables of a run, checked and joined on place code: what every later step may take as true.

Codes are joined exactly in both directions before any place is left out; values are checked for the places that stay.
Nothing is filled in: what a table lacks is an error, unless the scenario says what to do, and then a note says that it
was done and to how many places. Imports `places`, `columns`, `money`, `links`, `reading`, `tables`, `joins`, `units`
and the types of `settings` and `scenario`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from allocopt.inputs.columns import frame
from allocopt.inputs.joins import Keyed
from allocopt.inputs.links import Links, links_of
from allocopt.inputs.money import baseline_by_place, money_table, spend_by_place
from allocopt.inputs.places import all_places, places_of_run
from allocopt.inputs.reading import Reading
from allocopt.inputs.tables import some
from allocopt.inputs.yearly import populations, pots, previous, stated_pots
from allocopt.units import say_money

if TYPE_CHECKING:
    from allocopt.scenario import Loaded
    from allocopt.settings import Scenario


@dataclass(frozen=True)
class InputFile:
    """A file that was read: as the scenario writes it, with the hash of its bytes."""

    file: str
    sha256: str
    rows: int


@dataclass(frozen=True)
class Inputs:
    """Checked tables of one run. Place indexes are place codes, sorted and unique; money is GBP million."""

    places: pd.DataFrame
    """Columns of the places table: float64 where the scenario uses a column as numbers, text elsewhere."""
    years: tuple[str, ...]
    name: pd.Series
    population: pd.DataFrame
    """Place x year, people; NaN throughout when the scenario names no population column."""
    previous_population: pd.DataFrame | None
    """Place x year, people a year before; None when nothing says so of the first year."""
    roles: Mapping[str, str]
    """Role (population, area, region, imd, latitude, ...) -> column of `places`."""
    pot: pd.Series
    """By year, GBP million: what is left after the reserve."""
    baseline: pd.Series | None
    """GBP million by place; None when it needs targets: `allocopt.baseline.baseline` makes it."""
    bodies: pd.Series | None
    """GBP million by larger body, when the baseline is a larger body's money shared among its places."""
    recorded_spend: pd.Series | None
    """GBP million by place, when the scenario gives a table."""
    lines: pd.Series
    """The line of the places table on which each place stands."""
    files: tuple[InputFile, ...]
    notes: tuple[str, ...]
    """Explicit choices of the scenario that were applied, in words, with counts."""
    reserve: pd.Series | None = None
    """By year, GBP million held back before anything is allocated, in whole pounds; None when nothing is."""
    growth: pd.DataFrame | None = None
    """Place x year: people over those that the needs belong to; None when one population stands for every year."""
    links: Links | None = None
    """(m, 2) positions of places that are neighbours by the scenario's own table; None when it names none."""

    def role(self, name: str) -> pd.Series | None:
        """The column that holds role `name`, or None when the scenario names none."""
        return self.places[self.roles[name]] if name in self.roles else None

    def named(self, codes: Sequence[str]) -> str:
        """The first ten of these places with their lines, and how many more, for a message."""
        return some([f"{code} (line {self.lines[code]})" for code in codes])


def read_inputs(loaded: Loaded) -> Inputs:
    """Read, check and join the tables of a scenario.

    Raises TableFault with every problem of every table: codes, lines, cause and cure. Source: the scenario's `inputs`.
    """
    reading = Reading(loaded)
    places = all_places(reading)
    baselines, spending = (money_table(reading, which, places) for which in ("baseline", "spend"))
    if places is None:
        reading.stop_if_wrong()
        raise AssertionError("a places table without codes is a problem")
    kept = places_of_run(reading, places)
    columns = frame(reading, kept)
    recorded = spend_by_place(reading, spending, kept)
    baseline, bodies = baseline_by_place(reading, baselines, kept, columns)
    pot, people = pots(reading), populations(reading, kept, columns)
    links = links_of(reading, places, kept)
    reading.stop_if_wrong()
    money = {"baseline": baseline, "bodies": bodies, "recorded_spend": recorded}
    return _assemble(reading, kept, columns, pot=pot, people=people, money=money, links=links)


def _assemble(
    reading: Reading,
    kept: Keyed,
    columns: pd.DataFrame,
    *,
    pot: pd.Series,
    people: pd.DataFrame,
    money: Mapping[str, pd.Series | None],
    links: Links | None,
) -> Inputs:
    scenario, roles = reading.scenario, reading.roles
    if "population" not in roles:
        reading.notes.append("no population column is named: figures per head are not made")
    return Inputs(
        places=columns,
        years=tuple(scenario.years),
        name=_names(columns, scenario.inputs.places.name),
        population=people,
        previous_population=_previous(reading, columns, people),
        growth=_growth(reading, columns, people),
        roles=roles,
        pot=pot - _reserve(scenario, pot),
        reserve=_reserve(scenario, pot) if "reserve" in scenario.rules else None,
        **money,
        links=links,
        lines=pd.Series(kept.table.lines, index=columns.index, name="line"),
        files=tuple(InputFile(table.file, table.sha256, len(table)) for table in reading.tables.values()),
        notes=(*reading.notes, *_reserve_notes(scenario, pot)),
    )


def _names(columns: pd.DataFrame, name: str | None) -> pd.Series:
    """The name of each place; its code where the scenario names no column of names."""
    given = columns[name] if name else columns.index.to_series()
    return given.astype("str").rename("name")


def _previous(reading: Reading, columns: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame | None:
    """Each place's own column of a year before; else, with populations by year, that which the needs belong to."""
    roles, by_year = reading.roles, reading.scenario.inputs.populations is not None
    if "population_growth" in roles:
        return _from_growth(reading, columns[roles["population_growth"]], people)
    before = roles.get("previous_population") or (roles.get("population") if by_year else None)
    return None if before is None else previous(people, columns[before])


def _from_growth(reading: Reading, growth: pd.Series, people: pd.DataFrame) -> pd.DataFrame:
    """People a year before the first, from their published growth."""
    keys = ("inputs", "places", "columns", "population_growth")
    if "previous_population" in reading.roles:
        reading.wrong("previous_population says it already", "name one of the two columns", *keys)
    elif "population" not in reading.roles:
        reading.wrong("it is the growth of a population, and none is named", "name population as well", *keys)
    reading.stop_if_wrong()
    return previous(people, people.iloc[:, 0] / (1.0 + growth.astype("float64") / 100.0))


def _growth(reading: Reading, columns: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame | None:
    if reading.scenario.inputs.populations is None:
        return None
    return people.div(columns[reading.roles["population"]].astype("float64"), axis="index")


def _reserve(scenario: Scenario, pot: pd.Series) -> pd.Series:
    """The share of each year's announced pot that the rule `reserve` holds back, to the pound."""
    share: Any = scenario.rules["reserve"].parameters["share"] if "reserve" in scenario.rules else 0.0
    by_year = {year: share[year] if isinstance(share, dict) else share for year in scenario.years}
    pounds = (pot * 1e6).round() * pd.Series(by_year)
    return (pounds.round() / 1e6).rename("reserve").rename_axis("year")


def with_pot(inputs: Inputs, scenario: Scenario) -> Inputs:
    """The same tables with the pot and the reserve of another scenario."""
    pot = stated_pots(scenario)
    reserve = _reserve(scenario, pot)
    return replace(inputs, pot=pot - reserve, reserve=None if inputs.reserve is None else reserve)


def _reserve_notes(scenario: Scenario, announced: pd.Series) -> tuple[str, ...]:
    if "reserve" not in scenario.rules:
        return ()
    held = _reserve(scenario, announced)
    parts = [f"{say_money(held[year])} of {say_money(announced[year])} in {year}" for year in scenario.years]
    return (f"held back as a reserve before anything is allocated: {', '.join(parts)}",)


def pot_against_baseline(inputs: Inputs, baseline: pd.Series) -> tuple[str, ...]:
    """A warning when the first year's pot is under half or over twice the baseline: often a wrong unit."""
    pot, total = float(inputs.pot.iloc[0]), float(baseline.sum())
    if 0.5 <= pot / total <= 2:
        return ()
    words = f"the pot of {inputs.years[0]} is {say_money(pot)} and the baselines sum to {say_money(total)}"
    return (f"{words}: check their units (pot.value, inputs.baseline.unit)",)
