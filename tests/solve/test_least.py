"""The objectives of a finished plan are those of its allocations, whatever room the caps of the stages leave."""

from __future__ import annotations

import numpy as np
import pytest
from situations import on, situation

from allocopt.model import load_model
from allocopt.problem import build
from allocopt.settings import ObjectiveSetting
from allocopt.solve.compiled import compile_problem
from allocopt.solve.least import least_parts


def compiled_of(objectives, **rules):
    # pot 315, baselines of 100, targets 126, 105 and 84
    places = situation(pot=315, baseline=[100, 100, 100], weight=[126, 105, 84], spend=[110, 100, 100])
    aims = [ObjectiveSetting(name=name) for name in objectives]
    return compile_problem(build(places, load_model("pace_of_change"), rules=on(**rules), objectives=aims))


def point(compiled, allocation, **others):
    """A point with these allocations, and every other column at 50 unless said."""
    values = np.full(len(compiled.columns), 50.0)
    values[compiled.columns_of("allocation")] = allocation
    for name, value in others.items():
        values[compiled.columns_of(name)] = value
    return values


def test_parts_come_down_to_what_the_allocation_asks():
    # A is 126 - 113 = 13 short, B 105 - 102 = 3, C not at all; A gains 113 - 105 = 8 against uniform growth
    compiled = compiled_of(["shortfall_below_target", "movement"])
    found = least_parts(compiled, point(compiled, [113, 102, 100]))
    assert found[compiled.columns_of("shortfall")].tolist() == pytest.approx([13, 3, 0])
    assert found[compiled.columns_of("gain")].tolist() == pytest.approx([8, 0, 0])
    assert found[compiled.columns_of("allocation")].tolist() == [113, 102, 100]


def test_a_level_that_every_place_defines_comes_down_to_the_worst():
    # shortfalls of 13 in 126, 3 in 105 and none: the worst is 10.3%
    compiled = compiled_of(["worst_shortfall"])
    found = least_parts(compiled, point(compiled, [113, 102, 100], worst_shortfall_level=0.9))
    assert found[compiled.columns_of("worst_shortfall_level")].tolist() == pytest.approx([13 / 126])


def test_what_a_row_wants_large_stays_as_it_is():
    # the speed stands on both sides of places above and below target, and is to be large
    compiled = compiled_of(["common_speed"])
    found = least_parts(compiled, point(compiled, [113, 102, 100], common_speed_level=0.2))
    assert found[compiled.columns_of("common_speed_level")].tolist() == [0.2]


def test_the_slack_of_a_stage_is_not_told_as_the_objective_of_the_plan():
    """The last stage does not care about the shortfall variables; the plan has the shortfall of its allocations."""
    # floor 2%: C keeps 102, so A and B share 213 and are 126 + 105 - 213 = 18 short together
    compiled = compiled_of(["shortfall_below_target"], growth_floor={"rate": 0.02})
    loose = point(compiled, [108, 105, 102])
    loose[compiled.columns_of("shortfall")] = [18, 0.0018, 0]
    tight = least_parts(compiled, loose)
    assert float(compiled.costs[0] @ loose) == pytest.approx(18.0018)
    assert float(compiled.costs[0] @ tight) == pytest.approx(18)
