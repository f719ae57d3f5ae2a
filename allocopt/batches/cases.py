"""Cases: one scenario each, with an id that is derived from its resolved inputs.

The id is the hash of the scenario in internal units and of the bytes of every table that it names, and of nothing
else: neither the sweep that asked for it, nor its name, nor the order of the cases. So a case that was done for one
sweep is done for every other. Imports `axes`, `record`, `scenario` and `errors`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from allocopt.batches.axes import FILES, Plan, Variation
from allocopt.errors import AllocoptError, ScenarioFault
from allocopt.record import canonical
from allocopt.scenario import Loaded, SweepFile, load
from allocopt.scenario.files import locate, not_found
from allocopt.scenario.tree import Tree, written

ID = 16
"""Hexadecimal digits of a case's id."""
UNTOLD = ("name", "why", "source", "sweep")
"""Keys at the top of a scenario that say nothing about the answer."""


@dataclass(frozen=True)
class Case:
    """One row of a batch: its number from 1, what changes (key and value as written), the scenario or its faults."""

    number: int
    id: str
    parameters: Mapping[str, str]
    loaded: Loaded | None
    fault: AllocoptError | None = None


def cases(sweep: SweepFile, plan: Plan) -> Iterator[Case]:
    """Every case of a sweep, read and validated, in the order of the sweep; a faulty one carries its faults."""
    for number, variation in enumerate(plan.variations(), 1):
        parameters = {key: written(value) for key, value in variation}
        try:
            loaded = case_scenario(sweep, variation)
            yield Case(number, case_id(loaded), parameters, loaded)
        except AllocoptError as fault:
            yield Case(number, _fault_id(sweep, parameters), parameters, None, fault)


def case_scenario(sweep: SweepFile, variation: Variation) -> Loaded:
    """The scenario of one case, with no trace of the sweep but its values. Raises ScenarioFault."""
    files = [value for key, value in variation if key in FILES]
    parent = _parent(sweep, files[0]) if files else None
    own = {key: value for key, value in variation if key not in FILES}
    loaded = load(sweep.path, set={**sweep.sets, **own}, parent=parent)
    return _anonymous(loaded)


def _parent(sweep: SweepFile, value: Tree) -> Path:
    found = locate(written(value), sweep.path.parent)
    if found is None:
        problem = not_found(written(value), sweep.path.parent, value.mark)
        raise ScenarioFault(f"there is no scenario '{written(value)}'", (problem,))
    return found


def _anonymous(loaded: Loaded) -> Loaded:
    """The scenario named by its own id: what is written of a case must not depend on which sweep asked first."""
    name = f"case {case_id(loaded)}"
    scenario = loaded.scenario.model_copy(update={"name": name, "why": None, "source": None})
    told = {key: one for key, one in loaded.resolved.items() if key not in UNTOLD}
    return replace(loaded, scenario=scenario, resolved={**told, "name": name}, overrides=(), warnings=(), written=None)


def case_id(loaded: Loaded) -> str:
    """Hexadecimal digits of the hash of a scenario's content and of the bytes of its tables."""
    told = {key: one for key, one in loaded.resolved.items() if key not in UNTOLD}
    files = [[".".join(keys), _hash_of(loaded.table_path(*keys))] for keys in _tables(told)]
    return hashlib.sha256(canonical({"scenario": told, "files": files}).encode()).hexdigest()[:ID]


def _tables(told: Mapping[str, Any], at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, one in told.items():
        if key == "table" and isinstance(one, str):
            yield (*at, key)
            continue
        parts = enumerate(one) if isinstance(one, list) else [("", one)]
        for number, part in parts:
            if isinstance(part, Mapping):
                yield from _tables(part, (*at, key, *([str(number)] if number != "" else [])))


def _hash_of(path: Path) -> str:
    try:
        noted = path.stat()
    except OSError:
        return "not there"
    return _hashed(path, noted.st_size, noted.st_mtime_ns)


@lru_cache(maxsize=256)
def _hashed(path: Path, _size: int, _moment: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _fault_id(sweep: SweepFile, parameters: Mapping[str, str]) -> str:
    """A case that cannot be read has no resolved inputs: its id is that of the sweep file and of what it changes."""
    sets = {key: value if isinstance(value, str) else written(value) for key, value in sweep.sets.items()}
    said = {"of": _hash_of(sweep.path), "sets": sets, "parameters": parameters}
    return hashlib.sha256(canonical(said).encode()).hexdigest()[:ID]
