"""What a crossing of areas costs: traded against deficits in one objective, at every size, proven and checked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from grouping_cases import brute_force, checked, legal_plans, random_instance, task
from link_cases import on_own_graph
from situations import on
from test_consortia import PLACES, SCENARIO, groups_of
from test_joint import PLACES as JOINT_PLACES
from test_joint import SCENARIO as JOINT
from test_joint import case, cheapest, solved
from typer.testing import CliRunner

import allocopt
from allocopt.check.folder import verify
from allocopt.check.grouping import broken_rules, objectives, price_bound
from allocopt.cli import app
from allocopt.errors import Infeasible, ScenarioFault
from allocopt.grouping import anneal, solution
from allocopt.grouping.anneal import Aim
from allocopt.grouping.bounds import bounds_of
from allocopt.grouping.exempt import unreachable
from allocopt.grouping.instance import TOLLED, Instance, on_sphere, possible_pairs
from allocopt.grouping.pockets import known_prices
from allocopt.grouping.search import Search
from allocopt.settings import Solver

SHORT = Solver(gap="0%", time_limit="2s")  # type: ignore[arg-type]
RATES = ((0.0, 0.0), (0.1, 0.0), (0.0, 2e-4), (0.5, 1e-4), (1.0, 0.0), (3.0, 0.0))
"""GBP m for each place, and for each of its people."""


def priced(instance: Instance, per_place: float, per_head: float = 0.0) -> Instance:
    """The instance without the ban, with a price instead."""
    settings = {name: one for name, one in instance.settings.items() if name != "stay_in_area"}
    return replace(instance, settings=settings, aims={TOLLED: {"per_place": per_place, "per_head": per_head}})


# small groupings, enumerated ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", range(6))
def test_the_optimum_is_that_of_exhaustive_enumeration_and_no_bound_lies_above_it(batch):
    solvable, sharper = 0, 0
    for seed in range(400 + batch * 30, 430 + batch * 30):
        instance, where = random_instance(seed)
        instance = priced(instance, *RATES[seed % len(RATES)])
        names = [TOLLED, ("travel", "gross_deficit", "moves")[seed % 3]]
        best = brute_force(instance, where, names)
        if best is None:
            with pytest.raises(Infeasible):
                solution.solve_grouping(task(instance, names))
            continue
        solvable += 1
        found = solution.solve_grouping(task(instance, names))
        said = f"seed {seed}, rules {dict(instance.settings)}"
        assert not broken_rules(checked(instance, where, found.hub)), said
        assert [stage.final_value for stage in found.stages] == pytest.approx(best, abs=2e-6), said
        assert all(stage.proven for stage in found.stages), said
        bounds = {one.name: one for one in found.bounds}
        assert {"B", "T", "C"} <= bounds.keys()
        assert max(one.value for one in found.bounds) <= best[0] + 1e-6, said
        assert bounds["T"].value >= bounds["B"].value - 1e-9, said
        again = price_bound(checked(instance, where, found.hub), bounds["T"].prices, instance.may_hub)
        assert bounds["T"].value == pytest.approx(again, abs=1e-9), said
        sharper += bounds["T"].value > bounds["B"].value + 0.01
    assert solvable >= 11
    assert sharper >= 2


@pytest.mark.parametrize("batch", range(3))
def test_crossings_are_priced_where_consortia_hang_together_by_a_table_of_links(batch):
    """Bound T knows that no consortium reaches across what the table cuts off, and is re-proved on the same table."""
    solvable = 0
    for seed in range(200 + batch * 20, 220 + batch * 20):
        instance, where = on_own_graph(seed)
        instance = priced(instance, *RATES[seed % len(RATES)])
        best = brute_force(instance, where, [TOLLED, "travel"])
        if best is None:
            continue
        solvable += 1
        found = solution.solve_grouping(task(instance, [TOLLED, "travel"]))
        plan, said = checked(instance, where, found.hub), f"seed {seed}, links {instance.links.tolist()}"
        assert not broken_rules(plan), said
        assert [stage.final_value for stage in found.stages] == pytest.approx(best, abs=2e-6), said
        bound = next(one for one in found.bounds if one.name == "T")
        assert bound.value <= best[0] + 1e-6, said
        assert bound.value == pytest.approx(price_bound(plan, bound.prices, instance.may_hub), abs=1e-9), said
    assert solvable >= 3


def test_a_crossing_that_costs_nothing_is_gross_deficit_and_one_that_costs_most_is_the_ban():
    free, banned = 0, 0
    for seed in range(700, 760):
        instance, where = random_instance(seed)
        plain = brute_force(priced(instance, 0.0), where, ["gross_deficit"])
        if plain is None:
            continue
        nothing = solution.solve_grouping(task(priced(instance, 0.0), [TOLLED])).stages[0].value
        assert nothing == pytest.approx(plain[0], abs=2e-6)
        free += 1
        measured = {"balance_band", "deprivation_mix", "surplus_concentration"} & instance.settings.keys()
        ban = replace(instance, settings={**instance.settings, "stay_in_area": {}}, aims={})
        within = None if measured else brute_force(ban, where, ["gross_deficit"])
        if within is not None:
            dear = solution.solve_grouping(task(priced(instance, 1e4), [TOLLED]))
            assert dear.stages[0].value == pytest.approx(within[0], abs=2e-6)
            assert not (dear.instance.area_codes != dear.instance.area_codes[dear.hub]).any()
            banned += 1
    assert free >= 20
    assert banned >= 10


def test_the_dearer_a_crossing_the_fewer_and_the_larger_what_is_left():
    for seed in range(800, 808):
        instance, where = random_instance(seed)
        if brute_force(priced(instance, 0.0), where, ["gross_deficit"]) is None:
            continue
        found = [solution.solve_grouping(task(priced(instance, rate), [TOLLED])) for rate in (0.0, 0.2, 1.0, 5.0)]
        plans = [objectives(checked(one.instance, where, one.hub)) for one in found]
        totals, deficits, crossings = (
            [plan[name] for plan in plans] for name in (TOLLED, "gross_deficit", "crossings")
        )
        assert totals == sorted(totals)
        assert np.all(np.diff(deficits) >= -2e-6)
        assert np.all(np.diff(crossings[1:]) <= 0)


def test_bound_t_is_no_less_than_bound_a_less_what_crossings_could_save():
    """A 3, B 2 west, C -3, D -2 east over budget, any hub: west overspends 5; at 2.5 a crossing A and C save 0.5 each.

    5 - 0.5 - 0.5 = 4. Places split: A crosses for 2.5, two thirds of C for 1.667: 4.167. Whole: 2 + 2.5 = 4.5.
    """
    instance = Instance(
        places=tuple("ABCD"),
        population=np.full(4, 1000.0),
        budget=np.full(4, 20.0),
        spend=np.array([23.0, 22.0, 17.0, 18.0]),
        area=("west", "west", "east", "east"),
        may_hub=np.ones(4, dtype=bool),
        declared=False,
        position=on_sphere(np.zeros(4), np.array([0.0, 0.1, 0.2, 0.3])),
        aims={TOLLED: {"per_place": 2.5}},
    )
    bounds = {one.name: one.value for one in bounds_of(instance, possible_pairs(instance))}
    assert bounds["B"] == 0.0
    assert bounds["T"] >= 4
    assert bounds["T"] == pytest.approx(25 / 6, abs=0.01)
    where = np.column_stack([np.zeros(4), [0.0, 0.1, 0.2, 0.3]])
    assert brute_force(instance, where, [TOLLED]) == [4.5]


def test_a_joint_plan_trades_crossings_too():
    """The least over all groupings of the deficit that the best allocation leaves, and what its crossings cost."""
    compared = 0
    for seed in range(14):
        instance, where, situation, rules = case(seed)
        instance = priced(instance, 0.3, 1e-4)
        plans = [hub for hub, _ in legal_plans(instance, where)]
        cost = [objectives(checked(instance, where, np.array(hub))) for hub in plans]
        left = [cheapest(instance, situation, hub, None) for hub in plans]
        both = zip(left, cost, strict=True)
        best = [one[0] + now[TOLLED] - now["gross_deficit"] for one, now in both if one is not None]
        if best:
            _, answer = solved(instance, situation, rules | on(**instance.settings), (TOLLED,))
            assert answer.value[0] == pytest.approx(min(best), abs=3e-6), f"seed {seed}"
            assert answer.bound[0] <= answer.value[0] + 1e-9
            compared += 1
    assert compared >= 6


# searches -------------------------------------------------------------------------------------------------------------


def county(n: int = 60, *, declared: bool = True, **settings: dict[str, object]) -> tuple[Instance, np.ndarray]:
    """n places in a square of about 20 km, the west overspending; every tenth a hub where hubs are declared."""
    draw = np.random.default_rng(11)
    where = np.column_stack([52 + 0.2 * draw.random(n), 0.3 * draw.random(n)])
    west = where[:, 1] < 0.15
    budget = draw.integers(5, 20, n).astype(float)
    instance = Instance(
        places=tuple(f"P{number:02d}" for number in range(n)),
        population=draw.integers(40, 120, n) * 100.0,
        budget=budget,
        spend=np.round(budget * (1 + 0.15 * draw.standard_normal(n) + np.where(west, 0.04, -0.03)), 3),
        area=tuple(np.where(west, "west", "east")),
        may_hub=np.arange(n) % 10 == 0 if declared else np.ones(n, dtype=bool),
        declared=declared,
        position=on_sphere(where[:, 0], where[:, 1]),
        settings=settings,
    )
    return instance, where


@pytest.fixture
def searched(monkeypatch):
    """Every grouping is searched, however small."""
    monkeypatch.setattr(solution, "EXACT_PAIRS", 0)
    monkeypatch.setattr(solution, "CONTIGUOUS_PAIRS", 0)


WINDOW = {"min": 50_000.0, "max": 200_000.0}


@pytest.mark.parametrize(
    ("declared", "settings"),
    [
        (True, {"reach": {"max": 15.0}}),
        (True, {"contiguity": {"graph": "delaunay"}}),
        (False, {"reach": {"max": 12.0}, "population_window": WINDOW}),
    ],
)
@pytest.mark.usefixtures("searched")
def test_a_searched_plan_is_legal_priced_and_not_below_its_bounds(declared, settings):
    instance, where = county(declared=declared, **settings)
    instance = priced(instance, 0.3, 1e-5)
    found = solution.solve_grouping(
        task(instance, [TOLLED, "travel"], solver=SHORT, exempt="least", deterministic=True)
    )
    plan = checked(found.instance, where, found.hub)
    now = objectives(plan)
    assert not broken_rules(plan)
    assert now[TOLLED] == pytest.approx(found.stages[0].final_value, abs=1e-9)
    assert now[TOLLED] > now["gross_deficit"]
    assert max(one.value for one in found.bounds) <= found.stages[0].value + 1e-9
    assert found.stages[0].final_value <= found.stages[0].cap + 1e-6
    assert found.stages[1].bound <= found.stages[1].value + 1e-9


@pytest.mark.parametrize("declared", [True, False])
def test_a_search_comes_close_to_the_exact_optimum(declared, monkeypatch):
    """What it seeks is the price, not deficits that are then priced."""
    instance, _ = county(n=40, declared=declared, reach={"max": 15.0} if declared else {"max": 7.0})
    for rate in (0.1, 0.6):
        asked = priced(instance, rate)
        exact = solution.solve_grouping(task(asked, [TOLLED], solver=Solver(gap="0.5%", time_limit="20s")))  # type: ignore[arg-type]
        with monkeypatch.context() as patch:
            patch.setattr(solution, "EXACT_PAIRS", 0)
            found = solution.solve_grouping(task(asked, [TOLLED], solver=SHORT, deterministic=True))
        assert found.stages[0].value <= exact.stages[0].value * 1.02 + 0.05
        assert max(one.value for one in found.bounds) <= exact.stages[0].value + 1e-6


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("travel", [0.0, 5.0])
def test_the_loop_keeps_count_of_what_crossings_cost(declared, travel, monkeypatch):
    """Its own running total is what the plan costs, hubs that change with their members' crossings included."""
    instance, _ = county(declared=declared, reach={"max": 15.0})
    instance = priced(instance, 0.3, 1e-5)
    pairs = possible_pairs(instance)
    known = known_prices(instance, pairs, bounds_of(instance, pairs))
    search = Search(instance, pairs, known.value, (known.price,), 1)
    totals, loop = [], anneal.loop

    def kept(*given):
        loop(*given)
        totals.append(given[7])

    monkeypatch.setattr(anneal, "loop", kept)
    hub = search.start()
    assert not unreachable(instance)
    for seed in range(1, 4):
        hub = anneal.anneal(search.land, hub, Aim(20_000, 0.5, 0.01, travel=travel, seed=seed))
        assert totals[-1][0] == pytest.approx(search.deficit(hub), abs=1e-6)
        assert search.deficit(hub) == pytest.approx(solution.objective_values(instance, hub)[TOLLED], abs=1e-9)


def test_the_gap_is_itemised_by_consortium():
    instance, _ = county(reach={"max": 15.0})
    instance = priced(instance, 0.3)
    pairs = possible_pairs(instance)
    known = known_prices(instance, pairs, bounds_of(instance, pairs))
    search = Search(instance, pairs, known.value, (known.price,), 1)
    hub = search.settle(search.start())
    shares = search.shares(hub)
    assert shares.min() >= -1e-9
    assert shares.sum() == pytest.approx(search.deficit(hub) - known.value, abs=1e-6)


# whole runs -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    """Over budget: west A 12, B 4, C -9, east D -4, E -5; hubs A and D."""
    (tmp_path / "places.csv").write_text(PLACES, encoding="utf-8")
    path = tmp_path / "five.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return path


def asked(price: str, *others: str) -> dict[str, str]:
    return {"objectives": f"[{', '.join([f'deficit_and_crossings: {{{price}}}', *others])}]"}


@pytest.mark.parametrize(
    ("price", "crossing", "deficit", "total"),
    [
        ("per_place: £1m", 2, 0, 2_000_000),  # B to D and E to A: 0
        ("per_place: £3m", 1, 2_000_000, 5_000_000),  # E to A: 12 + 4 - 9 - 5 = 2
        ("per_head: £250", 1, 2_000_000, 5_000_000),  # E has 12,000 people: the same £3m; B would count £5.5m
        ("per_place: £6m", 0, 7_000_000, 7_000_000),  # A with B and C: 7
        ("per_place: £0", 2, 0, 0),
    ],
)
def test_a_boundary_is_crossed_where_that_saves_more_than_it_costs(scenario, tmp_path, price, crossing, deficit, total):
    run = allocopt.run(scenario, out=tmp_path / "runs", set=asked(price, "travel"))
    head = run.headline
    assert (head["places_crossing"], head["gross_deficit_gbp"]) == (crossing, deficit)
    assert head["deficit_and_crossings_gbp"] == deficit + head["crossing_cost_gbp"] == total
    assert (head["bound_gbp"], head["gap_pct"]) == (total, 0.0)
    stage = run.record["objectives"][0]
    assert (stage["name"], stage["unit"], stage["final_value"]) == (TOLLED, "GBP m", pytest.approx(total / 1e6))
    rows = run.tables["comparison"].set_index("plan")
    assert rows.loc["plan", ["crossings", "crossing_cost_gbp"]].tolist() == [crossing, head["crossing_cost_gbp"]]
    assert (rows.loc["optimal within areas", "crossings"], rows.loc["optimal across areas", "gap_pct"] == 0) == (
        0,
        total > 0,
    )
    assert "together; no grouping under these rules has less" in run.record["summary"]
    verdict = verify(run.folder)
    assert verdict.passed, verdict
    assert {"bound T", f"objective {TOLLED}"} <= {one.name for one in verdict.checks}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (asked("per_place: -£1m"), "an amount of money here is not negative"),
        (asked("per_place: 200000"), "objectives.0.deficit_and_crossings.per_place: 200000 needs its unit"),
        (asked("per_place: 5 km"), "is not an amount of money"),
        (asked("per_places: £1m"), "per_places"),
        ({"objectives": "[deficit_and_crossings]"}, "says neither per_place nor per_head: a crossing costs nothing"),
        (
            {"objectives": "[gross_deficit, {deficit_and_crossings: {per_place: £1m}}]"},
            "gross_deficit before deficit_and_crossings leaves it nothing to trade crossings for",
        ),
        (
            {"objectives": "[{deficit_and_crossings: {per_place: £1m}}, {deficit_and_crossings: {per_place: £2m}}]"},
            "deficit_and_crossings is listed 2 times: a crossing has one price",
        ),
        (
            asked("per_place: £1m") | {"rules.stay_in_area": "{}"},
            "stay_in_area forbids the crossings that deficit_and_crossings puts a price on",
        ),
        (asked("per_place: £1m") | {"inputs.places.columns.area": "off"}, "this needs areas, and no column is named"),
    ],
)
def test_a_price_that_says_nothing_or_cannot_hold_is_refused(scenario, said, words):
    with pytest.raises(ScenarioFault) as failure:
        allocopt.run(scenario, out=None, set={"grouping.compare": "[unpooled]"} | said)
    assert failure.value.exit == 2
    assert words in str(failure.value)


def test_a_refusal_names_the_line(scenario):
    text = SCENARIO.replace("[gross_deficit, travel]", "[gross_deficit, {deficit_and_crossings: {per_place: £1m}}]")
    scenario.write_text(text, encoding="utf-8")
    answer = CliRunner().invoke(app, ["check", str(scenario)])
    line = 1 + text[: text.index("objectives:")].count("\n")
    assert answer.exit_code == 2
    assert f"five.yaml:{line}:" in answer.stderr
    assert "take gross_deficit out or list it after" in answer.stderr


def test_a_waived_place_may_cross_at_the_price(scenario):
    """B alone may cross: A with C has 3, and B's crossing counts £1m."""
    rules = {"rules.stay_in_area": "{waive: [B]}", "grouping.compare": "[unpooled]"}
    run = allocopt.run(scenario, out=None, set=asked("per_place: £1m", "travel") | rules)
    assert groups_of(run)["B"] == "D"
    assert run.headline["deficit_and_crossings_gbp"] == 4_000_000


def test_a_given_grouping_is_priced_as_it_is_given(scenario, tmp_path):
    """C in the east: A and B have 16, C crosses for £1m."""
    (tmp_path / "mine.csv").write_text("code,hub\nA,A\nB,A\nC,D\nD,D\nE,D\n", encoding="utf-8")
    given = {"grouping.table": str(tmp_path / "mine.csv"), "grouping.column": "hub", "grouping.key": "code"}
    run = allocopt.run(scenario, out=tmp_path / "runs", set=asked("per_place: £1m") | given)
    assert run.headline["deficit_and_crossings_gbp"] == 17_000_000
    assert 0 < run.headline["bound_gbp"] <= 2_000_000
    assert verify(run.folder).passed


def test_alternatives_and_the_frontier_keep_to_the_price(scenario, tmp_path):
    more = {"grouping.alternatives": "{number: 2, within: 50%, differ: 1}", "grouping.frontier": "[0%, 50%]"}
    run = allocopt.run(scenario, out=tmp_path / "runs", set=asked("per_place: £3m", "travel") | more)
    rows = run.tables["comparison"].set_index("plan")
    others = rows[rows.index.str.startswith("alternative")]
    assert len(others)
    assert (others["gross_deficit_gbp"] + others["crossing_cost_gbp"] <= 7_500_000).all()
    frontier = run.tables["travel_frontier"]
    assert frontier["deficit_at_most_gbp"].tolist() == pytest.approx([5_000_000, 7_500_000], abs=2_000)
    assert (frontier["gross_deficit_gbp"] + frontier["crossing_cost_gbp"] <= frontier["deficit_at_most_gbp"] + 1).all()
    assert frontier["plan"].str.startswith("deficit with crossings up to").all()
    assert verify(run.folder).passed


def test_a_table_of_links_holds_for_everything_beside_the_plan(scenario, tmp_path):
    """A and E are no neighbours: E may cross to A only through C, which lies with A."""
    (tmp_path / "links.csv").write_text("place,neighbour\nA,B\nB,C\nC,E\nE,D\nC,A\n", encoding="utf-8")
    more = {"grouping.alternatives": "{number: 1, within: 100%, differ: 1}", "grouping.frontier": "[0%, 50%]"}
    more |= {"rules.contiguity.graph": str(tmp_path / "links.csv"), "report.rule_prices": "true"}
    run = allocopt.run(scenario, out=tmp_path / "runs", set=asked("per_place: £3m", "travel") | more)
    assert (groups_of(run)["C"], groups_of(run)["E"]) == ("A", "A")
    assert run.headline["deficit_and_crossings_gbp"] == 5_000_000
    assert len(run.tables["travel_frontier"]) == 2
    verdict = verify(run.folder)
    assert verdict.passed, [one for one in verdict.checks if not one.passed]


def test_a_place_is_told_what_crossing_would_cost(scenario, tmp_path):
    """D is nearer to E than A is, yet with D it would leave £5m more for the £2.5m that its crossing counts."""
    run = allocopt.run(scenario, out=tmp_path / "runs", set=asked("per_place: £2.5m", "travel"))
    assert groups_of(run)["E"] == "A"
    answer = CliRunner().invoke(app, ["explain", str(run.folder), "E"])
    assert answer.exit_code == 0
    words = " ".join(answer.stdout.split())
    assert "gross deficits with what crossings cost would be" in words
    assert "it lies in east and its hub in west, which counts £2.5m" in words


def test_a_joint_run_states_both_and_verifies(tmp_path):
    """D and E in the east: the dearer a crossing the more is left, and at £100m nobody crosses."""
    east = JOINT_PLACES.replace("25,west,1", "25,east,1").replace("24,west,0", "24,east,0")
    (tmp_path / "places.csv").write_text(east, encoding="utf-8")
    path = tmp_path / "five.yaml"
    path.write_text(JOINT, encoding="utf-8")
    left = []
    for price in ("£0", "£1m", "£100m"):
        others = asked(f"per_place: {price}", "shortfall_below_target", "travel")
        run = allocopt.run(path, out=tmp_path / "runs", set=others | {"rules.growth_ceiling.rate": "6%"})
        head = run.headline
        assert head["deficit_and_crossings_gbp"] == head["gross_deficit_gbp"] + head["crossing_cost_gbp"]
        assert {one["name"] for one in run.record["bounds"]} == {"N", "C"}
        verdict = verify(run.folder)
        assert verdict.passed, [one for one in verdict.checks if not one.passed]
        left.append((head["places_crossing"], head["deficit_and_crossings_gbp"]))
    assert left[-1][0] == 0
    assert [total for _, total in left] == sorted(total for _, total in left)


def test_prices_are_swept_beside_none_at_all(scenario):
    """Cases with and without a price stand in one table: the dearer a crossing, the fewer."""
    lists = [
        "[gross_deficit, travel]",
        *(f"[{{deficit_and_crossings: {{per_place: {price}}}}}, travel]" for price in ("£1m", "£3m", "£6m")),
    ]
    text = f"extends: five.yaml\nname: price\nsweep: {{how: grid, over: {{objectives: [{', '.join(lists)}]}}}}\n"
    (scenario.parent / "sweep.yaml").write_text(text, encoding="utf-8")
    found = allocopt.batch(scenario.parent / "sweep.yaml", out=scenario.parent / "runs")
    assert found.results["places_crossing"].tolist() == [2, 2, 1, 0]
    assert found.results["gross_deficit_gbp"].tolist() == [0, 0, 2_000_000, 7_000_000]


def test_rules_are_priced_in_the_same_objective(scenario):
    run = allocopt.run(scenario, out=None, set=asked("per_place: £3m") | {"rules.reach.max": "20 km"})
    price = {one["name"]: one for one in run.record["rules"]}["reach"]
    assert run.headline["deficit_and_crossings_gbp"] == 7_000_000
    assert price["price"] == pytest.approx(2.0)
    assert price["price_words"] == "without reach deficit and crossings would be £2.0m less"


def test_a_changed_price_of_bound_t_is_found(scenario, tmp_path):
    run = allocopt.run(scenario, out=tmp_path / "runs", set=asked("per_place: £3m"))
    folder = run.folder
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    for one in record["bounds"]:
        one["value"] += 1.0 if one["name"] == "T" else 0.0
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    failed = {one.name for one in verify(folder).checks if not one.passed}
    assert {"bound T", "bounds and plan"} & failed


def test_every_legal_plan_costs_at_least_the_price_of_its_places():
    """The prices of bound T itemise it: no consortium is below what its members are priced at."""
    for seed in range(900, 915):
        instance, where = random_instance(seed)
        instance = priced(instance, 0.4, 1e-4)
        pairs = possible_pairs(instance)
        if not len(pairs) or unreachable(instance):
            continue
        known = known_prices(instance, pairs, bounds_of(instance, pairs))
        for hub, _ in legal_plans(instance, where):
            cost = solution.objective_values(instance, np.array(hub))[TOLLED]
            assert cost >= known.value - 1e-9
