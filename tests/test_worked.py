"""Every worked example comes out as it was worked by hand, to the pound; every rule and objective has one."""

from __future__ import annotations

from copy import deepcopy

import pytest
from library import all_objectives, all_rules
from ruamel.yaml import YAML
from worked_examples import FOLDER, Solved, Worked, as_worked, quantity, read_table, read_worked, worked_files

from allocopt.errors import AllocoptError
from allocopt.model import Rule
from allocopt.record import headline


def check_worked(worked: Worked) -> None:
    """Raises AssertionError with every figure that differs from what the file expects."""
    if "fails" in worked.expect:
        with pytest.raises(AllocoptError) as failure:
            worked.solve()
        assert failure.value.kind == worked.expect["fails"]
        return
    solved = worked.solve()
    wrong = [*_wrong_cells(solved), *_wrong_objectives(solved), *_wrong_headline(solved), *_wrong_binding(solved)]
    assert not wrong, f"{worked.name}:\n  " + "\n  ".join(wrong)
    assert solved.missed <= 1e-9
    assert all(stage.proven for stage in solved.stages)


def _wrong_cells(solved: Solved) -> list[str]:
    found = solved.table.set_index(["place", "year"])
    wrong = []
    for row in read_table(solved.worked.expect["places"]).to_dict("records"):
        place, year = row.pop("place"), row.pop("year", solved.worked.situation.years[0])
        for column, cell in row.items():
            name = f"{column}_pct" if "%" in cell else f"{column}_gbp"
            wanted = round(quantity(cell) * (100 if "%" in cell else 1e6), 6 if "%" in cell else None)
            if found.loc[(place, year), name] != wanted:
                wrong.append(f"{place} {year} {name}: expected {wanted:,}, found {found.loc[(place, year), name]:,}")
    return wrong


def _wrong_objectives(solved: Solved) -> list[str]:
    """A stage's value is compared in whole pounds."""
    found = {stage.name: round(stage.value * 1e6) for stage in solved.stages}
    wanted = {name: round(quantity(said) * 1e6) for name, said in solved.worked.expect["objectives"].items()}
    return [] if found == wanted else [f"objectives: expected {wanted}, found {found}"]


def _wrong_headline(solved: Solved) -> list[str]:
    found, said = headline(solved.table), solved.worked.expect.get("headline", {})
    wanted = {name: round(quantity(str(one)) * (1e6 if "£" in str(one) else 1)) for name, one in said.items()}
    return [f"{name}: expected {one:,}, found {found[name]:,}" for name, one in wanted.items() if found[name] != one]


def _wrong_binding(solved: Solved) -> list[str]:
    pairs = [(rule, wanted, solved.binding(rule)) for rule, wanted in solved.worked.expect["binds"].items()]
    return [f"{rule} binds: expected {wanted}, found {found}" for rule, wanted, found in pairs if found != wanted]


@pytest.mark.parametrize("path", worked_files(), ids=lambda path: path.stem)
def test_worked_example_comes_out_to_the_pound(path):
    check_worked(read_worked(path))


@pytest.mark.parametrize("part", [*all_rules(), *all_objectives()], ids=lambda part: part.name)
def test_every_rule_and_objective_has_a_worked_example(part):
    path = FOLDER / f"{part.name}.yaml"
    assert path.exists(), (
        f"{part.name} has no worked example: write tests/worked/{part.name}.yaml with 3 to 5 places, the sum in a "
        "comment and the answer in pounds (tests/worked/growth_floor.yaml is one to copy)"
    )
    problem = read_worked(path).build()
    shown = problem.rules if isinstance(part, Rule) else [objective.name for objective, _ in problem.objectives]
    assert part.name in shown, f"tests/worked/{part.name}.yaml does not switch {part.name} on"


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.name)
def test_every_rule_binds_somewhere_in_its_worked_example(rule):
    expect = read_worked(FOLDER / f"{rule.name}.yaml").expect
    assert expect["binds"].get(rule.name), (
        f"{rule.name} never binds in its worked example, so the example would pass without it"
    )


@pytest.fixture
def said():
    return deepcopy(YAML(typ="safe").load((FOLDER / "gross_deficit.yaml").read_text(encoding="utf-8")))


def test_a_wrong_pound_is_told(said):
    said["expect"]["places"] = "place allocation\nA £108,000,001"
    with pytest.raises(AssertionError, match="A 2019-20 allocation_gbp: expected 108,000,001, found 108,000,000"):
        check_worked(as_worked("wrong", said))


def test_a_wrong_headline_objective_and_binding_are_told_together(said):
    said["expect"] |= {
        "objectives": {"gross_deficit": "£15m"},
        "headline": {"places_in_deficit": 3},
        "binds": {"growth_ceiling": ["A"]},
    }
    with pytest.raises(AssertionError) as failure:
        check_worked(as_worked("wrong", said))
    assert "expected {'gross_deficit': 15000000}, found {'gross_deficit': 14000000}" in str(failure.value)
    assert "places_in_deficit: expected 3, found 2" in str(failure.value)
    assert "growth_ceiling binds: expected ['A'], found ['A', 'B']" in str(failure.value)


def test_a_misspelt_key_of_a_worked_example_is_told(said):
    with pytest.raises(ValueError, match="wrong: rulse is not one of expect, model"):
        as_worked("wrong", said | {"rulse": {}})


def test_targets_of_a_worked_example_add_up_to_its_pot(said):
    with pytest.raises(ValueError, match="the targets of 2019-20 add up to £315m, the pot is £316m"):
        as_worked("wrong", said | {"pot": "£316m"})


def test_a_rate_of_a_worked_example_needs_its_unit(said):
    said["rules"]["growth_ceiling"]["rate"] = 8
    with pytest.raises(ValueError, match=r"8 needs its unit: write it like 2\.5%"):
        as_worked("wrong", said)
