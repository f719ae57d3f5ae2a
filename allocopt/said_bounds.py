"""What run.json says of the bound on what every grouping costs, and whose it is. Imports nothing of allocopt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

AIMS = {"deficit_and_crossings": "gross deficit with crossings", "gross_deficit": "gross deficit"}
"""The objectives in money that bounds are about, the one that counts more first, in words."""


def aim_of(record: Mapping[str, Any]) -> str:
    """The objective in money that the bounds are about."""
    named = {one["name"] for one in record.get("objectives", [])}
    return next((name for name in AIMS if name in named), "gross_deficit")


def without_solver(record: Mapping[str, Any]) -> float | None:
    """GBP million: how much of the bound needs no branch and bound; None where all of it does not."""
    first = record.get("objectives", [])[:1]
    proved = [one["value"] for one in record.get("bounds", []) if one["name"] != "L"]
    own = [one["value"] for one in record.get("bounds", []) if one["name"] == "L"]
    own += [one["bound"] for one in first if one["name"] == aim_of(record) and one.get("by") == "highs"]
    most = float(max([0.0, *proved]))
    return most if max([0.0, *own]) > most + 1e-6 else None
