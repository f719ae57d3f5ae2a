"""Run folders: written under a temporary name and renamed when whole, read back as a `Run`.

Everything but `timing.json` is the same bytes for the same input. Imports `plan`, `record`, `effects` and below.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from allocopt.assurance import assurance
from allocopt.attributes import attributes, groupings, places_table
from allocopt.certificates import Kept, write_certificate, write_grouping
from allocopt.csv_text import csv_text
from allocopt.effects import check_groupings, effects_tables, summary, tidy, warnings
from allocopt.errors import Infeasible, InputFault, Problem
from allocopt.folders import folder_name, hashes, whole_folder, write_json
from allocopt.formulas import compare_formulas
from allocopt.limits import limits, streams_table
from allocopt.model import load_model
from allocopt.plan import Facts, Plan, gather, make_plan
from allocopt.prices import prices
from allocopt.record import record
from allocopt.rolling import check_path, is_rolling, make_rolling_plan
from allocopt.scenario import Loaded, load, refuse_sweep
from allocopt.scenario.shape import stated
from allocopt.settings.neighbours import LINKS
from allocopt.solve.stages import Stage

if TYPE_CHECKING:
    from allocopt.choosing import Chosen
    from allocopt.consortia import Consortia
    from allocopt.stress.tables import Decided

GROUPED = ("grouping", "joint")
"""Kinds of model that group places."""


@dataclass(frozen=True)
class Run:
    """A finished run: its record (run.json) and its tables by file name; `folder` is None when nothing was written."""

    record: Mapping[str, Any]
    tables: Mapping[str, pd.DataFrame]
    """`allocations`, `effects` and whatever else the model and the scenario make, one CSV each"""
    folder: Path | None = None
    plan: Plan | Consortia | Chosen | None = None
    kept: Mapping[str, Kept] = field(default_factory=dict, repr=False)
    """What proves the prices of rules and the points of frontiers again, by its name in certificate.npz."""

    @property
    def allocations(self) -> pd.DataFrame:
        """One row per place and year."""
        return self.tables["allocations"]

    @property
    def effects(self) -> pd.DataFrame:
        """Who gains and who loses, tidy."""
        return self.tables["effects"]

    @property
    def exit(self) -> int:
        """0 when every stage is proven within the asked gap, else 4."""
        return 4 if self.record["status"] == "gap" else 0

    @property
    def headline(self) -> Mapping[str, Any]:
        """The figures people quote."""
        found: Mapping[str, Any] = self.record["headline"]
        return found


Tell = Callable[[str], None]
Writer = Callable[[Run, Path], None]
"""Adds files to a run folder while it is written: called with the run (its `folder` is the final one) and the draft."""


class Clock:
    """Times each step for timing.json, and passes the step's name on to whoever shows progress."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell, self._steps, self._last = tell, list[tuple[str, float]](), time.perf_counter()

    def __call__(self, step: str) -> None:
        self._steps.append((step, time.perf_counter()))
        self._tell(step)

    def timing(self) -> dict[str, Any]:
        """Seconds a step, and the peak memory of the process in megabytes."""
        ends = [moment for _, moment in self._steps[1:]] + [time.perf_counter()]
        seconds = {step: round(end - start, 4) for (step, start), end in zip(self._steps, ends, strict=True)}
        total = round(sum(seconds.values()), 4)
        return {"seconds": seconds, "total_seconds": total, "peak_memory_mb": peak_memory_mb()}


def peak_memory_mb() -> float | None:
    """The most memory that this process has held, in megabytes; None on Windows, which does not say."""
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415 - there is none on Windows

    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return round(kilobytes / 1024, 1)


def run(
    scenario: str | Path,
    *,
    set: Mapping[str, str] | Sequence[str] = (),  # noqa: A002 - the contract's name
    out: str | Path | None = "runs",
    tell: Callable[[str], None] = lambda step: None,  # noqa: ARG005 - the default listener ignores it
    also: Sequence[Writer] = (),
) -> Run:
    """Run a scenario file (or the name of a shipped one) and write its run folder under `out` (None writes nothing).

    `also` writes further files into the folder before it is whole, such as `allocopt.report.writers.reports`.
    Raises InputFault (2), Infeasible or Unbounded (3), Stopped (4); then no folder is written.
    """
    return run_loaded(load(scenario, set=set), out=out, tell=tell, also=also)


def run_loaded(
    loaded: Loaded,
    *,
    out: str | Path | None = "runs",
    tell: Callable[[str], None] = lambda step: None,  # noqa: ARG005 - the default listener ignores it
    also: Sequence[Writer] = (),
) -> Run:
    """Run a scenario that has been read already (see `run`). Raises ScenarioFault for a sweep, which is many."""
    refuse_sweep(loaded)
    clock = Clock(tell)
    clock("reading and checking tables")
    found = run_facts(gather(loaded), tell=clock)
    if out is None:
        return found
    clock("writing the run folder")
    return write_run(found, Path(out), clock, also=also)


def run_facts(facts: Facts, *, tell: Tell, plan: Callable[[Facts, Tell], Plan] | None = None) -> Run:
    """A whole run from its facts, not yet written; `plan` makes the plan of an allocation in place of `make_plan`."""
    try:
        kind = load_model(facts.loaded.scenario.model[-1]).kind
        if kind in GROUPED:
            found = _grouping_run(facts, tell)
        elif kind == "choice":
            found = _choice_run(facts, tell)
        else:
            found = _allocation_run(facts, tell, plan or plan_of)
    except Infeasible as failure:
        raise explained(facts, failure, tell) from failure
    return with_stress(with_frontier(found, tell=tell), tell=tell)


def plan_of(facts: Facts, tell: Tell) -> Plan:
    """The plan of an allocation: all years in one programme, or year by year."""
    check_path(facts.loaded)
    return (make_rolling_plan if is_rolling(facts.loaded.scenario) else make_plan)(facts, tell=tell)


def _allocation_run(facts: Facts, tell: Tell, plan: Callable[[Facts, Tell], Plan]) -> Run:
    check_groupings(groupings(facts), attributes(facts))
    made = plan(facts, tell)
    tell("working out effects")
    return run_of(made)


def _grouping_run(facts: Facts, tell: Tell) -> Run:
    """A grouping: groups, consortia, the comparison, and the allocation that was pooled where there is one."""
    from allocopt.consortia import compare, make_consortia  # noqa: PLC0415 - its loops load numba
    from allocopt.consortia.joint import make_joint  # noqa: PLC0415 - as above
    from allocopt.consortia.keeping import named  # noqa: PLC0415 - as above
    from allocopt.consortia.record import grouping_record  # noqa: PLC0415 - as above
    from allocopt.consortia.words import beside_words  # noqa: PLC0415 - as above

    joint = load_model(facts.loaded.scenario.model[-1]).kind == "joint"
    made = (make_joint if joint else make_consortia)(facts, tell=tell)
    tell("working out effects")
    money = pd.DataFrame({"budget_gbp": made.budget, "spend_gbp": made.spend}, index=facts.inputs.places.index)
    plans = compare.plans_of(made, tell=tell)
    tables, notes, beside = compare.tables_of_run(made, plans)
    tables["places"] = places_table(facts, money)
    said, kept = grouping_record(made, tell=tell)
    said["warnings"] += notes
    said["summary"] += beside_words(tables["comparison"])
    wished = facts.loaded.scenario.grouping is not None and facts.loaded.scenario.grouping.alternatives is not None
    if wished and made.status != "evaluated":
        said["alternatives"] = compare.alternatives_record(made, plans)
        few = said["alternatives"]["found"] < said["alternatives"]["asked"]
        said["warnings"] += [said["alternatives"]["words"]] if few else []
        said["warnings"] += compare.cheaper_words(made, plans)
    return Run(said, tables, None, made, kept | named(beside))


def _choice_run(facts: Facts, tell: Tell) -> Run:
    """Free choice: who goes with whom, its price, the judgement of given groupings, what keeps a plan together."""
    from allocopt.choosing.record import choice_made  # noqa: PLC0415 - its loops load numba

    made, said, tables = choice_made(facts, tell=tell)
    return Run(said, {**tables, "places": places_table(facts, made.money)}, None, made)


def explained(facts: Facts, failure: Infeasible, tell: Tell) -> Infeasible:
    """The failure with its reasons and cures: of the allocation, and of the grouping where that can be made."""
    from allocopt.consortia import models_before  # noqa: PLC0415 - as below
    from allocopt.diagnose import diagnose  # noqa: PLC0415 - few runs have no solution
    from allocopt.grouping.joint import about_allocations  # noqa: PLC0415 - as above

    tell("finding out why it cannot be solved")
    model = load_model(facts.loaded.scenario.model[0])
    if load_model(facts.loaded.scenario.model[-1]).kind not in GROUPED:
        return diagnose(facts, model, failure)
    if model.kind != "grouping":
        joint = model.kind == "joint"
        allocating, first = (about_allocations(model), facts) if joint else (model, models_before(facts))
        found = diagnose(first, allocating, Infeasible(failure.message))
        if found.cures:
            return found
    from allocopt.diagnose_grouping import diagnose_grouping  # noqa: PLC0415 - its loops load numba
    from allocopt.diagnose_grouping.cases import case_of  # noqa: PLC0415 - as above

    return diagnose_grouping(case_of(facts), failure)


def run_of(plan: Plan) -> Run:
    """A plan with its record and effects, not yet written."""
    priced = prices(plan)
    said = record(plan, priced)
    modelled = said["modelled_spend"]
    tables = effects_tables(plan.table, attributes(plan.facts), group_by=groupings(plan.facts), modelled_spend=modelled)
    said["summary"] = summary(tables, modelled_spend=modelled)
    said["warnings"] += warnings(tables)
    compared = compare_formulas(plan.facts)
    tables |= compared.effects if compared else {}
    said["titles"] = {name: table.attrs["title"] for name, table in tables.items()}
    found = {"allocations": plan.table, "effects": tidy(tables), "places": places_table(plan.facts)}
    limited = limits(plan)
    found |= {} if limited is None else {"limits": limited}
    found |= {"streams": streams_table(plan.facts)} if plan.facts.streams else {}
    found |= {"formulas": compared.places, "formula_components": compared.components} if compared else {}
    kept = {f"priced.{rule}.{kind}": one for rule, price in priced.items() for kind, one in price.kept.items()}
    return Run(said, found, None, plan, kept)


def with_frontier(found: Run, *, tell: Tell) -> Run:
    """The run with its frontiers, where its scenario has a `frontier:` block. Raises ScenarioFault."""
    if not isinstance(found.plan, Plan) or not found.plan.facts.loaded.scenario.frontier:
        return found
    from allocopt.frontier import frontier_record, frontier_table  # noqa: PLC0415 - few runs trace one

    traced = frontier_table(found.plan, tell=tell)
    if traced is None:
        return found
    table, kept = traced
    said = {**found.record, "frontier": frontier_record(table, modelled_spend=found.record["modelled_spend"])}
    return replace(found, record=said, tables={**found.tables, "frontier": table}, kept={**found.kept, **kept})


def with_stress(found: Run, *, tell: Callable[[str], None]) -> Run:
    """The run with its stress tables, where its scenario has a `stress:` block."""
    if found.plan is None or found.plan.facts.loaded.scenario.stress is None:
        return found
    from allocopt.stress.tables import stress_of  # noqa: PLC0415 - it loads scipy's statistics

    stressed = stress_of(_decided(found), tell=tell)
    if stressed is None:
        return found
    warnings = [*found.record["warnings"], *stressed.warnings]
    said = {**found.record, "warnings": warnings, "stress": stressed.record}
    return replace(found, record=said, tables={**found.tables, **stressed.tables})


def _decided(found: Run) -> Decided:
    """What a stress holds fixed: the pounds of the allocation, or what each place brings to its consortium."""
    from allocopt.consortia import Consortia  # noqa: PLC0415 - as above
    from allocopt.stress.tables import Decided, paid  # noqa: PLC0415 - as above

    if isinstance(found.plan, Consortia):
        group = found.plan.groups.set_index("place")["group"].reindex(list(found.plan.facts.situation.places))
        return Decided(found.plan.facts, found.plan.budget[:, None] / 1e6, group.fillna("").to_numpy(dtype="str"))
    assert found.plan is not None
    if not isinstance(found.plan, Plan):
        return Decided(found.plan.facts, found.plan.budget[:, None] / 1e6, found.plan.labels)
    return Decided(found.plan.facts, paid(found.plan), None, found.plan)


def write_run(found: Run, out: Path, clock: Clock, *, also: Sequence[Writer] = ()) -> Run:
    """Write the run folder whole or not at all; a folder of the same inputs is replaced. `also` may add files."""
    assert found.plan is not None
    folder = out / folder_name(found.plan.facts.loaded.path.stem, found.record["hash"])
    with whole_folder(folder) as draft:
        write_files(found, draft)
        for write in also:
            clock("writing the report")
            write(replace(found, folder=folder), draft)
        loaded = found.plan.facts.loaded
        write_json(draft / "timing.json", {**clock.timing(), **workers_of(loaded), **whereabouts(loaded, draft)})
    return replace(found, folder=folder)


def write_files(found: Run, folder: Path) -> None:
    """Write run.json, the tables and the certificate into a folder: the same bytes for the same input."""
    write_json(folder / "run.json", found.record)
    (folder / "assurance.md").write_text(assurance(found.record), encoding="utf-8")
    for name, frame in found.tables.items():
        (folder / f"{name}.csv").write_text(csv_text(frame), encoding="utf-8", newline="\n")
    if isinstance(found.plan, Plan):
        write_certificate(folder / "certificate.npz", found.plan, found.kept)
        return
    from allocopt.consortia import Consortia  # noqa: PLC0415 - as above

    if isinstance(found.plan, Consortia):
        bounds = {one.name: one.prices for one in found.plan.solution.bounds}
        write_grouping(folder / "certificate.npz", bounds, found.kept)


def workers_of(loaded: Loaded) -> dict[str, int]:
    """How many processes a grouping was found with: it changes no figure, so it stands beside the seconds."""
    grouping = loaded.scenario.grouping
    return {} if grouping is None else {"workers": grouping.workers}


def whereabouts(loaded: Loaded, folder: Path) -> dict[str, Any]:
    """For `verify`: where the scenario and its tables were, and the hash of every file it reads; outside every hash."""
    inputs, named = loaded.scenario.inputs, dict[str, tuple[str, ...]]()
    for which in ("places", "baseline", "spend", "populations"):
        if getattr(getattr(inputs, which), "table", None):
            named[which] = ("inputs", which, "table")
    for number in range(len(inputs.places.more)):
        named[f"more.{number}"] = ("inputs", "places", "more", str(number), "table")
    if loaded.scenario.pot.table:
        named["pot"] = ("pot", "table")
    if loaded.scenario.grouping is not None and loaded.scenario.grouping.table:
        named["grouping"] = ("grouping", "table")
    if stated(loaded.scenario, LINKS):
        named["neighbours"] = LINKS
    return {
        "scenario": str(loaded.path.resolve()),
        "tables": {which: str(loaded.table_path(*keys)) for which, keys in named.items()} | _returns(loaded),
        "sha256": hashes(folder, but=("timing.json",)),
    }


def _returns(loaded: Loaded) -> dict[str, str]:
    stress = loaded.scenario.stress
    if stress is None or stress.monitoring is None:
        return {}
    return {"monitoring": str(loaded.table_path("stress", "monitoring", "table"))}


def read_run(folder: str | Path) -> Run:
    """A run folder read back. Raises InputFault when it is not one."""
    folder = Path(folder)
    try:
        said = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        tables = {path.stem: _read_table(path) for path in sorted(folder.glob("*.csv"))}
        wanted = {"groups", "consortia", "effects"} if "groups" in tables else {"allocations", "effects"}
        missing = wanted - set(tables)
        if missing:
            raise ValueError(f"{', '.join(sorted(missing))}.csv is not there")  # noqa: TRY301 - told below with the rest
    except (OSError, ValueError) as failure:
        said_so = f"{folder} is not a run folder: {failure}"
        raise InputFault(
            said_so, (Problem(said_so, "name a folder that `allocopt run` wrote", str(folder)),)
        ) from failure
    return Run(said, tables, folder)


def _read_table(path: Path) -> pd.DataFrame:
    text = dict.fromkeys(("place", "name", "year", "group", "hub", "area", "previous_group", "level", "region"), "str")
    return pd.read_csv(path, dtype=text, keep_default_na=False, na_values=[""])


__all__ = ["Run", "Stage", "read_run", "run", "run_of", "write_run"]
