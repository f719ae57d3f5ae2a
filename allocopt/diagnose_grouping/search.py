"""The smallest change of one number that makes a grouping possible, each answer by solving.

Steps that the linear relaxation refutes are passed over; a plan found at one step is pulled as near to the present
value as it goes, with its grouping held; what is left between a step that fails and one that works is halved. That
takes it that what works keeps working when the number is eased further, as it does for every limit. Imports
`diagnose.levers` and `questions`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from allocopt.diagnose_grouping.questions import Answer, Way
from allocopt.grouping.instance import Ints

FIRST, LARGER = 16, 16
"""How far is looked first, in steps, and by how much farther each time after."""

Ask = Callable[[int, Way, Ints | None], Answer]
"""Asks the programme at a step."""


@dataclass(frozen=True)
class Found:
    """The least step that works, and whether the step before it was shown to fail."""

    number: int
    least: bool


@dataclass(frozen=True)
class Nothing:
    """No step was found; `tried` when that was shown up to the farthest one."""

    tried: bool


def smallest(ask: Ask, far: int) -> Found | Nothing:
    """The least step at which the rules can hold, between 1 and `far`; step 0 is known to fail."""
    low, high, plan, open_question = 0, FIRST, None, False
    while plan is None:
        high = min(high, far)
        answer = ask(high, "relaxed", None)
        answer = answer if answer.holds is False else ask(high, "whole", None)
        if answer.holds and answer.hub is not None:
            plan = answer.hub
            break
        low, open_question = (high, open_question) if answer.holds is False else (low, True)
        if high >= far:
            return Nothing(tried=not open_question)
        high *= LARGER
    return _between(ask, _refuted(ask, low, high), _pulled(ask, low, high, plan))


def _between(ask: Ask, low: int, high: int) -> Found:
    """Between a step that fails and one that works. A step without an answer is taken to fail, and said."""
    sure, first = True, True
    while high - low > 1:
        middle = low + 1 if first else (low + high) // 2
        first = False
        answer = ask(middle, "whole", None)
        if answer.holds and answer.hub is not None:
            high = _pulled(ask, low, middle, answer.hub)
        else:
            low, sure = middle, answer.holds is False
    return Found(high, least=sure)


def _refuted(ask: Ask, low: int, high: int) -> int:
    """The last step that the linear relaxation refutes, at least `low`."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if ask(middle, "relaxed", None).holds is False else (low, middle)
    return low


def _pulled(ask: Ask, low: int, high: int, plan: Ints) -> int:
    """The first step at which a plan that works at `high` obeys the rules."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if ask(middle, "held", plan).holds else (middle, high)
    return high
