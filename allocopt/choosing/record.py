"""run.json, effects.csv and the words of free choice. Imports `choosing`, its tables and words, `record` and below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from allocopt.choice.keep import Payments
from allocopt.choosing import Chosen, Judged, Regulated, make_choice, tolerance_of
from allocopt.choosing.tables import choice_tables, paid_pounds
from allocopt.choosing.words import drivers, gain_words, shunned, words_of
from allocopt.grouping.bounds import Bound
from allocopt.plan import Facts
from allocopt.prices import prices
from allocopt.record import record, warnings_of, what_it_rests_on, what_was_asked
from allocopt.units import say_money

ON_MODELLED_SPEND = (
    "who would pick whom rests on modelled practice spend, which no published figures record: another draw of spend "
    "gives other coalitions; the size of the effect is the result, not the names"
)


def choice_made(facts: Facts, *, tell: Callable[[str], None]) -> tuple[Chosen, dict[str, Any], dict[str, pd.DataFrame]]:
    """Free choice with its record and its tables, the allocation that was shared among them where there is one."""
    made = make_choice(facts, tell=tell)
    tell("working out effects")
    tables = choice_tables(made)
    tables["effects"] = effects_of_choice(tables)
    if made.before is not None:
        tables["allocations"] = made.before.table
    return made, choice_record(made, tables), tables


def choice_record(found: Chosen, tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """The whole of run.json for free choice, as plain JSON data."""
    facts = found.facts
    modelled = facts.spend.modelled if facts.spend else False
    return {
        **what_was_asked(facts, found.status),
        "objectives": [_objective(found)],
        "headline": headline(found, tables["price"]),
        "rules": [_rule(found, name) for name in found.of.instance.settings],
        "judged": [_judged(found, one) for one in found.judged],
        "bounds": [_bound(found, name, one) for name, one in found.bounds.items()],
        "regulated": {name: _regulated(one) for name, one in found.regulated.items()},
        "keeps_together": _kept(found),
        "before": None if found.before is None else _before(found),
        "method": found.partition.method,
        **what_it_rests_on(facts, [*warnings_of(facts), *([ON_MODELLED_SPEND] if modelled else []), *found.notes]),
        "shunning_seed": found.said.seed,
        "summary": summary(found, tables["price"]),
    }


def unit_of(found: Chosen) -> str:
    """The unit of every ratio and gain."""
    return "GBP a head" if found.of.share == "per_head" else "share of budget"


def _objective(found: Chosen) -> dict[str, Any]:
    """The best coalition of all, and the proof: what no coalition of the whole partition gains."""
    first = found.partition.order[0] if found.partition.order else None
    value = None if first is None else first.ratio
    epsilon = found.partition.epsilon
    return {
        "name": f"balance_{found.of.share}",
        "unit": unit_of(found),
        "value": value,
        "bound": None if value is None else value + epsilon,
        "gap": None if value is None else epsilon / max(abs(value), 1e-6),
        "final_value": value,
        "proven": found.status == "optimal",
        "by": found.partition.method,
        "method": "best coalition first",
        "largest_gain_not_ruled_out": epsilon,
        "tolerance": tolerance_of(found.of, found.said),
        "words": f"no coalition gains more than {gain_words(found, epsilon)} by another choice",
    }


def headline(found: Chosen, price: pd.DataFrame) -> dict[str, Any]:
    """The figures people quote."""
    by_plan: dict[str, dict[str, Any]] = {row["plan"]: row for row in price.to_dict("records")}  # type: ignore[misc]
    free = by_plan["free_choice"]
    said: dict[str, Any] = {
        "places": len(found.of),
        "consortia": int(free["consortia"]),
        "places_left_out": int(free["places_left_out"]),
        "people_left_out": float(free["people_left_out"]),
        "unpooled_deficit_gbp": int(by_plan["unpooled"]["gross_deficit_gbp"]),
        "gross_deficit_gbp": int(free["gross_deficit_gbp"]),
        "gross_surplus_gbp": int(free["gross_surplus_gbp"]),
        "bound_gbp": int(by_plan["bound_across_areas"]["gross_deficit_gbp"]),
        "captured_pct": _number(free["captured_pct"]),
        "largest_gain_not_ruled_out": found.partition.epsilon,
    }
    for name in found.variants:
        said[f"{name}_deficit_gbp"] = int(by_plan[name]["gross_deficit_gbp"])
        said[f"{name}_people_left_out"] = float(by_plan[name]["people_left_out"])
    pay = None if found.kept is None else found.kept.payments
    if pay is not None:
        said["payments_that_hold_gbp"] = int(paid_pounds(found, pay).sum())
        said["no_payments_below_gbp"] = round(pay.bound)
    score = found.judged[0].shunning
    if score is not None:
        said |= {"shunning_index_pct": round(100 * score.index, 4), "shunning_p_value": round(score.p_value, 6)}
    return said


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _rule(found: Chosen, name: str) -> dict[str, Any]:
    rule, setting = found.model.rule(name), found.facts.loaded.scenario.rules[name]
    parameters = {key: one.write(setting.parameters.get(key, one.default)) for key, one in rule.parameters.items()}
    said = ", ".join(f"{key} {value}" for key, value in parameters.items() if value not in ("none", "[]"))
    return {
        "name": name,
        "parameters": parameters,
        "binding": None,
        "price": None,
        "words": f"{name} {said}".strip(),
        "source": setting.source or rule.source,
        "why": setting.why,
    }


def _judged(found: Chosen, one: Judged) -> dict[str, Any]:
    score = one.shunning
    return {
        "plan": one.name,
        "stable": one.stability.stable,
        "coalitions_that_would_leave_at_least": len(one.stability.blocking),
        "largest_gain_not_ruled_out": one.stability.epsilon if one.stability.epsilon < 1e11 else None,
        "unit": unit_of(found),
        "words": words_of(found, one),
        "places_left_aside": one.aside,
        "bottom": shunned(found, one),
        "shunning": None
        if score is None
        else {
            "score": score.score,
            "expected": score.expected,
            "index": score.index,
            "p_value": score.p_value,
            "isolation": score.isolation if np.isfinite(score.isolation) else None,
            "isolation_expected": score.isolation_expected if np.isfinite(score.isolation_expected) else None,
            "permutations": score.permutations,
            "seed": score.seed,
            "drivers": drivers(found, score),
        },
    }


def _bound(found: Chosen, name: str, one: Bound) -> dict[str, Any]:
    """A bound with its certificate: the overspenders of the minimum cut, or the areas."""
    said: dict[str, Any] = {"name": name, "by": one.name, "value": one.value, "words": one.words}
    if one.side is not None:
        codes, over = found.of.instance.places, found.of.instance.over
        said["overspenders"] = [codes[p] for p in np.flatnonzero(one.side & (over > 0)).tolist()]
    return said


def _regulated(one: Regulated) -> dict[str, Any]:
    return {
        "value": one.value,
        "bound": one.bound,
        "gap": one.gap,
        "unit": "GBP m",
        "waived": [{"rule": rule, "code": code} for rule, code in one.waived],
    }


def _kept(found: Chosen) -> dict[str, Any] | None:
    if found.kept is None:
        return None
    pay, core = found.kept.payments, found.kept.core
    said: dict[str, Any] = {
        "plan": found.kept.plan,
        "levers": [
            {
                "lever": one.lever,
                "setting": one.setting,
                "does_not_hold_at": one.fails,
                "unit": one.unit,
                "largest_gain_left": one.epsilon if one.epsilon < 1e11 else None,
                "verified": one.verified,
                "words": one.words,
            }
            for one in found.kept.held
        ],
    }
    if pay is not None:
        proven = pay.total - pay.bound <= max(1.0, 1e-6 * pay.total)
        said["payments"] = {
            "total_gbp": int(paid_pounds(found, pay).sum()),
            "no_total_is_less_than_gbp": round(pay.bound),
            "proven_least": proven,
            "places_paid": int((pay.pay > 0).sum()),
            "verified": pay.stable,
            "words": _payment_words(pay, proven=proven),
        }
    if core is not None:
        paying = int((core.price & (found.of.instance.over > 0)).sum())
        said["core_charges"] = {
            "total_gbp": round(core.bound * 1e6),
            "verified": True,
            "words": f"{paying:,} overspenders out of reach of enough surplus bear their overspend, the surpluses "
            "within their reach are paid for, all other overspends are covered free of charge: no coalition would have "
            "a smaller deficit outside than it is charged",
        }
    return said


def _payment_words(pay: Payments, *, proven: bool) -> str:
    least = say_money(pay.bound / 1e6)
    if not pay.stable:
        return f"no payments that hold the plan together were found; none of less than {least} could"
    paid = int((pay.pay > 0).sum())
    held = f"payments of {say_money(pay.total / 1e6)} a year to {paid:,} practices hold the plan together"
    if proven:
        return f"{held}, and no less would"
    where = f" (in {len(pay.circles):,} separate circles of neighbours)" if pay.circles else ""
    return f"{held}; the least that could lies between {least}{where} and that"


def _before(found: Chosen) -> dict[str, Any]:
    assert found.before is not None
    said = record(found.before, prices(found.before))
    return {key: said[key] for key in ("model", "status", "objectives", "headline", "rules")}


def summary(found: Chosen, price: pd.DataFrame) -> str:
    """The result in neutral words."""
    head = headline(found, price)
    spend = "With modelled spend, " if found.facts.spend and found.facts.spend.modelled else ""
    alone, gross, least = (
        say_money(head[name] / 1e6) for name in ("unpooled_deficit_gbp", "gross_deficit_gbp", "bound_gbp")
    )
    said = (
        f"{spend}{head['places']:,} practices that pick their partners form {head['consortia']:,} consortia and leave "
        f"out {head['places_left_out']:,} practices with {head['people_left_out']:,.0f} people. Gross deficits are "
        f"{alone} where nobody pools and {gross} here; no grouping within reach has less than {least}"
    )
    if head["captured_pct"] is not None:
        said += f", so free choice gets {head['captured_pct']:.0f}% of what pooling could do"
    return f"{said}. " + ". ".join(words_of(found, one) for one in found.judged) + "."


def effects_of_choice(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """effects.csv, tidy: the price of free choice and the shunning scores."""
    rows = [
        (name, str(row["plan"]), measure, unit_of_measure(measure), row[measure])
        for name in ("price", "shunning")
        for row in tables[name].to_dict("records")
        for measure in tables[name].columns
        if measure != "plan" and not pd.isna(row[measure])
    ]
    return pd.DataFrame(rows, columns=["table", "group", "measure", "unit", "value"])


def unit_of_measure(measure: str) -> str:
    """By a column's ending."""
    endings = {"_gbp": "GBP", "_pct": "%", "_km": "km", "people": "people", "people_left_out": "people"}
    units = {"consortia": "consortia", "places_left_out": "places", "places": "places"}
    return units.get(measure, next((unit for end, unit in endings.items() if measure.endswith(end)), "index"))
