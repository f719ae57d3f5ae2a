"""National single-year what-ifs: seconds a case in a batch, against one process a case.

Run: python tests/benchmarks/batches.py [CASES]

Prints wall seconds for one and two workers and for one `allocopt run` a case (five of them), the ratios, and whether
the results of one and two workers are the same bytes.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

SWEEP = """extends: england
name: what-ifs
sweep:
  how: sample
  draws: {cases}
  seed: 7
  over:
    rules.growth_floor.rate: {{from: 1%, to: 3.5%}}
    rules.growth_ceiling.rate: {{from: 8%, to: 10%}}
  keep: [gross_deficit_gbp, shortfall_below_target_gbp, movement_gbp]
"""


def seconds(*words: str) -> float:
    """Wall seconds of one process."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "allocopt.cli", *words, "--quiet"], check=False, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as home:
        file = Path(home) / "sweep.yaml"
        file.write_text(SWEEP.format(cases=cases), encoding="utf-8")
        took = {n: seconds("batch", str(file), "--workers", str(n), "--out", f"{home}/{n}") for n in (1, 2)}
        alone = sum(seconds("run", "england", "--no-report", "--out", f"{home}/runs") for _ in range(5)) / 5
        tables = [next(Path(f"{home}/{n}").glob("*/results.csv")).read_bytes() for n in (1, 2)]
    for workers, one in took.items():
        print(f"{cases:,} cases, {workers} worker(s)  {one:8.1f} s  {one / cases:6.3f} s a case")
    ratio = alone * cases / took[2]
    print(f"one process a case             {alone:8.3f} s a case, {ratio:.1f} times as long as two workers")
    print(f"two workers against one        {took[1] / took[2]:8.2f} times; same bytes: {tables[0] == tables[1]}")


if __name__ == "__main__":
    main()
