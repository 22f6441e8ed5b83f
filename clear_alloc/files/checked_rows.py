"""Files in, checked columns out: every row has passed its model, one by one or in bulk."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ValidationError

from clear_alloc.errors import printable
from clear_alloc.files.bad_rows import BadRowPolicy
from clear_alloc.files.formats import (
    CSV,
    PARQUET,
    Pick,
    format_of,
    json_lines,
    parquet_table,
    table_rows,
    unfolded,
)
from clear_alloc.schema import AMOUNTS, LISTS, TEXTS, Column, refusal, suspects
from clear_alloc.support.optional import optional

__all__ = ["CheckedRows", "check_rows", "check_table", "json_objects", "read_checked", "strict_json"]


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
    pick : where the file's names are its own, its column for each field of the model.

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
        return check_rows(file, model, table_rows(file, model, refuse, pick), refuse)
    return check_rows(file, model, json_lines(file) if pick is None else _picked(file, refuse, pick), refuse)


def _picked(path: Path, refuse: BadRowPolicy, pick: Pick) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, row in json_objects(path, refuse):
        yield number, {ours: row[theirs] for ours, theirs in pick.items() if theirs in row}


def json_objects(path: Path, refuse: BadRowPolicy) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and content of every line that holds one JSON object; the others are refused."""
    for number, line in json_lines(path):
        try:
            content = strict_json(line)
        except ValueError as error:
            content = error
        if isinstance(content, dict):
            yield number, content
        else:
            detail = f" ({content})" if isinstance(content, ValueError) else ""
            refuse(path, number, f"the row is not one JSON object; repair or remove the line{detail}")


def strict_json(text: bytes) -> Any:
    """What JSON in UTF-8 says. ValueError, also for a key that stands twice and for nesting that is too deep."""
    try:
        return json.loads(text.decode(), object_pairs_hook=_each_key_once)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {printable(twice, 80)!r} stands twice in one object")
    return content


def check_rows(
    source: str | os.PathLike[str],
    model: type[BaseModel],
    rows: Iterable[tuple[int, bytes | dict[str, Any]]],
    refuse: BadRowPolicy,
) -> CheckedRows:
    """Check rows one by one, each a dict or a line of JSON; `refuse` hears of those that don't pass. O(n)."""
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
    source: object, model: type[BaseModel], number: int, content: bytes | dict[str, Any], refuse: BadRowPolicy
) -> BaseModel | None:
    try:
        return model.model_validate(content) if isinstance(content, dict) else model.model_validate_json(content)
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
    columns = {name: _column(table.column(name)) for name in table.column_names}
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


def _column(chunked: Any) -> Column:
    types = optional("pyarrow", "cli", "reading Parquet").types
    missing = chunked.is_null().to_numpy()
    if types.is_nested(chunked.type):
        return Column(np.empty(len(missing), dtype=object), missing)
    # Whole numbers with a gap would turn to floats and lose what tells 2**53 + 1 from 2**53.
    filled = chunked.fill_null(0) if types.is_integer(chunked.type) else chunked
    return Column(filled.to_numpy(), missing)


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
