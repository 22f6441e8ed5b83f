"""Names that stand once: in what is read, and in what is written."""

from __future__ import annotations

from collections.abc import Sequence

from clear_alloc.errors import BadRow, InvalidArgument
from clear_alloc.files.checked_rows import CheckedRows

__all__ = ["check_ids", "check_unique"]


def check_unique(checked: CheckedRows, name: str) -> None:
    """`BadRow` for the first row whose name in column `name` stands in an earlier row too."""
    first: dict[str, int] = {}
    for number, value in zip(checked.rows, checked.columns[name], strict=True):
        if first.setdefault(value, number) != number:
            reason = f"{name} {value!r} is already in row {first[value]}; rename or remove one of them"
            raise BadRow(checked.source, number, reason)


def check_ids(ids: Sequence[str], n: int) -> None:
    """`InvalidArgument` unless `ids` are n unique names."""
    if len(ids) != n:
        raise InvalidArgument("ids", f"of length {len(ids)}", f"length {n}, one per query", "match ids and curves")
    first: dict[str, int] = {}
    for row, name in enumerate(map(str, ids)):
        if not name or first.setdefault(name, row) != row:
            raise InvalidArgument("ids", name, "unique names of at least one character", "rename the query", row)
