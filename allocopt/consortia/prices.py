"""What each rule of a grouping costs: the first objective without it, solved again, against the one with it.

Whole numbers have no dual prices, so a rule is left out and the rest solved as before. Neither optimum is known better
than its plan and its bound: with value v and bound b with the rule, v' and b' without it,

    b - v'  <=  least with the rule - least without it  <=  v - b'

and what is left out can only help, so that nothing below 0 is possible. (Areas are more than a rule where balances are
compared with them: without them the yardstick is the nation, and the difference may be either way.) A bound that needs
no solver gives an upper end at once, and where it meets the plan of the run the rule costs nothing: only what it leaves
open is solved again, unasked where that is quick. Exemptions of the run stay, and none are added. The plan without the
rule and what proves its bound are kept for `verify`. Imports `consortia`, `consortia.joint`, `grouping` and below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from allocopt.consortia import Consortia, task_of
from allocopt.consortia.joint import first_stage
from allocopt.consortia.keeping import HIGHS, Arrays, kept_plan, kept_proof
from allocopt.errors import Infeasible, InputFault, Stopped
from allocopt.grouping.bounds import Bound, bounds_of
from allocopt.grouping.instance import Instance, components, legal_pairs, possible_pairs
from allocopt.grouping.jointly import PIECE_PAIRS
from allocopt.grouping.solution import CONTIGUOUS_PAIRS, EVALUATED, EXACT_PAIRS, solve_grouping
from allocopt.model import Rule
from allocopt.settings import Grouping
from allocopt.solve.stages import Stage
from allocopt.units import say_money

CHEAP_PAIRS = 3_000
"""Pairs of place and hub up to which rules are priced unasked: an area of 250 practices and a dozen hubs."""
MEASURED = ("balance_band", "deprivation_mix")
"""Rules that compare with the area where areas may not be crossed, with the nation else."""
NOTHING = 1e-6
"""GBP million, or the objective's own unit: told as nothing."""
FLOW_PAIRS = 1_000_000
"""Pairs up to which bound B is computed for a price: a second or two."""
ASK = "--set report.rule_prices=true"
NET = "net overspend"
"""What every plan has at least: spend beyond the budgets of all places."""


@dataclass(frozen=True)
class Without:
    """What leaving one rule out is worth in the first objective, in its own unit."""

    gain: float | None
    """The difference of the two plans; None where no plan was made without the rule"""
    least: float | None
    most: float | None
    """Proven: the difference of the two optima lies between these"""
    unit: str
    words: str
    bound: float
    """b': what every plan without the rule has at least"""
    by: str
    """who proves b': a bound that needs no solver, `highs` (branch and bound) or none"""
    kept: Arrays = field(default_factory=dict, repr=False)
    """the plan without the rule, and what proves b' again"""

    def as_dict(self) -> dict[str, float | str | None]:
        """As run.json has it: `price` and `without` as for prices of linear programmes, and the proven interval."""
        return {
            "price": _round(self.gain),
            "price_unit": self.unit,
            "price_words": self.words,
            "without": _round(self.gain),
            "without_least": _round(self.least),
            "without_most": _round(self.most),
            "without_bound": _round(self.bound),
            "without_by": self.by,
        }


def _round(value: float | None) -> float | None:
    """To nine digits: what the solver says beyond them is noise."""
    return None if value is None else float(f"{value:.9g}")


def prices_of(found: Consortia, *, tell: Callable[[str], None]) -> tuple[dict[str, Without], str]:
    """The price of every rule that may be dropped, by name; and in words why some were not worked out."""
    scenario = found.facts.loaded.scenario
    rules = [rule for rule in found.model.rules if rule.name in scenario.rules and not rule.hard]
    if found.solution.method == EVALUATED or not found.solution.stages or scenario.report.rule_prices is False:
        return {}, ""
    prices, left = {rule.name: _by_bounds(found, rule) for rule in rules}, list[str]()
    for rule in (one for one in rules if prices[one.name].gain is None):
        if scenario.report.rule_prices or _cheap(found, rule):
            prices[rule.name] = _by_solving(found, rule, tell)
        else:
            left.append(rule.name)
    what = f"what {' and '.join(left)} {'costs' if len(left) == 1 else 'cost'}"
    words = f"{what} was bounded, not solved for, which may take as long as the run: {ASK} asks for it"
    return prices, words if left else ""


def _helps(found: Consortia, rule: Rule) -> bool:
    """Whether every plan of the run is one without the rule as well, so that no plan without it is worse."""
    instance = found.solution.instance
    measured = any(instance.on(name) for name in MEASURED) and len(instance.areas) > 1
    return not (rule.name == "stay_in_area" and measured)


def _by_bounds(found: Consortia, rule: Rule) -> Without:
    """What a bound without a solver says: nothing where it meets the plan of the run, else no more than so much."""
    stage, helps = found.solution.stages[0], _helps(found, rule)
    value, by, kept = 0.0, "none", Arrays()
    if stage.name == found.solution.instance.aim:
        value, by, kept = _quick_bound(found, _left_out(found, rule))
    priced = between(found, rule.name, stage, Other(stage.value, value, by, kept), helps=helps)
    if not helps:
        words = yardstick_words(rule.name, stage.unit, priced.most or 0.0)
        return replace(priced, gain=None, least=None, words=words)
    return priced if stage.value - value <= close_to(stage.unit, stage.value) else replace(priced, gain=None)


def _quick_bound(found: Consortia, instance: Instance) -> tuple[float, str, Arrays]:
    """Bounds A, B or the net overspend, whichever says most and may be computed; who it is, and what proves it."""
    net = (max(0.0, float(instance.over.sum())), NET, Arrays())
    free = not instance.on("reach") and not instance.on("stay_in_area")
    if found.model.kind == "joint" or (free and len(instance) * len(instance.hubs) > FLOW_PAIRS):
        return net
    pairs = legal_pairs(instance, possible_pairs(instance))
    bounds: tuple[Bound, ...] = bounds_of(instance, pairs) if len(pairs) <= FLOW_PAIRS else ()
    best = max(bounds, key=lambda one: one.value, default=None)
    if best is None or best.value <= net[0]:
        return net
    by = f"bound {best.name}"
    return best.value, by, kept_proof(instance, bounds, by)


def _left_out(found: Consortia, rule: Rule) -> Instance:
    instance = found.solution.instance
    return replace(instance, settings={name: one for name, one in instance.settings.items() if name != rule.name})


def _cheap(found: Consortia, rule: Rule) -> bool:
    """Whether the rest is small: few pairs, and no part that has to be searched."""
    instance = _left_out(found, rule)
    free = not instance.on("reach") and not instance.on("stay_in_area")
    if free and len(instance) * len(instance.hubs) > CHEAP_PAIRS:
        return False
    pairs = possible_pairs(instance)
    exact = CONTIGUOUS_PAIRS if instance.on("contiguity") else min(EXACT_PAIRS, PIECE_PAIRS)
    return len(pairs) <= CHEAP_PAIRS and (len(pairs) <= exact or len(components(instance, pairs)) > 1)


def _by_solving(found: Consortia, rule: Rule, tell: Callable[[str], None]) -> Without:
    tell(f"what {rule.name} costs")
    stage, helps = found.solution.stages[0], _helps(found, rule)
    try:
        other = _solved(found, rule)
    except (Infeasible, InputFault, Stopped) as failure:
        told = _by_bounds(found, rule)
        return replace(told, words=f"{told.words}; no plan without {rule.name} was made: {failure.message}")
    return between(found, rule.name, stage, other, helps=helps)


@dataclass(frozen=True)
class Other:
    """The first objective without a rule: the value of a plan, a bound and who proves it, and what is kept of both."""

    value: float
    bound: float
    by: str = HIGHS
    kept: Arrays = field(default_factory=dict)


def _solved(found: Consortia, rule: Rule) -> Other:
    """The first objective without a rule, solved."""
    said = (found.facts.loaded.scenario.grouping or Grouping()).model_copy(update={"exempt": "none"})
    instance = _left_out(found, rule)
    if found.model.kind == "joint":
        stage, kept = first_stage(found, instance, rule.name)
        return Other(stage.value, stage.bound, stage.by, kept)
    task = task_of(found, instance, said)
    task.objectives = task.objectives[:1]
    solved = solve_grouping(task)
    stage = solved.stages[0]
    kept = kept_plan(solved.hub) | kept_proof(solved.instance, solved.bounds, stage.by)
    return Other(stage.value, stage.bound, stage.by, kept)


def between(found: Consortia, name: str, stage: Stage, other: Other, *, helps: bool) -> Without:
    """The interval that the two plans and the two bounds prove, and its words.

    `helps`: every plan of the run is one without the rule as well, so that no plan without it is worse than the run's.
    """
    value = min(other.value, stage.value) if helps else other.value
    bound = min(other.bound, value)
    gain, least, most = stage.value - value, stage.bound - value, stage.value - bound
    if helps:
        gain, least, most = (max(0.0, one) for one in (gain, least, most))
    spend = found.facts.spend
    modelled = stage.name == found.solution.instance.aim and spend is not None and spend.modelled
    words = without_words(name, stage.name, stage.unit, stage.value, (least, most)) + (MODELLED if modelled else "")
    return Without(gain, least, most, f"{stage.unit} for the whole rule", words, bound, other.by, other.kept)


MODELLED = " (modelled spend)"


def without_words(name: str, objective: str, unit: str, value: float, interval: tuple[float, float]) -> str:
    """What leaving a rule out is worth, in words: `interval` in the unit of the objective, whose value is `value`."""
    return f"without {name} {objective.replace('_', ' ')} would be {_interval(unit, value, *interval)}"


def yardstick_words(name: str, unit: str, most: float) -> str:
    """The words where the rule is the yardstick of others as well, and nothing was solved."""
    return f"without {name} balances are compared with the nation's: it may be more, and is at most {_less(unit, most)}"


def close_to(unit: str, value: float) -> float:
    """What is told as nothing, in the unit of the objective: £1,000, or a ten-thousandth."""
    return 1e-3 if unit == "GBP m" else max(NOTHING, 1e-4 * abs(value))


def _interval(unit: str, value: float, least: float, most: float) -> str:
    close = close_to(unit, value)
    if most - least <= close:
        middle = least if abs(least) > NOTHING else most
        return "the same" if abs(middle) <= close else _less(unit, middle)
    if least <= NOTHING and most >= -NOTHING and least >= -NOTHING:
        return f"the same or at most {_less(unit, most)}"
    if least < 0 < most:
        return f"between {_amount(unit, -least)} more and {_amount(unit, most)} less"
    low, high = sorted((abs(least), abs(most)))
    if _amount(unit, low) == _amount(unit, high):
        return _less(unit, least)  # the range is narrower than what is shown
    return f"{_amount(unit, low)} to {_less(unit, high if least > 0 else -high)}"


def _less(unit: str, amount: float) -> str:
    return f"{_amount(unit, abs(amount))} {'less' if amount > 0 else 'more'}"


def _amount(unit: str, amount: float) -> str:
    return say_money(amount) if unit == "GBP m" else f"{amount:.4g} {unit}"


def price_of(prices: Mapping[str, Without], name: str) -> dict[str, float | str | None]:
    """The part of a rule's record that is about its price."""
    return prices[name].as_dict() if name in prices else {"price": None}
