"""What a run says of itself: the summary, the proof, the rules and their price, assumptions, checks and provenance.

Imports `material`, `parts`, `headline` and `units`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from allocopt.report.charts import BLUE, Series, bars
from allocopt.report.headline import gap_words, headline_rows, objective_row, rule_row, status_words
from allocopt.report.material import Material, command
from allocopt.report.parts import Column, Figure, Grid, Section
from allocopt.units import say_money, write_money, write_rate

ATTRIBUTION = (
    "Contains public sector information licensed under the Open Government Licence v3.0 (NHS England, NHS Digital, "
    "Office for National Statistics, OHID). Outlines contain OS data © Crown copyright and database right."
)
"""Carried wherever a table, or a figure made from it, is published."""

DEFINITIONS = (
    ("distance from target", "allocation less target, as a percentage of target; negative is under target"),
    ("opening", "last year's allocation against this year's target shares of last year's total"),
    ("closing", "this year's allocation against this year's target"),
    (
        "gain or loss",
        "allocation less uniform growth (baseline x pot / total baseline); the cash change stands beside it",
    ),
    ("deficit", "spend above allocation; surplus is allocation above spend"),
    ("underfunding", "the part of a deficit that is target less allocation; the rest is spending above need"),
    ("moved", "half the sum of all gains and losses against uniform growth"),
    ("gap", "how far the plan may be from the best possible one, from a bound that is proven"),
)


ROUNDED = 1e-3
"""GBP million: a range no wider is told as one figure."""
RATES = frozenset({"rate", "share", "from", "to", "end", "gap", "slack"})
"""Keys of a scenario whose fractions are written in percent."""


def summary_section(found: Material) -> Section:
    """One paragraph, the headline figures and whether they are proven."""
    said = found.record
    rows = tuple(headline_rows(said))
    grid = Grid(f"Headline{found.mark}", (Column("figure"), Column("value", "text")), rows)
    words = (str(said["summary"]), f"Status: {status_words(said)}.")
    return Section("summary", "Summary", words, grids=(grid,))


def rules_section(found: Material) -> Section:
    """Objectives with their proof, then each rule: how often it binds, its price, why it is there."""
    said = found.record
    objectives = Grid(
        "Objectives, in order, each with the bound that proves it",
        tuple(Column(name) for name in ("objective", "value", "proven bound", "gap", "at the plan", "bound by")),
        tuple((*objective_row(one), str(one.get("by") or "–")) for one in said["objectives"]),
    )
    rules = Grid(
        "Rules",
        tuple(Column(name) for name in ("rule", "binding rows", "price of easing it", "why", "source")),
        tuple((*rule_row(one), str(one.get("why") or "–"), str(one.get("source") or "–")) for one in said["rules"]),
    )
    words = (
        "Objectives are met in order: each is held within its slack while the next is improved. A rule binds where it "
        "stops a place from moving further; its price is what easing it would change."
    )
    figures = tuple(one for one in [_prices(found)] if one is not None)
    title = "Rules, objectives and their price"
    return Section("rules", title, (words,), figures=figures, grids=(rules, objectives))


def _prices(found: Material) -> Figure | None:
    """What the first objective would fall by without each rule, where the run has worked it out."""
    priced = [one for one in found.record["rules"] if one.get("without") is not None]
    first = found.record["objectives"][0] if found.record["objectives"] else None
    if not any(one["without"] for one in priced) or first is None or first["unit"] != "GBP m":
        return None
    objective = str(first["name"]).replace("_", " ")
    mark = found.mark if "deficit" in objective else ""
    names, values = [str(one["name"]) for one in priced], [float(one["without"]) for one in priced]
    spec = bars(
        names,
        [Series("without the rule", values, [say_money(value) for value in values], BLUE)],
        axis=f"£m of {objective}",
    )
    most = max(zip(values, names, strict=True))
    caption = (
        f"By how much {objective} would fall if a rule were dropped, one at a time, everything else as it is: most, "
        f"{say_money(most[0])}, without {most[1]}.{_between(priced)}{mark}"
    )
    rows = tuple(
        (name, value * 1e6, str(one.get("price_words") or "–"))
        for name, value, one in zip(names, values, priced, strict=True)
    )
    heads = (Column("rule"), Column(f"fall of {objective} without it, £", "gbp"), Column("price of easing it"))
    grid = Grid(f"What each rule costs{mark}", heads, rows)
    alt = f"Bars of the fall of {objective} without each rule. {caption}"
    return Figure("prices", f"What each rule costs{mark}", caption, alt, spec=spec, grid=grid, modelled=bool(mark))


def _between(priced: Sequence[Mapping[str, Any]]) -> str:
    """Of plans that were not proven to the pound: that the bars lie within what the words say is proven."""
    wide = any((one.get("without_most") or 0.0) - (one.get("without_least") or 0.0) > ROUNDED for one in priced)
    return " Bars are the difference of two plans; the words give the range that is proven." if wide else ""


def assumptions_section(found: Material) -> Section:
    """Assumptions and quality assurance: every choice with its reason and source, every warning, every check."""
    choices = Grid(
        "Assumptions: what was chosen, why, and from where",
        (Column("key"), Column("value"), Column("why"), Column("source")),
        tuple(assumptions(found.record["scenario"])),
    )
    checks = Grid("Checks made on this run", (Column("check"), Column("finding")), tuple(_checks(found)))
    words = ("Caveats that a reader of this report must know:",)
    return Section(
        "assumptions",
        "Assumptions and quality assurance",
        words,
        items=tuple(found.record["warnings"]),
        grids=(checks, choices),
    )


def assumptions(scenario: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Each part of the resolved scenario that states a `why` or a `source`, in the order of its keys."""
    yield from _stated(scenario, ())


def _stated(value: Any, keys: tuple[str, ...]) -> Iterator[tuple[str, str, str, str]]:
    if not isinstance(value, Mapping):
        return
    if keys and (value.get("why") or value.get("source")):
        plain = {key: one for key, one in value.items() if key not in ("why", "source") and not _explained(one)}
        yield ".".join(keys), said_values(plain), str(value.get("why") or "–"), str(value.get("source") or "–")
    for key, one in value.items():
        yield from _stated(one, (*keys, str(key)))


def _explained(value: Any) -> bool:
    """Whether a part of the scenario states a reason or a source of its own, or holds one that does."""
    if not isinstance(value, Mapping):
        return False
    return bool(value.get("why") or value.get("source")) or any(map(_explained, value.values()))


def said_values(values: Mapping[str, Any]) -> str:
    """`rate 3.6%, unit £k`: rates and the pot as a scenario writes them; nothing at all is a dash."""
    shown = [f"{key} {_plain(key, one)}" for key, one in values.items() if one not in (None, [], {})]
    return ", ".join(shown) or "–"


def _plain(key: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{{said_values(value)}}}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " ".join(map(str, value))
    if isinstance(value, float):
        return write_rate(value) if key in RATES else write_money(value) if key == "value" else f"{value:.10g}"
    return str(value)


def _checks(found: Material) -> Iterator[tuple[str, str]]:
    if found.allocates:
        yield from _sums(found)
    if found.groups:
        yield from _grouped(found)
    for one in found.record["objectives"]:
        proof = "proven" if one.get("proven") else "not proven within the asked gap"
        yield f"bound of {one['name']}", f"{proof}, gap {gap_words(one)}, by {one.get('by') or 'no method'}"
    yield "re-check without the solver", f"allocopt verify {found.name}"


def _sums(found: Material) -> Iterator[tuple[str, str]]:
    table = found.tables["allocations"]
    for year, part in table.groupby(table["year"].astype(str), sort=False):
        given, uniform = int(part["allocation_gbp"].sum()), int(part["uniform_gbp"].sum())
        same = "equal" if given == uniform else "NOT EQUAL"
        yield f"{year}: allocations and uniform growth share out the same money", f"£{given:,} and £{uniform:,}: {same}"
    places, years = found.places.shape[0], len(found.years)
    yield "every place has a row in every year", f"{places:,} places x {years} years = {len(table):,} rows"


def _grouped(found: Material) -> Iterator[tuple[str, str]]:
    groups, consortia = found.tables["groups"], found.tables["consortia"]
    placed = int(groups["group"].notna().sum())
    yield "every place belongs to one consortium", f"{placed:,} of {len(found.places):,} places"
    gap = int((consortia["budget_gbp"] - consortia["spend_gbp"] - consortia["balance_gbp"]).abs().max())
    yield "balance is budget less spend in every consortium", f"largest difference £{gap:,}"


def provenance_section(found: Material) -> Section:
    """Files with their hashes, versions, seed, and the command that makes the run again."""
    said = found.record
    files = Grid(
        "Files read",
        (Column("file"), Column("rows", "count"), Column("sha-256", "hash")),
        tuple((one["file"], one["rows"], one["sha256"]) for one in said["inputs"]),
    )
    versions = Grid("Versions", (Column("package"), Column("version")), tuple(said["versions"].items()))
    seed = "no random draw" if said.get("seed") is None else str(said["seed"])
    facts = (("hash of the inputs", said["hash"]), ("seed", seed), ("model", ", ".join(said["model"])))
    run = Grid("This run", (Column("what"), Column("value")), tuple(facts))
    items = tuple(f"changed: {line}" for line in said["overrides"])
    return Section(
        "provenance",
        "Provenance",
        (ATTRIBUTION,),
        items=items,
        grids=(run, files, versions),
        extra={"command": command(found)},
    )


def definitions_section() -> Section:
    """The words of the report, once."""
    grid = Grid("Definitions", (Column("word"), Column("meaning")), DEFINITIONS)
    return Section("definitions", "Definitions", grids=(grid,))
