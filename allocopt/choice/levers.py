"""Settings at which a plan holds: the share kept, the balance band, the duty to admit; each found and verified.

Every answer has two ends: a setting at which the search finds nobody who breaks away, and the nearest one tried at
which it finds a coalition that does. Imports `keep`, `stability`, `field`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from allocopt.choice.field import Array, Field
from allocopt.choice.keep import STEP, KeptShare, common_share, retained_share
from allocopt.choice.stability import Stability, Terms, stability

WIDEST, NARROWEST = 0.2, 0.0025
"""Balance bands (share of budget) between which the widest that holds is sought."""
HALVINGS = 7


@dataclass(frozen=True)
class Held:
    """A lever: the setting at which nobody breaks away (None: none does), and the largest gain left at it."""

    lever: str
    setting: float | None
    unit: str
    epsilon: float
    verified: bool
    words: str
    fails: float | None = None
    """the nearest setting tried at which a coalition does break away"""


def _gains(of: Field, level: Array, terms: Terms, least: float, *, any_will_do: bool = False) -> Stability:
    tolerance = max(STEP / 10, least * 1e-6)
    return stability(of, level, terms=terms, least=least + STEP, number=1, tolerance=tolerance, any_will_do=any_will_do)


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
        return _no_share(of, lever, found)
    again = _gains(of, level, now, least)
    words = what.format(f"{found.share:.2%}") + ("" if again.stable else ", and some would still leave")
    return Held(lever, found.share, "share", again.epsilon, again.stable, words, found.fails)


def _no_share(of: Field, lever: str, found: KeptShare) -> Held:
    """Even a share of nothing does not hold: who gains then gains by bearing less of a deficit."""
    unit = "a head" if of.share == "per_head" else "of budget"
    gain = f"£{found.epsilon:,.2f} a head" if unit == "a head" else f"{found.epsilon:.3%} of budget"
    lost = not np.isfinite(found.epsilon) or found.epsilon > 1e11
    why = "practices that are in none form their own" if lost else f"some gain {gain} by leaving a deficit behind"
    kept = "a surplus" if lever == "retained_share" else "a balance"
    words = f"no share of {kept} is small enough: even where nothing of it is kept, {why}"
    return Held(lever, None, "share", found.epsilon, verified=False, words=words, fails=0.0)


def band_that_holds(of: Field, level: Array, *, terms: Terms, least: float) -> Held:
    """The widest balance band that leaves no coalition worth forming: a narrower one allows fewer coalitions."""
    holds: tuple[float, Stability] | None = None
    fails: tuple[float, Stability] | None = None
    width = NARROWEST
    for _ in range(HALVINGS + 2):
        found = _gains(_banded(of, width), level, terms, least, any_will_do=True)
        holds, fails = ((width, found), fails) if found.stable else (holds, (width, found))
        if holds is None or (fails is None and width == WIDEST):
            break
        width = WIDEST if fails is None else round(float(np.sqrt(holds[0] * fails[0])), 5)
    if holds is None:
        assert fails is not None
        return _no_band(of, fails[1])
    words = f"coalitions must have a balance within {holds[0]:.2%} of budget of their area's"
    wider = None if fails is None else fails[0]
    if wider is not None:
        leave = fails is not None and bool(fails[1].blocking)
        words += f"; within {wider:.2%} " + ("some would leave" if leave else "that is not proven")
    return Held("balance_band", holds[0], "share of budget", holds[1].epsilon, verified=True, words=words, fails=wider)


def _no_band(of: Field, found: Stability) -> Held:
    """Even coalitions as balanced as the whole gain: the plan's own differences are what drives them out."""
    words = f"no band down to {NARROWEST:.2%} of budget holds the plan together"
    gain = found.blocking[0].gain if found.blocking else found.epsilon
    if found.blocking and np.isfinite(found.blocking[0].level):
        said = f"£{gain:,.2f} a head" if of.share == "per_head" else f"{gain:.3%} of budget"
        words += f": a coalition as balanced as the whole still gains {said} by leaving a deficit behind"
    return Held("balance_band", None, "share of budget", gain, verified=False, words=words, fails=NARROWEST)


def _banded(of: Field, width: float) -> Field:
    settings = {**of.instance.settings, "balance_band": {"max": width}}
    return replace(of, instance=replace(of.instance, settings=settings))


def duty_that_holds(of: Field, level: Array, *, terms: Terms, least: float) -> Held:
    """Whether the plan holds where no coalition may pass over a practice that would join and is nearer to its hub."""
    ordered = replace(of, in_order=True)
    found = _gains(ordered, level, terms, least)
    if found.stable:
        words = "the plan holds where no coalition may pass over a nearer practice"
        return Held("duty_to_admit", 1.0, "in order", found.epsilon, verified=True, words=words)
    words = "the plan does not hold by itself where no coalition may pass over a nearer practice"
    both = common_share(ordered, level, least=least)
    if both.share and terms == Terms() and _gains(ordered, level, Terms(both.share, both.share), least).stable:
        words += f"; with it, consortia that keep and bear up to {both.share:.2%} of their balances stay"
    return Held("duty_to_admit", None, "in order", found.epsilon, verified=False, words=words, fails=1.0)
