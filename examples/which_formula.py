# %% [markdown]
# # Which formula?
#
# Candidate formulas are compared place by place with the one in force: whose target rises, whose falls, and how many
# practices cross into or out of the bands that people watch. No spend is needed: targets alone are compared.
#
# Run it: `python examples/which_formula.py [SCENARIO]` (default: the shipped `formulas`).

# %%
from __future__ import annotations

import sys

import pandas as pd

import allocopt


# %%
def answer(scenario: str = "formulas") -> pd.DataFrame:
    """One row a candidate: pounds that change hands, places up and down, places that change band."""
    places = allocopt.run(scenario, out=None).tables["formulas"]
    rows = []
    for name, part in places.groupby("formula", sort=False):
        change = part["change_gbp"]
        rows.append(
            {
                "formula": name,
                "moved_gbp": int(change.clip(lower=0).sum()),
                "up": int((change > 0).sum()),
                "down": int((change < 0).sum()),
                "largest_rise_pct": float(part["change_pct"].max()),
                "largest_fall_pct": float(part["change_pct"].min()),
                "change_band": int((part["band"] != part["band_before"]).sum()),
            }
        )
    return pd.DataFrame(rows).set_index("formula")


# %% [markdown]
# `moved_gbp` is half of all changes, since targets add up to the same pot. A formula is not chosen by this table: it
# says what a choice would do, and to whom (`formulas.csv` has every place).

# %%
if __name__ == "__main__":
    table = answer(*sys.argv[1:2])
    print(table.round(2).to_string())
    print(f"\nThe first row, {table.index[0]}, is the formula in force.")
