"""Names of queries: each stands once, and they stay the column that they came in until they are asked for by one."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from clear_alloc.columns.arrow import format_of
from clear_alloc.errors import InvalidArgument
from clear_alloc.support.parallel import cached_property

__all__ = ["QueryIds", "listed", "numbered", "read_ids", "repeated_row"]

_ARROW = frozenset({"c", "s", "i", "l", "C", "S", "I", "L", "u", "U", "vu"})  # integers and text

_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio: its multiples are spread evenly


class QueryIds:
    """Names of n queries, in order.

    column : whole numbers or text as an array of numpy or a column of Arrow or of a dataframe; else a tuple.
    """

    def __init__(self, column: Any):
        self.column = column

    def __len__(self) -> int:
        return len(self.column)

    @cached_property
    def listed(self) -> tuple[Any, ...]:
        """The names as Python objects, n of them; made at the first call and remembered. O(n)."""
        return self.column if isinstance(self.column, tuple) else tuple(listed(self.column))

    @property
    def unique(self) -> bool:
        """Whether each stands once. O(n), or O(n log n) for an array; TypeError for what can't be hashed."""
        if isinstance(self.column, tuple):
            return len(set(self.column)) == len(self)
        if isinstance(self.column, np.ndarray):
            # Numbers sort several times faster than text; only where two of them are equal is the text compared.
            of_text = self.column.dtype.kind in "US"
            return (of_text and _differ(_fingerprints(self.column))) or _differ(self.column)
        return len(self.column.unique()) == len(self)


def read_ids(ids: Iterable[Any] | None, n: int) -> QueryIds | None:
    """The caller's `ids`, or None. A copy, where the caller could change them later.

    Raises InvalidArgument for another number of names than n, for one that can't be hashed, and for one that stands
    twice, with both rows. O(n log n); no object per name if they come as whole numbers or text in a column.
    """
    if ids is None:
        return None
    if isinstance(ids, (str, bytes)) or not isinstance(ids, Iterable) or getattr(ids, "ndim", 1) == 0:
        raise InvalidArgument("ids", ids, f"{n} names, one per query", "pass a list of ids")
    names = QueryIds(_column(ids))
    if len(names) != n:
        raise InvalidArgument("ids", f"of length {len(names)}", f"length {n}", "pass one id per query")
    try:
        if not names.unique:
            row, first = repeated_row(names.listed) or (0, 0)
            remedy = f"it is row {first}'s id already; rename one"
            raise InvalidArgument("ids", names.listed[row], "unique ids", remedy, row)
    except TypeError:
        row = next(row for row, name in enumerate(names.listed) if not _is_hashable(name))
        allowed, name = "strings, integers or other hashable names", names.listed[row]
        raise InvalidArgument("ids", name, allowed, "convert the id", row) from None
    return names


def numbered(argument: str, values: Iterable[Any]) -> tuple[list[str] | list[int], npt.NDArray[np.intp]]:
    """The distinct names of a column in order of first appearance, and the number of each row's name.

    Raises InvalidArgument with the row of a null, and of a name of another kind than the first. O(n).
    """
    names = list(listed(values))
    usual: Any = str if names and isinstance(names[0], str) else (int, np.integer)
    if not all(issubclass(kind, usual) and kind is not bool for kind in set(map(type, names))):
        row = next(row for row, name in enumerate(names) if not isinstance(name, usual) or isinstance(name, bool))
        allowed = "a string or an integer, one kind for all rows, never null"
        raise InvalidArgument(argument, names[row], allowed, "name the query of every rollout", row)
    number: dict[Any, int] = {}
    codes = np.fromiter((number.setdefault(name, len(number)) for name in names), dtype=np.intp, count=len(names))
    return list(map(str, number)) if usual is str else list(map(int, number)), codes


def repeated_row(names: Iterable[Hashable]) -> tuple[int, int] | None:
    """The first row whose name stands in an earlier row, and that row; None where each stands once. O(n).

    >>> repeated_row(["a", "b", "a"])
    (2, 0)
    """
    first: dict[Hashable, int] = {}
    for row, name in enumerate(names):
        if first.setdefault(name, row) != row:
            return row, first[name]
    return None


def _differ(array: npt.NDArray[Any]) -> bool:
    """Whether no two entries are equal."""
    ordered = np.sort(array)  # np.unique takes several times as long
    return bool((ordered[1:] != ordered[:-1]).all())


def _fingerprints(text: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """A number for each text of fixed width, the same for the same text and hardly ever for another."""
    letter = np.dtype(np.uint32 if text.dtype.kind == "U" else np.uint8)
    mixed = np.zeros(len(text), dtype=np.uint64)
    for place in text.view(letter).reshape(len(text), text.dtype.itemsize // letter.itemsize).T:
        mixed = (mixed ^ place) * _ODD
        mixed ^= mixed >> np.uint64(29)
    return mixed


def _column(ids: Iterable[Any]) -> Any:
    if isinstance(getattr(ids, "dtype", None), np.dtype):
        array = np.array(ids, order="C")
        plain = array.dtype.kind in "iuUST" and array.dtype.isnative and not hasattr(array.dtype, "na_object")
        return array if plain and array.ndim == 1 else tuple(array.tolist())
    if format_of(ids) in _ARROW and hasattr(ids, "unique"):
        copied = getattr(ids, "copy", getattr(ids, "clone", None))  # columns of pyarrow never change
        return copied() if copied else ids
    return tuple(listed(ids))


def listed(column: Iterable[Any]) -> Iterable[Any]:
    """The entries as Python objects: pyarrow's own iterator gives scalars of its own."""
    methods = (getattr(column, name, None) for name in ("to_pylist", "tolist", "to_list"))
    method = next(filter(None, methods), None)
    entries: Iterable[Any] = method() if method else column
    return entries


def _is_hashable(name: object) -> bool:
    try:
        hash(name)
    except TypeError:
        return False
    return True
