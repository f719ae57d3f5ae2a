"""Problems of a merged scenario: where a value was written, what is wrong with it, what would make it right.

What the types refuse (pydantic's errors) is said here in plain words. Imports `tree`, `shape` and
`errors`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from allocopt.errors import Problem
from allocopt.scenario.shape import known
from allocopt.scenario.tree import Items, Keys, Table, dotted, find, nearest, suggestion, written

if TYPE_CHECKING:
    from allocopt.model import Model

_LABEL = re.compile(r"(str|int|float|bool|[A-Z]\w*)$|(list\[|dict\[|literal\[|function-)")
_KINDS = {"str": "text", "int": "a number", "float": "a number", "function": "a quantity with its unit"}


@dataclass
class Findings:
    """The problems of one merged tree, as they are found."""

    tree: Table
    problems: list[Problem] = field(default_factory=list)

    def add(self, keys: Keys, message: str, cure: str = "") -> None:
        self.problems.append(Problem(message, cure, dotted(keys), nearest(self.tree, keys)))

    def unknown(self, keys: Keys, names: Sequence[str] | None) -> None:
        """A key that is not one of `names`."""
        cure = f"the keys here are {', '.join(names)}" if names and len(names) <= 25 else "remove the line"
        self.add(keys, f"unknown key '{keys[-1]}'{suggestion(keys[-1], names or ())}", cure)


def type_errors(found: Findings, fault: ValidationError, keys: Keys = (), models: Sequence[Model] = ()) -> None:
    """Pydantic's errors below `keys`, said in plain words at the place where each value was written."""
    refused: dict[Keys, list[str]] = {}
    said: set[Keys] = set()
    for error in fault.errors():
        path, fits = _placed(found.tree, keys, error["loc"])
        if fits:
            said.add(path)
            _say(found, path, dict(error), models)
        else:
            refused.setdefault(path, []).append(str(error["loc"][-1]))
    for path, labels in refused.items():
        if not any(one[: len(path)] == path for one in said):
            found.add(
                path,
                f"expected {' or '.join(map(_kind, labels))}, not {shown(found.tree, path)}",
                "see the manual for its forms",
            )


def _kind(label: str) -> str:
    if label.startswith("list"):
        return "a list"
    return "a map" if label.startswith("dict") else _KINDS.get(label.partition("-")[0], "a value")


def _placed(tree: Table, keys: Keys, location: tuple[int | str, ...]) -> tuple[Keys, bool]:
    """The key path of an error; False when it comes from a branch of a union that the value was not written for."""
    path = keys
    for part in map(str, location):
        node = find(tree, path)
        if isinstance(node, Table) and part.isdigit() and not find(node, (part,)):
            continue  # one map stands where a list of them may
        if node is None or find(node, (part,)) or not _LABEL.match(part):
            path = (*path, part) if part != "[key]" else path
        elif isinstance(node, Table) != _is_map(part) or isinstance(node, Items) != part.startswith("list"):
            return path, False
    return path, True


def _is_map(label: str) -> bool:
    """Whether a branch of a union is written as a map: a dict, or a block with keys of its own, which is a class."""
    return label.startswith("dict") or label[0].isupper()


def shown(tree: Table, path: Keys) -> str:
    """What stands at a key path, as written."""
    node = find(tree, path)
    return written(node) if node else "nothing"


def _say(found: Findings, path: Keys, error: Mapping[str, Any], models: Sequence[Model]) -> None:
    kind, here = error["type"], shown(found.tree, path)
    if kind == "extra_forbidden":
        found.unknown(path, known(path[:-1], models))
    elif kind == "missing":
        found.add(
            path, f"'{path[-1]}' is missing", f"write {path[-1]}: under {dotted(path[:-1]) or 'the top of the file'}"
        )
    elif kind == "literal_error":
        found.add(path, f"'{here}' is not known here", f"write {error['ctx']['expected']}")
    elif kind == "value_error":
        message, _, cure = str(error["msg"]).removeprefix("Value error, ").partition(": write ")
        found.add(path, message, f"write {cure}" if cure else "write a value that can be true")
    elif kind == "greater_than_equal" and error["ctx"]["ge"] != 0:
        found.add(path, f"expected a number of at least {error['ctx']['ge']}, not {here}", "write a larger number")
    else:
        message, cure = _EXPECTED.get(kind, (str(error["msg"]), ""))
        found.add(path, f"{message}, not {here}", cure)


_EXPECTED = {
    "string_type": ("expected text", "put the value in quotes"),
    "list_type": ("expected a list", "write [first, second]"),
    "dict_type": ("expected a map", "write {key: value}"),
    "model_type": ("expected a map", "write {key: value}"),
    "int_type": ("expected a whole number", "write digits only, such as 7"),
    "float_type": ("expected a number", "write a plain number, such as 3.67"),
    "greater_than_equal": ("expected a number that is not negative", "write a number from 0 upwards"),
}
