"""The questions about a joint programme, in which budgets are decided with the grouping.

Allocations and groupings are tied by the balance band alone: without it each is asked by itself, the allocation as a
linear programme. Imports `questions`, `diagnose.parts`, `grouping.joint` and `plan`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from allocopt.diagnose.parts import Parts
from allocopt.diagnose_grouping.questions import MOST_PAIRS, Answer, Groups, Patience, Settings, Way
from allocopt.diagnose_grouping.questions import one_programme as solved
from allocopt.errors import Infeasible, InputFault, Stopped
from allocopt.grouping.instance import Ints, possible_pairs
from allocopt.grouping.joint import about_allocations, build_joint, pieces_of
from allocopt.grouping.programme import INDEX
from allocopt.model import Model
from allocopt.plan import Facts
from allocopt.solve.cases import possible
from allocopt.solve.compiled import Compiled

BAND = "balance_band"


@dataclass
class Jointly:
    """The questions about one joint scenario."""

    facts: Facts
    model: Model
    groups: Groups
    patience: Patience

    def grouping(self, settings: Settings) -> Settings:
        """The rules about groupings among these."""
        return {name: one for name, one in settings.items() if self.model.rule(name).index in INDEX}

    def ask(
        self, settings: Settings, way: Way = "whole", plan: Ints | None = None, facts: Facts | None = None
    ) -> Answer:
        """Can these rules hold? `facts` may have another pot."""
        allocates = self._allocates(facts or self.facts, settings)
        if allocates is not True:
            return Answer(allocates)
        if BAND not in settings:
            return self.groups.ask(self.grouping(settings), way, plan)
        return self._together(facts or self.facts, settings, way, plan)

    def _allocates(self, facts: Facts, settings: Settings) -> bool | None:
        """Whether the rules about allocations can hold by themselves."""
        seconds = self.patience.left()
        if seconds <= 0:
            return None
        parts = Parts(facts, about_allocations(self.model))
        own = {name: one for name, one in settings.items() if self.model.rule(name).index not in INDEX}
        on = [self.model.rule(name) for name in own]
        compiled = parts.whole([rule for rule in on if rule not in self.model.always], own)
        return False if compiled is None else possible(compiled, time_limit=seconds)

    def _together(self, facts: Facts, settings: Settings, way: Way, plan: Ints | None) -> Answer:
        hub, sure = np.full(len(self.groups.instance), -1, dtype=np.int64), True
        try:
            for compiled in self._pieces(facts, settings):
                found = solved(self.groups.instance, compiled, way, plan, self.patience.left())
                self.patience.spent |= found.holds is None and way == "whole"
                if found.holds is False:
                    return found
                sure = sure and found.holds is True
                hub = hub if found.hub is None else np.where(found.hub >= 0, found.hub, hub)
        except Infeasible:
            return Answer(False)
        except (InputFault, Stopped):
            self.patience.spent = True
            return Answer(None)
        return Answer(True, hub) if sure else Answer(None)

    def _pieces(self, facts: Facts, settings: Settings) -> Iterator[Compiled]:
        instance = self.groups.with_settings(self.grouping(settings))
        pairs = possible_pairs(instance)
        if len(pairs) > MOST_PAIRS or self.patience.left() <= 0:
            raise Stopped("too large to be asked")
        joint = build_joint(facts.situation, instance, pairs, self.model, rules=settings, objectives=())
        yield from (piece.compiled for piece in pieces_of(joint.compiled, float(facts.situation.pot[0])))
