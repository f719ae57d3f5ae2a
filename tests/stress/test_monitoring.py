"""The monitoring view: the published returns, the offset line and the lights."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from allocopt.inputs import InputFile
from allocopt.returns import Returns
from allocopt.settings.stress import Bands
from allocopt.stress.monitoring import light, rows_of, view

BANDS = Bands(amber_money="£1m", red_money="£5m")


def returns(*rows):
    frame = pd.DataFrame(rows, columns=["area", "body", "plan", "forecast"])
    frame["variance"] = frame["forecast"] - frame["plan"]
    return Returns(frame, InputFile("returns.csv", "0", len(rows)))


def published(*rows):
    frame = pd.DataFrame(rows, columns=["area", "body", "variance"]).assign(plan=np.nan, forecast=np.nan)
    return Returns(frame, InputFile("returns.csv", "0", len(rows)))


def test_members_deficits_do_not_add_up_to_the_areas_and_the_offset_says_so():
    # 9.1 + 13.6 = 22.7 against 15: 7.7 is offset elsewhere; 2.5 + 1.4 + 0.106 = 4.006 against 2
    shown = view(
        published(
            ("West Sussex", "", 15.0),
            ("West Sussex", "One", 9.1),
            ("West Sussex", "Two", 13.6),
            ("Barking and Dagenham", "", 2.0),
            ("Barking and Dagenham", "A", 2.5),
            ("Barking and Dagenham", "B", 1.4),
            ("Barking and Dagenham", "C", 0.106),
        ),
        BANDS,
    )
    offset = shown[shown["line"] == "offset"].set_index("area")["variance_gbp"]
    assert offset.to_dict() == {"Barking and Dagenham": -2_006_000, "West Sussex": -7_700_000}
    assert shown["line"].tolist() == ["body", "body", "body", "offset", "area", "body", "body", "offset", "area"]
    lights = shown.set_index(["area", "body", "line"])["band"]
    assert lights["Barking and Dagenham", "C", "body"] == "green"
    assert lights["Barking and Dagenham", "B", "body"] == "amber"
    assert lights["West Sussex", "Two", "body"] == "red"


def test_plan_and_forecast_give_variance_and_lights_by_share_of_plan():
    shown = view(
        returns(("X", "a", 100.0, 100.4), ("X", "b", 100.0, 101.5), ("X", "c", 100.0, 99.0)),
        Bands(amber="0.5%", red="1%"),
    )
    bodies = shown[shown["line"] == "body"]
    assert bodies["variance_pct"].tolist() == pytest.approx([0.4, 1.5, -1.0])
    assert bodies["band"].tolist() == ["green", "red", "green"]
    # an area without a return of its own is the sum of its bodies, and nothing is offset
    area = shown[shown["line"] == "area"].iloc[0]
    assert (area["plan_gbp"], area["variance_gbp"]) == (300_000_000, 900_000)
    assert shown.loc[shown["line"] == "offset", "variance_gbp"].tolist() == [0]


def test_in_every_area_bodies_and_offset_add_up_to_the_area():
    rng = np.random.default_rng(1)
    rows = [(f"A{n // 4}", "" if n % 4 == 0 else f"B{n}", *rng.integers(1, 1000, 2) / 10) for n in range(40)]
    shown = view(returns(*rows), BANDS)
    for _, part in shown.groupby("area"):
        sums = part.groupby("line")[["plan_gbp", "forecast_gbp", "variance_gbp"]].sum()
        assert (sums.loc["body"] + sums.loc["offset"]).tolist() == sums.loc["area"].tolist()


def test_the_worse_light_counts_and_an_unknown_share_gives_none():
    both = Bands(amber="1%", red="2%", amber_money="£1m", red_money="£5m")
    assert light(6.0, 0.001, both) == "red"
    assert light(0.5, 0.015, both) == "amber"
    assert light(0.5, np.nan, both) == "green"
    assert light(6.0, np.nan, Bands(amber="1%", red="2%")) is None


def test_the_sums_of_the_view_are_rows_of_the_stress_table():
    rows = {
        (row.level, row.measure): row.value for row in rows_of(view(published(("X", "", 2.0), ("X", "a", 3.0)), BANDS))
    }
    assert rows["group", "gross_deficit"] == pytest.approx(3.0)
    assert rows["area", "offset"] == pytest.approx(-1.0)
    assert rows["group", "bodies_amber"] == 1
