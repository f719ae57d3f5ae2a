"""Quantities with the range in which they mean something: a share lies between 0% and 100%, a distance is not negative.

Each is a pydantic type on top of its unit, so that what cannot be true is refused where it is written, with file and
line. Imports `units` alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator

from allocopt.units import Kilometres, Money, Rate, Seconds, write_kilometres, write_money, write_rate, write_seconds


def _within(
    what: str, write: Callable[[float], str], *, least: float, most: float = float("inf"), open_: bool = False
) -> Callable[[float], float]:
    cure = f"{write(least)} or more" if most == float("inf") else f"{write(least)} to {write(most)}"
    cure = f"more than {write(least)}" if open_ else cure

    def checked(value: float) -> float:
        if not least <= value <= most or (open_ and value == least):
            raise ValueError(f"{what}, not {write(value)}: write {cure}")
        return value

    return checked


def _plain(value: float) -> str:
    return f"{value:,.10g}"


def _lists(groups: list[list[str]]) -> list[list[str]]:
    if not groups:
        raise ValueError("the rule is on and has no list of places: write [[first, second]], or off for the rule")
    for one in groups:
        if len(set(one)) < 2:
            raise ValueError(f"[{', '.join(one)}] is no list of different places: write two codes at least")
        if len(set(one)) < len(one):
            raise ValueError(f"[{', '.join(one)}] names a place twice: write each code once")
    return groups


Part = Annotated[Rate, AfterValidator(_within("a share lies between 0% and 100%", write_rate, least=0.0, most=1.0))]
"""0% to 100%."""
Distance = Annotated[Rate, AfterValidator(_within("a limit on a difference is not negative", write_rate, least=0.0))]
"""A relative distance, 0% or more."""
Level = Annotated[Rate, AfterValidator(_within("a share is not negative", write_rate, least=0.0))]
"""0% or more."""
Change = Annotated[Rate, AfterValidator(_within("no place can lose more than it has", write_rate, least=-1.0))]
"""A change of money, -100% or more."""
Way = Annotated[Kilometres, AfterValidator(_within("a distance is not negative", write_kilometres, least=0.0))]
"""Kilometres, 0 or more."""
Amount = Annotated[Money, AfterValidator(_within("a limit on money is not negative", write_money, least=0.0))]
"""Money, £0 or more."""
Head = Annotated[float, AfterValidator(_within("people are counted from 0 up", _plain, least=0.0))]
"""People, 0 or more."""
Gap = Annotated[Rate, AfterValidator(_within("a gap is not negative", write_rate, least=0.0))]
Slack = Annotated[Rate, AfterValidator(_within("a slack is not negative", write_rate, least=0.0))]
Patience = Annotated[Seconds, AfterValidator(_within("time has to pass", write_seconds, least=0.0, open_=True))]
"""Seconds, more than none."""
Lists = Annotated[list[list[str]], AfterValidator(_lists)]
"""Lists of two or more different places."""
