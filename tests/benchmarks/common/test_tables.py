"""A table on the screen says what its cells say."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from benchmarks.common.tables import Table, screen_table


def test_cells_are_taken_literally_and_marks_of_markdown_are_left_out():
    table = Table(("name", "points"), [("[red]a[/red]", "1"), ("b", "**22**")])
    screen = Console(width=40, file=StringIO())
    screen.print(screen_table("A title", table, text=("name",)))
    title, _, header, _, *lines = (line.strip() for line in screen.file.getvalue().splitlines())
    assert (title, header.split()) == ("A title", ["name", "points"])
    assert [line.split() for line in lines[:2]] == [["[red]a[/red]", "1"], ["b", "22"]]


def test_a_column_that_is_not_to_be_broken_is_not():
    names = [f"column{place}" for place in range(5)]
    table = Table(names, [["words of a cell"] * 5])
    screen = Console(width=60, file=StringIO())
    screen.print(screen_table("", table, text=names, unbroken=("column2",)))
    assert screen.file.getvalue().count("words of a cell") == 1
