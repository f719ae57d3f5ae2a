"""What the checker's second implementations speak in: a finished allocation in pounds, and the limits of a rule.

Imports `check.verdict` and `check.inputs`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allocopt.check.inputs import Known, Plain
from allocopt.check.verdict import POUND, Floats


@dataclass(frozen=True)
class Decided:
    """A finished allocation with what is known of its places; money in pounds."""

    known: Known
    given: Floats
    """(n, T) the allocations of allocations.csv"""

    def prior(self, step: int) -> Floats:
        """(n,) what each place had the year before: its baseline, then its allocation."""
        return self.known.baseline if step == 0 else np.asarray(self.given[:, step - 1])

    def carried(self, step: int) -> float:
        """Pounds by which rounding has moved what a place had the year before."""
        return 0.0 if step == 0 else POUND

    def uniform(self, step: int) -> Floats:
        """(n,) the pot in the proportions of the year before."""
        prior = self.prior(step)
        return np.asarray(prior * (self.known.pot[step] / prior.sum()))


@dataclass(frozen=True)
class Limits:
    """What a rule limits in one year: lower <= amount <= upper, each (k,) pounds; k is n places, or 1 for the year."""

    amount: Floats
    lower: Floats
    upper: Floats
    tolerance: float | Floats = POUND
    groups: tuple[str, ...] | None = None
    """The groups that the k amounts belong to, where they are neither places nor the year."""
    row_by_row: bool = True
    """Whether the programme has one row for each amount that says the same in the same pounds."""

    @property
    def slack(self) -> Floats:
        """(k,) pounds between the amount and the nearer of its limits, negative where it is missed."""
        return np.minimum(self.amount - self.lower, self.upper - self.amount)


def at_least(of: Decided, step: int, limit: Floats, tolerance: float | Floats = POUND) -> Limits:
    """Each place's allocation is no less than its limit (n,), pounds."""
    return Limits(of.given[:, step], limit, np.full_like(limit, np.inf), tolerance)


def at_most(of: Decided, step: int, limit: Floats, tolerance: float | Floats = POUND) -> Limits:
    """Each place's allocation is no more than its limit (n,), pounds."""
    return Limits(of.given[:, step], np.full_like(limit, -np.inf), limit, tolerance)


def tapered_growth(of: Decided, step: int, rate: float, taper: Plain | None) -> Floats:
    """(n,) the growth that a limit implies after its taper."""
    if taper is None:
        return np.full(len(of.known.places), rate)
    points, end = [taper["from"], taper["to"]], taper.get("end", 0.0)
    return np.asarray(np.interp(of.known.opening[:, step], points, [rate, end]))


def exactly(of: Decided, step: int, amount: Floats, tolerance: float | Floats = POUND) -> Limits:
    """Each place's allocation is this amount (n,), pounds."""
    return Limits(of.given[:, step], amount, amount, tolerance)
