"""The needs formula: shares of the pot by need, costs off the top, and the published practice targets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_cases import PLACES, loaded, write

from allocopt.errors import TableFault
from allocopt.formula import Targets, targets
from allocopt.inputs import Inputs, read_inputs
from allocopt.scenario import load

COST = PLACES.replace("baseline\n", "baseline,inc,exc\n").replace("1,2000\n", "1,2000\n")
COST = "\n".join(
    [
        COST.splitlines()[0],
        *(
            f"{line},{inc},{exc}"
            for line, inc, exc in zip(COST.splitlines()[1:], (700, 500, 500, 900), (500, 500, 500, 600), strict=True)
        ),
    ]
)
TWO = {
    "formula": {
        "care": {"share": "80%", "need": "need", "times": ["index"]},
        "medicines": {"share": "20%", "need": "people"},
        "remote": {"amount": "inc", "less": "exc", "unit": "£k"},
    }
}


def worked(folder: Path, changes: dict[str, Any]) -> tuple[Inputs, Targets]:
    case = loaded(folder, changes)
    inputs = read_inputs(case)
    return inputs, targets(case.scenario, inputs)


def refused(folder: Path, changes: dict[str, Any]) -> str:
    with pytest.raises(TableFault) as fault:
        worked(folder, changes)
    return str(fault.value)


def test_a_target_is_the_sum_of_its_components(tmp_path: Path) -> None:
    _, aims = worked(write(tmp_path, places=COST), TWO)
    # amounts: A1 700 - 500 = £200k, B2 900 - 600 = £300k; left of the pot: 11 - 0.5 = £10.5m
    # care n: 1100 x 1.0, 1900 x 1.1, 3200 x 0.9, 3800 x 1.0 = 1100, 2090, 2880, 3800; sum 9870
    # A1: 10.5 x 0.8 x 1100 / 9870 + 10.5 x 0.2 x 1000 / 10000 + 0.2 = 0.936170 + 0.21 + 0.2 = 1.346170
    assert aims.components["care"].loc["A1", "2019-20"] == pytest.approx(0.936170, abs=1e-6)
    assert aims.components["medicines"].loc["A1", "2019-20"] == pytest.approx(0.21)
    assert aims.components["remote"]["2019-20"].to_list() == pytest.approx([0.2, 0, 0, 0.3])
    assert aims.target.loc["A1", "2019-20"] == pytest.approx(1.346170, abs=1e-6)
    assert list(aims.components) == ["care", "medicines", "remote"]


def test_need_may_be_a_weighted_mix_of_columns(tmp_path: Path) -> None:
    _, aims = worked(
        write(tmp_path), {"formula": {"care": {"share": "100%", "need": {"need": "75%", "people": "25%"}}}}
    )
    # 0.75 x need + 0.25 x people = 1075, 1925, 3150, 3850; sum 10000
    assert aims.share["2019-20"].to_list() == pytest.approx([0.1075, 0.1925, 0.315, 0.385])


def test_every_year_shares_its_own_pot(tmp_path: Path) -> None:
    years = {"years": ["2019-20", "2020-21"], "pot.value": {"2019-20": "£11m", "2020-21": "£22m"}}
    _, aims = worked(write(tmp_path, places=COST), TWO | years)
    assert aims.target.sum().to_list() == pytest.approx([11, 22], rel=1e-14)
    assert aims.components["remote"].loc["A1"].to_list() == pytest.approx([0.2, 0.2])  # a cost, not a share


@settings(max_examples=30, deadline=None)
@given(pot=st.floats(1, 1e6), share=st.floats(0.01, 0.99), scale=st.floats(1e-3, 1e3))
def test_targets_add_up_to_the_pot_whatever_the_scale_of_need(
    tmp_path_factory: pytest.TempPathFactory, pot: float, share: float, scale: float
) -> None:
    folder = write(tmp_path_factory.mktemp("case"), places=COST)
    care = {"share": f"{100 * share}%", "need": {"need": f"{100 * scale}%"}}
    medicines = {"share": f"{100 - 100 * share}%", "need": "people"}
    formula = {"care": care, "medicines": medicines, "remote": TWO["formula"]["remote"]}
    _, aims = worked(folder, {"formula": formula, "pot.value": f"£{pot}m"})
    assert aims.target["2019-20"].sum() == pytest.approx(pot, rel=1e-12)
    assert aims.share["2019-20"].sum() == pytest.approx(1, rel=1e-12)
    parts = np.sum([frame.to_numpy() for frame in aims.components.values()], axis=0)
    np.testing.assert_allclose(parts, aims.target, rtol=1e-14)


def test_an_amount_below_zero_is_refused(tmp_path: Path) -> None:
    changed = {"formula": {**TWO["formula"], "remote": {"amount": "exc", "less": "inc", "unit": "£k"}}}
    message = refused(write(tmp_path, places=COST), changed)
    assert "formula.remote.less: 'exc' - 'inc' is below zero for 2 places: A1 (line 2), B2 (line 5)" in message
    assert "cure: correct the columns, or change them over" in message


def test_amounts_above_the_pot_are_refused(tmp_path: Path) -> None:
    changed = {"formula": {**TWO["formula"], "remote": {"amount": "inc", "unit": "£m"}}}
    message = refused(write(tmp_path, places=COST), changed)
    # 700 + 500 + 500 + 900 = £2,600m
    assert (
        "formula.remote.unit: the amounts come to £2,600m (remote £2,600m), more than the pot of 2019-20, £11.0m"
        in message
    )
    assert "cure: check the unit of the amounts and of the pot" in message


def test_amounts_alone_must_use_up_the_pot(tmp_path: Path) -> None:
    message = refused(write(tmp_path, places=COST), {"formula": {"cost": {"amount": "inc", "unit": "£k"}}})
    assert "formula: no component has a share, and the amounts do not use up the pot" in message
    assert "cure: add one with share and need" in message


def test_need_that_sums_to_zero_is_refused(tmp_path: Path) -> None:
    places = PLACES.replace("baseline\n", "baseline,none\n").replace("000\n", "000,0\n")
    message = refused(write(tmp_path, places=places), {"formula": {"care": {"share": "100%", "need": "none"}}})
    assert "formula.care.need: its need sums to zero, so nothing can be shared by it" in message
    assert "cure: name another column" in message


def test_a_place_without_a_target_is_refused(tmp_path: Path) -> None:
    message = refused(write(tmp_path, places=PLACES.replace("1000,1100,", "1000,0,")), {})
    assert (
        "formula: the formula gives 1 place no target, so distance from target would not exist: A1 (line 2)" in message
    )
    assert "cure: leave them out with inputs.places.only or small_lists, or give them need" in message


@pytest.fixture(scope="module")
def england() -> tuple[Inputs, Targets]:
    """The shipped formula on the published total of the practice targets, £74,185.184m."""
    case = load("england", set={"pot.value": "£74185184k"})
    inputs = read_inputs(case)
    return inputs, targets(case.scenario, inputs)


def test_the_england_formula_reproduces_the_published_practice_targets(england: tuple[Inputs, Targets]) -> None:
    inputs, aims = england
    recovered = aims.target["2019-20"] - aims.components["remote_sites"]["2019-20"]
    published = inputs.places["target_exc_remote_k"] / 1000
    error = (recovered / published - 1).abs()
    # reached: 99.74% of 7,325 practices within 0.3%, the farthest 0.632%, half within 0.04%
    assert (error < 0.003).mean() >= 0.997
    assert error.max() < 0.0064
    assert error.median() < 0.0004


def test_the_england_targets_add_up_to_the_published_total_to_the_pound(england: tuple[Inputs, Targets]) -> None:
    inputs, aims = england
    assert aims.target["2019-20"].sum() == pytest.approx(74_185.184, abs=1e-6)  # GBP million: to the pound
    assert inputs.places["target_inc_remote_k"].sum() / 1000 == pytest.approx(74_185.184, abs=2e-3)
    remote = aims.components["remote_sites"]["2019-20"]
    assert remote.sum() == pytest.approx(34.06, abs=0.005)
    assert (remote > 0).sum() == 268


@pytest.mark.parametrize("code", ["A83005", "A83006", "A82004"])
def test_the_sum_of_a_practice_can_be_done_by_hand(england: tuple[Inputs, Targets], code: str) -> None:
    inputs, aims = england
    cells = inputs.places
    index = cells["mff_index"] * cells["eaca_index"]
    hospital, avoidable, prescribing = (
        cells["wp_hchs"] * index,
        cells["wp_avoidable_mortality"] * index,
        cells["wp_prescribing"],
    )
    remote = (cells["target_inc_remote_k"] - cells["target_exc_remote_k"]) / 1000
    left = 74_185.184 - float(remote.sum())
    by_hand = float(remote[code]) + left * (
        0.786 * float(hospital[code]) / float(hospital.sum())
        + 0.114 * float(prescribing[code]) / float(prescribing.sum())
        + 0.100 * float(avoidable[code]) / float(avoidable.sum())
    )
    assert aims.target.loc[code, "2019-20"] == pytest.approx(by_hand, rel=1e-12)
