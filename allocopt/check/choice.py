"""Free choice checked again from its folder and its inputs: who is with whom, whether it holds, scores and prices.

Every figure is worked out a second time from plans.csv and the inputs by code of its own (`check.grouping`,
`check.coalitions`); nothing is shared with the search. What is not proved again is said. Imports `consortia`, the
`check` rooms below, `plan`, `settings`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from allocopt.check.coalitions import gains, owed
from allocopt.check.grouping import Grouped, Ints, broken_rules, haversine
from allocopt.check.verdict import Check, compared, guarded
from allocopt.consortia import grouped_of, instance_of, money_of
from allocopt.model import load_model
from allocopt.plan import Facts
from allocopt.settings import Grouping
from allocopt.settings.choice import Choice

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
NOWHERE = -1e12
"""What a place in no consortium has, in pounds per weight: less than any consortium gives."""
PENNY = 1e-4
"""Pounds per weight that two ways of adding up may differ by."""
TEXT = ("place", "group", "hub", "area", "plan", "circle", "members", "leader")


@dataclass(frozen=True)
class Known:
    """What the checker has in hand: the inputs as plain columns and the tables of the folder."""

    facts: Facts
    record: Mapping[str, Any]
    said: Choice
    of: Grouped
    budget: npt.NDArray[np.int64]
    spend: npt.NDArray[np.int64]
    tables: Mapping[str, pd.DataFrame]

    @property
    def per_pound(self) -> bool:
        """Whether balances are shared by budget rather than by people."""
        return any(one.name == "balance_per_pound" for one in self.facts.loaded.scenario.objectives)

    @cached_property
    def value(self) -> Floats:
        """(n,) balances in pounds."""
        return (self.budget - self.spend).astype(np.float64)

    @cached_property
    def weight(self) -> Floats:
        """(n,) what balances are shared by."""
        return self.budget.astype(np.float64) if self.per_pound else np.asarray(self.of.population)

    def at(self, plan: str) -> Ints:
        """(n,) the position of the group of each place in a plan; -1 in none."""
        number = {code: p for p, code in enumerate(self.of.places)}
        named = self.tables["plans"].set_index("place")[plan].reindex(list(self.of.places))
        return np.array([number[code] if isinstance(code, str) and code else -1 for code in named], dtype=np.int64)

    def level(self, group: Ints) -> Floats:
        """(n,) balance per weight of each place's consortium."""
        found = np.full(len(group), NOWHERE)
        for one in np.unique(group[group >= 0]):
            inside = group == one
            found[inside] = self.value[inside].sum() / self.weight[inside].sum()
        return found

    def joins(self, hub: int) -> Ints:
        """Who may join a hub, the hub first."""
        able = np.ones(len(self.of.hub), dtype=bool)
        settings = self.of.settings
        if "reach" in settings:
            at = np.arange(len(able))
            near = haversine(self.of, at, np.full(len(at), hub)) <= settings["reach"]["max"] + 1e-9
            able &= near | np.isin(list(self.of.places), settings["reach"].get("waive") or [])
        if "stay_in_area" in settings:
            same = np.array(list(self.of.area)) == self.of.area[hub]
            able &= same | np.isin(list(self.of.places), settings["stay_in_area"].get("waive") or [])
        able[hub] = False
        return np.concatenate([[hub], np.flatnonzero(able)]).astype(np.int64)

    @property
    def window(self) -> tuple[float, float]:
        """The fewest and the most people of a coalition."""
        said = self.of.settings.get("population_window", {})
        return float(said.get("min") or 0.0), float(said.get("max") or np.inf)

    @property
    def is_plain(self) -> bool:
        """Whether a coalition needs nothing but people and reach: what this checker's search knows."""
        excused = bool(self.of.settings.get("population_window", {}).get("waive"))
        others = {"contiguity", "balance_band", "deprivation_mix", "surplus_concentration"} & set(self.of.settings)
        return not others and not excused and self.said.admit != "in_order" and self.of.declared is None


def known_choice(folder: Path, record: Mapping[str, Any], facts: Facts) -> Known:
    """Reads the folder's tables and works out what each place brings."""
    scenario = facts.loaded.scenario
    said, model = scenario.grouping or Grouping(), load_model(scenario.model[-1])
    before = None
    if (folder / "allocations.csv").is_file():
        before = pd.read_csv(folder / "allocations.csv", dtype={"place": "str", "year": "str"})
    budget, spend = money_of(facts, before, said)
    instance = instance_of(facts, model, said, budget, spend)
    of = grouped_of(facts, instance, np.arange(len(instance)))
    tables = {path.stem: _table(path) for path in sorted(folder.glob("*.csv"))}
    return Known(facts, record, scenario.choice or Choice(), of, budget, spend, tables)


def _table(path: Path) -> pd.DataFrame:
    header = pd.read_csv(path, nrows=0).columns
    text = {name: "str" for name in header if name in TEXT or path.stem == "plans"}
    return pd.read_csv(path, dtype=text, keep_default_na=False, na_values=[""])


def check_partition(of: Known) -> Iterator[Check]:
    """Every place once, the tables agree, consortia add up to the pound, every rule holds in every plan that has to."""
    codes, groups = list(of.of.places), of.tables["groups"]
    lost = sorted(set(codes) ^ set(groups["place"])) + groups["place"][groups["place"].duplicated()].tolist()
    yield compared("every place stands once", [f"{code} is missing, strange or twice" for code in lost], "once")
    free = of.tables["plans"].set_index("place")["free_choice"].reindex(groups["place"]).fillna("")
    differs = groups["place"][free.to_numpy() != groups["group"].fillna("").to_numpy()].tolist()
    yield compared(
        "groups.csv and plans.csv agree", [f"{code} is elsewhere" for code in differs], f"{len(groups):,} places"
    )
    yield _sums(of)
    for plan in ("free_choice", *of.said.price):
        yield from _lawful(of, plan, _settings(of, plan), {})
    for name, said in of.record.get("regulated", {}).items():
        settings = {**of.of.settings, **({"stay_in_area": {}} if name == "within_areas" else {})}
        yield from _lawful(of, f"regulated_{name}", settings, {(one["rule"], one["code"]) for one in said["waived"]})


def _sums(of: Known) -> Check:
    group, wrong = of.at("free_choice"), []
    table = of.tables["consortia"].set_index("group")
    for one in np.unique(group[group >= 0]).tolist():
        inside, code = group == one, of.of.places[one]
        sums = {"budget_gbp": of.budget[inside].sum(), "spend_gbp": of.spend[inside].sum(), "places": inside.sum()}
        sums["balance_gbp"] = sums["budget_gbp"] - sums["spend_gbp"]
        sums["deficit_gbp"] = max(0, -sums["balance_gbp"])
        row = table.loc[code] if code in table.index else {}
        wrong += [
            f"{name} of {code} is {row.get(name)}, members have {s}" for name, s in sums.items() if row.get(name) != s
        ]
    wrong += [
        f"{code} has no members"
        for code in sorted(set(table.index) - {of.of.places[p] for p in set(group.tolist()) - {-1}})
    ]
    return compared("consortia add up", wrong, f"{len(table)} consortia, to the pound")


def _settings(of: Known, plan: str) -> Mapping[str, Mapping[str, Any]]:
    """The rules of a plan of the price of free choice."""
    if plan not in of.said.price:
        return of.of.settings
    one, settings = of.said.price[plan], {name: dict(said) for name, said in of.of.settings.items()}
    for rule in ("balance_band", "deprivation_mix", "surplus_concentration", "reach"):
        if getattr(one, rule) is not None:
            settings.setdefault(rule, {})["max"] = getattr(one, rule)
    for key, value in (("min", one.least_people), ("max", one.most_people)):
        if value is not None:
            settings.setdefault("population_window", {})[key] = value
    return settings


def _lawful(of: Known, plan: str, settings: Mapping[str, Mapping[str, Any]], waived: Any) -> Iterator[Check]:
    group = of.at(plan)
    alone = {of.of.places[p] for p in np.flatnonzero(group < 0).tolist()}
    hub = np.where(group < 0, np.arange(len(group)), group)
    wrong = [
        str(one)
        for one in broken_rules(replace(of.of, hub=hub, settings=settings))
        if one.at not in alone and (one.rule, one.at) not in waived
    ]
    number = len(np.unique(group[group >= 0]))
    said = f"{number:,} consortia, {len(alone):,} places in none, {len(waived)} named exemptions"
    yield compared(f"rules of {plan}", wrong, said)


def check_holding(of: Known) -> Iterator[Check]:
    """What is said of each plan: who leaves does gain, and no coalition gains more than is said."""
    free = of.record["objectives"][0]
    yield from _holds(of, "free_choice", free["largest_gain_not_ruled_out"])
    for one in of.record["judged"]:
        plan, level = one["plan"], of.level(of.at(one["plan"]))
        yield from guarded(f"who would leave {plan}", partial(_leavers, of, plan, _inside(of, plan), level))
        yield from _holds(of, plan, one["largest_gain_not_ruled_out"])


def _inside(of: Known, plan: str) -> Flags:
    """The places that may take part: all of free choice, those that a given grouping holds."""
    group = of.at(plan)
    return group >= 0 if plan in of.said.judge else np.ones(len(group), dtype=bool)


def _holds(of: Known, plan: str, most: float | None) -> Iterator[Check]:
    if most is not None:
        terms = (of.said.retained, of.said.liable)
        yield _no_gain(of, f"gains in {plan}", of.level(of.at(plan)), _inside(of, plan), most, terms)


def _no_gain(of: Known, name: str, level: Floats, keep: Flags, most: float, terms: tuple[float, float]) -> Check:
    unit = "of budget" if of.per_pound else "a head"
    said = f"none gains more than {most:.6g} {'' if of.per_pound else 'pounds '}{unit}"
    if not of.is_plain:
        return Check(name, True, f"{said}: not proved again here, further rules hold")
    found = {1: list[str](), 2: list[str]()}
    for hub in np.flatnonzero(keep & np.array(of.of.may_hub)).tolist():
        at = of.joins(hub)
        at = at[keep[at]]
        answer = gains(
            of.value[at], of.weight[at], of.of.population[at], level[at], *of.window, *terms, most + PENNY * _scale(of)
        )
        if answer:
            found[answer].append(of.of.places[hub])
    wrong = [f"a coalition around {code} gains more" for code in found[1]]
    wrong += [f"around {code} it is not decided" for code in found[2]]
    return compared(name, wrong, f"{said}: proved again by a search of its own around every hub")


def _scale(of: Known) -> float:
    """One pound a head as the ratio that balances are shared by."""
    return float(of.of.population.sum() / of.weight.sum()) if of.per_pound else 1.0


def _leavers(of: Known, plan: str, keep: Flags, level: Floats) -> Iterator[Check]:
    """Each coalition is lawful around one of its members, has what is said, and all its members gain that much."""
    rows, wrong, seen = of.tables["blocking"], list[str](), set[str]()
    number = {code: p for p, code in enumerate(of.of.places)}
    last = np.inf
    mine = rows[rows["plan"] == plan]
    for row in mine.to_dict("records"):
        codes = str(row["members"]).split()
        at = np.array([number[code] for code in codes], dtype=np.int64)
        wrong += [
            f"{code} is in two coalitions or in none of the groups"
            for code in codes
            if code in seen or not keep[number[code]]
        ]
        seen.update(codes)
        wrong += _unlawful(of, number[str(row["hub"])], at)
        gain = _gain(of, at, level)
        if int(of.value[at].sum()) != row["balance_gbp"] or len(at) != row["places"]:
            wrong.append(f"the balance of coalition {row['rank']} is {int(of.value[at].sum()):,}")
        per_head = gain * of.weight[at].sum() / of.of.population[at].sum()
        known = not pd.isna(row["gain_per_head_gbp"])
        if known and abs(per_head - row["gain_per_head_gbp"]) > PENNY:
            wrong.append(
                f"coalition {row['rank']} gains {per_head:.4f} a head, the table says {row['gain_per_head_gbp']}"
            )
        if gain > last + PENNY:
            wrong.append(f"coalition {row['rank']} gains more than the one before")
        last = gain
    yield compared(f"who would leave {plan}", wrong, f"{len(mine)} coalitions, each lawful, each gaining what is said")


def _gain(of: Known, at: Ints, level: Floats) -> float:
    def pays(rate: float) -> float:
        return rate * (of.said.retained if rate > 0 else of.said.liable)

    best = float(level[at].max())
    return pays(float(of.value[at].sum() / of.weight[at].sum())) - (NOWHERE if best <= NOWHERE else pays(best))


def _unlawful(of: Known, hub: int, at: Ints) -> list[str]:
    hubs = np.arange(len(of.of.hub))
    hubs[at] = hub
    inside = {of.of.places[p] for p in at.tolist()}
    return [str(one) for one in broken_rules(replace(of.of, hub=hubs)) if one.at in inside]


def check_keeping(of: Known) -> Iterator[Check]:
    """What keeps a plan together: payments, the total that none undercut, the charges of bound B, shares that hold."""
    kept = of.record["keeps_together"]
    if kept is None:
        return
    plan, group = kept["plan"], of.at(kept["plan"])
    keep = _inside(of, plan)
    least = max(of.said.worth_moving, of.said.tolerance) * 1e6 * _scale(of)
    level, terms = of.level(group), (of.said.retained, of.said.liable)
    paid = of.tables["payments"].set_index("place").reindex(list(of.of.places)) if "payments" in of.tables else None
    if "payments" in kept and paid is not None:
        yield from _payments(of, kept["payments"], paid, level, keep, least)
    if "core_charges" in kept and paid is not None:
        yield _charges(of, kept["core_charges"], paid)
    for one in kept["levers"]:
        if one["lever"] in ("common_share", "retained_share") and one["verified"]:
            share = (one["setting"], one["setting"] if one["lever"] == "common_share" else terms[1])
            yield _no_gain(of, f"{one['lever']} holds {plan}", level, keep, least, share)


def _payments(
    of: Known, said: Mapping[str, Any], paid: pd.DataFrame, level: Floats, keep: Flags, least: float
) -> Iterator[Check]:
    pounds = paid["paid_to_stay_gbp"].to_numpy(dtype=np.float64)
    wrong = [] if int(pounds.sum()) == said["total_gbp"] else [f"they add up to {int(pounds.sum()):,}"]
    wrong += [f"{of.of.places[p]} is paid less than nothing" for p in np.flatnonzero(pounds < 0).tolist()]
    yield compared("payments add up", wrong, f"GBP {said['total_gbp']:,} to {int((pounds > 0).sum()):,} places")
    retained, liable = of.said.retained, of.said.liable
    have = np.where(level > 0, retained, liable) * level + pounds / np.maximum(of.weight, 1e-9)
    after = np.where(level <= NOWHERE, NOWHERE, have / np.where(have > 0, retained or 1.0, liable or 1.0))
    if said["verified"] and retained > 0 and liable > 0:
        yield _no_gain(of, "payments hold the plan together", after, keep, least, (retained, liable))
    if "circle" in paid and paid["circle"].notna().any():
        yield _undercut(of, said, paid["circle"].fillna("").to_numpy(), level, least)


def _undercut(of: Known, said: Mapping[str, Any], circle: Any, level: Floats, least: float) -> Check:
    """The total that no payments undercut, added up again over the circles that payments.csv names."""
    have = np.where(level > 0, of.said.retained, of.said.liable) * level
    total = 0.0
    for name in sorted(set(circle.tolist()) - {""}):
        at = np.flatnonzero(circle == name)
        meets = np.array([bool(np.isin(at, of.joins(int(p))).all()) for p in at])
        levels = np.linspace(have[at].min(), (of.value[at] / of.weight[at]).max(), LEVELS + 1)[1:]
        total += owed(
            of.value[at], of.weight[at], of.of.population[at], have[at], meets, of.window[0], least, levels,
            of.said.retained, of.said.liable,
        )  # fmt: skip
    claimed = said["no_total_is_less_than_gbp"]
    wrong = (
        []
        if total >= claimed * (1 - COARSER)
        else [f"added up again it is GBP {total:,.0f}, run.json says {claimed:,}"]
    )
    return compared(
        "no payments are less", wrong, f"at least GBP {total:,.0f} by levels of its own; run.json says {claimed:,}"
    )


LEVELS, COARSER = 480, 0.03
"""Levels of the second reckoning, and by how much its total may lie below the first for having other levels."""


def _charges(of: Known, said: Mapping[str, Any], paid: pd.DataFrame) -> Check:
    """Charges are overspends at prices of 0 or 1, add up to bound B, and no possible partners are charged for more
    than the deficit they would have: no overspender at a price could meet a surplus that is free.
    """
    over, price = (of.spend - of.budget), paid["price"].to_numpy(dtype=np.int64)
    wrong = [] if np.isin(price, (0, 1)).all() else ["a price is neither 0 nor 1"]
    if not (paid["charged_gbp"].to_numpy() == over * price).all():
        wrong.append("a charge is not overspend x price")
    if abs(int((over * price).sum()) - said["total_gbp"]) > 1:
        wrong.append(f"charges add up to {int((over * price).sum()):,}, run.json says {said['total_gbp']:,}")
    for hub in np.flatnonzero(np.array(of.of.may_hub)).tolist():
        at = of.joins(hub)
        if ((over[at] > 0) & (price[at] == 1)).any() and ((over[at] < 0) & (price[at] == 0)).any():
            wrong.append(f"around {of.of.places[hub]} an overspender pays although a free surplus is within reach")
    return compared("charges of bound B", wrong, f"GBP {said['total_gbp']:,}: no coalition is better off outside")
