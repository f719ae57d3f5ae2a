"""What a certificate file holds: names no wider than they are, and the same bytes for the same arrays."""

from __future__ import annotations

import numpy as np
import pytest
from programmes import NONE, programme

from allocopt.certificates import Kept, pack

TWELVE = programme(
    [[1.0]] * 12, rows=([0] * 12, [NONE] * 12), columns=([0], [1]), cost=[1]
)  # rows row[0] to row[11]: only the last two names have seven letters


@pytest.mark.parametrize(
    ("priced", "names"), [([1, 3], [b"row[1]", b"row[3]"]), ([9, 11], [b"row[9]", b"row[11]"]), ([], [])]
)
def test_the_names_of_priced_rows_are_kept_as_wide_as_the_longest_of_them(priced, names):
    prices = np.zeros(12)
    prices[priced] = 2.5
    found = Kept.of(TWELVE, prices).arrays
    expected = np.array(names, dtype=np.bytes_)
    assert found["rows"].tolist() == names
    assert found["rows"].dtype == expected.dtype
    assert found["prices"].tolist() == [2.5] * len(priced)


def test_packed_arrays_are_read_back_as_they_were_and_give_the_same_bytes_again(tmp_path):
    arrays = {
        "first.rows": np.array([b"budget", b"floor[A,2026]"]),
        "first.prices": np.array([0.1, -2.0]),
        "none.rows": np.array([], dtype=np.bytes_),
        "settled": np.array([[True, False]]),
    }
    for name in ("one", "other"):
        pack(tmp_path / name, arrays)
    with np.load(tmp_path / "one") as found:
        assert found.files == list(arrays)
        assert all(np.array_equal(found[name], array) for name, array in arrays.items())
        assert all(found[name].dtype == array.dtype for name, array in arrays.items())
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
