"""The command runs and reports."""

from __future__ import annotations

from support.speed_rows import played
from typer.testing import CliRunner

from benchmarks.common.rows import read_rows
from benchmarks.speed import __main__ as cli
from benchmarks.speed.groups import GROUPS
from benchmarks.speed.rows import FILE, Row


def test_the_command_runs_and_reports(tmp_path, monkeypatch):
    call = CliRunner().invoke
    run = call(cli.app, ["run", "--largest", "64", "--repeats", "1", "--only", "start", "--out", str(tmp_path)])
    assert run.exit_code == 0, run.output
    rows, _ = read_rows(tmp_path / FILE, Row)
    assert [(row.group, row.n, len(row.ours)) for row in rows] == [("start", 64, 1)]
    page = tmp_path / "page.md"
    assert call(cli.app, ["report", "--in", str(tmp_path), "-o", str(page)]).exit_code == 0
    assert "| shifted_surge reserved | 64 |" in page.read_text()
    assert call(cli.app, ["run", "--only", "speed"]).exit_code == 2
    assert call(cli.app, ["report", "--in", str(tmp_path / "none")]).exit_code == 2
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "GROUPS", {"sort": GROUPS["sort"]})
    monkeypatch.setattr(cli, "LARGEST", 1)
    played(monkeypatch, lambda case, rounds: Row.of(case, (2e-4,) * rounds, (1e-6,) * rounds))
    quick = call(cli.app, [], env={"COLUMNS": "150"})
    assert quick.exit_code == 0
    assert "200 us" in quick.output
    assert {path.name for path in tmp_path.iterdir()} == {FILE, "page.md", "page"}  # the small run writes nothing
