"""Tables: header and lines, the same on the screen and on a page."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table as ScreenTable


class Table(NamedTuple):
    """Cells are text; every line is as long as the header."""

    header: Sequence[str]
    lines: list[Sequence[str]]


def screen_table(
    title: str, table: Table, text: Collection[str], unbroken: Collection[str] = (), **look: Any
) -> ScreenTable:
    """For the screen, as narrow as it can be. text, unbroken : columns that are read from the left, and not wrapped.

    look : more that rich's Table takes.
    """
    shown = ScreenTable(title=title, box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0), **look)
    for name in table.header:
        shown.add_column(name, justify="left" if name in text else "right", no_wrap=name in unbroken)
    for line in table.lines:
        shown.add_row(*(escape(cell.strip("*")) for cell in line))  # bold in Markdown
    return shown
