"""One place of a grouping explained: its consortium, what is pooled, and why it does not belong to a nearer hub."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from four_places import PLACES, four_places
from typer.testing import CliRunner

import allocopt
from allocopt.cli import app
from allocopt.explain.member import Member, explain_member

CROSSED = PLACES.replace("11.0,10", "10.5,10").replace("10.5,10\nD", "11.0,10\nD")
"""Over budget: A 0.5, B -1.0, C 1.0, D -0.5; B lies halfway between the hubs A and C, D beside C."""


def run_of(tmp_path: Path, **said: str) -> Path:
    return allocopt.run(four_places(tmp_path, **said), out=tmp_path / "runs").folder


def member(tmp_path: Path, place: str, **said: str) -> Member:
    return explain_member(run_of(tmp_path, **said), place)


def told(folder: Path, *words: str) -> str:
    answer = CliRunner().invoke(app, ["explain", str(folder), *words], env={"COLUMNS": "200"})
    assert answer.exit_code == 0, answer.output
    return " ".join(answer.stdout.split())


def test_its_consortium_and_what_is_pooled(tmp_path):
    """A spends 1.0 more and B 1.0 less than it brings; together nothing is left."""
    found = member(tmp_path, "B")
    assert (found.hub, found.km, found.people, found.members) == ("A", 5.56, 10_000.0, ("A (A)",))
    assert (found.budget_gbp, found.spend_gbp) == (10_000_000, 9_000_000)
    assert (found.over, found.under, found.consortium["balance_gbp"]) == ((1, 1_000_000), (1, 1_000_000), 0)
    text = told(tmp_path / "runs" / found.run, "B")
    for words in (
        "it belongs to the consortium of A (A): 2 places",
        "its hub is 5.6 km away",
        "it brings £10,000,000",
        "by itself it would have a surplus £1,000,000",
        "1 member spends more than brought, together -1,000,000",
        "nothing is left over £0",
        "set off against each other inside the consortium £1,000,000",
        "no hub of the plan is nearer",
    ):
        assert words in text


def test_a_nearer_hub_that_would_cost_money(tmp_path):
    """With C over by 1.0 and A by 0.5, B goes to C and D, next to C, to A 16.7 km away: nothing is left over."""
    found = member(tmp_path, "D", places=CROSSED)
    assert (found.hub, found.nearest) == ("A", False)
    (nearer,) = found.nearer
    assert (nearer.hub, nearer.km) == ("C", 5.56)
    assert nearer.words == "no rule forbids it, but gross deficits would be £500,000 higher"


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ("locked: {places: {D: A}}", "would break locked at D: belongs to hub C"),
        (
            "population_window: {max: 20000}",
            "would break population_window at C: 30,000 people, at most 20,000 allowed",
        ),
        ("apart: {groups: [[C, D]]}", "would break apart at C+D: in the same consortium"),
    ],
)
def test_a_nearer_hub_that_a_rule_forbids(tmp_path, rules, words):
    (nearer,) = member(tmp_path, "D", places=CROSSED, rules=rules).nearer
    assert words in nearer.words


def test_places_that_belong_together_would_move_together(tmp_path):
    (nearer,) = member(tmp_path, "D", places=CROSSED, rules="together: {groups: [[A, D]]}").nearer
    assert nearer.words.startswith("joining it together with A, as the rules ask, would break hub_opens at A")


def test_the_rules_that_bind_and_the_exemptions(tmp_path):
    rules = "reach: {max: 5.58 km}, population_window: {min: 20000}, balance_band: {max: 5%}, contiguity: {}"
    found = member(tmp_path, "B", rules=f"{rules}, number_of_consortia: {{max: 2}}, moves: {{max: 3}}")
    said = {one.rule: (one.words, one.binds) for one in found.rules}
    assert said["reach"] == ("it is 5.6 km from its hub; at most 5.58 km", True)
    assert said["population_window"] == ("its consortium has 20,000 people; at least 20,000", True)
    assert said["balance_band"] == (
        "its consortium's balance is +0.00% of budget, +0.00% in common; within 5% of it",
        False,
    )
    assert said["number_of_consortia"] == ("there are 2 consortia; at most 2", True)
    assert said["moves"] == ("0 places leave their present group; at most 3", False)
    far = PLACES.replace("D,10000,52.15", "D,10000,53.15")
    exempt = member(tmp_path, "D", rules="reach: {max: 6 km}", places=far)
    assert any("D" in one for one in exempt.exempted)


def test_a_hub_and_a_given_grouping_that_breaks_rules(tmp_path):
    rows = "code,group,hub\nA,one,A\nB,one,A\nC,two,C\nD,two,C\n"
    folder = run_of(tmp_path, given=rows, grouping="hub: hub", rules="reach: {max: 5 km}")
    text = told(folder, "B")
    assert "breaks: 5.560 km from its hub, 5 km allowed" in text
    assert "the grouping was given: nothing was sought" in text
    assert "it is the hub of its consortium: 2 places" in told(folder, "A")


def test_one_json_object_also_beside_an_allocation(tmp_path):
    alone = run_of(tmp_path)
    said = json.loads(CliRunner().invoke(app, ["explain", str(alone), "B", "--json"]).stdout)
    assert (said["hub"], said["balance_gbp"], said["consortium"]["places"]) == ("A", 1_000_000, 2)
    both = four_places(tmp_path, grouping="budget: allocation")
    both.write_text(
        both.read_text().replace("budget: baseline, ", "").replace("consortia\n", "[pace_of_change, consortia]\n", 1)
    )
    both.write_text(both.read_text().replace("[gross_deficit, travel]", "[gross_deficit, movement, travel]"))
    folder = allocopt.run(both, out=tmp_path / "runs").folder
    said = json.loads(CliRunner().invoke(app, ["explain", str(folder), "B", "--json"]).stdout)
    assert said["years"]
    assert said["grouping"]["place"] == "B"
    text = told(folder, "B")
    assert "Its fair share" in text
    assert "Its consortium" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "there is no place 'nowhere' in this run"),
        (["B", "--against", "other"], "--against is about allocations, and this run has none"),
    ],
)
def test_what_cannot_be_explained_is_told(tmp_path, words, said):
    answer = CliRunner().invoke(app, ["explain", str(run_of(tmp_path)), *words])
    assert answer.exit_code == 2
    assert said in answer.stderr


def test_no_run_folder_is_told_once(tmp_path):
    answer = CliRunner().invoke(app, ["explain", str(tmp_path), "B"])
    assert answer.exit_code == 2
    assert answer.stderr.count("No such file") == 1
