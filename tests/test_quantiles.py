"""Quantile groups are weighted by people, independent of row order, and honest about what is not known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from allocopt.errors import TableFault
from allocopt.quantiles import weighted_groups


def series(**values: float) -> pd.Series:
    return pd.Series(values, dtype="float64")


def test_equal_weights_give_equal_groups() -> None:
    # midpoints 0.5, 1.5, 2.5, 3.5 of 4 people: two halves of two
    groups = weighted_groups(series(a=1, b=2, c=3, d=4), series(a=1, b=1, c=1, d=1), 2)
    assert groups.to_dict() == {"a": 1, "b": 1, "c": 2, "d": 2}


def test_a_group_holds_people_not_places() -> None:
    # d holds half of 6 people, so it is the upper half alone: midpoints 0.5, 1.5, 2.5 | 4.5 with the border at 3
    groups = weighted_groups(series(a=1, b=2, c=3, d=4), series(a=1, b=1, c=1, d=3), 2)
    assert groups.to_dict() == {"a": 1, "b": 1, "c": 1, "d": 2}


def test_a_place_across_a_border_goes_where_its_midpoint_falls() -> None:
    # people 2, 3, 1 of 6: b covers 2..5, its midpoint 3.5 lies beyond the border at 3
    groups = weighted_groups(series(a=1, b=2, c=3), series(a=2, b=3, c=1), 2)
    assert groups.to_dict() == {"a": 1, "b": 2, "c": 2}


def test_a_midpoint_on_the_border_opens_the_upper_group_whatever_the_scale() -> None:
    # three equal places in two halves: the middle one's midpoint is the border
    for scale in (1.0, 0.1, 1e-3, 7e5):
        groups = weighted_groups(series(a=1, b=2, c=3), scale * series(a=1, b=1, c=1), 2)
        assert groups.to_dict() == {"a": 1, "b": 2, "c": 2}


def test_ties_are_broken_by_code_and_row_order_does_not_matter() -> None:
    values, weights = series(d=5, b=5, a=5, c=5), series(a=1, c=1, b=1, d=1)
    groups = weighted_groups(values, weights, 4)
    assert groups.to_dict() == {"a": 1, "b": 2, "c": 3, "d": 4}
    assert list(groups.index) == ["d", "b", "a", "c"]
    pd.testing.assert_series_equal(groups, weighted_groups(values.iloc[::-1], weights, 4).loc[values.index])


def test_a_value_that_is_not_known_stays_not_known_and_takes_no_weight() -> None:
    # without b's 100 people, a and c are one half each
    groups = weighted_groups(series(a=1, b=np.nan, c=3), series(a=1, b=100, c=1), 2)
    assert groups["a"] == 1
    assert groups["c"] == 2
    assert np.isnan(groups["b"])


def test_places_without_any_known_value_have_no_group() -> None:
    assert weighted_groups(series(a=np.nan, b=np.nan), series(a=1, b=1), 5).isna().all()


def test_the_last_place_stays_in_the_last_group_even_without_people() -> None:
    # b adds nothing, so its midpoint is the very end of the line
    assert weighted_groups(series(a=1, b=2), series(a=4, b=0), 2).to_dict() == {"a": 2, "b": 2}


def test_a_place_without_people_is_named() -> None:
    with pytest.raises(TableFault, match=r"no usable weight \(people\) for b\n    cure: give every place a population"):
        weighted_groups(series(a=1, b=2), series(a=1, b=np.nan), 2)
    with pytest.raises(TableFault, match=r"no usable weight \(people\) for a, b"):
        weighted_groups(series(a=1, b=2), series(a=-1, b=-1), 2)


def test_groups_need_people_somewhere() -> None:
    with pytest.raises(TableFault, match=r"weights \(people\) of the places with a value are all 0"):
        weighted_groups(series(a=1, b=2), series(a=0, b=0), 2)


def test_places_that_do_not_match_are_named() -> None:
    with pytest.raises(TableFault, match="with a value but no weight, or the reverse: b, c"):
        weighted_groups(series(a=1, b=2), series(a=1, c=2), 2)


def test_a_code_that_stands_twice_is_named() -> None:
    twice = pd.Series([1.0, 2.0], index=["a", "a"])
    with pytest.raises(TableFault, match="stand more than once: a"):
        weighted_groups(twice, series(a=1), 2)


def test_a_long_list_of_places_is_cut_short() -> None:
    values = pd.Series(1.0, index=[f"p{number}" for number in range(13)])
    with pytest.raises(TableFault, match="p0, p1, p10, p11, p12, p2, p3, p4, p5, p6 and 3 more"):
        weighted_groups(values, -values, 2)


def test_at_least_one_group_is_asked_for() -> None:
    with pytest.raises(ValueError, match="number of groups must be 1 or more: 0"):
        weighted_groups(series(a=1), series(a=1), 0)
