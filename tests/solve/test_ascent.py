"""Steps towards the top of a concave function within bounds: against every active set, and along a way with a jump."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from allocopt.solve.ascent import how_far, solved, way_up


def random_hill(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    root = chance.normal(size=(4, 6))
    low = np.where(chance.random(4) < 0.5, -np.inf, -chance.random(4) * (chance.random(4) < 0.7))
    high = np.where(chance.random(4) < 0.5, np.inf, chance.random(4))
    return root @ root.T, chance.normal(size=4), low, high


def best_of_all(curvature: np.ndarray, slope: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """The largest value over every choice of which prices stand at which bound."""
    found = 0.0
    for held in product((-1, 0, 1), repeat=4):
        at = np.where(np.array(held) < 0, low, np.where(np.array(held) > 0, high, 0.0))
        if not np.isfinite(at).all():
            continue
        free = np.array(held) == 0
        part = curvature[np.ix_(free, free)]
        at[free] = np.linalg.solve(part, slope[free] - curvature[np.ix_(free, ~free)] @ at[~free]) if free.any() else 0
        if (at >= low - 1e-12).all() and (at <= high + 1e-12).all():
            found = max(found, float(slope @ at - at @ curvature @ at / 2))
    return found


@pytest.mark.parametrize("seed", range(30))
def test_the_way_leads_to_the_top_of_the_quadratic_within_the_bounds(seed):
    curvature, slope, low, high = random_hill(seed)
    way = 1e9 * way_up(curvature, 1e-9 * slope, 1e-9 * low, 1e-9 * high, size=1.0)  # a small slope lifts nothing
    assert (way >= low - 1e-15).all()
    assert (way <= high + 1e-15).all()
    reached = float(slope @ way - way @ curvature @ way / 2)
    assert reached == pytest.approx(best_of_all(curvature, slope, low, high), rel=1e-6, abs=1e-9)


def test_a_flat_way_is_as_long_as_the_slope_is_large_against_the_curvature():
    # no curvature at all, slope 8, size 2: the lift is 0.01 x 8 / 2 x 2 = 0.08, so the step is 8 / 0.08 = 100
    way = way_up(np.zeros((1, 1)), np.array([8.0]), np.array([-np.inf]), np.array([np.inf]), size=2.0)
    assert way == pytest.approx([100.0])


def test_elimination_solves_what_a_library_solves():
    chance = np.random.default_rng(3)
    root = chance.normal(size=(40, 60))
    right = chance.normal(size=40)
    assert solved(root @ root.T, right) == pytest.approx(np.linalg.solve(root @ root.T, right))


def test_a_jump_of_the_slope_is_found():
    # value 5 t to t = 1e-6, then down at a slope of -50: the best share is 1e-6
    def rise(share: float) -> tuple[float, float]:
        return (5 * share, 5.0) if share <= 1e-6 else (5e-6 - 50 * (share - 1e-6), -50.0)

    found = how_far(rise, start=(0.0, 5.0), longest=np.inf)
    assert found == pytest.approx(1e-6, abs=1e-10)


def test_the_way_ends_at_the_bounds_while_it_still_rises():
    assert how_far(lambda share: (share, 1.0), start=(0.0, 1.0), longest=7.0) == 7.0
