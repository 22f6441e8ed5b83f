"""Columns of one value: no memory for their rows, and the answers of ordinary columns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clear_alloc.columns.constant import any_nonzero, broadcast_column, is_repeated, of_repeated, take_rows


@given(st.floats(-9, 9), st.integers(1, 9), st.data())
def test_a_repeated_column_answers_as_one_that_is_written_out(value, n, data):
    column, written = broadcast_column(np.array([value]), n), np.full(n, value)
    rows = np.array(data.draw(st.lists(st.integers(0, n - 1))), dtype=np.intp)
    np.testing.assert_array_equal(column, written)
    assert any_nonzero(column) == any_nonzero(written) == (value != 0)
    for picked in (rows, slice(1, None), slice(None, None, 2)):
        np.testing.assert_array_equal(take_rows(column, picked), written[picked])
    assert is_repeated(column)
    assert not take_rows(column, rows).size or take_rows(column, rows).strides == (0,) or n == 1


def test_no_row_takes_memory_and_none_can_be_written():
    column = broadcast_column(np.array([3.0]), 10**9)
    assert (len(column), column.strides, column[-1]) == (10**9, (0,), 3.0)
    with pytest.raises(ValueError, match="read-only"):
        column[0] = 1.0
    given_column = np.array([1.0, 2.0])
    shown = broadcast_column(given_column, 2)
    assert (is_repeated(shown), np.shares_memory(shown, given_column)) == (False, True)
    with pytest.raises(ValueError, match="read-only"):
        shown[0] = 9.0


def test_a_function_of_repeated_columns_is_asked_for_one_row():
    asked = []

    def add(one, other):
        asked.append(len(one))
        return one + other

    one, other, plain = broadcast_column(np.array([1.0]), 5), broadcast_column(np.array([2.0]), 5), np.arange(5.0)
    assert of_repeated(add, one, other).tolist() == [3.0] * 5
    assert of_repeated(add, one, plain).tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert asked == [1, 5]
    assert not is_repeated(broadcast_column(np.empty(0), 0))
