"""What becomes of a row that is refused: it ends the reading, or it is left out, counted and listed."""

from __future__ import annotations

from typing import NamedTuple

from clear_alloc.errors import BadRow

__all__ = ["BadRowPolicy", "Skipped"]


class Skipped(NamedTuple):
    """A row that was left out on request; `source`, `row` and `reason` as in `BadRow`."""

    source: str
    row: int
    reason: str

    def __str__(self) -> str:
        return f"row {self.row}: {self.reason}"


class BadRowPolicy:
    """Call it for every bad row: it raises `BadRow`, unless bad rows are skipped; then `rows` keeps them."""

    def __init__(self, skip: bool = False):
        self.skip = skip
        self.rows: list[Skipped] = []

    def __call__(self, source: object, row: int, reason: object) -> None:
        """Refuse row number `row` of `source`."""
        if not self.skip:
            raise BadRow(str(source), row, str(reason)) from None
        self.rows.append(Skipped(str(source), row, str(reason)))
