"""The rows that are read off a Pyomo model are those of Pyomo's own compiler."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler
from situations import on, situation

from allocopt.errors import Infeasible, InputFault
from allocopt.model import load_model
from allocopt.modelling import pyo
from allocopt.problem import build
from allocopt.settings import ObjectiveSetting
from allocopt.solve.compiled import compile_problem

RULES = on(growth_floor={"rate": 0.02}, growth_ceiling={"rate": 0.5}, no_further_under_target={})
AIMS = [ObjectiveSetting(name=name) for name in ("gross_deficit", "shortfall_below_target", "movement")]


def compiled(model):
    return compile_problem(SimpleNamespace(pyomo=model))


def test_the_matrices_are_those_of_pyomos_own_compiler():
    given = situation(pot=315, baseline=[100, 100, 100], weight=[126, 105, 84], spend=[110, 100, 100])
    problem = build(given, load_model("pace_of_change"), rules=RULES, objectives=AIMS)
    ours, theirs = compile_problem(problem), LinearStandardFormCompiler().write(problem.pyomo, mixed_form=True)
    assert ours.matrix.toarray().tolist() == theirs.A.toarray().tolist()
    assert ours.costs.tolist() == theirs.c.toarray().tolist()
    sides = np.where(np.isfinite(ours.row_upper), ours.row_upper, ours.row_lower)
    assert sides.tolist() == list(theirs.rhs)
    assert [name for name, _ in ours.columns] == [one.parent_component().local_name for one in theirs.columns]


def test_every_way_to_write_a_linear_expression_is_read():
    model = pyo.ConcreteModel()
    model.x, model.y, model.fixed = pyo.Var(), pyo.Var(), pyo.Var(initialize=7)
    model.fixed.fix()
    model.half = pyo.Param(initialize=0.5, mutable=True)
    total = 3 * (model.x - 2 * model.y) / 2 + model.half * model.x - (-model.y) + model.fixed + np.float64(1.0)
    model.row = pyo.Constraint(expr=total >= model.half)
    model.goal = pyo.Objective(expr=model.x + model.x + 4)
    found = compiled(model)
    # 1.5 x - 3 y + 0.5 x + y + 7 + 1 >= 0.5
    assert found.matrix.toarray().tolist() == [[2.0, -2.0]]
    assert found.row_lower.tolist() == [-7.5]
    assert (found.costs.tolist(), found.offsets.tolist()) == ([[2.0, 0.0]], [4.0])


def test_an_expression_that_is_not_linear_is_refused():
    model = pyo.ConcreteModel()
    model.x = pyo.Var()
    model.row = pyo.Constraint(expr=model.x**2 <= 1)
    with pytest.raises(InputFault, match="not linear"):
        compiled(model)


def test_a_row_of_numbers_alone_must_hold():
    model = pyo.ConcreteModel()
    model.x = pyo.Var()
    model.goal = pyo.Objective(expr=model.x)
    model.row = pyo.Constraint(["A"], rule=lambda m, _: 0 * m.x + 2 <= 1)
    model.fixed = pyo.Var(initialize=2)
    model.fixed.fix()
    model.never = pyo.Constraint(["A"], rule=lambda m, _: m.fixed <= 1)
    with pytest.raises(Infeasible, match="rule never cannot hold at A"):
        compiled(model)


def test_a_run_does_not_load_the_statistics_that_pyomo_would():
    words = (
        "import sys, allocopt.modelling; assert 'scipy.stats' not in sys.modules; import scipy.stats; scipy.stats.norm"
    )
    subprocess.run([sys.executable, "-c", words], check=True)
