"""Why a scenario has no solution, in policy words, and the smallest changes that give it one. Five places, sums by
hand.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from programmes import NONE, programme
from small_case import five_places, path_over_years
from typer.testing import CliRunner

import allocopt
from allocopt.cli import app
from allocopt.diagnose import diagnose
from allocopt.diagnose.conflicts import minimal_conflicts
from allocopt.diagnose.levers import Lever, levers_of, moved
from allocopt.diagnose.parts import Parts
from allocopt.diagnose.search import Trials, smallest
from allocopt.errors import Cure, Infeasible
from allocopt.model import load_model
from allocopt.plan import gather
from allocopt.scenario import load
from allocopt.settings import RuleSetting
from allocopt.solve.cases import joined, limits, possible, settled_at, unmet
from allocopt.units import KILOMETRES, MONEY, RATE


def failed(path: Path, *sets: str) -> Infeasible:
    with pytest.raises(Infeasible) as caught:
        allocopt.run(path, set=sets, out=None)
    return caught.value


def cured(path: Path, sets: Sequence[str], cure: Cure) -> bool:
    """Whether the cure, given last as a new user would, makes the scenario solvable."""
    try:
        return allocopt.run(path, set=[*sets, f"{cure.key}={cure.after}"], out=None).exit == 0
    except Infeasible:
        return False


def after(failure: Infeasible) -> dict[str, str]:
    return {cure.key: cure.after for cure in failure.cures}


# floors above the pot


def test_floors_that_exceed_the_pot_are_told_with_their_sum(tmp_path):
    # 5 x £100m x 1.07 = £535m against £525m
    failure = failed(five_places(tmp_path), "rules.growth_floor.rate=7%")
    assert failure.message == "no allocation obeys every rule: growth_floor contradicts budget, which always holds"
    said = str(failure)
    assert "lower limits add up to £535m in 2019-20, and the pot is £525m: £10.0m too much" in said
    assert "rules.growth_ceiling: its upper limits add up to £545m in 2019-20, and the pot is £525m: that fits" in said


def test_the_cures_are_the_smallest_that_work(tmp_path):
    # the floor may be £525m / £500m - 1 = 5%; or the pot must be £535m
    path, sets = five_places(tmp_path), ["rules.growth_floor.rate=7%"]
    failure = failed(path, *sets)
    assert after(failure) == {"rules.growth_floor.rate": "5%", "pot.value": "£535m"}
    assert all(cure.verified and cured(path, sets, cure) for cure in failure.cures)
    assert not cured(path, sets, Cure("rules.growth_floor.rate", "7%", "5.01%", verified=False))
    assert not cured(path, sets, Cure("pot.value", "£525m", "£534.99m", verified=False))


def test_a_cure_is_ready_to_paste(tmp_path):
    said = str(failed(five_places(tmp_path), "rules.growth_floor.rate=7%"))
    assert "  --set rules.growth_floor.rate=5%   (now 7%; 5.01% is not enough; tried: it solves)" in said


def test_a_problem_names_the_line_of_its_rule(tmp_path):
    path = five_places(tmp_path)
    failure = failed(path, "pot=£500m", "pot.value=£505m")
    first = failure.problems[0].as_dict()
    assert first["key"] == "rules.growth_floor"
    assert (first["file"], first["line"]) == (str(path), 13)


def test_json_holds_the_same_words_and_the_cures(tmp_path):
    path = five_places(tmp_path)
    answer = CliRunner().invoke(
        app, ["run", str(path), "--set", "rules.growth_floor.rate=7%", "--json", "--out", str(tmp_path / "runs")]
    )
    assert answer.exit_code == 3
    error = json.loads(answer.stdout)["error"]
    assert (error["exit"], error["kind"]) == (3, "infeasible")
    first = error["cures"][0]
    assert {key: first[key] for key in ("key", "from", "to", "verified")} == {
        "key": "rules.growth_floor.rate",
        "from": "7%",
        "to": "5%",
        "verified": True,
    }
    assert any("£535m" in problem["message"] for problem in error["problems"])
    assert not (tmp_path / "runs").exists()


# ceilings, crossings, sets


def test_ceilings_under_the_pot_leave_money_that_nobody_may_receive(tmp_path):
    # 5 x £100m x 1.03 = £515m
    path, sets = five_places(tmp_path), ["rules.growth_ceiling.rate=3%"]
    failure = failed(path, *sets)
    assert "its upper limits add up to £515m in 2019-20, and the pot is £525m: £10.0m that nobody may receive" in str(
        failure
    )
    assert after(failure) == {"rules.growth_ceiling.rate": "5%", "pot.value": "£515m"}
    assert all(cured(path, sets, cure) for cure in failure.cures)


def test_a_place_whose_floor_is_above_its_ceiling_is_named(tmp_path):
    # Alder's target is £150m: nobody under 80% of target asks for £120m, a ceiling of 9% allows £109m
    path, sets = five_places(tmp_path), ["rules.dft_floor.rate=-20%", "rules.growth_floor=off"]
    failure = failed(path, *sets)
    asks = "A Alder 2019-20: dft_floor asks for at least £120m, growth_ceiling allows at most £109m"
    assert f"limits cross at 1 place: {asks}" in str(failure)
    assert "growth_ceiling and dft_floor cannot hold together; without any one of them the others can" in str(failure)
    # £109m is 72.67% of £150m; £120m is growth of 20%
    assert after(failure) == {
        "rules.dft_floor.rate": "-27.34%",
        "rules.growth_ceiling.rate": "20%",
        "pot.value": "£476.87m",  # 80% of Alder's target, 30 of 105 parts of the pot, is then £109m
    }
    assert all(cured(path, sets, cure) for cure in failure.cures)


def test_only_a_rule_that_is_in_every_contradiction_is_a_cure(tmp_path):
    # £120m for Alder and 4 x £102m for the others make £528m; and £120m is above Alder's ceiling of £109m
    path, sets = five_places(tmp_path), ["rules.dft_floor.rate=-20%"]
    failure = failed(path, *sets)
    assert failure.message.endswith(
        "growth_floor and dft_floor cannot hold together; growth_ceiling and dft_floor cannot hold together"
    )
    said = "at each place the tightest lower limit of any rule adds up to £528m in 2019-20, and the pot is £525m"
    assert f"{said}: £3.0m too much" in str(failure)
    assert after(failure) == {"rules.dft_floor.rate": "-27.34%"}
    assert cured(path, sets, failure.cures[0])


def test_a_rule_without_numbers_is_cured_by_dropping_it(tmp_path):
    # Alder, Birch and Cedar open at or under target, so each must have £105m; a ceiling of 4% for them allows £104m
    taper = "{from: 1%, to: 5%, end: 20%}"
    path = five_places(tmp_path)
    sets = [
        "rules.no_further_under_target={}",
        "rules.growth_floor=off",
        f"rules.growth_ceiling={{rate: 4%, taper: {taper}}}",
    ]
    failure = failed(path, *sets)
    assert "limits cross at 3 places" in str(failure)
    found = after(failure)
    assert found["rules.no_further_under_target"] == "off"
    assert found["rules.growth_ceiling.rate"] == "5%"
    assert all(cured(path, sets, cure) for cure in failure.cures)


def test_two_contradictions_that_share_no_rule_have_no_single_cure(tmp_path):
    # 7% for everybody is above the pot, and Alder's £120m is above its ceiling of £109m
    failure = failed(five_places(tmp_path), "rules.growth_floor.rate=7%", "rules.dft_floor.rate=-20%")
    assert (
        "growth_floor contradicts budget, which always holds; growth_ceiling and dft_floor cannot hold"
        in failure.message
    )
    assert failure.cures == ()
    assert "no single change of a rule or of the pot makes it solvable" in str(failure)


def test_rules_that_can_be_obeyed_are_not_explained_away(tmp_path):
    facts = gather(load(five_places(tmp_path)))
    failure = diagnose(facts, load_model("pace_of_change"), Infeasible("no allocation obeys every rule"))
    assert "every rule can be obeyed to the pound" in failure.message
    assert "single point" not in str(failure)


def test_rules_that_always_hold_and_contradict_each_other_are_told_by_name(tmp_path, monkeypatch):
    facts = gather(load(five_places(tmp_path)))
    monkeypatch.setattr(Parts, "holds", lambda *_: False)
    monkeypatch.setattr("allocopt.diagnose.reach", lambda *_: ["the least is too much"])
    failure = diagnose(facts, load_model("pace_of_change"), Infeasible("no allocation obeys every rule"))
    assert "the rules that always hold (budget) contradict each other" in failure.message
    assert "budget: the least is too much" in str(failure)


# years


def test_a_floor_by_year_is_cured_in_the_year_that_is_too_dear(tmp_path):
    # £525m x 1.06 = £556.5m against £546m in the second year, which allows £546m / £525m - 1 = 4%
    path = path_over_years(tmp_path, ["£525m", "£546m"])
    sets = ["rules.growth_floor.rate={2019-20: 2%, 2020-21: 6%}"]
    failure = failed(path, *sets)
    assert after(failure)["rules.growth_floor.rate.2020-21"] == "4%"
    assert (
        "given the pots of the years before, the least is £556m in 2020-21, and the pot is £546m: £10.5m too much"
        in str(failure)
    )
    assert all(cured(path, sets, cure) for cure in failure.cures)


def test_a_pot_by_year_is_cured_year_by_year(tmp_path):
    path = path_over_years(tmp_path, ["£525m", "£546m"])
    found = after(failed(path, "rules.growth_floor.rate=6%", "pot.value.2019-20=£530m"))
    assert found["pot.value.2020-21"] == "£561.8m"  # £530m x 1.06


def test_years_that_are_all_too_dear_are_cured_by_one_rate_for_all(tmp_path):
    # £500m -> £525m is 5%, £525m -> £546m is 4%: 6% and 7% are both too dear
    path = path_over_years(tmp_path, ["£525m", "£546m"])
    sets = ["rules.growth_floor.rate={2019-20: 6%, 2020-21: 7%}"]
    failure = failed(path, *sets)
    assert after(failure) == {"rules.growth_floor.rate": "4%"}
    assert failure.cures[0].before == "{2019-20: 6%, 2020-21: 7%}"
    assert cured(path, sets, failure.cures[0])


# the search, against trying every step


def _sheet(floor: float, ceiling: float):
    """x_1 + x_2 = 10 with floors and ceilings on both: as rows of one column, and one row of two."""
    matrix = [[1, 1], [1, 0], [0, 1], [1, 0], [0, 1]]
    rows = ([10, floor, floor, -NONE, -NONE], [10, NONE, NONE, ceiling, ceiling])
    return programme(matrix, rows=rows, columns=([0, 0], [100, 100]), cost=[0, 0])


@pytest.mark.parametrize("before", [5.5, 6.0, 7.31])
def test_the_smallest_step_is_what_trying_every_step_finds(before):
    lever = Lever("floor", ("rate",), before, -1, RATE)
    trials = Trials(lever, lambda value: _sheet(value, 20.0), lambda _: True, 10.0)
    found = smallest(trials)
    by_hand = next(number for number in itertools.count(1) if 2 * lever.at(number) <= 10 + 1e-9)
    assert found is not None
    assert (found.number, found.least) == (by_hand, True)
    assert len(trials.answers) <= 4


def test_the_search_finds_a_number_that_is_not_affine_in_the_rows():
    lever = Lever("floor", ("rate",), 3.0, -1, RATE)
    found = smallest(Trials(lever, lambda value: _sheet(max(value, 0.0) ** 2, 20.0), lambda _: True, 10.0))
    assert found is not None
    assert lever.at(found.number) == pytest.approx(2.236)  # 5 ** 0.5, rounded down to a hundredth of a point


def test_a_number_of_which_both_too_little_and_too_much_fail_is_found_from_the_present_value_outwards():
    lever = Lever("floor", ("rate",), 3.0, -1, RATE)
    found = smallest(Trials(lever, lambda value: _sheet(value**2, 20.0 if value > 1.5 else 1.0), lambda _: True, 10.0))
    assert found is not None
    assert lever.at(found.number) == pytest.approx(2.236)  # 5 ** 0.5; from 1.5 down ceilings of 1 leave nothing


def test_a_number_that_never_helps_is_not_a_cure():
    lever = Lever("ceiling", ("rate",), 20.0, 1, RATE)
    assert smallest(Trials(lever, lambda value: _sheet(6.0, value), lambda _: True, 10.0)) is None


def test_prices_refute_what_cannot_hold_and_say_how_far_to_go():
    bad, good = _sheet(6.0, 20.0), _sheet(4.0, 20.0)
    missed = unmet(bad, time_limit=10.0)
    assert missed.answer is False
    assert missed.proven == pytest.approx(2.0)  # 6 + 6 - 10
    assert settled_at(bad, good, missed.prices) == pytest.approx(0.5)  # half-way from 6 to 4 is 5
    assert possible(good, time_limit=10.0) is True


def test_integers_are_answered_by_the_solver():
    # 2 x = 3 has no whole solution, and the relaxed programme has one
    odd = programme([[2.0, 0.0]], rows=([3], [3]), columns=([0, 0], [5, 5]), cost=[0, 0], integer=True)
    assert possible(odd, time_limit=10.0) is False
    even = programme([[2.0, 0.0]], rows=([4], [4]), columns=([0, 0], [5, 5]), cost=[0, 0], integer=True)
    assert possible(even, time_limit=10.0) is True


def test_joined_parts_share_columns_by_name():
    one = programme([[1, 1]], rows=([10], [10]), columns=([0, 0], [9, 8]), cost=[0, 0])
    other = programme([[1, 0]], rows=([3], [NONE]), columns=([1, 0], [20, 20]), cost=[0, 0])
    both = joined([one, other])
    assert both.matrix.toarray().tolist() == [[1, 1], [1, 0]]
    assert both.column_lower.tolist() == [1, 0]
    assert both.column_upper.tolist() == [9, 8]
    assert limits(both).lower.tolist() == [3, 0]


# minimal sets, against every subset


def _hitting(universe: Sequence[str], bad: Sequence[set[str]]):
    def holds(chosen: tuple[str, ...]) -> bool:
        return not any(one <= set(chosen) for one in bad)

    found, settled = minimal_conflicts(universe, holds)
    brute = [
        set(chosen)
        for size in range(len(universe) + 1)
        for chosen in itertools.combinations(universe, size)
        if not holds(chosen) and all(holds(tuple(set(chosen) - {one})) for one in chosen)
    ]
    return [set(one) for one in found], brute, settled


@pytest.mark.parametrize("seed", range(12))
def test_minimal_conflicts_are_those_of_trying_every_set(seed):
    rng = np.random.default_rng(seed)
    universe = list("abcdef")
    bad = [{name for name in universe if rng.random() < 0.4} or {"a"} for _ in range(rng.integers(1, 4))]
    found, brute, settled = _hitting(universe, bad)
    assert found == brute
    assert settled


def test_an_unknown_answer_makes_the_sets_incomplete():
    assert minimal_conflicts(["a"], lambda _: None) == ((), False)


# levers


def test_steps_are_round_numbers_beyond_the_present_value():
    down = Lever("growth_floor", ("rate",), 0.05123, -1, RATE)
    assert [down.write(down.at(number)) for number in (0, 1, 2)] == ["5.123%", "5.12%", "5.11%"]
    up = Lever("reach", ("max",), 25.0, 1, KILOMETRES)
    assert [up.write(up.at(number)) for number in (1, 2)] == ["25.1 km", "25.2 km"]
    pot = Lever("pot", ("value",), 78541.382, 1, MONEY)
    assert pot.write(pot.at(1)) == "£78.542bn"
    count = Lever("moves", ("max",), 3.0, 1, None, whole=True)
    assert [count.write(count.at(number)) for number in (1, 2)] == ["4", "5"]


@pytest.mark.parametrize(("stated", "other"), [("end", "end_per_head"), ("end_per_head", "end")])
def test_a_taper_that_ends_at_a_rate_has_a_lever_for_that_rate_alone(stated, other):
    rule = load_model("pace_of_change").rule("per_head_floor")
    taper = rule.parameters["taper"].read({"from": "5%", "to": "10%", stated: "1%"})
    setting = RuleSetting(parameters={"rate": 0.02, "taper": taper})
    written = {lever.key: lever.write(lever.at(1)) for lever in levers_of(rule, setting) if lever.way == 1}
    assert written[f"rules.per_head_floor.taper.{stated}"] == "1.01%"
    assert f"rules.per_head_floor.taper.{other}" not in written
    changed = moved(setting, rule, ("taper", stated), "1.5%")
    assert changed is not None
    assert str(changed.parameters["taper"]) == f"{{from: 5%, to: 10%, {stated}: 1.5%}}"


def test_a_taper_has_a_lever_for_each_of_its_numbers():
    rule = load_model("pace_of_change").rule("growth_floor")
    taper = rule.parameters["taper"].read({"from": "5%", "to": "10%"})
    setting = RuleSetting(parameters={"rate": 0.02, "taper": taper})
    keys = {(lever.key, lever.way) for lever in levers_of(rule, setting)}
    assert ("rules.growth_floor.rate", -1) in keys
    assert ("rules.growth_floor.rate", 1) not in keys
    assert {("rules.growth_floor.taper.from", 1), ("rules.growth_floor.taper.from", -1)} <= keys
    changed = moved(setting, rule, ("taper", "to"), "12%")
    assert changed is not None
    assert changed.parameters["taper"].to == 0.12
