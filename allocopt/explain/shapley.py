"""Order-free attribution: what each cause adds to a figure, so that the parts add up whatever the order.

    phi_i = sum over S without i of |S|! (n - |S| - 1)! / n! x (f(S + i) - f(S)),    sum_i phi_i = f(all) - f(none)

Source: Shapley, A Value for n-Person Games, 1953. Imports nothing of allocopt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from math import factorial

Chosen = tuple[str, ...]


def shapley(causes: Sequence[str], worth: Callable[[Chosen], float]) -> dict[str, float]:
    """The part of each cause; `worth` is asked once for each of the 2^n sets of causes, in the order of `causes`."""
    worths = {chosen: worth(chosen) for size in range(len(causes) + 1) for chosen in combinations(causes, size)}
    return {cause: _part(causes, cause, worths) for cause in causes}


def _part(causes: Sequence[str], cause: str, worths: dict[Chosen, float]) -> float:
    count, total = len(causes), 0.0
    for chosen, value in worths.items():
        if cause in chosen:
            continue
        weight = factorial(len(chosen)) * factorial(count - len(chosen) - 1) / factorial(count)
        joined = tuple(one for one in causes if one in chosen or one == cause)
        total += weight * (worths[joined] - value)
    return total


def in_pounds(millions: Sequence[float], total: int) -> list[int]:
    """Amounts in GBP million as whole pounds that add up to `total`: what is left goes to the largest remainders.

    Works for amounts below zero; ties go to the amount that comes first.
    """
    exact = [amount * 1e6 for amount in millions]
    pounds = [int(amount // 1) for amount in exact]
    order = sorted(range(len(exact)), key=lambda number: pounds[number] - exact[number])
    left = total - sum(pounds)
    for turn in range(abs(left)):
        pounds[order[turn % len(order)] if left > 0 else order[-1 - turn % len(order)]] += 1 if left > 0 else -1
    return pounds
