"""The main job as a whole process: wall seconds, peak memory and what the time is spent on.

Run `python tests/benchmarks/main_job.py`. Prints medians of five runs after a warm-up and the median of `--help`.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

RUNS = 5


def whole_process(*words: str) -> tuple[float, float, str]:
    """Wall seconds, peak memory in MB and stdout of one process."""
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen([sys.executable, "-m", "allocopt.cli", *words], stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        out.seek(0)
        said = out.read()
    if status:
        raise SystemExit(f"{' '.join(words)} ended with status {status}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024, said


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as out:
        words = ("run", "england", "--out", out, "--json")
        done = [whole_process(*words) for _ in range(RUNS + 1)][1:]
        folder = Path(json.loads(done[-1][2])["run"])
        seconds = json.loads((folder / "timing.json").read_text(encoding="utf-8"))["seconds"]
    helped = [whole_process("--help")[0] for _ in range(RUNS + 1)][1:]
    took, peak = median(one[0] for one in done), median(one[1] for one in done)
    print(f"allocopt run england   {took:5.2f} s whole process, {peak:.0f} MB")
    for step, part in seconds.items():
        print(f"    {step:<28} {part:5.2f} s")
    print(f"    {'imports and the rest':<28} {done[-1][0] - sum(seconds.values()):5.2f} s")
    print(f"allocopt --help        {median(helped):5.2f} s")


if __name__ == "__main__":
    main()
