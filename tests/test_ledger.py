"""Whole pounds that add up, and columns that follow from them exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from situations import situation

from allocopt.check.plan import check_columns
from allocopt.ledger import CARRIED_COLUMNS, COLUMNS, SPEND_COLUMNS, ledger, whole_pounds
from allocopt.problem import Situation

millions = st.lists(st.floats(0, 500), min_size=1, max_size=8).map(np.array)
NAMES = pd.Series({"A": "Ash", "B": "Beech", "C": "Cedar"})
GIVEN = situation(pot=315, baseline=[100, 100, 100], weight=[126, 105, 84], spend=[120, 100, 100])


def table(allocation, of=GIVEN):
    return ledger(of, np.array(allocation, dtype=float)[:, None], NAMES).set_index("place")


@given(millions)
def test_whole_pounds_add_up_exactly(amounts):
    assert whole_pounds(amounts).sum() == round(float((amounts * 1e6).sum()))


@given(millions)
def test_no_amount_is_more_than_a_pound_off(amounts):
    assert np.abs(whole_pounds(amounts) - amounts * 1e6).max() <= 1


@given(millions)
def test_rounding_keeps_the_order_of_amounts(amounts):
    pounds = whole_pounds(amounts)[np.argsort(amounts, kind="stable")]
    assert (np.diff(pounds) >= -1).all()


def test_the_largest_remainder_gets_the_odd_pound():
    # 1.2 + 1.7 + 1.1 = 4: rounded down 1 + 1 + 1, one pound is left, the largest remainder is 0.7
    assert whole_pounds(np.array([1.2e-6, 1.7e-6, 1.1e-6])).tolist() == [1, 2, 1]


def test_the_first_of_equal_remainders_gets_the_odd_pound():
    # 100 / 3 = 33.33 each, one pound left
    assert whole_pounds(np.full(3, 100e-6 / 3), total=100).tolist() == [34, 33, 33]


def test_the_last_bits_of_a_solver_break_no_tie():
    third = 100 / 3
    amounts = np.array([np.nextafter(third, 0), np.nextafter(third, 99), np.nextafter(third, 99)])
    assert whole_pounds(amounts, total=100_000_000).tolist() == [33_333_334, 33_333_333, 33_333_333]


@pytest.mark.parametrize("total", [99, 103])
def test_amounts_that_do_not_make_the_total_are_refused(total):
    # 50.5 + 50.9: rounded down 50 + 50 = 100, and at most one pound more for each of the two: 100 to 102
    with pytest.raises(ValueError, match=rf"amounts of 101\.40 pounds cannot be rounded to a total of {total}$"):
        whole_pounds(np.array([50.5e-6, 50.9e-6]), total=total)


def test_an_overspend_is_split_into_underfunding_and_what_lies_above_need():
    # A: spends 120, has 110, needs 126: deficit 10, it is 16 under target, so all 10 is underfunding
    # B: spends 100, has 98, needs 105: deficit 2, 7 under target, all underfunding
    # C: spends 100, has 107, needs 84: surplus 7
    found = table([110, 98, 107])
    assert found["deficit_gbp"].tolist() == [10_000_000, 2_000_000, 0]
    assert found["deficit_underfunding_gbp"].tolist() == [10_000_000, 2_000_000, 0]
    assert found["surplus_gbp"].tolist() == [0, 0, 7_000_000]


def test_a_deficit_beyond_what_target_would_pay_is_above_need():
    # C spends 100, has 80, needs 84: deficit 20, of which 4 is underfunding and 16 above need
    found = table([130, 105, 80]).loc["C"]
    assert (found["deficit_gbp"], found["deficit_underfunding_gbp"], found["deficit_above_need_gbp"]) == (
        20e6,
        4e6,
        16e6,
    )


def test_growth_and_distances_are_percentages_of_whole_pounds():
    # A: 110 / 100 - 1 = 10%; closes at 110 / 126 - 1 = -12.698413%, opened at 105 / 126 - 1 = -16.666667%
    found = table([110, 105, 100]).loc["A"]
    assert (found["growth_pct"], found["closing_dft_pct"], found["opening_dft_pct"]) == (10.0, -12.698413, -16.666667)
    assert found["change_gbp"] == 10_000_000
    assert found["uniform_gbp"] == 105_000_000


def test_growth_of_a_place_that_had_nothing_is_left_empty():
    new = replace(GIVEN, baseline=np.array([0.0, 150.0, 150.0]))
    found = table([110, 105, 100], of=new)["growth_pct"]
    assert np.isnan(found["A"])
    assert found["B"] == -30.0


def test_without_expected_spend_there_are_no_spend_columns():
    found = ledger(replace(GIVEN, spend=None), np.full((3, 1), 105.0), NAMES)
    assert list(found.columns) == [column for column in COLUMNS if column not in (*SPEND_COLUMNS, *CARRIED_COLUMNS)]


def test_a_table_over_years_goes_place_by_place_and_each_year_starts_from_the_one_before():
    two = replace(
        GIVEN,
        years=("2019-20", "2020-21"),
        pot=np.array([315.0, 330.75]),
        target=np.column_stack([GIVEN.target[:, 0], 1.05 * GIVEN.target[:, 0]]),
        population=np.ones((3, 2)),
        spend=np.column_stack([GIVEN.spend[:, 0], GIVEN.spend[:, 0]]),
    )
    found = ledger(two, np.array([[108, 115.5], [105, 110.25], [102, 105.0]]), NAMES)
    assert found["place"].tolist() == ["A", "A", "B", "B", "C", "C"]
    assert found["year"].tolist() == ["2019-20", "2020-21"] * 3
    assert found["name"].tolist() == ["Ash", "Ash", "Beech", "Beech", "Cedar", "Cedar"]
    assert found["baseline_gbp"].tolist() == [
        100_000_000,
        108_000_000,
        100_000_000,
        105_000_000,
        100_000_000,
        102_000_000,
    ]


shares = st.lists(st.floats(0.01, 1), min_size=3, max_size=3).map(lambda one: np.array(one) / sum(one))


@given(shares, shares, st.lists(st.floats(0, 200), min_size=3, max_size=3), st.floats(1, 500))
def test_the_columns_are_tied_together_to_the_pound(given_share, target_share, spend, pot):
    drawn = situation(pot=pot, baseline=[100, 100, 100], weight=target_share, spend=spend)
    found = table(pot * given_share, of=drawn)
    assert found["allocation_gbp"].sum() == found["target_gbp"].sum() == found["uniform_gbp"].sum() == round(pot * 1e6)
    assert (found["spend_gbp"] - found["allocation_gbp"] == found["deficit_gbp"] - found["surplus_gbp"]).all()
    assert (found["deficit_underfunding_gbp"] + found["deficit_above_need_gbp"] == found["deficit_gbp"]).all()
    assert (np.minimum(found["deficit_gbp"], found["surplus_gbp"]) == 0).all()
    assert (found["allocation_gbp"] - found["baseline_gbp"] == found["change_gbp"]).all()
    assert (found[["deficit_underfunding_gbp", "deficit_above_need_gbp"]] >= 0).all(axis=None)


def test_a_surplus_repays_a_carried_deficit_in_proportion_to_its_parts():
    # A needs 100, spends 104 and gets 90: 14 = 10 underfunding + 4 above need. Then it spends 104 and gets 108: 4 repay
    # and 10 are left, 10 x 10/14 = 7.142857 of it underfunding. Then it gets 95: 5 underfunding and 4 more
    # are new.
    given = np.array([[90.0, 108.0, 95.0], [110.0, 92.0, 105.0]])
    situation = Situation(
        places=("A", "B"),
        years=("2019-20", "2020-21", "2021-22"),
        pot=np.array([200.0, 200.0, 200.0]),
        baseline=np.array([100.0, 100.0]),
        target=np.full((2, 3), 100.0),
        population=np.full((2, 3), 1000.0),
        spend=np.array([[104.0, 118.0, 114.0], [100.0, 100.0, 108.0]]),
        carried=np.array([[0.0, 14.0, 10.0], [0.0, 0.0, 8.0]]),
    )
    table = ledger(situation, given, pd.Series({"A": "Alder", "B": "Birch"})).set_index(["place", "year"])
    rows = table.loc["A", ["deficit_gbp", "deficit_underfunding_gbp", "deficit_new_gbp", "deficit_carried_gbp"]]
    assert rows.to_numpy().tolist() == [
        [14_000_000, 10_000_000, 14_000_000, 0],
        [10_000_000, 7_142_857, 0, 10_000_000],
        [19_000_000, 5_000_000 + 7_142_857, 9_000_000, 10_000_000],
    ]
    assert table.loc["B", "deficit_underfunding_gbp"].tolist() == [0, 8_000_000, 8_000_000 - 5_000_000]
    assert all(check.passed for check in check_columns(table.reset_index()))
