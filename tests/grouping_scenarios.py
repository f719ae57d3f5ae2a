"""A random grouping written down as a scenario with its table, so that it can be asked for as a user would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from grouping_cases import checked, legal_plans

from allocopt.check.grouping import haversine
from allocopt.grouping.instance import Instance
from allocopt.model import load_model

COLUMNS = "population: people, latitude: lat, longitude: lon, area: area, hub: hub, group: now, imd: imd"


def scenario_of(
    folder: Path, instance: Instance, where: np.ndarray, objectives: Sequence[str], **grouping: str
) -> Path:
    """A folder with places.csv and random.yaml; budgets are baselines, to the pound as the instance has them."""
    rows = ["code,people,lat,lon,area,hub,now,imd,base_m,spend_m,weight"]
    for p, code in enumerate(instance.places):
        imd = "" if np.isnan(instance.imd[p]) else f"{instance.imd[p]}"
        now = instance.present[p] if instance.present else ""
        place = f"{code},{instance.population[p]},{where[p, 0]!r},{where[p, 1]!r},{instance.area[p]}"
        hub, money = int(instance.may_hub[p]), f"{instance.budget[p]},{instance.spend[p]},{instance.budget[p]}"
        rows.append(f"{place.replace('np.float64', '')},{hub},{now},{imd},{money}".replace("(", "").replace(")", ""))
    (folder / "places.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    said = {"budget": "baseline", "hubs": "declared" if instance.declared else "optional", **grouping}
    text = f"""format: 1
name: random grouping
model: consortia
years: [2019-20]
pot: £{instance.budget.sum():g}m
inputs:
  places:
    table: places.csv
    key: code
    columns: {{{COLUMNS}}}
    missing: {{imd: {{treat: own_group}}}}
  baseline: {{table: places.csv, column: base_m, unit: £m}}
  spend: {{table: places.csv, column: spend_m, unit: £m}}
formula:
  need: {{share: 100%, need: weight}}
grouping: {{{", ".join(f"{key}: {value}" for key, value in said.items())}}}
rules: {{{", ".join(f"{name}: {written(name, rule)}" for name, rule in instance.settings.items())}}}
objectives: [{", ".join(objectives)}]
solver: {{gap: 0%, slack: 0%, slack_at_least: £0.1, time_limit: 60s}}
"""
    path = folder / "random.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def written(name: str, said: Mapping[str, Any]) -> str:
    """A rule's parameters as a scenario writes them."""
    rule = load_model("consortia").rule(name)
    return "{" + ", ".join(f"{key}: {rule.parameters[key].write(value)}" for key, value in said.items()) + "}"


def least(instance: Instance, where: np.ndarray, rule: str, parameter: str) -> float | None:
    """By enumeration: the number of a rule that is just enough for some grouping that obeys all other rules."""
    rest = {name: said for name, said in instance.settings.items() if name != rule}
    if len(NEEDS_OF[rule]) > 1:
        other = {key: one for key, one in instance.settings[rule].items() if key != parameter}
        rest |= {rule: other} if other else {}
    plans = [np.array(hub) for hub, _ in legal_plans(replace(instance, settings=rest), where)]
    found = [NEEDS[rule, parameter](instance, where, hub) for hub in plans]
    if not found:
        return None
    return max(found) if parameter in ("min", "rate") else min(found)


def _people(instance: Instance, hub: np.ndarray) -> list[float]:
    return [float(instance.population[hub == h].sum()) for h in np.unique(hub)]


def _common(instance: Instance, h: int) -> np.ndarray:
    areas = np.array(instance.area)
    return areas == areas[h] if instance.on("stay_in_area") else np.ones(len(areas), dtype=bool)


def _balance(instance: Instance, at: np.ndarray) -> float:
    return float(1 - instance.spend[at].sum() / instance.budget[at].sum())


def _score(instance: Instance, at: np.ndarray) -> float:
    known = at & ~np.isnan(instance.imd)
    people = instance.population[known]
    return float(instance.imd[known] @ people / people.sum()) if known.any() else float("nan")


def _contained(instance: Instance, members: np.ndarray) -> float:
    areas, people = np.array(instance.area), instance.population
    both = [(people[members & (areas == a)].sum(), people[areas == a].sum()) for a in set(instance.area)]
    return float(max(min(held / people[members].sum(), held / whole) for held, whole in both))


def _held(instance: Instance, members: np.ndarray, h: int) -> float:
    surplus, areas = np.maximum(0.0, instance.budget - instance.spend), np.array(instance.area)
    could = np.ones(len(areas), dtype=bool)
    if instance.on("stay_in_area"):
        could &= areas == areas[h]
    if instance.declared:
        could &= ~instance.may_hub | (np.arange(len(areas)) == h)
    return float(surplus[members].sum() / surplus[could].sum()) if surplus[could].sum() else 0.0


def _moved(instance: Instance, hub: np.ndarray) -> float:
    now = np.array(instance.present)
    return float(((now != "") & (now != now[hub])).sum())


def _farthest(instance: Instance, where: np.ndarray, hub: np.ndarray) -> float:
    return float(haversine(checked(instance, where, hub), np.arange(len(hub)), hub).max())


NEEDS = {
    ("reach", "max"): _farthest,
    ("population_window", "min"): lambda instance, _, hub: min(_people(instance, hub)),
    ("population_window", "max"): lambda instance, _, hub: max(_people(instance, hub)),
    ("balance_band", "max"): lambda instance, _, hub: max(
        abs(_balance(instance, hub == h) - _balance(instance, _common(instance, h))) for h in np.unique(hub)
    ),
    ("number_of_consortia", "max"): lambda _instance, _, hub: len(np.unique(hub)),
    ("number_of_consortia", "min"): lambda _instance, _, hub: len(np.unique(hub)),
    ("deprivation_mix", "max"): lambda instance, _, hub: max(
        np.nan_to_num(abs(_score(instance, hub == h) / _score(instance, _common(instance, h)) - 1))
        for h in np.unique(hub)
    ),
    ("surplus_concentration", "max"): lambda instance, _, hub: max(
        _held(instance, hub == h, h) for h in np.unique(hub)
    ),
    ("containment", "rate"): lambda instance, _, hub: min(_contained(instance, hub == h) for h in np.unique(hub)),
    ("moves", "max"): lambda instance, _, hub: _moved(instance, hub),
}
NEEDS_OF = {rule: [key for key in NEEDS if key[0] == rule] for rule, _ in NEEDS}


def number(text: str) -> float:
    """`12.5 km`, `3%` and `2000` as the engine holds them."""
    if text.endswith("%"):
        return float(text[:-1]) / 100
    return float(text.removesuffix(" km"))
