"""The plan in whole pounds: rounding that keeps the total, and every column computed from the rounded pounds.

`allocations.csv` is this table. Allocations are rounded by largest remainder so that they add up to the pot exactly;
every other `_gbp` column follows exactly from the rounded pounds. Imports `problem` alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from allocopt.problem import Array, Situation

Pounds = npt.NDArray[np.int64]

COLUMNS = (
    "place",
    "name",
    "year",
    "population",
    "baseline_gbp",
    "target_gbp",
    "allocation_gbp",
    "spend_gbp",
    "carried_forward_gbp",
    "change_gbp",
    "growth_pct",
    "opening_dft_pct",
    "closing_dft_pct",
    "deficit_gbp",
    "surplus_gbp",
    "deficit_underfunding_gbp",
    "deficit_above_need_gbp",
    "deficit_new_gbp",
    "deficit_carried_gbp",
    "uniform_gbp",
)
CARRIED_COLUMNS = ("carried_forward_gbp", "deficit_new_gbp", "deficit_carried_gbp")
"""Of a path that carries deficits forward: what was carried in, and the deficit by whether it is of the year itself."""
SPEND_COLUMNS = ("spend_gbp", "deficit_gbp", "surplus_gbp", "deficit_underfunding_gbp", "deficit_above_need_gbp")


def whole_pounds(millions: Array, *, total: int | None = None) -> Pounds:
    """GBP million to whole pounds by largest remainder (n,), adding up to `total` (or to the rounded sum).

    Ties go to the place that comes first. Raises ValueError when `total` is not what the amounts add up to.
    """
    exact = np.asarray(millions, dtype=np.float64) * 1e6
    wanted = round(float(exact.sum())) if total is None else total
    floor = np.floor(exact).astype(np.int64)
    missing = wanted - int(floor.sum())
    if not 0 <= missing <= len(exact):
        raise ValueError(f"amounts of {exact.sum():,.2f} pounds cannot be rounded to a total of {wanted:,}")
    order = np.argsort(np.round(floor - exact, 3), kind="stable")  # a solver's last bits break no tie
    floor[order[:missing]] += 1
    return floor


def ledger(situation: Situation, allocation: Array, names: pd.Series) -> pd.DataFrame:
    """The allocations table: one row per place and year, in the order of places and then years.

    `allocation` (n, T) GBP million; `names` by place code. Without expected spend the spend columns are left out.
    Baselines of later years are the rounded allocations of the year before.
    """
    baseline = whole_pounds(situation.baseline)
    tables = list[pd.DataFrame]()
    for step in range(len(situation.years)):
        table = _year(situation, step, baseline, allocation[:, step], tables[-1] if tables else None)
        baseline = table["allocation_gbp"].to_numpy()
        tables.append(table)
    whole = pd.concat(tables, keys=range(len(tables)), names=["step", "row"])
    whole = whole.sort_index(level=["row", "step"]).reset_index(drop=True)
    whole.insert(1, "name", names.reindex(whole["place"]).to_numpy())
    return whole[[column for column in COLUMNS if column in whole]]


def _year(
    situation: Situation, step: int, baseline: Pounds, allocation: Array, before: pd.DataFrame | None
) -> pd.DataFrame:
    pot = round(float(situation.pot[step]) * 1e6)
    meant = float(situation.target[:, step].sum()) * 1e6
    target = whole_pounds(situation.target[:, step], total=pot if abs(meant - pot) < 1 else None)
    given = whole_pounds(allocation, total=pot)
    return pd.DataFrame(
        {
            "place": situation.places,
            "year": situation.years[step],
            "population": situation.population[:, step],
            "baseline_gbp": baseline,
            "target_gbp": target,
            "allocation_gbp": given,
            **_spend_columns(situation, step, given, target, before),
            "change_gbp": given - baseline,
            "growth_pct": _percent(given, baseline),
            "opening_dft_pct": _percent(_grown(baseline, pot), target),
            "closing_dft_pct": _percent(given, target),
            "uniform_gbp": whole_pounds(_grown(baseline, pot) / 1e6, total=pot),
        }
    )


def _grown(baseline: Pounds, pot: int) -> Array:
    """The baseline grown uniformly to the pot, in pounds."""
    grown: Array = baseline.astype(np.float64) * (pot / int(baseline.sum()))
    return grown


def _spend_columns(
    situation: Situation, step: int, given: Pounds, target: Pounds, before: pd.DataFrame | None
) -> dict[str, Pounds]:
    """Spend, with the deficits carried into the year, against the allocation; `before` is the table of last year.

    A deficit is that of the year itself, then what of the carried one its surplus does not repay. Underfunding of the
    year itself is what target is above the allocation; a carried deficit keeps the parts that it was made of.
    """
    if situation.spend is None:
        return {}
    spend = np.rint(situation.spend[:, step] * 1e6).astype(np.int64)
    carried = np.zeros_like(spend)
    if situation.carried is not None:
        carried = np.rint(situation.carried[:, step] * 1e6).astype(np.int64)
    deficit = np.maximum(0, spend - given)
    new = np.maximum(0, spend - carried - given)
    underfunding = np.minimum(new, np.maximum(0, target - given)) + _of_underfunding(deficit - new, before)
    columns = {
        "spend_gbp": spend,
        "deficit_gbp": deficit,
        "surplus_gbp": np.maximum(0, given - spend),
        "deficit_underfunding_gbp": underfunding,
        "deficit_above_need_gbp": deficit - underfunding,
    }
    if situation.carried is None:
        return columns
    return columns | {"carried_forward_gbp": carried, "deficit_new_gbp": new, "deficit_carried_gbp": deficit - new}


def _of_underfunding(held: Pounds, before: pd.DataFrame | None) -> Pounds:
    """The part of deficits held over from the year before that is underfunding: in the proportion of that year."""
    if before is None:
        return np.zeros_like(held)
    deficit = before["deficit_gbp"].to_numpy()
    part = before["deficit_underfunding_gbp"].to_numpy() / np.where(deficit == 0, 1, deficit)
    return np.asarray(np.rint(held * part), dtype=np.int64)


def _percent(amount: npt.NDArray[np.int64] | Array, of: Pounds) -> Array:
    """100 x (amount / of - 1), to a millionth of a point; empty where `of` is nothing."""
    base = np.where(of == 0, np.nan, of.astype(np.float64))
    result: Array = np.round(100.0 * (np.asarray(amount, dtype=np.float64) / base - 1.0), 6) + 0.0
    return result
