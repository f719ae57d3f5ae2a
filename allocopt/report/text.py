"""What the terminal says about a run, a check and a verdict. Imports `runs`, `check`, `units`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Console
from rich.markup import escape

from allocopt.record import warnings_of
from allocopt.report.choice_text import show_choice
from allocopt.report.console import console, table
from allocopt.report.grouping_text import show_grouping
from allocopt.report.headline import headline_rows, objective_row, pounds, rule_row, status_line
from allocopt.report.risk_text import show_stress
from allocopt.units import say_money

if TYPE_CHECKING:
    from allocopt.check.folder import Verdict
    from allocopt.exchange.desk import Taken
    from allocopt.plan import Facts
    from allocopt.runs import Run


def show_run(found: Run, *, quiet: bool = False) -> None:
    """Header, overrides, status with the gap in pounds, headline, objectives, rules, warnings, where it was written."""
    out = console()
    if quiet:
        out.print(str(found.folder), soft_wrap=True)
        return
    said = found.record
    _header(out, said)
    if "judged" in said:
        show_choice(out, found)
        return
    if "consortia" in said["headline"]:
        show_grouping(out, found)
        return
    out.print(status_line(said))
    out.print(
        table(
            "Headline",
            ["", "modelled spend" if said["modelled_spend"] else "all years"],
            headline_rows(said),
        )
    )
    out.print(
        table(
            "Objectives, in order",
            ["objective", "value", "proven bound", "gap", "at the plan"],
            map(objective_row, said["objectives"]),
        )
    )
    out.print(table("Rules", ["rule", "binding rows", "price of easing it"], map(rule_row, said["rules"]), left=1))
    headings, rows = region_table(found.effects)
    title = f"{region_title(found)} (against uniform growth)"
    out.print(table(title, headings, rows) if rows else f"{title}: no region or area is told apart")
    if "formulas" in found.tables:
        out.print(table("Candidate formulas, against the scenario's own", *formula_table(found.effects), left=1))
    show_stress(said.get("stress", {}))
    out.print(f"\n{escape(said['summary'])}\n")
    for warning in said["warnings"]:
        out.print(f"[yellow]note:[/yellow] {escape(warning)}")
    out.print(f"written to {found.folder}", soft_wrap=True)


def _header(out: Console, said: Mapping[str, Any]) -> None:
    models, years = ", ".join(said["model"]), ", ".join(said["scenario"]["years"])
    out.print(f"[bold]{escape(said['name'])}[/bold]")
    out.print(f"model {models}; years {years}")
    for override in said["overrides"]:
        out.print(f"  changed: {escape(override)}")


def formula_table(effects: pd.DataFrame) -> tuple[list[str], list[tuple[str, ...]]]:
    """Each candidate: money moved, places that gain and lose, and that cross 5, 10 and 20% from target."""
    rows = effects[effects["table"] == "formulas"]
    wide = rows.pivot_table(index="group", columns="measure", values="value", sort=False)
    shown = []
    for name, row in wide.iterrows():
        crossing = (
            f"{row[f'crossing_out_{limit}_places']:,.0f} out, {row[f'crossing_in_{limit}_places']:,.0f} in"
            for limit in (5, 10, 20)
        )
        gains = f"{row['gaining_places']:,.0f} / {row['losing_places']:,.0f}"
        shown.append((escape(str(name)), pounds(int(row["gross_movement_gbp"])), gains, *crossing))
    return ["formula", "moves", "gain / lose", "past 5%", "past 10%", "past 20%"], shown


def region_title(found: Run) -> str:
    """Of a path over years the table is of the last year, while the headline adds the years up."""
    years = list(dict.fromkeys(found.allocations["year"]))
    return f"Who gains and who loses, by region{f', in {years[-1]} alone' if len(years) > 1 else ''}"


def region_table(effects: pd.DataFrame) -> tuple[list[str], list[tuple[str, ...]]]:
    """The first grouping of the effects table as headings and rows."""
    first = next((name for name in ("by_region", "by_area") if (effects["table"] == name).any()), None)
    if first is None:
        return [], []
    wide = effects[effects["table"] == first].pivot_table(index="group", columns="measure", values="value", sort=False)
    wanted = {
        "places": "places",
        "against_uniform_gbp": "gain or loss",
        "deficit_gbp": "deficit",
        "opening_dft_pct": "opening DfT",
        "closing_dft_pct": "closing DfT",
    }
    shown = {name: words for name, words in wanted.items() if name in wide.columns}
    rows = [(str(group), *(_cell(name, row[name]) for name in shown)) for group, row in wide.iterrows()]
    return [first.removeprefix("by_"), *shown.values()], rows


def _cell(name: str, value: float) -> str:
    if name.endswith("_gbp"):
        return pounds(int(value))
    return f"{value:+.2f}%" if name.endswith("_pct") else f"{value:,.0f}"


def show_exchange(taken: Taken) -> None:
    """What an import or an export wrote, what to know about it, and the lines a scenario needs."""
    out = console()
    for path in taken.written:
        out.print(f"wrote {path}", soft_wrap=True)
    for note in taken.notes:
        out.print(f"[yellow]note:[/yellow] {escape(note)}")
    if taken.scenario:
        out.print(f"in a scenario:\n{escape(taken.scenario)}", soft_wrap=True)


def show_check(facts: Facts) -> None:
    """What a scenario would run on: places, pot, files, choices."""
    out = console()
    scenario = facts.loaded.scenario
    out.print(f"[bold]{escape(scenario.name)}[/bold]: nothing wrong found")
    out.print(
        table(
            "",
            ["file", "rows", "sha-256"],
            [(one.file, f"{one.rows:,}", one.sha256[:16]) for one in facts.inputs.files],
        )
    )
    pots = ", ".join(f"{year} {say_money(pot)}" for year, pot in facts.inputs.pot.items())
    baseline = say_money(float(facts.situation.baseline.sum()))
    out.print(f"{len(facts.situation.places):,} places; pot {pots}; baseline {baseline}")
    for warning in warnings_of(facts):
        out.print(f"[yellow]note:[/yellow] {escape(warning)}")


def show_verdict(verdict: Verdict) -> None:
    """Each check and what it found."""
    out = console()
    rows = [
        ("[green]passed[/green]" if one.passed else "[red]FAILED[/red]", one.name, escape(one.words))
        for one in verdict.checks
    ]
    out.print(table("", ["", "check", "found"], rows, left=3))
    said = "every check passed" if verdict.passed else "this run does not hold: see FAILED above"
    out.print(f"[bold]{said}[/bold]")
