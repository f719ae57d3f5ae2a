"""Solves a joint programme stage by stage, piece by piece, from a plan to begin with and never ending behind it.

In each stage the grouping to begin with is held and the allocation solved for (a linear programme); where the linear
relaxation does not prove that, the whole piece is given to branch and bound from the best plan so far. A piece with too
many pairs keeps its grouping, and its bounds say what that may cost. A finished stage leaves a cap to the next.
Imports `joint`, `relaxed`, `exact`, `solve`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from allocopt.errors import Infeasible, Stopped
from allocopt.grouping.bounds import Bound
from allocopt.grouping.exact import Slack, felt
from allocopt.grouping.instance import Array, Instance, Ints
from allocopt.grouping.joint import Joint, Piece, pieces_of
from allocopt.grouping.relaxed import Relaxed, relaxation
from allocopt.model import Objective
from allocopt.solve.compiled import Compiled
from allocopt.solve.integer import Effort, minimise_whole

PIECE_PAIRS = 3_000
"""A piece with at most this many pairs of place and hub is solved exactly; a larger one keeps its first grouping."""
CLOSE = 1e-9


@dataclass(frozen=True)
class Wanted:
    """How hard to try: the gap asked of each stage, seconds for all of them, and what a stage leaves to the next."""

    gaps: tuple[float, ...]
    slacks: tuple[Slack, ...]
    seconds: float
    nodes: int | None = None


@dataclass(frozen=True)
class Answer:
    """The point of the whole programme (columns,), and the value, bound and cap of each stage."""

    values: Array
    value: tuple[float, ...]
    bound: tuple[float, ...]
    cap: tuple[float, ...]
    searched: int
    """pieces whose grouping was searched by branch and bound"""
    pieces: int


@dataclass
class _Run:
    """One piece on its way through the stages."""

    piece: Compiled
    start: Array | None
    """(columns,) the members of the plan to begin with, or None"""
    exact: bool
    values: Array | None = None
    tolerance: float = 1e-7
    """what the solver may take for nothing in a row"""
    found: list[tuple[float, float, float]] = field(default_factory=list)


def relaxed_joint(joint: Joint, pot: float) -> Bound:
    """The linear relaxation of the first objective, over all hubs, with prices by row of the whole programme."""
    prices, value = dict[str, float](), float(joint.compiled.offsets[0])
    for piece in pieces_of(joint.compiled, pot):
        found = relaxation(piece.compiled, piece.compiled.costs[0], 0.0)
        value += found.value
        prices |= found.prices
    words = f"linear relaxation of the joint programme over all hubs: proved by {len(prices):,} row prices"
    return Bound("C", max(0.0, value), words, prices=_with_budget(joint.compiled, Relaxed(value, prices)))


def _with_budget(compiled: Compiled, found: Relaxed) -> dict[str, float]:
    """Prices of protections that stood as equalities, as prices of the pot and of what lies above its price."""
    names = [name for name, row in zip(compiled.row_names, compiled.rows, strict=True) if row[0] == "group_protection"]
    budget = next(name for name, row in zip(compiled.row_names, compiled.rows, strict=True) if row[0] == "budget")
    prices = dict(found.prices)
    if budget in prices or not names:
        return prices
    least = min(prices.get(name, 0.0) for name in names)
    return prices | {name: prices.get(name, 0.0) - least for name in names} | {budget: least}


def solve_jointly(
    joint: Joint, objectives: Sequence[Objective], wanted: Wanted, pot: float, start: Ints | None
) -> Answer:
    """All stages of all pieces. `start` is the hub of each place in the plan to begin with.

    Raises Infeasible, or Stopped where no plan was found in time.
    """
    pieces = pieces_of(joint.compiled, pot)
    chosen = None if start is None else members_of(joint, joint.view.instance, start)
    values = np.zeros(len(joint.compiled.columns))
    runs = [_solved(piece, objectives, wanted, len(pieces), chosen) for piece in pieces]
    for piece, run in zip(pieces, runs, strict=True):
        assert run.values is not None
        values[piece.columns] = run.values
    sums = [[sum(run.found[number][k] for run in runs) for number in range(len(objectives))] for k in range(3)]
    offsets = joint.compiled.offsets
    value, bound, cap = (tuple(float(one + off) for one, off in zip(row, offsets, strict=True)) for row in sums)
    return Answer(values, value, bound, cap, sum(run.exact for run in runs), len(runs))


def members_of(joint: Joint, instance: Instance, hub: Ints) -> Array:
    """(columns,) 1 for the members of a given grouping, 0 for others, not a number where the column is another one."""
    index, compiled = instance.index, joint.compiled
    values = np.full(len(compiled.columns), np.nan)
    for j in compiled.columns_of("member").tolist():
        p, h = compiled.columns[j][1]
        values[j] = float(hub[index[p]] == index[h])
    return values


def _solved(piece: Piece, objectives: Sequence[Objective], wanted: Wanted, pieces: int, chosen: Array | None) -> _Run:
    pairs = len(piece.compiled.columns_of("member"))
    exact = chosen is None or pairs <= PIECE_PAIRS
    run = _Run(piece.compiled, None if chosen is None else chosen[piece.columns], exact)
    for number, objective in enumerate(objectives):
        seconds = max(2.0, wanted.seconds / (pieces * len(objectives)))
        slack = wanted.slacks[number]
        absolute = CLOSE if not objective.is_money else max(CLOSE, 0.1 * slack.least / pieces)
        effort = Effort(0.5 * wanted.gaps[number], absolute, wanted.nodes, seconds, doubt=True)
        _stage(run, number, objective, effort, replace(slack, least=slack.least / pieces))
    return run


def _stage(run: _Run, number: int, objective: Objective, effort: Effort, slack: Slack) -> None:
    """One stage: the best of the plan so far, the allocation for the first grouping, and branch and bound."""
    cost, effort = run.piece.costs[number], replace(effort, tolerance=run.tolerance)
    tried = [run.values, _with_members(run, cost, run.start, effort)]
    best, bound = _best(cost, tried), minimise_whole(run.piece, cost, effort=effort, relaxed=True).bound
    if run.exact and not _close(cost, best, bound, effort):
        point = minimise_whole(run.piece, cost, effort=effort, start=best)
        bound = max(bound, point.bound)
        tried.append(_with_members(run, cost, _members(run.piece, point.values), effort))
    found = _best(cost, tried)
    if found is None:
        raise Stopped("no plan was found in time: allow more time, --set solver.time_limit=600s")
    run.values = found
    value = float(cost @ found)
    cap = slack.after(value)
    scale = 1.0 if objective.is_money else 1e3
    run.tolerance = min(run.tolerance, felt(scale * (cap - value)))
    run.piece = run.piece.with_row(f"cap_{objective.name}", cost * scale, lower=-np.inf, upper=cap * scale)
    run.found.append((value, min(value, bound), cap))


def _close(cost: Array, found: Array | None, bound: float, effort: Effort) -> bool:
    """Whether the linear relaxation proves a plan as it stands."""
    if found is None:
        return False
    value = float(cost @ found)
    return value - bound <= max(effort.gap_absolute, effort.gap * abs(value))


def _best(cost: Array, tried: Sequence[Array | None]) -> Array | None:
    known = [one for one in tried if one is not None]
    return min(known, key=lambda one: float(cost @ one)) if known else None


def _members(compiled: Compiled, values: Array) -> Array:
    held = np.full(len(values), np.nan)
    at = compiled.columns_of("member")
    held[at] = np.round(values[at])
    return held


def _with_members(run: _Run, cost: Array, members: Array | None, effort: Effort) -> Array | None:
    """The best point with this grouping held, or None where it breaks a row."""
    if members is None:
        return None
    held = ~np.isnan(members)
    fixed = replace(
        run.piece,
        column_lower=np.where(held, members, run.piece.column_lower),
        column_upper=np.where(held, members, run.piece.column_upper),
        integer=run.piece.integer & ~held,
    )
    try:
        return minimise_whole(fixed, cost, effort=replace(effort, gap=0.0, nodes=None)).values
    except (Infeasible, Stopped):
        return None
