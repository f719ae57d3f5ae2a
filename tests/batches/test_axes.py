"""What a sweep block means: which cases there are, in which order, and what is wrong with one that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from allocopt.batches.axes import read_sweep
from allocopt.errors import ScenarioFault
from allocopt.scenario import load_sweep
from allocopt.scenario.tree import written

FLOOR, POT = "rules.growth_floor.rate", "pot.value"


def plan(folder: Path, block: str):
    file = folder / "sweep.yaml"
    file.write_text(f"extends: england-ccgs\nname: s\nsweep: {block}\n", encoding="utf-8")
    sweep = load_sweep(file)
    assert sweep is not None
    return read_sweep(sweep)


def rows(folder: Path, block: str) -> list[dict[str, str]]:
    return [{key: written(value) for key, value in one} for one in plan(folder, block).variations()]


def fault(folder: Path, block: str) -> str:
    with pytest.raises(ScenarioFault) as told:
        plan(folder, block)
    return str(told.value)


def test_a_grid_is_every_combination_less_what_is_excluded(tmp_path):
    out = f"[{{{FLOOR}: [2.0%, 3%], {POT}: £79000m}}]"
    found = rows(tmp_path, f"{{over: {{{FLOOR}: [1%, 2%, 3%], {POT}: [£78bn, £79bn]}}, exclude: {out}}}")
    assert [tuple(one.values()) for one in found] == [
        ("1%", "£78bn"),
        ("1%", "£79bn"),
        ("2%", "£78bn"),
        ("3%", "£78bn"),
    ]


def test_together_goes_through_the_lists_side_by_side(tmp_path):
    found = rows(tmp_path, f"{{how: together, over: {{{FLOOR}: [1%, 2%], {POT}: [£78bn, £79bn]}}}}")
    assert [tuple(one.values()) for one in found] == [("1%", "£78bn"), ("2%", "£79bn")]
    said = fault(tmp_path, f"{{how: together, over: {{{FLOOR}: [1%, 2%], {POT}: [£78bn]}}}}")
    assert f"the lists are not equally long: {FLOOR} has 2, {POT} has 1" in said


def test_one_at_a_time_begins_with_the_scenario_as_it_stands(tmp_path):
    found = rows(tmp_path, f"{{how: one-at-a-time, over: {{{FLOOR}: [1%, 2%], {POT}: [£78bn]}}}}")
    assert found == [{}, {FLOOR: "1%"}, {FLOOR: "2%"}, {POT: "£78bn"}]


@pytest.mark.parametrize(
    ("span", "values"),
    [
        ("{from: 1%, to: 2%, step: 0.25%}", ["1%", "1.25%", "1.5%", "1.75%", "2%"]),
        ("{from: -1%, to: 1%, step: 1%}", ["-1%", "0%", "1%"]),
        ("{from: £78bn, to: £78.3bn, step: £0.1bn}", ["£78bn", "£78.1bn", "£78.2bn", "£78.3bn"]),
        ("{from: 1, to: 10, step: 4}", ["1", "5", "9"]),
    ],
)
def test_a_range_goes_in_exact_steps(tmp_path, span, values):
    assert [one["k"] for one in rows(tmp_path, f"{{over: {{k: {span}}}}}")] == values


def test_a_sample_uses_each_part_of_each_axis_once(tmp_path):
    over = f"{{{FLOOR}: {{from: 1%, to: 2%}}, objectives: [[movement], [gross_deficit]]}}"
    block = f"{{how: sample, draws: 10, seed: 7, over: {over}}}"
    found = rows(tmp_path, block)
    tenths = sorted(int((float(one[FLOOR].rstrip("%")) - 1) * 10) for one in found)
    assert tenths == list(range(10))
    assert sorted(one["objectives"] for one in found) == ["[gross_deficit]"] * 5 + ["[movement]"] * 5
    assert found == rows(tmp_path, block)
    assert found != rows(tmp_path, block.replace("seed: 7", "seed: 8"))


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (f"{{how: grit, over: {{{FLOOR}: [1%]}}}}", "'grit' is not known here"),
        (f"{{over: {{{FLOOR}: 1%}}}}", "expected a list of values, not 1%"),
        (
            "{over: {rules: {growth_floor: {rate: [1%]}}}}",
            "write each key in full: rules.growth_floor: [",
        ),
        (f"{{over: {{{FLOOR}: {{from: 1%, to: £2m, step: 1%}}}}}}", "is not a range of one unit"),
        (f"{{over: {{{FLOOR}: {{from: 1%, to: 2%}}}}}}", "'step' is missing: grid needs it"),
        (f"{{over: {{{FLOOR}: {{from: 3%, to: 2%, step: 1%}}}}}}", "'to' is not above 'from'"),
        (f"{{over: {{{FLOOR}: {{from: 1%, to: 2%, step: 0%}}}}}}", "write a step above 0"),
        (
            f"{{how: sample, over: {{{FLOOR}: {{from: 1%, to: 2%}}}}}}",
            "'seed' is missing: a sample needs",
        ),
        (f"{{over: {{{FLOOR}: [1%]}}, exclude: [{{rules.growth_flor.rate: 1%}}]}}", f"did you mean '{FLOOR}'?"),
        (f"{{over: {{{FLOOR}: [1%]}}, exclude: [{{{FLOOR}: 1%}}]}}", "every case is left out by exclude"),
        (f"{{over: {{{FLOOR}: [1%]}}, kep: [x]}}", "unknown key 'kep'; did you mean 'keep'?"),
    ],
)
def test_what_is_wrong_with_a_block_is_said_with_its_place(tmp_path, block, words):
    said = fault(tmp_path, block)
    assert words in said
    assert "sweep.yaml:3:" in said


def test_an_exclusion_that_leaves_nothing_out_is_noted(tmp_path):
    found = plan(tmp_path, f"{{over: {{{FLOOR}: [1%, 2%]}}, exclude: [{{{FLOOR}: 3%}}]}}")
    assert found.notes == (f"exclude {{{FLOOR}: 3%}} leaves nothing out",)
