"""National single-year what-ifs: cases a second of a batch, against one process a case, and the memory that it takes.

Run: python tests/benchmarks/batches.py [CASES]        (1,000 unless said: some four minutes on two quiet cores)

A case is England's 7,325 practices with another pot, growth floor and growth ceiling. Prints wall and processor
seconds a case for one and two workers, for one `allocopt run` a case (five of them), the ratios, the peak memory of a
tenth of the cases and of all of them, and whether one and two workers give the same bytes.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

SWEEP = """extends: england
name: what-ifs
sweep:
  how: sample
  draws: {cases}
  seed: 7
  over:
    pot.value: {{from: £78bn, to: £79bn}}
    rules.growth_floor.rate: {{from: 1%, to: 3%}}
    rules.growth_ceiling.rate: {{from: 8%, to: 10%}}
  keep: [gross_deficit_gbp, shortfall_below_target_gbp, movement_gbp]
"""
ALONE = 5


@dataclass(frozen=True)
class Took:
    """Wall and processor seconds of a command, all its processes together, and the largest one's peak memory."""

    wall: float
    processor: float
    megabytes: float


def took(*words: str) -> Took:
    """Run the command line and measure it."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "allocopt.cli", *words, "--quiet"], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"allocopt {' '.join(words)} failed")
    return Took(time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def batch(home: Path, cases: int, workers: int) -> tuple[Took, bytes]:
    """What a batch of so many cases took, and its results."""
    file, out = home / f"sweep{cases}.yaml", home / f"{cases} cases, {workers} workers"
    file.write_text(SWEEP.format(cases=cases), encoding="utf-8")
    measured = took("batch", str(file), "--workers", str(workers), "--out", str(out))
    return measured, next(out.glob("*/results.csv")).read_bytes()


def machine() -> float:
    """What a second core of this machine is worth: two processes that only count, against one after the other."""
    words = [sys.executable, "-c", "sum(range(150_000_000))"]
    start = time.perf_counter()
    for _ in range(2):
        subprocess.run(words, check=True)
    middle = time.perf_counter()
    for process in [subprocess.Popen(words) for _ in range(2)]:
        process.wait()
    return (middle - start) / (time.perf_counter() - middle)


def say(what: str, cases: int, one: Took) -> Took:
    """One line of the table, as soon as it is known."""
    each, used = one.wall / cases, one.processor / cases
    line = f"{what:24}{one.wall:8.1f} s{each:9.4f} s a case{used:9.4f} s of processor a case{one.megabytes:7.0f} MB"
    print(line, flush=True)
    return one


def alone(home: Path) -> Took:
    """A process of its own for each of some cases."""
    runs = [took("run", "england", "--no-report", "--out", f"{home}/runs") for _ in range(ALONE)]
    return Took(sum(run.wall for run in runs), sum(run.processor for run in runs), max(run.megabytes for run in runs))


def main() -> None:
    """Print the table."""
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        few = say(f"{cases // 10:,} cases, 2 workers", cases // 10, batch(home, cases // 10, 2)[0])
        two, of_two = batch(home, cases, 2)
        say(f"{cases:,} cases, 2 workers", cases, two)
        each = say("one process a case", ALONE, alone(home)).wall / ALONE
        quicker, larger = each / (two.wall / cases), two.megabytes / few.megabytes
        print(f"a case in a batch of two workers is {quicker:.1f} times as quick as a process of its own")
        print(f"{cases:,} cases take {larger:.2f} times the memory of {cases // 10:,}", flush=True)
        one, of_one = batch(home, cases, 1)
        say(f"{cases:,} cases, 1 worker", cases, one)
    print(f"two workers are {one.wall / two.wall:.2f} times as quick as one; same bytes: {of_one == of_two}")
    print(f"two processes that only count are {machine():.2f} times as quick together as in turn on this machine")


if __name__ == "__main__":
    main()
