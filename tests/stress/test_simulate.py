"""Draws of every place, summed to groups, areas and the nation, against closed forms."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from subjects import subject

from allocopt.stress.estimates import Z, standard_error
from allocopt.stress.simulate import FIRST, Asked, Shock, balances, band_of, simulate

DRAWS = 4_000


def assert_close(values, expected, *, errors=4.0):
    """The mean of the draws lies within so many standard errors of what the formula gives."""
    assert abs(values.mean() - expected) <= errors * standard_error(values)


def test_expected_deficit_under_chance_alone_is_the_sd_times_the_normal_density_at_zero():
    # 100 places of £10m with sd 3.67 / sqrt(10,000) = 3.67%: each expects 0.367 x 0.39894 = £0.1464m
    given = subject(base=[10.0] * 100, kappa=3.67)
    found = simulate(given, draws=DRAWS)["correlated"]["place"]
    assert_close(found.deficit, 100 * 0.367 / np.sqrt(2 * np.pi))
    assert_close(found.surplus, 100 * 0.367 / np.sqrt(2 * np.pi))


def test_expected_deficit_of_a_pool_falls_with_the_root_of_its_size():
    # 25 places in each of 4 groups: sd of a group 10 x 25 x 3.67% / 5
    given = subject(base=[10.0] * 100, groups=[f"G{number // 25}" for number in range(100)], kappa=3.67)
    found = simulate(given, draws=DRAWS)["correlated"]["group"]
    assert_close(found.deficit, 4 * 250 * 0.0367 / 5 / np.sqrt(2 * np.pi))


@pytest.mark.parametrize(("case", "per_area"), [("correlated", 20.0), ("independent", np.sqrt(20.0))])
def test_variance_of_the_nation_follows_the_algebra_of_shared_shocks(case, per_area):
    # 5 areas of 20 places of £10m; area sd 2%, chance 3.67%: shared shocks add up before they are squared
    given = subject(base=[10.0] * 100, areas=[f"A{number // 20}" for number in range(100)], area_sd=0.02, kappa=3.67)
    found = simulate(given, draws=DRAWS)[case]["nation"]
    net = found.deficit - found.surplus
    variance = 5 * (10 * per_area * 0.02) ** 2 + 100 * (10 * 0.0367) ** 2
    assert_close((net - 0.0) ** 2, variance)


def test_correlated_and_independent_differ_in_the_area_shock_alone():
    given = subject(base=[10.0] * 6, areas=["A", "A", "A", "B", "B", "B"], kappa=3.67)
    found = simulate(given, draws=100)
    assert np.array_equal(found["correlated"]["place"].deficit, found["independent"]["place"].deficit)


def test_pooling_never_adds_to_a_deficit_in_any_draw():
    areas = [f"A{number // 15}" for number in range(60)]
    groups = [f"{area}{number % 3}" for number, area in enumerate(areas)]
    given = subject(
        base=np.linspace(1, 20, 60), groups=groups, areas=areas, area_sd=0.02, persistent_sd=0.1, kappa=3.67
    )
    for levels in simulate(given, draws=200).values():
        sizes = [levels[level].deficit for level in ("place", "group", "area", "nation")]
        assert all((wide >= narrow - 1e-9).all() for wide, narrow in pairwise(sizes))
        nets = [levels[level].deficit - levels[level].surplus for level in levels]
        assert all(np.allclose(net, nets[0]) for net in nets)


def test_any_number_of_workers_gives_the_same_bytes_and_more_draws_the_same_first_ones():
    given = subject(base=np.linspace(1, 20, 50), areas=["A", "B"] * 25, area_sd=0.02, heavy_sd=0.3, heavy_share=0.2)
    asked = Asked({"place": band_of(given.levels["place"], [("all", 0, np.inf)])}, 1, [0.05])
    one, four = (simulate(given, draws=300, asked=asked, workers=workers) for workers in (1, 4))
    for case, levels in one.items():
        for level, tally in levels.items():
            for name in ("deficit", "surplus", "beyond"):
                assert getattr(tally, name).tobytes() == getattr(four[case][level], name).tobytes()
    fewer = simulate(given, draws=100)["correlated"]["nation"]
    assert np.array_equal(fewer.deficit, one["correlated"]["nation"].deficit[:100])


def test_overspends_are_counted_by_size_as_numpy_counts_them():
    given = subject(base=np.linspace(1, 20, 30), people=np.linspace(1e3, 3e4, 30), kappa=3.67, area_sd=0.02)
    place, limits = given.levels["place"], (0.0, 0.01, 0.05)
    rows = band_of(place, [("small", 2_000, 9e3), ("large", 9e3, np.inf), ("none", 1e9, np.inf)])
    beyond = simulate(given, draws=130, asked=Asked({"place": rows}, 3, limits))["correlated"]["place"].beyond
    over = balances(given, shock=Shock(), first=FIRST, count=130)["correlated"]
    for band in (0, 1):
        for at, limit in enumerate(limits):
            share = (over > limit * place.allocation)[:, rows == band].mean(axis=1)
            assert np.allclose(beyond[:, band, at], share)
    assert (beyond[:, 2] == 0).all()
    assert (rows == -1).any()


def test_without_any_risk_a_shock_is_what_it_says():
    # 3 places of £100m with allocations 90, 100, 120: +5% makes deficits 15, 5 and a surplus of 15
    given = subject(base=[100, 100, 100], allocation=[90, 100, 120])
    found = simulate(given, draws=10, shock=Shock(1.05))["correlated"]["place"]
    assert found.deficit == pytest.approx(np.full(10, 20.0))
    assert found.surplus == pytest.approx(np.full(10, 15.0))


def test_losing_the_largest_surpluses_takes_the_tenth_with_most():
    # 20 places, surpluses 1 to 20: the largest two are 20 and 19
    given = subject(base=[100.0] * 20, allocation=100.0 + np.arange(1, 21))
    found = simulate(given, draws=10, shock=Shock(largest_lost=0.1))["correlated"]["place"]
    assert found.lost == pytest.approx(np.full(10, 39.0))


def test_the_probability_of_an_overspend_by_size_is_the_normal_tail():
    # sd 3.67% and a limit of 5%: P(z > 1.3624) = 8.65%
    given = subject(base=[10.0] * 50, kappa=3.67)
    asked = Asked({"place": band_of(given.levels["place"], [("small", 0, 5e3), ("large", 5e3, np.inf)])}, 2, [0.05])
    beyond = simulate(given, draws=DRAWS, asked=asked)["correlated"]["place"].beyond
    assert (beyond[:, 0] == 0).all()
    assert beyond[:, 1, 0].mean() == pytest.approx(0.0865, abs=Z * standard_error(beyond[:, 1, 0]) + 1e-3)
