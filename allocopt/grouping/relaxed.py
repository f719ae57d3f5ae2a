"""Bound C: the linear relaxation of the grouping programme over every hub that is allowed, proved by its row prices.

Bounds A and B know nothing of population windows and bands; the relaxation knows every row. It is computed before any
search, part by part, where the parts are small enough for a simplex method; the prices are kept by row name, so that
anyone can evaluate the bound again by weak duality on the programme compiled anew, without a solver. Imports
`bounds`, `instance`, `programme` and `solve`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from allocopt.errors import Infeasible, Stopped
from allocopt.grouping.bounds import Bound
from allocopt.grouping.instance import TOLLED, Instance, Ints, Pairs
from allocopt.grouping.programme import Part, build_part
from allocopt.model import Model
from allocopt.problem import Array
from allocopt.solve.certificate import dual_bound
from allocopt.solve.compiled import Compiled, compile_problem
from allocopt.solve.highs import minimise

MOST_PAIRS = 150_000
"""Possible pairs of all parts together up to which the relaxation is solved (115,732 without areas take 2 s)."""
ROWS = ("population_window", "balance_band", "number_of_consortia", "deprivation_mix", "surplus_concentration", "moves")
ROWS_TOO = ("together", "apart", "containment")
"""Rules that bounds A and B do not know: without one of them, or areas crossed, C adds little."""
SECONDS = 300.0


@dataclass(frozen=True)
class Relaxed:
    """A linear relaxation: what its prices prove, in the objective's unit, and the prices by row name."""

    value: float
    prices: Mapping[str, float]


def relaxation(compiled: Compiled, cost: Array, offset: float, *, seconds: float = SECONDS) -> Relaxed:
    """The bound of one programme without its whole numbers. Raises Infeasible or Stopped."""
    loose = replace(compiled, integer=np.zeros(len(compiled.integer), dtype=bool))
    point = minimise(loose, cost, time_limit=seconds)
    used = np.flatnonzero(point.prices)
    names = compiled.row_names
    value = dual_bound(loose, cost, point.prices) + offset
    return Relaxed(value, {names[row]: float(point.prices[row]) for row in used.tolist()})


def wanted(instance: Instance) -> bool:
    """Whether crossings cost something, or a rule is on that bounds A and B do not know."""
    return instance.aim == TOLLED or any(instance.on(rule) for rule in (*ROWS, *ROWS_TOO))


def relaxed_bound(model: Model, instance: Instance, pairs: Pairs, parts: Sequence[Ints]) -> tuple[Bound | None, str]:
    """Bound C with its prices, or None and the reason, in words, why it was not computed."""
    if not wanted(instance):
        return None, ""
    if len(pairs) > MOST_PAIRS:
        said = f"{len(pairs):,} possible pairs, and the linear relaxation is solved up to {MOST_PAIRS:,}"
        return None, f"bound C was not computed: {said}"
    value, prices = 0.0, dict[str, float]()
    try:
        for compiled in compiled_parts(model, instance, pairs, parts):
            found = relaxation(compiled, compiled.costs[0], float(compiled.offsets[0]))
            value += max(0.0, found.value)
            prices |= found.prices if found.value > 0 else {}
    except Infeasible:
        return None, "bound C was not computed: the rules cannot hold without exemptions, which are found first"
    except Stopped:
        return None, f"bound C was not computed: the linear relaxation took more than {SECONDS:g} s"
    return Bound("C", value, _words(instance, len(prices)), prices=prices), ""


def compiled_parts(model: Model, instance: Instance, pairs: Pairs, parts: Sequence[Ints]) -> Iterator[Compiled]:
    """Each part's programme with the objective in money that is sought alone."""
    label = np.zeros(len(instance), dtype=np.int64)
    for number, places in enumerate(parts):
        label[places] = number
    of_part = label[pairs.place]
    for number, places in enumerate(parts):
        built = build_part(
            model, instance, Part(places, pairs.take(of_part == number)), [model.objective(instance.aim)]
        )
        yield compile_problem(built)


def _words(instance: Instance, prices: int) -> str:
    rules = [rule for rule in (*ROWS, *ROWS_TOO) if instance.on(rule)]
    rules += ["what crossings cost"] if instance.aim == TOLLED else []
    return f"linear relaxation over all hubs with {', '.join(rules)}: proved by {prices:,} row prices"
