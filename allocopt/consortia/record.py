"""run.json, effects.csv and the comparison rows of a grouping. Imports `consortia`, `record` and below."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from allocopt.certificates import Kept, kept_allocation
from allocopt.check.grouping import Broken, Grouped, broken_rules, crossing_cost, objectives
from allocopt.consortia import Consortia, grouped_of
from allocopt.consortia.binding import binding_of
from allocopt.consortia.keeping import HIGHS, Arrays, kept_exemptions, kept_plan, kept_proof, named, strongest
from allocopt.consortia.prices import Without, price_of, prices_of
from allocopt.consortia.words import summary_of, two_steps_words
from allocopt.grouping.bounds import Bound
from allocopt.grouping.exempt import Exemption
from allocopt.grouping.instance import TOLLED, Array, Ints
from allocopt.grouping.solution import Solution
from allocopt.inputs.tables import count
from allocopt.model import Rule
from allocopt.prices import prices
from allocopt.record import record, stage_record, warnings_of, what_it_rests_on, what_was_asked

OUTSIDE = "the given grouping is outside the rules: the bounds hold for groupings within them and say nothing about it"
POOLED_ON_MODELLED_SPEND = "deficits after pooling rest on modelled practice spend, which no published figures record"


def grouping_record(
    found: Consortia,
    *,
    tell: Callable[[str], None] = lambda step: None,  # noqa: ARG005 - the default ignores it
) -> tuple[dict[str, Any], dict[str, Kept]]:
    """The whole of run.json for a grouping, as plain JSON data, and what certificate.npz keeps of rule prices and of
    the allocation that is pooled; each price of a rule costs a solve of its own.
    """
    prices, unpriced = prices_of(found, tell=tell)
    kept = named({f"priced.{name}": one.kept for name, one in prices.items()})
    before, proof = _before(found)
    said = _record(found, prices, [unpriced] if unpriced else []) | {"before": before}
    return said | {"summary": summary_of(said)}, kept | proof


def _record(found: Consortia, prices: Mapping[str, Without], unpriced: Sequence[str]) -> dict[str, Any]:
    facts, solution = found.facts, found.solution
    return {
        **what_was_asked(facts, found.status),
        "objectives": [stage_record(stage) for stage in solution.stages],
        "headline": headline(found),
        "rules": [*_allocation_rules(found, prices), *_grouping_rules(found, prices)],
        "bounds": [_bound_record(found, one) for one in solution.bounds],
        "exemptions": [exemption_record(one) for one in solution.exemptions],
        "broken": [{"rule": one.rule, "at": one.at, "words": one.words} for one in found.broken],
        "before": None,
        **({} if found.two_steps is None else {"two_steps": _two_steps(found)}),
        "method": solution.method,
        **what_it_rests_on(facts, [*warnings_of(facts), *_warnings(found), *unpriced]),
        "search_seed": (facts.loaded.scenario.grouping.seed if facts.loaded.scenario.grouping else 1),
        "summary": "",
    }


def exemption_record(one: Exemption) -> dict[str, Any]:
    """One exemption as plain JSON data; `km` is how far the place may be from its hub."""
    return {"rule": one.rule, "code": one.code, **({} if one.km is None else {"km": one.km}), "words": one.words}


def _grouping_rules(found: Consortia, prices: Mapping[str, Without]) -> list[dict[str, Any]]:
    settings = found.solution.instance.settings
    return [
        _rule_record(found, rule) | price_of(prices, rule.name) for rule in found.model.rules if rule.name in settings
    ]


def _allocation_rules(found: Consortia, prices: Mapping[str, Without]) -> list[dict[str, Any]]:
    """The rules about allocations of a joint plan, with the rows that bind."""
    if found.model.kind != "joint" or found.before is None:
        return []
    rules: list[dict[str, Any]] = record(found.before, {})["rules"]
    return [one | price_of(prices, one["name"]) for one in rules]


def _two_steps(found: Consortia) -> dict[str, Any]:
    """Of a joint plan: what one after the other reaches under the same rules, objective by objective."""
    assert found.two_steps is not None
    stages = {stage.name: stage for stage in found.solution.stages}
    both = [
        {"name": name, "unit": stages[name].unit, "one_after_the_other": value, "jointly": stages[name].final_value}
        for name, value in found.two_steps.values.items()
    ]
    return {"objectives": both, "words": two_steps_words(both)}


def _before(found: Consortia) -> tuple[dict[str, Any] | None, dict[str, Kept]]:
    """Of an allocation that was made first: its part of run.json, and its certificate."""
    if found.before is None or found.model.kind == "joint":
        return None, {}
    priced = prices(found.before)
    said = record(found.before, priced)
    kept = {f"priced.{rule}.{kind}": one for rule, price in priced.items() for kind, one in price.kept.items()}
    part = {key: said[key] for key in ("model", "status", "objectives", "headline", "rules")}
    return part, {"before": kept_allocation(found.before, kept)}


def _warnings(found: Consortia) -> list[str]:
    said = [f"exempted: {one.words}" for one in found.solution.exemptions]
    if found.solution.exemptions and not any("not proven" in note for note in found.solution.notes):
        said.append(
            "these are the fewest exemptions that make the rules possible, proven over all parts that they could join; "
            "`grouping.exempt: none` refuses instead"
        )
    if found.broken:
        rules = sorted({one.rule for one in found.broken})
        said += [f"the given grouping breaks {rule} at {_times(found, rule)}" for rule in rules]
        said.append(OUTSIDE)
    return [*said, *found.solution.notes]


def _times(found: Consortia, rule: str) -> str:
    at = [one for one in found.broken if one.rule == rule]
    return f"{count(len(at), 'place or consortium', 'places or consortia')}, such as {at[0].at}: {at[0].words}"


def headline(found: Consortia) -> dict[str, Any]:
    """The figures people quote."""
    table = found.consortia
    gross = int(table["deficit_gbp"].sum())
    surplus = int(np.maximum(0, table["balance_gbp"]).sum())
    alone = int(np.maximum(0, found.spend - found.budget).sum())
    first = {
        "places": len(found.groups),
        "consortia": len(table),
        "budget_gbp": int(table["budget_gbp"].sum()),
        "spend_gbp": int(table["spend_gbp"].sum()),
        "unpooled_deficit_gbp": alone,
        "gross_deficit_gbp": gross,
        "gross_surplus_gbp": surplus,
        "net_deficit_gbp": gross - surplus,
        "consortia_in_deficit": int((table["deficit_gbp"] > 0).sum()),
        "population_least": float(table["population"].min()),
        "population_most": float(table["population"].max()),
        "exemptions": len(found.solution.exemptions),
    }
    of = grouped_of(found.facts, found.solution.instance, found.solution.hub)
    now, cost = objectives(of), round(1e6 * crossing_cost(of))
    measured = {
        "travel_km": round(now["travel"], 4),
        "places_moved": int(now["moves"]),
        "places_crossing": int(now["crossings"]),
    }
    if found.solution.instance.aim == TOLLED:
        measured |= {"crossing_cost_gbp": cost, "deficit_and_crossings_gbp": gross + cost}
    bound = least_deficit(found.solution)
    if bound is None:
        return first | measured
    gap = None if found.broken else gap_pct(gross + cost, bound.value)
    proof = {"bound_gbp": round(bound.value * 1e6), "gap_pct": gap}
    return first | measured | proof | ({"rules_broken": len(found.broken)} if found.broken else {})


class Proven(NamedTuple):
    """What every plan's objective in money is at least, GBP m, and who proves it."""

    value: float
    by: str


def least_deficit(solution: Solution) -> Proven | None:
    """The most that is proven of every plan's gross deficit, with what crossings cost where that is asked for; None
    where it is no objective.

    The bound of a stage after others holds only under what those leave, so that it says nothing of every plan.
    """
    stages, aim = solution.stages, solution.instance.aim
    if not any(stage.name == aim for stage in stages):
        return None
    own = (stages[0].bound, stages[0].by) if stages[0].name == aim else None
    value = max([0.0, *([own[0]] if own else []), *(one.value for one in solution.bounds)])
    return Proven(value, strongest(solution.bounds, own))


def kept_solution(solution: Solution) -> Arrays:
    """What certificate.npz keeps of a solution beside the run's own: plan, exemptions and the proof of its bound."""
    least = least_deficit(solution)
    proof = {} if least is None else kept_proof(solution.instance, solution.bounds, least.by)
    return kept_plan(solution.hub) | kept_exemptions(solution.exemptions) | proof


def gap_pct(gross: int, bound: float) -> float:
    """What of a plan's gross deficit, with what its crossings cost (pounds), is not proven to be needed, in percent."""
    return round(max(0.0, 100 * (1 - bound * 1e6 / gross)), 6) if gross else 0.0


def _bound_record(found: Consortia, one: Bound) -> dict[str, Any]:
    codes = found.solution.instance.places
    said: dict[str, Any] = {"name": one.name, "value": one.value, "unit": "GBP m", "words": one.words}
    if one.name == "L":
        said["by"] = HIGHS
    if one.side is not None:
        chosen = np.flatnonzero(one.side & (found.solution.instance.over > 0))
        said["overspenders"] = [codes[p] for p in chosen]
    if one.prices is not None:
        said["prices"] = len(one.prices)
    if one.pots is not None:
        said["pots"] = dict(one.pots)
    return said


def _rule_record(found: Consortia, rule: Rule) -> dict[str, Any]:
    setting = found.facts.loaded.scenario.rules[rule.name]
    parameters = {name: one.write(setting.parameters.get(name, one.default)) for name, one in rule.parameters.items()}
    binds = binding_of(found, rule.name)
    said = ", ".join(f"{name} {value}" for name, value in parameters.items() if value not in ("none", "[]"))
    return {
        "name": rule.name,
        "parameters": parameters,
        "rows": binds.rows,
        "binding": binds.binding,
        "words": f"{rule.name} {said}: {binds.words}".replace(" :", ":"),
        "source": setting.source or rule.source,
        "why": setting.why,
    }


def effects_of(found: Consortia, comparison: pd.DataFrame) -> pd.DataFrame:
    """effects.csv of a grouping, tidy: the comparison, and consortia by fifth of deprivation and by area."""
    rows = [
        ("comparison", str(row["plan"]), measure, _unit(measure), row[measure])
        for row in comparison.to_dict("records")
        for measure in comparison.columns
        if measure not in ("plan", "breaks", "bound_by")
    ]
    table = found.consortia
    for area, part in table.groupby("area", sort=True):
        rows += [
            ("consortia_by_area", str(area), measure, _unit(measure), float(part[measure].sum()))
            for measure in ("places", "population", "budget_gbp", "spend_gbp", "deficit_gbp")
        ]
    for name in ("population", "balance_pct", "travel_km", "imd", "need_index", "deficit_gbp"):
        for share in (0, 25, 50, 75, 100):
            value = float(np.nanpercentile(table[name], share)) if table[name].notna().any() else np.nan
            rows.append(("consortia_spread", f"p{share:02d}", name, _unit(name), value))
    return pd.DataFrame(rows, columns=["table", "group", "measure", "unit", "value"])


def _unit(measure: str) -> str:
    endings: Mapping[str, str] = {"_gbp": "GBP", "_pct": "%", "_km": "km", "population": "people", "people": "people"}
    return next(
        (unit for ending, unit in endings.items() if measure.endswith(ending)),
        {"places": "places", "crossings": "places", "rules_broken": "rules"}.get(measure, "index"),
    )


def comparison_row(
    found: Consortia, plan: str, hub: Ints, *, bound: Proven | None, broken: Sequence[Broken] | None = None
) -> dict[str, Any]:
    """One plan under the same measures; `hub` is the position of each place's hub, money from whole pounds.

    `bound` holds for groupings under the rules of the scenario: it is told of a plan that keeps them. `broken` are the
    rules that the plan breaks, where that is known.
    """
    instance = found.solution.instance
    hubs, which = np.unique(hub, return_inverse=True)
    balance = np.bincount(which, weights=(found.budget - found.spend).astype(np.float64), minlength=len(hubs))
    people = np.asarray(np.bincount(which, weights=instance.population, minlength=len(hubs)), dtype=np.float64)
    of = grouped_of(found.facts, replace(instance, budget=found.budget / 1e6), hub)
    now, broken = objectives(of), wrong_in(of) if broken is None else broken
    gross, cost = round(float(np.maximum(0, -balance).sum())), round(1e6 * crossing_cost(of))
    bound = None if broken else bound
    return {
        "plan": plan,
        "gross_deficit_gbp": gross,
        "bound_gbp": np.nan if bound is None else round(bound.value * 1e6),
        "gap_pct": np.nan if bound is None or not gross + cost else gap_pct(gross + cost, bound.value),
        "gross_surplus_gbp": round(float(np.maximum(0, balance).sum())),
        "consortia": len(hubs),
        "least_people": float(people.min()),
        "most_people": float(people.max()),
        "travel_km": round(now["travel"], 4),
        "moves": int(now["moves"]),
        "imd_spread": _imd_spread(found, which, people),
        "crossings": int(now["crossings"]),
        "crossing_cost_gbp": cost,
        "bound_by": "" if bound is None else bound.by,
        **breaks(broken),
    }


def wrong_in(of: Grouped) -> list[Broken]:
    """The rules that a grouping breaks; each place or consortium once."""
    return list({(one.rule, one.at): one for one in broken_rules(of)}.values())


def breaks(broken: Sequence[Broken]) -> dict[str, Any]:
    """The last two columns of a comparison: how many rules a plan breaks, and which at how many places or consortia."""
    times = Counter(one.rule for one in broken)
    return {"rules_broken": len(times), "breaks": "; ".join(f"{rule} at {number:,}" for rule, number in times.items())}


def _imd_spread(found: Consortia, which: Ints, people: Array) -> float:
    """The standard deviation of consortia's mean deprivation score, weighted by people."""
    instance = found.solution.instance
    if instance.imd is None:
        return float("nan")
    known = ~np.isnan(instance.imd)
    weight = np.bincount(which[known], weights=instance.population[known], minlength=len(people))
    score = np.bincount(
        which[known], weights=(instance.population * np.nan_to_num(instance.imd))[known], minlength=len(people)
    )
    mean = score[weight > 0] / weight[weight > 0]
    share = weight[weight > 0] / weight.sum()
    return round(float(np.sqrt(share @ (mean - share @ mean) ** 2)), 4)
