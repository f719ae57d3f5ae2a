"""A search that leaves a consortium in several pieces says so: no such plan is written, nor shown beside another."""

from __future__ import annotations

import pytest
from four_places import COLUMNS, four_places

import allocopt
from allocopt.check.folder import verify
from allocopt.errors import Stopped
from allocopt.grouping import solution

PLACES = """code,people,lat,lon,area,hub,now,imd,base_m,spend_m,weight
P0,26500,52.100,-0.782,R0,0,g0,5,17.8,20.5,17.8
P1,26000,52.176,-0.621,R0,0,g0,37,26.1,23.3,26.1
P2,5000,52.013,-0.926,R1,1,g0,20,6.3,10.0,6.3
P3,19000,52.319,-0.926,R0,0,g2,20,19.7,18.0,19.7
P4,3500,52.347,-0.887,R0,1,g0,17,8.9,5.5,8.9
P5,20000,52.296,-0.805,R0,1,g2,31,24.3,21.0,24.3
"""
LINKS = ("P0,P2", "P0,P3", "P0,P4", "P1,P2", "P1,P3", "P2,P3", "P2,P4", "P3,P4", "P3,P5", "P4,P5")
RULES = "reach: {max: 35 km, waive: [P5]}, contiguity: {graph: links.csv}"


def case(folder, rules: str, compare: str = "unpooled"):
    (folder / "links.csv").write_text("\n".join(["place,neighbour", *LINKS]) + "\n", encoding="utf-8")
    path = four_places(
        folder,
        places=PLACES,
        columns=COLUMNS,
        rules=rules,
        objectives="gross_deficit",
        grouping=f"exempt: none, deterministic: true, compare: [{compare}]",
    )
    text = path.read_text(encoding="utf-8").replace("pot: £40m", "pot: £103.1m").replace("30s", "4s")
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def searched(monkeypatch):
    """Small cases are searched as a nation is."""
    monkeypatch.setattr(solution, "EXACT_PAIRS", 0)
    monkeypatch.setattr(solution, "CONTIGUOUS_PAIRS", 0)


def in_pieces(monkeypatch):
    """As if every search ended with a consortium in several pieces."""
    monkeypatch.setattr("allocopt.grouping.national.in_one_piece", lambda _graph, _hub: False)


def test_a_plan_in_pieces_is_no_plan(tmp_path, monkeypatch):
    in_pieces(monkeypatch)
    with pytest.raises(Stopped, match="no plan was found whose consortia hang together: allow more time"):
        allocopt.run(case(tmp_path, RULES), out=None)


def test_a_plan_in_pieces_is_not_shown_beside_another(tmp_path):
    """Within areas P0 and P1 hang on P5 by P3 alone, which the search leaves with P4."""
    run = allocopt.run(case(tmp_path, RULES, "within_areas"), out=tmp_path / "runs")
    rows = run.tables["comparison"].set_index("plan")
    assert "optimal within areas" not in rows.index or rows.loc["optimal within areas", "rules_broken"] == 0
    assert [one for one in verify(run.folder).checks if not one.passed] == []
