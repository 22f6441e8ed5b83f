"""The commands say everything in plain lines, whatever the width of the screen and the length of a path."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console
from support.benchmark_runs import one_row
from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.common.command import say
from benchmarks.common.rows import write_rows
from benchmarks.speed.__main__ import app as speed_app


@pytest.mark.parametrize("columns", [20, 40, 200])
@pytest.mark.parametrize("more", range(0, 45, 4))
def test_an_error_is_one_line_however_long_the_path(tmp_path, columns, more):
    path = tmp_path / ("x" * more + " y.jsonl")
    said = {}
    for name, command in (("policies", app), ("speed", speed_app)):
        words = ["report", str(path)] if name == "policies" else ["report", "--in", str(path)]
        done = CliRunner().invoke(command, words, env={"COLUMNS": str(columns)})
        assert done.exit_code == 2
        said[name] = done.output.splitlines()[-1]
    assert said["policies"].endswith(f"there is no file {path}; make it with: python -m benchmarks run")
    missing = path / "rows.jsonl"
    assert said["speed"].endswith(f"there is no file {missing}; make it with: python -m benchmarks.speed run")


@pytest.mark.parametrize("columns", ["40", "200"])
def test_a_complaint_is_one_line_whatever_stands_in_it(tmp_path, columns):
    error = "ValueError: [bold]no[/bold] " + "long " * 60
    for name, rows in (("a", [one_row("ours", 0, 0.5)]), ("b", [one_row("ours", 1, None, error=error)])):
        write_rows(tmp_path / name, [one_row("ours", 2, 0.5), *rows], {"code": name})
    done = CliRunner().invoke(app, ["compare", str(tmp_path / "a"), str(tmp_path / "b")], env={"COLUMNS": columns})
    assert done.exit_code == 1
    assert "code: a -> b" in done.output.splitlines()
    place = "scarcity, Balanced, 10% of the uncapped use, error 0%, ours"
    assert f"fails now: {place}, seed 1: {error}".rstrip() in done.output


def test_lines_are_not_broken_at_the_width_of_the_screen():
    screen = Console(width=10, file=StringIO())
    say(screen, "/a/long path/" * 5)
    assert screen.file.getvalue() == "/a/long path/" * 5 + "\n"
