"""What a scenario file may say, what it inherits, and how its faults are told."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from allocopt.errors import ScenarioFault
from allocopt.model import load_model
from allocopt.scenario import (
    Loaded,
    describe,
    difference,
    find_scenario,
    load,
    new_scenario,
    schema,
    write_schema,
)
from allocopt.shipped import shipped

FIXTURES = Path(__file__).parent / "fixtures" / "scenario"
BASE = FIXTURES / "base.yaml"


def told(file: str | Path, *sets: str) -> str:
    with pytest.raises(ScenarioFault) as caught:
        load(FIXTURES / file, set=sets)
    return str(caught.value)


def problems(file: str | Path, *sets: str) -> dict[str, tuple[str, str, str]]:
    """Key -> (place, message, cure)."""
    with pytest.raises(ScenarioFault) as caught:
        load(FIXTURES / file, set=sets)
    found = caught.value.problems
    return {one.key: (str(one.mark).removeprefix(f"{FIXTURES}/"), one.message, one.cure) for one in found}


def only(file: str | Path, *sets: str) -> tuple[str, str, str]:
    ((_, one),) = problems(file, *sets).items()
    return one


@pytest.fixture(scope="module")
def base() -> Loaded:
    return load(BASE)


# what a scenario says


def test_quantities_are_held_in_million_pounds_fractions_and_seconds(base: Loaded) -> None:
    assert base.scenario.pot.value == 10.0  # £10m
    assert base.scenario.rules["growth_floor"].parameters["rate"] == 0.02
    assert base.scenario.solver.time_limit == 60.0
    assert base.scenario.years == ["2019-20"]
    assert [one.name for one in base.scenario.objectives] == ["gross_deficit", "movement"]
    assert base.warnings == base.overrides == ()


def test_the_taper_is_read_by_the_rule_that_has_it(base: Loaded) -> None:
    taper = base.scenario.rules["growth_floor"].parameters["taper"]
    assert (taper.start, taper.to, taper.end) == (0.05, 0.10, 0.0)


def test_the_resolved_scenario_is_sorted_json_with_its_sources(base: Loaded) -> None:
    text = json.dumps(base.resolved, allow_nan=False)
    assert json.dumps(base.resolved, sort_keys=True) == text
    assert base.resolved["pot"] == {"source": "made up", "value": 10.0}
    assert base.resolved["rules"]["growth_floor"] == {
        "rate": 0.02,
        "source": "policy",
        "taper": {"end": 0.0, "from": 0.05, "to": 0.10},
    }
    assert base.resolved["rules"]["no_further_under_target"] == {}
    assert base.resolved["inputs"]["places"]["missing"]["imd"]["why"] == "some places have no score"
    assert str(FIXTURES) not in text


def test_every_value_knows_where_it_was_written(base: Loaded) -> None:
    assert str(base.mark("rules", "growth_floor", "taper", "from")) == f"{BASE}:24:36"
    assert str(base.mark("objectives", 1)) == f"{BASE}:26:29"
    assert str(base.mark("rules", "growth_floor", "nonsense")) == f"{BASE}:24:3"
    assert base.mark("nonsense") is None


def test_a_year_may_be_written_as_a_number() -> None:
    assert load(BASE, set={"years": "2019"}).scenario.years == ["2019"]


def test_an_objective_has_three_forms() -> None:
    forms = load(BASE, set=["objectives=[movement, {gross_deficit: {why: money}}, {name: shortfall_below_target}]"])
    assert [one.name for one in forms.scenario.objectives] == ["movement", "gross_deficit", "shortfall_below_target"]
    assert forms.scenario.objectives[1].why == "money"


def test_a_rate_may_differ_from_year_to_year() -> None:
    loaded = load(FIXTURES / "two_years.yaml", set=["pot.value.2020-21=£11m"])
    assert loaded.scenario.rules["growth_floor"].parameters["rate"] == {"2019-20": 0.02, "2020-21": 0.01}
    assert loaded.scenario.pot.value == {"2019-20": 10.0, "2020-21": 11.0}


# what a scenario inherits


def test_off_drops_a_rule_and_says_so() -> None:
    loaded = load(FIXTURES / "no_floor.yaml")
    assert list(loaded.scenario.rules) == ["no_further_under_target"]
    dropped = "{rate: 2%, taper: {from: 5%, to: 10%}, source: policy}"
    assert loaded.overrides == (f"rules.growth_floor: {dropped} -> off  (no_floor.yaml:4:9)",)
    assert loaded.scenario.why == "what does protection cost?"


def test_maps_merge_and_values_replace() -> None:
    loaded = load(FIXTURES / "low_floor.yaml")
    assert loaded.scenario.rules["growth_floor"].parameters["rate"] == 0.01
    assert loaded.scenario.rules["growth_floor"].source == "policy"
    assert loaded.overrides == ("rules.growth_floor.rate: 2% -> 1%  (low_floor.yaml:4:18)",)
    assert str(loaded.mark("rules", "growth_floor", "rate")).endswith("low_floor.yaml:4:18")
    assert str(loaded.mark("rules", "growth_floor", "taper")).endswith("base.yaml:24:28")


def test_siblings_that_change_different_keys_add_up() -> None:
    loaded = load(FIXTURES / "both.yaml")
    assert loaded.scenario.pot.value == 12.0
    assert loaded.scenario.pot.source == "made up"
    assert loaded.scenario.rules["growth_floor"].parameters["rate"] == 0.01
    assert len(loaded.overrides) == 2


def test_siblings_may_not_set_one_key_to_two_values() -> None:
    place, message, cure = only("quarrel.yaml")
    assert place == "high_floor.yaml:4:18"
    assert message == "low_floor.yaml:4:18 says 1%, its sibling high_floor.yaml:4:18 says 3%"
    assert cure == "say it in one of the two only, or let one extend the other"


def test_a_child_of_several_needs_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "child.yaml").write_text(f"extends: [{FIXTURES}/low_floor.yaml, {FIXTURES}/more_money.yaml]\n")
    assert "'name' is missing" in told(tmp_path / "child.yaml")


def test_an_override_that_changes_nothing_is_warned_about() -> None:
    assert load(FIXTURES / "nothing_new.yaml").warnings == (
        "nothing_new.yaml:5:18: rules.growth_floor.rate: 2.0% changes nothing: base.yaml:24:18 says so already",
        "nothing_new.yaml:6:3: rules.growth_ceiling: off changes nothing: there is nothing to drop",
    )


def test_a_ring_of_scenarios_is_refused() -> None:
    place, message, _ = only("ring_one.yaml")
    assert place == "ring_two.yaml:1:1"
    assert message == "the scenario extends itself: ring_one.yaml -> ring_two.yaml -> ring_one.yaml"


def test_a_parent_that_is_not_there_gets_a_suggestion() -> None:
    place, message, cure = only("bad_parent.yaml")
    assert place == "bad_parent.yaml:1:1"
    assert message == "there is no scenario 'bas.yaml'; did you mean 'base.yaml'?"
    assert "base.yaml" in cure


def test_paths_are_relative_to_the_file_that_states_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = tmp_path / "child.yaml"
    child.write_text(f"extends: {BASE}\nname: Child\ninputs: {{baseline: {{table: mine.csv}}}}\n")
    monkeypatch.chdir(tmp_path.parent)
    loaded = load(child, set=["inputs.spend={risk_model: off, seed: off, table: s.csv, column: c, unit: £}"])
    assert loaded.table_path("inputs", "places", "table") == FIXTURES / "data" / "places.csv"
    assert loaded.table_path("inputs", "baseline", "table") == tmp_path / "mine.csv"
    assert loaded.table_path("inputs", "spend", "table") == tmp_path.parent / "s.csv"
    with pytest.raises(KeyError, match=r"inputs\.places\.name_of"):
        loaded.table_path("inputs", "places", "name_of")


# --set


def test_set_comes_last_and_is_recorded() -> None:
    loaded = load(FIXTURES / "low_floor.yaml", set=["rules.growth_floor.rate=0.5%", "pot=£12m"])
    assert loaded.scenario.rules["growth_floor"].parameters["rate"] == 0.005
    assert loaded.overrides[1:] == (
        "rules.growth_floor.rate: 1% -> 0.5%  (--set)",
        "pot.value: £10m -> £12m  (--set)",
    )
    assert str(loaded.mark("rules", "growth_floor", "rate")) == "--set rules.growth_floor.rate=0.5%"


def test_set_reaches_an_item_of_a_list() -> None:
    loaded = load(BASE, set={"objectives.0": "shortfall_below_target"})
    assert [one.name for one in loaded.scenario.objectives] == ["shortfall_below_target", "movement"]
    _, message, cure = only(BASE, "objectives.2=movement")
    assert message == "the list has no item '2'"
    assert cure == "objectives has the items 0 to 1: [gross_deficit, movement]"


def test_set_can_drop_a_rule() -> None:
    assert "growth_floor" not in load(BASE, set=["rules.growth_floor=off"]).scenario.rules


def test_a_mistyped_set_is_refused_with_a_suggestion() -> None:
    for given, meant in (
        ("rules.growht_floor.rate=1%", "growth_floor"),
        ("formula.hospitl.share=80%", "hospital"),
        ("inputs.places.tabl=x.csv", "table"),
        ("sovler.gap=1%", "solver"),
    ):
        place, message, _ = only(BASE, given)
        assert place == f"--set {given}"
        assert message.endswith(f"; did you mean '{meant}'?")


def test_a_set_without_a_value_is_refused() -> None:
    assert "'rules' does not set a key" in told(BASE, "rules")
    assert "cure: write --set key.path=value" in told(BASE, "rules")


def test_a_set_that_changes_nothing_is_warned_about() -> None:
    loaded = load(BASE, set=["solver.gap=0.10%", "rules.growth_ceiling=off"])
    assert loaded.warnings == (
        "--set: solver.gap: 0.10% changes nothing: base.yaml:27:27 says so already",
        "--set: rules.growth_ceiling: off changes nothing: there is nothing to drop",
    )
    assert loaded.overrides == ()


def test_off_for_a_rule_that_no_model_has_is_an_error() -> None:
    assert only(BASE, "rules.growht_floor=off")[1].endswith("did you mean 'growth_floor'?")


def test_parents_cannot_be_set() -> None:
    assert only(BASE, "extends=x.yaml")[1] == "a scenario's parents cannot be set"


# faults of the text


def test_a_bracket_left_open_is_told_with_its_line() -> None:
    text = told("syntax.yaml")
    assert "syntax.yaml:4:6: the text is not YAML" in text
    assert "cure: close the bracket, or write the missing comma" in text


def test_a_tab_is_told() -> None:
    text = told("tab.yaml")
    assert "tab.yaml:3:1: the text is not YAML: found character '\\t'" in text
    assert "cure: indent with spaces: a tab is not allowed there" in text


def test_a_missing_colon_is_told() -> None:
    text = told("colon.yaml")
    assert "colon.yaml:2:1" in text
    assert "cure: a colon is missing: write key: value" in text


def test_text_that_is_not_utf8_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "old.yaml"
    file.write_bytes(b"format: 1\npot: \xa35bn\n")
    assert f"{file}:2: the text is not UTF-8" in told(file)


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "empty.yaml"
    file.write_text("# nothing\n")
    assert "there is nothing in it" in told(file)


def test_every_duplicate_key_is_told_with_both_lines() -> None:
    found = problems("duplicate.yaml")
    assert found["rules.growth_floor"][:2] == (
        "duplicate.yaml:5:3",
        "duplicate key: written on line 4 and on line 5",
    )
    assert found["name"][1] == "duplicate key: written on line 2 and on line 6"


def test_null_is_refused_with_its_cure() -> None:
    found = problems("null.yaml")
    assert found["rules.growth_floor"][0] == "null.yaml:4:3"
    assert found["solver.gap"][1] == "has no value (null)"
    assert found["solver.gap"][2].startswith("write off to drop it")


def test_aliases_and_tags_mean_nothing() -> None:
    found = problems("anchor.yaml")
    assert found["why"][1] == "an alias (*name) repeats another value"
    assert found["source"][1] == "the tag !secret means nothing in a scenario"


def test_a_syntax_error_is_told_before_anything_heavy_is_imported() -> None:
    code = (
        "import sys\nfrom allocopt.scenario import load\nfrom allocopt.errors import ScenarioFault\n"
        f"try:\n    load({str(FIXTURES / 'syntax.yaml')!r})\nexcept ScenarioFault:\n    pass\n"
        "print([m for m in ('pandas', 'numpy', 'scipy', 'pyomo') if m in sys.modules])"
    )
    home = {**os.environ, "PYTHONPATH": str(FIXTURES.parents[2])}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=home)
    assert ran.stdout == "[]\n"


# faults of keys and values


def test_all_problems_are_told_at_once() -> None:
    found = problems("many.yaml")
    assert found["modle"][1:] == (
        "unknown key 'modle'; did you mean 'model'?",
        "the keys here are extends, " + ", ".join(load_fields()),
    )
    assert found["pot.value"] == ("many.yaml:4:7", "5 needs its unit", "write it like £3.2m")
    assert found["inputs.places.colums"][1] == "unknown key 'colums'; did you mean 'columns'?"
    assert found["inputs.baseline.unit"][1] == "'£ks' is not a unit of money for a column"
    assert found["rules.growth_flor"][1].startswith("model pace_of_change has no rule 'growth_flor'; did you mean")
    assert found["rules.growth_floor.rat"][1] == "unknown key 'rat'; did you mean 'rate'?"
    assert found["rules.growth_floor.taper"][1] == "expected a map, not 5%"
    assert found["rules.growth_ceiling.rate"] == ("many.yaml:13:20", "8 needs its unit", "write it like 2.5%")
    assert found["solver.time_limit"][1:] == ("60 needs its unit", "write it like 60s")
    assert found["formula"][1] == "the shares add up to 90%, not 100%: 70% + 20%"
    assert "the scenario many.yaml has 10 problems" in told("many.yaml")


def load_fields() -> list[str]:
    from allocopt.settings import Scenario  # noqa: PLC0415

    return list(Scenario.model_fields)


def test_a_rule_of_another_model_is_refused() -> None:
    _, message, cure = only(BASE, "rules.reach={max: 25 km}")
    assert message == "model pace_of_change has no rule 'reach'"
    assert cure == "it accepts " + ", ".join(rule.name for rule in load_model("pace_of_change").rules)


def test_a_rule_that_always_holds_cannot_be_set() -> None:
    assert only(BASE, "rules.budget={}")[1] == "'budget' always holds in this model and cannot be set"


def test_a_required_parameter_must_be_there() -> None:
    _, message, cure = only(BASE, "rules.growth_ceiling={}")
    assert message == "'rate' is missing"
    assert cure == "write rate: with its value, such as 2.5%"


def test_a_wrong_unit_is_told() -> None:
    assert only(BASE, "rules.growth_floor.rate=£2m")[1:] == (
        "'£2m' is not a rate",
        "write a number and %, such as 2.5%",
    )
    assert only(BASE, "pot=5%")[1] == "'5%' is not an amount of money"
    assert only(BASE, "solver.time_limit=60 km")[1] == "'60 km' is not a duration"


def test_a_value_of_the_wrong_kind_is_told() -> None:
    assert only(BASE, "name=3")[1:] == ("expected text, not 3", "put the value in quotes")
    assert only(BASE, "inputs.spend.seed=true")[1] == "expected a whole number, not true"
    assert only(BASE, "formula.hospital.need=[a]")[1] == "expected text or a map, not [a]"
    assert only(BASE, "rules.growth_floor=2%")[1] == "expected the parameters of the rule, not 2%"


def test_a_scenario_may_only_name_a_model() -> None:
    place, message, _ = only("path_model.yaml")
    assert place == "path_model.yaml:3:1"
    assert message.startswith("'../evil.py' is not a model's name: a scenario may only name a model, never give a path")


def test_an_unknown_model_gets_a_suggestion() -> None:
    assert only(BASE, "model=pace_of_chang")[1].endswith("did you mean 'pace_of_change'?")


def test_a_parent_that_drops_what_is_needed_is_shown_at_the_off() -> None:
    place, message, _ = only(BASE, "inputs.baseline=off")
    assert place == "--set inputs.baseline=off"
    assert message == "'baseline' is missing: off drops it here"


# what no single key shows


def test_a_component_is_a_share_of_need_or_an_amount() -> None:
    both = problems(BASE, "formula.remote.share=1%")["formula.remote"]
    assert both[1] == "the component has both a share of need and an amount"
    assert "'unit' is missing" in told(BASE, "formula.remote.unit=off")
    assert "'need' is missing" in told(BASE, "formula.hospital.need=off")


def test_shares_add_up_to_the_whole() -> None:
    # 80% + 25% = 105%
    _, message, cure = only(BASE, "formula.prescribing.share=25%")
    assert message == "the shares add up to 105%, not 100%: 80% + 25%"
    assert cure == "take away 5% in all from hospital, prescribing"


def test_a_baseline_is_given_in_one_way() -> None:
    both = "inputs.baseline.follows_activity={beyond: 10%, share_beyond: 26%, seed: 1}"
    assert only(BASE, both)[1] == "given in two ways: table, column, unit and follows_activity"
    assert "needs table and column and unit" in told(BASE, "inputs.baseline.column=off")


def test_modelled_spend_needs_a_seed() -> None:
    assert "'seed' is missing: modelled spend needs risk_model and seed" in told(BASE, "inputs.spend.seed=off")
    assert only(BASE, "inputs.spend.table=x.csv")[1] == "given in two ways: table and risk_model"


def test_the_pot_covers_the_years_exactly() -> None:
    place, message, cure = only("two_years.yaml")
    assert (place, message) == ("two_years.yaml:4:7", "no value for 2020-21")
    assert cure == "write one for every year: 2019-20, 2020-21"
    assert "'2021-22' is not a year of this scenario" in told("two_years.yaml", "pot.value.2021-22=£1m")


def test_the_pot_is_whole_pounds_and_more_than_nothing() -> None:
    assert only(BASE, "pot=£10.50")[2] == "write £10 or £11"
    assert only(BASE, "pot=-£5m")[1] == "the pot must be more than nothing, not -£5m"


def test_years_are_years_in_order_and_once() -> None:
    assert "'2018-21' is not a year" in told(BASE, "years=[2018-21]")
    assert "2019-20 is listed twice" in told(BASE, "years=[2019-20, 2019-20]")
    assert "cure: write [2019-20, 2020-21]" in told(BASE, "years=[2020-21, 2019-20]")


def test_small_lists_and_missing_values_are_checked() -> None:
    assert only(BASE, "inputs.places.small_lists.under=0")[1] == "under 0 people there is no list"
    assert only(BASE, "inputs.places.missing.imdd={treat: own_group}")[1].endswith("did you mean 'imd'?")


def test_objectives_are_listed_once_and_have_what_they_need() -> None:
    assert only(BASE, "objectives=[]")[1] == "model pace_of_change has no objective to pursue"
    assert only(BASE, "objectives=[movement, movement]")[1] == "objective 'movement' is listed twice"
    assert only(BASE, "inputs.spend=off")[1].startswith("objective 'gross_deficit' needs expected spend")


# finding, showing, starting


def test_a_scenario_is_found_by_path_and_missed_with_a_suggestion(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_scenario(BASE) == BASE
    monkeypatch.chdir(FIXTURES)
    with pytest.raises(ScenarioFault, match=r"did you mean 'base\.yaml'"):
        find_scenario("bsae.yaml")


def test_a_shipped_folder_that_is_not_there_is_told() -> None:
    assert shipped("models").name == "models"
    with pytest.raises(Exception, match="this installation of allocopt has no folder 'nonsense'"):
        shipped("nonsense")


def test_show_gives_values_as_written_with_place_and_source() -> None:
    loaded = load(FIXTURES / "low_floor.yaml")
    rows = {row.key: row for row in describe(loaded)}
    assert rows["pot.value"].value == "£10m"
    assert rows["pot.value"].source == "made up"
    assert rows["rules.growth_floor.taper.to"].source == "policy"
    assert rows["solver.slack_at_least"] == type(rows["pot.value"])("solver.slack_at_least", "£1", None, "default")


def test_the_source_of_a_replaced_value_is_not_passed_off_as_that_of_the_new_one() -> None:
    (rate,) = describe(load(FIXTURES / "low_floor.yaml"), "rules.growth_floor.rate")
    assert (rate.value, rate.source) == ("1%", "not said (the value before: policy)")


def test_show_one_key_or_say_what_was_meant(base: Loaded) -> None:
    assert [row.key for row in describe(base, "pot")] == ["pot.value", "pot.source"]
    with pytest.raises(ScenarioFault, match=r"did you mean 'rules\.growth_floor'"):
        describe(base, "rules.growht_floor")


def test_the_difference_of_two_scenarios_is_what_they_say_differently(base: Loaded) -> None:
    lower = difference(load(FIXTURES / "low_floor.yaml"), base)
    assert [(one.key, one.this, one.other) for one in lower] == [
        ("name", "Low floor", "Base"),
        ("rules.growth_floor.rate", "1%", "2%"),
    ]


def test_a_new_scenario_is_ready_to_run(tmp_path: Path) -> None:
    file = tmp_path / "new.yaml"
    file.write_text(new_scenario('Half: a "floor"', str(BASE)), encoding="utf-8")
    loaded = load(file)
    assert loaded.scenario.name == 'Half: a "floor"'
    assert loaded.scenario.why == "say here which question this scenario answers"
    assert loaded.overrides == loaded.warnings == ()


# the schema for editors


def test_the_schema_knows_the_rules_of_all_models() -> None:
    made = schema()
    rules = json.dumps(made["properties"]["rules"])
    assert '"growth_floor"' in rules
    assert '"const": "off"' in rules
    assert made["then"]["required"][:3] == ["format", "name", "model"]
    assert '"null"' not in json.dumps(made)


def test_the_shipped_schema_is_the_generated_one(tmp_path: Path) -> None:
    """When it is not: python -c "from allocopt.scenario import *; write_schema('scenarios/schema.json')"."""
    write_schema(tmp_path / "schema.json")
    assert (shipped("scenarios") / "schema.json").read_text(encoding="utf-8") == (tmp_path / "schema.json").read_text(
        encoding="utf-8"
    )
