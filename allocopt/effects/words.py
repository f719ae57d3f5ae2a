"""The effects in one neutral paragraph, and the warnings a careful reader would want; imports `units` alone.

Every word follows from a number: a figure that rises and the same figure falling read alike but for the one word.
Gross and net always stand together, and modelled spend is called so. `BANNED` lists the words that judge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from allocopt.units import say_money

BANDS = ("lose >5%", "lose 0.1-5%", "within 0.1%", "gain 0.1-5%", "gain >5%")
"""The five bands of change against uniform growth, from loss to gain."""

BANNED = frozenset(
    {
        "best",
        "better",
        "bonus",
        "boost",
        "boosted",
        "boosts",
        "burden",
        "deserve",
        "deserves",
        "dramatic",
        "dramatically",
        "fair",
        "fortunately",
        "generous",
        "generously",
        "hit",
        "hits",
        "huge",
        "improve",
        "improvement",
        "improves",
        "just",
        "lavish",
        "loser",
        "losers",
        "massive",
        "merely",
        "only",
        "overspender",
        "overspenders",
        "plunge",
        "plunges",
        "punish",
        "punished",
        "raid",
        "reward",
        "rewarded",
        "rewards",
        "sacrifice",
        "shortchanged",
        "slash",
        "slashed",
        "soar",
        "soars",
        "squeeze",
        "squeezed",
        "suffer",
        "suffers",
        "unfair",
        "unfairly",
        "unfortunately",
        "windfall",
        "winner",
        "winners",
        "worse",
        "worsen",
        "worsens",
        "worst",
    }
)
"""Words of judgement: none of them may stand in a summary or a warning."""

_SHOWN = 0.1
"""Per cent: a smaller change counts as none, as in the bands."""


def summary(tables: Mapping[str, pd.DataFrame], *, modelled_spend: bool) -> str:
    """One paragraph of plain words from the tables of `effects_tables`: gross and net, before and after."""
    spend = _spend(tables, "modelled" if modelled_spend else "recorded")
    parts = [_uniform(tables), _cash(tables), _fifths(tables), _distance(tables), spend, _gini(tables)]
    said = " ".join(part for part in parts if part)
    years = [str(year) for year in tables["path"].index] if "path" in tables else []
    return said if len(years) < 2 else f"Of {years[-1]}, the last year, alone: {said}"


def warnings(tables: Mapping[str, pd.DataFrame]) -> tuple[str, ...]:
    """Where a group's total hides something: its money and the mean change of its people move apart."""
    return tuple(line for name, table in tables.items() if name.startswith("by_") for line in _apart(name, table))


def against_their_group(tables: Mapping[str, pd.DataFrame]) -> tuple[str, ...]:
    """How many places lose in a group that gains, and gain in a group that loses, one line a grouping."""
    return tuple(line for name, table in tables.items() if name.startswith("by_") for line in _against(name, table))


def _apart(name: str, table: pd.DataFrame) -> list[str]:
    """The group's share of the money moves one way, the mean change of its people beside all people's the other."""
    money, typical = table["against_uniform_pct"], table["mean_against_uniform_pct"]
    beside = typical - typical.iloc[-1]
    apart = (money * beside < 0) & (money.abs() >= _SHOWN) & (beside.abs() >= _SHOWN)
    groups = list(table.index[apart])
    if not groups:
        return []
    first = _row(table, groups[0])
    said = (
        f"{name}: money and mean change move apart in {_some(groups)}; in {groups[0]} the group's money changes by "
        f"{first['against_uniform_pct']:+.2f}% against uniform growth, the mean over its people is "
        f"{first['mean_against_uniform_pct']:+.2f}% ({typical.iloc[-1]:+.2f}% over all people)"
    )
    return [said]


def _some(groups: Sequence[str], shown: int = 5) -> str:
    more = f" and {len(groups) - shown:,} more" if len(groups) > shown else ""
    return ", ".join(groups[:shown]) + more


def _against(name: str, table: pd.DataFrame) -> list[str]:
    count, groups = int(table["opposite_places"].iloc[-1]), table.iloc[:-1]
    if not count:
        return []
    losing = int(groups.loc[groups["against_uniform_gbp"] > 0, "opposite_places"].sum())
    lose, gain = _count(losing, "loses", "lose"), _count(count - losing, "gains", "gain")
    people = table["opposite_population"].iloc[-1]
    return [f"{name}: {lose} in a group that gains and {gain} in a group that loses ({people:,.0f} people)"]


def _row(table: pd.DataFrame, group: str) -> dict[str, float]:
    """One row of a table as plain numbers, by measure."""
    values = table.to_numpy(dtype="float64")[list(table.index).index(group)]
    return dict(zip(table.columns, values.tolist(), strict=True))


def _money(pounds: float) -> str:
    return say_money(pounds / 1e6)


def _verb(change: float) -> str:
    return "gains" if change > 0 else "loses"


def _count(number: float, one: str, many: str) -> str:
    return f"1 place {one}" if number == 1 else f"{number:,.0f} places {many}"


def _shift(before: float, after: float, form: str) -> str:
    """How a printed figure moves: by what is shown, so that nothing 'rises from 0.10 to 0.10'."""
    was, now = form.format(before), form.format(after)
    return f"stays at {now}" if was == now else f"{'rises' if after > before else 'falls'} from {was} to {now}"


def _net(pounds: float, above: str, below: str) -> str:
    return f"a net {above if pounds > 0 else below} of {_money(abs(pounds))}" if pounds else "a net of £0"


def _uniform(tables: Mapping[str, pd.DataFrame]) -> str:
    row, pot = _row(tables["movement"], "against_uniform"), float(tables["path"]["allocation_gbp"].iloc[-1])
    gross, gained, lost = (_money(row[f"{name}_gbp"]) for name in ("gross", "gained", "lost"))
    gain, lose = _count(row["gaining"], "gains", "gain"), _count(row["losing"], "loses", "lose")
    return (
        f"Against uniform growth, {gross} of {_money(pot)} ({100 * row['gross_gbp'] / pot:.2f}%) moves between places: "
        f"gains of {gained} and losses of {lost}, {_net(row['net_gbp'], 'gain', 'loss')}; "
        f"{gain} and {lose} more than 0.1%, {row['within']:,.0f} within 0.1%."
    )


def _cash(tables: Mapping[str, pd.DataFrame]) -> str:
    row = _row(tables["movement"], "cash")
    rises, falls = _money(row["gained_gbp"]), _money(row["lost_gbp"])
    return f"In cash, rises of {rises} and falls of {falls} make {_net(row['net_gbp'], 'rise', 'fall')}."


def _fifths(tables: Mapping[str, pd.DataFrame]) -> str:
    table = tables.get("by_imd_fifth")
    if table is None or not {"1", "5"} <= set(table.index):
        return ""
    most, least = _group(_row(table, "1")), _group(_row(table, "5"))
    return f"The most deprived fifth of people {most}; the least deprived fifth {least}."


def _group(row: Mapping[str, float]) -> str:
    net = row["against_uniform_gbp"]
    said = f"{_verb(net)} {_money(abs(net))} net" if net else "has no net change"
    return f"{said} (gains of {_money(row['gained_gbp'])}, losses of {_money(row['lost_gbp'])})"


def _distance(tables: Mapping[str, pd.DataFrame]) -> str:
    share = tables["beyond"]["beyond_5_places_pct"]
    shift = _shift(float(share["opening"]), float(share["closing"]), "{:.1f}%")
    return f"The share of places more than 5% from target {shift}."


def _spend(tables: Mapping[str, pd.DataFrame], kind: str) -> str:
    table = tables.get("deficit")
    if table is None:
        return ""
    row = _row(table, "total")
    deficit, surplus = _money(row["deficit_gbp"]), _money(row["surplus_gbp"])
    under, above = _money(row["deficit_underfunding_gbp"]), _money(row["deficit_above_need_gbp"])
    return (
        f"With {kind} spend, gross deficits of {deficit} and gross surpluses of {surplus} make "
        f"{_net(row['net_gbp'], 'deficit', 'surplus')}; of the gross deficits {under} is underfunding and {above} is "
        f"spending above need."
    )


def _gini(tables: Mapping[str, pd.DataFrame]) -> str:
    values = tables["inequality_per_head"]["gini"]
    shift = _shift(float(values["baseline"]), float(values["allocation"]), "{:.4f}")
    return f"The Gini index of pounds per head {shift}."
