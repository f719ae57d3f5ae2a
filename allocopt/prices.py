"""What every rule costs: the first objective's gain from easing it by one unit, and from dropping it.

For a parameter eased by h, v(h) is the first objective at its best (convex in h where the rows are affine in the
parameter). The gain per unit, (v(0) - v(h)) / h, is solved for; it is at most the one-sided derivative at 0, and that
is at most what the prices y of the first stage say by weak duality, (D_y(0) - D_y(h)) / h. Over years the parameter
multiplies amounts that are decided: there the prices of the coupling rows are kept, and the rows of every place get
the best prices for them. Where the two agree, the derivative is known. The step is made smaller until they agree to
1%, and is stated; then it is made larger while the gain per unit stays within 1%, which is the range of the price.
Only the rows of the rule are asked for again. Every programme that was solved leaves its plan and its row prices, so
that `verify` proves each figure again from both sides. Imports `certificates` and below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from allocopt.certificates import Kept
from allocopt.errors import Infeasible, InputFault, Stopped, Unbounded
from allocopt.model import Objective, Parameter, Rule
from allocopt.plan import Plan
from allocopt.price import Price
from allocopt.problem import Array
from allocopt.settings import RuleSetting
from allocopt.solve.alone import Alone
from allocopt.solve.certificate import dual_bound
from allocopt.solve.compiled import Compiled, Key, components, hand_on
from allocopt.solve.highs import Point
from allocopt.solve.method import ROWS_TO_DECOMPOSE, Method
from allocopt.units import KILOMETRES, MONEY, RATE, say_money

Positions = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]

POT_STEP = 1.0
"""GBP million"""
STEPS = {RATE.name: 1e-3, MONEY.name: 1.0, KILOMETRES.name: 1.0}
"""The step that is spoken of: 0.1 points, GBP 1m, 1 km."""
PER = {RATE.name: (0.01, "point"), MONEY.name: (1.0, "£1m"), KILOMETRES.name: (1.0, "km")}
"""The unit in which a price is given."""
AGREE, FINER = 0.01, (1.0, 0.01)
LARGER = {True: (10.0,), False: tuple(2.0**power for power in range(1, 11))}
"""Multiples of the spoken step that are tried for the range: one for large programmes, else doublings."""
ROWS_TO_RANGE = 60_000
"""Above this no range is looked for: a price of a national path of four years would take twice as long."""
SAME = 1e-9
"""GBP million: rows that hold to a thousandth of a pound hold."""
TINY = 1e-7
"""A gain per step below this share of the objective is told as nothing: the solver cannot tell it from nothing."""


@dataclass(frozen=True)
class _First:
    """The first stage alone, by itself small enough to be solved again for every rule."""

    plan: Plan
    objective: Objective
    compiled: Compiled
    cost: Array
    value: float
    prices: Array
    rows: Mapping[tuple[str, Key], int]
    columns: Mapping[tuple[str, Key], int]
    alone: Alone
    answers: tuple[Array, ...]
    """Whole-system allocations that the first stage was mixed from: most obey an eased programme as they stand"""

    def solve(self, compiled: Compiled, prices: Array) -> Point:
        """The cheapest point of a changed programme, sought near row `prices` (m,)."""
        return self._cheapest(Method(compiled, answers=self.answers, prices=prices), compiled)

    def _cheapest(self, method: Method, compiled: Compiled) -> Point:
        limit = self.plan.facts.loaded.scenario.solver.time_limit
        return method.minimise(compiled, self.cost, time_limit=limit)

    def eased(self, compiled: Compiled, *, finest: bool) -> tuple[Point, Array]:
        """The cheapest point of a changed programme, and the row prices (m,) that bound it from the first stage's: as
        they stand, or at the `finest` step with the best prices for the rows of every place.
        """
        method = Method(compiled, answers=self.answers, prices=self.prices)
        proving = method.proving(compiled, self.cost, self.prices, completed=finest)
        return self._cheapest(method, compiled), proving

    def gain(self, point: Point) -> float:
        """How much less than the first stage a point costs."""
        return self.value - float(self.cost @ point.values)

    def priced(self, rule: Rule) -> bool:
        """Whether any row of the rule carries a price: a rule without one can be eased or dropped for no gain."""
        return bool(self.prices[self.compiled.row_component == rule.name].any())


def prices(plan: Plan) -> dict[str, Price]:
    """The price of every rule of a plan, by name. Empty when the plan has integers or no objective.

    Each figure is solved for on the first stage alone; a figure that could not be solved for is left out, and said.
    """
    if not plan.stages or plan.compiled.integer.any():
        return {}
    if plan.by_year:
        said = "not priced: each year of a rolling path is a programme of its own"
        return {name: Price(None, "", said) for name in plan.programme.rules}
    if not plan.stages[0].proven:
        said = f"not priced: {plan.stages[0].name} is not proven to the gap that was asked for"
        return {name: Price(None, "", said) for name in plan.programme.rules}
    first = _first(plan)
    return {rule.name: _priced(first, rule) for rule in plan.programme.rules.values()}


def _first(plan: Plan) -> _First:
    compiled, prices = plan.compiled, plan.stages[0].prices[: plan.compiled.matrix.shape[0]]
    cost = compiled.costs[0]
    rows, columns = _used(compiled, cost)
    kept = compiled.only(rows).within(columns)
    small = replace(kept, costs=kept.costs[:1], offsets=compiled.offsets[:1], sense=compiled.sense[:1])
    hand_on(compiled, small, rows=rows, columns=columns)
    value = compiled.sense[0] * plan.stages[0].value - compiled.offsets[0]
    return _First(
        plan=plan,
        objective=plan.programme.objectives[0][0],
        compiled=small,
        cost=cost[columns],
        value=value,
        prices=prices[rows],
        rows={row: number for number, row in enumerate(small.rows)},
        columns={column: number for number, column in enumerate(small.columns)},
        alone=Alone(plan.facts.situation, plan.model),
        answers=tuple(answer[columns] for answer in plan.stages[0].answers),
    )


def _used(compiled: Compiled, cost: Array) -> tuple[Positions, Positions]:
    """The rows and columns that the first objective and the rules need: definitions of later objectives go."""
    row_of, column_of = compiled.row_component, compiled.column_component
    parts = {name.removesuffix("_definition") for name in components(row_of) if name.endswith("_definition")}
    gone_rows, gone_columns = np.zeros(len(row_of), dtype=bool), np.zeros(len(column_of), dtype=bool)
    for part in sorted(parts):
        columns, rows = column_of == part, row_of == f"{part}_definition"
        elsewhere = compiled.matrix[~rows][:, columns].nnz
        if columns.any() and not elsewhere and not cost[columns].any() and _leaves_all(compiled, rows, columns):
            gone_rows |= rows
            gone_columns |= columns
    return np.flatnonzero(~gone_rows), np.flatnonzero(~gone_columns)


def _leaves_all(compiled: Compiled, rows: Flags, columns: Flags) -> bool:
    """Whether a definition is seen to rule out no plan: with its own columns at their largest, its rows hold
    everywhere.
    """
    body = compiled.matrix[rows]
    lower = np.where(columns, compiled.column_upper, compiled.column_lower)
    falls, rises = body.minimum(0), body.maximum(0)
    least = rises @ lower + falls @ compiled.column_upper
    most = rises @ compiled.column_upper + falls @ lower
    holds = (least >= compiled.row_lower[rows] - SAME) & (most <= compiled.row_upper[rows] + SAME)
    return bool(holds.all())


def _priced(first: _First, rule: Rule) -> Price:
    try:
        if rule.name == "budget":
            return _pot(first)
        if rule in first.plan.model.always:
            return Price(None, "", "always holds: not for sale")
        if rule.name == "reserve":
            return Price(
                None, "", "not priced: what is held back is not in the pot; budget says what £1m more is worth"
            )
        return _eased(first, rule) if rule.relax else _dropped(first, rule)
    except (Infeasible, Unbounded, Stopped, InputFault):
        return Price(None, "", "not priced: the eased programme could not be solved")


def _pot(first: _First) -> Price:
    """GBP 1m more in every year's pot, targets and spend as they are."""
    rows, given = first.compiled.row_component == "budget", first.compiled.column_component == "allocation"

    def more(step: float) -> Compiled:
        lower, upper = first.compiled.row_lower + step * rows, first.compiled.row_upper + step * rows
        most = first.compiled.column_upper + step * given
        return hand_on(first.compiled, replace(first.compiled, row_lower=lower, row_upper=upper, column_upper=most))

    found = _solved(first, more, POT_STEP)
    said = f"£1m more in the pot{_every_year(first)} (targets and spend as they are)"
    return Price(
        price=found.gain,
        unit=f"{first.objective.unit} per £1m",
        words=_words(first, said, found.spoken),
        at_most=found.at_most,
        step=found.step,
        reaches=found.reaches,
        kept=found.kept,
    )


def _every_year(first: _First) -> str:
    return " of every year" if len(first.plan.facts.situation.years) > 1 else ""


def _eased(first: _First, rule: Rule) -> Price:
    assert rule.relax is not None
    name, way = rule.relax
    parameter, setting = rule.parameters[name], first.plan.programme.settings[rule.name]
    if parameter.unit is None or setting.parameters.get(name, parameter.default) is None:
        return _dropped(first, rule)
    per, unit = PER[parameter.unit.name]
    said = f"{'raising' if way == 'up' else 'lowering'} {rule.name} {name}{_every_year(first)} by {_step(parameter)}"
    without, kept = _without(first, rule)
    if not first.priced(rule) or (without is not None and _nothing(first, without)):
        words = _words(first, said, 0.0)
        return Price(0.0, f"{first.objective.unit} per {unit}", words, 0.0, without=without, kept=kept)

    def moved(step: float) -> Compiled:
        return _changed(first, rule, _shifted(setting, name, step if way == "up" else -step))

    found = _solved(first, moved, STEPS[parameter.unit.name])
    return Price(
        price=found.gain * per,
        unit=f"{first.objective.unit} per {unit}",
        words=_words(first, said, found.spoken),
        at_most=found.at_most * per,
        step=found.step / per,
        reaches=found.reaches / per,
        without=without,
        kept={**found.kept, **kept},
    )


def _nothing(first: _First, gain: float) -> bool:
    return gain <= TINY * max(abs(first.value), 1.0)


def _step(parameter: Parameter) -> str:
    assert parameter.unit is not None
    return {RATE.name: "0.1 points", MONEY.name: "£1m", KILOMETRES.name: "1 km"}[parameter.unit.name]


def _shifted(setting: RuleSetting, name: str, step: float) -> RuleSetting:
    given = setting.parameters[name]
    value = {year: one + step for year, one in given.items()} if isinstance(given, Mapping) else given + step
    return setting.model_copy(update={"parameters": {**setting.parameters, name: value}})


@dataclass(frozen=True)
class _Gain:
    """Gain per unit, what it is at most, the step of the former, how far it reaches, and the gain of the spoken
    step; with what proves each.
    """

    gain: float
    at_most: float
    step: float
    reaches: float
    spoken: float
    kept: Mapping[str, Kept]


def _solved(first: _First, programme: Callable[[float], Compiled], spoken_step: float) -> _Gain:
    """The gain per unit of easing, by solving at smaller steps until the prices agree. Raises as `minimise`."""
    start, spoken, kept = dual_bound(first.compiled, first.cost, first.prices), -1.0, dict[str, Kept]()
    for finer in FINER:
        step = spoken_step * finer
        changed = programme(step)
        point, proving = first.eased(changed, finest=finer == FINER[-1])
        gain = max(0.0, first.gain(point))
        if "step" in kept:
            kept["spoken"] = kept["step"]
        kept["step"] = Kept.of(changed, point.prices, point.values)
        spoken = gain if spoken < 0 else spoken
        at_most = max(gain, start - dual_bound(changed, first.cost, proving)) / step
        if gain / step >= (1 - AGREE) * at_most or _nothing(first, gain):
            break
    if proving is not first.prices:
        kept["at_most"] = Kept.of(changed, proving)
    reaches, farthest = _reaches(first, programme, gain / step, step)
    return _Gain(gain / step, at_most, step, reaches, spoken, {**kept, **farthest})


def _reaches(
    first: _First, programme: Callable[[float], Compiled], gain: float, step: float
) -> tuple[float, dict[str, Kept]]:
    """The largest tried step at which the gain per unit is still within 1%."""
    reached, large, kept = step, len(first.compiled.rows) >= ROWS_TO_DECOMPOSE, dict[str, Kept]()
    tried = LARGER[large] if gain > 0 and len(first.compiled.rows) < ROWS_TO_RANGE else ()
    for larger in tried:
        try:
            changed = programme(step * larger)
            point = first.solve(changed, first.prices)
        except (Infeasible, InputFault, Stopped):
            break
        if first.gain(point) < (1 - AGREE) * gain * step * larger:
            break
        reached, kept = step * larger, {"reaches": Kept.of(changed, point.prices, point.values)}
    return reached, kept


def _dropped(first: _First, rule: Rule) -> Price:
    gain, kept = _without(first, rule)
    if gain is None:
        return Price(None, "", "not priced: the programme without it could not be solved")
    unit, words = f"{first.objective.unit} for the whole rule", _words(first, f"dropping {rule.name}", gain)
    return Price(gain, unit, words, without=gain, kept=kept)


def _without(first: _First, rule: Rule) -> tuple[float | None, dict[str, Kept]]:
    """The gain from dropping a rule; 0 without solving where no row of it carries a price."""
    if not first.priced(rule):
        return 0.0, {}
    others = np.flatnonzero(first.compiled.row_component != rule.name)
    rest = hand_on(first.compiled, first.compiled.only(others), rows=others)
    try:
        point = first.solve(rest, first.prices[others])
    except (Unbounded, Stopped):
        return None, {}
    return max(0.0, first.gain(point)), {"without": Kept.of(rest, point.prices, point.values)}


def _changed(first: _First, rule: Rule, setting: RuleSetting) -> Compiled:
    """The first stage with the rows of one rule (and its definitions) compiled again with another setting."""
    asked = first.plan.programme.settings[rule.name]
    first.alone.learn(rule, asked, first.compiled, at=(first.rows, first.columns))
    part = first.alone.compiled(rule, setting)
    try:
        rows = np.array([first.rows[row] for row in part.rows], dtype=np.intp)
    except KeyError as missing:
        raise Stopped(f"easing {rule.name} changes which rows it has: {missing}") from missing
    columns = np.array([first.columns[column] for column in part.columns], dtype=np.intp)
    return _with_rows(first.compiled, rows, columns, part)


def _with_rows(compiled: Compiled, rows: Positions, columns: Positions, part: Compiled) -> Compiled:
    keep = np.ones(compiled.matrix.shape[0])
    keep[rows] = 0.0
    entries = part.matrix.tocoo()
    shape = compiled.matrix.shape
    new = sp.csr_array((entries.data, (rows[entries.coords[0]], columns[entries.coords[1]])), shape=shape)
    lower, upper = compiled.row_lower.copy(), compiled.row_upper.copy()
    lower[rows], upper[rows] = part.row_lower, part.row_upper
    matrix = sp.csr_array(sp.diags_array(keep) @ compiled.matrix + new)
    matrix.eliminate_zeros()
    return hand_on(compiled, replace(compiled, matrix=matrix, row_lower=lower, row_upper=upper))


def _words(first: _First, change: str, gain: float) -> str:
    """`lowering growth_floor rate by 0.1 points cuts gross deficit by £3.2m (modelled spend)`."""
    what, sense = first.objective.name.replace("_", " "), first.objective.sense
    if _nothing(first, gain):
        return f"{change} changes nothing in {what}"
    said = float(f"{gain:.9g}")
    amount = say_money(said) if first.objective.is_money else f"{said:.4g} {first.objective.unit}"
    spend = first.plan.facts.spend
    modelled = " (modelled spend)" if first.objective.needs_spend and spend is not None and spend.modelled else ""
    return f"{change} {'cuts' if sense == 'minimise' else 'raises'} {what} by {amount}{modelled}"
