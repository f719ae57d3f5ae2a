"""What the terminal says about a grouping. Imports `report.console` and `units`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from allocopt.report.console import table
from allocopt.report.headline import BY_SOLVER, GROUPING_WORDS, status_line
from allocopt.report.risk_text import show_stress
from allocopt.said_bounds import without_solver
from allocopt.units import say_money

if TYPE_CHECKING:
    from allocopt.runs import Run


def show_grouping(out: Console, found: Run) -> None:
    """Status with the gap, headline, objectives, bounds in words, rules, comparison, warnings, where it was written."""
    said = found.record
    out.print(status_line(said))
    spend = "modelled spend" if said["modelled_spend"] else ""
    out.print(
        table(
            "Headline",
            ["", spend],
            [(words, _value(name, said)) for name, words in GROUPING_WORDS.items() if name in said["headline"]],
        )
    )
    headings = ["objective", "value", "proven bound", "gap", "at the plan", "proved by"]
    out.print(table("Objectives, in order", headings, map(_objective, said["objectives"])))
    rules = [(escape(one["words"]), escape(str(one.get("price_words") or "–"))) for one in said["rules"]]
    out.print(table("Rules", ["rule", "price"], rules, left=2))
    for one in said["bounds"]:
        out.print(f"bound {one['name']}, {say_money(one['value'])}: {escape(one['words'])}")
    plans = found.tables["comparison"]
    columns = [name for name in plans.columns if name != "crossing_cost_gbp" or plans[name].any()]
    rows = [[_cell(name, row[name]) for name in columns] for row in plans.to_dict("records")]
    heads = [name.removesuffix("_gbp").replace("_", " ") for name in columns]
    out.print(table("Comparison", heads, rows))
    show_stress(said.get("stress", {}))
    out.print(escape(said["summary"]))
    for warning in said["warnings"]:
        out.print(f"[yellow]note:[/yellow] {escape(warning)}")
    out.print(f"written to {found.folder}", soft_wrap=True)


def _value(name: str, said: Any) -> str:
    value = said["headline"][name]
    if name.endswith("_gbp"):
        own = name == "bound_gbp" and without_solver(said) is not None
        return say_money(value / 1e6) + (BY_SOLVER if own else "")
    return f"{value:,.2f}" if name == "travel_km" else f"{value:,.0f}"


def _objective(one: Any) -> tuple[str, ...]:
    show = say_money if one["unit"] == "GBP m" else (lambda value: f"{value:,.6g} {one['unit']}")
    return (
        one["name"],
        show(one["value"]),
        show(one["bound"]),
        "none" if one["gap"] is None else f"{one['gap']:.4%}",
        show(one["final_value"]),
        one["by"],
    )


def _cell(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if value != value:  # noqa: PLR0124 - not a number: there is no such figure
        return ""
    if name.endswith("_gbp"):
        return say_money(value / 1e6)
    return f"{value:,.2f}" if name.endswith(("_km", "_pct", "_spread")) else f"{value:,.0f}"
