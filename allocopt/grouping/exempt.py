"""When rules cannot hold everywhere: the fewest exemptions that make a part of the country solvable, found exactly
and named.

Three rules may be waived: reach for a place, the population minimum and the balance band for a consortium. Each costs
one; the
programme is the ordinary one with every pair open, a price on pairs beyond reach and a switch on the rows that may be
waived, so that its optimum is the least number of exemptions. Imports `programme`, `instance` and `solve`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from allocopt.errors import Infeasible
from allocopt.grouping.instance import Instance, Ints, Pairs, possible_pairs
from allocopt.grouping.programme import Part, build_part
from allocopt.model import Model
from allocopt.solve.compiled import Compiled, compile_problem
from allocopt.solve.integer import Effort, minimise_whole

ENOUGH = 2.5
WAIVABLE = {"population_window": "least", "balance_band": ""}
"""Rules whose rows may be switched off for a consortium, and which side (all sides where empty)."""


@dataclass(frozen=True)
class Exemption:
    """One rule waived for one place (reach) or one consortium (by its hub)."""

    rule: str
    code: str

    @property
    def words(self) -> str:
        """What is waived, as a sentence."""
        if self.rule == "reach":
            return f"place {self.code} may be beyond reach of its hub"
        what = (
            "may have fewer people than the minimum"
            if self.rule == "population_window"
            else "may lie outside the balance band"
        )
        return f"the consortium of hub {self.code} {what}"


def with_exemptions(instance: Instance, found: tuple[Exemption, ...]) -> Instance:
    """The instance with the exemptions written into the rules' `waive` lists."""
    settings = {name: dict(said) for name, said in instance.settings.items()}
    for one in found:
        listed = settings[one.rule].get("waive")
        settings[one.rule]["waive"] = sorted({*(listed if isinstance(listed, list) else []), one.code})
    return replace(instance, settings=settings)


def unreachable(instance: Instance) -> tuple[Exemption, ...]:
    """Places that reach leaves without any possible hub: each needs an exemption of its own."""
    if not instance.on("reach"):
        return ()
    has = np.zeros(len(instance), dtype=bool)
    has[possible_pairs(instance).place] = True
    return tuple(Exemption("reach", instance.places[p]) for p in np.flatnonzero(~has))


def trouble(instance: Instance, pairs: Pairs) -> list[tuple[Ints, Pairs]]:
    """Where a population minimum may be out of reach when hubs are free: groups of places that share no possible hub.

    A place is in trouble when no hub it can reach has `ENOUGH` times the minimum in its own reach. Each entry holds the
    places in trouble and every pair of the hubs they can reach, the pairs of other places included.
    """
    least = instance.said("population_window", "min")
    if instance.declared or least is None:
        return []
    n = len(instance)
    in_reach = np.bincount(pairs.hub, weights=instance.population[pairs.place], minlength=n)
    best = np.zeros(n)
    np.maximum.at(best, pairs.place, in_reach[pairs.hub])
    hubs = np.zeros(n, dtype=bool)
    hubs[pairs.hub[(best < ENOUGH * least)[pairs.place]]] = True
    near = pairs.take(hubs[pairs.hub])
    links = sp.coo_array((np.ones(len(near)), (near.place, n + near.hub)), shape=(2 * n, 2 * n))
    label = connected_components(links, directed=False)[1]
    parts = np.unique(label[:n][best < ENOUGH * least])
    return [
        (np.flatnonzero((best < ENOUGH * least) & (label[:n] == one)), near.take(label[near.place] == one))
        for one in parts
    ]


def left_out(
    model: Model, instance: Instance, places: Ints, pairs: Pairs, *, seconds: float
) -> tuple[tuple[Exemption, ...], bool, Ints]:
    """The fewest of these places that no set of legal consortia can hold, whether that is proven, and a plan for them.

    The plan is the hub of each place of the instance, -1 where it does not say.
    Other places of the pairs may be used or not at no cost, so the number is a lower bound for any larger part.
    """
    part = Part(np.unique(pairs.place), pairs)
    built = build_part(model, instance, part, [])
    compiled = compile_problem(built)
    rows = [number for number, (component, _) in enumerate(compiled.rows) if component == "duty_to_admit"]
    codes = [compiled.rows[row][1][0] for row in rows]
    out = sp.csr_array((np.ones(len(rows)), (rows, range(len(rows)))), shape=(compiled.matrix.shape[0], len(rows)))
    wanted = {instance.places[p] for p in places}
    cost = np.concatenate([np.zeros(len(compiled.columns)), [float(code in wanted) for code in codes]])
    elastic = _with_columns(compiled, out, [("left_out", (code,)) for code in codes])
    point = minimise_whole(elastic, cost, effort=Effort(gap_absolute=0.999, seconds=seconds))
    chosen = [elastic.columns[at][1][0] for at in np.flatnonzero((cost > 0) & (point.values > 0.5))]
    hub = np.full(len(instance), -1, dtype=np.int64)
    for at in compiled.columns_of("member"):
        if point.values[at] > 0.5:
            p, h = compiled.columns[at][1]
            hub[instance.index[p]] = instance.index[h]
    return tuple(Exemption("reach", code) for code in sorted(chosen)), point.optimal, hub


def least_exemptions(
    model: Model, instance: Instance, places: Ints, *, seconds: float
) -> tuple[tuple[Exemption, ...], bool]:
    """The fewest exemptions that make these places solvable, and whether that is proven.

    Raises Infeasible where no exemption of these three rules helps.
    """
    opened = _opened(instance, places)
    pairs = possible_pairs(opened)
    part = Part(places, pairs.take(np.isin(pairs.place, places)))
    built = build_part(model, opened, part, [])
    compiled = compile_problem(built)
    elastic, cost = _elastic(instance, compiled, built.view.distance)
    point = minimise_whole(elastic, cost, effort=Effort(gap_absolute=0.999, seconds=seconds))
    found = []
    for at in np.flatnonzero((cost > 0) & (point.values > 0.5)):
        component, key = elastic.columns[at]
        found.append(Exemption("reach", key[0]) if component == "member" else Exemption(component, key[0]))
    if not found:
        raise Infeasible("no grouping obeys every rule, whatever is waived")
    return tuple(sorted(found, key=lambda one: (one.rule, one.code))), point.optimal


def _opened(instance: Instance, places: Ints) -> Instance:
    if not instance.on("reach"):
        return instance
    return with_exemptions(instance, tuple(Exemption("reach", instance.places[p]) for p in places))


def _elastic(
    instance: Instance, compiled: Compiled, distance: Mapping[tuple[str, str], float]
) -> tuple[Compiled, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """The programme with a switch for each waivable row, and the cost of exemptions."""
    rows = [
        number
        for number, (component, key) in enumerate(compiled.rows)
        if component in WAIVABLE and (not WAIVABLE[component] or WAIVABLE[component] in key)
    ]
    switch = sorted({(compiled.rows[row][0], (compiled.rows[row][1][0],)) for row in rows})
    number_of = {one: number for number, one in enumerate(switch)}
    m = compiled.matrix.shape[0]
    extra = sp.lil_array((m, len(switch)))
    size = abs(compiled.matrix).sum(axis=1)
    for row in rows:
        big = float(size[row]) + abs(_finite(compiled.row_lower[row])) + abs(_finite(compiled.row_upper[row]))
        column = number_of[compiled.rows[row][0], (compiled.rows[row][1][0],)]
        extra[row, column] = big if np.isfinite(compiled.row_lower[row]) else -big
    most, excused = instance.said("reach", "max", np.inf), set(_listed(instance))
    beyond = [
        component == "member" and distance[key[0], key[1]] > most and key[0] not in excused
        for component, key in compiled.columns
    ]
    elastic = _with_columns(compiled, extra.tocsr(), switch)
    return elastic, np.concatenate([np.array(beyond, dtype=float), np.ones(len(switch))])


def _with_columns(compiled: Compiled, extra: Any, names: Sequence[tuple[str, tuple[str, ...]]]) -> Compiled:
    """The programme with further yes-or-no columns; costs stay those of its own columns."""
    return replace(
        compiled,
        matrix=sp.hstack([compiled.matrix, extra], format="csr"),
        column_lower=np.append(compiled.column_lower, np.zeros(len(names))),
        column_upper=np.append(compiled.column_upper, np.ones(len(names))),
        integer=np.append(compiled.integer, np.ones(len(names), dtype=bool)),
        columns=(*compiled.columns, *names),
    )


def _finite(value: float) -> float:
    return value if np.isfinite(value) else 0.0


def _listed(instance: Instance) -> list[str]:
    listed = instance.said("reach", "waive", [])
    return listed if isinstance(listed, list) else []
