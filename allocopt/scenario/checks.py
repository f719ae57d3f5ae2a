"""What no single key of a scenario shows: shares that do not add up, years without a pot, money given in two ways.

Imports `settings`, `units`, `faults` and `tree`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from allocopt.scenario.faults import Findings, shown
from allocopt.scenario.rules import every_year
from allocopt.scenario.tree import Keys, Table, dotted, find, suggestion
from allocopt.settings import Baseline, Component, Places, Pot, Spend, year_text
from allocopt.settings.streams import Stream
from allocopt.settings.stress import Stress, SurplusSplit
from allocopt.units import write_rate

_RISK = (
    "kappa",
    "area_sd",
    "persistent_sd",
    "heavy_sd",
    "heavy_share",
    "gradient_poorest",
    "gradient_richest",
    "national_shift",
)


def cross_checks(found: Findings, data: Mapping[str, Any]) -> None:
    """What no single key shows. Each check runs on the parts that are well typed, whatever else is wrong."""
    years = year_names(data)
    _years(found, years)
    pot = _part(Pot, data, "pot")
    _pot(found, pot, years)
    formula = _part(dict[str, Component], data, "formula")
    if formula is not None:
        _formula(found, formula, ("formula",))
    _candidates(found, data)
    _streams(found, data, years)
    inputs = data.get("inputs")
    inputs = inputs if isinstance(inputs, dict) else {}
    for kind, check in ((Baseline, _baseline), (Spend, _spend), (Places, _places)):
        part: Any = _part(kind, inputs, kind.__name__.lower())
        if part is not None:
            check(found, part)
    _stress(found, data, inputs)


def _stress(found: Findings, data: Mapping[str, Any], inputs: Mapping[str, Any]) -> None:
    """A stress needs spend, and an objective over draws needs to be told how many."""
    said, named = data.get("stress"), str(data.get("objectives", ""))
    stress: Stress | None = _part(Stress, data, "stress")
    if "tail_deficit" in named and not (isinstance(said, dict) and "scenarios" in said):
        cure = "write stress.scenarios, such as 40: the number of draws of spend"
        found.add(
            ("objectives",), "tail_deficit is made small over draws, and the scenario does not say how many", cure
        )
    if stress is None:
        return
    if "spend" not in inputs and stress.monitoring is None:
        cure = "write inputs.spend with a table or a risk model"
        found.add(("stress",), "there is no expected spend to stress", cure)
    for number, one in enumerate(stress.retention):
        if isinstance(one, SurplusSplit) and one.profit + one.returned > 1:
            message = f"profit and the returned share are {write_rate(one.profit + one.returned)} of a surplus together"
            found.add(("stress", "retention", str(number)), message, "write shares that add up to 100% at most")


def year_names(data: Mapping[str, Any]) -> list[str]:
    """The years as text; [] when they are not a list."""
    years = data.get("years")
    return (
        [year_text(one) if isinstance(one, int | str) else str(one) for one in years] if isinstance(years, list) else []
    )


def _part(kind: Any, data: Mapping[str, Any], key: str) -> Any:
    try:
        return TypeAdapter(kind).validate_python(data[key], strict=True) if key in data else None
    except ValidationError:
        return None


def _years(found: Findings, years: Sequence[str]) -> None:
    for number, year in enumerate(years):
        if not _is_year(year):
            found.add(
                ("years", str(number)),
                f"'{year}' is not a year",
                "write 2019-20 for a financial year or 2019 for a calendar year",
            )
        elif year in years[:number]:
            found.add(("years", str(number)), f"{year} is listed twice", "list each year once")
    if list(years) != sorted(years):
        found.add(
            ("years",), f"the years are not in order: {', '.join(years)}", f"write [{', '.join(sorted(set(years)))}]"
        )
    if "years" in found.tree.items and not years:
        found.add(("years",), "the scenario has no year", "list at least one, such as [2019-20]")


def _is_year(text: str) -> bool:
    match = re.fullmatch(r"(\d{4})(?:-(\d{2}))?", text)
    return match is not None and (not match[2] or int(match[2]) == (int(match[1]) + 1) % 100)


def _pot(found: Findings, pot: Pot | None, years: Sequence[str]) -> None:
    if pot is None:
        return
    keys = ("pot", "value")
    if not _ways(found, ("pot",), pot, ("table", "column", "unit", "year"), "value"):
        return
    if pot.value is None:
        _demand(found, ("pot",), pot, ("table", "column", "unit", "year"), (), "a pot from a table")
        return
    if isinstance(pot.value, dict):
        given = find(found.tree, keys)
        if isinstance(given, Table):
            every_year(found, keys, given, years)
    amounts = (
        {(*keys, year): amount for year, amount in pot.value.items()}
        if isinstance(pot.value, dict)
        else {keys: pot.value}
    )
    for place, amount in amounts.items():
        pounds = amount * 1e6
        if not math.isfinite(amount) or amount <= 0:
            found.add(
                place,
                f"the pot must be more than nothing, not {shown(found.tree, place)}",
                "write an amount such as £78.5bn",
            )
        elif abs(pounds - round(pounds)) > 1e-3:
            found.add(
                place,
                f"the pot is not whole pounds: {pounds:,.4f}",
                f"write £{math.floor(pounds):,} or £{math.ceil(pounds):,}",
            )


def _streams(found: Findings, data: Mapping[str, Any], years: Sequence[str]) -> None:
    """Each stream is given in one way, in whole units, for every year, with the population it needs."""
    streams = _part(dict[str, Stream], data, "streams") or {}
    people = find(found.tree, ("inputs", "places", "columns", "population"))
    for name, one in streams.items():
        keys = ("streams", name)
        ways = [way for way in ("value", "per_head", "column") if getattr(one, way) is not None]
        if len(ways) != 1:
            said = f"given in {len(ways)} ways: {', '.join(ways)}" if ways else "given in no way"
            found.add(keys, said, "write one of value, per_head or column with unit")
        elif one.column is not None:
            _demand(found, keys, one, ("column", "unit"), ("by",), "a stream from a column")
        elif one.per_head is not None:
            _demand(found, keys, one, (), ("by", "unit"), "a stream per head")
        given = find(found.tree, (*keys, "value"))
        if isinstance(one.value, dict) and isinstance(given, Table):
            every_year(found, (*keys, "value"), given, years[:1] if one.recurrent else years)
        if (one.per_head is not None or one.by == "population") and people is None:
            cure = "name its column: inputs.places.columns.population"
            found.add(keys, "the stream needs each place's population, and the scenario names none", cure)


def _candidates(found: Findings, data: Mapping[str, Any]) -> None:
    """Each candidate formula as the formula itself; `formula` names the scenario's own."""
    given = data.get("formulas")
    for name, written in given.items() if isinstance(given, dict) else ():
        one = _part(dict[str, Component], {name: written}, name)
        if name == "formula":
            found.add(("formulas", name), "'formula' is the scenario's own formula", "give the candidate another name")
        elif one is not None:
            _formula(found, one, ("formulas", name))


def _formula(found: Findings, formula: Mapping[str, Component], at: Keys) -> None:
    for name, one in formula.items():
        _component(found, (*at, name), one)
    shares = {name: one.share for name, one in formula.items() if one.share is not None}
    total = math.fsum(shares.values())
    if not shares:
        found.add(at, "no component has a share of the pot", "write at least one component with share and need")
    elif abs(total - 1) > 1e-9:
        parts = " + ".join(write_rate(share) for share in shares.values())
        word = "take away" if total > 1 else "add"
        cure = (
            f"{word} {write_rate(abs(total - 1))} in all from {', '.join(shares)}"
            if total > 1
            else f"{word} {write_rate(1 - total)} in all to {', '.join(shares)}"
        )
        found.add(at, f"the shares add up to {write_rate(total)}, not 100%: {parts}", cure)


def _component(found: Findings, keys: Keys, one: Component) -> None:
    cost, given = one.amount is not None, one.opening_dft is not None
    need = one.share is not None or one.need is not None or given
    if need == cost:
        said = "both a share of need and an amount" if need else "neither a share of need nor an amount"
        found.add(keys, f"the component has {said}", "write share and need, or amount and unit")
    elif given:
        barred = ("need", "times", "less", "unit")
        _demand(found, keys, one, ("share", "opening_dft"), barred, "a component with published distances")
    elif need:
        _demand(found, keys, one, ("share", "need"), ("less", "unit"), "a component with a share of need")
    else:
        _demand(found, keys, one, ("amount", "unit"), ("times",), "a component with an amount")
    if one.share is not None and not 0 <= one.share <= 1:
        found.add(
            (*keys, "share"),
            f"a share lies between 0% and 100%: {write_rate(one.share)}",
            "write a share of the pot, such as 78.6%",
        )


def _demand(found: Findings, keys: Keys, part: Any, wanted: Sequence[str], barred: Sequence[str], what: str) -> None:
    for key in wanted:
        if getattr(part, key) is None:
            found.add(
                (*keys, key),
                f"'{key}' is missing: {what} needs {' and '.join(wanted)}",
                f"write {key}: under {dotted(keys)}",
            )
    for key in barred:
        if getattr(part, key):
            found.add(
                (*keys, key), f"'{key}' has no place in {what}", "remove the line, or write off in a child scenario"
            )


def _ways(found: Findings, keys: Keys, part: Any, table: Sequence[str], other: str) -> bool:
    """True when the part is given in one way only: by a table's keys, or by the `other` key."""
    held = [key for key in table if getattr(part, key) is not None]
    if held and getattr(part, other) is not None:
        cure = f"keep one: write off for {other}, or for {', '.join(held)}"
        found.add(keys, f"given in two ways: {', '.join(held)} and {other}", cure)
    elif not held and getattr(part, other) is None:
        found.add(keys, "given in no way", f"write table, column and unit, or {other}")
    return bool(held) != (getattr(part, other) is not None)


def _baseline(found: Findings, part: Baseline) -> None:
    keys = ("inputs", "baseline")
    if (
        _ways(found, keys, part, ("table", "key", "column", "unit", "shared"), "follows_activity")
        and part.follows_activity is None
    ):
        _demand(found, keys, part, ("table", "column", "unit"), (), "a baseline from a table")
    follows = part.follows_activity
    if follows and not 0 < follows.share_beyond < 1:
        found.add(
            (*keys, "follows_activity", "share_beyond"),
            "the share of places lies between 0% and 100%",
            "write a share such as 26%",
        )
    if follows and follows.beyond <= 0:
        found.add(
            (*keys, "follows_activity", "beyond"), "the distance must be above 0%", "write a distance such as 10%"
        )


def _spend(found: Findings, part: Spend) -> None:
    keys = ("inputs", "spend")
    if not _ways(found, keys, part, ("table", "key", "column", "unit", "modelled"), "risk_model"):
        return
    if part.risk_model is None:
        _demand(found, keys, part, ("table", "column", "unit"), ("area", "seed", *_RISK), "spend from a table")
    else:
        _demand(found, keys, part, ("risk_model", "seed"), (), "modelled spend")


def _places(found: Findings, part: Places) -> None:
    keys = ("inputs", "places")
    roles = {role: column for role, column in part.columns if column is not None}
    for role in part.missing:
        if role not in roles:
            cure = f"the columns of this scenario are {', '.join(roles) or 'not named'}"
            found.add((*keys, "missing", role), f"'{role}' is not a column that is used{suggestion(role, roles)}", cure)
    if part.small_lists and not part.small_lists.under > 0:
        found.add(
            (*keys, "small_lists", "under"),
            f"under {part.small_lists.under:g} people there is no list",
            "write a number above 0, such as 500",
        )
    if part.small_lists and "population" not in roles:
        found.add(
            (*keys, "small_lists"),
            "small lists need the population",
            "name its column: inputs.places.columns.population",
        )
