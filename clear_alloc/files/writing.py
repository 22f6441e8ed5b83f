"""Plain columns written as JSONL, CSV or Parquet, in one step."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from clear_alloc.columns.ids import read_ids
from clear_alloc.errors import InvalidArgument
from clear_alloc.files.atomic import replacing
from clear_alloc.files.formats import CSV, JSONL, PARQUET, format_of
from clear_alloc.support.optional import optional

__all__ = ["names_to_write", "whole_or_none", "write_columns"]

Columns = Mapping[str, Sequence[Any]]


def names_to_write(ids: Iterable[Any], n: int) -> list[str]:
    """The names of n queries as text. `InvalidArgument` unless they are n, unique as text, and none of them empty."""
    names = [str(name) for name in ids]
    read_ids(names, n)
    if "" in names:
        raise InvalidArgument("ids", "", "names of at least one character", "name the query", names.index(""))
    return names


def write_columns(path: str | os.PathLike[str], columns: Columns) -> None:
    """Write columns of equal length, atomically; None is an empty cell, or an absent key in JSONL. O(n).

    Raises
    ------
    InvalidArgument
        The suffix is unknown, or `path` is not a regular file.
    NotSupported
        Parquet is asked for and pyarrow is not installed.
    OSError
        As `replacing`.
    """
    write = {JSONL: _write_json_lines, CSV: _write_csv, PARQUET: _write_parquet}[format_of(path)]
    with replacing(path) as stream:
        write(stream, columns)


def _rows(columns: Columns) -> Iterator[tuple[Any, ...]]:
    return zip(*columns.values(), strict=True)


def _write_json_lines(stream: BinaryIO, columns: Columns) -> None:
    names = tuple(columns)
    for row in _rows(columns):
        present = {name: value for name, value in zip(names, row, strict=True) if value is not None}
        stream.write(json.dumps(present, ensure_ascii=False, allow_nan=False).encode() + b"\n")


def _write_csv(stream: BinaryIO, columns: Columns) -> None:
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    writer = csv.writer(text)  # its line end, \r\n, makes it quote a lone \r too
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in _rows(columns))
    text.detach()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, list) else value


def _write_parquet(stream: BinaryIO, columns: Columns) -> None:
    parquet = optional("pyarrow.parquet", "cli", "writing Parquet")
    arrow = optional("pyarrow", "cli", "writing Parquet")
    table = arrow.table({name: arrow.array(_of_one_type(values)) for name, values in columns.items()})
    parquet.write_table(table, stream)


def _of_one_type(values: Sequence[Any]) -> Sequence[Any]:
    """Numbers among lists as lists of one; lists inside lists as JSON text, as in CSV."""
    lists = [value for value in values if isinstance(value, list)]
    if any(isinstance(part, list) for value in lists for part in value):
        return [None if value is None else json.dumps(value) for value in values]
    if lists:
        return [value if value is None or isinstance(value, list) else [value] for value in values]
    return values


def whole_or_none(values: npt.NDArray[Any]) -> list[int | None]:
    """Whole numbers as a column to write, None for NaN."""
    return [None if np.isnan(value) else int(value) for value in values]
