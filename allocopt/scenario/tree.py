"""Scenario text as a tree in which every value knows where it was written.

YAML 1.2 is used for syntax and positions only: what is built here is plain, frozen and has no YAML left in it. Tags,
anchors and dates have no meaning in a scenario. Every fault of a text is collected. Imports `errors` alone.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from allocopt.errors import Mark, Problem

Scalar = str | int | float | bool
Keys = tuple[str, ...]
At = Callable[[int, int], Mark]


@dataclass(frozen=True)
class SetMark(Mark):
    """A value given on the command line."""

    text: str = ""

    def __str__(self) -> str:
        return f"--set {self.text}"


@dataclass(frozen=True)
class Leaf:
    """One value: what it is, how it was written, and whether that was without quotes."""

    mark: Mark
    value: Scalar
    text: str
    plain: bool

    @property
    def is_off(self) -> bool:
        """True for the word that drops a key; 'off' in quotes is text."""
        return self.plain and self.text == "off"


@dataclass(frozen=True)
class Items:
    """A list."""

    mark: Mark
    items: tuple[Tree, ...]


@dataclass(frozen=True)
class Table:
    """A map from key to value, in the order written."""

    mark: Mark
    items: Mapping[str, Tree]


Tree = Leaf | Items | Table


def dotted(keys: Iterable[str]) -> str:
    """A key path as people write it: rules.growth_floor.rate."""
    return ".".join(keys)


def suggestion(word: str, known: Iterable[str]) -> str:
    """'; did you mean ...?' when a known word is close, else nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def plain(tree: Tree) -> Any:
    """The tree as maps, lists and scalars."""
    if isinstance(tree, Table):
        return {key: plain(one) for key, one in tree.items.items()}
    return [plain(one) for one in tree.items] if isinstance(tree, Items) else tree.value


def written(tree: Tree) -> str:
    """The tree as one line of scenario text."""
    if isinstance(tree, Table):
        return "{" + ", ".join(f"{key}: {written(one)}" for key, one in tree.items.items()) + "}"
    if isinstance(tree, Items):
        return "[" + ", ".join(written(one) for one in tree.items) + "]"
    return tree.text if tree.plain or tree.text != "off" else '"off"'


def walk(tree: Tree, at: Keys = ()) -> Iterator[tuple[Keys, Tree]]:
    """Every node below the root with its key path; list items are numbered from 0."""
    if at:
        yield at, tree
    if not isinstance(tree, Leaf):
        named = tree.items.items() if isinstance(tree, Table) else ((str(n), one) for n, one in enumerate(tree.items))
        for key, one in named:
            yield from walk(one, (*at, key))


def find(tree: Tree | None, keys: Keys) -> Tree | None:
    """The node at a key path, or None."""
    for key in keys:
        if isinstance(tree, Table):
            tree = tree.items.get(key)
        elif isinstance(tree, Items) and key.isdigit() and int(key) < len(tree.items):
            tree = tree.items[int(key)]
        else:
            return None
    return tree


def nearest(tree: Tree, keys: Keys) -> Mark:
    """Where the value at a key path was written, or the closest thing above it."""
    while keys and not find(tree, keys):
        keys = keys[:-1]
    found = find(tree, keys)
    return found.mark if found else tree.mark


@dataclass
class _Builder:
    """Turns composed YAML nodes into a tree, collecting what is wrong with them."""

    at: At
    problems: list[Problem] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)

    def build(self, node: Any, keys: Keys, mark: Mark) -> Tree | None:
        if id(node) in self.seen:
            return self._refuse("an alias (*name) repeats another value", "write the value out", keys, mark)
        self.seen.add(id(node))
        if not str(node.tag).startswith("tag:yaml.org,2002:"):
            return self._refuse(f"the tag {node.tag} means nothing in a scenario", "remove it", keys, mark)
        if node.id == "mapping":
            return self._table(node, keys, mark)
        return self._items(node, keys, mark) if node.id == "sequence" else self._leaf(node, keys, mark)

    def _refuse(self, message: str, cure: str, keys: Keys, mark: Mark) -> Leaf | None:
        self.problems.append(Problem(message, cure, dotted(keys), mark))
        return None

    def _where(self, node: Any) -> Mark:
        return self.at(node.start_mark.line + 1, node.start_mark.column + 1)

    def _table(self, node: Any, keys: Keys, mark: Mark) -> Table:
        marks: dict[str, Mark] = {}
        items: dict[str, Tree] = {}
        for key_node, value in node.value:
            name, place = key_node.value, self._where(key_node)
            if not isinstance(name, str) or not name or name == "<<":
                self._refuse("a key must be a word", "write key: value", keys, place)
            elif name in marks:
                cure = f"keep one of the two; the first is at {marks[name]}"
                self._refuse(
                    f"duplicate key: written on line {marks[name].line} and on line {place.line}",
                    cure,
                    (*keys, name),
                    place,
                )
            else:
                marks[name] = place
                built = self.build(value, (*keys, name), place)
                items |= {name: built} if built else {}
        return Table(mark, items)

    def _items(self, node: Any, keys: Keys, mark: Mark) -> Items:
        built = [self.build(one, (*keys, str(n)), self._where(one)) for n, one in enumerate(node.value)]
        return Items(mark, tuple(one for one in built if one))

    def _leaf(self, node: Any, keys: Keys, mark: Mark) -> Leaf | None:
        kind = str(node.tag).rpartition(":")[2]
        if kind == "null":
            cure = "write off to drop it, {} for a rule without parameters, or remove the line"
            return self._refuse("has no value (null)", cure, keys, mark)
        try:
            return Leaf(mark, _scalar(kind, node.value), node.value, not node.style)
        except ValueError:
            return self._refuse(f"{node.value} is not a number to reckon with", "write a number", keys, mark)


def _scalar(kind: str, text: str) -> Scalar:
    """The value of a scalar; raises ValueError for a number that cannot be reckoned with."""
    digits = text.replace("_", "")
    if kind == "int":
        return int(digits, 0) if re.match(r"[-+]?0[xob]", digits) else int(digits)
    if kind == "float":
        value = float(digits.lower().replace(".inf", "inf").replace(".nan", "nan"))
        if not math.isfinite(value):
            raise ValueError(text)
        return value
    return text.lower() == "true" if kind == "bool" else text


_CURES = {
    r"'\\t'": "indent with spaces: a tab is not allowed there",
    r"character '[%@`]'": "put the value in quotes: it begins with a character that YAML keeps for itself",
    "mapping values are not allowed": "see the line above for a missing colon or wrong indent; quote a text with ': '",
    "could not find expected ':'": "a colon is missing: write key: value",
    "expected <block end>": "give the keys of one block the same indent, and close no bracket that was not opened",
    "expected ',' or": "close the bracket, or write the missing comma",
    "end of stream": "close the quotes",
    "but found another document": "keep one scenario in a file: remove the line ---",
    "undefined alias": "put the text in quotes: it begins with *",
}


def _syntax(fault: YAMLError, at: At) -> Problem:
    said = str(getattr(fault, "problem", None) or str(fault).partition("\n")[0])
    said = said.replace("\t", "\\t")
    context = getattr(fault, "context", None)
    cure = next(
        (cure for pattern, cure in _CURES.items() if re.search(pattern, said)), "compare the line with its neighbours"
    )
    mark = getattr(fault, "context_mark" if "expected ':'" in said else "problem_mark", None)
    place = at(mark.line + 1, mark.column + 1) if isinstance(fault, MarkedYAMLError) and mark else at(1, 1)
    return Problem(f"the text is not YAML: {said}" + (f" {context}" if context else ""), cure, mark=place)


def grow(text: str, at: At, keys: Keys = ()) -> tuple[Tree | None, list[Problem]]:
    """The tree of a YAML text and everything wrong with it; no tree when the text cannot be read at all.

    `at` makes a mark of a line and a column (both from 1); `keys` is where the text belongs, for messages.
    """
    try:
        node = YAML(pure=True).compose(text)
    except (YAMLError, RecursionError) as fault:
        return None, [
            _syntax(fault, at)
            if isinstance(fault, YAMLError)
            else Problem("nested too deep", "flatten it", mark=at(1, 1))
        ]
    builder = _Builder(at)
    if node is None:
        return None, [Problem("there is nothing in it", "write key: value", dotted(keys), at(1, 1))]
    return builder.build(node, keys, at(1, 1)), builder.problems
