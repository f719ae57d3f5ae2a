"""What every rule costs, proved again without the solver, from both sides.

For each figure of run.json the programme is changed as the figure says: the rule is compiled anew with the eased
parameter, or its rows are dropped, or the pot is made larger. On it the kept plan shows that the gain is reached, and
the kept prices that no plan gains more (`check.kept`); where the rule is written a second time, the plan is held
against that too. `price_at_most` is evaluated on the first stage's prices, as it was made. Imports `check.kept`,
`check.bound`, `check.rules`, `check.decided`, `check.inputs`, `check.verdict`, and `problem` and `solve.compiled` (to
compile a rule).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import scipy.sparse as sp

from allocopt.check.bound import MILLION, Recompiled, dual
from allocopt.check.decided import Decided
from allocopt.check.inputs import Known, Plain
from allocopt.check.kept import Certificate, NotKept, Proof
from allocopt.check.rules import SECOND, limits, said_of
from allocopt.check.verdict import POUND, Check, Floats, compared, guarded
from allocopt.model import Parameter, Rule
from allocopt.problem import build
from allocopt.solve.compiled import Compiled, compile_problem
from allocopt.units import KILOMETRES, MONEY, RATE, say_money

UNITS = {RATE.name: (0.01, "point", 1e-3), MONEY.name: (1.0, "£1m", 1.0), KILOMETRES.name: (1.0, "km", 1.0)}
"""Of a parameter's unit: how much of it a price is for, how that is said, and the step that is spoken of."""
AGREE = 0.01
"""A price reaches as far as the gain per unit stays within this share of it."""
NOTHING = 1e-7
"""A gain below this share of the objective is told as nothing."""
PROVEN = 2e-6
"""The share of the objective that may lie between the kept plan and the kept prices of a changed programme."""
NUMBERS = ("price", "price_at_most", "price_step", "price_reaches", "without")


@dataclass(frozen=True)
class _First:
    """The first stage of a run, what is kept, and what it came to (as minimised, without the objective's constant)."""

    of: Recompiled
    known: Known
    record: Plain
    kept: Certificate

    @property
    def said(self) -> Plain:
        """The first objective, as run.json has it."""
        found: Plain = self.record["objectives"][0]
        return found

    @property
    def unit(self) -> str:
        return str(self.said["unit"])

    @cached_property
    def value(self) -> float:
        compiled = self.of.compiled
        return compiled.sense[0] * float(self.said["value"]) - float(compiled.offsets[0])

    @property
    def close(self) -> float:
        """What counts as nothing: a pound, or a billionth."""
        return 1 / MILLION if self.unit == "GBP m" else 1e-9

    @cached_property
    def prices(self) -> Floats:
        """(rows,) of the first stage itself."""
        return self.kept.prices(str(self.said["name"]), self.of.row_at, len(self.of.row_at))

    @cached_property
    def column_at(self) -> dict[tuple[str, tuple[str, ...]], int]:
        return {name: column for column, name in enumerate(self.of.compiled.columns)}

    @cached_property
    def position(self) -> dict[tuple[str, tuple[str, ...]], int]:
        return {name: row for row, name in enumerate(self.of.compiled.rows)}

    def proof(self, rule: str, kind: str, compiled: Compiled) -> Proof:
        """What is kept of the programme `compiled`, that a figure of the rule speaks of."""
        return Proof(self.kept, f"priced.{rule}.{kind}", compiled, self.of.row_at)


def check_prices(of: Recompiled, known: Known, record: Plain, kept: Certificate) -> Iterator[Check]:
    """One check a rule that has a price, or says that it has none."""
    if not record["objectives"] or of.compiled.integer.any():
        return
    first = _First(of, known, record, kept)
    for said in record["rules"]:
        if said["name"] in of.programme.rules and "price_words" in said:
            yield from guarded(f"price {said['name']}", partial(_prices, first, said))


def _prices(first: _First, said: Plain) -> Iterator[Check]:
    rule, name = first.of.programme.rules[said["name"]], f"price {said['name']}"
    if said["price"] is None:
        always = rule in first.of.model.always and rule.name != "budget"
        yield compared(name, _unpriced(said, always=always), f"none is stated ({said['price_words']})")
        return
    found, wrong = _Figures(first, rule, said), list[str]()
    try:
        wrong.extend(found.faults())
    except NotKept as failure:
        wrong.append(f"cannot be proved again: {failure}")
    yield compared(name, wrong, "; ".join(found.told))


def _unpriced(said: Plain, *, always: bool) -> Iterator[str]:
    stated = [number for number in NUMBERS if said.get(number) is not None]
    if stated:
        yield f"{', '.join(stated)} stated for a rule without a price"
    hard = said["price_words"].startswith("always holds")
    if hard != always and not said["price_words"].startswith("not priced: "):
        yield f"no price, and no reason for that: '{said['price_words']}'"


class _Figures:
    """The figures of one rule's price, each with the programme that it speaks of."""

    def __init__(self, first: _First, rule: Rule, said: Plain) -> None:
        self.first, self.rule, self.said = first, rule, said
        self.per, self.per_said, self.spoken = _unit(first, rule)
        self.told = list[str]()

    def faults(self) -> Iterator[str]:
        """What is wrong, in words; `told` is what was proved."""
        price, unit = float(self.said["price"]), self.first.unit
        wanted = f"{unit} for the whole rule" if self.per_said is None else f"{unit} per {self.per_said}"
        if self.said["price_unit"] != wanted:
            yield f"price_unit is {self.said['price_unit']!r}, not {wanted!r}"
        if self.said["without"] is not None:
            yield from self._gain("without", self._dropped(), float(self.said["without"]), "dropping the rule")
        elif self.rule not in self.first.of.model.always:
            yield "`without` is not stated"
        if self.per_said is None:
            yield from self._spoken(price)
            if price != self.said["without"]:
                yield f"price is {price}, the gain from dropping the rule {self.said['without']}"
        elif self.said["price_step"] is None:
            yield from self._free(price)
        else:
            yield from self._eased(price)

    def _free(self, price: float) -> Iterator[str]:
        """A rule that costs nothing: dropping it is worth nothing."""
        if price != 0 or self.said["price_at_most"] != 0:
            yield f"price is {price} and price_at_most {self.said['price_at_most']} without a step"
        if float(self.said["without"] or 0.0) > NOTHING * max(abs(self.first.value), 1.0):
            yield f"price is 0, and dropping the rule gains {self.said['without']}"
        yield from self._spoken(0.0)

    def _eased(self, price: float) -> Iterator[str]:
        step, gain = float(self.said["price_step"]) * self.per, price / self.per
        changed = self._changed(step)
        yield from self._gain("step", changed, gain * step, f"easing by {self._step(step)}")
        yield from self._at_most(changed, step)
        yield from self._reaches(gain, step)
        if abs(step / self.spoken - 1) < AGREE:
            yield from self._spoken(gain * step)
        else:
            proof = self.first.proof(self.rule.name, "spoken", self._changed(self.spoken))
            yield from self._sound(proof, "easing by the step that the words speak of", self.spoken)
            yield from self._spoken(max(0.0, self.first.value - proof.at_most))

    def _step(self, step: float) -> str:
        return f"{step:g} x {self.per_said}" if self.per_said != "point" else f"{step / self.per:g} points"

    def _gain(self, kind: str, changed: Compiled, claimed: float, what: str) -> Iterator[str]:
        """Faults of one gain: the plan reaches it, and the prices prove that no plan gains more."""
        first = self.first
        proof = first.proof(self.rule.name, kind, changed)
        if kind == "without" and not first.kept.has(proof.name):
            yield from self._worthless(changed, claimed)
            return
        yield from self._sound(
            proof, what, float(self.said["price_step"] or 0.0) * self.per if kind == "step" else None
        )
        reached, most = first.value - proof.at_most, first.value - proof.at_least
        if abs(claimed - max(0.0, reached)) > self._allowed(claimed):
            yield f"{what} is said to gain {claimed:,.9g}, the kept plan gains {reached:,.9g} {first.unit}"
        self.told.append(f"{what} gains between {reached:,.6f} and {most:,.6f} {first.unit}")

    def _worthless(self, changed: Compiled, claimed: float) -> Iterator[str]:
        """A rule whose rows carry no price: the first stage's own prices prove that dropping it gains nothing."""
        first = self.first
        unpriced = np.where(first.of.compiled.row_component == self.rule.name, 0.0, first.prices)
        most = first.value - dual(changed, changed.costs[0], unpriced)
        if claimed != 0:
            yield f"dropping the rule is said to gain {claimed:,.9g}, and nothing is kept that shows it"
        if most > NOTHING * max(abs(first.value), 1.0) + first.close:
            yield f"dropping the rule is said to gain nothing, the prices prove only {most:,.9g} {first.unit} at most"
        self.told.append(f"dropping the rule gains at most {max(0.0, most):,.6f} {first.unit}")

    def _sound(self, proof: Proof, what: str, step: float | None) -> Iterator[str]:
        """The kept plan obeys the changed programme (and the second implementation), and the prices come up to it."""
        missed = proof.missed() or (None if step is None else self._second(proof, step))
        if missed is not None:
            yield f"{what}: {missed}"
        apart = proof.at_most - proof.at_least
        if not apart <= PROVEN * abs(self.first.value) + self.first.close:
            yield f"{what}: the kept prices prove the gain only to {apart:,.9g} {self.first.unit}"

    def _second(self, proof: Proof, step: float) -> str | None:
        """The place at which the plan misses the eased rule as it is written a second time; pounds."""
        name, first = self.rule.name, self.first
        if name not in SECOND or name == "budget" or self.rule.relax is None:
            return None
        parameters = _moved(said_of(first.record, name), self.rule, self._way(step))
        decided = Decided(first.known, _allocation(first, proof.plan))
        for number, year in enumerate(first.known.years):
            slack = limits(name, decided, number, parameters).slack
            if slack.min() < -POUND:
                return f"the kept plan misses the eased rule by £{-slack.min():,.2f} in {year}"
        return None

    def _at_most(self, changed: Compiled, step: float) -> Iterator[str]:
        first, kind = self.first, f"priced.{self.rule.name}.at_most"
        own = first.kept.has(kind)
        prices = first.kept.prices(kind, first.of.row_at, len(first.of.row_at)) if own else first.prices
        proved = (first.value - dual(changed, changed.costs[0], prices)) / step
        stated = float(self.said["price_at_most"]) / self.per
        if proved * step > stated * step + self._allowed(stated * step):
            yield f"price_at_most is {stated * self.per:,.9g}, the prices prove only {proved * self.per:,.9g}"
        if stated * step > max(proved * step, float(self.said["price"]) / self.per * step) + self._allowed(
            stated * step
        ):
            yield f"price_at_most is {stated * self.per:,.9g}, the prices prove {proved * self.per:,.9g}"
        if stated < float(self.said["price"]) / self.per * (1 - 1e-6):
            yield "price_at_most is below the price"

    def _reaches(self, gain: float, step: float) -> Iterator[str]:
        far = float(self.said["price_reaches"]) * self.per
        if abs(far / step - 1) < AGREE:
            return
        what = f"easing by {self._step(far)}"
        proof = self.first.proof(self.rule.name, "reaches", self._changed(far))
        yield from self._sound(proof, what, far)
        reached = self.first.value - proof.at_most
        if reached < (1 - AGREE) * gain * far - self._allowed(gain * far):
            yield f"the price is said to reach {self._step(far)}, the kept plan gains only {reached:,.9g} there"

    def _spoken(self, gain: float) -> Iterator[str]:
        """The words speak of the gain."""
        words, first = self.said["price_words"], self.first
        if gain <= NOTHING * max(abs(first.value), 1.0):
            told = "changes nothing in"
        else:
            gain = float(f"{gain:.9g}")
            told = f" by {say_money(gain) if first.unit == 'GBP m' else f'{gain:.4g} {first.unit}'}"
        if told not in words:
            yield f"the words say '{words}', the figures{told if told.startswith(' ') else f' {told} it'}"

    def _allowed(self, gain: float) -> float:
        """What nine digits and floating point leave of a gain."""
        return 1e-7 * abs(gain) + 1e-12 * abs(self.first.value) + 1e-9

    def _way(self, step: float) -> float:
        assert self.rule.relax is not None
        return step if self.rule.relax[1] == "up" else -step

    def _dropped(self) -> Compiled:
        compiled = self.first.of.compiled
        gone = compiled.row_component == self.rule.name
        lower, upper = np.where(gone, -np.inf, compiled.row_lower), np.where(gone, np.inf, compiled.row_upper)
        return replace(compiled, row_lower=lower, row_upper=upper)

    def _changed(self, step: float) -> Compiled:
        first = self.first
        if self.rule.name == "budget":
            return _larger_pot(first.of.compiled, step)
        setting = first.of.programme.settings[self.rule.name]
        moved = _moved(setting.parameters, self.rule, self._way(step))
        alone = replace(first.of.model, always=[], rules=[self.rule])
        one = {self.rule.name: setting.model_copy(update={"parameters": moved})}
        part = compile_problem(build(first.of.facts.situation, alone, rules=one, objectives=()))
        return _with_rows(first, part)


def _unit(first: _First, rule: Rule) -> tuple[float, str | None, float]:
    """How much of the parameter a price is for, how that is said, the spoken step; (1, None, 0) for a whole rule."""
    if rule.name == "budget":
        return 1.0, "£1m", 1.0
    parameter = _eased_parameter(first, rule)
    return (1.0, None, 0.0) if parameter is None or parameter.unit is None else UNITS[parameter.unit.name]


def _eased_parameter(first: _First, rule: Rule) -> Parameter | None:
    if rule.relax is None:
        return None
    parameter = rule.parameters[rule.relax[0]]
    given = first.of.programme.settings[rule.name].parameters.get(parameter.name, parameter.default)
    return None if given is None else parameter


def _moved(parameters: Mapping[str, Any], rule: Rule, by: float) -> dict[str, Any]:
    """The parameters of a rule with the one that eases it moved, in every year."""
    assert rule.relax is not None
    name = rule.relax[0]
    given = parameters.get(name, rule.parameters[name].default)
    moved = {year: one + by for year, one in given.items()} if isinstance(given, Mapping) else given + by
    return {**parameters, name: moved}


def _larger_pot(compiled: Compiled, step: float) -> Compiled:
    budget, given = compiled.row_component == "budget", compiled.column_component == "allocation"
    return replace(
        compiled,
        row_lower=compiled.row_lower + step * budget,
        row_upper=compiled.row_upper + step * budget,
        column_upper=compiled.column_upper + step * given,
    )


def _with_rows(first: _First, part: Compiled) -> Compiled:
    """The programme with the rows of one rule as they stand in `part`, by name."""
    compiled = first.of.compiled
    rows = np.array([first.position[name] for name in part.rows], dtype=np.intp)
    columns = np.array([first.column_at[name] for name in part.columns], dtype=np.intp)
    entries, shape = part.matrix.tocoo(), (len(rows), compiled.matrix.shape[1])
    new = sp.csr_array((entries.data, (entries.coords[0], columns[entries.coords[1]])), shape=shape)
    order = np.arange(compiled.matrix.shape[0])
    order[rows] = len(order) + np.arange(len(rows))
    matrix = sp.csr_array(sp.vstack([compiled.matrix, new], format="csr")[order])
    lower, upper = compiled.row_lower.copy(), compiled.row_upper.copy()
    lower[rows], upper[rows] = part.row_lower, part.row_upper
    return replace(compiled, matrix=matrix, row_lower=lower, row_upper=upper)


def _allocation(first: _First, point: Floats) -> Floats:
    """(n, T) pounds of a plan."""
    known, found = first.known, np.zeros(first.known.target.shape)
    place = {code: row for row, code in enumerate(known.places)}
    step = {year: column for column, year in enumerate(known.years)}
    for column in np.flatnonzero(first.of.compiled.column_component == "allocation"):
        code, year = first.of.compiled.columns[column][1]
        found[place[code], step[year]] = MILLION * point[column]
    return found
