"""The objectives: what a good allocation makes small, each in its turn.

In every objective `m` is one year's view. `m.positive_part(name, {p: e_p}, most)` gives variables
y_p >= max(0, e_p), where `most` bounds them from above so that every bound can be proved by weak duality.
Imports `model` and `settings.stress` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from allocopt.model import objective
from allocopt.settings.stress import Share, Spread, StrictShare

A_POUND, TEN_PENCE = 1e-6, 1e-7
"""GBP million"""


@objective(
    unit="GBP m",
    equation="sum_p max(0, s_p - x_p)",
    source="Gross deficit: overspends added up without offsetting surpluses elsewhere",
    needs_spend=True,
)
def gross_deficit(m: Any) -> Any:
    """Overspends added up; a surplus elsewhere does not offset them."""
    deficit = m.positive_part("deficit", {p: m.spend[p] - m.allocation[p] for p in m.places}, m.spend)
    return sum(deficit.values())


@objective(
    unit="GBP m",
    equation="sum_p max(0, T_p - x_p)",
    source="Money by which places fall short of their fair share",
)
def shortfall_below_target(m: Any) -> Any:
    """Money by which places fall short of their target."""
    shortfall = m.positive_part("shortfall", {p: m.target[p] - m.allocation[p] for p in m.places}, m.target)
    return sum(shortfall.values())


@objective(
    unit="GBP m",
    equation="1/2 sum_p |x_p - b_p Q / B| = sum_p max(0, x_p - b_p Q / B)",
    source="Distance from uniform growth: half the sum of absolute differences (the gains equal the losses)",
)
def movement(m: Any) -> Any:
    """Money moved between places, against uniform growth of the pot."""
    gain = m.positive_part("gain", {p: m.allocation[p] - m.uniform[p] for p in m.places}, m.pot)
    return sum(gain.values())


@objective(
    unit="GBP m",
    equation="sum_p w_p max(0, T_p - x_p)",
    source="Shortfall below target with each pound weighted by the place's need per head",
    needs=("population",),
)
def need_weighted_shortfall(m: Any) -> Any:
    """Money by which places fall short of their target, a pound counting more where need per head is higher.

    w_p = (T_p / P_p) / (sum T / sum P): need per head over the average need per head.
    """
    shortfall = m.positive_part("shortfall", {p: m.target[p] - m.allocation[p] for p in m.places}, m.target)
    mean = sum(m.target.values()) / sum(m.population.values())
    return sum(m.target[p] / m.population[p] / mean * shortfall[p] for p in m.places)


@objective(
    index="path",
    unit="fraction of target",
    equation="max_p max(0, 1 - x_p / T_p)",
    source="Lexicographic min-max: the worst-off place first, then the next (Rawlsian order)",
    continued=True,
)
def worst_shortfall(views: Sequence[Any]) -> Any:
    """The largest shortfall below target, as a share of target; then the largest of the other places, and so on."""
    worst = views[0].variable("worst_shortfall_level", least=0.0, most=1.0)
    for m in views:
        for p in m.places:
            m.require("worst_shortfall_level_definition", p, m.target[p] * worst + m.allocation[p] >= m.target[p])
    return worst


@objective(
    index="path",
    sense="maximise",
    unit="fraction of the opening distance",
    equation="max l: x_p / T_p >= 1 + (1 - k l) d0_p if d0_p <= 0, <= if d0_p > 0",
    source="The largest common speed of convergence: every place closes at least this part of its distance a year",
)
def common_speed(views: Sequence[Any]) -> Any:
    """The part of its opening distance from target that every place closes each year, as large as the rules allow.

    k is the year of the path; the opening distance is that of the base year rolled forward. A place that opens within a
    pound of its target closes all of it while it keeps its distance, and a whole distance less for every ten pence that
    it falls behind. Below zero places move away from their targets: no speed is too low, so no plan is ruled out.
    """
    lines = [(m, p, _line(m, p)) for m in views for p in m.places]
    slowest = max(_leaves_every_amount(m, line, a_unit) for m, _, (line, a_unit) in lines)
    speed = views[0].variable("common_speed_level", least=-slowest, most=1.0 / len(views))
    for m, p, (line, a_unit) in lines:
        reached = line + a_unit * speed
        ahead = m.allocation[p] >= reached if a_unit > 0 else m.allocation[p] <= reached
        m.require("common_speed_level_definition", p, ahead)
    return speed


def _line(m: Any, p: str) -> tuple[float, float]:
    """What a place would get at speed 0, its opening distance kept, and what a unit of speed adds to it."""
    opening = m.target[p] * m.opening_dft[p]
    if abs(opening) < A_POUND:
        unit = TEN_PENCE if opening <= 0 else -TEN_PENCE
        return m.target[p] + opening - unit, m.step * unit
    return m.target[p] + opening, -m.step * opening


def _leaves_every_amount(m: Any, line: float, a_unit: float) -> float:
    """How far below zero the speed must be for a place's line to allow every amount from nothing to the pot."""
    return max(0.0, line / a_unit if a_unit > 0 else (m.pot - line) / -a_unit)


@objective(
    unit="GBP m",
    equation="max_S sum_p max(0, s_p (1 + [p in S] e) - x_p), |S| <= floor(share n)",
    source="Budgeted uncertainty (Bertsimas and Sim, Operations Research 2004): only so many places go wrong at once",
    needs_spend=True,
)
def worst_deficit(m: Any, *, deviation: Spread = 0.1, share: Share = 0.05) -> Any:
    """Gross deficit when the worst `share` of places each spend `deviation` more than expected.

    By duality the worst case is min over t >= 0 of sum_p w_p + floor(share n) t, w_p >= s_p - x_p,
    w_p + t >= (1 + e) s_p - x_p, w_p >= 0.
    """
    number = int(share * len(m.places) + 1e-9)
    largest = max(m.spend.values(), default=0.0) * (1 + deviation)
    price = m.variable(f"worst_price_{m.year}", least=0.0, most=largest)
    worst = m.positive_part(
        "worst",
        {p: m.spend[p] - m.allocation[p] for p in m.places},
        {p: (1 + deviation) * m.spend[p] for p in m.places},
    )
    for p in m.places:
        m.require(
            f"worst_price_{m.year}_definition", p, worst[p] + price >= (1 + deviation) * m.spend[p] - m.allocation[p]
        )
    return sum(worst.values()) + number * price


@objective(
    unit="GBP m",
    equation="min_t t + sum_k max(0, sum_p max(0, s_pk - x_p) - t) / ((1 - level) K)",
    source="Conditional value at risk over K draws of spend (Rockafellar and Uryasev, Journal of Risk 2000)",
    needs_spend=True,
)
def tail_deficit(m: Any, *, level: StrictShare = 0.9) -> Any:
    """Mean gross deficit of the worst draws of spend: those beyond `level`."""
    totals = []
    for number, spend in enumerate(m.spend_draws, start=1):
        part = m.positive_part(f"deficit_{number}", {p: spend[p] - m.allocation[p] for p in m.places}, spend)
        totals.append(sum(part.values()))
    most = [sum(spend.values()) for spend in m.spend_draws]
    threshold = m.variable(f"tail_threshold_{m.year}", least=0.0, most=max(most))
    excess = {str(k): total - threshold for k, total in enumerate(totals, start=1)}
    beyond = m.positive_part("tail_excess", excess, {str(k): size for k, size in enumerate(most, start=1)})
    return threshold + sum(beyond.values()) / ((1 - level) * len(totals))
