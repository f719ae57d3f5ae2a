"""Baselines that follow from targets: a larger body's money shared, and budgets that follow activity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from table_cases import BODIES, SHARED, loaded, write

from allocopt.baseline import baseline, calibrated_size, share_farther
from allocopt.errors import TableFault
from allocopt.formula import targets
from allocopt.inputs import read_inputs
from allocopt.risk import ENGLAND_PRACTICES, persistent_draw
from allocopt.scenario import load
from allocopt.settings import FollowsActivity


def test_a_baseline_in_a_table_is_taken_as_it_stands(tmp_path: Path) -> None:
    case = loaded(write(tmp_path))
    inputs = read_inputs(case)
    assert baseline(case, inputs, targets(case.scenario, inputs)).to_list() == [1.0, 2.0, 3.0, 4.0]


def test_every_place_of_a_larger_body_opens_at_its_distance_from_target(tmp_path: Path) -> None:
    case = loaded(write(tmp_path, bodies=BODIES), SHARED)
    inputs = read_inputs(case)
    aims = targets(case.scenario, inputs)
    assert inputs.baseline is None
    shared = baseline(case.scenario, inputs, aims)
    # X: need x index 1100 and 2090 of 3190: 3.3 x 1100 / 3190 = 1.137931; Y: 2880 and 3800 of 6680: 6.6 x 2880 / 6680
    assert shared.to_list() == pytest.approx([1.137931, 2.162069, 2.845509, 3.754491], abs=1e-6)
    ratio = shared / aims.target["2019-20"]
    assert ratio["A1"] == pytest.approx(ratio["A2"])
    assert ratio["B1"] == pytest.approx(ratio["B2"])


def test_the_size_of_the_effect_is_found_by_bisection() -> None:
    share, effect = np.full(4, 0.25), np.array([-0.2, -0.05, 0.05, 0.2])
    # the effects sum to 0, so distance = size x effect; two places pass 10% once size x 0.2 > 0.1
    size = calibrated_size(share, effect, beyond=0.1, share_beyond=0.5)
    assert 0.5 <= size < 2
    assert share_farther(share, effect, size, 0.1) == 0.5


def test_a_share_that_no_effect_reaches_is_refused() -> None:
    with pytest.raises(TableFault) as fault:
        calibrated_size(np.full(4, 0.25), np.zeros(4), beyond=0.1, share_beyond=0.5)
    message = str(fault.value)
    assert "inputs.baseline.follows_activity.share_beyond: no size of effect puts 50% of 4 places beyond 10%" in message
    assert "the nearest is 0.00%" in message
    assert "cure: choose another share_beyond or beyond" in message


def test_a_scenario_without_a_baseline_is_refused(tmp_path: Path) -> None:
    case = loaded(write(tmp_path), {"inputs.baseline": {}})
    inputs = read_inputs(case)
    with pytest.raises(TableFault, match="the scenario gives no baseline") as fault:
        baseline(case, inputs, targets(case.scenario, inputs))
    assert "cure: give table, column and unit" in str(fault.value)


def test_historic_budgets_put_18_per_cent_of_practices_beyond_10_per_cent() -> None:
    case = load("england-historic")
    inputs = read_inputs(case)
    aims = targets(case.scenario, inputs)
    historic = baseline(case, inputs, aims)
    given = case.scenario.inputs.baseline.follows_activity
    assert isinstance(given, FollowsActivity)
    assert historic.sum() == pytest.approx(74_194.479, rel=1e-12)
    assert (historic > 0).all()
    distance = historic / (aims.share["2019-20"] * historic.sum()) - 1
    # to the nearest of 7,325 places: 0.18 x 7325 = 1318.5
    assert (distance.abs() > 0.1).mean() == pytest.approx(0.18, abs=1 / 7325)
    effect = persistent_draw(inputs.places.index, seed=given.seed, model=ENGLAND_PRACTICES)
    assert np.corrcoef(distance, effect)[0, 1] > 0.95
