"""Who gains and who loses: every table of a finished allocation, by group, band and distance from target.

A gain is the difference from uniform growth (baseline x pot / total baseline); the cash change stands beside it. Shares
are of gross movement, half the sum of absolute differences, because the net is zero by construction. Groups are formed
on baseline values, and a `total` row is the sum of the rows above it, to the pound. Tables are wide, for people;
`tidy` turns them into effects.csv. Imports `places`, `words`, `inequality`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from allocopt.effects.inequality import (
    Floats,
    atkinson,
    concentration,
    gini,
    kakwani,
    redistribution,
    theil,
    theil_split,
)
from allocopt.effects.places import (
    SPENDING,
    TOTAL,
    Grouping,
    by_year,
    check_attributes,
    check_groupings,
    groupings,
    has_spend,
    offered,
)
from allocopt.effects.words import BANDS, against_their_group, summary, warnings

__all__ = [
    "against_their_group",
    "check_groupings",
    "effects",
    "effects_tables",
    "offered",
    "summary",
    "tidy",
    "unit",
    "warnings",
]

Tables = dict[str, pd.DataFrame]
Labels = np.ndarray[Any, np.dtype[np.object_]]
_BEYOND = (5, 10, 20)
_DFT_LIMITS = (0.025, 0.05, 0.10)
_DFT_BANDS = ("< -10%", "-10% to -5%", "-5% to -2.5%", "-2.5% to 2.5%", "2.5% to 5%", "5% to 10%", "> 10%")
_EPSILONS = (0.5, 1.0, 2.0)
_UNITS = {"_gbp": "GBP", "_pct": "%", "_per_head": "GBP per head", "population": "people"}
_COUNTS = {"places", "gaining", "losing", "within"}


def effects(
    allocations: pd.DataFrame, attributes: pd.DataFrame, *, group_by: Sequence[str], modelled_spend: bool
) -> pd.DataFrame:
    """All effects of an allocation as one tidy table: effects.csv. Arguments and errors as `effects_tables`."""
    return tidy(effects_tables(allocations, attributes, group_by=group_by, modelled_spend=modelled_spend))


def effects_tables(
    allocations: pd.DataFrame, attributes: pd.DataFrame, *, group_by: Sequence[str], modelled_spend: bool
) -> Tables:
    """All effects tables by name, wide: a row a group, a column a measure; `attrs["title"]` states what and the weight.

    `allocations`: the allocations.csv table with `uniform_gbp` (`place` a column or the index; money in whole pounds,
    rates in percent; spend columns absent or empty without spend). With several years the tables are of the last,
    groups are formed on the first, and `path` has a row a year. `attributes`: index place, columns `region`, `area`,
    `imd` (NaN: not known) as there are, and others that `group_by` may name. Raises `TableFault` where codes, columns
    or sums do not fit.
    """
    years = by_year(allocations)
    base, last = next(iter(years.values())), list(years.values())[-1]
    check_attributes(base.index, attributes)
    attributes = attributes.loc[base.index]
    groups = groupings(base, attributes, group_by)
    tables = {f"by_{name}": _by_group(last, grouping) for name, grouping in groups.items()}
    tables |= (
        _band_tables(last, groups) | _distance_tables(last) | {"movement": _movement(last), "movers": _movers(last)}
    )
    if has_spend(last):
        tables["deficit"] = _deficit(last, base, attributes)
    tables |= _inequality_tables(last, attributes) | {"path": _path(years)}
    for name, table in tables.items() if len(years) > 1 else ():
        table.attrs["title"] += "" if name == "path" else f"; of {list(years)[-1]}, the last year, alone"
    for table in tables.values():
        _mark_modelled(table, modelled=modelled_spend and has_spend(last))
    return {name: _rounded(table) for name, table in tables.items()}


def tidy(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Tables as rows of (table, group, measure, unit, value): table by table, row by row; undefined values are NaN."""
    parts: list[pd.DataFrame] = []
    for name, table in tables.items():
        measures = [str(column) for column in table.columns]
        units = [table.attrs.get("unit") or unit(measure) for measure in measures]
        rows, width = len(table), len(measures)
        part = {
            "table": [name] * (rows * width),
            "group": np.repeat(table.index.astype(str).to_numpy(dtype=object), width),
            "measure": measures * rows,
            "unit": units * rows,
            "value": table.to_numpy(dtype="float64").ravel(),
        }
        parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def unit(measure: str) -> str:
    """The unit of a measure, read off its name."""
    named = (_UNITS[ending] for ending in _UNITS if measure.endswith(ending))
    return next(named, "places" if measure in _COUNTS or measure.endswith("places") else "index")


def _titled(table: pd.DataFrame, title: str) -> pd.DataFrame:
    table.attrs = {"title": title}
    return table


def _mark_modelled(table: pd.DataFrame, *, modelled: bool) -> None:
    shows_spend = "spend" in table.index or any(column in table for column in SPENDING)
    table.attrs["modelled_spend"] = modelled and shows_spend
    if table.attrs["modelled_spend"]:
        table.attrs["title"] += " [modelled spend]"


def _rounded(table: pd.DataFrame) -> pd.DataFrame:
    """Rates to a millionth of a point (as in allocations.csv), indices to 1e-12: no noise such as -5e-17% is shown."""
    digits = {"%": 6, "% of people": 6, "GBP per head": 6, "index": 12}
    for column in table.columns:
        named = table.attrs.get("unit") or unit(str(column))
        if named in digits:
            table[column] = table[column].round(digits[named]) + 0.0
    return table


def _with_total(rows: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([rows, rows.sum().to_frame(TOTAL).T.astype(rows.dtypes.to_dict())])


def _summed(places: pd.DataFrame, labels: pd.Series | Labels, order: Sequence[str]) -> pd.DataFrame:
    return places.groupby(labels).sum().reindex(list(order), fill_value=0)


def _by_group(places: pd.DataFrame, grouping: Grouping) -> pd.DataFrame:
    rows = _with_total(_summed(_addends(places, grouping.labels), grouping.labels, grouping.order))
    title = (
        f"Effects by {grouping.words}; groups formed on baseline values, per-head and mean figures weighted by people"
    )
    return _titled(_with_rates(rows), title)


def _addends(places: pd.DataFrame, labels: pd.Series) -> pd.DataFrame:
    """The columns that groups add up, with the places that move against their group's total."""
    group_side = np.sign(places.groupby(labels)["against_uniform_gbp"].transform("sum"))
    opposite = ((places["gaining"] - places["losing"]) * group_side < 0).astype("int64")
    return _people_weighted(places).assign(
        opposite_places=opposite, opposite_population=opposite * places["population"]
    )


def _people_weighted(places: pd.DataFrame) -> pd.DataFrame:
    weighted = places["against_uniform_pct"] * places["population"]
    return places.drop(columns="against_uniform_pct").assign(weighted_change=weighted)


def _with_rates(rows: pd.DataFrame) -> pd.DataFrame:
    """Rates worked out from sums: they never add up, so they come after the total row is formed."""
    people, target, before = rows["population"], rows["target_gbp"], rows["allocation_gbp"] - rows["change_gbp"]
    gross = rows["gained_gbp"] + rows["lost_gbp"]
    whole = gross[TOTAL] if TOTAL in rows.index else gross
    rates = {
        "gross_share_pct": 100.0 * gross / whole,
        "against_uniform_pct": 100.0 * rows["against_uniform_gbp"] / rows["uniform_gbp"],
        "mean_against_uniform_pct": rows["weighted_change"] / people,
        "growth_pct": 100.0 * rows["change_gbp"] / before,
        "opening_dft_pct": 100.0 * rows["opening_gbp"] / target,
        "closing_dft_pct": 100.0 * (rows["allocation_gbp"] / target - 1.0),
        **({"spend_dft_pct": 100.0 * (rows["spend_gbp"] / target - 1.0)} if "spend_gbp" in rows else {}),
        **{
            f"{name}_per_head": rows[f"{name}_gbp"] / people
            for name in ("baseline", "target", "allocation", "against_uniform")
        },
    }
    return rows.drop(columns=["weighted_change", "opening_gbp"]).assign(**rates)


def _path(years: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    rows = pd.concat([_people_weighted(part).sum().to_frame(year).T for year, part in years.items()])
    whole = _people_weighted(next(iter(years.values()))).dtypes.to_dict()
    table = _with_rates(rows.astype(whole)).drop(columns="gross_share_pct")
    return _titled(table, "Totals of all places by year; per-head and mean figures weighted by people")


def _band(places: pd.DataFrame) -> Labels:
    """The band of change against uniform growth, in whole pounds so that a limit is met exactly."""
    over_five = (places["against_uniform_gbp"].abs() * 20 > places["uniform_gbp"]).astype("int64")
    side = places["gaining"] - places["losing"]
    named: Labels = np.array(BANDS, dtype=object)[(2 + side * (1 + over_five)).to_numpy()]
    return named


def _band_tables(places: pd.DataFrame, groups: Mapping[str, Grouping]) -> Tables:
    band = _band(places)
    shown = ["places", "population", "uniform_gbp", "allocation_gbp", "against_uniform_gbp", "change_gbp"]
    rows = _with_total(_summed(places[shown], band, BANDS))
    rows["population_pct"] = 100.0 * rows["population"] / float(places["population"].sum())
    tables = {"bands": _titled(rows, "Five bands of change against uniform growth; shares weighted by people")}
    quantiles = (grouping for name, grouping in groups.items() if name in ("imd_fifth", "need_decile"))
    return tables | {f"bands_by_{grouping.name}": _bands_within(places, band, grouping) for grouping in quantiles}


def _bands_within(places: pd.DataFrame, band: Labels, grouping: Grouping) -> pd.DataFrame:
    people = pd.DataFrame({name: places["population"].where(band == name, 0.0) for name in BANDS})
    rows = _with_total(_summed(people, grouping.labels, grouping.order))
    title = f"Change against uniform growth, per cent of each group's people (rows add to 100), by {grouping.words}"
    shares = _titled(100.0 * rows.div(rows.sum(axis=1), axis=0), title)
    shares.attrs["unit"] = "% of people"
    return shares


def _distances(places: pd.DataFrame) -> dict[str, pd.Series]:
    """Pounds from target: opening (on this year's target shares), closing, and spend."""
    found = {"opening": places["opening_gbp"], "closing": places["allocation_gbp"] - places["target_gbp"]}
    return found | ({"spend": places["spend_gbp"] - places["target_gbp"]} if has_spend(places) else {})


def _distance_tables(places: pd.DataFrame) -> Tables:
    distances = _distances(places)
    bands = [_dft_band(places, distances[when]).add_prefix(f"{when}_") for when in ("opening", "closing")]
    limit = "a place on a limit, to the pound, counts as inside"
    return {
        "dft_bands": _titled(_with_total(pd.concat(bands, axis=1)), f"Distance from target before and after; {limit}"),
        "beyond": _titled(
            _beyond(places, distances), f"Share of places and of people farther than 5, 10, 20% from target; {limit}"
        ),
    }


def _dft_band(places: pd.DataFrame, distance: pd.Series) -> pd.DataFrame:
    """Places and people by band; an allocation rounded to the pound may stand £1 over the limit that it meets."""
    steps = [(distance.abs() > limit * places["target_gbp"] + 1).astype("int64") for limit in _DFT_LIMITS]
    place = 3 + np.sign(distance).astype("int64") * sum(steps)
    return _summed(places[["places", "population"]], np.array(_DFT_BANDS, dtype=object)[place.to_numpy()], _DFT_BANDS)


def _beyond(places: pd.DataFrame, distances: Mapping[str, pd.Series]) -> pd.DataFrame:
    people, rows = places["population"], {}
    for when, distance in distances.items():
        row = {}
        for limit in _BEYOND:
            far = distance.abs() > limit / 100 * places["target_gbp"] + 1
            row[f"beyond_{limit}_places_pct"] = 100.0 * far.mean()
            row[f"beyond_{limit}_population_pct"] = 100.0 * people[far].sum() / people.sum()
        rows[when] = row
    return pd.DataFrame.from_dict(rows, orient="index")


def _movement(places: pd.DataFrame) -> pd.DataFrame:
    cash_base = places["allocation_gbp"] - places["change_gbp"]
    rows = {
        "against_uniform": _moved(places["against_uniform_gbp"], places["uniform_gbp"]),
        "cash": _moved(places["change_gbp"], cash_base),
    }
    title = (
        "Gross movement: half the sum of absolute differences, rounded up to the pound; gaining, losing: by over 0.1%"
    )
    return _titled(pd.DataFrame.from_dict(rows, orient="index"), title)


def _moved(change: pd.Series, base: pd.Series) -> dict[str, float | int]:
    up, down = int(change.clip(lower=0).sum()), int(-change.clip(upper=0).sum())
    beyond, rate = change.abs() * 1000 > base, 100.0 * change / base
    return {
        "gross_gbp": (up + down + 1) // 2,
        "net_gbp": up - down,
        "gained_gbp": up,
        "lost_gbp": down,
        "gaining": int((beyond & (change > 0)).sum()),
        "losing": int((beyond & (change < 0)).sum()),
        "within": int((~beyond).sum()),
        "largest_gain_gbp": max(int(change.max()), 0),
        "largest_loss_gbp": max(int(-change.min()), 0),
        "largest_gain_pct": max(float(rate.max()), 0.0),
        "largest_loss_pct": max(float(-rate.min()), 0.0),
    }


def _movers(places: pd.DataFrame, shown: int = 10) -> pd.DataFrame:
    change = places[["against_uniform_gbp", "against_uniform_pct"]].copy()
    change["against_uniform_per_head"] = change["against_uniform_gbp"] / places["population"]
    ordered = change.sort_values("against_uniform_gbp", ascending=False, kind="stable")
    gains, losses = ordered[ordered["against_uniform_gbp"] > 0], ordered[ordered["against_uniform_gbp"] < 0]
    table = pd.concat([gains.head(shown), losses.tail(shown)])
    return _titled(
        table, f"Up to {shown} largest gains and {shown} largest losses against uniform growth, place by place"
    )


def _deficit(places: pd.DataFrame, base: pd.DataFrame, attributes: pd.DataFrame) -> pd.DataFrame:
    shown = places[["places", "population", *SPENDING]].assign(
        in_deficit_places=(places["deficit_gbp"] > 0).astype("int64")
    )
    if "imd" in attributes:
        fifth = groupings(base, attributes, ["imd_fifth"])["imd_fifth"]
        rows, words = _with_total(_summed(shown, fifth.labels, fifth.order)), f", by {fifth.words}"
    else:
        rows, words = shown.sum().to_frame(TOTAL).T.astype(shown.dtypes.to_dict()), ""
    rows["net_gbp"] = rows["deficit_gbp"] - rows["surplus_gbp"]
    title = (
        f"Gross deficit, gross surplus, net (deficit - surplus); deficit = underfunding + spending above need{words}"
    )
    return _titled(rows, title)


def _inequality_tables(places: pd.DataFrame, attributes: pd.DataFrame) -> Tables:
    people, target = places["population"].to_numpy(), places["target_gbp"].to_numpy(dtype="float64")
    money = {name: places[f"{name}_gbp"].to_numpy(dtype="float64") for name in ("baseline", "allocation", "target")}
    heads = {name: values / people for name, values in money.items()}
    ratios = {name: money[name] / target for name in ("baseline", "allocation")}
    need = heads["target"]
    per_head, to_target = _inequality(heads, people, need, attributes), _inequality(ratios, target, need, attributes)
    per_head["kakwani_need"] = [kakwani(values, need, people) for values in heads.values()]
    split = {"per_head": redistribution(heads["baseline"], heads["allocation"], people)}
    split["relative_to_target"] = redistribution(ratios["baseline"], ratios["allocation"], target)
    rows = {
        name: {"effect": part.effect, "vertical": part.vertical, "reranking": part.reranking}
        for name, part in split.items()
    }
    effect_title = "Redistribution: G(baseline) - G(allocation) = vertical - re-ranking (Reynolds-Smolensky)"
    return {
        "inequality_per_head": _titled(
            per_head, f"Inequality of pounds per head, weighted by people{_left_out(attributes)}"
        ),
        "inequality_to_target": _titled(
            to_target, f"Inequality of pounds over target, weighted by target{_left_out(attributes)}"
        ),
        "redistribution": _titled(
            pd.DataFrame.from_dict(rows, orient="index"), f"{effect_title}; weighted by people, by target"
        ),
    }


def _left_out(attributes: pd.DataFrame) -> str:
    if "imd" not in attributes or not attributes["imd"].notna().any():
        return ""
    missing = int(attributes["imd"].isna().sum())
    return f"; ranking by deprivation runs from least to most deprived and leaves out {missing:,} places without IMD"


def _inequality(
    values: Mapping[str, Floats],
    weights: Floats,
    need: Floats,
    attributes: pd.DataFrame,
) -> pd.DataFrame:
    rows = {}
    for name, y in values.items():
        row = {"gini": gini(y, weights), "concentration_need": concentration(y, weights, by=need)}
        row["concentration_baseline"] = concentration(y, weights, by=values["baseline"])
        row |= _by_deprivation(y, weights, attributes) | _theil_row(y, weights, attributes)
        rows[name] = row | {f"atkinson_{epsilon:g}": atkinson(y, weights, epsilon=epsilon) for epsilon in _EPSILONS}
    return pd.DataFrame.from_dict(rows, orient="index")


def _by_deprivation(y: Floats, weights: Floats, attributes: pd.DataFrame) -> dict[str, float]:
    if "imd" not in attributes or not attributes["imd"].notna().any():
        return {}
    imd = attributes["imd"].to_numpy(dtype="float64")
    known = ~np.isnan(imd)
    return {"concentration_deprivation": concentration(y[known], weights[known], by=imd[known])}


def _theil_row(y: Floats, weights: Floats, attributes: pd.DataFrame) -> dict[str, float]:
    if "area" not in attributes:
        return {"theil": theil(y, weights)}
    codes = pd.factorize(attributes["area"], use_na_sentinel=False)[0]
    split = theil_split(y, weights, groups=codes)
    return {"theil": split.total, "theil_within_areas": split.within, "theil_between_areas": split.between}
