"""The risk model of expected spend, against the published figures it was calibrated to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from allocopt import streams
from allocopt.errors import ScenarioFault
from allocopt.quantiles import weighted_groups
from allocopt.risk import (
    ENGLAND_PRACTICES,
    PARTS,
    Exposure,
    RiskModel,
    added,
    chance_sd,
    draw_parts,
    draws,
    persistent_draw,
)

TABLE = Path(__file__).parents[1] / "scenarios" / "data" / "england_practices_2018_19.csv"
NOTHING = RiskModel(
    kappa=0,
    area_sd=0,
    persistent_sd=0,
    heavy_sd=0,
    heavy_share=0,
    gradient_poorest=0,
    gradient_richest=0,
    national_shift=0,
)
DRAWS = 200


@pytest.fixture(scope="module")
def practices() -> pd.DataFrame:
    return pd.read_csv(TABLE, index_col="practice_code").sort_index()


@pytest.fixture(scope="module")
def england(practices: pd.DataFrame) -> Exposure:
    people = practices["registered_pop_2018_19"]
    area_of, areas = pd.factorize(practices["ccg_code"], sort=True)
    return Exposure(
        places=practices.index,
        keys=streams.keys(practices.index),
        area_keys=streams.keys(areas),
        area_of=area_of,
        population=people.to_numpy(),
        fifth=weighted_groups(practices["imd_score_2019"], people, 5).to_numpy(),
    )


@pytest.fixture(scope="module")
def distance(england: Exposure) -> np.ndarray:
    return draws(ENGLAND_PRACTICES, england, seed=7, count=DRAWS)


def small(population: list[float], **known: object) -> Exposure:
    places = pd.Index([f"P{number}" for number in range(len(population))])
    made = Exposure(places=places, keys=streams.keys(places), population=np.array(population, dtype=np.float64))
    return replace(made, **known)  # type: ignore[arg-type]


@pytest.mark.parametrize(("beyond", "published"), [(0.05, 53), (0.10, 26), (0.20, 11)])
def test_the_published_shares_beyond_5_10_and_20_per_cent_are_reproduced(
    distance: np.ndarray, beyond: float, published: float
) -> None:
    assert 100 * (np.abs(distance) > beyond).mean() == pytest.approx(published, abs=1)


def test_over_and_under_are_about_equal(distance: np.ndarray) -> None:
    assert (distance > 0).mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("fifth", "published"), [(1, 1.7), (2, 0.825), (3, -0.05), (4, -0.925), (5, -1.8)])
def test_the_deprivation_gradient_comes_out_of_the_draws(
    england: Exposure, practices: pd.DataFrame, distance: np.ndarray, fifth: int, published: float
) -> None:
    # spend of the fifth over target of the fifth, mean of the draws; 1 is the least deprived, a straight line between
    inside = england.fifth == fifth
    target = practices["target_inc_remote_k"].to_numpy()[inside]
    assert 100 * (distance[:, inside].mean(axis=0) @ target) / target.sum() == pytest.approx(published, abs=0.2)


def test_a_fifth_holds_a_fifth_of_the_people_with_a_known_score(england: Exposure) -> None:
    assert england.population is not None
    assert england.fifth is not None
    held = pd.Series(england.population).groupby(england.fifth).sum()
    assert (held / held.sum()).to_numpy() == pytest.approx(np.full(5, 0.2), abs=0.001)


def test_places_whose_deprivation_is_not_known_take_no_gradient(england: Exposure) -> None:
    gradient = draw_parts(ENGLAND_PRACTICES, england, seed=7)["gradient"][0]
    assert england.fifth is not None
    unknown = np.isnan(england.fifth)
    assert unknown.sum() == 348
    assert (gradient[unknown] == 0).all()
    assert (gradient[~unknown] != 0).all()


def test_every_part_has_the_sd_it_is_given(england: Exposure) -> None:
    parts = draw_parts(ENGLAND_PRACTICES, england, seed=7, count=DRAWS)
    assert england.population is not None
    assert parts["area"].std() == pytest.approx(0.02, rel=0.02)
    # mixture: sqrt(0.81 x 0.04^2 + 0.19 x 0.30^2) = 0.1357
    assert parts["persistent"].std() == pytest.approx(0.1357, rel=0.01)
    assert (parts["chance"] * np.sqrt(england.population)).std() == pytest.approx(3.67, rel=0.01)


def test_the_parts_of_a_place_are_independent(england: Exposure) -> None:
    parts = draw_parts(ENGLAND_PRACTICES, england, seed=7, count=20)
    assert england.population is not None
    luck = parts["chance"] * np.sqrt(england.population)
    together = np.corrcoef([parts["area"].ravel(), parts["persistent"].ravel(), luck.ravel()])
    assert np.abs(together - np.eye(3)).max() < 0.02


def test_an_area_shares_its_shock_and_independent_places_do_not(england: Exposure) -> None:
    model = replace(NOTHING, area_sd=0.02)
    shared = pd.Series(draws(model, england, seed=7)[0]).groupby(england.area_of).nunique()
    assert (shared == 1).all()
    alone = draws(model, england.independent(), seed=7)[0]
    assert len(np.unique(alone)) == len(england.places)
    assert alone.std() == pytest.approx(0.02, rel=0.05)


def test_all_zero_except_kappa_leaves_chance_alone() -> None:
    # kappa / sqrt(n) = 4 / 100, 4 / 50, 4 / 40 times the place's own standard normal
    exposure = small([10_000, 2_500, 1_600])
    luck = streams.standard_normals(exposure.keys, seed=3, stream="chance", first=5)[0]
    drawn = draws(replace(NOTHING, kappa=4.0), exposure, seed=3, first=5)[0]
    assert drawn.tolist() == (luck * np.array([0.04, 0.08, 0.1])).tolist()


def test_nothing_at_all_leaves_spend_on_target() -> None:
    assert draws(NOTHING, small([100, 200]), seed=3, count=2).tolist() == [[0, 0], [0, 0]]


def test_a_national_shift_moves_every_place_alike() -> None:
    assert draws(replace(NOTHING, national_shift=0.025), small([100, 200]), seed=3).tolist() == [[0.025, 0.025]]


def test_the_clip_holds_both_ways_and_nothing_is_rescaled() -> None:
    # one person: sd 3.67, so nearly every draw is clipped
    exposure, model = small([1, 1, 1e6]), replace(NOTHING, kappa=3.67)
    drawn = draws(model, exposure, seed=3, count=200)
    raw = added(draw_parts(model, exposure, seed=3, count=200))
    assert drawn.min() == -0.6
    assert drawn.max() == 0.6
    inside = np.abs(raw) < 0.6
    assert (drawn[inside] == raw[inside]).all()
    assert inside[:, 2].all()


def test_a_place_keeps_its_draw_when_others_leave(england: Exposure, distance: np.ndarray) -> None:
    kept = np.arange(0, len(england.places), 7)
    assert england.area_keys is not None
    assert england.area_of is not None
    assert england.population is not None
    assert england.fifth is not None
    fewer = Exposure(
        places=england.places[kept],
        keys=england.keys[kept],
        area_keys=england.area_keys,
        area_of=england.area_of[kept],
        population=england.population[kept],
        fifth=england.fifth[kept],
    )
    assert np.array_equal(draws(ENGLAND_PRACTICES, fewer, seed=7)[0], distance[0, kept])


def test_blocks_of_draws_are_the_draws(england: Exposure, distance: np.ndarray) -> None:
    assert np.array_equal(draws(ENGLAND_PRACTICES, england, seed=7, first=37, count=50), distance[37:87])


def test_the_persistent_effect_alone_is_the_one_inside_spend(england: Exposure) -> None:
    alone = persistent_draw(england.places, seed=7, model=ENGLAND_PRACTICES)
    assert np.array_equal(alone, draw_parts(ENGLAND_PRACTICES, england, seed=7)["persistent"][0])


def test_the_heavy_share_is_the_share_of_heavy_places(england: Exposure) -> None:
    model = replace(NOTHING, heavy_share=0.19, heavy_sd=0.3)
    effect = persistent_draw(england.places, seed=7, model=model)
    # 7,325 places: the share has sd sqrt(0.19 x 0.81 / 7325) = 0.0046
    assert (effect != 0).mean() == pytest.approx(0.19, abs=0.015)


@pytest.mark.parametrize(
    ("people", "beyond", "published"), [(100_000, 0.02, 4), (100_000, 0.01, 20), (300_000, 0.01, 6)]
)
def test_pools_overspend_by_chance_as_often_as_german_patient_data_say(
    people: float, beyond: float, published: float
) -> None:
    # 3.67 / sqrt(100,000) = 1.16%: P(z > 1.72) = 4.2%, P(z > 0.86) = 19.4%; / sqrt(300,000) = 0.67%: P(z > 1.49) = 6.8%
    sd = chance_sd(np.array([people]), kappa=ENGLAND_PRACTICES.kappa)[0]
    assert 100 * stats.norm.sf(beyond / sd) == pytest.approx(published, abs=1)


def test_pooling_lists_has_the_chance_of_one_list_of_all_their_people() -> None:
    # ten lists of 10,000 pooled: 3.67 / sqrt(100,000) = 1.16%
    pooled = draws(replace(NOTHING, kappa=3.67), small([10_000] * 10), seed=7, count=4000).mean(axis=1)
    assert pooled.std() == pytest.approx(chance_sd(np.array([1e5]), kappa=3.67)[0], rel=0.05)


def test_the_area_shock_does_not_pool_away() -> None:
    # ten lists of 10,000 in one area: sqrt(1.16%^2 + 2%^2) = 2.31%, against 1.16% without the shock
    one_area = {"area_keys": streams.keys(["X"]), "area_of": np.zeros(10, dtype=np.intp)}
    pooled = draws(
        replace(NOTHING, kappa=3.67, area_sd=0.02), small([10_000] * 10, **one_area), seed=7, count=4000
    ).mean(axis=1)
    assert pooled.std() == pytest.approx(0.0231, rel=0.05)


def test_the_parts_are_named_in_the_order_they_are_added(england: Exposure) -> None:
    assert tuple(draw_parts(ENGLAND_PRACTICES, england, seed=7)) == PARTS


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"area_sd": -0.02}, "inputs.spend.area_sd: a spread cannot be negative or without limit: -0.02"),
        ({"kappa": np.inf}, "inputs.spend.kappa: a spread cannot be negative or without limit: inf"),
        ({"heavy_share": 1.2}, "inputs.spend.heavy_share: a share lies between 0% and 100%: 120%"),
        ({"national_shift": 0.7}, "inputs.spend.national_shift: 0.7 lies beyond the clip of 0.6"),
        ({"clip": 1.0}, "the clip must lie above 0 and below 1: 1"),
    ],
)
def test_a_model_that_cannot_be_drawn_is_refused(changes: dict[str, float], text: str) -> None:
    with pytest.raises(ScenarioFault) as fault:
        replace(ENGLAND_PRACTICES, **changes)  # type: ignore[arg-type]
    assert text in str(fault.value)


def test_every_fault_of_a_model_is_told_at_once() -> None:
    with pytest.raises(ScenarioFault) as fault:
        replace(ENGLAND_PRACTICES, kappa=-1.0, heavy_share=-0.1, gradient_poorest=np.nan)
    assert [problem.key for problem in fault.value.problems] == [
        "inputs.spend.kappa",
        "inputs.spend.heavy_share",
        "inputs.spend.gradient_poorest",
    ]


@pytest.mark.parametrize("name", ["kappa", "area_sd", "gradient_poorest"])
def test_an_exposure_read_for_a_smaller_model_is_refused(name: str) -> None:
    exposure = replace(small([100, 200]), population=None)
    with pytest.raises(ValueError, match=f"read for a model without {name}"):
        draws(replace(NOTHING, **{name: 0.01}), exposure, seed=7)  # type: ignore[arg-type]
