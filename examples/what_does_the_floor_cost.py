# %% [markdown]
# # What does the floor cost?
#
# Nobody grows by less than a floor. That protects; it also keeps money where it is. This example solves the same year
# under several floors and says what each costs in gross deficit, and how much less moves towards fair shares.
# Deficits rest on **modelled** spend: no practice's spend of its commissioning budget is published.
#
# Run it: `python examples/what_does_the_floor_cost.py [SCENARIO]` (default: `england`; `england-ccgs` takes a
# second).

# %%
from __future__ import annotations

import sys

import pandas as pd

import allocopt

FLOORS = ("0%", "1%", "2%", "3%", "3.6%")


# %% [markdown]
# One run a floor. Everything else stays as the scenario says, so the differences are the floor's alone.


# %%
def answer(scenario: str = "england") -> pd.DataFrame:
    """One row a floor: gross deficit, shortfall below target, what moves, and the cost against no floor at all."""
    rows = []
    for floor in (None, *FLOORS):
        change = {"rules.growth_floor": "off"} if floor is None else {"rules.growth_floor.rate": floor}
        found = allocopt.run(scenario, set=change, out=None)
        names = ("gross_deficit_gbp", "shortfall_below_target_gbp", "movement_gbp")
        rows.append({"floor": floor or "none", **{name: found.headline[name] for name in names}})
    table = pd.DataFrame(rows).set_index("floor")
    return table.assign(cost_gbp=table["gross_deficit_gbp"] - table.loc["none", "gross_deficit_gbp"])


# %% [markdown]
# A tighter floor can never cost less. The last column is the answer; it is proven, since every run is.

# %%
if __name__ == "__main__":
    found = answer(*sys.argv[1:2])
    print((found / 1e6).round(1).rename(columns=lambda name: name.replace("_gbp", ", £m")).to_string())
    dearest = found["cost_gbp"].iloc[-1] / 1e6
    print(f"\nA floor of {found.index[-1]} costs £{dearest:,.0f}m of gross deficit [modelled spend].")
