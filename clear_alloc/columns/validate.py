"""Columns of numbers, shape (n,): read, checked and brought to one length once, when curves are built."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from clear_alloc.columns.arrow import NUMERIC, format_of, numbers
from clear_alloc.columns.constant import broadcast_column
from clear_alloc.columns.ids import listed
from clear_alloc.errors import InvalidArgument
from clear_alloc.support.types import Array, Bool

__all__ = [
    "MAX_TOKENS",
    "MIN_SCALE",
    "Array",
    "as_given",
    "at_least",
    "broadcast",
    "check",
    "column",
    "is_null",
    "numbers_or_nan",
    "positive",
    "probability",
    "real_number",
    "resolvable",
    "scalar",
    "within",
]

MAX_TOKENS = 2.0**53  # float64 counts whole tokens exactly up to here
_LEAST_CHANCE = 5e-324  # the smallest float above 0
_PLAIN = (np.ndarray, list, tuple, int, float)  # values that no library lends
MIN_SCALE = 1e-12  # tokens; a narrower curve is a unit mistake and would overflow its own slope


def as_given(values: npt.ArrayLike) -> npt.NDArray[Any]:
    """An array in which numbers beside a string are still numbers, so that errors can name the offender.

    A column of Arrow, pyarrow's, polars' or another's, is read as `numbers` reads it.
    """
    lent = None if isinstance(values, _PLAIN) else numbers("values", values)
    if lent is not None:
        return lent
    raw = np.asarray(values)
    return np.asarray(values, dtype=object) if raw.dtype.kind in "SUc" else raw


def column(argument: str, values: npt.ArrayLike) -> Array:
    """`values` as a float64 array of one dimension (a scalar becomes shape (1,)), every entry finite."""
    try:
        lent = None if isinstance(values, _PLAIN) else numbers(argument, values)
        array = np.atleast_1d(_converted(argument, as_given(values))) if lent is None else lent
    except (TypeError, ValueError, OverflowError) as error:
        if isinstance(error, InvalidArgument):
            raise
        raise InvalidArgument(
            argument, values, "numbers, one per query", f"pass a number or a flat array ({error})"
        ) from error
    if array.ndim != 1:
        raise InvalidArgument(
            argument, f"of shape {array.shape}", "a scalar or shape (n,)", "pass one number per query"
        )
    check(argument, array, np.isfinite(array), "finite numbers", "remove or repair the row")
    return array


def _converted(argument: str, raw: npt.NDArray[Any]) -> Array:
    if raw.dtype.kind not in "biuf" and raw.size:
        raw = np.array([_number(argument, i, v) for i, v in enumerate(raw.ravel())])
    return raw.astype(np.float64)


def real_number(value: object) -> float | None:
    """The number as a float, booleans as 0 and 1; None for anything else: text, complex numbers, dates, arrays.

    Text is none even where it looks like a number: a guess here would hide a broken column.
    """
    value = value.item() if isinstance(value, (np.generic, np.ndarray)) and value.ndim == 0 else value
    if isinstance(value, (str, bytes, bytearray, complex, np.ndarray)) or value is None:
        return None
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None


def _number(argument: str, row: int, value: object) -> float:
    number = real_number(value)
    if number is None:
        raise InvalidArgument(argument, value, "a number", "convert the column before passing it", row)
    return number


def numbers_or_nan(argument: str, values: Iterable[Any]) -> Array:
    """A flat column of numbers as float64 of shape (n,), nan for nulls.

    Raises InvalidArgument for anything else, by its row. O(n); no object per row for arrays of
    numbers, and for columns of Arrow, polars or pandas.
    """
    if format_of(values) in NUMERIC:
        lent = numbers(argument, values, null=math.nan)
        if lent is not None:
            return lent
    raw = np.asarray(values) if hasattr(values, "dtype") else None
    if raw is not None and raw.dtype.kind in "biuf":
        return raw.astype(np.float64)
    entries = (
        math.nan if is_null(value) else _number(argument, row, value) for row, value in enumerate(listed(values))
    )
    return np.fromiter(entries, dtype=np.float64)


def is_null(value: object) -> bool:
    """Whether a cell is empty: None, nan, or what pandas writes for either."""
    try:
        return value is None or bool(value != value)
    except (TypeError, ValueError):  # pandas' NA has no truth; an array has several
        return not hasattr(value, "__len__")


def scalar(argument: str, value: object, allowed: str, remedy: str) -> float:
    """One number as a float, whatever its size; InvalidArgument for anything else, text and booleans included."""
    number = None if isinstance(value, (bool, np.bool_)) else real_number(value)
    if number is None:
        raise InvalidArgument(argument, value, allowed, remedy)
    return number


def check(argument: str, array: Array, good: Bool, allowed: str, remedy: str) -> None:
    """Raise `InvalidArgument` for the first row where `good` is false."""
    if not good.all():
        row = int(np.argmin(good))
        raise InvalidArgument(argument, array[row], allowed, remedy, row)


def within(array: Array, least: float, most: float) -> bool:
    """Whether every entry lies between the two, without a temporary; never so for nan."""
    return not array.size or bool(array.min() >= least and array.max() <= most)


def positive(argument: str, values: npt.ArrayLike, unit: str = "tokens") -> Array:
    """A column of scales: MIN_SCALE <= value <= MAX_TOKENS."""
    array = column(argument, values)
    if not within(array, MIN_SCALE, MAX_TOKENS):
        good = (array >= MIN_SCALE) & (array <= MAX_TOKENS)
        check(argument, array, good, f"{MIN_SCALE:g} to 2**53 {unit}", "give the curve a positive scale")
    return array


def resolvable(width: Array, threshold: Array) -> None:
    """Refuse a width that rounding loses when it is added to its threshold: no cap would reach the top."""
    if width.size and threshold.size and width.min() >= np.spacing(threshold.max()):
        return
    if len(width) in (1, len(threshold)) or len(threshold) == 1:
        good = width >= np.spacing(threshold)
        seen = np.broadcast_to(width, good.shape)
        allowed = "at least the spacing of floating-point numbers at the threshold"
        check("width", seen, good, allowed, "widen the curve, or pass the step as a ca.Menu with one option")


def at_least(argument: str, values: npt.ArrayLike, least: float, unit: str) -> Array:
    """A column with least <= value <= MAX_TOKENS."""
    array = column(argument, values)
    if not within(array, least, MAX_TOKENS):
        good = (array >= least) & (array <= MAX_TOKENS)
        check(argument, array, good, f"{least:g} to 2**53 {unit}", "correct the value or drop the query")
    return array


def probability(argument: str, values: npt.ArrayLike) -> Array:
    """A column of chances: 0 < value <= 1."""
    array = column(argument, values)
    if not within(array, _LEAST_CHANCE, 1.0):
        remedy = "leave a query that can't be solved out of the call, and put its worth into weight"
        check(argument, array, (array > 0) & (array <= 1), "above 0 and at most 1 (times weight)", remedy)
    return array


def broadcast(columns: Mapping[str, Array]) -> dict[str, Array]:
    """All columns at their common length n, read-only; scalars (length 1) are repeated."""
    lengths = {name: len(array) for name, array in columns.items()}
    n = next((k for k in lengths.values() if k != 1), 1)
    for name, length in lengths.items():
        if length not in (1, n):
            shown = ", ".join(f"{k}: {v}" for k, v in lengths.items())
            raise InvalidArgument(
                name, f"of length {length}", f"length {n} or a scalar", f"make the lengths match ({shown})"
            )
    return {name: broadcast_column(array, n) for name, array in columns.items()}
