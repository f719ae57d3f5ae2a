"""One place in words and figures that can go into a letter: every list of amounts adds up to the line under it.

Imports the types of `explain`, `console` and `units`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from allocopt.report.console import console
from allocopt.units import say_money, write_rate

if TYPE_CHECKING:
    from allocopt.explain import Explained, Explanation
    from allocopt.explain.causes import Waterfall
    from allocopt.explain.formula_steps import Part
    from allocopt.explain.limit_steps import Limit
    from allocopt.explain.member import Member

Row = tuple[str, str]
Sheet = tuple[str, list[Row]]

NEAR = 2
"""Pounds: an amount so near to a limit stands at it, but for rounding."""
BASES = {
    "floor_damping": "its floor",
    "capped_gains": "its target, but no less than its floor and no more than its cap",
}
"""What a place gets before the share that all places get."""
WORDS, AMOUNT = 98, 16
"""Widths of the two columns."""
PER_HEAD = "What makes it more or less than an equal share per head (each by itself, whatever the order)"


def show_explanation(found: Explanation) -> None:
    """Print the sheets of every year, then the comparison with another run."""
    print_sheets(found, sheets(found))


def print_sheets(found: Explanation | Member, made: Sequence[Sheet]) -> None:
    """Print a heading that names place, scenario and run, then sheet after sheet."""
    out = console()
    out.print(f"[bold]{escape(found.name)} ({escape(found.place)})[/bold]   {escape(found.scenario)}   {found.run}")
    for title, rows in made:
        out.print(f"\n[bold]{escape(title)}[/bold]")
        lines = Table.grid(padding=(0, 2))
        lines.add_column(width=min(WORDS, out.width - AMOUNT - 2))
        lines.add_column(width=AMOUNT, justify="right")
        for words, amount in rows:
            lines.add_row(f"  {escape(words)}", escape(f"£{amount}" if amount[:1].isdigit() else amount))
        out.print(lines)


def sheets(found: Explanation) -> list[Sheet]:
    """Everything that is said, sheet by sheet: title, and rows of words and amount."""
    made = [sheet for one in found.years for sheet in _year(found, one, many=len(found.years) > 1)]
    if found.against is not None:
        title = "Why it differs from the other run (each cause by itself, whatever the order)"
        made.append((title, waterfall_rows(found.against, "this run")))
    return made


def _year(found: Explanation, one: Explained, *, many: bool) -> Iterator[Sheet]:
    when = f"{one.year}: " if many else ""
    yield f"{when}Its fair share", _target_rows(found, one)
    if one.drivers:
        yield f"{when}{PER_HEAD}", _driver_rows(one)
    yield f"{when}How far it may move", _limit_rows(one)
    yield f"{when}What it receives, and why", _received_rows(found, one)
    if "spend_gbp" in one.row:
        kind = f" ({found.spend_words})" if found.modelled_spend else ""
        yield f"{when}What it is expected to spend{kind}", _spend_rows(one)


def _driver_rows(one: Explained) -> list[Row]:
    first, *others = one.drivers
    rows = [(driver.name, signed(driver.amount_gbp)) for driver in others]
    return [(first.name, pounds(first.amount_gbp)), *rows, ("fair share", pounds(one.row["target_gbp"]))]


def _target_rows(found: Explanation, one: Explained) -> list[Row]:
    rows: list[Row] = []
    if one.people is not None and one.all_people:
        share = one.people / one.all_people
        said = f"{one.people:,.0f} people, {share:.4%} of {one.all_people:,.0f} in {found.places:,} places"
        rows.append((said, ""))
    rows += [(_part_words(part), pounds(part.amount_gbp)) for part in one.parts]
    rows.append(("fair share (target)", pounds(one.row["target_gbp"])))
    if one.people and one.all_people:
        head, every = one.row["target_gbp"] / one.people, one.all_target_gbp / one.all_people
        rows.append((f"that is £{head:,.0f} a head; £{every:,.0f} for all places together", ""))
    return rows


def _part_words(part: Part) -> str:
    money = say_money(part.money)
    if part.share is None:
        sums = " less ".join(f"{name} {_number(value)}" for name, value in part.columns.items())
        return f"{part.name}: its own cost, {sums}; {money} for all places"
    shared = f"{part.name}: {write_rate(part.share)} of what is shared by need, {money}"
    if part.need is None or part.total_need is None:
        return f"{shared}; its part is {part.fraction:.5%}"
    product = " x ".join(f"{name} {_number(value)}" for name, value in part.columns.items())
    equals = f" = {_number(part.need)}" if len(part.columns) > 1 else ""
    return f"{shared}; {product}{equals} of {_number(part.total_need)}: {part.fraction:.5%}"


def _limit_rows(one: Explained) -> list[Row]:
    row = one.row
    opening = _distance(float(row["opening_dft_pct"]))
    rows = [
        (f"last year it received, {opening} its fair share of last year's money", pounds(row["baseline_gbp"])),
        (f"with the growth of all places, {one.uniform_growth:+.2%}, it would receive", pounds(row["uniform_gbp"])),
    ]
    return rows + [line for limit in one.limits for line in _limit_lines(limit, int(row["allocation_gbp"]))]


def _limit_lines(limit: Limit, given: int) -> Iterator[Row]:
    name = f"{limit.rule}{f' ({limit.said})' if limit.said else ''}"
    if limit.joint:
        yield f"{name}: a rule about many places together, with no limit of its own here", ""
    if limit.share is not None:
        yield from _shared_lines(limit, name, given)
        return
    for side, amount in (("at least", limit.at_least_gbp), ("at most", limit.at_most_gbp)):
        if amount is not None:
            here = "; this is where it ended" if limit.binds and abs(amount - given) <= NEAR else ""
            yield f"{name}: {side}{here}", pounds(amount)


def _shared_lines(limit: Limit, name: str, given: int) -> Iterator[Row]:
    """Base, share x gain, and what they come to; the second is what is left, so that they add up."""
    total = limit.at_least_gbp or 0
    yield f"{name}: {BASES.get(limit.rule, 'without the common share')}", pounds(limit.base_gbp)
    if limit.gain_gbp:
        said = (
            f"{limit.share:.10f}, the share that all places get, of the £{pounds(limit.gain_gbp)} of its target above"
        )
        yield said, signed(total - limit.base_gbp)
    here = "; this is where it ended" if limit.binds and abs(total - given) <= NEAR else ""
    yield f"{limit.rule}: exactly{here}", pounds(total)


def _received_rows(found: Explanation, one: Explained) -> list[Row]:
    rows = waterfall_rows(one.change, f"it receives in {one.year}")
    row = one.row
    closing = _distance(float(row["closing_dft_pct"]))
    rows.append((f"that is {row['growth_pct']:+.2f}% on last year, and {closing} its fair share", ""))
    return [*rows, (_why(found, one), "")]


def _why(found: Explanation, one: Explained) -> str:
    fixed = [one.rule for one in one.limits if one.binds and one.at_least_gbp == one.at_most_gbp]
    if fixed:
        return f"{' and '.join(fixed)} says exactly what it receives"
    if one.binds:
        return f"it stands at the limit of {' and '.join(one.binds)}"
    near = {limit.rule: off for limit in one.limits if (off := _off(limit, one)) <= found.slack_gbp}
    if near:
        said = " and ".join(f"£{pounds(off)} from the limit of {rule}" for rule, off in near.items())
        return f"it ends {said}, within the £{pounds(found.slack_gbp)} that the slack of the objectives may move it"
    aims = ", then ".join(name.replace("_", " ") for name in found.objectives)
    return f"no rule stops it: between its limits the objectives decide ({aims})"


def _off(limit: Limit, one: Explained) -> float:
    """Pounds from the nearer limit; without end where there is none."""
    given = int(one.row["allocation_gbp"])
    return min((abs(end - given) for end in (limit.at_least_gbp, limit.at_most_gbp) if end is not None), default=inf)


def _spend_rows(one: Explained) -> list[Row]:
    row = one.row
    carried = "carried_forward_gbp" in row
    owed = int(row["carried_forward_gbp"]) if carried else 0
    rows = [("expected spend", pounds(row["spend_gbp"] - owed))]
    rows += [("deficit of the years before, to be paid first", signed(owed))] if owed else []
    rows.append(("less what it receives", signed(-row["allocation_gbp"])))
    if row["deficit_gbp"] > 0:
        return [
            *rows,
            ("deficit", pounds(row["deficit_gbp"])),
            *_deficit_parts(row, "it receives, or received, less" if owed else "it receives less"),
            *(_deficit_ages(row) if carried else ()),
        ]
    return [*rows, ("surplus" if row["surplus_gbp"] else "neither deficit nor surplus", pounds(row["surplus_gbp"]))]


def _deficit_parts(row: Mapping[str, Any], why: str) -> list[Row]:
    return [
        (f"of it underfunding: {why} than its fair share", pounds(row["deficit_underfunding_gbp"])),
        ("of it spending above need", pounds(row["deficit_above_need_gbp"])),
    ]


def _deficit_ages(row: Mapping[str, Any]) -> list[Row]:
    """The same deficit by whether it is of the year itself."""
    return [
        ("the same deficit: new this year", pounds(row["deficit_new_gbp"])),
        ("the same deficit: of the years before, not repaid", pounds(row["deficit_carried_gbp"])),
    ]


def waterfall_rows(found: Waterfall, end: str) -> list[Row]:
    """From, cause by cause, to."""
    causes = [(cause, signed(amount)) for cause, amount in found.parts] or [("nothing differs", signed(0))]
    return [(found.from_words, pounds(found.from_gbp)), *causes, (end, pounds(found.to_gbp))]


def pounds(amount: float) -> str:
    """Whole pounds with separators."""
    return f"{round(amount):,}"


def signed(amount: float) -> str:
    """Whole pounds with their sign."""
    return f"{round(amount):+,}"


def _distance(percent: float) -> str:
    if round(percent, 2) == 0:
        return "at"
    return f"{abs(percent):.2f}% {'above' if percent > 0 else 'below'}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}" if abs(value) >= 1000 else f"{value:,.6g}"


def plain_text(found: Explanation) -> str:
    """Everything in plain lines, for a letter or a test."""
    return "\n".join(_lines(sheets(found)))


def _lines(made: Sequence[Sheet]) -> Iterator[str]:
    for title, rows in made:
        yield title
        yield from (f"  {words}{f'  {amount}' if amount else ''}" for words, amount in rows)
