"""The practice table of every year: the same practices under other headings, and the tool's own need indices."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from allocopt.cli import app
from allocopt.errors import TableFault
from allocopt.exchange.need_index import Place, half_up, need_indices, places_by
from allocopt.exchange.official import read_official

PRACTICES = [
    # code, name, icb code, icb name, district, population, general and acute, overall
    ("A1", "Hill", "QAA", "NHS North ICB", "Upton", 16.0, 13.0, 20.0),
    ("A2", "Dale", "QAA", "NHS North ICB", "Upton", 84.0, 87.0, 90.0),
    ("A3", "Moor", "QAA", "NHS North ICB", "Vale", 100.0, 100.0, 90.0),
    ("B1", "Quay, The", "QBB", "NHS South ICB", "Weston", 50.0, 40.5, 60.0),
]
HEADINGS = {
    "2019/20": "Practice,GP practice name,STP21,STP21_42,CCG19,GP_pop,WP_G&A,WP_Overall",
    "2022/23": "Practice_Code,GP_Practice_Name,ICS22,ICS22name,LTLA21,pop 2022/23,G&A WP,Final WP",
    "2023/24": "Practice_Code,GP_Practice_Name,ICB23,ICB23name,LTLA23,pop 2023/24,G&A WP,Final WP",
    "2024/25": "Practice_Code,GP_Practice_Name,ICB,ICBname,LTLA,Population,G&A WP,Final WP",
    "2025/26": "Practice_Code,GP_Practice_Name,ICB,ICBname,LADname,Registered Patients,G&A WP,Core WP",
}


def write(folder: Path, headings: str, rows=PRACTICES, encoding: str = "utf-8") -> Path:
    path = folder / "practices.csv"
    frame = pd.DataFrame(rows, columns=headings.split(","))
    path.write_bytes(frame.to_csv(index=False).encode(encoding))
    return path


@pytest.mark.parametrize("year", HEADINGS)
def test_the_table_of_every_year_reads_the_same(tmp_path, year):
    found = read_official(write(tmp_path, HEADINGS[year]))
    wanted = {"practice_code", "practice_name", "icb_code", "icb_name", "population", "wp_general_acute", "wp_overall"}
    assert wanted < set(found.table.columns)
    assert found.table["practice_code"].tolist() == ["A1", "A2", "A3", "B1"]
    assert found.table["icb_name"].tolist() == ["NHS North ICB"] * 3 + ["NHS South ICB"]
    assert found.table["population"].tolist() == [16.0, 84.0, 100.0, 50.0]
    assert found.table["wp_general_acute"].sum() == 240.5


def test_a_projected_population_comes_before_a_count_of_patients(tmp_path):
    rows = [(*row, 999) for row in PRACTICES]
    found = read_official(write(tmp_path, HEADINGS["2022/23"] + ",Patients", rows))
    assert found.table["population"].tolist() == [16.0, 84.0, 100.0, 50.0]
    assert any("population is taken from 'pop 2022/23', not from ['Patients']" in note for note in found.notes)


def test_an_empty_column_is_no_population(tmp_path):
    rows = [(*row[:5], "", *row[6:], row[5]) for row in PRACTICES]
    found = read_official(write(tmp_path, HEADINGS["2024/25"] + ",Patients", rows))
    assert found.table["population"].tolist() == [16.0, 84.0, 100.0, 50.0]


def test_codes_and_names_are_told_apart_by_what_stands_in_them(tmp_path):
    # in the 2019/20 table 'CCG' holds codes and 'CCG19' names; 'STP' is a plain number and says nothing
    rows = [(*row[:4], "NHS Upton CCG", *row[5:], "01A", 3, "E54000050") for row in PRACTICES]
    found = read_official(write(tmp_path, HEADINGS["2019/20"] + ",CCG,STP,STP21ons", rows))
    assert set(found.table["ccg_code"]) == {"01A"}
    assert set(found.table["ccg_name"]) == {"NHS Upton CCG"}
    assert set(found.table["icb_ons"]) == {"E54000050"}
    assert any("STP" in note for note in found.notes if note.startswith("columns not taken over"))


def test_a_table_saved_by_a_spreadsheet_keeps_its_pound_sign(tmp_path):
    rows = [(*row, 7.5) for row in PRACTICES]
    found = read_official(write(tmp_path, HEADINGS["2019/20"] + ",Target_inc_remote_£k", rows, encoding="cp1252"))
    assert found.table["target_inc_remote_k"].sum() == 30.0


def test_need_indices_by_hand(tmp_path):
    found = read_official(write(tmp_path, HEADINGS["2025/26"]))
    table = need_indices(found, [Place("One", ("A1",), "NHS North ICB"), Place("Two", ("A2", "A3"), "NHS North ICB")])
    table = table.set_index("Place / ICB")
    # the ICB: 200 weighted over 200 people is 1; One: 13 / 16 = 0.8125, half up 0.813; Two: 187 / 184 = 1.0163
    assert table["G&A Index"].tolist() == [1.0, 0.813, 1.016]
    # overall: the ICB 200 / 200 = 1; One 20 / 16 = 1.25; Two 180 / 184 = 0.97826
    assert table["Overall Core Index"].tolist() == [1.0, 1.25, 0.978]
    assert table["GP pop"].tolist() == [200, 16, 184]
    assert list(table.index) == ["NHS North ICB", "One", "Two"]


def test_the_row_of_an_icb_is_weighted_over_population_not_one(tmp_path):
    found = read_official(write(tmp_path, HEADINGS["2025/26"]))
    table = need_indices(found, [Place("Port", ("B1",), "NHS South ICB")]).set_index("Place / ICB")
    # 40.5 / 50 = 0.81 for the ICB; the place is the whole ICB, so its index is 1; 40.5 people print as 41
    assert table["G&A Index"].tolist() == [0.81, 1.0]
    assert table["Weighted G&A pop"].tolist() == [41, 41]


@pytest.mark.parametrize(
    ("value", "step", "rounded"),
    [
        (0.8125, "0.001", 0.813),
        (1.0005, "0.001", 1.001),
        (2.5, "1", 3.0),
        (0.0005, "0.001", 0.001),
        (1.0004999, "0.001", 1.0),
    ],
)
def test_rounding_is_half_up_on_the_printed_decimal(value, step, rounded):
    assert half_up(value, step) == rounded


def test_places_are_formed_by_district_unless_a_column_is_named(tmp_path):
    found = read_official(write(tmp_path, HEADINGS["2025/26"]))
    assert [one.name for one in places_by(found)] == ["Upton", "Vale", "Weston"]
    assert [one.name for one in places_by(found, "icb_code")] == ["QAA", "QBB"]
    with pytest.raises(TableFault, match="no column 'ward'"):
        places_by(found, "ward")


def test_a_district_in_two_icbs_is_two_places(tmp_path):
    rows = [(*row[:4], "Upton", *row[5:]) for row in PRACTICES]
    found = read_official(write(tmp_path, HEADINGS["2025/26"], rows))
    assert [one.name for one in places_by(found)] == ["Upton (NHS North ICB)", "Upton (NHS South ICB)"]


def test_missing_cells_stay_empty_and_are_counted(tmp_path):
    rows = [*PRACTICES[:3], (*PRACTICES[3][:6], "", 60.0)]
    found = read_official(write(tmp_path, HEADINGS["2025/26"], rows))
    assert found.table["wp_general_acute"].isna().sum() == 1
    assert "1 practices have no wp_general_acute: left empty" in found.notes


def test_a_practice_on_two_rows_is_added_up_and_named(tmp_path):
    found = read_official(
        write(tmp_path, HEADINGS["2025/26"], [*PRACTICES, ("A1", "Hill", *PRACTICES[0][2:5], 4.0, 2.0, 1.0)])
    )
    assert found.table.set_index("practice_code").loc["A1", "population"] == 20.0
    assert any("several rows" in note and "A1" in note for note in found.notes)
    again = read_official(write(tmp_path, HEADINGS["2025/26"], [*PRACTICES, PRACTICES[0]]))
    assert again.table["population"].sum() == 250.0


def test_practices_without_people_and_weights_far_from_the_rest_are_told(tmp_path):
    many = [(f"C{at}", "n", "QAA", "NHS North ICB", "Upton", 1000.0, 1000.0, 1000.0) for at in range(30)]
    odd = [
        ("Z1", "n", "QAA", "NHS North ICB", "Upton", 1000.0, 9000.0, 1000.0),
        ("Z2", "n", "QAA", "NHS North ICB", "Upton", 0, 0, 0),
    ]
    notes = read_official(write(tmp_path, HEADINGS["2025/26"], many + odd)).notes
    assert any(note.startswith("wp_general_acute a head is over 5 times") and "Z1" in note for note in notes)
    assert "no people in Z2" in notes


@pytest.mark.parametrize(
    ("headings", "said"),
    [
        ("Practice_Code,GP_Practice_Name,ICB,ICBname,LADname,people,G&A WP,Core WP", "no column with the population"),
        ("code,GP_Practice_Name,ICB,ICBname,LADname,Population,G&A WP,Core WP", "no column with practice codes"),
        ("Practice_Code,GP_Practice_Name,ICB,ICBname,LADname,Population,x,y", "no weighted population"),
    ],
)
def test_what_is_no_practice_table_is_refused_with_its_headings(tmp_path, headings, said):
    with pytest.raises(TableFault) as caught:
        read_official(write(tmp_path, headings))
    assert said.removeprefix("no ") in str(caught.value)
    assert "headings read" in str(caught.value)


def test_a_word_where_a_number_belongs_is_refused_with_line_and_value(tmp_path):
    rows = [*PRACTICES[:2], (*PRACTICES[2][:6], "many", 90.0)]
    with pytest.raises(TableFault, match="'many' in column 'G&A WP'") as caught:
        read_official(write(tmp_path, HEADINGS["2025/26"], rows))
    assert caught.value.problems[0].line == 4


def test_a_workbook_is_refused_with_its_cure(tmp_path):
    path = tmp_path / "practices.xlsx"
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(TableFault, match="save the sheet of practices as CSV"):
        read_official(path)


def test_import_writes_both_tables_and_a_scenario_can_name_them(tmp_path):
    path = write(tmp_path, HEADINGS["2024/25"])
    said = CliRunner().invoke(app, ["import", str(path), "--out", str(tmp_path / "in"), "--json"])
    assert said.exit_code == 0, said.output
    told = json.loads(said.stdout)
    assert [Path(one).name for one in told["written"]] == ["practices_places.csv", "practices_need_indices.csv"]
    scenario = tmp_path / "in" / "new.yaml"
    scenario.write_text(
        "format: 1\nname: imported\nmodel: target_share\nyears: [2024-25]\npot: {value: £1m, source: made up}\n"
        + told["scenario"]
        + "\n  baseline: {table: practices_places.csv, column: population, unit: £k}\n"
        + "formula: {need: {share: 100%, need: wp_overall, source: made up}}\nobjectives: [movement]\n",
        encoding="utf-8",
    )
    checked = CliRunner().invoke(app, ["check", str(scenario), "--json"])
    assert checked.exit_code == 0, checked.output


def test_a_failure_of_import_is_exit_2_with_one_json_object(tmp_path):
    said = CliRunner().invoke(app, ["import", str(tmp_path / "none.csv"), "--json"])
    assert said.exit_code == 2
    assert json.loads(said.stdout)["error"]["kind"] == "table"


def test_the_shipped_practices_are_an_official_table_too():
    found = read_official(Path(__file__).parents[2] / "scenarios" / "data" / "england_practices_2018_19.csv")
    assert len(found.table) == 7325
    assert len({one.icb for one in places_by(found)}) == 42


def test_a_published_table_reads_without_editing_and_its_indices_agree_with_a_hand_sum():
    # four practices of the tool's own table for 2024/25, whose PCN, location and patients columns are empty
    # (contains public sector information licensed under the Open Government Licence v3.0)
    found = read_official(Path(__file__).parents[1] / "fixtures" / "official" / "aif_practices_2024_25.csv")
    assert found.table["population"].sum() == pytest.approx(41884.367923)
    table = need_indices(found, places_by(found)).set_index("Place / ICB")
    # Stockton-on-Tees: 28663.742497 of prescribing over 22627.550229 people, its ICB 51176.577416 over 41884.367923
    assert table.loc["Stockton-on-Tees", "Prescribing Index"] == 1.037
    assert table.loc["Stockton-on-Tees", "Overall Core Index"] == 1.069
    assert table.loc["Stockton-on-Tees", "GP pop"] == 22_628
    assert table.index.tolist()[1:] == ["Middlesbrough", "Redcar and Cleveland", "Stockton-on-Tees"]
