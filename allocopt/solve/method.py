"""Which method solves a stage: chosen once for a compiled programme, by its size and shape, and named with every stage.

Measured on the national programme of 7,325 practices (`tests/benchmarks/paths.py` measures it again): rounds between
coupling rows and chains where the matrix has that shape, HiGHS on the whole matrix elsewhere and for small programmes.
Imports `blocks`, `shared`, `decompose`, `elastic`, `highs`, `certificate`, `compiled`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from allocopt.errors import Infeasible, Stopped
from allocopt.problem import Array
from allocopt.solve.blocks import Blocks, blocks_of, find_blocks
from allocopt.solve.certificate import dual_bound, largest_violation
from allocopt.solve.compiled import Compiled
from allocopt.solve.elastic import A_POUND
from allocopt.solve.highs import Point, minimise
from allocopt.solve.shared import at_least_cost, shared_level

ROWS_TO_DECOMPOSE = 4_000
"""Below this HiGHS's simplex takes less than a tenth of a second on the whole matrix."""

PROVEN = 1e-6
OBEYED = 1e-9
"""GBP million: an answer of another programme that breaks a row by more than a thousandth of a pound is not used."""


class Method:
    """The stages of one compiled programme, each starting from the answers of those before it."""

    def __init__(self, compiled: Compiled, *, answers: Sequence[Array] = (), prices: Array | None = None) -> None:
        """`answers` (n,) of a like programme: those that obey the rows of every place here are started with; and row
        `prices` (m,) of one, which may be near the best here.
        """
        large = compiled.matrix.shape[0] >= ROWS_TO_DECOMPOSE
        self._base = compiled
        self._blocks = blocks_of(compiled) if large else None
        self._shares = large and self._blocks is None
        self._answers: tuple[Array, ...] = self._usable(answers)
        self._centre: Array | None = None  # the last stage's prices of the coupling rows
        if prices is not None and self._blocks is not None:
            self._centre = prices[self._blocks.coupling]

    def _usable(self, answers: Sequence[Array]) -> tuple[Array, ...]:
        if self._blocks is None:
            return ()
        apart = np.ones(self._base.matrix.shape[0], dtype=bool)
        apart[self._blocks.coupling] = False
        return tuple(one for one in answers if largest_violation(self._base, one, rows=apart) <= OBEYED)

    def minimise(self, current: Compiled, cost: Array, *, time_limit: float) -> Point:
        """The cheapest point at `cost` (n,) of the programme with the caps that stand so far.

        `current` is the compiled programme with rows added at its end. Raises Infeasible, Unbounded or Stopped.
        """
        found = self._at_levels(current, cost, time_limit) or self._in_rounds(current, cost, time_limit)
        if found is None and self._blocks is not None and self._refuted(current, time_limit):
            raise Infeasible("no allocation obeys every rule")
        return found or minimise(current, cost, time_limit=time_limit)

    def _at_levels(self, current: Compiled, cost: Array, time_limit: float) -> Point | None:
        """Where the places share a level and nothing else but coupling rows; None where that leads to no proof.

        Raises Infeasible.
        """
        shared = shared_level(current) if self._shares else None
        if shared is None:
            return None
        try:
            found = at_least_cost(shared, cost, time_limit=time_limit)
        except Stopped:
            return None
        return found if found is not None and self._proven(current, cost, found) else None

    def proving(self, current: Compiled, cost: Array, prices: Array, *, completed: bool) -> Array:
        """Row prices (m,) that bound `cost @ x`: those given; `completed`, with the best prices for the rows that do
        not couple places, where they can be had and prove more.
        """
        if not completed or self._blocks is None or not self._continues(current):
            return prices
        from allocopt.solve.decompose import completed as best_with  # noqa: PLC0415 - only large programmes need it

        best = best_with(current, self._blocks, cost, prices)
        if best is None or dual_bound(current, cost, best) <= dual_bound(current, cost, prices):
            return prices
        return best

    def _refuted(self, current: Compiled, time_limit: float) -> bool:
        """Whether prices found in rounds prove that no point obeys every row.

        HiGHS took 45 s to say so of four national years.
        """
        from allocopt.solve.decompose import least_missed  # noqa: PLC0415 - only large programmes need it

        blocks = self._blocks_with(current) if self._continues(current) else find_blocks(current)
        found = None if blocks is None else least_missed(current, blocks, answers=(), time_limit=time_limit)
        return found is not None and dual_bound(current, np.zeros(len(current.columns)), found[0].prices) > A_POUND

    def _blocks_with(self, current: Compiled) -> Blocks | None:
        """The blocks of the base with the rows that were added at its end."""
        blocks = self._blocks
        for row in range(self._base.matrix.shape[0], current.matrix.shape[0]):
            blocks = None if blocks is None else blocks.with_row(row)
        return blocks

    def _in_rounds(self, current: Compiled, cost: Array, time_limit: float) -> Point | None:
        blocks = self._blocks_with(current) if self._continues(current) else None
        if blocks is None:
            return None
        from allocopt.solve.decompose import audit, decompose  # noqa: PLC0415 - only large programmes need it

        centre = self._centred(len(blocks.coupling))
        found = decompose(current, blocks, cost, answers=self._answers, time_limit=time_limit, centre=centre)
        if found is None:
            return None
        if not self._proven(current, cost, found):  # amounts that stand within a hair of several kinks at once
            prices = audit(current, blocks, cost, found.prices, time_limit=time_limit)
            found = replace(found, prices=prices, method=f"{found.method}, prices of places by highs")
            if not self._proven(current, cost, found):
                return None
        self._answers, self._centre = found.answers, found.prices[blocks.coupling]
        return found

    def _centred(self, rows: int) -> Array | None:
        """Prices of `rows` coupling rows to start near: those of the stage before, its own cap at a unit for a unit.

        At those prices what the stage before minimised counts as much as what is to be minimised now.
        """
        if self._centre is None or len(self._centre) > rows:
            return None
        return np.concatenate([self._centre, -np.ones(rows - len(self._centre))])

    def _continues(self, current: Compiled) -> bool:
        """Nothing but rows at the end has been added since the blocks were read."""
        base = self._base
        rows = base.matrix.shape[0]
        sides = ((current.row_lower[:rows], base.row_lower), (current.row_upper[:rows], base.row_upper))
        columns = ((current.column_lower, base.column_lower), (current.column_upper, base.column_upper))
        return all(np.array_equal(one, other) for one, other in (*sides, *columns))

    def _proven(self, current: Compiled, cost: Array, point: Point) -> bool:
        """The rounds are believed only when their point obeys the whole matrix and their prices prove it there."""
        if largest_violation(current, point.values) > A_POUND:
            return False
        value, bound = float(np.sum(cost * point.values)), dual_bound(current, cost, point.prices)
        return value - bound <= max(PROVEN * abs(value), 1e-9 * float(np.abs(point.values).max()))
