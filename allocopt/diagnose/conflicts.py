"""Which named rules contradict each other: every minimal set, hard rules kept.

A set of rules is in conflict when they cannot hold together with the hard rules; it is minimal when without any one
of its members the others can. Rules are few, so sets are asked in order of size, skipping what earlier answers settle.
Imports nothing of allocopt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

MOST_QUESTIONS = 200
"""Enough for seven rules whatever the answers are."""


def minimal_conflicts(
    names: Sequence[str], holds: Callable[[tuple[str, ...]], bool | None]
) -> tuple[tuple[tuple[str, ...], ...], bool]:
    """All minimal sets of `names` that cannot hold, smallest first, and whether every set was settled.

    `holds` says whether a set can hold; None (not known) counts as holding and makes the answer incomplete.
    """
    asked = _Asked(holds)
    for left_out in names:
        asked.holds(tuple(name for name in names if name != left_out))
    found: list[tuple[str, ...]] = []
    for size in range(len(names) + 1):
        for chosen in combinations(names, size):
            if any(set(one) <= set(chosen) for one in found):
                continue
            if asked.holds(chosen) is False:
                found.append(chosen)
    return tuple(found), asked.complete


class _Asked:
    """Answers so far: what holds, holds with fewer rules too."""

    def __init__(self, holds: Callable[[tuple[str, ...]], bool | None]) -> None:
        self._holds, self._answers, self._held, self.complete = (
            holds,
            dict[tuple[str, ...], bool](),
            list[set[str]](),
            True,
        )

    def holds(self, chosen: tuple[str, ...]) -> bool:
        if chosen in self._answers:
            return self._answers[chosen]
        if any(set(chosen) <= one for one in self._held):
            return True
        if len(self._answers) >= MOST_QUESTIONS:
            self.complete = False
            return True
        answer = self._holds(chosen)
        self.complete &= answer is not None
        self._answers[chosen] = answer is not False
        if answer is not False:
            self._held.append(set(chosen))
        return answer is not False
