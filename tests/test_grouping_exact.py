"""Every grouping of a few places, enumerated: the engine finds the same optimum, and no bound exceeds it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from grouping_cases import brute_force, checked, random_instance, task

from allocopt.check.grouping import broken_rules, cut_bound
from allocopt.errors import Infeasible
from allocopt.grouping.bounds import bounds_of
from allocopt.grouping.instance import components, possible_pairs
from allocopt.grouping.relaxed import relaxed_bound
from allocopt.grouping.solution import solve_grouping
from allocopt.model import load_model

ORDERS = (
    ["gross_deficit", "travel", "moves"],
    ["gross_deficit", "crossings", "travel"],
    ["crossings", "gross_deficit", "moves"],
)
"""With areas as a rule, as a count after the deficit, and as a count before it."""


@pytest.mark.parametrize("batch", range(8))
def test_every_random_grouping_is_the_optimum_of_exhaustive_enumeration(batch):
    solvable = 0
    for seed in range(batch * 26, batch * 26 + 26):
        instance, where = random_instance(seed)
        stages = ORDERS[seed % len(ORDERS)]
        best = brute_force(instance, where, stages)
        if best is None:
            with pytest.raises(Infeasible):
                solve_grouping(task(instance, stages))
            continue
        solvable += 1
        found = solve_grouping(task(instance, stages))
        said = f"seed {seed}, rules {dict(instance.settings)}"
        assert not broken_rules(checked(instance, where, found.hub)), said
        assert [stage.final_value for stage in found.stages] == pytest.approx(best, abs=2e-6), said
        assert all(stage.bound <= stage.value + 1e-9 for stage in found.stages)
        assert all(stage.proven for stage in found.stages), said
    assert solvable >= 8


def test_no_bound_exceeds_the_optimum():
    compared, tighter = 0, 0
    for seed in range(120):
        instance, where = random_instance(seed)
        best = brute_force(instance, where, ["gross_deficit"])
        if best is None:
            continue
        pairs = possible_pairs(instance)
        plain = bounds_of(instance, pairs)
        relaxed, _ = relaxed_bound(load_model("consortia"), instance, pairs, components(instance, pairs))
        tighter += relaxed is not None and relaxed.value > max(one.value for one in plain) + 0.01
        for bound in (*plain, *([relaxed] if relaxed else [])):
            assert bound.value <= best[0] + 1e-6, f"seed {seed}, bound {bound.name}"
            compared += 1
            if bound.side is not None:
                proved = cut_bound(checked(instance, where, np.zeros(len(instance))), bound.side, instance.may_hub)
                assert bound.value == pytest.approx(proved, abs=1e-9)
    assert compared > 100
    assert tighter >= 3, "the relaxation says more than areas and reach where windows and bands bind"


def test_random_rules_draw_every_rule_of_the_model():
    """The enumeration above speaks for every rule: each is on in many instances that have a legal plan."""
    on = Counter(name for seed in range(8 * 26) for name in random_instance(seed)[0].settings)
    assert {rule.name for rule in load_model("consortia").rules} == set(on)
    assert min(on.values()) >= 12, on
