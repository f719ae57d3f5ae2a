"""The files of a scenario: found by path or by shipped name, each read once with all that it extends.

A text that was read before is not parsed again, so that a thousand cases of one sweep read their files once. Imports
`tree`, `shipped` and `errors`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from allocopt.errors import Mark, Problem, ScenarioFault
from allocopt.scenario.tree import Items, Leaf, Table, Tree, grow, suggestion
from allocopt.shipped import shipped


@dataclass(frozen=True)
class Layer:
    """One file: its own keys, and every file that it builds on (itself included)."""

    path: Path
    tree: Table
    parents: tuple[Layer, ...] = ()
    sweep: Tree | None = None
    """The cases that the file asks for; it is no part of what its children inherit by key."""

    @property
    def lineage(self) -> dict[Path, Layer]:
        """This layer and all below it, parents first."""
        found = {path: layer for parent in self.parents for path, layer in parent.lineage.items()}
        return {**found, self.path: self}


def locate(name: str, folder: Path) -> Path | None:
    """The scenario file of that name: a path from `folder`, or the bare name of a shipped scenario."""
    if (folder / name).is_file():
        return folder / name
    bare = shipped("scenarios") / f"{name}.yaml"
    return bare if re.fullmatch(r"[\w-]+", name) and bare.is_file() else None


def find_scenario(name_or_path: str | Path) -> Path:
    """The scenario file of a path, or of the name of a shipped scenario. Raises ScenarioFault with the close names."""
    found = locate(str(name_or_path), Path())
    if found is None:
        problem = not_found(str(name_or_path), Path())
        raise ScenarioFault(f"there is no scenario '{name_or_path}'", (problem,))
    return found


def not_found(name: str, folder: Path, mark: Mark | None = None) -> Problem:
    """The problem of a scenario that is not there, with the close names."""
    home = (folder / name).parent
    there = sorted(path.name for path in home.glob("*.y*ml")) if home.is_dir() else []
    names = [*there, *sorted(path.stem for path in shipped("scenarios").glob("*.yaml"))]
    close = suggestion(Path(name).name, names) or suggestion(f"{Path(name).name}.yaml", names)
    cure = f"name a file (there are {', '.join(names[:12])})" if names else f"no scenario lies in {home}"
    return Problem(f"there is no scenario '{name}'{close}", cure, "extends" if mark else "", mark, "" if mark else name)


@dataclass
class Files:
    """Reads a file and all that it extends, each once."""

    problems: list[Problem] = field(default_factory=list)
    layers: dict[Path, Layer | None] = field(default_factory=dict)

    def read(self, path: Path, via: tuple[Path, ...] = ()) -> Layer | None:
        """The layer of a file; None (and a problem) when it cannot be read."""
        real = path.resolve()
        if real not in self.layers:
            self.layers[real] = self._layer(path, real, via)
        return self.layers[real]

    def _layer(self, path: Path, real: Path, via: tuple[Path, ...]) -> Layer | None:
        tree = self._tree(path)
        if tree is None:
            return None
        names = self._names(tree)
        parents = [self._parent(name, path, (*via, real)) for name in names]
        own = {key: one for key, one in tree.items.items() if key not in ("extends", "sweep")}
        if len(names) > 1 and "name" not in own:
            cure = "write name: in this file, because it cannot have the names of several"
            self.problems.append(Problem("'name' is missing", cure, "name", tree.mark))
        if any(parent is None for parent in parents):
            return None
        return Layer(
            real, usual(Table(tree.mark, own)), tuple(parent for parent in parents if parent), tree.items.get("sweep")
        )

    def _tree(self, path: Path) -> Table | None:
        try:
            text = path.read_bytes().decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as fault:
            self.problems.append(_unreadable(path, fault))
            return None
        tree, problems = _grown(path, text)
        self.problems += problems
        if tree is None or isinstance(tree, Table):
            return tree
        self.problems.append(Problem("a scenario is a map of keys", "write key: value, one a line", mark=tree.mark))
        return None

    def _names(self, tree: Table) -> list[Leaf]:
        given = tree.items.get("extends")
        names = given.items if isinstance(given, Items) else [given] if given else []
        good = [name for name in names if isinstance(name, Leaf) and isinstance(name.value, str)]
        if given and (len(good) < len(names) or not names):
            cure = "write extends: england.yaml, or a list of files"
            self.problems.append(Problem("expected the name of a scenario file", cure, "extends", given.mark))
        return good

    def _parent(self, name: Leaf, child: Path, via: tuple[Path, ...]) -> Layer | None:
        path = locate(name.text, child.parent)
        if path is None:
            self.problems.append(not_found(name.text, child.parent, name.mark))
            return None
        if path.resolve() in via:
            ring = " -> ".join(one.name for one in (*via[via.index(path.resolve()) :], path))
            cure = "remove one of these extends"
            self.problems.append(Problem(f"the scenario extends itself: {ring}", cure, "extends", name.mark))
            return None
        return self.read(path, via)


@lru_cache(maxsize=64)
def _grown(path: Path, text: str) -> tuple[Tree | None, Sequence[Problem]]:
    return grow(text, lambda line, column: Mark(path, line, column))


def _unreadable(path: Path, fault: OSError | UnicodeDecodeError) -> Problem:
    if isinstance(fault, UnicodeDecodeError):
        line = fault.object[: fault.start].count(b"\n") + 1
        return Problem("the text is not UTF-8", "save the file with the encoding UTF-8", file=str(path), line=line)
    return Problem(f"the file cannot be read: {fault.strerror}", "check its name and its permissions", file=str(path))


def usual(tree: Table) -> Table:
    """The short forms written out: pot: £5bn is {value: £5bn}, model: x is [x], years: y is [y]."""
    items = dict(tree.items)
    for key in ("pot", "model", "years"):
        one = items.get(key)
        if isinstance(one, Leaf) and not one.is_off:
            items[key] = Table(one.mark, {"value": one}) if key == "pot" else Items(one.mark, (one,))
    return Table(tree.mark, items)
