"""Coalitions grown over the neighbour graph: lawful, never better than the best, and with an honest certificate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from choice_cases import core, largest_gain, lawful, random_field

from allocopt.choice import growth
from allocopt.choice.connected import Grown, is_large
from allocopt.choice.field import field_of, level_of
from allocopt.choice.partition import free_choice
from allocopt.model import load_model

MODEL = load_model("free_choice")


def connected(seed: int):
    """A random field whose only further rule is that consortia hang together."""
    instance, where = random_field(seed)
    kept = {name: instance.settings[name] for name in ("reach", "population_window") if name in instance.settings}
    instance = replace(instance, settings={**kept, "contiguity": {"graph": "delaunay"}})
    return instance, where, field_of(instance, MODEL)


@pytest.mark.parametrize("batch", range(4))
def test_what_is_grown_is_lawful_and_its_certificate_holds(batch):
    best_found = 0
    for seed in range(15 * batch, 15 * batch + 15):
        instance, where, of = connected(seed)
        coalitions = lawful(instance, where, of)
        found = free_choice(of, find=Grown(of))
        every = {members: ratio for ratio, members in coalitions}
        for one in found.order:
            assert one.ratio == pytest.approx(every[tuple(sorted(one.members))]), seed
        if coalitions:
            exact = core(coalitions)
            best_found += bool(found.order) and found.order[0].ratio == pytest.approx(exact[0][0])
            level = level_of(of, found.group)
            if np.isfinite(level).all():
                assert largest_gain(coalitions, level) <= found.epsilon + 1e-6, seed
    assert best_found >= 8  # of 15: growth is greedy, and says so in its certificate


def test_a_coalition_reaches_a_good_place_through_a_poor_one():
    """P0 - P1 - P2 on a road: P1 overspends, and P2 makes up for it."""
    start, near = np.array([0, 1, 3, 4]), np.array([1, 0, 2, 1])
    value, people = np.array([5.0, -1.0, 9.0]), np.array([10.0, 10.0, 10.0])
    able = np.ones(3, dtype=np.int64)
    ratio, member = growth.grow(value, people, people, 0, 20.0, 30.0, start, near, able)
    assert member.tolist() == [True, True, True]
    assert ratio == pytest.approx(13 / 30)
    assert growth.grow.py_func(value, people, people, 0, 20.0, 30.0, start, near, able)[0] == ratio


def test_small_fields_are_searched_rather_than_grown():
    assert not is_large(connected(1)[2])
