# %% [markdown]
# # Who was underfunded?
#
# A place is underfunded when it gets less than its fair share, whatever it spends. This example lists who opened the
# year below target, by region and by deprivation fifth, and how much of the gap the plan closes. No spend is needed
# for any of it: these are published needs and allocations (a practice's baseline is its CCG's money shared by need).
#
# Run it: `python examples/who_was_underfunded.py [SCENARIO]` (default: `england`).

# %%
from __future__ import annotations

import sys

import pandas as pd

import allocopt
from allocopt.runs import Run

FAR = -5.0
"""Per cent: a place further under target than this counts as far under."""


# %%
def answer(scenario: str = "england") -> tuple[Run, pd.DataFrame]:
    """The run, and its places that opened below target with what they were short of, before and after."""
    found = allocopt.run(scenario, out=None)
    places = found.allocations.merge(found.tables["places"].drop(columns=["name", "population"]), on="place")
    last = places[places["year"] == places["year"].iloc[-1]].copy()
    last["short_before_gbp"] = (
        (-last["opening_dft_pct"] / 100 * last["target_gbp"]).clip(lower=0).round().astype("int64")
    )
    last["short_after_gbp"] = (last["target_gbp"] - last["allocation_gbp"]).clip(lower=0)
    return found, last[last["opening_dft_pct"] < 0]


def by(places: pd.DataFrame, column: str) -> pd.DataFrame:
    """Sums by a column, with how many places lie far under target before and after."""
    far = places.assign(far_before=places["opening_dft_pct"] < FAR, far_after=places["closing_dft_pct"] < FAR, places=1)
    measures = ["places", "short_before_gbp", "short_after_gbp", "far_before", "far_after"]
    return far.groupby(column)[measures].sum().sort_values("short_before_gbp", ascending=False)


# %%
if __name__ == "__main__":
    run, short = answer(*sys.argv[1:2])
    print(by(short, "region").to_string())
    before, after = short["short_before_gbp"].sum() / 1e6, short["short_after_gbp"].sum() / 1e6
    print(
        f"\n{len(short):,} of {run.headline['places']:,} places opened below target, short of £{before:,.0f}m together."
    )
    print(f"The plan leaves £{after:,.0f}m of that.")
