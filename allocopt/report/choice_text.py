"""What the terminal says about free choice. Imports `report.console` and `units`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from allocopt.report.console import table
from allocopt.units import say_money

if TYPE_CHECKING:
    from allocopt.runs import Run

PRICE = {
    "plan": "plan",
    "gross_deficit_gbp": "gross deficit",
    "captured_pct": "pooling captured",
    "consortia": "consortia",
    "places_left_out": "left out",
    "people_left_out": "people left out",
    "median_people": "median people",
    "travel_km": "km",
}
SCORES = {"plan": "plan", "index_pct": "shunning index", "p_value": "p", "score": "score", "expected": "by chance"}
COALITIONS = 5
"""How many coalitions that would leave a plan are shown."""


def show_choice(out: Console, found: Run) -> None:
    """The price of free choice, the judgement of each plan, who would leave, what holds, warnings, where it is."""
    said, tables = found.record, found.tables
    spend = "modelled spend" if said["modelled_spend"] else "spend"
    out.print(_status(said))
    out.print(table(f"Plans side by side ({spend})", list(PRICE.values()), _rows(tables["price"], PRICE)))
    if len(tables["shunning"]):
        heading = "Do surplus practices sit together? (0% as random regroupings nearby, 100% complete separation)"
        out.print(table(heading, list(SCORES.values()), _rows(tables["shunning"], SCORES)))
    for one in said["judged"]:
        _bottom(out, one)
    for one in said["judged"]:
        _leavers(out, found, one["plan"])
    kept = said["keeps_together"]
    if kept:
        words = [one["words"] for one in kept["levers"]]
        words += [kept[name]["words"] for name in ("payments", "core_charges") if name in kept]
        out.print(f"[bold]What would keep {escape(kept['plan'])} together[/bold]")
        for one in words:
            out.print(f"- {escape(one)}")
    out.print(f"\n{escape(said['summary'])}\n")
    for warning in said["warnings"]:
        out.print(f"[yellow]note:[/yellow] {escape(warning)}")
    out.print(f"written to {found.folder}", soft_wrap=True)


def _bottom(out: Console, one: Any) -> None:
    """Who is at the bottom of a plan, and which areas drive its score."""
    out.print(f"- {escape(one['plan'])}: {escape(one['bottom']['words'])}")
    score = one["shunning"]
    if score is not None:
        areas = ", ".join(row["area"] for row in score["drivers"]["areas"])
        places = ", ".join(f"{row['place']} {row['name']}" for row in score["drivers"]["places"][:3])
        out.print(f"  its score comes most from {escape(areas)}, and there from practices such as {escape(places)}")


def _status(said: Any) -> str:
    one = said["objectives"][0]
    if said["status"] == "optimal":
        return f"[green]proven[/green]: {one['words']}"
    return f"[red]not proven[/red] within the tolerance asked: {one['words']}"


def _rows(frame: Any, columns: dict[str, str]) -> list[list[str]]:
    return [[_cell(name, row[name]) for name in columns] for row in frame.to_dict("records")]


def _cell(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value.replace("_", " ") if name == "plan" else value
    if value != value:  # noqa: PLR0124 - not a number: there is no such figure
        return ""
    if name.endswith("_gbp"):
        return say_money(value / 1e6)
    if name.endswith("_pct"):
        return f"{value:,.1f}%"
    return f"{value:,.3f}" if name in SCORES else f"{value:,.1f}" if name.endswith("_km") else f"{value:,.0f}"


def _leavers(out: Console, found: Run, plan: str) -> None:
    frame = found.tables["blocking"]
    frame = frame[frame["plan"] == plan].head(COALITIONS)
    if not len(frame):
        return
    rows = [
        (
            f"{one['leader']} {one['leader_name']}",
            str(one["area"]),
            f"{one['places']:,}",
            f"{one['population']:,.0f}",
            _gain(one["gain_per_head_gbp"]),
            say_money(one["total_gain_gbp"] / 1e6) if one["total_gain_gbp"] else "",
        )
        for one in frame.to_dict("records")
    ]
    headings = ["gains most", "area", "practices", "people", "gain a head, at least", "gain in all"]
    out.print(table(f"Who would leave {plan} first", headings, rows, left=2))


def _gain(value: float) -> str:
    """At least so much for each member; a coalition of places that are in no consortium gains without measure."""
    return "all are in none" if value != value else f"£{value:,.2f}"  # noqa: PLR0124 - not a number
