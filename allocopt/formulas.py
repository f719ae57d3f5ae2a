"""Candidate needs formulas side by side: what each would give every place, and how much money they would move.

A scenario names candidates under `formulas`, each written like `formula`; the plan rests on `formula` alone. Amounts
are targets of the first year in whole pounds that add up to the pot, so gains equal losses. Imports `formula`,
`ledger`, `inputs`, `plan` (for what is known) and `errors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from allocopt.errors import TableFault
from allocopt.formula import Targets, targets
from allocopt.ledger import Pounds, whole_pounds
from allocopt.plan import Facts
from allocopt.settings import Component

OWN = "formula"
"""The name under which the scenario's own formula stands in the tables."""
LIMITS = (5, 10, 20)
"""Per cent from target: the published bands of practices beyond 5, 10 and 20% of budget."""
_EDGES = (-20, -10, -5, 5, 10, 20)
_BANDS = ("< -20%", "-20% to -10%", "-10% to -5%", "-5% to 5%", "5% to 10%", "10% to 20%", "> 20%")


@dataclass(frozen=True)
class Compared:
    """`places` and `components` are formulas.csv and formula_components.csv; `effects` are wide tables with titles."""

    places: pd.DataFrame
    components: pd.DataFrame
    effects: Mapping[str, pd.DataFrame]


def candidates(facts: Facts) -> dict[str, Targets]:
    """The targets of every candidate, by name. Raises TableFault that names the candidate's own keys."""
    return {name: _targets(facts, name, one) for name, one in facts.loaded.scenario.formulas.items()}


def _targets(facts: Facts, name: str, formula: Mapping[str, Component]) -> Targets:
    try:
        return targets(facts.loaded.scenario.model_copy(update={"formula": dict(formula)}), facts.inputs)
    except TableFault as fault:
        problems = [replace(one, key=f"formulas.{name}{one.key.removeprefix('formula')}") for one in fault.problems]
        raise TableFault(f"the candidate formula {name} cannot be worked out", tuple(problems)) from fault


def compare_formulas(facts: Facts) -> Compared | None:
    """The scenario's formula beside its candidates; None when it names none."""
    found = {OWN: facts.targets} | candidates(facts)
    if len(found) == 1:
        return None
    year = facts.inputs.years[0]
    pounds = {name: _pounds(one.target[year], facts) for name, one in found.items()}
    places = pd.concat([_by_place(facts, name, pounds) for name in found], ignore_index=True)
    parts = pd.concat([_by_component(facts, name, one, pounds[name]) for name, one in found.items()], ignore_index=True)
    effects = {"formulas": _side_by_side(facts, pounds), "formula_components": _components(facts, found)}
    return Compared(places, parts, effects)


def _pounds(target: pd.Series, facts: Facts) -> Pounds:
    pot = round(float(facts.inputs.pot.iloc[0]) * 1e6)
    return whole_pounds(target.to_numpy(dtype=float), total=pot if abs(1e6 * float(target.sum()) - pot) < 1 else None)


def _by_place(facts: Facts, name: str, pounds: Mapping[str, Pounds]) -> pd.DataFrame:
    given, own = pounds[name], pounds[OWN]
    distance = opening(facts, given)
    return pd.DataFrame(
        {
            "place": facts.situation.places,
            "name": facts.inputs.name.to_numpy(),
            "formula": name,
            "target_gbp": given,
            "share_pct": np.round(100.0 * given / given.sum(), 9),
            "change_gbp": given - own,
            "change_pct": np.round(100.0 * (given - own) / own, 6) + 0.0,
            "opening_dft_pct": np.round(distance, 6) + 0.0,
            "band": band(distance),
            "band_before": band(opening(facts, own)),
        }
    )


def opening(facts: Facts, target: Pounds) -> np.ndarray:
    """Per cent of the opening distance from these targets: the baseline grown to the pot, against them."""
    base, pot = facts.situation.baseline * 1e6, round(float(facts.inputs.pot.iloc[0]) * 1e6)
    return np.asarray(100.0 * (base * (pot / base.sum()) / target - 1.0))


def band(distance: np.ndarray) -> np.ndarray:
    """The band of a distance in per cent; a place on a limit counts as nearer to target."""
    passed = [distance >= edge if edge < 0 else distance > edge for edge in _EDGES]
    return np.asarray(np.array(_BANDS, dtype=object)[np.sum(passed, axis=0)])


def _by_component(facts: Facts, name: str, found: Targets, target: Pounds) -> pd.DataFrame:
    """Each place's target by component, in whole pounds that add up to the target (largest remainder)."""
    year = facts.inputs.years[0]
    exact = np.column_stack([frame[year].to_numpy(dtype=float) for frame in found.components.values()]) * 1e6
    exact *= (target / exact.sum(axis=1))[:, None]
    whole = np.floor(exact).astype(np.int64)
    order = np.argsort(whole - exact, axis=1, kind="stable").argsort(axis=1, kind="stable")
    whole += order < (target - whole.sum(axis=1))[:, None]
    names = list(found.components)
    return pd.DataFrame(
        {
            "place": np.repeat(facts.situation.places, len(names)),
            "formula": name,
            "component": names * len(target),
            "target_gbp": whole.ravel(),
        }
    )


def _side_by_side(facts: Facts, pounds: Mapping[str, Pounds]) -> pd.DataFrame:
    """One row a formula: money moved against `formula`, who gains, and how many cross 5, 10 and 20% from target."""
    rows = {name: _row(facts, given, pounds[OWN]) for name, given in pounds.items()}
    table = pd.DataFrame.from_dict(rows, orient="index")
    title = "Candidate formulas against the scenario's own: targets of the first year; distances are opening distances"
    modelled = facts.spend is not None and facts.spend.modelled
    table.attrs = {"title": f"{title}{' [modelled spend]' if modelled else ''}", "modelled_spend": modelled}
    return table


def _row(facts: Facts, given: Pounds, own: Pounds) -> dict[str, float | int]:
    change, far, was = given - own, np.abs(opening(facts, given)), np.abs(opening(facts, own))
    rate = 100.0 * change / own
    row: dict[str, float | int] = {
        "gross_movement_gbp": int(change[change > 0].sum()),
        "gaining_places": int((change > 0).sum()),
        "losing_places": int((change < 0).sum()),
        "largest_gain_pct": max(0.0, round(float(rate.max()), 6)),
        "largest_loss_pct": max(0.0, round(float(-rate.min()), 6)),
    }
    for limit in LIMITS:
        row[f"change_beyond_{limit}_places"] = int((np.abs(rate) > limit).sum())
        row[f"crossing_out_{limit}_places"] = int(((was <= limit) & (far > limit)).sum())
        row[f"crossing_in_{limit}_places"] = int(((was > limit) & (far <= limit)).sum())
        row[f"beyond_{limit}_places"] = int((far > limit).sum())
    if facts.situation.spend is not None:
        spend = np.abs(100.0 * (facts.situation.spend[:, 0] * 1e6 / given - 1.0))
        row |= {f"spend_beyond_{limit}_places": int((spend > limit).sum()) for limit in LIMITS}
    return row


def _components(facts: Facts, found: Mapping[str, Targets]) -> pd.DataFrame:
    """One row a component of each formula: its money, and what it moves: the formula with it against without it."""
    year, rows = facts.inputs.years[0], {}
    for name, one in found.items():
        whole = one.target[year].to_numpy(dtype=float)
        for component, frame in one.components.items():
            part = frame[year].to_numpy(dtype=float)
            rest = whole - part
            moved = float(np.maximum(0.0, whole - rest * whole.sum() / rest.sum()).sum()) if rest.sum() > 0 else np.nan
            rows[f"{name}: {component}"] = {
                "value_gbp": round(float(part.sum()) * 1e6),
                "value_share_pct": round(100.0 * float(part.sum() / whole.sum()), 6),
                "moves_gbp": round(moved * 1e6) if np.isfinite(moved) else np.nan,
            }
    table = pd.DataFrame.from_dict(rows, orient="index")
    title = "Value of each component, and the money it moves between places: the formula with it against without it"
    table.attrs = {"title": title}
    return table
