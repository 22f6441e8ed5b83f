"""Where rows are made: the commit and the mark of the code, and nothing private."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest
from support.speed_rows import surge_case

from benchmarks.common import environment as places
from benchmarks.common.environment import code_mark, environment, timing_environment
from benchmarks.common.rows import write_rows
from benchmarks.speed.groups import competitors
from benchmarks.speed.rows import FILE, Row

ROOT = Path(competitors.__file__).parents[3]
needs_git = pytest.mark.skipif(which("git") is None, reason="git is not installed")


@pytest.fixture
def fresh():
    """Forgets what is known of the environment, before and after."""

    def forget():
        for known in (environment, timing_environment):
            known.cache_clear()

    forget()
    yield forget
    forget()


def git_in(folder, *words):
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    return subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True, check=True).stdout


def test_the_environment_is_that_of_the_repository(tmp_path, monkeypatch, fresh):
    where = environment()
    assert re.fullmatch(r"[0-9a-f]{40}|unknown", where["commit"])
    assert type(where["dirty"]) is bool
    for name in ("python", "numpy", "scipy", "clear-alloc"):
        assert re.search(rf"\b{name} \d", where["versions"])
    monkeypatch.setattr(places, "HERE", tmp_path)
    fresh()
    assert (environment()["commit"], environment()["dirty"]) == ("unknown", False)


@needs_git
def test_a_tree_is_dirty_when_what_git_knows_has_changed(tmp_path, monkeypatch, fresh):
    def dirty():
        fresh()
        return environment()["dirty"]

    file = tmp_path / "a.txt"
    file.write_text("1")
    git_in(tmp_path, "init")
    git_in(tmp_path, "add", ".")
    git_in(tmp_path, "commit", "-m", "one")
    monkeypatch.setattr(places, "HERE", tmp_path)
    assert not dirty()
    assert environment()["commit"] == git_in(tmp_path, "rev-parse", "HEAD").strip()
    (tmp_path / "b.txt").write_text("results")
    assert not dirty()
    file.write_text("2")
    assert dirty()


def test_a_change_of_the_code_changes_its_mark_and_one_of_a_report_does_not(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "HERE", tmp_path)
    marks = [code_mark()]
    for name, content in (
        ("clear_alloc/a.py", "1"),
        ("clear_alloc/a.py", "2"),
        ("benchmarks/policies/a.py", "2"),
        ("benchmarks/report/a.py", "2"),
        ("benchmarks/common/page.py", "2"),
        ("docs/a.py", "2"),
        ("benchmarks/policies/b.py", ""),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
        marks.append(code_mark())
    assert marks[3] == marks[4] == marks[5] == marks[6]
    assert len(set(marks)) == 5


def test_a_row_tells_the_machine_but_neither_its_name_nor_a_folder(tmp_path, monkeypatch, fresh):
    monkeypatch.setenv("CLEAR_ALLOC_THREADS", "3")
    write_rows(tmp_path / FILE, [Row.of(surge_case(), (1.0,), (2.0,))], timing_environment())
    text = (tmp_path / FILE).read_text()
    cell = json.loads(text)
    assert cell["threads"] == "3"
    assert cell["cores"] >= 1
    assert cell["cpu"]
    assert all(name in cell["versions"] for name in ("python", "numpy", "scipy", "clear-alloc"))
    for secret in (platform.node(), str(ROOT), str(Path.home()), sys.prefix):
        assert len(secret) < 4 or secret not in text


def test_without_git_the_commit_is_unknown(tmp_path, monkeypatch, fresh):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (environment()["commit"], environment()["dirty"]) == ("unknown", False)


@needs_git
def test_inside_a_repository_of_something_else_the_commit_is_unknown(tmp_path, monkeypatch, fresh):
    git_in(tmp_path, "init")
    git_in(tmp_path, "commit", "--allow-empty", "-m", "one")
    (tmp_path / "inside").mkdir()
    monkeypatch.setattr(places, "HERE", tmp_path / "inside")
    assert (environment()["commit"], environment()["dirty"]) == ("unknown", False)
