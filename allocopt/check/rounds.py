"""The rules about people, groups, order, movement and whole rounds a second time, in plain numpy and in pounds.

Shares that the programme finds as variables (the damping scale, the gains that are kept) are worked out here by their
closed forms, so that the two agree only if both are right. Imports `check.verdict`, `check.inputs`, `check.places` and
`check.decided`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from allocopt.check.decided import Decided, Limits, at_least, at_most, exactly
from allocopt.check.inputs import Plain
from allocopt.check.places import group_of
from allocopt.check.verdict import POUND, Floats


def reserve(of: Decided, step: int, *, share: float) -> Limits:
    """What is allocated and what is held back are the announced pot."""
    announced = of.known.pot[step] + of.known.reserve[step]
    most = np.array([announced - np.rint(share * announced)])
    return Limits(np.array([of.given[:, step].sum()]), np.array([-np.inf]), most, 0.0)


def _people_growth(of: Decided, step: int) -> Floats:
    """(n,) growth of each place's population over the year before."""
    return np.asarray(of.known.people(step) / of.known.people(step - 1) - 1.0)


def per_head_floor(of: Decided, step: int, *, rate: float, taper: Plain | None = None) -> Limits:
    """(1 + rate) a head, as growth of the allocation, times what the taper leaves of it beside its end."""
    people = _people_growth(of, step)
    growth = (1.0 + rate) * (1.0 + people) - 1.0
    if taper is not None:
        left = np.clip((taper["to"] - of.known.opening[:, step]) / (taper["to"] - taper["from"]), 0.0, 1.0)
        a_head = taper.get("end_per_head")
        end = taper.get("end", 0.0) if a_head is None else a_head + people + a_head * people
        growth = left * growth + (1.0 - left) * end
    slip = of.carried(step) * float(1.0 + growth.max())
    return at_least(of, step, (1.0 + growth) * of.prior(step), POUND + slip)


def growth_schedule(of: Decided, step: int, *, points: Sequence[Plain], side: str = "at_least") -> Limits:
    """Growth read off the corners of the schedule, the later corner holding on a step."""
    distance = of.known.opening[:, step]
    corners = np.array([point["dft"] for point in points])
    values = np.array([point["growth"] for point in points])
    after = np.searchsorted(corners, distance, side="right")
    left, right = np.clip(after - 1, 0, None), np.clip(after, None, len(points) - 1)
    width = np.where(corners[right] > corners[left], corners[right] - corners[left], 1.0)
    way = np.clip((distance - corners[left]) / width, 0.0, 1.0)
    amount = (1.0 + values[left] + way * (values[right] - values[left])) * of.prior(step)
    slip = POUND + of.carried(step) * float(2.0 + np.abs(values).max())
    return {"at_least": at_least, "at_most": at_most, "exactly": exactly}[side](of, step, amount, slip)


def dft_ceiling(of: Decided, step: int, *, rate: float) -> Limits:
    """Closing distance from target of at most `rate`."""
    return at_most(of, step, (1.0 + rate) * of.known.target[:, step])


def population_growth_protection(of: Decided, step: int) -> Limits:
    """Where people grow faster than average: the position had need grown at the average rate, at most target."""
    own = 1.0 + _people_growth(of, step)
    mean = of.known.people(step).sum() / of.known.people(step - 1).sum()
    position = np.minimum(1.0, (1.0 + of.known.opening[:, step]) * own / mean)
    return at_least(of, step, np.where(own > mean, position * of.known.target[:, step], -np.inf))


def group_protection(of: Decided, step: int, *, column: str, least: float, group: str | None = None) -> Limits:
    """The allocations of a group against a share of its targets."""
    labels = np.array(group_of(of.known, column))
    wanted = sorted(set(labels.tolist())) if group is None else [group]
    inside = [labels == one for one in wanted]
    amount = np.array([of.given[one, step].sum() for one in inside])
    lower = np.array([least * of.known.target[one, step].sum() for one in inside])
    slip = np.array([POUND * one.sum() for one in inside])
    return Limits(amount, lower, np.full(len(wanted), np.inf), slip, groups=tuple(wanted))


def mover_budget(of: Decided, step: int, *, max: float) -> Limits:  # noqa: A002 - the parameter's name in scenarios
    """The gains over uniform growth, added up."""
    gains = np.array([np.maximum(0.0, of.given[:, step] - of.uniform(step)).sum()])
    slip = 2.0 * POUND * len(of.given)
    return Limits(gains, np.array([-np.inf]), np.array([1e6 * max]), slip)


def no_leapfrogging(of: Decided, step: int) -> Limits:
    """No place's position is below the best position of those that opened below it, but for rounding."""
    opening, target = np.round(of.known.opening[:, step], 9), of.known.target[:, step]
    position = (of.given[:, step] - POUND) / target
    best, limit = -np.inf, np.full(len(target), -np.inf)
    for level in np.unique(opening):
        here = opening == level
        limit[here], best = best * target[here], max(best, float(position[here].max()))
    return Limits(of.given[:, step], limit, np.full(len(target), np.inf), row_by_row=False)


def uniform_growth(of: Decided, step: int) -> Limits:
    """The pot in the proportions of the year before."""
    return exactly(of, step, of.uniform(step), POUND + 2.0 * of.carried(step))


def equal_steps(of: Decided, step: int, *, steps: int) -> Limits:
    """Target less the part of the opening distance that is left after `step` + 1 of `steps` equal steps."""
    left = max(0, steps - step - 1) / steps
    return exactly(of, step, of.known.target[:, step] * (1.0 + left * of.known.opening[:, step]))


def linear_rule(of: Decided, step: int, *, a: float | None = None, b: float | None = None) -> Limits:
    """(1 + a) x the year before + b x target at the year before's total; a + b is the growth of the pot if not said."""
    prior, target = of.prior(step), of.known.target[:, step]
    growth = of.known.pot[step] / prior.sum() - 1.0
    a = growth - (0.0 if b is None else b) if a is None else a
    b = growth - a if b is None else b
    amount = (1.0 + a) * prior + b * target * (prior.sum() / target.sum())
    return exactly(of, step, amount, POUND + of.carried(step) * (1.0 + abs(a)))


def _by_class(of: Decided, column: str | None, floors: Sequence[Plain], otherwise: float) -> Floats:
    """(n,) the growth of each place's class; `otherwise` for classes that are not named."""
    named = {str(one["group"]): float(one["growth"]) for one in floors}
    classes = group_of(of.known, column) if column else [""] * len(of.known.places)
    return np.array([named.get(one, otherwise) for one in classes])


def class_floor(of: Decided, step: int, *, column: str, floors: Sequence[Plain]) -> Limits:
    """Allocation of at least (1 + the growth of the class) x the year before, for the classes that are named."""
    growth = _by_class(of, column, floors, -np.inf)
    slip = POUND + of.carried(step) * float(1.0 + np.max(growth, initial=0.0))
    with np.errstate(invalid="ignore"):
        return at_least(of, step, (1.0 + growth) * of.prior(step), slip)


def floor_damping(
    of: Decided, step: int, *, rate: float, column: str | None = None, floors: Sequence[Plain] | None = None
) -> Limits:
    """The published algebra: s = 1 - what floors cost / what is above them."""
    growth = _by_class(of, column, floors or (), rate)
    floor, target = (1.0 + growth) * of.prior(step), of.known.target[:, step]
    cost, above = np.maximum(0.0, floor - target), np.maximum(0.0, target - floor)
    scale = 1.0 - cost.sum() / above.sum() if above.sum() else 1.0
    return _shared(exactly(of, step, floor + scale * above), scale)


def capped_gains(of: Decided, step: int, *, floor: float, cap: float) -> Limits:
    """Target between floor and cap a head; k = what those allocations leave of the pot / what lies above the cap."""
    base, target = of.prior(step) * (1.0 + _people_growth(of, step)), of.known.target[:, step]
    held = np.clip(target, (1.0 + floor) * base, (1.0 + cap) * base)
    above = np.maximum(0.0, target - (1.0 + cap) * base)
    kept = (of.known.pot[step] - held.sum()) / above.sum() if above.sum() else 1.0
    return _shared(exactly(of, step, held + kept * above), kept)


def _shared(found: Limits, share: float) -> Limits:
    """Amounts that rest on a common share, which must lie between nothing and all."""
    inside = -1e-9 <= share <= 1.0 + 1e-9
    lower = found.lower if inside else np.full_like(found.lower, np.inf)
    return Limits(found.amount, lower, found.upper, found.tolerance, row_by_row=False)


ROUNDS: Mapping[str, Callable[..., Limits]] = {
    one.__name__: one
    for one in (
        reserve,
        class_floor,
        per_head_floor,
        growth_schedule,
        dft_ceiling,
        population_growth_protection,
        group_protection,
        mover_budget,
        no_leapfrogging,
        uniform_growth,
        equal_steps,
        linear_rule,
        floor_damping,
        capped_gains,
    )
}
"""The rules that are written a second time here, by name."""
