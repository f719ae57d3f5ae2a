"""The price of a rule as a run holds and tells it; `prices` works it out. Imports `certificates` alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from allocopt.certificates import Kept


@dataclass(frozen=True)
class Price:
    """What easing one rule is worth in the first objective, in the objective's own unit; never below zero."""

    price: float | None
    """The gain per unit of easing, in the relaxing direction, to 1% where `at_most` agrees."""
    unit: str
    words: str
    at_most: float | None = None
    """No easing, however small, gains more than this per unit: proved by the first stage's row prices."""
    step: float | None = None
    """The easing, in the same unit, over which `price` was solved."""
    reaches: float | None = None
    """The easing, in the same unit, up to which the gain per unit was found to stay within 1% of `price`."""
    without: float | None = None
    """The gain from dropping the rule altogether; None for rules that always hold."""
    kept: Mapping[str, Kept] = field(default_factory=dict, compare=False, repr=False)
    """What proves each figure again: `step`, `spoken` (where its step is another), `at_most`, `reaches`, `without`."""

    def as_dict(self) -> dict[str, Any]:
        """As run.json has it."""
        return {
            "price": _round(self.price),
            "price_unit": self.unit,
            "price_words": self.words,
            "price_at_most": _round(self.at_most),
            "price_step": _round(self.step),
            "price_reaches": _round(self.reaches),
            "without": _round(self.without),
        }


def _round(value: float | None) -> float | None:
    """To nine digits: what the solver says beyond them is noise."""
    return None if value is None else float(f"{value:.9g}")
