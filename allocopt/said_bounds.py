"""What run.json says of the bound on every grouping's gross deficit, and whose it is. Imports nothing of allocopt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def without_solver(record: Mapping[str, Any]) -> float | None:
    """GBP million: how much of the bound needs no branch and bound; None where all of it does not."""
    first = record.get("objectives", [])[:1]
    proved = [one["value"] for one in record.get("bounds", []) if one["name"] != "L"]
    own = [one["value"] for one in record.get("bounds", []) if one["name"] == "L"]
    own += [one["bound"] for one in first if one["name"] == "gross_deficit" and one.get("by") == "highs"]
    most = float(max([0.0, *proved]))
    return most if max([0.0, *own]) > most + 1e-6 else None
