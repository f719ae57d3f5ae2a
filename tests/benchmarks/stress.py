"""Ten thousand draws of every practice, summed to 200 consortia: wall seconds, peak memory, and the same by one worker.

Run `python tests/benchmarks/stress.py`. Deficits and surpluses of places, consortia, areas and the nation, correlated
and independent, with the probability of overspends by size.
"""

import hashlib
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from allocopt.plan import gather
from allocopt.scenario import load
from allocopt.stress.bodies import size_bands
from allocopt.stress.simulate import Asked, band_of, simulate
from allocopt.stress.tables import Decided, subject_of

DRAWS, CONSORTIA = 10_000, 200


def main() -> None:
    """Print the table."""
    changes = {"stress.draws": str(DRAWS), "stress.group": "ccg_code"}
    facts = gather(load("england", set=changes))
    assert facts.stress is not None
    assert facts.situation.spend is not None
    people = facts.situation.population[:, 0]
    groups = np.array([f"{int(CONSORTIA * share)}" for share in (np.cumsum(people) - people / 2) / people.sum()])
    stress = facts.stress
    labels = {**stress.labels, "group": groups}
    decided = Decided(facts, facts.situation.target)
    subject = subject_of(decided, type(stress)(stress.settings, stress.risk, labels, None, ()))
    bands = size_bands(stress.settings.sizes)
    rows = {level: band_of(one, bands) for level, one in subject.levels.items() if level != "nation"}
    print(f"{len(people):,} practices, {len(subject.levels['group']):,} consortia, {DRAWS:,} draws")
    asked, digests = Asked(rows, len(bands), stress.settings.overspend), set()
    for workers in (2, 1):
        start, used = time.perf_counter(), time.process_time()
        found = simulate(subject, draws=DRAWS, asked=asked, workers=workers)
        took, used = time.perf_counter() - start, time.process_time() - used
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        means = {case: round(float(levels["group"].deficit.mean()), 3) for case, levels in found.items()}
        parts = [tally.deficit.tobytes() for levels in found.values() for tally in levels.values()]
        digests.add(hashlib.sha256(b"".join(parts)).hexdigest())
        print(f"{workers} workers: {took:5.2f} s wall, {used:5.2f} s of processor, peak {peak:,.0f} MB")
        print(f"    mean deficit of consortia {json.dumps(means)} GBP m")
    print("the same bytes" if len(digests) == 1 else "THE BYTES DIFFER")


if __name__ == "__main__":
    main()
