"""The assumptions and quality-assurance log of a run (HM Treasury, Aqua Book), from run.json alone.

What was assumed, from which source and why, as the scenario's own `source:` and `why:` say; what the results rest on;
which proofs came with them, and what a reader must know. Imports nothing of allocopt.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

Told = Mapping[str, Any]


def assurance(record: Told) -> str:
    """The log as Markdown: the same words for the same run."""
    parts = (
        (f"# Assumptions and quality assurance: {record['name']}", _head(record)),
        ("## Assumptions", _assumptions(record)),
        ("## Rules that held", _rules(record)),
        ("## Inputs", _inputs(record)),
        ("## Proof of each objective", _proofs(record)),
        ("## Checks made before this was written", _checks(record)),
        ("## What the reader must know", [f"- {one}" for one in record["warnings"]] or ["- nothing was noted"]),
        ("## Checks to make again", ["- `allocopt verify RUN` checks this folder from its inputs, without the solver"]),
    )
    return "\n\n".join("\n".join([title, "", *lines]) for title, lines in parts) + "\n"


def _head(record: Told) -> list[str]:
    made = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    why = record["scenario"].get("why")
    spend = "modelled: no place publishes it" if record["modelled_spend"] else "from a table, or none"
    return [
        *([f"Purpose: {why}", ""] if why else []),
        f"Model {', '.join(record['model'])}; status {record['status']}; inputs hash {record['hash'][:16]}.",
        f"Spend: {spend}. Made by {made}.",
    ]


def _assumptions(record: Told) -> list[str]:
    rows = list(_sourced(record["scenario"], ()))
    head = ["| key | value (internal units: GBP m, fractions) | source | why |", "|---|---|---|---|"]
    return [*head, *(f"| {' | '.join(map(_cell, row))} |" for row in rows)]


def _sourced(said: Any, at: tuple[str, ...]) -> Iterator[tuple[str, str, str, str]]:
    """Every block of the scenario that says a source or a reason."""
    if isinstance(said, list):
        said = {str(number): one for number, one in enumerate(said)}
    if not isinstance(said, Mapping):
        return
    if at and (said.get("source") or said.get("why")):
        yield ".".join(at), _value(said), str(said.get("source") or "not said"), str(said.get("why") or "not said")
    for key, one in said.items():
        yield from _sourced(one, (*at, str(key)))


def _value(said: Told) -> str:
    """What a block says beside its source and reason, without blocks that have their own."""
    told = {key: one for key, one in said.items() if key not in ("source", "why") and one not in (None, [], {})}
    return json.dumps({key: one for key, one in told.items() if not _own(one)}, ensure_ascii=False)[1:-1] or "on"


def _own(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    return bool(value.get("source") or value.get("why")) or any(_own(one) for one in value.values())


def _rules(record: Told) -> list[str]:
    """Every rule, with the source of its form where the scenario gives none for its numbers."""
    head = ["| rule | finding | source | why |", "|---|---|---|---|"]
    return [*head, *(_rule(one) for one in record["rules"])] if record["rules"] else ["none was on"]


def _rule(one: Told) -> str:
    told = (one["name"], one.get("words") or "", one.get("source") or "not said", one.get("why") or "not said")
    return f"| {' | '.join(_cell(str(part)) for part in told)} |"


def _checks(record: Told) -> list[str]:
    """What was looked at, and what was found; a run that fails the first three is not written at all."""
    shared, said = sum(record.get("pot_gbp", {}).values()), record["headline"]
    found = [
        "tables: every code joined in both directions, every value of every place checked; choices applied are below",
        "plan: no row of the programme is missed by more than a pound",
        *([_pot_check(said, shared)] if "pot_gbp" in said else []),
    ]
    found += [f"bound of {one['name']}: {_bound_check(one)}" for one in record["objectives"]]
    ties = record.get("ties")
    return [f"- {one}" for one in [*found, *([f"ties: {ties['words']}"] if ties else [])]]


def _pot_check(said: Told, shared: int) -> str:
    same = "equal" if said["pot_gbp"] == shared else "NOT EQUAL"
    return f"pot: {said['places']:,} places receive £{said['pot_gbp']:,} of £{shared:,}: {same}"


def _bound_check(one: Told) -> str:
    gap = "unknown" if one.get("gap") is None else f"{100 * one['gap']:.3g}%"
    return f"{'proven' if one.get('proven') else 'NOT proven within the gap that was asked for'}, gap {gap}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _inputs(record: Told) -> list[str]:
    head = ["| file | rows | sha-256 |", "|---|---|---|"]
    return [*head, *(f"| {one['file']} | {one['rows']:,} | {one['sha256']} |" for one in record["inputs"])]


def _proofs(record: Told) -> list[str]:
    head = ["| objective | unit | value | bound | proven | by |", "|---|---|---|---|---|---|"]
    return [*head, *(_proof(one) for one in record["objectives"])]


def _proof(one: Told) -> str:
    value, bound = ("none" if figure is None else f"{figure:,.6f}" for figure in (one["value"], one["bound"]))
    proven, by = "yes" if one.get("proven") else "no", one.get("by") or "not said"
    return f"| {one['name']} | {one['unit']} | {value} | {bound} | {proven} | {by} |"
