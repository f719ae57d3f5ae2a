"""Consortia of England with a proven gap: one row a case, each against the gap and the time that are asked of it.

    python tests/benchmarks/grouping.py [--only NAME ...] [--workers 2] [--effort 1] [--twice]

The first six cases are the real practices with the budgets and the one draw of modelled spend of
`scenarios/data/england_grouping_benchmark.csv`; the cases `held-out ...` ask the same of the practices of
`consortia-stp` on the pot of 2019/20, with the budgets of that year's formula and spend drawn by another seed: nothing
was tuned on them. Every plan goes through the independent checker before its row is printed. Seconds are the clock's,
with processor seconds beside them (all processes); `--twice` solves again with one worker and says whether the plan is
the same.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2]))

from allocopt.check.grouping import Grouped, broken_rules
from allocopt.consortia import instance_of, money_of
from allocopt.grouping.instance import Instance, on_sphere
from allocopt.grouping.neighbours import graph_of
from allocopt.grouping.solution import Solution, Task, solve_grouping
from allocopt.model import load_model
from allocopt.plan import gather
from allocopt.scenario import load
from allocopt.settings import Grouping, Solver
from allocopt.shipped import shipped

WINDOW = {"min": 100_000.0, "max": 500_000.0}
HELD_OUT = "held-out "


@dataclass(frozen=True)
class Case:
    """What is asked: rules, the gap as a fraction, seconds, and the most GBP m or km where an amount is asked."""

    name: str
    settings: Mapping[str, Mapping[str, object]]
    gap: float
    seconds: int
    free: bool = False
    most_gbp_m: float = float("inf")
    most_km: float = float("inf")
    travel_gap: float = 1.0
    slack: str = "0.01%"
    """of gross deficit, that its stage leaves to travel"""


OPEN = Case(
    "free hubs",
    {"reach": {"max": 25.0}, "population_window": WINDOW},
    0.015,
    600,
    free=True,
    most_km=7.0,
    slack="0.05%",
)
GIVEN = (
    Case("areas", {"reach": {"max": 55.0}, "stay_in_area": {}}, 0.001, 60, travel_gap=0.01),
    Case(
        "band",
        {"reach": {"max": 55.0}, "stay_in_area": {}, "population_window": WINDOW, "balance_band": {"max": 0.015}},
        0.005,
        90,
    ),
    Case("across areas", {"reach": {"max": 40.0}}, 0.01, 120),
    OPEN,
    Case(
        "contiguous in areas",
        {"stay_in_area": {}, "population_window": WINDOW, "contiguity": {"graph": "delaunay"}},
        0.02,
        300,
        free=True,
    ),
    Case(
        "contiguous",
        {"reach": {"max": 25.0}, "population_window": WINDOW, "contiguity": {"graph": "delaunay"}},
        1.0,
        300,
        free=True,
        most_gbp_m=370.0,
    ),
)

CASES = (*GIVEN, *(replace(one, name=f"{HELD_OUT}{one.name}") for one in GIVEN if "contiguous" not in one.name))


def practices() -> pd.DataFrame:
    """The practices of the benchmark, sorted by code."""
    data = shipped("scenarios") / "data"
    left, right = (pd.read_csv(data / f"england_{name}.csv") for name in ("practices_2018_19", "grouping_benchmark"))
    return left.merge(right, on="practice_code", validate="1:1").sort_values("practice_code", ignore_index=True)


def instance_for(case: Case, spend_seed: int) -> tuple[Instance, np.ndarray]:
    """The instance of a case, and latitude and longitude in degrees."""
    if case.name.startswith(HELD_OUT):
        facts = gather(load("consortia-stp", set={"inputs.spend.seed": str(spend_seed)}))
        said = facts.loaded.scenario.grouping or Grouping()
        found = instance_of(facts, load_model("consortia"), said, *money_of(facts, None, said))
        where = np.column_stack([facts.inputs.role(one).to_numpy(float) for one in ("latitude", "longitude")])
        hubs = np.ones(len(found), dtype=bool) if case.free else found.may_hub
        return replace(found, settings=case.settings, declared=not case.free, may_hub=hubs), where
    table = practices()
    where = table[["latitude", "longitude"]].to_numpy(float)
    return Instance(
        places=tuple(table["practice_code"]),
        population=table["registered_pop_2018_19"].to_numpy(float),
        budget=table["budget_k"].to_numpy(float) / 1e3,
        spend=table["modelled_spend_k"].to_numpy(float) / 1e3,
        area=tuple(table["stp_code"]),
        may_hub=np.ones(len(table), dtype=bool) if case.free else table["hub"].to_numpy() == 1,
        declared=not case.free,
        position=on_sphere(where[:, 0], where[:, 1]),
        settings=case.settings,
    ), where


def solved(case: Case, instance: Instance, workers: int, effort: float) -> Solution:
    """The plan of a case."""
    model = load_model("consortia")
    objectives = [model.objective(name) for name in ("gross_deficit", "travel")]
    solver = Solver.model_validate({"gap": f"{100 * case.gap}%", "time_limit": f"{case.seconds}s", "slack": case.slack})
    said = {"deterministic": True, "workers": workers, "effort": effort, "travel_gap": f"{100 * case.travel_gap}%"}
    return solve_grouping(Task(model, instance, objectives, solver, Grouping.model_validate(said)))


def broken(found: Solution, where: np.ndarray) -> list[str]:
    """What the independent checker says against a plan."""
    instance, links = found.instance, None
    if instance.on("contiguity"):
        graph = graph_of(instance)
        links = [(p, int(q)) for p in range(len(instance)) for q in graph.of(p) if p < q]
    given = Grouped(
        places=instance.places,
        population=instance.population,
        budget=instance.budget,
        spend=instance.spend,
        area=instance.area,
        hub=found.hub,
        settings=instance.settings,
        latitude=where[:, 0],
        longitude=where[:, 1],
        declared=instance.may_hub.tolist() if instance.declared else None,
        may_hub=instance.may_hub.tolist(),
        links=links,
        excess=instance.excess,
    )
    return [str(one) for one in broken_rules(given)]


def _processor() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def row(case: Case, found: Solution, where: np.ndarray, took: tuple[float, float]) -> str:
    """One row of the table."""
    deficit, travel = found.stages
    wrong = broken(found, where)
    gap = (deficit.final_value - deficit.bound) / max(deficit.final_value, 1e-6)
    met = gap <= case.gap and deficit.final_value < case.most_gbp_m and travel.final_value < case.most_km
    met = met and travel.gap <= case.travel_gap and took[0] <= case.seconds and not wrong
    asked = f"{case.gap:.1%}" if case.gap < 1 else f"< {case.most_gbp_m:,.0f}"
    return (
        f"{case.name:<23} {asked:>6} {case.seconds:>4} s | {deficit.final_value:9.3f} {deficit.bound:9.3f} "
        f"{gap:8.3%} {deficit.by:<8} | {travel.final_value:7.3f} km {travel.bound:7.3f} {travel.gap:7.2%} | "
        f"{len(np.unique(found.hub)):4d} {len(found.exemptions):3d} | {took[0]:6.1f} s {took[1]:6.1f} s | "
        f"{'met' if met else 'NOT met'}{'' if not wrong else f'; ILLEGAL: {wrong[:3]}'}"
    )


def main() -> None:
    """Print the table."""
    read = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    read.add_argument("--only", nargs="+", choices=[one.name for one in CASES], default=[one.name for one in CASES])
    read.add_argument("--workers", type=int, default=2)
    read.add_argument("--effort", type=float, default=1.0)
    read.add_argument("--spend-seed", type=int, default=11, help="of the held-out cases")
    read.add_argument("--twice", action="store_true")
    said = read.parse_args()
    print(f"{'case':<24} asked   in   |   deficit     bound      gap by       |     travel   bound     gap |")
    for case in (one for one in CASES if one.name in said.only):
        instance, where = instance_for(case, said.spend_seed)
        start, used = time.perf_counter(), _processor()
        found = solved(case, instance, said.workers, said.effort)
        print(row(case, found, where, (time.perf_counter() - start, _processor() - used)), flush=True)
        if said.twice:
            again = solved(case, instance, 1, said.effort)
            same = (again.hub == found.hub).all() and again.stages[0].bound == found.stages[0].bound
            print(f"    {'the same plan and bound' if same else 'ANOTHER PLAN'} with one worker", flush=True)


if __name__ == "__main__":
    main()
