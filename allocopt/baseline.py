"""What each place gets today, where it follows from targets: a larger body's money shared, or past activity.

A baseline that stands in a table is read and checked by `inputs`; the two kinds here need the targets first. Both are
assumptions of the scenario, since no practice baseline is published. Imports `risk`, `money`,
`scenario`, `units`, `errors` and the types of `formula`, `inputs` and `settings`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allocopt.errors import Problem, TableFault
from allocopt.inputs.money import share_within
from allocopt.risk import ENGLAND_PRACTICES, persistent_draw
from allocopt.scenario import Loaded
from allocopt.units import write_rate

if TYPE_CHECKING:
    from allocopt.formula import Targets
    from allocopt.inputs import Inputs
    from allocopt.settings import FollowsActivity, Scenario

CLIP = 0.6
"""A scaled effect of past activity stays within +/-60%, as in the model of expected spend (design section 9)."""

_STRONGEST = 64.0
_HALVINGS = 60


def baseline(scenario: Scenario | Loaded, inputs: Inputs, targets: Targets) -> pd.Series:
    """The baseline of every place, GBP million, above zero: read, shared by target, or following activity.

    Shared: body's money x target_p / sum of targets within the body, on the first year's targets. Source: the scenario.
    Raises TableFault when a place's baseline is not above zero, or the effect cannot be calibrated.
    """
    first = inputs.years[0]
    given = (scenario.scenario if isinstance(scenario, Loaded) else scenario).inputs.baseline
    if inputs.baseline is not None:
        return inputs.baseline
    if given.follows_activity is not None:
        return follows_activity(given.follows_activity, inputs, targets)
    if given.shared is None or inputs.bodies is None:
        raise _fault(Problem("the scenario gives no baseline", "give table, column and unit", "inputs.baseline"))
    return share_within(inputs.bodies, inputs.places[given.shared.within], targets.target[first].rename("target"))


def follows_activity(given: FollowsActivity, inputs: Inputs, targets: Targets) -> pd.Series:
    """Target share x (1 + persistent effect of the spend model), rescaled to the total; GBP million by place.

    The effect's size is calibrated so that `share_beyond` of places (to the nearest place) lie farther than `beyond`
    from their fair share; the seed of expected spend gives each place the effect that its spend has. Source: the
    practice-based commissioning toolkit, 18% of 1,802 indicative budgets more than 10% from fair share.
    """
    share = targets.share[inputs.years[0]]
    effect = persistent_draw(inputs.places.index, seed=given.seed, model=ENGLAND_PRACTICES)
    size = calibrated_size(share.to_numpy(), effect, beyond=given.beyond, share_beyond=given.share_beyond)
    total = float(inputs.pot.iloc[0]) if given.total is None else given.total
    activity = share * (1 + _scaled(effect, size))
    return (activity * (total / activity.sum())).rename("baseline")


def calibrated_size(
    share: NDArray[np.float64], effect: NDArray[np.float64], *, beyond: float, share_beyond: float
) -> float:
    """The size of the effect at which the share of places beyond `beyond` comes nearest to `share_beyond`.

    By bisection: the share grows with the size. Raises TableFault when no size reaches it to the nearest place.
    """
    low, high = 0.0, _STRONGEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if share_farther(share, effect, middle, beyond) < share_beyond:
            low = middle
        else:
            high = middle
    size = min(low, high, key=lambda size: abs(share_farther(share, effect, size, beyond) - share_beyond))
    reached = share_farther(share, effect, size, beyond)
    if abs(reached - share_beyond) > 1.0 / len(share):
        wanted = f"{write_rate(share_beyond)} of {len(share):,} places beyond {write_rate(beyond)}"
        key = "inputs.baseline.follows_activity.share_beyond"
        message = f"no size of effect puts {wanted}: the nearest is {reached:.2%}"
        raise _fault(Problem(message, "choose another share_beyond or beyond", key))
    return size


def share_farther(share: NDArray[np.float64], effect: NDArray[np.float64], size: float, beyond: float) -> float:
    """The share of places (fraction of places) farther than `beyond` from fair share, after rescaling to the total."""
    scaled = 1 + _scaled(effect, size)
    distance = scaled / float(share @ scaled) - 1
    return float((np.abs(distance) > beyond).mean())


def _scaled(effect: NDArray[np.float64], size: float) -> NDArray[np.float64]:
    return np.clip(effect * size, -CLIP, CLIP)


def _fault(*problems: Problem) -> TableFault:
    return TableFault("the baseline cannot be worked out", problems)
