"""The rows on the screen."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Shown

from benchmarks.speed.rows import Row
from benchmarks.speed.scaling import growth
from benchmarks.speed.tables import COLUMNS, Table, aims_table, growth_table, stage_tables, table_of
from benchmarks.speed.targets import judged

__all__ = ["show"]

TEXT = ("aim", "curves", "limit", "module", "room", "met")


def show(rows: list[Row], screen: Console) -> None:
    """Every group that has rows, how times grow, the aims that were measured, and what failed."""
    for group in COLUMNS:
        _table(screen, group, table_of(group, rows))
    for name, table in stage_tables(rows):
        _table(screen, f"stages: {name}, share of the time", table)
    _table(screen, "exponent of n", growth_table(growth(row for row in rows if row.group == "sort")))
    _table(screen, "aims", aims_table(own for own in judged(rows) if own.why != "not measured"))
    for row in _failures(rows):
        screen.print(f"[red]failed:[/red] {row.group} {row.family} {row.n:,}: {escape(row.error or '')}")


def _failures(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row.error]


def _table(screen: Console, title: str, table: Table) -> None:
    if not table.lines:
        return
    shown = Shown(title=title, title_justify="left", box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    for name in table.header:
        shown.add_column(name, justify="left" if name in TEXT else "right")
    for line in table.lines:
        shown.add_row(*(escape(cell.strip("*")) for cell in line))
    screen.print(shown)
