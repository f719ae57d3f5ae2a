"""When rules cannot hold everywhere: the fewest exemptions that make them possible, found exactly and named.

Three rules may be waived: reach for a place, the population minimum and the balance band for a consortium. Each costs
one. The programme is the ordinary one over every pair that reach alone forbids, with a price on those pairs and a
switch on the rows that may be waived, contiguity included, so that its optimum is the least number of exemptions.
Among sets of that number it takes the least excess, each as a share of its limit and added up; an exempted place may
then be no farther from its hub than in that plan, rounded up to a whole kilometre. Exemptions join parts of the
country that reach keeps apart, so that they are counted over all parts that they could join.
Imports `exact`, `waivable`, `programme`, `instance` and `solve`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from allocopt.errors import Cure, Infeasible, InputFault, Problem, Stopped
from allocopt.grouping.exact import CUT_ROUNDS, Staged, cuts_needed, with_cuts
from allocopt.grouping.instance import Array, Flags, Instance, Ints, Pairs, components, possible_pairs
from allocopt.grouping.neighbours import Graph
from allocopt.grouping.programme import Built, Part, build_part
from allocopt.grouping.waivable import Elastic, elastic_of, with_columns
from allocopt.model import Model, load_model
from allocopt.solve.compiled import Compiled
from allocopt.solve.integer import Effort, IntegerPoint, minimise_whole

ENOUGH = 2.5
MOST_PAIRS = 60_000
"""Pairs of parts that exemptions could join, up to which they are looked at together."""
NEAR_PAIRS = 8_000
"""Pairs of such parts from which exemptions from reach are only looked at where others do not do."""
EXCESS_GAP = 0.01
"""Shares of limits that the least excess is found to."""
EXCESS_COLUMNS, EXCESS_NODES = 12_000, 1_000
"""Columns of a programme up to which it is looked for, and nodes that it may take: steps rather than the clock, so that
every machine finds the same exemptions."""


@dataclass(frozen=True)
class Exemption:
    """One rule waived for one place (reach) or one consortium (by its hub)."""

    rule: str
    code: str
    km: float | None = None
    """How far the place may be from its hub; None: any distance"""

    @property
    def words(self) -> str:
        """What is waived, as a sentence."""
        if self.rule == "reach":
            most = "" if self.km is None else f", up to {self.km:,g} km from it"
            return f"place {self.code} may be beyond reach of its hub{most}"
        what = (
            "may have fewer people than the minimum"
            if self.rule == "population_window"
            else "may lie outside the balance band"
        )
        return f"the consortium of hub {self.code} {what}"


def with_exemptions(instance: Instance, found: tuple[Exemption, ...]) -> Instance:
    """The instance with the exemptions written into the rules' `waive` lists, and how far exempted places may be."""
    settings, excess = {name: dict(said) for name, said in instance.settings.items()}, dict(instance.excess)
    for one in found:
        listed = settings[one.rule].get("waive")
        settings[one.rule]["waive"] = sorted({*(listed if isinstance(listed, list) else []), one.code})
        if one.km is not None:
            excess[one.code] = max(one.km, excess.get(one.code, 0.0))
    return replace(instance, settings=settings, excess=excess)


def unreachable(instance: Instance) -> tuple[Exemption, ...]:
    """Places that reach leaves without any possible hub: each needs an exemption, as far as its nearest hub.

    A place that no hub may take whatever its distance is none of them.
    """
    if not instance.on("reach"):
        return ()
    has = np.zeros(len(instance), dtype=bool)
    has[possible_pairs(instance).place] = True
    alone = np.flatnonzero(~has)
    if not len(alone):
        return ()
    anyway = possible_pairs(with_exemptions(instance, tuple(Exemption("reach", instance.places[p]) for p in alone)))
    nearest = np.full(len(instance), np.inf)
    np.minimum.at(nearest, anyway.place, anyway.km)
    return tuple(
        Exemption("reach", instance.places[p], _whole_km(nearest[p])) for p in alone if np.isfinite(nearest[p])
    )


def _whole_km(km: float) -> float:
    return float(math.ceil(km - 1e-9))


def cannot_hold(found: Sequence[Exemption]) -> Infeasible:
    """The refusal where rules cannot hold, with the fewest exemptions as its cure."""
    rules = sorted({one.rule for one in found})
    problems = tuple(
        Problem(f"cannot hold unless {one.words}", f"add {one.code} to rules.{one.rule}.waive", f"rules.{one.rule}")
        for one in found
    )
    codes = {rule: ", ".join(one.code for one in found if one.rule == rule) for rule in rules}
    words = f"the fewest exemptions, {len(found)}, found and named"
    cures = (
        Cure("grouping.exempt", "none", "least", verified=True, words=words),
        *(
            Cure(f"rules.{rule}.waive", "[]", f"[{codes[rule]}]", verified=len(rules) == 1, words="names them yourself")
            for rule in rules
        ),
    )
    return Infeasible(f"the rules {', '.join(rules)} cannot hold for every place", problems, cures)


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
    """The fewest exemptions with which legal consortia can hold these places, whether that is proven, and a plan.

    A place that none can hold is exempted from reach, as far as the nearest hub that can gather the minimum; or a
    consortium is exempted from its minimum or its band. The plan is the hub of each place of the instance, -1 where it
    does not say. Other places of the pairs may be used or not at no cost, so that no fewer do for any larger part,
    unless an exempted place fills up another consortium's minimum.
    """
    if not len(pairs):  # no hub may take them, whatever is exempted
        return (), True, np.full(len(instance), -1, dtype=np.int64)
    built = build_part(model, instance, Part(np.unique(pairs.place), pairs), [])
    elastic = elastic_of(instance, built)
    compiled = elastic.compiled
    rows = [number for number, (component, _) in enumerate(compiled.rows) if component == "duty_to_admit"]
    codes = [compiled.rows[row][1][0] for row in rows]
    wanted = np.array([code in {instance.places[p] for p in places} for code in codes])
    out = sp.csr_array((np.ones(len(rows)), (rows, range(len(rows)))), shape=(compiled.matrix.shape[0], len(rows)))
    far = np.zeros(len(codes))
    far[wanted] = [_next_hub(instance, instance.index[code]) for code in np.array(codes)[wanted]]
    most = max(1.0, float(instance.said("reach", "max", 1.0)))
    wide = with_columns(compiled, out, [("left_out", (code,)) for code in codes])
    if instance.on("contiguity"):  # no exemption from reach leads to a hub across water
        wide = replace(wide, column_upper=np.append(compiled.column_upper, np.isfinite(far).astype(float)))
    elastic = Elastic(
        wide,
        np.append(elastic.number, wanted.astype(float)),
        np.append(elastic.excess, np.where(np.isfinite(far), np.maximum(0.0, far - most) / most, 1e3)),
    )
    point, proven, compiled = _fewest(built, elastic, None, seconds)
    hub = np.full(len(instance), -1, dtype=np.int64)
    for at in compiled.columns_of("member"):
        if point.values[at] > 0.5:
            p, h = compiled.columns[at][1]
            hub[instance.index[p]] = instance.index[h]
    shut = np.zeros(len(instance), dtype=bool)
    shut[pairs.hub], shut[hub[hub >= 0]] = True, False
    found = list[Exemption]()
    for at in np.flatnonzero((elastic.number > 0) & (point.values > 0.5)).tolist():
        component, key = compiled.columns[at]
        km = _next_hub(instance, instance.index[key[0]], shut) if component == "left_out" else np.inf
        rule = "reach" if component == "left_out" else component
        found.append(Exemption(rule, key[0], _whole_km(km) if np.isfinite(km) else None))
    return _in_order(found), proven, hub


def _next_hub(instance: Instance, place: int, shut: Flags | None = None) -> float:
    """Kilometres to the nearest hub beyond reach of a place that can gather the minimum and is not shut (n,)."""
    hubs = instance.hubs if shut is None else instance.hubs[~shut[instance.hubs]]
    if instance.on("stay_in_area") and not instance.waived("stay_in_area")[place]:
        hubs = hubs[instance.area_codes[hubs] == instance.area_codes[place]]
    hubs = instance.ashore(place, hubs)
    km = instance.km(np.full(len(hubs), place), hubs)
    for at in np.argsort(km, kind="stable").tolist():
        if km[at] > instance.farthest[place] and _gathers(instance, int(hubs[at])):
            return float(km[at])
    return float("inf")


def _gathers(instance: Instance, hub: int) -> bool:
    """Whether the places in reach of a hub have the minimum population together."""
    everyone = np.arange(len(instance))
    near = instance.km(everyone, np.full(len(instance), hub)) <= instance.farthest
    if instance.on("stay_in_area"):
        near &= (instance.area_codes == instance.area_codes[hub]) | instance.waived("stay_in_area")
    ashore = instance.ashore(hub, np.flatnonzero(near))
    return bool(instance.population[ashore].sum() >= instance.said("population_window", "min", 0.0))


@dataclass(frozen=True)
class Union:
    """Parts that exemptions could join: their places, whether those are all that they could join, and the pairs."""

    places: Ints
    whole: bool
    pairs: int = 0


def unions(instance: Instance, parts: Sequence[Ints]) -> list[Union]:
    """The parts joined where places exempted from reach could join them; each by itself where that makes too many
    pairs.
    """
    try:
        opened = _opened(instance)
        pairs = possible_pairs(opened)
    except InputFault:
        return [Union(places, whole=False) for places in parts]
    found, size = list[Union](), np.bincount(pairs.place, minlength=len(instance))
    for places in components(opened, pairs):
        inside = [part for part in parts if np.isin(part[0], places)]
        number = int(size[places].sum())
        if len(inside) == 1 or number <= MOST_PAIRS:
            found.append(Union(places, whole=True, pairs=number))
        else:
            found += [Union(part, whole=False) for part in inside]
    return found


def least_exemptions(
    model: Model,
    instance: Instance,
    places: Ints,
    *,
    graph: Graph | None = None,
    seconds: float,
    beyond: bool = True,
) -> tuple[tuple[Exemption, ...], bool]:
    """The fewest exemptions that make these places solvable by themselves, and whether that is proven; without
    `beyond`, of those that leave reach as it is.

    Raises Infeasible where no exemption of these three rules helps, Stopped where none were found in time.
    """
    opened = _opened(instance) if beyond else instance
    pairs = possible_pairs(opened)
    built = build_part(model, opened, Part(places, pairs.take(np.isin(pairs.place, places))), [])
    elastic = elastic_of(instance, built)
    point, proven, compiled = _fewest(built, elastic, graph, seconds)
    found = []
    for at in np.flatnonzero((elastic.number > 0) & (point.values > 0.5)).tolist():
        component, key = compiled.columns[at]
        km = _whole_km(built.view.distance[key[0], key[1]]) if component == "member" else None
        found.append(Exemption("reach", key[0], km) if component == "member" else Exemption(component, key[0]))
    loose = instance.on("surplus_concentration") and len(found) > 1
    return _in_order(found), proven and not loose


@dataclass(frozen=True)
class Fewest:
    """Parts for one process whose fewest exemptions are sought: a name rather than a model, so that it can be sent."""

    model: str
    instance: Instance
    union: Union
    graph: Graph | None
    seconds: float


def fewest_of(asked: Fewest) -> tuple[tuple[Exemption, ...], bool]:
    """As `least_exemptions`; proven only for all that exemptions could join. Raises Stopped where a part fails.

    Many pairs beyond reach take long: there one exempted consortium, which no number undercuts, is looked for first.
    """
    model, union = load_model(asked.model), asked.union
    ask = partial(least_exemptions, model, asked.instance, union.places, graph=asked.graph, seconds=asked.seconds)
    near = _near(ask) if union.pairs > NEAR_PAIRS else ()
    if len(near) == 1:
        return near, True
    try:
        found, proven = ask()
    except (Infeasible, Stopped) as failure:
        if near:
            return near, False
        if union.whole:
            raise
        said = "a part of the country has no exemptions of its own, and too many pairs beyond it to be looked at"
        raise Stopped(said) from failure
    return found, proven and union.whole


def _near(ask: Callable[..., tuple[tuple[Exemption, ...], bool]]) -> tuple[Exemption, ...]:
    """Exemptions that leave reach as it is; nothing where none were found."""
    try:
        return ask(beyond=False)[0]
    except (Infeasible, Stopped):
        return ()


def _in_order(found: Sequence[Exemption]) -> tuple[Exemption, ...]:
    return tuple(sorted(found, key=lambda one: (one.rule, one.code)))


def _opened(instance: Instance) -> Instance:
    """The instance without reach."""
    settings = {name: said for name, said in instance.settings.items() if name != "reach"}
    return replace(instance, settings=settings, excess={})


def _fewest(built: Built, elastic: Elastic, graph: Graph | None, seconds: float) -> tuple[IntegerPoint, bool, Compiled]:
    """The point with the fewest exemptions and then the least excess, whether the number is proven, its programme."""
    run = Staged(built, elastic.compiled, graph)
    point = _connected(run, elastic.number, Effort(gap_absolute=0.999, seconds=seconds))
    number, proven = round(float(elastic.number @ point.values)), point.optimal
    if len(elastic.number) > EXCESS_COLUMNS:
        return point, proven, run.compiled
    run.compiled = run.compiled.with_row("fewest", elastic.number, lower=-np.inf, upper=float(number))
    try:
        least = _connected(run, elastic.excess, Effort(gap_absolute=EXCESS_GAP, nodes=EXCESS_NODES))
    except (Infeasible, Stopped):  # the first point stands
        return point, proven, run.compiled
    return least, proven, run.compiled


def _connected(run: Staged, cost: Array, effort: Effort) -> IntegerPoint:
    """The cheapest point whose consortia are contiguous where they have to be."""
    for _ in range(CUT_ROUNDS):
        point = minimise_whole(run.compiled, cost, effort=effort)
        cuts = cuts_needed(run, point.values)
        if not cuts:
            return point
        run.compiled = with_cuts(run.compiled, cuts)
    raise Stopped("contiguity was not reached: too many rounds of cuts")
