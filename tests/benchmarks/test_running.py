"""A stopped run goes on where it was; equal seeds give equal bytes, whatever the processes."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields

import pytest
from support.benchmark_runs import TINY, bytes_of, ran, replayed, tiny_cases

from benchmarks import running
from benchmarks.common.environment import environment
from benchmarks.common.rows import read_rows
from benchmarks.experiments import EXPERIMENTS, Case, cases_of, run_case
from benchmarks.policies import installed
from benchmarks.rows import Row
from benchmarks.running import OtherRun, forget, run_all

pytestmark = pytest.mark.usefixtures("tiny")


@pytest.fixture
def calls(monkeypatch):
    """How often each case was run."""
    count = Counter()

    def counted(case):
        count[case.name] += 1
        return run_case(case)

    monkeypatch.setattr(running, "run_case", counted)
    return count


def test_the_same_seeds_give_the_same_bytes(tmp_path):
    first, second = (ran(tiny_cases(), tmp_path / name) for name in ("a", "b"))
    assert first == second
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")
    assert [(row.stream, row.seed, row.level, row.policy) for row in first] == [
        (case.stream, case.seed, level, policy)
        for case in tiny_cases()
        for level in TINY.levels
        for policy in TINY.policies
    ]


@pytest.mark.slow
def test_two_processes_give_the_same_bytes_as_none(tmp_path, monkeypatch):
    monkeypatch.undo()  # other processes have the real experiments
    cases = [Case("peers", stream, 0, (0.1,)) for stream in ("UShaped", "Balanced")]
    for jobs in (1, 2):
        ran(cases, tmp_path / str(jobs), jobs)
    assert (tmp_path / "1" / "rows.jsonl").read_bytes() == (tmp_path / "2" / "rows.jsonl").read_bytes()
    found = read_rows(tmp_path / "2" / "rows.jsonl", Row)[0]
    assert {row.policy for row in found} == set(filter(installed, EXPERIMENTS["peers"].policies)) > {"SLSQP", "ours"}
    assert {row.queries for row in found} == {100}


def test_a_stopped_run_goes_on_where_it_was(tmp_path, monkeypatch, calls):
    whole, half, cases = tmp_path / "whole", tmp_path / "half", tiny_cases()
    ran(cases, whole)
    calls.clear()
    counted = running.run_case

    def stopped(case):
        if len(calls) == 3:
            raise KeyboardInterrupt
        return counted(case)

    monkeypatch.setattr(running, "run_case", stopped)
    with pytest.raises(KeyboardInterrupt):
        ran(cases, half)
    assert len(list((half / "cases").iterdir())) == 3
    assert not (half / "rows.jsonl").exists()
    monkeypatch.setattr(running, "run_case", counted)
    told = []
    run_all(cases, half, 1, told.append)
    assert calls == dict.fromkeys((case.name for case in cases), 1)  # none twice
    assert sorted(told) == sorted(cases)
    assert bytes_of(whole) == bytes_of(half)
    assert [json.loads(line)["case"] for line in (half / "times.jsonl").read_text().splitlines()] == list(calls)


def test_nothing_that_is_there_is_run_again(tmp_path, calls):
    cases = tiny_cases()
    ran(cases, tmp_path)
    (tmp_path / "cases" / f"{cases[1].name}.jsonl").unlink()
    before = bytes_of(tmp_path)
    ran(cases, tmp_path)
    assert {name for name, count in calls.items() if count == 2} == {cases[1].name}
    assert bytes_of(tmp_path) == before


@pytest.mark.slow
def test_a_run_with_fewer_budgets_takes_from_one_with_more_and_spoils_nothing(tmp_path, calls):
    every = ran(tiny_cases(), tmp_path)
    before = bytes_of(tmp_path)
    assert ran(tiny_cases(levels=(0.5,)), tmp_path) == [row for row in every if row.level == 0.5]
    assert ran(tiny_cases(), tmp_path) == every
    assert set(calls.values()) == {1}
    assert bytes_of(tmp_path) == before
    ran(tiny_cases(levels=(0.1,)), tmp_path / "few")
    assert ran(tiny_cases(), tmp_path / "few") == every  # and one with more runs what lacks


@pytest.mark.parametrize("cut", ["in a line", "between lines", "empty", "in a letter"])
def test_a_case_file_that_was_cut_off_is_run_again(tmp_path, calls, cut):
    cases = tiny_cases()
    ran(cases, tmp_path)
    before, file = bytes_of(tmp_path), tmp_path / "cases" / f"{cases[0].name}.jsonl"
    content = file.read_bytes()
    kept = {"in a line": content[:-40], "between lines": content[: content[:-1].rindex(b"\n") + 1], "empty": b""}
    file.write_bytes(kept.get(cut, content[:-1] + b"\xff\n"))
    ran(cases, tmp_path)
    assert calls == Counter(case.name for case in cases) + Counter([cases[0].name])
    assert bytes_of(tmp_path) == before


def test_rows_of_a_failing_case_do_not_take_the_others_along(tmp_path, monkeypatch):
    """With several at once, what had not begun is not waited for, and what had ended is kept."""
    monkeypatch.setattr(running, "ProcessPoolExecutor", lambda jobs, _: ThreadPoolExecutor(jobs))
    begun, cases = [], tiny_cases(seeds=30)

    def some(case):
        begun.append(case)
        if len(begun) == 6:
            raise MemoryError("none left")
        return run_case(case)

    monkeypatch.setattr(running, "run_case", some)
    with pytest.raises(MemoryError):
        ran(cases, tmp_path, jobs=2)
    kept = len(list((tmp_path / "cases").iterdir()))
    assert 3 <= kept <= len(begun) < 30


def test_several_jobs_are_done_at_once_and_never_by_a_fork(tmp_path, monkeypatch):
    asked = []

    def pool(jobs, context):
        asked.append((jobs, context.get_start_method()))
        return ThreadPoolExecutor(jobs)

    monkeypatch.setattr(running, "ProcessPoolExecutor", pool)
    alone, several = (ran(tiny_cases(), tmp_path / str(jobs), jobs) for jobs in (1, 4))
    assert alone == several
    ran(tiny_cases(seeds=1), tmp_path / "few", 64)
    assert asked == [(4, "spawn"), (2, "spawn")]


def test_a_folder_of_other_code_is_refused(tmp_path, monkeypatch):
    ran(tiny_cases(), tmp_path)
    before = bytes_of(tmp_path)
    other = {**environment(), "code": "0" * 12}
    monkeypatch.setattr(running, "environment", lambda: other)
    with pytest.raises(OtherRun, match=f"code {environment()['code']}; this is code {'0' * 12}"):
        ran(tiny_cases(), tmp_path)
    for name in ("code", "machine", "versions"):
        monkeypatch.setattr(running, "environment", lambda name=name: {**environment(), name: "another"})
        with pytest.raises(OtherRun, match=f"{name} another; choose another --out"):
            ran(tiny_cases(), tmp_path)
    assert bytes_of(tmp_path) == before


def test_a_commit_of_other_files_changes_no_rows(tmp_path, monkeypatch):
    rows_before = ran(tiny_cases(), tmp_path)
    monkeypatch.setattr(running, "environment", lambda: {**environment(), "commit": "0" * 40, "dirty": None})
    monkeypatch.setattr(running, "run_case", lambda _: pytest.fail("run again"))
    assert ran(tiny_cases(), tmp_path) == rows_before


def test_a_folder_whose_rows_say_less_of_themselves_is_refused_too(tmp_path):
    ran(tiny_cases(), tmp_path)
    for file in (tmp_path / "cases").iterdir():
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        file.write_text(
            "".join(json.dumps({"code": "an old one", "policy": line["policy"]}) + "\n" for line in lines)
        )
    with pytest.raises(OtherRun, match="an old one"):
        ran(tiny_cases(), tmp_path)


def test_rows_of_one_file_are_never_taken_for_those_of_another(tmp_path, monkeypatch, calls):
    monkeypatch.setitem(EXPERIMENTS, "replay", TINY._replace(streams=()))
    files = [replayed(tmp_path / str(seed) / "same.parquet", seed) for seed in (1, 2)]
    apart = [ran(list(cases_of("replay", None, None, file)), tmp_path / f"out{k}") for k, file in enumerate(files)]
    assert apart[0] != apart[1]
    for file, rows_then in zip(files, apart, strict=True):
        assert ran(list(cases_of("replay", None, None, file)), tmp_path / "both") == rows_then
    replayed(files[0], 2)  # and what is in the file counts, not its name
    assert ran(list(cases_of("replay", None, None, files[0])), tmp_path / "both") == apart[1]


def test_configurations_of_similar_names_are_kept_apart(tmp_path, monkeypatch):
    monkeypatch.setitem(EXPERIMENTS, "replay", TINY._replace(streams=()))
    cases = list(cases_of("replay", None, None, replayed(tmp_path / "a.parquet", 1, ("x-1", "x_1"))))
    found = ran(cases, tmp_path / "out")
    assert [row.stream for row in found[:: len(found) // 6]] == ["x-1"] * 3 + ["x_1"] * 3
    assert found == ran(cases, tmp_path / "out")


def test_what_a_run_left_is_forgotten_and_nothing_else(tmp_path):
    ran(tiny_cases(seeds=1), tmp_path)
    (tmp_path / "thesis.tex").write_text("years of work")
    forget(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    forget(tmp_path)
    forget(tmp_path / "not there")


def test_each_row_says_where_it_was_made_and_not_how_long_it_took(tmp_path):
    ran(tiny_cases(seeds=1), tmp_path)
    for line in (tmp_path / "rows.jsonl").read_text().splitlines():
        row = json.loads(line)
        assert row.keys() == {
            *(field.name for field in fields(Row)),
            "commit",
            "dirty",
            "code",
            "machine",
            "versions",
        }
        assert {name: row[name] for name in environment()} == environment()
    times = [json.loads(line) for line in (tmp_path / "times.jsonl").read_text().splitlines()]
    assert [own["case"] for own in times] == [case.name for case in tiny_cases(seeds=1)]
    assert times[0]["seconds"].keys() == set(TINY.policies)
    assert all(0.0 < value < 60.0 for value in times[0]["seconds"].values())
