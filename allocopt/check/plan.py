"""The tables of a run folder against their definitions, exactly, and against the inputs, to the pound.

Plain pandas on what is in the folder, and on the checker's own reading of the inputs; shares no code with the rooms
that wrote the tables. Imports `check.verdict` and `check.inputs`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from allocopt.check.inputs import Known, Plain
from allocopt.check.verdict import POUND, Check, Floats, compared, measured

SPENDING = ("spend_gbp", "deficit_gbp", "surplus_gbp", "deficit_underfunding_gbp", "deficit_above_need_gbp")
MONEY = ("baseline_gbp", "target_gbp", "allocation_gbp", "change_gbp", "uniform_gbp")
HALF_DIGIT = 5e-7
"""Percentages are written to a millionth of a point."""
AT_TARGET = 1e-3
"""Per cent: a farthest distance below this is none but for rounding, and says nothing of a speed."""


def years_of(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each year, in the order of the table."""
    return {str(year): table[table["year"] == year] for year in dict.fromkeys(table["year"])}


def _rows(table: pd.DataFrame) -> list[str]:
    return [f"{place} {year}" for place, year in zip(table["place"], table["year"], strict=True)]


def check_columns(table: pd.DataFrame) -> Iterator[Check]:
    """Whole pounds, and every column that follows from others, recomputed from the rounded pounds."""
    money = [*MONEY, *(name for name in SPENDING if name in table)]
    broken = [name for name in money if name not in table or table[name].dtype.kind != "i"]
    yield compared("whole pounds", [f"{name} is not whole pounds everywhere" for name in broken], "every money column")
    if not broken:
        for name, values in _definitions(table).items():
            off = np.abs(table[name].to_numpy() - values).astype(np.float64)
            yield measured(f"column {name}", off, at=_rows(table), what="from the rounded pounds", tolerance=0.0)
        yield from _percentages(table)


def _definitions(table: pd.DataFrame) -> dict[str, Any]:
    given, target = table["allocation_gbp"].to_numpy(), table["target_gbp"].to_numpy()
    found = {"change_gbp": given - table["baseline_gbp"].to_numpy()}
    if "spend_gbp" in table:
        over = table["spend_gbp"].to_numpy() - given
        found |= {"deficit_gbp": np.where(over > 0, over, 0), "surplus_gbp": np.where(over < 0, -over, 0)}
        carries = "carried_forward_gbp" in table
        underfunding = _aged(table) if carries else np.clip(np.minimum(over, target - given), 0, None)
        found |= {
            "deficit_underfunding_gbp": underfunding,
            "deficit_above_need_gbp": found["deficit_gbp"] - underfunding,
        }
    if "carried_forward_gbp" in table:
        own = over - table["carried_forward_gbp"].to_numpy()
        found["deficit_new_gbp"] = np.where(own > 0, own, 0)
        found["deficit_carried_gbp"] = found["deficit_gbp"] - found["deficit_new_gbp"]
    return found


def _aged(table: pd.DataFrame) -> Any:
    """Underfunding within each deficit, place by place and year by year: a carried deficit keeps its parts."""
    names = ("place", "spend_gbp", "allocation_gbp", "target_gbp", "carried_forward_gbp")
    found, last, owed, under = list[int](), None, 0, 0
    for place, spend, given, target, carried in table[list(names)].itertuples(index=False, name=None):
        share = under / owed if place == last and owed else 0.0
        own = spend - carried - given
        left = max(0, carried + min(0, own))
        under = max(0, min(own, target - given)) + int(np.rint(left * share))
        last, owed = place, max(0, spend - given)
        found.append(under)
    return np.array(found)


def _percentages(table: pd.DataFrame) -> Iterator[Check]:
    """Growth and distances from target in percent; opening distance is on this year's shares of last year's total."""
    totals = table.groupby("year")[["baseline_gbp", "allocation_gbp"]].transform("sum")
    opening_target = table["target_gbp"] * (totals["baseline_gbp"] / totals["allocation_gbp"])
    pairs = {
        "growth_pct": (table["allocation_gbp"], table["baseline_gbp"]),
        "opening_dft_pct": (table["baseline_gbp"], opening_target),
        "closing_dft_pct": (table["allocation_gbp"], table["target_gbp"]),
    }
    for name, (amount, of) in pairs.items():
        exists = (of != 0).to_numpy()
        exact = 100.0 * (amount - of).to_numpy(dtype=np.float64)[exists] / of.to_numpy(dtype=np.float64)[exists]
        off = np.full(len(table), np.nan)
        off[exists] = np.abs(table[name].to_numpy(dtype=np.float64)[exists] - exact)
        off[~exists & table[name].isna().to_numpy()] = 0.0
        passed = bool((off <= HALF_DIGIT + 1e-9).all())
        found = measured(f"column {name}", off, at=_rows(table), what="recomputed", tolerance=HALF_DIGIT, unit="points")
        yield Check(found.name, passed, found.words, found.worst, HALF_DIGIT)


def check_against_inputs(table: pd.DataFrame, known: Known, record: Plain) -> Iterator[Check]:
    """Places, names, people, targets, baselines, spend and uniform growth of the table against the inputs."""
    yield _same_rows(table, known)
    people = known.population.ravel()
    said = table["population"].to_numpy(dtype=np.float64)
    yield measured(
        "population",
        np.where(np.isnan(people) & np.isnan(said), 0.0, np.abs(said - people)),
        at=_rows(table),
        what="as the places table has it",
        tolerance=0.0,
        unit="people",
    )
    for step, (year, part) in enumerate(years_of(table).items()):
        yield from _year(part, known, step, year)
    yield from _baselines(table, known)
    yield _spend_as_said(table, known, record)


def _same_rows(table: pd.DataFrame, known: Known) -> Check:
    wanted = [
        (place, name, year) for place, name in zip(known.places, known.names, strict=True) for year in known.years
    ]
    found = list(zip(table["place"], table["name"], table["year"], strict=True))
    odd = [
        f"row {row + 2} is {has}, expected {want}"
        for row, (has, want) in enumerate(zip(found, wanted, strict=False))
        if has != want
    ]
    if len(found) != len(wanted):
        odd.insert(0, f"{len(found):,} rows, expected {len(wanted):,}")
    return compared("places", odd, f"the {len(known.places):,} places of the table, each in {len(known.years)} year(s)")


def _year(part: pd.DataFrame, known: Known, step: int, year: str) -> Iterator[Check]:
    pot, at = int(np.rint(known.pot[step])), _rows(part)
    meant = int(np.rint(known.target[:, step].sum()))
    wanted = {"allocation_gbp": pot, "target_gbp": pot if abs(meant - pot) <= 1 else meant, "uniform_gbp": pot}
    sums = {name: int(part[name].sum()) for name in wanted}
    wrong = [
        f"{name} adds up to £{total:,}, not £{wanted[name]:,}" for name, total in sums.items() if total != wanted[name]
    ]
    yield compared(f"pot {year}", wrong, f"allocations and uniform growth add up to £{pot:,}, targets to £{meant:,}")
    off = np.abs(part["target_gbp"].to_numpy() - known.target[:, step])
    yield measured(f"targets {year}", off, at=at, what="from the needs formula")
    before = part["baseline_gbp"].to_numpy(dtype=np.float64)
    off = np.abs(part["uniform_gbp"].to_numpy() - before * (pot / before.sum()))
    yield measured(f"uniform growth {year}", off, at=at, what="baseline x pot / total baseline")
    if known.spend is not None and "spend_gbp" in part:
        off = np.abs(part["spend_gbp"].to_numpy() - known.spend[:, step])
        yield measured(f"spend {year}", off, at=at, what="expected spend")


def _baselines(table: pd.DataFrame, known: Known) -> Iterator[Check]:
    years = list(years_of(table).values())
    first = years[0]["baseline_gbp"].to_numpy()
    yield measured("baseline", np.abs(first - known.baseline), at=_rows(years[0]), what="from the tables")
    total = np.array([abs(float(first.sum()) - float(known.baseline.sum()))])
    yield measured("baseline total", total, at=["all places"], what="rounded to the pound", tolerance=POUND / 2)
    for before, part in pairwise(years):
        off = np.abs(part["baseline_gbp"].to_numpy() - before["allocation_gbp"].to_numpy()).astype(np.float64)
        yield measured("baseline of later years", off, at=_rows(part), what="the year before", tolerance=0.0)


def _spend_as_said(table: pd.DataFrame, known: Known, record: Plain) -> Check:
    """Modelled spend is marked as such, with its seed, and spend columns are there exactly when there is spend."""
    said = record["scenario"]["inputs"].get("spend")
    modelled = bool(said) and ("risk_model" in said or bool(said.get("modelled")))
    seed = said.get("seed") if said and "risk_model" in said else None
    there = [name for name in SPENDING if name in table]
    wrong = []
    if record["modelled_spend"] is not modelled:
        wrong.append(f"modelled_spend is {record['modelled_spend']}, the scenario makes it {modelled}")
    if record["seed"] != seed:
        wrong.append(f"seed is {record['seed']}, the scenario's is {seed}")
    if modelled and not any(str(one).startswith("modelled spend") for one in record["warnings"]):
        wrong.append("no warning says that spend is modelled")
    if len(there) != (0 if known.spend is None else len(SPENDING)):
        wrong.append(f"spend columns are {there}")
    words = "modelled, drawn again by the spend model and marked so" if modelled else "recorded" if said else "none"
    return compared("spend as said", wrong, words)


def check_headline(table: pd.DataFrame, record: Plain) -> Check:
    """Every figure of the headline, recomputed exactly; a figure without a second definition here is a difference."""
    band = float(record["scenario"].get("report", {}).get("band", 0.05))
    found, said = headline(table) | _band(table, 100 * band), record["headline"]
    wrong = [
        f"{name} is {said.get(name)}, the table gives {value}"
        for name, value in found.items()
        if said.get(name) != value
    ]
    wrong += [f"{name} has no second definition" for name in said if name not in found]
    return compared("headline", wrong, f"{len(found)} figures recomputed exactly")


def _band(table: pd.DataFrame, band: float) -> dict[str, float | int | None]:
    """Of a path: when every place has come within `band` percent of target for good, and when the farthest would."""
    closing = [float(part["closing_dft_pct"].abs().max()) for part in years_of(table).values()]
    if len(closing) == 1:
        return {}
    within = [all(one <= band for one in closing[step:]) for step in range(len(closing))]
    opening = float(next(iter(years_of(table).values()))["opening_dft_pct"].abs().max())
    end = closing[-1]
    ahead: float | None = None
    if max(end, opening) <= band:
        ahead = 0.0
    elif end < opening and opening > band > 0 and (end > band or end > AT_TARGET):
        ahead = round(len(closing) * float(np.log(opening / band) / np.log(opening / end)), 2)
    last = list(years_of(table).values())[-1]
    return {
        "band_pct": band,
        "years_to_band": within.index(True) + 1 if any(within) else None,
        "places_beyond_band": int(np.count_nonzero(last["closing_dft_pct"].abs() > band)),
        "projected_years_to_band": ahead,
    }


def headline(table: pd.DataFrame) -> dict[str, float | int]:
    """The figures people quote, from the pounds of the table."""
    ahead = (table["allocation_gbp"] - table["uniform_gbp"]).to_numpy()
    short = (table["target_gbp"] - table["allocation_gbp"]).to_numpy()
    found: dict[str, float | int] = {
        "places": len(set(table["place"])),
        "years": len(set(table["year"])),
        "pot_gbp": int(table["allocation_gbp"].sum()),
        "baseline_gbp": int(table["baseline_gbp"].sum()),
        "movement_gbp": int(ahead[ahead > 0].sum()),
        "shortfall_below_target_gbp": int(short[short > 0].sum()),
        "places_gaining": int(np.count_nonzero(ahead > 0)),
        "places_losing": int(np.count_nonzero(ahead < 0)),
    }
    for moment in ("opening", "closing"):
        found[f"{moment}_dft_least_pct"] = float(np.nanmin(table[f"{moment}_dft_pct"]))
        found[f"{moment}_dft_most_pct"] = float(np.nanmax(table[f"{moment}_dft_pct"]))
    if "spend_gbp" in table:
        over = (table["spend_gbp"] - table["allocation_gbp"]).to_numpy()
        gross = int(over[over > 0].sum())
        own = table["deficit_underfunding_gbp"] if "carried_forward_gbp" in table else np.minimum(over, short)
        underfunding = int(np.clip(own, 0, None).sum())
        found |= {
            "spend_gbp": int(table["spend_gbp"].sum()),
            "gross_deficit_gbp": gross,
            "gross_surplus_gbp": int(-over[over < 0].sum()),
            "net_deficit_gbp": int(over.sum()),
            "deficit_underfunding_gbp": underfunding,
            "deficit_above_need_gbp": gross - underfunding,
            "places_in_deficit": int(np.count_nonzero(over > 0)),
        }
    return found | (_carried_headline(table) if "carried_forward_gbp" in table else {})


def _carried_headline(table: pd.DataFrame) -> dict[str, int]:
    last = list(years_of(table).values())[-1]
    own = (table["spend_gbp"] - table["carried_forward_gbp"] - table["allocation_gbp"]).to_numpy()
    closing = (last["spend_gbp"] - last["allocation_gbp"]).to_numpy()
    return {"new_deficit_gbp": int(own[own > 0].sum()), "closing_deficit_gbp": int(closing[closing > 0].sum())}


def check_effects(table: pd.DataFrame, effects: pd.DataFrame) -> Iterator[Check]:
    """The totals of effects.csv are the sums of allocations.csv, and the rows of a table add up to its total."""
    years = years_of(table)
    sums = {year: _sums(part) for year, part in years.items()}
    last = sums[list(years)[-1]]
    wrong = list[str]()
    for name, rows in effects.groupby("table", sort=False):
        for group, expected in _expected(str(name), sums, last):
            wrong += _differences(str(name), group, rows, expected)
        if (rows["group"] == "total").any():
            wrong += _not_added_up(str(name), rows, last)
    with_total = effects.loc[effects["group"] == "total", "table"].nunique()
    yield compared(
        "effects", wrong, f"the totals of {with_total} tables and of every year are those of the allocations"
    )


def _sums(part: pd.DataFrame) -> dict[str, float]:
    ahead = (part["allocation_gbp"] - part["uniform_gbp"]).to_numpy()
    beyond = np.abs(ahead) * 1000 > part["uniform_gbp"].to_numpy()
    found: dict[str, float] = {name: int(part[name].sum()) for name in (*MONEY, *SPENDING) if name in part}
    found |= {
        "places": len(part),
        "population": float(part["population"].sum()),
        "against_uniform_gbp": int(ahead.sum()),
        "gained_gbp": int(ahead[ahead > 0].sum()),
        "lost_gbp": int(-ahead[ahead < 0].sum()),
        "gaining": int(np.count_nonzero(beyond & (ahead > 0))),
        "losing": int(np.count_nonzero(beyond & (ahead < 0))),
        "within": int(np.count_nonzero(~beyond)),
    }
    if "deficit_gbp" in part:
        found["net_gbp"] = found["deficit_gbp"] - found["surplus_gbp"]
        found["in_deficit_places"] = int((part["deficit_gbp"] > 0).sum())
    return found


def _expected(name: str, sums: Mapping[str, Plain], last: Plain) -> Iterator[tuple[str, Plain]]:
    if name == "path":
        yield from sums.items()
    elif name == "movement":
        wanted = ("gained_gbp", "lost_gbp", "gaining", "losing", "within")
        yield "against_uniform", {key: last[key] for key in wanted}
    else:
        yield "total", last


def _differences(name: str, group: str, rows: pd.DataFrame, expected: Plain) -> Iterator[str]:
    found = rows[rows["group"] == group]
    for measure, value in zip(found["measure"], found["value"], strict=True):
        if measure in expected and not np.isclose(value, expected[measure], rtol=1e-12, atol=0.0):
            yield f"{name}, {group}: {measure} is {value:,.6g}, the allocations give {expected[measure]:,.6g}"


def _not_added_up(name: str, rows: pd.DataFrame, last: Plain) -> Iterator[str]:
    wide = rows[rows["measure"].isin(list(last))]
    totals = wide[wide["group"] == "total"].set_index("measure")["value"]
    added = wide[wide["group"] != "total"].groupby("measure")["value"].sum()
    for measure, value in zip(added.index.astype(str), added, strict=True):
        if not np.isclose(value, totals[measure], rtol=1e-12, atol=1e-6):
            yield f"{name}: the groups' {measure} adds up to {value:,.6g}, its total says {totals[measure]:,.6g}"


def given_of(table: pd.DataFrame) -> Floats:
    """(n, T) pounds: the allocations of each year, places in the order of the table."""
    return np.stack([part["allocation_gbp"].to_numpy(dtype=np.float64) for part in years_of(table).values()], axis=1)
