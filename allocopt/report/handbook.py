"""MANUAL.md, written from the code: models, rules, objectives, every key of a scenario, every table of a run.

A test holds the file in the repository to what this room writes. Imports `manual`, `glossary` and the schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from allocopt.model import load_model, model_names
from allocopt.report.glossary import COLUMNS, TABLES
from allocopt.report.manual import model_record
from allocopt.scenario import schema

HEAD = """# Manual

Written from the code by `allocopt models --manual`; a test holds it current. Do not edit it by hand: change the code's
own words and write it again with `allocopt models --manual > MANUAL.md`.
"""

VERIFIED = """## What verify checks again of a grouping

`allocopt verify RUN` works from the folder and the tables that it was made from, without the solver and without the
search. A change of any byte is found by the hashes in timing.json; what follows holds even where those are made anew.

**Recomputed**: every column of groups.csv, consortia.csv, comparison.csv, travel_frontier.csv, effects.csv and
alternatives.csv and every figure of places.csv; headline and summary; every rule, with its parameters, and where it
binds; every objective, gap, cap and proof; a given grouping against its table, and the rules that it breaks; bounds A,
B, C, N, P and T. Present groups and nearest hubs are held against the inputs. Plans that were solved for (optimal
within and across areas, the points of a frontier, one after the other, the plan without a rule) are kept in
certificate.npz: each obeys its rules, and its figures are its own.

**What a rule costs**: the plan without the rule obeys the others, its objective makes `price` and `without`;
`without_least` and `without_most` follow from the bounds with the rule and without (`without_bound`, `without_by`).

**By branch and bound**: a bound that is said to be `by: highs` (bound L is one) is the solver's own. It is held below
the plan and against its gap, and not proved again; so are the least travel of a frontier (`travel_bound_km`), a bound
on travel from prices, and what a frontier's row may have (`deficit_at_most_gbp`, held above what its plan has) where
the run is searched or the rate applies to each part. `bound_by` says it of each row of the comparison.

**Not checked again**: the value that a stage had before those after it took their slack, but for its gap and its cap
(its plan is not kept); rules and objectives about allocations that have no second implementation, in plans without a
rule of a joint run; where rules about allocations bind, but for the words; the words of bounds, warnings and sources;
stress tests of a grouping. These are held by the hashes alone.

A folder of an earlier version, which kept no plans beside its own, is told so: `not re-checked: made by an earlier
version`.
"""


def handbook() -> str:
    """The whole manual as Markdown."""
    parts = [HEAD, _contents(), *map(_model, model_names()), _scenario(), _tables(), VERIFIED]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _contents() -> str:
    models = [f"- [Model `{name}`](#model-{name}): {load_model(name).text.splitlines()[0]}" for name in model_names()]
    rest = ["- [Keys of a scenario](#keys-of-a-scenario)", "- [Tables of a run](#tables-of-a-run)"]
    rest.append("- [What verify checks again of a grouping](#what-verify-checks-again-of-a-grouping)")
    return "\n".join([*models, *rest])


def _model(name: str) -> str:
    said = model_record(name)
    parts = [f"## Model {name}\n", f"```text\n{said['text'].rstrip()}\n```\n"]
    for heading, key in (
        ("Always", "always"),
        ("Rules a scenario may switch on", "rules"),
        ("Objectives", "objectives"),
    ):
        if said[key]:
            parts += [f"### {heading} ({name})\n", *map(_part, said[key])]
    return "\n".join(parts)


def _part(one: Mapping[str, Any]) -> str:
    lines = [f"**`{one['name']}`**: {one['sentence']}", ""]
    lines += [f"    {one['equation']}", "", f"Unit: {one['unit']}. Source: {one['source']}.", ""]
    for name, parameter in one["parameters"].items():
        unit = f" ({parameter['unit']})" if parameter["unit"] else ""
        default = "required" if parameter["required"] else f"default `{parameter['default']}`"
        lines.append(f"- `{name}`{unit}: {default}")
        lines += [f"  - `{key}`: {said}" for key, said in parameter["keys"].items()]
    return "\n".join([*lines, ""])


def _scenario() -> str:
    whole = schema()
    parts = [
        "## Keys of a scenario\n",
        "Rates are written with `%`, money with a unit (`£k £m £bn GBP`), distances with `km`.\n",
    ]
    parts.append("Every map may also say its `source` and its `why`, which are printed and kept with the run.\n")
    parts.append(_table([("key", "what it takes", "meaning"), *_keys(whole, "", whole, 0)]))
    return "\n".join(parts)


def _keys(node: Mapping[str, Any], prefix: str, whole: Mapping[str, Any], depth: int) -> Iterator[tuple[str, str, str]]:
    """Every key below a node of the schema, parents first; rules have their own section."""
    for name, one in node.get("properties", {}).items():
        if depth and name in ("source", "why"):
            continue
        key, below = f"{prefix}{name}", _object(one, whole)
        yield f"`{key}`", _takes(one, whole), _said(one, below)
        if below is None or key == "rules" or depth > 4:
            continue
        yield from _keys(below, f"{key}.", whole, depth + 1)
        inner = below.get("additionalProperties")
        if isinstance(inner, Mapping):
            found = _object(inner, whole)
            if found is not None:
                yield from _keys(found, f"{key}.NAME.", whole, depth + 1)


def _options(one: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [option for option in one.get("anyOf", [one]) if option.get("const") != "off"]


def _resolved(one: Mapping[str, Any], whole: Mapping[str, Any]) -> Mapping[str, Any]:
    """A node with its reference followed; what is said beside the reference is kept."""
    if "$ref" not in one:
        return one
    found: Mapping[str, Any] = whole["$defs"][one["$ref"].rsplit("/", 1)[-1]]
    return {**found, **{key: value for key, value in one.items() if key != "$ref"}}


def _object(one: Mapping[str, Any], whole: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The object that a key may hold, if any; a list's items count."""
    for option in map(lambda found: _resolved(found, whole), _options(one)):  # noqa: C417 - reads as it is said
        if option.get("type") == "object" and ("properties" in option or "additionalProperties" in option):
            return option
        items = option.get("items")
        if isinstance(items, Mapping):
            inner = _resolved(items, whole)
            if inner.get("type") == "object" and "properties" in inner:
                return inner
    return None


def _takes(one: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    """What a key takes: `number`, `£..`, one of a list, a map."""
    words = dict.fromkeys(_kind(_resolved(option, whole)) for option in _options(one))
    return " or ".join(word for word in words if word)


def _kind(option: Mapping[str, Any]) -> str:
    if "enum" in option:
        return ", ".join(f"`{value}`" for value in option["enum"])
    if "const" in option:
        return f"`{option['const']}`"
    examples = option.get("examples")
    if examples:
        return f"such as `{examples[0]}`"
    kind = option.get("type", "")
    kind = " or ".join(kind) if isinstance(kind, list) else str(kind)
    return {"object": "a map", "array": "a list", "string": "text"}.get(kind, kind)


def _said(one: Mapping[str, Any], below: Mapping[str, Any] | None) -> str:
    words = str(one.get("description") or (below or {}).get("description") or "")
    return " ".join(words.split()).replace("|", "\\|")


def _tables() -> str:
    parts = [
        "## Tables of a run\n",
        "Money is whole pounds (`_gbp`), rates are percent (`_pct`), distances kilometres (`_km`).\n",
    ]
    for name, (row, columns) in TABLES.items():
        rows = [(f"`{column}`", COLUMNS[column]) for column in columns]
        parts += [f"### {name}\n", f"{row[0].upper()}{row[1:]}.\n", _table([("column", "meaning"), *rows])]
    return "\n".join(parts)


def _table(rows: list[tuple[str, ...]]) -> str:
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|" + " --- |" * len(rows[0]), *body, ""])
