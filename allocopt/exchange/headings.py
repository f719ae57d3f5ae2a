"""The column headings of NHS England's place-based allocation tool, year by year, and the plain names used here.

The tool's practice table has changed its headings with nearly every round: `GP_pop`, `pop 2022/23`, `Population` and
`Registered Patients` are the same thing. A heading is recognised by its pattern; a code, a name and an ONS code of the
same body (`STP21`, `STP21_42`, `STP21ons`) are told apart by what stands in the column. Imports nothing of allocopt.

Source: github.com/nhsengland/AIF_Allocation_Tool and github.com/nhsx/AIF_Allocation_Tool, the practice tables of the
2019/20, 2022/23, 2023/24, 2024/25 and 2025/26 rounds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

SINGLE: Mapping[str, str] = {
    "practice_code": r"practice_?code|practice|gp practice code",
    "practice_name": r"gp_practice_name|gp practice name|practice_name",
    "postcode": r"practice_postcode|gp practice postcode|postcode",
    "latitude": r"latitude|lat",
    "longitude": r"longitude|long|lon",
    "wp_general_acute": r"g&a wp|wp_g&a|weighted g&a pop|wp_general_acute",
    "wp_community": r"cs wp|wp_cs|weighted community pop|wp_community",
    "wp_mental_health": r"mh wp|wp_mh|weighted mental health pop|wp_mental_health",
    "wp_maternity": r"mat wp|wp_mat|weighted maternity pop|wp_maternity",
    "wp_hchs": r"hchs wp|wp_hchs|weighted hchs pop",
    "wp_prescribing": r"prescr? wp|presc wp|wp_presc|weighted prescribing pop|wp_prescribing",
    "wp_health_inequalities": r"health ineq wp|hi wp|wp_hi|weighted health inequalities pop|wp_health_inequalities",
    "wp_avoidable_mortality": r"am wp|wp_am|weighted (am|avoidable mortality) pop|wp_avoidable_mortality",
    "wp_overall": r"final wp|core wp|wp_overall|overall weighted pop",
    "wp_primary_care_need": r"primary medical care wp|weighted primary medical care need|wp_primary_care_need",
    "wp_primary_care": r"final pmc wp|weighted primary care|wp_primary_care",
    "mff_index": r"mff_index|mff index",
    "eaca_index": r"eaca_index|eaca index",
    "wp_mff": r"wp_mff|weighted market forces factor pop",
    "wp_eaca": r"wp_eaca|weighted eaca pop",
    "target_exc_remote_k": r"target[ _]exc[ _]remote[ _]?\(?£?k\)?",
    "target_inc_remote_k": r"target[ _]inc[ _]remote[ _]?\(?£?k\)?",
    "imd_score": r"imd_score(_\d{4})?",
}
"""Plain name -> the headings of all years, matched whole and without regard to case."""

POPULATION = (
    r"(gp )?pop(ulation)? ?\d{4}[/_]\d{2}|registered_pop(_\d{4}_\d{2})?",
    r"gp[_ ]pop(ulation)?|population",
    r"registered patients",
    r"patients",
)
"""Headings of the population, the best first: the projected population of the round, then counts of patients."""

BODIES: Mapping[str, str] = {
    "icb": r"(icb|ics|stp)[_ ]?(\d{2})?[_ ]?(\d+|code|name|ons|ods code|ons code)?",
    "region": r"r\d{2}|rcode|region[_ ]?(\d{2})?[_ ]?(\d+|code|name|ods code)?",
    "ccg": r"(former )?ccg[_ ]?(\d{2})?[_ ]?(code|name|ods code)?",
    "sub_icb": r"(loc|location)[_ ]?(\d{2})?[_ ]?(code|name)?",
    "district": r"(lad|ltla|la district)[_ ]?(\d{2})?[_ ]?(code|name)?",
    "authority": r"(la|utla)[_ ]?(\d{2})?[_ ]?(code|name)?",
    "pcn": r"pcn[_ ]?(\d{2})?[_ ]?(code|name|ods code)?",
}
"""Bodies that a practice belongs to; each may have a code, a name and an ONS code."""

NAMED: Mapping[str, tuple[str, str]] = {
    "wp_general_acute": ("Weighted G&A pop", "G&A Index"),
    "wp_community": ("Weighted Community pop", "Community Index"),
    "wp_mental_health": ("Weighted Mental Health pop", "Mental Health Index"),
    "wp_maternity": ("Weighted Maternity pop", "Maternity Index"),
    "wp_hchs": ("Weighted HCHS pop", "HCHS Index"),
    "wp_prescribing": ("Weighted Prescribing pop", "Prescribing Index"),
    "wp_overall": ("Overall Weighted pop", "Overall Core Index"),
    "wp_primary_care": ("Weighted Primary Care", "Primary Medical Care Index"),
    "wp_primary_care_need": ("Weighted Primary Medical Care Need", "Primary Medical Care Need Index"),
    "wp_avoidable_mortality": ("Weighted Avoidable Mortality pop", "Avoidable Mortality Index"),
    "wp_health_inequalities": ("Weighted Health Inequalities pop", "Health Inequalities Index"),
}
"""Weighted populations that the tool makes an index of: its own names of both, in its order."""

CODE, ONS = re.compile(r"(?=.*[A-Z])[A-Z0-9]{2,6}"), re.compile(r"[A-Z]\d{8}")


def plain(heading: str) -> str:
    """A heading as it is compared: no case, one space."""
    return re.sub(r"\s+", " ", heading.strip().casefold())


def matches(pattern: str, heading: str) -> bool:
    """Whether a heading is the whole of what a pattern says."""
    return re.fullmatch(pattern, plain(heading)) is not None


def singles(headings: Sequence[str]) -> dict[str, list[str]]:
    """Plain name -> the headings that say it."""
    found = {name: [one for one in headings if matches(pattern, one)] for name, pattern in SINGLE.items()}
    return {name: said for name, said in found.items() if said}


def populations(headings: Sequence[str]) -> list[str]:
    """The headings that may hold the population, the best first."""
    return [one for pattern in POPULATION for one in headings if matches(pattern, one)]


def bodies(headings: Sequence[str]) -> dict[str, list[str]]:
    """Body -> the headings about it, the latest year last."""
    found = {name: [one for one in headings if matches(pattern, one)] for name, pattern in BODIES.items()}
    return {name: sorted(said, key=_year) for name, said in found.items() if said}


def _year(heading: str) -> int:
    digits = re.search(r"\d{2}", heading)
    return int(digits[0]) if digits else 0


def kind(values: Sequence[str]) -> str | None:
    """`code`, `ons` or `name` by what stands in a column; None for an empty one or for plain numbers."""
    some = [value for value in values if value][:50]
    if not some or all(value.replace(".", "").isdigit() for value in some):
        return None
    if all(ONS.fullmatch(value) for value in some):
        return "ons"
    return "code" if all(CODE.fullmatch(value) for value in some) else "name"
