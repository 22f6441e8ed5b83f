"""Files in, judged columns out: every row has passed its model, one by one or in bulk."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ValidationError

from clear_alloc.errors import BadRow
from clear_alloc.extras import optional
from clear_alloc.files.formats import CSV, PARQUET, format_of, json_lines, parquet_table, table_rows
from clear_alloc.schema import LISTS, TEXTS, Column, refusal, suspects

__all__ = ["Judged", "check_unique", "read_judged"]


class Judged(NamedTuple):
    """Rows that passed.

    source : name of the file.
    columns : one array of shape (n,) per field of the model. Names (str) and lists (tuple) are in object
        arrays; all else is float64, NaN where absent, and exact, since counts end at 2**53.
    rows : number of each row as a person counts it, shape (n,).
    """

    source: str
    columns: dict[str, npt.NDArray[Any]]
    rows: Sequence[int]


def read_judged(path: str | os.PathLike[str], model: type[BaseModel]) -> Judged:
    """Read a JSONL, CSV or Parquet file whose rows are `model`'s.

    Raises
    ------
    BadRow
        A row is refused.
    InvalidArgument
        The suffix is unknown, the file can't be read as what it claims to be, or its columns are wrong.
    NotSupported
        A Parquet file, and pyarrow is not installed.
    OSError
        The file can't be opened.
    """
    file, kind = Path(path), format_of(path)
    if kind == PARQUET:
        return _judge_table(file, model)
    return _judge_each(file, model, _csv_rows(file, model) if kind == CSV else _json_rows(file, model))


def _json_rows(path: Path, model: type[BaseModel]) -> Iterator[tuple[int, BaseModel]]:
    for number, line in json_lines(path):
        try:
            yield number, model.model_validate_json(line)
        except ValidationError as error:
            raise BadRow(str(path), number, str(refusal(error, model))) from None


def _csv_rows(path: Path, model: type[BaseModel]) -> Iterator[tuple[int, BaseModel]]:
    for number, cells in table_rows(path, model):
        yield number, _judge(path, model, number, cells)


def _judge(path: Path, model: type[BaseModel], number: int, cells: dict[str, Any]) -> BaseModel:
    try:
        return model.model_validate(cells)
    except ValidationError as error:
        raise BadRow(str(path), number, str(refusal(error, model))) from None


def _judge_each(path: Path, model: type[BaseModel], judged: Iterable[tuple[int, BaseModel]]) -> Judged:
    # Only the values are kept: a million models would take a gigabyte.
    kept: dict[str, list[Any]] = {name: [] for name in model.model_fields}
    numbers = []
    for number, row in judged:
        numbers.append(number)
        for name, values in kept.items():
            values.append(getattr(row, name))
    return Judged(str(path), {name: _array(name, values) for name, values in kept.items()}, numbers)


def _array(name: str, values: list[Any]) -> npt.NDArray[Any]:
    if name in TEXTS | LISTS:
        array = np.empty(len(values), dtype=object)
        array[:] = values
        return array
    return np.array(values, dtype=np.float64)


def _judge_table(path: Path, model: type[BaseModel]) -> Judged:
    table = parquet_table(path, model)
    columns = {name: _column(table.column(name)) for name in table.column_names}
    doubtful = np.flatnonzero(suspects(model, columns))
    kept = {
        name: _converted(name, field.default, columns.get(name), table.num_rows)
        for name, field in model.model_fields.items()
    }
    for place, cells in zip(doubtful.tolist(), _cells(table, doubtful), strict=True):
        row = _judge(path, model, place + 1, cells)
        for name, values in kept.items():
            values[place] = getattr(row, name)
    return Judged(str(path), kept, range(1, table.num_rows + 1))


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
        yield from batch.to_pylist()


def _converted(name: str, default: object, column: Column | None, n: int) -> npt.NDArray[Any]:
    # Rows whose values can't be converted are in doubt, and take their model's values afterwards.
    if name in LISTS:
        return np.full(n, None, dtype=object)
    if name in TEXTS:
        values = column.values if column else np.full(n, None)
        return values.astype(str).astype(object) if values.dtype.kind in "iu" else values.astype(object)
    blank = np.full(n, default if isinstance(default, float) else np.nan)
    if column is None or column.values.dtype.kind not in "iufb":
        return blank
    return np.where(column.missing, blank, column.values.astype(np.float64))


def check_unique(judged: Judged, name: str) -> None:
    """`BadRow` for the first row whose name in column `name` stands in an earlier row too."""
    first: dict[str, int] = {}
    for number, value in zip(judged.rows, judged.columns[name], strict=True):
        if first.setdefault(value, number) != number:
            reason = f"{name} {value!r} is already in row {first[value]}; rename or remove one of them"
            raise BadRow(judged.source, number, reason)
