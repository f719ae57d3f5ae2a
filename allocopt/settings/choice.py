"""What a scenario may say about free choice of partners: the `choice:` block. Imports `frozen` and `units`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from allocopt.frozen import Sourced
from allocopt.units import Kilometres, Money, Rate, write_rate


def _share(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"a share lies between 0% and 100%: {write_rate(value)}: write one of these")
    return value


Lever = Literal["payments", "retained_share", "common_share", "balance_band", "duty_to_admit", "core_charges"]


LEVERS: tuple[Lever, ...] = (
    "payments", "retained_share", "common_share", "balance_band", "duty_to_admit", "core_charges"
)  # fmt: skip


class Variant(Sourced):
    """One anti-shunning rule set against plain free choice: what it changes."""

    admit: Literal["none", "left_out", "in_order"] | None = None
    """As `choice.admit`."""
    balance_band: Rate | None = None
    """Coalitions whose balance lies within this share of budget of their area's."""
    deprivation_mix: Rate | None = None
    """Coalitions whose mean deprivation score lies within this share of their area's."""
    surplus_concentration: Rate | None = None
    """Coalitions that hold at most this share of the surplus within their reach."""
    reach: Kilometres | None = None
    """As rules.reach.max."""
    least_people: float | None = None
    """As rules.population_window.min."""
    most_people: float | None = None
    """As rules.population_window.max."""
    tolerance: Money | None = None
    """As `choice.tolerance`: rules on balances and mixes are proven less closely in reasonable time."""


class Choice(Sourced):
    """Free choice of partners: how it is simulated, what is judged, what is to keep a plan together."""

    admit: Literal["none", "left_out", "in_order"] = "none"
    """`none`: coalitions may refuse anybody; `left_out`: whoever is left out is admitted by the consortium within reach
    that has room and the best balance; `in_order`: besides, no coalition may pass over a practice that would join and
    is nearer to its hub than one that it takes."""
    tolerance: Money = 1e-8
    """Pounds a head: the proof asked for, that no coalition gains more."""
    worth_moving: Money = 0.0
    """Pounds a head: a coalition breaks a plan up only for more than this for every member."""
    retained: Annotated[Rate, AfterValidator(_share)] = 1.0
    """The share of its surplus that a consortium keeps."""
    liable: Annotated[Rate, AfterValidator(_share)] = 1.0
    """The share of its deficit that a consortium bears."""
    judge: list[str] = Field(default_factory=list)
    """Columns of the places table with groupings to be judged beside the result: shunning score and stability."""
    permutations: int = Field(default=1000, ge=1)
    """Random regroupings of the shunning score."""
    seed: int = 1
    """Seed of the random regroupings."""
    shown: int = Field(default=20, ge=1)
    """How many coalitions that would break away are listed for each plan."""
    keep: str | None = None
    """The plan to be kept together: `free_choice` or one of `judge`."""
    levers: list[Lever] = Field(default_factory=lambda: list(LEVERS))
    """What may keep it together."""
    price: dict[str, Variant] = Field(default_factory=dict)
    """The price of free choice: anti-shunning rules, each by its name, set side by side with plain free choice."""
    regulated: list[Literal["within_areas", "across_areas"]] = Field(default_factory=list)
    """Groupings of least deficit beside free choice: where everybody is placed by the centre."""
