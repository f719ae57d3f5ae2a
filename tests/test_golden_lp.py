"""What each rule and objective says to the solver, kept as text: a change of the mathematics shows as a diff."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyomo.environ as pyo
import pytest
from library import all_objectives, all_rules
from lp_text import as_lp_text
from worked_examples import FOLDER, read_worked, worked_files

from allocopt.model import Rule
from allocopt.solve.compiled import Compiled, compile_problem

GOLDEN = Path(__file__).parent / "golden"
COMMAND = "python -m pytest tests/test_golden_lp.py --write-golden"
PARTS = {part.name: part for part in (*all_rules(), *all_objectives())}
EXAMPLES = [path.stem for path in worked_files()]


def shown_by(example: str) -> str:
    """The rule or objective that a worked example is named after: `growth_floor` for `growth_floor_with_taper`."""
    return max((name for name in PARTS if example == name or example.startswith(f"{name}_")), key=len, default="")


def golden_text(example: str) -> str:
    """A rule's rows, or an objective with the rows that define it, in a worked example."""
    part, worked = PARTS[shown_by(example)], read_worked(FOLDER / f"{example}.yaml")
    compiled = compile_problem(worked.build())
    if isinstance(part, Rule):
        components, objectives = {part.name}, {}
    else:
        number = [one.name for one in worked.objectives].index(part.name)
        components, objectives = _definitions(compiled, number), {part.name: number}
    head = [part.name, part.sentence, part.equation, f"as in tests/worked/{example}.yaml, GBP million"]
    return "".join(f"\\ {line}\n" for line in head) + as_lp_text(compiled, components=components, objectives=objectives)


def _definitions(compiled: Compiled, number: int) -> set[str]:
    """The components of the rows that define an objective's own variables."""
    used = {compiled.columns[j][0] for j in np.flatnonzero(compiled.costs[number])}
    return {f"{name}_definition" for name in used}


@pytest.mark.parametrize("example", EXAMPLES)
def test_what_the_solver_is_told_is_what_was_agreed(example, write_golden):
    path = GOLDEN / f"{example}.lp"
    if write_golden:
        path.write_text(golden_text(example), encoding="utf-8")
    assert path.exists(), f"{example} has no golden file: run `{COMMAND}`, read tests/golden/{example}.lp and commit it"
    assert golden_text(example) == path.read_text(encoding="utf-8"), (
        f"{example} no longer says what tests/golden/{example}.lp says. If that is meant, run `{COMMAND}`, "
        "read the diff and say in the commit which results it changes."
    )


@pytest.mark.parametrize("name", PARTS)
def test_every_rule_and_objective_has_a_golden_file(name):
    assert (GOLDEN / f"{name}.lp").exists(), (
        f"{name} has no golden file: write tests/worked/{name}.yaml, run `{COMMAND}` and read tests/golden/{name}.lp"
    )


def test_every_worked_example_is_named_after_what_it_shows():
    lost = [example for example in EXAMPLES if not shown_by(example)]
    assert not lost, f"begin these names with a rule or an objective: {', '.join(lost)}"


def test_every_golden_file_belongs_to_a_worked_example():
    assert {path.stem for path in GOLDEN.glob("*.lp")} <= set(EXAMPLES)


def test_a_two_sided_row_and_a_whole_number_are_written_as_they_are_meant():
    model = pyo.ConcreteModel()
    model.open = pyo.Var(["A"], domain=pyo.Binary)
    model.window = pyo.Constraint(["A"], rule=lambda m, p: (-2, 3 * m.open[p], 4))
    model.most = pyo.Objective(expr=2 * model.open["A"] + 5, sense=pyo.maximize)
    assert as_lp_text(compile_problem(SimpleNamespace(pyomo=model)), components={"window"}, objectives={"most": 0}) == (
        "most: maximise  2 open[A] + 5\n"
        "subject to\n"
        "  window[A]:  3 open[A] <= 4\n"
        "  window[A,lower]:  3 open[A] >= -2\n"
        "bounds\n"
        "  0 <= open[A] <= 1  whole number\n"
    )
