"""From the facts of a scenario that has no plan to the questions about it: budgets made, the independent check at hand.

Imports `consortia`, `questions`, `jointly` and `cures`.
"""

from __future__ import annotations

from dataclasses import replace

from allocopt.check.grouping import broken_rules
from allocopt.consortia import grouped_of, instance_of, models_before, money_of
from allocopt.diagnose_grouping.cures import Case
from allocopt.diagnose_grouping.jointly import Jointly
from allocopt.diagnose_grouping.questions import Groups, Patience
from allocopt.grouping.instance import Instance, Ints
from allocopt.model import load_model
from allocopt.plan import Facts, make_plan
from allocopt.settings import Grouping

AT_LEAST, SHARE = 60.0, 0.2
"""Seconds for all questions together: this share of the scenario's time limit, and at least so many."""


def case_of(facts: Facts) -> Case:
    """The questions about a scenario that groups places. Raises as `make_plan` where an allocation comes first."""
    scenario = facts.loaded.scenario
    model, said = load_model(scenario.model[-1]), scenario.grouping or Grouping()
    joint = model.kind == "joint"
    before = make_plan(models_before(facts)) if len(scenario.model) > 1 else None
    budget, spend = money_of(facts, before, said.model_copy(update={"budget": "target"}) if joint else said)
    instance = instance_of(facts, model, said, budget, spend)
    patience = Patience(max(AT_LEAST, SHARE * scenario.solver.time_limit))

    def obeys(changed: Instance, hub: Ints) -> bool:
        settings = {name: one for name, one in changed.settings.items() if not joint or name != "balance_band"}
        return not broken_rules(grouped_of(facts, replace(changed, settings=settings), hub))

    groups = Groups(load_model("consortia"), instance, patience, obeys)
    asked = Jointly(facts, model, groups, patience) if joint else None
    return Case(facts, model, groups, patience, asked)
