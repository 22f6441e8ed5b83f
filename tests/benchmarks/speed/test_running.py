"""Failures and skips are rows; rows of other groups stay."""

from __future__ import annotations

import math
import re
from dataclasses import asdict

import pytest
from support.speed_rows import SURGE, played, surge_case

from benchmarks.common.environment import timing_environment
from benchmarks.common.rows import read_rows, write_rows
from benchmarks.common.running import error_line
from benchmarks.speed import running
from benchmarks.speed.rows import FILE, Case, Row


def test_a_case_that_raises_becomes_a_row_without_folders(monkeypatch):
    def act(case, rounds):
        if case.n == 64:
            raise ValueError("no /shelf/books/data set/x.npy,\n nor /a/b.c but 3/4 of 'C:\\Shelf\\of\\y.npy'")
        return Row.of(case, (1e-3,) * rounds, (1.0,) * rounds)

    played(monkeypatch, act)
    first, second, third = running.measured([surge_case(n=n) for n in (10, 64, 100)], 2)
    assert first.error is third.error is None
    assert len(third.ours) == 2
    assert second.error.startswith("ValueError: no ")
    assert "x.npy, nor b.c but 3/4 of 'y.npy'" in second.error
    assert not re.search(r"(?i)shelf|books|/a/", second.error)

    def stopped(case, rounds):
        raise KeyboardInterrupt

    played(monkeypatch, stopped)
    with pytest.raises(KeyboardInterrupt):
        list(running.measured([surge_case()], 1))
    assert error_line(ValueError("https://example.org/a/b is kept")) == "ValueError: https://example.org/a/b is kept"


def test_what_would_take_too_long_is_skipped_and_says_so(monkeypatch):
    seconds_of_n, called = {1_000: 0.5, 10_000: 6.5, 100_000: math.nan}, []

    def act(case, rounds):
        called.append((case.family, case.n))
        return Row.of(case, (seconds_of_n[case.n],) * rounds)

    played(monkeypatch, act)
    cases = [surge_case(n=n) for n in (1_000, 10_000, 100_000, 1_000_000)]
    other = Case("sort", "lognormal", "reserved", 10_000)
    found = list(running.measured([*cases, other], 1))
    assert called == [(SURGE, 1_000), (SURGE, 10_000), ("lognormal", 10_000)]
    assert [row.skipped for row in found[2:]] == ["skipped: predicted 65 s", "skipped: predicted 650 s", None]
    assert list(running.measured(cases[:2], 1, longest=4.9))[1].skipped == "skipped: predicted 5 s"
    few = [surge_case(n=n) for n in (999, 10_000)]
    seconds_of_n[999] = 50.0
    assert list(running.measured(few, 1))[1].skipped is None
    assert list(running.measured(cases[:2], 1, longest=5.0))[1].skipped is None


def test_rows_are_written_after_each_case_and_other_groups_stay(monkeypatch, tmp_path):
    path = tmp_path / "new" / FILE
    path.parent.mkdir()
    write_rows(
        path,
        [Row.of(surge_case("milp"), (1.0,), (2.0,)), Row.of(surge_case("sort"), (9.0,), (1.0,))],
        timing_environment(),
    )
    lines = []

    def act(case, rounds):
        lines.append(len(path.read_text().splitlines()))
        return Row.of(case, (1.0,) * rounds, (4.0,) * rounds, figures={"x": 1.0})

    played(monkeypatch, act)
    done = []
    rows = running.run_all([surge_case(n=n) for n in (10, 64, 100)], 2, path, done.append)
    assert rows == done
    assert lines == [2, 2, 3]
    back, environments = read_rows(path, Row)
    assert [(row.group, row.n) for row in back] == [("milp", 64), ("sort", 10), ("sort", 64), ("sort", 100)]
    assert [asdict(row) | {"ours": list(row.ours), "reference": list(row.reference)} for row in back[1:]] == [
        asdict(row) | {"ours": list(row.ours), "reference": list(row.reference)} for row in rows
    ]
    assert environments == [timing_environment()]
