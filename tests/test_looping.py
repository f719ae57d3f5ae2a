"""Loops are compiled without scipy's linear algebra, and find it where they need it."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "words",
    [
        "import sys, allocopt.solve.kernels; assert 'scipy.linalg' not in sys.modules; import scipy.linalg as s; s.inv",
        "import sys, scipy.linalg as s, allocopt.looping; assert sys.modules['scipy.linalg'] is s",
        "import numpy as np; from allocopt.looping import njit; assert njit(lambda a: a @ a)(2 * np.eye(2))[0, 0] == 4",
    ],
    ids=["not loaded, and there afterwards", "left alone where it is loaded", "found by a loop that needs it"],
)
def test_scipy_s_linear_algebra_is_loaded_only_where_it_is_used(words):
    subprocess.run([sys.executable, "-c", words], check=True)
