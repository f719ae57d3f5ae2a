"""Four places in a folder of tables, and a scenario that reads them: where tests of inputs and targets start."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from allocopt.errors import TableFault
from allocopt.inputs import read_inputs
from allocopt.scenario import Loaded
from allocopt.settings import Scenario

PLACES = """code,name,ccg,region,people,need,index,imd,baseline
A1,Alder,X,North,1000,1100,1.0,30.5,1000
A2,Birch,X,North,2000,1900,1.1,20.25,2000
B1,Cedar,Y,South,3000,3200,0.9,10,3000
B2,Damson,Y,South,4000,3800,1.0,,4000
"""
BODIES = "ccg,money\nX,3300\nY,6600\n"


def loaded(folder: Path, changes: Mapping[str, Any] | None = None) -> Loaded:
    """The scenario of `folder`/places.csv, with `changes` by dotted key (None drops the key)."""
    tree: dict[str, Any] = {
        "format": 1,
        "name": "four places",
        "model": ["pace_of_change"],
        "years": ["2019-20"],
        "pot": {"value": "£11m"},
        "inputs": {
            "places": {
                "table": "places.csv",
                "key": "code",
                "name": "name",
                "columns": {"population": "people", "imd": "imd", "area": "ccg", "region": "region"},
                "missing": {"imd": {"treat": "own_group"}},
            },
            "baseline": {"table": "places.csv", "column": "baseline", "unit": "£k"},
        },
        "formula": {"care": {"share": "100%", "need": "need", "times": ["index"]}},
    }
    for key, value in (changes or {}).items():
        _put(tree, key.split("."), value)
    return Loaded(Scenario.model_validate(tree), folder / "case.yaml", {}, (), (), {})


def _put(tree: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        tree = tree.setdefault(key, {})
    if value is None:
        tree.pop(keys[-1], None)
    else:
        tree[keys[-1]] = value


def write(folder: Path, **tables: str) -> Path:
    """places.csv (the four places unless given) and the other tables by name."""
    for name, text in {"places": PLACES, **tables}.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def refused(folder: Path, changes: Mapping[str, Any] | None = None) -> str:
    """The whole message with which reading is refused."""
    with pytest.raises(TableFault) as fault:
        read_inputs(loaded(folder, changes))
    assert fault.value.exit == 2
    assert fault.value.problems
    return str(fault.value)


SHARED = {
    "inputs.baseline": {
        "table": "bodies.csv",
        "column": "money",
        "unit": "£k",
        "shared": {"within": "ccg", "by": "target"},
    }
}
