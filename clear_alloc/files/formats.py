"""The three file formats, told apart by suffix: what is on disk against plain rows and columns."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from clear_alloc.errors import BadRow, InvalidArgument
from clear_alloc.files.atomic import replacing
from clear_alloc.files.bad_rows import BadRowPolicy
from clear_alloc.schema import AMOUNTS, LISTS, TEXTS
from clear_alloc.support.optional import optional

__all__ = [
    "CSV",
    "JSONL",
    "PARQUET",
    "Pick",
    "check_header",
    "format_of",
    "json_lines",
    "parquet_table",
    "table_in_memory",
    "table_rows",
    "unfolded",
    "whole_or_none",
    "write_columns",
]

JSONL, CSV, PARQUET = "jsonl", "csv", "parquet"
_SUFFIXES = {".jsonl": JSONL, ".ndjson": JSONL, ".csv": CSV, ".parquet": PARQUET}

Columns = Mapping[str, Sequence[Any]]
Pick = Mapping[str, str]  # a field of the model -> the column of the file that holds it


def format_of(path: str | os.PathLike[str]) -> str:
    """`JSONL`, `CSV` or `PARQUET` by the suffix of `path`; `InvalidArgument` for any other suffix."""
    suffix = Path(path).suffix.lower()
    if suffix not in _SUFFIXES:
        remedy = "rename the file or convert it"
        raise InvalidArgument(f"the suffix of {os.fspath(path)}", suffix, ", ".join(_SUFFIXES), remedy)
    return _SUFFIXES[suffix]


def json_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Line number and content of every line that is not blank."""
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            content = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if content.strip():
                yield number, content


def table_rows(
    path: Path, model: type[BaseModel], refuse: BadRowPolicy, pick: Pick | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number (1 = the first below the header) and cells of every CSV row that is not blank.

    An empty cell is no cell. Lists are JSON in a cell: `[0, 300]`. Cells that `model` doesn't know stay text.
    `refuse` hears of rows with another number of cells than the header.
    """
    number = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            header = next(reader, [])
            if header:
                check_header(path, header, model, pick)
            for number, cells in enumerate(reader, start=1):
                if cells and len(cells) == len(header):
                    yield number, _row(header, cells, pick)
                elif cells:
                    allowed = f"{len(header)}, as the header; quote cells that hold commas"
                    refuse(path, number, f"it has {len(cells)} cells; allowed: {allowed}")
    except (csv.Error, UnicodeDecodeError) as error:
        raise BadRow(str(path), number + 1, f"the text can't be read as CSV in UTF-8 ({error}); repair it") from error


def check_header(path: Path | str, header: Sequence[str], model: type[BaseModel], pick: Pick | None = None) -> None:
    """`InvalidArgument` for a column that is missing, stands twice, or is unknown where that is forbidden."""
    if pick is not None:
        _check_picked(path, header, model, pick)
        return
    where, known = f"a column of {path}", ", ".join(model.model_fields)
    for name in header:
        if header.count(name) > 1:
            raise InvalidArgument(where, name, "each name once", "rename or remove one of the columns")
        if name not in model.model_fields and model.model_config.get("extra") == "forbid":
            raise InvalidArgument(where, name, known, "rename or remove the column")
    absent = [name for name, field in model.model_fields.items() if field.is_required() and name not in header]
    if absent:
        remedy = f"add or rename a column to {absent[0]!r}"
        raise InvalidArgument(f"the header of {path}", list(header), f"at least {known_required(model)}", remedy)


def _check_picked(path: Path | str, header: Sequence[str], model: type[BaseModel], pick: Pick) -> None:
    for ours, theirs in pick.items():
        if header.count(theirs) > 1:
            remedy = "rename or remove one of the columns"
            raise InvalidArgument(f"a column of {path}", theirs, "each name once", remedy)
        needed = ours != theirs or model.model_fields[ours].is_required()
        if needed and theirs not in header:
            found = f"its columns: {', '.join(header)}"
            raise InvalidArgument(f"the column of {path} for {ours}", theirs, found, f"map {ours} to one of them")


def known_required(model: type[BaseModel]) -> str:
    """Names of the columns that `model` can't do without."""
    return ", ".join(name for name, field in model.model_fields.items() if field.is_required())


def _row(header: list[str], cells: list[str], pick: Pick | None) -> dict[str, Any]:
    texts = {name: text for name, text in zip(header, cells, strict=True) if text}
    if pick is None:
        return {name: _value(name, text) for name, text in texts.items()}
    return {ours: _value(ours, texts[theirs]) for ours, theirs in pick.items() if theirs in texts}


def _value(name: str, text: str) -> object:
    # What doesn't spell a value stays text, for the schema to refuse by its name.
    if name in TEXTS or "_" in text:  # Python reads 1_000 as a number, nobody else does
        return text
    if name in LISTS or (name in AMOUNTS and text.startswith("[")):
        return _parsed_list(text)
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return int(text) if text.isdigit() else float(text)
    except ValueError:
        return text


def _parsed_list(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def unfolded(name: str, value: object) -> object:
    """The list that JSON text in a column of lists spells; any other value as it is."""
    folded = name in LISTS | AMOUNTS and isinstance(value, str) and value.startswith("[")
    return _parsed_list(value) if folded else value  # type: ignore[arg-type]


def parquet_table(path: Path, model: type[BaseModel], pick: Pick | None = None) -> Any:
    """A pyarrow table with those columns of the file that `model` knows, under its names."""
    parquet = optional("pyarrow.parquet", "cli", "reading Parquet")
    arrow = optional("pyarrow", "cli", "reading Parquet")
    try:
        with path.open("rb") as stream:
            file = parquet.ParquetFile(stream)
            names = file.schema_arrow.names
            check_header(path, names, model, pick)
            chosen = pick or {name: name for name in names if name in model.model_fields}
            present = {ours: theirs for ours, theirs in chosen.items() if theirs in names}
            table = file.read(columns=list(dict.fromkeys(present.values())))
            return arrow.table({ours: table.column(theirs) for ours, theirs in present.items()})
    except (arrow.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        remedy = f"write it again ({str(error).splitlines()[0]})"
        raise InvalidArgument(f"the content of {path}", "not Parquet", "a Parquet file", remedy) from error


def table_in_memory(source: str, table: object, model: type[BaseModel]) -> Any:
    """A pyarrow table of what is one, lends itself as one or is a mapping of columns; its columns are `model`'s."""
    arrow = optional("pyarrow", "cli", "reading a table")
    if hasattr(table, "reset_index"):  # pandas would lend its row labels as one more column
        table = table.reset_index(drop=True)
    try:
        lent = hasattr(table, "__arrow_c_stream__")
        found = arrow.RecordBatchReader.from_stream(table).read_all() if lent else arrow.table(table)
    except (arrow.ArrowException, TypeError, ValueError, AttributeError) as error:
        allowed, remedy = "a table of pyarrow, polars or pandas, or a dict of columns", "make one of them"
        detail = str(error).splitlines()[0]
        raise InvalidArgument(source, f"of type {type(table).__name__}", allowed, f"{remedy} ({detail})") from error
    check_header(source, found.column_names, model)
    # polars lends text as views, from which pyarrow can't take rows.
    views = arrow.types.is_string_view
    plain = [field.with_type(arrow.large_string()) if views(field.type) else field for field in found.schema]
    return found.cast(arrow.schema(plain))


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
