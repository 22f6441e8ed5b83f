"""Runs of the benchmarks: every case is a row, a failure too; a stopped run goes on; equal seeds give equal bytes."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from shutil import which

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from scipy import stats
from typer.testing import CliRunner

from benchmarks import __main__ as cli
from benchmarks import experiments, rows, running
from benchmarks.batch import Caps
from benchmarks.experiments import EXPERIMENTS, Case, Experiment, cases_of, drawn_for, run_case
from benchmarks.main_job import ROLLOUTS
from benchmarks.policies import POLICIES, Named, installed, uniform
from benchmarks.rows import COLUMNS, Row, environment, read_rows
from benchmarks.running import OtherRun, Speed, estimate, forget, run_all, speed_of
from benchmarks.summary import by_setting, mean_interval, paired
from benchmarks.tables import scarce_table

TINY = Experiment((0.1, 0.5), ("uniform", "oracle"), ("Balanced", "Identical"), seeds=3, queries=20)
FILES = ("rows.jsonl", "rows.parquet")


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """An experiment that takes no time, in this process only; and code that nobody edits meanwhile."""
    monkeypatch.setitem(EXPERIMENTS, "peers", TINY)


@pytest.fixture
def calls(monkeypatch):
    """How often each case was run."""
    count = Counter()

    def counted(case):
        count[case.name] += 1
        return run_case(case)

    monkeypatch.setattr(running, "run_case", counted)
    return count


@pytest.fixture
def played(monkeypatch):
    """Policies that stand in for real ones: `played(act, charged)` puts one beside uniform and runs a case."""

    def run(act, charged="reserved", **changes):
        monkeypatch.setitem(POLICIES, "played", Named(act, charged))
        plan = TINY._replace(levels=(0.3,), policies=("played", "uniform"), **changes)
        monkeypatch.setitem(EXPERIMENTS, "peers", plan)
        case = Case("peers", plan.streams[0], 0, plan.levels)
        first, second = run_case(case)[0]
        assert second.error is None
        assert second.accuracy is not None
        return first, drawn_for(case)

    return run


def tiny_cases(seeds=None, levels=None):
    return list(cases_of("peers", seeds, levels, ROLLOUTS))


def ran(cases, out, jobs=1):
    return run_all(cases, out, jobs, lambda _: None)


def bytes_of(out):
    return [(out / name).read_bytes() for name in FILES]


def one_row(policy, seed, accuracy, level=0.1, error=None, stream="Balanced", experiment="scarcity"):
    return Row(experiment, stream, seed, 20, level, 0.0, policy, "reserved", 100, accuracy=accuracy, error=error)


def sides(seed, n, better=0.1, base=0.3):
    rng = np.random.default_rng(seed)
    theirs = np.clip(base + 0.05 * rng.standard_normal(n), 0.01, 1.0)
    ours = np.clip(theirs + better + 0.05 * rng.standard_normal(n), 0.0, 1.0)
    return ours, theirs


def as_rows(values, policy="ours"):
    return {seed: one_row(policy, seed, float(value)) for seed, value in enumerate(values)}


def invoked(*words):
    found = CliRunner().invoke(cli.app, ["run", *map(str, words)])
    return found.exit_code, re.sub(r"[\s│╭╮╰╯─]+", " ", found.output)


# What becomes a row


def test_a_policy_that_raises_is_a_row_and_the_others_go_on(played):
    def broken(batch, budget):
        raise ZeroDivisionError("no luck")

    row, _ = played(broken)
    assert row.error == "ZeroDivisionError: no luck"
    assert (row.policy, row.level, row.queries) == ("played", 0.3, 20)
    assert {getattr(row, name) for name in ("accuracy", "granted", "burned", "price", "gap", "promised")} == {None}
    assert row.uncapped > 0


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda n, budget: np.full(n, budget // n + 1), "under a budget of"),
        (lambda n, _: np.full(n, 1.0), r"\(20,\) float64, allowed: \(20,\) int64"),
        (lambda n, _: np.full(n, 1, dtype=np.int32), "int32, allowed"),
        (lambda n, _: np.full(n - 1, 1), r"caps of \(19,\)"),
        (lambda n, _: np.full((n, 1), 1), r"caps of \(20, 1\)"),
        (lambda n, _: np.where(np.arange(n) == 3, -1, 1), ">= 0"),
        (lambda n, _: [1] * n, "AttributeError"),
    ],
)
def test_caps_that_no_gateway_could_grant_are_an_error_row(played, answer, words):
    row, _ = played(lambda batch, budget: Caps(answer(len(batch), budget)))
    assert row.accuracy is None
    assert re.search(words, row.error)


def test_where_use_is_charged_caps_may_sum_to_more_than_the_budget(played):
    row, _ = played(lambda batch, budget: Caps(np.full(len(batch), budget)), charged="expected")
    assert row.error is None
    assert row.charged == "expected"
    assert row.granted == row.budget


def test_a_budget_may_be_spent_to_the_last_token(played):
    row, _ = played(lambda batch, budget: Caps(np.where(np.arange(len(batch)) == 0, budget, 0)))
    assert row.error is None
    assert row.abandoned == 19 / 20
    assert row.granted == row.budget / 20


def test_a_row_says_what_scoring_finds(played):
    wanted = np.arange(20) * 100
    row, (split, _) = played(lambda *_: Caps(wanted, 0.25, 3.0, 0.5), charged="expected")
    tokens, correct = (split.scoring[name].reshape(20, 16) for name in ("tokens", "correct"))
    assert row.accuracy == pytest.approx(((correct == 1) & (tokens <= wanted[:, None])).mean())
    assert row.burned == pytest.approx(np.minimum(tokens, wanted[:, None]).mean())
    assert (row.granted, row.abandoned, row.price) == (950.0, 0.05, 0.25)
    assert (row.promised, row.gap) == (3.0 / 20, 0.5 / 20)
    assert row.uncapped == tokens.mean()
    assert row.budget == int(20 * 0.3 * tokens.mean())


def test_what_a_policy_does_not_say_is_none(played):
    row, _ = played(lambda batch, _: Caps(np.zeros(len(batch), dtype=np.int64)))
    assert (row.price, row.promised, row.gap) == (None, None, None)
    assert row.abandoned == 1.0


def test_the_paper_s_budgets_are_tokens_per_query(monkeypatch):
    monkeypatch.setitem(EXPERIMENTS, "paper", TINY._replace(levels=(100.0, 250.0), policies=("uniform",)))
    found = run_case(Case("paper", "Balanced", 0, (100.0, 250.0)))[0]
    assert [row.budget for row in found] == [2000, 5000]
    assert [row.granted for row in found] == [100.0, 250.0]


def test_windows_are_allocated_apart_with_one_budget_each(played):
    seen = []

    def act(batch, budget):
        seen.append((batch.rows.tolist(), budget, batch.seed))
        return Caps(np.full(len(batch), len(seen)), 0.5, 1.0, 0.25)

    row, (_, window) = played(act, streams=("Bursty",), queries=200)
    assert len(seen) == 10
    assert {(budget, seed) for _, budget, seed in seen} == {(row.budget // 10, 0)}
    assert [rows for rows, *_ in seen] == [np.flatnonzero(window == own).tolist() for own in range(10)]
    assert row.granted == pytest.approx((window + 1).mean())
    assert row.price is None  # there are ten
    assert (row.promised, row.gap) == (10.0 / 200, 2.5 / 200)


def test_a_window_s_caps_are_held_to_the_window_s_budget(played):
    def act(batch, budget):
        busiest = 0 in batch.rows
        return Caps(np.where(np.arange(len(batch)) == 0, 2 * budget if busiest else 0, 0))

    row, _ = played(act, streams=("Bursty",), queries=200)
    assert "under a budget of" in row.error


def test_policies_and_errors_see_the_same_rollouts(monkeypatch):
    seen = []

    def act(batch, budget):
        seen.append((batch.known.split, batch.known.factor, batch.seed))
        return uniform(batch, budget)

    monkeypatch.setitem(POLICIES, "first", Named(act))
    monkeypatch.setitem(POLICIES, "second", Named(act))
    plan = TINY._replace(levels=(0.3,), policies=("first", "second"), errors=(0.0, 0.5))
    monkeypatch.setitem(EXPERIMENTS, "noise", plan)
    found, seconds = run_case(Case("noise", "Identical", 4, (0.3,)))
    assert [(row.policy, row.noise, row.seed) for row in found] == [
        ("first", 0.0, 4),
        ("second", 0.0, 4),
        ("first", 0.5, 4),
        ("second", 0.5, 4),
    ]
    assert len({id(split) for split, *_ in seen}) == 1
    assert {seed for *_, seed in seen} == {4}
    assert (seen[0][1] == 1.0).all()
    assert (seen[2][1] == seen[3][1]).all()
    assert (seen[2][1] != 1.0).all()
    assert seconds.keys() == {"first", "second"}


def test_policies_of_packages_that_are_not_here_are_left_out(monkeypatch):
    monkeypatch.setitem(POLICIES, "away", Named(uniform, needs="no_such_package"))
    monkeypatch.setitem(EXPERIMENTS, "peers", TINY._replace(policies=("away", "uniform")))
    assert not installed("away")
    assert {row.policy for row in run_case(Case("peers", "Identical", 0, (0.1,)))[0]} == {"uniform"}


def test_a_replay_fits_on_odd_samples_and_then_on_even_ones():
    odd, even = (drawn_for(case).split for case in cases_of("replay", None, None, ROLLOUTS))
    assert set(odd.fitting["sample"] % 2) == set(even.scoring["sample"] % 2) == {1}
    assert set(odd.scoring["sample"] % 2) == set(even.fitting["sample"] % 2) == {0}
    assert set(odd.ids) == set(even.ids)
    assert (drawn_for(next(cases_of("replay", 1, None, ROLLOUTS))).window == 0).all()


def test_every_stream_and_seed_is_drawn_apart_and_the_same_in_every_experiment():
    first = drawn_for(Case("paper", "Balanced", 0, ())).split
    again = drawn_for(Case("noise", "Balanced", 0, ())).split
    others = [drawn_for(Case("paper", *own, ())).split for own in (("Balanced", 1), ("UShaped", 0))]
    assert (first.scoring["tokens"] == again.scoring["tokens"]).all()
    for other in others:
        assert (first.scoring["tokens"] != other.scoring["tokens"]).mean() > 0.5
    alike = [drawn_for(Case("paper", stream, 0, ())).split.scoring for stream in ("Identical", "Adversarial")]
    assert (alike[0]["correct"] != alike[1]["correct"]).mean() > 0.4  # equally hard, and still not the same lots


# Which cases


def test_cases_are_every_stream_and_seed():
    assert [(case.stream, case.seed) for case in tiny_cases()] == [
        (stream, seed) for stream in ("Balanced", "Identical") for seed in range(3)
    ]
    assert {case.levels for case in tiny_cases(levels=(0.5, 100.0))} == {(0.5,)}
    assert {case.levels for case in tiny_cases(levels=(100.0,))} == {TINY.levels}  # none of its own: all of them
    assert len(tiny_cases(seeds=1)) == 2
    assert len(tiny_cases(seeds=40)) == 80  # as many as were asked for
    replays = list(cases_of("replay", 40, None, ROLLOUTS))
    assert [case.seed for case in replays] == [0, 1]  # two sides are all there are
    assert {case.rollouts for case in replays} == {str(ROLLOUTS)}


def test_the_experiments_name_only_what_there_is():
    for plan in EXPERIMENTS.values():
        assert set(plan.policies) <= set(POLICIES)
        assert len(set(plan.policies)) == len(plan.policies)
        assert set(plan.streams) <= set(experiments.STREAMS)
    assert set(running.SECONDS) == set(EXPERIMENTS)
    assert {level for plan in EXPERIMENTS.values() for level in plan.levels} >= set(cli.QUICK["levels"])


# Runs, stopped and resumed


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


def test_two_processes_give_the_same_bytes_as_none(tmp_path, monkeypatch):
    monkeypatch.undo()  # other processes have the real experiments
    cases = [Case("peers", stream, 0, (0.1,)) for stream in ("UShaped", "Balanced")]
    for jobs in (1, 2):
        ran(cases, tmp_path / str(jobs), jobs)
    assert (tmp_path / "1" / "rows.jsonl").read_bytes() == (tmp_path / "2" / "rows.jsonl").read_bytes()
    found = read_rows(tmp_path / "2" / "rows.jsonl")[0]
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


def replayed(path, seed, names=("one",)):
    rng, count = np.random.default_rng(seed), 12 * 4
    table = {
        "query_id": np.tile(np.repeat([f"q{k}" for k in range(12)], 4), len(names)),
        "sample": np.tile(np.arange(1, 5), 12 * len(names)),
        "tokens": rng.integers(50, 900, count * len(names)),
        "correct": (np.arange(count * len(names)) % 4 != 3).astype(int),
        "cap": np.full(count * len(names), 1000.0),
    }
    if len(names) > 1:
        table["config"] = np.repeat(names, count)
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table(table), path)
    return path


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


# Files of rows


def test_the_table_holds_the_same_rows_as_the_lines(tmp_path, monkeypatch):
    def broken(batch, budget):
        raise ValueError("no luck")

    monkeypatch.setitem(POLICIES, "played", Named(broken))
    monkeypatch.setitem(EXPERIMENTS, "peers", TINY._replace(policies=("played", "oracle", "uniform")))
    found = ran(tiny_cases(seeds=1), tmp_path)
    lines, table = (read_rows(tmp_path / name) for name in FILES)
    assert lines == table == (found, environment())
    assert sum(row.error is not None for row in found) == 4
    schema = pq.read_schema(tmp_path / "rows.parquet")
    assert [str(schema.field(name).type) for name in ("seed", "level", "accuracy", "policy", "error")] == [
        "int64", "double", "double", "string", "string",
    ]  # fmt: skip


def test_each_row_says_where_it_was_made_and_not_how_long_it_took(tmp_path):
    ran(tiny_cases(seeds=1), tmp_path)
    for line in (tmp_path / "rows.jsonl").read_text().splitlines():
        row = json.loads(line)
        assert row.keys() == {*COLUMNS, "commit", "dirty", "code", "machine", "versions"}
        assert {name: row[name] for name in environment()} == environment()
    times = [json.loads(line) for line in (tmp_path / "times.jsonl").read_text().splitlines()]
    assert [own["case"] for own in times] == [case.name for case in tiny_cases(seeds=1)]
    assert times[0]["seconds"].keys() == set(TINY.policies)
    assert all(0.0 < value < 60.0 for value in times[0]["seconds"].values())


def test_the_environment_is_that_of_the_repository(tmp_path, monkeypatch):
    where = environment()
    assert re.fullmatch(r"[0-9a-f]{40}|unknown", where["commit"])
    assert type(where["dirty"]) is bool
    for name in ("python", "numpy", "scipy", "clear-alloc"):
        assert re.search(rf"\b{name} \d", where["versions"])
    monkeypatch.setattr(rows, "HERE", tmp_path)
    environment.cache_clear()
    try:
        assert (environment()["commit"], environment()["dirty"]) == ("unknown", False)
    finally:
        environment.cache_clear()


@pytest.mark.skipif(which("git") is None, reason="git is not installed")
def test_a_tree_is_dirty_when_what_git_knows_has_changed(tmp_path, monkeypatch):
    def git(*words):
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        return subprocess.run(["git", *who, *words], cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    def dirty():
        environment.cache_clear()
        return environment()["dirty"]

    file = tmp_path / "a.txt"
    file.write_text("1")
    git("init")
    git("add", ".")
    git("commit", "-m", "one")
    monkeypatch.setattr(rows, "HERE", tmp_path)
    try:
        assert not dirty()
        assert environment()["commit"] == git("rev-parse", "HEAD").strip()
        (tmp_path / "b.txt").write_text("results")
        assert not dirty()
        file.write_text("2")
        assert dirty()
    finally:
        environment.cache_clear()


def test_a_change_of_the_code_changes_its_mark_and_one_of_a_report_does_not(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "HERE", tmp_path)
    marks = [rows._mark()]
    for name, content in (
        ("clear_alloc/a.py", "1"),
        ("clear_alloc/a.py", "2"),
        ("benchmarks/policies/a.py", "2"),
        ("benchmarks/report/a.py", "2"),
        ("docs/a.py", "2"),
        ("benchmarks/policies/b.py", ""),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
        marks.append(rows._mark())
    assert marks[3] == marks[4] == marks[5]
    assert len(set(marks)) == 5


# The command


@pytest.fixture
def quickly(monkeypatch):
    monkeypatch.setattr(cli, "speed_of", lambda jobs: Speed(running.PROBE, jobs))


def test_the_command_runs_an_experiment_and_says_what_it_did(tmp_path, quickly):
    code, said = invoked("--only", "peers", "--only", "peers", "--seeds", 2, "--jobs", 1, "--out", tmp_path)
    assert code == 0
    assert "4 cases on 1 processes: about 0.1 minutes" in said
    assert "16 rows, 0 of them failures" in said
    assert len(read_rows(tmp_path / "rows.parquet")[0]) == 16


def test_quick_is_two_seeds_and_some_budgets():
    cases = cli.planned(["peers", "scarcity"], True, None, ROLLOUTS)
    assert {case.seed for case in cases} == {0, 1}
    assert {case.stream: case.levels for case in cases}["Drift"] == (0.1, 0.5)
    assert len(cli.planned(["peers"], True, 1, ROLLOUTS)) == 2
    assert {case.levels for case in cli.planned(["peers"], False, None, ROLLOUTS)} == {TINY.levels}


def test_the_command_refuses_a_folder_of_other_code_unless_it_may_start_anew(tmp_path, quickly, monkeypatch):
    words = ("--only", "peers", "--seeds", 1, "--jobs", 1, "--out", tmp_path)
    assert invoked(*words)[0] == 0
    mine = environment()["code"]
    for module in (running, rows):
        monkeypatch.setattr(module, "environment", lambda: {**environment(), "code": "f" * 12})
    code, said = invoked(*words)
    assert code == 2
    assert f"code {mine}; this is code {'f' * 12}" in said
    assert "--fresh" in said
    (tmp_path / "thesis.tex").write_text("years of work")
    assert invoked(*words, "--fresh")[0] == 0
    assert read_rows(tmp_path / "rows.jsonl")[1]["code"] == "f" * 12
    assert (tmp_path / "thesis.tex").exists()


def test_without_a_folder_every_state_of_the_code_has_its_own(tmp_path, quickly, monkeypatch):
    monkeypatch.setattr(cli, "OUT", tmp_path)
    assert invoked("--only", "peers", "--seeds", 1, "--jobs", 1)[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == [environment()["code"]]
    assert (tmp_path / environment()["code"] / "rows.parquet").exists()


def test_unknown_experiments_and_missing_files_are_refused_by_the_option_s_name(tmp_path):
    code, said = invoked("--only", "nonsense", "--out", tmp_path / "out")
    assert code == 2
    assert "'nonsense' is no experiment; choose from scarcity, paper" in said
    assert "--only" in said
    for path in (tmp_path / "none.parquet", tmp_path):
        code, said = invoked("--rollouts", path, "--out", tmp_path / "out")
        assert code == 2
        assert "--rollouts" in said
        assert "there is no file" in said
    assert invoked("--jobs", 0)[0] == invoked("--seeds", 0)[0] == 2
    assert not (tmp_path / "out").exists()


def test_failures_are_counted_and_leave_the_summary_standing(tmp_path, quickly, monkeypatch):
    def broken(batch, budget):
        raise ValueError("no luck")

    monkeypatch.setitem(POLICIES, "ours", Named(broken))
    monkeypatch.setitem(EXPERIMENTS, "scarcity", TINY._replace(policies=("uniform", "ours")))
    code, said = invoked("--only", "scarcity", "--seeds", 2, "--jobs", 1, "--out", tmp_path)
    assert code == 0
    assert "16 rows, 8 of them failures" in said
    assert "Balanced" in said


# How long it takes


def test_the_estimate_adds_up_cases_by_budgets_and_shares_them_out():
    full = {name: len(plan.levels) for name, plan in EXPERIMENTS.items()}
    quick, slow = Speed(running.PROBE, 1), Speed(3.0 * running.PROBE, 2)
    levels = EXPERIMENTS["scarcity"].levels
    one = Case("scarcity", "Balanced", 0, levels)
    assert estimate([one], full, quick) == pytest.approx(running.SECONDS["scarcity"])
    some = [one, Case("scarcity", "Drift", 0, levels[:2]), Case("peers", "Balanced", 0, TINY.levels)]
    total = running.SECONDS["scarcity"] * (1.0 + 2.0 / len(levels)) + running.SECONDS["peers"]
    assert estimate(iter(some * 4), full, quick) == pytest.approx(4.0 * total)
    assert estimate(some * 4, full, slow) == pytest.approx(6.0 * total)
    bursty = Case("scarcity", "Bursty", 0, levels)
    assert estimate([bursty], full, slow) == pytest.approx(3.0 * running.BURSTY)  # one case is one process
    assert estimate([], full, slow) == 0.0


def test_the_probe_uses_no_more_processors_than_there_are(monkeypatch):
    monkeypatch.setattr(running.os, "cpu_count", lambda: 2)
    one, many = speed_of(1), speed_of(64)
    assert (one.jobs, many.jobs) == (1, 2)
    assert 0.0 < one.probe < 5.0


# What rows say


@pytest.mark.parametrize("n", [2, 3, 20])
@pytest.mark.parametrize("better", [0.1, 0.0, -0.1])
def test_paired_differences_have_student_s_intervals(n, better):
    ours, theirs = sides(n, n, better)
    found = paired(as_rows(ours), as_rows(theirs))
    interval = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.difference == pytest.approx((ours - theirs).mean())
    assert (found.first, found.second) == pytest.approx((ours.mean(), theirs.mean()))
    assert found.ratio == pytest.approx(ours.mean() / theirs.mean())
    assert found.seeds == n
    mean, low, high = mean_interval(ours)
    plain = stats.ttest_1samp(ours, 0.0).confidence_interval(0.95)
    assert (mean, low, high) == pytest.approx((ours.mean(), plain.low, plain.high))


@pytest.mark.parametrize("seed", range(6))
def test_the_least_ratio_is_fieller_s(seed):
    n = 4 + 3 * seed
    ours, theirs = sides(seed, n, better=0.2 * seed, base=0.05 + 0.1 * seed)
    scale = stats.t.ppf(0.975, n - 1) ** 2 / n
    (top, cross), (_, bottom) = np.cov(ours, theirs)
    # (mean(ours) - k mean(theirs))^2 = t^2 var(ours - k theirs)/n, its lower root in k
    a = theirs.mean() ** 2 - scale * bottom
    b = ours.mean() * theirs.mean() - scale * cross
    c = ours.mean() ** 2 - scale * top
    roots = np.roots([a, -2.0 * b, c])
    least = min(root.real for root in roots if ours.mean() - root.real * theirs.mean() > 0.0)
    assert paired(as_rows(ours), as_rows(theirs)).least == pytest.approx(least, rel=1e-9)


def test_a_ratio_has_its_limits():
    ours = as_rows([0.2, 0.3, 0.25])
    nothing = as_rows([0.0, 0.0, 0.0])
    assert paired(ours, nothing).ratio == paired(ours, nothing).least == np.inf
    assert np.isnan([paired(nothing, nothing).ratio, paired(nothing, nothing).least]).all()
    assert paired(nothing, ours).least == paired(nothing, ours).ratio == 0.0
    assert paired(as_rows([0.5, 0.0]), as_rows([0.1, 0.1])).least == 0.0  # not even more than nothing is certain
    alone = paired(as_rows([0.4]), as_rows([0.1]))
    assert alone.difference == pytest.approx(0.3)
    assert np.isnan([alone.low, alone.high, alone.least]).all()
    assert paired(as_rows([0.6, 0.6, 0.6]), as_rows([0.2, 0.2, 0.2])).least == pytest.approx(3.0)


def test_only_seeds_that_both_have_are_paired():
    ours, theirs = as_rows([0.5, 0.7, 0.9]), as_rows([0.0, 0.1, 0.2])
    del ours[0], theirs[2]
    found = paired(ours, theirs)
    assert (found.seeds, found.first, found.second) == (1, 0.7, 0.1)
    with pytest.raises(ValueError, match="no seed in common"):
        paired({0: ours[1]}, {1: theirs[1]})


def test_failures_take_no_part_in_means():
    some = [one_row("ours", 0, 0.5), one_row("ours", 1, None, error="ValueError: no"), one_row("ours", 2, 0.7, 0.2)]
    found = by_setting(some)
    assert found == {
        ("scarcity", "Balanced", 0.1, 0.0): {"ours": {0: some[0]}},
        ("scarcity", "Balanced", 0.2, 0.0): {"ours": {2: some[2]}},
    }


def test_the_summary_shows_the_scarce_budgets_of_the_paper_s_streams():
    some = [
        *(one_row("ours, chosen", seed, 0.3) for seed in (0, 1)),
        *(one_row("uniform", seed, 0.1) for seed in (0, 1)),
        one_row("ours, chosen", 0, 0.9, level=0.3),
        one_row("ours, chosen", 0, 0.9, stream="Identical"),
        one_row("ours, chosen", 0, 0.9, experiment="noise"),
        one_row("uniform", 0, 0.25, stream="UShaped"),
    ]
    screen = Console(width=80, file=StringIO())
    screen.print(scarce_table(some))
    shown = [line.split() for line in screen.file.getvalue().splitlines() if "%" in line and "interval" not in line]
    assert shown == [["Balanced", "10%", "0.100", "0.300", "3.0", "3.0"], ["UShaped", "10%", "0.250"]]
