"""The page: whole in one file, every figure from the run's tables, words that follow the numbers."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from allocopt.report.material import Material, command, material, measured
from allocopt.report.need import at_steps, cumulative
from allocopt.report.page import embedded, page, sections, whole
from allocopt.report.parts import Column, Grid, pounds, write
from allocopt.report.writers import reports
from allocopt.runs import Run

ORDER = ["summary", "map", "groups", "distance", "inequality", "deficit", "rules", "places", "assumptions"]


class Page(HTMLParser):
    """What a test asks of a page: elements with their attributes, ids, text of tables, embedded data."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.data: dict[str, str] = {}
        self._script = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._script = str(dict(attrs).get("id", "")) if tag == "script" else ""

    def handle_data(self, data: str) -> None:
        if self._script:
            self.data[self._script] = self.data.get(self._script, "") + data

    def values(self, attribute: str) -> list[str]:
        return [str(attrs[attribute]) for _, attrs in self.elements if attribute in attrs]


def text_of(run: Run) -> str:
    assert run.folder is not None
    return (run.folder / "report.html").read_text(encoding="utf-8")


def facts(run: Run) -> Material:
    return material(run.record, run.tables, run.folder)


def test_the_page_is_one_file_that_asks_for_nothing_else(national):
    text = text_of(national)
    found = Page(text)
    assert len(text.encode()) < 10e6
    assert not [src for src in found.values("src") if src]
    assert {href[:1] for href in found.values("href")} <= {"#", "d"}
    assert not {"link"} & {tag for tag, attrs in found.elements if attrs.get("href", "data:") != "data:,"}
    assert not re.search(r"@import|url\(\s*['\"]?https?:", text[: text.index("</style>")])


def test_every_id_is_used_once_and_every_contents_link_has_its_section(national):
    found = Page(text_of(national))
    ids = Counter(found.values("id"))
    assert max(ids.values()) == 1
    assert {href[1:] for href in found.values("href") if href.startswith("#")} <= set(ids)


def test_the_sections_come_in_the_order_that_people_were_promised(national):
    made = [section.id for section in sections(facts(national))]
    assert [name for name in made if name in ORDER] == ORDER


def test_every_figure_has_a_caption_and_a_text_for_those_who_do_not_see_it(national):
    figures = [figure for section in sections(facts(national)) for figure in section.figures]
    assert len(figures) >= 9
    for figure in figures:
        assert len(figure.caption) > 40, figure.id
        assert len(figure.alt) > 20, figure.id
        assert (figure.spec is None) != (figure.svg is None)


def test_every_place_stands_in_the_page_with_its_exact_pounds(national):
    data = json.loads(Page(text_of(national)).data["places-data"])
    columns = dict(zip(data["heads"], data["columns"], strict=True))
    table = national.allocations
    assert columns["place"] == table["place"].tolist()
    assert columns["allocation, £"] == table["allocation_gbp"].tolist()
    assert sum(columns["allocation, £"]) == national.headline["pot_gbp"]


def test_bars_by_group_agree_with_the_effects_to_the_pound(national):
    charts = json.loads(Page(text_of(national)).data["charts"])
    effects = national.effects
    for name in ("imd_fifth", "need_decile", "region"):
        rows = effects[(effects["table"] == f"by_{name}") & (effects["group"].astype(str) != "total")]
        for at, measure, sign in ((0, "gained_gbp", 1), (1, "lost_gbp", -1), (2, "against_uniform_gbp", 1)):
            wanted = [sign * value for value in rows[rows["measure"] == measure]["value"]]
            trace = charts[f"by-{name}"]["data"][at]
            assert [round(value * 1e6) for value in trace["x"]] == wanted
            assert trace["customdata"] == [pounds(abs(value) if at < 2 else value) for value in wanted]


def test_the_bands_of_the_map_are_the_bands_of_the_effects(national):
    found = facts(national)
    bands = found.wide("bands")
    assert bands is not None
    counts = found.places["band"].value_counts()
    assert {band: counts.get(band, 0) for band in bands.index[:-1]} == bands["places"][:-1].astype(int).to_dict()


def test_the_map_draws_every_place_with_coordinates_and_london_twice(national):
    text = text_of(national)
    drawn = Counter(re.findall(r'data-i="(\d+)"', text))
    assert len(drawn) == 7325
    assert set(drawn.values()) == {1, 2}


def test_modelled_spend_is_said_wherever_it_is_used(national):
    for section in sections(facts(national)):
        for figure in section.figures:
            if "deficit" in figure.title.lower():
                assert "[modelled spend]" in figure.title
                assert "[modelled spend]" in figure.caption
        for grid in [*section.grids, *(figure.grid for figure in section.figures if figure.grid)]:
            if any("deficit" in column.heading for column in grid.columns):
                assert "modelled spend" in grid.title, grid.title


def test_recorded_spend_is_not_called_modelled(small):
    assert "modelled spend" not in text_of(small).replace("not recorded", "").lower().split("definitions")[0]


def test_a_run_without_coordinates_says_why_it_has_no_map(small):
    assert "no coordinates" in text_of(small)


def test_captions_follow_the_numbers_in_opposite_cases(small):
    found = facts(small)
    table = found.tables["effects"]
    turned = table.assign(
        value=table["value"].where(table["measure"] != "against_uniform_gbp", -table["value"]),
    )
    other = replace(found, tables={**found.tables, "effects": turned})
    one, two = (
        {figure.id: figure.caption for section in sections(each) for figure in section.figures}
        for each in (found, other)
    )
    by = next(name for name in one if name.startswith("by-"))
    assert one[by] != two[by]


def test_the_same_run_writes_the_same_bytes_twice(small, tmp_path):
    reports(small, tmp_path)
    assert small.folder is not None
    for name in ("report.html", "report.xlsx"):
        assert (tmp_path / name).read_bytes() == (small.folder / name).read_bytes()


def test_the_command_that_makes_the_run_again_carries_what_was_set():
    record = {
        "modelled_spend": False,
        "overrides": ["rules.growth_floor.rate: 3.6% -> 1%  (--set)", "a: 1 -> 2  (x.yaml:3:1)"],
    }
    found = Material(record, {}, "england-1234abcd")
    assert command(found) == "allocopt run england.yaml --set 'rules.growth_floor.rate=1%'"


def test_names_from_a_table_cannot_become_markup(small):
    allocations = small.allocations.assign(name="<script>alert(1)</script>")
    found = replace(facts(small), tables={**small.tables, "allocations": allocations})
    text = page(found)
    assert "<script>alert" not in text
    assert "\\u003cscript>alert" in text


def test_bands_meet_their_limits_exactly():
    # uniform £1,000,000: 0.1% is £1,000 and 5% is £50,000; on the limit counts as inside the smaller band
    given = [1_050_001, 1_050_000, 1_001_001, 1_001_000, 998_999, 949_999]
    places = pd.DataFrame({"allocation_gbp": given, "uniform_gbp": [1_000_000] * 6})
    wanted = ["gain >5%", "gain 0.1-5%", "gain 0.1-5%", "within 0.1%", "lose 0.1-5%", "lose >5%"]
    assert measured(places)["band"].tolist() == wanted


def test_a_curve_reads_the_place_at_each_share_of_people():
    # people 1, 1, 2 at -4, 0 and 8%: the first quarter is at -4, the second at 0, the upper half at 8
    x, y = at_steps(pd.Series([8.0, -4.0, 0.0]).to_numpy(), pd.Series([2.0, 1.0, 1.0]).to_numpy())
    assert {share: value for share, value in zip(x, y, strict=True) if share in (12.625, 37.625, 75.125)} == {
        12.625: -4.0,
        37.625: 0.0,
        75.125: 8.0,
    }


def test_a_lorenz_curve_by_hand():
    # money 10 and 30 for two people each: the poorer half holds a quarter
    x, y = cumulative(*(pd.Series(values).to_numpy() for values in ([30.0, 10.0], [2.0, 2.0], [15.0, 5.0])))
    assert (x, y) == ([0.0, 50.0, 100.0], [0.0, 25.0, 100.0])


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        (-1234.0, "gbp", "-£1,234"),
        (None, "gbp", "–"),
        (float("nan"), "pct", "–"),
        (-0.004, "pct", "-0.00%"),
        (7325, "count", "7,325"),
        (12.5, "per_head", "£12.50"),
        ("x", "gbp", "x"),
    ],
)
def test_cells_are_written_as_people_read_them(value, kind, said):
    assert write(value, kind) == said


def test_a_negative_amount_is_kept_on_one_line_and_text_is_escaped():
    assert whole("net -£209m & more") == 'net <span class="nb">-£209m</span> &amp; more'


def test_embedded_data_cannot_end_its_script():
    assert "</" not in embedded({"name": "</script>"})


def test_a_grid_writes_its_rows():
    grid = Grid("t", (Column("a"), Column("b", "gbp")), (("x", 5),))
    assert grid.written == [["x", "£5"]]


def test_the_report_folder_has_both_files(small: Run, tmp_path: Path):
    reports(small, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.xlsx"]
