"""From a scenario to what practices would do: free choice, its price, the judgement of given groupings, what holds.

The allocation of the model before is what each practice brings, as in a grouping. Imports `consortia`, `choice`,
`check.grouping`, `plan` and below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from allocopt.check.grouping import broken_rules
from allocopt.choice.admit import admit_left_out
from allocopt.choice.connected import Grown, is_large
from allocopt.choice.field import Array, Field, Ints, Share, among, field_of, level_of
from allocopt.choice.keep import CorePayments, Payments, broken_core, core_payments, least_payments
from allocopt.choice.levers import Held, band_that_holds, duty_that_holds, share_that_holds
from allocopt.choice.partition import Finder, Partition, free_choice
from allocopt.choice.programme import BestCoalition, is_small
from allocopt.choice.shunning import Grouped as Scored
from allocopt.choice.shunning import Shunning, shunning
from allocopt.choice.stability import Stability, Terms, stability
from allocopt.consortia import Pounds, grouped_of, instance_of, models_before, money_of
from allocopt.consortia.needs import check_facts
from allocopt.errors import Infeasible, PlanRefused, Problem, ScenarioFault, Stopped
from allocopt.grouping.bounds import Bound, area_bound, reach_bound
from allocopt.grouping.instance import Instance, possible_pairs
from allocopt.grouping.solution import Task, solve_grouping
from allocopt.model import Model, load_model
from allocopt.plan import Facts, Plan, make_plan
from allocopt.settings import Grouping, Scenario
from allocopt.settings.choice import Choice, Variant

Tell = Callable[[str], None]
PLAIN = "free_choice"


@dataclass(frozen=True)
class Judged:
    """A grouping under the two questions: is it shunning, and would it hold? `group` holds hub positions or -1."""

    name: str
    group: Ints
    stability: Stability
    shunning: Shunning | None
    """None where places have no coordinates"""
    aside: int = 0
    """places of a given grouping that belong to none of its groups: left aside, since nobody left them out"""


@dataclass(frozen=True)
class Regulated:
    """The grouping of least gross deficit that was found for everybody, and a deficit that no grouping undercuts."""

    group: Ints
    value: float
    bound: float
    gap: float
    waived: tuple[tuple[str, str], ...]
    """(rule, code) where no consortium can keep to the rules"""


@dataclass(frozen=True)
class Kept:
    """What keeps a plan together, lever by lever."""

    plan: str
    held: tuple[Held, ...]
    payments: Payments | None
    core: CorePayments | None


@dataclass(frozen=True)
class Chosen:
    """A finished simulation of free choice with everything that was asked beside it."""

    facts: Facts
    model: Model
    said: Choice
    before: Plan | None
    of: Field
    budget: Pounds
    spend: Pounds
    partition: Partition
    group: Ints
    """(n,) the hub of each place's consortium, -1 for those left out, after any duty to admit"""
    judged: tuple[Judged, ...]
    variants: Mapping[str, tuple[Partition, Ints]]
    """anti-shunning rule -> the partition as it formed and the groups after any duty to admit"""
    kept: Kept | None
    regulated: Mapping[str, Regulated]
    """`within_areas`, `across_areas` -> the grouping of least deficit"""
    bounds: Mapping[str, Bound]
    """`within_areas`, `across_areas` -> no grouping of everybody has less gross deficit"""
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """`optimal` when no coalition of the plain partition gains more than the tolerance asked, else `gap`."""
        return "optimal" if self.partition.epsilon <= tolerance_of(self.of, self.said) + 1e-12 else "gap"

    @property
    def money(self) -> pd.DataFrame:
        """What each place brings and is expected to spend, by place."""
        index = self.facts.inputs.places.index
        return pd.DataFrame({"budget_gbp": self.budget, "spend_gbp": self.spend}, index=index)

    @property
    def labels(self) -> npt.NDArray[np.str_]:
        """(n,) the code of each place's hub, empty for those left out."""
        codes = np.array(self.of.instance.places, dtype=np.str_)
        return np.where(self.group >= 0, codes[np.maximum(self.group, 0)], "")


def make_choice(facts: Facts, *, tell: Tell = lambda step: None) -> Chosen:  # noqa: ARG005
    """Free choice of a scenario. Raises ScenarioFault for what it needs and lacks, and as `make_plan` before."""
    scenario = facts.loaded.scenario
    model, said = load_model(scenario.model[-1]), scenario.choice or Choice()
    grouping = scenario.grouping or Grouping()
    check_facts(facts, grouping)
    columns = judged_columns(facts, said)
    before = make_plan(models_before(facts), tell=tell) if len(scenario.model) > 1 else None
    budget, spend = money_of(facts, before, grouping)
    instance = instance_of(facts, model, grouping, budget, spend)
    of = field_of(instance, model, share=share_of(scenario), in_order=said.admit == "in_order")
    tell("forming coalitions")
    partition, group = chosen(of, said, said.admit, tell=tell)
    _refuse_wrong(facts, instance, group)
    strict = said if said.admit != "none" else said.model_copy(update={"worth_moving": said.tolerance})
    judged = [judge(of, strict, PLAIN, group)]
    for name, column in columns.items():
        tell(f"judging {name}")
        judged.append(judge(grouped_alone(of, column), said, name, column))
    variants = {name: _variant(of, said, one, name, tell) for name, one in said.price.items()}
    plans = {one.name: one.group for one in judged}
    kept = None if said.keep is None else _kept(of, said, plans[said.keep], tell)
    regulated, notes = regulate(of, scenario, grouping, said, tell)
    return Chosen(
        facts,
        model,
        said,
        before,
        of,
        budget,
        spend,
        partition,
        group,
        tuple(judged),
        variants,
        kept,
        regulated,
        bounds_of(of),
        notes,
    )


def regulate(
    of: Field, scenario: Scenario, grouping: Grouping, said: Choice, tell: Tell
) -> tuple[Mapping[str, Regulated], tuple[str, ...]]:
    """The groupings of least deficit that were asked for, everybody placed; where none was found in time, a note."""
    model = load_model("consortia")
    objectives = [model.objective("gross_deficit")]
    found, notes = dict[str, Regulated](), list[str]()
    for which in said.regulated:
        tell(f"regulated optimum {which.replace('_', ' ')}")
        settings = {name: one for name, one in of.instance.settings.items() if name != "stay_in_area"}
        settings |= {"stay_in_area": {}} if which == "within_areas" else {}
        instance = replace(of.instance, settings=settings)
        try:
            solution = solve_grouping(Task(model, instance, objectives, scenario.solver, grouping, tell))
        except (Infeasible, Stopped) as failure:
            notes.append(f"the regulated optimum {which.replace('_', ' ')} is not shown: {failure}; its bound is")
            continue
        stage = solution.stages[0]
        found[which] = Regulated(
            solution.hub,
            stage.value,
            stage.bound,
            stage.gap,
            tuple((one.rule, one.code) for one in solution.exemptions),
        )
        waived = ", ".join(one.code for one in solution.exemptions)
        notes.append(
            f"the regulated optimum {which.replace('_', ' ')} is proven to {stage.gap:.3%}: "
            f"£{stage.value:,.3f}m against a bound of £{stage.bound:,.3f}m"
            + (f"; the rules are waived where they cannot hold: {waived}" if waived else "")
        )
    return found, tuple(notes)


def bounds_of(of: Field) -> Mapping[str, Bound]:
    """What no grouping of everybody undercuts, within areas and across them, under the reach of the scenario."""
    settings = {name: said for name, said in of.instance.settings.items() if name != "stay_in_area"}
    across = replace(of.instance, settings=settings)
    inside = replace(of.instance, settings={**settings, "stay_in_area": {}})
    free, area = reach_bound(across, possible_pairs(across)), area_bound(inside)
    return {"within_areas": area if area and area.value > free.value else free, "across_areas": free}


def share_of(scenario: Scenario) -> Share:
    """The sharing rule: the objective that the scenario names."""
    return "per_pound" if any(one.name == "balance_per_pound" for one in scenario.objectives) else "per_head"


def terms_of(said: Choice) -> Terms:
    """What members keep and bear."""
    return Terms(said.retained, said.liable)


def per_weight(of: Field, money: float) -> float:
    """GBP million a head as the field's ratio: pounds a head, or a fraction of the mean budget of a head."""
    pounds = money * 1e6
    return pounds if of.share == "per_head" else pounds * float(of.people.sum() / of.weight.sum())


def tolerance_of(of: Field, said: Choice) -> float:
    """The tolerance asked, in the field's ratio."""
    return per_weight(of, said.tolerance)


def chosen(of: Field, said: Choice, admit: str, *, tell: Tell) -> tuple[Partition, Ints]:
    """The partition, and the groups after any duty to admit."""
    objective = of.model.objective(f"balance_{of.share}")
    find: Finder | None = BestCoalition(of, objective) if is_small(of) else Grown(of) if is_large(of) else None
    found = free_choice(of, epsilon=tolerance_of(of, said), find=find, tell=tell)
    return found, found.group if admit == "none" else admit_left_out(of, found.group)


def judge(of: Field, said: Choice, name: str, group: Ints) -> Judged:
    """Shunning score and stability of a grouping."""
    aside = 0 if name == PLAIN else int((group < 0).sum())
    return Judged(name, group, _stability(of, said, group), _shunning(of, said, group), aside)


def grouped_alone(of: Field, group: Ints) -> Field:
    """The field of the places that a given grouping holds."""
    return of if (group >= 0).all() else among(of, group >= 0)


def _stability(of: Field, said: Choice, group: Ints) -> Stability:
    tolerance = tolerance_of(of, said)
    least = max(per_weight(of, said.worth_moving), tolerance)
    return stability(of, level_of(of, group), terms=terms_of(said), least=least, number=said.shown, tolerance=tolerance)


def _shunning(of: Field, said: Choice, group: Ints) -> Shunning | None:
    if of.instance.position is None or not (group >= 0).any():
        return None
    rate = of.value / np.maximum(of.weight, 1e-9)
    return shunning(
        Scored(rate, of.people, of.instance.position, group), permutations=said.permutations, seed=said.seed
    )


def _variant(of: Field, said: Choice, one: Variant, name: str, tell: Tell) -> tuple[Partition, Ints]:
    tell(f"free choice with {name}")
    admit = one.admit or said.admit
    changed = field_of(with_rules(of.instance, one), of.model, share=of.share, in_order=admit == "in_order")
    if one.tolerance is not None:
        said = said.model_copy(update={"tolerance": one.tolerance})
    return chosen(changed, said, admit, tell=lambda step: tell(f"{name}: {step}"))


def with_rules(instance: Instance, one: Variant) -> Instance:
    """The instance under a variant's rules."""
    settings: dict[str, Mapping[str, Any]] = dict(instance.settings)
    for rule in ("balance_band", "deprivation_mix", "surplus_concentration", "reach"):
        value = getattr(one, rule)
        if value is not None:
            settings[rule] = {**settings.get(rule, {}), "max": value}
    window = {"min": one.least_people, "max": one.most_people}
    window = {key: value for key, value in window.items() if value is not None}
    if window:
        settings["population_window"] = {**settings.get("population_window", {}), **window}
    return replace(instance, settings=settings)


def judged_columns(facts: Facts, said: Choice) -> dict[str, Ints]:
    """The groupings to be judged: the position of each group's first place, -1 where a place has none."""
    places, problems, found = facts.inputs.places, list[Problem](), dict[str, Ints]()
    for name in said.judge:
        if name not in places.columns:
            cure = "name a column of the places table that holds a grouping"
            problems.append(Problem(f"the places have no column '{name}'", cure, "choice.judge"))
            continue
        found[name] = positions_of(places[name].fillna("").astype(str).to_list())
    if said.keep is not None and said.keep not in (PLAIN, *said.judge):
        wanted = ", ".join((PLAIN, *said.judge))
        problems.append(
            Problem(f"there is no plan '{said.keep}' to keep together", f"name one of {wanted}", "choice.keep")
        )
    if problems:
        raise ScenarioFault("free choice asks for what the places do not have", tuple(problems))
    return found


def positions_of(labels: list[str]) -> Ints:
    """Group labels to the position of each group's first place; -1 for an empty label."""
    first: dict[str, int] = {}
    for position, label in enumerate(labels):
        first.setdefault(label, position)
    return np.array([first[label] if label else -1 for label in labels], dtype=np.int64)


def _kept(of: Field, said: Choice, group: Ints, tell: Tell) -> Kept:
    """What keeps the plan together that the scenario names."""
    assert said.keep is not None
    return keep_together(of if said.keep == PLAIN else grouped_alone(of, group), said, said.keep, group, tell)


def keep_together(of: Field, said: Choice, plan: str, group: Ints, tell: Tell) -> Kept:
    """Every lever asked for, each verified by running the stability search again."""
    level, terms = level_of(of, group), terms_of(said)
    least = max(per_weight(of, said.worth_moving), tolerance_of(of, said))
    held = list[Held]()
    payments: Payments | None = None
    core: CorePayments | None = None
    for lever in said.levers:
        tell(f"what keeps {plan} together: {lever}")
        if lever == "payments":
            payments = least_payments(of, level, terms=terms, least=least)
        elif lever == "core_charges":
            core = _checked_core(of)
        elif lever == "balance_band":
            held.append(band_that_holds(of, level, terms=terms, least=least))
        elif lever == "duty_to_admit":
            held.append(duty_that_holds(of, level, terms=terms, least=least))
        else:
            held.append(share_that_holds(of, level, lever, terms=terms, least=least))
    return Kept(plan, tuple(held), payments, core)


def _checked_core(of: Field) -> CorePayments:
    core = core_payments(of)
    if broken_core(of, core):
        raise PlanRefused("the charges from bound B leave a coalition better off outside: they are not written")
    return core


def _refuse_wrong(facts: Facts, instance: Instance, group: Ints) -> None:
    """A partition that fails the independent check of its rules is never written; the left out stand alone in it."""
    outside = group < 0
    broken = broken_rules(grouped_of(facts, instance, np.where(outside, np.arange(len(group)), group)))
    codes = {instance.places[p] for p in np.flatnonzero(outside)}
    wrong = [one for one in broken if one.at not in codes]
    if wrong:
        raise PlanRefused(f"free choice breaks {len(wrong)} rules and is not written: {'; '.join(map(str, wrong[:5]))}")


__all__ = ["Array", "Chosen", "Judged", "Kept", "Regulated", "make_choice"]
