"""Curves on disk, with the terms that each query brings along."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from clear_alloc.curves import FAMILIES, MAX_TOKENS, Curves, ShiftedSurge, concatenate
from clear_alloc.errors import BadRow, InvalidArgument
from clear_alloc.files.arrow_table import table_in_memory
from clear_alloc.files.bad_rows import BadRowPolicy
from clear_alloc.files.checked_rows import CheckedRows, check_table, check_unique, read_checked
from clear_alloc.files.writing import names_to_write, whole_or_none, write_columns
from clear_alloc.market.read_limits import whole_column
from clear_alloc.schema import OPTIONAL, PARAMETERS, QueryRow

__all__ = ["CurveFile", "curves_of_table", "read_curves", "write_curves"]

Path = str | os.PathLike[str]
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]

_FOR_ALL_OR_NONE = ("rate", "call")


class CurveFile(NamedTuple):
    """What a curves file holds, one entry per query and in the order of its rows.

    min_tokens, max_tokens : floor and ceiling of each cap, float64 (n,), token; NaN where the row has none.

    The others are None where no row has one:

    levels : the caps that each query may have, token: a tuple of whole caps and (low, high), or None.
    fallback : what a query gets that is not funded, float64 (n,), token; NaN where the row has none.
    rate, call : budget units per token and per call; a number, or a tuple with one per option of a menu.
    group : name of the group that each query belongs to, or None.
    """

    curves: Curves
    ids: tuple[str, ...]
    min_tokens: Floats
    max_tokens: Floats
    levels: tuple[Any, ...] | None = None
    fallback: Floats | None = None
    rate: tuple[Any, ...] | None = None
    call: tuple[Any, ...] | None = None
    group: tuple[str | None, ...] | None = None

    def limits(self, min_tokens: float = 0, max_tokens: float | None = None) -> tuple[Floats, Floats]:
        """Floors and ceilings of all queries, (n,), token: the row's own or the given one, as binds."""
        ceiling = MAX_TOKENS if max_tokens is None else max_tokens
        # fmin and fmax pass over NaN, which stands for no limit of the row's own.
        return np.fmax(self.min_tokens, min_tokens), np.fmin(self.max_tokens, ceiling)

    def terms(
        self,
        *,
        min_tokens: float = 0,
        max_tokens: float | None = None,
        levels: object = None,
        fallback: float = 0,
        rate: float | None = None,
        call: float | None = None,
    ) -> dict[str, Any]:
        """Keyword arguments of `allocate`: what the rows say, joined by what is said here for all of them.

        The higher of two floors or fallbacks holds, and the lower of two ceilings. Levels, rates and calls are those
        of the rows or those of all: `InvalidArgument` where both are given. Units as in `allocate`.
        """
        whole_column("min_tokens", min_tokens, 1)
        whole_column("fallback", fallback, 1)
        floors, ceilings = self.limits(min_tokens, max_tokens)
        terms: dict[str, Any] = {"min_tokens": floors, "max_tokens": ceilings, "ids": self.ids}
        terms["fallback"] = fallback if self.fallback is None else np.fmax(self.fallback, fallback)
        for name, given in (("levels", levels), ("rate", rate), ("call", call)):
            own = getattr(self, name)
            if own is not None and given is not None:
                remedy = f"give {name} once, for all queries or in the rows"
                raise InvalidArgument(name, given, f"absent, since rows of the file have the column {name}", remedy)
            terms[name] = given if own is None else [_listed(entry) for entry in own] if name == "levels" else own
        return terms


def read_curves(path: Path) -> CurveFile:
    """Curves of any family, mixed as they come. An empty file holds zero queries, which is not an error.

    Raises
    ------
    BadRow, InvalidArgument, NotSupported, OSError
        As `read_checked`; unknown columns, names that stand twice and a `rate` or `call` that some rows lack are
        refused.
    """
    return _curves_of(read_checked(path, QueryRow))


def curves_of_table(table: object) -> CurveFile:
    """Curves of a table in memory, with the columns and by the rules of a curves file: row 1 is its first.

    table : of pyarrow, polars or pandas, anything that lends itself by `__arrow_c_stream__`, or a dict of columns.
    NotSupported without pyarrow, other errors as of `read_curves`. O(n), in bulk.

    >>> from clear_alloc.files import curves_of_table
    >>> read = curves_of_table({"id": ["a", "b"], "family": ["lognormal"] * 2, "median": [600, 4000],
    ...                         "spread": [0.5, 0.5], "solvability": [0.9, 0.6]})
    >>> read.curves.median
    array([ 600., 4000.])
    """
    source = "the table"
    return _curves_of(check_table(source, QueryRow, table_in_memory(source, table, QueryRow), BadRowPolicy()))


def _curves_of(checked: CheckedRows) -> CurveFile:
    check_unique(checked, "id")
    for name in _FOR_ALL_OR_NONE:
        _check_complete(checked, name)
    columns = checked.columns
    own = {name: _if_any(columns[name]) for name in ("levels", *_FOR_ALL_OR_NONE, "group")}
    fallback = None if np.isnan(columns["fallback"]).all() else columns["fallback"]
    floors, ceilings = columns["min_tokens"], columns["max_tokens"]
    return CurveFile(_assembled(checked), tuple(columns["id"]), floors, ceilings, fallback=fallback, **own)


def _if_any(column: npt.NDArray[Any]) -> tuple[Any, ...] | None:
    values = tuple(column.tolist())
    return None if all(value is None for value in values) else values


def _check_complete(checked: CheckedRows, name: str) -> None:
    there = _present(checked.columns[name])
    if there.any() and not there.all():
        lacks, has = (checked.rows[int(np.argmax(mask))] for mask in (~there, there))
        allowed = f"budget units, as in row {has}"
        raise BadRow(
            checked.source, lacks, f"{name} is missing; allowed: {allowed}; give every row its {name}, or none"
        )


def _present(column: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    return np.fromiter((value is not None for value in column), dtype=bool, count=len(column))


def _assembled(checked: CheckedRows) -> Curves:
    parts, places = [], []
    for family in PARAMETERS:
        for rows, names in _kinds(checked, family):
            parts.append(_of_one_kind(checked, family, rows, names))
            places.append(rows)
    if not parts:
        return ShiftedSurge([], [], [])
    joined: Curves = concatenate(parts)[np.argsort(np.concatenate(places))]
    return joined


def _kinds(checked: CheckedRows, family: str) -> Iterator[tuple[Rows, tuple[str, ...]]]:
    """Rows of a family that give the same parameters, and those."""
    columns, optional = checked.columns, OPTIONAL.get(family, ())
    rows = np.flatnonzero(columns["family"] == family)
    given = [_present(columns[name][rows]) for name in optional]
    code = np.zeros(len(rows), dtype=np.intp)
    for place, there in enumerate(given):
        code += there.astype(np.intp) << place
    for kind in np.unique(code):
        names = [name for place, name in enumerate(optional) if kind >> place & 1]
        yield rows[code == kind], (*PARAMETERS[family], *names, "weight")


def _of_one_kind(checked: CheckedRows, family: str, rows: Rows, names: tuple[str, ...]) -> Curves:
    try:
        curves: Curves = FAMILIES[family](**{name: checked.columns[name][rows] for name in names})
    except InvalidArgument as error:
        if error.row is None:
            raise
        reason = f"{error.argument} is {error.value!r}; allowed: {error.allowed}; {error.remedy}"
        raise BadRow(checked.source, checked.rows[rows[error.row]], reason) from error
    return curves


def write_curves(
    path: Path,
    curves: Curves,
    ids: Sequence[str],
    min_tokens: Floats | None = None,
    max_tokens: Floats | None = None,
    *,
    levels: Iterable[Any] | None = None,
    fallback: Floats | None = None,
    rate: Iterable[Any] | None = None,
    call: Iterable[Any] | None = None,
    group: Iterable[str | None] | None = None,
) -> None:
    """Write curves so that `read_curves` gives the same numbers back, bit for bit, in every format.

    ids : n unique names. The others are columns as `CurveFile` has them, None for none.
    """
    names = names_to_write(ids, len(curves))
    records = curves.to_records()
    columns: dict[str, list[Any]] = {
        "id": names,
        "family": [r["family"] for r in records],
    }
    for name in QueryRow.model_fields:
        if name not in columns and any(name in record for record in records):
            columns[name] = [record.get(name) for record in records]
    counts = {"min_tokens": min_tokens, "max_tokens": max_tokens, "fallback": fallback}
    columns |= {name: whole_or_none(values) for name, values in counts.items() if values is not None}
    others = {"levels": levels, "rate": rate, "call": call, "group": group}
    columns |= {name: [_listed(value) for value in values] for name, values in others.items() if values is not None}
    for name, column in columns.items():
        if len(column) != len(curves):
            raise InvalidArgument(name, f"of length {len(column)}", f"length {len(curves)}", "pass one per query")
    said = {name: c for name, c in columns.items() if name in ("id", "family") or any(v is not None for v in c)}
    write_columns(path, said)


def _listed(value: Any) -> Any:
    """A tuple or an array as a list, down to plain numbers; anything else as it is."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    return [_listed(part) for part in value] if isinstance(value, (list, tuple)) else value
