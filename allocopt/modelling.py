"""Pyomo as this package uses it: loaded without the parts of scipy that it would bring along.

Pyomo completes the import of scipy by loading its statistics, integration and geometry, which takes longer than Pyomo
itself (0.4 to 0.8 s of every run) and serves no part of a linear model. Stand-ins keep them out while Pyomo loads;
whoever imports them afterwards gets the real ones. Imports nothing of the package.
"""

from __future__ import annotations

import sys
from types import ModuleType

import scipy.sparse  # noqa: F401 - loaded first, so that Pyomo finds scipy complete

_UNUSED = [name for name in ("scipy.stats", "scipy.integrate", "scipy.spatial") if name not in sys.modules]
sys.modules.update({name: ModuleType(name) for name in _UNUSED})
try:
    import pyomo.core as pyo
finally:
    for _name in _UNUSED:
        del sys.modules[_name]

__all__ = ["pyo"]
