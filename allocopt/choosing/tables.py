"""The tables of free choice, in whole pounds: who is with whom, what it costs, who would leave, what holds.

Imports `choosing`, `consortia` and below.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from allocopt.check.grouping import haversine
from allocopt.choice.field import Ints, level_of
from allocopt.choice.keep import Payments
from allocopt.choice.stability import Blocking
from allocopt.choosing import PLAIN, Chosen, Judged, terms_of
from allocopt.choosing.words import by_area, fifths, largest, mean_of, standing
from allocopt.consortia import CONSORTIUM_COLUMNS, consortium_row, grouped_of

DRIVERS = 20
"""How many areas and places that drive a shunning score are listed."""


def choice_tables(found: Chosen) -> dict[str, pd.DataFrame]:
    """Every table of a run but its effects, by file name."""
    made = {
        "groups": groups_table(found),
        "consortia": consortia_table(found),
        "price": price_table(found),
        "shunning": shunning_table(found),
        "blocking": blocking_table(found),
        "choice": choice_table(found),
        "plans": plans_table(found),
    }
    payments = payments_table(found)
    return made if payments is None else made | {"payments": payments}


def groups_table(found: Chosen) -> pd.DataFrame:
    """groups.csv: one row a place; group and hub are empty for a place that is left out."""
    instance, group = found.of.instance, found.group
    codes = np.array(instance.places, dtype=object)
    inside = group >= 0
    hub = np.where(inside, group, np.arange(len(group)))
    named = np.where(inside, codes[hub], "")
    present = list(instance.present) if instance.present else [""] * len(codes)
    km = np.round(haversine(grouped_of(found.facts, instance, hub), np.arange(len(hub)), hub), 3)
    moved = [int(bool(own) and own != present[h]) for own, h in zip(present, hub.tolist(), strict=True)]
    return pd.DataFrame(
        {
            "place": codes,
            "group": named,
            "hub": named,
            "area": instance.area,
            "previous_group": present,
            "moved": moved,
            "distance_km": np.where(inside, km, np.nan),
        }
    )


def consortia_table(found: Chosen) -> pd.DataFrame:
    """consortia.csv: one row a consortium, in the order of hubs; those left out are in none."""
    instance, group = found.of.instance, found.group
    of = grouped_of(found.facts, instance, np.where(group >= 0, group, np.arange(len(group))))
    rows = [
        consortium_row(found.facts, instance, h, np.flatnonzero(group == h), of, found.budget, found.spend)
        for h in np.unique(group[group >= 0]).tolist()
    ]
    return pd.DataFrame(rows, columns=list(CONSORTIUM_COLUMNS))


def plans_table(found: Chosen) -> pd.DataFrame:
    """plans.csv: one row a place, one column a plan with the code of its consortium there; empty where it has none."""
    codes = np.array(found.of.instance.places, dtype=object)
    made = {name: np.where(group >= 0, codes[np.maximum(group, 0)], "") for name, group in plans_of(found).items()}
    return pd.DataFrame({"place": codes, **made})


def plans_of(found: Chosen) -> dict[str, Ints]:
    """Every plan of the run that groups places, by the name that the tables give it."""
    made = {PLAIN: found.group} | {name: group for name, (_, group) in found.variants.items()}
    made |= {one.name: one.group for one in found.judged[1:]}
    return made | {f"regulated_{name}": one.group for name, one in found.regulated.items()}


def blocking_table(found: Chosen) -> pd.DataFrame:
    """blocking.csv: the coalitions that would break away from each judged plan, the largest gain first."""
    rows = [
        _blocking_row(found, judged, rank, one)
        for judged in found.judged
        for rank, one in enumerate(judged.stability.blocking, start=1)
    ]
    return pd.DataFrame(rows, columns=list(_BLOCKING))


_BLOCKING = (
    "plan", "rank", "hub", "leader", "leader_name", "area", "places", "population", "balance_gbp",
    "balance_per_head_gbp", "gain_per_head_gbp", "gain_pct_of_budget", "total_gain_gbp", "members",
)  # fmt: skip


def _blocking_row(found: Chosen, judged: Judged, rank: int, one: Blocking) -> dict[str, Any]:
    of, at, terms = found.of, list(one.members), terms_of(found.said)
    level = level_of(of, judged.group)[at]
    pays = np.array([terms.pays(each) if np.isfinite(each) else np.nan for each in level])
    gains = (terms.pays(one.ratio) - pays) * of.weight[at]
    people, budget = float(of.people[at].sum()), float(found.budget[at].sum())
    leader = at[int(np.argmax(np.nan_to_num(gains, nan=-np.inf)))]
    balance = int(found.budget[at].sum() - found.spend[at].sum())
    least = one.gain if np.isfinite(one.level) else np.nan
    per_head = least if of.share == "per_head" else least * budget / people
    codes = of.instance.places
    return {
        "plan": judged.name,
        "rank": rank,
        "hub": codes[one.hub],
        "leader": codes[leader],
        "leader_name": str(found.facts.inputs.name.loc[codes[leader]]),
        "area": of.instance.area[one.hub],
        "places": len(at),
        "population": round(people, 3),
        "balance_gbp": balance,
        "balance_per_head_gbp": round(balance / people, 4),
        "gain_per_head_gbp": round(per_head, 4),
        "gain_pct_of_budget": round(100 * per_head * people / budget, 6),
        "total_gain_gbp": round(float(np.nansum(gains))),
        "members": " ".join(codes[p] for p in sorted(at)),
    }


def price_table(found: Chosen) -> pd.DataFrame:
    """price.csv: the plans side by side, from nobody pooling to what a regulator could reach at best."""
    achievable = {name: one.value for name, one in found.bounds.items()}
    alone = np.full(len(found.of), -1, dtype=np.int64)
    rows = [_price_row(found, "unpooled", alone, achievable["across_areas"], None)]
    rows.append(_price_row(found, "free_choice", found.group, achievable["across_areas"], found.partition.epsilon))
    for name, (partition, group) in found.variants.items():
        rows.append(_price_row(found, name, group, achievable["across_areas"], partition.epsilon))
    rows += [_price_row(found, one.name, one.group, achievable["across_areas"], None) for one in found.judged[1:]]
    for name, best in found.regulated.items():
        row = _price_row(found, f"regulated_{name}", best.group, achievable["across_areas"], None)
        rows.append({**row, "bound_gbp": round(max(best.bound, achievable[name]) * 1e6)})
    rows += [_bound_row(found, f"bound_{name}", one, achievable["across_areas"]) for name, one in achievable.items()]
    return pd.DataFrame(rows)


def _captured(found: Chosen, gross: float, achievable: float) -> float:
    """The share of the pooling that could be had (from nobody pooling down to the bound) that a plan gets, percent."""
    unpooled = float(np.maximum(0, found.spend - found.budget).sum())
    most = unpooled - achievable * 1e6
    return round(100 * (unpooled - gross) / most, 4) if most > 0 else float("nan")


def _price_row(found: Chosen, plan: str, group: Ints, achievable: float, epsilon: float | None) -> dict[str, Any]:
    of, inside = found.of, group >= 0
    hubs, which = np.unique(group[inside], return_inverse=True)
    over = (found.spend - found.budget).astype(np.float64)
    balance = np.bincount(which, weights=over[inside], minlength=len(hubs))
    outside = np.maximum(0.0, over[~inside])
    gross = float(np.maximum(0.0, balance).sum() + outside.sum())
    people = np.bincount(which, weights=of.people[inside], minlength=len(hubs))
    sizes = [float(np.percentile(people, at)) if len(people) else np.nan for at in (0, 50, 100)]
    return {
        "plan": plan,
        "gross_deficit_gbp": round(gross),
        "captured_pct": _captured(found, gross, achievable),
        "gross_surplus_gbp": round(float(np.maximum(0.0, -balance).sum() + np.maximum(0.0, -over[~inside]).sum())),
        "consortia": len(hubs),
        "places_left_out": int((~inside).sum()),
        "people_left_out": round(float(of.people[~inside].sum()), 3),
        "left_out_imd": mean_of(of.instance.imd, of.people, ~inside),
        "all_imd": mean_of(of.instance.imd, of.people, np.ones(len(of), dtype=bool)),
        "left_out_deficit_gbp": round(float(outside.sum())),
        "least_people": sizes[0],
        "median_people": sizes[1],
        "most_people": sizes[2],
        "travel_km": _travel(found, group),
        "epsilon": np.nan if epsilon is None else float(f"{epsilon:.6g}"),
    }


def _bound_row(found: Chosen, plan: str, value: float, achievable: float) -> dict[str, Any]:
    return {
        "plan": plan,
        "gross_deficit_gbp": round(value * 1e6),
        "captured_pct": _captured(found, value * 1e6, achievable),
    }


def _travel(found: Chosen, group: Ints) -> float:
    """Mean kilometres to the hub, by people, over those in a consortium around a hub."""
    inside = np.flatnonzero(group >= 0)
    if not len(inside) or found.of.instance.position is None:
        return float("nan")
    km = found.of.instance.km(inside.astype(np.int64), group[inside])
    return round(float(km @ found.of.people[inside] / found.of.people[inside].sum()), 4)


def shunning_table(found: Chosen) -> pd.DataFrame:
    """shunning.csv: one row a judged plan."""
    rows = []
    for one in found.judged:
        if one.shunning is None:
            continue
        said = one.shunning
        rows.append(
            {
                "plan": one.name,
                "score": round(said.score, 6),
                "expected": round(said.expected, 6),
                "deviation": round(said.deviation, 6),
                "index_pct": round(100 * said.index, 4),
                "p_value": round(said.p_value, 6),
                "isolation_pct": round(100 * said.isolation, 4),
                "isolation_expected_pct": round(100 * said.isolation_expected, 4),
                "isolation_p_value": round(said.isolation_p_value, 6),
                "regrouped_pct": round(100 * said.moved, 4),
                "permutations": said.permutations,
                "seed": said.seed,
                "places": int((one.group >= 0).sum()),
            }
        )
    return pd.DataFrame(rows)


def choice_table(found: Chosen) -> pd.DataFrame:
    """choice.csv, tidy: who drives each shunning score, who is left with whom, what keeps the plan together."""
    rows = [*_drivers(found), *_standing(found), *_held(found)]
    return pd.DataFrame(rows, columns=["table", "group", "measure", "unit", "value"])


Row = tuple[str, str, str, str, float | int | None]


def _drivers(found: Chosen) -> Iterator[Row]:
    codes = found.of.instance.places
    for one in found.judged:
        if one.shunning is None:
            continue
        part = one.shunning.contribution
        for name, value in largest(by_area(found, one.shunning))[:DRIVERS]:
            yield f"shunning_areas:{one.name}", name, "contribution", "score", value
        for name, value in largest(list(zip(codes, part.tolist(), strict=True)))[:DRIVERS]:
            yield f"shunning_places:{one.name}", name, "contribution", "score", value


def _standing(found: Chosen) -> Iterator[Row]:
    """Fifths of people by their consortium's balance, best first, and those left out: are the last underfunded, or do
    they spend above need?
    """
    for one in found.judged:
        table = f"standing:{one.name}"
        for name, at in fifths(found, one.group):
            said = standing(found, at)
            yield table, name, "places", "places", said.places
            yield table, name, "people", "people", said.people
            yield table, name, "imd", "index", said.imd
            yield table, name, "balance", "GBP", said.balance_gbp
            yield table, name, "deficit", "GBP", said.deficit_gbp
            yield table, name, "deficit_underfunding", "GBP", said.deficit_underfunding_gbp
            yield table, name, "deficit_above_need", "GBP", said.deficit_above_need_gbp


def _held(found: Chosen) -> Iterator[Row]:
    if found.kept is None:
        return
    table, unit = f"keeps:{found.kept.plan}", "GBP a head" if found.of.share == "per_head" else "share of budget"
    for one in found.kept.held:
        yield table, one.lever, "setting", one.unit, one.setting
        yield table, one.lever, "does_not_hold_at", one.unit, one.fails
        yield table, one.lever, "largest_gain_left", unit, round(one.epsilon, 6)
        yield table, one.lever, "holds", "1 = yes", int(one.verified)
    pay = found.kept.payments
    if pay is not None:
        yield table, "payments", "total", "GBP", int(paid_pounds(found, pay).sum())
        yield table, "payments", "no_total_is_less_than", "GBP", round(pay.bound)
        yield table, "payments", "places_paid", "places", int((pay.pay > 0).sum())
        yield table, "payments", "largest_gain_left", unit, round(pay.epsilon, 6)
        yield table, "payments", "holds", "1 = yes", int(pay.stable)


def paid_pounds(found: Chosen, payments: Payments) -> npt.NDArray[np.int64]:
    """Whole pounds, rounded up, so that who is paid to stay has no reason left to go."""
    return np.ceil(payments.pay * found.of.weight - 1e-6).astype(np.int64)


def circle_of(found: Chosen, payments: Payments) -> npt.NDArray[np.object_]:
    """The circle that bounds the payments in which each place lies, named by its first place; empty where none."""
    codes = np.array(found.of.instance.places, dtype=object)
    named = np.full(len(codes), "", dtype=object)
    for one in payments.circles:
        named[one.members] = codes[one.members[0]]
    return named


def payments_table(found: Chosen) -> pd.DataFrame | None:
    """payments.csv: what each place would be paid to stay, and what it is charged by the dual prices of bound B."""
    kept = found.kept
    if kept is None or (kept.payments is None and kept.core is None):
        return None
    made: dict[str, Any] = {"place": found.of.instance.places}
    group = next(one.group for one in found.judged if one.name == kept.plan)
    codes = np.array(found.of.instance.places, dtype=object)
    made["group"] = np.where(group >= 0, codes[np.maximum(group, 0)], "")
    if kept.payments is not None:
        made["circle"] = circle_of(found, kept.payments)
        made["paid_to_stay_gbp"] = paid_pounds(found, kept.payments)
    if kept.core is not None:
        over = (found.spend - found.budget).astype(np.int64)
        made["overspend_gbp"] = over
        made["price"] = kept.core.price.astype(np.int64)
        made["charged_gbp"] = np.where(kept.core.price, over, 0)
        made["received_gbp"] = over - made["charged_gbp"]
    return pd.DataFrame(made)
