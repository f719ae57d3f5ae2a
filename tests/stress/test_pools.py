"""Risk pools: the least top-slice, its interval and its coverage on fresh draws; layers and stop-loss."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from subjects import subject

from allocopt.settings.stress import Pool, Stress
from allocopt.stress.pools import Terms, area_of, least_slices, rows_of, sized
from allocopt.stress.treasury import retentions


def terms(**said):
    return Terms(
        **{"allocation": np.array([100.0, 100.0]), "area_of": None, "stop_loss": 0.0, "available": 0.0, **said}
    )


def test_the_least_top_slice_by_hand():
    # overspends 6 and 0 on whole budgets of 100: (1 - t) 6 <= 200 t at t = 6 / 206
    assert least_slices(terms(), np.array([[6.0, -4.0]])) == pytest.approx([6 / 206], abs=2e-9)
    # half of the surplus of 4 helps: (1 - t) (6 - 2) <= 200 t
    assert least_slices(terms(available=0.5), np.array([[6.0, -4.0]])) == pytest.approx([4 / 204], abs=2e-9)


def test_a_stop_loss_leaves_the_first_of_an_overspend_with_its_body():
    # 2% of 100 is borne: (1 - t) 4 <= 200 t
    assert least_slices(terms(stop_loss=0.02), np.array([[6.0, -4.0]])) == pytest.approx([4 / 204], abs=2e-9)


def test_where_spend_stays_the_pool_must_pay_for_its_own_slice():
    # claims 6 + 100 t and max(0, 100 t - 4) against 200 t: enough when 6 + 100 t + 100 t - 4 <= 200 t never, so t = 4%:
    # below it the second claims nothing and 6 + 100 t <= 200 t at t = 6%; above 4% what is short stays at 2
    found = least_slices(terms(follows=False), np.array([[6.0, -4.0], [6.0, -8.0]]))
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(0.06, abs=2e-9)


def test_a_layered_pool_pays_in_its_area_first():
    # areas of one body: area pools of 1% hold 1 each (2 in all); the nation's pays (1 - t) 6 - 1 <= 200 t - 2
    layered = terms(area_of=np.array([0, 1]))
    assert least_slices(layered, np.array([[6.0, -4.0]]), area=0.01) == pytest.approx([7 / 206], abs=2e-9)
    # in one area there is one pool, whatever the layer
    together = terms(area_of=np.array([0, 0]))
    assert least_slices(together, np.array([[6.0, -4.0]]), area=0.01) == pytest.approx([6 / 206], abs=2e-9)


def given():
    areas = [f"A{number // 10}" for number in range(40)]
    return subject(
        base=[10.0] * 40, areas=areas, groups=[f"G{number // 5}" for number in range(40)], kappa=3.67, area_sd=0.01
    )


@pytest.mark.parametrize("case", ["correlated", "independent"])
def test_the_optimum_is_the_least_that_is_enough_in_the_sample(case):
    asked = Pool(breach="10%", draws=500, fresh=500)
    holders = given().holders
    found = sized(given(), Terms(holders.allocation, None, 0.0, 0.0), asked, case, area=0.0, workers=1)
    fresh = sized(given(), Terms(holders.allocation, None, 0.0, 0.0), asked, case, area=0.0, workers=2)
    assert found.top_slice == fresh.top_slice
    assert found.low <= found.top_slice <= found.high
    assert found.gap == found.high - found.top_slice


def test_coverage_on_fresh_draws_lies_within_its_interval_and_the_accepted_probability_too():
    stress = Stress(retention=["100%"], pool=Pool(breach="10%", draws=4000, fresh=4000, area_layer=["0.5%"]))
    rows = {
        (row.test, row.measure, row.statistic): row.value
        for row in rows_of(given(), rule=retentions([1.0])[0], stress=stress)
    }
    for test in ("pool", "pool_independent", "pool_area_layer_0.5pct", "pool_area_layer_0.5pct_independent"):
        # the chosen slice is itself an estimate, so the interval of the difference is wider by the root of two
        share = rows[test, "breach_on_fresh_draws", "probability"]
        half = (rows[test, "breach_on_fresh_draws", "ci_high"] - rows[test, "breach_on_fresh_draws", "ci_low"]) / 2
        assert abs(share - 0.10) <= 1.5 * half
    # an area's pool cannot help another area, so layers never need less
    assert rows["pool_area_layer_0.5pct", "top_slice", "value"] >= rows["pool", "top_slice", "value"] - 1e-9
    assert rows["pool", "top_slice", "value"] > rows["pool_independent", "top_slice", "value"]


def test_over_many_seeds_coverage_strays_as_far_as_chance_lets_it():
    # fresh failures less 5%, over the sd of a share that is chosen on 1,000 draws and tried on 1,000 others
    plain = Terms(given().holders.allocation, None, 0.0, 0.0)
    asked = Pool(breach="5%", draws=1000, fresh=1000)
    runs = [
        sized(replace(given(), risk=replace(given().risk, seed=seed)), plain, asked, "correlated", area=0.0, workers=1)
        for seed in range(24)
    ]
    strayed = np.array([(run.breaches.mean() - 0.05) / np.sqrt(2 * 0.05 * 0.95 / 1000) for run in runs])
    assert abs(strayed.mean()) <= 3 / np.sqrt(len(runs))
    assert 0.6 <= strayed.std(ddof=1) <= 1.5
    inside = [run.expected[0] <= run.breaches.mean() <= run.expected[1] for run in runs]
    assert np.mean(inside) >= 0.8


def test_a_smaller_accepted_probability_needs_a_larger_pool():
    holders = given().holders
    sizes = [
        sized(
            given(),
            Terms(holders.allocation, None, 0.0, 0.0),
            Pool(breach=f"{breach}%", draws=500, fresh=10),
            "correlated",
            area=0.0,
            workers=1,
        ).top_slice
        for breach in (20, 10, 5, 1)
    ]
    assert sizes == sorted(sizes)


def test_a_body_belongs_to_the_area_of_most_of_its_places():
    made = subject(base=[10.0] * 3, areas=["A", "B", "B"], groups=["G", "G", "G"])
    assert area_of(made.holders, made.levels["area"]).tolist() == [1]
