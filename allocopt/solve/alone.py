"""One rule compiled by itself, without building Pyomo's expressions: rules are asked again with stand-ins.

Prices and diagnosis ask the same rule over and over with another number. Where a rule cannot be asked so (it answers
with something that is not linear, or contradicts itself), it is built in Pyomo and compiled as always.
Imports `asked`, `compiled`, `problem` and `model`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from allocopt.model import Model, Rule
from allocopt.problem import Array, Situation, build, paused_collector
from allocopt.settings import RuleSetting
from allocopt.solve.asked import Answer, Asker, Figures, Name, NotAlike, ask
from allocopt.solve.compiled import Compiled, compile_problem, guard_scaling


class _Columns(dict[Name, int]):
    """Numbers the columns in the order in which they are met."""

    def __missing__(self, name: Name) -> int:
        self[name] = number = len(self)
        return number


class Alone:
    """Compiles rules of one situation one at a time; the views of its years are made once."""

    def __init__(self, situation: Situation, model: Model) -> None:
        self._situation, self._model = situation, model
        self._columns = _Columns()
        self._asker, self._figures = Asker(situation, self._columns), Figures(situation)

    def compiled(self, rule: Rule, setting: RuleSetting) -> Compiled:
        """The rows of one rule and of the definitions it makes. Raises Infeasible or InputFault as `build` does."""
        try:
            with paused_collector():
                found = self._stood_in(rule, setting)
        except (NotAlike, TypeError, AttributeError, NotImplementedError):
            return self._built(rule, setting)
        guard_scaling(found)
        return found

    def _built(self, rule: Rule, setting: RuleSetting) -> Compiled:
        always = [one for one in self._model.always if one.name == rule.name]
        alone = replace(self._model, always=always, rules=[] if always else [rule])
        return compile_problem(build(self._situation, alone, rules={rule.name: setting}, objectives=()))

    def _stood_in(self, rule: Rule, setting: RuleSetting) -> Compiled:
        self._asker.parts = {}
        answer = self._asker.answer(lambda: ask(rule, setting.parameters, self._asker, self._figures))
        if not answer.rows.sizes.all():
            raise NotAlike
        return self._of(answer)

    def _of(self, answer: Answer) -> Compiled:
        block, names = answer.rows, list(self._columns)
        used, place = np.unique(block.columns, return_inverse=True)
        starts = np.concatenate([[0], np.cumsum(block.sizes)])
        matrix = sp.csr_array((block.coefs, place, starts), shape=(len(block.names), len(used)))
        matrix.sort_indices()
        lower, upper = self._bounds(answer, names)
        return Compiled(
            matrix=matrix,
            row_lower=block.lower,
            row_upper=block.upper,
            column_lower=lower[used],
            column_upper=upper[used],
            integer=np.zeros(len(used), dtype=bool),
            costs=np.zeros((0, len(used))),
            offsets=np.zeros(0),
            sense=(),
            rows=block.names,
            columns=tuple(names[column] for column in used.tolist()),
        )

    def _bounds(self, answer: Answer, names: list[Name]) -> tuple[Array, Array]:
        """Bounds of every column: those that the rule brought, and 0 to the year's pot for allocations."""
        pots: Mapping[str, float] = dict(zip(self._situation.years, self._situation.pot.tolist(), strict=True))
        lower = np.zeros(len(names))
        upper = np.array([pots[key[-1]] if name == "allocation" else np.inf for name, key in names])
        brought = [self._columns[name] for name in answer.bounds.names]
        lower[brought], upper[brought] = answer.bounds.lower, answer.bounds.upper
        return lower, upper
