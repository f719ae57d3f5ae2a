"""A new scenario file that extends another, ready to be edited. Imports `files` and `errors`."""

from __future__ import annotations

import json
import os
from pathlib import Path

from allocopt.errors import Problem, ScenarioFault
from allocopt.scenario.files import find_scenario


def new_scenario(name: str, parent: str, *, why: str = "say here which question this scenario answers") -> str:
    """The text of a child scenario that extends `parent`, ready to be edited."""
    return f"""\
# A scenario says only what differs from the one it extends.
# Rates need %, money needs a unit (£k, £m, £bn), distances km. `off` drops a key of the parent.
# See what is in force with: allocopt show FILE --against PARENT
extends: {_quoted(parent)}
name: {_quoted(name)}
why: {_quoted(why)}

# pot: {{value: £80bn, source: where the figure comes from}}
# rules:
#   growth_floor: {{rate: 1%, source: where the figure comes from}}
#   growth_ceiling: off
# objectives: [shortfall_below_target, movement]
"""


def write_new(name: str, parent: str) -> Path:
    """Write NAME.yaml, which extends `parent`, in the working folder. Raises ScenarioFault when it is there already."""
    source, path = find_scenario(parent), Path(name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    if path.exists():
        said = f"{path} is there already: nothing was written"
        raise ScenarioFault(said, (Problem(said, "take another name", str(path)),))
    named = parent if "/" not in parent else os.path.relpath(source, path.parent)
    path.write_text(new_scenario(path.stem, named), encoding="utf-8")
    return path


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
