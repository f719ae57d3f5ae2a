"""The departmental view by hand: retention, drawdown, breach, and figures with their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from allocopt.settings.stress import Drawdown, Stress, Surge, SurplusSplit
from allocopt.stress.estimates import amounts, order_interval, quantile, tail_mean, wilson
from allocopt.stress.simulate import Tally
from allocopt.stress.treasury import drawdowns, retentions, rows_of, slug, view


def tally(deficit, surplus, lost=0.0):
    one = [np.atleast_1d(np.array(value, dtype=float)) for value in (deficit, surplus, lost)]
    return Tally(*np.broadcast_arrays(*one), np.zeros((len(one[0]), 0, 0)))


@pytest.mark.parametrize(
    ("retained", "available", "exposure"),
    [
        # deficits 10, surpluses 20, drawdown 3: exposure = 10 - (1 - r) x 20 + 3
        (0.0, 20.0, -7.0),
        (0.1, 18.0, -5.0),
        (0.3, 14.0, -1.0),
        (0.7, 6.0, 7.0),
        (1.0, 0.0, 13.0),
        (SurplusSplit(profit="10%", returned="40%"), 8.0, 5.0),
        (SurplusSplit(profit="10%", returned="30%"), 6.0, 7.0),
    ],
)
def test_what_is_kept_cannot_offset_an_overspend_elsewhere(retained, available, exposure):
    seen = view(tally(10, 20), *retentions([retained]), np.array([3.0]))
    assert seen.available == pytest.approx([available])
    assert seen.exposure == pytest.approx([exposure])
    assert seen.net == pytest.approx([-10.0])


def test_a_surplus_that_is_lost_is_not_available():
    (half,) = retentions([0.5])
    assert view(tally(10, 20, lost=6), half, np.zeros(1)).available == pytest.approx([7.0])


def test_retention_rules_are_named_by_their_shares():
    rules = retentions([0.3, SurplusSplit(profit="10%", returned="40%")])
    assert [slug(rule) for rule in rules] == ["retention_30pct", "retention_profit_10pct_returned_40pct"]
    assert rules[1].retained == pytest.approx(0.5)


def test_a_surge_draws_on_foundation_trusts_too_and_is_as_rare_as_it_is_said_to_be():
    said = Drawdown(stock="£1.7bn", foundation_trusts="£2.3bn", share="10%", surge=Surge(share="50%", probability="5%"))
    drawn = drawdowns(said, seed=7, first=1, count=20_000)
    assert sorted(set(drawn)) == pytest.approx([400.0, 2000.0])
    assert (drawn > 1000).mean() == pytest.approx(0.05, abs=0.005)


def test_the_departmental_view_adds_up_in_every_level_and_case():
    rng = np.random.default_rng(1)
    levels = {level: tally(rng.random(200), rng.random(200)) for level in ("place", "nation")}
    stress = Stress(limit="£0.1m", drawdown=Drawdown(stock="£1m", share="10%"))
    rows = list(
        rows_of(
            {"correlated": levels, "independent": levels}, test="", rule=retentions([0.3])[0], stress=stress, seed=1
        )
    )
    mean = {(row.test, row.level, row.measure): row.value for row in rows if row.statistic == "mean"}
    for test in ("correlated", "independent"):
        for level in levels:
            found = {
                name: mean[test, level, name] for name in ("gross_deficit", "available_surplus", "drawdown", "exposure")
            }
            assert found["exposure"] == pytest.approx(
                found["gross_deficit"] - found["available_surplus"] + found["drawdown"]
            )
    breach = next(row.value for row in rows if (row.measure, row.statistic) == ("breach", "probability"))
    exposed = view(levels["place"], retentions([0.3])[0], np.full(200, 0.1)).exposure
    assert breach == (exposed > 0.1).mean()


def test_a_breach_is_an_exposure_above_the_limit_and_not_at_it():
    stress = Stress(limit="£10m")
    levels = {"nation": tally([10.0, 10.000001], [0.0, 0.0])}
    rows = rows_of(
        {"correlated": levels, "independent": levels}, test="", rule=retentions([1.0])[0], stress=stress, seed=1
    )
    assert next(row.value for row in rows if row.measure == "breach") == 0.5


def test_every_figure_has_its_interval_and_the_interval_holds_the_truth():
    values = np.random.default_rng(3).normal(100, 20, 10_000)
    found = {row.statistic: row.value for row in amounts("t", "nation", "net", values)}
    truth = {"sd": 20.0, **{f"p{100 * share:02.0f}": norm.ppf(share, 100, 20) for share in (0.05, 0.5, 0.95, 0.99)}}
    assert found["ci_low"] <= 100 <= found["ci_high"]
    for name, true in truth.items():
        assert found[f"{name}_ci_low"] <= true <= found[f"{name}_ci_high"]
        assert found[f"{name}_ci_low"] <= found[name] <= found[f"{name}_ci_high"]


def test_intervals_of_quantiles_cover_the_truth_as_often_as_they_say():
    rng, hits = np.random.default_rng(5), 0
    for _ in range(400):
        _, low, high = quantile(np.sort(rng.normal(size=500)), 0.95)
        hits += low <= norm.ppf(0.95) <= high
    assert hits / 400 >= 0.93
    assert order_interval(500, 0.95)[0] < 475 < order_interval(500, 0.95)[1]


def test_expected_shortfall_is_that_of_the_normal():
    worst, error = tail_mean(np.random.default_rng(11).normal(size=200_000), 0.95)
    assert worst == pytest.approx(norm.pdf(norm.ppf(0.95)) / 0.05, abs=3 * error)


def test_expected_shortfall_of_ten_draws_is_the_mean_of_the_worst_two():
    assert tail_mean(np.arange(10.0), 0.8)[0] == pytest.approx(8.5)


def test_no_breach_in_a_thousand_draws_is_not_called_impossible():
    share, low, high = wilson(0, 1000)
    assert share == 0
    assert low == pytest.approx(0, abs=1e-15)
    assert high == pytest.approx(0.0038, abs=0.0002)
