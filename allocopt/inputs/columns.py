"""What the columns of the places table hold: numbers where the scenario uses them so, texts that name groups.

An empty cell is an error unless the scenario's `missing` says what to do with it; money and need are never missing.
Imports `reading`, `joins`, `cells`, `tables` and the types of `settings`.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

import pandas as pd

from allocopt.inputs.cells import Bounds, numbers, texts
from allocopt.inputs.joins import Keyed
from allocopt.inputs.reading import Reading
from allocopt.inputs.tables import Cited, Table, count, some

if TYPE_CHECKING:
    from allocopt.settings import Component

NOT_KNOWN = "not known"
"""The group of places whose text column is empty, where the scenario asks for one."""

_BOUNDS = {
    "population": Bounds(
        above=0,
        why="a place without people has no figure per head",
        cure="correct it, or leave it out with small_lists",
    ),
    "previous_population": Bounds(
        above=0, why="population growth is measured against it", cure="correct it, or leave the place out"
    ),
    "population_growth": Bounds(
        above=-100, why="nobody would be left", cure="write growth in per cent: 0.84, not 1.0084", percent=True
    ),
    "latitude": Bounds(least=-90, most=90),
    "longitude": Bounds(least=-180, most=180),
    "imd": Bounds(),
    "hub": Bounds(least=0, most=1, cure="write 1 for a declared hub and 0 for any other place"),
}
PEOPLE = ("population", "previous_population", "population_growth")
_DISTANCE = Bounds(
    above=-100, why="a place that has nothing is 100% under target", cure="write per cent: 3.5, -2", percent=True
)
_MANY, _NARROW = 10, 0.5
"""Places of which some lie beyond half a point from target, unless their distances are fractions."""
_MADE_GROUPS = {"imd_fifth": "imd", "need_decile": "population", "region": "region", "area": "area"}


def frame(reading: Reading, kept: Keyed) -> pd.DataFrame:
    """Every column of the places that stay, index place: checked float64 where used as numbers, text elsewhere."""
    table, columns = kept.table, dict[str, pd.Series]()
    index = pd.Index(list(kept.codes), name="place", dtype="str")
    treated = _treated(reading, table)
    groups, figures = _text_columns(reading, table), _number_columns(reading)
    for name in sorted(treated & (groups.keys() | figures.keys())):
        number = sum(not cell.strip() for cell in table.columns[name])
        if number:
            reading.notes.append(f"{count(number, 'place has', 'places have')} no {name}: own group '{NOT_KNOWN}'")
    for name, cited in groups.items():
        unknown = NOT_KNOWN if name in treated else None
        columns[name] = _text(texts(table, kept.codes, name, cited, reading.problems, unknown=unknown), index)
    for name, (cited, bounds) in figures.items():
        values = numbers(table, kept.codes, name, cited, reading.problems, bounds=bounds, may_be_empty=name in treated)
        columns[name] = pd.Series(values, index=index)
        if bounds is _DISTANCE and len(values) >= _MANY and 0 < abs(values).max() < _NARROW:
            reading.notes.append(_fractions_words(name, float(abs(values).max())))
    raw = {name: _text(cells, index) for name, cells in table.columns.items() if name not in columns}
    return pd.DataFrame({name: columns[name] if name in columns else raw[name] for name in table.columns}, index=index)


def _fractions_words(name: str, most: float) -> str:
    return (
        f"column '{name}' is read in per cent, and no distance in it is larger than {most:g}%: if they are fractions "
        "(0.05 for 5%), multiply them by 100"
    )


def _text(cells: Sequence[str], index: pd.Index) -> pd.Series:
    return pd.Series(list(cells), index=index, dtype="str")


def _treated(reading: Reading, table: Table) -> set[str]:
    """The columns whose empty cells the scenario allows."""
    roles, known = reading.roles, set()
    kept_whole = {name: cited.key for name, (cited, _) in _need_and_money(reading).items()}
    kept_whole |= dict.fromkeys(_within(reading), "inputs.baseline.shared.within")
    kept_whole |= {roles[role]: role for role in PEOPLE if role in roles}
    for given in reading.scenario.inputs.places.missing:
        name, keys = roles.get(given, given), ("inputs", "places", "missing", given)
        if name not in table.columns:
            near = get_close_matches(given, [*roles, *table.columns], n=3)
            cure = (
                f"did you mean {' or '.join(repr(close) for close in near)}?"
                if near
                else f"name one of: {some([*roles])}"
            )
            reading.wrong(
                f"'{given}' is neither a role of inputs.places.columns nor a column of {table.file}", cure, *keys
            )
        elif name in kept_whole:
            message = f"'{name}' may not be missing: {kept_whole[name]} needs it for every place"
            reading.wrong(message, "write the values, or leave the places out with `only`", *keys)
        else:
            known.add(name)
    return known


def _need_and_money(reading: Reading) -> dict[str, tuple[Cited, Bounds]]:
    """Columns from which targets and baselines are made."""
    used: dict[str, tuple[Cited, Bounds]] = {}
    shared = reading.scenario.inputs.baseline.shared
    if shared is not None and shared.by != "target":
        used[shared.by] = (reading.cited("inputs", "baseline", "shared", "by"), Bounds())
    for name, stream in reading.scenario.streams.items():
        for key, column in (("column", stream.column), ("by", stream.by)):
            if column is not None and (key == "column" or column not in ("target", "population")):
                used.setdefault(column, (reading.cited("streams", name, key), Bounds(least=0)))
    for above, formula in _formulas(reading).items():
        for component, given in formula.items():
            for name, keys in component_columns(given).items():
                bounds = _DISTANCE if keys == ("opening_dft",) else Bounds()
                used.setdefault(name, (reading.cited(*above, component, *keys), bounds))
    return used


def _formulas(reading: Reading) -> dict[tuple[str, ...], dict[str, Component]]:
    """The scenario's formula and its candidates, by the keys above their components."""
    given = reading.scenario
    return {("formula",): given.formula} | {("formulas", name): one for name, one in given.formulas.items()}


def component_columns(component: Component) -> dict[str, tuple[str, ...]]:
    """Columns that a component of the formula reads, each with the key below the component that names it."""
    needs: dict[str, tuple[str, ...]] = {}
    if isinstance(component.need, str):
        needs[component.need] = ("need",)
    elif component.need is not None:
        needs |= {name: ("need", name) for name in component.need}
    indices = {name: ("times", str(place)) for place, name in enumerate(component.times)}
    others = (("amount", component.amount), ("less", component.less), ("opening_dft", component.opening_dft))
    return needs | indices | {name: (key,) for key, name in others if name}


def _number_columns(reading: Reading) -> dict[str, tuple[Cited, Bounds]]:
    """Columns used as numbers: roles first, whose bounds are the narrower."""
    roles = {
        name: (reading.cited("inputs", "places", "columns", role), _BOUNDS[role])
        for role, name in reading.roles.items()
        if role in _BOUNDS
    }
    return _need_and_money(reading) | roles


def _within(reading: Reading) -> list[str]:
    shared = reading.scenario.inputs.baseline.shared
    return [shared.within] if shared is not None else []


def _text_columns(reading: Reading, table: Table) -> dict[str, Cited]:
    """Columns that must hold a text for every place, each with the key that names it first."""
    inputs, roles = reading.scenario.inputs, reading.roles
    used = {name: reading.cited("inputs", "baseline", "shared", "within") for name in _within(reading)}
    for role in ("area", "region"):
        if role in roles:
            used.setdefault(roles[role], reading.cited("inputs", "places", "columns", role))
    spend = inputs.spend
    if spend is not None and spend.risk_model is not None and spend.area_sd != 0:
        used.setdefault(spend.area or "ccg_code", reading.cited("inputs", "spend", "area"))
    if inputs.places.name:
        used.setdefault(inputs.places.name, reading.cited("inputs", "places", "name"))
    for name in _group_columns(reading, table):
        used.setdefault(name, reading.cited("report", "group_by"))
    return used


def _group_columns(reading: Reading, table: Table) -> list[str]:
    """The raw columns that `group_by` names. The default list asks only for the roles that the scenario has."""
    report, raw = reading.scenario.report, []
    for group in report.group_by:
        role = _MADE_GROUPS.get(group)
        if role in reading.roles:
            continue
        if role is None or group in table.columns:
            raw.append(group)
        elif "group_by" in report.model_fields_set:
            cure = f"name it at inputs.places.columns.{role}, or take '{group}' out of group_by"
            reading.wrong(f"'{group}' needs the column that holds {role}", cure, "report", "group_by")
    return raw
