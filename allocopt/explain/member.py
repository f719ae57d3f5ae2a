"""One place of a grouping: its consortium and hub, what it brings and needs, what is pooled, why no nearer hub.

Everything is read from the run folder and worked out again from its inputs; nothing is solved. A nearer hub is answered
by moving the place there: the rules that would break, by the independent checker, or else what the objectives lose.
Imports `check.consortia`, `check.grouping`, `explain.recalled`, `grouping` and `errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from allocopt.check.bound import recall
from allocopt.check.consortia import grouped_again
from allocopt.check.grouping import Grouped, broken_rules, crossing_costs, haversine, objectives
from allocopt.check.inputs import check_files, find_tables
from allocopt.errors import InputFault, Problem
from allocopt.explain.recalled import TEXT, Recalled, place_of, read_record
from allocopt.grouping.instance import Instance, Ints, possible_pairs
from allocopt.inputs.tables import count, some
from allocopt.model import load_model
from allocopt.plan import gather
from allocopt.settings.neighbours import graph_words
from allocopt.units import say_money, write_rate

NEAR = 0.01
"""A limit within this share of where the consortium stands is said to bind."""
NEARER = 3
"""Nearer hubs that are answered one by one."""
SAME = {"gross_deficit": 1e-6, "deficit_and_crossings": 1e-6, "travel": 1e-9}
"""GBP million, km: differences below this are none."""


@dataclass(frozen=True)
class Nearer:
    """A hub that is nearer than the place's own, and why the place does not belong to it."""

    hub: str
    name: str
    km: float
    words: str


@dataclass(frozen=True)
class Touch:
    """What a rule that is on means for this place or its consortium."""

    rule: str
    words: str
    binds: bool


@dataclass(frozen=True)
class Member:
    """A place and its consortium. Money in whole pounds; a balance is budget less spend."""

    run: str
    scenario: str
    status: str
    place: str
    name: str
    hub: str
    hub_name: str
    km: float
    people: float
    area: str
    hub_area: str
    present: str
    moves: bool
    budget_gbp: int
    spend_gbp: int
    consortium: Mapping[str, Any]
    """Its line of consortia.csv"""
    over: tuple[int, int]
    """Members that spend more than they bring, and by how much together"""
    under: tuple[int, int]
    members: tuple[str, ...]
    """Names with codes of the other members, the largest first"""
    nearest: bool
    nearer: tuple[Nearer, ...]
    rules: tuple[Touch, ...]
    exempted: tuple[str, ...]
    modelled_spend: bool
    objectives: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The JSON object of a grouping's place."""
        data = asdict(self)
        return data | {"balance_gbp": self.budget_gbp - self.spend_gbp, "consortium": dict(self.consortium)}


def explain_member(folder: str | Path, place: str, *, scenario: str | Path | None = None) -> Member:
    """Explain a place (code or whole name) of a grouping's run folder. Raises InputFault (2)."""
    folder = Path(folder)
    record = read_record(folder)
    if load_model(record["model"][-1]).kind == "choice":
        said = "places of a free choice are not explained one by one"
        raise InputFault(said, (Problem(said, "see groups.csv and the report; or name a run of consortia"),))
    where = find_tables(folder, dict(record), None if scenario is None else Path(scenario))
    wrong = [one for one in check_files(dict(record), where) if not one.passed]
    if wrong:
        said = f"{folder} cannot be explained: the tables that it was made from are not there as they were"
        problems = [Problem(one.words, "bring the file back, or say where it is: --scenario FILE") for one in wrong]
        raise InputFault(said, tuple(problems))
    found = recall(dict(record), where, folder)
    facts = gather(found)
    groups, consortia = (
        pd.read_csv(folder / f"{name}.csv", dtype=dict.fromkeys(TEXT, "str"), keep_default_na=False, na_values=[""])
        for name in ("groups", "consortia")
    )
    named = facts.inputs.name.rename("name").rename_axis("place").reset_index()
    code = place_of(Recalled(folder, record, named, found, facts), place)
    of, instance = grouped_again(folder, record, facts, groups)
    names = {str(key): str(value) for key, value in facts.inputs.name.items()}
    return _member(folder, record, of, instance, names, consortia, code)


def _member(
    folder: Path,
    record: Mapping[str, Any],
    of: Grouped,
    instance: Instance,
    names: Mapping[str, str],
    consortia: pd.DataFrame,
    code: str,
) -> Member:
    p = instance.index[code]
    h = int(of.hub[p])
    members = np.flatnonzero(of.hub == h)
    pounds = np.rint((of.budget - of.spend) * 1e6).astype(np.int64)
    row = consortia.set_index("group", drop=False).loc[of.places[h]].to_dict()
    present = "" if of.present is None else of.present[p]
    others = sorted((q for q in members.tolist() if q != p), key=lambda q: (-of.population[q], of.places[q]))
    over, under = (pounds[members][sign * pounds[members] > 0] for sign in (-1, 1))
    asked = tuple(one["name"] for one in record["objectives"])
    km = haversine(of, np.full(len(of.hub), p), np.arange(len(of.hub)))
    closer = _closer(of, p, km)
    concerned = {code, of.places[h], of.area[p], of.area[h]}
    return Member(
        run=folder.name,
        scenario=str(record["name"]),
        status=str(record["status"]),
        place=code,
        name=names[code],
        hub=of.places[h],
        hub_name=names[of.places[h]],
        km=round(float(km[h]), 3),
        people=float(of.population[p]),
        area=of.area[p],
        hub_area=of.area[h],
        present=str(present),
        moves=bool(present) and of.present is not None and present != of.present[h],
        budget_gbp=round(float(of.budget[p]) * 1e6),
        spend_gbp=round(float(of.spend[p]) * 1e6),
        consortium={str(name): None if value != value else value for name, value in row.items()},  # noqa: PLR0124 - NaN
        over=(len(over), int(-over.sum())),
        under=(len(under), int(under.sum())),
        members=tuple(f"{names[of.places[q]]} ({of.places[q]})" for q in others),
        nearest=not closer,
        nearer=tuple(
            Nearer(of.places[g], names[of.places[g]], round(float(km[g]), 3), why_not(of, instance, p, g, asked))
            for g in closer[:NEARER]
        ),
        rules=tuple(_touches(of, instance, p, members)),
        exempted=tuple(
            str(one["words"]) for one in (*record["exemptions"], *record["broken"]) if _about(one, concerned)
        ),
        modelled_spend=bool(record["modelled_spend"]),
        objectives=asked,
    )


def _about(one: Mapping[str, Any], concerned: set[str]) -> bool:
    return str(one.get("code", one.get("at"))) in concerned


def _closer(of: Grouped, p: int, km: np.ndarray[Any, np.dtype[np.float64]]) -> list[int]:
    """The hubs of the plan that are nearer to a place than its own, nearest first; none for a hub's own place."""
    hubs = np.unique(of.hub)
    closer = hubs[km[hubs] < km[of.hub[p]] - 1e-6]
    return [int(g) for g in closer[np.argsort(km[closer], kind="stable")]]


def why_not(of: Grouped, instance: Instance, p: int, other: int, asked: Sequence[str]) -> str:
    """Why a place does not belong to another hub of the plan: rules that would break, or what would be lost."""
    hub = of.hub.copy()
    together = [one for one in of.settings.get("together", {}).get("groups", []) if of.places[p] in one]
    moved = {p} | {instance.index[code] for group in together for code in group}
    hub[sorted(moved)] = other
    trial, with_it = replace(of, hub=hub), ""
    if len(moved) > 1:
        with_it = f" together with {some(sorted(of.places[q] for q in moved - {p}))}, as the rules ask,"
    before = {(one.rule, one.at) for one in broken_rules(of)}
    fresh = [one for one in broken_rules(trial) if (one.rule, one.at) not in before]
    if fresh:
        rules = "; ".join(str(one) for one in fresh[:2])
        more = f"; and {count(len(fresh) - 2, 'more')}" if len(fresh) > 2 else ""
        return f"joining it{with_it} would break {rules}{more}"
    pairs = possible_pairs(instance)
    if not bool(np.any((pairs.place == p) & (pairs.hub == other))):
        return "it was not among the hubs that this place could join"
    now, then = objectives(of), objectives(trial)
    for name in asked:
        change = then.get(name, 0.0) - now.get(name, 0.0)
        if abs(change) > SAME.get(name, 1e-9):
            return f"no rule forbids it, but{with_it} {_change(name, change)}"
    return "no rule forbids it, and every objective would be the same: either is as good"


def _change(name: str, change: float) -> str:
    size, way = abs(change), "higher" if change > 0 else "lower"
    end = "" if change > 0 else ", within what is not proven or what an earlier objective leaves"
    if name == "gross_deficit":
        return f"gross deficits would be {say_money(size)} {way}{end}"
    if name == "deficit_and_crossings":
        return f"gross deficits with what crossings cost would be {say_money(size)} {way}{end}"
    if name == "travel":
        return f"mean travel would be {size:.4g} km {way}{end}"
    return f"{name} would be {size:,.6g} {way}{end}"


def _touches(of: Grouped, instance: Instance, p: int, members: Ints) -> Iterator[Touch]:
    for name, words in _WORDS.items():
        if name in of.settings:
            for said, binds in words(of, instance, p, members):
                yield Touch(name, said, bool(binds))
    if "deficit_and_crossings" in of.aims:
        here, there, cost = of.area[p], of.area[of.hub[p]], say_money(float(crossing_costs(of)[p]))
        crosses = f"it lies in {here} and its hub in {there}, which counts {cost}"
        said = crosses if here != there else f"a hub in another area would count {cost}"
        yield Touch("deficit_and_crossings", said, binds=False)


Said = Iterator[tuple[str, bool]]


def _reach(of: Grouped, instance: Instance, p: int, _members: Ints) -> Said:
    km, most = float(haversine(of, np.array([p]), of.hub[[p]])[0]), of.settings["reach"]["max"]
    excused = ", from which it is excused" if instance.waived("reach")[p] else ""
    yield f"it is {km:,.1f} km from its hub; at most {most:g} km{excused}", km >= most * (1 - NEAR)


def _stay(of: Grouped, _instance: Instance, p: int, _members: Ints) -> Said:
    area, other = of.area[p], of.area[of.hub[p]]
    words = f"its hub lies in its own area, {area}" if area == other else f"it lies in {area} and its hub in {other}"
    yield words, False


def _population(of: Grouped, _instance: Instance, _p: int, members: Ints) -> Said:
    said, people = of.settings["population_window"], float(of.population[members].sum())
    ends = [("at least", said.get("min"), 1), ("at most", said.get("max"), -1)]
    limits = ", ".join(f"{words} {limit:,.0f}" for words, limit, _ in ends if limit is not None)
    near = any(limit is not None and sign * (people - limit) <= NEAR * limit for _, limit, sign in ends)
    yield f"its consortium has {people:,.0f} people; {limits}", near


def _balance(of: Grouped, instance: Instance, p: int, members: Ints) -> Said:
    common = _common(of, instance, p)
    own, all_ = (float(1 - of.spend[at].sum() / of.budget[at].sum()) for at in (members, common))
    most = of.settings["balance_band"]["max"]
    words = f"its consortium's balance is {own:+.2%} of budget, {all_:+.2%} in common; within {write_rate(most)} of it"
    yield words, abs(own - all_) >= most * (1 - NEAR)


def _common(of: Grouped, instance: Instance, p: int) -> Ints:
    if not instance.on("stay_in_area"):
        return np.arange(len(of.hub))
    return np.flatnonzero(instance.area_codes == instance.area_codes[of.hub[p]])


def _mix(of: Grouped, instance: Instance, p: int, members: Ints) -> Said:
    if of.imd is None:
        return
    means = []
    for at in (members, _common(of, instance, p)):
        known = at[~np.isnan(of.imd[at])]
        means.append(float(of.imd[known] @ of.population[known] / of.population[known].sum()) if len(known) else np.nan)
    most = of.settings["deprivation_mix"]["max"]
    words = f"its consortium's mean deprivation score is {means[0]:.1f}, {means[1]:.1f} in common"
    yield f"{words}; within {write_rate(most)} of it", abs(means[0] / means[1] - 1) >= most * (1 - NEAR)


def _concentration(of: Grouped, instance: Instance, p: int, members: Ints) -> Said:
    pairs, surplus = possible_pairs(instance), np.maximum(0.0, of.budget - of.spend)
    could = float(surplus[pairs.place[pairs.hub == of.hub[p]]].sum())
    held, most = float(surplus[members].sum()), of.settings["surplus_concentration"]["max"]
    if could > 0:
        words = f"its consortium holds {held / could:.1%} of the surplus that its hub could gather"
        yield f"{words}; at most {write_rate(most)}", held >= most * could * (1 - NEAR)


def _number(of: Grouped, _instance: Instance, _p: int, _members: Ints) -> Said:
    number, said = len(np.unique(of.hub)), of.settings["number_of_consortia"]
    ends = [f"{words} {said[key]}" for words, key in (("at least", "min"), ("at most", "max")) if said.get(key)]
    yield f"there are {number:,} consortia; {', '.join(ends)}", number in (said.get("min"), said.get("max"))


def _contiguity(of: Grouped, _instance: Instance, _p: int, _members: Ints) -> Said:
    by = graph_words(of.settings["contiguity"].get("graph"))
    yield f"it is connected with its hub through neighbours{by}{',' if by else ''} of the same consortium", False


def _locked(of: Grouped, _instance: Instance, p: int, _members: Ints) -> Said:
    places = of.settings["locked"]["places"]
    if of.places[p] in places:
        to = f"hub {places[of.places[p]]}" if isinstance(places, Mapping) else "its present group"
        yield f"it is locked to {to}", True


def _lists(name: str, words: str) -> Callable[[Grouped, Instance, int, Ints], Said]:
    def said(of: Grouped, _instance: Instance, p: int, _members: Ints) -> Said:
        for group in of.settings[name]["groups"]:
            if of.places[p] in group:
                yield f"{words} {', '.join(one for one in group if one != of.places[p])}", True

    return said


def _containment(of: Grouped, _instance: Instance, _p: int, members: Ints) -> Said:
    area, people = np.array(list(of.area), dtype=object), of.population[members]
    held = {one: float(people[area[members] == one].sum()) for one in sorted(set(area[members]))}
    whole = {one: float(of.population[area == one].sum()) for one in held}
    best = max(held, key=lambda one: min(held[one] / people.sum(), held[one] / whole[one]))
    shares = (held[best] / float(people.sum()), held[best] / whole[best])
    rate = of.settings["containment"]["rate"]
    words = f"{shares[0]:.1%} of its consortium's people live in {best}, and it holds {shares[1]:.1%} of that area"
    yield f"{words}; at least {write_rate(rate)} each", min(shares) <= rate * (1 + NEAR)


def _moves(of: Grouped, _instance: Instance, _p: int, _members: Ints) -> Said:
    moved, most = int(objectives(of)["moves"]), of.settings["moves"]["max"]
    yield f"{count(moved, 'place leaves', 'places leave')} their present group; at most {most:,}", moved >= most


_WORDS: Mapping[str, Callable[[Grouped, Instance, int, Ints], Said]] = {
    "reach": _reach,
    "stay_in_area": _stay,
    "population_window": _population,
    "balance_band": _balance,
    "number_of_consortia": _number,
    "contiguity": _contiguity,
    "deprivation_mix": _mix,
    "surplus_concentration": _concentration,
    "locked": _locked,
    "together": _lists("together", "it belongs together with"),
    "apart": _lists("apart", "it is kept apart from"),
    "containment": _containment,
    "moves": _moves,
}
