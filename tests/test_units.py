"""Quantities are written with their unit and held in GBP million, fractions, km and seconds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from allocopt.units import (
    KILOMETRES,
    MONEY,
    RATE,
    SECONDS,
    Money,
    Rate,
    TableUnit,
    Unit,
    say_money,
    to_million,
    write_kilometres,
    write_money,
    write_rate,
    write_seconds,
)


@pytest.mark.parametrize(
    ("unit", "text", "value"),
    [
        (RATE, "2.3%", 0.023),
        (RATE, "-5%", -0.05),
        (RATE, " 0.1 % ", 0.001),
        (MONEY, "£78.541382bn", 78541.382),
        (MONEY, "£5k", 0.005),
        (MONEY, "£1,000", 0.001),
        (MONEY, "1000 GBP", 0.001),
        (MONEY, "GBP 3m", 3.0),
        (MONEY, "-£2m", -2.0),
        (KILOMETRES, "25 km", 25.0),
        (KILOMETRES, "500 m", 0.5),
        (SECONDS, "60s", 60.0),
        (SECONDS, "10min", 600.0),
        (SECONDS, "1h", 3600.0),
    ],
)
def test_a_quantity_is_read_in_its_unit(unit: Unit, text: str, value: float) -> None:
    assert unit.parse(text) == value


@pytest.mark.parametrize(
    ("unit", "text", "said"),
    [
        (RATE, "2", "'2' is not a rate: write a number and %, such as 2.5%"),
        (RATE, "%", "'%' is not a rate"),
        (MONEY, "500m", "'500m' is not an amount of money: write its unit, such as £5k"),
        (MONEY, "£5 lots", "'£5 lots' is not an amount of money"),
        (MONEY, "£1,00", "'£1,00' is not an amount of money"),
        (RATE, "e5%", "'e5%' is not a rate"),
        (MONEY, "£e5", "'£e5' is not an amount of money"),
        (MONEY, "-£-5m", "'-£-5m' is not an amount of money"),
        (KILOMETRES, "25", "'25' is not a distance: write its unit, such as 25 km"),
        (KILOMETRES, "5 miles", "'5 miles' is not a distance"),
        (SECONDS, "60", "'60' is not a duration: write its unit, such as 60s, 10min or 1h"),
    ],
)
def test_a_quantity_without_its_unit_is_refused(unit: Unit, text: str, said: str) -> None:
    with pytest.raises(ValueError, match="is not") as caught:
        unit.parse(text)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("bare", [2, 0.02, True, None, [1]])
def test_a_bare_number_is_never_a_rate(bare: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Rate).validate_python(bare)


def test_a_bare_number_is_told_what_to_write() -> None:
    with pytest.raises(ValidationError, match=r"5 needs its unit: write it like £3.2m"):
        TypeAdapter(Money).validate_python(5)


@given(st.integers(min_value=-(10**12), max_value=10**12))
def test_money_written_and_read_again_is_the_same_to_the_penny(pence: int) -> None:
    value = pence / 1e8
    assert MONEY.parse(write_money(value)) == pytest.approx(value, abs=1e-9)


@given(st.integers(min_value=-(10**6), max_value=10**6))
def test_a_rate_written_and_read_again_is_the_same(millionths: int) -> None:
    assert RATE.parse(write_rate(millionths / 1e6)) == millionths / 1e6


def test_quantities_are_written_as_people_write_them() -> None:
    assert write_rate(0.023) == "2.3%"
    assert write_money(78541.382) == "£78.541382bn"
    assert write_money(-0.0005) == "-£500"
    assert write_kilometres(25.0) == "25 km"
    assert write_seconds(60.0) == "60s"
    assert (say_money(78541.382), say_money(3.21), say_money(0.0004)) == ("£78.54bn", "£3.2m", "£400")


def test_a_column_of_money_has_a_known_unit() -> None:
    assert (to_million("£k"), to_million("GBP"), to_million("£bn")) == (1e-3, 1e-6, 1e3)
    with pytest.raises(ValidationError, match="'k' is not a unit of money for a column: write one of £, GBP"):
        TypeAdapter(TableUnit).validate_python("k")


def test_a_column_unit_that_is_not_text_is_refused() -> None:
    with pytest.raises(ValidationError, match="is not a unit of money for a column"):
        TypeAdapter(TableUnit).validate_python(["£k"])
