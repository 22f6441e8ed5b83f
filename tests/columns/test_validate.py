"""Columns of numbers: what is a number, and which row is not."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

import clear_alloc as ca
from clear_alloc.columns.validate import as_given, at_least, broadcast, column, probability, real_number, scalar

NUMBERS = [1, 1.0, True, np.int8(1), np.float16(1), np.bool_(True), np.array(1), Decimal(1), Fraction(1)]
COMPLEX = [1 + 0j, np.complex64(1), np.complex128(1), np.array(1 + 0j)]
OTHERS = [
    *COMPLEX, None, "1", b"1", bytearray(b"1"), np.str_("1"), np.array("1"), np.array([1.0]), [1], {}, 10**400,
    dt.date(2020, 1, 1), np.datetime64("2020"), np.timedelta64(1, "s"),
]  # fmt: skip


@pytest.mark.parametrize("value", NUMBERS, ids=repr)
def test_numbers_are_read(value):
    assert real_number(value) == 1.0
    assert type(real_number(value)) is float
    assert column("x", [value, 2.5]).tolist() == [1.0, 2.5]


@pytest.mark.parametrize("value", OTHERS, ids=lambda value: repr(value)[:20])
def test_everything_else_is_refused_and_never_guessed(value):
    assert real_number(value) is None
    with pytest.raises(ca.InvalidArgument, match="; allowed: any; mend it"):
        scalar("budget", value, "any", "mend it")
    if not isinstance(value, (list, np.ndarray)):
        with pytest.raises(ca.InvalidArgument, match=r"x\[1\] is .*; allowed: a number; convert the column"):
            column("x", np.array([1.0, value], dtype=object))


@pytest.mark.parametrize("flag", [True, np.bool_(False)])
def test_a_flag_is_no_amount(flag):
    with pytest.raises(ca.InvalidArgument, match="; allowed: any; mend it"):
        scalar("budget", flag, "any", "mend it")


@pytest.mark.parametrize("value", COMPLEX, ids=repr)
def test_complex_tokens_are_refused_by_row(value):
    for values in ([5, value], np.array([5, value])):
        with pytest.raises(ca.InvalidArgument, match=r"x\[\d\] is .*j.*; allowed: a number"):
            column("x", values)
    curves = ca.ShiftedSurge([100, 200], 50, 0.5)
    with pytest.raises(ca.InvalidArgument, match=r"min_tokens\[\d\] is"):
        ca.allocate(curves, 900, min_tokens=np.array([5, value]))


def test_half_precision_columns_are_read_and_held_to_the_same_bounds():
    halves = np.array([0.5, 3.0, 65504.0], dtype=np.float16)
    assert column("x", halves).tolist() == [0.5, 3.0, 65504.0]
    assert column("x", halves).dtype == np.float64
    with pytest.raises(ca.InvalidArgument, match=r"x\[0\] is inf; allowed: finite numbers"):
        column("x", np.array([np.inf], dtype=np.float16))
    assert ca.allocate(ca.ShiftedSurge(halves, halves, 0.5), 40).tokens.shape == (3,)


def test_bounds_name_the_first_row_beyond_them():
    with pytest.raises(ca.InvalidArgument, match=r"x\[2\] is -1.0; allowed: 0 to 2\*\*53 tokens"):
        at_least("x", [1, 2, -1, -2], 0, "tokens")
    for wrong in (0.0, 1.5):
        with pytest.raises(ca.InvalidArgument, match=r"x\[1\] is .*; allowed: above 0 and at most 1"):
            probability("x", [0.5, wrong])


def test_columns_of_two_lengths_don_t_fit_and_text_keeps_the_numbers_beside_it():
    with pytest.raises(ca.InvalidArgument, match=r"b is 'of length 3'; allowed: length 2 or a scalar; .*a: 2, b: 3"):
        broadcast({"a": np.zeros(2), "b": np.zeros(3)})
    assert [len(values) for values in broadcast({"a": np.zeros(2), "b": np.zeros(1)}).values()] == [2, 2]
    assert as_given([1, "a"]).tolist() == [1, "a"]
