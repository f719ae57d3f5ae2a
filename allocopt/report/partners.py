"""Free choice on the page: one picture of who shares a budget with whom, then the plans, who would leave, what holds.

The picture is an SVG that stands by itself, so that it can be shown elsewhere too. Imports `material`, `parts`,
`charts`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from allocopt.report.charts import BLUE, ORANGE, Series, bars
from allocopt.report.material import Material
from allocopt.report.parts import Column, Figure, Grid, Section, grid_of_frame
from allocopt.units import say_money

NAMES = {
    "unpooled": "Nobody pools",
    "free_choice": "Free choice",
    "regulated_within_areas": "Placed by the centre, within areas",
    "regulated_across_areas": "Placed by the centre, across areas",
    "bound_within_areas": "No plan within areas can do better",
    "bound_across_areas": "No plan at all can do better",
}
FURTHEST = 15.0
"""Percent of budget: the picture ends there, and what lies beyond is counted in its last bars."""
BINS = 60
CAP = 1.6
"""Bars are cut off where they hold so many times the people of the tallest bar of the middle row."""
WIDE, LEFT, RIGHT, HIGH, TOP = 720, 16, 16, 62, 58
"""Units of the picture: its width, its margins, the height of one row, and where the first begins."""
INTRODUCTION = (
    "Suppose that every practice may choose its partners, and that the practices of a consortium share its surplus or "
    "deficit equally. Then everybody wants the partners who have most left over. The best-off practices that can "
    "reach each other get together first, then the best of those that remain, and so on: nobody in a good "
    "consortium would swap, and nobody in a bad one is wanted elsewhere. That is what is worked out here."
)
LEAVE = (
    "Each group of practices in the table would be better off by leaving its present groups and sharing a budget of "
    "its own; every member gains at least the amount shown."
)


def named(found: Material, plan: str) -> str:
    """A plan as people call it."""
    if plan in NAMES:
        return NAMES[plan]
    if any(one["plan"] == plan for one in found.record["judged"]):
        return f"Present groups ({plan})"
    words = plan.replace("_", " ")
    return f"Free choice, {words}"


def partners_sections(found: Material) -> list[Section]:
    """The sections of a run of free choice; none for other runs."""
    if "plans" not in found.tables or "price" not in found.tables:
        return []
    return [_who_section(found), _price_section(found), _leave_section(found)]


def _who_section(found: Material) -> Section:
    said = found.record
    proof = "The proof" if said["status"] == "optimal" else "What is proven"
    words = (INTRODUCTION, f"{proof}: {said['objectives'][0]['words']}.")
    items = [_judged_words(one) for one in said["judged"]]
    drivers = [grid for one in said["judged"] for grid in _driver_grids(found, one)]
    return Section(
        "partners", "Who would join whom", words, tuple(items), figures=(_who_figure(found),), grids=tuple(drivers)
    )


def _judged_words(one: Any) -> str:
    return f"{one['words'][0].upper()}{one['words'][1:]}. At the bottom of it: {one['bottom']['words']}."


def _driver_grids(found: Material, one: Any) -> Iterator[Grid]:
    if one["shunning"] is None:
        return
    part = Column("part of the score", "number")
    for what, columns in (("areas", ("area",)), ("places", ("place", "name"))):
        listed = one["shunning"]["drivers"][what]
        rows = tuple((*(row[name] for name in columns), row["contribution"]) for row in listed)
        title = f"{named(found, one['plan'])}: the {what} that add most to the shunning score"
        yield Grid(title, (*map(Column, columns), part), rows)


def _who_figure(found: Material) -> Figure:
    caption = (
        "Each row is one way of sharing budgets; people stand where the balance of their consortium is. Far from the "
        "middle on both sides means that winners sit with winners and losers with losers; close to the middle means "
        f"that surpluses cover deficits. Grey: people whose practice is left out.{found.mark}"
    )
    alt = f"Rows of bars, one for each plan: people by the balance of their consortium. {caption}"
    title = f"Who shares a budget with whom{found.mark}"
    return Figure("partners", title, caption, alt, svg=picture(found), modelled=found.modelled)


def picture(found: Material) -> str:
    """The picture as one SVG element with its own fonts and colours."""
    price = found.tables["price"].set_index("plan")
    rows = [(plan, _people(found, plan)) for plan in _drawn(found, price)]
    most = float(np.sqrt(CAP * np.median([sum(people).max() for _, people in rows])))
    height = TOP + HIGH * len(rows) + 44
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {height}" width="{WIDE}" role="img" '
            f'font-family="Arial, Helvetica, sans-serif" font-size="12" fill="#1a1a1a" aria-label="Who shares a budget '
            f'with whom, {len(rows)} plans">'
        ),
        f'<rect width="{WIDE}" height="{height}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="22" font-size="16" font-weight="bold">Who shares a budget with whom</text>',
        f'<text x="{LEFT}" y="40">People, by the balance of the consortium that their practice is in</text>',
    ]
    for number, (plan, people) in enumerate(rows):
        parts += _row(TOP + HIGH * number, named(found, plan), _row_words(found, price.loc[plan]), people, most)
    parts += _axis(TOP + HIGH * len(rows), modelled=found.modelled)
    return "".join([*parts, "</svg>"])


def _drawn(found: Material, price: pd.DataFrame) -> list[str]:
    return [plan for plan in price.index if plan == "unpooled" or plan in found.tables["plans"].columns]


def _people(found: Material, plan: str) -> tuple[Any, Any]:
    """People in each bin of balance (share of budget): those in a consortium, and those left out."""
    places = found.tables["places"].set_index("place")
    group = pd.Series("", index=places.index)
    if plan != "unpooled":
        group = found.tables["plans"].set_index("place")[plan].fillna("").reindex(places.index)
    alone = (group == "").to_numpy()
    key = group.where(~alone, places.index.to_series())
    sums = places[["budget_gbp", "spend_gbp"]].groupby(key.to_numpy()).transform("sum")
    share = 100 * (1 - sums["spend_gbp"] / sums["budget_gbp"])
    at = np.clip(share.to_numpy(), -FURTHEST, FURTHEST)
    people, edges = places["population"].to_numpy(dtype=float), np.linspace(-FURTHEST, FURTHEST, BINS + 1)
    outside = alone & (plan != "unpooled")
    inside, left = (np.histogram(at[one], edges, weights=people[one])[0] for one in (~outside, outside))
    return inside, left


def _row(top: int, name: str, words: str, people: tuple[Any, Any], most: float) -> Iterator[str]:
    """A row of bars (their height goes with the square root of people, so that small groups are seen)."""
    wide, floor, room = (WIDE - LEFT - RIGHT) / BINS, top + HIGH - 8, HIGH - 30
    yield f'<text x="{LEFT}" y="{top + 12}" font-weight="bold">{escape(name)}</text>'
    yield f'<text x="{WIDE - RIGHT}" y="{top + 12}" text-anchor="end">{escape(words)}</text>'
    yield f'<line x1="{LEFT}" x2="{WIDE - RIGHT}" y1="{floor}" y2="{floor}" stroke="#767676" stroke-width=".6"/>'
    yield f'<line x1="{WIDE / 2}" x2="{WIDE / 2}" y1="{floor - room}" y2="{floor + 4}" stroke="#1a1a1a"/>'
    for at in range(BINS):
        inside, left = float(people[0][at]), float(people[1][at])
        both, own = (room * min(1.0, float(np.sqrt(one)) / most) for one in (inside + left, inside))
        x, colour = LEFT + wide * at, BLUE if at >= BINS // 2 else ORANGE
        yield from _bar(x, floor, both, wide, "#b0b0b0") if left else ()
        yield from _bar(x, floor, own, wide, colour) if inside else ()


def _bar(x: float, floor: float, high: float, wide: float, colour: str) -> Iterator[str]:
    if high >= 0.25:
        yield (
            f'<rect x="{x + 0.5:.1f}" y="{floor - high:.1f}" width="{wide - 1:.1f}" height="{high:.1f}" '
            f'fill="{colour}"/>'
        )


def _axis(top: int, *, modelled: bool) -> Iterator[str]:
    middle, wide = WIDE / 2, WIDE - LEFT - RIGHT
    for at in (-15, -10, -5, 0, 5, 10, 15):
        x = middle + wide * at / (2 * FURTHEST)
        anchor = "start" if at == -15 else "end" if at == 15 else "middle"
        more = " or worse" if at == -15 else " or better" if at == 15 else ""
        yield f'<text x="{x:.0f}" y="{top + 10}" text-anchor="{anchor}">{at:+d}%{more}</text>'.replace("+0%", "0%")
    spend = " Practice spend is modelled." if modelled else ""
    yield (
        f'<text x="{middle}" y="{top + 30}" text-anchor="middle" fill="#444444">Balance as a share of budget: '
        f"orange deficit, blue surplus, grey left out.{spend}</text>"
    )


def _row_words(found: Material, row: Any) -> str:
    words = f"deficits {say_money(float(row['gross_deficit_gbp']) / 1e6)}"
    if row["captured_pct"] == row["captured_pct"] and row.name != "unpooled":
        words += f", {row['captured_pct']:.0f}% of what pooling could do"
    left = float(row["people_left_out"])
    given = any(one["plan"] == row.name and one["places_left_aside"] for one in found.record["judged"])
    where = "in none" if given else "left out"
    return words + (f", {left / 1e6:.1f}m people {where}" if left >= 50_000 and row.name != "unpooled" else "")


def _price_section(found: Material) -> Section:
    price = found.tables["price"]
    names = [named(found, str(plan)) for plan in price["plan"]]
    deficit = price["gross_deficit_gbp"].astype(float)
    spec = bars(
        names,
        [Series("gross deficit", (deficit / 1e6).tolist(), [say_money(one / 1e6) for one in deficit], ORANGE, "/")],
        axis="£m of gross deficit",
    )
    caption = (
        "Gross deficit is the overspends of consortia (and of practices in none) added up; surpluses elsewhere do not "
        f"offset them. The last rows are limits that no plan for everybody passes.{found.mark}"
    )
    title = f"The price of free choice{found.mark}"
    grid = grid_of_frame(f"Plans side by side{found.mark}", price.assign(plan=names))
    figure = Figure("price", title, caption, f"Bars. {caption}", spec=spec, grid=grid, modelled=found.modelled)
    return Section("price", "The price of free choice", figures=(figure,), grids=(_scores(found),))


def _scores(found: Material) -> Grid:
    table = found.tables["shunning"]
    title = (
        "Do surplus practices sit together? 0% is as mixed as random regroupings of the same neighbourhoods, 100% is "
        f"winners and losers wholly apart{found.mark}"
    )
    columns = ("plan", "index_pct", "p_value", "score", "expected", "isolation_pct", "isolation_expected_pct")
    if not len(table):
        return Grid(title, (Column("plan"),), ())
    return grid_of_frame(title, table[list(columns)].assign(plan=[named(found, str(one)) for one in table["plan"]]))


def _leave_section(found: Material) -> Section:
    kept = found.record["keeps_together"]
    items: Sequence[str] = ()
    if kept:
        items = [one["words"] for one in kept["levers"]]
        items = [*items, *(kept[name]["words"] for name in ("payments", "core_charges") if name in kept)]
        items = [f"{one[0].upper()}{one[1:]}." for one in items]
    title = "Who would leave, and what would keep them" if kept else "Who would leave"
    words = (LEAVE, *((f"What would keep {kept['plan']} together:",) if kept else ()))
    table = found.tables["blocking"].drop(columns=["members", "hub"])
    grids = (grid_of_frame(f"Who would leave{found.mark}", table),) if len(table) else ()
    return Section("leave", title, words, tuple(items), grids=grids)


__all__ = ["partners_sections", "picture"]
