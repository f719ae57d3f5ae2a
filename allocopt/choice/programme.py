"""The best coalition by the programme of `models/free_choice.py`: exact, for small fields.

The programme is built and compiled once; places that have left are columns held at nothing. Dinkelbach: solve at a
trial ratio, take the ratio of what was found, until nothing beats it. Where consortia must hang together, the rows
that a plan breaks are added and it is solved again. Imports `field`, `search`, `grouping`, `solve`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyomo.environ as pyo

from allocopt.choice.field import Array, Field, Flags
from allocopt.choice.search import Best
from allocopt.errors import Infeasible
from allocopt.grouping.instance import Instance, possible_pairs
from allocopt.grouping.neighbours import cut_off
from allocopt.grouping.programme import Built, Part, build_part
from allocopt.model import Objective
from allocopt.solve.compiled import Compiled, compile_problem
from allocopt.solve.integer import Effort, minimise_whole

EXACT_PAIRS = 400
"""Fields with at most this many pairs of place and hub are solved as integer programmes."""
BEATS = 1e-9
"""GBP million by which a coalition must beat the ratio on trial."""


class BestCoalition:
    """Calls find the best coalition among the places kept."""

    method = "ratio programme by Dinkelbach"

    def __init__(self, of: Field, objective: Objective) -> None:
        self.of = of
        instance = replace(of.instance, declared=False)
        pairs = possible_pairs(of.instance)
        part = Part(np.unique(pairs.place), pairs)
        at_nothing, at_one = (programme(of, instance, part, objective, rate=rate) for rate in (0.0, 1.0))
        self.built, self.compiled = at_nothing
        self.cost, self.per_rate = self.compiled.costs[0], at_one[1].costs[0] - self.compiled.costs[0]
        self.index = [instance.index[key[0]] for _, key in self.compiled.columns]
        self.hub = [instance.index[key[1]] for _, key in self.compiled.columns]

    def __call__(self, keep: Flags) -> Best | None:
        """The best coalition, proven by HiGHS to its tolerance; None where none is possible."""
        upper = np.where(keep[self.index] & keep[self.hub], self.compiled.column_upper, 0.0)
        compiled = replace(self.compiled, column_upper=upper)
        best: Best | None = None
        rate = 0.0
        while True:
            try:
                chosen, compiled = self._solve(compiled, rate)
            except Infeasible:
                return None
            members = [self.index[at] for at in chosen]
            found = self.of.ratio(members)
            if best is not None and found <= best.ratio + BEATS:
                return best
            best = Best(self.hub[chosen[0]], found, tuple(sorted(members)), found)
            rate = found

    def _solve(self, compiled: Compiled, rate: float) -> tuple[list[int], Compiled]:
        """The columns chosen at a trial ratio, and the programme with the rows that contiguity needed."""
        while True:
            point = minimise_whole(compiled, self.cost + rate * self.per_rate, effort=Effort())
            chosen = np.flatnonzero(point.values > 0.5).tolist()
            row = self._cut(compiled, chosen)
            if row is None:
                return chosen, compiled
            compiled = compiled.with_row(f"connected_{compiled.matrix.shape[0]}", row, lower=-np.inf, upper=0.0)

    def _cut(self, compiled: Compiled, chosen: list[int]) -> Array | None:
        """Where a coalition falls apart: x_ph <= sum of x_qh over the border of the part that holds p."""
        graph, places = self.of.graph, self.of.instance.places
        if graph is None:
            return None
        hub = self.hub[chosen[0]]
        apart = cut_off(graph, places[hub], [places[self.index[at]] for at in chosen])
        if not apart:
            return None
        inside, border = apart[0]
        row = np.zeros(len(compiled.columns))
        for at, (_, (p, h)) in enumerate(compiled.columns):
            if h == places[hub]:
                row[at] = 1.0 if p == inside[0] else -1.0 if p in border else 0.0
        return row


def programme(
    of: Field, instance: Instance, part: Part, objective: Objective, *, rate: float
) -> tuple[Built, Compiled]:
    """The compiled programme at a trial ratio (pounds a head, or share of budget)."""
    built = build_part(of.model, instance, part, [])
    built.view.rate = rate  # type: ignore[attr-defined]
    sense = pyo.maximize if objective.sense == "maximise" else pyo.minimize
    expression = objective.write(built.view)
    built.pyomo.add_component(f"objective_{objective.name}", pyo.Objective(expr=expression, sense=sense))
    return built, compile_problem(built)


def is_small(of: Field) -> bool:
    """Whether the field is small enough for the programme, which has no rule about passing over a nearer practice."""
    return len(of.near) <= EXACT_PAIRS and not of.in_order
