"""Surpluses and deficits carried from year to year, by hand, and the risk that lasts."""

from __future__ import annotations

import numpy as np
import pytest
from subjects import subject

from allocopt.settings.stress import Drawdown, Stress, Years
from allocopt.stress.simulate import simulate
from allocopt.stress.treasury import Retention, retentions
from allocopt.stress.years import Books, Terms, close_year, path, rows_of, yearly

KEEP_ALL, KEEP_HALF = Retention(1.0), Retention(0.5)


def year(*, owed=0.0, held=0.0, spend, budget=100.0, rule=KEEP_HALF, saving=0.0, drawn=0.0):
    books = Books(np.array([[owed]]), np.array([[held]]))
    closing, flows = close_year(books, np.array([[spend]]), np.array([budget]), Terms(rule, saving), np.array([drawn]))
    return closing, {name: float(flow[0, 0]) for name, flow in flows.items()}


def test_a_deficit_is_carried_and_has_the_first_call_on_next_years_surplus():
    # year 1: spends 108 of 100: carries 8. Year 2: spends 90: surplus 10 repays the 8; half of the other 2 is available
    books, first = year(spend=108.0)
    assert (first["gross_deficit"], first["carried_deficit"]) == (8.0, 8.0)
    _, second = year(owed=float(books.carried[0, 0]), spend=90.0)
    assert second["repaid"] == 8.0
    assert second["available_surplus"] == 9.0
    assert (second["carried_deficit"], second["retained"]) == (0.0, 1.0)


def test_a_deficit_on_a_deficit_adds_up():
    _, flows = year(owed=8.0, spend=105.0)
    assert (flows["gross_deficit"], flows["repaid"], flows["carried_deficit"]) == (5.0, 0.0, 13.0)


def test_a_recovery_plan_saves_what_it_must_up_to_its_yearly_limit():
    # owes 8 and would spend 101 of 100: needs 9, may save 2% of 100
    _, capped = year(owed=8.0, spend=101.0, saving=0.02)
    assert (capped["saving"], capped["gross_deficit"], capped["repaid"]) == (2.0, 0.0, 1.0)
    assert capped["carried_deficit"] == 7.0
    # may save 20%: saves the 9 and is back in balance
    _, free = year(owed=8.0, spend=101.0, saving=0.20)
    assert (free["saving"], free["repaid"], free["carried_deficit"]) == (9.0, 8.0, 0.0)


def test_what_is_repaid_to_the_penny_is_repaid_and_its_recovery_plan_is_over():
    # the saving that brings a body back to balance leaves 1e-16 of what it owed: rounding, not a debt
    _, flows = year(owed=8.0 + 1e-9, spend=92.0)
    assert flows["carried_deficit"] == 0.0
    books, _ = year(owed=0.1 + 0.2, spend=99.9, saving=0.5)
    _, after = year(owed=float(books.carried[0, 0]), spend=103.0, saving=0.5)
    assert (after["saving"], after["gross_deficit"]) == (0.0, 3.0)


def test_a_body_that_owes_nothing_has_no_recovery_plan():
    _, flows = year(spend=103.0, saving=0.02)
    assert (flows["saving"], flows["gross_deficit"]) == (0.0, 3.0)


def test_retained_surpluses_are_held_and_drawn_down():
    # holds 20, draws 10% of it; spends 90 and keeps all of its 10: 20 + 10 - 2
    _, flows = year(held=20.0, spend=90.0, rule=KEEP_ALL, drawn=0.10)
    assert (flows["drawdown"], flows["retained"], flows["available_surplus"]) == (2.0, 28.0, 0.0)


def test_profit_is_neither_available_nor_held():
    _, flows = year(spend=90.0, rule=Retention(0.5, 0.1))
    assert flows["available_surplus"] == pytest.approx(4.0)
    assert flows["retained"] == pytest.approx(5.0)


def test_money_is_neither_made_nor_lost_over_the_years():
    """Over all years what is carried is what was not repaid, and every pound of surplus is somewhere."""
    rng = np.random.default_rng(2)
    books, seen = Books(np.zeros((50, 4)), np.full((50, 4), 5.0)), []
    for _ in range(6):
        spend = 100 * (1 + 0.1 * rng.normal(size=(50, 4)))
        books, flows = close_year(books, spend, np.full(4, 100.0), Terms(Retention(0.3, 0.1), 0.02), np.full(50, 0.2))
        seen.append({**flows, "net": spend - 100.0})
    total = {name: sum(one[name] for one in seen) for name in seen[0]}
    assert books.carried == pytest.approx(total["gross_deficit"] - total["repaid"])
    assert total["gross_deficit"] - total["gross_surplus"] == pytest.approx(total["net"] - total["saving"])
    profit = 0.1 * (total["gross_surplus"] - total["repaid"])
    held = books.retained - 5.0 + total["drawdown"]
    assert total["available_surplus"] + held + profit == pytest.approx(total["gross_surplus"])


def test_the_first_year_is_the_plain_simulation():
    given = subject(base=[10, 20, 30], areas=["A", "A", "B"], area_sd=0.02, persistent_sd=0.1, kappa=3.67)
    stress = Stress(years=Years(number=2, area_correlation="50%", saving="0%", draws=200), retention=["0%"])
    along = path(given.allocation[:, None], given.base[:, None], stress.years)
    rows = list(rows_of(given, along=along, rule=retentions(stress.retention)[0], stress=stress))
    plain = simulate(given, draws=200)
    for case, name in (("correlated", "year_1"), ("independent", "year_1_independent")):
        found = next(
            row.value for row in rows if (row.test, row.measure, row.statistic) == (name, "gross_deficit", "mean")
        )
        assert found == pytest.approx(plain[case]["place"].deficit.mean())


def test_each_year_adds_up_to_the_exposure():
    given = subject(base=[10, 20, 30], kappa=3.67, persistent_sd=0.05)
    drawdown = Drawdown(stock="£5m", foundation_trusts="£3m", share="10%")
    years = Years(number=4, area_correlation="0%", saving="1%", growth="2%", draws=100)
    stress = Stress(years=years, retention=["30%"], drawdown=drawdown)
    along = path(given.allocation[:, None], given.base[:, None], years)
    mean = {
        (row.test, row.measure): row.value
        for row in rows_of(given, along=along, rule=retentions([0.3])[0], stress=stress)
        if row.statistic == "mean"
    }
    for number in range(1, 5):
        parts = {name: mean[f"year_{number}", name] for name in ("gross_deficit", "available_surplus", "drawdown")}
        expected = parts["gross_deficit"] - parts["available_surplus"] + parts["drawdown"]
        assert mean[f"year_{number}", "exposure"] == pytest.approx(expected)
    # 10% of 8, then 10% of what is left and of what was kept: trusts alone fall to 2.7
    assert mean["year_1", "drawdown"] == pytest.approx(0.8)


def test_years_beyond_the_plan_grow_from_its_last():
    found = path(
        np.array([[100.0, 110.0]]),
        np.array([[90.0, 95.0]]),
        Years(number=4, area_correlation="0%", saving="0%", growth="10%"),
    )
    assert found.allocation[0] == pytest.approx([100, 110, 121, 133.1])
    assert found.base[0] == pytest.approx([90, 95, 104.5, 114.95])


@pytest.mark.parametrize("correlation", [0.0, 0.5, 1.0])
def test_area_shocks_of_two_years_correlate_as_they_are_said_to(correlation):
    given = subject(base=[10.0] * 400, area_sd=0.02)
    model, of = given.risk.model, given.risk.exposure
    one, two = yearly(model, of, seed=7, first=1, count=50, years=2, correlation=correlation)
    assert np.corrcoef(one.ravel(), two.ravel())[0, 1] == pytest.approx(correlation, abs=0.02)
    assert two.std() == pytest.approx(0.02, rel=0.02)


def test_what_a_place_always_does_stays_and_chance_is_new():
    given = subject(base=[10.0] * 400, persistent_sd=0.04, kappa=4.0)
    one, two = yearly(given.risk.model, given.risk.exposure, seed=7, first=1, count=50, years=2, correlation=0.0)
    # both sd 4%: half of the variance lasts
    assert np.corrcoef(one.ravel(), two.ravel())[0, 1] == pytest.approx(0.5, abs=0.02)
