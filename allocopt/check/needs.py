"""The needs formula a second time, in pounds, on cells as they stand in the tables. Imports `check.verdict`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from allocopt.check.verdict import Floats

POUNDS = {"£": 1.0, "GBP": 1.0, "£k": 1e3, "GBP k": 1e3, "£m": 1e6, "GBP m": 1e6, "£bn": 1e9, "GBP bn": 1e9}
ADDS_UP = 5e-5
"""Of the money: distances that miss their sum by no more are those of the whole country, rounded."""


def figures(frame: pd.DataFrame, column: str) -> Floats:
    """The cells of a column as numbers; those in per cent may say so."""
    return np.array([float(cell.rstrip("%")) for cell in frame[column]])


def target_of(
    formula: Mapping[str, Any], places: pd.DataFrame, pot: float, grown: Floats, held: Floats | None
) -> Floats:
    """(n,) pounds: amounts first, the rest of the pot by need, which grows with people; `held` (n,) is last year's."""
    amounts, shares, total = np.zeros(len(places)), np.zeros(len(places)), 0.0
    published = all("opening_dft" in said for said in formula.values())
    for said in formula.values():
        if "amount" in said:
            less = figures(places, said["less"]) if "less" in said else 0.0
            amounts += POUNDS[said.get("unit", "£")] * (figures(places, said["amount"]) - less)
        else:
            own = _need(said, places, held)
            off = float(own.sum() / np.sum(held)) if published and held is not None else 1.0
            need = own * grown * (off if abs(off - 1.0) > ADDS_UP else 1.0)
            shares += said["share"] * need / (own * grown).sum()
            total += said["share"]
    rest = pot - amounts.sum()
    return np.asarray(amounts + (rest * shares / total if shares.any() else 0.0))


def _need(said: Mapping[str, Any], places: pd.DataFrame, held: Floats | None) -> Floats:
    if "opening_dft" in said:
        return np.asarray(held) * 100.0 / (100.0 + figures(places, said["opening_dft"]))
    weights = {said["need"]: 1.0} if isinstance(said["need"], str) else said["need"]
    need = np.sum([weight * figures(places, name) for name, weight in weights.items()], axis=0)
    return np.asarray(np.prod([need, *(figures(places, index) for index in said.get("times", ()))], axis=0))
