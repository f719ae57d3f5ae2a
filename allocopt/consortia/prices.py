"""What each rule of a grouping costs: the first objective without it, solved again, against the one with it.

Whole numbers have no dual prices, so a rule is left out and the rest solved as before. Neither optimum is known better
than its plan and its bound: with value v and bound b with the rule, v' and b' without it,

    b - v'  <=  least with the rule - least without it  <=  v - b'

and what is left out can only help, so that nothing below 0 is possible. (Areas are more than a rule where balances are
compared with them: without them the yardstick is the nation, and the difference may be either way.) A bound that needs
no solver gives an upper end at once, and where it meets the plan of the run the rule costs nothing: only what it leaves
open is solved again, unasked where that is quick. Exemptions of the run stay. Imports `consortia`, `consortia.joint`,
`grouping` and below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from allocopt.consortia import Consortia, task_of
from allocopt.consortia.joint import first_stage
from allocopt.errors import Infeasible, InputFault, Stopped
from allocopt.grouping.bounds import bounds_of
from allocopt.grouping.instance import Instance, components, possible_pairs
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

    def as_dict(self) -> dict[str, float | str | None]:
        """As run.json has it: `price` and `without` as for prices of linear programmes, and the proven interval."""
        return {
            "price": _round(self.gain),
            "price_unit": self.unit,
            "price_words": self.words,
            "without": _round(self.gain),
            "without_least": _round(self.least),
            "without_most": _round(self.most),
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
    bound = _quick_bound(found, _left_out(found, rule)) if stage.name == found.solution.instance.aim else 0.0
    priced = between(found, rule.name, stage, stage.value, bound, helps=helps)
    if not helps:
        most = _less(stage, priced.most or 0.0)
        words = f"without {rule.name} balances are compared with the nation's: it may be more, and is at most {most}"
        return replace(priced, gain=None, least=None, words=words)
    return priced if stage.value - bound <= _close(stage) else replace(priced, gain=None)


def _quick_bound(found: Consortia, instance: Instance) -> float:
    """Bounds A, B or the net overspend, whichever says most and may be computed."""
    net = max(0.0, float(instance.over.sum()))
    free = not instance.on("reach") and not instance.on("stay_in_area")
    if found.model.kind == "joint" or (free and len(instance) * len(instance.hubs) > FLOW_PAIRS):
        return net
    pairs = possible_pairs(instance)
    return max(net, *(one.value for one in bounds_of(instance, pairs))) if len(pairs) <= FLOW_PAIRS else net


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
        value, bound = _solved(found, rule)
    except (Infeasible, InputFault, Stopped) as failure:
        told = _by_bounds(found, rule)
        return replace(told, words=f"{told.words}; no plan without {rule.name} was made: {failure.message}")
    return between(found, rule.name, stage, value, bound, helps=helps)


def _solved(found: Consortia, rule: Rule) -> tuple[float, float]:
    """The first objective without a rule: the value of a plan and a proven bound."""
    said = found.facts.loaded.scenario.grouping or Grouping()
    instance = _left_out(found, rule)
    if found.model.kind == "joint":
        stage = first_stage(found, instance, rule.name)
    else:
        task = task_of(found, instance, said)
        task.objectives = task.objectives[:1]
        stage = solve_grouping(task).stages[0]
    return stage.value, stage.bound


def between(found: Consortia, name: str, stage: Stage, value: float, bound: float, *, helps: bool) -> Without:
    """The interval that the two plans and the two bounds prove, and its words.

    `helps`: every plan of the run is one without the rule as well, so that no plan without it is worse than the run's.
    """
    value = min(value, stage.value) if helps else value
    bound = min(bound, value)
    gain, least, most = stage.value - value, stage.bound - value, stage.value - bound
    if helps:
        gain, least, most = (max(0.0, one) for one in (gain, least, most))
    spend = found.facts.spend
    aim = found.solution.instance.aim
    modelled = " (modelled spend)" if stage.name == aim and spend is not None and spend.modelled else ""
    what = stage.name.replace("_", " ")
    words = f"without {name} {what} would be {_interval(stage, least, most)}{modelled}"
    return Without(gain, least, most, f"{stage.unit} for the whole rule", words)


def _close(stage: Stage) -> float:
    """What is told as nothing, in the unit of the objective: £1,000, or a ten-thousandth."""
    return 1e-3 if stage.unit == "GBP m" else max(NOTHING, 1e-4 * abs(stage.value))


def _interval(stage: Stage, least: float, most: float) -> str:
    close = _close(stage)
    if most - least <= close:
        middle = least if abs(least) > NOTHING else most
        return "the same" if abs(middle) <= close else _less(stage, middle)
    if least <= NOTHING and most >= -NOTHING and least >= -NOTHING:
        return f"the same or at most {_less(stage, most)}"
    if least < 0 < most:
        return f"between {_amount(stage, -least)} more and {_amount(stage, most)} less"
    low, high = sorted((abs(least), abs(most)))
    if _amount(stage, low) == _amount(stage, high):
        return _less(stage, least)  # the range is narrower than what is shown
    return f"{_amount(stage, low)} to {_less(stage, high if least > 0 else -high)}"


def _less(stage: Stage, amount: float) -> str:
    return f"{_amount(stage, abs(amount))} {'less' if amount > 0 else 'more'}"


def _amount(stage: Stage, amount: float) -> str:
    return say_money(amount) if stage.unit == "GBP m" else f"{amount:.4g} {stage.unit}"


def price_of(prices: Mapping[str, Without], name: str) -> dict[str, float | str | None]:
    """The part of a rule's record that is about its price."""
    return prices[name].as_dict() if name in prices else {"price": None}
