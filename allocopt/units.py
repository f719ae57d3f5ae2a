"""Quantities as people write them and as the engine holds them; imports nothing of allocopt.

Written `2.0%`, `£78.5bn`, `25 km`, `60s`; held as a fraction, GBP million, km and seconds. A bare number where a unit
belongs is refused, because 2 and 2% differ by a hundred and look alike. Each unit is also a pydantic type
(`Rate`, `Money`, `Kilometres`, `Seconds`), so the schema, the validation and the manual share one definition.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_UNSIGNED = r"(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?"
_NUMBER = rf"[-+]?{_UNSIGNED}"
_MONEY = re.compile(
    rf"^\s*(?P<sign>[-+]?)\s*(?:£|GBP\s*)?\s*(?P<number>{_UNSIGNED})\s*(?P<scale>k|m|bn)?\s*(?P<word>GBP)?\s*$"
)
_POWER = {None: -6, "k": -3, "m": 0, "bn": 3}


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def _parse_rate(text: str) -> float:
    found = re.match(rf"^\s*({_NUMBER})\s*%\s*$", text)
    if not found or not re.search(r"\d", found[1]):
        raise ValueError(f"'{text}' is not a rate: write a number and %, such as 2.5%")
    return _decimal(found[1], -2)


def _decimal(text: str, power: int) -> float:
    """`text` times ten to `power`, rounded once: 2.3% is the float nearest to 0.023."""
    return float(Decimal(text.replace(",", "")).scaleb(power))


def _parse_money(text: str) -> float:
    found = _MONEY.match(text)
    if not found or not re.search(r"\d", found["number"]) or not ("£" in text or "GBP" in text):
        raise ValueError(f"'{text}' is not an amount of money: write its unit, such as £5k, £3.2m, £78.5bn or 1000 GBP")
    value = _decimal(found["number"], _POWER[found["scale"]])
    return -value if found["sign"] == "-" else value


def _parse_kilometres(text: str) -> float:
    found = re.match(rf"^\s*({_NUMBER})\s*(km|m)\s*$", text)
    if not found or not re.search(r"\d", found[1]):
        raise ValueError(f"'{text}' is not a distance: write its unit, such as 25 km")
    return _decimal(found[1], 0 if found[2] == "km" else -3)


def _parse_seconds(text: str) -> float:
    found = re.match(rf"^\s*({_NUMBER})\s*(s|min|h)\s*$", text)
    if not found or not re.search(r"\d", found[1]):
        raise ValueError(f"'{text}' is not a duration: write its unit, such as 60s, 10min or 1h")
    return _number(found[1]) * {"s": 1.0, "min": 60.0, "h": 3600.0}[found[2]]


def _trim(number: float, digits: int = 9) -> str:
    text = f"{number:.{digits}f}".rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def write_rate(value: float) -> str:
    """A fraction as a percentage: 0.023 -> '2.3%'."""
    return f"{_trim(value * 100)}%"


def write_money(value: float) -> str:
    """GBP million in the unit people would use, every digit kept to the penny: 78541.382 -> '£78.541382bn'."""
    size = abs(value)
    for scale, name in ((1e3, "bn"), (1.0, "m"), (1e-3, "k")):
        if size >= scale:
            return f"{'-' if value < 0 else ''}£{_trim(size / scale, 11)}{name}"
    return f"{'-' if value < 0 else ''}£{_trim(size * 1e6, 2)}"


def say_money(value: float) -> str:
    """GBP million rounded for reading: 78541.382 -> '£78.54bn', 3.21 -> '£3.2m', 0.0004 -> '£400'."""
    size, sign = abs(value), "-" if value < 0 else ""
    if size >= 1e4:
        return f"{sign}£{size / 1e3:,.2f}bn"
    if size >= 100:
        return f"{sign}£{size:,.0f}m"
    if size >= 1:
        return f"{sign}£{size:,.1f}m"
    return f"{sign}£{size * 1e6:,.0f}"


def write_kilometres(value: float) -> str:
    """Kilometres: 25.0 -> '25 km'."""
    return f"{_trim(value)} km"


def write_seconds(value: float) -> str:
    """Seconds: 60.0 -> '60s'."""
    return f"{_trim(value)}s"


@dataclass(frozen=True)
class Unit:
    """How a quantity is written (`name`, `example`), read (`parse`) and shown (`write`)."""

    name: str
    example: str
    parse: Callable[[str], float]
    write: Callable[[float], str]


RATE = Unit("%", "2.5%", _parse_rate, write_rate)
MONEY = Unit("£", "£3.2m", _parse_money, write_money)
KILOMETRES = Unit("km", "25 km", _parse_kilometres, write_kilometres)
SECONDS = Unit("s", "60s", _parse_seconds, write_seconds)


def _reader(unit: Unit) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        if isinstance(value, str):
            return unit.parse(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"expected a quantity such as {unit.example}")
        raise ValueError(f"{value} needs its unit: write it like {unit.example}")

    return read


Rate = Annotated[
    float,
    BeforeValidator(_reader(RATE)),
    WithJsonSchema({"type": "string", "pattern": r"%\s*$", "examples": ["2.5%"]}),
    RATE,
]
Money = Annotated[
    float,
    BeforeValidator(_reader(MONEY)),
    WithJsonSchema({"type": "string", "pattern": "£|GBP", "examples": ["£3.2m"]}),
    MONEY,
]
Kilometres = Annotated[
    float,
    BeforeValidator(_reader(KILOMETRES)),
    WithJsonSchema({"type": "string", "pattern": r"k?m\s*$", "examples": ["25 km"]}),
    KILOMETRES,
]
Seconds = Annotated[
    float,
    BeforeValidator(_reader(SECONDS)),
    WithJsonSchema({"type": "string", "pattern": r"(s|min|h)\s*$", "examples": ["60s"]}),
    SECONDS,
]

_TABLE_UNITS = {"£": 1e-6, "GBP": 1e-6, "£k": 1e-3, "£m": 1.0, "£bn": 1e3, "GBP k": 1e-3, "GBP m": 1.0, "GBP bn": 1e3}


def _read_table_unit(value: Any) -> str:
    if not isinstance(value, str) or value not in _TABLE_UNITS:
        raise ValueError(f"'{value}' is not a unit of money for a column: write one of {', '.join(_TABLE_UNITS)}")
    return str(value)


TableUnit = Annotated[str, BeforeValidator(_read_table_unit), WithJsonSchema({"enum": list(_TABLE_UNITS)})]


def to_million(unit: str) -> float:
    """The factor that turns a column in `unit` into GBP million."""
    return _TABLE_UNITS[unit]
