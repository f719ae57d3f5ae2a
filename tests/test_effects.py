"""Four places, 1,000 people each, baseline £1m each, uniform growth 10%.

place region imd   target     allocation  against uniform     spend       deficit = under + above
A     North  40    1,200,000  1,180,000   +80,000 (+7.27%)    1,250,000    70,000 = 20,000 + 50,000
B     North  30    1,000,000  1,090,000   -10,000 (-0.91%)    1,000,000   -90,000 (surplus)
C     South  20    1,100,000  1,100,500      +500 (+0.05%)    1,150,000    49,500 =      0 + 49,500
D     South  -     1,100,000  1,029,500   -70,500 (-6.41%)    1,010,000   -19,500 (surplus)
"""

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allocopt.effects import (
    against_their_group,
    check_groupings,
    effects,
    effects_tables,
    offered,
    summary,
    tidy,
    unit,
    warnings,
)
from allocopt.effects.words import BANNED
from allocopt.errors import TableFault

ALL = ("region", "area", "imd_fifth", "need_decile")
MILLION = [1_000_000] * 4
TARGET = [1_200_000, 1_000_000, 1_100_000, 1_100_000]
ALLOCATION = [1_180_000, 1_090_000, 1_100_500, 1_029_500]
SPEND = [1_250_000, 1_000_000, 1_150_000, 1_010_000]


def table(
    *, allocation=ALLOCATION, target=TARGET, baseline=MILLION, spend=SPEND, people=None, uniform=None, year="2019-20"
):
    a, t, b = (np.array(values, dtype="int64") for values in (allocation, target, baseline))
    u = np.array(b * 11 // 10 if uniform is None else uniform, dtype="int64")
    frame = pd.DataFrame(
        {
            "year": year,
            "population": np.array([1000] * len(a) if people is None else people, dtype=float),
            "baseline_gbp": b,
            "target_gbp": t,
            "allocation_gbp": a,
            "change_gbp": a - b,
            "opening_dft_pct": 100 * (u / t - 1),
            "uniform_gbp": u,
        },
        index=pd.Index([chr(65 + number) for number in range(len(a))], name="place"),
    )
    if spend is None:
        return frame
    s = np.array(spend, dtype="int64")
    deficit = np.maximum(s - a, 0)
    under = np.minimum(deficit, np.maximum(t - a, 0))
    return frame.assign(
        spend_gbp=s,
        deficit_gbp=deficit,
        surplus_gbp=np.maximum(a - s, 0),
        deficit_underfunding_gbp=under,
        deficit_above_need_gbp=deficit - under,
    )


ATTRIBUTES = pd.DataFrame(
    {
        "region": ["North", "North", "South", "South"],
        "area": ["N1", "N2", "S1", "S1"],
        "imd": [40.0, 30.0, 20.0, np.nan],
    },
    index=pd.Index(list("ABCD"), name="place"),
)


def tables_of(frame=None, attributes=ATTRIBUTES, group_by=ALL, modelled_spend=False):
    return effects_tables(
        table() if frame is None else frame, attributes, group_by=group_by, modelled_spend=modelled_spend
    )


def test_regions_by_hand():
    by_region = tables_of()["by_region"]
    assert list(by_region.index) == ["North", "South", "total"]
    north = by_region.loc["North"]
    assert north["against_uniform_gbp"] == 80_000 - 10_000
    assert (north["gained_gbp"], north["lost_gbp"]) == (80_000, 10_000)
    assert (north["gaining"], north["losing"], north["within"]) == (1, 1, 0)
    assert north["change_gbp"] == 180_000 + 90_000
    # target 2.2m: opening 2.2m, closing 2.27m, spend 2.25m
    assert north["opening_dft_pct"] == 0.0
    assert north["closing_dft_pct"] == pytest.approx(100 * 70 / 2200, abs=1e-6)
    assert north["spend_dft_pct"] == pytest.approx(100 * 50 / 2200, abs=1e-6)
    assert north["allocation_per_head"] == 1135.0
    # +7.2727% and -0.9091%, a thousand people each
    assert north["mean_against_uniform_pct"] == pytest.approx((80 - 10) / 1100 * 100 / 2, abs=1e-6)
    assert by_region.loc["South", ["gaining", "losing", "within"]].tolist() == [0, 1, 1]


def test_shares_are_of_gross_movement_and_add_to_a_hundred():
    by_region = tables_of()["by_region"]
    # North 90,000 of 161,000; the net is zero and no share of it is shown
    assert by_region.loc["North", "gross_share_pct"] == pytest.approx(100 * 90 / 161, abs=1e-6)
    assert by_region.loc["total", "gross_share_pct"] == 100.0
    assert by_region.loc["total", "against_uniform_gbp"] == 0


def test_deprivation_fifths_run_from_most_to_least_deprived_and_not_known_is_a_group():
    by_fifth = tables_of()["by_imd_fifth"]
    # midpoints of C, B, A in five: 0.8, 2.5, 4.2 -> 1, 3, 5 ascending -> 5, 3, 1
    assert list(by_fifth.index) == ["1", "3", "5", "not known", "total"]
    assert by_fifth["allocation_gbp"].tolist() == [*ALLOCATION, 4_400_000]


def test_need_deciles_run_from_lowest_need():
    by_decile = tables_of()["by_need_decile"]
    # need per head 1,000 (B), 1,100 (C, D), 1,200 (A); midpoints in ten: 1.25, 3.75, 6.25, 8.75
    assert list(by_decile.index) == ["2", "4", "7", "9", "total"]
    assert by_decile["target_gbp"].tolist() == [1_000_000, 1_100_000, 1_100_000, 1_200_000, 4_400_000]


def test_any_text_column_can_group_and_an_empty_value_is_not_known():
    attributes = ATTRIBUTES.assign(kind=["rural", None, "city", "rural"])
    by_kind = tables_of(attributes=attributes, group_by=["kind"])["by_kind"]
    assert list(by_kind.index) == ["city", "rural", "not known", "total"]
    assert by_kind["places"].tolist() == [1, 2, 1, 4]


def test_the_five_bands():
    bands = tables_of()["bands"]
    assert list(bands.index) == ["lose >5%", "lose 0.1-5%", "within 0.1%", "gain 0.1-5%", "gain >5%", "total"]
    assert bands["places"].tolist() == [1, 1, 1, 0, 1, 4]
    assert bands["against_uniform_gbp"].tolist() == [-70_500, -10_000, 500, 0, 80_000, 0]
    assert bands["population_pct"].tolist() == [25.0, 25.0, 25.0, 0.0, 25.0, 100.0]


def test_a_change_of_exactly_a_limit_is_inside_it():
    # uniform 1,100,000: 0.1% = 1,100 and 5% = 55,000
    bands = tables_of(table(allocation=[1_155_000, 1_045_000, 1_101_100, 1_098_900]))["bands"]
    assert bands["places"].tolist() == [0, 1, 2, 1, 0, 4]
    bands = tables_of(table(allocation=[1_155_001, 1_044_999, 1_101_101, 1_098_899]))["bands"]
    assert bands["places"].tolist() == [1, 1, 0, 1, 1, 4]


def test_bands_within_fifths_add_to_a_hundred_per_cent_of_people():
    bands = tables_of()["bands_by_imd_fifth"]
    assert bands.sum(axis=1).tolist() == pytest.approx([100.0] * 5)
    assert bands.loc["1", "gain >5%"] == 100.0
    assert bands.loc["total"].tolist() == [25.0, 25.0, 25.0, 0.0, 25.0]


def test_distance_bands_before_and_after():
    # opening: A -8.3, B +10 (on the limit: inside), C and D 0; closing: A -1.7, B +9, C 0.05, D -6.4
    bands = tables_of()["dft_bands"]
    assert bands["opening_places"].tolist() == [0, 1, 0, 2, 0, 1, 0, 4]
    assert bands["closing_places"].tolist() == [0, 1, 0, 2, 0, 1, 0, 4]
    assert bands["opening_population"].tolist() == [0, 1000, 0, 2000, 0, 1000, 0, 4000]


def test_a_place_on_a_limit_to_within_a_pound_is_inside_it():
    # 5% of 1,000,000 is 50,000: rounding up to the pound must not push it beyond
    frame = table(allocation=[1_050_001, 1_050_002, 1_149_999, 1_149_998], target=[1_000_000] * 2 + [1_200_000] * 2)
    assert tables_of(frame)["dft_bands"]["closing_places"].tolist() == [0, 0, 2, 0, 1, 1, 0, 4]


def test_share_of_places_and_people_beyond_5_10_and_20_per_cent():
    beyond = tables_of(table(people=[1000, 1000, 1000, 7000]))["beyond"]
    assert beyond["beyond_5_places_pct"].tolist() == [50.0, 50.0, 25.0]
    # closing: B and D, 8,000 of 10,000 people; spend: D -8.2% alone is beyond 5%
    assert beyond.loc["closing", "beyond_5_population_pct"] == 80.0
    assert beyond.loc["spend", "beyond_5_population_pct"] == 70.0
    assert beyond["beyond_10_places_pct"].tolist() == [0.0, 0.0, 0.0]


def test_gross_movement_is_half_the_sum_of_absolute_differences():
    movement = tables_of()["movement"]
    uniform, cash = movement.loc["against_uniform"], movement.loc["cash"]
    # (80,000 + 10,000 + 500 + 70,500) / 2
    assert uniform["gross_gbp"] == 80_500
    assert uniform["net_gbp"] == 0
    assert (uniform["largest_gain_gbp"], uniform["largest_loss_gbp"]) == (80_000, 70_500)
    assert uniform["largest_gain_pct"] == pytest.approx(100 * 80 / 1100, abs=1e-6)
    # nobody is cut in cash: 400,000 in all, half of it 200,000
    assert (cash["gained_gbp"], cash["lost_gbp"], cash["gross_gbp"], cash["gaining"]) == (400_000, 0, 200_000, 4)


def test_movers_are_listed_from_largest_gain_to_largest_loss():
    movers = tables_of()["movers"]
    assert list(movers.index) == ["A", "C", "B", "D"]
    assert movers["against_uniform_per_head"].tolist() == [80.0, 0.5, -10.0, -70.5]


def test_every_deficit_splits_into_underfunding_and_spending_above_need():
    deficit = tables_of()["deficit"]
    total = deficit.loc["total"]
    assert (total["deficit_gbp"], total["surplus_gbp"], total["net_gbp"]) == (119_500, 109_500, 10_000)
    assert (total["deficit_underfunding_gbp"], total["deficit_above_need_gbp"]) == (20_000, 99_500)
    assert deficit.loc["1", "deficit_gbp"] == 70_000
    assert deficit.loc["not known", "surplus_gbp"] == 19_500
    assert total["in_deficit_places"] == 2


def test_without_spend_there_are_no_deficits_and_nothing_says_modelled():
    absent = tables_of(table(spend=None), modelled_spend=True)
    assert "deficit" not in absent
    assert "spend_gbp" not in absent["by_region"]
    assert list(absent["beyond"].index) == ["opening", "closing"]
    assert not any("modelled" in found.attrs["title"] for found in absent.values())
    assert "spend" not in summary(absent, modelled_spend=True)
    empty = table(spend=None).assign(spend_gbp=None, deficit_gbp=None)
    pd.testing.assert_frame_equal(tidy(tables_of(empty)), tidy(tables_of(table(spend=None))))


def test_titles_state_the_weight_and_modelled_spend():
    tables = tables_of(modelled_spend=True)
    assert "weighted by people" in tables["by_imd_fifth"].attrs["title"]
    assert "1 = most deprived" in tables["by_imd_fifth"].attrs["title"]
    assert "weighted by target" in tables["inequality_to_target"].attrs["title"]
    assert "leaves out 1 places without IMD" in tables["inequality_per_head"].attrs["title"]
    assert tables["deficit"].attrs["title"].endswith("[modelled spend]")
    assert not tables["bands"].attrs["title"].endswith("[modelled spend]")
    assert not tables_of()["deficit"].attrs["title"].endswith("[modelled spend]")


def test_inequality_of_two_equal_allocations_is_zero_before_and_redistribution_balances():
    tables = tables_of()
    per_head, split = tables["inequality_per_head"], tables["redistribution"]
    assert per_head.loc["baseline", ["gini", "theil", "atkinson_1"]].tolist() == [0.0, 0.0, 0.0]
    assert per_head.loc["target", "kakwani_need"] == 0.0
    assert (per_head["theil_within_areas"] + per_head["theil_between_areas"]).tolist() == pytest.approx(
        per_head["theil"].tolist()
    )
    assert (split["vertical"] - split["reranking"]).tolist() == pytest.approx(split["effect"].tolist(), abs=1e-11)
    # baseline £1,000 a head everywhere: all of the new inequality is a negative effect
    assert split.loc["per_head", "effect"] == -per_head.loc["allocation", "gini"]


def test_allocation_at_target_has_no_inequality_relative_to_target():
    to_target = tables_of(table(allocation=TARGET))["inequality_to_target"]
    assert to_target.loc["allocation"].tolist() == [0.0] * to_target.shape[1]
    assert to_target.loc["baseline", "gini"] > 0


def test_uniform_growth_moves_nothing_and_has_no_shares_of_movement():
    tables = tables_of(table(allocation=[1_100_000] * 4))
    assert tables["movement"].loc["against_uniform", "gross_gbp"] == 0
    assert tables["by_region"]["gross_share_pct"].isna().all()
    assert tables["bands"]["places"].tolist() == [0, 0, 4, 0, 0, 4]
    assert tables["movers"].empty
    assert warnings(tables) == ()


def test_tidy_has_the_contract_columns_and_a_unit_for_each_measure():
    rows = effects(table(), ATTRIBUTES, group_by=ALL, modelled_spend=False)
    assert list(rows.columns) == ["table", "group", "measure", "unit", "value"]
    assert not rows.duplicated(["table", "group", "measure"]).any()
    found = rows.set_index(["table", "group", "measure"])
    assert found.loc[("by_region", "North", "allocation_gbp")].tolist() == ["GBP", 2_270_000.0]
    assert found.loc[("movement", "against_uniform", "gross_gbp")].tolist() == ["GBP", 80_500.0]
    assert found.loc[("bands_by_imd_fifth", "1", "gain >5%")].tolist() == ["% of people", 100.0]
    units = {"places": "places", "opposite_population": "people", "growth_pct": "%", "gini": "index"}
    assert {measure: unit(measure) for measure in units} == units
    assert unit("baseline_per_head") == "GBP per head"
    assert unit("opening_places") == "places"


def test_several_years_show_the_last_with_a_path_and_groups_formed_on_the_first():
    first = table(year="2019-20")
    last = table(
        year="2020-21",
        baseline=ALLOCATION,
        allocation=TARGET,
        target=TARGET[::-1],
        uniform=ALLOCATION,
        people=[1000, 1000, 1000, 2000],
    )
    both = pd.concat([first, last])
    tables = tables_of(both)
    assert list(tables["path"].index) == ["2019-20", "2020-21"]
    assert tables["path"]["population"].tolist() == [4000, 5000]
    assert tables["path"]["gained_gbp"].tolist() == [80_500, 20_000 + 70_500]
    # need deciles: B, C, D, A by the first year's target per head, whatever the targets of the last year
    assert tables["by_need_decile"]["allocation_gbp"].tolist() == [
        1_000_000,
        1_100_000,
        1_100_000,
        1_200_000,
        4_400_000,
    ]
    as_file = both.reset_index().sort_values(["place", "year"], kind="stable")
    pd.testing.assert_frame_equal(tidy(tables_of(as_file)), tidy(tables))


# Words


def test_the_summary_says_gross_and_net_in_one_paragraph():
    said = summary(tables_of(modelled_spend=True), modelled_spend=True)
    assert "\n" not in said
    assert "£80,500 of £4.4m (1.83%) moves between places: gains of £80,500 and losses of £80,500, a net of £0" in said
    assert "1 place gains and 2 places lose more than 0.1%, 1 within 0.1%" in said
    assert "In cash, rises of £400,000 and falls of £0 make a net rise of £400,000." in said
    assert "The most deprived fifth of people gains £80,000 net (gains of £80,000, losses of £0)" in said
    assert (
        "With modelled spend, gross deficits of £119,500 and gross surpluses of £109,500 make a net deficit of £10,000"
        in said
    )
    assert "£20,000 is underfunding and £99,500 is spending above need" in said
    assert "With recorded spend" in summary(tables_of(), modelled_spend=False)


def test_opposite_cases_get_opposite_words():
    # the same sums with the sign turned round: A (most deprived) +30,000 or -30,000, spend 200,000 above or below
    towards = table(allocation=[1_130_000, 1_080_000, 1_090_000, 1_100_000], spend=[1_150_000] * 4, baseline=MILLION)
    away = table(allocation=[1_070_000, 1_120_000, 1_110_000, 1_100_000], spend=[1_050_000] * 4, baseline=MILLION)
    one, other = (summary(tables_of(frame), modelled_spend=False) for frame in (towards, away))
    assert "most deprived fifth of people gains £30,000 net" in one
    assert "most deprived fifth of people loses £30,000 net" in other
    assert "a net deficit of £200,000" in one
    assert "a net surplus of £200,000" in other
    near = table(allocation=TARGET, uniform=[1_100_000] * 4)
    far = table(allocation=[1_000_000, 1_200_000, 1_100_000, 1_100_000], target=[1_100_000] * 4)
    assert "more than 5% from target falls from 50.0% to 0.0%" in summary(tables_of(near), modelled_spend=False)
    assert "more than 5% from target rises from 0.0% to 50.0%" in summary(tables_of(far), modelled_spend=False)
    uneven = table(baseline=[1_200_000, 800_000, 1_000_000, 1_000_000], allocation=[1_100_000] * 4)
    assert "Gini index of pounds per head falls from 0.0750 to 0.0000" in summary(
        tables_of(uneven), modelled_spend=False
    )
    assert "Gini index of pounds per head rises from 0.0000 to" in one


def test_what_does_not_move_stays():
    said = summary(tables_of(table(allocation=[1_100_000] * 4, spend=[1_100_000] * 4)), modelled_spend=False)
    assert "stays at 50.0%" in said
    assert "Gini index of pounds per head stays at 0.0000" in said
    assert "has no net change (gains of £0, losses of £0)" in said
    assert "make a net of £0" in said


@given(
    st.lists(st.integers(-90_000, 90_000), min_size=3, max_size=3),
    st.lists(st.integers(900_000, 1_300_000), min_size=4, max_size=4),
)
@settings(max_examples=10, deadline=None)
def test_no_word_judges(moves, spend):
    allocation = [1_100_000 + move for move in (*moves, -sum(moves))]
    tables = tables_of(table(allocation=allocation, spend=spend))
    said = " ".join([summary(tables, modelled_spend=True), *warnings(tables), *against_their_group(tables)]).lower()
    assert not BANNED & set(re.findall(r"[a-z]+", said))


def test_places_that_move_against_their_group_are_counted():
    tables = tables_of()
    # B loses in the North, which gains; in the South C is within 0.1%
    assert tables["by_region"]["opposite_places"].tolist() == [1, 0, 1]
    assert (
        "by_region: 1 place loses in a group that gains and 0 places gain in a group that loses (1,000 people)"
        in against_their_group(tables)
    )


def test_a_warning_is_given_when_a_groups_money_and_its_mean_move_apart():
    # North: A, £10m, +1% = +100,000; B, £0.1m, -10% = -10,000: money +0.89%, mean over equal people -4.5%
    baseline = [10_000_000, 100_000, 5_050_000, 5_050_000]
    frame = table(
        baseline=baseline,
        uniform=baseline,
        target=baseline,
        allocation=[10_100_000, 90_000, 5_005_000, 5_005_000],
        spend=None,
    )
    said = warnings(tables_of(frame, group_by=["region"]))
    assert said[0] == (
        "by_region: money and mean change move apart in North, South; in North the group's money changes by +0.89% "
        "against uniform growth, the mean over its people is -4.50% (-2.70% over all people)"
    )


# Properties


def drawn_frame(rows):
    target, weight, spend, people = (np.array(column, dtype="int64") for column in zip(*rows, strict=True))
    baseline = np.maximum(weight, 1)
    uniform = baseline * 2
    allocation = uniform.copy()
    allocation[0], allocation[1] = uniform[0] + uniform[1] // 3, uniform[1] - uniform[1] // 3
    frame = table(allocation=allocation, target=target, baseline=baseline, spend=spend, people=people, uniform=uniform)
    attributes = pd.DataFrame(
        {"region": ["r" + str(number % 3) for number in weight], "area": ["a" + str(number % 2) for number in weight]},
        index=frame.index,
    )
    return frame, attributes.assign(imd=np.where(people % 5 == 0, np.nan, target % 97))


rows = st.lists(
    st.tuples(st.integers(10**4, 10**8), st.integers(10**4, 10**8), st.integers(0, 10**8), st.integers(1, 10**5)),
    min_size=2,
    max_size=12,
)


@given(rows)
@settings(max_examples=10, deadline=None)
def test_every_total_is_the_sum_of_its_rows_to_the_pound(drawn):
    frame, attributes = drawn_frame(drawn)
    tables = tables_of(frame, attributes)
    for found in (found for found in tables.values() if "total" in found.index):
        pounds = [column for column in found if str(column).endswith(("_gbp", "places"))]
        assert found[pounds].iloc[:-1].sum().tolist() == found.loc["total", pounds].tolist()
        assert all(pd.api.types.is_integer_dtype(found[column]) for column in pounds)
    assert tables["by_region"].loc["total", "allocation_gbp"] == frame["allocation_gbp"].sum()
    parts = tables["deficit"]
    assert (parts["deficit_underfunding_gbp"] + parts["deficit_above_need_gbp"] == parts["deficit_gbp"]).all()
    assert (
        tables["movement"].loc["against_uniform", "gained_gbp"] == tables["movement"].loc["against_uniform", "lost_gbp"]
    )


@given(rows, st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
def test_the_order_of_the_rows_changes_no_byte(drawn, shuffle):
    frame, attributes = drawn_frame(drawn)
    order = list(range(len(frame)))
    shuffle.shuffle(order)
    pd.testing.assert_frame_equal(
        tidy(tables_of(frame.iloc[order], attributes.iloc[order[::-1]])),
        tidy(tables_of(frame, attributes)),
        check_exact=True,
    )


# What is refused


def refusal(frame=None, attributes=ATTRIBUTES, group_by=ALL):
    with pytest.raises(TableFault) as caught:
        tables_of(frame, attributes, group_by)
    return str(caught.value)


def test_a_missing_column_and_money_that_is_not_whole_pounds_are_told_together():
    said = refusal(table().drop(columns="uniform_gbp").assign(target_gbp=1.5))
    assert "no column 'uniform_gbp'" in said
    assert "'target_gbp' is not whole pounds everywhere" in said


def test_places_twice_or_not_in_every_year_are_named():
    assert "2019-20: more than one row for A" in refusal(pd.concat([table(), table().iloc[:1]]))
    assert "2020-21: not in every year: D" in refusal(pd.concat([table(), table(year="2020-21").iloc[:3]]))


def test_a_place_without_people_or_without_an_opening_position_is_named():
    assert "2019-20: population is not above zero for B" in refusal(table(people=[1, 0, 1, 1]))
    nobody = refusal(table(people=[float("nan")] * 4))
    assert "no population column is named" in nobody
    assert "inputs.places.columns.population" in nobody
    assert "2019-20: opening_dft_pct is not known for C" in refusal(table().assign(opening_dft_pct=[0, 0, np.nan, 0]))


def test_uniform_growth_of_another_total_is_refused():
    said = refusal(table(uniform=[1_100_000, 1_100_000, 1_100_000, 1_100_001]))
    assert "2019-20: uniform growth adds up to £4,400,001, the allocations to £4,400,000" in said


def test_a_deficit_that_does_not_split_is_refused():
    said = refusal(table().assign(deficit_above_need_gbp=0))
    assert "deficit, surplus, spend and allocation do not fit together for A, C" in said
    assert "underfunding + above need = deficit" in said


def test_attributes_of_other_places_are_refused():
    said = refusal(attributes=ATTRIBUTES.rename(index={"D": "E"}))
    assert "attributes and allocations do not name the same places: D, E" in said


def test_a_grouping_that_places_do_not_have_is_refused_with_a_suggestion():
    with pytest.raises(TableFault, match=r"places have no 'regoin' to group by; did you mean 'region'\?"):
        check_groupings(["regoin"], ATTRIBUTES)
    with pytest.raises(
        TableFault,
        match=r"name the column under inputs\.places.columns.imd, or take 'imd_fifth' out of report.group_by",
    ):
        check_groupings(["imd_fifth"], ATTRIBUTES.drop(columns="imd"))
    assert offered(ALL, ATTRIBUTES.drop(columns="imd")) == ("region", "area", "need_decile")


def test_a_group_called_total_is_refused():
    assert "a group of 'region' is called 'total'" in refusal(attributes=ATTRIBUTES.assign(region="total"))


def test_effects_need_no_solver_and_no_scipy():
    code = (
        "import sys, allocopt.effects; print([name for name in ('scipy', 'pyomo', 'highspy') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
