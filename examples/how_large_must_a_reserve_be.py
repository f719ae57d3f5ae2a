# %% [markdown]
# # How large must a reserve be?
#
# Deficits come in every year, and a part of the surpluses is kept by those who made them. What is left is the
# exposure that a reserve has to carry. This example draws the year many times and reads off the reserve that is
# enough in 95 or 99 draws of 100, for budgets held by practices, by CCGs and by areas, with areas that share their
# luck and with luck of each place's own. All of it is **modelled** spend.
#
# Run it: `python examples/how_large_must_a_reserve_be.py [SCENARIO] [DRAWS]` (default: `england`, 2,000 draws).

# %%
from __future__ import annotations

import sys

import pandas as pd

import allocopt

WANTED = {"mean": "mean", "p95": "enough in 95%", "p99": "enough in 99%"}


# %%
def answer(scenario: str = "england", draws: int = 2000, group: str = "ccg_code") -> pd.DataFrame:
    """Exposure in pounds by who holds budgets and by luck: its mean and what covers 95 and 99 draws of 100."""
    stress = {"stress.draws": str(draws), "stress.seed": "7", "stress.retention": "30%"}
    if scenario == "england":
        stress |= {"stress.group": group}
    found = allocopt.run(scenario, set=stress, out=None).tables["stress"]
    rows = found[
        (found["measure"] == "exposure")
        & found["statistic"].isin(WANTED)
        & found["test"].isin(["correlated", "independent"])
    ]
    return rows.pivot_table(index=["level", "test"], columns="statistic", values="value", sort=False)[list(WANTED)]


# %% [markdown]
# A negative figure means that surpluses still available exceed deficits: no reserve is needed. The rows of
# `correlated` are the ones to plan by: chance is not shared out evenly, and pooling looks too good without it.

# %%
if __name__ == "__main__":
    words = sys.argv[1:]
    table = answer(*words[:1], **({"draws": int(words[1])} if len(words) > 1 else {}))
    print((table.astype(float) / 1e6).round(0).rename(columns=WANTED).to_string())
    print("\n£m of exposure with 30% of every surplus kept [modelled spend].")
