"""What free choice means in words: whether a plan holds, who sits with whom, and what is wrong with being shunned.

Those at the bottom are the left out and the fifth of people whose consortia have the worst balance. Their deficits are
split into underfunding and spending above need: to be shunned for a budget below need is another wrong than to be
shunned for spending above it. Imports `choosing`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from allocopt.choice.field import Array, Flags, Ints, level_of
from allocopt.choice.shunning import Shunning
from allocopt.choosing import Chosen, Judged
from allocopt.spend import AREA_COLUMN
from allocopt.units import say_money

LISTED = 5
"""How many areas and places that drive a score run.json and the terminal name."""
WITHOUT_MEASURE = 1e11
"""A gain above this is that of places that are in no consortium: any lawful one is better."""
CHANCE = 0.05
"""A p-value up to this is told as more than chance."""


@dataclass(frozen=True)
class Standing:
    """Some places: how many people, their deprivation, and their deficits in pounds, split."""

    places: int
    people: float
    imd: float | None
    balance_gbp: int
    deficit_gbp: int
    deficit_underfunding_gbp: int
    deficit_above_need_gbp: int

    @property
    def underfunding_pct(self) -> float:
        """The share of the deficits that is underfunding."""
        return 100 * self.deficit_underfunding_gbp / self.deficit_gbp if self.deficit_gbp else 0.0


def standing(found: Chosen, at: Flags) -> Standing:
    """The places that `at` marks."""
    target = found.facts.situation.target[:, -1] * 1e6
    budget, spend = found.budget.astype(np.float64), found.spend.astype(np.float64)
    deficit = np.maximum(0.0, spend - budget)
    under = np.minimum(deficit, np.maximum(0.0, target - budget))
    money = ((budget - spend)[at], deficit[at], under[at], (deficit - under)[at])
    people = found.of.people
    return Standing(
        int(at.sum()),
        round(float(people[at].sum()), 3),
        mean_of(found.of.instance.imd, people, at),
        *(round(float(one.sum())) for one in money),
    )


def mean_of(values: Array | None, people: Array, at: Flags) -> float | None:
    """The mean by people over the places that state a value; None where none does."""
    if values is None:
        return None
    known = at & ~np.isnan(values)
    return round(float(values[known] @ people[known] / people[known].sum()), 4) if known.any() else None


def fifths(found: Chosen, group: Ints) -> Iterator[tuple[str, Flags]]:
    """Fifths of people by their consortium's balance, the best first, and those in none."""
    level = level_of(found.of, group)
    inside = np.isfinite(level)
    order = np.lexsort((np.arange(len(level)), group, -level))
    order = order[inside[order]]
    below = np.cumsum(found.of.people[order]) / found.of.people[order].sum() if len(order) else np.zeros(0)
    fifth = np.zeros(len(level), dtype=np.int64)
    fifth[order] = np.minimum(4, (below - 1e-12) * 5).astype(np.int64) + 1
    for number in range(1, 6):
        yield f"fifth {number}", fifth == number
    if (~inside).any():
        yield "left out", ~inside


def at_the_bottom(found: Chosen, one: Judged) -> Flags:
    """The worst fifth, and those left out (not those that a given grouping says nothing of)."""
    by_name = dict(fifths(found, one.group))
    worst = by_name["fifth 5"]
    return worst if one.aside or "left out" not in by_name else worst | by_name["left out"]


def shunned(found: Chosen, one: Judged) -> dict[str, Any]:
    """Who is at the bottom of a plan, beside all practices, in figures and words."""
    worst, every = standing(found, at_the_bottom(found, one)), standing(found, np.ones(len(found.of), dtype=bool))
    than = "more" if worst.underfunding_pct > every.underfunding_pct else "less"
    who = "those left out and the worst-placed fifth" if one.aside == 0 and (one.group < 0).any() else "the worst fifth"
    words = (
        f"{who} ({worst.places:,} practices, {worst.people:,.0f} people) overspend by {_money(worst.deficit_gbp)}: "
        f"{_money(worst.deficit_above_need_gbp)} is spending above need and {_money(worst.deficit_underfunding_gbp)} "
        f"({worst.underfunding_pct:.0f}%) underfunding, {than} than the {every.underfunding_pct:.0f}% among all"
    )
    if worst.imd is not None and every.imd is not None:
        words += f"; their mean deprivation score is {worst.imd:.1f} against {every.imd:.1f} (higher is more deprived)"
    return {"worst_placed": asdict(worst), "all": asdict(every), "words": words}


def _money(pounds: float) -> str:
    return say_money(pounds / 1e6)


def drivers(found: Chosen, score: Shunning) -> dict[str, list[dict[str, Any]]]:
    """The areas and the places that add most to score less expected."""
    codes, part = found.of.instance.places, score.contribution
    return {
        "areas": [{"area": name, "contribution": value} for name, value in largest(by_area(found, score))[:LISTED]],
        "places": [
            {"place": name, "name": str(found.facts.inputs.name.loc[name]), "contribution": value}
            for name, value in largest(list(zip(codes, part.tolist(), strict=True)))[:LISTED]
        ],
    }


def by_area(found: Chosen, score: Shunning) -> list[tuple[str, float]]:
    """Each area's part of score less expected."""
    area = np.array(found.of.instance.area, dtype=object)
    return [(name, float(score.contribution[area == name].sum())) for name in sorted(set(area.tolist()))]


def largest(named: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """The largest parts first, to eight places; equal ones by name."""
    return sorted(((name, round(part, 8)) for name, part in named), key=lambda one: (-one[1], one[0]))


def gain_words(found: Chosen, gain: float) -> str:
    """A gain as people say it."""
    return f"£{gain:,.2f} a head" if found.of.share == "per_head" else f"{gain:.3%} of budget"


def words_of(found: Chosen, one: Judged) -> str:
    """Whether a grouping would hold, and whether surplus practices sit together in it."""
    said = [_hold_words(found, one)]
    if one.shunning is not None:
        said.append(_score_words(found, one, one.shunning))
    if one.aside:
        said.append(f"{one.aside:,} practices that it places in no group are left aside")
    return "; ".join(said)


def _hold_words(found: Chosen, one: Judged) -> str:
    top = one.stability.blocking[0] if one.stability.blocking else None
    if one.stability.stable:
        return f"{one.name} would hold: no coalition gains more than {gain_words(found, one.stability.epsilon)}"
    if top is None:
        open_end = f"a gain of up to {gain_words(found, one.stability.epsilon)}"
        if one.stability.epsilon > WITHOUT_MEASURE:
            open_end = "a coalition of practices that are all in none"
        return f"no coalition that would break {one.name} up was found, but {open_end} is not ruled out"
    number = len(one.stability.blocking)
    more = "at least " if number == found.said.shown else ""
    by = f", the first by {gain_words(found, top.gain)} for each member" if np.isfinite(top.level) else ""
    return f"{one.name} would not hold: {more}{number} separate coalitions would gain by leaving{by}"


def _score_words(found: Chosen, one: Judged, score: Shunning) -> str:
    proof = f"(p = {score.p_value:.3f}, {score.permutations:,} random regroupings)"
    if score.p_value > CHANCE:
        return f"surplus practices sit together no more than geography alone brings {proof}"
    said = (
        "surplus practices sit together more than geography alone brings, by "
        f"{score.index:.1%} of the way to complete separation {proof}"
    )
    common = shared_causes(found, one.name)
    return f"{said}; its practices have {' and '.join(common)} in common, which alone brings this" if common else said


def shared_causes(found: Chosen, plan: str) -> list[str]:
    """What the inputs give all members of a judged grouping in common, so that its score says nothing of shunning."""
    scenario = found.facts.loaded.scenario
    spend, shared = scenario.inputs.spend, scenario.inputs.baseline.shared
    causes = []
    if shared is not None and shared.within == plan:
        causes.append("one distance from target (the baseline is shared among them)")
    modelled = found.facts.spend is not None and found.facts.spend.modelled
    if modelled and spend is not None and (spend.area or AREA_COLUMN) == plan and spend.area_sd != 0:
        causes.append("one area shock of modelled spend")
    return causes
