"""Every grouping of a few places, enumerated: the engine finds the same optimum, and no bound exceeds it."""

from __future__ import annotations

import numpy as np
import pytest
from grouping_cases import brute_force, checked, random_instance, task

from allocopt.check.grouping import broken_rules, cut_bound
from allocopt.errors import Infeasible
from allocopt.grouping.bounds import bounds_of
from allocopt.grouping.instance import possible_pairs
from allocopt.grouping.solution import solve_grouping

STAGES = ["gross_deficit", "travel", "moves"]


@pytest.mark.parametrize("batch", range(8))
def test_every_random_grouping_is_the_optimum_of_exhaustive_enumeration(batch):
    solvable = 0
    for seed in range(batch * 26, batch * 26 + 26):
        instance, where = random_instance(seed)
        best = brute_force(instance, where, STAGES)
        if best is None:
            with pytest.raises(Infeasible):
                solve_grouping(task(instance, STAGES))
            continue
        solvable += 1
        found = solve_grouping(task(instance, STAGES))
        said = f"seed {seed}, rules {dict(instance.settings)}"
        assert not broken_rules(checked(instance, where, found.hub)), said
        assert [stage.final_value for stage in found.stages] == pytest.approx(best, abs=2e-6), said
        assert all(stage.bound <= stage.value + 1e-9 for stage in found.stages)
        assert all(stage.proven for stage in found.stages), said
    assert solvable >= 8


def test_no_bound_exceeds_the_optimum():
    compared = 0
    for seed in range(120):
        instance, where = random_instance(seed)
        best = brute_force(instance, where, ["gross_deficit"])
        if best is None:
            continue
        for bound in bounds_of(instance, possible_pairs(instance)):
            assert bound.value <= best[0] + 1e-9
            compared += 1
            if bound.side is not None:
                proved = cut_bound(checked(instance, where, np.zeros(len(instance))), bound.side, instance.may_hub)
                assert bound.value == pytest.approx(proved, abs=1e-9)
    assert compared > 50
