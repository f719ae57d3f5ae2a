"""The standard stress set and the reverse stress tests a second time, in plain numpy and pounds.

Every test of the set is drawn again and summed where budgets are held. A reverse test is held to what it claims: its
shock reaches the limit, one that is 1% smaller does not, and no other target is nearer. For a set of places the last
claim is proven by a bound of another kind than the search: each body's gain under its concave envelope, the steepest
steps first. Imports `check.stress`, `check.bound`, `check.decided`, `check.verdict`, `risk` and `streams`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import pdtr
from scipy.stats import norm

from allocopt import streams
from allocopt.check.bound import Recompiled
from allocopt.check.decided import Decided
from allocopt.check.stress import available, drawdown
from allocopt.check.verdict import POUND, Check, Floats, measured
from allocopt.risk import Exposure, draws

AT_ONCE = 100
WRITTEN = 1e-8
"""Shocks are written to a millionth of a percent: half of that, and as much for the limit itself."""
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Held:
    """What is stressed, in pounds by place (n,), and who holds the budgets."""

    base: Floats
    """Spend where every distance is 0"""
    expected: Floats
    """The plan's own expected spend"""
    given: Floats
    components: Mapping[str, Floats]
    """Component -> its part of each place's need"""
    people: Floats
    body: Rows
    """The row of each place's budget holder"""
    area: Rows
    names: tuple[str, ...]
    """Of the areas"""
    kept: float
    """The share of a surplus that is available elsewhere"""
    limit: float

    def by_body(self, amounts: Floats) -> Floats:
        """Draw x place -> draw x body."""
        return np.stack([np.bincount(self.body, weights=row) for row in np.atleast_2d(amounts)])

    def area_of_body(self) -> Rows:
        """(bodies,) the row of the area in which most of each body's places lie."""
        counts = np.zeros((int(self.body.max()) + 1, len(self.names)))
        np.add.at(counts, (self.body, self.area), 1.0)
        return np.asarray(counts.argmax(axis=1))

    def exposure(self, over: Floats, kept: float | None = None) -> Floats:
        """Of bodies' spend less allocation, the last axis bodies; without any drawdown."""
        share = self.kept if kept is None else kept
        found: Floats = over.clip(0.0).sum(axis=-1) - share * (-over).clip(0.0).sum(axis=-1)
        return found


def held(of: Recompiled, decided: Decided, record: Mapping[str, Any]) -> Held:
    """The first year of what was decided."""
    stress, facts = of.facts.stress, of.facts
    assert stress is not None
    assert stress.risk is not None
    assert facts.situation.spend is not None
    year, places = facts.situation.years[0], np.array(decided.known.places)
    labels = {"place": places, "nation": np.zeros(len(places)), **stress.labels}
    names, area = np.unique(labels.get("area", places), return_inverse=True)
    need = facts.targets.target[year].to_numpy(dtype=float)
    return Held(
        base=1e6 * stress.risk.base[:, 0],
        expected=1e6 * facts.situation.spend[:, 0],
        given=decided.given[:, 0],
        components={name: one[year].to_numpy(dtype=float) / need for name, one in facts.targets.components.items()},
        people=facts.situation.population[:, 0],
        body=np.unique(labels[record["stress"]["budget_holder"]], return_inverse=True)[1],
        area=area,
        names=tuple(map(str, names)),
        kept=available(stress.settings.retention[0]),
        limit=1e6 * stress.settings.limit,
    )


def check_reverse(of: Recompiled, decided: Decided, record: Mapping[str, Any], table: pd.DataFrame) -> Iterator[Check]:
    """Each smallest shock of stress.csv at the plan's expected spend; nothing where none was looked for."""
    stress = of.facts.stress
    if stress is None or stress.risk is None or stress.settings.reverse is None:
        return
    one, said = held(of, decided, record), stress.settings.drawdown
    drawn = 0.0 if said is None else 1e6 * said.share * (said.stock + said.foundation_trusts)
    rows = table[table["test"].str.startswith("reverse_") & table["statistic"].str.startswith("target: ")]
    found = table.set_index(["test", "measure", "statistic"])["value"].groupby(level=[0, 1, 2]).first()
    for test, statistic, value in zip(rows["test"], rows["statistic"], rows["value"], strict=True):
        written = {when: float(found[test, "exposure", when]) for when in ("at_the_shock", "just_below")}
        if np.isfinite(value) and value > 0:
            target = statistic.removeprefix("target: ")
            yield _reverse(one, test, target, float(value), written, stress.settings.reverse, drawn)
    if "reverse_bodies_in_deficit" in set(table["test"]):
        yield _in_deficit(one, float(found["reverse_bodies_in_deficit", "smallest_shock", "value"]), stress.settings)


def _reverse(
    one: Held, test: str, target: str, value: float, written: Mapping[str, float], asked: Any, drawn: float
) -> Check:
    """Pounds by which a claim is missed: the exposure at the shock, just below, and of every other target below."""
    kind = test.removeprefix("reverse_")
    if kind in ("places", "number_of_places"):
        number = int(value) - 1 if kind == "number_of_places" else asked.places
        size = asked.places_shock if kind == "number_of_places" else 0.99 * value / 100
        most = _most(one, size, number) + drawn
        what = f"no {number:,} places that spend {100 * size:.4g}% more can breach, by an envelope bound"
        return measured(f"stress {test}", np.array([max(0.0, most - one.limit)]), at=[target], what=what)
    weights = _weights(one, kind)
    size, chosen = value / 100, weights[target]
    at = one.exposure(one.by_body(one.expected * (1 + size * chosen) - one.given))[0] + drawn
    below = {
        name: float(one.exposure(one.by_body(one.expected * (1 + 0.99 * size * weight) - one.given))[0]) + drawn
        for name, weight in weights.items()
    }
    missed = {
        "the shock": abs(at - written["at_the_shock"]),
        "the limit": abs(at - one.limit),
        "1% below": abs(below[target] - written["just_below"]),
        **{f"1% below, {name}": max(0.0, amount - one.limit) for name, amount in below.items()},
    }
    rounding = POUND + WRITTEN * float(one.expected @ np.abs(chosen))
    what = f"{value:.4g}% more of {target} reaches the limit, 1% less of any such target does not"
    return measured(f"stress {test}", np.array([*missed.values()]), at=[*missed], what=what, tolerance=rounding)


def _weights(one: Held, kind: str) -> dict[str, Floats]:
    """The shocks of a kind: target -> the part of each place's spend that it touches."""
    if kind == "uniform":
        return {"every place": np.ones(len(one.expected))}
    if kind == "area":
        return {name: (one.area == row).astype(float) for row, name in enumerate(one.names)}
    name = kind.removeprefix("component_")
    return {name: one.components[name]}


def _most(one: Held, size: float, number: int) -> float:
    """At least the exposure that a shock on `number` places can make: the steepest steps of concave envelopes."""
    over, order = one.by_body(one.expected - one.given)[0], np.argsort(one.body, kind="stable")
    bodies = np.split(order, np.cumsum(np.bincount(one.body))[:-1])
    steps = [_envelope(one, over[row], size * np.sort(one.expected[places])[::-1]) for row, places in enumerate(bodies)]
    return float(one.exposure(over)) + float(np.sort(np.concatenate(steps))[::-1][:number].sum())


def _envelope(one: Held, over: float, touched: Floats) -> Floats:
    """The falling steps of the least concave curve above a body's gain from its 1, 2, ... largest places."""
    gain = np.array(
        [float(one.exposure(np.array([over + more]))) for more in np.concatenate([[0.0], touched.cumsum()])]
    )
    hull = [0]
    for at in range(1, len(gain)):
        while len(hull) > 1 and _below(gain, hull[-2], hull[-1], at):
            hull.pop()
        hull.append(at)
    return np.diff(np.interp(np.arange(len(gain)), hull, gain[hull]))


def _below(gain: Floats, left: int, middle: int, right: int) -> bool:
    return bool((gain[middle] - gain[left]) * (right - left) <= (gain[right] - gain[left]) * (middle - left))


def _in_deficit(one: Held, value: float, settings: Any) -> Check:
    """How many bodies are in deficit at the shock, and 1% below it."""
    wanted = settings.reverse.bodies
    if not np.isfinite(value):
        return measured("stress bodies in deficit", np.zeros(0), at=[], what="no shock was found")
    counts = [
        int((one.by_body(one.expected * (1 + share * value / 100) - one.given) > -POUND * (share > 1)).sum())
        for share in (1 + 1e-6, 0.99)
    ]
    missed = [max(0, wanted - counts[0]), max(0, counts[1] - wanted + (value > 0))]
    what = f"{value:.4g}% more spend puts {counts[0]} bodies in deficit, 1% less of it {counts[1]}"
    return measured(
        "stress bodies in deficit",
        np.array(missed, dtype=float),
        at=["at it", "below it"],
        what=what,
        tolerance=0.0,
        unit="bodies",
    )


def check_tests(of: Recompiled, decided: Decided, record: Mapping[str, Any], table: pd.DataFrame) -> Iterator[Check]:
    """Every test of the standard set that was asked for, drawn again: mean exposure and the share of breaches."""
    stress = of.facts.stress
    if stress is None or stress.risk is None or not stress.settings.tests:
        return
    one, level = held(of, decided, record), record["stress"]["budget_holder"]
    value = table[table["level"] == level].set_index(["test", "measure", "statistic"])["value"]
    names = [name for name in record["stress"]["tests"] if name in TESTS or name.startswith(("demand_", "price_"))]
    for suffix, exposure in (("", stress.risk.exposure), ("_independent", stress.risk.exposure.independent())):
        found = _drawn(of, one, names, exposure)
        off = [abs(float(made.mean()) - value[f"{name}{suffix}", "exposure", "mean"]) for name, made in found.items()]
        what = f"mean exposure in {stress.settings.test_draws:,} draws made again"
        tolerance = POUND + 1e-9 * float(one.base.sum())
        yield measured(f"stress tests{suffix}", np.array(off), at=[*found], what=what, tolerance=tolerance)
        shares = [
            abs(float((made > one.limit).mean()) - value[f"{name}{suffix}", "breach", "probability"])
            for name, made in found.items()
        ]
        yield measured(
            f"stress tests{suffix}, breach",
            np.array(shares),
            at=[*found],
            what="share of draws",
            tolerance=1e-6,
            unit="probability",
        )


TESTS = (
    "area_surge",
    "formula_error",
    "list_inflation",
    "largest_surpluses_lost",
    "high_cost_cases",
    "retention_change",
)


def _drawn(of: Recompiled, one: Held, names: list[str], exposure: Exposure) -> dict[str, Floats]:
    """Test -> exposure of each draw, pounds."""
    stress = of.facts.stress
    assert stress is not None
    assert stress.risk is not None
    risk, count = stress.risk, stress.settings.test_draws
    drawn, parts = drawdown(of)[:count], {name: list[Floats]() for name in names}
    for first in range(1, count + 1, AT_ONCE):
        many = min(AT_ONCE, count + 1 - first)
        distance = draws(risk.model, exposure, seed=risk.seed, first=first, count=many)
        for name in names:
            spend = (1.0 + distance) * _factor(one, name, risk.exposure.keys, risk.seed)
            spend = spend + _added(one, name, exposure, risk.seed, first, many)
            parts[name].append(_exposed(one, name, one.by_body(spend * one.base - one.given)))
    return {name: np.concatenate(made) + drawn[: len(drawn)] for name, made in parts.items()}


def _exposed(one: Held, name: str, over: Floats) -> Floats:
    if name == "retention_change":
        return one.exposure(over, kept=0.0)
    if name != "largest_surpluses_lost":
        return one.exposure(over)
    number = max(1, round(over.shape[1] / 10))
    lost: Floats = (-np.sort(over, axis=1)[:, :number]).clip(0.0).sum(axis=1)
    return one.exposure(over) + one.kept * lost


def _factor(one: Held, name: str, keys: Any, seed: int) -> Floats | float:
    """What a test multiplies the spend of each place with."""
    if name.startswith("demand_"):
        return 1.0 + float(name.removeprefix("demand_").removesuffix("pct")) / 100
    if name.startswith("price_"):
        return 1.0 + 0.05 * one.components[name.removeprefix("price_").removesuffix("_5pct")]
    if name == "area_surge":
        largest = int(np.argmax(np.bincount(one.area, weights=one.given)))
        return np.where(one.area == largest, 1.05, 1.0)
    if name == "list_inflation":
        longer = streams.uniforms(keys, seed=seed, stream="inflated")[0] < 0.1
        true = np.where(longer, 1 / 1.1, 1.0)
        return np.asarray(true * one.base.sum() / (true * one.base).sum())
    return 1.0


def _added(one: Held, name: str, exposure: Exposure, seed: int, first: int, count: int) -> Floats | float:
    """What a test adds to the distance of each place in each draw."""
    if name == "formula_error":
        alone = exposure if exposure.area_keys is not None else exposure.independent()
        assert alone.area_keys is not None
        error = streams.standard_normals(alone.area_keys, seed=seed, stream="formula", first=first, count=count)
        return np.asarray(0.02 * error[:, alone.area_of])
    if name == "high_cost_cases":
        luck = streams.uniforms(exposure.keys, seed=seed, stream="rare", first=first, count=count)
        cases = 0.0006 * one.people
        return np.asarray(_cases(luck, cases) * 0.028 / np.maximum(cases, 1e-12))
    return 0.0


def _cases(luck: Floats, mean: Floats) -> Floats:
    """Draw x place: how many k have P(N <= k) < luck, N Poisson; a mean above 200 counts as a normal."""
    small = mean <= 200.0
    found: Floats = np.zeros_like(luck)
    most = float(mean[small].max(initial=0.0))
    for k in range(int(most + 12.0 * most**0.5) + 20):
        found[:, small] += luck[:, small] > pdtr(k, mean[small])
    large = ~small
    found[:, large] = np.rint(norm.ppf(luck[:, large], mean[large], mean[large] ** 0.5)).clip(0.0)
    return found
