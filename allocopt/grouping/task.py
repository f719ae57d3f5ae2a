"""What is asked of a grouping and what comes of it. Imports `bounds`, `exact`, `exempt`, `instance` and `solve`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from allocopt.grouping.bounds import Bound
from allocopt.grouping.exact import Slack
from allocopt.grouping.exempt import Exemption
from allocopt.grouping.instance import Instance, Ints
from allocopt.model import Model, Objective
from allocopt.settings import Grouping, Solver
from allocopt.solve.stages import Stage


@dataclass(frozen=True)
class Solution:
    """The hub of each place (n,), how far each objective was brought and proved, and what was waived."""

    instance: Instance
    """with the exemptions written into its rules"""
    hub: Ints
    stages: tuple[Stage, ...]
    bounds: tuple[Bound, ...]
    exemptions: tuple[Exemption, ...] = ()
    notes: tuple[str, ...] = ()
    method: str = ""


@dataclass
class Task:
    """What is asked: a model over an instance, the objectives in order, and how hard to try."""

    model: Model
    instance: Instance
    objectives: Sequence[Objective]
    solver: Solver
    grouping: Grouping
    tell: Callable[[str], None] = lambda step: None  # noqa: ARG005 - the default listener ignores it
    started: float = field(default_factory=time.perf_counter)
    allowance: float | None = None
    """What the objective in money leaves to the objectives after it, as a share; without it, `solver.slack`"""

    @property
    def left(self) -> float:
        """Seconds until the time limit; without end when the search is bounded by steps."""
        if self.grouping.deterministic:
            return float("inf")
        return self.solver.time_limit - (time.perf_counter() - self.started)

    def asked(self, number: int) -> float:
        """The gap asked of a stage."""
        travel = self.objectives[number].name == "travel" and self.grouping.travel_gap is not None
        return float(self.grouping.travel_gap) if travel and self.grouping.travel_gap is not None else self.solver.gap

    def slack(self, number: int, places: int) -> Slack:
        """What a stage of a part leaves to the next."""
        least = self.solver.slack_at_least * places / len(self.instance) if self.objectives[number].is_money else 1e-9
        own = self.objectives[number].name == self.instance.aim and self.allowance is not None
        return Slack(float(self.allowance or 0.0) if own else self.solver.slack, least)
