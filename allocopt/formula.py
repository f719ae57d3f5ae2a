"""The needs formula: each place's fair share of the pot, component by component.

    n_cp     = need_cp x product of its indices          (or sum of w_k column_k in place of need_cp;
               b_p / (1 + d_p) from a baseline b_p and a published opening distance from target d_p)
    target_p = sum_a amount_ap + (pot - sum of amounts) x sum_c share_c x n_cp / sum_q n_cq

With populations by year the need of a place grows with its people: n_cpt = n_cp x people_pt / people_p. Published
distances say what targets are, not only how they are shared: where those of a table do not add up to its baselines (it
is not the whole country), targets add up to as much more or less than the pot.

Weighted capitation as published for English places: domain section 3 holds the weights. Imports `inputs`, `errors`,
`units` and the types of `settings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from allocopt.errors import Problem, TableFault
from allocopt.units import say_money, to_million

if TYPE_CHECKING:
    from allocopt.inputs import Inputs
    from allocopt.settings import Component, Scenario


ROUNDED = 5e-5
"""Of the money: what distances to a hundredth of a point, or a tenth for many places, may miss by rounding."""


@dataclass(frozen=True)
class Targets:
    """What the formula gives: frames are place x year."""

    share: pd.DataFrame
    """Sums to 1 in every year."""
    target: pd.DataFrame
    """GBP million; sums to the pot of the year, but for places that published distances put off target as a whole."""
    components: Mapping[str, pd.DataFrame]
    """Component -> GBP million; they add up to `target`."""


def targets(scenario: Scenario, inputs: Inputs) -> Targets:
    """The target of every place in every year, GBP million, with the part that each component gives.

    Shares are taken of what the amounts leave of the pot, and divided by their sum (the scenario holds it to 100%).
    Raises TableFault: a need that sums to zero, an amount below zero or above the pot, a place whose target is not
    above zero. Source: weighted capitation (DH Q50 answer 2006; NHS England technical guide 2019/20).
    """
    amounts = {
        name: amount(name, given, inputs) for name, given in scenario.formula.items() if given.amount is not None
    }
    rest = inputs.pot - sum(float(money.sum()) for money in amounts.values())
    _amounts_fit(amounts, inputs)
    fractions = _fractions(scenario, inputs)
    if not fractions and bool((rest.abs() > 1e-9 * inputs.pot).any()):
        raise _fault(
            Problem(
                "no component has a share, and the amounts do not use up the pot",
                "add one with share and need",
                "formula",
            )
        )
    components = {
        name: _by_year(amounts[name], inputs)
        if name in amounts
        else fractions[name] * rest * whole(scenario, inputs, name)
        for name in scenario.formula
    }
    target = pd.DataFrame(
        sum(frame.to_numpy() for frame in components.values()), index=inputs.places.index, columns=list(inputs.years)
    )
    _all_above_zero(target, inputs)
    return Targets(share=target / target.sum(), target=target, components=components)


def need(component: Component, inputs: Inputs) -> pd.Series:
    """n_p of a need component, by place: its column, or the weighted sum of its columns, times its indices; with
    published distances from target, what each place has over 1 + its distance.

    Raises TableFault where the distances belong to a baseline that follows from targets itself.
    """
    if component.opening_dft is not None:
        if inputs.baseline is None:
            said = "published distances from target need a baseline that stands in a table, place by place"
            raise _fault(Problem(said, "give table, column and unit", "inputs.baseline"))
        return inputs.baseline / (1.0 + inputs.places[component.opening_dft] / 100.0)
    given = {component.need: 1.0} if isinstance(component.need, str) else component.need or {}
    needs = pd.Series(0.0, index=inputs.places.index)
    for name, weight in given.items():
        needs = needs + weight * inputs.places[name]
    for name in component.times:
        needs = needs * inputs.places[name]
    return needs


def whole(scenario: Scenario, inputs: Inputs, name: str) -> float:
    """What the targets of a component are of its places' money, all together: sum of b_p / (1 + d_p) over sum of b_p.

    1 for needs, for distances that add up but for their rounding, and beside components that are no distances.
    """
    alone = all(component.opening_dft is not None for component in scenario.formula.values())
    if not alone or inputs.baseline is None:
        return 1.0
    found = float(need(scenario.formula[name], inputs).sum() / inputs.baseline.sum())
    return found if abs(found - 1.0) > ROUNDED else 1.0


def whole_words(scenario: Scenario, inputs: Inputs, aims: Targets) -> tuple[str, ...]:
    """A note where published distances put the places off target as a whole."""
    total, pot = float(aims.target.iloc[:, 0].sum()), float(inputs.pot.iloc[0])
    if all(whole(scenario, inputs, name) == 1.0 for name in scenario.formula):
        return ()
    off = 100.0 * (pot / total - 1.0)
    side = "over" if off > 0 else "under"
    said = (
        f"by their published distances these places together are {abs(off):.2f}% {side} target (they are not the whole "
        "country, or the baselines are not those of the distances): every place opens at its published distance, and "
        f"targets add up to {say_money(total)}, the pot being {say_money(pot)}"
    )
    return (said,)


def amount(name: str, component: Component, inputs: Inputs) -> pd.Series:
    """GBP million of an amount component by place: `amount` - `less`. Raises TableFault when it is below zero."""
    factor = to_million(component.unit or "£")
    money = inputs.places[component.amount] * factor
    if component.less is not None:
        money = money - inputs.places[component.less] * factor
    below = [str(code) for code in money.index[money < 0]]
    if below:
        message = (
            f"'{component.amount}' - '{component.less}' is below zero for {_places(len(below))}: {inputs.named(below)}"
        )
        raise _fault(Problem(message, "correct the columns, or change them over", f"formula.{name}.less"))
    return money.rename(name)


def _fractions(scenario: Scenario, inputs: Inputs) -> dict[str, pd.DataFrame]:
    """share_c x n_cp / sum_q n_cq by component, place x year; together they sum to 1 in every year."""
    shared = {name: given for name, given in scenario.formula.items() if given.amount is None}
    total = sum(given.share or 0.0 for given in shared.values())
    fractions, problems = dict[str, pd.DataFrame](), list[Problem]()
    for name, given in shared.items():
        needs = need(given, inputs)
        if not needs.sum() > 0:
            message, key = "its need sums to zero, so nothing can be shared by it", f"formula.{name}.need"
            problems.append(Problem(message, "name another column", key))
            continue
        fractions[name] = _shared(needs, (given.share or 0.0) / total, inputs)
    if problems:
        raise _fault(*problems)
    return fractions


def _shared(needs: pd.Series, share: float, inputs: Inputs) -> pd.DataFrame:
    if inputs.growth is None:
        return _by_year(needs * (share / needs.sum()), inputs)
    grown = inputs.growth.mul(needs, axis="index")
    return grown * (share / grown.sum())


def _amounts_fit(amounts: Mapping[str, pd.Series], inputs: Inputs) -> None:
    total = sum(float(money.sum()) for money in amounts.values())
    for year, pot in inputs.pot.items():
        if total > pot:
            parts = ", ".join(f"{name} {say_money(float(money.sum()))}" for name, money in amounts.items())
            message = f"the amounts come to {say_money(total)} ({parts}), more than the pot of {year}, "
            key = f"formula.{next(iter(amounts))}.unit"
            raise _fault(Problem(message + say_money(float(pot)), "check the unit of the amounts and of the pot", key))


def _by_year(money: pd.Series, inputs: Inputs) -> pd.DataFrame:
    """The same figure in every year: a column of the places table stands for all years."""
    return pd.DataFrame(dict.fromkeys(inputs.years, money))


def _all_above_zero(target: pd.DataFrame, inputs: Inputs) -> None:
    nothing = [str(code) for code in target.index[~(target > 0).all(axis=1)]]
    if nothing:
        message = f"the formula gives {_places(len(nothing))} no target, so distance from target would not exist: "
        cure = "leave them out with inputs.places.only or small_lists, or give them need"
        raise _fault(Problem(message + inputs.named(nothing), cure, "formula", file=inputs.files[0].file))


def _places(number: int) -> str:
    return f"{number:,} place" if number == 1 else f"{number:,} places"


def _fault(*problems: Problem) -> TableFault:
    return TableFault("the needs formula cannot be worked out", problems)
