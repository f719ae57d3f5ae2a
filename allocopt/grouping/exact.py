"""A part of the country solved as one integer programme: its stages in order, each with the solver's proven bound.

A finished stage leaves a cap row (its value plus a small stated slack) to the next; value and cap are those of the
assignment, whatever the solver made of the deficits beside it. Contiguity is separated: where a
consortium falls apart, the rows that the rule states for the cut-off places are added and the stage is solved again.
Imports `programme`, `instance`, `neighbours` and `solve`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import scipy.sparse as sp

from allocopt.errors import Stopped
from allocopt.grouping.instance import Array, Instance, Ints
from allocopt.grouping.neighbours import Graph, cut_off
from allocopt.grouping.programme import Built, Part, build_part
from allocopt.model import Model, Objective
from allocopt.solve.compiled import Compiled, compile_problem
from allocopt.solve.integer import Effort, minimise_whole

CUT_ROUNDS = 200
FELT = 0.1
"""Of the slack of a cap row: what the solver may take for nothing at most. As much as the slack, and it loses plans."""


@dataclass(frozen=True)
class Slack:
    """What a finished stage leaves to the next: a share of its value, and at least an amount of its unit."""

    share: float = 0.0
    least: float = 1e-9

    def after(self, value: float) -> float:
        """The cap that a stage of this value leaves."""
        return value + max(self.share * abs(value), self.least)


@dataclass(frozen=True)
class Known:
    """A first objective that was solved elsewhere: its value, bound and the cap that it leaves."""

    value: float
    bound: float
    cap: float


@dataclass(frozen=True)
class Answer:
    """A part solved: the hub of each of its places, and for each stage its value, bound and cap."""

    places: Ints
    hub: Ints
    value: tuple[float, ...]
    bound: tuple[float, ...]
    cap: tuple[float, ...]


@dataclass
class Staged:
    """One compiled part on its way through the stages."""

    built: Built
    compiled: Compiled
    graph: Graph | None
    values: Array | None = None
    tolerance: float = 1e-7
    """what the solver may take for nothing in a row"""
    found: list[tuple[float, float, float]] = field(default_factory=list)


def solve_part(
    model: Model,
    instance: Instance,
    part: Part,
    objectives: Sequence[Objective],
    *,
    efforts: Sequence[Effort],
    slacks: Sequence[Slack],
    graph: Graph | None = None,
    start: Ints | None = None,
    known: Known | None = None,
) -> Answer:
    """The part's stages in order. `start` is the hub of each place of the part, a plan to begin from; `known` is the
    first stage, where it needs no solving.

    Raises Infeasible, or Stopped where the solver ran out of time without a plan.
    """
    built = build_part(model, instance, part, objectives)
    compiled = compile_problem(built)
    run = Staged(built, compiled, graph)
    if start is not None:
        run.values = point_of(built, compiled, instance, part, start)
    if known is not None:
        _capped(run, 0, objectives[0], known)
    for number, (effort, slack) in enumerate(zip(efforts, slacks, strict=True)):
        if number or known is None:
            _stage(run, number, objectives[number], effort, slack)
    assert run.values is not None
    hub = assignment(built, run.compiled, instance, run.values)
    value, bound, cap = (tuple(column) for column in zip(*run.found, strict=True))
    return Answer(part.places, hub, value, bound, cap)


def _stage(run: Staged, number: int, objective: Objective, effort: Effort, slack: Slack) -> None:
    cost, offset = run.compiled.costs[number], float(run.compiled.offsets[number])
    effort = replace(effort, tolerance=run.tolerance)
    for _ in range(CUT_ROUNDS):
        point = minimise_whole(run.compiled, cost, effort=effort, start=run.values)
        cuts = cuts_needed(run, point.values)
        if not cuts:
            break
        run.compiled = with_cuts(run.compiled, cuts)
        run.values = None
    else:
        raise Stopped("contiguity was not reached: too many rounds of cuts")
    run.values = with_deficits(run.built, run.compiled, point.values)
    value = float(cost @ run.values)
    bound = min(value, max(point.bound, -offset))
    _capped(run, number, objective, Known(value + offset, bound + offset, slack.after(value + offset)))


def felt(slack: float) -> float:
    """What the solver may take for nothing beside a row with so little slack."""
    return max(1e-9, FELT * slack)


def _capped(run: Staged, number: int, objective: Objective, stage: Known) -> None:
    """The next stages are held to the cap that this one leaves."""
    scale = 1.0 if objective.is_money else 1e3
    run.tolerance = min(run.tolerance, felt(scale * (stage.cap - stage.value)))
    cost, most = run.compiled.costs[number], stage.cap - float(run.compiled.offsets[number])
    run.compiled = run.compiled.with_row(f"cap_{objective.name}", cost * scale, lower=-np.inf, upper=most * scale)
    run.found.append((stage.value, stage.bound, stage.cap))


def point_of(built: Built, compiled: Compiled, instance: Instance, part: Part, hub: Ints) -> Array | None:
    """The columns of a given assignment, or None where it uses a pair that the programme does not have."""
    chosen = {(instance.places[p], instance.places[h]) for p, h in zip(part.places.tolist(), hub.tolist(), strict=True)}
    if not chosen <= built.view.x.keys():
        return None
    values = np.zeros(len(compiled.columns))
    member = compiled.columns_of("member")
    values[member] = [compiled.columns[at][1] in chosen for at in member]
    values = with_deficits(built, compiled, values)
    return values if not np.any(np.isin(compiled.column_component, ["anchor"])) else None


def with_deficits(built: Built, compiled: Compiled, values: Array) -> Array:
    """The point with every deficit at what its members overspend: where nothing makes deficits small, a solver leaves
    them anywhere between that and their limit.
    """
    over = dict.fromkeys(built.view.hubs, 0.0)
    for at in compiled.columns_of("member").tolist():
        if values[at] > 0.5:
            p, h = compiled.columns[at][1]
            over[h] += built.view.over[p]
    found = values.copy()
    for at in compiled.columns_of("deficit").tolist():
        found[at] = max(0.0, over[compiled.columns[at][1][0]])
    return found


def assignment(built: Built, compiled: Compiled, instance: Instance, values: Array) -> Ints:
    """The hub of each place of the part (positions), read from a point."""
    chosen: dict[str, str] = {}
    for at in compiled.columns_of("member"):
        if values[at] > 0.5:
            p, h = compiled.columns[at][1]
            chosen[p] = h
    return np.array([instance.index[chosen[p]] for p in built.view.places], dtype=np.int64)


def cuts_needed(run: Staged, values: Array) -> list[tuple[list[int], list[int]]]:
    """For each place cut off from its hub: the columns that may be 1 only if one of the others is."""
    if run.graph is None:
        return []
    at = {run.compiled.columns[column][1]: int(column) for column in run.compiled.columns_of("member")}
    members: dict[str, list[str]] = {}
    for (p, h), column in at.items():
        if values[column] > 0.5:
            members.setdefault(h, []).append(p)
    cuts = []
    for h, group in members.items():
        for apart, border in cut_off(run.graph, h, group):
            for other in run.built.view.hubs:
                near = [at[q, other] for q in border if (q, other) in at]
                if other not in apart:
                    cuts += [([at[p, other]], near) for p in apart if (p, other) in at]
    return cuts


def with_cuts(compiled: Compiled, cuts: Sequence[tuple[list[int], list[int]]]) -> Compiled:
    """The programme with the rows x_ph <= sum of x_qh over the border of the part that holds p."""
    n, start = compiled.matrix.shape[1], compiled.matrix.shape[0]
    rows = sp.lil_array((len(cuts), n))
    for number, (inside, border) in enumerate(cuts):
        rows[number, inside] = 1.0
        rows[number, border] = -1.0
    return replace(
        compiled,
        matrix=sp.vstack([compiled.matrix, rows.tocsr()], format="csr"),
        row_lower=np.append(compiled.row_lower, np.full(len(cuts), -np.inf)),
        row_upper=np.append(compiled.row_upper, np.zeros(len(cuts))),
        rows=(*compiled.rows, *(("contiguity_cut", (str(start + number),)) for number in range(len(cuts)))),
    )
