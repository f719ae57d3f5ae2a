"""Every failure names the place, the cause and the cure, and has the exit code that scripts rely on."""

from pathlib import Path

import pytest

from allocopt.errors import (
    AllocoptError,
    Cure,
    Infeasible,
    InputFault,
    Mark,
    PlanRefused,
    Problem,
    ScenarioFault,
    Stopped,
    TableFault,
    Unbounded,
)

MARK = Mark(Path("england.yaml"), 5, 18)


@pytest.mark.parametrize(
    ("fault", "code", "kind"),
    [
        (AllocoptError, 1, "error"),
        (PlanRefused, 1, "check"),
        (InputFault, 2, "input"),
        (ScenarioFault, 2, "scenario"),
        (TableFault, 2, "table"),
        (Infeasible, 3, "infeasible"),
        (Unbounded, 3, "unbounded"),
        (Stopped, 4, "stopped"),
    ],
)
def test_each_failure_has_its_exit_code(fault: type[AllocoptError], code: int, kind: str) -> None:
    assert (fault("no").exit, fault("no").kind) == (code, kind)


def test_a_problem_reads_place_key_cause_and_cure() -> None:
    problem = Problem("2 needs its unit", "write it like 2.5%", "rules.growth_floor.rate", MARK)
    assert str(problem) == (
        "england.yaml:5:18: rules.growth_floor.rate: 2 needs its unit\n    cure: write it like 2.5%"
    )


def test_a_problem_of_a_table_reads_file_and_line() -> None:
    assert str(Problem("place A is there twice", file="places.csv", line=3)) == "places.csv:3: place A is there twice"
    assert str(Problem("there is no such file", file="places.csv")) == "places.csv: there is no such file"


def test_a_failure_prints_one_json_object() -> None:
    fault = ScenarioFault("2 problems", (Problem("a", "b", "c", MARK), Problem("d")))
    said = fault.as_dict()["error"]
    assert (said["exit"], said["kind"], said["message"], said["cures"]) == (2, "scenario", "2 problems", [])
    assert said["problems"][0] == {
        "file": "england.yaml",
        "line": 5,
        "column": 18,
        "key": "c",
        "message": "a",
        "cure": "b",
    }
    assert said["problems"][1] == {
        "file": None,
        "line": None,
        "column": None,
        "key": None,
        "message": "d",
        "cure": None,
    }


def test_a_cure_that_a_shell_would_read_otherwise_stands_in_quotes() -> None:
    cure = Cure("rules.growth_floor.rate", "6%", "{2019-20: 2%, 2020-21: 3%}", verified=True)
    assert "--set 'rules.growth_floor.rate={2019-20: 2%, 2020-21: 3%}'" in str(cure)


def test_a_cure_reads_as_a_flag_ready_to_paste() -> None:
    cure = Cure("rules.growth_floor.rate", "6%", "2%", verified=True)
    assert "--set rules.growth_floor.rate=2% " in str(cure)
    assert "tried: it solves" in str(cure)
    fault = Infeasible("floors exceed the pot", cures=(cure,))
    assert str(fault).startswith("floors exceed the pot\nWhat would make it solvable, one change at a time:\n  --set")
    assert fault.as_dict()["error"]["cures"][0]["from"] == "6%"


def test_a_failure_lists_every_problem() -> None:
    assert str(TableFault("the table is wrong", (Problem("a"), Problem("b")))) == "the table is wrong\n  a\n  b"
