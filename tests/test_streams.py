"""A random number belongs to a place: not to its row, to the other places, to the process or to the block of draws."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from allocopt import streams

PLACES = [f"P{number:05d}" for number in range(4000)]
KEYS = streams.keys(PLACES)


def test_the_counter_sequence_is_splitmix64() -> None:
    # first outputs of the published generator started at 1234567: mixed(start + k x golden), k = 1, 2, 3
    start, golden = np.full(1, 1234567, dtype=np.uint64), np.uint64(0x9E3779B97F4A7C15)
    seen = [int(streams.mixed(start + np.full(1, k, dtype=np.uint64) * golden)[0]) for k in (1, 2, 3)]
    assert seen == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_uniforms_are_uniform_over_places_and_over_draws() -> None:
    over_places = streams.uniforms(KEYS, seed=7, stream="chance")[0]
    over_draws = streams.uniforms(KEYS[:1], seed=7, stream="chance", count=4000)[:, 0]
    assert stats.kstest(over_places, "uniform").pvalue > 0.01
    assert stats.kstest(over_draws, "uniform").pvalue > 0.01
    assert over_places.min() > 0
    assert over_places.max() < 1


def test_normals_are_standard_normal_and_finite() -> None:
    drawn = streams.standard_normals(KEYS, seed=7, stream="chance", count=50)
    assert np.isfinite(drawn).all()
    assert stats.kstest(drawn.ravel(), "norm").pvalue > 0.01
    # 200,000 numbers: the mean has sd 0.0022, the sd has sd 0.0016
    assert abs(drawn.mean()) < 0.01
    assert abs(drawn.std() - 1) < 0.01


@pytest.mark.parametrize(
    ("seed", "stream", "first"),
    [(8, "chance", 0), (7, "persistent", 0), (7, "chance", 1), (-7, "chance", 0)],
    ids=["seed", "effect", "draw", "sign of the seed"],
)
def test_another_seed_effect_or_draw_is_independent(seed: int, stream: str, first: int) -> None:
    one = streams.standard_normals(KEYS, seed=7, stream="chance")[0]
    other = streams.standard_normals(KEYS, seed=seed, stream=stream, first=first)[0]
    # 4,000 pairs: a correlation has sd 1 / sqrt(4000) = 0.016
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.06


def test_neighbouring_codes_and_draws_are_not_correlated() -> None:
    drawn = streams.standard_normals(KEYS, seed=7, stream="chance", count=50)
    assert abs(np.corrcoef(drawn[:, :-1].ravel(), drawn[:, 1:].ravel())[0, 1]) < 0.01
    assert abs(np.corrcoef(drawn[:-1].ravel(), drawn[1:].ravel())[0, 1]) < 0.01


def test_the_number_of_a_place_does_not_depend_on_its_row_or_on_other_places() -> None:
    everywhere = dict(zip(PLACES, streams.standard_normals(KEYS, seed=7, stream="chance")[0], strict=True))
    left = PLACES[2500:400:-3]
    alone = streams.standard_normals(streams.keys(left), seed=7, stream="chance")[0]
    assert [everywhere[place] for place in left] == alone.tolist()


def test_draws_are_the_same_in_any_blocks() -> None:
    whole = streams.standard_normals(KEYS[:9], seed=7, stream="area", count=10)
    blocks = [streams.standard_normals(KEYS[:9], seed=7, stream="area", first=f, count=c) for f, c in ((0, 3), (3, 7))]
    assert np.array_equal(whole, np.concatenate(blocks))


def test_numbers_are_the_same_in_every_process() -> None:
    code = (
        "from allocopt import streams as s; print(s.uniforms(s.keys(['A83005']), seed=7, stream='chance')[0, 0].hex())"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("0", "1")
    }
    assert seen == {streams.uniforms(streams.keys(["A83005"]), seed=7, stream="chance")[0, 0].hex()}


def test_draws_are_numbered_from_zero() -> None:
    with pytest.raises(ValueError, match="draws are numbered from 0: first -1, count 2"):
        streams.uniforms(KEYS, seed=7, stream="chance", first=-1, count=2)
