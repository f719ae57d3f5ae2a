"""What certificate.npz keeps of a grouping beside the run's own bounds: plans, and what proves a bound of theirs again.

A plan is the position of each place's hub, places in the order of groups.csv. Of a bound only what its name cannot
give again is kept: of B the overspenders of the minimum cut, of C and P the row prices by row name, of N the pots.
A bound of branch and bound has no such evidence and is never called proved again. Imports `certificates`, `grouping`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from allocopt.certificates import Kept
from allocopt.grouping.bounds import Bound
from allocopt.grouping.exempt import Exemption
from allocopt.grouping.instance import Array, Instance, Ints

Arrays = dict[str, Any]
HIGHS = "highs"


def kept_plan(hub: Ints, *, allocation: Array | None = None) -> Arrays:
    """A plan: hubs (n,), and the allocation (n,) GBP million where that is decided too."""
    found: Arrays = {"hub": np.asarray(hub, dtype=np.int32)}
    return found if allocation is None else found | {"allocation": np.asarray(allocation, dtype=np.float64)}


def kept_proof(instance: Instance, bounds: Sequence[Bound], by: str) -> Arrays:
    """What proves the bound that `by` names (`bound C`): nothing where branch and bound alone does."""
    named = {f"bound {one.name}": one for one in bounds}
    one = named.get(by)
    if one is None:
        return {}
    found: Arrays = {}
    cut = named.get("bound B") if one.name in "BP" else None
    if cut is not None and cut.side is not None:
        found["overspenders"] = np.flatnonzero(cut.side & (instance.over > 0)).astype(np.int32)
    if one.prices is not None:
        found["rows"] = _text(list(one.prices))
        found["prices"] = np.array(list(one.prices.values()), dtype=np.float64)
    if one.pots is not None:
        found["pots"] = np.array(list(one.pots.values()), dtype=np.float64)
        found["pot_names"] = _text(list(one.pots))
    return found


def kept_exemptions(exemptions: Sequence[Exemption]) -> Arrays:
    """Exemptions that a plan beside the run's own has: rule, code and kilometres (not a number: none are said)."""
    if not exemptions:
        return {}
    return {
        "exempt_rules": _text([one.rule for one in exemptions]),
        "exempt_codes": _text([one.code for one in exemptions]),
        "exempt_km": np.array([np.nan if one.km is None else one.km for one in exemptions], dtype=np.float64),
    }


def strongest(bounds: Sequence[Bound], first: tuple[float, str] | None) -> str:
    """Who proves the most that is said of every plan's gross deficit: a bound that needs no solver where one does.

    `first` is the bound of the first stage, where that is gross deficit, and by whom.
    """
    own = [] if first is None else [first]
    said = [(one.value, HIGHS if one.name == "L" else f"bound {one.name}") for one in bounds]
    most = max([0.0, *(value for value, _ in (*own, *said))])
    near = [by for value, by in (*said, *own) if value >= most - 1e-9 * max(1.0, most)]
    return next((by for by in near if by.startswith("bound ")), near[0] if near else "none")


def named(kept: Mapping[str, Arrays]) -> dict[str, Kept]:
    """As a run keeps them."""
    return {name: Kept(arrays) for name, arrays in kept.items() if arrays}


def _text(names: Sequence[str]) -> Any:
    return np.array([name.encode() for name in names], dtype=np.bytes_)
