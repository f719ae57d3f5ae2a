"""How risk falls with population: the published points, and draws of pools against the formula."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm
from subjects import subject

from allocopt.risk import ENGLAND_PRACTICES
from allocopt.settings.stress import Sizes
from allocopt.stress.simulate import Asked, band_of, simulate
from allocopt.stress.sizes import overspend, rows_of, smallest_population

MEAN_LIST = 7_900.0


def chance(people, beyond):
    return overspend(ENGLAND_PRACTICES, people=people, beyond=beyond, mean_list=MEAN_LIST, curve="chance")


@pytest.mark.parametrize(
    ("people", "beyond", "published"), [(100_000, 0.02, 0.04), (100_000, 0.01, 0.20), (300_000, 0.01, 0.06)]
)
def test_the_published_shares_of_pools_beyond_1_and_2_per_cent_come_out_within_a_point(people, beyond, published):
    """Source: German patient-level data, HSJ 5023200."""
    assert chance(people, beyond) == pytest.approx(published, abs=0.01)


def test_chance_alone_needs_the_population_of_the_closed_form():
    # kappa / sqrt(N) z = x
    wanted = (3.67 * norm.ppf(0.95) / 0.02) ** 2
    found = smallest_population(ENGLAND_PRACTICES, accepted=0.05, beyond=0.02, mean_list=MEAN_LIST, curve="chance")
    assert found == pytest.approx(wanted, abs=2)


def test_no_size_is_enough_where_the_areas_shock_alone_is_more_than_is_accepted():
    # an area sd of 2% alone is beyond 2% in 15.9% of years
    enough = {
        curve: smallest_population(ENGLAND_PRACTICES, accepted=0.05, beyond=0.02, mean_list=MEAN_LIST, curve=curve)
        for curve in ("correlated", "independent")
    }
    assert np.isnan(enough["correlated"])
    assert enough["independent"] < 3_000_000


def test_from_the_smallest_population_on_the_risk_stays_accepted():
    """One list is less often in the heavy tail than two together, so the first size that will do is not enough."""
    model = replace(ENGLAND_PRACTICES, kappa=0.0, area_sd=0.0, persistent_sd=0.01, heavy_share=0.05)

    def risk(lists):
        return overspend(model, people=lists * 1e4, beyond=0.10, mean_list=1e4, curve="independent")

    found = smallest_population(model, accepted=0.02, beyond=0.10, mean_list=1e4, curve="independent")
    assert risk(1) <= 0.02 < risk(2)
    assert found == 1e4 * (1 + max(lists for lists in range(1, 200) if risk(lists) > 0.02))


@pytest.mark.parametrize("curve", ["correlated", "independent"])
def test_draws_of_pools_agree_with_the_formula(curve):
    # 30 pools of 12 lists of 8,000 people, each pool an area of its own
    pools = [f"G{number // 12:02}" for number in range(360)]
    parts = {name: getattr(ENGLAND_PRACTICES, name) for name in ("kappa", "area_sd", "persistent_sd", "heavy_share")}
    given = subject(base=[10.0] * 360, groups=pools, areas=pools, people=8_000.0, heavy_sd=0.15, **parts)
    asked = Asked({"group": band_of(given.levels["group"], [("all", 0, np.inf)])}, 1, [0.02, 0.05])
    beyond = simulate(given, draws=2_000, asked=asked)[curve]["group"].beyond[:, 0].mean(axis=0)
    for limit, share in zip((0.02, 0.05), beyond, strict=True):
        expected = overspend(given.risk.model, people=96_000, beyond=limit, mean_list=8_000, curve=curve)
        assert share == pytest.approx(expected, abs=0.008)


def test_the_curves_stand_beside_each_other():
    tests = {row.test for row in rows_of(ENGLAND_PRACTICES, mean_list=MEAN_LIST, asked=Sizes())}
    assert {"population_100000_chance", "population_100000_correlated", "population_100000_independent"} <= tests
