"""Four places in a row, 5.6 km apart, two of them declared hubs: over budget A 1.0, B -1.0, C 0.5, D -0.5 (GBP m)."""

from __future__ import annotations

from pathlib import Path

PLACES = """code,people,lat,lon,area,hub,now,imd,base_m,spend_m,weight
A,10000,52.00,-1,E,1,g1,20,10,11.0,10
B,10000,52.05,-1,E,0,g1,20,10,9.0,10
C,10000,52.10,-1,E,1,g2,20,10,10.5,10
D,10000,52.15,-1,E,0,g2,20,10,9.5,10
"""
COLUMNS = "population: people, latitude: lat, longitude: lon, imd: imd, area: area, hub: hub, group: now"


def four_places(
    folder: Path,
    *,
    rules: str = "",
    grouping: str = "",
    objectives: str = "gross_deficit, travel",
    given: str = "",
    places: str = PLACES,
    columns: str = COLUMNS,
    more: str = "",
) -> Path:
    """A folder with places.csv, four.yaml and, where a grouping is given, given.csv."""
    (folder / "places.csv").write_text(places, encoding="utf-8")
    if given:
        (folder / "given.csv").write_text(given, encoding="utf-8")
        grouping = f"table: given.csv, column: group, {grouping}" if grouping else "table: given.csv, column: group"
    path = folder / "four.yaml"
    path.write_text(
        f"""format: 1
name: four places
model: consortia
years: [2019-20]
pot: £40m
inputs:
  places: {{table: places.csv, key: code, columns: {{{columns}}}}}
  baseline: {{table: places.csv, column: base_m, unit: £m}}
  spend: {{table: places.csv, column: spend_m, unit: £m}}
formula:
  need: {{share: 100%, need: weight}}
grouping: {{budget: baseline, {grouping}}}
rules: {{{rules}}}
objectives: [{objectives}]
solver: {{gap: 0%, slack: 0%, slack_at_least: £0.1, time_limit: 30s}}
{more}""".replace(", }", "}"),
        encoding="utf-8",
    )
    return path
