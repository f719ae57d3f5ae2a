"""Expected spend: recorded or modelled, always saying which, and never guessing what a table does not hold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from allocopt.errors import AllocoptError, ScenarioFault, TableFault
from allocopt.formula import Targets
from allocopt.inputs import Inputs
from allocopt.inputs.columns import NOT_KNOWN
from allocopt.risk import ENGLAND_PRACTICES, persistent_draw
from allocopt.settings import Scenario, Spend
from allocopt.spend import expected_spend, exposure, risk_model, risk_parts

PLACES = pd.Index(["A1", "A2", "B1", "B2"], name="place", dtype="str")
TABLES = Path(__file__).parents[1] / "scenarios" / "data"
CHANCE_ALONE = {
    "area_sd": "0%",
    "persistent_sd": "0%",
    "heavy_sd": "0%",
    "gradient_poorest": "0%",
    "gradient_richest": "0%",
}


def scenario(years: tuple[str, ...] = ("2019-20",), **spend: Any) -> Scenario:
    return Scenario.model_validate(
        {
            "format": 1,
            "name": "four places",
            "model": ["pace_of_change"],
            "years": list(years),
            "pot": "£4m",
            "inputs": {
                "places": {"table": "places.csv", "key": "code"},
                "baseline": {"table": "money.csv", "column": "now", "unit": "£k"},
                "spend": spend or None,
            },
            "formula": {},
        }
    )


def modelled(years: tuple[str, ...] = ("2019-20",), **changes: Any) -> Scenario:
    return scenario(years, **{"risk_model": "england_practices", "seed": 7, **changes})


def inputs(years: tuple[str, ...] = ("2019-20",), recorded: pd.Series | None = None, **columns: list[Any]) -> Inputs:
    """Four places in two areas: 1,600, 2,500, 6,400 and 10,000 people, B1's deprivation not known."""
    given: dict[str, list[Any]] = {
        "people": [1600.0, 2500.0, 6400.0, 10000.0],
        "ccg_code": ["A", "A", "B", "B"],
        "score": [10.0, 40.0, np.nan, 20.0],
        **columns,
    }
    places = pd.DataFrame({name: cells for name, cells in given.items() if cells}, index=PLACES)
    roles = {"population": "people", "imd": "score"}
    roles = {role: column for role, column in roles.items() if column in places}
    people = places["people"] if "population" in roles else pd.Series(np.nan, index=PLACES)
    return Inputs(
        places=places,
        years=years,
        name=pd.Series(PLACES, index=PLACES),
        population=pd.DataFrame(dict.fromkeys(years, people)),
        previous_population=None,
        roles=roles,
        pot=pd.Series(4.0, index=list(years)),
        baseline=None,
        bodies=None,
        recorded_spend=recorded,
        lines=pd.Series([2, 3, 4, 5], index=PLACES),
        files=(),
        notes=(),
    )


def targets(years: tuple[str, ...] = ("2019-20",), places: pd.Index = PLACES) -> Targets:
    """GBP 1m a place in the first year, 2m in the second."""
    target = pd.DataFrame({year: float(n) for n, year in enumerate(years, start=1)}, index=places)
    return Targets(share=target / target.sum(), target=target, components={"all": target})


def refused(call: Any) -> AllocoptError:
    with pytest.raises(AllocoptError) as fault:
        call()
    return fault.value


def test_modelled_spend_is_target_times_one_plus_the_parts() -> None:
    spend = expected_spend(modelled(), inputs(), targets())
    parts = risk_parts(modelled(), inputs())
    assert list(parts.columns) == ["area", "persistent", "chance", "gradient", "shift", "clipped"]
    assert spend.spend["2019-20"].to_numpy() == pytest.approx(1 + parts.sum(axis="columns").to_numpy(), abs=1e-15)


def test_modelled_spend_says_so_with_its_seed() -> None:
    spend = expected_spend(modelled(), inputs(), targets())
    assert (spend.modelled, spend.seed) == (True, 7)
    assert spend.words == "modelled spend: england_practices, seed 7"


def test_the_words_name_every_parameter_that_was_changed() -> None:
    places = inputs(stp_code=["S", "S", "S", "S"])
    spend = expected_spend(modelled(kappa=3, area_sd="0.5%", heavy_share="19%", area="stp_code"), places, targets())
    assert spend.words == "modelled spend: england_practices with kappa 3, area_sd 0.5%, area stp_code, seed 7"


def test_every_year_has_the_same_distance_from_its_target() -> None:
    years = ("2019-20", "2020-21")
    spend = expected_spend(modelled(years), inputs(years), targets(years)).spend
    assert (spend["2020-21"] == 2 * spend["2019-20"]).all()


def test_places_of_one_area_share_a_shock_and_their_fifth_its_gradient() -> None:
    parts = risk_parts(modelled(), inputs())
    assert parts["area"]["A1"] == parts["area"]["A2"] != parts["area"]["B1"] == parts["area"]["B2"]
    # known scores 10, 20, 40 hold 1,600, 10,000, 2,500 people: midpoints 0.06, 0.47, 0.91 of 14,100 -> fifths 1, 3, 5
    assert parts["gradient"].tolist() == pytest.approx([0.017, -0.018, 0, -0.0005])


def test_clipping_is_shown_as_a_part_of_its_own() -> None:
    parts = risk_parts(modelled(kappa=1000), inputs())
    total = parts.sum(axis="columns")
    assert (parts["clipped"] != 0).any()
    assert np.abs(total).max() == pytest.approx(0.6)


def test_another_draw_is_another_luck() -> None:
    assert (risk_parts(modelled(), inputs(), draw=1)["chance"] != risk_parts(modelled(), inputs())["chance"]).all()


def test_the_persistent_part_is_the_one_a_baseline_can_follow() -> None:
    alone = persistent_draw(PLACES, seed=7, model=ENGLAND_PRACTICES)
    assert risk_parts(modelled(), inputs())["persistent"].tolist() == alone.tolist()


def test_chance_alone_needs_neither_areas_nor_deprivation() -> None:
    spend = expected_spend(modelled(**CHANCE_ALONE), inputs(ccg_code=[], score=[]), targets())
    parts = risk_parts(modelled(), inputs())
    assert spend.spend["2019-20"].tolist() == (1 + parts["chance"]).tolist()


def test_a_scenario_changes_only_the_parameters_it_states() -> None:
    model = risk_model(modelled(national_shift="2.5%", kappa=0).inputs.spend or Spend())
    assert (model.national_shift, model.kappa, model.area_sd) == (0.025, 0, ENGLAND_PRACTICES.area_sd)


def test_spend_does_not_depend_on_places_that_leave_the_run() -> None:
    """The gradient is left out here: its fifths are formed over the places of the run."""
    flat = {"gradient_poorest": "0%", "gradient_richest": "0%"}
    everyone = inputs()
    some = Inputs(
        **{**vars(everyone), "places": everyone.places.iloc[1:3], "population": everyone.population.iloc[1:3]}
    )
    kept = expected_spend(modelled(**flat), some, targets(places=PLACES[1:3])).spend
    pd.testing.assert_frame_equal(kept, expected_spend(modelled(**flat), everyone, targets()).spend.iloc[1:3])


def test_spend_is_the_same_in_every_process() -> None:
    code = (
        "import tests.test_spend as t\n"
        "print([x.hex() for x in t.expected_spend(t.modelled(), t.inputs(), t.targets()).spend['2019-20']])"
    )
    root = Path(__file__).parents[1]
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=root,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("0", "1")
    }
    here = expected_spend(modelled(), inputs(), targets()).spend["2019-20"]
    assert seen == {str([float(value).hex() for value in here])}


def test_real_practices_are_read_with_their_areas_lists_and_fifths() -> None:
    table = pd.read_csv(TABLES / "england_practices_2018_19.csv", index_col="practice_code").sort_index()
    real = Inputs(
        **{
            **vars(inputs()),
            "places": table,
            "population": table[["registered_pop_2018_19"]].set_axis(["2019-20"], axis="columns"),
            "roles": {"population": "registered_pop_2018_19", "imd": "imd_score_2019"},
        }
    )
    read = exposure(Spend(risk_model="england_practices", seed=7), real, model=ENGLAND_PRACTICES)
    assert read.area_keys is not None
    assert read.fifth is not None
    assert (len(read.places), len(read.area_keys), int(np.isnan(read.fifth).sum())) == (7325, 192, 348)


def test_recorded_spend_is_used_as_it_stands_and_is_not_called_modelled() -> None:
    recorded = pd.Series([1.1, 0.9, 1.0, 1.2], index=PLACES)
    spend = expected_spend(scenario(table="out.csv", column="spent", unit="£m"), inputs(recorded=recorded), targets())
    assert spend.spend["2019-20"].tolist() == [1.1, 0.9, 1.0, 1.2]
    assert (spend.modelled, spend.seed, spend.words) == (False, None, "recorded spend: column spent of out.csv")


def test_a_table_of_modelled_spend_says_so() -> None:
    said = scenario(table="out.csv", column="spent", unit="£m", modelled=True)
    spend = expected_spend(said, inputs(recorded=pd.Series(1.0, index=PLACES)), targets())
    assert (spend.modelled, spend.words) == (True, "modelled spend: column spent of out.csv")


def test_recorded_spend_is_not_stretched_over_several_years() -> None:
    years = ("2019-20", "2020-21")
    said = scenario(years, table="out.csv", column="spent", unit="£m")
    fault = refused(lambda: expected_spend(said, inputs(years, pd.Series(1.0, index=PLACES)), targets(years)))
    assert isinstance(fault, ScenarioFault)
    assert str(fault) == (
        "expected spend cannot be given\n"
        "  inputs.spend.column: recorded spend is one year's and the scenario has 2: nothing says how it grows\n"
        "    cure: keep one year (years: [2019-20]), or use risk_model"
    )


def test_recorded_spend_that_is_missing_names_the_place() -> None:
    said = scenario(table="out.csv", column="spent", unit="£m")
    recorded = pd.Series([1.0, np.nan, 1.0, 1.0], index=PLACES)
    fault = refused(lambda: expected_spend(said, inputs(recorded=recorded), targets()))
    assert isinstance(fault, TableFault)
    assert "inputs.spend.column: spend is missing for A2 (line 3)\n    cure: fill it in" in str(fault)
    unread = refused(lambda: expected_spend(said, inputs(), targets()))
    assert "inputs.spend.table: no recorded spend was read\n    cure: name its table, column and unit" in str(unread)


def test_a_run_without_spend_says_what_to_add() -> None:
    fault = refused(lambda: expected_spend(scenario(), inputs(), targets()))
    assert isinstance(fault, ScenarioFault)
    expected = (
        "inputs.spend: the scenario says no spend\n    cure: give a table, column and unit, or risk_model and seed"
    )
    assert expected in str(fault)


def test_modelled_spend_without_a_seed_is_refused() -> None:
    fault = refused(lambda: expected_spend(modelled(seed=None), inputs(), targets()))
    assert "inputs.spend.seed: modelled spend needs a seed\n    cure: write one, such as seed: 7" in str(fault)


def test_recorded_spend_has_no_parts() -> None:
    fault = refused(lambda: risk_parts(scenario(table="out.csv", column="spent", unit="£m"), inputs()))
    assert "inputs.spend.risk_model: spend from a table has no parts" in str(fault)
    fault = refused(lambda: risk_model(Spend()))
    assert "inputs.spend.risk_model: no spend model is named\n    cure: write risk_model: england_practices" in str(
        fault
    )


def test_a_missing_area_column_is_named_with_the_key_that_chooses_it() -> None:
    fault = refused(lambda: expected_spend(modelled(area="ccg_cod"), inputs(), targets()))
    assert isinstance(fault, TableFault)
    assert (
        "inputs.spend.area: the places table has no column 'ccg_cod'; did you mean 'ccg_code'?\n"
        "    cure: name at inputs.spend.area the column whose value is the area that shares a shock, or set area_sd: 0%"
    ) in str(fault)


@pytest.mark.parametrize("empty", [None, "", NOT_KNOWN])
def test_places_whose_area_is_not_known_share_no_shock(empty: str | None) -> None:
    fault = refused(lambda: expected_spend(modelled(), inputs(ccg_code=["A", "A", "B", empty]), targets()))
    assert "inputs.spend.area: no area is known in column 'ccg_code' for B2 (line 5)" in str(fault)


def test_every_missing_column_is_told_at_once() -> None:
    fault = refused(lambda: expected_spend(modelled(), inputs(people=[], ccg_code=[], score=[]), targets()))
    assert [problem.key for problem in fault.problems] == [
        "inputs.spend.area",
        "inputs.places.columns.population",
        "inputs.places.columns.imd",
    ]
    assert "no column of population is named: list-size noise and deprivation fifths need it" in str(fault)
    assert "no deprivation score: the gradient by deprivation fifth needs it" in str(fault)
    assert "or set inputs.spend.gradient_poorest and gradient_richest to 0%" in str(fault)


@pytest.mark.parametrize("people", [np.nan, 0.0, -3.0])
def test_a_place_without_people_is_named(people: float) -> None:
    fault = refused(lambda: expected_spend(modelled(), inputs(people=[1600.0, people, 6400.0, 1e4]), targets()))
    assert "population is missing or not above 0 for A2 (line 3)" in str(fault)


def test_targets_of_other_places_are_refused() -> None:
    fault = refused(lambda: expected_spend(modelled(), inputs(), targets(places=PLACES[:3])))
    assert str(fault) == "targets and places are not the same places: these codes do not match: B2"
    fault = refused(lambda: expected_spend(modelled(), inputs(), targets(places=PLACES[::-1])))
    assert str(fault) == "targets and places are not the same places: the order differs"


@pytest.mark.parametrize(
    ("parameter", "value", "text"),
    [
        ("heavy_sd", "-2%", "a standard deviation cannot be negative: -2%"),
        ("heavy_share", "120%", "a share lies between 0% and 100%: 120%"),
        ("area_sd", 0.02, "0.02 needs its unit: write it like 2.5%"),
        ("kappa", -1, "greater than or equal to 0"),
    ],
)
def test_impossible_parameters_are_refused_when_the_scenario_is_read(parameter: str, value: Any, text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        Spend.model_validate({"risk_model": "england_practices", "seed": 7, parameter: value})
