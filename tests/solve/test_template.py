"""Numbers changed in a compiled programme are those of a programme built anew, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from allocopt.model import load_model, rule
from allocopt.plan import Facts, gather
from allocopt.problem import build
from allocopt.scenario import load
from allocopt.settings import RuleSetting
from allocopt.solve.affine import Lin, Row, Var
from allocopt.solve.asked import NotAlike, read_by
from allocopt.solve.compiled import Compiled, compile_problem
from allocopt.solve.template import Template, make_template

PATH = ["years=[2019-20, 2020-21]", "pot.value={2019-20: £78.5bn, 2020-21: £81bn}", "rules.growth_ceiling.rate=12%"]
FLOOR = "rules.growth_floor.rate"


def facts(*sets: str) -> Facts:
    return gather(load("england-ccgs", set=list(sets)))


def parts(of: Facts):
    scenario = of.loaded.scenario
    return {"rules": scenario.rules, "objectives": scenario.objectives}


def template(of: Facts) -> Template:
    made = make_template(of.situation, load_model("pace_of_change"), **parts(of))[2]
    assert made is not None
    return made


def compiled(of: Facts) -> Compiled:
    return compile_problem(build(of.situation, load_model("pace_of_change"), **parts(of)))


def assert_same(one: Compiled, other: Compiled) -> None:
    assert (one.rows, one.columns, one.sense) == (other.rows, other.columns, other.sense)
    for name in ("row_lower", "row_upper", "column_lower", "column_upper", "costs", "offsets"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    for name in ("data", "indices", "indptr"):
        assert np.array_equal(getattr(one.matrix, name), getattr(other.matrix, name)), name


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([], [f"{FLOOR}=2.5%"]),
        ([], ["rules.growth_floor.taper={from: 1%, to: 3%}", "rules.growth_ceiling.rate=8.25%"]),
        ([], ["pot.value=£79.123bn", f"{FLOOR}=1%"]),
        ([], ["inputs.spend.seed=11"]),
        (["rules.dft_floor={rate: -5%}"], ["rules.dft_floor={rate: -4.9%}"]),
        (["rules.mover_budget={max: £900m}"], ["rules.mover_budget={max: £850m}", "pot.value=£78.6bn"]),
        (["objectives=[common_speed, movement]"], ["objectives=[common_speed, movement]", "pot.value=£78.9bn"]),
        (["objectives=[worst_shortfall]"], ["objectives=[worst_shortfall]", f"{FLOOR}=3%"]),
        (PATH, [*PATH, f"{FLOOR}=1.75%"]),
        (PATH, [*PATH[:1], "pot.value={2019-20: £78.5bn, 2020-21: £80.5bn}", PATH[2]]),
    ],
)
def test_a_renumbered_programme_is_the_one_that_is_built(first, second):
    held = template(facts(*first))
    for sets in (second, first, second):
        other = facts(*sets)
        assert_same(held.renumbered(other.situation, *parts(other).values()), compiled(other))


def test_only_what_changed_is_asked_again():
    base = facts()
    held = template(base)
    answers = {at: known[-1].answer for at, known in held.known.items()}
    other = facts(f"{FLOOR}=2%")
    held.renumbered(base.situation, *parts(other).values())
    changed = [at[1] for at, known in held.known.items() if known[-1].answer is not answers[at]]
    assert changed == ["growth_floor"]


def test_a_programme_of_another_shape_is_told():
    """A growth floor of -100% has no coefficient where the baseline is decided: the row loses a term."""
    held, other = template(facts(*PATH)), facts(*PATH, "rules.growth_floor={rate: -100%}")
    with pytest.raises(NotAlike):
        held.renumbered(other.situation, *parts(other).values())


def test_what_a_rule_may_read_is_told_from_its_code():
    model = load_model("pace_of_change")
    assert read_by(model.rule("growth_floor").write) == ("baseline", "opening_dft")
    assert read_by(model.rule("dft_floor").write) == ("target",)
    assert read_by(model.objective("movement").write) == ("baseline", "pot")
    assert {"population", "previous_population"} <= set(read_by(model.rule("per_head_floor").write))


def test_a_rule_that_the_stand_ins_cannot_answer_gives_no_template():
    @rule(unit="GBP m", equation="x_p >= b_p", source="test")
    def odd(m, p):
        """Asks Pyomo for something that a stand-in is not."""
        return m.allocation[p].add_nothing() if not hasattr(m.allocation[p], "lb") else m.allocation[p] >= m.baseline[p]

    model = load_model("pace_of_change")
    base = facts()
    with_odd = type(model)([odd, *model.rules], model.objectives, model.always)
    rules = {"odd": RuleSetting()}
    said = {"rules": rules, "objectives": base.loaded.scenario.objectives}
    made = make_template(base.situation, with_odd, **said)
    assert made[2] is None
    assert_same(made[1], compile_problem(build(base.situation, with_odd, **said)))


def test_a_sum_that_is_shared_is_not_changed_by_adding_to_it():
    one = Var(0) + Var(1)
    left, right = one + Var(2), one + Var(3)
    assert isinstance(left, Lin)
    assert (left.merged(), right.merged(), one.merged()) == (
        ([0, 1, 2], [1, 1, 1]),
        ([0, 1, 3], [1, 1, 1]),
        ([0, 1], [1, 1]),
    )
    row = 2 * Var(0) - 3.0 <= Var(0) + Var(1)
    assert isinstance(row, Row)
    assert (row.columns, row.coefs, row.upper) == ([0, 1], [1.0, -1.0], 3.0)
