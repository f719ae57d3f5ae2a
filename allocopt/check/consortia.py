"""A finished grouping checked again from its folder and its inputs, without the solver and without the search.

The scenario is taken from run.json (so a run with `--set` is checked as it was asked), the tables from where they are
now. Tables, rules and objectives are recomputed by `check.grouping`, bounds A and B from their certificates (areas; the
overspenders of the minimum cut), bounds T, C and P and the allocation by `check.relaxed`. Imports `consortia`, `plan`
and the `check.*` rooms.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from allocopt.check.alternatives import check_alternatives
from allocopt.check.bound import recall
from allocopt.check.grouping import Grouped, broken_rules, cut_bound, objectives, reachable_hubs, slip
from allocopt.check.inputs import check_files, check_hash, find_tables
from allocopt.check.relaxed import check_allocation, check_pockets, check_prices, check_relaxed
from allocopt.check.verdict import Check, Verdict, compared, guarded
from allocopt.consortia import grouped_of, instance_of, money_of
from allocopt.errors import InputFault, Problem
from allocopt.grouping.exempt import Exemption, with_exemptions
from allocopt.grouping.instance import Instance
from allocopt.model import load_model
from allocopt.plan import Facts, gather
from allocopt.settings import Grouping

SLIP = 1e-6


def is_grouping_folder(folder: Path) -> bool:
    """Whether a run folder holds a grouping."""
    return (folder / "groups.csv").is_file()


def verify_grouping(folder: Path, scenario: Path | None) -> Verdict:
    """Check a grouping's folder again. Raises InputFault when it cannot be read."""
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        timing = json.loads((folder / "timing.json").read_text(encoding="utf-8"))
        where = find_tables(folder, record, scenario)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as failure:
        said = f"{folder} is not a run folder that can be read: {failure}"
        raise InputFault(said, (Problem(said, "name a folder that `allocopt run` wrote", str(folder)),)) from failure
    checks = [*guarded("sealed files", lambda: [_sealed(folder, timing)])]
    checks += guarded("hash", lambda: [check_hash(record)])
    inputs = [*guarded("input files", lambda: check_files(record, where))]
    checks += inputs
    if all(one.passed for one in inputs):
        looked = _choice_against_inputs if load_model(record["model"][-1]).kind == "choice" else _against_inputs
        checks += guarded("the grouping", lambda: looked(folder, record, where))
    else:
        checks.append(Check("the grouping", False, "not checked: these are not the inputs of the run"))
    return Verdict(folder, tuple(checks))


def _choice_against_inputs(folder: Path, record: dict[str, Any], where: Mapping[str, Path | None]) -> Iterator[Check]:
    """Free choice: its rooms load numba, so only when they are needed."""
    from allocopt.check import choice, choice_tables  # noqa: PLC0415 - as the docstring says

    facts = gather(recall(record, where, folder))
    of = choice.known_choice(folder, record, facts)
    yield from guarded("who is with whom", lambda: choice.check_partition(of))
    yield from guarded("stability", lambda: choice.check_holding(of))
    yield from guarded("what keeps it together", lambda: choice.check_keeping(of))
    yield from guarded("price", lambda: choice_tables.check_price(of))
    yield from guarded("standing", lambda: choice_tables.check_standing(of))
    yield from guarded("shunning", lambda: choice_tables.check_scores(of))


def _sealed(folder: Path, timing: dict[str, Any]) -> Check:
    noted = timing.get("sha256", {})
    wrong = [
        f"{name} is not as it was written"
        for name, digest in noted.items()
        if not (folder / name).is_file() or sha256((folder / name).read_bytes()).hexdigest() != digest
    ]
    wrong += [f"timing.json notes no hash of {name}" for name in ("run.json", "groups.csv") if name not in noted]
    return compared("sealed files", wrong, f"{', '.join(noted)}: as written")


def _against_inputs(folder: Path, record: dict[str, Any], where: Mapping[str, Path | None]) -> Iterator[Check]:
    facts = gather(recall(record, where, folder))
    text = dict.fromkeys(("place", "group", "hub", "area", "previous_group", "year"), "str")
    groups, consortia = (
        pd.read_csv(folder / f"{name}.csv", dtype=text, keep_default_na=False, na_values=[""])
        for name in ("groups", "consortia")
    )
    of, instance = grouped_again(folder, record, facts, groups)
    yield from guarded("every place is placed", lambda: [_placed(facts, groups)])
    yield from guarded("consortia add up", lambda: [_sums(of, consortia)])
    yield from guarded("rules", lambda: [_rules(of, record)])
    yield from guarded("objectives", lambda: _objectives(of, record))
    if "alternatives" in record:
        yield from guarded("alternatives", lambda: check_alternatives(folder, record, of))
    if (folder / "allocations.csv").is_file():
        yield from guarded("the allocation", lambda: check_allocation(folder, record, where, facts))
    yield from guarded("bounds", lambda: _bounds(of, instance.may_hub, record))
    yield from guarded("bound T", lambda: check_prices(folder, record, of, instance.may_hub))
    yield from guarded("bound C", lambda: check_relaxed(folder, record, facts, instance))
    yield from guarded("bound P", lambda: check_pockets(record, folder, instance))


def grouped_again(
    folder: Path, record: Mapping[str, Any], facts: Facts, groups: pd.DataFrame
) -> tuple[Grouped, Instance]:
    """The grouping of a run folder, and the instance that its scenario makes with the exemptions that it names."""
    scenario = facts.loaded.scenario
    said, model = scenario.grouping or Grouping(), load_model(scenario.model[-1])
    before = None
    if (folder / "allocations.csv").is_file():
        before = pd.read_csv(folder / "allocations.csv", dtype={"place": "str", "year": "str"})
    budget, spend = money_of(facts, before, said)
    instance = instance_of(facts, model, said, budget, spend)
    waived = tuple(Exemption(one["rule"], one["code"], one.get("km")) for one in record["exemptions"])
    instance = with_exemptions(instance, waived)
    hub_at = groups.set_index("place")["hub"].reindex(list(instance.places)).map(instance.index)
    of = grouped_of(facts, instance, np.asarray(hub_at, dtype=np.int64))
    return of, instance


def _placed(facts: Facts, groups: pd.DataFrame) -> Check:
    lost = sorted(set(facts.situation.places) ^ set(groups["place"]))
    twice = groups["place"][groups["place"].duplicated()].tolist()
    return compared(
        "every place is placed", [f"{code} is missing, strange or twice" for code in [*lost, *twice]], "once"
    )


def _sums(of: Grouped, consortia: pd.DataFrame) -> Check:
    money = {"budget_gbp": of.budget, "spend_gbp": of.spend}
    codes = np.array(list(of.places), dtype=object)[of.hub]
    wrong = []
    for name, values in money.items():
        sums = pd.Series(np.rint(values * 1e6).astype(np.int64)).groupby(codes).sum()
        found = consortia.set_index("group")[name]
        wrong += [
            f"{name} of {code} is {found.get(code)}, members have {value}"
            for code, value in sums.items()
            if found.get(code) != value
        ]
    balance = consortia["budget_gbp"] - consortia["spend_gbp"]
    if (
        not (consortia["balance_gbp"] == balance).all()
        or not (consortia["deficit_gbp"] == (-balance).clip(lower=0)).all()
    ):
        wrong.append("balance or deficit does not follow from budget and spend")
    return compared("consortia add up", wrong, f"{len(consortia)} consortia, to the pound")


def _rules(of: Grouped, record: dict[str, Any]) -> Check:
    found = [str(one) for one in broken_rules(of)]
    if record["status"] == "evaluated":
        said = [f"{one['rule']} at {one['at']}: {one['words']}" for one in record["broken"]]
        wrong = sorted(set(found) ^ set(said))
        return compared("rules", wrong, f"the given grouping breaks {len(said)} rules, as it says")
    return compared("rules", found, f"{len(of.settings)} rules hold, with {len(record['exemptions'])} named exemptions")


def _objectives(of: Grouped, record: dict[str, Any]) -> Iterator[Check]:
    now, rounded = objectives(of), len(of.places) if load_model(record["model"][-1]).kind == "joint" else 1
    for stage in (one for one in record["objectives"] if one["name"] in now):
        missed = abs(now[stage["name"]] - stage["final_value"])
        wrong = [f"recomputed {now[stage['name']]:.9g}"] if missed > max(SLIP, 1e-9 * abs(stage["final_value"])) else []
        above = stage["bound"] is not None and stage["bound"] > stage["value"] + SLIP
        outside = record["status"] == "evaluated" and record["broken"]
        if above and not outside:
            wrong.append(f"bound {stage['bound']} above the value")
        most = stage["final_value"] + slip(now[stage["name"]], rounded)
        if stage["bound"] is not None and stage["bound"] > most and not outside:
            wrong.append(f"bound {stage['bound']:.9g} above the plan's {stage['final_value']:.9g}")
        yield compared(f"objective {stage['name']}", wrong, f"{stage['final_value']:.9g} {stage['unit']}")


def _net(of: Grouped, pots: Mapping[str, float]) -> float:
    """Spend beyond the pots; each pot is held against what its places are allocated."""
    area = np.array(list(of.area), dtype=object)
    value = 0.0
    for name, pot in pots.items():
        here = area == name if name else np.ones(len(area), dtype=bool)
        if abs(float(of.budget[here].sum()) - pot) > SLIP * max(1.0, pot):
            raise ValueError(f"the pot of {name or 'all places'} is not what its places are allocated")
        value += max(0.0, float(of.spend[here].sum()) - pot)
    return value


def _aim(record: dict[str, Any]) -> str:
    """The objective in money that the bounds are about."""
    names = [one["name"] for one in record["objectives"]]
    return "deficit_and_crossings" if "deficit_and_crossings" in names else "gross_deficit"


def _lifted(record: dict[str, Any]) -> Iterator[Check]:
    """Bound L is bound B, P or T, proved again, and gains of the solver's own; no stage claims more than a bound."""
    stated = {one["name"]: float(one["value"]) for one in record["bounds"]}
    if "L" not in stated:
        return
    proved = max(value for name, value in stated.items() if name != "L")
    wrong = [] if stated["L"] >= proved else [f"{stated['L']:.9g} is below what is proved, {proved:.9g}"]
    for stage in (one for one in record["objectives"] if one["name"] == _aim(record)):
        if stage["bound"] > max(stated.values()) + SLIP:
            wrong.append(f"{stage['name']} states {stage['bound']:.9g}, more than every bound")
        if stated["L"] >= stage["bound"] > proved + SLIP and stage["by"] != "highs":
            wrong.append(f"{stage['name']} states it proved by {stage['by']}")
    words = f"GBP {proved:,.6f}m proved again, GBP {stated['L'] - proved:,.6f}m by branch and bound alone"
    yield compared("bound L", wrong, words)


def _headline(record: dict[str, Any]) -> Iterator[Check]:
    """What is said of every plan's deficit: no more than a bound, or than the stage's own where it comes first."""
    said, first = record["headline"].get("bound_gbp"), record["objectives"][:1]
    if said is None:
        return
    proved = [one["value"] for one in record["bounds"]]
    proved += [one["bound"] for one in first if one["name"] == _aim(record) and one["bound"] is not None]
    most = round(max([0.0, *proved]) * 1e6)
    wrong = [f"GBP {said:,} is more than any bound on every plan, GBP {most:,}"] if said > most else []
    yield compared("headline bound", wrong, f"GBP {said:,} holds for every plan")


def _reached(record: dict[str, Any]) -> list[float]:
    """The objective in money of the plan that its own stage had, before the objectives after it took their slack."""
    return [one["value"] for one in record["objectives"] if one["name"] == _aim(record)]


def _no_more_than_the_plan(of: Grouped, record: dict[str, Any]) -> Iterator[Check]:
    """No bound lies above the plan that was found; a given grouping may break rules that the bounds count on."""
    if record["status"] == "evaluated" or not record["bounds"]:
        return
    rounded = len(of.places) if load_model(record["model"][-1]).kind == "joint" else 1
    value = min([objectives(of)[_aim(record)], *_reached(record)])
    stated = {f"bound {one['name']}": one["value"] * 1e6 for one in record["bounds"]}
    stated |= {"the headline's": record["headline"].get("bound_gbp", 0)}
    above = {name: bound for name, bound in stated.items() if bound > 1e6 * (value + slip(value, rounded))}
    wrong = [f"{name} GBP {bound:,.0f} is above the plan's GBP {1e6 * value:,.0f}" for name, bound in above.items()]
    yield compared("bounds and plan", wrong, f"no bound is above the plan's GBP {value:,.6f}m")


def _bounds(of: Grouped, may_hub: np.ndarray[Any, np.dtype[np.bool_]], record: dict[str, Any]) -> Iterator[Check]:
    """Bounds A, B and N recomputed; a bound of the solver alone is told, not re-proved."""
    for one in (found for found in record["bounds"] if found["name"] not in ("T", "C", "P", "L")):
        if one["name"] == "N":
            value = _net(of, one["pots"])
        elif one["name"] == "A":
            net = pd.Series(of.spend - of.budget).groupby(np.array(list(of.area), dtype=object)).sum()
            value = float(net.clip(lower=0).sum())
        else:
            chosen = np.isin(np.array(list(of.places)), one.get("overspenders", []))
            value = cut_bound(replace(of), chosen, reachable_hubs(of, may_hub))
        wrong = [] if value >= one["value"] - SLIP else [f"recomputed {value:.9g}, run.json says {one['value']:.9g}"]
        yield compared(f"bound {one['name']}", wrong, f"GBP {value:,.6f}m, re-proved without the solver")
    yield from _lifted(record)
    yield from _headline(record)
    yield from _no_more_than_the_plan(of, record)
    for stage in record["objectives"]:
        if stage["by"] == "highs":
            yield Check(f"bound of {stage['name']}", True, "the solver's own branch and bound: not re-proved here")
