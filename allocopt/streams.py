"""Random numbers that belong to a place: the same for any row order, any other places and any number of workers.

A generator that is drawn from in turn gives a place another number as soon as one place before it leaves, so two
scenarios could not be compared. Here every number is a pure function of (code, seed, stream, draw): the code and the
salt of seed and stream are hashed to 64 bits, and the draw is the counter of a splitmix64 sequence that starts there.
Nothing is stored, so any block of draws can be made anywhere. Imports nothing of allocopt.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

Floats: TypeAlias = NDArray[np.float64]
Keys: TypeAlias = NDArray[np.uint64]

_WRAP = 1 << 64
_GOLDEN = 0x9E3779B97F4A7C15
_ROUNDS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_SPARE_BITS = 12
"""52 of the 64 bits are used: bits + 1/2 is then exact, and a uniform is never 0 or 1."""


def keys(codes: Iterable[object]) -> Keys:
    """One 64-bit key for each code (read as text); the same code has the same key everywhere."""
    listed = codes.tolist() if isinstance(codes, pd.Index) else codes
    return _keys(tuple(map(str, listed))).copy()


@lru_cache(maxsize=8)
def _keys(codes: tuple[str, ...]) -> Keys:
    return np.fromiter((_hashed(code) for code in codes), dtype=np.uint64, count=len(codes))


def uniforms(of: Keys, *, seed: int, stream: str, first: int = 0, count: int = 1) -> Floats:
    """Draws `first` to `first + count - 1`, a row each, uniform on the open interval (0, 1), a column for each key.

    `stream` names the effect: two names, like two seeds, give independent numbers.
    Source: splitmix64, Steele, Lea and Flood, OOPSLA 2014.
    """
    if first < 0 or count < 0:
        raise ValueError(f"draws are numbered from 0: first {first}, count {count}")
    start = mixed(of ^ np.uint64(_hashed(f"{seed}:{stream}")))
    rows = np.empty((count, len(of)))
    for number, row in enumerate(rows, start=first):
        bits = mixed(start + np.uint64((number + 1) * _GOLDEN % _WRAP))
        bits >>= np.uint64(_SPARE_BITS)
        np.add(bits, 0.5, out=row)
        np.multiply(row, 2.0 ** (_SPARE_BITS - 64), out=row)
    return rows


def standard_normals(of: Keys, *, seed: int, stream: str, first: int = 0, count: int = 1) -> Floats:
    """The same rows and columns as `uniforms`, with mean 0 and standard deviation 1, by the inverse normal."""
    rows = uniforms(of, seed=seed, stream=stream, first=first, count=count)
    for row in rows:
        ndtri(row, out=row)
    return rows


def mixed(state: Keys) -> Keys:
    """The finaliser of splitmix64: every bit of the result depends on every bit of `state`."""
    bits = state.copy()
    for shift, factor in _ROUNDS:
        bits ^= bits >> np.uint64(shift)
        bits *= np.uint64(factor)
    bits ^= bits >> np.uint64(31)
    return bits


@lru_cache(maxsize=1 << 17)
def _hashed(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")
