"""Money beside the pot: streams that are told apart from recurrent money, and what becomes of them.

A non-recurrent stream is paid in its year and changes no baseline and no distance from target. A stream that is made
recurrent is last year's non-recurrent money that enters the first year's baseline, so that opening distances, floors
and ceilings stand on it. Source: recurrent and non-recurrent money, Health Committee, HC 882 (1999-2000). Imports
`ledger`, `formula`, `inputs`, `units`, `errors` and the types of `settings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from allocopt.errors import Problem, TableFault
from allocopt.formula import Targets
from allocopt.inputs import Inputs
from allocopt.ledger import Pounds, whole_pounds
from allocopt.settings import Scenario
from allocopt.settings.streams import Stream
from allocopt.units import say_money, to_million


@dataclass(frozen=True)
class Paid:
    """One stream: whole pounds by place and year (n, T); a stream made recurrent has the first year alone."""

    name: str
    recurrent: bool
    pounds: Pounds

    @property
    def words(self) -> str:
        """One sentence for notes."""
        money = say_money(float(self.pounds.sum()) / 1e6)
        if self.recurrent:
            return f"{self.name}: {money} made recurrent: it is part of the first year's baseline"
        return f"{self.name}: {money} of non-recurrent money beside the pot: in no baseline, target or distance"


def paid_streams(scenario: Scenario, inputs: Inputs, aims: Targets) -> tuple[Paid, ...]:
    """Every stream in pounds. Raises TableFault where what it is shared by is not there or sums to nothing."""
    return tuple(_paid(name, one, inputs, aims) for name, one in scenario.streams.items())


def made_recurrent(streams: tuple[Paid, ...], baseline: pd.Series) -> pd.Series:
    """The adjusted baseline: with every stream that is made recurrent, GBP million."""
    for one in streams:
        if one.recurrent:
            baseline = baseline + one.pounds[:, 0] / 1e6
    return baseline.rename("baseline")


def _paid(name: str, stream: Stream, inputs: Inputs, aims: Targets) -> Paid:
    years = inputs.years[:1] if stream.recurrent else inputs.years
    return Paid(name, stream.recurrent, np.column_stack([_year(name, stream, inputs, aims, year) for year in years]))


def _year(name: str, stream: Stream, inputs: Inputs, aims: Targets, year: str) -> Pounds:
    if stream.column is not None and stream.unit is not None:
        return whole_pounds(inputs.places[stream.column].to_numpy(dtype=float) * to_million(stream.unit))
    if stream.per_head is not None:
        return whole_pounds(stream.per_head * inputs.population[year].to_numpy(dtype=float))
    value: Any = stream.value[year] if isinstance(stream.value, Mapping) else stream.value
    weight = _weight(stream, inputs, aims, year)
    if not weight.sum() > 0:
        said = f"'{stream.by}' sums to nothing, so the stream cannot be shared by it"
        raise TableFault(
            f"the stream {name} cannot be worked out", (Problem(said, "name another", f"streams.{name}.by"),)
        )
    return whole_pounds(value * weight / weight.sum(), total=round(value * 1e6))


def _weight(stream: Stream, inputs: Inputs, aims: Targets, year: str) -> np.ndarray:
    if stream.by in (None, "target"):
        return np.asarray(aims.target[year], dtype=float)
    if stream.by == "population":
        return np.asarray(inputs.population[year], dtype=float)
    return np.asarray(inputs.places[stream.by], dtype=float)
