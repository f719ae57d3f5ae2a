"""Published rounds and figures, computed again: published beside computed, with every disagreement explained in words.

Rounds go through the engine (a programme that is built, compiled and solved); figures of statements and articles are
sums of what was published. Data are shipped beside the scenarios. Imports `plan` and below, `shipped` and `errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr

from allocopt.errors import Problem, ScenarioFault
from allocopt.model import load_model
from allocopt.plan import allocation_of
from allocopt.problem import Array, Situation, build
from allocopt.risk import ENGLAND_PRACTICES, chance_sd
from allocopt.settings import ObjectiveSetting, RuleSetting, Solver
from allocopt.shipped import shipped
from allocopt.solve.compiled import compile_problem
from allocopt.solve.stages import lexicographic

FLOATING = 1e-9


@dataclass(frozen=True)
class Row:
    """One published figure and the same figure computed; `published` is None for a step on the way."""

    label: str
    published: float | None
    computed: float
    unit: str
    tolerance: float = 0.0
    """What rounding in the published figure allows."""

    @property
    def passed(self) -> bool:
        """True when it is reproduced within the rounding of the published figure."""
        return self.published is None or abs(self.computed - self.published) <= self.tolerance + FLOATING


@dataclass(frozen=True)
class Episode:
    """A published round or statement, its figures, and what its figures do and do not say."""

    name: str
    title: str
    source: str
    rows: tuple[Row, ...]
    words: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """True when every figure is reproduced."""
        return all(row.passed for row in self.rows)

    def as_dict(self) -> dict[str, Any]:
        """As `replay --json` prints it."""
        rows = [asdict(row) | {"passed": row.passed} for row in self.rows]
        return {**asdict(self), "rows": rows, "words": list(self.words), "passed": self.passed}


def replay(name: str | None = None) -> tuple[Episode, ...]:
    """Every episode, or the one of that name. Raises ScenarioFault (2) for a name that is none."""
    if name is None:
        return tuple(make() for make in EPISODES.values())
    if name not in EPISODES:
        near = get_close_matches(name, list(EPISODES), 1)
        said = f"there is no published round '{name}'{f': did you mean {near[0]}?' if near else ''}"
        raise ScenarioFault(said, (Problem(said, f"name one of {', '.join(EPISODES)}"),))
    return (EPISODES[name](),)


def _table(file: str) -> pd.DataFrame:
    return pd.read_csv(shipped("scenarios") / "data" / file)


def _rows(labels: pd.Series, published: Array, computed: Array, unit: str, tolerance: float | Array) -> list[Row]:
    parts = zip(labels, published, computed, np.broadcast_to(tolerance, len(labels)), strict=True)
    return [Row(f"{label}", float(said), float(found), unit, float(most)) for label, said, found, most in parts]


def _percent_rounding(target: Array) -> Array:
    """Points by which a percentage to two decimals of amounts in whole thousands may be off: 0.005 and £1k of "
    "target."""
    return np.asarray(0.005 + 100.0 / target)


def round_2000() -> Episode:
    """Distance from target of 26 health authorities: allocation less target, in pounds and per cent of target."""
    table = _table("health_authorities_2000_01_26_of_99.csv")
    distance = (table["allocation_k"] - table["target_k"]).to_numpy()
    percent = 100.0 * distance / table["target_k"].to_numpy()
    names = table["health_authority"]
    target = table["target_k"].to_numpy()
    return Episode(
        "2000-01",
        "26 health authorities of 2000-01: distance from target",
        "Hansard, 12 June 2000 (26 of 99 authorities stand in the stored part of the table)",
        (
            *_rows(names, table["dft_k"].to_numpy(), distance, "GBP k", 1.0),
            *_rows(names, table["dft_pct"].to_numpy(), percent, "% of target", _percent_rounding(target)),
        ),
        (
            (
                "This fixes the convention: distance from target is allocation less target, per cent of target, "
                "negative under."
            ),
        ),
    )


def round_2001() -> Episode:
    """35 health authorities through the rule of 2001-02, solved; a 36th place stands for the rest of England."""
    table = _table("health_authorities_2001_02_35_of_99.csv")
    target, distance = table["implied_target_prior_k"].to_numpy() / 1e3, table["dft_prior_k"].to_numpy() / 1e3
    given, aim = _linear_round(target, distance, a=0.0495, b=0.0329)
    pounds = 1e3 * (given - aim)
    published = table["dft_after_k"].to_numpy()
    large = np.abs(published) > 1000
    off = 100.0 * np.abs(pounds[large] / published[large] - 1.0)
    factor = 1.0495 / (1.0495 + 0.0329)
    return Episode(
        "2001-02",
        "35 health authorities of 2001-02: distance from target after the round",
        "rule: Hansard, written answers, 12 July 2001; table: 26 February 2001",
        tuple(
            _rows(
                table["health_authority"],
                table["dft_after_pct"].to_numpy(),
                100.0 * (given / aim - 1),
                "% of target",
                0.03,
            )
        ),
        (
            (
                f"Every authority grows by 4.95% and gets 3.29% of its target, so every distance shrinks by "
                f"{factor:.4f}. The two "
                "rates are fitted to these 35 rows: the answer states the rule, not the rates."
            ),
            (
                f"In pounds the distances above £1m are met within {off.max():.1f}%: percentages to two decimals hold "
                "no more."
            ),
            "A 36th place stands for the other 64 authorities and balances the distances; its size changes no row.",
        ),
    )


def _linear_round(target: Array, distance: Array, *, a: float, b: float) -> tuple[Array, Array]:
    """Allocations and targets (n,) after the linear rule, from targets and distances before it; GBP million."""
    rest = target.sum() * 64 / 35
    before, base = np.append(target, rest), np.append(target + distance, rest - distance.sum())
    pot = (1 + a + b) * base.sum()
    places = tuple(f"{number:02d}" for number in range(len(before)))
    aim = (before * (pot / before.sum()))[:, None]
    people = np.ones_like(aim)
    situation = Situation(places, ("2001-02",), np.array([pot]), base, aim, people)
    model = load_model("pace_of_change")
    setting = {"linear_rule": RuleSetting(parameters={"a": a})}
    programme = build(situation, model, rules=setting, objectives=[ObjectiveSetting(name="movement")])
    compiled = compile_problem(programme)
    aims = [objective for objective, _ in programme.objectives]
    values, _ = lexicographic(compiled, aims, solver=Solver(), pot=float(pot))
    return allocation_of(compiled, situation, values)[:-1, 0], aim[:-1, 0]


def round_2013() -> Episode:
    """14 CCGs of annex A: target from weighted population, distance from target, per-head figures, two subtotals."""
    table = _table("annexA_2013_14__14ccgs_2areateams.csv")
    ccgs = table[~table["is_area_team_subtotal"]]
    rate = float(ccgs["indicative_target_k"].sum() / ccgs["weighted_population"].sum())
    need, given, aim = (
        ccgs[name].to_numpy() for name in ("weighted_population", "allocation_2013_14_k", "indicative_target_k")
    )
    names, people = ccgs["name"], ccgs["raw_population"].to_numpy()
    rows = [
        *_rows(names + ": target", aim, need * rate, "GBP k", 1.5),
        *_rows(names + ": distance", ccgs["dft_k"].to_numpy(), given - aim, "GBP k", 1.0),
        *_rows(
            names + ": distance",
            ccgs["dft_pct"].to_numpy(),
            100 * (given / aim - 1),
            "% of target",
            _percent_rounding(aim),
        ),
        *_rows(names + ": a head", ccgs["allocation_per_head"].to_numpy(), 1e3 * given / people, "GBP", 0.51),
        *_rows(names + ": target a head", ccgs["target_per_head"].to_numpy(), 1e3 * aim / people, "GBP", 0.51),
    ]
    return Episode(
        "2013-14",
        "14 CCGs of 2013/14: indicative targets and distance from target",
        "NHS England, gateway 00337, annex A",
        (*rows, *_subtotals(table)),
        (
            (
                f"Every target is £{1e3 * rate:,.2f} per weighted head: targets a weighted head are flat by "
                f"construction, so "
                "figures per unweighted head stand beside them."
            ),
            (
                "Bolton, Bury and Central Manchester belong to an area team whose other CCGs are not in the stored "
                "part of the "
                "annex, so its subtotal is not checked."
            ),
        ),
    )


def _subtotals(table: pd.DataFrame) -> list[Row]:
    """The area teams whose CCGs are all in the table: their rows add up, to the rounding of each."""
    rows, members = [], list[int]()
    for number, line in enumerate(table.to_dict("records")):
        if not line["is_area_team_subtotal"]:
            members.append(number)
            continue
        part = table.iloc[members]
        for column, unit in (
            ("allocation_2013_14_k", "GBP k"),
            ("indicative_target_k", "GBP k"),
            ("raw_population", "people"),
        ):
            label = f"{line['name']}: {column.removesuffix('_k').replace('_', ' ')}, sum of {len(members)}"
            rows.append(Row(label, float(line[column]), float(part[column].sum()), unit, 0.5 * len(members)))
        members = []
    return rows


def statement_2008() -> Episode:
    """The allocations announced in December 2008 for 2009-10 and 2010-11: growth of 5.5% twice, £164bn in all."""
    first = 164.0 / 2.055
    second, before = 1.055 * first, first / 1.055
    return Episode(
        "2008",
        "The 2008 statement: two years of 5.5% growth, £164bn together",
        "Department of Health statement on PCT allocations 2009-10 and 2010-11, December 2008",
        (
            Row("2009-10: 164 / 2.055", None, first, "GBP bn"),
            Row("2010-11: 1.055 x 2009-10", None, second, "GBP bn"),
            Row("rise over the two years", 8.6, second - before, "GBP bn", 0.06),
            Row("population implied by £1,612 a head in 2010-11", None, second / 1612 * 1e3, "million people"),
            Row("share of the £84.4bn pot of the practice toolkit", None, second / 84.4, "ratio"),
        ),
        (
            (
                "The rise comes to £8.55bn, printed as £8.6bn. The population implied, 52.2 million, is that of "
                "England in "
                "2010, and the second year's £84.2bn is the £84.4bn of the practice toolkit but for 0.2%."
            ),
        ),
    )


def toolkit() -> Episode:
    """S1: the two readings of 44% over and 49% under by 8%."""
    pot, by = 84.4, 0.08
    return Episode(
        "S1",
        "Practice toolkit, 1,802 practices: 44% over and 49% under fair share, by 8% on average",
        "practice-based commissioning toolkit, reported on £84.4bn",
        (
            Row("8% of the whole £84.4bn", 6.8, by * pot, "GBP bn", 0.05),
            Row("over: 44% x 8% x 84.4", None, 0.44 * by * pot, "GBP bn"),
            Row("under: 49% x 8% x 84.4", None, 0.49 * by * pot, "GBP bn"),
            Row("practices over (44%)", None, round(0.44 * 1802), "practices"),
        ),
        (
            (
                "The headline of 'up to £6.8bn' takes 8% of the whole pot and drops the 44%: it would need every "
                "practice to be "
                "over. What the survey says is £2.97bn over and £3.31bn under fair share, if practices are of equal "
                "size."
            ),
            "Over and under differ by £0.34bn, because 49% are under and 44% over; the other 7% lie on their share.",
        ),
    )


def research_formula() -> Episode:
    """S5: 53% beyond 5% and 26% beyond 10% of budget as a least gross deficit, and what the spend model expects."""
    pot, practices = 60.0, 8238
    least = pot * (0.13 * 0.10 + (0.265 - 0.13) * 0.05)
    with_twenty = pot * (0.055 * 0.20 + (0.13 - 0.055) * 0.10 + (0.265 - 0.13) * 0.05)
    modelled = [100.0 * _expected_beyond(limit / 100) for limit in (5, 10, 20)]
    return Episode(
        "S5",
        "Research formula, 8,238 practices: 53, 26 and 11% beyond 5, 10 and 20% of budget",
        "HSJ 5016663 (finance maven), on £60bn",
        (
            Row("over by 10% or more: 13%; by 5 to 10%: 13.5%; at their lower edges", 1.2, least, "GBP bn", 0.05),
            Row("the same with the band beyond 20%: 5.5% over", None, with_twenty, "GBP bn"),
            Row("practices beyond 5%", None, round(0.53 * practices), "practices"),
            Row("practices beyond 10%", None, round(0.26 * practices), "practices"),
            *(
                Row(f"spend model, beyond {limit}%", said, found, "% of practices", 0.5)
                for limit, said, found in zip((5, 10, 20), (53.0, 26.0, 11.0), modelled, strict=True)
            ),
        ),
        (
            (
                "'At least £1.2bn' puts every practice at the lower edge of its band, so it is a floor: £1.185bn. "
                "Counting the 11% "
                "beyond 20% as well, the same arithmetic gives £1.515bn; independent practices under the spend model "
                "give more."
            ),
            (
                "Over and under are about equal, so half of each band is over: a gross surplus of the same size stands "
                "against it."
            ),
        ),
    )


def _expected_beyond(limit: float) -> float:
    """Expected share of practices farther than `limit` from target: two normals for each list in each fifth."""
    people = _table("england_practices_2018_19.csv")["registered_pop_2018_19"].to_numpy(dtype=float)
    model = ENGLAND_PRACTICES
    common = model.area_sd**2 + chance_sd(people, kappa=model.kappa) ** 2
    fifths = np.linspace(model.gradient_poorest, model.gradient_richest, 5)[:, None]
    ordinary, heavy = (
        np.mean(ndtr((-limit - fifths) / sd) + ndtr((fifths - limit) / sd))
        for sd in (np.sqrt(common + one**2) for one in (model.persistent_sd, model.heavy_sd))
    )
    return float((1 - model.heavy_share) * ordinary + model.heavy_share * heavy)


def monitoring() -> Episode:
    """S11: 55 PCTs and 29 shadow CCGs in mid-year: shares, the mean, and members that do not add up to their PCT."""
    return Episode(
        "S11",
        "55 PCTs and 29 shadow CCGs against budget in mid-year",
        "HSJ survey of shadow CCGs, 2011-12",
        (
            Row("PCTs behind budget: 16 of 55", 29.0, 100 * 16 / 55, "%", 0.5),
            Row("PCTs that expect to miss: 5 of 55", 9.0, 100 * 5 / 55, "%", 0.5),
            Row("CCGs behind budget: 19 of 29", 66.0, 100 * 19 / 29, "%", 0.5),
            Row("CCGs forecasting a deficit: 4 of 20", 20.0, 100 * 4 / 20, "%", 0.5),
            Row("net shortfall: 29 x £0.967m", 28.0, 29 * 0.967, "GBP m", 0.5),
            Row("West Sussex: CCGs 9.1 + 13.6", None, 9.1 + 13.6, "GBP m"),
            Row("West Sussex: offset elsewhere in the PCT, against its 15", None, 15.0 - 22.7, "GBP m"),
            Row("Barking and Dagenham: CCGs 2.5 + 1.4 + 0.106", None, 2.5 + 1.4 + 0.106, "GBP m"),
            Row("Barking and Dagenham: offset elsewhere in the PCT, against its 2", None, 2.0 - 4.006, "GBP m"),
        ),
        (
            (
                "Members' deficits do not add up to their PCT's: West Sussex's two CCGs are £22.7m behind and the "
                "PCT £15m, Barking "
                "and Dagenham's three £4.0m against £2.0m. The difference, £7.7m and £2.0m, is offset elsewhere in "
                "the PCT "
                "(reserves, other budgets): it is a line of its own and never netted away inside a member."
            ),
            "66% of 29 is 19 CCGs and 29% of 55 is 16 PCTs: the shares are of different bodies and cannot be compared.",
        ),
    )


def settlement_2011() -> Episode:
    """F13: one authority's relative needs in the local government settlement: a head, and above the minimum."""
    factor, people, minimum, part = 0.00023472258101e6, 121_974, 1518.58376434, 4_707_442
    a_head, printed = 1e6 * factor / people, 1e6 * 5e-9 / people
    return Episode(
        "2011-12",
        "Cambridge in the local government settlement of 2011-12: relative needs above the minimum",
        "CLG, local government finance settlement 2011-12, annotated table for Cambridge (tab41112/T4_R22)",
        (
            Row("relative needs, 234.72258101 / 121,974 people", 1924.36569279, a_head, "millionths a head", printed),
            Row("less the minimum, 1518.58376434", 405.78192845, a_head - minimum, "millionths a head", printed + 1e-8),
            Row("its part C, 4,707,442 / 121,974 people", None, part / people, "GBP a head"),
        ),
        ("The settlement explains one authority line by line, as `explain` does one place; its steps re-add.",),
    )


EPISODES: Mapping[str, Callable[[], Episode]] = {
    "2000-01": round_2000,
    "2001-02": round_2001,
    "2013-14": round_2013,
    "2008": statement_2008,
    "S1": toolkit,
    "S5": research_formula,
    "S11": monitoring,
    "2011-12": settlement_2011,
}
"""What can be replayed, by the name that `allocopt replay NAME` takes."""
