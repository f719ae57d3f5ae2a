"""Every failure a user can meet, in one tree; imports nothing of allocopt.

    AllocoptError            exit, kind
    ├── InputFault           2  your file or data: carries every problem found, not the first
    │   ├── ScenarioFault    2  the scenario file: syntax, keys, units, inheritance
    │   └── TableFault       2  a table: codes, columns, values
    ├── Infeasible           3  the rules contradict each other or the pot
    ├── Unbounded            3  an objective can grow for ever
    └── Stopped              4  the solver stopped before a proof within the asked gap

A `Problem` names the place, the cause and the cure. Messages are written for a policy modeller.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Mark:
    """Where a value was written: file, line and column (both from 1)."""

    file: Path
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, what, and what would make it right."""

    message: str
    cure: str = ""
    key: str = ""
    mark: Mark | None = None
    file: str = ""
    line: int | None = None

    def __str__(self) -> str:
        where = str(self.mark) if self.mark else self._file_and_line()
        said = f"{self.key}: {self.message}" if self.key else self.message
        text = f"{where}: {said}" if where else said
        return f"{text}\n    cure: {self.cure}" if self.cure else text

    def _file_and_line(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file

    def as_dict(self) -> dict[str, Any]:
        """The problem as the JSON contract has it."""
        mark = self.mark
        return {
            "file": str(mark.file) if mark else self.file or None,
            "line": mark.line if mark else self.line,
            "column": mark.column if mark else None,
            "key": self.key or None,
            "message": self.message,
            "cure": self.cure or None,
        }


def _shell(text: str) -> str:
    """A word of a command line, in quotes only where a shell would read it otherwise."""
    return text if all(letter.isalnum() or letter in "._-+=%,:/£" for letter in text) else f"'{text}'"


@dataclass(frozen=True)
class Cure:
    """A change of one parameter that makes an infeasible scenario solvable."""

    key: str
    before: str
    after: str
    verified: bool
    words: str = ""

    def __str__(self) -> str:
        tried = "tried: it solves" if self.verified else "not tried"
        return f"--set {_shell(f'{self.key}={self.after}')}   ({self.words or f'now {self.before}'}; {tried})"

    def as_dict(self) -> dict[str, Any]:
        """The cure as the JSON contract has it."""
        return {"key": self.key, "from": self.before, "to": self.after, "verified": self.verified, "words": self.words}


@dataclass(eq=False)
class AllocoptError(Exception):
    """A failure with an exit code that scripts rely on."""

    message: str
    problems: tuple[Problem, ...] = ()
    cures: tuple[Cure, ...] = ()
    exit: int = field(default=1, init=False)
    kind: str = field(default="error", init=False)

    def __post_init__(self) -> None:
        super().__init__(self.message)

    def __str__(self) -> str:
        parts = [self.message, *(f"  {problem}" for problem in self.problems)]
        if self.cures:
            parts += ["What would make it solvable, one change at a time:", *(f"  {cure}" for cure in self.cures)]
        return "\n".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """The one JSON object that `--json` prints on failure."""
        return {
            "error": {
                "exit": self.exit,
                "kind": self.kind,
                "message": self.message,
                "problems": [problem.as_dict() for problem in self.problems],
                "cures": [cure.as_dict() for cure in self.cures],
            }
        }


class InputFault(AllocoptError):
    """Your file or data: every problem found is listed."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.exit, self.kind = 2, "input"


class ScenarioFault(InputFault):
    """The scenario file does not say what to do."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.kind = "scenario"


class TableFault(InputFault):
    """A table does not hold what the scenario says it holds."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.kind = "table"


class Infeasible(AllocoptError):
    """No allocation obeys every rule."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.exit, self.kind = 3, "infeasible"


class Unbounded(AllocoptError):
    """An objective can improve for ever: a rule is missing."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.exit, self.kind = 3, "unbounded"


class Stopped(AllocoptError):
    """The solver stopped before it had a plan."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.exit, self.kind = 4, "stopped"


class PlanRefused(AllocoptError):
    """A result failed its own check: a bug of ours, never written as a result."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.exit, self.kind = 1, "check"
