"""What cases share changes no figure: each is what `allocopt run` says of it, whatever was solved before."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from sweeps import FLOOR, sweep

from allocopt.batches import Batch, batch
from allocopt.batches.reuse import Memory, tables_key
from allocopt.runs import run
from allocopt.scenario import load

RULES = {
    "rules.growth_ceiling.rate": "[8%, 8.5%, 9%]",
    "pot.value": "[£78.1bn, £78.321bn, £78.9bn]",
    FLOOR: "[2%, 1.85%, 1.1%]",
    "inputs.spend.seed": "[7, 8, 9]",
}
ALIKE = ("headline", "objectives", "ties", "status", "pot_gbp", "inputs", "modelled_spend", "spend", "cliffs", "rules")


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> Batch:
    """England's CCGs in three cases that share a programme and tables and differ in rules, pot and seed."""
    folder = tmp_path_factory.mktemp("mixed")
    over = ", ".join(f"{key}: {values}" for key, values in RULES.items())
    block = f"{{how: together, over: {{{over}}}, keep: [everything]}}"
    return batch(sweep(folder, block, parent="england-ccgs-2019-20"), workers=1, out=folder / "runs")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_case_is_what_run_says_of_the_same_scenario(mixed, tmp_path, number):
    sets = [f"{key}={values.strip('[]').split(', ')[number - 1]}" for key, values in RULES.items()]
    alone = run("england-ccgs-2019-20", set=sets, out=tmp_path)
    assert alone.folder is not None
    said = json.loads((mixed.case(number) / "run.json").read_text(encoding="utf-8"))
    for key in ALIKE:
        assert said[key] == json.loads(json.dumps(alone.record[key])), key
    for name in ("allocations.csv", "effects.csv", "certificate.npz"):
        assert (mixed.case(number) / name).read_bytes() == (alone.folder / name).read_bytes(), name


def test_figures_alone_are_those_of_whole_runs(mixed, tmp_path):
    over = ", ".join(f"{key}: [{', '.join(reversed(values.strip('[]').split(', ')))}]" for key, values in RULES.items())
    block = f"{{how: together, over: {{{over}}}, keep: [gross_deficit_gbp, movement]}}"
    file = sweep(tmp_path, block, parent="england-ccgs-2019-20")
    found = batch(file, workers=1, out=tmp_path / "runs").results.iloc[::-1].reset_index(drop=True)
    shared = [name for name in found.columns if name != "number"]
    pd.testing.assert_frame_equal(found[shared], mixed.results[shared])


def test_tables_are_read_again_only_for_what_their_reading_looks_at():
    memory = Memory()
    first = memory.gather(load("england-ccgs", set=["pot.value=£78bn"]))
    other = memory.gather(load("england-ccgs", set=["pot.value=£79bn", "inputs.spend.seed=9"]))
    assert other.inputs.places is first.inputs.places
    assert float(other.inputs.pot.iloc[0]) == pytest.approx(79_000)
    key = tables_key(load("england"))
    same = ("objectives=[movement]", "rules.growth_floor.rate=2%", "pot.value=£78bn")
    assert {tables_key(load("england", set=[one])) for one in same} == {key}
    moved = ["formula.prescribing.share=11%", "formula.hospital_community.share=79%"]
    assert tables_key(load("england", set=moved)) == key
    differs = ("inputs.places.small_lists.under=100", "years=[2020-21]", "formula.prescribing.need=wp_hchs")
    assert key not in {tables_key(load("england", set=[one])) for one in differs}


def test_a_table_of_pots_is_read_for_every_case(tmp_path):
    table = tmp_path / "pots.csv"
    table.write_text("year,pot_m\n2019-20,78000\n", encoding="utf-8")
    own = tmp_path / "own.yaml"
    block = "pot: {value: off, table: pots.csv, column: pot_m, year: year, unit: £m}"
    own.write_text(f"extends: england-ccgs\nname: own\n{block}\n", encoding="utf-8")
    memory, loaded = Memory(), load(Path(own))
    assert memory.gather(loaded).inputs.pot.iloc[0] == 78_000
    assert not memory.tables
