"""Small random groupings, and every assignment of one enumerated: what brute force says about them."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import numpy as np

from allocopt.check.grouping import Grouped, broken_rules, objectives
from allocopt.grouping.instance import Instance, on_sphere, possible_pairs
from allocopt.grouping.neighbours import graph_of
from allocopt.grouping.solution import Task
from allocopt.model import load_model
from allocopt.settings import Grouping, Solver

EXACT = Solver(gap="0%", slack="0%", slack_at_least="£0.1", time_limit="60s")  # type: ignore[arg-type]
KM = 180 / math.pi / 6371.0088
"""Degrees of latitude of a kilometre."""


def row_of_places(
    km: list[float], people: list[float], over: list[float], hub: str, **settings: dict[str, object]
) -> tuple[Instance, np.ndarray]:
    """Places on a meridian with budgets of GBP 10m; `hub` has 1 for those that may be a hub, all of which open."""
    where = np.column_stack([50 + np.array(km) * KM, np.zeros(len(km))])
    instance = Instance(
        places=tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(km)]),
        population=np.array(people, dtype=float),
        budget=np.full(len(km), 10.0),
        spend=10.0 + np.array(over, dtype=float),
        area=("all",) * len(km),
        may_hub=np.array([one == "1" for one in hub]),
        declared=True,
        position=on_sphere(where[:, 0], where[:, 1]),
        imd=np.full(len(km), 20.0),
        settings=settings,
    )
    return instance, where


def random_instance(seed: int) -> tuple[Instance, np.ndarray]:
    """3 to 8 places with random rules, and their latitude and longitude in degrees."""
    draw = np.random.default_rng(seed)
    hubs = ("free", "optional", "declared")[seed // 3 % 3]
    n = int(draw.integers(3, 7 if hubs == "free" else 9))
    where = np.column_stack([52 + 0.2 * draw.random(n), 0.3 * draw.random(n)])
    budget = draw.integers(5, 20, n).astype(float)
    may_hub = np.ones(n, dtype=bool) if hubs == "free" else draw.random(n) < 0.35
    may_hub[int(draw.integers(n))] = True
    instance = Instance(
        places=tuple(f"P{number}" for number in range(n)),
        population=draw.integers(10, 60, n) * 100.0,
        budget=budget,
        spend=np.round(budget * (1 + 0.3 * draw.standard_normal(n)), 3),
        area=tuple(draw.choice(["north", "south"], n)),
        may_hub=may_hub,
        declared=hubs == "declared",
        position=on_sphere(where[:, 0], where[:, 1]),
        imd=np.where(draw.random(n) < 0.1, np.nan, np.round(5 + 40 * draw.random(n), 1)),
        present=tuple(draw.choice(["g1", "g2", ""], n)),
    )
    return replace(instance, settings=random_rules(draw, instance)), where


def random_rules(draw: np.random.Generator, instance: Instance) -> dict[str, dict[str, object]]:
    """Each rule on or off by chance, with parameters that sometimes bind and sometimes cannot hold."""
    codes, total = list(instance.places), float(instance.population.sum())
    some = [str(code) for code in draw.choice(codes, 2, replace=False)]
    offered: dict[str, tuple[float, dict[str, object]]] = {
        "reach": (0.6, {"max": float(draw.choice([8, 14, 20]))}),
        "stay_in_area": (0.25, {}),
        "population_window": (0.4, {"min": round(total * draw.choice([0.1, 0.2])), "max": round(total * 0.8)}),
        "balance_band": (0.2, {"max": float(draw.choice([0.05, 0.15]))}),
        "number_of_consortia": (0.2, {"min": 1, "max": int(draw.integers(1, 4))}),
        "contiguity": (0.25, {"graph": "delaunay"}),
        "deprivation_mix": (0.15, {"max": 0.4}),
        "surplus_concentration": (0.15, {"max": 0.8}),
        "locked": (0.15, {"places": some[:1]}),
        "together": (0.15, {"groups": [some]}),
        "apart": (0.15, {"groups": [some[::-1]]}),
        "containment": (0.1, {"rate": 0.5}),
        "moves": (0.15, {"max": int(draw.integers(0, 4))}),
    }
    rules = {name: said for name, (chance, said) in offered.items() if draw.random() < chance}
    if {"together", "apart"} <= rules.keys():
        del rules["apart"]
    return rules


def checked(instance: Instance, where: np.ndarray, hub: np.ndarray) -> Grouped:
    """An assignment as the checker takes it."""
    graph = graph_of(instance)
    links = None if graph is None else [(p, int(q)) for p in range(len(instance)) for q in graph.of(p) if p < q]
    return Grouped(
        places=instance.places,
        population=instance.population,
        budget=instance.budget,
        spend=instance.spend,
        area=instance.area,
        hub=np.asarray(hub),
        settings=instance.settings,
        latitude=where[:, 0],
        longitude=where[:, 1],
        imd=instance.imd,
        present=instance.present,
        declared=instance.may_hub.tolist() if instance.declared else None,
        links=links,
        aims=instance.aims,
    )


def legal_plans(instance: Instance, where: np.ndarray):
    """Every assignment of places to hubs that breaks no rule, with its objectives."""
    hubs = np.flatnonzero(instance.may_hub).tolist()
    graph = checked(instance, where, np.arange(len(instance)))
    for chosen in product(hubs, repeat=len(instance)):
        if all(chosen[h] == h for h in set(chosen)):
            grouped = replace(graph, hub=np.array(chosen))
            if not broken_rules(grouped):
                yield chosen, objectives(grouped)


def brute_force(instance: Instance, where: np.ndarray, names: list[str]) -> list[float] | None:
    """The lexicographic optimum over all legal plans, or None when there is none."""
    plans = [[found[name] for name in names] for _, found in legal_plans(instance, where)]
    best = []
    for number in range(len(names)):
        if not plans:
            return None
        best.append(min(plan[number] for plan in plans))
        plans = [plan for plan in plans if plan[number] <= best[-1] + 2e-7]
    return best


def task(instance: Instance, names: list[str], *, solver: Solver = EXACT, **grouping: object) -> Task:
    """What `solve_grouping` is asked."""
    model = load_model("consortia")
    said = Grouping.model_validate({"exempt": "none", **grouping})
    return Task(model, instance, [model.objective(name) for name in names], solver, said)


__all__ = ["brute_force", "checked", "legal_plans", "possible_pairs", "random_instance", "row_of_places", "task"]
