"""The three file formats, told apart by suffix, and the columns that a table must have."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel

from clear_alloc.columns.ids import repeated_row
from clear_alloc.errors import InvalidArgument

__all__ = ["CSV", "JSONL", "PARQUET", "Pick", "check_header", "format_of"]

JSONL, CSV, PARQUET = "jsonl", "csv", "parquet"
_SUFFIXES = {".jsonl": JSONL, ".ndjson": JSONL, ".csv": CSV, ".parquet": PARQUET}

Pick = Mapping[str, str]  # a field of the model -> the column of the file that holds it, `a.b` for b inside a


def format_of(path: str | os.PathLike[str]) -> str:
    """`JSONL`, `CSV` or `PARQUET` by the suffix of `path`; `InvalidArgument` for any other suffix."""
    suffix = Path(path).suffix.lower()
    if suffix not in _SUFFIXES:
        remedy = "rename the file or convert it"
        raise InvalidArgument(f"the suffix of {os.fspath(path)}", suffix, ", ".join(_SUFFIXES), remedy)
    return _SUFFIXES[suffix]


def check_header(path: Path | str, header: Sequence[str], model: type[BaseModel], pick: Pick | None = None) -> None:
    """`InvalidArgument` for a column that is missing, stands twice, or is unknown where that is forbidden. O(n)."""
    where, known = f"a column of {path}", model.model_fields
    wanted = header if pick is None else [name for name in header if name in set(pick.values())]
    if (twice := repeated_row(wanted)) is not None:
        raise InvalidArgument(where, wanted[twice[0]], "each name once", "rename or remove one of the columns")
    if pick is not None:
        _check_picked(path, header, model, pick)
        return
    if model.model_config.get("extra") == "forbid":
        for name in header:
            if name not in known:
                raise InvalidArgument(where, name, ", ".join(known), "rename or remove the column")
    absent = [name for name in _required(model) if name not in header]
    if absent:
        allowed, remedy = f"at least {', '.join(_required(model))}", f"add or rename a column to {absent[0]!r}"
        raise InvalidArgument(f"the header of {path}", list(header), allowed, remedy)


def _check_picked(path: Path | str, header: Sequence[str], model: type[BaseModel], pick: Pick) -> None:
    for ours, theirs in pick.items():
        if theirs not in header and (ours != theirs or ours in _required(model)):
            found = f"its columns: {', '.join(header)}"
            raise InvalidArgument(f"the column of {path} for {ours}", theirs, found, f"map {ours} to one of them")


def _required(model: type[BaseModel]) -> list[str]:
    return [name for name, field in model.model_fields.items() if field.is_required()]
