"""A scenario of five places in a folder of its own, small enough for every sum to be done by hand.

Baselines of £100m each make £500m; the pot is £525m, so uniform growth is 5%. Targets share the pot by `weight`
(30, 22, 21, 20, 12 of 105: £150m, £110m, £105m, £100m, £60m).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

PLACES = """code,name,people,weight,mff,base_m,spend_m
A,Alder,30000,30,1,100,140
B,Birch,22000,22,1,100,112
C,Cedar,20000,21,1,100,104
D,Damson,21000,20,1,100,90
E,Elder,12000,12,1,100,70
"""

SCENARIO = """format: 1
name: five places
model: pace_of_change
years: [2019-20]
pot: £525m
inputs:
  places: {table: places.csv, key: code, name: name, columns: {population: people}}
  baseline: {table: places.csv, column: base_m, unit: £m}
  spend: {table: places.csv, column: spend_m, unit: £m}
formula:
  need: {share: 100%, need: weight}
rules:
  growth_floor: {rate: 2%}
  growth_ceiling: {rate: 9%}
objectives: [gross_deficit, shortfall_below_target, movement]
"""


def five_places(folder: Path, *extra: str, text: str = SCENARIO) -> Path:
    """Write the table and the scenario; `extra` are whole files named by their first line (`# other.yaml`)."""
    (folder / "places.csv").write_text(PLACES, encoding="utf-8")
    path = folder / "five.yaml"
    path.write_text(text, encoding="utf-8")
    for one in extra:
        first, rest = one.split("\n", 1)
        (folder / first.removeprefix("# ")).write_text(rest, encoding="utf-8")
    return path


def path_over_years(folder: Path, pots: Sequence[str]) -> Path:
    """The same places over years from 2019-20, without spend; rates are given by the caller with --set."""
    years = [f"{2019 + step}-{20 + step}" for step in range(len(pots))]
    given = ", ".join(f"{year}: {pot}" for year, pot in zip(years, pots, strict=True))
    spend = "  spend: {table: places.csv, column: spend_m, unit: £m}\n"
    text = SCENARIO.replace(spend, "").replace("years: [2019-20]", f"years: [{', '.join(years)}]")
    text = text.replace("pot: £525m", f"pot: {{value: {{{given}}}}}").replace("gross_deficit, ", "")
    return five_places(folder, text=text)
