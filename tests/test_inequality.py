import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allocopt.effects.inequality import (
    atkinson,
    concentration,
    gini,
    kakwani,
    lorenz,
    redistribution,
    theil,
    theil_split,
)

ONE_EACH = [1.0, 1.0, 1.0, 1.0]

place = st.tuples(st.integers(1, 10_000), st.integers(1, 10_000), st.integers(1, 1_000), st.integers(0, 3))
places = st.lists(place, min_size=2, max_size=12).map(lambda rows: np.array(rows, dtype=float).T)


def test_gini_of_one_two_three_four_is_a_quarter():
    # mean absolute difference over all 16 pairs = 20/16 = 1.25; Gini = 1.25 / (2 x 2.5) = 0.25
    assert gini([1, 2, 3, 4], ONE_EACH) == pytest.approx(0.25)


def test_gini_when_one_place_has_everything_is_one_less_its_share_of_people():
    # 1 of 4 people has all: 1 - 1/4
    assert gini([0, 0, 0, 8], ONE_EACH) == pytest.approx(0.75)
    # 10 of 100 people have all: 1 - 10/100
    assert gini([0, 8], [90, 10]) == pytest.approx(0.9)


def test_concentration_changes_sign_when_the_ranking_is_turned_round():
    # ranked as they are: 0.25; ranked the other way: -0.25
    assert concentration([1, 2, 3, 4], ONE_EACH, by=[1, 2, 3, 4]) == pytest.approx(0.25)
    assert concentration([1, 2, 3, 4], ONE_EACH, by=[4, 3, 2, 1]) == pytest.approx(-0.25)


def test_places_that_tie_in_the_ranking_share_their_rank():
    # ranks 1/4, 1/4, 3/4, 3/4 whichever place comes first: 2/(4 x 2.5) x [(1 + 2)(-1/4) + (3 + 4)(1/4)] = 0.2
    assert concentration([1, 2, 3, 4], ONE_EACH, by=[5, 5, 9, 9]) == pytest.approx(0.2)
    assert concentration([2, 1, 4, 3], ONE_EACH, by=[5, 5, 9, 9]) == pytest.approx(0.2)
    assert concentration([1, 2, 3, 4], ONE_EACH, by=[7, 7, 7, 7]) == 0.0


def test_theil_of_two_places_by_hand():
    # values 1 and 3, mean 2: (0.5 ln 0.5 + 1.5 ln 1.5) / 2 = 0.130812
    assert theil([1, 3], [1, 1]) == pytest.approx(0.1308120, abs=1e-7)
    # all with one of four: ln 4
    assert theil([0, 0, 0, 8], ONE_EACH) == pytest.approx(math.log(4))


def test_theil_is_all_between_when_groups_are_uniform_and_all_within_when_group_means_are_equal():
    between = theil_split([1, 1, 3, 3], ONE_EACH, groups=[0, 0, 1, 1])
    assert between.within == 0.0
    assert between.between == pytest.approx(between.total) == pytest.approx(0.1308120, abs=1e-7)
    within = theil_split([1, 3, 1, 3], ONE_EACH, groups=[0, 0, 1, 1])
    assert within.between == 0.0
    assert within.within == pytest.approx(within.total)


def test_theil_allows_a_group_without_money():
    split = theil_split([0, 0, 4, 4], ONE_EACH, groups=[0, 0, 1, 1])
    assert split.between == pytest.approx(split.total) == pytest.approx(math.log(2))


def test_atkinson_by_hand():
    # values 1 and 4, mean 2.5. e = 0.5: ((1 + 2) / 2)^2 = 2.25, 1 - 2.25/2.5 = 0.1
    assert atkinson([1, 4], [1, 1], epsilon=0.5) == pytest.approx(0.1)
    # e = 1: geometric mean 2, 1 - 2/2.5 = 0.2
    assert atkinson([1, 4], [1, 1], epsilon=1) == pytest.approx(0.2)
    # e = 2: harmonic mean 1.6, 1 - 1.6/2.5 = 0.36
    assert atkinson([1, 4], [1, 1], epsilon=2) == pytest.approx(0.36)


def test_atkinson_is_one_when_a_place_has_nothing_and_aversion_is_one_or_more():
    assert atkinson([0, 4], [1, 1], epsilon=1) == 1.0
    assert atkinson([0, 4], [1, 1], epsilon=2) == 1.0
    # e = 0.5: ((0 + 2) / 2)^2 = 1, 1 - 1/2 = 0.5
    assert atkinson([0, 4], [1, 1], epsilon=0.5) == pytest.approx(0.5)


def test_reranking_is_what_two_places_overtaking_each_other_add_back():
    # X = 1, 3 and Y = 3, 1: G_X = G_Y = 0.25, C_Y|X = -0.25; effect 0 = vertical 0.5 - re-ranking 0.5
    found = redistribution([1, 3], [3, 1], [1, 1])
    assert (found.effect, found.vertical, found.reranking) == pytest.approx((0.0, 0.5, 0.5))


def test_there_is_no_reranking_when_the_order_is_kept():
    # G_X = 0.25, G_Y of 1.5, 2.5 = 0.125
    found = redistribution([1, 3], [1.5, 2.5], [1, 1])
    assert found.reranking == 0.0
    assert found.effect == pytest.approx(0.125)


def test_kakwani_is_zero_in_proportion_to_need_and_signed_by_who_gets_more():
    need = [1, 2, 3]
    assert kakwani([2, 4, 6], need, [1, 1, 1]) == pytest.approx(0.0)
    assert kakwani([1, 2, 6], need, [1, 1, 1]) > 0
    assert kakwani([2, 2, 2], need, [1, 1, 1]) == pytest.approx(-gini(need, [1, 1, 1]))


def test_the_lorenz_curve_of_one_and_three():
    # half of the people have a quarter of the money; twice the area above the curve is the Gini
    people, money = lorenz([3, 1], [1, 1])
    assert people.tolist() == [0.0, 0.5, 1.0]
    assert money.tolist() == [0.0, 0.25, 1.0]
    assert 1 - 2 * np.trapezoid(money, people) == pytest.approx(gini([3, 1], [1, 1]))
    assert lorenz([3, 1], [1, 1], by=[1, 2])[1].tolist() == [0.0, 0.75, 1.0]


@pytest.mark.parametrize(
    ("values", "weights", "said"),
    [
        ([1, -1], [1, 1], "finite values of zero or more"),
        ([0, 0], [1, 1], "with a sum above zero"),
        ([1, math.nan], [1, 1], "finite values of zero or more"),
        ([1, 2], [1, 0], "weights must be finite and above zero"),
        ([1, 2], [1], "one value and one weight a place are needed"),
        ([], [], "one value and one weight a place are needed"),
    ],
)
def test_what_is_not_a_distribution_is_refused(values, weights, said):
    for measure in (gini, theil):
        with pytest.raises(ValueError, match=said):
            measure(values, weights)


def test_a_ranking_with_a_gap_and_an_aversion_of_zero_are_refused():
    with pytest.raises(ValueError, match="a ranking needs one finite value a place"):
        concentration([1, 2], [1, 1], by=[1, math.nan])
    with pytest.raises(ValueError, match="epsilon must be above zero: 0"):
        atkinson([1, 2], [1, 1], epsilon=0)


def _all_measures(x, y, weights, groups):
    split, moved = theil_split(y, weights, groups=groups), redistribution(x, y, weights)
    return [
        gini(y, weights),
        concentration(y, weights, by=x),
        kakwani(y, x, weights),
        *(split.total, split.within, split.between),
        *(moved.effect, moved.vertical, moved.reranking),
        *(atkinson(y, weights, epsilon=epsilon) for epsilon in (0.5, 1.0, 2.0)),
    ]


@given(places)
@settings(max_examples=60, deadline=None)
def test_parts_add_up_and_indices_keep_their_range(drawn):
    x, y, weights, groups = drawn
    split, moved = theil_split(y, weights, groups=groups), redistribution(x, y, weights)
    assert split.within + split.between == pytest.approx(split.total, abs=1e-9)
    assert moved.vertical - moved.reranking == pytest.approx(moved.effect, abs=1e-9)
    assert moved.effect == pytest.approx(gini(x, weights) - gini(y, weights), abs=1e-9)
    assert moved.reranking >= -1e-9
    assert -1e-9 <= gini(y, weights) < 1
    assert abs(concentration(y, weights, by=x)) <= gini(y, weights) + 1e-9


@given(places, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_the_places_does_not_matter(drawn, shuffle):
    order = list(range(drawn.shape[1]))
    shuffle.shuffle(order)
    assert _all_measures(*drawn[:, order]) == pytest.approx(_all_measures(*drawn), abs=1e-9)


@given(places, st.floats(0.01, 0.99))
@settings(max_examples=60, deadline=None)
def test_cutting_a_place_in_two_changes_nothing(drawn, cut):
    cut_in_two = np.column_stack([drawn, drawn[:, 0]])
    cut_in_two[2, 0], cut_in_two[2, -1] = cut * drawn[2, 0], (1 - cut) * drawn[2, 0]
    assert _all_measures(*cut_in_two) == pytest.approx(_all_measures(*drawn), abs=1e-9)


@given(places)
@settings(max_examples=30, deadline=None)
def test_equal_values_give_zero_everywhere(drawn):
    _, _, weights, groups = drawn
    same = np.full(len(weights), 7.0)
    assert _all_measures(same, same, weights, groups) == pytest.approx([0.0] * 12, abs=1e-12)


@given(places)
@settings(max_examples=30, deadline=None)
def test_only_relative_values_count(drawn):
    x, y, weights, groups = drawn
    assert _all_measures(x, 8 * y, weights, groups) == pytest.approx(_all_measures(x, y, weights, groups), abs=1e-9)
