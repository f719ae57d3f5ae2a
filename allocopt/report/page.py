"""report.html: one self-contained page that works offline, made from a run's sections.

The same run gives the same bytes: identifiers are names, data keep their order, nothing reads a clock.
Imports the section rooms and `parts`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup, escape

from allocopt import __version__
from allocopt.report import account, need, pooling, treasury, who
from allocopt.report.material import Material
from allocopt.report.more import further_sections
from allocopt.report.partners import partners_sections
from allocopt.report.parts import Section


def page(found: Material) -> str:
    """The report of one run as HTML."""
    said = found.record
    places = found.places.shape[0]
    facts = f"Model {', '.join(said['model'])}; {', '.join(found.years)}; {places:,} places; run {found.name}"
    return render(
        sections(found),
        title=said["name"],
        kind="Allocation report",
        why=said["scenario"].get("why"),
        facts=facts,
        modelled=found.modelled,
    )


def sections(found: Material) -> list[Section]:
    """The sections in the order of the design; a section without material is left out."""
    every = [
        account.summary_section(found),
        *partners_sections(found),
        pooling.map_section(found) if found.groups else who.map_section(found),
        pooling.consortia_section(found),
        who.groups_section(found),
        need.distance_section(found),
        need.inequality_section(found),
        need.deficit_section(found),
        account.rules_section(found),
        need.path_section(found),
        treasury.stress_section(found),
        *further_sections(found),
        who.movers_section(found),
        account.assumptions_section(found),
        account.definitions_section(),
        account.provenance_section(found),
    ]
    return [one for one in every if one is not None]


def render(parts: Sequence[Section], *, title: str, kind: str, why: str | None, facts: str, modelled: bool) -> str:
    """Sections as a page with its styles, scripts, figures and data inside."""
    charts = {one.id: one.spec for section in parts for one in section.figures if one.spec is not None}
    data = next((section.extra["data"] for section in parts if "data" in section.extra), None)
    text = _template().render(
        sections=parts,
        title=title,
        kind=kind,
        why=why,
        facts=facts,
        modelled=modelled,
        version=__version__,
        attribution=account.ATTRIBUTION,
        charts=embedded(charts),
        data=embedded(data),
        draws=bool(charts),
        sorted_by=_sorted_by(parts),
        css=asset("report.css"),
        js=asset("report.js"),
        plotly=asset("plotly-basic.min.js"),
    )
    return str(text)


def _sorted_by(parts: Sequence[Section]) -> int:
    """The column that the table of places is sorted by when the page opens."""
    headings = [column.heading for one in parts if "grid" in one.extra for column in one.extra["grid"].columns]
    return next((at for at, heading in enumerate(headings) if heading.startswith("against uniform, £")), -1)


def _template() -> Any:
    loader = DictLoader({"page": asset("page.html.j2")})
    kit = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    kit.filters["whole"] = whole
    return kit.get_template("page")


def whole(text: str) -> Any:
    """Text for HTML in which a negative amount is never broken over two lines."""
    return Markup(_NEGATIVE.sub(r'<span class="nb">\g<0></span>', str(escape(text))))  # noqa: S704 - escaped just before


_NEGATIVE = re.compile(r"-£[0-9.,]*[0-9](?:bn|m)?")


def asset(name: str) -> str:
    """A file of the page's own kit."""
    return files("allocopt.report").joinpath("assets", name).read_text(encoding="utf-8")


def embedded(data: Mapping[str, Any] | None) -> str:
    """JSON that may stand inside a script element: compact, in the order given, no `</` and no NaN."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=float)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
