"""Free choice against exhaustive enumeration, and cases whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from choice_cases import core, largest_gain, lawful, least_total, plain, random_field

import allocopt
from allocopt.choice.admit import admit_left_out
from allocopt.choice.field import field_of, level_of
from allocopt.choice.keep import broken_core, common_share, core_payments, least_payments, retained_share
from allocopt.choice.levers import band_that_holds, duty_that_holds
from allocopt.choice.partition import free_choice
from allocopt.choice.programme import BestCoalition
from allocopt.choice.shunning import Grouped, score, shunning
from allocopt.choice.stability import Terms, stability
from allocopt.errors import InputFault
from allocopt.grouping.instance import on_sphere
from allocopt.model import load_model

MODEL = load_model("free_choice")
HEAD = MODEL.objective("balance_per_head")


def members_of(partition):
    return [tuple(sorted(one.members)) for one in partition.order]


@pytest.mark.parametrize("batch", range(10))
def test_free_choice_and_its_stability_are_those_of_enumeration(batch):
    for seed in range(20 * batch, 20 * batch + 20):
        instance, where = random_field(seed)
        of = field_of(instance, MODEL)
        coalitions = lawful(instance, where, of)
        found = free_choice(of)
        assert members_of(found) == [members for _, members in core(coalitions)], seed
        assert found.epsilon < 1e-6
        plan = np.random.default_rng(seed).integers(0, 3, len(of))
        level = level_of(of, plan)
        judged = stability(of, level)
        wanted = largest_gain(coalitions, level)
        assert sum(one.gain for one in judged.blocking[:1]) == pytest.approx(wanted, abs=1e-5), seed
        assert judged.epsilon >= wanted - 1e-9
        for one in judged.blocking:
            assert (one.ratio, tuple(sorted(one.members))) in [(pytest.approx(r), m) for r, m in coalitions]


@pytest.mark.parametrize("batch", range(4))
def test_the_programme_finds_the_same_partition_as_enumeration(batch):
    for seed in range(10 * batch, 10 * batch + 10):
        instance, where = random_field(seed)
        of = field_of(instance, MODEL)
        found = free_choice(of, find=BestCoalition(of, HEAD))
        assert members_of(found) == [members for _, members in core(lawful(instance, where, of))], seed


@pytest.mark.parametrize("batch", range(10))
def test_least_payments_are_those_of_enumeration_and_hold(batch):
    for seed in range(20 * batch, 20 * batch + 20):
        instance, where = random_field(seed)
        of = field_of(instance, MODEL)
        coalitions = lawful(instance, where, of)
        level = level_of(of, np.random.default_rng(seed).integers(0, 3, len(of)))
        found = least_payments(of, level, terms=Terms(), least=5.0)
        assert largest_gain(coalitions, level + found.pay) <= 5.0 + 1e-4
        assert found.bound == pytest.approx(found.total, rel=1e-6, abs=1.0)
        assert found.total == pytest.approx(least_total(coalitions, level, of.weight, 5.0), rel=1e-6, abs=1.0), seed


def test_shares_that_hold_leave_no_coalition_more_than_the_threshold():
    for seed in range(20):
        instance, where = random_field(seed)
        of = field_of(instance, MODEL)
        coalitions = lawful(instance, where, of)
        level = level_of(of, np.random.default_rng(seed).integers(0, 3, len(of)))
        for found, terms in (
            (common_share(of, level, least=20.0), lambda share: Terms(share, share)),
            (retained_share(of, level, terms=Terms(), least=20.0), lambda share: Terms(share, 1.0)),
        ):
            if found.share is None:
                continue
            pays = np.vectorize(terms(found.share).pays)
            gains = [float(pays(ratio) - pays(level[list(m)]).max()) for ratio, m in coalitions]
            assert max(gains, default=0.0) <= 20.0 + 1e-3
            if found.share < 1:  # and no larger share holds
                wider = np.vectorize(terms(found.share * 1.01).pays)
                assert max(float(wider(ratio) - wider(level[list(m)]).max()) for ratio, m in coalitions) > 20.0


def test_charges_from_bound_b_leave_no_coalition_better_off_outside():
    for seed in range(200):
        instance, where = random_field(seed)
        of = field_of(instance, MODEL)
        core_of = core_payments(of)
        assert broken_core(of, core_of) == []
        for _, members in lawful(instance, where, of):
            alone = max(0.0, float(instance.over[list(members)].sum()))
            assert core_of.charge[list(members)].sum() <= alone + 1e-9
        assert core_of.charge.sum() == pytest.approx(core_of.bound, abs=1e-9)


def test_without_geography_the_like_go_with_the_like():
    """Six lists of 10,000; two make a consortium. Balances 6, 5, 1, 0, -4, -5: the best two, the next, the worst."""
    of = field_of(plain([6, -5, 1, 5, -4, 0], [10_000] * 6, least=20_000, most=20_000), MODEL)
    assert members_of(free_choice(of)) == [(0, 3), (2, 5), (1, 4)]
    assert [round(one.ratio, 6) for one in free_choice(of).order] == [550.0, 50.0, -450.0]


def test_those_whom_nobody_needs_are_left_out_and_a_duty_to_admit_places_them():
    """Three lists of 10,000 and a window of 20,000 to 30,000: the third is left out, and has room when it must be."""
    of = field_of(plain([6, 5, -4], [10_000] * 3, least=20_000, most=30_000), MODEL)
    found = free_choice(of)
    assert found.left_out.tolist() == [2]
    assert (admit_left_out(of, found.group) == found.group[0]).all()


def test_identical_practices_are_indifferent():
    of = field_of(plain([2] * 6, [10_000] * 6, least=20_000, most=20_000), MODEL)
    for plan in ([0, 0, 2, 2, 4, 4], [0, 1, 1, 3, 3, 0]):
        assert stability(of, level_of(of, np.array(plan))).stable


def test_budgets_equal_to_needs_remove_the_incentive():
    of = field_of(plain([0] * 6, [9_000, 11_000, 10_000, 12_000, 8_000, 10_000], least=18_000, most=24_000), MODEL)
    found = stability(of, level_of(of, np.array([0, 0, 2, 2, 4, 4])))
    assert found.stable
    assert found.epsilon == pytest.approx(0.0, abs=1e-6)
    assert common_share(of, level_of(of, np.array([0, 0, 2, 2, 4, 4])), least=1.0).share == 1.0


def test_who_leaves_a_mixed_plan_and_what_it_gains():
    """Pairs (6, -5) and (5, -4) have 50 a head each; the two in surplus would have 550 together: 500 more."""
    of = field_of(plain([6, -5, 5, -4], [10_000] * 4, least=20_000, most=20_000), MODEL)
    level = level_of(of, np.array([0, 0, 2, 2]))
    found = stability(of, level)
    assert [(one.members, round(one.gain, 6)) for one in found.blocking] == [((0, 2), 500.0)]
    assert found.epsilon == pytest.approx(500.0)
    paid = least_payments(of, level, terms=Terms(), least=0.0)
    assert paid.total == pytest.approx(500.0 * 10_000, rel=1e-6)  # one of the two must be paid £500 a head
    assert common_share(of, level, least=50.0).share == pytest.approx(0.1, rel=1e-4)
    assert retained_share(of, level, terms=Terms(), least=50.0).share == pytest.approx(0.1, rel=1e-4)


def test_a_narrow_band_keeps_a_balanced_plan_together():
    """All together have 2 of 40, 5%, and so has each pair (1 of 20). The pair (6, -4) would have 10%, which a band
    of 5% or more still allows; any narrower one allows none but those that are.
    """
    of = field_of(plain([6, -5, 5, -4], [10_000] * 4, least=20_000, most=20_000), MODEL)
    found = band_that_holds(of, level_of(of, np.array([0, 0, 2, 2])), terms=Terms(), least=0.0)
    assert found.verified
    assert 0.048 <= found.setting < 0.05 <= found.fails <= 0.052


def test_a_duty_to_take_the_nearest_first_keeps_neighbours_together():
    """Places on a line at 0, 1, 50 and 51 km; the two in surplus are 50 km apart and neither is the other's nearest."""
    degrees = np.array([0.0, 1.0, 50.0, 51.0]) / 111.195
    instance = plain([6, -5, 5, -4], [10_000] * 4, least=20_000, most=20_000)
    of = field_of(replace(instance, position=on_sphere(52 + degrees, np.zeros(4))), MODEL)
    level = level_of(of, np.array([0, 0, 2, 2]))
    assert not stability(of, level).stable
    assert duty_that_holds(of, level, terms=Terms(), least=0.0).verified


def test_sharing_per_pound_ranks_coalitions_by_balance_over_budget():
    of = field_of(
        plain([1, 2, 3, 4], [10_000, 10_000, 40_000, 40_000], least=20_000, most=50_000), MODEL, share="per_pound"
    )
    assert members_of(free_choice(of))[0] == (2,) or free_choice(of).order[0].ratio == pytest.approx(0.4)
    per_pound = field_of(plain([1, 2, 3], [10_000] * 3, least=20_000), MODEL, share="per_pound")
    assert free_choice(per_pound).order[0].ratio == pytest.approx(5 / 20)


@pytest.mark.parametrize("batch", range(3))
def test_free_choice_per_pound_is_that_of_enumeration(batch):
    for seed in range(20 * batch, 20 * batch + 20):
        instance, where = random_field(seed)
        of = field_of(instance, MODEL, share="per_pound")
        assert members_of(free_choice(of)) == [members for _, members in core(lawful(instance, where, of))], seed


def scattered(seed: int, *, groups: int, of_each: int):
    draw = np.random.default_rng(seed)
    n = groups * of_each
    position = on_sphere(52 + 0.3 * draw.random(n), 0.5 * draw.random(n))
    return draw.standard_normal(n), np.full(n, 8000.0) + draw.integers(0, 50, n), position


def test_the_score_is_one_where_each_consortium_is_alike_and_nothing_where_all_balance():
    rate, people = np.array([5.0, 5.0, -5.0, -5.0]), np.ones(4)
    assert score(rate, people, np.array([0, 0, 1, 1]))[0] == pytest.approx(1.0)
    assert score(rate, people, np.array([0, 1, 0, 1]))[0] == pytest.approx(0.0)
    assert score(rate, people, np.array([0, 0, 1, 1]))[1] == pytest.approx(1.0)  # isolation of the two in surplus
    assert score(rate, people, np.array([0, 1, 0, 1]))[1] == pytest.approx(0.5)


def test_a_sorted_grouping_is_told_from_a_random_one():
    rate, people, position = scattered(3, groups=12, of_each=12)
    group = np.random.default_rng(4).permutation(np.repeat(np.arange(12), 12))
    mixed = shunning(Grouped(rate, people, position, group), permutations=200, seed=1)
    assert mixed.p_value > 0.05
    assert abs(mixed.index) < 0.1
    assert mixed.moved > 0.5
    sorted_ = np.empty(144, dtype=np.int64)
    sorted_[np.argsort(-rate)] = np.repeat(np.arange(12), 12)
    shunned = shunning(Grouped(rate, people, position, sorted_), permutations=200, seed=1)
    assert shunned.p_value == pytest.approx(1 / 201)
    assert shunned.index > 0.8
    assert shunned.contribution.sum() == pytest.approx(shunned.score - shunned.expected)


def test_p_values_of_random_groupings_are_spread_evenly():
    low = 0
    for seed in range(60):
        rate, people, position = scattered(seed, groups=8, of_each=10)
        group = np.random.default_rng(500 + seed).permutation(np.repeat(np.arange(8), 10))
        low += shunning(Grouped(rate, people, position, group), permutations=99, seed=seed).p_value <= 0.1
    assert 1 <= low <= 14  # 6 expected of 60; beyond these with probability under 0.3%


def test_the_same_seed_gives_the_same_score_and_those_in_none_are_left_aside():
    rate, people, position = scattered(5, groups=6, of_each=8)
    group = np.repeat(np.arange(6), 8)
    group[:3] = -1
    one, other = (shunning(Grouped(rate, people, position, group), permutations=50, seed=9) for _ in range(2))
    assert (one.score, one.expected, one.p_value) == (other.score, other.expected, other.p_value)
    assert (one.contribution[:3] == 0).all()


def test_a_run_of_free_choice_states_its_price_and_adds_up(tmp_path):
    """The six of the first case, from a scenario: the best three groups of 20,000, unpooled against pooled."""
    run = allocopt.run(written(tmp_path), out=tmp_path / "runs")
    price = run.tables["price"].set_index("plan")
    assert run.record["status"] == "optimal"
    assert run.record["judged"][0]["stable"]
    assert price.loc["unpooled", "gross_deficit_gbp"] == 9_000_000  # 5 + 4
    assert price.loc["free_choice", "gross_deficit_gbp"] == 9_000_000  # the two that overspend are together
    assert price.loc["bound_across_areas", "gross_deficit_gbp"] == 0  # 12 of surplus meets 9 of overspend
    assert price.loc["free_choice", "captured_pct"] == 0.0
    groups = run.tables["groups"].groupby("group")["place"].apply(" ".join).tolist()
    assert sorted(groups) == ["A D", "B E", "C F"]
    assert run.tables["consortia"]["balance_gbp"].sum() == 3_000_000
    mixed = run.tables["blocking"].query("plan == 'now'").iloc[0]
    assert (mixed["members"], mixed["gain_per_head_gbp"]) == ("A D", 500.0)  # 550 a head against 50
    assert run.record["keeps_together"]["payments"]["proven_least"]
    assert run.record["keeps_together"]["core_charges"]["total_gbp"] == 0
    assert not run.record["modelled_spend"]


def test_the_same_scenario_gives_the_same_bytes(tmp_path):
    one, other = (allocopt.run(written(tmp_path), out=tmp_path / name) for name in ("one", "other"))
    for name in ("run.json", "groups.csv", "price.csv", "blocking.csv", "choice.csv", "shunning.csv", "payments.csv"):
        assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes()


def test_a_plan_that_is_not_there_is_told_with_its_cure(tmp_path):
    with pytest.raises(InputFault, match="no column 'pcn'") as told:
        allocopt.run(written(tmp_path), set=["choice.judge=[pcn]"], out=None)
    assert "there is no plan 'now' to keep together" in str(told.value)


PLACES = """code,people,budget,spend,need,now,north,east
A,10000,10,4,10,x,52.00,0.00
B,10000,10,15,10,x,52.01,0.00
C,10000,10,9,10,y,52.00,0.01
D,10000,10,5,10,z,52.01,0.01
E,10000,10,14,10,z,52.02,0.00
F,10000,10,10,10,y,52.02,0.01
"""
SCENARIO = """format: 1
name: Six practices
model: free_choice
years: [2019-20]
pot: {value: £60m}
inputs:
  places:
    table: places.csv
    key: code
    columns: {population: people, latitude: north, longitude: east}
  baseline: {table: places.csv, key: code, column: budget, unit: £m}
  spend: {table: places.csv, key: code, column: spend, unit: £m, modelled: false}
formula: {need: {share: 100%, need: need}}
rules: {population_window: {min: 20000, max: 20000}}
objectives: [balance_per_head]
grouping: {budget: baseline}
choice: {judge: [now], keep: now, permutations: 50}
report: {group_by: []}
"""


def written(folder):
    (folder / "places.csv").write_text(PLACES, encoding="utf-8")
    (folder / "six.yaml").write_text(SCENARIO, encoding="utf-8")
    return folder / "six.yaml"
