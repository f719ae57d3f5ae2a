"""Plans made exactly as a run makes them, and the year of a rolling path that has none.

A change of one number moves the openings of every later year of such a path, so whether it helps is told by rolling
alone; the programme of the year that fails says only where to look. Imports `plan`, `rolling` and `errors`.
"""

from __future__ import annotations

from allocopt.errors import Infeasible, InputFault, PlanRefused, Stopped, Unbounded
from allocopt.plan import Facts, make_plan
from allocopt.rolling import is_rolling, make_rolling_plan


class Plans:
    """Whether the plans of changed scenarios can be made, asked so often at most."""

    def __init__(self, most: int) -> None:
        self.left = most

    def __call__(self, facts: Facts) -> bool | None:
        """Whether the plan can be made, exactly as a run makes it; None when that was not found out."""
        if self.left == 0:
            return None
        self.left -= 1
        return can_be_made(facts)


def can_be_made(facts: Facts) -> bool | None:
    """Whether a scenario's plan can be made; None when the solver stopped before it had one."""
    try:
        if is_rolling(facts.loaded.scenario):
            make_rolling_plan(facts, tell=_quietly)
        else:
            make_plan(facts)
    except (Infeasible, Unbounded, InputFault, PlanRefused, ArithmeticError):
        return False
    except Stopped:
        return None
    return True


def _quietly(step: str) -> None:
    """Nobody watches."""


def failing_year(facts: Facts) -> Facts | None:
    """The facts of the first year of a rolling path that has no plan, as the years before it leave them."""
    reached = list[Facts]()
    try:
        make_rolling_plan(facts, tell=_quietly, reached=reached.append)
    except (Infeasible, Stopped):
        return reached[-1]
    return None
