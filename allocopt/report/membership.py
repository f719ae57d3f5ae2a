"""A place's consortium in words and figures that can go into a letter. Imports the types of `explain`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from allocopt.inputs.tables import count
from allocopt.report.explanation import Row, Sheet, pounds, print_sheets, show_explanation, signed

if TYPE_CHECKING:
    from allocopt.explain.member import Member
    from allocopt.explain.whole import Place

SHOWN = 8
"""Members that are named one by one."""


def show_place(found: Place) -> None:
    """Print what is said of a place: its allocation, then its consortium."""
    if found.allocation is not None:
        show_explanation(found.allocation)
    if found.grouping is not None:
        print_sheets(found.grouping, member_sheets(found.grouping))


def member_sheets(found: Member) -> list[Sheet]:
    """Everything that is said of a place's consortium, sheet by sheet."""
    spend = " (modelled spend)" if found.modelled_spend else ""
    made = [
        ("Its consortium", list(_consortium_rows(found))),
        (f"What it brings and what it is expected to spend{spend}", _own_rows(found)),
        (f"What its consortium pools{spend}", list(_pooled_rows(found))),
        ("Why this hub", list(_hub_rows(found))),
    ]
    return made + ([("The rules", list(_rule_rows(found)))] if found.rules or found.exempted else [])


def _consortium_rows(found: Member) -> Iterator[Row]:
    line, hub = found.consortium, f"{found.hub_name} ({found.hub})"
    if found.hub == found.place:
        yield f"it is the hub of its consortium: {count(int(line['places']), 'place')}", ""
    else:
        yield f"it belongs to the consortium of {hub}: {count(int(line['places']), 'place')}", ""
        yield (
            f"its hub is {found.km:,.1f} km away; its consortium's people are {line['travel_km']:,.1f} km on average",
            "",
        )
    yield f"it has {found.people:,.0f} people; the consortium has {line['population']:,.0f}", ""
    if found.area != found.hub_area:
        yield f"it lies in {found.area}, its hub in {found.hub_area}", ""
    if found.present:
        yield f"it {'leaves' if found.moves else 'stays in'} its present group, {found.present}", ""
    shown, more = found.members[:SHOWN], len(found.members) - SHOWN
    if shown:
        yield f"with {', '.join(shown)}{f' and {more:,} more' if more > 0 else ''}", ""


def _own_rows(found: Member) -> list[Row]:
    balance = found.budget_gbp - found.spend_gbp
    words = "by itself it would have a " + ("surplus" if balance > 0 else "deficit")
    end = (words, pounds(abs(balance))) if balance else ("by itself it would have neither deficit nor surplus", "0")
    return [("it brings", pounds(found.budget_gbp)), ("less expected spend", signed(-found.spend_gbp)), end]


def _pooled_rows(found: Member) -> Iterator[Row]:
    line = found.consortium
    for (number, money), words, sign in ((found.over, "more", -1), (found.under, "less", 1)):
        if number:
            yield (
                f"{count(number, 'member spends', 'members spend')} {words} than brought, together",
                signed(sign * money),
            )
    balance = int(line["balance_gbp"])
    end = "left over" if balance > 0 else "not covered: the consortium's deficit" if balance else "nothing is left over"
    yield end, pounds(abs(balance))
    offset = min(found.over[1], found.under[1])
    yield "set off against each other inside the consortium", pounds(offset)


def _hub_rows(found: Member) -> Iterator[Row]:
    if found.hub == found.place:
        yield "a hub's own place belongs to its own consortium", ""
    elif found.nearest:
        yield "no hub of the plan is nearer", ""
    for one in found.nearer:
        yield f"{one.name} ({one.hub}) is nearer, {one.km:,.1f} km: {one.words}", ""
    if found.nearer and found.status != "evaluated":
        aims = ", then ".join(name.replace("_", " ") for name in found.objectives)
        yield f"where the rules leave a choice, the objectives decide for all places together ({aims})", ""
    if found.status == "evaluated":
        yield "the grouping was given: nothing was sought", ""


def _rule_rows(found: Member) -> Iterator[Row]:
    for one in found.rules:
        yield f"{one.rule}: {one.words}{'; at its limit here' if one.binds else ''}", ""
    for words in found.exempted:
        said = "breaks" if found.status == "evaluated" else "exempted"
        yield f"{said}: {words}", ""
