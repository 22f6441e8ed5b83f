"""Columns that are one value n times over: they take no memory, and are looked at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from clear_alloc.support.types import Array, Index

__all__ = [
    "any_nonzero",
    "broadcast_column",
    "exact_total",
    "is_repeated",
    "of_repeated",
    "take_columns",
    "take_rows",
]


def broadcast_column(array: npt.NDArray[Any], n: int) -> npt.NDArray[Any]:
    """A column of length n or 1 as a read-only one of length n; what is repeated takes no memory."""
    if len(array) == n:
        shown = array[:]
        shown.flags.writeable = False
        return shown
    shown = np.ndarray((n,), array.dtype, np.ascontiguousarray(array), 0, (0,))
    shown.flags.writeable = False
    return shown


def is_repeated(array: npt.NDArray[Any]) -> bool:
    """Whether a column is one value n times over."""
    return len(array) == 1 or (array.strides == (0,) and len(array) > 0)


def any_nonzero(array: npt.NDArray[Any]) -> bool:
    """Whether any entry differs from 0; of a repeated column at once."""
    return bool((array[:1] if is_repeated(array) else array).any())


def exact_total(tokens: npt.NDArray[Any]) -> int:
    """The sum of whole numbers of at most 2**53, which neither floats nor int64 hold for all of them. O(n)."""
    if len(tokens) <= 1_024:
        return int(tokens.astype(np.int64, copy=False).sum())
    whole = tokens.astype(np.int64, copy=False)
    return (int((whole >> 32).sum()) << 32) + int((whole & 0xFFFFFFFF).sum())


def take_columns(rows: Index | slice, *columns: Array) -> list[Array]:
    """Some rows of several columns; of repeated ones without a copy."""
    if isinstance(rows, slice):
        return [column[rows] for column in columns]
    return [
        np.ndarray((len(rows),), column.dtype, column[:1], 0, (0,))
        if column.strides == (0,) and len(column)
        else column[rows]
        for column in columns
    ]


def take_rows(array: npt.NDArray[Any], rows: npt.NDArray[np.intp] | slice) -> npt.NDArray[Any]:
    """Some rows of a column; of a repeated one without a copy."""
    if array.strides == (0,) and len(array) and not isinstance(rows, slice):
        return np.ndarray((len(rows),), array.dtype, array[:1], 0, (0,))
    return array[rows]


def of_repeated(act: Callable[..., npt.NDArray[Any]], *columns: Array) -> npt.NDArray[Any]:
    """An elementwise function of columns; of repeated ones it is asked for a single row."""
    if len(columns[0]) > 1 and all(map(is_repeated, columns)):
        return broadcast_column(act(*(column[:1] for column in columns)), len(columns[0]))
    return act(*columns)
