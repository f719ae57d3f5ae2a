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
    "uniform_gbp",
)
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
    tables = []
    for step in range(len(situation.years)):
        table = _year(situation, step, baseline, allocation[:, step])
        baseline = table["allocation_gbp"].to_numpy()
        tables.append(table)
    whole = pd.concat(tables, keys=range(len(tables)), names=["step", "row"])
    whole = whole.sort_index(level=["row", "step"]).reset_index(drop=True)
    whole.insert(1, "name", names.reindex(whole["place"]).to_numpy())
    return whole[[column for column in COLUMNS if column in whole]]


def _year(situation: Situation, step: int, baseline: Pounds, allocation: Array) -> pd.DataFrame:
    pot = round(float(situation.pot[step]) * 1e6)
    target = whole_pounds(situation.target[:, step], total=pot)
    given = whole_pounds(allocation, total=pot)
    return pd.DataFrame(
        {
            "place": situation.places,
            "year": situation.years[step],
            "population": situation.population[:, step],
            "baseline_gbp": baseline,
            "target_gbp": target,
            "allocation_gbp": given,
            **_spend_columns(situation, step, given, target),
            **_carried(situation, step),
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


def _carried(situation: Situation, step: int) -> dict[str, Pounds]:
    """What of the spend is a deficit of the years before."""
    if situation.carried is None:
        return {}
    return {"carried_forward_gbp": np.rint(situation.carried[:, step] * 1e6).astype(np.int64)}


def _spend_columns(situation: Situation, step: int, given: Pounds, target: Pounds) -> dict[str, Pounds]:
    if situation.spend is None:
        return {}
    spend = np.rint(situation.spend[:, step] * 1e6).astype(np.int64)
    deficit = np.maximum(0, spend - given)
    underfunding = np.minimum(deficit, np.maximum(0, target - given))
    return {
        "spend_gbp": spend,
        "deficit_gbp": deficit,
        "surplus_gbp": np.maximum(0, given - spend),
        "deficit_underfunding_gbp": underfunding,
        "deficit_above_need_gbp": deficit - underfunding,
    }


def _percent(amount: npt.NDArray[np.int64] | Array, of: Pounds) -> Array:
    """100 x (amount / of - 1), to a millionth of a point; empty where `of` is nothing."""
    base = np.where(of == 0, np.nan, of.astype(np.float64))
    result: Array = np.round(100.0 * (np.asarray(amount, dtype=np.float64) / base - 1.0), 6) + 0.0
    return result
