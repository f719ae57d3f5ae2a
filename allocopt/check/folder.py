"""The independent checker: a finished run, checked again from its folder and its inputs alone.

`verify` re-checks sums, every column and definition, every rule that is on, every objective's final value, the
headline and the totals of the effects tables with code that shares nothing with the rooms that made them
(`check.inputs`, `check.plan`, `check.rules`), and proves every bound again without the solver (`check.bound`). What
is only words in run.json (warnings, summary, versions, binding counts) is covered by the hashes that timing.json
keeps of the written files: they tell a change by accident, not a forger who writes both. Imports the `check.*` rooms,
`check.verdict` and `errors`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path

import pandas as pd

from allocopt.check.bound import (
    Recompiled,
    check_bounds,
    check_levels,
    check_objectives_recompiled,
    check_recompiled,
    check_rule_recompiled,
    decided_of,
    drawn_distance,
    recall,
    recompile,
)
from allocopt.check.carried import check_years
from allocopt.check.consortia import is_grouping_folder, verify_grouping
from allocopt.check.decided import Decided
from allocopt.check.frontier import check_frontiers
from allocopt.check.inputs import Plain, check_files, check_hash, find_tables, known, read_timing
from allocopt.check.kept import Certificate
from allocopt.check.limits import check_limits
from allocopt.check.places import check_formulas, check_streams, with_streams
from allocopt.check.plan import check_against_inputs, check_columns, check_effects, check_headline, given_of
from allocopt.check.pools import check_pools
from allocopt.check.prices import check_prices
from allocopt.check.rolling import carried, check_calls, check_rolled_bounds, recompile_rolled, with_openings
from allocopt.check.rules import SECOND, check_objectives, check_rule, said_of
from allocopt.check.shocks import check_reverse, check_tests
from allocopt.check.stages import check_stages
from allocopt.check.stress import check_robust, check_stress
from allocopt.check.verdict import Check, Verdict, compared, guarded
from allocopt.errors import InputFault, Problem
from allocopt.model import load_model
from allocopt.rolling import is_rolling

__all__ = ["Check", "Verdict", "verify"]

TEXT = ("place", "name", "year", "table", "group", "measure", "unit")

STRESSES = {"years": check_years, "tests": check_tests, "reverse": check_reverse, "pools": check_pools}


def verify(folder: str | Path, *, scenario: str | Path | None = None) -> Verdict:
    """Check a run folder again; `scenario` says where the scenario file is now, when its tables have moved.

    Raises InputFault (2) when it is not a run folder, and ScenarioFault (2) when `scenario` is not there.
    """
    folder = Path(folder)
    if is_grouping_folder(folder):
        return verify_grouping(folder, None if scenario is None else Path(scenario))
    record, tables = _read(folder)
    checks = [*guarded("sealed files", lambda: [_sealed(folder)]), *_folder_checks(record, tables)]
    where = find_tables(folder, record, None if scenario is None else Path(scenario))
    inputs = [*guarded("input files", lambda: check_files(record, where))]
    checks += inputs
    if all(one.passed for one in inputs):
        checks += guarded("the plan against the inputs", lambda: _against_inputs(folder, record, tables, where))
    else:
        checks.append(Check("the plan against the inputs", False, "not checked: these are not the inputs of the run"))
    return Verdict(folder, tuple(checks))


def _read(folder: Path) -> tuple[Plain, Mapping[str, pd.DataFrame]]:
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        tables = {name: _table(folder / f"{name}.csv") for name in ("allocations", "effects")}
        inputs = record["scenario"]["inputs"]
        if not isinstance(inputs, dict) or not all(isinstance(one, dict) for one in inputs.values()):
            raise ValueError("run.json holds no scenario")  # noqa: TRY301 - told below with the rest
    except (OSError, ValueError, KeyError, TypeError) as failure:
        said = f"{folder} is not a run folder that can be read: {failure}"
        raise InputFault(said, (Problem(said, "name a folder that `allocopt run` wrote", str(folder)),)) from failure
    return record, tables


def _table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=dict.fromkeys(TEXT, "str"), keep_default_na=False, na_values=[""])


def _sealed(folder: Path) -> Check:
    """The files of the folder have the bytes that were written, as timing.json notes them."""
    noted = read_timing(folder).get("sha256", {})
    wrong = [] if noted else ["timing.json notes no hashes, so the bytes cannot be compared with those written"]
    for name, digest in noted.items():
        path = folder / name
        if not path.is_file():
            wrong.append(f"{name} is not there")
        elif sha256(path.read_bytes()).hexdigest() != digest:
            wrong.append(f"{name} is not as it was written")
    missing = {"run.json", "allocations.csv", "effects.csv", "certificate.npz"} - set(noted) if noted else set()
    wrong += [f"timing.json notes no hash of {name}" for name in sorted(missing)]
    return compared("sealed files", wrong, f"{', '.join(noted)}: as written")


def _folder_checks(record: Plain, tables: Mapping[str, pd.DataFrame]) -> Iterator[Check]:
    """What the folder says of itself, without its inputs."""
    allocations = tables["allocations"]
    yield from guarded("hash", lambda: [check_hash(record)])
    yield from guarded("named as the scenario", lambda: [_named(record)])
    yield from guarded("columns", lambda: check_columns(allocations))
    yield from guarded("headline", lambda: [check_headline(allocations, record)])
    yield from guarded("effects", lambda: check_effects(allocations, tables["effects"]))
    yield from guarded("stages", lambda: check_stages(record))


def _named(record: Plain) -> Check:
    scenario = record["scenario"]
    wrong = [
        f"{key} is {record[key]!r}, the scenario's is {scenario[key]!r}"
        for key in ("name", "model")
        if record[key] != scenario[key]
    ]
    strange = [name for name in scenario["model"] if load_model(name).kind != "allocation"]
    wrong += [f"model {name} has no independent check here" for name in [*strange, *scenario["model"][1:]]]
    return compared("named as the scenario", wrong, f"{record['name']}, model {', '.join(record['model'])}")


def _against_inputs(
    folder: Path, record: Plain, tables: Mapping[str, pd.DataFrame], where: Mapping[str, Path | None]
) -> Iterator[Check]:
    of = recompile(recall(record, where, folder))
    own = with_streams(known(record, where, distance=drawn_distance(of.facts)), record)
    given = given_of(tables["allocations"])
    calls, found = carried(own, given, record), recall(record, where, folder)
    own, of = with_openings(own, given, record), recompile_rolled(found, of, given, calls)
    yield from guarded("the table against the inputs", lambda: check_against_inputs(tables["allocations"], own, record))
    decided = decided_of(own, given)
    if "carried_forward_gbp" in tables["allocations"]:
        yield from guarded("carried forward", lambda: check_calls(tables["allocations"], calls))
    yield from guarded("rules", lambda: _rules(of, decided, record))
    yield from guarded("objectives", lambda: check_objectives(decided, record))
    yield from guarded("objectives", lambda: check_objectives_recompiled(of, decided, record))
    yield from guarded("robust objectives", lambda: check_robust(of, decided, record))
    yield from guarded("stress", lambda: check_stress(of, decided, record, folder))
    if (folder / "stress.csv").is_file():
        drawn = pd.read_csv(folder / "stress.csv", dtype={"value": "float64"})
        for name, check in STRESSES.items():
            yield from guarded(f"stress {name}", partial(check, of, decided, record, drawn))
    yield from guarded("recompiled programme", lambda: check_recompiled(of, decided, record))
    yield from guarded("levels", lambda: check_levels(of, decided, folder / "certificate.npz"))
    if (folder / "limits.csv").is_file():
        yield from guarded("limits", lambda: check_limits(_table(folder / "limits.csv"), decided, record))
    if record["scenario"].get("streams"):
        yield from guarded("streams", lambda: check_streams(_table(folder / "streams.csv"), record, own))
    if (folder / "formulas.csv").is_file():
        yield from guarded("formulas", lambda: check_formulas(_table(folder / "formulas.csv"), record, where, own))
    certificate = folder / "certificate.npz"
    if is_rolling(found.scenario):
        yield from guarded("bounds", lambda: check_rolled_bounds(found, given, calls, record, certificate))
        if record["scenario"].get("frontier"):
            yield compared("frontier", ["a rolling path has none: it was traced with every opening held"], "")
        return
    yield from guarded("bounds", lambda: check_bounds(of, record, certificate))
    yield from guarded("prices", lambda: check_prices(of, own, record, Certificate.read(certificate)))
    if record["scenario"].get("frontier"):
        yield from guarded("frontier", lambda: _frontiers(folder, of, record))


def _frontiers(folder: Path, of: Recompiled, record: Plain) -> Iterator[Check]:
    return check_frontiers(of, record, _table(folder / "frontier.csv"), Certificate.read(folder / "certificate.npz"))


def _rules(of: Recompiled, decided: Decided, record: Plain) -> Iterator[Check]:
    for name in of.programme.rules:
        if name in SECOND:
            yield check_rule(name, decided, said_of(record, name))
        else:
            yield check_rule_recompiled(of, decided, name)
