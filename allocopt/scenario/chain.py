"""A scenario file, what it extends and what `--set` changes, merged into one tree.

Files are layers, parents first, each applied once: maps merge by key, lists and values replace, `off` drops a key.
What changed is kept as old -> new; what changed nothing is warned about. Imports `tree`, `shape`,
`shipped` and `errors`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from allocopt.errors import Mark, Problem
from allocopt.scenario.shape import PROVENANCE, known
from allocopt.scenario.tree import (
    Items,
    Keys,
    Leaf,
    SetMark,
    Table,
    Tree,
    dotted,
    find,
    grow,
    suggestion,
    walk,
    written,
)
from allocopt.shipped import shipped
from allocopt.units import KILOMETRES, MONEY, RATE, SECONDS

_OWN = {("name",), ("why",), ("source",), ("format",)}
_COMMAND = Path("--set")


@dataclass(frozen=True)
class Layer:
    """One file: its own keys, and every file that it builds on (itself included)."""

    path: Path
    tree: Table
    parents: tuple[Layer, ...] = ()

    @property
    def lineage(self) -> dict[Path, Layer]:
        """This layer and all below it, parents first."""
        found = {path: layer for parent in self.parents for path, layer in parent.lineage.items()}
        return {**found, self.path: self}


@dataclass
class Chain:
    """The merged tree and what happened on the way to it."""

    tree: Table
    problems: list[Problem] = field(default_factory=list)
    broken: bool = False
    files: tuple[Path, ...] = ()
    overrides: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    idle: list[tuple[Keys, Mark]] = field(default_factory=list)
    dropped: dict[Keys, Mark] = field(default_factory=dict)


def short(mark: Mark) -> str:
    """A mark without its folder: what is kept in a run must not depend on where it was run."""
    return "--set" if isinstance(mark, SetMark) else f"{mark.file.name}:{mark.line}:{mark.column}"


def same(one: Tree | None, other: Tree | None, key: str = "") -> bool:
    """True when two trees say the same: 2% and 2.0% do, £1m and £1000k do.

    A table's path is relative to the file that states it, so the same words in another folder name another table.
    """
    if isinstance(one, Table) and isinstance(other, Table):
        return one.items.keys() == other.items.keys() and all(
            same(one.items[key], other.items[key], key) for key in one.items
        )
    if isinstance(one, Items) and isinstance(other, Items):
        return len(one.items) == len(other.items) and all(map(same, one.items, other.items))
    if isinstance(one, Leaf) and isinstance(other, Leaf) and key == "table":
        return _named_file(one) == _named_file(other)
    if isinstance(one, Leaf) and isinstance(other, Leaf):
        alike = type(one.value) is type(other.value) and one.value == other.value and one.is_off == other.is_off
        return alike or _same_quantity(one.text, other.text)
    return False


def _named_file(leaf: Leaf) -> Path:
    home = Path.cwd() if isinstance(leaf.mark, SetMark) else leaf.mark.file.parent
    return (home / leaf.text).resolve()


def _same_quantity(one: str, other: str) -> bool:
    for unit in (RATE, MONEY, KILOMETRES, SECONDS):
        try:
            return unit.parse(one) == unit.parse(other)
        except ValueError:
            continue
    return False


def locate(name: str, folder: Path) -> Path | None:
    """The scenario file of that name: a path from `folder`, or the bare name of a shipped scenario."""
    if (folder / name).is_file():
        return folder / name
    bare = shipped("scenarios") / f"{name}.yaml"
    return bare if re.fullmatch(r"[\w-]+", name) and bare.is_file() else None


def not_found(name: str, folder: Path, mark: Mark | None = None) -> Problem:
    """The problem of a scenario that is not there, with the close names."""
    home = (folder / name).parent
    there = sorted(path.name for path in home.glob("*.y*ml")) if home.is_dir() else []
    names = [*there, *sorted(path.stem for path in shipped("scenarios").glob("*.yaml"))]
    close = suggestion(Path(name).name, names) or suggestion(f"{Path(name).name}.yaml", names)
    cure = f"name a file (there are {', '.join(names[:12])})" if names else f"no scenario lies in {home}"
    return Problem(f"there is no scenario '{name}'{close}", cure, "extends" if mark else "", mark, "" if mark else name)


@dataclass
class _Files:
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
        own = {key: one for key, one in tree.items.items() if key != "extends"}
        if len(names) > 1 and "name" not in own:
            cure = "write name: in this file, because it cannot have the names of several"
            self.problems.append(Problem("'name' is missing", cure, "name", tree.mark))
        if any(parent is None for parent in parents):
            return None
        return Layer(real, usual(Table(tree.mark, own)), tuple(parent for parent in parents if parent))

    def _tree(self, path: Path) -> Table | None:
        try:
            text = path.read_bytes().decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as fault:
            self.problems.append(_unreadable(path, fault))
            return None
        tree, problems = grow(text, lambda line, column: Mark(path, line, column))
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


def _stated(layers: Iterable[Layer]) -> dict[Keys, Tree]:
    """The values and lists that the layers state, the last word of each."""
    said: dict[Keys, Tree] = {}
    for layer in layers:
        for keys, one in _values(layer.tree):
            said = {k: old for k, old in said.items() if k[: len(keys)] != keys and keys[: len(k)] != k}
            said[keys] = one
    return said


def _values(tree: Tree, at: Keys = ()) -> Iterator[tuple[Keys, Tree]]:
    if not isinstance(tree, Table):
        yield at, tree
        return
    for key, one in tree.items.items():
        yield from _values(one, (*at, key))


def _conflicts(layer: Layer) -> Iterator[Problem]:
    """What two siblings say differently, apart from what they inherit in common."""
    for one, other in combinations(layer.parents, 2):
        left, right = one.lineage, other.lineage
        mine = _stated(left[path] for path in left if path not in right)
        theirs = _stated(right[path] for path in right if path not in left)
        for keys, value in theirs.items():
            for clash in _clashes(keys, value, mine):
                message = (
                    f"{short(clash.mark)} says {written(clash)}, its sibling {short(value.mark)} says {written(value)}"
                )
                cure = "say it in one of the two only, or let one extend the other"
                yield Problem(message, cure, dotted(keys), value.mark)


def _clashes(keys: Keys, value: Tree, mine: Mapping[Keys, Tree]) -> list[Tree]:
    if keys in _OWN:
        return []
    return [
        held
        for path, held in mine.items()
        if (path == keys and not same(held, value, keys[-1]))
        or (path != keys and (path[: len(keys)] == keys or keys[: len(path)] == path))
    ]


@dataclass
class _Merge:
    """Applies one layer on the tree so far."""

    chain: Chain
    related: frozenset[Path] | None
    record: bool = True

    def apply(self, over: Table) -> None:
        self.chain.tree = self._table(self.chain.tree, over, ())

    def _table(self, base: Table, over: Table, keys: Keys) -> Table:
        items = dict(base.items)
        for key, new in over.items.items():
            path, old = (*keys, key), items.get(key)
            if isinstance(new, Leaf) and new.is_off:
                self._drop(items, path, new)
            elif isinstance(old, Table) and isinstance(new, Table) and new.items:
                items[key] = self._table(old, new, path)
            else:
                items[key] = self._put(old, new, path)
        return Table(base.mark, items)

    def _drop(self, items: dict[str, Tree], path: Keys, off: Leaf) -> None:
        old = items.pop(path[-1], None)
        if old is None:
            self.chain.idle.append((path, off.mark))
            return
        self.chain.dropped[path] = off.mark
        self._note(path, written(old), "off", off.mark)

    def _put(self, old: Tree | None, new: Tree, path: Keys) -> Tree:
        if old and (same(old, new, path[-1]) or (isinstance(old, Table) and isinstance(new, Table))):
            self._idle(old, new, path)
            return old
        fresh = self._without_off(new, path)
        if path not in _OWN and (old or self.record):
            self._note(path, written(old) if old else "not set", written(fresh), new.mark)
        self.chain.dropped.pop(path, None)
        return fresh

    def _without_off(self, tree: Tree, path: Keys) -> Tree:
        if not isinstance(tree, Table):
            return tree
        kept: dict[str, Tree] = {}
        for key, one in tree.items.items():
            if isinstance(one, Leaf) and one.is_off:
                self.chain.idle.append(((*path, key), one.mark))
            else:
                kept[key] = self._without_off(one, (*path, key))
        return Table(tree.mark, kept)

    def _note(self, path: Keys, old: str, new: str, mark: Mark) -> None:
        self.chain.overrides.append(f"{dotted(path)}: {old} -> {new}  ({short(mark)})")

    def _idle(self, old: Tree, new: Tree, path: Keys) -> None:
        unrelated = self.related is not None and old.mark.file.resolve() not in self.related
        if path in _OWN or path[-1] in PROVENANCE or unrelated:
            return
        self.chain.warnings.append(
            f"{short(new.mark)}: {dotted(path)}: {written(new)} changes nothing: {short(old.mark)} says so already"
        )


def merge(path: Path, sets: Sequence[tuple[str, str]]) -> Chain:
    """The tree of a scenario file after inheritance and `--set`, with every problem met on the way."""
    files = _Files()
    top = files.read(path)
    chain = Chain(Table(Mark(path, 1, 1), {}), files.problems, broken=top is None)
    if top is None:
        return chain
    chain.files = (*top.lineage, _COMMAND)
    for layer in top.lineage.values():
        chain.problems += _conflicts(layer)
        _Merge(chain, frozenset(layer.lineage), record=bool(layer.parents)).apply(layer.tree)
    chain.tree = Table(Mark(path, 1, 1), chain.tree.items)
    for number, (key, value) in enumerate(sets, 1):
        _set(chain, key, value, number)
    return chain


def _set(chain: Chain, key: str, value: str, number: int) -> None:
    mark = SetMark(_COMMAND, number, 1, f"{key}={value}")
    keys = tuple(key.split("."))
    tree, problems = grow(value, lambda *_: mark, keys)
    problem = _refused(chain.tree, keys, mark, tree)
    chain.problems += [*problems, *([problem] if problem else [])]
    if tree is None or problem:
        return
    over = _overlay(chain.tree, keys, tree, mark)
    if isinstance(tree, Leaf) and tree.is_off and not find(chain.tree, keys):
        chain.idle.append((keys, mark))
    elif isinstance(over, Table):
        _Merge(chain, None).apply(usual(over))


def _overlay(current: Tree | None, keys: Keys, value: Tree, mark: Mark) -> Tree:
    if not keys:
        return value
    below = _overlay(find(current, keys[:1]), keys[1:], value, mark)
    if isinstance(current, Items):
        place = int(keys[0])
        below = _deep(current.items[place], below)
        return Items(mark, (*current.items[:place], below, *current.items[place + 1 :]))
    return Table(mark, {keys[0]: below})


def _deep(old: Tree, new: Tree) -> Tree:
    if not (isinstance(old, Table) and isinstance(new, Table)):
        return new
    merged = {key: _deep(old.items[key], one) if key in old.items else one for key, one in new.items.items()}
    return Table(old.mark, {**old.items, **merged})


def _refused(tree: Tree, keys: Keys, mark: Mark, value: Tree | None) -> Problem | None:
    """Why a `--set` cannot be applied to the tree as it stands."""
    if keys == ("extends",):
        return Problem("a scenario's parents cannot be set", "write a child scenario with extends:", "extends", mark)
    for depth, key in enumerate(keys):
        above, last = find(tree, keys[:depth]), depth == len(keys) - 1
        if isinstance(above, Items) and find(above, (key,)) is None:
            return Problem(f"the list has no item '{key}'", _items_cure(keys[:depth], above), dotted(keys), mark)
        if isinstance(above, Items) and last and isinstance(value, Leaf) and value.is_off:
            return Problem(
                "an item of a list cannot be dropped",
                f"set the whole list: {dotted(keys[:-1])}=[...]",
                dotted(keys),
                mark,
            )
        if (
            isinstance(above, Table)
            and not last
            and key not in above.items
            and keys[0] != "rules"
            and known(keys[:depth]) is None
        ):
            cure = f"there are {', '.join(above.items)}"
            return Problem(f"unknown key '{key}'{suggestion(key, above.items)}", cure, dotted(keys), mark)
    return None


def _items_cure(keys: Keys, above: Items) -> str:
    return f"{dotted(keys)} has the items 0 to {len(above.items) - 1}: {written(above)}"


def marks(tree: Table) -> dict[Keys, Mark]:
    """Where each key path of the merged tree was written."""
    return {keys: one.mark for keys, one in walk(tree)}
