"""How a run's own figures are said, the same on the terminal, in the page and in the workbook. Imports `units`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from allocopt.said_bounds import without_solver
from allocopt.units import say_money

HEADLINE_WORDS = {
    "pot_gbp": "pot",
    "places": "places",
    "gross_deficit_gbp": "gross deficit",
    "deficit_underfunding_gbp": "  of it underfunding",
    "deficit_above_need_gbp": "  of it spending above need",
    "new_deficit_gbp": "  new deficits, each counted once",
    "closing_deficit_gbp": "deficit at the end of the last year",
    "gross_surplus_gbp": "gross surplus",
    "net_deficit_gbp": "net (deficit less surplus)",
    "places_in_deficit": "places in deficit",
    "shortfall_below_target_gbp": "shortfall below target",
    "movement_gbp": "moved, against uniform growth",
    "places_gaining": "places gaining",
    "places_losing": "places losing",
}
GROUPING_WORDS = {
    "places": "places",
    "consortia": "consortia",
    "unpooled_deficit_gbp": "gross deficit before pooling",
    "gross_deficit_gbp": "gross deficit after pooling",
    "crossing_cost_gbp": "price of places outside their hub's area",
    "deficit_and_crossings_gbp": "gross deficit and that price",
    "bound_gbp": "  proven: no grouping within the rules has less than",
    "rules_broken": "  places or consortia at which this one breaks rules",
    "gross_surplus_gbp": "gross surplus after pooling",
    "net_deficit_gbp": "net (deficit less surplus)",
    "consortia_in_deficit": "consortia in deficit",
    "population_least": "people in the smallest consortium",
    "population_most": "people in the largest consortium",
    "travel_km": "mean km to the hub, by people",
    "places_moved": "places that leave their present group",
    "places_crossing": "places outside their hub's area",
    "exemptions": "exemptions",
}
BY_SOLVER = " (by branch and bound)"
"""Beside a bound that is the solver's own, in whole or in part."""
DFT_WORDS = {"opening": "opening distance from target", "closing": "closing distance from target"}


def pounds(value: float) -> str:
    """Whole pounds in the unit people read: 3210000 -> '£3.2m'."""
    return say_money(value / 1e6)


def headline_rows(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The headline as words and figures; figures without a known name follow under their own."""
    headline = record["headline"]
    said = GROUPING_WORDS if "consortia" in headline else HEADLINE_WORDS
    named = [(name, words) for name, words in said.items() if name in headline]
    own = {"bound_gbp": BY_SOLVER} if without_solver(record) is not None else {}
    rows = [
        (_over_years(name, words, headline), _figure(name, headline[name]) + own.get(name, "")) for name, words in named
    ]
    for moment, words in DFT_WORDS.items():
        ends = [headline.get(f"{moment}_dft_{end}_pct") for end in ("least", "most")]
        if None not in ends:
            rows.append((words, " to ".join(f"{end:+.1f}%" for end in ends)))
    known = {*said, "years", "baseline_gbp", "spend_gbp"}
    other = [name for name in headline if name not in known and "_dft_" not in name]
    return rows + [(_named(name), _figure(name, headline[name])) for name in other]


def _over_years(name: str, words: str, headline: Mapping[str, Any]) -> str:
    """Over several years places are counted once a year, and the words say so."""
    counted = name.startswith("places_") and headline.get("years", 1) > 1
    return f"{words}, counted each year" if counted else words


def _named(name: str) -> str:
    return name.removesuffix("_gbp").removesuffix("_pct").replace("_", " ")


def _figure(name: str, value: Any) -> str:
    if value is None or isinstance(value, str):
        return str(value or "–")
    if name.endswith("_gbp"):
        return pounds(value)
    if "people" in name or name.startswith("population_"):
        return f"{value:,.0f}"
    return f"{value:,.2f}%" if name.endswith("_pct") else f"{value:,.6g}" if isinstance(value, float) else f"{value:,}"


def status_words(said: Mapping[str, Any]) -> str:
    """`optimal: every objective proven ..., widest gap £0`, or what is missing and what has no bound."""
    if said["status"] == "evaluated":
        outside = " It is outside the rules, and bounds hold for groupings within them" if said.get("broken") else ""
        return f"evaluated: a given grouping, nothing was sought{outside and '.'}{outside}"
    widest = widest_words(said["objectives"])
    if said["status"] == "optimal":
        return f"optimal: every objective proven by a bound, {widest}"
    missing = ", ".join(one["name"] for one in said["objectives"] if not one.get("proven"))
    return f"not proven within the asked gap: {missing}; {widest} (best plan and bound are written)"


def status_line(said: Mapping[str, Any]) -> str:
    """The status for a terminal: green when proven, red when not, the same words without colour."""
    colour = {"optimal": "green", "evaluated": "bold"}.get(said["status"], "red")
    status, _, rest = status_words(said).partition(":")
    return f"[{colour}]{status}[/{colour}]:{rest}"


def widest_words(objectives: Sequence[Mapping[str, Any]]) -> str:
    """The widest gap in pounds, then in percent among objectives that are not money, then those without a bound."""
    money = [one["gap_gbp"] for one in objectives if one.get("gap_gbp") is not None]
    other = [one["gap"] for one in objectives if one.get("gap_gbp") is None and one.get("gap") is not None]
    unbounded = [one["name"] for one in objectives if one.get("gap_gbp") is None and one.get("gap") is None]
    parts = [f"widest gap £{max(money, default=0.0):,.0f}"] if money or not (other or unbounded) else []
    parts += [f"{max(other):.4%} where the objective is not money"] if other else []
    parts += [f"no bound for {', '.join(unbounded)}"] if unbounded else []
    return ", ".join(parts)


def gap_words(one: Mapping[str, Any]) -> str:
    """A stage's gap in pounds, or in percent where its unit is not money; `unknown` without a bound."""
    if one.get("gap_gbp") is not None:
        return f"£{one['gap_gbp']:,.0f}"
    return "unknown" if one.get("gap") is None else f"{one['gap'] * 100:.4f}%"


def objective_row(one: Mapping[str, Any]) -> tuple[str, ...]:
    """One stage: name, value, bound, gap, value at the finished plan."""
    money = one["unit"] == "GBP m"

    def show(value: float | None) -> str:
        if value is None:
            return "none"
        return say_money(value) if money else f"{value:,.6g}"

    return one["name"], show(one["value"]), show(one["bound"]), gap_words(one), show(one.get("final_value"))


def rule_row(one: Mapping[str, Any]) -> tuple[str, str, str]:
    """One rule: name and parameters, how often it binds, its price in words."""
    said = ", ".join(
        f"{name} {value}" for name, value in one.get("parameters", {}).items() if value not in ("none", "[]")
    )
    binding = f"{one['binding']:,} of {one['rows']:,}" if "rows" in one else str(one.get("binding", "–"))
    return f"{one['name']} {said}".strip(), binding, str(one.get("price_words") or one.get("price") or "–")
