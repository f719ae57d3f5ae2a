"""The assumptions and quality-assurance log of a run (HM Treasury, Aqua Book), from run.json alone.

What was assumed, from which source and why, as the scenario's own `source:` and `why:` say; what the results rest on;
which proofs came with them, and what a reader must know. Imports nothing of allocopt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Told = Mapping[str, Any]


def assurance(record: Told) -> str:
    """The log as Markdown: the same words for the same run."""
    parts = (
        (f"# Assumptions and quality assurance: {record['name']}", _head(record)),
        ("## Assumptions", _assumptions(record)),
        ("## Inputs", _inputs(record)),
        ("## Proof of each objective", _proofs(record)),
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
    head = ["| key | source | why |", "|---|---|---|"]
    return [*head, *(f"| {key} | {_cell(source)} | {_cell(why)} |" for key, source, why in rows)]


def _sourced(said: Any, at: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """Every block of the scenario that says a source or a reason."""
    if isinstance(said, list):
        said = {str(number): one for number, one in enumerate(said)}
    if not isinstance(said, Mapping):
        return
    if at and (said.get("source") or said.get("why")):
        yield ".".join(at), str(said.get("source") or "not said"), str(said.get("why") or "")
    for key, one in said.items():
        yield from _sourced(one, (*at, str(key)))


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
