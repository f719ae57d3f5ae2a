"""What a scenario may say about spend risk: the `stress:` block, its defaults and its limits.

Every default is a choice that run.json repeats, never a figure about a place. Imports `frozen` and `units`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from allocopt.frozen import Frozen, Sourced
from allocopt.units import RATE, Money, Rate, TableUnit, write_money, write_rate

MOST_DRAWS = 1_000_000
STANDARD = "standard"


def _share(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"a share or a probability lies between 0% and 100%: {write_rate(value)}: write 0% to 100%")
    return value


def _strict_share(value: float) -> float:
    if not 0 < value < 1:
        raise ValueError(f"must lie above 0% and below 100%: {write_rate(value)}: write a share such as 5%")
    return value


def _not_below_zero(value: float) -> float:
    if value < 0:
        raise ValueError(f"must not be negative: {write_rate(value)}: write 0% or more")
    return value


def _no_debt(value: float) -> float:
    if value < 0:
        raise ValueError(f"an amount of money here is not negative: {write_money(value)}: write £0 or more")
    return value


def _spread_number(value: float) -> float:
    if value < 0:
        raise ValueError(f"a spread cannot be negative: {value:g}: write 0 or more")
    return value


def _count(least: int, most: int) -> Callable[[int], int]:
    def check(value: int) -> int:
        if not least <= value <= most:
            raise ValueError(f"must be {least:,} to {most:,}, not {value:,}: write a whole number of that size")
        return value

    return check


def _read_share(given: Any) -> float:
    if isinstance(given, str):
        return _share(RATE.parse(given))
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise ValueError(f"expected a share such as {RATE.example}: write it like 30%")
    raise ValueError(f"{given} needs its unit: write it like {RATE.example}")


def _as_list(given: Any) -> Any:
    return given if isinstance(given, list) else [given]


Share = Annotated[Rate, AfterValidator(_share)]
StrictShare = Annotated[Rate, AfterValidator(_strict_share)]
Spread = Annotated[Rate, AfterValidator(_not_below_zero)]
Amount = Annotated[Money, AfterValidator(_no_debt)]
Draws = Annotated[int, AfterValidator(_count(10, MOST_DRAWS))]
People = Annotated[int, AfterValidator(_count(1, 100_000_000))]
Number = Annotated[int, AfterValidator(_count(1, 10_000_000))]
YearCount = Annotated[int, AfterValidator(_count(2, 10))]


class SurplusSplit(Sourced):
    """What becomes of a surplus when it is neither kept whole nor returned whole; the rest is reinvested.

    The 2010 pilot: profit 10%, returned 30% to 50%, the rest reinvested (gponline 1005607).
    """

    profit: Share
    """Paid out: it leaves the health service."""
    returned: Share
    """Goes back in the year: the only part that can offset an overspend elsewhere."""


def _read_retention(given: Any) -> Any:
    """A share as it is written, or a map for the split."""
    return _read_share(given) if not isinstance(given, dict | SurplusSplit) else given


KeptShare = Annotated[float, WithJsonSchema({"type": "string", "pattern": r"%\s*$", "examples": ["30%"]})]
RetentionRule = Annotated[KeptShare | SurplusSplit, BeforeValidator(_read_retention)]


class Surge(Sourced):
    """A year in which much more of the retained surpluses is spent."""

    share: Share
    """Share of the retained surpluses that is drawn in such a year."""
    probability: Share
    """How likely such a year is; it comes for the whole nation at once."""


class Drawdown(Sourced):
    """Retained surpluses of earlier years, and how much of them is spent in a year."""

    stock: Amount
    """What bodies hold, GBP; shared among them in proportion to their allocations."""
    foundation_trusts: Amount = 0.0
    """What foundation trusts hold beside it, GBP: drawn at the same rate, and seen by the departmental limit too."""
    share: Share
    """Share of the stock that is drawn in an ordinary year."""
    surge: Surge | None = None


class Years(Sourced):
    """Surpluses and deficits carried from year to year."""

    number: YearCount
    """How many years from the first year of the plan."""
    growth: Rate = 0.0
    """Growth of allocations and targets in years that the plan does not have, after its last."""
    area_correlation: Share
    """Correlation of an area's shock between one year and the next; chance is new every year, what a place always
    does stays."""
    saving: Share
    """Recovery plan: the most that a body with a carried deficit saves in a year, share of its allocation."""
    draws: Draws = 2_000


ShockKind = Literal["uniform", "area", "component", "places"]


def _all_kinds() -> list[ShockKind]:
    return ["uniform", "area", "component", "places"]


class Reverse(Sourced):
    """The smallest shock that breaches the limit (or puts so many bodies in deficit)."""

    shocks: list[ShockKind] = Field(default_factory=_all_kinds)
    """`uniform`: spend of every place; `area`: of one area; `component`: of one component of the formula;
    `places`: of the worst set of at most `places` places."""
    places: Number = 50
    """How many places the worst set may hold."""
    places_shock: Spread = 0.2
    """The shock of each of them, for the smallest number of places that breaches."""
    bodies: Number | None = None
    """Also find the smallest uniform shock that puts so many budget holders in deficit."""
    probability: StrictShare | None = None
    """Also find, by simulation, the smallest uniform shock whose probability of a breach is at least this."""


class Pool(Sourced):
    """A risk pool: every body gives the same share of its allocation, and overspends are paid from it."""

    breach: StrictShare
    """Accepted probability that the pool does not suffice."""
    spend: Literal["follows_budget", "stays"] = "follows_budget"
    """What a top-slice does to spend: bodies plan on what is left and go wrong in proportion, or spend as before."""
    stop_loss: Spread = 0.0
    """A body bears its overspend up to this share of its allocation; the pool bears the rest."""
    area_layer: list[Share] = Field(default_factory=list)
    """For layered pools: shares given to a pool of the area, which pays first; the nation's pays what it cannot."""
    draws: Draws = 2_000
    """Draws on which the top-slice is chosen."""
    fresh: Draws = 2_000
    """Other draws, on which it is tried."""


class Sizes(Sourced):
    """How risk falls with population, as curves."""

    populations: list[People] = Field(
        default_factory=lambda: [10_000, 20_000, 50_000, 100_000, 150_000, 200_000, 300_000, 500_000, 1_000_000]
    )
    overspend: list[StrictShare] = Field(default_factory=lambda: [0.01, 0.02, 0.05])
    """Overspends, share of allocation."""
    accepted: StrictShare = 0.05
    """Accepted probability of a larger overspend: the smallest population that meets it is found for each."""


class Bands(Frozen):
    """Traffic lights: a body further over plan than a red limit is red, than an amber limit amber, else green.

    A limit is a share of plan or an amount; where both are given the worse light counts. Shares need the plan.
    """

    amber: Spread | None = None
    red: Spread | None = None
    amber_money: Amount | None = None
    red_money: Amount | None = None


class Monitoring(Sourced):
    """A table of returns: what each body planned to spend and what it forecasts."""

    table: str
    """CSV or Parquet file; a row a body, and a row for each area's own position where it is known."""
    area: str
    """Column with the area."""
    body: str
    """Column with the body; empty in the row of the area itself."""
    plan: str | None = None
    forecast: str | None = None
    variance: str | None = None
    """Column with forecast less plan, where plan and forecast are not published."""
    unit: TableUnit
    bands: Bands


class RiskChange(Frozen):
    """Parameters of the risk model for the stress alone, in place of those of `inputs.spend`."""

    area: str | None = None
    """Column whose value names the area that shares a shock."""
    kappa: Annotated[float, AfterValidator(_spread_number)] | None = None
    area_sd: Spread | None = None
    persistent_sd: Spread | None = None
    heavy_sd: Spread | None = None
    heavy_share: Share | None = None
    gradient_poorest: Rate | None = None
    gradient_richest: Rate | None = None
    national_shift: Rate | None = None


def _todays_rule() -> list[float | SurplusSplit]:
    return [0.3]


class Stress(Sourced):
    """Spend risk and stress tests on the plan: stress.csv.

    Exposure = gross deficit - surplus that is still available + drawdown of retained surpluses; a breach is an exposure
    above `limit`. Correlated and independent areas are always shown side by side.
    """

    draws: Draws = 10_000
    """Draws of the spend of every place. Draw 0 is the plan's own expected spend and is left out."""
    seed: int | None = None
    """Seed of the draws; the seed of `inputs.spend` unless said."""
    limit: Money = 0.0
    """The departmental limit: how much exposure it can bear."""
    retention: Annotated[list[RetentionRule], BeforeValidator(_as_list)] = Field(default_factory=_todays_rule)
    """Share of a surplus that bodies keep (the first, if several, is the one used in every other view), or a split
    {profit, returned}. Source of the default: bodies may reclaim 30% of a surplus."""
    group: str | None = None
    """Column that names the body whose places share a budget; the grouping of the plan unless said."""
    ungrouped: Literal["alone"] | None = None
    """What to do with places whose group is empty; `alone`: each is a group by itself. Without it that is an error."""
    area: str | None = None
    """Column that names the area; `inputs.places.columns.area` unless said."""
    budget_holder: Literal["place", "group", "area"] | None = None
    """Whose deficits count in tests, years, pools and reverse stress: the group where there is one, else the place."""
    shortfall: list[StrictShare] = Field(default_factory=lambda: [0.95, 0.99])
    """Levels of the expected shortfall: the mean exposure of the worst 5% and 1% of draws."""
    overspend: list[StrictShare] = Field(default_factory=lambda: [0.01, 0.02, 0.05, 0.1])
    """Overspends, share of a body's allocation, whose probability is shown by its size."""
    sizes: list[People] = Field(default_factory=lambda: [20_000, 50_000, 100_000, 200_000, 300_000])
    """Limits of the bands of size, people."""
    risk: RiskChange = RiskChange()
    drawdown: Drawdown | None = None
    years: Years | None = None
    tests: Annotated[list[str], BeforeValidator(_as_list)] = Field(default_factory=list)
    """`standard` for the whole standard stress set, or the names of some of its tests."""
    test_draws: Draws = 1_000
    """Draws of each test of the set: the first of `draws`, the same for all tests."""
    reverse: Reverse | None = None
    pool: Pool | None = None
    population_risk: Sizes | None = None
    scenarios: Number | None = None
    """Draws that the objective `tail_deficit` is made small over."""
    monitoring: Monitoring | None = None
