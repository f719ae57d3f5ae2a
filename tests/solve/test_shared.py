"""A level that all places share: the least is found in rounds, proved without the solver, and is HiGHS's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from situations import NO_SLACK, compiled_of, on
from test_decompose import path

from allocopt.errors import Infeasible, Stopped
from allocopt.model import load_model
from allocopt.solve import leximin, method
from allocopt.solve.certificate import dual_bound, largest_violation
from allocopt.solve.highs import minimise
from allocopt.solve.method import Method
from allocopt.solve.shared import least_level, shared_level
from allocopt.solve.stages import lexicographic

RULES = on(growth_floor={"rate": 0.01}, growth_ceiling={"rate": 0.09}, no_further_under_target={})
TIGHT = on(growth_floor={"rate": 0.04}, growth_ceiling={"rate": 0.06})


def levelled(aims, *, rules=RULES, **shape):
    return compiled_of(path(**shape), rules=rules, objectives=aims)


@pytest.fixture
def always_in_rounds(monkeypatch):
    """Small programmes too are solved in rounds."""
    monkeypatch.setattr(method, "ROWS_TO_DECOMPOSE", 0)


@pytest.mark.parametrize("aim", ["worst_shortfall", "common_speed"])
@pytest.mark.parametrize("rules", [RULES, TIGHT], ids=["wide", "tight"])
@pytest.mark.parametrize(("places", "years", "seed"), [(4, 1, 1), (4, 3, 2), (6, 2, 3), (60, 3, 4), (60, 1, 5)])
def test_the_least_level_is_that_of_the_whole_matrix_and_its_prices_prove_it(aim, rules, places, years, seed):
    compiled = levelled([aim, "movement"], rules=rules, places=places, years=years, seed=seed)
    cost = compiled.costs[0]
    shared = shared_level(compiled)
    found = least_level(shared, time_limit=60)
    whole = float(cost @ minimise(compiled, cost, time_limit=60).values)
    assert float(cost @ found.values) == pytest.approx(whole, abs=1e-8)
    assert dual_bound(compiled, cost, found.prices) == pytest.approx(float(cost @ found.values), abs=1e-9)
    assert largest_violation(compiled, found.values) <= 1e-6


def test_a_programme_whose_places_share_no_level_has_none():
    assert shared_level(levelled(["gross_deficit", "movement"])) is None


@pytest.mark.usefixtures("always_in_rounds")
@pytest.mark.parametrize("aims", [["worst_shortfall"], ["common_speed"], ["movement", "worst_shortfall"]])
def test_floors_that_the_pot_cannot_pay_are_infeasible_at_every_level(aims):
    system = path(places=30, years=2)
    poor = replace(system, pot=system.pot * 0.9, target=system.target * 0.9)
    compiled = compiled_of(poor, rules=RULES, objectives=aims)
    with pytest.raises(Infeasible):
        Method(compiled).minimise(compiled, compiled.costs[0], time_limit=60)


def test_no_time_is_said_and_not_taken_for_an_answer():
    with pytest.raises(Stopped, match="in the time given"):
        least_level(shared_level(levelled(["worst_shortfall"])), time_limit=0.0)


@pytest.mark.usefixtures("always_in_rounds")
@pytest.mark.parametrize(
    "aims", [["common_speed", "movement"], ["movement", "common_speed"], ["movement", "worst_shortfall"]]
)
def test_stages_around_a_shared_level_are_those_of_the_whole_matrix(aims, monkeypatch):
    compiled = levelled(aims, places=30, years=2)
    objectives = [load_model("pace_of_change").objective(name) for name in aims]
    _, found = lexicographic(compiled, objectives, solver=NO_SLACK, pot=1100)
    monkeypatch.setattr(method, "ROWS_TO_DECOMPOSE", 10**9)
    _, whole = lexicographic(compiled, objectives, solver=NO_SLACK, pot=1100)
    assert all(stage.method.startswith("dantzig-wolfe") for stage in found)
    for one, other in zip(found, whole, strict=True):
        assert one.proven
        assert (one.value, one.bound) == pytest.approx((other.value, other.bound), rel=1e-7)


@pytest.mark.parametrize("first", [None, "gross_deficit", "movement"])
@pytest.mark.parametrize("protected", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_the_shortfalls_of_all_places_are_those_of_the_whole_matrix(seed, protected, first, monkeypatch):
    # the worst-first order of shortfalls is unique: two ways of finding it agree place by place
    draw = np.random.default_rng(seed)
    rules = on(
        growth_floor={"rate": float(draw.uniform(0.0, 0.045))}, growth_ceiling={"rate": float(draw.uniform(0.055, 0.1))}
    )
    rules |= on(no_further_under_target={}) if seed % 2 else {}
    system = path(places=4 + seed % 3, years=1 + seed % 4, seed=seed)
    if protected:
        system = replace(system, groups={"region": tuple("ab"[number % 2] for number in range(len(system.places)))})
        rules |= on(group_protection={"column": "region", "group": "a", "least": 0.97})
    compiled = compiled_of(system, rules=rules, objectives=[*([first] if first else []), "worst_shortfall"])
    try:
        least = minimise(compiled, compiled.costs[0], time_limit=60)
    except Infeasible:
        with pytest.raises(Infeasible):
            leximin.continue_down(compiled, worst=1.0, time_limit=60)
        return
    if first:
        most = 1.001 * float(compiled.costs[0] @ least.values) + 0.1
        compiled = compiled.with_row("cap_first", compiled.costs[0], lower=-np.inf, upper=most)
    found = leximin.continue_down(compiled, worst=1.0, time_limit=60)
    monkeypatch.setattr(leximin, "shared_level", lambda _: None)
    whole = leximin.continue_down(compiled, worst=1.0, time_limit=60)
    assert found.complete
    if whole.complete:
        assert found.settled == pytest.approx(whole.settled, abs=2e-7)
    for level in found.common:
        assert level.bound == pytest.approx(level.value, abs=1e-8)
