"""numba for the loops of paths, loaded without scipy's linear algebra, which none of them calls.

numba imports all of it to see whether it is there, which takes a tenth of a second. A stand-in says no while numba
looks; a loop that multiplies matrices still finds the real one when it is compiled. Imports nothing of the package.
"""

from __future__ import annotations

import sys
from typing import Any

from numba import njit

_LINEAR = "scipy.linalg"
_modules: dict[str, Any] = sys.modules
_hidden = _LINEAR not in _modules
if _hidden:
    _modules[_LINEAR] = None  # an import of it fails
try:
    import numba.np.arraymath  # noqa: F401 - it is what looks
finally:
    if _hidden:
        del _modules[_LINEAR]

__all__ = ["njit"]
