"""The rooms import downwards, never up and never in a circle; functions and modules stay small enough to read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from statistics import median

import pytest

PACKAGE = Path(__file__).parents[1] / "allocopt"

SHELVES = """
allocopt
errors modelling looping pathway csv_text said_bounds
units
ranges
frozen figures
settings.streams settings.stress settings.choice settings.sweep settings.neighbours
settings
shipped
tapers
model
rules.* objectives objectives_grouping objectives_choice objectives_joint
scenario.tree
scenario.shape
scenario.files
scenario.fresh scenario.chain scenario.faults
scenario.rules scenario.schema
scenario.checks
scenario
inputs.tables
inputs.cells
inputs.joins
inputs.reading
inputs.columns inputs.money inputs.places inputs.yearly inputs.links
inputs
returns
consortia.hulls quantiles streams
formula
risk
spend
stress_inputs
baseline required
pot_places
problem
solve.linear
solve.affine
solve.asked
solve.together
solve.compiled
solve.template solve.alone solve.least
solve.at_once
solve.certificate solve.highs solve.blocks solve.elastic solve.ascent
solve.single solve.kernels
solve.chains
solve.integer
solve.decompose
solve.shared
solve.settle solve.method
solve.leximin
solve.cases
solve.stages solve.even
grouping.instance
grouping.bounds grouping.neighbours grouping.programme grouping.measure
grouping.exact grouping.relaxed grouping.joint grouping.waivable
grouping.exempt
grouping.jointly grouping.alternatives
grouping.moves grouping.crew
grouping.anneal grouping.travel
grouping.mixes
grouping.pockets grouping.hubs grouping.beforehand grouping.task
grouping.regions grouping.lift
grouping.search
grouping.borders
grouping.national
grouping.solution
choice.kernels choice.swaps choice.field
choice.circles choice.growth
choice.search choice.shunning
choice.connected
choice.partition choice.programme choice.stability choice.admit
choice.subsidy
choice.keep
choice.levers
ledger
money_streams
plan
rolling certificates
price
prices
replay cliffs awkward
record
limits formulas
check.grouping
check.measures
consortia.given consortia.codes consortia.keeping
consortia.needs
consortia
consortia.joint consortia.binding consortia.words checked
consortia.prices
consortia.record
consortia.frontier
consortia.compare
choosing
choosing.words
choosing.tables
choosing.record
check.verdict
check.needs
check.inputs
check.decided check.places check.neighbours
check.rounds
check.plan check.rules
check.limits check.stages check.grouped_stages check.given check.pooled
check.bound
check.kept
check.prices check.frontier
check.stress check.rolling check.relaxed check.alternatives
check.proofs
check.beside check.without
check.earlier
check.coalitions
check.choice
check.choice_tables
check.shocks
check.carried check.pools
check.consortia
diagnose.levers diagnose.search diagnose.conflicts diagnose.parts diagnose.rolled diagnose.arithmetic diagnose.cures
diagnose check.folder
diagnose_grouping.questions diagnose_grouping.field
diagnose_grouping.search diagnose_grouping.jointly
diagnose_grouping.balances
diagnose_grouping.arithmetic
diagnose_grouping.cures
diagnose_grouping.cases
diagnose_grouping
effects.inequality effects.words effects.places
effects
attributes
explain.shapley
explain.recalled explain.formula_steps explain.limit_steps
explain.causes explain.member
explain
explain.whole
stress.bodies stress.estimates stress.kernels
stress.simulate
stress.treasury
stress.shocks stress.years stress.reverse stress.pools stress.sizes stress.robust stress.monitoring
stress.words
stress.tables
frontier
calibrate
folders
assurance
runs
exchange.*
report.console report.headline
report.risk_text
report.grouping_text report.choice_text
report.*
batches.*
comparison
report.batches
cli_parts
cli
__main__
"""
"""The lowest first; rooms on one shelf may import each other, but not in a circle.

`allocopt` is the package's own front door: it holds the version and imports a verb only when it is asked for.
"""

ORDER = {name: shelf for shelf, line in enumerate(SHELVES.strip().splitlines()) for name in line.split()}


def room_of(path: Path) -> str:
    """`solve.highs` for allocopt/solve/highs.py; a package's own file is the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "allocopt"


SOURCES = {room_of(path): path for path in sorted(PACKAGE.rglob("*.py")) if "_shipped" not in path.parts}


def shelf(room: str) -> int:
    """The shelf of a room. Raises AssertionError for a room that has no place."""
    for name in (room, f"{room.partition('.')[0]}.*", f"{room}.*"):
        if name in ORDER:
            return ORDER[name]
    found = [number for name, number in ORDER.items() if name.startswith(f"{room}.")]
    assert found, f"give this room its place: '{room}' is not on any shelf of tests/test_layers.py"
    return min(found)


def imports(room: str, text: str) -> set[str]:
    """The rooms that a module imports anywhere in it, except for types alone."""
    return {found for node in _statements(ast.parse(text)) for found in _rooms(room, node)} - {room}


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            yield from (one for other in child.orelse for one in (other, *_statements(other)))
            continue
        yield child
        yield from _statements(child)


def _rooms(room: str, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [f"{_from(room, node)}.{alias.name}" for alias in node.names]
    else:
        return
    yield from (_room(name) for name in names if name.partition(".")[0] == "allocopt")


def _from(room: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    inside = ["allocopt", *room.split(".")][: -node.level]
    return ".".join([*inside, *([node.module] if node.module else [])])


def _room(name: str) -> str:
    """`allocopt.units.Rate` lives in `units`: the longest part of the name that is a module."""
    inner = name.split(".")[1:]
    known = (".".join(inner[:length]) for length in range(len(inner), 0, -1))
    return next((room for room in known if room in SOURCES), "allocopt")


def functions() -> list[tuple[str, int]]:
    """Every function as `room.name` and its lines, from `def` to its end."""
    return [
        (f"{room}.{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1)
        for room, path in SOURCES.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


@pytest.mark.parametrize("room", SOURCES)
def test_a_room_imports_only_from_its_own_shelf_and_below(room):
    found = imports(room, SOURCES[room].read_text(encoding="utf-8"))
    upward = sorted(other for other in found if shelf(other) > shelf(room))
    assert not upward, f"{room} imports {', '.join(upward)}, which stands above it"


def test_no_rooms_import_each_other_in_a_circle():
    graph = {room: imports(room, path.read_text(encoding="utf-8")) for room, path in SOURCES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(f"these rooms import each other: {' <- '.join(circle.args[1])}")


def test_no_module_has_400_lines():
    sizes = {room: len(path.read_text(encoding="utf-8").splitlines()) for room, path in SOURCES.items()}
    assert {room: size for room, size in sizes.items() if size >= 400} == {}


def test_no_function_has_more_than_60_lines():
    assert [(name, lines) for name, lines in functions() if lines > 60] == []


def test_most_functions_have_fewer_than_10_lines():
    assert median(lines for _, lines in functions()) < 10


def test_imports_inside_functions_count_and_imports_for_types_do_not():
    text = (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from allocopt.runs import Run\n"
        "else:\n    import allocopt.units\n"
        "def work():\n    from allocopt.solve.highs import minimise\n"
        "from allocopt import streams\n"
        "from .errors import Problem\n"
    )
    assert imports("risk", text) == {"units", "solve.highs", "streams", "errors"}


def test_a_room_without_a_place_is_told():
    with pytest.raises(AssertionError, match="give this room its place: 'attic' is not on any shelf"):
        shelf("attic")
