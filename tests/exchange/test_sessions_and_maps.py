"""Sessions of the allocation tool both ways, GeoJSON that maps can open, Parquet twins of every table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from allocopt.cli import app
from allocopt.consortia.hulls import hull
from allocopt.errors import InputFault, TableFault
from allocopt.exchange.desk import give_out
from allocopt.exchange.geography import consortia_features, place_features
from allocopt.exchange.session import grouping, read_session, session, write_session

SESSION = {
    "North": {"gps": ["A1: Hill", "A2: Dale"], "icb": "NHS North ICB"},
    "South": {"gps": ["B1: Quay: The"], "icb": "NHS South ICB"},
    "places": ["North", "South"],
}
GROUPS = pd.DataFrame(
    {
        "place": ["A1", "A2", "B1"],
        "group": ["North", "North", "South"],
        "hub": ["A1", "A1", "B1"],
        "area": ["QAA", "QAA", "QBB"],
    }
)


def saved(folder: Path, data: object) -> Path:
    path = folder / "session.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def run_folder(folder: Path) -> Path:
    """A run folder of a grouping, as small as one can be."""
    (folder / "run.json").write_text(json.dumps({"name": "three"}), encoding="utf-8")
    GROUPS.assign(previous_group="", moved=0, distance_km=[0.0, 3.0, 0.0]).to_csv(folder / "groups.csv", index=False)
    consortia = {"group": ["North", "South"], "places": [2, 1], "budget_gbp": [30, 10], "balance_gbp": [-2, 1]}
    pd.DataFrame(consortia).to_csv(folder / "consortia.csv", index=False)
    pd.DataFrame({"table": ["t"], "group": ["g"], "measure": ["m"], "unit": ["GBP"], "value": [1]}).to_csv(
        folder / "effects.csv", index=False
    )
    places = {
        "place": ["A1", "A2", "B1"],
        "name": ["Hill", "Dale", "Quay: The"],
        "longitude": [0.0, 0.1, 1.0],
        "latitude": [51.0, 51.2, 52.0],
    }
    pd.DataFrame(places).to_csv(folder / "places.csv", index=False)
    return folder


def test_a_session_reads_as_places_and_as_a_grouping(tmp_path):
    found = grouping(read_session(saved(tmp_path, SESSION)))
    assert found.to_dict("list") == {
        "place": ["A1", "A2", "B1"],
        "group": ["North", "North", "South"],
        "icb": ["NHS North ICB", "NHS North ICB", "NHS South ICB"],
    }


def test_a_session_of_the_first_year_reads_too(tmp_path):
    old = {"Group 1": {"gps": ["A1: Hill"], "ics": "North"}, "group_list": ["Group 1"]}
    assert grouping(read_session(saved(tmp_path, old)))["icb"].tolist() == ["North"]


def test_a_grouping_comes_back_as_the_session_it_came_from(tmp_path):
    names = {"A1": "Hill", "A2": "Dale", "B1": "Quay: The"}
    made = session(GROUPS, names, {"North": "NHS North ICB", "South": "NHS South ICB"})
    assert made == SESSION
    path = tmp_path / "again.json"
    write_session(path, made)
    assert json.loads(path.read_text(encoding="utf-8")) == SESSION
    assert path.read_text(encoding="utf-8").startswith('{\n    "North": {\n        "gps": [')


def test_a_practice_in_two_places_is_no_grouping(tmp_path):
    both = {**SESSION, "South": {"gps": ["A1: Hill"], "icb": "NHS South ICB"}}
    with pytest.raises(TableFault, match="more than one place: A1"):
        grouping(read_session(saved(tmp_path, both)))


@pytest.mark.parametrize(
    ("data", "said"),
    [([1, 2], "holds no object"), ({"places": ["Nowhere"]}, "place 'Nowhere' has no list of practices")],
)
def test_what_is_no_session_is_refused(tmp_path, data, said):
    with pytest.raises(InputFault, match=said):
        read_session(saved(tmp_path, data))


def test_broken_json_is_refused_with_its_line(tmp_path):
    path = tmp_path / "session.json"
    path.write_text('{\n "a": \n}', encoding="utf-8")
    with pytest.raises(InputFault, match="is not JSON") as caught:
        read_session(path)
    assert caught.value.problems[0].line == 3


def test_import_of_a_session_writes_a_grouping_that_a_scenario_can_name(tmp_path):
    said = CliRunner().invoke(app, ["import", str(saved(tmp_path, SESSION)), "--out", str(tmp_path), "--json"])
    assert said.exit_code == 0, said.output
    told = json.loads(said.stdout)
    assert told["scenario"] == "grouping: {table: session_groups.csv, key: place, column: group}"
    assert pd.read_csv(told["written"][0])["group"].tolist() == ["North", "North", "South"]


def test_export_writes_what_the_run_has_material_for(tmp_path):
    folder = run_folder(tmp_path)
    said = CliRunner().invoke(app, ["export", str(folder), "--out", str(tmp_path / "out"), "--json"])
    assert said.exit_code == 0, said.output
    names = [Path(one).name for one in json.loads(said.stdout)["written"]]
    twins = [f"{name}.parquet" for name in ("consortia", "effects", "groups", "places")]
    assert names == ["places.geojson", "consortia.geojson", *twins, "session.json"]
    assert json.loads((tmp_path / "out/session.json").read_text())["North"]["icb"] == "QAA"
    assert pd.read_parquet(tmp_path / "out/groups.parquet")["place"].tolist() == ["A1", "A2", "B1"]


def test_a_run_without_a_grouping_has_no_session(small_run):
    with pytest.raises(InputFault, match="cannot export 'session'"):
        give_out(small_run, formats=["session"], table=None, out=None)
    with pytest.raises(InputFault, match="choose from geojson, parquet, session"):
        give_out(small_run, formats=["shapefile"], table=None, out=None)


def test_every_consortium_is_a_closed_ring_around_its_places():
    draw = np.random.default_rng(3)
    places = pd.DataFrame(
        {"longitude": draw.random(40), "latitude": 51 + draw.random(40), "group": draw.choice(["a", "b", "c"], 40)},
        index=[f"P{at}" for at in range(40)],
    )
    consortia = pd.DataFrame({"group": ["a", "b", "c"], "budget_gbp": [1, 2, 3]})
    made = consortia_features(places, consortia)
    for feature, group in zip(made["features"], "abc", strict=True):
        ring = np.array(feature["geometry"]["coordinates"][0])
        assert (ring[0] == ring[-1]).all()
        x, y = ring[:-1].T
        assert x @ np.roll(y, -1) - y @ np.roll(x, -1) > 0  # anticlockwise, as RFC 7946 asks
        part = places[places["group"] == group][["longitude", "latitude"]].to_numpy()
        edges, ends = np.diff(ring, axis=0), ring[:-1]
        sides = edges[:, None, 0] * (part[None, :, 1] - ends[:, None, 1]) - edges[:, None, 1] * (
            part[None, :, 0] - ends[:, None, 0]
        )
        assert sides.min() > -1e-5
        assert feature["properties"]["budget_gbp"] == "abc".index(group) + 1


def test_places_without_coordinates_are_kept_without_a_point():
    places = pd.DataFrame(
        {"longitude": [0.5, np.nan], "latitude": [51.0, np.nan], "population": [10.0, np.nan]}, index=["A", "B"]
    )
    shapes = place_features(places.rename_axis("place"))["features"]
    assert shapes[0]["geometry"] == {"type": "Point", "coordinates": [0.5, 51.0]}
    assert shapes[1]["geometry"] is None
    assert shapes[1]["properties"] == {"place": "B", "population": None}


@pytest.mark.parametrize("points", [[[0.0, 51.0]], [[0.0, 51.0], [0.2, 51.0]], [[0.0, 51.0], [0.1, 51.0], [0.2, 51.0]]])
def test_points_that_span_no_area_get_a_lozenge_around_them(points):
    corners = np.array(hull(np.array(points)))
    assert len(corners) >= 4
    assert corners[:, 0].min() < min(x for x, _ in points)
    assert corners[:, 1].max() > 51.0
