"""Pots and populations by year: read from tables with a row for each year, and what follows from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from allocopt.errors import InputFault
from allocopt.plan import gather
from allocopt.scenario import load

PLACES = "code,name,people,need,base,body\nA,Ash,1000,1000,40,X\nB,Beech,3000,3000,100,X\nC,Cedar,2000,2400,60,Y\n"
YEARLY = (
    "fy,level,code,money,people\n"
    "2019/20,body,X,0,4400\n2019/20,body,Y,0,2000\n2019/20,nation,N,220,6400\n"
    "2020/21,body,X,0,4800\n2020/21,body,Y,0,2100\n2020/21,nation,N,231.5,6900\n"
)
SCENARIO = """\
format: 1
name: yearly
model: pace_of_change
years: [2019-20, 2020/21]
pot: {table: yearly.csv, column: money, unit: £m, year: fy, where: {level: nation}}
inputs:
  places: {table: places.csv, key: code, name: name, columns: {population: people}}
  populations: {table: yearly.csv, key: code, year: fy, column: people, where: {level: body}, follows: body}
  baseline: {table: places.csv, column: base, unit: £m}
formula: {need: {share: 100%, need: need}}
rules: {growth_floor: {rate: {2019/20: 1%, 2020-21: 2%}}}
objectives: [shortfall_below_target]
"""


@pytest.fixture
def folder(tmp_path):
    for name, text in (("places.csv", PLACES), ("yearly.csv", YEARLY), ("yearly.yaml", SCENARIO)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def gathered(folder: Path, *changes: tuple[str, str, str]):
    for name, old, new in changes:
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")
    return gather(load(folder / "yearly.yaml"))


def told(folder, *changes):
    with pytest.raises(InputFault) as caught:
        gathered(folder, *changes)
    return [f"{one.message} | {one.cure}" for one in caught.value.problems]


def test_pots_are_those_of_the_table_whatever_dash_the_year_is_written_with(folder):
    facts = gathered(folder)
    assert facts.situation.years == ("2019-20", "2020-21")
    assert facts.situation.pot.tolist() == [220.0, 231.5]


def test_a_place_keeps_its_share_of_its_bodys_people(folder):
    # X has 4,400 people, A a quarter of its list of 4,000: 1,100; then 4,800 / 4 = 1,200
    people = gathered(folder).inputs.population
    assert people.loc["A"].tolist() == [1100, 1200]
    assert people.loc["B"].tolist() == [3300, 3600]
    assert people.loc["C"].tolist() == [2000, 2100]


def test_the_year_before_the_first_is_the_population_that_the_needs_belong_to(folder):
    before = gathered(folder).situation.previous_population
    assert before[0].tolist() == [1000, 1100]


def test_need_grows_with_people(folder):
    # 2020-21: needs 1,000 x 1.2, 3,000 x 1.2 and 2,400 x 1.05 = 1,200, 3,600 and 2,520 of 7,320
    target = gathered(folder).situation.target
    assert target[:, 1] == pytest.approx(231.5 * np.array([1200, 3600, 2520]) / 7320)


def test_people_by_place_are_read_as_they_stand(folder):
    rows = "".join(f"{year},place,{code},0,{people}\n" for year in ("2019/20", "2020/21") for code, people in PEOPLE)
    facts = gathered(
        folder,
        ("yearly.csv", "2019/20,body", rows + "2019/20,body"),
        ("yearly.yaml", "where: {level: body}, follows: body", "where: {level: place}"),
    )
    assert facts.inputs.population.to_numpy().tolist() == [[1500, 1500], [3500, 3500], [2500, 2500]]


PEOPLE = (("A", 1500), ("B", 3500), ("C", 2500))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            ("yearly.csv", "2020/21,nation,N,231.5,6900\n", ""),
            "has no row for 2020-21 | the years of the table are 2019-20",
        ),
        (("yearly.yaml", ", where: {level: nation}", ""), "more than one row for 2019-20 (lines 2, 3, 4)"),
        (("yearly.csv", "2020/21,body,Y,0,2100\n", ""), "no population of 2020-21 for 1 code: Y"),
        (("yearly.csv", "231.5", "£231.5"), "write the number alone: the unit stands in the scenario"),
        (("yearly.yaml", "level: body", "level: bodies"), "no row of yearly.csv has 'bodies' in column 'level'"),
        (("yearly.csv", "Y,0,2100", "Y,0,0"), "a place without people has no figure per head"),
        (("yearly.yaml", "columns: {population: people}", "columns: {}"), "inputs.places.columns.population"),
        (
            ("yearly.yaml", "unit: £m, year: fy, where: {level: nation}", "unit: £m"),
            "'year' is missing: a pot from a table",
        ),
        (("yearly.yaml", "2020-21: 2%", "2021-22: 2%"), "no value for 2020-21"),
    ],
)
def test_what_a_yearly_table_lacks_is_told_with_its_cure(folder, change, words):
    assert any(words in one for one in told(folder, change))
