"""Rule prices proved again: every figure of a price rests on a plan and on prices that `verify` evaluates itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from test_check import PATH, SCENARIO, change_record, failed, sealed_again, solved

import allocopt
from allocopt.check.folder import verify

FIRST = "objectives: [gross_deficit, shortfall_below_target, movement]"
NEED_FIRST = "objectives: [shortfall_below_target, gross_deficit, movement]"
PRICED = SCENARIO.replace("pot: £11m", "pot: £10.4m").replace(FIRST, NEED_FIRST)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return solved(tmp_path_factory.mktemp("priced"), PRICED)


@pytest.fixture
def run(sound: Path, tmp_path: Path) -> Path:
    """A copy of the sound run, beside the same inputs, free to be changed."""
    copy = tmp_path / sound.name
    copy.mkdir()
    for file in sound.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return copy


def stated(folder: Path, rule: str) -> dict:
    record = json.loads((folder / "run.json").read_text())
    return next(one for one in record["rules"] if one["name"] == rule)


def restated(folder: Path, rule: str, **figures: object) -> dict[str, str]:
    """What `verify` finds when a forger changes figures of a rule and seals the folder again."""
    change_record(folder, lambda said: next(one for one in said["rules"] if one["name"] == rule).update(figures))
    return failed(verify(folder))


def test_a_sound_run_has_every_price_proved_from_both_sides(sound):
    checks = {one.name: one for one in verify(sound).checks}
    for rule in ("budget", "growth_floor", "growth_ceiling", "no_further_under_target"):
        assert checks[f"price {rule}"].passed
    floor = stated(sound, "growth_floor")
    assert floor["price"] > 0
    assert floor["without"] > 0
    assert "gains between" in checks["price growth_floor"].words


@pytest.mark.parametrize(
    ("figure", "by", "words"),
    [
        ("price", 1.001, "easing by 0.1 points is said to gain"),
        ("price", 0.999, "easing by 0.1 points is said to gain"),
        ("without", 1.001, "dropping the rule is said to gain"),
        ("without", 0.999, "dropping the rule is said to gain"),
        ("price_at_most", 0.5, "price_at_most is"),
        ("price_step", 2.0, "is said to gain"),
        ("price_reaches", 2.0, "the kept plan"),
    ],
)
def test_a_changed_figure_is_found_for_what_it_is(run, figure, by, words):
    before = stated(run, "growth_floor")
    found = restated(run, "growth_floor", **{figure: before[figure] * by})
    assert set(found) == {"price growth_floor"}
    assert words in found["price growth_floor"]


def test_words_that_speak_of_another_gain_are_found(run):
    words = stated(run, "growth_floor")["price_words"]
    found = restated(run, "growth_floor", price_words=words.replace("£", "£9"))
    assert found["price growth_floor"].startswith("the words say")


def test_a_rule_that_is_said_to_cost_nothing_is_found(run):
    free = {"price": 0.0, "price_at_most": 0.0, "price_step": None, "price_reaches": None, "without": 0.0}
    found = restated(run, "growth_floor", **free)["price growth_floor"]
    assert "dropping the rule is said to gain 0" in found


def test_a_free_rule_that_is_given_a_price_is_found(run):
    assert stated(run, "growth_ceiling")["price"] == 0
    found = restated(run, "growth_ceiling", price=5.0, price_at_most=5.0, price_step=0.1, price_reaches=0.1)
    assert "the certificate keeps no plan" in found["price growth_ceiling"]


def test_a_pot_that_is_priced_wrongly_is_found(run):
    said = stated(run, "budget")["price"]
    assert "is said to gain" in restated(run, "budget", price=said * 0.9)["price budget"]


def with_plan(run: Path, pounds: np.ndarray) -> dict[str, str]:
    """What `verify` finds when the plan behind the price of the floor is replaced by other allocations."""
    with np.load(run / "certificate.npz") as kept:
        arrays = {name: kept[name] for name in kept.files}
    arrays["priced.growth_floor.step.parts"] = np.array([b"allocation"])
    arrays["priced.growth_floor.step.values"] = pounds / 1e6
    np.savez_compressed(run / "certificate.npz", **arrays)
    sealed_again(run)
    return failed(verify(run))


def test_a_plan_that_gives_away_a_pound_too_much_is_found_behind_a_price(run):
    """It would show a larger gain, and it breaks the pot."""
    given = allocopt.read_run(run).allocations["allocation_gbp"].to_numpy(dtype=float)
    found = with_plan(run, given + np.array([0, 0, 1, 0]))
    assert set(found) == {"price growth_floor"}
    assert "the kept plan misses budget[2019-20] by £1.00" in found["price growth_floor"]


def test_a_worse_plan_that_understates_a_gain_is_found(run):
    """The plan of the run itself obeys the eased rule and gains nothing; the kept prices do not come up to it."""
    with_plan(run, allocopt.read_run(run).allocations["allocation_gbp"].to_numpy(dtype=float))
    found = restated(run, "growth_floor", price=0.0)["price growth_floor"]
    assert "the kept prices prove the gain only to" in found


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        (PATH.replace(FIRST, NEED_FIRST), "growth_ceiling"),
        (PRICED.replace(NEED_FIRST, "objectives: [worst_shortfall, movement]"), "growth_floor"),
        (PRICED.replace(NEED_FIRST, "objectives: [common_speed, movement]"), "growth_floor"),
        (PRICED.replace("  growth_ceiling: {rate: 30%}", "  mover_budget: {max: £100k}"), "mover_budget"),
        (PRICED.replace("rules:", "rules:\n  reserve: {share: 1%}"), "growth_floor"),
    ],
    ids=["path", "worst", "speed", "money", "reserve"],
)
def test_every_kind_of_price_is_proved_again(tmp_path, changed, rule):
    folder = solved(tmp_path / "case", changed)
    assert failed(verify(folder)) == {}
    said = stated(folder, rule)
    assert said["price"] is not None
    found = restated(folder, rule, price=said["price"] * 1.01 + 0.01)
    assert f"price {rule}" in found
