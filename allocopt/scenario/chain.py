"""A scenario file, what it extends and what `--set` changes, merged into one tree.

Files are layers, parents first, each applied once: maps merge by key, lists and values replace, `off` drops a key.
What changed is kept as old -> new; what changed nothing is warned about. Imports `files`, `tree`, `shape`,
`units` and `errors`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path

from allocopt.errors import Mark, Problem
from allocopt.scenario.files import Files, Layer, usual
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
from allocopt.units import KILOMETRES, MONEY, RATE, SECONDS

_OWN = {("name",), ("why",), ("source",), ("format",)}
_COMMAND = Path("--set")


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
    sweep: Tree | None = None


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
    if isinstance(one, Leaf) and isinstance(other, Leaf) and _names_a_file(one, key):
        return _named_file(one) == _named_file(other)
    if isinstance(one, Leaf) and isinstance(other, Leaf):
        alike = type(one.value) is type(other.value) and one.value == other.value and one.is_off == other.is_off
        return alike or _same_quantity(one.text, other.text)
    return False


def _names_a_file(leaf: Leaf, key: str) -> bool:
    return key == "table" or (key == "graph" and "." in leaf.text)


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


def merge(path: Path, sets: Sequence[tuple[str, str | Tree]], parent: Path | None = None) -> Chain:
    """The tree of a scenario file after inheritance and `--set`, with every problem met on the way.

    `parent` stands in for what the file extends; a value that is a tree already keeps its own mark.
    """
    files = Files()
    top = files.read(path)
    if top and parent:
        other = files.read(parent)
        top = other and replace(top, parents=(other,))
    chain = Chain(Table(Mark(path, 1, 1), {}), files.problems, broken=top is None)
    if top is None:
        return chain
    chain.files = (*top.lineage, _COMMAND)
    for layer in top.lineage.values():
        chain.problems += _conflicts(layer)
        _Merge(chain, frozenset(layer.lineage), record=bool(layer.parents)).apply(layer.tree)
    sweeps = [layer.sweep for layer in top.lineage.values() if layer.sweep]
    sweep = {"sweep": sweeps[-1]} if sweeps else {}
    chain.tree = Table(Mark(path, 1, 1), {**chain.tree.items, **sweep})
    for number, (key, value) in enumerate(sets, 1):
        _set(chain, key, value, number)
    chain.sweep = chain.tree.items.get("sweep")
    chain.tree = Table(chain.tree.mark, {key: one for key, one in chain.tree.items.items() if key != "sweep"})
    return chain


def _set(chain: Chain, key: str, value: str | Tree, number: int) -> None:
    keys = tuple(key.split("."))
    mark = SetMark(_COMMAND, number, 1, f"{key}={value}") if isinstance(value, str) else value.mark
    tree, problems = grow(value, lambda *_: mark, keys) if isinstance(value, str) else (value, [])
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
