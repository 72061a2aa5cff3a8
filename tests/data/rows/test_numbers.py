"""Numbers in columns: what is one, what is a gap, what is neither."""

import math
from decimal import Decimal

import numpy as np
import pytest

from ostinato._errors import DataError
from ostinato.data.place import Place
from ostinato.data.rows import is_missing, number

HERE = Place("a.csv", 7)


@pytest.mark.parametrize(
    ("value", "found"),
    [("1.5", 1.5), (" -2e3 ", -2000.0), (7, 7.0), (0.25, 0.25), (Decimal("1.5"), 1.5), (np.float32(0.5), 0.5)],
)
def test_numbers_are_read(value, found):
    assert number(value, HERE, "x") == found


@pytest.mark.parametrize("value", [None, "", "  ", "NaN", "NA", "n/a", "?", "null", math.nan, np.float32("nan")])
def test_gaps_are_told_from_numbers(value):
    assert is_missing(value)
    with pytest.raises(DataError, match=r"a.csv, line 7: no number in column 'x' .*--missing interpolate"):
        number(value, HERE, "x", advice="--missing interpolate fills it in")


@pytest.mark.parametrize("value", [0, "0", 0.0, "abc", "inf", False])
def test_what_is_there_is_no_gap(value):
    assert not is_missing(value)


@pytest.mark.parametrize(
    "value", ["abc", "1_000", "0x10", "inf", "-Infinity", math.inf, True, [1], {}, "1.2.3", 10**400]
)
def test_what_is_no_number_is_refused_with_its_place(value):
    with pytest.raises(DataError, match=r"a.csv, line 7: .* in column 'x', where a number is needed"):
        number(value, HERE, "x")


def test_a_decimal_comma_is_recognised():
    with pytest.raises(DataError, match="decimal comma"):
        number("1,5", HERE, "x")


def test_a_long_value_is_cut_in_the_error():
    with pytest.raises(DataError) as caught:
        number("z" * 10_000, HERE, "x")
    assert len(str(caught.value)) < 300
