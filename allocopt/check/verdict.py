"""What a check found: one row a check, with the worst case in pounds (or points) and what was tolerated.

Imports nothing of allocopt but `errors`: every room of the checker speaks in these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from allocopt.errors import AllocoptError

Floats = npt.NDArray[np.float64]
Labels = Sequence[str]

POUND = 1.0
"""What rounding to whole pounds may cost a place."""
FLOATING = 1e-3
"""Pounds: a tenth of a penny for floating point, on top of every tolerance."""


@dataclass(frozen=True)
class Check:
    """One thing that was checked: `worst` is by how much it is missed, `tolerance` by how much it may be."""

    name: str
    passed: bool
    words: str
    worst: float | None = None
    tolerance: float | None = None


@dataclass(frozen=True)
class Verdict:
    """Every check of a run folder."""

    folder: Path
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """True when every check passed; a check that could not be made did not pass."""
        return bool(self.checks) and all(one.passed for one in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """As `verify --json` prints it."""
        return {"run": str(self.folder), "passed": self.passed, "checks": [asdict(one) for one in self.checks]}


def measured(
    name: str, missed: Floats, *, at: Labels, what: str, tolerance: float | Floats = POUND, unit: str = "£"
) -> Check:
    """A check that no amount `missed` (k,) is above its tolerance; the words name the worst of the labels `at` (k,)."""
    missed = np.asarray(missed, dtype=np.float64) + 0.0
    allowed = np.broadcast_to(np.asarray(tolerance, dtype=np.float64), missed.shape)
    if not missed.size:
        return Check(name, True, f"{what}: nothing to compare")
    over = np.where(np.isnan(missed), np.inf, missed - allowed)
    first = int(np.argmax(over))
    worst, most = float(missed[first]), float(allowed[first])
    passed = bool(over[first] <= FLOATING)
    far = f"{unit}{worst:,.2f}" if unit == "£" else f"{worst:,.7f} {unit}"
    words = f"{what}: the farthest is {far} at {at[first]}"
    return Check(name, passed, words, worst if np.isfinite(worst) else None, most)


def compared(name: str, differences: Iterable[str], words: str) -> Check:
    """A check of exact statements: it passes when there is no difference; the words tell the first three."""
    found = list(differences)
    more = f" and {len(found) - 3:,} more" if len(found) > 3 else ""
    return Check(name, not found, f"{'; '.join(found[:3])}{more}" if found else words)


def guarded(name: str, check: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """The checks that `check` makes; where the folder's contents make one impossible, that is a failed check."""
    try:
        yield from check()
    except AllocoptError as failure:
        yield Check(name, False, f"cannot be checked: {failure}")
    except Exception as failure:  # noqa: BLE001 - a damaged folder can raise anything, and none of it may pass
        yield Check(name, False, f"cannot be checked: {type(failure).__name__}: {failure}")
