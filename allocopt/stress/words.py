"""What a stress found, as sentences that can be quoted: reverse tests, pools, sizes of a consortium, robustness.

Only rows of stress.csv are read, so that no sentence says what the table does not. Imports `estimates` and `units`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isnan

from allocopt.settings.stress import Pool, Reverse, Stress
from allocopt.stress.estimates import Row
from allocopt.units import say_money, write_rate

Values = Mapping[tuple[str, str, str], float]
LUCK = (("", "areas correlated"), ("_independent", "areas independent"))
CURVES = (("chance", "chance alone"), ("independent", "areas independent"), ("correlated", "areas correlated"))


def findings(rows: Sequence[Row], stress: Stress) -> list[str]:
    """A sentence for each thing that was found beside the plain simulation, in the order of the scenario's keys."""
    values = {(row.test, row.measure, row.statistic): row.value for row in rows}
    found: list[str] = []
    if stress.reverse is not None:
        found += [*_reverse(values, stress.reverse, say_money(stress.limit)), *_simulated(values, stress.reverse)]
    if stress.pool is not None:
        found += _pools(values, stress.pool)
    if stress.population_risk is not None:
        found += _sizes(values, stress.population_risk.overspend, write_rate(stress.population_risk.accepted))
    return [*found, *_robust(values)]


def _reverse(values: Values, asked: Reverse, limit: str) -> Iterator[str]:
    """The smallest shock of each kind, at the plan's expected spend."""
    for test, measure, statistic in values:
        if test.startswith("reverse_") and measure == "smallest_shock" and statistic.startswith("target: "):
            yield _shock(values, test, _who(test, statistic.removeprefix("target: ")), asked, limit)
    size = values.get(("reverse_bodies_in_deficit", "smallest_shock", "value"))
    if size is not None and not isnan(size):
        below = values["reverse_bodies_in_deficit", "bodies_in_deficit", "just_below"]
        yield (
            f"At expected spend, {_percent(size)} more spend everywhere puts {asked.bodies} bodies in deficit; "
            f"1% less of it puts {below:.0f}."
        )


def _shock(values: Values, test: str, who: str, asked: Reverse, limit: str) -> str:
    size = values[test, "smallest_shock", "value"]
    at, below = (say_money(values[test, "exposure", when]) for when in ("at_the_shock", "just_below"))
    if isnan(size):
        return f"At expected spend, no shock to {who} breaches the limit of {limit}: exposure reaches {at} at most."
    if size == 0:
        return f"At expected spend the limit of {limit} is breached without a shock: exposure is {at}."
    if test == "reverse_number_of_places":
        more = write_rate(asked.places_shock)
        return (
            f"At expected spend, {size:,.0f} places spending {more} more breach the limit of {limit}; one fewer cannot."
        )
    return (
        f"At expected spend, the smallest shock to {who} that breaches the limit of {limit} is {_percent(size)} more "
        f"spend; 1% less of it leaves an exposure of {below}."
    )


def _who(test: str, target: str) -> str:
    kind = test.removeprefix("reverse_")
    if kind == "area":
        return f"one area ({target}, the nearest to a breach)"
    return f"the spend on {target.replace('_', ' ')}" if kind.startswith("component_") else target


def _simulated(values: Values, asked: Reverse) -> Iterator[str]:
    for suffix, luck in LUCK:
        test = f"reverse_uniform_simulated{suffix}"
        size = values.get((test, "smallest_shock", "value"))
        if size is not None and asked.probability is not None and not isnan(size):
            yield (
                f"In the draws ({luck}), {_percent(size)} more spend everywhere makes a breach as likely as "
                f"{write_rate(asked.probability)}."
            )


def _pools(values: Values, asked: Pool) -> Iterator[str]:
    for test in dict.fromkeys(test for test, measure, _ in values if measure == "top_slice"):
        share, low, high = (values[test, "top_slice", name] for name in ("value", "ci_low", "ci_high"))
        kind = "one pool" if "layer" not in test else f"pools of areas first ({_layer(test)} of allocations)"
        luck = "areas independent" if test.endswith("_independent") else "areas correlated"
        if isnan(share):
            yield f"No top-slice is enough in {write_rate(1 - asked.breach)} of draws: {kind}, {luck}."
            continue
        money = say_money(values[test, "top_slice_money", "value"])
        failed = _percent(values[test, "breach_on_fresh_draws", "probability"])
        range_ = " to ".join(
            _percent(values[test, "breach_on_fresh_draws", f"expected_{end}"]) for end in ("low", "high")
        )
        yield (
            f"A top-slice of {_percent(share)} ({money}; 95% interval {_percent(low)} to {_percent(high)}) is enough "
            f"in {write_rate(1 - asked.breach)} of draws: {kind}, {luck}. On fresh draws it fell short in {failed} "
            f"(chance allows {range_})."
        )


def _layer(test: str) -> str:
    return test.removeprefix("pool_area_layer_").removesuffix("_independent").removesuffix("pct") + "%"


def _sizes(values: Values, overspends: Sequence[float], accepted: str) -> Iterator[str]:
    for beyond in overspends:
        people = [
            f"{_people(values[f'smallest_population_{curve}', f'overspend_{100 * beyond:g}pct', 'value'])} ({words})"
            for curve, words in CURVES
        ]
        yield (
            f"People who must share a budget so that it is overspent by more than {write_rate(beyond)} with a "
            f"probability of at most {accepted}: {', '.join(people)}."
        )


def _people(number: float) -> str:
    return "no number is enough" if isnan(number) else f"{number:,.0f}"


def _robust(values: Values) -> Iterator[str]:
    price = values.get(("robustness", "price_of_robustness", "value"))
    if price is None:
        return
    saved = {
        measure.removeprefix("saved_").replace("_", " "): _saved(
            value, values["robustness", measure[6:], "nominal_plan"]
        )
        for (test, measure, _), value in values.items()
        if test == "robustness" and measure.startswith("saved_")
    }
    gains = ", ".join(f"{money} of {name}" for name, money in saved.items())
    cost = _saved(price, values["robustness", "gross_deficit", "nominal_plan"])
    yield f"Robustness costs {cost} of gross deficit at expected spend and saves {gains}."


def _saved(money: float, whole: float) -> str:
    """Nothing where it is within a hundredth of a percent: a finished stage leaves as much to the next."""
    return "nothing" if abs(money) <= max(1e-4 * whole, 1e-3) else say_money(money)


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"
