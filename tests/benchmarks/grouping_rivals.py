"""Groupings side by side: ours, one whole integer programme, spopt, GerryChain, nearest hubs, k-means, present groups.

    python tests/benchmarks/grouping_rivals.py [--area QE1 QOP QYG] [--seconds 240] [--only NAME ...]

Real practices of England with the modelled spend of `scenarios/data/england_grouping_benchmark.csv`; `--area` takes
some of the 42 areas instead of all. spopt and GerryChain are optional (`pip install allocopt[benchmarks]`): without
them the table says so. Every method gets the same processor time, in a process of its own that is ended a minute after
it. Two contests, each with the same rules for all who know rules:

- hubs: the 199 declared hubs, reach 40 km, areas may be crossed. Nearest hub and the whole programme obey the rules;
  present groups and k-means obey none.
- map: contiguous consortia on one neighbour graph. Ours has 100,000 to 500,000 people and a reach of 25 km; max-p keeps
  100,000 people as its floor, nobody else any limit; SKATER makes as many regions as there are hubs; GerryChain starts
  from the graph's Voronoi cells of the declared hubs and keeps only contiguity (short bursts of 25 flips on gross
  deficit).

The bound is that of our rules in each contest. A group without a hub gets the member of least travel. `beats us` says
whether a method has less deficit at no more travel than ours in its contest.

Measured in November 2026 on two cores that other programmes shared (spopt 0.7, GerryChain 1.0, HiGHS 1.15).

    hubs, England: 7,209 practices, unpooled GBP 3,398m, 240 s of wall clock a method; bound GBP 321.2m
    method                   deficit GBP m     gap     km groups  torn  cpu s  beats us
    allocopt                         321.3    0.0%   7.76    199   125     43  no
    HiGHS, one programme             475.5   32.4%  23.17    199   195     98  no
    nearest hub                    1,129.7   71.6%   6.36    199     0      0  no
    k-means                        1,005.0   68.0%   6.18    199     0      0  no
    present: ccg_code              1,086.7   70.4%   8.32    192    15      0  no
    present: pcn_code              2,164.6   85.2%   2.21   1990   375      0  no

    map, Cheshire and Merseyside (QYG): 379 practices, unpooled GBP 165m, 12 s a method; bound nothing
    allocopt                           0.0    0.0%   4.44     17     0     43  no
    spopt max-p                      113.1  100.0%   6.76     22     0     30  no
    spopt SKATER                      84.6  100.0%  11.93      9     0      3  no
    GerryChain bursts                  0.0    0.0%  13.64      6     0     12  no

    map, England (`--contest map`): 7,209 practices, unpooled GBP 3,398m, 240 s of processor time each; bound GBP 307.3m
    allocopt                         376.2   18.3%   5.95    442     0    172  no
    spopt max-p                    1,942.2   84.2%   7.16    491     0    250  no
    spopt SKATER         no answer in 300 s of processor time
    GerryChain bursts                387.7   20.7%  11.00    197     0    240  no
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from queue import Empty

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.cluster.vq import kmeans2
from scipy.sparse.csgraph import connected_components, dijkstra

from allocopt.errors import AllocoptError
from allocopt.grouping.bounds import reach_bound
from allocopt.grouping.exact import assignment
from allocopt.grouping.exempt import unreachable, with_exemptions
from allocopt.grouping.instance import Instance, Ints, on_sphere, possible_pairs
from allocopt.grouping.measure import hubs_of_labels, objective_values
from allocopt.grouping.neighbours import Graph, delaunay_links, graph_from
from allocopt.grouping.programme import Part, build_part
from allocopt.grouping.solution import Task, solve_grouping
from allocopt.model import load_model
from allocopt.settings import Grouping, Solver
from allocopt.shipped import shipped
from allocopt.solve.compiled import compile_problem
from allocopt.solve.integer import Effort, minimise_whole

MODEL = load_model("consortia")
HUBS = {"reach": {"max": 40.0, "waive": []}}
MAP = {
    "reach": {"max": 25.0, "waive": []},
    "contiguity": {"graph": "delaunay"},
    "population_window": {"min": 100_000.0, "max": 500_000.0, "waive": []},
}
LEAST_PEOPLE = 100_000
PRESENT = ("ccg_code", "pcn_code")
GRACE = 60.0
"""Seconds of processor time beyond its own that a method gets to finish and hand over what it has."""


@dataclass(frozen=True)
class Place:
    """The practices of a contest: the instance without rules, and the places table."""

    instance: Instance
    table: pd.DataFrame


def england(areas: list[str]) -> Place:
    """The practices of the benchmark's table, of some areas or of all, by code."""
    data = shipped("scenarios") / "data"
    places = pd.read_csv(data / "england_practices_2018_19.csv", dtype={"practice_code": "str"}).set_index(
        "practice_code"
    )
    money = pd.read_csv(data / "england_grouping_benchmark.csv", dtype={"practice_code": "str"}).set_index(
        "practice_code"
    )
    table = places.join(money, how="inner").sort_index()
    table = table[table["stp_code"].isin(areas)] if areas else table
    instance = Instance(
        places=tuple(table.index),
        population=table["registered_pop_2018_19"].to_numpy(float),
        budget=table["budget_k"].to_numpy(float) / 1e3,
        spend=table["modelled_spend_k"].to_numpy(float) / 1e3,
        area=tuple(table["stp_code"]),
        may_hub=table["hub"].to_numpy() == 1,
        declared=True,
        position=on_sphere(table["latitude"].to_numpy(float), table["longitude"].to_numpy(float)),
    )
    return Place(instance, table)


def with_rules(instance: Instance, rules: dict[str, dict[str, object]], *, declared: bool) -> Instance:
    """The instance under a contest's rules; places that no hub reaches are waived by name, for everybody."""
    may_hub = instance.may_hub if declared else np.ones(len(instance), dtype=bool)
    made = replace(instance, settings=rules, declared=declared, may_hub=may_hub)
    return with_exemptions(made, unreachable(made))


def ours(instance: Instance, seconds: float) -> Ints:
    """What `allocopt run` does: gross deficit, then travel; the search takes half of the time, the rest follows it."""
    names = ("gross_deficit", "travel")
    solver = Solver.model_validate({"time_limit": f"{0.5 * seconds * load():g}s", "gap": "0.1%"})
    task = Task(MODEL, instance, [MODEL.objective(name) for name in names], solver, Grouping())
    return solve_grouping(task).hub


def load() -> float:
    """Seconds of wall clock that a second of processor time takes at present: some limits know only the clock."""
    wall, cpu = time.perf_counter(), time.process_time()
    while time.process_time() < cpu + 1.0:
        pass
    return max(1.0, time.perf_counter() - wall)


def whole_programme(instance: Instance, seconds: float) -> Ints:
    """The same programme given to HiGHS in one piece."""
    places = np.arange(len(instance))
    built = build_part(MODEL, instance, Part(places, possible_pairs(instance)), [MODEL.objective("gross_deficit")])
    compiled = compile_problem(built)
    point = minimise_whole(compiled, compiled.costs[0], effort=Effort(gap=1e-3, seconds=seconds * load()))
    return assignment(built, compiled, instance, point.values)


def nearest_hub(instance: Instance, _seconds: float) -> Ints:
    """Every place with the nearest hub in reach."""
    pairs = possible_pairs(instance)
    order = np.lexsort((pairs.hub, pairs.km, pairs.place))
    places, first = np.unique(pairs.place[order], return_index=True)
    hub = np.arange(len(instance))
    hub[places] = pairs.hub[order][first]
    return hub


def k_means(instance: Instance, _seconds: float) -> Ints:
    """As many groups as there are hubs, by position alone."""
    assert instance.position is not None
    number = int(instance.may_hub.sum())
    return _hubs(instance, kmeans2(instance.position, number, minit="++", seed=1)[1])


def _hubs(instance: Instance, labels: np.ndarray) -> Ints:
    return hubs_of_labels(instance, np.array([str(one) for one in labels], dtype=object))


def max_p(instance: Instance, _seconds: float) -> Ints:
    """spopt's max-p: as many regions of at least 100,000 people as it finds, alike in overspend per head."""
    from spopt.region import MaxPHeuristic  # noqa: PLC0415 - optional

    found = MaxPHeuristic(*_spopt(instance), ["over"], "people", LEAST_PEOPLE, top_n=2, max_iterations_construction=5)
    found.solve()
    return _hubs(instance, np.asarray(found.labels_))


def skater(instance: Instance, _seconds: float) -> Ints:
    """spopt's SKATER: the minimum spanning tree cut into as many regions as there are hubs."""
    from spopt.region import Skater  # noqa: PLC0415 - optional

    number = int(instance.may_hub.sum())
    found = Skater(*_spopt(instance), ["over"], n_clusters=number, floor=5, islands="ignore")
    found.solve()
    return _hubs(instance, np.asarray(found.labels_))


def _spopt(instance: Instance) -> tuple[object, object]:
    import geopandas  # noqa: PLC0415 - comes with spopt
    from libpysal.weights import W  # noqa: PLC0415

    assert instance.position is not None
    graph = _linked(instance)
    near = {p: graph.of(p).tolist() for p in range(len(instance))}
    points = geopandas.points_from_xy(instance.position[:, 0], instance.position[:, 1])
    frame = geopandas.GeoDataFrame(
        {"over": instance.over / instance.population * 1e3, "people": instance.population}, geometry=points
    )
    return frame, W(near, silence_warnings=True)


def _linked(instance: Instance) -> Graph:
    return graph_from(instance.places, delaunay_links(instance.position))


def gerrychain_bursts(instance: Instance, seconds: float) -> Ints:
    """GerryChain's short bursts of single flips that keep districts contiguous, for as long as it may run."""
    import networkx as nx  # noqa: PLC0415 - comes with GerryChain
    from gerrychain import GeographicPartition, updaters  # noqa: PLC0415
    from gerrychain import Graph as Districts  # noqa: PLC0415 - optional
    from gerrychain.constraints import contiguous  # noqa: PLC0415
    from gerrychain.optimization import SingleMetricOptimizer  # noqa: PLC0415
    from gerrychain.proposals import propose_random_flip  # noqa: PLC0415

    graph = _linked(instance)
    drawn = nx.Graph()
    for p in range(len(instance)):  # every node before any edge: GerryChain numbers them as they come
        drawn.add_node(p, over=float(instance.over[p]), boundary_node=False, area=1.0)
    for p in range(len(instance)):
        drawn.add_edges_from((p, q, {"shared_perim": 1.0}) for q in graph.of(p).tolist())
    first = voronoi(instance, graph)
    start = GeographicPartition(
        Districts.from_networkx(drawn),
        assignment={p: int(first[p]) for p in range(len(instance))},
        updaters={"over": updaters.Tally("over", alias="over")},
    )
    optimiser = SingleMetricOptimizer(
        proposal_fn=propose_random_flip,
        constraints=[contiguous],
        initial_state=start,
        optimization_metric_fn=lambda plan: sum(max(0.0, one) for one in plan["over"].values()),
        maximize=False,
    )
    for _ in optimiser.short_bursts(25, 10**9):
        if time.process_time() > seconds:
            break
    best = optimiser.best_part
    return _hubs(instance, np.array([best.assignment[p] for p in range(len(instance))]))


def voronoi(instance: Instance, graph: Graph) -> Ints:
    """Each place with the declared hub that is nearest along the graph: connected cells."""
    n = len(instance)
    tail = np.repeat(np.arange(n), np.diff(graph.start))
    roads = sp.csr_array((instance.km(tail, graph.near) + 1e-6, (tail, graph.near)), shape=(n, n))
    hubs = np.flatnonzero(instance.may_hub)
    return np.asarray(dijkstra(roads, indices=hubs, min_only=True, return_predecessors=True)[2], dtype=np.int64)


@dataclass(frozen=True)
class Entry:
    """One method of a contest."""

    name: str
    solve: Callable[[Instance, float], Ints]
    declared: bool
    needs: str = ""


CONTESTS: dict[str, tuple[dict[str, dict[str, object]], bool, tuple[Entry, ...]]] = {
    "hubs": (
        HUBS,
        True,
        (
            Entry("allocopt", ours, declared=True),
            Entry("HiGHS, one programme", whole_programme, declared=True),
            Entry("nearest hub", nearest_hub, declared=True),
            Entry("k-means", k_means, declared=True),
        ),
    ),
    "map": (
        MAP,
        False,
        (
            Entry("allocopt", ours, declared=False),
            Entry("spopt max-p", max_p, declared=True, needs="spopt"),
            Entry("spopt SKATER", skater, declared=True, needs="spopt"),
            Entry("GerryChain bursts", gerrychain_bursts, declared=True, needs="gerrychain"),
        ),
    ),
}


@dataclass(frozen=True)
class Row:
    """What came of one method."""

    name: str
    words: str = ""
    deficit: float = np.nan
    travel: float = np.nan
    groups: int = 0
    torn: int = 0
    cpu: float = np.nan


def contest(place: Place, name: str, seconds: float, only: list[str]) -> Iterator[Row]:
    """Every method of a contest, each in a process of its own."""
    rules, declared, entries = CONTESTS[name]
    instance = with_rules(place.instance, rules, declared=declared)
    for entry in entries:
        if only and entry.name not in only:
            continue
        given = instance if entry.declared == declared else place.instance
        yield timed(place, entry, given, seconds)
    for column in PRESENT if name == "hubs" and not only else ():
        labels = place.table[column].fillna("").astype(str).to_numpy(dtype=object)
        yield measured(place, f"present: {column}", hubs_of_labels(place.instance, labels), 0.0)


def timed(place: Place, entry: Entry, instance: Instance, seconds: float) -> Row:
    """One method within its time."""
    if entry.needs and importlib.util.find_spec(entry.needs) is None:
        return Row(entry.name, f"{entry.needs} is not installed")
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=_run, args=(entry.solve, instance, seconds, answers))
    child.start()
    try:
        kind, found, cpu = _answer(child, answers)
    except Empty:
        return Row(entry.name, f"no answer in {seconds:g} s", cpu=seconds)
    finally:
        child.terminate()
        child.join()
    return measured(place, entry.name, found, cpu) if kind == "plan" else Row(entry.name, str(found), cpu=cpu)


def _answer(child: object, answers: object) -> tuple[str, object, float]:
    """What a process hands over; Empty where the system ended it first."""
    while True:
        try:
            return answers.get(timeout=1.0)  # type: ignore[attr-defined]
        except Empty:
            if not child.is_alive():  # type: ignore[attr-defined]
                raise


def _run(solve: Callable[[Instance, float], Ints], instance: Instance, seconds: float, answers: object) -> None:
    most = int(seconds + GRACE)
    resource.setrlimit(resource.RLIMIT_CPU, (most, most))
    try:
        said = ("plan", solve(instance, seconds))
    except (AllocoptError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as failure:
        said = ("failed", f"{type(failure).__name__}: {str(failure)[:70]}")
    answers.put((*said, time.process_time()))  # type: ignore[attr-defined]


def measured(place: Place, name: str, hub: Ints, cpu: float) -> Row:
    """A plan under the same measures, money of the table, travel to the hub by people."""
    values = objective_values(place.instance, hub)
    return Row(
        name,
        deficit=values["gross_deficit"],
        travel=values["travel"],
        groups=len(np.unique(hub)),
        torn=torn(place.instance, hub),
        cpu=cpu,
    )


def torn(instance: Instance, hub: Ints) -> int:
    """Groups that are not connected on the neighbour graph."""
    graph, n = _linked(instance), len(hub)
    tail = np.repeat(np.arange(n), np.diff(graph.start))
    same = hub[tail] == hub[graph.near]
    links = sp.coo_array((np.ones(int(same.sum())), (tail[same], graph.near[same])), shape=(n, n))
    label = connected_components(links, directed=False)[1]
    pieces = pd.Series(label).groupby(hub).nunique()
    return int((pieces > 1).sum())


def shown(name: str, rows: list[Row], bound: float) -> None:
    """The table of one contest."""
    print(f"\n{name}: proven bound GBP {bound:,.1f}m")
    print(
        f"{'method':24s} {'deficit GBP m':>13s} {'gap':>7s} {'km':>6s} {'groups':>6s} {'torn':>5s} {'cpu s':>6s}"
        "  beats us"
    )
    own = next((row for row in rows if row.name == "allocopt"), None)
    for row in rows:
        if row.words:
            print(f"{row.name:24s} {row.words}")
            continue
        better = own is not None and row.deficit < own.deficit - 1e-6 and row.travel <= own.travel + 1e-9
        gap = 1 - bound / row.deficit if row.deficit > 0 else 0.0
        print(
            f"{row.name:24s} {row.deficit:13,.1f} {gap:7.1%} {row.travel:6.2f} {row.groups:6d} {row.torn:5d} "
            f"{row.cpu:6.0f}  {'YES' if better else 'no'}",
            flush=True,
        )


def main() -> None:
    """Both contests, one table each."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--area", nargs="*", default=[], help="areas such as QYG; all of England without it")
    asked.add_argument("--seconds", type=float, default=240.0)
    asked.add_argument("--only", nargs="*", default=[], help="methods, such as 'spopt max-p'")
    asked.add_argument("--contest", choices=list(CONTESTS), help="one of the two; both without it")
    said = asked.parse_args()
    place = england(said.area)
    alone = float(np.maximum(0, place.instance.over).sum())
    print(f"{len(place.instance):,} practices, unpooled GBP {alone:,.0f}m, {said.seconds:g} s a method")
    for name, (rules, declared, _) in CONTESTS.items():
        if said.contest not in (None, name):
            continue
        instance = with_rules(place.instance, rules, declared=declared)
        bound = reach_bound(instance, possible_pairs(instance)).value
        shown(name, list(contest(place, name, said.seconds, said.only)), bound)


if __name__ == "__main__":
    main()
