"""run.json, effects.csv and the comparison rows of a grouping. Imports `consortia`, `record` and below."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from allocopt.check.grouping import Broken, Grouped, broken_rules, objectives
from allocopt.consortia import JOINTLY, Consortia, grouped_of
from allocopt.consortia.binding import binding_of
from allocopt.consortia.prices import Without, price_of, prices_of
from allocopt.grouping.bounds import Bound
from allocopt.grouping.exempt import Exemption
from allocopt.grouping.instance import DEFICIT, TOLLED, Array, Ints
from allocopt.grouping.solution import ONE_PROGRAMME, Solution
from allocopt.inputs.tables import count
from allocopt.model import Rule
from allocopt.prices import prices
from allocopt.record import record, stage_record, warnings_of, what_it_rests_on, what_was_asked
from allocopt.solve.stages import Stage
from allocopt.units import say_money

OUTSIDE = "the given grouping is outside the rules: the bounds hold for groupings within them and say nothing about it"
POOLED_ON_MODELLED_SPEND = "deficits after pooling rest on modelled practice spend, which no published figures record"


def grouping_record(found: Consortia, *, tell: Callable[[str], None] = lambda step: None) -> dict[str, Any]:  # noqa: ARG005
    """The whole of run.json for a grouping, as plain JSON data; each price of a rule costs a solve of its own."""
    facts, solution = found.facts, found.solution
    prices, unpriced = prices_of(found, tell=tell)
    return {
        **what_was_asked(facts, found.status),
        "objectives": [stage_record(stage) for stage in solution.stages],
        "headline": headline(found),
        "rules": [*_allocation_rules(found, prices), *_grouping_rules(found, prices)],
        "bounds": [_bound_record(found, one) for one in solution.bounds],
        "exemptions": [exemption_record(one) for one in solution.exemptions],
        "broken": [{"rule": one.rule, "at": one.at, "words": one.words} for one in found.broken],
        "before": None if found.before is None or found.model.kind == "joint" else _before_record(found),
        **({} if found.two_steps is None else {"two_steps": _two_steps(found)}),
        "method": solution.method,
        **what_it_rests_on(facts, [*warnings_of(facts), *_warnings(found), *([unpriced] if unpriced else [])]),
        "search_seed": (facts.loaded.scenario.grouping.seed if facts.loaded.scenario.grouping else 1),
        "summary": summary(found),
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
    return {
        "objectives": [
            {"name": name, "unit": stages[name].unit, "one_after_the_other": value, "jointly": stages[name].final_value}
            for name, value in found.two_steps.values.items()
        ],
        "words": _two_steps_words(found),
    }


def _two_steps_words(found: Consortia) -> str:
    assert found.two_steps is not None
    said = []
    for stage in found.solution.stages:
        other = found.two_steps.values[stage.name]
        amounts = [
            say_money(one) if stage.unit == "GBP m" else f"{one:,.6g} {stage.unit}"
            for one in (stage.final_value, other)
        ]
        said.append(f"{stage.name} {amounts[0]} jointly, {amounts[1]} one after the other")
    return "; ".join(said)


def _before_record(found: Consortia) -> dict[str, Any]:
    assert found.before is not None
    said = record(found.before, prices(found.before))
    return {key: said[key] for key in ("model", "status", "objectives", "headline", "rules")}


def _warnings(found: Consortia) -> list[str]:
    said = [f"exempted, because the rules cannot hold otherwise: {one.words}" for one in found.solution.exemptions]
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
    now = objectives(grouped_of(found.facts, found.solution.instance, found.solution.hub))
    measured = {
        "travel_km": round(now["travel"], 4),
        "places_moved": int(now["moves"]),
        "places_crossing": int(now["crossings"]),
    }
    instance, cost = found.solution.instance, round(1e6 * float(now[TOLLED] - now[DEFICIT]))
    if instance.aim == TOLLED:
        measured |= {"crossing_cost_gbp": cost, "deficit_and_crossings_gbp": gross + cost}
    bound = least_deficit(found.solution)
    if bound is None:
        return first | measured
    proof = {"bound_gbp": round(bound * 1e6), "gap_pct": None if found.broken else gap_pct(gross + cost, bound)}
    return first | measured | proof | ({"rules_broken": len(found.broken)} if found.broken else {})


def least_deficit(solution: Solution) -> float | None:
    """The most that is proven of every plan's gross deficit, with what crossings cost where that is asked for, GBP m;
    None where it is no objective.

    The bound of a stage after others holds only under what those leave, so that it says nothing of every plan.
    """
    stages, aim = solution.stages, solution.instance.aim
    if not any(stage.name == aim for stage in stages):
        return None
    own = [stages[0].bound] if stages[0].name == aim else []
    return max([0.0, *own, *(one.value for one in solution.bounds)])


def gap_pct(gross: int, bound: float) -> float:
    """What of a plan's gross deficit, with what its crossings cost (pounds), is not proven to be needed, in percent."""
    return round(max(0.0, 100 * (1 - bound * 1e6 / gross)), 6) if gross else 0.0


def _held_first(solution: Solution) -> str:
    """What is proven of the objective in money under those before it, in words; nothing where it comes first."""
    at = [stage.name for stage in solution.stages].index(solution.instance.aim)
    before, stage = solution.stages[:at], solution.stages[at]
    if not before:
        return ""
    parts = "" if solution.method in (JOINTLY, ONE_PROGRAMME) else ", part by part,"
    return f"; with {' and '.join(map(_kept, before))}{parts} none has less than {say_money(stage.bound)}"


def _broken_words(found: Consortia) -> str:
    """A given grouping that breaks rules is no grouping under them."""
    rules = sorted({one.rule for one in found.broken})
    return f", and this one is not under them: it breaks {', '.join(rules)}" if rules else ""


def _kept(stage: Stage) -> str:
    """What a stage leaves to those after it, never rounded up: what is proven beyond it may be false."""
    if stage.unit == "GBP m":
        return f"{stage.name} at most £{np.floor(stage.cap * 1e6):,.0f}"
    most = np.floor(stage.cap * 1e4) / 1e4
    words = {"travel": "a mean distance of at most {} km", "moves": "at most {} places moved"}
    words |= {"crossings": "at most {} places in other areas than their hub's"}
    return words.get(stage.name, f"{stage.name} at most {{}} {stage.unit}").format(f"{most:,.6g}")


def _bound_record(found: Consortia, one: Bound) -> dict[str, Any]:
    codes = found.solution.instance.places
    said: dict[str, Any] = {"name": one.name, "value": one.value, "unit": "GBP m", "words": one.words}
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


def summary(found: Consortia) -> str:
    """The result in neutral words."""
    head = headline(found)
    spend = "With modelled spend, " if found.facts.spend and found.facts.spend.modelled else ""
    alone, pooled, left = (
        say_money(head[name] / 1e6) for name in ("unpooled_deficit_gbp", "gross_deficit_gbp", "gross_surplus_gbp")
    )
    said = (
        f"{spend}{head['places']:,} places form {head['consortia']:,} consortia. Gross deficits are {alone} before "
        f"pooling and {pooled} after, against surpluses of {left} that other consortia hold"
    )
    if "crossing_cost_gbp" in head:
        said += _crossings_words(head)
    if "bound_gbp" in head:
        said += f"; no grouping under these rules has less than {say_money(head['bound_gbp'] / 1e6)}"
        said += _held_first(found.solution) + _broken_words(found)
    moved = f"{head['places_moved']:,} places leave their present group"
    if found.two_steps is not None:
        said += f". Decided one after the other: {_two_steps_words(found)}"
    return f"{said}. People are on average {head['travel_km']:.1f} km from their hub; {moved}."


def _crossings_words(head: Mapping[str, Any]) -> str:
    """What crosses areas, what that counts, and both together: what is made least."""
    number, cost = head["places_crossing"], say_money(head["crossing_cost_gbp"] / 1e6)
    lie = f"{count(number, 'place lies', 'places lie')} outside the area of {'its' if number == 1 else 'their'} hub"
    return f"; {lie}, which counts {cost}: {say_money(head['deficit_and_crossings_gbp'] / 1e6)} together"


def effects_of(found: Consortia, comparison: pd.DataFrame) -> pd.DataFrame:
    """effects.csv of a grouping, tidy: the comparison, and consortia by fifth of deprivation and by area."""
    rows = [
        ("comparison", str(row["plan"]), measure, _unit(measure), row[measure])
        for row in comparison.to_dict("records")
        for measure in comparison.columns
        if measure not in ("plan", "breaks")
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
    found: Consortia, plan: str, hub: Ints, *, bound: float | None, broken: Sequence[Broken] | None = None
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
    gross, cost = round(float(np.maximum(0, -balance).sum())), round(1e6 * float(now[TOLLED] - now[DEFICIT]))
    bound = None if broken else bound
    unproven = bound is None or not gross + cost
    return {
        "plan": plan,
        "gross_deficit_gbp": gross,
        "bound_gbp": np.nan if bound is None else round(bound * 1e6),
        "gap_pct": np.nan if unproven else gap_pct(gross + cost, bound or 0.0),
        "gross_surplus_gbp": round(float(np.maximum(0, balance).sum())),
        "consortia": len(hubs),
        "least_people": float(people.min()),
        "most_people": float(people.max()),
        "travel_km": round(now["travel"], 4),
        "moves": int(now["moves"]),
        "imd_spread": _imd_spread(found, which, people),
        "crossings": int(now["crossings"]),
        "crossing_cost_gbp": cost,
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
