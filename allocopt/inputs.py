"""The tables of a run, checked and joined on place code: what every later step may take as true.

Codes are joined exactly in both directions before any place is left out; values are checked for the places that stay.
Nothing is filled in: what a table lacks is an error, unless the scenario says what to do, and then a note says that it
was done and to how many places. Imports `tables`, `units`, `errors` and the types of `settings` and `scenario`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from allocopt.errors import Problem, TableFault
from allocopt.tables import Bounds, Cited, Keyed, Table, codes, column, count, join, numbers, read_table, some, texts
from allocopt.units import say_money, to_million

if TYPE_CHECKING:
    from allocopt.scenario import Loaded
    from allocopt.settings import Baseline, Component, Scenario, Spend

NOT_KNOWN = "not known"
"""The group of places whose text column is empty, where the scenario asks for one."""

_ROLE_BOUNDS = {
    "population": Bounds(above=0, why="a place without people has no figure per head", cure="correct it, or leave it out with small_lists"),
    "previous_population": Bounds(above=0, why="population growth is measured against it", cure="correct it, or leave the place out"),
    "latitude": Bounds(least=-90, most=90),
    "longitude": Bounds(least=-180, most=180),
    "imd": Bounds(),
}
_MADE_GROUPS = {"imd_fifth": "imd", "need_decile": "population", "region": "region", "area": "area"}


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
    previous_population: pd.Series | None
    roles: Mapping[str, str]
    """Role (population, area, region, imd, latitude, ...) -> column of `places`."""
    pot: pd.Series
    """By year, GBP million."""
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

    def role(self, name: str) -> pd.Series | None:
        """The column that holds role `name`, or None when the scenario names none."""
        return self.places[self.roles[name]] if name in self.roles else None

    def named(self, codes: Sequence[str]) -> str:
        """The first ten of these places with their lines, and how many more, for a message."""
        return some([f"{code} (line {self.lines[code]})" for code in codes])


@dataclass(frozen=True)
class _Desk:
    """What the steps of one reading share: the scenario with its marks, the tables read, what was found."""

    loaded: Loaded
    tables: dict[Path, Table]
    problems: list[Problem]
    notes: list[str]

    @property
    def scenario(self) -> Scenario:
        return self.loaded.scenario

    def cited(self, *keys: str) -> Cited:
        return Cited(".".join(keys), self.loaded.mark(*keys))

    def table(self, file: str, *keys: str) -> Table | None:
        """The table named at `keys`, read once however often it is named; None and a problem when it cannot be read."""
        path = self.loaded.table_path(*keys)
        if path not in self.tables:
            try:
                self.tables[path] = read_table(path, file=file, cited=self.cited(*keys))
            except TableFault as fault:
                self.problems.extend(problem for problem in fault.problems if problem not in self.problems)
                return None
        return self.tables[path]

    def stop_if_wrong(self) -> None:
        if self.problems:
            files = sorted({problem.file or problem.key for problem in self.problems})
            raise TableFault(f"{count(len(self.problems), 'problem')} in the input tables ({some(files)})", tuple(self.problems))


def read_inputs(loaded: Loaded) -> Inputs:
    """Read, check and join the tables of a scenario.

    Raises TableFault with every problem of every table: codes, lines, cause and cure. Source: the scenario's `inputs`.
    """
    desk = _Desk(loaded, {}, [], [])
    money = [_money(desk, "baseline"), _money(desk, "spend")]
    places = _keyed_places(desk)
    if places is None:
        desk.stop_if_wrong()
        raise AssertionError("a places table without codes has a problem")
    for table in money:
        if table is not None:
            _join_money(desk, table, places)
    kept = _small_lists(desk, _only(desk, _sorted(places), money[0]))
    frame = _frame(desk, kept)
    baseline, bodies = _baseline(desk, money[0], kept, frame)
    recorded = _values(desk, money[1], kept, Bounds())
    desk.stop_if_wrong()
    return _assemble(desk, kept, frame, baseline=baseline, bodies=bodies, recorded=recorded)


def _assemble(
    desk: _Desk,
    kept: Keyed,
    frame: pd.DataFrame,
    *,
    baseline: pd.Series | None,
    bodies: pd.Series | None,
    recorded: pd.Series | None,
) -> Inputs:
    scenario = desk.scenario
    roles, years = _roles(scenario), tuple(scenario.years)
    name = scenario.inputs.places.name
    previous = roles.get("previous_population")
    if "population" not in roles:
        desk.notes.append("no population column is named: figures per head are not made")
    return Inputs(
        places=frame,
        years=years,
        name=pd.Series(frame[name] if name else frame.index, index=frame.index, name="name", dtype="str"),
        population=_population(frame, roles.get("population"), years),
        previous_population=None if previous is None else frame[previous].rename("previous_population"),
        roles=roles,
        pot=_pot(scenario),
        baseline=baseline,
        bodies=bodies,
        recorded_spend=recorded,
        lines=pd.Series(kept.table.lines, index=frame.index, name="line"),
        files=tuple(InputFile(table.file, table.sha256, len(table)) for table in desk.tables.values()),
        notes=tuple(desk.notes),
    )


def _roles(scenario: Scenario) -> dict[str, str]:
    return {role: name for role, name in scenario.inputs.places.columns.model_dump().items() if name is not None}


def _population(frame: pd.DataFrame, name: str | None, years: Sequence[str]) -> pd.DataFrame:
    """Place x year: one column of the places table stands for every year."""
    people = frame[name].to_numpy() if name else np.full(len(frame), np.nan)
    return pd.DataFrame({year: people for year in years}, index=frame.index)


def _pot(scenario: Scenario) -> pd.Series:
    value = scenario.pot.value
    by_year = {year: value[year] if isinstance(value, dict) else value for year in scenario.years}
    return pd.Series(by_year, name="pot", dtype="float64").rename_axis("year")


def _keyed_places(desk: _Desk) -> Keyed | None:
    given = desk.scenario.inputs.places
    table = desk.table(given.table, "inputs", "places", "table")
    if table is None:
        return None
    found = codes(table, given.key, desk.cited("inputs", "places", "key"), desk.problems)
    if found is None:
        return None
    desk.notes.extend(_differ_by_case(found))
    return Keyed(table, found, "place")


def _differ_by_case(found: Sequence[str]) -> list[str]:
    folded: dict[str, set[str]] = {}
    for code in found:
        folded.setdefault(code.casefold(), set()).add(code)
    pairs = [" and ".join(sorted(same)) for _, same in sorted(folded.items()) if len(same) > 1]
    return [f"place codes that differ only by upper and lower case, kept as different places: {some(pairs)}"] if pairs else []


def _sorted(places: Keyed) -> Keyed:
    return _take(places, sorted(range(len(places.codes)), key=lambda row: places.codes[row]))


def _take(places: Keyed, rows: Sequence[int]) -> Keyed:
    if rows == range(len(places.codes)):
        return places
    return Keyed(places.table.take(rows), [places.codes[row] for row in rows], places.what)


def _only(desk: _Desk, places: Keyed, money: _Money | None) -> Keyed:
    """The places whose column has one of the values that `only` lists; each value must exist."""
    keep = np.ones(len(places.codes), dtype=bool)
    for name, given in desk.scenario.inputs.places.only.items():
        cited = desk.cited("inputs", "places", "only", name)
        cells = column(places.table, name, cited, desk.problems)
        if cells is None:
            continue
        wanted = [given] if isinstance(given, str) else given
        _unknown_values(desk, places.table, name, [value for value in wanted if value not in set(cells)], cells, cited)
        keep &= np.isin(np.array(cells, dtype=object), wanted)
    if keep.all():
        return places
    kept = _take(places, [int(row) for row in np.flatnonzero(keep)])
    _note_only(desk, places, kept)
    if money is not None and money.shared_within:
        _whole_bodies(desk, places, keep, money.shared_within)
    return kept


def _unknown_values(desk: _Desk, table: Table, name: str, absent: Sequence[str], cells: Sequence[str], cited: Cited) -> None:
    if absent:
        message = f"no place of {table.file} has {' or '.join(repr(value) for value in absent)} in column '{name}'"
        desk.problems.append(Problem(message, f"its values are: {some(sorted(set(cells)))}", cited.key, cited.mark, table.file))


def _note_only(desk: _Desk, places: Keyed, kept: Keyed) -> None:
    given = desk.scenario.inputs.places.only
    words = " and ".join(f"{name} is {value if isinstance(value, str) else ' or '.join(value)}" for name, value in given.items())
    desk.notes.append(f"only {len(kept.codes):,} of {len(places.codes):,} places are in the run: {words}")
    if not kept.codes:
        cited = desk.cited("inputs", "places", "only")
        desk.problems.append(Problem(f"no place is left: {words}", "widen `only`", cited.key, cited.mark, places.table.file))


def _whole_bodies(desk: _Desk, places: Keyed, keep: np.ndarray, within: str) -> None:
    """A body's money can be shared only when all of its places are in the run, or none."""
    cells = np.array(places.table.columns.get(within, [""] * len(keep)), dtype=object)
    cut = sorted(set(cells[keep]) & set(cells[~keep]))
    if cut:
        cited = desk.cited("inputs", "places", "only")
        message = f"`only` keeps some places of {count(len(cut), 'body', 'bodies')} and leaves out others, so the money cannot be shared: {some(cut)}"
        desk.problems.append(Problem(message, f"choose by '{within}' or by a larger area", cited.key, cited.mark, places.table.file))


def _small_lists(desk: _Desk, places: Keyed) -> Keyed:
    """Keep or leave out the places below the population that the scenario states, and say how many."""
    given, name = desk.scenario.inputs.places.small_lists, desk.scenario.inputs.places.columns.population
    if given is None:
        return places
    cited = desk.cited("inputs", "places", "small_lists")
    if name is None:
        cure = "name the column: inputs.places.columns.population"
        desk.problems.append(Problem("small_lists needs a population column", cure, cited.key, cited.mark))
        return places
    cells = places.table.columns.get(name)
    if cells is None:
        return places
    people = _quietly(places.table, places.codes, name)
    small = people < given.under
    number, total = int(small.sum()), float(people[small].sum())
    said = f"{count(number, 'place')} under {given.under:g} people ({total:,.0f} people in all)"
    if given.treat == "keep":
        desk.notes.append(f"{said} {'is' if number == 1 else 'are'} kept (small_lists: keep)")
        return places
    desk.notes.append(f"{said} {'is' if number == 1 else 'are'} left out with {'its' if number == 1 else 'their'} targets (small_lists: leave_out)")
    if small.all():
        desk.problems.append(Problem(f"no place is left: all are under {given.under:g} people", "lower `under`", cited.key, cited.mark))
    return _take(places, [int(row) for row in np.flatnonzero(~small)])


def _quietly(table: Table, labels: Sequence[str], name: str) -> np.ndarray:
    """A column whose problems are told elsewhere: a place with an unreadable value stays, so that it is told."""
    return numbers(table, labels, name, Cited(""), [], may_be_empty=True)


def _frame(desk: _Desk, kept: Keyed) -> pd.DataFrame:
    """Every column of the places that stay: checked numbers where used as numbers, text elsewhere."""
    cells: dict[str, Sequence[str] | np.ndarray] = dict(kept.table.columns)
    unknown = _treated(desk)
    for name, cited in _text_columns(desk, kept.table).items():
        treated = name in unknown
        _note_missing(desk, kept.table, name, treated=treated)
        cells[name] = texts(kept.table, kept.codes, name, cited, desk.problems, unknown=NOT_KNOWN if treated else None)
    for name, (cited, bounds) in _number_columns(desk).items():
        treated = name in unknown
        _note_missing(desk, kept.table, name, treated=treated)
        cells[name] = numbers(kept.table, kept.codes, name, cited, desk.problems, bounds=bounds, may_be_empty=treated)
    index = pd.Index(kept.codes, name="place", dtype="str")
    return pd.DataFrame({name: _series(values, index) for name, values in cells.items()})


def _series(values: Sequence[str] | np.ndarray, index: pd.Index) -> pd.Series:
    return pd.Series(values if isinstance(values, np.ndarray) else list(values), index=index, dtype=None if isinstance(values, np.ndarray) else "str")


def _treated(desk: _Desk) -> set[str]:
    """The columns whose empty cells the scenario allows; needs and money may never be empty."""
    roles, known = _roles(desk.scenario), set()
    for given in desk.scenario.inputs.places.missing:
        name, cited = roles.get(given, given), desk.cited("inputs", "places", "missing", given)
        if given in {"population", "previous_population"}:
            message = f"{given} may not be missing: rules and figures per head are made from it"
            desk.problems.append(Problem(message, "write the values, or leave the places out with `only`", cited.key, cited.mark))
        known.add(name)
    return known


def _note_missing(desk: _Desk, table: Table, name: str, *, treated: bool) -> None:
    if treated and name in table.columns:
        number = sum(not cell.strip() for cell in table.columns[name])
        desk.notes.append(f"{count(number, 'place has', 'places have')} no {name}: own group '{NOT_KNOWN}'")


def _number_columns(desk: _Desk) -> dict[str, tuple[Cited, Bounds]]:
    """Columns of the places table that the scenario uses as numbers, each with the key that names it first."""
    used: dict[str, tuple[Cited, Bounds]] = {}
    for role, name in _roles(desk.scenario).items():
        if role in _ROLE_BOUNDS:
            used.setdefault(name, (desk.cited("inputs", "places", "columns", role), _ROLE_BOUNDS[role]))
    shared = desk.scenario.inputs.baseline.shared
    if shared is not None and shared.by != "target":
        used.setdefault(shared.by, (desk.cited("inputs", "baseline", "shared", "by"), Bounds()))
    for component, given in desk.scenario.formula.items():
        for name, keys in component_columns(given).items():
            used.setdefault(name, (desk.cited("formula", component, *keys), Bounds()))
    return used


def component_columns(component: Component) -> dict[str, tuple[str, ...]]:
    """Columns that a component of the formula reads, each with the key below the component that names it."""
    needs: dict[str, tuple[str, ...]] = {}
    if isinstance(component.need, str):
        needs[component.need] = ("need",)
    elif component.need is not None:
        needs |= {name: ("need", name) for name in component.need}
    indices = {name: ("times", str(place)) for place, name in enumerate(component.times)}
    money = {name: (key,) for key, name in (("amount", component.amount), ("less", component.less)) if name}
    return needs | indices | money


def _text_columns(desk: _Desk, table: Table) -> dict[str, Cited]:
    """Columns of the places table that must hold a text for every place."""
    scenario = desk.scenario
    used: dict[str, Cited] = {}
    for role in ("area", "region"):
        name = _roles(scenario).get(role)
        if name:
            used.setdefault(name, desk.cited("inputs", "places", "columns", role))
    if scenario.inputs.baseline.shared is not None:
        used.setdefault(scenario.inputs.baseline.shared.within, desk.cited("inputs", "baseline", "shared", "within"))
    spend = scenario.inputs.spend
    if spend is not None and spend.risk_model is not None and spend.area_sd != 0:
        used.setdefault(spend.area or "ccg_code", desk.cited("inputs", "spend", "area"))
    if scenario.inputs.places.name:
        used.setdefault(scenario.inputs.places.name, desk.cited("inputs", "places", "name"))
    for name in _group_columns(desk, table):
        used.setdefault(name, desk.cited("report", "group_by"))
    return used


def _group_columns(desk: _Desk, table: Table) -> list[str]:
    """The raw columns that `group_by` names. The default list asks only for the roles that the scenario has."""
    report, roles = desk.scenario.report, _roles(desk.scenario)
    raw = []
    for group in report.group_by:
        role = _MADE_GROUPS.get(group)
        if role in roles:
            continue
        if role is not None and group not in table.columns:
            if "group_by" in report.model_fields_set:
                cited = desk.cited("report", "group_by")
                cure = f"name it: inputs.places.columns.{role}, or take '{group}' out of group_by"
                desk.problems.append(Problem(f"'{group}' needs the column that holds {role}", cure, cited.key, cited.mark))
            continue
        raw.append(group)
    return raw


@dataclass(frozen=True)
class _Money:
    """A table of money with its codes: `which` is baseline or spend."""

    which: str
    keyed: Keyed
    column: str
    to_million: float
    shared_within: str | None


def _money(desk: _Desk, which: str) -> _Money | None:
    inputs = desk.scenario.inputs
    given: Baseline | Spend | None = inputs.baseline if which == "baseline" else inputs.spend
    if given is None or given.table is None or given.column is None or given.unit is None:
        return None
    table = desk.table(given.table, "inputs", which, "table")
    if table is None:
        return None
    shared = inputs.baseline.shared if which == "baseline" else None
    key = given.key or (shared.within if shared else inputs.places.key)
    cited = desk.cited("inputs", which, "key" if given.key else "table")
    found = codes(table, key, cited, desk.problems) if not _is_places(desk, table, key) else table.columns[key]
    if column(table, given.column, desk.cited("inputs", which, "column"), desk.problems) is None or found is None:
        return None
    return _Money(which, Keyed(table, found, "place"), given.column, to_million(given.unit), shared.within if shared else None)


def _is_places(desk: _Desk, table: Table, key: str) -> bool:
    """Whether the money stands in the places table itself, whose codes are checked already."""
    places = desk.scenario.inputs.places
    return key == places.key and key in table.columns and desk.tables.get(desk.loaded.table_path("inputs", "places", "table")) is table


def _join_money(desk: _Desk, money: _Money, places: Keyed) -> None:
    cited = desk.cited("inputs", money.which, "table")
    if money.shared_within is None:
        join(money.keyed, places, cited, desk.problems)
    elif column(places.table, money.shared_within, desk.cited("inputs", "baseline", "shared", "within"), desk.problems):
        join(money.keyed, Keyed(places.table, places.table.columns[money.shared_within], "larger body"), cited, desk.problems)


def _values(desk: _Desk, money: _Money | None, kept: Keyed, bounds: Bounds) -> pd.Series | None:
    """GBP million by place of the run; NaN where a problem has been told."""
    if money is None:
        return None
    row = {code: row for row, code in enumerate(money.keyed.codes)}
    table = money.keyed.table.take([row[code] for code in kept.codes if code in row])
    labels = [code for code in kept.codes if code in row]
    cited = desk.cited("inputs", money.which, "column")
    found = numbers(table, labels, money.column, cited, desk.problems, bounds=bounds) * money.to_million
    return pd.Series(found, index=pd.Index(labels, name="place", dtype="str"), name=money.which)


_ABOVE_ZERO = Bounds(
    above=0,
    why="distance from target and growth would not exist",
    cure="correct the values, or leave the places out with inputs.places.only or small_lists",
)


def _baseline(
    desk: _Desk, money: _Money | None, kept: Keyed, frame: pd.DataFrame
) -> tuple[pd.Series | None, pd.Series | None]:
    """The baseline by place, and the larger bodies' money, as far as they stand before targets exist."""
    if money is None or money.shared_within is None:
        return _values(desk, money, kept, _ABOVE_ZERO), None
    within = kept.table.columns.get(money.shared_within)
    shared = desk.scenario.inputs.baseline.shared
    if within is None or shared is None:
        return None, None
    _empty_bodies(desk, money, kept)
    bodies = _values(desk, money, Keyed(kept.table, sorted(set(within)), "body"), _ABOVE_ZERO)
    if bodies is None or desk.problems or shared.by == "target":
        return None, bodies
    try:
        return share_within(bodies, frame[money.shared_within], frame[shared.by]), bodies
    except TableFault as fault:
        desk.problems.extend(fault.problems)
        return None, bodies


def _empty_bodies(desk: _Desk, money: _Money, kept: Keyed) -> None:
    """A body whose places were all left out as small lists would take its money out of the run unseen."""
    if desk.scenario.inputs.places.only or money.shared_within is None:
        return
    left = sorted(set(money.keyed.codes) - set(kept.table.columns[money.shared_within]))
    whole = desk.tables[desk.loaded.table_path("inputs", "places", "table")].columns[money.shared_within]
    gone = [body for body in left if body in set(whole)]
    if gone:
        cited = desk.cited("inputs", "places", "small_lists")
        message = f"{count(len(gone), 'body has', 'bodies have')} no place left to take the money: {some(gone)}"
        desk.problems.append(Problem(message, "lower small_lists.under, or treat: keep", cited.key, cited.mark, money.keyed.table.file))


def share_within(bodies: pd.Series, within: pd.Series, by: pd.Series) -> pd.Series:
    """Each body's money (GBP million, by body) over its places in proportion to `by`; adds up to every body's money.

    Raises TableFault when `by` sums to zero within a body, or is zero for a place: its baseline would be zero.
    """
    total = by.groupby(within).transform("sum")
    problems = []
    empty = sorted(set(within[total <= 0]))
    nothing = [str(code) for code in by.index[(by <= 0) & (total > 0)]]
    if empty:
        message = f"'{by.name}' sums to zero within {count(len(empty), 'body', 'bodies')}, so the money cannot be shared: {some(empty)}"
        problems.append(Problem(message, "share by another column", "inputs.baseline.shared.by"))
    if nothing:
        message = f"'{by.name}' is zero for {count(len(nothing), 'place')}, whose share of the baseline would be zero: {some(nothing)}"
        problems.append(Problem(message, "share by another column, or leave the places out", "inputs.baseline.shared.by"))
    if problems:
        raise TableFault("a larger body's money cannot be shared among its places", tuple(problems))
    return (within.map(bodies).astype("float64") * by / total).rename("baseline")


def pot_against_baseline(inputs: Inputs, baseline: pd.Series) -> tuple[str, ...]:
    """A warning when the first year's pot is under half or over twice the baseline: often a wrong unit."""
    pot, total = float(inputs.pot.iloc[0]), float(baseline.sum())
    if 0.5 <= pot / total <= 2:
        return ()
    return (f"the pot of {inputs.years[0]} is {say_money(pot)} and the baselines sum to {say_money(total)}: check their units",)
