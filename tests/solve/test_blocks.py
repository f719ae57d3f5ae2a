"""Chains are read off the matrix: every amount once, each chain from its lower end on; a ring is no chain."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programmes import NONE, programme

from allocopt.solve.blocks import find_blocks


def tied(columns: int, *pairs: tuple[int, int]):
    """Amounts of which each later one of a pair is at least half of the earlier; none measures an excess."""
    rows = np.zeros((2 * len(pairs), columns))
    for number, (one, other) in enumerate(pairs):
        rows[2 * number, [one, other]] = (-0.5, 1.0)
        rows[2 * number + 1, [one, other]] = (2.0, -1.0)  # a second row, so that no column stands in one row alone
    sides = ([0.0] * len(rows), [NONE] * len(rows))
    return programme(rows.tolist(), rows=sides, columns=([0.0] * columns, [9.0] * columns), cost=[1.0] * columns)


@pytest.mark.parametrize(
    ("pairs", "order", "first"),
    [
        ([(0, 1), (1, 2)], [0, 1, 2, 3], [0, 3, 4]),
        ([(0, 2), (0, 1)], [1, 0, 2, 3], [0, 3, 4]),  # 1 and 2 are the ends: the walk begins at 1
        ([(3, 0), (1, 3)], [0, 3, 1, 2], [0, 3, 4]),
        ([(2, 3)], [0, 1, 2, 3], [0, 1, 2, 4]),
    ],
)
def test_a_chain_is_walked_from_its_lower_end(pairs, order, first):
    found = find_blocks(tied(4, *pairs))
    assert found is not None
    assert found.chains.column.tolist() == order
    assert found.chains.first.tolist() == first


@pytest.mark.parametrize("pairs", [[(0, 1), (1, 2), (2, 0)], [(1, 2), (2, 3), (3, 1)]])
def test_amounts_tied_in_a_ring_are_no_chain(pairs):
    assert find_blocks(tied(4, *pairs)) is None


@settings(max_examples=50, deadline=None)
@given(st.permutations(range(9)), st.sets(st.integers(1, 8), max_size=7))
def test_every_amount_stands_in_one_chain_beside_those_that_it_is_tied_to(columns, cuts):
    parts = [columns[start:end] for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), 9], strict=True)]
    pairs = [pair for part in parts for pair in pairwise(part)]
    found = find_blocks(tied(9, *pairs))
    assert found is not None
    expected = sorted(list(part) if part[0] <= part[-1] else list(reversed(part)) for part in parts)
    chains = found.chains
    assert [chains.column[a:b].tolist() for a, b in pairwise(chains.first)] == expected
