"""What a report shows of each place beside its money: its groups and where it is. Imports `plan` and `effects`."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from allocopt.effects import offered
from allocopt.plan import Facts


def groupings(facts: Facts) -> Sequence[str]:
    """What `report.group_by` asks for; the default list is cut to what the places can give."""
    report = facts.loaded.scenario.report
    asked = "group_by" in report.model_fields_set
    return report.group_by if asked else offered(report.group_by, attributes(facts))


def attributes(facts: Facts) -> pd.DataFrame:
    """What places are grouped by in reports: the roles region, area and imd, and any other column that is asked for."""
    inputs, group_by = facts.inputs, facts.loaded.scenario.report.group_by
    columns = {role: inputs.role(role) for role in ("region", "area", "imd")}
    columns |= {name: inputs.places[name] for name in group_by if name in inputs.places.columns}
    found = {name: column for name, column in columns.items() if column is not None}
    return pd.DataFrame(found, index=inputs.places.index)


def places_table(facts: Facts, money: pd.DataFrame | None = None) -> pd.DataFrame:
    """What a report shows of each place: name, people, where it is and what it is grouped by (places.csv).

    `money` (index place, whole pounds) is put beside it where no allocations table holds it.
    """
    inputs, known = facts.inputs, attributes(facts)
    where = {role: inputs.role(role) for role in ("latitude", "longitude")}
    found = {"name": inputs.name, "population": inputs.population.iloc[:, -1], **dict(known)}
    found |= {role: column for role, column in where.items() if column is not None}
    if money is not None:
        found |= dict(money)
    return pd.DataFrame(found, index=known.index).rename_axis("place").reset_index()
