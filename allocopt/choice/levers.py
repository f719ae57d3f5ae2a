"""Settings at which a plan holds: the share kept, the balance band, the duty to admit; each found and verified.

Imports `keep`, `stability`, `field`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from allocopt.choice.field import Array, Field, field_of
from allocopt.choice.keep import STEP, common_share, retained_share
from allocopt.choice.stability import Stability, Terms, stability

BANDS = (0.05, 0.03, 0.02, 0.015, 0.01, 0.0075, 0.005, 0.0025)
"""Balance bands that are tried, the widest first."""


@dataclass(frozen=True)
class Held:
    """A lever: the setting at which nobody breaks away (None: none does), and the largest gain left at it."""

    lever: str
    setting: float | None
    unit: str
    epsilon: float
    verified: bool
    words: str


def _gains(of: Field, level: Array, terms: Terms, least: float) -> Stability:
    return stability(of, level, terms=terms, least=least + STEP, number=1, tolerance=max(STEP / 10, least * 1e-6))


def share_that_holds(of: Field, level: Array, lever: str, *, terms: Terms, least: float) -> Held:
    """The retained share of surpluses, or the common share of surpluses and deficits."""
    if lever == "common_share":
        found = common_share(of, level, least=least)
        what = "consortia keep and bear at most {} of their balances"
        now = Terms(found.share or 0.0, found.share or 0.0)
    else:
        found = retained_share(of, level, terms=terms, least=least)
        what = "consortia keep at most {} of a surplus and bear deficits as before"
        now = replace(terms, retained=found.share or 0.0)
    if found.share is None:
        words = "no share is small enough: coalitions also form to escape deficits or because their members are in none"
        return Held(lever, None, "share", found.epsilon, verified=False, words=words)
    again = _gains(of, level, now, least)
    words = what.format(f"{found.share:.2%}") + ("" if again.stable else ", and some would still leave")
    return Held(lever, found.share, "share", again.epsilon, verified=again.stable, words=words)


def band_that_holds(of: Field, level: Array, *, terms: Terms, least: float) -> Held:
    """The widest of the balance bands tried that leaves no coalition worth forming."""
    epsilon = np.inf
    for width in BANDS:
        settings = {**of.instance.settings, "balance_band": {"max": width}}
        banded = replace(of, instance=replace(of.instance, settings=settings))
        found = _gains(banded, level, terms, least)
        epsilon = min(epsilon, found.epsilon)
        if found.stable:
            words = f"coalitions must have a balance within {width:.2%} of budget of their area's"
            return Held("balance_band", width, "share of budget", found.epsilon, verified=True, words=words)
    words = f"no band down to {BANDS[-1]:.2%} of budget holds the plan together"
    return Held("balance_band", None, "share of budget", epsilon, verified=False, words=words)


def duty_that_holds(of: Field, level: Array, *, terms: Terms, least: float) -> Held:
    """Whether the plan holds where no coalition may pass over a practice that would join and is nearer to its hub."""
    ordered = field_of(of.instance, of.model, share=of.share, in_order=True)
    found = _gains(ordered, level, terms, least)
    done = "holds" if found.stable else "does not hold"
    words = f"the plan {done} where no coalition may pass over a nearer practice"
    return Held("duty_to_admit", 1.0 if found.stable else None, "in order", found.epsilon, found.stable, words)
