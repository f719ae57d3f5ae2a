"""A large programme built and compiled in a tenth of the time: its rules are asked for all places at once.

The functions of `models/` are the ones that Pyomo is built from; `together` asks them with a column for every place
where Pyomo has an expression for each. Before the answer is used, the same is done to a sample of the places and held
against the programme that Pyomo builds of that sample: the same rows and columns under the same names in the same
order, and the same numbers bit for bit. Where one differs, or a rule cannot be asked so, all is built in Pyomo; and
`verify` always builds the whole in Pyomo. Imports `alone`, `asked`, `together`, `compiled`, `problem` and `model`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

import numpy as np
import scipy.sparse as sp

from allocopt.errors import AllocoptError
from allocopt.model import Model
from allocopt.problem import Array, Problem, Situation, build, chosen_parts, paused_collector
from allocopt.settings import ObjectiveSetting, RuleSetting
from allocopt.solve.affine import Lin
from allocopt.solve.alone import Columns
from allocopt.solve.asked import Answer, Asker, Block, Ints, Name
from allocopt.solve.compiled import Compiled, compile_problem, guard_scaling
from allocopt.solve.together import REFUSED, Names, Part, Together

LARGE = 2_000
"""Places times years from which a programme is asked at once."""
SAMPLE = 40
"""Places that are held against Pyomo."""


def built(
    situation: Situation,
    model: Model,
    *,
    rules: Mapping[str, RuleSetting],
    objectives: Sequence[ObjectiveSetting],
) -> tuple[Problem, Compiled]:
    """A programme and its matrices: asked at once where it is large and a sample of it agrees with Pyomo.

    Raises Infeasible when a rule contradicts the numbers by itself, and InputFault for coefficients that the solver
    would round away. A programme that was asked at once holds no Pyomo model.
    """
    if len(situation.places) * len(situation.years) >= LARGE:
        said = Problem(None, situation, *chosen_parts(model, rules, objectives))
        found = compiled_at_once(said) if _agrees(said, model) else None
        if found is not None:
            guard_scaling(found)
            return said, found
    programme = build(situation, model, rules=rules, objectives=objectives)
    return programme, compile_problem(programme)


def _agrees(said: Problem, model: Model) -> bool:
    """Whether a sample of the places gives the programme that Pyomo builds of it, to the bit and the name."""
    sample = sample_of(said.situation, SAMPLE)
    try:
        objectives = [setting for _, setting in said.objectives]
        whole = compile_problem(build(sample, model, rules=said.settings, objectives=objectives))
    except AllocoptError:  # said of a sample it would mislead: the whole programme tells
        return False
    found = compiled_at_once(replace(said, situation=sample))
    return found is not None and same(found, whole)


def sample_of(situation: Situation, number: int) -> Situation:
    """Places spread evenly over the list, with their share of the pot."""
    n = len(situation.places)
    at = np.unique(np.linspace(0, n - 1, min(n, number)).round().astype(int))
    share = situation.target[at].sum(axis=0) / situation.target.sum(axis=0)

    def of(values: Array | None) -> Array | None:
        return None if values is None else values[at]

    return replace(
        situation,
        places=tuple(situation.places[place] for place in at.tolist()),
        pot=situation.pot * share,
        baseline=situation.baseline[at],
        target=situation.target[at],
        population=situation.population[at],
        previous_population=of(situation.previous_population),
        reserve=None if situation.reserve is None else situation.reserve * share,
        spend=of(situation.spend),
        spend_draws=of(situation.spend_draws),
        openings=of(situation.openings),
        carried=of(situation.carried),
        groups=_Some(situation.groups, at.tolist()),
    )


class _Some(Mapping[str, tuple[str, ...]]):
    """The groups of some places, taken when they are first asked for."""

    def __init__(self, whole: Mapping[str, tuple[str, ...]], at: Sequence[int]) -> None:
        self._whole, self._at = whole, at

    def __getitem__(self, name: str) -> tuple[str, ...]:
        column = self._whole[name]
        return tuple([column[place] for place in self._at])

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole)

    def __len__(self) -> int:
        return len(self._whole)


def same(one: Compiled, other: Compiled) -> bool:
    """Whether two programmes have the same rows, columns and numbers in the same order."""
    if one.rows != other.rows or one.columns != other.columns or one.sense != other.sense:
        return False
    names = ("row_lower", "row_upper", "column_lower", "column_upper", "integer", "costs", "offsets")
    pairs = [(getattr(one, name), getattr(other, name)) for name in names]
    pairs += [(getattr(one.matrix, name), getattr(other.matrix, name)) for name in ("indptr", "indices", "data")]
    return all(np.array_equal(*pair) for pair in pairs)


def compiled_at_once(said: Problem) -> Compiled | None:
    """The matrices of a programme; None where a part cannot be asked for all places at once."""
    columns = Columns()
    asker = Asker(said.situation, columns)
    together = Together(said.situation, Names(said.situation.places, columns))
    parts: list[tuple[Part, Mapping[str, Any]]]
    parts = [(rule, said.settings[rule.name].parameters) for rule in said.rules.values()]
    parts += [(objective, setting.parameters) for objective, setting in said.objectives]
    with paused_collector():
        try:
            answers = [(one.name, together.answer(one, parameters, asker)) for one, parameters in parts]
            costs = [answer.cost for _, answer in answers[len(said.rules) :]]
            senses = tuple(1 if one.sense == "minimise" else -1 for one, _ in said.objectives)
            return _Whole(said.situation, columns, answers).compiled([one for one in costs if one is not None], senses)
        except REFUSED:
            return None


@dataclass
class _Whole:
    """The answers of all parts, to be put in the order in which Pyomo's components are read."""

    situation: Situation
    columns: Columns
    answers: Sequence[tuple[str, Answer]]

    def compiled(self, costs: Sequence[Lin], senses: tuple[int, ...]) -> Compiled:
        """Rows by component and key, columns by the component that is met first and key, none without an entry."""
        rows = self._rows()
        order = self._column_order(costs, rows)
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        starts = np.concatenate([[0], np.cumsum(rows.sizes)])
        matrix = sp.csr_array((rows.coefs, place[rows.columns], starts), shape=(len(rows.names), len(order)))
        matrix.sum_duplicates()
        weight = np.zeros((len(costs), len(order)))
        for number, (cost, sense) in enumerate(zip(costs, senses, strict=True)):
            np.add.at(weight[number], place[cost.columns[: cost.size]], cost.coefs[: cost.size])
            weight[number] *= sense
        used = np.flatnonzero((np.diff(matrix.tocsc().indptr) > 0) | (weight != 0).any(axis=0))
        lower, upper = self._bounds(order)
        names = tuple(self.columns)
        return Compiled(
            matrix=matrix if len(used) == len(order) else sp.csr_array(matrix[:, used]),
            row_lower=rows.lower,
            row_upper=rows.upper,
            column_lower=lower[used],
            column_upper=upper[used],
            integer=np.zeros(len(used), dtype=bool),
            costs=weight[:, used],
            offsets=np.array([sense * cost.const for cost, sense in zip(costs, senses, strict=True)], dtype=float),
            sense=senses,
            rows=rows.names,
            columns=tuple([names[column] for column in order[used].tolist()]),
        )

    def _rows(self) -> Block:
        """All rows: a rule's own, then those of the definitions that it brought, each component sorted by key."""
        met = dict[str, None]()
        for name, answer in self.answers:
            met |= dict.fromkeys([name, *dict.fromkeys([component for component, _ in answer.rows.names])])
        rank = {component: number for number, component in enumerate(met)}
        block = _joined([answer.rows for _, answer in self.answers])
        order = _sorted(block.names, rank)
        starts = np.cumsum(block.sizes) - block.sizes
        sizes = block.sizes[order]
        terms = (
            np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes) + np.repeat(starts[order], sizes)
        )
        return Block(
            tuple([block.names[row] for row in order.tolist()]),
            block.columns[terms],
            block.coefs[terms],
            sizes,
            block.lower[order],
            block.upper[order],
        )

    def _column_order(self, costs: Sequence[Lin], rows: Block) -> Ints:
        """The columns by component as objectives and then rows meet it, and by key."""
        names = tuple(self.columns)
        known = {name: number for number, name in enumerate(dict.fromkeys([name for name, _ in names]))}
        component = np.array([known[name] for name, _ in names], dtype=np.int64)
        read = np.concatenate([*(np.array(cost.columns[: cost.size], dtype=np.int64) for cost in costs), rows.columns])
        kinds, first = np.unique(component[read], return_index=True)
        label = list(known)
        rank = {label[int(kinds[at])]: number for number, at in enumerate(np.argsort(first).tolist())}
        return _sorted(names, rank | {name: len(rank) for name in label if name not in rank})

    def _bounds(self, order: Ints) -> tuple[Array, Array]:
        """Bounds of every column in this order: 0 to the year's pot for allocations, else what a part brought."""
        pots = dict(zip(self.situation.years, self.situation.pot.tolist(), strict=True))
        upper = np.array([pots[key[-1]] if name == "allocation" else np.inf for name, key in self.columns])
        lower = np.zeros(len(upper))
        for _, answer in self.answers:
            at = [self.columns[name] for name in answer.bounds.names]
            lower[at], upper[at] = answer.bounds.lower, answer.bounds.upper
        return lower[order], upper[order]


def _sorted(names: Sequence[Name], rank: Mapping[str, int]) -> Ints:
    """The positions of names by the rank of their component and by their key.

    Most names share few keys, each one object, so that objects are counted before keys are compared.
    """
    ranks = np.fromiter(map(rank.__getitem__, map(itemgetter(0), names)), dtype=np.int64, count=len(names))
    objects = np.fromiter(map(id, map(itemgetter(1), names)), dtype=np.int64, count=len(names))
    _, first, object_of = np.unique(objects, return_index=True, return_inverse=True)
    keys = [names[one][1] for one in first.tolist()]
    at = {key: number for number, key in enumerate(sorted(set(keys)))}
    return np.lexsort((np.array([at[key] for key in keys], dtype=np.int64)[object_of], ranks)).astype(np.int64)


def _joined(blocks: Sequence[Block]) -> Block:
    return Block(
        tuple([name for one in blocks for name in one.names]),
        np.concatenate([one.columns for one in blocks]),
        np.concatenate([one.coefs for one in blocks]),
        np.concatenate([one.sizes for one in blocks]),
        np.concatenate([one.lower for one in blocks]),
        np.concatenate([one.upper for one in blocks]),
    )
