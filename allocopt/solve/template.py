"""A compiled programme whose numbers can be changed: cases that differ only in numbers share all that is built.

The first programme of a structure is built in Pyomo and compiled, as always. Its rules are then asked again with
stand-ins (`affine`), and the answer is held against the compiled matrices, bit for bit; where it differs, or cannot be
had, the programme is no template and every case is built anew. For another case the rules whose parameters or figures
changed are asked again, and their numbers put where they belong. A case of another shape is built anew.
Imports `affine`, `compiled`, `problem` and `model`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from allocopt.errors import AllocoptError
from allocopt.model import Model, Objective, Rule
from allocopt.problem import (
    Array,
    Problem,
    Situation,
    build,
    paused_collector,
)
from allocopt.settings import ObjectiveSetting, RuleSetting, Scenario
from allocopt.solve.asked import Answer, Asker, Figures, Ints, Name, NotAlike, ask, same_figure
from allocopt.solve.compiled import Compiled, compile_problem, guard_scaling, hand_on
from allocopt.solve.together import REFUSED, Names, Together

REMEMBERED = 4
"""Answers of one rule that are kept: parameters and figures may alternate."""


@dataclass
class _Known:
    """An answer and what it was made from."""

    parameters: Mapping[str, Any]
    figures: Mapping[str, Any]
    parts: frozenset[tuple[str, str]]
    answer: Answer


@dataclass
class Template:
    """One compiled programme and the places of its numbers."""

    programme: Problem
    compiled: Compiled
    known: dict[tuple[int, str], list[_Known]] = field(default_factory=dict)
    at_once: set[tuple[int, str]] = field(default_factory=set)
    """The parts that may be asked for all places at once: so asked, they gave the same numbers as one by one."""
    _places: dict[tuple[int, str], tuple[Any, ...]] = field(default_factory=dict)

    @cached_property
    def column_at(self) -> dict[Name, int]:
        """The number of each column by its name."""
        return {name: number for number, name in enumerate(self.compiled.columns)}

    @cached_property
    def row_at(self) -> dict[Name, int]:
        """The number of each row by its name."""
        return {name: number for number, name in enumerate(self.compiled.rows)}

    def parts(
        self, rules: Mapping[str, RuleSetting], objectives: Sequence[ObjectiveSetting]
    ) -> list[tuple[int, Rule | Objective, Mapping[str, Any]]]:
        """What is asked, in the order in which it was built."""
        on = [(-1, rule, rules.get(name, RuleSetting()).parameters) for name, rule in self.programme.rules.items()]
        chosen = [one for one, _ in self.programme.objectives]
        return on + [
            (number, one, said.parameters) for number, (one, said) in enumerate(zip(chosen, objectives, strict=True))
        ]

    def of(self, situation: Situation, scenario: Scenario) -> Problem:
        """What the parts of another case's programme mean; it has no Pyomo model of its own."""
        settings = {name: scenario.rules.get(name, RuleSetting()) for name in self.programme.rules}
        chosen = [one for one, _ in self.programme.objectives]
        objectives = tuple(zip(chosen, scenario.objectives, strict=True))
        return Problem(None, situation, self.programme.rules, settings, objectives)

    def renumbered(
        self, situation: Situation, rules: Mapping[str, RuleSetting], objectives: Sequence[ObjectiveSetting]
    ) -> Compiled:
        """The compiled programme of another case of the same structure. Raises NotAlike when it has another shape."""
        base = self.compiled
        row_lower, row_upper = np.full(len(base.row_lower), np.nan), np.full(len(base.row_upper), np.nan)
        upper, lower = base.column_upper.copy(), base.column_lower.copy()
        data, costs, offsets = np.full(len(base.matrix.data), np.nan), np.zeros_like(base.costs), base.offsets.copy()
        self._allocation_bounds(situation, upper)
        with paused_collector():
            answers = self._answers(situation, rules, objectives)
        for (number, name), answer in answers:
            rows, positions, bounded = self._where((number, name), answer)
            row_lower[rows], row_upper[rows] = answer.rows.lower, answer.rows.upper
            data[positions] = answer.rows.coefs
            lower[bounded], upper[bounded] = answer.bounds.lower, answer.bounds.upper
            if answer.cost is not None:
                columns, coefs = answer.cost.merged()
                costs[number, columns] = np.array(coefs) * base.sense[number]
                offsets[number] = base.sense[number] * answer.cost.const
        if np.isnan(data).any() or np.isnan(row_lower).any():
            raise NotAlike
        matrix = base.matrix.copy()
        matrix.data = data
        made = replace(
            base,
            matrix=matrix,
            row_lower=row_lower,
            row_upper=row_upper,
            column_lower=lower,
            column_upper=upper,
            costs=costs,
            offsets=offsets,
        )
        hand_on(base, made)
        guard_scaling(made)
        return made

    def _allocation_bounds(self, situation: Situation, upper: Array) -> None:
        for step, year in enumerate(situation.years):
            upper[self._allocation[year]] = float(situation.pot[step])

    @cached_property
    def _allocation(self) -> dict[str, Ints]:
        years = self.programme.situation.years
        places = self.programme.situation.places
        return {year: np.array([self.column_at["allocation", (p, year)] for p in places]) for year in years}

    def _answers(
        self, situation: Situation, rules: Mapping[str, RuleSetting], objectives: Sequence[ObjectiveSetting]
    ) -> list[tuple[tuple[int, str], Answer]]:
        asker = Asker(situation, self.column_at)
        figures, together = Figures(situation), Together(situation, self._named)
        found = list[tuple[tuple[int, str], Answer]]()
        for number, part, parameters in self.parts(rules, objectives):
            known = self._remembered((number, part.name), part, parameters, figures, asker)
            if known is None:
                before = frozenset(asker.parts)
                answer = self._asked((number, part.name), part, parameters, asker, figures, together)
                read = figures.read_by(part)
                held = self.known.setdefault((number, part.name), [])
                held.append(_Known(dict(parameters), read, before, answer))
                del held[:-REMEMBERED]
            else:
                answer = known.answer
                asker.replay(answer)
            found.append(((number, part.name), answer))
        return found

    def _asked(
        self,
        at: tuple[int, str],
        part: Rule | Objective,
        parameters: Mapping[str, Any],
        asker: Asker,
        figures: Figures,
        together: Together,
    ) -> Answer:
        """What a part answers: for all places at once where that is known to be the same, else place by place."""
        if at in self.at_once:
            with suppress(*REFUSED):
                return together.answer(part, parameters, asker)
        return asker.answer(lambda: ask(part, parameters, asker, figures))

    @cached_property
    def _named(self) -> Names:
        return Names(self.programme.situation.places, self.column_at)

    def try_at_once(self) -> None:
        """Ask every part of the template's own case for all places at once, and note which give the same numbers."""
        said = self.programme
        asker, together = Asker(said.situation, self.column_at), Together(said.situation, self._named)
        for number, part, parameters in self.parts(said.settings, [setting for _, setting in said.objectives]):
            at = (number, part.name)
            alone = self.known[at][0].answer
            with suppress(*REFUSED):
                if self._same_numbers(together.answer(part, parameters, asker), alone):
                    self.at_once.add(at)
            asker.parts |= alone.parts

    def _same_numbers(self, one: Answer, other: Answer) -> bool:
        """Whether two answers put the same numbers in the same places, bit for bit."""
        return all(np.array_equal(*both) for both in zip(self._placed(one), self._placed(other), strict=True))

    def _placed(self, answer: Answer) -> Iterator[Array]:
        rows, positions, bounded = self._looked_up(answer)
        for at, values in (
            (rows, (answer.rows.lower, answer.rows.upper)),
            (positions, (answer.rows.coefs,)),
            (bounded, (answer.bounds.lower, answer.bounds.upper)),
        ):
            order = np.argsort(at, kind="stable")
            yield at[order].astype(float)
            yield from (one[order] for one in values)
        columns, coefs = answer.cost.merged() if answer.cost else ([], [])
        order = np.argsort(np.array(columns, dtype=np.int64))
        yield np.array(columns, dtype=float)[order]
        yield np.array([*np.array(coefs, dtype=float)[order], answer.cost.const if answer.cost else 0.0])

    def _remembered(
        self,
        at: tuple[int, str],
        part: Rule | Objective,
        parameters: Mapping[str, Any],
        figures: Figures,
        asker: Asker,
    ) -> _Known | None:
        for known in self.known.get(at, ()):
            if known.parameters == dict(parameters) and known.parts == frozenset(asker.parts):
                read = figures.read_by(part)
                if all(same_figure(known.figures[name], read[name]) for name in read):
                    return known
        return None

    def _where(self, at: tuple[int, str], answer: Answer) -> tuple[Any, Any, Any]:
        """Row numbers, positions in the matrix, bounded columns of an answer: the same for each case of the shape."""
        shape = (answer.rows.names, answer.rows.columns, answer.rows.sizes, answer.bounds.names)
        held = self._places.get(at)
        if held is not None and _same_shape(held[0], shape):
            self._places[at] = (shape, held[1])  # the same names again are told at once
            return held[1]  # type: ignore[no-any-return]
        found = self._looked_up(answer)
        self._places[at] = (shape, found)
        return found

    def _looked_up(self, answer: Answer) -> tuple[Ints, Ints, Ints]:
        try:
            rows = np.array([self.row_at[name] for name in answer.rows.names], dtype=np.int64)
            bounded = np.array([self.column_at[name] for name in answer.bounds.names], dtype=np.int64)
        except KeyError:
            raise NotAlike from None
        width = self.compiled.matrix.shape[1]
        wanted = np.repeat(rows, answer.rows.sizes) * width + answer.rows.columns
        places = np.searchsorted(self._sorted[0], wanted)
        if len(wanted) and (places.max() >= len(self._sorted[0]) or (self._sorted[0][places] != wanted).any()):
            raise NotAlike
        if (np.diff(self.compiled.matrix.indptr)[rows] != answer.rows.sizes).any():
            raise NotAlike
        return rows, self._sorted[1][places], bounded

    @cached_property
    def _sorted(self) -> tuple[Ints, Ints]:
        """Row x width + column of each number of the matrix, in order, and its position."""
        matrix = self.compiled.matrix
        rows = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr))
        keys = rows * matrix.shape[1] + matrix.indices.astype(np.int64)
        order = np.argsort(keys, kind="stable")
        return keys[order], order

    def holds(self) -> bool:
        """True when the rules, asked again for the template's own case, give the compiled matrices bit for bit."""
        said = self.programme
        try:
            again = self.renumbered(said.situation, said.settings, [setting for _, setting in said.objectives])
        except (NotAlike, TypeError, AttributeError, NotImplementedError, AllocoptError):
            return False
        base = self.compiled
        names = ("row_lower", "row_upper", "column_lower", "column_upper", "costs", "offsets")
        same = all(np.array_equal(getattr(again, name), getattr(base, name)) for name in names)
        return same and np.array_equal(again.matrix.data, base.matrix.data) and not base.integer.any()


def _same_shape(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return (
        (one[0] is other[0] or one[0] == other[0])
        and np.array_equal(one[1], other[1])
        and np.array_equal(one[2], other[2])
        and (one[3] is other[3] or one[3] == other[3])
    )


def make_template(
    situation: Situation, model: Model, *, rules: Mapping[str, RuleSetting], objectives: Sequence[ObjectiveSetting]
) -> tuple[Problem, Compiled, Template | None]:
    """Build and compile a programme, and the template that it gives; None when its numbers cannot be had again."""
    programme = build(situation, model, rules=rules, objectives=objectives)
    compiled = compile_problem(programme)
    template = Template(programme, compiled)
    if not template.holds():
        return programme, compiled, None
    template.try_at_once()
    return programme, compiled, template


__all__ = ["NotAlike", "Template", "make_template"]
