"""The tables of a grouping against their definitions: groups.csv, consortia.csv, effects.csv, places.csv, headline.

Every figure is recomputed from the hubs that groups.csv names and from the inputs; money and people are those of the
checker's own reading. Imports `check.measures`, `check.grouping`, `check.inputs` and `check.verdict`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from allocopt.check.grouping import Grouped, haversine
from allocopt.check.inputs import Known, Plain
from allocopt.check.measures import consortium, costs, differs, figures, gap, headline, members_of, pounds, told
from allocopt.check.verdict import Check, Floats, compared, measured
from allocopt.said_bounds import aim_of

TEXT = dict.fromkeys(
    ("place", "name", "year", "group", "hub", "area", "previous_group", "plan", "breaks", "table"), "str"
)
SUMMED = ("places", "population", "budget_gbp", "spend_gbp", "deficit_gbp")
SPREAD = ("population", "balance_pct", "travel_km", "imd", "need_index", "deficit_gbp")


def table_at(folder: Path, name: str) -> pd.DataFrame:
    """A table of the run; codes are text, an empty cell is no value."""
    text = {**TEXT, "measure": "str", "unit": "str", "applies": "str", "bound_by": "str"}
    return pd.read_csv(folder / f"{name}.csv", dtype=text, keep_default_na=False, na_values=[""])


def check_money(of: Grouped, own: Known, record: Plain, *, allocated: bool) -> Iterator[Check]:
    """People, spend and what is pooled against the checker's own reading of the inputs (n,), to the pound."""
    at = list(own.places)
    people = np.abs(of.population - own.population[:, -1])
    yield measured("people", people, at=at, what="as the tables have it", tolerance=0.0, unit="people")
    if own.spend is not None:
        off = np.abs(1e6 * of.spend - own.spend[:, -1])
        yield measured("spend", off, at=at, what="expected spend")
    if not allocated:
        said = (record["scenario"].get("grouping") or {}).get("budget") or "target"
        brought = own.baseline if said == "baseline" else own.target[:, -1]
        yield measured("what is pooled", np.abs(1e6 * of.budget - brought), at=at, what=f"each place's {said}")


def check_groups(of: Grouped, groups: pd.DataFrame) -> Check:
    """Every column of groups.csv."""
    hub = np.array(list(of.places), dtype=object)[of.hub]
    present = list(of.present) if of.present is not None else [""] * len(hub)
    moved = [int(bool(one) and one != present[h]) for one, h in zip(present, of.hub.tolist(), strict=True)]
    km = haversine(of, np.arange(len(hub)), of.hub)
    found = zip(of.places, hub, hub, of.area, present, moved, km, strict=True)
    names = ("place", "group", "hub", "area", "previous_group", "moved", "distance_km")
    wrong = [] if tuple(groups.columns) == names else [f"columns are {', '.join(groups.columns)}"]
    for said, row in zip_longest(groups.to_dict("records"), found):
        if said is None or row is None:
            wrong.append(f"{len(groups):,} rows for {len(hub):,} places")
            break
        wrong += told(str(row[0]), {str(key): one for key, one in said.items()}, dict(zip(names, row, strict=True)))
    return compared("groups", wrong, f"every column of {len(groups):,} places recomputed")


def check_consortia(of: Grouped, consortia: pd.DataFrame, share: Floats) -> Check:
    """Every column of consortia.csv, to its last digit; `share` (n,) is each place's target as a part of the pot."""
    found = [consortium(of, hub, at, share) for hub, at in members_of(of).items()]
    rows, wrong = consortia.to_dict("records"), list[str]()
    if len(rows) != len(found):
        wrong.append(f"{len(rows):,} rows for {len(found):,} consortia")
    for said, row in zip(rows, found, strict=False):
        wrong += told(row["group"], {str(key): one for key, one in said.items()}, row)
    return compared("consortia", wrong, f"every column of {len(found):,} consortia recomputed")


def check_places(of: Grouped, places: pd.DataFrame, own: Known) -> Check:
    """The figures of places.csv that a grouping rests on."""
    known: dict[str, Any] = {
        "name": np.array(own.names, dtype=object),
        "population": of.population,
        "latitude": of.latitude,
        "longitude": of.longitude,
        "imd": of.imd,
        "budget_gbp": pounds(of.budget),
        "spend_gbp": pounds(of.spend),
    }
    wrong = [] if list(places["place"]) == list(of.places) else ["the places are not those of the run"]
    for name, values in known.items():
        if values is None or wrong:
            continue
        if name not in places:
            wrong.append(f"{name} is not there")
            continue
        cells = zip(of.places, places[name].tolist(), values.tolist(), strict=True)
        wrong += [f"{name} of {code} is {said}, not {one}" for code, said, one in cells if differs(name, said, one)]
    return compared("places", wrong, "people, position, deprivation and money of every place")


def check_headline(of: Grouped, record: Plain) -> Check:
    """Every figure of the headline, recomputed."""
    said, found = record["headline"], dict[str, Any](headline(of))
    found["exemptions"] = len(record["exemptions"])
    if aim_of(record) == "deficit_and_crossings":
        row = figures(of)
        found |= {"crossing_cost_gbp": row["crossing_cost_gbp"], "deficit_and_crossings_gbp": costs(row)}
    if any(one["name"] == aim_of(record) for one in record["objectives"]):
        found["bound_gbp"] = proven_gbp(record)
        broken = bool(record["broken"])
        found["gap_pct"] = np.nan if broken else gap(costs(figures(of)), 1e6 * proven(record))
        found |= {"rules_broken": len(record["broken"])} if broken else {}
    wrong = told("headline", said, found)
    wrong += [f"{name} has no second definition" for name in said if name not in found]
    return compared("headline", wrong, f"{len(found)} figures recomputed")


def proven(record: Plain) -> float:
    """GBP million: the most that run.json proves of every plan's objective in money."""
    first = record["objectives"][:1]
    own = [one["bound"] for one in first if one["name"] == aim_of(record) and one["bound"] is not None]
    return float(max([0.0, *own, *(one["value"] for one in record["bounds"])]))


def proven_gbp(record: Plain) -> int:
    """The same in whole pounds."""
    return round(proven(record) * 1e6)


def check_effects(effects: pd.DataFrame, comparison: pd.DataFrame, consortia: pd.DataFrame) -> Check:
    """effects.csv is the comparison and the consortia by area and by spread, figure by figure."""
    found = {**_compared_rows(comparison), **_by_area(consortia), **_spread(consortia)}
    said = {
        (str(one["table"]), str(one["group"]), str(one["measure"])): one["value"] for one in effects.to_dict("records")
    }
    wrong = [f"{' '.join(key)} is not there" for key in found if key not in said]
    wrong += [f"{' '.join(key)} has no second definition" for key in said if key not in found]
    units = zip(effects["measure"].astype(str), effects["unit"].astype(str), strict=True)
    wrong += [f"{measure} is said in {unit}" for measure, unit in units if unit != _unit(measure)]
    wrong += [] if len(said) == len(effects) else ["a figure stands twice"]
    wrong += [
        f"{' '.join(key)} is {said[key]}, recomputed {value}"
        for key, value in found.items()
        if key in said and differs("", said[key], value)
    ]
    return compared("effects", wrong, f"{len(found):,} figures recomputed from comparison.csv and consortia.csv")


def _unit(measure: str) -> str:
    endings = {"_gbp": "GBP", "_pct": "%", "_km": "km", "people": "people", "population": "people"}
    whole = {"places": "places", "crossings": "places", "rules_broken": "rules"}
    return next((unit for ending, unit in endings.items() if measure.endswith(ending)), whole.get(measure, "index"))


Key = tuple[str, str, str]


def _compared_rows(comparison: pd.DataFrame) -> Mapping[Key, float]:
    aside = ("plan", "breaks", "bound_by")
    return {
        ("comparison", str(row["plan"]), str(name)): float(value)
        for row in comparison.to_dict("records")
        for name, value in row.items()
        if name not in aside
    }


def _by_area(consortia: pd.DataFrame) -> Mapping[Key, float]:
    areas = consortia["area"].to_numpy(dtype=object)
    return {
        ("consortia_by_area", str(area), name): float(consortia[name].to_numpy(dtype=np.float64)[areas == area].sum())
        for area in sorted(set(areas.tolist()))
        for name in SUMMED
    }


def _spread(consortia: pd.DataFrame) -> Mapping[Key, float]:
    found: dict[Key, float] = {}
    for name in SPREAD:
        values = np.sort(consortia[name].dropna().to_numpy(dtype=np.float64))
        for percent in (0, 25, 50, 75, 100):
            spot = percent / 100 * (len(values) - 1)
            low = int(np.floor(spot))
            high = min(low + 1, len(values) - 1)
            value = values[low] + (spot - low) * (values[high] - values[low]) if len(values) else np.nan
            found["consortia_spread", f"p{percent:02d}", name] = float(value)
    return found
