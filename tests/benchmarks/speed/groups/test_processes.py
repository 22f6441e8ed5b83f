"""What is measured in processes of its own."""

from __future__ import annotations

import json
import subprocess
from types import SimpleNamespace

import pytest
from support.speed_rows import SURGE

from benchmarks.speed import timing
from benchmarks.speed.groups import GROUPS, processes
from benchmarks.speed.rows import Case


@pytest.fixture
def spawned(monkeypatch):
    """Processes that are not started: what they were asked, and seconds of as many microseconds as queries."""
    asked = []

    def run(words, env, **_):
        asked.append((words[1:], env.get("CLEAR_ALLOC_THREADS")))
        n = int(words[-1]) if words[-1].isdigit() else 0
        told = {"seconds": n / 1e6, "before": 1.0, "peak_before": 2.0, "peak": 10.0 * n + len(asked), "profiled": 3.0}
        return subprocess.CompletedProcess(words, 0, json.dumps({**told, "shares": {"curves": 1.0}}), "")

    monkeypatch.setattr(processes, "subprocess", SimpleNamespace(run=run))
    return asked


def test_memory_is_measured_in_processes_in_turn(spawned):
    small, large = (case for case in GROUPS["memory"].cases if case.family == SURGE)
    row = processes.space(large, 2)
    assert [int(words[-1]) for words, _ in spawned] == [10_000_000, 1_000_000] * 2
    assert (row.ratio, row.figures["peak"]) == (pytest.approx(10.0), 1e8 + 3.0)  # the third process had most
    assert processes.space(small, 9).reference == ()
    assert len(spawned) == 4 + processes.PROCESSES


def test_stages_run_on_one_thread(spawned):
    case = GROUPS["stages"].cases[-1]
    row = processes.profile(case, 5)
    ((words, threads),) = spawned
    assert words == [
        "-m",
        "benchmarks.speed.subprocess_probe",
        "stages",
        "lognormal",
        "expected",
        "0.5",
        "0.3",
        "1000000",
    ]
    assert threads == "1"
    assert (row.shares, row.figures) == ({"curves": 1.0}, {"profiled": 3.0})


@pytest.mark.slow
def test_imports_take_turns(spawned, monkeypatch):
    monkeypatch.setattr(timing, "ROUND", 1e-12)
    row = processes.importing(Case("import"), 4)
    programs = [words[-1] for words, _ in spawned]
    assert programs[1:] == ["import clear_alloc", "import numpy, scipy.special, pydantic"] * len(row.ours)
    assert len(row.ours) == len(row.reference) >= processes.FEWEST


def test_a_process_that_fails_says_its_last_line():
    with pytest.raises(RuntimeError, match=r"ended with 3: the last"):
        processes._python("-c", "import sys; print('the first\\nthe last', file=sys.stderr); sys.exit(3)")
