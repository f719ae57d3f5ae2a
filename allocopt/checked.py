"""A scenario and its tables checked as far as can be without solving: what `check` asks of runs and of sweeps.

Imports `plan`, `model` and, for groupings, `consortia`.
"""

from __future__ import annotations

import numpy as np

from allocopt.model import load_model
from allocopt.plan import Facts, gather
from allocopt.scenario import Loaded
from allocopt.settings import Grouping


def checked_facts(loaded: Loaded) -> Facts:
    """The facts of a scenario. Raises InputFault with what its tables, and a grouping of its places, lack."""
    facts = gather(loaded)
    check_grouping(facts)
    return facts


def check_grouping(facts: Facts) -> None:
    """Raises InputFault where the scenario groups places and says of it what cannot be, or gives a wrong grouping."""
    model = load_model(facts.loaded.scenario.model[-1])
    if model.kind not in ("grouping", "joint"):
        return
    from allocopt.consortia import instance_of  # noqa: PLC0415 - its loops load numba
    from allocopt.consortia.given import given_grouping, given_hubs  # noqa: PLC0415 - as above
    from allocopt.consortia.needs import check_facts  # noqa: PLC0415 - as above

    said, none = facts.loaded.scenario.grouping or Grouping(), np.zeros(len(facts.situation.places), dtype=np.int64)
    check_facts(facts, said)
    given = given_grouping(facts, said)
    if given is not None:
        given_hubs(instance_of(facts, model, said, none, none), given, said)
