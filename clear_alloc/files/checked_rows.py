"""Files in, checked columns out: every row has passed its model, one by one or in bulk."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ValidationError

from clear_alloc.columns.ids import repeated_row
from clear_alloc.errors import BadRow, printable
from clear_alloc.files.arrow_table import numpy_column, parquet_table
from clear_alloc.files.bad_rows import BadRowPolicy
from clear_alloc.files.csv_text import csv_rows, unfolded
from clear_alloc.files.formats import CSV, PARQUET, Pick, format_of
from clear_alloc.files.json_text import json_rows
from clear_alloc.schema import AMOUNTS, LISTS, TEXTS, Column, refusal, suspects

__all__ = ["CheckedRows", "check_rows", "check_table", "check_unique", "read_checked"]


class CheckedRows(NamedTuple):
    """Rows that passed.

    source : name of the file.
    columns : one array of shape (n,) per field of the model. Names (str), lists (tuple) and amounts (float or
        tuple) are in object arrays, None where absent; all else is float64, NaN where absent, and exact, since
        counts end at 2**53.
    rows : number of each row as a person counts it, shape (n,).
    """

    source: str
    columns: dict[str, npt.NDArray[Any]]
    rows: Sequence[int]


def read_checked(
    path: str | os.PathLike[str],
    model: type[BaseModel],
    refuse: BadRowPolicy | None = None,
    pick: Pick | None = None,
) -> CheckedRows:
    """Read a JSONL, CSV or Parquet file whose rows are `model`'s.

    refuse : what becomes of bad rows; by default the first one ends the reading.
    pick : where the file's names are its own, its column for each field of the model; `a.b` is b inside of a.

    Raises
    ------
    BadRow
        A row is refused, and not skipped. Text that is not CSV or not UTF-8 leaves no rows to skip.
    InvalidArgument
        The suffix is unknown, the file can't be read as what it claims to be, or its columns are wrong.
    NotSupported
        A Parquet file, and pyarrow is not installed.
    OSError
        The file can't be opened.
    """
    file, kind = Path(path), format_of(path)
    refuse = BadRowPolicy() if refuse is None else refuse
    if kind == PARQUET:
        return check_table(file, model, parquet_table(file, model, pick), refuse)
    if kind == CSV:
        return check_rows(file, model, csv_rows(file, model, refuse, pick), refuse)
    return check_rows(file, model, json_rows(file, refuse, pick), refuse)


def check_unique(checked: CheckedRows, name: str, remedy: str = "rename or remove one of them") -> None:
    """`BadRow` for the first row whose name in column `name` stands in an earlier row too. O(n)."""
    names = checked.columns[name]
    if (twice := repeated_row(names)) is not None:
        row, first = (checked.rows[place] for place in twice)
        shown = printable(repr(names[twice[0]]), 80)
        raise BadRow(checked.source, row, f"{name} {shown} is already in row {first}; {remedy}")


def check_rows(
    source: str | os.PathLike[str],
    model: type[BaseModel],
    rows: Iterable[tuple[int, dict[str, Any]]],
    refuse: BadRowPolicy,
) -> CheckedRows:
    """Check rows one by one; `refuse` hears of those that don't pass. O(n)."""
    # Only the values are kept: a million models would take a gigabyte.
    kept: dict[str, list[Any]] = {name: [] for name in model.model_fields}
    numbers = []
    for number, content in rows:
        row = _checked_row(source, model, number, content, refuse)
        if row is not None:
            numbers.append(number)
            for name, values in kept.items():
                values.append(getattr(row, name))
    return CheckedRows(str(source), {name: _array(name, values) for name, values in kept.items()}, numbers)


def _checked_row(
    source: object, model: type[BaseModel], number: int, content: dict[str, Any], refuse: BadRowPolicy
) -> BaseModel | None:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        refuse(source, number, refusal(error, model))
        return None


def _array(name: str, values: list[Any]) -> npt.NDArray[Any]:
    if name in TEXTS | LISTS | AMOUNTS:
        array = np.empty(len(values), dtype=object)
        array[:] = values
        return array
    return np.array(values, dtype=np.float64)


def check_table(
    source: str | os.PathLike[str], model: type[BaseModel], table: Any, refuse: BadRowPolicy
) -> CheckedRows:
    """Check a pyarrow table whose columns are fields of `model`, in bulk; rows in doubt one by one. O(n)."""
    columns = {name: numpy_column(source, name, table.column(name)) for name in table.column_names}
    doubtful = np.flatnonzero(suspects(model, columns))
    kept = {
        name: _converted(name, field.default, columns.get(name), table.num_rows)
        for name, field in model.model_fields.items()
    }
    passed = np.ones(table.num_rows, dtype=bool)
    for place, cells in zip(doubtful.tolist(), _cells(table, doubtful), strict=True):
        row = _checked_row(source, model, place + 1, cells, refuse)
        passed[place] = row is not None
        for name, values in kept.items():
            values[place] = None if row is None else getattr(row, name)
    if passed.all():
        return CheckedRows(str(source), kept, range(1, table.num_rows + 1))
    numbers: list[int] = (np.flatnonzero(passed) + 1).tolist()
    return CheckedRows(str(source), {name: values[passed] for name, values in kept.items()}, numbers)


def _cells(table: Any, places: npt.NDArray[np.intp]) -> Iterator[dict[str, Any]]:
    for batch in table.take(places).to_batches(max_chunksize=8192):
        for row in batch.to_pylist():
            yield {name: unfolded(name, value) for name, value in row.items()}


def _converted(name: str, default: object, column: Column | None, n: int) -> npt.NDArray[Any]:
    # Rows whose values can't be converted are in doubt, and take their model's values afterwards.
    if name in LISTS:
        return np.full(n, None, dtype=object)
    if name in TEXTS:
        values = column.values if column else np.full(n, None)
        names = values.astype(str).astype(object) if values.dtype.kind in "iu" else values.astype(object)
        if column is not None:
            names[column.missing] = None
        return names
    if name in AMOUNTS:
        amounts = np.full(n, None, dtype=object)
        if column is not None and column.values.dtype.kind in "iuf":
            there = np.flatnonzero(~column.missing)
            amounts[there] = column.values[there].astype(np.float64)
        return amounts
    blank = np.full(n, default if isinstance(default, float) else np.nan)
    if column is None or column.values.dtype.kind not in "iufb":
        return blank
    return np.where(column.missing, blank, column.values.astype(np.float64))
