"""Paths over years at national size: this package's rounds beside HiGHS alone on the same matrices.

    python tests/benchmarks/paths.py [--years 4 10] [--raw 600] [--linopy] [--whole] [--objectives NAME ...]

The scenario is `england-path` (7,325 practices; gross deficit, then shortfall below target, then movement). For longer
paths the last published year goes on: pots, targets and spend grow by 3.8% a year. Every method solves the same three
stages with the same caps. `--raw` is the time that each HiGHS method may take for each stage (0 leaves HiGHS out);
`--linopy` builds and solves the same path in linopy too (the `benchmarks` extra); `--whole` times the whole command,
reports and all, as a process of its own; `--objectives worst_shortfall movement` solves for others instead, alone.
Seconds are of one process on one thread; `cpu` does not count what other programs take.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import highspy
import numpy as np

from allocopt.model import load_model
from allocopt.plan import gather
from allocopt.problem import Situation, build
from allocopt.scenario import load
from allocopt.settings import ObjectiveSetting
from allocopt.solve.blocks import find_blocks
from allocopt.solve.certificate import dual_bound
from allocopt.solve.compiled import Compiled, compile_problem
from allocopt.solve.decompose import audit
from allocopt.solve.highs import as_lp
from allocopt.solve.stages import lexicographic

GROWTH = 1.038


class Watch:
    """Seconds of wall clock and of this process's work."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def __str__(self) -> str:
        return f"{time.perf_counter() - self.wall:8.2f} s wall {time.process_time() - self.cpu:8.2f} s cpu"


@contextmanager
def timed(words: str) -> Iterator[None]:
    watch = Watch()
    yield
    print(f"{words:58s} {watch}", flush=True)


def longer(situation: Situation, years: int) -> Situation:
    """The same places over `years` years: the last published year goes on growing."""
    steps = np.minimum(np.arange(years), len(situation.years) - 1)
    grown = GROWTH ** np.maximum(0, np.arange(years) - len(situation.years) + 1)
    pot = np.round(situation.pot[steps] * grown, 6)
    share = situation.target[:, steps] / situation.target[:, steps].sum(axis=0)
    return replace(
        situation,
        years=tuple(f"{2019 + t}-{20 + t}" for t in range(years)),
        pot=pot,
        target=share * pot,
        population=situation.population[:, steps],
        previous_population=situation.previous_population[:, steps],
        spend=situation.spend[:, steps] * grown,
    )


def capped(compiled: Compiled, caps: list[float]) -> Compiled:
    for number, cap in enumerate(caps):
        compiled = compiled.with_row(f"cap_{number}", compiled.costs[number], lower=-np.inf, upper=cap)
    return compiled


def raw(programmes: list[tuple[Compiled, np.ndarray]], options: dict[str, object], limit: float) -> list[str]:
    """HiGHS alone on the same matrices: value, status and proof of each stage."""
    found = []
    for compiled, cost in programmes:
        highs = highspy.Highs()
        for option, value in {"output_flag": False, "threads": 1, "time_limit": limit, **options}.items():
            highs.setOptionValue(option, value)
        highs.passModel(as_lp(compiled, cost))
        watch = Watch()
        highs.run()
        solution, status = highs.getSolution(), highs.modelStatusToString(highs.getModelStatus())
        bound = dual_bound(compiled, cost, np.array(solution.row_dual)) if solution.dual_valid else -np.inf
        value = float(cost @ np.array(solution.col_value)) if solution.value_valid else np.nan
        found.append(
            f"{watch}  {status:18s} value {value:14.6f}  gap {abs(value - bound) / max(abs(value), 1e-6):8.1e}"
        )
    return found


def compare(years: int, limit: float, *, linopy: bool, objectives: list[str]) -> None:
    loaded = load("england-path")
    facts = gather(loaded)
    model, scenario = load_model("pace_of_change"), loaded.scenario
    print(f"\n{years} years, {len(facts.situation.places):,} practices")
    situation = longer(facts.situation, years)
    with timed("building"):
        chosen = [ObjectiveSetting(name=name) for name in objectives] or scenario.objectives
        programme = build(situation, model, rules=scenario.rules, objectives=chosen)
    with timed("compiling"):
        compiled = compile_problem(programme)
    print(f"{compiled.matrix.shape[0]:,} rows, {compiled.matrix.shape[1]:,} columns, {compiled.matrix.nnz:,} entries")
    aims = [objective for objective, _ in programme.objectives]
    lexicographic(compiled, aims, solver=scenario.solver, pot=float(situation.pot.max()))  # loops compiled, once
    with timed("allocopt, all stages with their proofs"):
        _, stages = lexicographic(compiled, aims, solver=scenario.solver, pot=float(situation.pot.max()))
    for stage in stages:
        print(f"  {stage.name:24s} value {stage.value:14.6f}  gap {stage.gap:8.1e}  {stage.method}")
    if objectives:
        return
    caps = [stage.cap for stage in stages]
    programmes = [(capped(compiled, caps[:number]), compiled.costs[number]) for number in range(len(stages))]
    with timed("audit of the first stage by HiGHS (chains at the prices)"):
        blocks = find_blocks(compiled)
        assert blocks is not None
        audited = audit(compiled, blocks, compiled.costs[0], stages[0].prices, time_limit=600)
    second = dual_bound(compiled, compiled.costs[0], audited)
    print(f"  bound {second:.6f}, by the chains' own prices {stages[0].bound:.6f}")
    if linopy:
        in_linopy(situation, caps, limit)
    methods: list[tuple[str, dict[str, object]]] = [
        ("HiGHS default (simplex)", {}),
        ("HiGHS IPX, no crossover", {"solver": "ipx", "run_crossover": "off"}),
        ("HiGHS HiPO, no crossover", {"solver": "hipo", "run_crossover": "off"}),
    ]
    for words, options in methods if limit else []:
        for stage, line in zip(stages, raw(programmes, options, limit), strict=True):
            print(f"{words:26s} {stage.name:24s} {line}", flush=True)


def in_linopy(situation: Situation, caps: list[float], limit: float) -> None:
    """The same path written and solved in linopy, by HiGHS's best method, from the situation to the last stage."""
    from in_linopy import stages  # noqa: PLC0415 - an optional extra

    watch = Watch()
    options = {"solver": "hipo", "run_crossover": "off"}
    for value, wall, cpu in stages(situation, caps, options, limit or 600.0):
        print(
            f"{'linopy, HiPO (the first with building)':58s} {wall:8.2f} s wall {cpu:8.2f} s cpu  value {value:14.6f}"
        )
    print(f"{'linopy end to end: building and three stages':58s} {watch}", flush=True)


def whole_command() -> None:
    with tempfile.TemporaryDirectory() as folder, timed("whole command: run england-path"):
        command = [
            sys.executable,
            "-m",
            "allocopt.cli",
            "run",
            "england-path",
            "--quiet",
            "--out",
            folder,
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--years", type=int, nargs="+", default=[4, 10])
    options.add_argument("--raw", type=float, default=600.0)
    options.add_argument("--whole", action="store_true")
    options.add_argument("--linopy", action="store_true")
    options.add_argument("--objectives", nargs="+", default=[])
    chosen = options.parse_args()
    if chosen.whole:
        whole_command()
    for years in chosen.years:
        compare(years, chosen.raw, linopy=chosen.linopy, objectives=chosen.objectives)


if __name__ == "__main__":
    main()
