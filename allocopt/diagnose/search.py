"""The smallest step of a lever that makes a scenario solvable, each answer by solving.

Where a trial fails, the solver's prices say how far the number must go before they prove nothing: a smaller change
cannot do, so few trials are needed. Without prices (integers, rules that are not affine in the number) the interval
is halved. Imports `solve.cases`, `levers` and `errors`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from allocopt.diagnose.levers import Lever
from allocopt.errors import Stopped
from allocopt.solve.cases import Unmet, possible, settled_at, unmet
from allocopt.solve.compiled import Compiled

BESIDE = 100
"""Steps to the programme beside, which says how the rows change with the number."""
LEAPS, INNER_LEAPS = 8, 2
"""Refutations in a row before steps are doubled too: where coefficients change, each says little."""
FURTHER = (0, 1, 2, 4, 8, 16)
"""Steps beyond the least that can be obeyed at which the plan itself is made, until one succeeds."""


@dataclass(frozen=True)
class Found:
    """The least step that works; `least` when the step before it was shown to fail."""

    number: int
    least: bool


@dataclass
class Trials:
    """The programme at the steps of one lever, each built and solved once."""

    lever: Lever
    programme: Callable[[float], Compiled | None]
    """The programme with the lever at a value; None when the value or its numbers are refused."""
    accepts: Callable[[float], bool]
    """Whether the scenario accepts the value at all."""
    time_limit: float
    plans: Callable[[float], bool | None] | None = None
    """Whether the plan of the whole scenario can be made with the lever at a value, where that is affordable."""
    decides: bool = False
    """True where `plans` alone decides and the programme only says where to look: years decided one after another."""
    built: dict[int, Compiled | None] = field(default_factory=dict)
    misses: dict[int, Unmet | None] = field(default_factory=dict)
    answers: dict[int, bool | None] = field(default_factory=dict)

    def at(self, number: int) -> Compiled | None:
        """The programme at a step."""
        if number not in self.built:
            self.built[number] = self.programme(self.lever.at(number))
        return self.built[number]

    def works(self, number: int) -> bool | None:
        """Whether the programme can be obeyed at a step; None when that could not be said in time."""
        if number not in self.answers:
            self.answers[number] = self._works(number)
        return self.answers[number]

    def _works(self, number: int) -> bool | None:
        if self.decides and self.plans is not None:
            return self.plans(self.lever.at(number))
        compiled = self.at(number)
        if compiled is None:
            return False
        missed = self._missed(number)
        if not compiled.integer.any() or (missed is not None and missed.answer is False):
            return None if missed is None else missed.answer
        return possible(compiled, time_limit=self.time_limit)

    def _missed(self, number: int) -> Unmet | None:
        if number not in self.misses:
            compiled = self.at(number)
            try:
                self.misses[number] = None if compiled is None else unmet(compiled, time_limit=self.time_limit)
            except Stopped:
                self.misses[number] = None
        return self.misses[number]

    def least_possible(self, number: int, far: int) -> int | None:
        """The step before which, by the prices that refute step `number`, nothing works; None when they say nothing."""
        beside = min(number + BESIDE, far)
        near, other, missed = self.at(number), self.at(beside), self._missed(number)
        if near is None or other is None or missed is None or beside == number:
            return None
        way = settled_at(near, other, missed.prices, most=(far - number) / (beside - number))
        if way is None:
            return None
        start, end = self.lever.at(number), self.lever.at(beside)
        return self.lever.beyond(start + way * (end - start))

    def never(self, number: int, far: int) -> bool:
        """Whether the prices that refute step `number` refute every step up to `far`: rows affine in the number."""
        near, other = self.at(number), self.at(far)
        if self.decides or self.lever.inner or near is None or other is None:
            return False
        missed = self._missed(number)
        if missed is None or missed.answer is not False or near.rows != other.rows or near.columns != other.columns:
            return False
        return settled_at(near, other, missed.prices) is None

    def planned(self, number: int) -> int | None:
        """The first step from `number` on, of those beside it, at which the plan itself can be made."""
        if self.plans is None or self.decides:
            return number
        steps = (number + more for more in FURTHER if number + more <= self.lever.farthest)
        return next((step for step in steps if self.plans(self.lever.at(step))), None)


def smallest(trials: Trials) -> Found | None:
    """The least step that makes the programme possible; None when none was found.

    Outwards from the present value: by the prices, each of which shows that nothing smaller works, then in doubled
    steps; then between a step that fails and one that works. The last part takes it that what works keeps working when
    it is moved on, as for every limit.
    """
    low, high = _outwards(trials)
    if high is None:
        return None
    first = True
    while high - low > 1:
        guess = trials.least_possible(low, high) if first else None
        first = False
        middle = (low + high) // 2 if guess is None else min(max(guess, low + 1), high - 1)
        low, high = (low, middle) if trials.works(middle) else (middle, high)
    made = trials.planned(high)
    if made is None:
        return None
    fails = trials.works(made - 1) is False if made == high else made == high + 1
    return Found(made, least=made == 1 or fails)


def _outwards(trials: Trials) -> tuple[int, int | None]:
    """The last step that failed and the first that worked, going out from the present value."""
    low, far, leaps = 0, _accepted(trials), 0
    most = INNER_LEAPS if trials.lever.inner else LEAPS
    while low < far:
        guess = trials.least_possible(low, far)
        if guess is None and trials.never(low, far):
            return low, None
        step = low + 1 if guess is None else max(guess, low + 1)
        step = step if guess is not None and leaps < most else max(step, 2 * low)
        step, leaps = min(step, far), leaps + 1
        if trials.works(step):
            return low, step
        low = step
    return low, None


def _accepted(trials: Trials) -> int:
    """The farthest step whose value the scenario accepts."""
    low, high, lever = 0, trials.lever.farthest, trials.lever
    if high == 0 or trials.accepts(lever.at(high)):
        return high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if trials.accepts(lever.at(middle)) else (low, middle)
    return low
