"""Groupings beside the plan: every row of comparison.csv and travel_frontier.csv from the plan that it speaks of.

Present groups, nearest hubs and alternatives are held against the inputs and the tables; plans that were solved for
are kept in certificate.npz, with what proves their bounds where that is no branch and bound. Imports `check.measures`,
`check.grouping`, `check.given`, `check.proofs` and `check.verdict`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from allocopt.check.bound import decided_of
from allocopt.check.given import is_middle
from allocopt.check.grouping import Broken, Grouped, Ints, broken_rules, could_join, haversine, objectives
from allocopt.check.inputs import Known, Plain
from allocopt.check.kept import Certificate
from allocopt.check.measures import blank, breaks, costs, figures, gap, once, told
from allocopt.check.pooled import proven
from allocopt.check.proofs import ALONE, SLIP, Subject, allocation_faults, allocation_objective
from allocopt.check.verdict import Check, compared, guarded
from allocopt.grouping.instance import Instance
from allocopt.model import load_model
from allocopt.plan import Facts
from allocopt.said_bounds import AIMS, aim_of

EARLIER = "not re-checked: made by an earlier version, which kept nothing of it; run the scenario again"
WITHIN, ACROSS = "optimal within areas", "optimal across areas"
STEPS = "one after the other"


@dataclass(frozen=True)
class Beside:
    """A run whose comparison is checked again."""

    facts: Facts
    instance: Instance
    of: Grouped
    record: Plain
    kept: Certificate
    own: Known
    alternatives: tuple[Ints, ...] = ()

    def subject(self, name: str, instance: Instance | None = None) -> Subject:
        """What is kept under a name, under the rules of the run or of another instance."""
        model = self.facts.loaded.scenario.model[-1]
        model = "consortia" if load_model(model).kind == "joint" else model
        return Subject(self.facts, self.instance if instance is None else instance, self.kept.part(name), model)

    @property
    def by(self) -> str:
        """Who proves the most of every plan of the run: a bound that needs no solver, where one does."""
        most, first = proven(self.record), self.record["objectives"][:1]
        said = [(one["value"], "highs" if one["name"] == "L" else f"bound {one['name']}") for one in _bounds(self)]
        said += [(one["bound"], one["by"]) for one in first if one["name"] == aim_of(self.record)]
        near = [by for value, by in said if value is not None and value >= most - 1e-9 * max(1.0, most)]
        return next((by for by in near if by.startswith("bound ")), near[0] if near else "none")


def _bounds(run: Beside) -> list[Plain]:
    found: list[Plain] = run.record["bounds"]
    return found


def is_earlier(comparison: pd.DataFrame, record: Plain, kept: Certificate) -> bool:
    """Whether a folder was made before the plans beside the run's own were kept: nothing of it speaks of them."""
    kinds = ("beside.", "frontier.", "priced.", "before.")
    priced = any("without_by" in one for one in record["rules"])
    return "bound_by" not in comparison and not priced and not any(name.startswith(kinds) for name in kept.arrays)


def check_comparison(run: Beside, comparison: pd.DataFrame) -> Iterator[Check]:
    """One check a row."""
    named = [str(one) for one in comparison["plan"]]
    wrong = [f"{name} stands twice" for name in set(named) if named.count(name) > 1]
    wrong += [f"{name} is not there" for name in ("unpooled", "plan") if name not in named]
    wrong += [f"alternative {k} is not there" for k in range(1, len(run.alternatives)) if _alternative(k) not in named]
    yield compared("comparison", wrong, f"{len(named)} rows")
    for row in comparison.to_dict("records"):
        said = {str(name): value for name, value in row.items()}
        yield from guarded(f"comparison, {said['plan']}", partial(_row, run, said))


def _alternative(number: int) -> str:
    return f"alternative {number}"


def _row(run: Beside, said: Plain) -> Iterator[Check]:
    name, words = str(said["plan"]), "every figure recomputed from its plan"
    plan, wrong, broken = _plan(run, name)
    found = _measured(plan, broken)
    if name == "unpooled":
        found |= {"rules_broken": np.nan, "bound_gbp": np.nan, "gap_pct": np.nan, "bound_by": ""}
    elif name in (WITHIN, ACROSS):
        subject = _areas(run, on=name == WITHIN)
        wrong += [f"its plan breaks {one}" for one in broken_rules(subject.plan())]
        faults, proof = _bounded(said, subject, costs(found))
        wrong, words = [*wrong, *faults], f"{words}; {proof}"
    else:
        found |= _own_bound(run, broken, costs(found))
    wrong += told(name, said, found)
    wrong += [f"{key} has no second definition" for key in said if key not in (*found, *BOUND, "plan")]
    yield compared(f"comparison, {name}", wrong, words)


def _measured(plan: Grouped, broken: list[Broken]) -> dict[str, Any]:
    """The figures of a plan, and the rules that it breaks."""
    rules = {one.rule for one in broken}
    return {**figures(plan), "breaks": breaks(broken), "rules_broken": len(rules)}


BOUND = ("bound_gbp", "gap_pct", "bound_by")


def _own_bound(run: Beside, broken: list[Broken], gross: float) -> dict[str, Any]:
    """The run's own bound beside a plan that keeps the rules; nothing where it keeps them not, or none is stated."""
    stated = any(one["name"] == aim_of(run.record) for one in run.record["objectives"])
    if broken or not stated:
        return {"bound_gbp": np.nan, "gap_pct": np.nan, "bound_by": ""}
    bound = 1e6 * proven(run.record)
    return {"bound_gbp": round(bound), "gap_pct": gap(gross, bound) if gross else np.nan, "bound_by": run.by}


def _bounded(said: Plain, subject: Subject, gross: float) -> tuple[list[str], str]:
    """Faults of the bound of a plan that was solved for, and how far it was proved again."""
    if blank(said["bound_gbp"]):
        empty = all(blank(said[one]) for one in BOUND)
        return ([] if empty else ["its bound is stated in part"]), "no bound is stated"
    by, bound = str(said["bound_by"]), float(said["bound_gbp"])
    wrong = []
    if not gross and not blank(said["gap_pct"]):
        wrong.append(f"gap_pct is {said['gap_pct']} of no deficit")
    if gross and abs(float(said["gap_pct"]) - gap(gross, bound)) > 1e-4 * (1 + 1e6 / gross):
        wrong.append(f"gap_pct is {said['gap_pct']}, its bound makes it {gap(gross, bound):.6f}")
    if bound > gross + 1:
        wrong.append(f"its bound GBP {bound:,.0f} is above its GBP {gross:,.0f}")
    if by in ALONE:
        wrong += [f"its bound GBP {bound:,.0f} is proved by nobody"] if by == "none" and bound else []
        return wrong, f"its bound is {'branch and bound alone: not re-proved' if by == 'highs' else '0'}"
    value = subject.proved(by)
    if abs(1e6 * value - bound) > 0.51 + 1e-11 * bound:
        wrong.append(f"{by} is GBP {1e6 * value:,.0f}, the row says {bound:,.0f}")
    return wrong, f"its {by} re-proved without the solver"


def _areas(run: Beside, *, on: bool) -> Subject:
    settings = {name: one for name, one in run.instance.settings.items() if name != "stay_in_area"}
    instance = replace(run.instance, settings=settings | ({"stay_in_area": {}} if on else {}))
    return run.subject(f"beside.{WITHIN if on else ACROSS}", instance).with_exemptions()


def _plan(run: Beside, name: str) -> tuple[Grouped, list[str], list[Broken]]:
    """The plan of a row, what is wrong with it as such a plan, and the rules of the run that it breaks."""
    of, wrong = run.of, list[str]()
    if name == "unpooled":
        return replace(of, hub=np.arange(len(of.hub))), [], []
    if name == "plan":
        return of, [], broken_rules(of)
    if name.startswith("alternative "):
        plan = replace(of, hub=run.alternatives[int(name.removeprefix("alternative "))])
    else:
        plan = run.subject(f"beside.{name}").plan()
    broken = once(broken_rules(plan))
    if name.startswith("present: "):
        wrong = [*_present(run, name.removeprefix("present: "), plan)]
    elif name == "nearest hub":
        wrong = [*_nearest(run, plan.hub)]
    elif name == WITHIN and "stay_in_area" not in of.settings:
        broken += broken_rules(replace(plan, settings={"stay_in_area": {}}))
    elif name == STEPS:
        wrong = [*_steps(run, plan)]
    return plan, wrong, broken


def _present(run: Beside, column: str, plan: Grouped) -> Iterator[str]:
    """Present groups of a column, each at the member of least travel; places without one alone."""
    label = run.facts.inputs.places[column].astype(str).to_numpy(dtype=object)
    for name in sorted(set(label.tolist())):
        members = np.flatnonzero(label == name)
        hubs = np.unique(plan.hub[members])
        if name == "":
            if not np.array_equal(plan.hub[members], members):
                yield "a place without a present group does not stand alone"
        elif len(hubs) > 1 or not is_middle(plan, members, int(hubs[0])):
            yield f"present group {name} is not together at its member of least travel"


def _nearest(run: Beside, hub: Ints) -> Iterator[str]:
    """Every place at the nearest declared hub that it may join; of the plan's hubs, where hubs were chosen."""
    of, n = run.of, len(run.of.hub)
    used = np.flatnonzero(np.array(of.declared)) if of.declared is not None else np.unique(of.hub)
    near, far = np.full(n, np.inf), haversine(of, np.arange(n), hub)
    for h in used.tolist():
        could = could_join(of, h)
        near[could] = np.minimum(near[could], haversine(of, np.arange(n), np.full(n, h))[could])
    none = np.isinf(near)
    own = np.isin(np.arange(n), used)
    wrong = np.where(own, hub != np.arange(n), np.where(none, hub != of.hub, np.abs(far - near) > 1e-6))
    for p in np.flatnonzero(wrong).tolist()[:3]:
        yield f"{of.places[p]} is not at the nearest hub that it may join"


def _steps(run: Beside, plan: Grouped) -> Iterator[str]:
    """The two-step plan of a joint run, against what run.json says it reaches; its allocation is in whole pounds."""
    decided = decided_of(run.own, np.rint(1e6 * plan.budget)[:, None])
    yield from allocation_faults(decided, run.record)
    now = objectives(plan)
    final = {one["name"]: one["final_value"] for one in run.record["objectives"]}
    for one in run.record["two_steps"]["objectives"]:
        name, value = one["name"], one["one_after_the_other"]
        if one["jointly"] != final[name]:
            yield f"{name} jointly is {one['jointly']}, the plan has {final[name]}"
        if (found := now.get(name, allocation_objective(name, decided))) is None:
            continue
        if abs(value - found) > 1e-6 * len(plan.hub) + 1e-9 * abs(value):
            yield f"{name} one after the other is {value}, its plan has {found:.9g}"


def check_frontier(run: Beside, table: pd.DataFrame) -> Iterator[Check]:
    """Every row of travel_frontier.csv: figures from its plan, rate, cap and bound on gross deficit.

    The least travel itself is branch and bound's own, and so is not proved again.
    """
    rates = list((run.record["scenario"].get("grouping") or {}).get("frontier", []))
    made = [100 * rate for rate in rates if any(np.isclose(100 * rate, one, rtol=1e-12) for one in table["slack_pct"])]
    wrong = [] if np.allclose(made, table["slack_pct"]) and len(made) == len(table) else ["rates are not those asked"]
    least = run.subject("frontier.least").with_exemptions()
    wrong += [f"the plan of least deficit breaks {one}" for one in broken_rules(least.plan())]
    yield compared("travel frontier", wrong, f"{len(table)} of the {len(rates)} rates asked for")
    for number, row in enumerate(table.to_dict("records")):
        said = {str(name): value for name, value in row.items()}
        yield from guarded(f"travel frontier, {said['slack_pct']:g}%", partial(_point, run, least, number, said))


def _point(run: Beside, least: Subject, number: int, said: Plain) -> Iterator[Check]:
    plan, rate = run.subject(f"frontier.{number}").plan(), float(said["slack_pct"]) / 100
    broken = once(broken_rules(plan))
    found = _measured(plan, broken)
    wrong = told("the row", said, found)
    faults, words = _bounded(said, least, costs(found))
    wrong += faults if not broken else []
    aim = aim_of(run.record)
    value, solver = objectives(least.plan())[aim], run.record["scenario"]["solver"]
    cap = value + max(rate * value, solver["slack_at_least"])
    most = float(said["deficit_at_most_gbp"])
    if costs(found) > most + 1:
        wrong.append(f"its {AIMS[aim]} is above the GBP {most:,.0f} that it may have")
    if abs(most - 1e6 * cap) > 1.5:
        if said["applies"] == "the whole" and not run.record["method"].startswith("annealing"):
            wrong.append(f"deficit_at_most_gbp is {most:,.0f}, the rate makes it {1e6 * cap:,.0f}")
        words += "; what it may have is of a search of its own: not re-checked"
    if said["travel_bound_km"] > found["travel_km"] + SLIP:
        wrong.append("its least travel is above its travel")
    where = {"the whole": "", "each part": ", in each part of the country"}[str(said["applies"])]
    what = "deficit with crossings" if aim == "deficit_and_crossings" else "deficit"
    called = [f"{what} up to {rate:.2%} above {than}{where}" for than in ("the least", "the least found")]
    wrong += [] if said["plan"] in called else [f"it is called '{said['plan']}'"]
    words = f"every figure recomputed from its plan; {words}; least travel is branch and bound's: not re-proved"
    yield compared(f"travel frontier, {said['slack_pct']:g}%", wrong, words)
