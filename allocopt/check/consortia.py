"""A finished grouping checked again from its folder and its inputs, without the solver and without the search.

The scenario is taken from run.json (so a run with `--set` is checked as it was asked), the tables from where they are
now. Rules and objectives are recomputed by `check.grouping`, tables by `check.pooled`, bounds A and B from their
certificates (areas; the overspenders of the minimum cut), bounds T, C and P and the allocation by `check.relaxed`; what
stands beside the plan by `check.beside`, `check.without` and `check.earlier`. Imports `consortia`, `plan` and the
`check.*` rooms.
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

from allocopt.check.alternatives import check_alternatives, plans_of
from allocopt.check.beside import EARLIER, Beside, check_comparison, check_frontier, is_earlier
from allocopt.check.bound import drawn_distance, recall
from allocopt.check.earlier import check_before
from allocopt.check.given import check_given
from allocopt.check.grouped_stages import check_stages
from allocopt.check.grouping import Grouped, broken_rules, cut_bound, objectives, reachable_hubs, slip
from allocopt.check.inputs import Known, check_files, check_hash, find_tables, known
from allocopt.check.kept import Certificate
from allocopt.check.neighbours import check_links, links_again
from allocopt.check.pooled import (
    check_consortia,
    check_effects,
    check_groups,
    check_headline,
    check_money,
    check_places,
    table_at,
)
from allocopt.check.proofs import area_bound, net_of
from allocopt.check.relaxed import check_allocation, check_pockets, check_prices, check_relaxed
from allocopt.check.verdict import Check, Verdict, compared, guarded
from allocopt.check.without import Priced, check_binding, check_without
from allocopt.consortia import grouped_of, instance_of, money_of
from allocopt.consortia.binding import Binding, binding_at
from allocopt.consortia.words import beside_words, summary_of, two_steps_words
from allocopt.errors import InputFault, Problem
from allocopt.grouping.exempt import Exemption, with_exemptions
from allocopt.grouping.instance import Instance
from allocopt.model import load_model
from allocopt.plan import Facts, gather
from allocopt.said_bounds import aim_of
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
    links = links_again(record, where, of.of.places)
    yield from guarded("neighbours", lambda: check_links(of.of.links, links, of.of.places))
    of = of if links is None else replace(of, of=replace(of.of, links=links))
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
    groups, consortia = (table_at(folder, name) for name in ("groups", "consortia"))
    of, instance = grouped_again(folder, record, facts, groups)
    links = links_again(record, where, of.places)
    yield from guarded("neighbours", lambda: check_links(of.links, links, of.places))
    of = of if links is None else replace(of, links=links)
    allocated = (folder / "allocations.csv").is_file()
    own = known(record, where, distance=drawn_distance(facts))
    yield from guarded("every place is placed", lambda: [_placed(facts, groups)])
    yield from guarded("the given grouping", lambda: check_given(of, record, where))
    yield from guarded("money", lambda: check_money(of, own, record, allocated=allocated))
    yield from guarded("groups", lambda: [check_groups(of, groups)])
    yield from guarded("consortia", lambda: [check_consortia(of, consortia, own.target[:, -1] / own.pot[-1])])
    yield from guarded("headline", lambda: [check_headline(of, record)])
    yield from guarded("places", lambda: [check_places(of, table_at(folder, "places"), own)])
    yield from guarded("rules", lambda: [_rules(of, record)])
    yield from guarded("exemptions", lambda: [_exemptions(record)])
    yield from guarded("where rules bind", lambda: check_binding(_binding(of, instance), facts, record))
    yield from guarded("objectives", lambda: _objectives(of, record))
    yield from guarded("stages", lambda: check_stages(record, float(of.budget.sum())))
    yield from guarded("what it rests on", lambda: [_rests_on(record, facts)])
    if "alternatives" in record:
        yield from guarded("alternatives", lambda: check_alternatives(folder, record, of))
    if allocated:
        yield from guarded("the allocation", lambda: check_allocation(folder, record, own))
    yield from guarded("bounds", lambda: _bounds(of, instance.may_hub, record))
    yield from guarded("bound T", lambda: check_prices(folder, record, of, instance.may_hub))
    yield from guarded("bound C", lambda: check_relaxed(folder, record, facts, instance))
    yield from guarded("bound P", lambda: check_pockets(record, folder, instance))
    yield from guarded("beside the plan", lambda: _beside(folder, record, facts, instance, of, own))


def _summary(record: dict[str, Any], comparison: pd.DataFrame) -> Check:
    """The sentences say the figures that were checked."""
    wanted = summary_of(record) + beside_words(comparison)
    wrong = [] if record["summary"] == wanted else [f"it reads '{record['summary']}', the figures say '{wanted}'"]
    two = record.get("two_steps")
    if two is not None and two["words"] != two_steps_words(two["objectives"]):
        wrong.append(f"one after the other reads '{two['words']}'")
    return compared("summary", wrong, "as the figures say")


def _binding(of: Grouped, instance: Instance) -> dict[str, Binding]:
    return {name: binding_at(instance, of, name) for name in instance.settings}


def _beside(
    folder: Path, record: dict[str, Any], facts: Facts, instance: Instance, of: Grouped, own: Known
) -> Iterator[Check]:
    """Comparison, effects, frontier, prices of rules and the allocation before: what stands beside the plan."""
    kept, comparison = Certificate.read(folder / "certificate.npz"), table_at(folder, "comparison")
    consortia = table_at(folder, "consortia")
    yield from guarded("summary", lambda: [_summary(record, comparison)])
    yield from guarded("effects", lambda: [check_effects(table_at(folder, "effects"), comparison, consortia)])
    if is_earlier(comparison, record, kept):
        for name in ("comparison", "travel frontier", "prices of rules", "before"):
            yield Check(name, True, EARLIER)
        return
    plans = tuple(plans_of(folder / "alternatives.csv", of)) if (folder / "alternatives.csv").is_file() else ()
    run = Beside(facts, instance, of, record, kept, own, plans)
    yield from guarded("comparison", lambda: check_comparison(run, comparison))
    if (folder / "travel_frontier.csv").is_file():
        frontier = table_at(folder, "travel_frontier")
        yield from guarded("travel frontier", lambda: check_frontier(run, frontier))
    yield from guarded("prices of rules", lambda: check_without(Priced(facts, instance, record, kept, own)))
    if record["before"] is not None:
        yield from guarded("before", lambda: check_before(facts, record, folder, own))


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
    if hub_at.isna().any():
        raise ValueError(f"groups.csv names no place of the run as the hub of {hub_at.index[hub_at.isna()][0]}")
    of = grouped_of(facts, instance, np.asarray(hub_at, dtype=np.int64))
    return of, instance


def _placed(facts: Facts, groups: pd.DataFrame) -> Check:
    lost = sorted(set(facts.situation.places) ^ set(groups["place"]))
    twice = groups["place"][groups["place"].duplicated()].tolist()
    return compared(
        "every place is placed", [f"{code} is missing, strange or twice" for code in [*lost, *twice]], "once"
    )


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


def _exemptions(record: dict[str, Any]) -> Check:
    """The words of an exemption say its kilometres, which are whole."""
    wrong = []
    for one in record["exemptions"]:
        made = Exemption(one["rule"], one["code"], one.get("km"))
        if one["words"] != made.words or (made.km is not None and made.km != round(made.km)):
            wrong.append(f"{one['rule']} of {one['code']} reads '{one['words']}', its figures say '{made.words}'")
    return compared("exemptions", wrong, f"{len(record['exemptions'])}, each as it reads")


def _rests_on(record: dict[str, Any], facts: Facts) -> Check:
    """Seeds, and whether spend is modelled, as the scenario has them."""
    said, spend = record["scenario"].get("grouping") or {}, record["scenario"]["inputs"].get("spend") or {}
    drawn = "risk_model" in spend
    wanted = {
        "search_seed": said.get("seed", 1),
        "modelled_spend": drawn or bool(spend.get("modelled")),
        "seed": spend.get("seed") if drawn else None,
    }
    wrong = [f"{name} is {record[name]}, not {one}" for name, one in wanted.items() if record[name] != one]
    wrong += [] if record["spend"] == (facts.spend.words if facts.spend else None) else ["spend is described otherwise"]
    wrong += [f"{key} is {record[key]!r}" for key in ("name", "model") if record[key] != record["scenario"][key]]
    return compared("what it rests on", wrong, "seeds and spend as the scenario has them")


def _lifted(record: dict[str, Any]) -> Iterator[Check]:
    """Bound L is bound B, P or T, proved again, and gains of the solver's own; no stage claims more than a bound."""
    stated = {one["name"]: float(one["value"]) for one in record["bounds"]}
    if "L" not in stated:
        return
    proved = max(value for name, value in stated.items() if name != "L")
    wrong = [] if stated["L"] >= proved else [f"{stated['L']:.9g} is below what is proved, {proved:.9g}"]
    wrong += [f"it is said to be by {one['by']}" for one in record["bounds"] if one.get("by", "highs") != "highs"]
    for stage in (one for one in record["objectives"] if one["name"] == aim_of(record)):
        if stage["bound"] > max(stated.values()) + SLIP:
            wrong.append(f"{stage['name']} states {stage['bound']:.9g}, more than every bound")
        if stated["L"] >= stage["bound"] > proved + SLIP and stage["by"] != "highs":
            wrong.append(f"{stage['name']} states it proved by {stage['by']}")
    words = f"GBP {proved:,.6f}m proved again, GBP {stated['L'] - proved:,.6f}m by branch and bound alone"
    yield compared("bound L", wrong, words)


def _reached(record: dict[str, Any]) -> list[float]:
    """The objective in money of the plan that its own stage had, before the objectives after it took their slack."""
    return [one["value"] for one in record["objectives"] if one["name"] == aim_of(record)]


def _no_more_than_the_plan(of: Grouped, record: dict[str, Any]) -> Iterator[Check]:
    """No bound lies above the plan that was found; a given grouping may break rules that the bounds count on."""
    if record["status"] == "evaluated" or not record["bounds"]:
        return
    rounded = len(of.places) if load_model(record["model"][-1]).kind == "joint" else 1
    value = min([objectives(of)[aim_of(record)], *_reached(record)])
    stated = {f"bound {one['name']}": one["value"] * 1e6 for one in record["bounds"]}
    stated |= {"the headline's": record["headline"].get("bound_gbp", 0)}
    above = {name: bound for name, bound in stated.items() if bound > 1e6 * (value + slip(value, rounded))}
    wrong = [f"{name} GBP {bound:,.0f} is above the plan's GBP {1e6 * value:,.0f}" for name, bound in above.items()]
    yield compared("bounds and plan", wrong, f"no bound is above the plan's GBP {value:,.6f}m")


def _bounds(of: Grouped, may_hub: np.ndarray[Any, np.dtype[np.bool_]], record: dict[str, Any]) -> Iterator[Check]:
    """Bounds A, B and N recomputed; a bound of the solver alone is told, not re-proved."""
    for one in (found for found in record["bounds"] if found["name"] not in ("T", "C", "P", "L")):
        if one["name"] == "N":
            value = net_of(of, one["pots"])
        elif one["name"] == "A":
            value = area_bound(of)
        elif one["name"] != "B":
            raise ValueError(f"there is no bound {one['name']}")
        else:
            chosen = np.isin(np.array(list(of.places)), one.get("overspenders", []))
            value = cut_bound(replace(of), chosen, reachable_hubs(of, may_hub))
        same = abs(value - one["value"]) <= SLIP
        wrong = [] if same else [f"recomputed {value:.9g}, run.json says {one['value']:.9g}"]
        yield compared(f"bound {one['name']}", wrong, f"GBP {value:,.6f}m, re-proved without the solver")
    yield from _lifted(record)
    yield from _no_more_than_the_plan(of, record)
    for stage in record["objectives"]:
        if stage["by"] == "highs":
            yield Check(f"bound of {stage['name']}", True, "the solver's own branch and bound: not re-proved here")
