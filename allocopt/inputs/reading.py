"""One reading of a scenario's tables: what its steps share, each file read once, every problem kept until the end.

Imports `tables`, `errors` and the types of `settings` and `scenario`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from allocopt.errors import Problem, TableFault
from allocopt.inputs.tables import Cited, Table, count, read_table, some

if TYPE_CHECKING:
    from allocopt.scenario import Loaded
    from allocopt.settings import Scenario


@dataclass(frozen=True)
class Reading:
    """The scenario with its marks, the tables read so far, the problems found and the choices applied."""

    loaded: Loaded
    tables: dict[Path, Table] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def scenario(self) -> Scenario:
        return self.loaded.scenario

    @property
    def roles(self) -> dict[str, str]:
        """Role -> column of the places table, for the roles that the scenario names."""
        columns = self.scenario.inputs.places.columns
        return {role: name for role, name in columns.model_dump().items() if name is not None}

    def cited(self, *keys: str) -> Cited:
        """The dotted key, with the mark of where it was written."""
        return Cited(".".join(keys), self.loaded.mark(*keys))

    def wrong(self, message: str, cure: str, *keys: str, file: str = "") -> None:
        """Keep a problem of the scenario key `keys`."""
        cited = self.cited(*keys)
        self.problems.append(Problem(message, cure, cited.key, cited.mark, file))

    def table(self, file: str, *keys: str) -> Table | None:
        """The table named at `keys`, read once however often it is named; None and a problem when it cannot be read."""
        path = self.loaded.table_path(*keys)
        if path not in self.tables:
            try:
                self.tables[path] = read_table(path, file=file, cited=self.cited(*keys))
            except TableFault as fault:
                self.problems.extend(fault.problems)
                return None
        return self.tables[path]

    def stop_if_wrong(self) -> None:
        """Raise TableFault with every problem kept, if there is one."""
        if self.problems:
            files = sorted({problem.file or problem.key for problem in self.problems})
            raise TableFault(
                f"{count(len(self.problems), 'problem')} in the input tables ({some(files)})", tuple(self.problems)
            )
