"""The matrices say what the model says, every row and column by name."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pyomo.environ as pyo
import pytest

from allocopt.errors import InputFault
from allocopt.solve.compiled import compile_problem, components, hand_on, written


def small():
    """maximise 3x + y + 7 subject to x + 2y = 4, 1 <= x - y <= 3, y <= 5 as a row; x in [0, 2], y free."""
    model = pyo.ConcreteModel()
    model.x = pyo.Var(["A"], bounds=(0, 2))
    model.y = pyo.Var()
    model.equal = pyo.Constraint(expr=model.x["A"] + 2 * model.y == 4)
    model.window = pyo.Constraint(["A"], rule=lambda m, p: (1, m.x[p] - m.y, 3))
    model.most = pyo.Constraint([("A", "2019-20")], rule=lambda m, *_: m.y <= 5)
    model.goal = pyo.Objective(expr=3 * model.x["A"] + model.y + 7, sense=pyo.maximize)
    return model


def compiled(model):
    return compile_problem(SimpleNamespace(pyomo=model))


def by_name(programme):
    sides = zip(programme.row_lower, programme.row_upper, strict=True)
    return dict(zip(programme.row_names, sides, strict=True))


def test_every_row_has_its_sides_and_a_name_of_its_own():
    assert by_name(compiled(small())) == {
        "equal": (4, 4),
        "window[A]": (-np.inf, 3),
        "window[A,lower]": (1, np.inf),
        "most[A,2019-20]": (-np.inf, 5),
    }


def test_a_row_multiplies_the_columns_that_its_rule_names():
    programme = compiled(small())
    names = [written(*column) for column in programme.columns]
    row = programme.matrix.toarray()[programme.row_names.index("equal")]
    assert dict(zip(names, row, strict=True)) == {"x[A]": 1.0, "y": 2.0}


def test_columns_keep_their_bounds_and_free_ones_have_none():
    programme = compiled(small())
    bounds = zip(programme.column_lower, programme.column_upper, strict=True)
    found = dict(zip((written(*column) for column in programme.columns), bounds, strict=True))
    assert found == {"x[A]": (0, 2), "y": (-np.inf, np.inf)}


def test_a_maximised_objective_is_held_negated():
    programme = compiled(small())
    x, y = programme.columns_of("x"), programme.columns_of("y")
    assert programme.sense == (-1,)
    assert (programme.costs[0][x], programme.costs[0][y], programme.offsets[0]) == (-3, -1, -7)


def test_a_cap_is_one_more_row_and_the_programme_before_it_is_unchanged():
    before = compiled(small())
    after = before.with_row("cap_goal", np.array([1.0, 0.0]), lower=-np.inf, upper=2.5)
    assert after.row_names == [*before.row_names, "cap_goal"]
    assert (after.row_lower[-1], after.row_upper[-1]) == (-np.inf, 2.5)
    assert after.matrix.toarray()[-1].tolist() == [1.0, 0.0]
    assert before.matrix.shape == (4, 2)


@pytest.mark.parametrize("coefficient", [1e-8, 1e8])
def test_a_coefficient_that_the_solver_would_lose_is_refused_by_the_rule_s_name(coefficient):
    model = small()
    model.odd = pyo.Constraint(expr=coefficient * model.x["A"] + model.y <= 1)
    least, most = min(1, coefficient), max(2, coefficient)
    with pytest.raises(InputFault) as fault:
        compiled(model)
    assert str(fault.value) == (
        f"rule odd has coefficients outside 1e-07 to 1e+07 (from {least:g} to {most:g}): "
        "the solver would round them away. Check the units of the columns it reads."
    )


def test_what_follows_from_names_is_handed_on_to_a_part_as_the_part_would_work_it_out():
    whole = compiled(small())
    rows, columns = np.array([0, 2, 3]), np.array([1])
    part, fresh = (whole.only(rows).within(columns) for _ in range(2))
    assert hand_on(whole, part, rows=rows, columns=columns) is part
    for name in ("row_labels", "row_component", "column_component"):
        assert name in part.__dict__
        assert name not in fresh.__dict__
        assert getattr(part, name).tolist() == getattr(fresh, name).tolist()
    assert [label.decode() for label in part.row_labels.tolist()] == part.row_names


def test_a_part_holds_its_own_columns_alone():
    whole = compiled(small())
    part = whole.within(np.array([1]))
    assert part.columns == whole.columns[1:]
    assert part.matrix.toarray().tolist() == whole.matrix.toarray()[:, 1:].tolist()
    assert (part.column_lower.tolist(), part.column_upper.tolist()) == ([-np.inf], [np.inf])
    assert part.costs.tolist() == whole.costs[:, 1:].tolist()


@pytest.mark.parametrize("names", [[], ["b"], ["b", "b", "a", "c", "c", "b", "a"]])
def test_components_are_told_once_each_in_the_order_in_which_they_are_met(names):
    assert components(np.array(names, dtype=str)) == list(dict.fromkeys(names))


def test_what_rounding_leaves_of_a_difference_that_is_nothing_is_no_coefficient():
    """0.3 - 3 x 0.1 is -5.6e-17: no amount that the solver would round away, but nothing at all."""
    model = pyo.ConcreteModel()
    model.x, model.y = pyo.Var(bounds=(0, 1)), pyo.Var(bounds=(0, 1))
    model.row = pyo.Constraint(expr=(0.3 - 3 * 0.1) * model.x + 2 * model.y <= 1)
    model.goal = pyo.Objective(expr=model.x)
    assert compiled(model).matrix.toarray().tolist() == [[0.0, 2.0]]
    model.other = pyo.Constraint(expr=1e-8 * model.x + 2 * model.y <= 1)
    with pytest.raises(InputFault, match="other has coefficients outside"):
        compiled(model)
