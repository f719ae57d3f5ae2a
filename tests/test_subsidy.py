"""The least subsidy of a plan from both sides, and the levers' two ends, against enumeration."""

from __future__ import annotations

import numpy as np
import pytest
from choice_cases import largest_gain, lawful, least_total, plain, random_field

from allocopt.choice import circles as loops
from allocopt.choice.field import among, field_of, level_of
from allocopt.choice.keep import STEP, common_share, retained_share
from allocopt.choice.levers import share_that_holds
from allocopt.choice.stability import Terms, stability
from allocopt.choice.subsidy import can_be_bounded, circles, payments_that_hold
from allocopt.model import load_model

MODEL = load_model("free_choice")


def judged(seed: int):
    instance, where = random_field(seed)
    of = field_of(instance, MODEL)
    level = level_of(of, np.random.default_rng(seed).integers(0, 3, len(of)))
    return of, lawful(instance, where, of), level


@pytest.mark.parametrize("batch", range(10))
def test_payments_found_from_the_top_hold_and_the_circles_bound_every_payment(batch):
    tried = 0
    for seed in range(20 * batch, 20 * batch + 20):
        of, coalitions, level = judged(seed)
        pay = payments_that_hold(of, level, Terms(), 5.0, epsilon=STEP)
        assert largest_gain(coalitions, level + pay) <= 5.0 + 1e-4, seed
        bound = sum(one.value for one in circles(of, level, Terms(), 5.0))
        assert bound == 0 or can_be_bounded(of)
        assert bound <= pay @ of.weight + 1e-6, seed
        assert bound <= least_total(coalitions, level, of.weight, 5.0) + 1e-3, seed
        tried += bound > 0
    assert tried


def test_what_must_be_paid_in_one_circle_is_worked_by_hand():
    """Four lists of 10,000 with £300 a head each, in a plan where all have £100; two make a consortium.

    At any level up to £300 all but 10,000 people must be paid up to it (two left unpaid would leave together), so
    three are paid £200 a head: £6m. The bound counts people beyond 20,000 - two lists - and so finds at least £4m.
    """
    of = field_of(plain([3] * 4, [10_000] * 4, least=20_000), MODEL)
    level = np.full(4, 100.0)
    (found,) = circles(of, level, Terms(), 0.0)
    assert sorted(found.members.tolist()) == [0, 1, 2, 3]
    assert found.value == pytest.approx(4e6, rel=1e-6)
    pay = payments_that_hold(of, level, Terms(), 0.0, epsilon=STEP)
    assert pay @ of.weight == pytest.approx(6e6, rel=1e-6)


def test_the_compiled_loops_are_those_of_plain_python():
    draw = np.random.default_rng(2)
    value, people = 1e5 * draw.standard_normal(9), 1000.0 * draw.integers(1, 9, 9)
    given = (value, people, people, np.zeros(9), np.ones(9, dtype=bool), 8000.0, 1.0, np.linspace(1, 60, 7), 1.0, 1.0)
    assert loops.circle_bound(*given) == pytest.approx(loops.circle_bound.py_func(*given))
    assert loops.circle_bound(*given) > 0


def test_a_share_that_holds_tells_where_it_stops_holding():
    """(6, -5) and (5, -4): the two in surplus gain 500 a head; a tenth of that is 50."""
    of = field_of(plain([6, -5, 5, -4], [10_000] * 4, least=20_000, most=20_000), MODEL)
    level = level_of(of, np.array([0, 0, 2, 2]))
    for found in (common_share(of, level, least=50.0), retained_share(of, level, terms=Terms(), least=50.0)):
        assert found.share == pytest.approx(0.1, rel=1e-4)
        assert found.fails == pytest.approx(0.1, rel=1e-4)
    held = share_that_holds(of, level, "common_share", terms=Terms(), least=50.0)
    assert held.verified
    wider = Terms(held.fails * 1.01, held.fails * 1.01)
    assert not stability(of, level, terms=wider, least=50.0).stable


def test_no_share_of_surpluses_holds_a_plan_that_people_leave_for_its_deficits():
    """B and C have -400 a head with D's deficit between them and 0 without it, whatever share of a surplus is kept."""
    of = field_of(plain([0, 0, -8], [10_000] * 3, least=20_000), MODEL)
    held = share_that_holds(of, level_of(of, np.zeros(3, dtype=int)), "retained_share", terms=Terms(), least=10.0)
    assert (held.setting, held.verified, held.fails) == (None, False, 0.0)
    assert held.words == (
        "no share of a surplus is small enough: even where nothing of it is kept, some gain £266.67 a head by leaving "
        "a deficit behind"
    )


def test_places_that_a_given_grouping_leaves_out_of_account_join_nobody():
    """Without the third, the first two cannot gather 30,000 people."""
    of = field_of(plain([6, 5, -4], [10_000] * 3, least=30_000), MODEL)
    everybody, two = np.ones(3, dtype=bool), np.array([True, True, False])
    level = np.array([0.0, 0.0, -np.inf])
    assert not stability(among(of, everybody), level).stable
    assert stability(among(of, two), level).stable


def test_a_plan_is_stable_only_where_that_is_proven():
    of = field_of(plain([6, -5, 5, -4], [10_000] * 4, least=20_000, most=20_000), MODEL)
    level = level_of(of, np.array([0, 0, 2, 2]))
    unsure = stability(of, level, least=600.0)
    assert unsure.stable
    assert unsure.epsilon <= unsure.limit
    assert not type(unsure)((), 700.0, unsure.limit).stable
