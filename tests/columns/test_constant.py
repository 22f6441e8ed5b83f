"""Columns of one value repeated: read-only views, taken apart and computed with as one value."""

from __future__ import annotations

import numpy as np
import pytest

from clear_alloc.columns.constant import any_nonzero, broadcast_column, is_repeated, of_repeated, take_rows


@pytest.mark.parametrize("n", [1, 2, 7])
def test_a_repeated_column_is_one_value_read_only(n):
    column = broadcast_column(np.array([3.5]), n)
    assert column.tolist() == [3.5] * n
    assert not column.flags.writeable
    assert is_repeated(column)
    for rows in (np.arange(n), np.arange(n)[::-1], np.array([0, 0, 0]), np.array([], dtype=np.intp), slice(0, 1)):
        part = take_rows(column, rows)
        assert part.tolist() == [3.5] * len(np.arange(n)[rows])
        if n > 1:
            assert is_repeated(part) or not len(part)
            assert not part.flags.writeable
    assert any_nonzero(column)
    assert not any_nonzero(broadcast_column(np.zeros(1), n))
    asked = []

    def twice(values):
        asked.append(len(values))
        return 2.0 * values

    assert of_repeated(twice, column).tolist() == [7.0] * n
    assert asked == [1]


def test_a_column_of_many_values_is_not_repeated():
    column = np.array([0.0, 0.0, 2.0])
    assert not is_repeated(column)
    assert not is_repeated(np.empty(0))
    assert not is_repeated(broadcast_column(np.empty(0), 0))
    assert any_nonzero(column)
    assert not any_nonzero(column[:2])
    assert not any_nonzero(np.empty(0))
    shown = broadcast_column(column, 3)
    assert not shown.flags.writeable
    column[0] = 9.0  # a view: nothing is copied
    assert shown[0] == 9.0
    assert of_repeated(np.maximum, column, broadcast_column(np.array([1.0]), 3)).tolist() == [9.0, 1.0, 2.0]
    take_rows(column, np.array([0, 1]))[0] = -1.0
    assert column[0] == 9.0
