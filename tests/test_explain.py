"""One place step by step: every list adds up to the pound, by hand for five places, and for England's practices."""

from __future__ import annotations

import json
import math
import shutil
from itertools import permutations
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_case import SCENARIO, five_places, path_over_years
from typer.testing import CliRunner

import allocopt
from allocopt.cli import app
from allocopt.errors import InputFault, PlanRefused
from allocopt.explain import explain
from allocopt.explain.causes import CAUSES, NO_CAUSE
from allocopt.explain.shapley import in_pounds, shapley
from allocopt.report.explanation import plain_text, sheets
from allocopt.settings import Scenario

TWO_PARTS = """formula:
  hospital: {share: 80%, need: weight, times: [mff]}
  prescribing: {share: 20%, need: people}
"""
INDEXED = SCENARIO.replace("formula:\n  need: {share: 100%, need: weight}\n", TWO_PARTS)


def run_of(path: Path, *sets: str) -> Path:
    folder = allocopt.run(path, set=("solver.ties=as_solved", *sets), out=path.parent / "runs").folder
    assert folder is not None
    return folder


def amounts(rows):
    """The amounts of a sheet in pounds, without the last line."""
    return [int(amount.replace(",", "")) for _, amount in rows if amount]


# a small place, by hand


def test_alder_by_hand(tmp_path):
    # Alder has 30 of 105 parts of £525m: £150m. It had £100m of £500m, where 30 of 105 parts are £142.86m: 30% under.
    # Everybody grows by 5%; the floor is £102m, the ceiling £109m; it spends £140m.
    found = explain(run_of(five_places(tmp_path)), "A")
    (one,) = found.years
    assert (found.place, found.name, one.year) == ("A", "Alder", "2019-20")
    assert [(part.name, part.amount_gbp, part.need, part.total_need) for part in one.parts] == [
        ("need", 150_000_000, 30, 105)
    ]
    assert one.row["opening_dft_pct"] == pytest.approx(-30)
    assert one.uniform_growth == pytest.approx(0.05)
    assert [(limit.rule, limit.at_least_gbp, limit.at_most_gbp) for limit in one.limits] == [
        ("growth_floor", 102_000_000, None),
        ("growth_ceiling", None, 109_000_000),
    ]
    assert one.row["deficit_gbp"] == 140_000_000 - one.row["allocation_gbp"]


def test_the_rule_at_whose_limit_a_place_ended_is_named(tmp_path):
    # Elder is 75% over target and spends £70m: nothing but its floor keeps it at £102m
    found = explain(run_of(five_places(tmp_path)), "E")
    assert found.years[0].binds == ("growth_floor",)
    assert "growth_floor (rate 2%): at least; this is where it ended  102,000,000" in plain_text(found)
    assert "it stands at the limit of growth_floor" in plain_text(found)


def test_a_place_between_its_limits_says_what_decided(tmp_path):
    path = five_places(tmp_path)
    free = explain(run_of(path, "rules.growth_ceiling.rate=60%"), "A")
    assert free.years[0].binds == ()
    said = "no rule stops it: between its limits the objectives decide"
    assert f"{said} (gross deficit, then shortfall below target, then movement)" in plain_text(free)


def test_last_years_money_becomes_this_years_allocation_step_by_step(tmp_path):
    # Elder: £100m + £5m of growth = £105m; target £60m is £45m less; it keeps £102m, £42m more than its target
    found = explain(run_of(five_places(tmp_path)), "E").years[0].change
    assert found.parts == (
        ("growth of the pot", 5_000_000),
        ("need: need", -45_000_000),
        ("pace of change", 42_000_000),
    )
    assert found.from_gbp + sum(amount for _, amount in found.parts) == found.to_gbp == 102_000_000


@pytest.mark.parametrize("place", list("ABCDE"))
def test_every_list_adds_up_to_the_pound(tmp_path, place):
    found = explain(run_of(five_places(tmp_path, text=INDEXED)), place)
    (one,) = found.years
    row = one.row
    assert sum(part.amount_gbp for part in one.parts) == row["target_gbp"]
    assert sum(driver.amount_gbp for driver in one.drivers) == row["target_gbp"]
    assert one.change.from_gbp + sum(amount for _, amount in one.change.parts) == row["allocation_gbp"]
    assert row["deficit_gbp"] - row["surplus_gbp"] == row["spend_gbp"] - row["allocation_gbp"]
    assert row["deficit_underfunding_gbp"] + row["deficit_above_need_gbp"] == row["deficit_gbp"]


def test_what_each_column_does_is_what_taking_it_away_does(tmp_path):
    # with one index of 1 everywhere the market forces factor does nothing; need does the rest
    found = {
        one.name: one.amount_gbp for one in explain(run_of(five_places(tmp_path, text=INDEXED)), "A").years[0].drivers
    }
    assert found["mff"] == 0
    # Alder has 30,000 of 105,000 people, and 30 of 105 parts of weight: need does nothing either
    assert found == {"an equal share per head": 150_000_000, "need (hospital)": 0, "need (prescribing)": 0, "mff": 0}


def test_over_years_last_years_money_is_the_allocation_before(tmp_path):
    path = path_over_years(tmp_path, ["£525m", "£546m"])
    found = explain(run_of(path), "B")
    first, second = found.years
    assert second.change.from_gbp == first.row["allocation_gbp"]
    # the floor of the second year stands on what the first year gave
    floor = next(limit for limit in second.limits if limit.rule == "growth_floor")
    assert floor.at_least_gbp == pytest.approx(first.row["allocation_gbp"] * 1.02, abs=1)
    assert sheets(found)[0][0] == "2019-20: Its fair share"
    assert len(explain(run_of(path), "B", year="2020-21").years) == 1


def test_a_limit_of_next_year_that_ties_back_to_this_one_says_its_year(tmp_path):
    first, second = explain(run_of(path_over_years(tmp_path, ["£525m", "£546m"])), "B").years
    assert [limit.rule for limit in second.limits] == ["growth_floor", "growth_ceiling"]
    back = next(limit for limit in first.limits if limit.rule == "growth_floor of 2020-21")
    # what it has next year is at least 2% above this year's money, so this year's is at most that over 1.02
    assert back.at_least_gbp is None
    assert back.at_most_gbp == pytest.approx(second.row["allocation_gbp"] / 1.02, abs=1)


@pytest.mark.parametrize("years", [["£525m"], ["£525m", "£546m"]])
def test_every_list_of_every_place_adds_up_and_its_limits_are_those_of_limits_csv(tmp_path, years):
    folder = run_of(path_over_years(tmp_path, years) if len(years) > 1 else five_places(tmp_path))
    table = pd.read_csv(folder / "limits.csv").set_index(["place", "year"])
    for place in "ABCDE":
        for one in explain(folder, place).years:
            said, row, limit = one.as_dict(), one.row, table.loc[(place, one.year)]
            assert sum(part["amount_gbp"] for part in said["formula"]) == row["target_gbp"]
            change = said["change"]
            assert change["from_gbp"] + sum(cause["amount_gbp"] for cause in change["causes"]) == change["to_gbp"]
            assert (change["from_gbp"], change["to_gbp"]) == (row["baseline_gbp"], row["allocation_gbp"])
            own = [found for found in one.limits if " of " not in found.rule]
            least = max(found.at_least_gbp for found in own if found.at_least_gbp is not None)
            most = min(found.at_most_gbp for found in own if found.at_most_gbp is not None)
            assert [least, most] == pytest.approx([limit["minimum_gbp"], limit["maximum_gbp"]], abs=1)
            assert bool({found.rule for found in own if found.binds}) == isinstance(limit["held_by"], str)


# against another run


def test_one_cause_takes_the_whole_difference(tmp_path):
    path = five_places(tmp_path)
    this, other = run_of(path, "rules.growth_floor.rate=1%"), run_of(path)
    found = explain(this, "E", against=other).against
    assert found is not None
    assert found.parts == (("pace of change", found.to_gbp - found.from_gbp),)
    assert found.from_gbp == 102_000_000
    assert found.to_gbp == pytest.approx(101_000_000, abs=5_000)  # the slack that the first objective leaves
    assert found.solved == 0


def test_nothing_differs_between_a_run_and_itself(tmp_path):
    folder = run_of(five_places(tmp_path))
    found = explain(folder, "A", against=folder)
    assert found.against is not None
    assert found.against.parts == ()
    assert "nothing differs" in plain_text(found)


def test_four_causes_add_up_and_are_the_mean_over_every_order(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    other = run_of(five_places(tmp_path / "one"))
    changed = INDEXED.replace("pot: £525m", "pot: £530m").replace("rate: 2%", "rate: 3%")
    path = five_places(tmp_path / "two", text=changed)
    table = tmp_path / "two" / "places.csv"
    table.write_text(
        table.read_text(encoding="utf-8").replace("D,Damson,21000,20,1,100,90", "D,Damson,21000,20,1.1,104,95")
    )
    this = run_of(path)
    for place in "AE":
        found = explain(this, place, against=other).against
        assert found is not None
        assert [cause for cause, _ in found.parts] == list(CAUSES)
        assert found.from_gbp + sum(amount for _, amount in found.parts) == found.to_gbp
        assert found.solved == 14  # 2^4 mixtures less the two runs


def test_two_runs_that_cannot_be_mixed_say_so(tmp_path):
    path = five_places(tmp_path)
    rich = run_of(path, "pot.value=£545m", "rules.growth_floor.rate=8%")
    with pytest.raises(
        allocopt.errors.AllocoptError, match="the causes cannot be told apart: money of five places and pace"
    ):
        explain(rich, "A", against=run_of(path))


def test_the_causes_between_rolling_runs_are_those_of_rolling_runs(tmp_path):
    path = path_over_years(tmp_path, ["£525m", "£546m"])
    base = ["path=rolling", "rules.growth_ceiling.rate=12%"]
    pace, need = "rules.growth_floor={rate: 3%, taper: {from: -25%, to: 60%}}", "formula.need.need=people"
    runs = [run_of(path, *base, *more) for more in ([], [pace], [need], [pace, need])]
    for place in "BDE":
        tables = [pd.read_csv(folder / "allocations.csv").set_index(["place", "year"]) for folder in runs]
        none, paced, needed, both = (int(table["allocation_gbp"][place, "2020-21"]) for table in tables)
        found = explain(runs[3], place, against=runs[0]).against
        said = dict(found.parts)
        assert said["formula"] == pytest.approx((needed - none + both - paced) / 2, abs=1)
        assert said["pace of change"] == pytest.approx((paced - none + both - needed) / 2, abs=1)
        assert sum(said.values()) == both - none


def test_the_kind_of_path_streams_and_carried_deficits_are_causes(tmp_path):
    path = path_over_years(tmp_path, ["£525m", "£546m"])
    wide = "rules.growth_floor={rate: 3%, taper: {from: -25%, to: 60%}}"
    joint, rolling = run_of(path, wide), run_of(path, wide, "path=rolling")
    found = explain(rolling, "B", against=joint).against
    assert found.from_gbp != found.to_gbp
    assert found.parts == (("pace of change", found.to_gbp - found.from_gbp),)
    one = five_places(tmp_path)
    paid = run_of(one, "streams.extra={value: £10m, recurrent: true}")
    against = explain(paid, "E", against=run_of(one)).against
    assert against.from_gbp != against.to_gbp
    assert against.parts == (("money", against.to_gbp - against.from_gbp),)


def test_every_section_of_a_scenario_is_a_cause_or_changes_no_allocation():
    sections = [name for cause in CAUSES.values() for name in cause]
    assert sorted([*sections, *NO_CAUSE]) == sorted(Scenario.model_fields)


def test_a_difference_that_nothing_explains_is_no_waterfall(tmp_path):
    path = five_places(tmp_path)
    this = run_of(path)
    other = Path(shutil.copytree(this, tmp_path / "other"))
    text = (other / "allocations.csv").read_text(encoding="utf-8")
    (other / "allocations.csv").write_text(text.replace(",102000000,", ",101000000,"), encoding="utf-8")
    with pytest.raises(PlanRefused, match="amounts £1,000,000 apart, and what they say differently is not why"):
        explain(this, "E", against=other)


# attribution


@given(
    st.dictionaries(
        st.sets(st.sampled_from("abc")).map(lambda one: "".join(sorted(one))),
        st.integers(-50, 50),
        min_size=8,
        max_size=8,
    )
)
def test_a_shapley_value_is_the_mean_over_every_order(worths):
    found = shapley("abc", lambda chosen: worths["".join(chosen)])
    orders = list(permutations("abc"))
    for cause in "abc":
        gains = []
        for order in orders:
            before = "".join(sorted(order[: order.index(cause)]))
            gains.append(worths["".join(sorted(before + cause))] - worths[before])
        assert found[cause] == pytest.approx(sum(gains) / math.factorial(3))
    assert sum(found.values()) == pytest.approx(worths["abc"] - worths[""])


def test_pounds_add_up_below_zero_too():
    assert in_pounds([1.0000005, -0.3333333, -0.6666667], 1) == [1_000_001, -333_333, -666_667]
    assert in_pounds([0.0000004, 0.0000004, 0.0000004], 1) == [1, 0, 0]


# the command


def test_explain_prints_a_letter_and_json(tmp_path):
    folder = run_of(five_places(tmp_path))
    letter = CliRunner().invoke(app, ["explain", str(folder), "Elder"])
    assert letter.exit_code == 0
    assert "Elder (E)" in letter.stdout
    assert "12,000 people, 11.4286% of 105,000 in 5 places" in letter.stdout
    answer = CliRunner().invoke(app, ["explain", str(folder), "E", "--json"])
    said = json.loads(answer.stdout)
    assert said["place"] == "E"
    assert said["years"][0]["binds"] == ["growth_floor"]
    assert said["years"][0]["row"]["allocation_gbp"] == 102_000_000


@pytest.mark.parametrize(
    ("place", "year", "said"),
    [
        ("Eldr", None, "there is no place 'Eldr' in this run"),
        ("E", "2020-21", "this run has no year '2020-21'"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(tmp_path, place, year, said):
    with pytest.raises(InputFault, match=said) as caught:
        explain(run_of(five_places(tmp_path)), place, year=year)
    assert caught.value.problems[0].cure in ("name one by its code: Elder, Alder", "name one of 2019-20")


def test_a_table_that_has_changed_since_is_refused(tmp_path):
    folder = run_of(five_places(tmp_path))
    table = tmp_path / "places.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("Elder", "Older"), encoding="utf-8")
    with pytest.raises(InputFault, match="the tables that it was made from are not there as they were"):
        explain(folder, "E")


def test_a_folder_without_an_allocation_is_refused(tmp_path):
    with pytest.raises(InputFault, match="holds no allocation to explain"):
        explain(tmp_path, "E")


def test_a_practice_of_england_adds_up(tmp_path):
    folder = allocopt.run("england", set=["solver.ties=as_solved"], out=tmp_path).folder
    found = explain(folder, "M85063")
    (one,) = found.years
    assert sum(part.amount_gbp for part in one.parts) == one.row["target_gbp"]
    assert sum(driver.amount_gbp for driver in one.drivers) == one.row["target_gbp"]
    assert one.binds == ("no_further_under_target",)
    assert "modelled spend: england_practices, seed 7" in plain_text(found)


@pytest.mark.parametrize("policy", ["policy-local-government-damping", "policy-schools-guarantee"])
def test_a_round_that_shares_gains_out_is_told_as_floor_share_and_gain(tmp_path, policy):
    run = allocopt.run(policy, out=tmp_path)
    (shares,) = (one["found"] for one in run.record["rules"] if one.get("found"))
    for place in ("00R", "00C", "99N"):
        (one,) = explain(run.folder, place).years
        (limit,) = (limit for limit in one.limits if limit.share is not None)
        assert limit.share == shares["2019-20"]
        assert limit.base_gbp + limit.share * limit.gain_gbp == pytest.approx(one.row["allocation_gbp"], abs=1.5)
        assert (limit.at_least_gbp, limit.binds) == (limit.at_most_gbp, True)
        assert limit.at_least_gbp == pytest.approx(one.row["allocation_gbp"], abs=1)
        said = plain_text(explain(run.folder, place))
        assert "no rule stops it" not in said
        assert f"{limit.rule} says exactly what it receives" in said
        rows = next(rows for title, rows in sheets(explain(run.folder, place)) if title == "How far it may move")
        *parts, total = amounts(rows[2:])
        assert sum(parts) == total


def test_the_floor_of_a_damped_round_is_that_of_its_formula(tmp_path):
    # 3.6% over £265,216,000 is £274,763,776; the target is £311,846,043, so £37,082,267 lie above it
    run = allocopt.run("policy-local-government-damping", out=tmp_path)
    (limit,) = (one for one in explain(run.folder, "00R").years[0].limits if one.share is not None)
    assert (limit.base_gbp, limit.gain_gbp) == (274_763_776, 37_082_267)


def test_a_year_of_a_rolling_path_is_explained_by_its_own_rules(tmp_path):
    path = path_over_years(tmp_path, ["£525m", "£551.25m"])
    folder = run_of(path, "path=rolling", "rules.growth_floor.rate=2%", "rules.growth_ceiling.rate=9%")
    limits = pd.read_csv(folder / "limits.csv").set_index(["place", "year"])
    for place in "ABCDE":
        for one in explain(folder, place).years:
            assert [limit.rule for limit in one.limits] == ["growth_floor", "growth_ceiling"]
            floor, ceiling = one.limits
            assert floor.at_least_gbp == limits.loc[(place, one.year), "minimum_gbp"]
            assert ceiling.at_most_gbp == limits.loc[(place, one.year), "maximum_gbp"]


def test_needs_that_grow_with_people_keep_their_numbers_and_drivers(tmp_path):
    # Alder's need of 30 grows with its people, 30,000 to 33,000, to 33; all others stay: 33 of 108 parts
    path = path_over_years(tmp_path, ["£525m", "£551.25m"])
    people = {"A": (30, 33), "B": (22, 22), "C": (20, 20), "D": (21, 21), "E": (12, 12)}
    rows = [f"{code},{2019 + step}-{20 + step},{n[step]}000" for code, n in people.items() for step in (0, 1)]
    (tmp_path / "people.csv").write_text("\n".join(["code,year,people", *rows, ""]), encoding="utf-8")
    text = path.read_text(encoding="utf-8")
    extra = "  populations: {table: people.csv, key: code, year: year, column: people}\n"
    path.write_text(text.replace("  baseline:", extra + "  baseline:"), encoding="utf-8")
    for one in explain(run_of(path), "A").years:
        (part,) = one.parts
        assert part.need == pytest.approx(33 if one.year == "2020-21" else 30)
        assert part.total_need == pytest.approx(108 if one.year == "2020-21" else 105)
        assert math.prod(part.columns.values()) == pytest.approx(part.need)
        assert sum(driver.amount_gbp for driver in one.drivers) == one.row["target_gbp"]
        assert len(one.drivers) == 2
