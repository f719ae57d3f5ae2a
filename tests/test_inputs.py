"""What a run may take as true: codes joined exactly, values checked, nothing filled in, choices told."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from table_cases import BODIES, PLACES, SHARED, loaded, refused, write

from allocopt.baseline import baseline
from allocopt.errors import TableFault
from allocopt.formula import targets
from allocopt.inputs import Inputs, pot_against_baseline, read_inputs
from allocopt.scenario import load

NEEDED = {"inputs.places.missing": {}}


def read(folder: Path, changes: dict[str, object] | None = None) -> Inputs:
    return read_inputs(loaded(folder, changes))


def swap(old: str, new: str) -> str:
    assert old in PLACES
    return PLACES.replace(old, new)


def test_inputs_are_sorted_by_code_in_gbp_million(tmp_path: Path) -> None:
    lines = PLACES.splitlines()
    write(tmp_path, places="\n".join([lines[0], *reversed(lines[1:])]))
    inputs = read(tmp_path)
    assert list(inputs.places.index) == ["A1", "A2", "B1", "B2"]
    assert inputs.places.index.name == "place"
    assert inputs.baseline is not None
    assert inputs.baseline.to_dict() == {"A1": 1.0, "A2": 2.0, "B1": 3.0, "B2": 4.0}  # £k / 1,000
    assert inputs.pot.to_dict() == {"2019-20": 11.0}
    assert inputs.name["B1"] == "Cedar"
    assert list(inputs.lines) == [5, 4, 3, 2]


def test_only_columns_that_are_used_become_numbers(tmp_path: Path) -> None:
    write(tmp_path, places=swap("baseline\n", "baseline,note\n").replace("000\n", "000, -\n"))
    places = read(tmp_path).places
    assert places["need"].dtype == np.float64
    assert places["note"].to_list() == [" -"] * 4


def test_a_file_is_named_once_with_its_hash(tmp_path: Path) -> None:
    (file,) = read(write(tmp_path)).files
    assert (file.file, file.rows, len(file.sha256)) == ("places.csv", 4, 64)


def test_one_population_stands_for_every_year(tmp_path: Path) -> None:
    inputs = read(
        write(tmp_path), {"years": ["2019-20", "2020-21"], "pot.value": {"2019-20": "£11m", "2020-21": "£12m"}}
    )
    assert inputs.population.loc["A1"].to_list() == [1000.0, 1000.0]
    assert inputs.pot.to_list() == [11.0, 12.0]


def test_a_missing_value_stays_missing_where_the_scenario_says_so(tmp_path: Path) -> None:
    inputs = read(write(tmp_path))
    imd = inputs.role("imd")
    assert imd is not None
    assert imd.isna().to_list() == [False, False, False, True]
    assert "1 place has no imd: own group 'not known'" in inputs.notes


def test_a_missing_group_is_a_group_of_its_own(tmp_path: Path) -> None:
    write(tmp_path, places=swap("Y,South,4000", "Y,,4000"))
    inputs = read(tmp_path, {"inputs.places.missing.region": {"treat": "own_group"}})
    assert inputs.places["region"].to_list() == ["North", "North", "South", "not known"]


def test_a_missing_value_is_an_error_where_the_scenario_is_silent(tmp_path: Path) -> None:
    message = refused(write(tmp_path), NEEDED)
    assert "places.csv:5: inputs.places.columns.imd: column 'imd' has 1 empty value: B2 (line 5)" in message
    assert (
        "cure: write the values, or say what to do: inputs.places.missing: {imd: {treat: own_group, why: ...}}"
        in message
    )


@pytest.mark.parametrize("key", ["population", "need", "index"])
def test_people_and_need_may_never_be_missing(tmp_path: Path, key: str) -> None:
    message = refused(write(tmp_path), {f"inputs.places.missing.{key}": {"treat": "own_group"}})
    assert "may not be missing" in message
    assert "cure: write the values, or leave the places out with `only`" in message


def test_what_to_do_about_an_unknown_column_is_an_error(tmp_path: Path) -> None:
    message = refused(write(tmp_path), {"inputs.places.missing.imdd": {"treat": "own_group"}})
    assert "'imdd' is neither a role of inputs.places.columns nor a column of places.csv" in message
    assert "cure: did you mean 'imd'" in message


@pytest.mark.parametrize(
    ("cell", "cure"),
    [
        ('"1,100"', "write thousands without a comma: 1234, not 1,234"),
        ("£1100", "write the number alone: the unit stands in the scenario"),
        ("110%", "write the number alone"),
        ("#N/A", "'#N/A' stands for no value: write the number, or leave the place out"),
        ("-", "'-' stands for no value"),
        ("nan", "'nan' stands for no value"),
        (" 1100 ", "remove the spaces around the number"),
        ("inf", "'inf' is not finite: write the number"),
        ("1e999", "'1e999' is not finite"),
        ("1_100", "write a plain number such as 1234.5"),
        ("12/03/2019", "write a plain number"),
    ],
)
def test_a_cell_that_is_no_plain_number_is_quoted_with_its_line(tmp_path: Path, cell: str, cure: str) -> None:
    message = refused(write(tmp_path, places=swap("1000,1100,", f"1000,{cell},")))
    quoted = cell.strip('"')
    assert (
        f"places.csv:2: formula.care.need: column 'need' has 1 value that is not a number: A1 (line 2: {quoted!r})"
        in message
    )
    assert f"cure: {cure}" in message


def test_an_empty_need_is_never_filled_in(tmp_path: Path) -> None:
    message = refused(write(tmp_path, places=swap("1000,1100,", "1000,,").replace("3000,3200,", "3000, ,")))
    assert "places.csv:2: formula.care.need: column 'need' has 2 empty values: A1 (line 2), B1 (line 4)" in message
    assert "cure: write the values, leave the places out with inputs.places.only, or name another column" in message


def test_a_negative_value_is_refused(tmp_path: Path) -> None:
    message = refused(write(tmp_path, places=swap("1000,1100,", "1000,-1100,")))
    assert "places.csv:2: formula.care.need: column 'need' has 1 value below zero: A1 (line 2: '-1100')" in message
    assert "cure: correct the values" in message


def test_a_place_without_people_is_refused(tmp_path: Path) -> None:
    message = refused(write(tmp_path, places=swap("North,1000,", "North,0,")))
    assert (
        "column 'people' has 1 value not above 0: A1 (line 2: '0'); a place without people has no figure per head"
        in message
    )
    assert "cure: correct it, or leave it out with small_lists" in message


def test_a_latitude_lies_on_the_globe(tmp_path: Path) -> None:
    message = refused(write(tmp_path), {"inputs.places.columns.latitude": "people"})
    assert "inputs.places.columns.latitude: column 'people' has 4 values above 90: A1 (line 2: '1000')" in message


def test_a_baseline_of_zero_is_refused(tmp_path: Path) -> None:
    message = refused(write(tmp_path, places=swap("30.5,1000", "30.5,0")))
    assert (
        "places.csv:2: inputs.baseline.column: column 'baseline' has 1 value not above 0: A1 (line 2: '0')" in message
    )
    assert "distance from target and growth would not exist" in message
    assert "cure: correct the values, or leave the places out with inputs.places.only or small_lists" in message


def test_an_empty_code_is_refused(tmp_path: Path) -> None:
    message = refused(write(tmp_path, places=swap("A2,Birch", ",Birch")))
    assert "places.csv:3: inputs.places.key: column 'code' has 1 empty code: line 3" in message
    assert "cure: write the code, or delete the row" in message


def test_a_code_that_stands_twice_is_refused(tmp_path: Path) -> None:
    message = refused(write(tmp_path, places=swap("A2,Birch", "A1,Birch").replace("B2,", "A1,")))
    assert "places.csv:3: inputs.places.key: column 'code' has 1 code more than once: A1 (lines 2, 3, 5)" in message
    assert "cure: keep one row per code" in message


def test_spaces_around_a_code_are_refused(tmp_path: Path) -> None:
    message = refused(write(tmp_path, places=swap("A2,Birch", "A2 ,Birch")))
    assert "column 'code' has 1 code with spaces around: A2 (line 3: 'A2 ')" in message
    assert "cure: remove the spaces before and after the code" in message


def test_codes_that_differ_by_case_are_told(tmp_path: Path) -> None:
    inputs = read(write(tmp_path, places=swap("A2,Birch", "a1,Birch")))
    assert (
        inputs.notes[0] == "place codes that differ only by upper and lower case, kept as different places: A1 and a1"
    )


def test_a_column_that_is_not_there_is_answered_with_the_close_names(tmp_path: Path) -> None:
    message = refused(write(tmp_path), {"inputs.places.columns.population": "peple", "formula.care.need": "wp"})
    assert "inputs.places.columns.population: places.csv has no column 'peple'" in message
    assert "cure: did you mean 'people'? its columns are: code, name, ccg, region, people" in message
    assert "formula.care.need: places.csv has no column 'wp'" in message


def test_semicolons_are_recognised(tmp_path: Path) -> None:
    message = refused(write(tmp_path, places=PLACES.replace(",", ";")))
    assert "places.csv has no column 'code'" in message
    assert "cure: separate the cells with commas, not with semicolons or tabs" in message


def test_a_join_names_the_codes_that_lack_and_those_that_are_too_many(tmp_path: Path) -> None:
    write(tmp_path, money="code,k\nA1,1\nA2,2\nB1,3\nC9,4\n")
    message = refused(tmp_path, {"inputs.baseline": {"table": "money.csv", "column": "k", "unit": "£k"}})
    assert "money.csv: inputs.baseline.table: no row for 1 place of places.csv: B2 (line 5)" in message
    assert "cure: add the missing rows to money.csv; nothing is filled in" in message
    assert "money.csv:5: inputs.baseline.table: 1 code that places.csv does not have: C9 (line 5)" in message
    assert "cure: delete the rows, or add the codes to places.csv" in message


@pytest.mark.parametrize(
    ("place", "row", "difference"),
    [("B2", "b2", "upper and lower case"), ("007", "7", "leading zeros")],
)
def test_a_join_sees_codes_that_look_alike_and_does_not_match_them(
    tmp_path: Path, place: str, row: str, difference: str
) -> None:
    write(tmp_path, places=swap("B2,", f"{place},"), money=f"code,k\nA1,1\nA2,2\nB1,3\n{row},4\n")
    message = refused(tmp_path, {"inputs.spend": {"table": "money.csv", "column": "k", "unit": "£m"}})
    assert f"cure: write '{place}' for '{row}' (they differ only by {difference})" in message


def test_a_join_looks_at_all_places_before_any_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, money="code,k\nA1,1\nA2,2\n")
    baseline = {"table": "money.csv", "column": "k", "unit": "£k"}
    message = refused(tmp_path, {"inputs.baseline": baseline, "inputs.places.only": {"region": "North"}})
    assert "no row for 2 places of places.csv: B1 (line 4), B2 (line 5)" in message


def test_a_long_list_of_codes_ends_with_the_count(tmp_path: Path) -> None:
    rows = [f"P{n:02d},Place,X,North,1000,,1,1,1000" for n in range(14)]
    message = refused(write(tmp_path, places="\n".join([PLACES.splitlines()[0], *rows])))
    assert "column 'need' has 14 empty values: P00 (line 2), P01 (line 3)" in message
    assert "P09 (line 11) and 4 more" in message
    assert "P10" not in message


def test_every_problem_of_every_table_is_told_at_once(tmp_path: Path) -> None:
    places = swap("A2,Birch", "A1,Birch").replace("1000,1100", "1000,x").replace("3000,3200", "3000,")
    write(tmp_path, places=places, money="code,k\nA1,1\nA1,2\nB1,3\n")
    with pytest.raises(TableFault) as fault:
        read(
            tmp_path,
            {"inputs.spend": {"table": "money.csv", "column": "k", "unit": "£m"}, "inputs.places.columns.area": "icb"},
        )
    told = [problem.key for problem in fault.value.problems]
    assert told == [
        "inputs.places.key",
        "inputs.spend.table",
        "inputs.spend.table",
        "inputs.places.columns.area",
        "formula.care.need",
        "formula.care.need",
    ]
    assert fault.value.message == "6 problems in the input tables (money.csv, places.csv)"


def test_two_unreadable_tables_are_both_told(tmp_path: Path) -> None:
    message = refused(tmp_path, {"inputs.spend": {"table": "money.csv", "column": "k", "unit": "£m"}})
    assert "inputs.places.table: table not found: places.csv" in message
    assert "inputs.spend.table: table not found: money.csv" in message


def test_recorded_spend_is_in_gbp_million(tmp_path: Path) -> None:
    write(tmp_path, money="code,k\nB2,4\nA1,1\nA2,0\nB1,3\n")
    inputs = read(tmp_path, {"inputs.spend": {"table": "money.csv", "column": "k", "unit": "£m"}})
    assert inputs.recorded_spend is not None
    assert inputs.recorded_spend.to_dict() == {"A1": 1.0, "A2": 0.0, "B1": 3.0, "B2": 4.0}


def test_only_keeps_places_and_says_so(tmp_path: Path) -> None:
    inputs = read(write(tmp_path), {"inputs.places.only": {"region": "North"}, "inputs.places.missing": {}})
    assert list(inputs.places.index) == ["A1", "A2"]
    assert inputs.notes == ("only 2 of 4 places are in the run and share the pot: region is North",)


def test_only_with_a_value_that_no_place_has_is_an_error(tmp_path: Path) -> None:
    message = refused(write(tmp_path), {"inputs.places.only": {"region": ["North", "Nrth"]}})
    assert "inputs.places.only.region: no place of places.csv has 'Nrth' in column 'region'" in message
    assert "cure: its values are: North, South" in message


def test_only_that_leaves_no_place_is_an_error(tmp_path: Path) -> None:
    message = refused(write(tmp_path), {"inputs.places.only": {"region": "North", "ccg": "Y"}})
    assert "no place is left: region is North and ccg is Y" in message


def test_small_lists_are_kept_or_left_out_as_the_scenario_says(tmp_path: Path) -> None:
    kept = read(write(tmp_path), {"inputs.places.small_lists": {"under": 2500, "treat": "keep"}})
    left = read(tmp_path, {"inputs.places.small_lists": {"under": 1500, "treat": "leave_out"}})
    assert "2 places under 2500 people (3,000 people in all) are kept" in kept.notes
    assert "1 place under 1500 people (1,000 people in all) is left out, with its target" in left.notes
    assert list(left.places.index) == ["A2", "B1", "B2"]


def test_a_negative_population_is_never_left_out_as_a_small_list(tmp_path: Path) -> None:
    write(tmp_path, places=swap("North,1000,", "North,-1000,"))
    message = refused(tmp_path, {"inputs.places.small_lists": {"under": 500, "treat": "leave_out"}})
    assert "column 'people' has 1 value not above 0: A1 (line 2: '-1000')" in message


def test_small_lists_need_a_population(tmp_path: Path) -> None:
    changes = {"inputs.places.columns.population": None, "inputs.places.small_lists": {"under": 500, "treat": "keep"}}
    message = refused(write(tmp_path), changes)
    assert "small_lists needs a population column" in message
    assert "cure: name the column: inputs.places.columns.population" in message


def test_without_a_population_figures_per_head_are_not_made(tmp_path: Path) -> None:
    inputs = read(write(tmp_path), {"inputs.places.columns.population": None})
    assert inputs.population.isna().all(axis=None)
    assert "no population column is named: figures per head are not made" in inputs.notes


def test_a_group_needs_its_column(tmp_path: Path) -> None:
    changes = {"report": {"group_by": ["region", "lad"]}, "inputs.places.columns.region": None}
    message = refused(write(tmp_path), changes)
    assert "report.group_by: places.csv has no column 'lad'" in message
    message = refused(tmp_path, {"report": {"group_by": ["imd_fifth"]}, "inputs.places.columns.imd": None, **NEEDED})
    assert "report.group_by: 'imd_fifth' needs the column that holds imd" in message
    assert "cure: name it at inputs.places.columns.imd, or take 'imd_fifth' out of group_by" in message


def test_a_group_may_not_be_empty(tmp_path: Path) -> None:
    message = refused(write(tmp_path, places=swap("Y,South,4000", "Y,,4000")))
    assert "inputs.places.columns.region: column 'region' has 1 empty value: B2 (line 5)" in message


def test_a_larger_bodys_money_joins_exactly(tmp_path: Path) -> None:
    write(tmp_path, bodies="ccg,money\nX,3300\nZ,6600\n")
    message = refused(tmp_path, SHARED)
    assert "bodies.csv: inputs.baseline.table: no row for 1 larger body of places.csv: Y (line 4)" in message
    assert "bodies.csv:3: inputs.baseline.table: 1 code that places.csv does not have: Z (line 3)" in message


def test_only_may_not_cut_through_a_larger_body(tmp_path: Path) -> None:
    write(tmp_path, bodies=BODIES)
    message = refused(tmp_path, SHARED | {"inputs.places.only": {"code": ["A1", "B1", "B2"]}})
    assert "`only` keeps some places of 1 larger body and leaves out others" in message
    assert "so the baseline cannot be shared among them: X" in message
    assert "cure: choose by the column that names the larger body, or by a larger area" in message


def test_a_larger_body_may_not_lose_all_its_places_as_small_lists(tmp_path: Path) -> None:
    write(tmp_path, bodies=BODIES)
    message = refused(tmp_path, SHARED | {"inputs.places.small_lists": {"under": 2500, "treat": "leave_out"}})
    assert "1 larger body has no place left to take the money: X" in message
    assert "cure: lower `under`, or treat: keep" in message


def test_the_money_of_a_left_out_small_list_is_said_to_stay_in_its_body(tmp_path: Path) -> None:
    write(tmp_path, bodies=BODIES)
    inputs = read(tmp_path, SHARED | {"inputs.places.small_lists": {"under": 1500, "treat": "leave_out"}})
    words = "the whole baseline of 1 larger body that loses small lists is shared among the places that stay"
    assert words in inputs.notes


def test_a_larger_bodys_money_is_shared_by_a_column(tmp_path: Path) -> None:
    write(tmp_path, bodies=BODIES)
    shared = {**SHARED["inputs.baseline"], "shared": {"within": "ccg", "by": "people"}}
    baseline = read(tmp_path, {"inputs.baseline": shared}).baseline
    # X: 3.3 x 1000 / 3000 = 1.1 and 2.2; Y: 6.6 x 3000 / 7000 = 2.828571 and 3.771429
    assert baseline is not None
    assert baseline.to_list() == pytest.approx([1.1, 2.2, 2.828571, 3.771429], abs=1e-6)


def test_a_larger_body_whose_shares_sum_to_zero_is_refused(tmp_path: Path) -> None:
    write(tmp_path, places=swap("baseline\n", "baseline,w\n").replace("000\n", "000,0\n"), bodies=BODIES)
    shared = {**SHARED["inputs.baseline"], "shared": {"within": "ccg", "by": "w"}}
    message = refused(tmp_path, {"inputs.baseline": shared})
    assert "inputs.baseline.shared.by: 'w' sums to zero within 2 larger bodies: X, Y" in message


def test_a_pot_far_from_the_baseline_is_a_warning_that_names_both(tmp_path: Path) -> None:
    inputs = read(write(tmp_path), {"pot.value": "£11bn"})
    assert inputs.baseline is not None
    (words,) = pot_against_baseline(inputs, inputs.baseline)
    assert words.startswith("the pot of 2019-20 is £11.00bn and the baselines sum to £10.0m: check their units")
    assert pot_against_baseline(read(tmp_path), inputs.baseline) == ()


def test_england_is_read_with_its_gaps_told() -> None:
    england = load("england")
    start = time.perf_counter()
    inputs = read_inputs(england)
    assert time.perf_counter() - start < 2  # 0.15 s on an idle core; the limit leaves room for a busy machine
    assert len(inputs.places) == 7325
    assert inputs.notes == (
        "116 places under 500 people (19,268 people in all) are kept",
        "348 places have no imd_score_2019: own group 'not known'",
    )
    # the published total of the 192 CCGs is £74,194,479k
    shared = baseline(england.scenario, inputs, targets(england.scenario, inputs))
    assert shared.sum() == pytest.approx(74_194.479, abs=1e-6)
    by_ccg = shared.groupby(inputs.places["ccg_code"]).sum()
    published = pd.read_csv(england.table_path("inputs", "baseline", "table")).set_index("ccg_code")
    np.testing.assert_allclose(by_ccg, published["allocation_2018_19_k"].sort_index() / 1000, rtol=1e-12)
