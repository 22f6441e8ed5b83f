"""Tables of Arrow, from Parquet or from memory: the model's columns, in the few types that are checked in bulk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from clear_alloc.errors import BadRow, ClearAllocError, InvalidArgument
from clear_alloc.files.formats import Pick, check_header
from clear_alloc.schema import Column
from clear_alloc.support.optional import optional

__all__ = ["numpy_column", "parquet_table", "table_in_memory"]

# A real file seldom grows tenfold when it is read; one that grows more than this is made to fill the memory.
_GROWTH, _ALWAYS = 200, 2**28  # times its size, and what any file may take, bytes
_GROWTH_OF_ALL = 1000  # with columns that are not read: a prompt that stands in each row packs well
_TEXT = 64  # bytes that a text takes in Python beside its letters


def parquet_table(path: Path, model: type[BaseModel], pick: Pick | None = None) -> Any:
    """A pyarrow table with those columns of the file that `model` knows, under its names.

    InvalidArgument for what is not Parquet, and for columns as `check_header` and of types that no field takes. Also
    for a file that would grow more than 200 times and beyond 256 MB.
    """
    arrow, parquet = (optional(name, "cli", "reading Parquet") for name in ("pyarrow", "pyarrow.parquet"))
    try:
        with path.open("rb") as stream:
            file = parquet.ParquetFile(stream)
            schema = file.schema_arrow
            nested = [name for name in (pick or {}).values() if name not in schema.names and _inside(schema, name)]
            check_header(path, [*schema.names, *nested], model, pick)
            chosen = pick or {name: name for name in model.model_fields}
            present = {ours: name for ours, name in chosen.items() if name in schema.names or name in nested}
            columns = _read(stream, file, list(dict.fromkeys(present.values())), nested)
            return _plain_table(path, {ours: columns[theirs] for ours, theirs in present.items()})
    except ClearAllocError:
        raise
    except (arrow.ArrowException, OSError, ValueError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        remedy = f"write it again ({_first_line(error)})"
        raise InvalidArgument(f"the content of {path}", "not Parquet", "a Parquet file", remedy) from error


def _inside(schema: Any, path: str) -> bool:
    """Whether dots in a column's name lead to a field inside structs."""
    kind, types = schema, optional("pyarrow", "cli", "reading Parquet").types
    for name in path.split("."):
        if not (kind is schema or types.is_struct(kind)) or kind.get_field_index(name) < 0:
            return False
        kind = kind.field(name).type
    return True


def _read(stream: Any, file: Any, names: list[str], nested: list[str]) -> dict[str, Any]:
    parquet, compute = (optional(f"pyarrow.{name}", "cli", "reading Parquet") for name in ("parquet", "compute"))
    schema, size = file.schema_arrow, os.fstat(stream.fileno()).st_size
    flat = [name for name in names if name not in nested]
    _check_claims(stream.name, file, {name: schema.field(name).type for name in flat}, size)
    texts = [name for name in flat if _is_text(schema.field(name).type)]
    # As dictionaries, a name that stands in a million rows is one text until it is known to fit.
    table = parquet.ParquetFile(stream, metadata=file.metadata, read_dictionary=texts).read(columns=names)
    columns = {name: table.column(name) for name in flat}
    _check_growth(stream.name, sum(map(_letters, columns.values())), size)
    for path in nested:
        outer, *inner = path.split(".")
        columns[path] = compute.struct_field(table.column(outer), inner)
    return columns


def _is_text(kind: Any) -> bool:
    types = optional("pyarrow", "cli", "reading Parquet").types
    return any(test(kind) for test in (types.is_string, types.is_large_string, types.is_string_view))


def _check_claims(path: str, file: Any, kinds: Mapping[str, Any], size: int) -> None:
    """Refuse a file whose footer announces more than `_check_growth` allows, before it is read."""
    types, metadata = optional("pyarrow", "cli", "reading Parquet").types, file.metadata
    groups = [metadata.row_group(k) for k in range(metadata.num_row_groups)]
    _check_growth(path, sum(group.total_byte_size for group in groups), size, _GROWTH_OF_ALL)
    lists = [name for name, kind in kinds.items() if types.is_nested(kind)]
    needed = metadata.num_rows * sum(_TEXT if _is_text(kind) else 8 for kind in kinds.values())
    if lists:
        file.scan_contents(columns=lists)  # pyarrow aborts the process where `column` meets a broken footer
        places = [k for k in range(len(file.schema)) if file.schema.column(k).path.split(".")[0] in lists]
        needed += sum(group.column(k).num_values * 8 for group in groups for k in places)
    _check_growth(path, needed, size)


def _letters(column: Any) -> int:
    """Bytes of the texts of a column that came as a dictionary; 0 for other columns."""
    compute = optional("pyarrow.compute", "cli", "reading Parquet")
    chunks = [chunk for chunk in column.chunks if hasattr(chunk, "dictionary") and _is_text(chunk.dictionary.type)]
    return sum(compute.sum(compute.binary_length(c.dictionary).take(c.indices)).as_py() or 0 for c in chunks)


def _check_growth(path: str, needed: int, size: int, growth: int = _GROWTH) -> None:
    if needed > max(_ALWAYS, growth * size):
        found, allowed = f"{needed:,} bytes in {size:,}", f"at most {growth} times the size of the file"
        raise InvalidArgument(f"the content of {path}", found, allowed, "divide the file, or check where it is from")


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
        found = f"of type {type(table).__name__}"
        raise InvalidArgument(source, found, allowed, f"{remedy} ({_first_line(error)})") from error
    check_header(source, found.column_names, model)
    return _plain_table(source, dict(zip(found.column_names, found.columns, strict=True)))


def _plain_table(source: object, columns: Mapping[str, Any]) -> Any:
    arrow = optional("pyarrow", "cli", "reading a table")
    return arrow.table({name: _plain(source, name, column) for name, column in columns.items()})


def _plain(source: object, name: str, column: Any) -> Any:
    """A column in a type that rows can be taken from; InvalidArgument where it has none."""
    arrow, compute = (optional(module, "cli", "reading a table") for module in ("pyarrow", "pyarrow.compute"))
    kind = _plain_type(column.type)
    try:
        if kind is not None and arrow.types.is_run_end_encoded(column.type):
            column = arrow.chunked_array([compute.run_end_decode(chunk) for chunk in column.chunks], kind)
        if kind is not None and any(test(column.type) for test in _list_views()):
            return arrow.chunked_array([arrow.array(column.to_pylist(), kind)])  # a cast may lose their entries
        if kind is not None:
            return column if column.type == kind else column.cast(kind)
    except arrow.ArrowException:
        pass
    allowed = "text, booleans, integers, floats, or lists of numbers"
    raise InvalidArgument(f"the column {name} of {source}", f"of type {column.type}", allowed, "cast the column")


def _plain_type(kind: Any) -> Any:
    """The type that stands for another, or None for dates, bytes, structs and other things that no field takes."""
    arrow = optional("pyarrow", "cli", "reading a table")
    types = arrow.types
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return _plain_type(kind.value_type)
    lists = (types.is_list, types.is_large_list)
    if any(test(kind) for test in (*lists, *_list_views(), types.is_fixed_size_list)):
        inner = _plain_type(kind.value_type)
        if inner is None or _is_text(inner):
            return None
        same = inner == kind.value_type and any(test(kind) for test in lists)
        return kind if same else arrow.large_list(inner)
    if types.is_floating(kind):  # bounds of rows are compared as float64, whatever the width
        return arrow.float64()
    if types.is_decimal(kind) and kind.scale == 0 and kind.precision <= 18:
        return arrow.int64()
    if _is_text(kind):
        return arrow.large_string() if types.is_string_view(kind) else kind
    plain = (types.is_boolean, types.is_integer, types.is_null)
    return kind if any(test(kind) for test in plain) else None


def _list_views() -> tuple[Any, ...]:
    types = optional("pyarrow", "cli", "reading a table").types
    return types.is_list_view, types.is_large_list_view


def numpy_column(source: object, name: str, chunked: Any) -> Column:
    """The column of a plain table as numpy has it, and where it is null. `BadRow` for text that is not UTF-8."""
    arrow = optional("pyarrow", "cli", "reading a table")
    missing = chunked.is_null().to_numpy()
    if arrow.types.is_nested(chunked.type):
        return Column(missing.astype(object), missing)
    # Whole numbers with a gap would turn to floats and lose what tells 2**53 + 1 from 2**53.
    filled = chunked.fill_null(0) if arrow.types.is_integer(chunked.type) else chunked
    try:
        return Column(filled.to_numpy(), missing)
    except (arrow.ArrowException, UnicodeDecodeError) as error:
        texts = enumerate(chunked.cast(arrow.large_binary()).to_pylist(), start=1)
        row = next(row for row, text in texts if text is not None and not _is_utf8(text))
        raise BadRow(str(source), row, f"{name} is not UTF-8; allowed: text in UTF-8; write it again") from error


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
