"""What the terminal says about risk: the stress of a run, and how well the risk model fits. Imports `units`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from allocopt.report.console import console, table
from allocopt.units import say_money, write_rate

if TYPE_CHECKING:
    from allocopt.calibrate import Fit

WORDS = {
    "gross_deficit_gbp": "gross deficit",
    "available_surplus_gbp": "surplus still available",
    "net_gbp": "net (deficit less surplus)",
    "exposure_gbp": "exposure",
    "breach_probability": "probability of a breach",
}


def show_stress(said: Mapping[str, Any]) -> None:
    """The plain simulation, level by level, correlated and independent side by side; nothing without one."""
    if not said.get("headline"):
        return
    words = (
        f"Stress: mean of {said['draws']:,} draws of modelled spend, seed {said['seed']}, "
        f"limit {say_money(said['limit_gbp'] / 1e6)}, {said['retention'][0]} (intervals in stress.csv)"
    )
    rows = list(stress_rows(said["headline"]))
    console().print(table(escape(words), ["level", "", "areas correlated", "independent"], rows, left=2))
    if said["by_test"]:
        words = f"Exposure under each test, budgets held by {said['budget_holder']}: mean, 95% of draws below, breach"
        heads = ["test", "correlated", "95%", "breach", "independent", "95%", "breach"]
        console().print(table(escape(words), heads, list(test_rows(said["by_test"]))))
    for found in said["words_found"]:
        console().print(escape(found))


def stress_rows(headline: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    """A row for each level and measure."""
    for level, figures in headline["correlated"].items():
        for name, words in WORDS.items():
            other = headline["independent"][level][name]
            yield level, words, _cell(name, figures[name]), _cell(name, other)


def test_rows(by_test: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    """A row for each test and each year: correlated, then independent."""
    for name, figures in by_test.items():
        if not name.endswith("_independent"):
            both = (figures, by_test[f"{name}_independent"])
            yield name.replace("_", " "), *(_cell(key, value) for one in both for key, value in one.items())


def _cell(name: str, value: float) -> str:
    return say_money(value / 1e6) if name.endswith("_gbp") else f"{100 * value:.1f}%"


def show_fits(fits: Sequence[Fit]) -> None:
    """Each calibration: what is wanted, what the fitted and the stated parameters give, and the parameters."""
    out = console()
    for fit in fits:
        shares = [(name, *(_rate(one[name]) for one in (fit.wanted, fit.fitted, fit.stated))) for name in fit.wanted]
        out.print(table(escape(f"{fit.name}: {fit.words}"), ["share", "wanted", "fitted", "as stated"], shares))
        values = [
            (name, write_rate(round(fit.before[name], 5)), _rate(fit.parameters[name])) for name in fit.parameters
        ]
        out.print(table("", ["parameter", "as stated", "fitted"], values))
        out.print(f"the fit misses by {100 * fit.error:.2f} points at most")


def _rate(value: float) -> str:
    return f"{100 * value:.2f}%"
