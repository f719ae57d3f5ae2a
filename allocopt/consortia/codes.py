"""Codes that a rule names and that could mean two things. Imports `plan` and `errors`."""

from __future__ import annotations

from allocopt.errors import Problem
from allocopt.plan import Facts

BY_HUB_OR_AREA = ("population_window", "balance_band")
"""Rules whose `waive` lists hubs or areas."""


def ambiguous(facts: Facts) -> list[Problem]:
    """Codes in `waive` that are both a place's and an area's: which is meant is not guessed."""
    rules, area = facts.loaded.scenario.rules, facts.inputs.role("area")
    both = set() if area is None else set(facts.situation.places) & set(area.astype(str))
    found = []
    for rule in (one for one in BY_HUB_OR_AREA if one in rules):
        listed = rules[rule].parameters.get("waive", [])
        for code in (one for one in listed if one in both):
            said = f"{code} is the code of a place and of an area: which of them is excused is not known"
            cure = f"give the area another code in the places table, or list its hubs instead of {code}"
            found.append(Problem(said, cure, f"rules.{rule}.waive"))
    return found
