# %% [markdown]
# # 200 consortia or 100?
#
# Practices that share a budget set one's surplus against another's deficit. Fewer and larger consortia pool more and
# make people travel further. This example groups the same practices into as many consortia as asked, with a proven
# bound for each number, and puts deficit and travel side by side. Deficits rest on **modelled** spend.
#
# Run it: `python examples/how_many_consortia.py NUMBER... [--areas CODE...] [--seconds N]`. The default asks for 6, 4
# and 2 in one area (Cornwall and the Isles of Scilly, in seconds). The whole of England (`--areas all 200 100`) takes
# minutes, and more of them give a tighter bound.

# %%
from __future__ import annotations

import argparse

import pandas as pd

import allocopt
from allocopt.plan import gather
from allocopt.scenario import load


# %%
def answer(numbers: tuple[int, ...] = (6, 4, 2), areas: tuple[str, ...] = ("QT6",), seconds: int = 20) -> pd.DataFrame:
    """One row a number of consortia: deficit before and after pooling, the bound, travel, the smallest one's people."""
    part = {} if areas == ("all",) else _part(areas)
    rows = []
    for number in numbers:
        change = {
            "name": f"At most {number} consortia",
            "model": "[consortia]",
            "objectives": "[gross_deficit, travel]",
            "rules.growth_floor": "off",
            "rules.growth_ceiling": "off",
            "rules.no_further_under_target": "off",
            "rules.number_of_consortia": f"{{min: {number}, max: {number}}}",
            "solver.time_limit": f"{seconds}s",
            "solver.gap": "2%",
            **part,
        }
        found = allocopt.run("england", set=change, out=None)
        names = ("unpooled_deficit_gbp", "gross_deficit_gbp", "bound_gbp", "travel_km", "population_least")
        rows.append(
            {"consortia": number, "status": found.record["status"], **{name: found.headline[name] for name in names}}
        )
    return pd.DataFrame(rows).set_index("consortia")


def _part(areas: tuple[str, ...]) -> dict[str, str]:
    """The areas alone, with the pot that their targets add up to in England's: its whole pot would drown them."""
    whole = gather(load("england"))
    theirs = whole.targets.target[whole.inputs.places["stp_code"].isin(areas)].sum().iloc[0]
    only = f"{{stp_code: [{', '.join(areas)}]}}"
    return {"inputs.places.only": only, "pot": f"{{value: £{theirs:.6f}m, only: {only}}}"}


# %% [markdown]
# Read it by rows: if the deficit of fewer consortia lies below the *bound* of more, fewer are better on deficit for
# certain; if not, the difference may be the search's. Travel is what the smaller number costs.

# %%
if __name__ == "__main__":
    asked = argparse.ArgumentParser()
    asked.add_argument("numbers", nargs="*", type=int, default=[6, 4, 2])
    asked.add_argument("--areas", nargs="+", default=["QT6"])
    asked.add_argument("--seconds", type=int, default=20)
    said = asked.parse_args()
    table = answer(tuple(said.numbers), tuple(said.areas), said.seconds)
    money = [name for name in table if name.endswith("_gbp")]
    shown = table.assign(**{name: (table[name] / 1e6).round(1) for name in money})
    print(shown.rename(columns=lambda name: name.replace("_gbp", ", £m")).to_string())
    print("\nEvery deficit here is made from modelled spend.")
