"""What a scenario may say: the typed, frozen shape of a scenario file.

The attribute docs here are the manual's text and the JSON Schema that editors use. Quantities carry their units
(`allocopt.units`); inside, money is GBP million, rates are fractions, distances km. Nothing here reads a file:
`allocopt.scenario` does that and gives every value its mark. Imports `frozen`, `settings.stress` and `units`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from allocopt.frozen import Frozen as Frozen
from allocopt.frozen import Sourced as Sourced
from allocopt.ranges import Amount, Distance, Gap, Patience, Slack
from allocopt.settings.choice import Choice
from allocopt.settings.streams import Stream
from allocopt.settings.stress import Stress
from allocopt.settings.sweep import Sweep as Sweep
from allocopt.units import Money, Rate, TableUnit


def _as_value(given: Any) -> Any:
    return {"value": given} if isinstance(given, str | int | float) else given


def year_text(given: Any) -> Any:
    """A year as it is written everywhere: 2019-20 also where a file says 2019/20."""
    return str(given).replace("/", "-") if isinstance(given, int | str) else given


Year = Annotated[str, BeforeValidator(year_text)]


class Pot(Sourced):
    """The money to be allocated."""

    value: Money | dict[Year, Money] | None = None
    """The pot (quantum): an amount, or one amount a year."""
    table: str | None = None
    """Instead of `value`: a table with one row for each year."""
    column: str | None = None
    """Column of that table with the money."""
    unit: TableUnit | None = None
    year: str | None = None
    """Column of that table with the year (2019/20 and 2019-20 are the same)."""
    where: dict[str, str | list[str]] | None = None
    """Only rows of that table whose column has one of these values."""
    only: dict[str, str | list[str]] | None = None
    """The places that this pot (and every other amount, such as a baseline's total) is for, as at `inputs.places.only`:
    both say the same, so that a part of the country is never given the money of the whole unseen."""


class PlaceColumns(Frozen):
    """Which column of the places table holds what."""

    population: str | None = None
    """Registered people: weights, per-head figures, list-size noise."""
    previous_population: str | None = None
    """Registered people a year before: rules about population growth."""
    population_growth: str | None = None
    """Instead of the people a year before: growth of the population over that year, in per cent, as published."""
    latitude: str | None = None
    longitude: str | None = None
    imd: str | None = None
    """Index of Multiple Deprivation score, higher is more deprived."""
    area: str | None = None
    """The larger area a place lies in: tables, area rules."""
    region: str | None = None
    """The region a place lies in: tables."""
    hub: str | None = None
    """1 where the place is a declared hub of a consortium, else 0."""
    group: str | None = None
    """The consortium a place belongs to at present; empty where it belongs to none."""


class Missing(Sourced):
    """What to do where a column has no value: said by the scenario, never guessed."""

    treat: Literal["own_group"]
    """`own_group`: such places form a group 'not known' in every table and take no gradient that depends on it."""


class SmallLists(Sourced):
    """What to do with places below a population."""

    under: float
    """People."""
    treat: Literal["keep", "leave_out"]
    """`keep`: they stay and are counted in the warnings; `leave_out`: they and their targets leave the run."""


class More(Sourced):
    """A table with more columns about the same places, joined on their codes."""

    table: str
    key: str
    """Column with the place code in that table."""
    others: Literal["leave_out"] | None = None
    """`leave_out`: places that this table does not have leave the run. Without it they are an error."""


class Places(Sourced):
    """The places that receive an allocation: one row each."""

    table: str
    """CSV or Parquet file, relative to the scenario file that states it."""
    key: str
    """Column with the place code: unique, never empty."""
    name: str | None = None
    """Column with the place name."""
    more: list[More] = Field(default_factory=list)
    """Further tables with columns about the same places."""
    columns: PlaceColumns = PlaceColumns()
    missing: dict[str, Missing] = Field(default_factory=dict)
    """For a role such as `imd`: what to do where the column is empty. Without it an empty value is an error."""
    small_lists: SmallLists | None = None
    only: dict[str, str | list[str]] = Field(default_factory=dict)
    """Keep only the places whose column has one of these values. The pot is then theirs: `pot.only` says the same."""


class Shared(Frozen):
    """How a larger body's money is shared among its places."""

    within: str
    """Column of the places table that names the larger body (it matches `key` of the money's table)."""
    by: str
    """`target`, or a column of the places table: shares are in proportion to it."""


class FollowsActivity(Frozen):
    """A baseline that follows past activity: target x (1 + persistent effect), rescaled to the same total."""

    beyond: Rate
    """The distance from fair share that `share_beyond` refers to."""
    share_beyond: Rate
    """The share of places farther than `beyond` from fair share: the size of the effect is calibrated to it."""
    seed: int
    total: Money | None = None
    """The baseline total; without it, the pot of the first year."""


class Baseline(Sourced):
    """What each place gets today: last year's recurrent allocation."""

    table: str | None = None
    key: str | None = None
    """Column with the code in that table; without it, the key of the places table."""
    column: str | None = None
    unit: TableUnit | None = None
    shared: Shared | None = None
    follows_activity: FollowsActivity | None = None


def _not_negative(value: float) -> float:
    if value < 0:
        raise ValueError(f"a standard deviation cannot be negative: {value * 100:g}%: write 0% or more")
    return value


def _probability(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"a share lies between 0% and 100%: {value * 100:g}%: write one of these")
    return value


class Spend(Sourced):
    """What each place is expected to spend: a column of a table, or a model (then every output says so)."""

    table: str | None = None
    key: str | None = None
    column: str | None = None
    unit: TableUnit | None = None
    modelled: bool | None = None
    """For a table: true when its figures are modelled rather than recorded."""
    risk_model: Literal["england_practices"] | None = None
    seed: int | None = None
    area: str | None = None
    """Column whose value names the area that shares a shock; `ccg_code` unless said."""
    kappa: float | None = Field(default=None, ge=0)
    """Unpredictable cost of a person as a multiple of mean cost: a list of n has sd kappa / sqrt(n)."""
    area_sd: Annotated[Rate, AfterValidator(_not_negative)] | None = None
    persistent_sd: Annotated[Rate, AfterValidator(_not_negative)] | None = None
    heavy_sd: Annotated[Rate, AfterValidator(_not_negative)] | None = None
    heavy_share: Annotated[Rate, AfterValidator(_probability)] | None = None
    gradient_poorest: Rate | None = None
    gradient_richest: Rate | None = None
    national_shift: Rate | None = None


class Populations(Sourced):
    """People by place and year: targets of each year follow them, since need grows with a place's population."""

    table: str
    """CSV or Parquet file with one row for each code and year."""
    key: str
    """Column with the code."""
    year: str
    """Column with the year (2019/20 and 2019-20 are the same)."""
    column: str
    """Column with people."""
    where: dict[str, str | list[str]] | None = None
    """Only rows whose column has one of these values."""
    follows: str | None = None
    """Column of the places table with a larger body's code: every place's population then follows its body's."""


class InputTables(Frozen):
    """The tables of a run, joined on place code exactly in both directions."""

    places: Places
    populations: Populations | None = None
    """Without it the population of the places table stands for every year."""
    baseline: Baseline
    spend: Spend | None = None
    """Without it the run has no deficits, and objectives that need spend are refused."""


class Component(Sourced):
    """One component of the needs formula.

    A need-based component has `share` and `need` (and `times`): place p gets
    share x n_p / sum of n, n_p = need_p x the product of its indices. One with `opening_dft` in place of need takes its
    targets from published distances from target. A cost component has `amount`
    (and `less`, `unit`): money that comes off the pot first and goes to the place that has the cost.
    """

    share: Rate | None = None
    """Its share of the pot that is left after the amounts; the shares sum to 100%."""
    need: str | dict[str, Rate] | None = None
    """Column with weighted population, or several columns with their weights (each column is used as it stands)."""
    times: list[str] = Field(default_factory=list)
    """Index columns that multiply the need, such as the market forces factor."""
    opening_dft: str | None = None
    """Instead of need: column with published opening distance from target, in per cent (negative is under). The need
    of a place is its baseline over 1 + the distance, so that it opens where the figures say. Where the places are not
    the whole country, targets do not add up to the pot: they are the published ones, grown as the pot is."""
    amount: str | None = None
    """Column with money."""
    less: str | None = None
    """Column to take from `amount`."""
    unit: TableUnit | None = None


class RuleSetting(Sourced):
    """A rule that is on, with its parameters (the keywords of the rule's function)."""

    parameters: dict[str, Any] = Field(default_factory=dict)


class ObjectiveSetting(Sourced):
    """An objective, with its parameters."""

    name: str
    parameters: dict[str, Any] = Field(default_factory=dict)


class Report(Frozen):
    """Which tables a run shows."""

    compare_with: Literal["uniform_growth"] = "uniform_growth"
    """What gains and losses are measured against."""
    band: Rate = 0.05
    """Of a path over years: how near to target every place is to come, for `years_to_band`."""
    group_by: list[str] = Field(default_factory=lambda: ["region", "area", "imd_fifth", "need_decile"])
    """`region`, `area`, `imd_fifth`, `need_decile`, or any column of the places table."""
    rule_prices: bool | None = None
    """What each rule of a grouping costs, a solve for each: worked out (`true`) or not; without it, where that is
    quick."""


class Solver(Frozen):
    """How hard to try."""

    time_limit: Patience = 600.0
    gap: Gap = 1e-6
    """The proof that is asked for: |value - bound| / |value|."""
    slack: Slack = 1e-4
    """What a finished stage leaves to the next, as a share of its value. Where years are decided by themselves and
    every objective is money, `0%` and at least `£1` unless one of the two is said: limits that bind are met."""
    slack_at_least: Amount = 1e-3
    """The least slack of a money objective."""
    ties: Literal["even", "as_solved"] = "even"
    """Which of several equally good plans is written: `even`, the one closest to uniform growth, so that equals are
    treated equally; `as_solved`, whichever the solver came upon."""


class Alternatives(Frozen):
    """Plans that are nearly as good and differ."""

    number: int = Field(ge=1)
    """How many plans beside the best."""
    within: Distance
    """How much more gross deficit than the best plan they may have."""
    differ: int = Field(ge=1)
    """By how many places each differs from every other plan, at least."""


Comparison = Literal["unpooled", "present", "nearest_hub", "within_areas", "across_areas"]


class Grouping(Sourced):
    """How places are grouped into consortia that share a budget."""

    hubs: Literal["declared", "optional", "free"] | None = None
    """Places with 1 in the hub column are hubs, may be hubs, or any may; `declared` where such a column is named."""
    budget: Literal["allocation", "target", "baseline"] | None = None
    """What is pooled; `allocation` (of the model before) where a model stands before, else `target`."""
    table: str | None = None
    """A grouping to be evaluated rather than sought: a table with a row a place."""
    key: str | None = None
    """Column with the place code in that table; without it, the key of the places table."""
    column: str | None = None
    """Column with the consortium in that table (or in the places table, when no table is named)."""
    hub: str | None = None
    """Column with the hub's place code in that table, one hub for each consortium and none of two; without it, the
    member with the least travel, of those that may be a hub."""
    left_out: Literal["refuse", "alone"] = "refuse"
    """Places for which a given grouping names no consortium: an error, or each stands alone (and a note says so)."""
    compare: list[Comparison] = Field(default_factory=list)
    """Plans to show beside the result, one row each."""
    present: list[str] = Field(default_factory=list)
    """Columns of the places table with present groups, one comparison row each (without it, the role `group`)."""
    alternatives: Alternatives | None = None
    frontier: list[Annotated[Rate, Field(ge=0)]] = Field(default_factory=list)
    """Deficit against travel: for each rate, the least travel at a gross deficit that much above the least, whatever
    the objectives. The rate is the whole country's; of a large one, each part's that decides for itself (`applies`)."""
    consortia: int | None = Field(default=None, ge=1)
    """How many consortia the search starts from when hubs are free."""
    exempt: Literal["least", "none"] = "least"
    """Where rules cannot hold: waive them for the fewest places and consortia, named; an exempted place is no farther
    from its hub than its exemption needs (a whole km); or stop (`none`, exit 3)."""
    travel_gap: Gap | None = None
    """The proof asked of the travel stage; without it, `solver.gap`."""
    seed: int = 1
    """Seed of the search."""
    deterministic: bool = False
    """True: the search is bounded by steps, never by the clock, so that the same input gives the same plan anywhere."""
    effort: float = Field(default=1.0, gt=0)
    """How long to search: 2 is twice as many steps."""
    workers: int = Field(default=1, ge=1)
    """Processes that solve areas, annealings and regions side by side; the plan does not depend on it."""


class CarryForward(Sourced):
    """What a place overspends is the first call on its next year's money (with `path: rolling`)."""

    share: Rate = 1.0
    """The share of a deficit that is carried forward."""


class Frontier(Sourced):
    """The least of one objective at every level of another, as proven points."""

    x: str
    """The objective whose level is set, such as shortfall_below_target."""
    y: str
    """The objective that is made least at every level, such as gross_deficit."""
    points: int = Field(default=9, ge=2, le=1001)


def _as_list(given: Any) -> Any:
    return [given] if isinstance(given, dict) else given


class Scenario(Frozen):
    """A whole scenario, after inheritance, `--set` and validation."""

    format: Literal[1]
    name: str
    why: str | None = None
    source: str | None = None
    model: list[str]
    """One model or a list: each starts from the result of the one before."""
    years: list[Year]
    pot: Annotated[Pot, BeforeValidator(_as_value)]
    inputs: InputTables
    formula: dict[str, Component]
    formulas: dict[str, dict[str, Component]] = Field(default_factory=dict)
    """Candidate formulas, each written like `formula`: compared with it place by place, never allocated by."""
    streams: dict[str, Stream] = Field(default_factory=dict)
    """Money beside the pot, by name."""
    rules: dict[str, RuleSetting] = Field(default_factory=dict)
    objectives: list[ObjectiveSetting] = Field(default_factory=list)
    grouping: Grouping | None = None
    path: Literal["joint", "rolling"] = "joint"
    """Several years: one programme (`joint`), or one after another on the openings they really have (`rolling`)."""
    carry_forward: CarryForward | None = None
    frontier: Annotated[list[Frontier] | None, BeforeValidator(_as_list)] = None
    """One trade-off between two objectives, or a list of them: frontier.csv."""
    choice: Choice | None = None
    """Free choice of partners, for the model `free_choice`."""
    report: Report = Report()
    solver: Solver = Solver()
    stress: Stress | None = None
    """Spend risk and stress tests of the plan; without it there is no stress.csv."""
    sweep: Sweep | None = None
    """Makes the scenario a sweep, for `allocopt batch`."""
