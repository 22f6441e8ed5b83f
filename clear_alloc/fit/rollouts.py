"""A table of rollouts: read without importing its library, judged row by row, grouped by query."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clear_alloc.errors import InvalidArgument
from clear_alloc.support.parallel import cached_property

__all__ = ["Array", "Ints", "Rollouts", "read_rollouts"]

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

_NEEDED = ("query_id", "tokens", "correct")


@dataclass(frozen=True)
class Rollouts:
    """Judged rollouts, columns of shape (rollouts,); `query` numbers the entries of `ids`.

    cap : token, infinite where there was none.
    weight : value of a right answer, shape (queries,); None where the table has no such column.
    """

    ids: list[str] | list[int]
    query: Ints
    tokens: Array
    right: Mask
    cap: Array
    weight: Array | None = None

    @cached_property
    def censored(self) -> Mask:
        """Stopped by the cap, and not right: the length is more than `tokens`. A right one has finished."""
        return (self.tokens >= self.cap) & ~self.right

    def per_query(self, values: npt.ArrayLike) -> Array:
        """Sum of `values` (rollouts,) within each query, shape (queries,). O(rollouts)."""
        sums = np.bincount(self.query, np.asarray(values, dtype=np.float64), len(self.ids))
        return sums.astype(np.float64, copy=False)  # bincount of no rows is of integers

    def only(self, rows: Mask) -> tuple[Rollouts, Ints]:
        """The marked rollouts, their queries numbered anew, and each old query's new number or -1. O(rollouts)."""
        there = np.bincount(self.query[rows], minlength=len(self.ids)) > 0
        number = np.where(there, np.cumsum(there) - 1, -1)
        ids: Any = [id_ for id_, kept in zip(self.ids, there.tolist(), strict=True) if kept]
        weight = None if self.weight is None else self.weight[there]
        query = number[self.query[rows]]
        return Rollouts(ids, query, self.tokens[rows], self.right[rows], self.cap[rows], weight), number


def read_rollouts(table: Any) -> Rollouts:
    """Judge a dataframe or mapping of columns; ids keep the order of their first appearance.

    Raises InvalidArgument naming the column, the row (counted from 0), the value, what is allowed and the
    remedy. O(rollouts log rollouts), for the sort of the ids.
    """
    columns = {name: _column(table, name) for name in (*_NEEDED, *_optional(table))}
    _same_length(columns)
    ids, query = _queries(columns["query_id"])
    tokens = _numbers("tokens", columns["tokens"])
    counted = np.isfinite(tokens) & (tokens >= 0)
    _check("tokens", tokens, counted, "a finite number of tokens, 0 or more", "repair the row or drop it")
    correct = _numbers("correct", columns["correct"])
    scored = (correct == 0) | (correct == 1)
    _check("correct", correct, scored, "0 or 1 (or a boolean)", "score the rollout as right or wrong, or drop it")
    cap = _caps(columns.get("cap"), tokens)
    return Rollouts(ids, query, tokens, correct == 1, cap, _weights(columns.get("weight"), query, len(ids)))


def _caps(column: npt.NDArray[Any] | None, tokens: Array) -> Array:
    if column is None:
        return np.full(len(tokens), np.inf)
    cap = _numbers("cap", column)
    none = np.isnan(cap)
    allowed = none | (np.isfinite(cap) & (cap > 0))
    _check("cap", cap, allowed, "a positive number of tokens, or null", "use null where there was no cap")
    remedy = "record tokens and cap with the same tokenizer, or use null where the cap is not known"
    _check("tokens", tokens, none | (tokens <= cap), "at most the row's cap", remedy)
    return np.where(none, np.inf, cap)


def _weights(column: npt.NDArray[Any] | None, query: Ints, queries: int) -> Array | None:
    if column is None:
        return None
    weight = _numbers("weight", column)
    good = np.isfinite(weight) & (weight >= 0)
    _check("weight", weight, good, "a finite value of one right answer, 0 or more", "repair the row or drop it")
    first = np.full(queries, len(query), dtype=np.intp)
    np.minimum.at(first, query, np.arange(len(query)))
    odd = weight != weight[first[query]]
    if odd.any():
        row = int(np.argmax(odd))
        earlier = int(first[query[row]])
        allowed = f"{weight[earlier]}, as in row {earlier} of the same query"
        raise InvalidArgument("weight", weight[row], allowed, "give every query one weight", row)
    return weight[first]


def _names(table: Any) -> list[Any]:
    # pyarrow calls its names column_names and its arrays columns; others call their names columns or keys().
    for names in ("column_names", "columns", "keys"):
        found = getattr(table, names, None)
        if found is not None:
            return list(found() if callable(found) else found)
    allowed = "a dataframe or a mapping of columns query_id, tokens, correct and optionally cap, weight"
    raise InvalidArgument("rollouts", table, allowed, "turn the rows into a table of columns")


def _optional(table: Any) -> Sequence[str]:
    return [name for name in ("cap", "weight") if name in _names(table)]


def _column(table: Any, name: str) -> npt.NDArray[Any]:
    names = _names(table)
    if name not in names:
        found = ", ".join(map(str, names)) or "no column"
        needed, remedy = "columns query_id, tokens, correct", f"rename or add the column; found {found}"
        raise InvalidArgument("rollouts", f"without column {name!r}", needed, remedy)
    column = table[name]
    values = _array(column.to_numpy() if hasattr(column, "to_numpy") else column)
    if values.ndim != 1:
        raise InvalidArgument(name, f"of shape {values.shape}", "one value per rollout", "pass one flat column")
    return values


def _array(values: Any) -> npt.NDArray[Any]:
    if isinstance(values, (list, tuple)) and len(set(map(type, values))) > 1:
        # Through object, so that numpy doesn't turn a stray number among strings into a string.
        mixed = np.empty(len(values), dtype=object)
        mixed[:] = values
        return mixed
    return np.asarray(values)


def _same_length(columns: dict[str, npt.NDArray[Any]]) -> None:
    expected = len(columns["query_id"])
    for name, values in columns.items():
        if len(values) != expected:
            found, allowed = f"of length {len(values)}", f"length {expected}, as query_id"
            raise InvalidArgument(name, found, allowed, "give every rollout one entry")
    if expected == 0:
        remedy = "check the file or the filter"
        raise InvalidArgument("rollouts", "an empty table", "at least one rollout", remedy)


def _check(argument: str, values: Array, good: Mask, allowed: str, remedy: str) -> None:
    if not good.all():
        row = int(np.argmin(good))
        raise InvalidArgument(argument, values[row], allowed, remedy, row)


def _numbers(argument: str, values: npt.NDArray[Any]) -> Array:
    if values.dtype.kind in "biuf":
        return values.astype(np.float64)
    return np.array([_number(argument, row, value) for row, value in enumerate(values)], dtype=np.float64)


def _number(argument: str, row: int, value: Any) -> float:
    # Strings are refused even when they read as numbers: a guess here would hide a broken column.
    if _is_null(value):
        return math.nan
    remedy = "convert the column before passing it"
    if isinstance(value, (str, bytes)):
        raise InvalidArgument(argument, value, "a number", remedy, row)
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise InvalidArgument(argument, value, "a number", remedy, row) from error


def _is_null(value: Any) -> bool:
    # pandas' NA answers every comparison with NA, whose truth is undefined; NaN differs from itself.
    try:
        return value is None or bool(value != value)
    except TypeError:
        return True


def _queries(values: npt.NDArray[Any]) -> tuple[list[str] | list[int], Ints]:
    typed = values if values.dtype.kind in "iuU" else _ids(values)
    unique, first, codes = np.unique(typed, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return unique[order].tolist(), rank[codes]


def _ids(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    kinds = set(map(type, values))
    if all(issubclass(kind, str) for kind in kinds):
        return values.astype(np.str_)
    if all(issubclass(kind, (int, np.integer)) and kind is not bool for kind in kinds):
        return values.astype(np.int64)
    usual = str if isinstance(values[0], str) else (int, np.integer)
    odd = [_is_null(v) or not isinstance(v, usual) or isinstance(v, bool) for v in values]
    row = int(np.argmax(odd))
    allowed = "a string or an integer, one kind for all rows, never null"
    raise InvalidArgument("query_id", values[row], allowed, "name the query of every rollout", row)
