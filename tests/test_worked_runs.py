"""Every worked example of the rule library goes all the way: from a scenario file to a written, verified folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from worked_examples import quantity, read_table, worked_files

import allocopt
from allocopt.check.folder import verify
from allocopt.errors import Infeasible
from allocopt.explain import explain
from allocopt.report.explanation import sheets

ROLES = ("population", "previous_population", "region")
EXACT = {"slack": "0%", "slack_at_least": "£0"}


def scenario_of(said: dict[str, Any], folder: Path) -> Path:
    """The scenario file and the tables that say what a worked example says."""
    table = read_table(said["places"])
    years = said.get("years", ["2019-20"])
    if "year" in table:
        table = table[table["year"] == years[0]].drop(columns="year")
    pots = said["pot"] if isinstance(said["pot"], dict) else dict.fromkeys(years, said["pot"])
    announced = {year: quantity(pots[year]) + quantity(said.get("reserve", "£0")) for year in years}
    money = [name for name in table if table[name].str.contains("£").any()]
    table[money] = table[money].map(quantity)
    table.to_csv(folder / "places.csv", index=False)
    columns = {role: role for role in ROLES if role in table}
    spend = {"table": "places.csv", "key": "place", "column": "spend", "unit": "£m"}
    draws = "spend_1" in table
    model = {"risk_model": "england_practices", "seed": 1, "area_sd": "0%"}
    model |= {"gradient_poorest": "0%", "gradient_richest": "0%"}
    scenario = {
        "format": 1,
        "name": "worked",
        "model": said["model"],
        "years": years,
        "pot": {"value": {year: f"£{pot!r}m" for year, pot in announced.items()}},
        "inputs": {
            "places": {"table": "places.csv", "key": "place", "columns": columns},
            "baseline": {"table": "places.csv", "column": "baseline", "unit": "£m"},
            **({"spend": model if draws else spend} if "spend" in table else {}),
        },
        "formula": {"target": {"share": "100%", "need": "target"}},
        "rules": said.get("rules", {}),
        "objectives": said["objectives"],
        "solver": EXACT,
        "report": {"group_by": []},
        **({"stress": {"draws": 10, "test_draws": 10, "scenarios": 2, "seed": 1}} if draws else {}),
    }
    path = folder / "worked.yaml"
    with path.open("w", encoding="utf-8") as out:
        YAML(typ="safe").dump(scenario, out)
    return path


def wrong_pounds(run: allocopt.Run, said: dict[str, Any]) -> list[str]:
    """Expected allocations that did not come out."""
    found = run.allocations.set_index(["place", "year"])["allocation_gbp"]
    year = said.get("years", ["2019-20"])[0]
    rows = read_table(said["expect"]["places"]).to_dict("records")
    wanted = {(row["place"], row.get("year", year)): round(1e6 * quantity(row["allocation"])) for row in rows}
    return [f"{key}: {found[key]:,} and not {one:,}" for key, one in wanted.items() if found[key] != one]


@pytest.mark.parametrize("path", worked_files(), ids=lambda path: path.stem)
def test_every_worked_example_goes_through_run_to_a_folder_that_verifies_and_explains(path, tmp_path):
    said = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    scenario = scenario_of(said, tmp_path)
    if "fails" in said["expect"]:
        with pytest.raises(Infeasible):
            allocopt.run(scenario, out=tmp_path / "runs")
        return
    run = allocopt.run(scenario, out=tmp_path / "runs")
    assert [one for one in verify(run.folder).checks if not one.passed] == []
    assert sheets(explain(run.folder, run.allocations["place"].iloc[0]))
    if "spend_1" not in said["places"]:
        assert wrong_pounds(run, said) == []
