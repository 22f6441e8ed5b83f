"""Columns of a result as an Arrow table, what holds for all of its rows as metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from clear_alloc.columns.ids import QueryIds
from clear_alloc.support.optional import optional

__all__ = ["KEY", "arrow_table"]

KEY = b"clear_alloc"  # of the metadata


def arrow_table(ids: QueryIds | None, columns: Mapping[str, npt.NDArray[Any]], about: Mapping[str, Any]) -> Any:
    """A pyarrow table: `query_id` if there are names, then `columns`, each (n,); `about` as JSON in its metadata.

    Numbers share their memory with `columns`. Names become text unless they are whole numbers, bytes or a column.
    NotSupported without pyarrow. O(n).
    """
    arrow = optional("pyarrow", "cli", "an Arrow table")
    named = {} if ids is None else {"query_id": _names(arrow, ids.column)}
    table = arrow.table({**named, **{name: arrow.array(values) for name, values in columns.items()}})
    return table.replace_schema_metadata({KEY: json.dumps(about, allow_nan=False)})


def _names(arrow: Any, column: Any) -> Any:
    if isinstance(column, np.ndarray):
        return arrow.array(column.tolist() if column.dtype.kind == "T" else column)  # few versions read StringDType
    if not isinstance(column, tuple):
        lent = arrow.chunked_array(column) if hasattr(column, "__arrow_c_stream__") else column
        # polars lends text as views, which pyarrow can neither take nor filter.
        return lent.cast(arrow.large_string()) if arrow.types.is_string_view(lent.type) else lent
    kinds = set(map(type, column)) - {type(None)}
    whole = bool(kinds) and bool not in kinds and all(issubclass(kind, (int, np.integer)) for kind in kinds)
    if whole or kinds == {bytes}:
        with suppress(OverflowError):  # what no 64 bits hold is written out
            return arrow.array(column)
    return arrow.array([None if name is None else str(name) for name in column], type=arrow.string())
