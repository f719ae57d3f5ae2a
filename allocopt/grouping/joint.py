"""Allocation and grouping in one programme: built from both rule libraries, cut into parts that decide nothing about
each other, solved stage by stage from a plan to begin with.

The allocation's rules are those of the paths (`problem.build`), the grouping's are read by `JointView` on the same
Pyomo model; the limits of a single allocation, which the perspective rows need, are read off the compiled allocation.
Where the areas' pots are fixed (group protections that use up the whole pot) and areas may not be crossed, the
compiled programme falls apart into areas. Imports `instance`, `programme`, `problem` and `solve`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from allocopt.errors import Problem as Fault
from allocopt.errors import ScenarioFault
from allocopt.grouping.instance import Array, Flags, Instance, Ints, Pairs
from allocopt.grouping.programme import INDEX, GroupingView, Part, add_objective, add_rules, allowed_pairs
from allocopt.model import Model
from allocopt.modelling import pyo
from allocopt.problem import Problem, Situation, build, paused_collector
from allocopt.settings import ObjectiveSetting, RuleSetting
from allocopt.solve.compiled import Compiled, compile_problem

EVEN = 1e-9
"""Relative: the pot and the sum of the areas' pots are the same."""


@dataclass(frozen=True)
class Limits:
    """The least and the most that the rules allow each place by itself, (n,) GBP m."""

    least: Array
    most: Array


@dataclass(frozen=True)
class Joint:
    """A built and compiled joint programme; the objectives' costs are in the order that the scenario lists them."""

    view: JointView
    compiled: Compiled
    allocations: Problem
    """The part of the programme that is about allocations"""
    alone: Compiled
    """That part compiled by itself"""


class JointView(GroupingView):
    """The grouping's `m` where the budget of each place is decided with it."""

    def __init__(
        self,
        instance: Instance,
        part: Part,
        allowed: Sequence[tuple[int, int, float]],
        *,
        model: Any,
        allocation: Mapping[str, Any],
        limits: Limits,
        pots: Mapping[str, float],
    ) -> None:
        super().__init__(instance, part, allowed, model)
        self.allocation, self._pots = allocation, pots
        self.least = dict(zip(instance.places, limits.least.tolist(), strict=True))
        self.most = dict(zip(instance.places, limits.most.tolist(), strict=True))
        self.over = {p: max(0.0, self.spend[p] - self.least[p]) for p in self.spend}
        """The most by which each place can overspend: it bounds the deficits."""
        self.model.brings = pyo.Var(self.pairs, bounds=lambda _model, p, _h: (0.0, self.most[p]))
        self.brings = {pair: self.model.brings[pair] for pair in self.pairs}

    def overspend(self, h: str) -> Any:
        """Spend of the consortium of hub h less what its members bring."""
        return sum(self.spend[p] * self.x[p, h] - self.brings[p, h] for p in self.members[h])

    def beyond(self, p: str, h: str, share: float) -> Any:
        """What place p brings to hub h beyond its spend, when only this share of its money counts."""
        return share * self.brings[p, h] - self.spend[p] * self.x[p, h]

    def common_balance(self, h: str) -> float:
        """The balance of the hub's area as a fraction of its pot. Raises ScenarioFault where that pot is decided
        too.
        """
        area = self.area[h] if self.instance.on("stay_in_area") else ""
        if area not in self._pots:
            said = f"the balance band compares with the balance of area {area}, whose pot is decided too"
            cure = "fix the areas' pots: rules.group_protection: {column: area, least: 100%}"
            raise ScenarioFault(said, (Fault(said, cure, "rules.balance_band"),))
        return float(1 - self.instance.spend[self._of_area(h)].sum() / self._pots[area])


def build_joint(
    situation: Situation,
    instance: Instance,
    pairs: Pairs,
    model: Model,
    *,
    rules: Mapping[str, RuleSetting],
    objectives: Sequence[ObjectiveSetting],
) -> Joint:
    """One Pyomo model of allocations and grouping, compiled. Raises Infeasible where a rule contradicts the numbers."""
    allocations = build(
        situation,
        about_allocations(model),
        rules=rules,
        objectives=[one for one in objectives if model.objective(one.name).index not in INDEX],
    )
    alone = compile_problem(allocations)
    places = np.arange(len(instance))
    part = Part(places, pairs)
    with paused_collector():
        view = JointView(
            instance,
            part,
            allowed_pairs(model, instance, pairs),
            model=allocations.pyomo,
            allocation={p: allocations.pyomo.allocation[p, situation.years[0]] for p in instance.places},
            limits=place_limits(alone, situation),
            pots=pots_of(alone, situation, instance),
        )
        add_rules(view, model)
        for one in objectives:
            if model.objective(one.name).index in INDEX:
                add_objective(view, model.objective(one.name))
    compiled = compile_problem(allocations)
    return Joint(view, _ordered(compiled, model, objectives), allocations, alone)


def about_allocations(model: Model) -> Model:
    """The model with only its rules and objectives about allocations: an allocation model."""
    return replace(
        model,
        kind="allocation",
        rules=[rule for rule in model.rules if rule.index not in INDEX],
        always=[rule for rule in model.always if rule.index not in INDEX],
        objectives=[one for one in model.objectives if one.index not in INDEX],
    )


def _ordered(compiled: Compiled, model: Model, objectives: Sequence[ObjectiveSetting]) -> Compiled:
    """The costs in the scenario's order: Pyomo holds allocations' objectives before the grouping's."""
    first = [one.name for one in objectives if model.objective(one.name).index not in INDEX]
    held = [*first, *(one.name for one in objectives if one.name not in first)]
    order = [held.index(one.name) for one in objectives]
    sense = tuple(compiled.sense[number] for number in order)
    return replace(compiled, costs=compiled.costs[order], offsets=compiled.offsets[order], sense=sense)


def place_limits(compiled: Compiled, situation: Situation) -> Limits:
    """What rows with a single allocation, the bounds of the columns and the pot leave to each place, (n,) GBP m."""
    least, most = compiled.column_lower.copy(), compiled.column_upper.copy()
    rows = np.flatnonzero(np.diff(compiled.matrix.indptr) == 1)
    column = compiled.matrix.indices[compiled.matrix.indptr[rows]]
    slope = compiled.matrix.data[compiled.matrix.indptr[rows]]
    sides = np.stack([compiled.row_lower[rows] / slope, compiled.row_upper[rows] / slope])
    np.maximum.at(least, column, sides.min(axis=0))
    np.minimum.at(most, column, sides.max(axis=0))
    at = {compiled.columns[j][1][0]: j for j in compiled.columns_of("allocation").tolist()}
    own = np.array([at[p] for p in situation.places])
    least, most = np.maximum(0.0, least[own]), most[own]
    rest = float(situation.pot[0]) - (least.sum() - least)
    return Limits(least, np.maximum(least, np.minimum(most, rest)))


def pots_of(compiled: Compiled, situation: Situation, instance: Instance) -> dict[str, float]:
    """Pots that are fixed: the whole one as "", and each area's where protections of areas use up the whole pot."""
    pots = {"": float(situation.pot[0])}
    areas = sorted(set(instance.area))
    if len(areas) == 1:
        return pots | {areas[0]: pots[""]}
    groups = _protections(compiled, pots[""])
    if groups is None:
        return pots
    at = {compiled.columns[j][1][0]: j for j in compiled.columns_of("allocation").tolist()}
    area_at = {at[p]: area for p, area in zip(instance.places, instance.area, strict=True)}
    found: dict[str, float] = {}
    for columns, amount in groups:
        here = {area_at[j] for j in columns.tolist()}
        if len(here) > 1:
            return pots
        found[next(iter(here))] = found.get(next(iter(here)), 0.0) + amount
    return pots | found


def _protections(compiled: Compiled, pot: float) -> list[tuple[Ints, float]] | None:
    """Rows of group protections whose places do not overlap and whose amounts use up the pot; None where they do
    not.
    """
    rows = np.flatnonzero(compiled.row_component == "group_protection")
    if not len(rows):
        return None
    taken = compiled.matrix[rows]
    total = float(compiled.row_lower[rows].sum())
    once = np.bincount(taken.indices, minlength=taken.shape[1])[compiled.columns_of("allocation")]
    if (once != 1).any() or (taken.data != 1.0).any() or abs(total - pot) > EVEN * pot:
        return None
    return [
        (taken.indices[taken.indptr[k] : taken.indptr[k + 1]].astype(np.int64), float(compiled.row_lower[row]))
        for k, row in enumerate(rows.tolist())
    ]


@dataclass(frozen=True)
class Piece:
    """A piece of a compiled programme that decides nothing about the rest, and which columns of the whole it has."""

    compiled: Compiled
    columns: Ints


def pieces_of(compiled: Compiled, pot: float) -> list[Piece]:
    """The connected pieces of a programme; where protections use up the pot their rows are equalities and its own row
    goes.
    """
    if _protections(compiled, pot) is not None:
        fixed = compiled.row_component == "group_protection"
        upper = np.where(fixed, compiled.row_lower, compiled.row_upper)
        compiled = held(replace(compiled, row_upper=upper), compiled.row_component != "budget")
    rows, columns = compiled.matrix.shape
    body = compiled.matrix.tocoo()
    links = sp.coo_array((np.ones(body.nnz), (body.row, rows + body.col)), shape=(rows + columns,) * 2)
    label = connected_components(links, directed=False)[1]
    numbers = np.unique(label[rows:], return_index=True)[1]
    order = label[rows:][np.sort(numbers)]
    return [_piece(compiled, label[:rows] == one, np.flatnonzero(label[rows:] == one)) for one in order.tolist()]


def held(compiled: Compiled, keep: Flags) -> Compiled:
    """The programme with only these rows."""
    return replace(
        compiled,
        matrix=sp.csr_array(compiled.matrix[np.flatnonzero(keep)]),
        row_lower=compiled.row_lower[keep],
        row_upper=compiled.row_upper[keep],
        rows=tuple(row for row, kept in zip(compiled.rows, keep.tolist(), strict=True) if kept),
    )


def _piece(compiled: Compiled, keep: Flags, columns: Ints) -> Piece:
    own = held(compiled, keep)
    return Piece(
        replace(
            own,
            matrix=sp.csr_array(own.matrix[:, columns]),
            column_lower=compiled.column_lower[columns],
            column_upper=compiled.column_upper[columns],
            integer=compiled.integer[columns],
            costs=compiled.costs[:, columns],
            offsets=np.zeros(len(compiled.offsets)),
            columns=tuple(compiled.columns[j] for j in columns.tolist()),
        ),
        columns,
    )
