"""The rows on the screen."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from benchmarks.common.command import say
from benchmarks.common.tables import Table, screen_table
from benchmarks.speed.rows import Row
from benchmarks.speed.scaling import growth
from benchmarks.speed.tables import COLUMNS, growth_table, stage_tables, table_of, targets_table
from benchmarks.speed.targets import checked_targets

TEXT = ("aim", "curves", "limit", "module", "room", "met")


def show(rows: list[Row], screen: Console) -> None:
    """Every group that has rows, how times grow, the targets that were measured, and what failed."""
    for group in COLUMNS:
        _table(screen, group, table_of(group, rows))
    for name, table in stage_tables(rows):
        _table(screen, f"stages: {name}, share of the time", table)
    _table(screen, "exponent of n", growth_table(growth(row for row in rows if row.group == "sort")))
    _table(screen, "aims", targets_table(result for result in checked_targets(rows) if result.why != "not measured"))
    for row in rows:
        if row.error:
            say(screen, f"[red]failed:[/red] {row.group} {row.family} {row.n:,}: {escape(row.error)}")


def _table(screen: Console, title: str, table: Table) -> None:
    if table.lines:
        screen.print(screen_table(title, table, TEXT, title_justify="left"))
