"""A table of rollouts: read without importing its library, checked row by row, grouped by query."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clear_alloc.columns.ids import listed, numbered
from clear_alloc.columns.validate import MAX_TOKENS, check, numbers_or_nan
from clear_alloc.errors import InvalidArgument
from clear_alloc.support.parallel import cached_property

__all__ = ["Array", "Ints", "Rollouts", "read_rollouts"]

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

_NEEDED = ("query_id", "tokens", "correct")
_OPTIONAL = ("cap", "weight")

# A column of settings, such as the model: few values, several of them in most queries. What rollouts end with has few
# values as well, and is told apart by its name.
_FEW = 12
_OUTCOME = re.compile(
    "answer|choice|complet|correct|error|grade|label|output|pass|pred|reason|respon|score|status|verdict"
)


@dataclass(frozen=True)
class Rollouts:
    """Checked rollouts, columns of shape (rollouts,); `query` numbers the entries of `ids`.

    cap : token, infinite where there was none.
    weight : value of a right answer, shape (queries,); None where the table has no such column.
    mixed : names of columns that nothing is made of and that tell rollouts of one query apart, such as `model`.
    """

    ids: list[str] | list[int]
    query: Ints
    tokens: Array
    right: Mask
    cap: Array
    weight: Array | None = None
    mixed: tuple[str, ...] = ()

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
        kept = np.bincount(self.query[rows], minlength=len(self.ids)) > 0
        number = np.where(kept, np.cumsum(kept) - 1, -1)
        ids: Any = [self.ids[old] for old in np.flatnonzero(kept)]
        weight = None if self.weight is None else self.weight[kept]
        query = number[self.query[rows]]
        return Rollouts(ids, query, self.tokens[rows], self.right[rows], self.cap[rows], weight), number


def read_rollouts(table: Any) -> Rollouts:
    """Check a dataframe or mapping of columns; ids keep the order of their first appearance.

    Raises InvalidArgument naming the column, the row (counted from 0), the value, what is allowed and the
    remedy. O(rollouts).
    """
    names = _names(table)
    columns = {name: _column(table, name, names) for name in _NEEDED}
    columns |= {name: _column(table, name, names) for name in _OPTIONAL if name in names}
    _same_length(columns)
    ids, query = numbered("query_id", columns.pop("query_id"))
    numbers = {name: numbers_or_nan(name, values) for name, values in columns.items()}
    tokens, correct = numbers["tokens"], numbers["correct"]
    counted, remedy = np.isfinite(tokens) & (tokens >= 0), "repair the row or drop it"
    check("tokens", tokens, counted, "a finite number of tokens, 0 or more", remedy)
    check("tokens", tokens, tokens <= MAX_TOKENS, "at most 2**53 tokens", remedy)
    scored = (correct == 0) | (correct == 1)
    check("correct", correct, scored, "0 or 1 (or a boolean)", "score the rollout as right or wrong, or drop it")
    cap, weight = _caps(numbers.get("cap"), tokens), _weights(numbers.get("weight"), query, len(ids))
    unused = [name for name in names if name not in (*_NEEDED, *_OPTIONAL)]
    mixed = [name for name in unused if _tells_apart(table, name, query, correct)]
    return Rollouts(ids, query, tokens, correct == 1, cap, weight, tuple(map(str, mixed)))


def _caps(cap: Array | None, tokens: Array) -> Array:
    if cap is None:
        return np.full(len(tokens), np.inf)
    none = np.isnan(cap)
    allowed = none | (np.isfinite(cap) & (cap > 0))
    check("cap", cap, allowed, "a positive number of tokens, or null", "use null where there was no cap")
    remedy = "record tokens and cap with the same tokenizer, or use null where the cap is not known"
    check("tokens", tokens, none | (tokens <= cap), "at most the row's cap", remedy)
    return np.where(none, np.inf, cap)


def _weights(weight: Array | None, query: Ints, queries: int) -> Array | None:
    if weight is None:
        return None
    good = np.isfinite(weight) & (weight >= 0)
    check("weight", weight, good, "a finite value of one right answer, 0 or more", "repair the row or drop it")
    first = np.full(queries, len(query), dtype=np.intp)
    np.minimum.at(first, query, np.arange(len(query)))
    odd = weight != weight[first[query]]
    if odd.any():
        row = int(np.argmax(odd))
        earlier = int(first[query[row]])
        allowed = f"{weight[earlier]}, as in row {earlier} of the same query"
        raise InvalidArgument("weight", weight[row], allowed, "give every query one weight", row)
    return weight[first]


def _tells_apart(table: Any, name: Any, query: Ints, correct: Array) -> bool:
    """Whether a column looks like a setting that differs between rollouts of one query. O(rollouts)."""
    if _OUTCOME.search(str(name).lower()):
        return False
    try:
        values, codes = numbered(str(name), [str(value) for value in listed(_column(table, name, [name]))])
    except InvalidArgument:
        return False  # of another shape than a column
    if len(codes) != len(query) or not 2 <= len(values) <= min(_FEW, len(codes) // 2):
        return False
    times = np.bincount(query * len(values) + codes).astype(np.intp)
    times = np.pad(times, (0, -len(times) % len(values))).reshape(-1, len(values))
    several = times.sum(axis=1) > 1
    restated = all(len(np.unique(correct[codes == code])) == 1 for code in range(len(values)))
    # The number of a sample stands once in each query; names that differ in their digits alone are such numbers too.
    numbers_samples = times.max() == 1 and len({re.sub(r"[\d.+-]+", "", str(value)) for value in values}) == 1
    mixed = (times > 0).sum(axis=1) > 1
    return not restated and not numbers_samples and 2 * int(mixed.sum()) >= int(several.sum()) > 0


def _names(table: Any) -> list[Any]:
    if type(table).__name__ == "LazyFrame":
        raise InvalidArgument("rollouts", "a LazyFrame", "a dataframe in memory", "pass rollouts.collect()")
    # pyarrow calls its names column_names and its arrays columns; others call their names columns or keys().
    for names in ("column_names", "columns", "keys"):
        found = getattr(table, names, None)
        if found is not None:
            return list(found() if callable(found) else found)
    allowed = "a dataframe or a mapping of columns query_id, tokens, correct and optionally cap, weight"
    raise InvalidArgument("rollouts", table, allowed, "turn the rows into a table of columns")


def _column(table: Any, name: str, names: list[Any]) -> Any:
    if name not in names:
        found = ", ".join(map(str, names)) or "no column"
        needed, remedy = "columns query_id, tokens, correct", f"rename or add the column; found {found}"
        raise InvalidArgument("rollouts", f"without column {name!r}", needed, remedy)
    values = table[name]
    flat = isinstance(values, Iterable) and hasattr(values, "__len__") and not isinstance(values, (str, bytes))
    shape = getattr(values, "shape", None) or np.shape(() if flat else values)
    if not flat or len(shape) > 1:
        found = f"of shape {tuple(shape)}"
        raise InvalidArgument(name, found, "one value per rollout", "pass one flat column")
    return values


def _same_length(columns: dict[str, Any]) -> None:
    expected = len(columns["query_id"])
    for name, values in columns.items():
        if len(values) != expected:
            found, allowed = f"of length {len(values)}", f"length {expected}, as query_id"
            raise InvalidArgument(name, found, allowed, "give every rollout one entry")
    if expected == 0:
        remedy = "check the file or the filter"
        raise InvalidArgument("rollouts", "an empty table", "at least one rollout", remedy)
