"""Small fields of free choice, and every lawful coalition of one enumerated by the independent checker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from grouping_cases import checked

from allocopt.check.grouping import _CHECKS, Grouped
from allocopt.choice.field import Field
from allocopt.grouping.instance import Instance, on_sphere

Coalitions = list[tuple[float, tuple[int, ...]]]


def random_field(seed: int) -> tuple[Instance, np.ndarray]:
    """4 to 10 places with random sizes, reach, areas and rules, and their latitude and longitude."""
    draw = np.random.default_rng(1000 + seed)
    n = int(draw.integers(4, 11))
    where = np.column_stack([52 + 0.2 * draw.random(n), 0.3 * draw.random(n)])
    budget, people = draw.integers(5, 20, n).astype(float), draw.integers(10, 60, n) * 100.0
    window = {
        "min": float(round(people.sum() * draw.choice([0.15, 0.25, 0.35]))),
        "max": float(round(people.sum() * draw.choice([0.5, 0.8]))),
    }
    offered = {
        "reach": (0.7, {"max": float(draw.choice([8, 14, 20]))}),
        "stay_in_area": (0.25, {}),
        "population_window": (0.8, window),
        "balance_band": (0.25, {"max": float(draw.choice([0.05, 0.15]))}),
        "contiguity": (0.2, {"graph": "delaunay"}),
        "deprivation_mix": (0.15, {"max": 0.4}),
        "surplus_concentration": (0.15, {"max": 0.8}),
    }
    return (
        Instance(
            places=tuple(f"P{number}" for number in range(n)),
            population=people,
            budget=budget,
            spend=np.round(budget * (1 + 0.3 * draw.standard_normal(n)), 3),
            area=tuple(str(one) for one in draw.choice(["north", "south"], n)),
            may_hub=np.ones(n, dtype=bool),
            declared=False,
            position=on_sphere(where[:, 0], where[:, 1]),
            imd=np.round(5 + 40 * draw.random(n), 1),
            settings={name: said for name, (chance, said) in offered.items() if draw.random() < chance},
        ),
        where,
    )


def plain(
    balance: Sequence[float], people: Sequence[float], *, least: float, most: float = np.inf, budget: float = 10.0
) -> Instance:
    """Places at one point: `balance` GBP million, no geography."""
    n = len(balance)
    return Instance(
        places=tuple(f"P{number}" for number in range(n)),
        population=np.array(people, dtype=float),
        budget=np.full(n, budget),
        spend=budget - np.array(balance, dtype=float),
        area=("all",) * n,
        may_hub=np.ones(n, dtype=bool),
        declared=False,
        settings={"population_window": {"min": least, "max": most}},
    )


def lawful(instance: Instance, where: np.ndarray, of: Field) -> Coalitions:
    """(ratio, members) of every coalition that breaks no rule around at least one of its members."""
    nobody = checked(instance, where, np.arange(len(instance)))
    found = []
    for mask in range(1, 2 ** len(instance)):
        members = tuple(p for p in range(len(instance)) if mask >> p & 1)
        if any(_obeys(nobody, members, hub) for hub in members):
            found.append((of.ratio(members), members))
    return found


def _obeys(nobody: Grouped, members: tuple[int, ...], hub: int) -> bool:
    hubs = np.arange(len(nobody.places))
    hubs[list(members)] = hub
    codes = {nobody.places[p] for p in members}
    grouped = replace(nobody, hub=hubs)
    return not any(at in codes for name, said in nobody.settings.items() for at, _ in _CHECKS[name](grouped, said))


def core(coalitions: Coalitions) -> list[tuple[float, tuple[int, ...]]]:
    """The best coalition first, then the best of those that share no member with it, and so on."""
    left, order = coalitions, []
    while left:
        best = max(left)
        order.append(best)
        left = [one for one in left if not set(one[1]) & set(best[1])]
    return order


def largest_gain(coalitions: Coalitions, level: np.ndarray) -> float:
    """The most that the members of a coalition would all gain; 0 where none gains."""
    return max([0.0, *(ratio - float(level[list(members)].max()) for ratio, members in coalitions)])


def least_total(coalitions: Coalitions, level: np.ndarray, weight: np.ndarray, least: float) -> float:
    """The least payments, by trying each member of the coalition that gains most as the one who is paid to stay."""
    ratio = np.array([one for one, _ in coalitions])
    inside = np.zeros((len(coalitions), len(level)), dtype=bool)
    for number, (_, members) in enumerate(coalitions):
        inside[number, list(members)] = True
    best, seen = [float("inf")], set()

    def pay(paid: np.ndarray, total: float) -> None:
        state = tuple(np.round(paid, 6))
        if total >= best[0] or state in seen:
            return
        seen.add(state)
        short = ratio - least - np.where(inside, level + paid, -np.inf).max(axis=1, initial=-np.inf)
        if (short <= 1e-5).all():
            best[0] = total
            return
        worst = int(np.argmax(short))
        for p in np.flatnonzero(inside[worst]).tolist():
            need = ratio[worst] - least - level[p] - paid[p]
            more = paid.copy()
            more[p] += need
            pay(more, total + need * float(weight[p]))

    pay(np.zeros(len(level)), 0.0)
    return best[0]
