"""One rule compiled by itself, without building Pyomo's expressions: rules are asked again with stand-ins.

Prices and diagnosis ask the same rule over and over with another number. Where a rule cannot be asked so (it answers
with something that is not linear, or contradicts itself), it is built in Pyomo and compiled as always.
Imports `asked`, `together`, `compiled`, `problem` and `model`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import scipy.sparse as sp

from allocopt.model import Model, Rule
from allocopt.problem import Array, Situation, build, paused_collector
from allocopt.settings import RuleSetting
from allocopt.solve.asked import Answer, Asker, Figures, Name, NotAlike, ask
from allocopt.solve.compiled import Compiled, compile_problem, guard_scaling
from allocopt.solve.together import REFUSED, Names, Together

Places = tuple[Mapping[Name, int], Mapping[Name, int]]
"""Where each row and each column of a programme stands, by name."""


class Columns(dict[Name, int]):
    """Numbers the columns in the order in which they are met."""

    def __missing__(self, name: Name) -> int:
        self[name] = number = len(self)
        return number


@dataclass
class Known:
    """What all situations of the same places and years share."""

    columns: Columns
    names: Names
    at_once: dict[tuple[str, ...], bool] = field(default_factory=dict)
    """Whether a rule, with parameters of these kinds, gives the same numbers when it is asked for all places at once"""
    named: tuple[Name, ...] = ()
    """The names of all columns so far"""

    def all_names(self) -> tuple[Name, ...]:
        """The names of all columns, the same tuple as long as there is none more."""
        if len(self.named) != len(self.columns):
            self.named = tuple(self.columns)
        return self.named


class Alone:
    """Compiles rules of one situation one at a time; the views of its years are made once."""

    def __init__(self, situation: Situation, model: Model, *, like: Alone | None = None) -> None:
        """`like` may have told for the same places and years which rules can be asked for all places at once."""
        self._situation, self._model = situation, model
        shared = like is not None and like.about(situation)
        self.known: Known = like.known if like is not None and shared else _new(situation)
        self._asker, self._figures = Asker(situation, self.known.columns), Figures(situation)
        self._together = Together(situation, self.known.names)

    def about(self, situation: Situation) -> bool:
        """Whether a situation has the same places and years."""
        mine = self._situation
        return situation.places == mine.places and situation.years == mine.years

    def learn(self, rule: Rule, setting: RuleSetting, built: Compiled, *, at: Places) -> None:
        """Tell from a programme that was built with this setting whether a rule may be asked for all places at once.

        `at` says where its rows and columns stand.
        """
        kinds = _kinds(rule, setting)
        if kinds not in self.known.at_once:
            whole = self._at_once(rule, setting)
            self.known.at_once[kinds] = whole is not None and _stands_in(self._of(whole), built, *at)

    def compiled(self, rule: Rule, setting: RuleSetting) -> Compiled:
        """The rows of one rule and of the definitions it makes. Raises Infeasible or InputFault as `build` does."""
        try:
            with paused_collector():
                found = self._of(self._answer(rule, setting))
        except (NotAlike, TypeError, AttributeError, NotImplementedError):
            return self._built(rule, setting)
        guard_scaling(found)
        return found

    def _answer(self, rule: Rule, setting: RuleSetting) -> Answer:
        """The rows of a rule, asked for all places at once where that was found to give the same numbers."""
        kinds = _kinds(rule, setting)
        at_once = self.known.at_once.get(kinds)
        whole = None if at_once is False else self._at_once(rule, setting)
        if at_once and whole is not None:
            return whole
        self._asker.parts = {}
        answer = self._asker.answer(lambda: ask(rule, setting.parameters, self._asker, self._figures))
        if not answer.rows.sizes.all():
            raise NotAlike
        if at_once is None:
            self.known.at_once[kinds] = whole is not None and _same(whole, answer)
        return answer

    def _at_once(self, rule: Rule, setting: RuleSetting) -> Answer | None:
        self._asker.parts = {}
        try:
            return self._together.answer(rule, setting.parameters, self._asker)
        except REFUSED:
            return None

    def _built(self, rule: Rule, setting: RuleSetting) -> Compiled:
        always = [one for one in self._model.always if one.name == rule.name]
        alone = replace(self._model, always=always, rules=[] if always else [rule])
        return compile_problem(build(self._situation, alone, rules={rule.name: setting}, objectives=()))

    def _of(self, answer: Answer) -> Compiled:
        block, names = answer.rows, self.known.all_names()
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
            columns=names if len(used) == len(names) else tuple(names[column] for column in used.tolist()),
        )

    def _bounds(self, answer: Answer, names: tuple[Name, ...]) -> tuple[Array, Array]:
        """Bounds of every column: those that the rule brought, and 0 to the year's pot for allocations."""
        pots: Mapping[str, float] = dict(zip(self._situation.years, self._situation.pot.tolist(), strict=True))
        lower = np.zeros(len(names))
        upper = np.array([pots[key[-1]] if name == "allocation" else np.inf for name, key in names])
        brought = [self.known.columns[name] for name in answer.bounds.names]
        lower[brought], upper[brought] = answer.bounds.lower, answer.bounds.upper
        return lower, upper


def _new(situation: Situation) -> Known:
    columns = Columns()
    return Known(columns, Names(situation.places, columns))


def _kinds(rule: Rule, setting: RuleSetting) -> tuple[str, ...]:
    """The rule and what kind of value each of its parameters has."""
    return (rule.name, *(f"{name}: {type(one).__name__}" for name, one in sorted(setting.parameters.items())))


def _stands_in(part: Compiled, built: Compiled, rows: Mapping[Name, int], columns: Mapping[Name, int]) -> bool:
    """Whether the rows and bounds of a part are those of the built programme, bit for bit."""
    try:
        row = np.array([rows[name] for name in part.rows], dtype=np.intp)
        column = np.array([columns[name] for name in part.columns], dtype=np.intp)
    except KeyError:
        return False
    mine, its = part.matrix.tocoo(), built.matrix[row].tocoo()
    order, its_order = np.lexsort((column[mine.col], mine.row)), np.lexsort((its.col, its.row))
    pairs = (
        (mine.row[order], its.row[its_order]),
        (column[mine.col][order], its.col[its_order]),
        (mine.data[order], its.data[its_order]),
        (part.row_lower, built.row_lower[row]),
        (part.row_upper, built.row_upper[row]),
        (part.column_lower, built.column_lower[column]),
        (part.column_upper, built.column_upper[column]),
    )
    return all(np.array_equal(*pair) for pair in pairs)


def _same(one: Answer, other: Answer) -> bool:
    """Whether two answers are the same names and numbers in the same order, bit for bit."""
    if one.rows.names != other.rows.names or one.bounds.names != other.bounds.names:
        return False
    rows = ("columns", "coefs", "sizes", "lower", "upper")
    pairs = [(getattr(one.rows, name), getattr(other.rows, name)) for name in rows]
    pairs += [(getattr(one.bounds, name), getattr(other.bounds, name)) for name in ("lower", "upper")]
    return all(np.array_equal(*pair) for pair in pairs)
