"""Rows in files: dataclasses as JSONL or Parquet, one row a line, each with the environment that it was made in."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

from clear_alloc.files import replacing

Cells = dict[str, Any]
Row = TypeVar("Row")  # a frozen dataclass


def write_rows(path: Path, rows: Iterable[Any], where: Cells, kept: Iterable[Cells] = ()) -> None:
    """JSONL, put in place in one step. kept : cells of an earlier run that stay as they are, before the rows."""
    cells = [*kept, *({**asdict(row), **where} for row in rows)]
    with replacing(path) as stream:
        stream.writelines(json.dumps(cell, allow_nan=False).encode() + b"\n" for cell in cells)


def write_parquet(path: Path, rows: list[Row], where: Cells, kind: type[Row]) -> None:
    """The same as a table, of rows whose fields are numbers and text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"int": pa.int64(), "float": pa.float64(), "float | None": pa.float64()}
    schema = pa.schema([(field.name, types.get(str(field.type), pa.string())) for field in fields(kind)])
    table = pa.Table.from_pylist([asdict(row) for row in rows], schema=schema)
    for name, value in where.items():
        table = table.append_column(name, pa.array([value] * len(rows)))
    with replacing(path) as stream:
        pq.write_table(table, stream)


def read_rows(path: Path, kind: type[Row]) -> tuple[list[Row], list[Cells]]:
    """Rows, and the environments that they were made in, each once; usually one.

    Raises ValueError for a line that is cut off, TypeError for what is no row.
    """
    cells, known = read_cells(path), {field.name for field in fields(kind)}
    rows = [row_of(kind, cell) for cell in cells]
    places = [{name: value for name, value in cell.items() if name not in known} for cell in cells]
    return rows, [place for at, place in enumerate(places) if place not in places[:at]]


def read_cells(path: Path) -> list[Cells]:
    """Rows and environment as they stand in a JSONL or Parquet file; raises ValueError where a line is cut off."""
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return pq.read_table(path).to_pylist()
    return [json.loads(line) for line in path.read_text().splitlines()]


def row_of(kind: type[Row], cell: Cells) -> Row:
    """A row without its environment; older rows may lack what has a default. Raises TypeError for what is no row."""
    return kind(**{field.name: cell[field.name] for field in fields(kind) if field.name in cell})
