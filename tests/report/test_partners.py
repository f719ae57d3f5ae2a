"""The page of free choice and its picture: plain words, every plan a row, the same bytes again."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from test_choice import written

import allocopt
from allocopt.report.material import material
from allocopt.report.partners import partners_sections, picture
from allocopt.report.writers import PICTURE, reports

SHIPPED = Path(__file__).parents[2] / "examples" / PICTURE
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("partners")
    rules = "choice.price={placed: {admit: left_out, why: every practice must belong}}"
    found = allocopt.run(written(home), set=[rules], out=home / "runs", also=[reports]).folder
    assert found is not None
    return found


def texts(path: Path) -> list[str]:
    return [one.text or "" for one in ET.parse(path).getroot().iter(f"{SVG}text")]  # noqa: S314 - our own file


def test_the_picture_has_a_row_for_every_plan_and_says_what_each_costs(folder):
    said = texts(folder / PICTURE)
    assert [
        one for one in said if one in ("Nobody pools", "Free choice", "Free choice, placed", "Present groups (now)")
    ]
    assert said.index("Nobody pools") < said.index("Free choice") < said.index("Present groups (now)")
    assert "deficits £9.0m" in said  # 5 + 4 where nobody pools
    assert "deficits £9.0m, 0% of what pooling could do" in said  # the two that overspend are together
    assert not any("modelled" in one for one in said)


def test_the_people_of_a_row_add_up(folder):
    """Six lists of 10,000: each row has bars for 60,000 people, twenty thousand where the pair (A, D) has 11 of 20."""
    run = allocopt.runs.read_run(folder)
    found = material(run.record, run.tables, run.folder)
    assert picture(found) + "\n" == (folder / PICTURE).read_text(encoding="utf-8")
    root = ET.fromstring(picture(found))  # noqa: S314 - our own text
    colours = [one.get("fill") for one in root.iter(f"{SVG}rect")]
    assert {"#0072b2", "#d55e00"} <= set(colours)


def test_the_page_says_in_plain_words_who_would_leave_and_what_would_keep_them(folder):
    run = allocopt.runs.read_run(folder)
    who, price, leave = partners_sections(material(run.record, run.tables, run.folder))
    assert who.words[0].startswith("Suppose that every practice may choose its partners")
    assert "no coalition gains more than £0.00 a head" in who.words[1]
    assert any("underfunding" in one for one in who.items)
    assert [row[0] for row in price.figures[0].grid.rows][:2] == ["Nobody pools", "Free choice"]
    assert any("Payments of" in one for one in leave.items)
    assert "Who would join whom" in (folder / "report.html").read_text(encoding="utf-8")


def test_other_runs_have_no_such_section(folder):
    run = allocopt.runs.read_run(folder)
    tables = {name: one for name, one in run.tables.items() if name != "plans"}
    assert partners_sections(material(run.record, tables, run.folder)) == []


def test_the_picture_that_the_readme_shows_is_whole_and_small():
    assert SHIPPED.stat().st_size < 300_000
    said = texts(SHIPPED)
    assert "Placed by the centre, across areas" in said
    assert f"examples/{PICTURE}" in (SHIPPED.parents[1] / "README.md").read_text(encoding="utf-8")
