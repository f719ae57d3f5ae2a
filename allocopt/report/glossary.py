"""The columns of a run's tables in words: one list for the workbook's notes and for the manual. Imports `ledger`."""

from __future__ import annotations

from collections.abc import Mapping

from allocopt.ledger import COLUMNS as LEDGER

COLUMNS: Mapping[str, str] = {
    "place": "Code of the place.",
    "name": "Name of the place.",
    "year": "Financial year.",
    "population": "People on the list (in a group: the sum).",
    "baseline_gbp": "What the place gets today: last year's recurrent allocation; in later years, the year before's.",
    "target_gbp": "The place's fair share of the pot by the needs formula.",
    "allocation_gbp": "What the plan gives, in whole pounds; adds up to the year's pot exactly.",
    "uniform_gbp": "Uniform growth: baseline x pot / total baseline.",
    "against_uniform_gbp": "Allocation less uniform growth: a gain above zero, a loss below.",
    "against_uniform_pct": "The same as a percentage of uniform growth.",
    "gained_gbp": "Gains against uniform growth added up; losses are left out.",
    "lost_gbp": "Losses against uniform growth added up; gains are left out.",
    "change_gbp": "Allocation less baseline, in cash.",
    "growth_pct": "Allocation over baseline, less 1.",
    "opening_dft_pct": "Last year's money against this year's target shares of that money; negative is under target.",
    "closing_dft_pct": "Allocation against this year's target; negative is under target.",
    "spend_gbp": "Expected spend, with the deficit that is carried into the year, where deficits are carried forward.",
    "carried_forward_gbp": "Deficit of the year before that is the first call on this year's allocation.",
    "deficit_new_gbp": "The part of the deficit that is of the year itself: spend without what is carried into it.",
    "deficit_carried_gbp": "The part of the deficit that was carried into the year and is not repaid.",
    "deficit_gbp": "Spend above allocation (in a consortium: above its budget), else 0.",
    "surplus_gbp": "Allocation above spend, else 0.",
    "deficit_underfunding_gbp": "The part of the deficit that is target less allocation (carried: what was so).",
    "deficit_above_need_gbp": "The rest of the deficit: spending above need.",
    "group": "The consortium: the code of its hub.",
    "hub": "Code of the place at which the consortium has its hub.",
    "area": "The area that a rule or a report names, such as the sustainability and transformation partnership.",
    "previous_group": "The group that the place belongs to today.",
    "moved": "1 when the place leaves its present group.",
    "distance_km": "Great-circle distance to the hub.",
    "places": "Number of places.",
    "budget_gbp": "What the members bring: allocations, targets or baselines, as `grouping.budget` says.",
    "balance_gbp": "Budget less spend: positive is a surplus.",
    "balance_pct": "The same as a percentage of the budget.",
    "need_index": "Target a head of the consortium over the nation's.",
    "imd": "Deprivation score, weighted by people.",
    "travel_km": "Mean distance to the hub, weighted by people.",
    "table": "Which table the figure belongs to.",
    "measure": "What is measured.",
    "unit": "Its unit.",
    "value": "The figure.",
    "test": "Which test.",
    "level": "place, group, area or nation.",
    "statistic": "mean, sd, a percentile, an end of the confidence interval, or a probability.",
}
"""Column -> meaning; the same word means the same in every table."""

SPENDING = frozenset(
    {"spend_gbp", "deficit_gbp", "surplus_gbp", "deficit_underfunding_gbp", "deficit_above_need_gbp", "balance_gbp"}
)
"""Columns that rest on spend, which is marked where it is modelled."""

TABLES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "allocations.csv": ("one row a place and year", LEDGER),
    "groups.csv": (
        "one row a place",
        ("place", "group", "hub", "area", "previous_group", "moved", "distance_km"),
    ),
    "consortia.csv": (
        "one row a consortium",
        (
            "group",
            "hub",
            "area",
            "places",
            "population",
            "budget_gbp",
            "spend_gbp",
            "balance_gbp",
            "balance_pct",
            "deficit_gbp",
            "need_index",
            "imd",
            "travel_km",
        ),
    ),
    "effects.csv": ("tidy: one row a figure", ("table", "group", "measure", "unit", "value")),
    "stress.csv": ("tidy: one row a figure", ("test", "level", "measure", "statistic", "unit", "value")),
    "places.csv": (
        "one row a place: where it is and what reports group it by",
        ("place", "name", "population", "area"),
    ),
}
"""File -> what a row is, and its columns."""
