"""Consortia that hang together by a table of links of the user's own: the optimum, the proof, the words, the files."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pandas as pd
import pytest
from choice_cases import core, largest_gain, lawful, random_field
from four_places import PLACES, four_places
from grouping_cases import brute_force, checked, random_instance, row_of_places, task
from grouping_scenarios import scenario_of
from link_cases import OWN, links_array, links_table, on_own_graph, random_links
from typer.testing import CliRunner

import allocopt
from allocopt import inputs
from allocopt.check.folder import verify
from allocopt.check.grouping import broken_rules, cut_bound
from allocopt.choice.field import field_of, level_of
from allocopt.choice.partition import free_choice
from allocopt.cli import app
from allocopt.errors import Infeasible, InputFault
from allocopt.explain.member import explain_member
from allocopt.grouping import solution
from allocopt.grouping.bounds import bounds_of
from allocopt.grouping.instance import possible_pairs
from allocopt.grouping.neighbours import delaunay_links, first_neighbours, graph_of
from allocopt.grouping.solution import solve_grouping
from allocopt.model import load_model

ORDERS = (["gross_deficit", "travel", "moves"], ["moves", "gross_deficit"], ["gross_deficit"])


# the optimum ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", range(6))
def test_every_random_graph_has_the_optimum_of_exhaustive_enumeration(batch):
    solvable = 0
    for seed in range(batch * 20, batch * 20 + 20):
        instance, where = on_own_graph(seed)
        stages = ORDERS[seed % len(ORDERS)]
        best, said = brute_force(instance, where, stages), f"seed {seed}, links {instance.links.tolist()}"
        if best is None:
            with pytest.raises(Infeasible):
                solve_grouping(task(instance, stages))
            continue
        solvable += 1
        found = solve_grouping(task(instance, stages))
        assert not broken_rules(checked(instance, where, found.hub)), said
        assert [stage.final_value for stage in found.stages] == pytest.approx(best, abs=2e-6), said
        assert all(stage.proven for stage in found.stages), said
    assert solvable >= 5


def test_bounds_know_that_no_consortium_reaches_across_water_and_never_exceed_the_optimum():
    tighter = 0
    for seed in range(60):
        instance, where = on_own_graph(seed)
        best = brute_force(instance, where, ["gross_deficit"])
        if best is None:
            continue
        bounds = bounds_of(instance, possible_pairs(instance))
        apart = replace(instance, settings={**instance.settings, "contiguity": {"graph": "delaunay"}}, links=None)
        on_the_map = max(one.value for one in bounds_of(apart, possible_pairs(apart)))
        tighter += max(one.value for one in bounds) > on_the_map + 0.01
        for bound in bounds:
            assert bound.value <= best[0] + 1e-6, f"seed {seed}, bound {bound.name}"
            if bound.side is not None:
                proved = cut_bound(checked(instance, where, np.zeros(len(instance))), bound.side, instance.may_hub)
                assert bound.value == pytest.approx(proved, abs=1e-9), f"seed {seed}"
    assert tighter >= 2


@pytest.mark.parametrize("batch", range(3))
def test_no_coordinates_are_needed(batch):
    for seed in range(batch * 12, batch * 12 + 12):
        instance, where = on_own_graph(seed)
        settings = {name: said for name, said in instance.settings.items() if name != "reach"}
        instance = replace(instance, settings=settings, position=None)
        best = brute_force(instance, where, ["gross_deficit"])
        if best is None:
            with pytest.raises(Infeasible):
                solve_grouping(task(instance, ["gross_deficit"]))
            continue
        found = solve_grouping(task(instance, ["gross_deficit"]))
        assert found.stages[0].final_value == pytest.approx(best[0], abs=2e-6), seed
        assert not broken_rules(checked(instance, where, found.hub)), seed


def test_the_search_obeys_a_graph_whose_neighbours_are_far_apart(monkeypatch):
    """Neighbours by lot, wherever they lie: the search of large groupings keeps to them, and the optimum is no better
    than its bound.
    """
    monkeypatch.setattr(solution, "CONTIGUOUS_PAIRS", 0)
    close = 0
    for seed in range(30):
        instance, where = random_instance(seed)
        settings = {"contiguity": OWN, "population_window": {"min": 3_000.0}}
        draw = np.random.default_rng(seed)
        instance = replace(instance, settings=settings, links=random_links(draw, len(instance)), declared=False)
        stages = ["gross_deficit", "travel"]
        best = brute_force(instance, where, stages)
        asked = task(instance, stages, exempt="none" if best else "least", deterministic=True, effort=0.01)
        if best is None:
            continue
        found = solve_grouping(asked)
        assert not broken_rules(checked(found.instance, where, found.hub)), seed
        assert found.stages[0].bound <= best[0] + 1e-6 <= found.stages[0].final_value + 2e-6, seed
        close += found.stages[0].final_value <= best[0] + 1e-4
    assert close >= 5


@pytest.mark.parametrize("batch", range(4))
def test_free_choice_on_random_graphs_is_that_of_enumeration(batch):
    model = load_model("free_choice")
    for seed in range(15 * batch, 15 * batch + 15):
        instance, where = random_field(seed)
        links = random_links(np.random.default_rng(seed), len(instance))
        instance = replace(instance, settings={**instance.settings, "contiguity": OWN}, links=links)
        of = field_of(instance, model)
        coalitions = lawful(instance, where, of)
        found = free_choice(of)
        assert [tuple(sorted(one.members)) for one in found.order] == [members for _, members in core(coalitions)], seed
        level = level_of(of, found.group)
        if np.isfinite(level).all():
            assert largest_gain(coalitions, level) <= found.epsilon + 1e-6, seed


def test_a_place_with_many_neighbours_is_offered_more_of_them():
    """Forty places all linked to each other: a search proposes 64 of a place's 39 neighbours in turn, of a map 16."""
    settings = {"contiguity": OWN}
    links = np.array([(a, b) for a in range(40) for b in range(a + 1, 40)])
    where = np.column_stack([52 + np.random.default_rng(1).random(40), np.random.default_rng(2).random(40)])
    instance, _ = row_of_places([float(k) for k in range(20)], [1000.0] * 20, [0.0] * 20, "1" * 20, contiguity={})
    on_the_map = graph_of(instance)
    assert first_neighbours(on_the_map, np.zeros((20, 16), dtype=np.int64)).shape == (20, 16)
    many = replace(
        instance,
        places=tuple(f"P{k:02d}" for k in range(40)),
        settings=settings,
        links=links,
        may_hub=np.ones(40, dtype=bool),
        area=("all",) * 40,
        position=where,
    )
    offered = first_neighbours(graph_of(many), np.zeros((40, 16), dtype=np.int64))
    assert {len(set(row)) for row in offered.tolist()} == {39}


# the scenario and its files ------------------------------------------------------------------------------------------


def asked(folder, *rows: str, rules: str = "", graph: str = "links.csv", **said: str):
    """The four places of a row with a table of links of these rows."""
    (folder / "links.csv").write_text("\n".join(["place,neighbour", *rows]) + "\n", encoding="utf-8")
    return four_places(folder, rules=f"contiguity: {{graph: {graph}}}, {rules}", **said)


def refused(path, **sets: str) -> str:
    with pytest.raises(InputFault) as failure:
        allocopt.run(path, out=None, set=sets)
    assert failure.value.exit == 2
    return str(failure.value)


def test_the_graph_decides_who_may_be_together(tmp_path):
    """A and C overspend, B and D do not. On the map B lies between A and C; by the table D borders on A and B on C."""
    path = asked(tmp_path, "A,D", "C,B", "A,C")
    found = allocopt.run(path, out=None).tables["groups"].set_index("place")["hub"]
    assert found.to_dict() == {"A": "A", "B": "C", "C": "C", "D": "A"}


def test_links_count_in_both_directions_and_other_columns_are_not_read(tmp_path):
    path = asked(tmp_path, "A,D", "B,C", "A,C")
    (tmp_path / "other.csv").write_text("road,to,from,km\nM1,A,D,x\nM2,B,C,\nM2,C,B,\nM3,C,A,1\n", encoding="utf-8")
    first = allocopt.run(path, out=None)
    graph = {"rules.contiguity.graph": f"{{table: {tmp_path / 'other.csv'}, place: from, neighbour: to}}"}
    other = allocopt.run(path, out=None, set=graph)
    assert first.tables["groups"].equals(other.tables["groups"])


def test_the_table_is_an_input_with_its_hash_and_part_of_the_runs_hash(tmp_path):
    path = asked(tmp_path, "A,D", "C,B", "A,C")
    first = allocopt.run(path, out=None).record
    assert first["inputs"][-1]["file"] == "links.csv"
    assert (first["inputs"][-1]["rows"], len(first["inputs"][-1]["sha256"])) == (3, 64)
    assert first["scenario"]["rules"]["contiguity"]["graph"] == {
        "table": "links.csv",
        "place": "place",
        "neighbour": "neighbour",
    }
    asked(tmp_path, "A,D", "C,B", "A,C", "D,C")
    assert allocopt.run(path, out=None).record["hash"] != first["hash"]


def test_a_path_is_relative_to_the_file_that_states_it_and_to_the_working_folder_with_set(tmp_path, monkeypatch):
    (tmp_path / "below").mkdir()
    (tmp_path / "work").mkdir()
    four_places(tmp_path, rules="contiguity: {}")
    for folder, link in (("below", "A,D"), ("work", "A,B")):
        text = f"place,neighbour\n{link}\n"
        (tmp_path / folder / "links.csv").write_text(text, encoding="utf-8")
    child = tmp_path / "below" / "child.yaml"
    child.write_text("extends: ../four.yaml\nrules: {contiguity: {graph: links.csv}}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "work")
    said = {}
    for name, sets in (("child", {}), ("set", {"rules.contiguity.graph": "links.csv"})):
        with pytest.raises(Infeasible) as failure:
            allocopt.run(child, out=None, set=sets)
        said[name] = str(failure.value)
    assert "no chain of neighbours by the table links.csv leads from B to a hub" in said["child"]
    assert "no chain of neighbours by the table links.csv leads from D to a hub" in said["set"]


def test_the_same_words_in_another_folder_are_another_table(tmp_path):
    """The child's links.csv is not the parent's: the override is told, and not as one that changes nothing."""
    asked(tmp_path, "A,B", "C,D")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "links.csv").write_text("place,neighbour\nA,D\nC,B\n", encoding="utf-8")
    child = tmp_path / "below" / "child.yaml"
    child.write_text("extends: ../four.yaml\nrules: {contiguity: {graph: links.csv}}\n", encoding="utf-8")
    run = allocopt.run(child, out=None)
    assert not any("changes nothing" in one for one in run.record["warnings"])
    assert run.tables["groups"].set_index("place")["hub"].to_dict() == {"A": "A", "B": "C", "C": "C", "D": "A"}


def test_everything_wrong_with_the_links_is_told_at_once(tmp_path):
    path = asked(tmp_path, "A,a", "B,B", "C,ZZZ", ",D", "D, A")
    said = refused(path)
    assert (
        "links.csv:2: rules.contiguity.graph.table: column 'neighbour' has 2 codes that places.csv does not have: "
        in said
    )
    assert "a (line 2), ZZZ (line 4)" in said
    assert "cure: write 'A' for 'a' (they differ only by upper and lower case); or delete the rows" in said
    assert "links.csv:3: rules.contiguity.graph.table: 1 place is its own neighbour: B (line 3)" in said
    assert "links.csv:5: rules.contiguity.graph.place: column 'place' has 1 empty code: line 5" in said
    assert "column 'neighbour' has 1 code with spaces around: A (line 6: ' A')" in said


def test_a_code_that_is_nearly_one_of_a_place_is_told_with_it(tmp_path):
    places = PLACES.replace("\nA,", "\nA8101,").replace("\nB,", "\nA8102,")
    path = asked(tmp_path, "A8l01,A8102", "C,D", places=places)
    assert "cure: did you mean 'A8101' for 'A8l01'?; or delete the rows" in refused(path)


@pytest.mark.parametrize(
    ("graph", "text", "words"),
    [
        ("links.csv", "", "the table is empty: it has no header"),
        ("links.csv", "place,neighbour\n", "the table has no rows, only a header"),
        (
            "links.csv",
            "place,neighbor\nA,B\n",
            "links.csv has no column 'neighbour'\n    cure: did you mean 'neighbor'?",
        ),
        ("{table: links.csv, place: from}", "place,neighbour\nA,B\n", "links.csv has no column 'from'"),
        ("link.csv", "place,neighbour\nA,B\n", "table not found: link.csv"),
        ("delauney", "", "'delauney' is neither delaunay nor a file\n    cure: write delaunay, or the name of a table"),
        ("3", "", "'3' is neither delaunay nor a file"),
        ("{place: from}", "", "'table' is missing"),
        ("{tabel: links.csv}", "", "unknown key 'tabel'; did you mean 'table'?"),
        ("{table: 3}", "", "rules.contiguity.graph.table: expected text, not 3"),
    ],
)
def test_a_graph_that_is_none_is_refused_in_words(graph, text, words, tmp_path):
    path = four_places(tmp_path, rules=f"contiguity: {{graph: {graph}}}")
    (tmp_path / "links.csv").write_text(text, encoding="utf-8")
    assert words in refused(path)


def test_rows_stated_twice_and_links_of_places_that_left_are_noted(tmp_path):
    only = {"inputs.places.only": "{area: E}", "pot": "{value: £30m, only: {area: E}}"}
    places = PLACES.replace("D,10000,52.15,-1,E", "D,10000,52.15,-1,W")
    path = asked(tmp_path, "A,B", "B,A", "A,B", "B,C", "C,D", places=places)
    said = allocopt.run(path, out=None, set=only).record["warnings"]
    assert "links.csv: 1 row that is stated twice is counted once" in said
    assert "links.csv: 1 link of places that are not in the run is left out" in said


def test_own_links_need_no_coordinates_and_delaunay_s_do(tmp_path):
    columns = "population: people, hub: hub, group: now"
    path = asked(tmp_path, "A,D", "C,B", columns=columns, objectives="gross_deficit")
    run = allocopt.run(path, out=None)
    assert run.tables["groups"].set_index("place")["hub"].to_dict() == {"A": "A", "B": "C", "C": "C", "D": "A"}
    said = refused(path, **{"rules.contiguity.graph": "delaunay"})
    assert "neighbours on the map need coordinates, or a table of links: rules.contiguity.graph: neighbours.csv" in said


# what is told before solving -----------------------------------------------------------------------------------------


def noted(path, **sets: str) -> list[str]:
    flags = [text for key, value in sets.items() for text in ("--set", f"{key}={value}")]
    found = CliRunner().invoke(app, ["check", str(path), "--json", *flags])
    assert found.exit_code == 0, found.output
    return [one for one in json.loads(found.stdout)["warnings"] if "links.csv" in one]


def test_a_place_without_a_neighbour_is_told_with_the_row_that_links_it(tmp_path):
    path = asked(tmp_path, "A,B", "B,C", grouping="hubs: free")
    begin = "1 place without a neighbour by links.csv (D), which can only be a consortium of its own"
    cure = "add the row D,C (5.6 km apart, the nearest)"
    assert noted(path) == [f"{begin}: {cure}"]
    (said,) = noted(path, **{"rules.population_window.min": "20000"})
    assert said == f"{begin}, and D has fewer people than 20,000: {cure}, or rules.population_window.waive: [D]"
    run = allocopt.run(path, out=None)
    assert any("1 place without a neighbour by links.csv (D)" in one for one in run.record["warnings"])
    (said,) = noted(asked(tmp_path, "A,B", grouping="hubs: free"))
    assert said == (
        "2 places without a neighbour by links.csv (C, D), which can only be consortia of their own: add rows such as "
        "C,B (5.6 km apart, the nearest), D,B (11.1 km apart, the nearest)"
    )
    assert run.tables["groups"].set_index("place")["hub"]["D"] == "D"


def test_a_place_without_a_neighbour_that_may_not_be_a_hub_is_told_so(tmp_path):
    said = noted(asked(tmp_path, "A,B", "B,C"))
    assert said[0].startswith(
        "1 place without a neighbour by links.csv (D), which can only be a consortium of its own, "
    )
    assert "and D may not be a hub: add the row D,C" in said[0]


def test_an_island_is_told_with_its_people_and_what_joins_it(tmp_path):
    places = PLACES + "F,10000,52.20,-1,E,0,g2,20,10,10.0,10\n"
    path = asked(tmp_path, "A,B", "B,C", "D,F", grouping="hubs: free", places=places)
    sets = {"pot": "£50m"}
    begin = "links.csv cuts off 2 places (D, F) with 20,000 people from all others, and no consortium joins them"
    cure = "add the row D,C (5.6 km apart, the nearest)"
    assert noted(path, **sets) == [f"{begin}; where one should, {cure}"]
    sets |= {"rules.population_window.min": "25000"}
    (said,) = noted(path, **sets)
    assert said == f"{begin}; a consortium needs 25,000: {cure}, or rules.population_window.waive: [D]"
    run = allocopt.run(path, out=None, set=sets)
    assert [(one["rule"], one["code"]) for one in run.record["exemptions"]] in (
        [("population_window", one)] for one in "DF"
    )
    assert noted(path, **sets, **{"rules.population_window.waive": "[F]"}) == noted(path, pot="£50m")


def test_an_island_within_an_area_that_no_consortium_leaves_is_told(tmp_path):
    places = PLACES.replace("B,10000,52.05,-1,E", "B,10000,52.05,-1,W")
    path = asked(tmp_path, "A,B", "B,C", "C,D", rules="stay_in_area: {}", grouping="hubs: free", places=places)
    begin = "1 place without a neighbour in its own area by links.csv (A), which can only be a consortium of its own"
    assert noted(path) == [f"{begin}: add the row A,C (11.1 km apart, the nearest)"]


def test_an_island_under_the_minimum_is_named_by_the_diagnosis(tmp_path):
    path = asked(tmp_path, "A,B", "C,D", rules="population_window: {min: 25000}", grouping="hubs: free, exempt: none")
    with pytest.raises(Infeasible) as failure:
        allocopt.run(path, out=None)
    said = str(failure.value)
    assert "population_window and contiguity cannot hold together" in said
    assert "one consortium needs at least 25,000 people, and its 2 places have 20,000: 5,000 too few" in said
    assert any(one.key == "rules.population_window.min" and one.verified for one in failure.value.cures)


def test_a_search_exempts_an_island_from_its_minimum_and_never_from_reach(tmp_path, monkeypatch):
    """D has no neighbour: no hub beyond its reach may take it, however far it were let go."""
    monkeypatch.setattr(solution, "CONTIGUOUS_PAIRS", 0)
    rules = "population_window: {min: 15000}, reach: {max: 12 km}"
    path = asked(tmp_path, "A,B", "B,C", rules=rules, grouping="hubs: free, deterministic: true, effort: 0.05")
    run = allocopt.run(path, out=tmp_path / "runs")
    assert [(one["rule"], one["code"]) for one in run.record["exemptions"]] == [("population_window", "D")]
    assert verify(run.folder).passed


# proof ---------------------------------------------------------------------------------------------------------------


def reseal(folder, name: str, text: str) -> None:
    """Write a file of a run folder anew, with the hash that timing.json notes: what a forger would do."""
    (folder / name).write_text(text, encoding="utf-8")
    timing = json.loads((folder / "timing.json").read_text(encoding="utf-8"))
    timing["sha256"][name] = sha256(text.encode()).hexdigest()
    (folder / "timing.json").write_text(json.dumps(timing), encoding="utf-8")


def faults(folder) -> dict[str, str]:
    return {one.name: one.words for one in verify(folder).checks if not one.passed}


def test_verify_reads_the_table_itself_and_finds_a_plan_that_does_not_hang_together(tmp_path):
    """B is moved to A, its neighbour on the map but not by the table."""
    folder = allocopt.run(asked(tmp_path, "A,D", "C,B", "A,C"), out=tmp_path / "runs").folder
    verdict = verify(folder)
    assert verdict.passed
    assert "3 links of 4 places, read again from the table" in [one.words for one in verdict.checks]
    groups = pd.read_csv(folder / "groups.csv", dtype=str, keep_default_na=False)
    groups.loc[groups["place"] == "B", ["group", "hub"]] = "A"
    reseal(folder, "groups.csv", groups.to_csv(index=False))
    assert "contiguity at A: 1 places are not connected with the hub by the table links.csv" in faults(folder)["rules"]


def test_verify_does_not_believe_the_engine_s_reading_of_the_table(tmp_path, monkeypatch):
    """Were the engine to make up the link A-B, the plan that rests on it is found out."""
    real = inputs.links_of
    path = asked(tmp_path, "A,D", "C,D", "C,B")
    monkeypatch.setattr(inputs, "links_of", lambda *of: links_array([*map(tuple, real(*of).tolist()), (0, 1)]))
    folder = allocopt.run(path, out=tmp_path / "runs").folder
    found = faults(folder)
    assert "A,B stands in one of the two readings alone" in found["neighbours"]
    assert "contiguity at A" in found["rules"]


def test_verify_refuses_a_table_that_has_changed_or_gone(tmp_path):
    folder = allocopt.run(asked(tmp_path, "A,D", "C,B", "A,C"), out=tmp_path / "runs").folder
    (tmp_path / "links.csv").write_text("place,neighbour\nA,D\nC,B\n", encoding="utf-8")
    assert "2 rows, the file that the run read 3" in faults(folder)["input links.csv"]
    (tmp_path / "links.csv").unlink()
    assert "links.csv is not found" in faults(folder)["input links.csv"]


def test_verify_finds_the_table_beside_a_scenario_that_has_moved(tmp_path):
    folder = allocopt.run(asked(tmp_path, "A,D", "C,B", "A,C"), out=tmp_path / "runs").folder
    (tmp_path / "moved").mkdir()
    for name in ("four.yaml", "places.csv", "links.csv"):
        (tmp_path / name).rename(tmp_path / "moved" / name)
    assert not verify(folder).passed
    assert verify(folder, scenario=tmp_path / "moved" / "four.yaml").passed


def test_the_place_s_account_names_the_table(tmp_path):
    folder = allocopt.run(asked(tmp_path, "A,D", "C,B", "A,C"), out=tmp_path / "runs").folder
    words = [one.words for one in explain_member(folder, "D").rules if one.rule == "contiguity"]
    assert words == ["it is connected with its hub through neighbours by the table links.csv, of the same consortium"]


def test_a_given_grouping_is_judged_on_the_links(tmp_path):
    given = "code,group\nA,one\nB,one\nC,two\nD,two\n"
    run = allocopt.run(asked(tmp_path, "A,D", "C,B", "A,C", given=given), out=tmp_path / "runs")
    assert [(one["rule"], one["at"]) for one in run.record["broken"]] == [("contiguity", "A"), ("contiguity", "C")]
    assert verify(run.folder).passed


# comparisons, frontiers, alternatives --------------------------------------------------------------------------------


def test_every_plan_beside_the_best_is_judged_on_the_links(tmp_path):
    """The nearest hub is B's A, which no link joins it to; alternatives and the frontier keep to the links."""
    more = "compare: [nearest_hub], frontier: [0%, 50%], alternatives: {number: 1, within: 100%, differ: 1}"
    path = asked(tmp_path, "A,D", "C,B", "A,C", "C,D", grouping=more)
    run = allocopt.run(path, out=tmp_path / "runs")
    table = run.tables["comparison"].set_index("plan")
    assert table.loc["nearest hub", "breaks"] == "contiguity at 1"
    others = [name for name in table.index if name not in ("unpooled", "nearest hub")]
    assert len(others) >= 2
    assert (table.loc[others, "rules_broken"].fillna(0) == 0).all()
    assert verify(run.folder).passed


def test_a_sweep_over_graphs_reads_each_table(tmp_path):
    asked(tmp_path, "A,D", "C,B", "A,C")
    (tmp_path / "map.csv").write_text("place,neighbour\nA,B\nC,D\n", encoding="utf-8")
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text(
        "extends: four.yaml\nname: graphs\nsweep:\n  how: grid\n"
        "  over: {rules.contiguity.graph: [links.csv, map.csv, delaunay]}\n",
        encoding="utf-8",
    )
    found = CliRunner().invoke(app, ["batch", str(sweep), "--out", str(tmp_path / "runs"), "--json"])
    assert found.exit_code == 0, found.output
    results = pd.read_csv(next((tmp_path / "runs").rglob("results.csv")))
    by_graph = results.set_index("rules.contiguity.graph")["gross_deficit_gbp"]
    assert len(by_graph) == 3
    for graph in ("links.csv", "map.csv", "delaunay"):
        named = graph if graph == "delaunay" else str(tmp_path / graph)
        alone = allocopt.run(tmp_path / "four.yaml", out=None, set={"rules.contiguity.graph": named})
        assert by_graph[graph] == alone.headline["gross_deficit_gbp"], graph


# export --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 8, 26, 30])
def test_delaunay_s_links_exported_and_read_back_give_the_same_plan_to_the_byte(seed, tmp_path):
    instance, where = random_instance(seed)
    instance = replace(instance, settings={"contiguity": {"graph": "delaunay"}, "number_of_consortia": {"min": 2}})
    path = scenario_of(tmp_path, instance, where, ["gross_deficit", "travel"])
    found = CliRunner().invoke(app, ["export", str(path), "--format", "neighbours", "--out", str(tmp_path), "--json"])
    assert found.exit_code == 0, found.output
    assert "rules: {contiguity: {graph: neighbours.csv}}" in json.loads(found.stdout)["scenario"]
    table = pd.read_csv(tmp_path / "neighbours.csv")
    assert list(table.columns) == ["place", "neighbour", "km"]
    assert len(table) == len(delaunay_links(instance.position))
    plans = [
        allocopt.run(path, out=tmp_path / name, set=sets).folder
        for name, sets in (
            ("map", {}),
            ("own", {"rules.contiguity.graph": str(tmp_path / "neighbours.csv")}),
        )
    ]
    for name in ("groups.csv", "consortia.csv"):
        assert (plans[0] / name).read_bytes() == (plans[1] / name).read_bytes()


def test_an_export_of_own_links_has_each_of_them_once(tmp_path):
    path = asked(tmp_path, "D,A", "C,B", "B,C", "A,C")
    found = CliRunner().invoke(app, ["export", str(path), "--format", "neighbours", "--out", str(tmp_path)])
    assert found.exit_code == 0, found.output
    text = (tmp_path / "neighbours.csv").read_text(encoding="utf-8")
    assert text == "place,neighbour,km\nA,C,11.12\nA,D,16.679\nB,C,5.56\n"


def test_neighbours_are_exported_of_a_scenario_with_coordinates(tmp_path):
    path = four_places(tmp_path, columns="population: people, hub: hub", objectives="gross_deficit")
    found = CliRunner().invoke(app, ["export", str(path), "--format", "neighbours", "--out", str(tmp_path)])
    assert found.exit_code == 2
    assert "it names neither coordinates nor a table of links" in found.output
    folder = allocopt.run(path, out=tmp_path / "runs").folder
    found = CliRunner().invoke(app, ["export", str(folder), "--format", "neighbours"])
    assert found.exit_code == 2
    assert "allocopt export SCENARIO --format neighbours" in found.output
    found = CliRunner().invoke(app, ["export", str(folder), "--set", "name=x"])
    assert (found.exit_code, "leave --set out" in found.output) == (2, True)


def test_links_of_a_random_scenario_solve_as_its_instance_does(tmp_path):
    for seed in (3, 10, 27, 40):
        instance, where = on_own_graph(seed)
        instance = replace(instance, settings={"contiguity": OWN}, imd=np.full(len(instance), 20.0))
        if not len(instance.links):
            continue
        links_table(tmp_path, instance)
        best = brute_force(instance, where, ["gross_deficit", "travel"])
        path = scenario_of(tmp_path, instance, where, ["gross_deficit", "travel"])
        if best is None:
            with pytest.raises(Infeasible):
                allocopt.run(path, out=None)
            continue
        run = allocopt.run(path, out=tmp_path / "runs")
        assert run.headline["gross_deficit_gbp"] == pytest.approx(1e6 * best[0], abs=2), seed
        assert verify(run.folder).passed, seed
